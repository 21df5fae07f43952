//! Why the model forbids what a machine did: what it does itself in the turn in which they part, and the rule that makes the difference.

use cowherd_litmus::ast::Test;
use cowherd_model::kernels::{Kernels, Profile};
use cowherd_model::predict::{Belief, Predictor};
use cowherd_model::witness::TraceStep;
use cowherd_report::witness::story;

use super::directed::Trace;
use super::follow::{Tracker, Unfollowed};
use super::runner::LIMIT;

/// Lines for people, about a trace that `predictor` forbids.
pub fn not(test: &Test, profile: &Profile, predictor: &Predictor, trace: &Trace) -> Vec<String> {
    let consulted = predictor.program.cfg.consulted();
    let (beliefs, parts) = followed(predictor, trace);
    let turns = beliefs.iter().zip(&trace.turns);
    let ways: Vec<Vec<TraceStep>> = turns.map(|(b, &turn)| predictor.way(b, turn)).collect();
    let mut lines: Vec<String> = Vec::new();
    match ways.last() {
        Some(way) if parts => {
            let told = way.iter().filter(|step| !step.changes.is_empty());
            lines.extend(told.map(|step| {
                let changes = story::changes(&step.changes);
                format!("the model: {} {}: {changes}", step.label, step.function)
            }));
        }
        _ => lines.push("what was seen of pages the model allows; of values it does not".into()),
    }
    let mut decides = false;
    for feature in consulted.iter() {
        let has = profile.features.contains(feature);
        let sign = if has { '-' } else { '+' };
        let text = format!("{}{sign}{}", profile.name, feature.name());
        // Not every kernel that can be written down can be.
        let Ok(changed) = Kernels::shipped().profile(&text) else {
            continue;
        };
        if !allows(test, &changed.profile, trace) {
            continue;
        }
        decides = true;
        lines.push(format!(
            "{text} allows it; {}: {}",
            asked(&ways, feature.name()),
            Kernels::shipped().feature(feature).effect,
        ));
    }
    if !decides {
        lines.push("no kernel that differs in one rule allows it".into());
    }
    lines
}

/// The last step that asked for a rule.
fn asked(ways: &[Vec<TraceStep>], rule: &str) -> String {
    for (turn, way) in ways.iter().enumerate().rev() {
        let asks = |step: &&TraceStep| step.asked.iter().any(|(name, _)| name == rule);
        if let Some(step) = way.iter().rev().find(asks) {
            return format!(
                "asked in turn {}, {} {}",
                turn + 1,
                step.label,
                step.function
            );
        }
    }
    "asked by the kernel's own work".into()
}

/// The states before each turn, up to the one after which none agrees with what was seen. False: there is no such turn, only the end disagrees.
fn followed(predictor: &Predictor, trace: &Trace) -> (Vec<Belief>, bool) {
    let mut belief = predictor.start();
    let mut all = Vec::new();
    for (&turn, view) in trace.turns.iter().zip(&trace.views) {
        all.push(belief.clone());
        let Ok(next) = predictor.turn(&belief, turn) else {
            return (all, false);
        };
        belief = next;
        if !belief.keep(predictor, view) {
            return (all, true);
        }
    }
    (all, false)
}

fn allows(test: &Test, profile: &Profile, trace: &Trace) -> bool {
    let Ok(predictor) = Predictor::new(test, profile, LIMIT) else {
        return false;
    };
    // Orders and observables are the test's, so the trace means the same there.
    // Who explains a turn may be asked about a trace that goes no further.
    matches!(
        Tracker::new(&predictor, test).follow(trace),
        Ok(Ok(_)) | Err(Unfollowed::Unfinished)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use cowherd_model::predict::{Frame, Page, Turn, View};

    const SWAP_STEPS: &str = "
MM odirect-swap-steps
{
    anon x[2] = { 0, 0 };
    file f on fuse = { 7 };
    swap async;
}
P0 in A {
    io0 = read_submit(f[0], x[0]);
    madvise(x, MADV_PAGEOUT);
    r0 = x[1];
    x[1] = 1;
    wait(io0);
}
exists (A:x[0]=0)
";

    #[test]
    fn a_copy_that_a_release_forbids_is_laid_to_the_rule_that_forbids_it() {
        let test = cowherd_litmus::parse("steps", SWAP_STEPS).expect("a test");
        let profile = Kernels::shipped()
            .profile("v6.1")
            .expect("a kernel")
            .profile;
        let predictor = Predictor::new(&test, &profile, LIMIT).expect("it runs");
        let view = |page| View {
            pages: vec![page],
            told: Vec::new(),
            waiting: 0,
            killed: 0,
        };
        // What 5.10 does.
        let trace = Trace {
            turns: vec![Turn::Task(0); 4],
            views: [Page::Present(Frame::Same), Page::Swapped]
                .into_iter()
                .chain([Page::Present(Frame::Same), Page::Present(Frame::Other)])
                .map(view)
                .collect(),
            outcome: Vec::new(),
        };
        let followed = Tracker::new(&predictor, &test).follow(&trace);
        assert!(matches!(followed, Ok(Err(_))), "{followed:?}");
        let why = not(&test, &profile, &predictor, &trace).join("\n");
        let rule = "v6.1-swp_exclusive allows it; asked in turn";
        assert!(why.contains(rule), "{why}");
        assert!(why.contains("the model: CPU store"), "{why}");
    }
}
