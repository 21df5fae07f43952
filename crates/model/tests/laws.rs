//! Laws of every run, on random programs: packing is exact, the reductions and the number of workers change no verdict, and what
//! a run asked for is all that it depends on.
//!
//! `COWHERD_LONG=N` runs N programs for each law, `COWHERD_SEED` others; `COWHERD_MOST` leaves out those with more states.

mod common;

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use common::examine::{flags, parse, profile, run};
use common::generate::Generator;
use cowherd_explore::oracle::oracle;
use cowherd_explore::{Choice, Reductions, Report, System};
use cowherd_litmus::ast::Test;
use cowherd_mm::{Feature, FeatureSet};
use cowherd_model::general::{Bound, Calls, Grain, MENU, general};
use cowherd_model::kernels::Profile;
use cowherd_model::lower::lower;
use cowherd_model::program::Program;
use cowherd_model::spec::PROMISES;
use cowherd_model::state::State;

/// States of one program at most.
static MOST: LazyLock<u64> = LazyLock::new(|| common::setting("COWHERD_MOST").unwrap_or(8_000));

const KERNELS: [&str; 7] = [
    "v4.19",
    "v5.8",
    "v5.10",
    "v5.18",
    "v5.19",
    "v6.12.107",
    "v7.2",
];

/// Holds `law` against random programs on old and new kernels, on all CPUs.
fn all(here: u64, law: impl Fn(&str, &Test, &Profile) -> bool + Sync) {
    let count = common::rounds(here);
    let (next, held) = (AtomicU64::new(0), AtomicU64::new(0));
    let kernels = KERNELS.map(profile);
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        break;
                    }
                    let seed = common::seed().wrapping_mul(1 << 33).wrapping_add(n);
                    let text = Generator::new(seed).any().to_string();
                    let kernel = &kernels[n as usize % kernels.len()];
                    if let Ok(test) = parse(&text)
                        && law(&text, &test, kernel)
                    {
                        held.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    println!("held for {} of {count} programs", held.into_inner());
}

/// What a run says that no reduction may change.
fn verdict(report: &Report) -> (BTreeSet<Vec<u8>>, u64, bool, bool) {
    (
        report.outcomes.keys().cloned().collect(),
        flags(report),
        report.deadlocks.states > 0,
        report.livelocks.is_some_and(|l| l.states > 0),
    )
}

#[test]
fn packing_is_exact() {
    all(1_000, |text, test, kernel| {
        for reductions in [Reductions::ALL, Reductions::NONE] {
            let Some((program, report)) = run(test, kernel, reductions, 1, *MOST) else {
                return false;
            };
            for (_, packed) in report.packed_states() {
                let mut again = Vec::new();
                program.pack(&program.unpack(packed), &mut again);
                assert_eq!(again, packed, "on {}\n{text}", kernel.name);
            }
        }
        true
    });
}

/// In every successor of the first states: looking at all invariants and all addresses finds nothing that was left out.
fn nothing_was_left_out(program: &Program, most: usize, text: &str) {
    let mut seen = HashSet::new();
    let mut queue: VecDeque<State> = program.initial.iter().cloned().collect();
    while let Some(from) = queue.pop_front() {
        for (taken, next) in successors(program, &from) {
            let label = program.describe(&from, taken.0).map(|step| step.label);
            assert!(program.is_settled(&next), "{label:?}\n{text}");
            let mut bytes = Vec::new();
            program.pack(&next, &mut bytes);
            if seen.len() < most && seen.insert(bytes) {
                queue.push_back(next);
            }
        }
    }
}

#[test]
fn what_a_step_did_not_write_needs_no_second_look() {
    all(1_000, |text, test, kernel| {
        let Ok(program) = lower(test, kernel, true) else {
            return false;
        };
        nothing_was_left_out(&program, 1_500, text);
        true
    });
    nothing_was_left_out(&every_program(Reductions::ALL), 6_000, "every program");
}

/// The general program of a bound, with all calls of the menu.
fn every_program(reductions: Reductions) -> Program {
    let bound = Bound {
        processes: 2,
        threads: 1,
        kernel: 1,
        pages: 1,
        cells: 2,
        calls: 3,
        // A page is registered with userfaultfd in one mode only.
        allowed: MENU
            .iter()
            .map(|word| word.name)
            .filter(|word| *word != "uffd_rwp")
            .collect(),
        swap: "async".into(),
        files: "nfs".into(),
        counts: PROMISES,
        grain: Grain::Step,
    };
    general(&bound, Calls::Any(3), &profile("v6.12.107"), reductions).unwrap()
}

