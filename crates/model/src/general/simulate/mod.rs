//! Random programs in random schedules, far beyond what can be searched; and a small test of what they break.
//!
//! Each walk is a program of its own: its pages start differently, its processes descend differently, it makes the calls of another part of
//! the menu. What it calls is chosen as it goes. A walk that breaks a promise is taken again and again with fewer of its calls, first in
//! the same order, then in others, until none can be left out.
//!
//! Only the wide build walks: it has room for eight processes and 64 pages. It keeps one state and packs none.

mod again;
mod draw;
mod pace;
mod replay;
mod shrink;
mod walk;
mod write;

use cowherd_explore::Reductions;

use super::{Bound, Calls, general_as};
use crate::kernels::Profile;
use crate::lower::Refused;

/// Threads and kernel activities at once, at most.
pub const MAX_TASKS: usize = cowherd_mm::MAX_CPUS;

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
    /// How many calls it had begun by then.
    pub calls: usize,
    /// Those of them that are enough: who makes it, and the call.
    pub needed: Vec<String>,
    /// The test that they make; none if a process is forked twice, which no test can say.
    pub test: Option<String>,
}

/// Walks `walks` random programs; walk n has the seed `seed + n`. `told` hears of each. No more is walked once `over` says so; once `stop`
/// does, what was found is not made smaller either.
pub fn simulate(
    bound: &Bound,
    calls: u16,
    profile: &Profile,
    (seed, walks): (u64, u64),
    (over, stop): (&dyn Fn() -> bool, &dyn Fn() -> bool),
    told: &mut dyn FnMut(&Simulated),
) -> Result<Simulated, Refused> {
    let mut all = Simulated {
        walks: 0,
        steps: 0,
        calls: 0,
        found: None,
    };
    for seed in (0..walks).map(|n| seed.wrapping_add(n)) {
        if over() || stop() {
            break;
        }
        let mut random = fastrand::Rng::with_seed(seed);
        let (bound, layout) = draw::draw(bound, &mut random);
        let p = general_as(
            &bound,
            &layout,
            Calls::Any(calls),
            profile,
            Reductions::NONE,
        )?;
        let walked = walk::walk(&p, &bound, &mut random, &|| over() || stop());
        all.walks += 1;
        all.steps += walked.steps.len() as u64;
        all.calls += walked.calls.len() as u64;
        told(&all);
        if walked.broken == 0 {
            continue;
        }
        let mut shrink = shrink::Shrink {
            p: &p,
            bound: &bound,
            layout,
            merged: Vec::new(),
            profile,
            walked: &walked,
            stop,
            random,
        };
        let needed = shrink.shrink();
        all.found = Some(Broken {
            seed,
            broken: walked.broken,
            calls: walked.calls.len(),
            needed: needed.iter().map(|call| write::line(&p, call)).collect(),
            test: shrink.test(&needed),
        });
        break;
    }
    Ok(all)
}
