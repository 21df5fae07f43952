//! A recorded schedule on another kernel: up to which step is it the same, and which rule makes the difference?

use cowherd_explore::{Step as Taken, System, Witness};
use cowherd_mm::Feature;

use crate::program::Program;
use crate::state::State;
use crate::witness::{Names, Trace, TraceStep};

/// A schedule of one kernel, taken on another.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What came of it on this kernel: the schedule up to the parting, then whatever can still be done in its order, to the end.
    pub trace: Trace,
    /// Where the kernels part; none: the schedule is the same on both.
    pub parting: Option<Parting>,
}

/// Where two kernels part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    /// The number of the step, in both traces.
    pub at: usize,
    /// How they part.
    pub how: How,
    /// The step that asked for the features that make the difference: at or before the parting.
    pub decided: usize,
    /// Those features, and whether this kernel has them. Empty if the initial states differ and nothing was asked.
    pub rules: Vec<(Feature, bool)>,
}

/// How two kernels part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The actor does something else next.
    OtherStep,
    /// The step is the same and does something else.
    OtherChange,
    /// The actor has to wait, or has nothing left to do.
    Blocked,
}

impl Program {
    /// Takes the schedule of `recorded`, a trace of the same test, on this kernel. `names` says what is run here.
    pub fn replay(&self, recorded: &Trace, names: &Names) -> Replay {
        let witness = recorded.schedule();
        let initial = witness.initial.min(self.initial.len() - 1);
        let mut state = self.initial[initial].clone();
        let mut schedule = Vec::new();
        let mut asked: Vec<Vec<(Feature, bool)>> = Vec::new();
        let mut parting = None;
        for (at, (&taken, theirs)) in witness.steps.iter().zip(&recorded.steps).enumerate() {
            let next = self.take(&state, taken);
            let ours = next.as_ref().map(|next| self.tell(&state, next, taken));
            asked.push(disputed(theirs, self));
            if let Some(how) = parted(theirs, ours.as_ref()) {
                parting = Some(part(at, how, &asked));
                break;
            }
            schedule.push(taken);
            state = next.expect("a step that parts in nothing was taken");
        }
        if parting.is_some() {
            let rest = &witness.steps[schedule.len()..];
            self.go_on(&mut state, rest, &mut schedule);
        }
        let witness = Witness {
            initial,
            steps: schedule,
        };
        Replay {
            trace: self.trace(names, &witness),
            parting,
        }
    }

    /// Lets the actors go on in the order of `rest`, as far as they can, and then until the program is done.
    fn go_on(&self, state: &mut State, rest: &[Taken], schedule: &mut Vec<Taken>) {
        for &taken in rest {
            let first = Taken { choice: 0, ..taken };
            self.advance(state, &[taken, first], schedule);
        }
        // A program that waits in circles would never be done: nothing here needs so many steps.
        for _ in 0..1000 {
            let anybody: Vec<Taken> = (0..self.actors())
                .map(|actor| Taken { actor, choice: 0 })
                .collect();
            if !self.advance(state, &anybody, schedule) {
                break;
            }
        }
    }

    /// Takes the first of these steps that can be taken.
    fn advance(&self, state: &mut State, steps: &[Taken], schedule: &mut Vec<Taken>) -> bool {
        for &taken in steps {
            if let Some(next) = self.take(state, taken) {
                *state = next;
                schedule.push(taken);
                return true;
            }
        }
        false
    }

    /// Has the program ended in a state of which the proposition of its condition holds?
    pub fn ends_with(&self, state: &State, prop: &cowherd_litmus::ast::Prop) -> bool {
        if !self.done(state) {
            return false;
        }
        let mut bytes = Vec::new();
        self.outcome(state, &mut bytes);
        self.satisfies(prop, &bytes)
    }
}

/// The features of which the two kernels say different things in a step. The first answer that leads them apart was asked for
/// by both, so it is enough to look at what was asked there.
fn disputed(theirs: &TraceStep, program: &Program) -> Vec<(Feature, bool)> {
    let here = program.cfg.features();
    theirs
        .asked
        .iter()
        .filter_map(|(name, there)| Some((Feature::from_name(name)?, *there)))
        .filter(|(feature, there)| here.contains(*feature) != *there)
        .map(|(feature, there)| (feature, !there))
        .collect()
}

/// Does a step do something else here? Which features were asked does not matter, as long as the same came of it.
fn parted(theirs: &TraceStep, ours: Option<&TraceStep>) -> Option<How> {
    let Some(ours) = ours else {
        return Some(How::Blocked);
    };
    if (&theirs.label, &theirs.function, &theirs.call) != (&ours.label, &ours.function, &ours.call)
    {
        return Some(How::OtherStep);
    }
    if theirs.changes != ours.changes || theirs.ends != ours.ends {
        return Some(How::OtherChange);
    }
    None
}

/// The features in dispute are those of the last step that asked for any.
fn part(at: usize, how: How, asked: &[Vec<(Feature, bool)>]) -> Parting {
    let decided = asked.iter().rposition(|rules| !rules.is_empty());
    Parting {
        at,
        how,
        decided: decided.unwrap_or(at),
        rules: decided.map_or(Vec::new(), |d| asked[d].clone()),
    }
}