/// Packs every successor of the first states, after one step and after two, in both ways: what the steps left alone is copied, or all is
/// packed. Each state is unpacked over the one before.
fn copying_packs_the_same(program: &Program, most: usize, text: &str) {
    let pack = |state: &State| {
        let mut bytes = Vec::new();
        program.pack(state, &mut bytes);
        bytes
    };
    let mut seen: HashSet<Vec<u8>> = program.initial.iter().map(&pack).collect();
    let mut queue: VecDeque<Vec<u8>> = seen.iter().cloned().collect();
    let mut from = program.initial[0].clone();
    while let Some(bytes) = queue.pop_front() {
        program.unpack_into(&bytes, &mut from);
        assert_eq!(from, program.unpack(&bytes), "{text}");
        assert_eq!(pack(&from), bytes, "{text}");
        for (taken, next) in successors(program, &from) {
            let further = successors(program, &next)
                .into_iter()
                .map(|(_, state)| state);
            for state in std::iter::once(next.clone()).chain(further) {
                let mut copied = Vec::new();
                program.pack_after(&from, &state, &mut copied);
                let label = program.describe(&from, taken.0).map(|step| step.label);
                assert_eq!(copied, pack(&state), "{label:?}\n{text}");
            }
            if seen.len() < most && seen.insert(pack(&next)) {
                queue.push_back(pack(&next));
            }
        }
    }
}

#[test]
fn what_steps_left_alone_is_packed_as_it_was() {
    all(1_000, |text, test, kernel| {
        for symmetry in [true, false] {
            let Ok(program) = lower(test, kernel, symmetry) else {
                return false;
            };
            copying_packs_the_same(&program, 400, text);
        }
        true
    });
    for reductions in [Reductions::ALL, Reductions::NONE] {
        copying_packs_the_same(&every_program(reductions), 4_000, "every program");
    }
}

#[test]
fn no_reduction_changes_a_verdict() {
    all(1_000, |text, test, kernel| {
        let Some((_, full)) = run(test, kernel, Reductions::NONE, 1, 5 * *MOST) else {
            return false;
        };
        for bits in 1..8 {
            let reductions = Reductions {
                symmetry: bits & 1 != 0,
                movers: bits & 2 != 0,
                commute: bits & 4 != 0,
                ..Reductions::ALL
            };
            let Some((_, report)) = run(test, kernel, reductions, 1, 5 * *MOST) else {
                panic!("more states with {reductions:?} on {}\n{text}", kernel.name);
            };
            assert_eq!(
                verdict(&report),
                verdict(&full),
                "{reductions:?} on {}\n{text}",
                kernel.name
            );
        }
        true
    });
}

#[test]
fn the_naive_search_finds_the_same() {
    all(1_000, |text, test, kernel| {
        let Some((program, report)) = run(test, kernel, Reductions::NONE, 1, *MOST) else {
            return false;
        };
        let naive = oracle(&program, 2 * *MOST as usize).expect("as many states");
        assert_eq!(report.states, naive.states, "on {}\n{text}", kernel.name);
        assert_eq!(report.levels, naive.levels, "on {}\n{text}", kernel.name);
        assert_eq!(flags(&report), naive.flags, "on {}\n{text}", kernel.name);
        assert_eq!(report.deadlocks.states, naive.deadlocks, "{text}");
        let outcomes = report.outcomes.iter().map(|(o, n)| (o.clone(), n.states));
        assert!(naive.outcomes.into_iter().eq(outcomes), "{text}");
        true
    });
}

#[test]
fn any_number_of_workers_finds_the_same() {
    all(1_000, |text, test, kernel| {
        let Some((_, one)) = run(test, kernel, Reductions::ALL, 1, *MOST) else {
            return false;
        };
        for workers in [2, 4] {
            let (_, more) = run(test, kernel, Reductions::ALL, workers, *MOST).expect("as many");
            assert_eq!(
                (one.states, one.transitions, &one.levels, &one.outcomes),
                (more.states, more.transitions, &more.levels, &more.outcomes),
                "{workers} on {}\n{text}",
                kernel.name
            );
            assert_eq!(
                one.flags, more.flags,
                "{workers} on {}\n{text}",
                kernel.name
            );
        }
        true
    });
}

