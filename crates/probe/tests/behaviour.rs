//! A kernel is told by what tests show on it. Here the model stands in for the kernel: it is stepped as a machine would be.

use std::path::Path;

use cowherd_model::kernels::{Kernels, Profile};
use cowherd_model::predict::{Predictor, orders};
use cowherd_probe::detect::behaviour::{Behaviour, behaviour};
use cowherd_probe::live::TestResult;
use cowherd_probe::live::directed::Trace;

const TESTS: [&str; 6] = [
    "basics/mem-write-readonly",
    "direct-io/odirect-swap",
    "direct-io/odirect-swap-write",
    "fork/fork-parent-store",
    "pins/get-swap",
    "swap/swap-roundtrip",
];

fn profile(expression: &str) -> Profile {
    Kernels::shipped().profile(expression).unwrap().profile
}

/// What a test shows on a kernel that does all that the model says of it, and of several things the first.
fn shown_by(kernel: &Profile, name: &str) -> Option<TestResult> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../litmus");
    let text = std::fs::read_to_string(folder.join(format!("{name}.litmus"))).unwrap();
    let test = cowherd_litmus::parse(name, &text).unwrap();
    let predictor = Predictor::new(&test, kernel, 4_000).ok()?;
    let mut result = TestResult {
        name: name.into(),
        ran: text,
        ..TestResult::default()
    };
    for turns in orders(&predictor, 8, 1).orders {
        let mut belief = predictor.start();
        let mut views = Vec::new();
        for &turn in &turns {
            belief = predictor.turn(&belief, turn).ok()?;
            let view = belief.views(&predictor).into_iter().next()?;
            belief.keep(&predictor, &view);
            views.push(view);
        }
        let outcome = belief.outcomes(&predictor).into_iter().next()?;
        let outcome = outcome.into_iter().map(Some).collect();
        let trace = Trace {
            turns,
            views,
            outcome,
        };
        result.traces.push((trace, 1));
    }
    Some(result)
}

fn told(kernel: &str, thought: &str) -> Behaviour {
    let kernel = profile(kernel);
    let results: Vec<TestResult> = TESTS
        .iter()
        .filter_map(|name| shown_by(&kernel, name))
        .collect();
    assert!(results.len() > 3);
    behaviour(Kernels::shipped(), &profile(thought), &results)
}

#[test]
fn a_kernel_that_is_what_it_says_is_not_changed() {
    for kernel in ["v5.10", "v6.12", "v7.2"] {
        let told = told(kernel, kernel);
        assert_eq!(told.profile.name, kernel);
        assert!(told.changed.is_empty() && told.unexplained.is_empty());
        assert!(!told.shown.is_empty(), "{kernel}");
    }
}

#[test]
fn a_backport_shows_and_so_does_a_revert() {
    for (kernel, thought) in [
        ("v6.12-swp_exclusive", "v6.12"),
        ("v6.12", "v6.12-swp_exclusive"),
    ] {
        let told = told(kernel, thought);
        assert!(told.unexplained.is_empty(), "{:?}", told.unexplained);
        assert_eq!(told.changed.len(), 1, "{:?}", told.changed);
        // These tests do not tell it from the rule that stands beside it, and say so.
        let changed = &told.changed[0];
        let mut names = std::iter::once(&changed.feature).chain(&changed.or);
        assert!(names.any(|f| f.name() == "swp_exclusive"), "{changed:?}");
    }
}
