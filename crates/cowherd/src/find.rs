//! The shortest schedule to something bad. Prints nothing.

use cowherd_explore::{Shortest, System, shortest};
use cowherd_litmus::ast::{Quantifier, Test};
use cowherd_model::check::{Run, Search};
use cowherd_model::kernels::Profile;
use cowherd_model::lower::{Refused, lower};
use cowherd_model::program::Program;
use cowherd_model::spec;
use cowherd_model::state::State;
use cowherd_model::witness::{Names, Trace};

use crate::input::Loaded;

/// What is to be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The condition's proposition holds at the end; with `forall`, it does not.
    Condition,
    /// One of these promises is broken.
    Broken(u64),
    /// Nobody can go on.
    Deadlock,
    /// The program ends in this state.
    Outcome(Vec<u8>),
}

/// What a search for a schedule came to.
pub enum Found {
    /// The shortest.
    Trace(Box<Trace>),
    /// There is none.
    Nothing,
    /// It was cut short.
    CutShort,
}

/// Does the bad thing happen: the proposition holds; with `forall`, it does not?
pub fn is_bad(test: &Test, run: &Run) -> bool {
    let forall = test.condition.quantifier == Quantifier::Forall;
    run.outcomes.iter().any(|o| o.satisfies != forall)
}

/// What there is to explain in a run, if anything.
pub fn goal(test: &Test, run: &Run) -> Option<Goal> {
    // What is documented is no bug.
    let broken = run.alarms & !spec::hazard_bits(None);
    if is_bad(test, run) {
        Some(Goal::Condition)
    } else if broken != 0 {
        Some(Goal::Broken(broken))
    } else if run.deadlocks > 0 {
        Some(Goal::Deadlock)
    } else {
        None
    }
}

/// The shortest schedule to the goal.
pub fn witness(
    test: &Loaded,
    profile: &Profile,
    goal: &Goal,
    search: &Search,
) -> Result<Found, Refused> {
    let program = lower(&test.test, profile, search.reductions.symmetry)?;
    let wanted = |s: &State| reached(&test.test, &program, s, goal);
    Ok(match shortest(&program, &search.options(), wanted) {
        Shortest::Found(witness) => {
            let tidy = program.tidy(&witness, &wanted);
            Found::Trace(Box::new(program.trace(&names(test, profile), &tidy)))
        }
        Shortest::None => Found::Nothing,
        Shortest::Unknown(_) => Found::CutShort,
    })
}

fn reached(test: &Test, program: &Program, state: &State, goal: &Goal) -> bool {
    let outcome = || {
        program.done(state).then(|| {
            let mut bytes = Vec::new();
            program.outcome(state, &mut bytes);
            bytes
        })
    };
    match goal {
        Goal::Condition => outcome().is_some_and(|bytes| {
            let forall = test.condition.quantifier == Quantifier::Forall;
            program.satisfies(&test.condition.prop, &bytes) != forall
        }),
        Goal::Broken(bits) => state.alarms & bits != 0,
        Goal::Deadlock => {
            !program.done(state)
                && (0..program.actors()).all(|actor| !program.enabled(state, actor))
        }
        Goal::Outcome(wanted) => outcome().as_ref() == Some(wanted),
    }
}

/// What a trace of this test on this kernel is called.
pub fn names(test: &Loaded, profile: &Profile) -> Names {
    Names {
        test: test.title.clone(),
        source: test.text.clone(),
        profile: profile.name.clone(),
    }
}
