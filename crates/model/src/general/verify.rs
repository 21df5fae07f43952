//! Does any program within a bound break the specification? One search for each number of calls; and if so, the shortest that does.

use cowherd_explore::{Ended, Options, Report, explore};

use super::{Bound, Called, Calls, calls_of, general};
use crate::kernels::Profile;
use crate::lower::Refused;
use crate::program::Program;

/// One search.
pub struct Searched {
    /// The general program.
    pub program: Program,
    /// What the search says.
    pub report: Report,
    /// The calls of the first schedule that breaks a promise, and what it breaks, as [`crate::spec::Alarms::word`].
    pub broken: Option<(Vec<Called>, u64)>,
}

impl Searched {
    /// Was every program within the bound looked at, and none found that breaks?
    pub fn clean(&self) -> bool {
        self.broken.is_none() && self.report.ended == Ended::Complete
    }
}

/// Searches programs with these calls until a promise is broken.
pub fn search(
    bound: &Bound,
    calls: Calls,
    profile: &Profile,
    options: &Options,
) -> Result<Searched, Refused> {
    let program = general(bound, calls, profile, options.reductions)?;
    let options = Options {
        until: bound.counts,
        ..*options
    };
    let report = explore(&program, &options);
    let seen = report
        .flags
        .iter()
        .filter(|(bit, _)| bound.counts >> **bit & 1 == 1)
        .min_by_key(|(bit, flag)| (flag.first.depth, **bit))
        .map(|(bit, flag)| (*bit, flag.first));
    let broken = seen.map(|(bit, first)| {
        let witness = report.flag_witness(&program, bit, first);
        let end = witness.replay(&program, |_, _| {});
        (calls_of(&program, &witness), end.alarms)
    });
    Ok(Searched {
        program,
        report,
        broken,
    })
}

/// Searches for a program with no more calls than `bound` has, and then no more actors than it must, that breaks a promise. `told`
/// hears of every search. The last search is the one that decides.
pub fn verify(
    bound: &Bound,
    profile: &Profile,
    options: &Options,
    told: &mut dyn FnMut(&Bound, &Searched),
) -> Result<Searched, Refused> {
    let mut last = None;
    for calls in 1..=bound.calls {
        let now = Bound {
            calls,
            kernel: bound.kernel.min(calls as usize),
            threads: bound.threads.min(calls as usize),
            ..bound.clone()
        };
        let all = search(&now, Calls::Any(calls.into()), profile, options)?;
        told(&now, &all);
        if all.broken.is_some() {
            return fewest_actors(&now, profile, options, all, told);
        }
        let decided = all.clean();
        last = Some(all);
        if !decided {
            break;
        }
    }
    match last {
        Some(last) => Ok(last),
        None => search(bound, Calls::Any(0), profile, options),
    }
}

/// The same number of calls, by as few threads and kernel actors as will do.
fn fewest_actors(
    bound: &Bound,
    profile: &Profile,
    options: &Options,
    all: Searched,
    told: &mut dyn FnMut(&Bound, &Searched),
) -> Result<Searched, Refused> {
    let mut crews: Vec<(usize, usize)> = (1..=bound.threads)
        .flat_map(|threads| (0..=bound.kernel).map(move |kernel| (threads, kernel)))
        .filter(|crew| *crew != (bound.threads, bound.kernel))
        .collect();
    crews.sort_by_key(|(threads, kernel)| (threads + kernel, *threads));
    for (threads, kernel) in crews {
        let smaller = Bound {
            threads,
            kernel,
            ..bound.clone()
        };
        let searched = search(&smaller, Calls::Any(bound.calls.into()), profile, options)?;
        told(&smaller, &searched);
        if searched.broken.is_some() {
            return Ok(searched);
        }
    }
    Ok(all)
}
