//! A witness in an order that people read with ease: what an actor does in one go stands together.
//!
//! The explorer's schedule is as short as any, but its steps are in whatever order the search met them. Steps of others
//! that do not matter to each other may be moved; the schedule stays one of the program, and its end stays wanted.

use cowherd_explore::{Step as Taken, Witness};

use crate::program::Program;
use crate::state::State;
use crate::system::Actor;

/// What one actor does of one call without another between: actor, first step, one past the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    actor: usize,
    from: usize,
    to: usize,
    /// Does a call begin here? Else it goes on with that of the actor's block before.
    begins: bool,
}

/// A schedule and, for each step, whether a call begins with it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Schedule {
    steps: Vec<Taken>,
    begins: Vec<bool>,
}

impl Program {
    /// The same steps with fewer calls interrupted, and threads before the kernel where the order does not matter.
    ///
    /// `wanted`: what the end must be.
    pub fn tidy(&self, witness: &Witness, wanted: &dyn Fn(&State) -> bool) -> Witness {
        let run = |steps: &[Taken]| {
            let mut state = self.initial[witness.initial].clone();
            let mut begins = Vec::new();
            for &taken in steps {
                begins.push(match self.actor(taken.actor) {
                    Actor::Task(task) => !state.m.tasks[task].busy(),
                    _ => false,
                });
                state = self.take(&state, taken)?;
            }
            wanted(&state).then(|| Schedule {
                steps: steps.to_vec(),
                begins,
            })
        };
        let Some(mut schedule) = run(&witness.steps) else {
            return witness.clone();
        };
        while let Some(better) = joined(&schedule, &run).or_else(|| sorted(&schedule, &run)) {
            schedule = better;
        }
        Witness {
            initial: witness.initial,
            steps: schedule.steps,
        }
    }
}

fn blocks(schedule: &Schedule) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for (at, (step, &begins)) in schedule.steps.iter().zip(&schedule.begins).enumerate() {
        match blocks.last_mut() {
            Some(last) if last.actor == step.actor && !begins => last.to = at + 1,
            _ => blocks.push(Block {
                actor: step.actor,
                from: at,
                to: at + 1,
                begins,
            }),
        }
    }
    blocks
}

type Run<'a> = dyn Fn(&[Taken]) -> Option<Schedule> + 'a;

/// One interruption fewer: what goes on with a call moves to what began it, or the other way round.
fn joined(schedule: &Schedule, run: &Run) -> Option<Schedule> {
    let blocks = blocks(schedule);
    for (at, later) in blocks.iter().enumerate().filter(|(_, b)| !b.begins) {
        let earlier = blocks[..at].iter().rev().find(|b| b.actor == later.actor);
        let Some(earlier) = earlier else { continue };
        let steps = &schedule.steps;
        let found = run(&up(steps, earlier, later)).or_else(|| run(&down(steps, earlier, later)));
        // A step that comes at another time may find other work: that helps nobody.
        if let Some(moved) = found.filter(|m| self::blocks(m).len() < blocks.len()) {
            return Some(moved);
        }
    }
    None
}

/// The later block right after the earlier one.
fn up(steps: &[Taken], earlier: &Block, later: &Block) -> Vec<Taken> {
    let mut moved = steps[..earlier.to].to_vec();
    moved.extend(&steps[later.from..later.to]);
    moved.extend(&steps[earlier.to..later.from]);
    moved.extend(&steps[later.to..]);
    moved
}

/// The earlier block right before the later one.
fn down(steps: &[Taken], earlier: &Block, later: &Block) -> Vec<Taken> {
    let mut moved = steps[..earlier.from].to_vec();
    moved.extend(&steps[earlier.to..later.from]);
    moved.extend(&steps[earlier.from..earlier.to]);
    moved.extend(&steps[later.from..]);
    moved
}

/// Two neighbouring blocks in the order of their actors, if they were not and that interrupts nothing.
fn sorted(schedule: &Schedule, run: &Run) -> Option<Schedule> {
    let blocks = blocks(schedule);
    let steps = &schedule.steps;
    blocks.windows(2).find_map(|pair| {
        let (a, b) = (&pair[0], &pair[1]);
        if a.actor <= b.actor {
            return None;
        }
        let mut moved = steps[..a.from].to_vec();
        moved.extend(&steps[b.from..b.to]);
        moved.extend(&steps[a.from..a.to]);
        moved.extend(&steps[b.to..]);
        run(&moved).filter(|m| self::blocks(m).len() <= blocks.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Actors; a call begins where the actor is negative, as `-actor - 1`.
    fn schedule(actors: &[isize]) -> Schedule {
        let actor = |&a: &isize| if a < 0 { -a - 1 } else { a } as usize;
        Schedule {
            steps: actors
                .iter()
                .map(|a| Taken {
                    actor: actor(a),
                    choice: 0,
                })
                .collect(),
            begins: actors.iter().map(|&a| a < 0).collect(),
        }
    }

    fn order(schedule: &Schedule) -> Vec<usize> {
        schedule.steps.iter().map(|s| s.actor).collect()
    }

    /// Each actor has a single call, which begins with its first step.
    fn any(steps: &[Taken]) -> Option<Schedule> {
        let first = |at: usize| !steps[..at].iter().any(|s| s.actor == steps[at].actor);
        Some(Schedule {
            steps: steps.to_vec(),
            begins: (0..steps.len()).map(first).collect(),
        })
    }

    #[test]
    fn what_goes_on_with_a_call_comes_to_its_begin() {
        let s = schedule(&[-3, -1, 2, 0]);
        assert_eq!(order(&joined(&s, &any).unwrap()), [2, 2, 0, 0]);
        assert_eq!(joined(&schedule(&[-1, 0, -2]), &any), None);
    }

    #[test]
    fn where_that_cannot_be_the_begin_comes_down() {
        let first_is_one = |s: &[Taken]| any(s).filter(|_| s[0].actor == 1);
        let moved = joined(&schedule(&[-1, -2, 0]), &first_is_one);
        assert_eq!(order(&moved.unwrap()), [1, 0, 0]);
    }

    #[test]
    fn only_the_call_that_goes_on_is_moved() {
        // Two calls of actor 0; the second is interrupted.
        let s = schedule(&[-1, -1, -2, 0]);
        let blocks = blocks(&s);
        assert_eq!(blocks.len(), 4);
        assert_eq!((blocks[1].from, blocks[1].to), (1, 2));
    }

    #[test]
    fn threads_come_before_the_kernel() {
        let s = schedule(&[-3, 2, -1]);
        assert_eq!(order(&sorted(&s, &any).unwrap()), [0, 2, 2]);
        assert_eq!(sorted(&schedule(&[-1, -3]), &any), None);
    }
}
