//! A trace followed in the model, turn by turn: the states that the model may be in go through each turn, and what was seen cuts them down.

use std::collections::{BTreeSet, HashMap};

use cowherd_litmus::ast::{Prop, Test};
use cowherd_model::observe::Observable;
use cowherd_model::predict::{Belief, Predictor, TooMany, Turn, View};
use cowherd_model::program::{JUNK, Program};

use super::directed::Trace;
use super::judge::Forbidden;

/// Why a trace says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfollowed {
    /// The model comes to too many states.
    TooMany,
    /// It ends where, in the model, somebody could go on: what was seen is no final state.
    Unfinished,
}

/// Follows traces, and remembers how far beginnings led.
pub(super) struct Tracker<'p> {
    predictor: &'p Predictor,
    test: &'p Test,
    /// Observables that are shown: those of the condition, and registers.
    shown: Vec<usize>,
    known: HashMap<(Vec<Turn>, Vec<View>), Result<Belief, Forbidden>>,
}

impl<'p> Tracker<'p> {
    pub(super) fn new(predictor: &'p Predictor, test: &'p Test) -> Tracker<'p> {
        let program = &predictor.program;
        let mut asked = BTreeSet::new();
        test.condition.prop.atoms(&mut |atom| {
            let observable = program.observable_of(&atom.kind);
            asked.extend(observable.and_then(|o| program.observables.iter().position(|&x| x == o)));
        });
        let register = |n: &usize| matches!(program.observables[*n], Observable::Reg(_));
        let shown = (0..program.observables.len()).filter(|n| asked.contains(n) || register(n));
        Tracker {
            predictor,
            test,
            shown: shown.collect(),
            known: HashMap::new(),
        }
    }

    /// Does the model allow a trace? If so: does the proposition hold in its end, where that can be told?
    pub(super) fn follow(
        &mut self,
        trace: &Trace,
    ) -> Result<Result<Option<bool>, Forbidden>, Unfollowed> {
        let p = self.predictor;
        let mut belief = p.start();
        for n in 0..trace.turns.len() {
            let key = (trace.turns[..=n].to_vec(), trace.views[..=n].to_vec());
            let next = match self.known.get(&key) {
                Some(known) => known.clone(),
                None => {
                    let next = p
                        .turn(&belief, trace.turns[n])
                        .map_err(|TooMany| Unfollowed::TooMany)?;
                    let allowed = next.views(p);
                    let mut kept = next;
                    let next = if kept.keep(p, &trace.views[n]) {
                        Ok(kept)
                    } else {
                        let seen = trace.views[n].text(&p.program);
                        let allowed: BTreeSet<String> =
                            allowed.iter().map(|v| v.text(&p.program)).collect();
                        Err(self.forbidden(&trace.turns[..=n], seen, allowed))
                    };
                    self.known.insert(key, next.clone());
                    next
                }
            };
            match next {
                Ok(next) => belief = next,
                Err(forbidden) => return Ok(Err(forbidden)),
            }
        }
        let outcomes = belief.ends(p);
        if outcomes.is_empty() {
            return Err(Unfollowed::Unfinished);
        }
        let agreeing: Vec<&Vec<u8>> = outcomes
            .iter()
            .filter(|o| agrees(o, &trace.outcome))
            .collect();
        if agreeing.is_empty() {
            let all = |o: &Vec<u8>| p.program.outcome_names(o).join("; ");
            let seen = self.names(&trace.outcome, 0..trace.outcome.len());
            let allowed = outcomes.iter().take(12).map(all).collect();
            return Ok(Err(self.forbidden(&trace.turns, seen, allowed)));
        }
        let prop = &self.test.condition.prop;
        Ok(Ok(told_by(&p.program, prop, &trace.outcome, &agreeing)))
    }

    fn forbidden(&self, turns: &[Turn], seen: String, allowed: BTreeSet<String>) -> Forbidden {
        Forbidden {
            turns: told(self.predictor, turns),
            seen,
            allowed: allowed.into_iter().collect(),
            why: Vec::new(),
            times: 1,
        }
    }

    /// A final state as herd writes it.
    pub(super) fn text(&self, outcome: &[Option<u8>]) -> String {
        self.names(outcome, self.shown.iter().copied())
    }

    fn names(&self, outcome: &[Option<u8>], which: impl Iterator<Item = usize>) -> String {
        let bytes: Vec<u8> = outcome.iter().map(|b| b.unwrap_or(0)).collect();
        let names = self.predictor.program.outcome_names(&bytes);
        let name = |n: usize| match outcome[n] {
            Some(_) => format!("{};", names[n]),
            None => {
                let name = names[n].trim_start_matches('~');
                format!("{}=?;", name.split('=').next().unwrap_or(name))
            }
        };
        which.map(name).collect::<Vec<_>>().join(" ")
    }
}

/// Turns as the test's own statements.
fn told(predictor: &Predictor, turns: &[Turn]) -> Vec<String> {
    let program = &predictor.program;
    let mut at = vec![0; program.tasks.len()];
    let mut told = Vec::new();
    for turn in turns {
        told.push(match *turn {
            Turn::Complete(io) => format!("transfer {io} completes"),
            Turn::Task(task) => {
                let op = at[task];
                at[task] = predictor.end(task, op);
                let stmt = program.tasks[task].stmts.get(op);
                format!(
                    "{}: {}",
                    program.tasks[task].name,
                    stmt.map_or("", |s| s.text.as_str())
                )
            }
        });
    }
    told
}

/// May a final state of the model be the one that was seen? Junk may be anything.
pub(super) fn agrees(model: &[u8], seen: &[Option<u8>]) -> bool {
    model
        .iter()
        .zip(seen)
        .all(|(&m, s)| m == JUNK || s.is_none_or(|s| s == m))
}

/// Does the proposition hold in what was seen? Told only where the bytes that were seen decide it, and no final state of the model that agrees with
/// them says otherwise (what is junk there may look like anything).
pub(super) fn told_by(
    program: &Program,
    prop: &Prop,
    seen: &[Option<u8>],
    agreeing: &[&Vec<u8>],
) -> Option<bool> {
    let told = program.decide(prop, &|at| seen[at])?;
    let mut agreeing = agreeing.iter();
    agreeing
        .all(|o| program.satisfies(prop, o) == told)
        .then_some(told)
}