#[test]
fn a_run_depends_on_no_feature_that_it_did_not_ask_for() {
    all(1_000, |text, test, kernel| {
        let Some((program, report)) = run(test, kernel, Reductions::ALL, 1, *MOST) else {
            return false;
        };
        let asked = program.cfg.consulted();
        let had = asked.intersection(kernel.features);
        let others: Vec<Feature> = Feature::ALL
            .iter()
            .copied()
            .filter(|f| !asked.contains(*f))
            .collect();
        let flip = |features: &[Feature]| {
            let mut flipped = kernel.clone();
            for &feature in features {
                if !flipped.features.remove(feature) {
                    flipped.features.insert(feature);
                }
            }
            flipped
        };
        // All at once; and if that makes a difference, which one does.
        let same = |other: &Profile| {
            lower(test, other, true).is_ok()
                && run(test, other, Reductions::ALL, 1, *MOST).is_some_and(|(_, r)| {
                    (r.states, r.transitions, &r.levels, verdict(&r))
                        == (
                            report.states,
                            report.transitions,
                            &report.levels,
                            verdict(&report),
                        )
                })
        };
        if !same(&flip(&others)) {
            let culprits: Vec<_> = others.iter().filter(|&&f| !same(&flip(&[f]))).collect();
            panic!("{culprits:?} on {}\n{text}", kernel.name);
        }
        assert_ne!(had, FeatureSet::ALL);
        true
    });
}

/// Every state that comes of `state` in one step, by actor and choice.
fn successors(program: &Program, state: &State) -> Vec<((usize, u32), State)> {
    let mut all = Vec::new();
    if program.done(state) {
        return all;
    }
    for actor in (0..System::actors(program)).filter(|&actor| program.enabled(state, actor)) {
        let (mut number, mut fanout) = (0, 1);
        while number < fanout {
            let mut choice = Choice::number(number);
            let mut next = state.clone();
            program.step(&mut next, actor, &mut choice);
            fanout = fanout.max(choice.fanout());
            if choice.valid() {
                all.push(((actor, number), next));
            }
            number += 1;
        }
    }
    all
}

/// The first step after which a state and what it was packed to differ.
fn first_difference(program: &Program, most: usize) -> Option<String> {
    let pack = |state: &State| {
        let mut bytes = Vec::new();
        program.pack(state, &mut bytes);
        bytes
    };
    let mut known = HashSet::new();
    let mut queue: Vec<State> = program.initial.clone();
    while let Some(state) = queue.pop() {
        if known.len() > most || !known.insert(pack(&state)) {
            continue;
        }
        let again = program.unpack(&pack(&state));
        let (here, there) = (successors(program, &state), successors(program, &again));
        if here.len() != there.len() {
            return Some(format!("{:?}", program.describe(&state, here[0].0.0)));
        }
        for ((taken, one), (_, other)) in here.iter().zip(&there) {
            if pack(one) != pack(other) {
                let step = program.describe(&state, taken.0).map(|s| s.label);
                return Some(format!("{taken:?} {step:?}\n{one:?}\n{other:?}"));
            }
        }
        queue.extend(here.into_iter().map(|(_, next)| next));
    }
    None
}

#[test]
fn what_is_not_packed_does_not_matter() {
    all(1_000, |text, test, kernel| {
        let Ok(program) = lower(test, kernel, false) else {
            return false;
        };
        let difference = first_difference(&program, 4_000);
        assert_eq!(difference, None, "on {}\n{text}", kernel.name);
        true
    });
}

/// Found by 100,000 random programs: clear_refs chose its lock by what was left of the VMAs of a process that was gone.
#[test]
fn nothing_depends_on_what_is_left_of_a_process_that_is_gone() {
    let text = "MM gone { swap async; anon x zero, readonly; }\n\
        P0 in A { exit(); }\n\
        P1 in A { madvise(x, MADV_POPULATE_READ); }\n\
        kernel { clear_refs(A); }\n\
        kernel { madvise(A:x, MADV_COLD); }\n\
        exists (violates)\n";
    let test = parse(text).unwrap();
    for kernel in ["v4.19", "v5.10"].map(profile) {
        let program = lower(&test, &kernel, false).unwrap();
        assert_eq!(first_difference(&program, 4_000), None, "{}", kernel.name);
    }
}

/// Found by 100,000 random programs: ksmd broke a page of a process while that was taken down, and left it mapped there.
#[test]
fn ksmd_leaves_a_process_before_it_is_taken_down() {
    let text = "MM exit { anon y = 1; anon x = 1 crowded; }\n\
        P0 in A { exit(); }\n\
        kernel { ksm(A:x, A:y); }\n\
        exists (violates)\n";
    let test = parse(text).unwrap();
    for kernel in KERNELS.map(profile) {
        let program = lower(&test, &kernel, false).unwrap();
        assert_eq!(first_difference(&program, 4_000), None, "{}", kernel.name);
    }
}

#[test]
fn one_program() {
    let Ok(path) = std::env::var("COWHERD_TEST") else {
        return;
    };
    let test = parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    let kernel = profile(&std::env::var("COWHERD_KERNELS").unwrap_or("v7.2".into()));
    let program = lower(&test, &kernel, false).unwrap();
    println!(
        "{}",
        first_difference(&program, 100_000).unwrap_or_default()
    );
}
