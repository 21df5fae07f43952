//! `cowherd explain --why-not`

use cowherd_mm::{Feature, FeatureSet};
use cowherd_model::check::{Run, Verdict};
use cowherd_model::kernels::{Kernels, Profile};
use cowherd_model::lower::lower;
use cowherd_model::why_not::Replay;
use cowherd_report::html::witness::page_of_two;
use cowherd_report::witness::why_not::{Counterproof, as_json, why_not};

use crate::cli::{Explain, Telling};
use crate::commands::explain::{self, Finder};
use crate::commands::list::pretty;
use crate::exit::{Exit, Failure};
use crate::find::{self, Goal};
use crate::input;
use crate::terminal;

pub fn run(args: &Explain, finder: &Finder, asked: Option<Goal>) -> Result<Exit, Failure> {
    let fixed = match args.kernels.first() {
        Some(word) => input::profile(word)?,
        None => newest()?,
    };
    let run = finder.check(&fixed)?;
    if asked.is_none() && finder.is_bad(&run) {
        return Err(Failure::Input(format!(
            "it happens on {fixed}; `cowherd explain {} -k {fixed}` tells how",
            args.test
        )));
    }
    let broken = match args.kernels.get(1) {
        Some(word) => Some(input::profile(word)?),
        None => nearest(finder, &fixed, &run.consulted, asked.as_ref())?,
    };
    let Some(broken) = broken else {
        return nowhere(finder, &fixed);
    };
    let goal = match asked {
        Some(goal) => goal,
        None => match finder.goal(&finder.check(&broken)?) {
            Some(goal) => goal,
            None => {
                return Err(Failure::Input(format!(
                    "it does not happen on {broken} either"
                )));
            }
        },
    };
    let Some(recorded) = finder.find(&broken, &goal)? else {
        return nowhere(finder, &fixed);
    };
    let program = lower(&finder.test.test, &fixed, true)
        .map_err(|refused| explain::refuse(finder.test, &refused))?;
    let mut replay = program.replay(&recorded, &find::names(finder.test, &fixed));
    if let Some(parting) = replay.parting.as_mut().filter(|p| p.rules.is_empty()) {
        // Their initial states differ already. Which feature decides is found by changing one at a time.
        let there = finder.check(&broken)?;
        let asked = run.consulted.union(there.consulted);
        parting.rules = deciding(finder, &fixed, &broken, asked);
    }
    let proofs = counterproofs(finder, &fixed, &replay);
    match args.format {
        Telling::Story => terminal::print(&why_not(&recorded, &replay, &proofs))?,
        Telling::Json => terminal::print(&pretty(&as_json(&recorded, &replay, &proofs))?)?,
        Telling::Html => terminal::print(&page_of_two(&recorded, &replay, &proofs))?,
        other => terminal::print(&explain::tell(&replay.trace, other)?)?,
    }
    Ok(Exit::Fine)
}

fn newest() -> Result<Profile, Failure> {
    let newest = Kernels::shipped().matrix().pop();
    newest.ok_or_else(|| Failure::Machine("the matrix is empty".into()))
}

/// The kernel of the matrix on which it happens and that differs least, in what the test asks for.
fn nearest(
    finder: &Finder,
    fixed: &Profile,
    consulted: &FeatureSet,
    asked: Option<&Goal>,
) -> Result<Option<Profile>, Failure> {
    let mut best: Option<(usize, Profile)> = None;
    // Newer ones first: they win where two are as near.
    for profile in Kernels::shipped().matrix().into_iter().rev() {
        let run = finder.check(&profile)?;
        let happens = match asked {
            None => finder.goal(&run).is_some(),
            Some(Goal::Broken(bits)) => run.alarms & bits != 0,
            Some(Goal::Deadlock) => run.deadlocks > 0,
            Some(Goal::Condition | Goal::Outcome(_)) => finder.is_bad(&run),
        };
        if !happens {
            continue;
        }
        let asked = consulted.union(run.consulted);
        let there = profile.features.intersection(asked);
        let here = fixed.features.intersection(asked);
        let distance = there.difference(here).len() + here.difference(there).len();
        if best.as_ref().is_none_or(|(least, _)| distance < *least) {
            best = Some((distance, profile));
        }
    }
    Ok(best.map(|(_, profile)| profile))
}

/// The features without which (or with which) it would happen here, of those that the two kernels differ in.
fn deciding(
    finder: &Finder,
    fixed: &Profile,
    broken: &Profile,
    asked: FeatureSet,
) -> Vec<(Feature, bool)> {
    let here = fixed.features.intersection(asked);
    let there = broken.features.intersection(asked);
    let only_here = here.difference(there).iter().map(|f| (f, true));
    let only_there = there.difference(here).iter().map(|f| (f, false));
    only_here
        .chain(only_there)
        .filter(|rule| changed(finder, fixed, *rule).is_some_and(|(_, run)| finder.is_bad(&run)))
        .collect()
}

/// For each rule that makes the difference: this kernel without it (or with it), if there is such a kernel.
fn counterproofs(finder: &Finder, fixed: &Profile, replay: &Replay) -> Vec<Counterproof> {
    let rules = replay.parting.as_ref().map_or(&[][..], |p| &p.rules);
    rules
        .iter()
        .filter_map(|rule| changed(finder, fixed, *rule))
        .filter(|(_, run)| run.verdict != Verdict::Unknown)
        .map(|(profile, run)| Counterproof {
            profile: profile.name,
            verdict: run.verdict.word(),
        })
        .collect()
}

/// The kernel with one feature changed, and what comes of the test there.
fn changed(
    finder: &Finder,
    kernel: &Profile,
    (feature, has): (Feature, bool),
) -> Option<(Profile, Run)> {
    let sign = if has { '-' } else { '+' };
    let text = format!("{}{sign}{}", kernel.name, feature.name());
    let profile = Kernels::shipped().profile(&text).ok()?.profile;
    let run = finder.check(&profile).ok()?;
    Some((profile, run))
}

fn nowhere(finder: &Finder, fixed: &Profile) -> Result<Exit, Failure> {
    terminal::print(&format!(
        "{} on {fixed}: it does not happen, and on no other kernel of the matrix either.\n\
         A second -k names a kernel on which it does.\n",
        finder.test.title
    ))?;
    Ok(Exit::Fine)
}
