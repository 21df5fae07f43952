//! One schedule at random, for systems whose states are too many to look at all of them.

use crate::expand::Step;
use crate::system::{Choice, System};

/// A schedule that was walked.
#[derive(Clone, Debug)]
pub struct Walk<T> {
    /// The number of its initial state.
    pub initial: usize,
    /// The steps, if they were to be kept.
    pub steps: Vec<Step>,
    /// How many there were.
    pub taken: u64,
    /// The flags of its last state.
    pub flags: u64,
    /// Its last state.
    pub end: T,
}

/// Walks from an initial state until a flag of `until` is met, the system is done, nobody can go on, or `most` steps were taken. The
/// same `random` gives the same walk. `weigh`: how often an enabled actor is chosen, against the others; 0 for never.
pub fn walk<S: System>(
    system: &S,
    random: &mut fastrand::Rng,
    most: u64,
    until: u64,
    keep: bool,
    weigh: &dyn Fn(&S::State, usize) -> u32,
) -> Walk<S::State> {
    let mut initials = Vec::new();
    system.initial(&mut |state| initials.push(state));
    let initial = random.usize(..initials.len());
    let mut walk = Walk {
        initial,
        steps: Vec::new(),
        taken: 0,
        flags: system.flags(&initials[initial]),
        end: initials.swap_remove(initial),
    };
    let mut weights = Vec::new();
    while walk.taken < most && walk.flags & until == 0 && !system.done(&walk.end) {
        weights.clear();
        weights.extend((0..system.actors()).map(|actor| {
            let enabled = system.enabled(&walk.end, actor);
            if enabled { weigh(&walk.end, actor) } else { 0 }
        }));
        let all: u32 = weights.iter().sum();
        if all == 0 {
            break;
        }
        let mut at = random.u32(..all);
        let actor = weights.iter().position(|weight| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        });
        let step = alternative(system, &mut walk.end, actor.unwrap_or(0), random);
        if keep {
            walk.steps.push(step);
        }
        walk.taken += 1;
        walk.flags = system.flags(&walk.end);
    }
    walk
}

/// Takes one of the alternatives of an actor's next step, each as likely as any.
fn alternative<S: System>(
    system: &S,
    state: &mut S::State,
    actor: usize,
    random: &mut fastrand::Rng,
) -> Step {
    // How many there are is known once one of them is taken, and may be more along another.
    let before = state.clone();
    let mut fanout = 1;
    loop {
        let number = random.u32(..fanout);
        let mut choice = Choice::number(number);
        system.step(state, actor, &mut choice);
        if choice.fanout() <= fanout && choice.valid() {
            return Step {
                actor,
                choice: number,
            };
        }
        fanout = fanout.max(choice.fanout());
        state.clone_from(&before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts to ten by ones and twos.
    struct Count;

    impl System for Count {
        type State = u32;
        fn initial(&self, each: &mut dyn FnMut(u32)) {
            each(0);
        }
        fn actors(&self) -> usize {
            2
        }
        fn enabled(&self, state: &u32, actor: usize) -> bool {
            actor == 0 || *state < 5
        }
        fn step(&self, state: &mut u32, actor: usize, choice: &mut Choice) {
            *state += if actor == 0 { choice.choose(2) + 1 } else { 1 };
        }
        fn done(&self, state: &u32) -> bool {
            *state >= 10
        }
        fn flags(&self, state: &u32) -> u64 {
            u64::from(*state == 11)
        }
        fn outcome(&self, _: &u32, _: &mut Vec<u8>) {}
        fn pack(&self, state: &u32, out: &mut Vec<u8>) {
            out.push(*state as u8);
        }
        fn unpack(&self, bytes: &[u8]) -> u32 {
            u32::from(bytes[0])
        }
    }

    #[test]
    fn a_seed_gives_one_walk_and_seeds_give_many() {
        let go = |seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            walk(&Count, &mut random, 100, 1, true, &|_, _| 1)
        };
        for seed in 0..50 {
            let (one, two) = (go(seed), go(seed));
            assert_eq!(one.steps, two.steps);
            assert!(one.end >= 10);
            assert_eq!(one.taken as usize, one.steps.len());
        }
        assert!((0..50).any(|seed| go(seed).flags == 1));
        assert!((0..50).any(|seed| go(seed).flags == 0));
    }

    #[test]
    fn an_actor_without_weight_never_goes() {
        let mut random = fastrand::Rng::with_seed(1);
        let weigh = |_: &u32, actor: usize| u32::from(actor == 0);
        let walked = walk(&Count, &mut random, 100, 0, true, &weigh);
        assert!(walked.steps.iter().all(|step| step.actor == 0));
    }
}
