//! A witness in an order that people read with ease: what an actor does in one go stands together.
//!
//! The explorer's schedule is as short as any, but its steps are in whatever order the search met them. Steps of others
//! that do not matter to each other may be moved; the schedule stays one of the program, and its end stays wanted.

use cowherd_explore::{Step as Taken, Witness};

use crate::program::Program;
use crate::state::State;

/// What one actor does without another between: actor and number of steps.
struct Block {
    actor: usize,
    from: usize,
    to: usize,
}

impl Program {
    /// The same steps with fewer changes of actor, and threads before the kernel where the order does not matter.
    ///
    /// `wanted`: what the end must be.
    pub fn tidy(&self, witness: &Witness, wanted: &dyn Fn(&State) -> bool) -> Witness {
        let good = |steps: &[Taken]| {
            let mut state = self.initial[witness.initial].clone();
            for &taken in steps {
                match self.take(&state, taken) {
                    Some(next) => state = next,
                    None => return false,
                }
            }
            wanted(&state)
        };
        let mut steps = witness.steps.clone();
        while let Some(better) = joined(&steps, &good).or_else(|| sorted(&steps, &good)) {
            steps = better;
        }
        Witness {
            initial: witness.initial,
            steps,
        }
    }
}

fn blocks(steps: &[Taken]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        match blocks.last_mut() {
            Some(last) if last.actor == step.actor => last.to = at + 1,
            _ => blocks.push(Block {
                actor: step.actor,
                from: at,
                to: at + 1,
            }),
        }
    }
    blocks
}

/// One change of actor fewer: a block moves to the one before it, or the one after it, of the same actor.
fn joined(steps: &[Taken], good: &dyn Fn(&[Taken]) -> bool) -> Option<Vec<Taken>> {
    let blocks = blocks(steps);
    for (at, later) in blocks.iter().enumerate() {
        let earlier = blocks[..at].iter().rev().find(|b| b.actor == later.actor);
        let Some(earlier) = earlier else { continue };
        for moved in [up(steps, earlier, later), down(steps, earlier, later)] {
            if good(&moved) {
                return Some(moved);
            }
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

/// Two neighbouring blocks in the order of their actors, if they were not and that splits nothing.
fn sorted(steps: &[Taken], good: &dyn Fn(&[Taken]) -> bool) -> Option<Vec<Taken>> {
    let blocks = blocks(steps);
    blocks.windows(2).find_map(|pair| {
        let (a, b) = (&pair[0], &pair[1]);
        if a.actor < b.actor {
            return None;
        }
        let mut moved = steps[..a.from].to_vec();
        moved.extend(&steps[b.from..b.to]);
        moved.extend(&steps[a.from..a.to]);
        moved.extend(&steps[b.to..]);
        good(&moved).then_some(moved)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(actors: &[usize]) -> Vec<Taken> {
        let step = |&actor| Taken { actor, choice: 0 };
        actors.iter().map(step).collect()
    }

    #[test]
    fn blocks_of_an_actor_come_together() {
        let all = |_: &[Taken]| true;
        assert_eq!(
            joined(&steps(&[2, 0, 2, 0]), &all),
            Some(steps(&[2, 2, 0, 0]))
        );
        assert_eq!(joined(&steps(&[0, 0, 1]), &all), None);
    }

    #[test]
    fn a_block_that_cannot_go_up_lets_the_other_come_down() {
        let first_is_one = |s: &[Taken]| s[0].actor == 1;
        let moved = joined(&steps(&[0, 1, 0]), &first_is_one);
        assert_eq!(moved, Some(steps(&[1, 0, 0])));
    }

    #[test]
    fn threads_come_before_the_kernel() {
        let all = |_: &[Taken]| true;
        assert_eq!(sorted(&steps(&[2, 2, 0]), &all), Some(steps(&[0, 2, 2])));
        assert_eq!(sorted(&steps(&[0, 2]), &all), None);
    }
}
