//! Random programs in random schedules, far beyond what can be searched; and a small test of what they break.

use std::sync::atomic::{AtomicBool, Ordering};

use cowherd_explore::{Reductions, System, Witness, walk};
use cowherd_litmus::analyse;

use super::classify::{Class, classify};
use super::{Bound, Called, Calls, calls_of, general, write_test};
use crate::check::Search;
use crate::kernels::Profile;
use crate::lower::{Refused, lower};
use crate::program::{Op, Program};
use crate::state::State;

/// Steps that a call takes, generously: bounds a walk.
const STEPS_PER_CALL: u64 = 400;
/// The last calls of a walk that are tried alone, few first.
const TAILS: [usize; 6] = [2, 3, 4, 6, 8, 12];
/// Walks of a candidate before it is given up.
const TRIES: u64 = 3000;

/// What came of it.
pub struct Simulated {
    /// Walks that were begun.
    pub walks: u64,
    /// Steps of all walks.
    pub steps: u64,
    /// Calls of all walks.
    pub calls: u64,
    /// The first walk that broke a promise.
    pub found: Option<Broken>,
}

/// A walk that broke a promise.
pub struct Broken {
    /// The seed of this walk alone.
    pub seed: u64,
    /// What it broke, as [`crate::spec::Alarms::word`].
    pub broken: u64,
    /// Its calls, the last of which breaks something.
    pub calls: Vec<Called>,
    /// A small test that breaks the same, if one was found.
    pub test: Option<String>,
}

/// Walks `walks` random schedules of the general program; walk n has the seed `seed + n`. `told` hears of each.
pub fn simulate(
    bound: &Bound,
    calls: u16,
    profile: &Profile,
    (seed, walks): (u64, u64),
    stop: &AtomicBool,
    search: &Search,
    told: &mut dyn FnMut(&Simulated),
) -> Result<Simulated, Refused> {
    let p = general(bound, Calls::Any(calls), profile, Reductions::NONE)?;
    let mut all = Simulated {
        walks: 0,
        steps: 0,
        calls: 0,
        found: None,
    };
    for seed in (0..walks).map(|n| seed.wrapping_add(n)) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let mut random = fastrand::Rng::with_seed(seed);
        // In each walk some are slow and some are quick, devices too; and now many calls overlap, now few do.
        let paces: Vec<u32> = (0..p.actors()).map(|_| 8 << random.u32(0..7)).collect();
        let begin = random.u32(0..7);
        let weigh = |state: &State, actor: usize| {
            let rests = actor < p.tasks.len() && p.rests(state, actor);
            if rests {
                (paces[actor] >> begin).max(1)
            } else {
                paces[actor]
            }
        };
        let most = u64::from(calls) * STEPS_PER_CALL;
        let walked = walk(&p, &mut random, most, bound.counts, true, &weigh);
        all.walks += 1;
        all.steps += walked.taken;
        all.calls += u64::from(p.effort(&walked.end).0);
        told(&all);
        if walked.flags & bound.counts == 0 {
            continue;
        }
        let witness = Witness {
            initial: walked.initial,
            steps: walked.steps,
        };
        let calls = calls_of(&p, &witness);
        let broken = walked.flags & bound.counts;
        let test = TAILS.iter().filter(|n| **n <= calls.len()).find_map(|n| {
            let tail = tail(&p, &calls, *n);
            shrink(&p, bound, &tail, broken, profile, search)
        });
        all.found = Some(Broken {
            seed,
            broken,
            calls,
            test,
        });
        break;
    }
    Ok(all)
}

/// The last calls of a walk, and what they rest on: forks, references that are still held, what is in the pipe.
fn tail(p: &Program, calls: &[Called], n: usize) -> Vec<Called> {
    let (before, last) = calls.split_at(calls.len() - n);
    let op = |c: &Called| p.tasks[c.task].stmts[c.entry].op;
    let needed = before
        .iter()
        .enumerate()
        .filter(|(at, call)| match op(call) {
            Op::Fork { .. } => true,
            Op::Hold { holder, .. } => !before[*at..]
                .iter()
                .any(|c| op(c) == Op::Release { holder }),
            Op::Vmsplice { .. } => !before[*at..]
                .iter()
                .any(|c| matches!(op(c), Op::ReadPipe { .. })),
            _ => false,
        });
    needed.map(|(_, call)| call).chain(last).copied().collect()
}

/// A minimal test of some calls that breaks one of these promises, if random schedules of it do.
fn shrink(
    p: &Program,
    bound: &Bound,
    calls: &[Called],
    broken: u64,
    profile: &Profile,
    search: &Search,
) -> Option<String> {
    let text = write_test(
        p,
        bound,
        calls,
        "simulated",
        "Found by random walks.",
        "exists (violates)",
    );
    let test = analyse("simulated", &text).test?;
    let program = lower(&test, profile, false).ok()?;
    let breaks = (0..TRIES).any(|seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let paces: Vec<u32> = (0..program.actors())
            .map(|_| 1 << random.u32(0..7))
            .collect();
        let weigh = |_: &State, actor: usize| paces[actor];
        walk(&program, &mut random, 20_000, broken, false, &weigh).flags & broken != 0
    });
    if !breaks {
        return None;
    }
    match classify(&text, profile, search) {
        Class::Minimal { .. } => Some(text),
        Class::Reducible { to, .. } => Some(to),
        // It breaks something, but its states are too many to say what else does.
        Class::Beyond => Some(text),
        Class::Nothing | Class::Refused(_) => None,
    }
}
