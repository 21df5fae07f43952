//! The cheapest witness of all: fewest calls, then fewest actors, then fewest steps.

use crate::options::{Ended, Options, Reductions};
use crate::search::search;
use crate::system::System;
use crate::witness::Witness;
use crate::worker::Hunt;

/// What a search for the cheapest witness came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortest {
    /// No schedule is cheaper.
    Found(Witness),
    /// No reachable state is wanted.
    None,
    /// A limit ended the search: none was found so far.
    Unknown(Ended),
}

/// Finds the cheapest schedule to a state that is `wanted`: least [`effort`](System::effort), then fewest single steps.
///
/// Searches without the reductions "movers" and "commute", so that steps are counted one by one; "symmetry" is as in `options`,
/// and `wanted` must then not depend on names. Effort never shrinks on the way, so states above a limit are left out and the limit
/// is raised, one value that occurs after the other, until there is a match: a bug that needs two calls is found among the
/// states of two calls. Limits of `options` hold for each of these searches.
pub fn shortest<S: System>(
    system: &S,
    options: &Options,
    wanted: impl Fn(&S::State) -> bool + Sync,
) -> Shortest {
    let reductions = Reductions {
        symmetry: options.reductions.symmetry,
        values: options.reductions.values,
        ..Reductions::NONE
    };
    let options = Options {
        reductions,
        livelock: false,
        checkpoints: None,
        cluster: None,
        ..*options
    };
    let mut limit = (0, 0);
    loop {
        let (report, hunted) = search(
            system,
            &options,
            Some(Hunt {
                wanted: &wanted,
                limit,
            }),
        );
        if let Some(id) = hunted.found {
            return Shortest::Found(report.witness(system, id));
        }
        match (report.ended, hunted.beyond) {
            (Ended::Complete, Some(beyond)) => limit = beyond,
            (Ended::Complete, None) => return Shortest::None,
            (ended, _) => return Shortest::Unknown(ended),
        }
    }
}
