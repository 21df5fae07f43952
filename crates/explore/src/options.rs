//! What may be asked of a search, and why one ended.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoints;
use crate::cluster::Cluster;

/// The reductions, each with its switch. None changes a verdict: see the chapter "Reductions" of the
/// [crate's page](crate).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reductions {
    /// States that differ only in names are one state: [`canonical`](crate::System::canonical).
    pub symmetry: bool,
    /// Steps that commute with those of all others are fused with their neighbours: [`mover`](crate::System::mover).
    pub movers: bool,
    /// An actor that nobody can ever disturb goes first, alone: [`footprint`](crate::System::footprint).
    pub commute: bool,
    /// Values that differ only in names are one, where a system can tell them: it does so as it packs a state, and asks for this
    /// itself.
    pub values: bool,
}

impl Reductions {
    /// All on.
    pub const ALL: Reductions = Reductions {
        symmetry: true,
        movers: true,
        commute: true,
        values: true,
    };
    /// All off: every interleaving of single steps is walked.
    pub const NONE: Reductions = Reductions {
        symmetry: false,
        movers: false,
        commute: false,
        values: false,
    };
}

/// What is kept of each state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Keep {
    /// All of it: the search is exact.
    States,
    /// Eight bytes that it is hashed to. Two states that are hashed alike are taken for one: what is found is there, but something may
    /// be missed, with the chance that [`Report::chance`](crate::Report::chance) tells. For searches that do not fit otherwise.
    Fingerprints,
}

/// How to search. The default has every reduction on, one worker and no limit.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Threads that search; the calling thread is one of them. The result is the same for any number.
    pub workers: usize,
    /// Which reductions are on.
    pub reductions: Reductions,
    /// Ends the search once so many states are stored. Looked at after every batch, so that a few thousand more may be.
    pub max_states: Option<u64>,
    /// Ends the search once the explorer holds so many bytes; looked at after every batch.
    pub max_memory: Option<usize>,
    /// Ends the search after so long.
    pub timeout: Option<Duration>,
    /// Ends the search once it is true.
    pub stop: Option<&'a AtomicBool>,
    /// Ends the search after the level in which a state with one of these flags was expanded. Every state up to that level is then
    /// known, so the first sighting is the shortest, whatever the number of workers.
    pub until: u64,
    /// Called about once a second, and not at all by a search that is quicker.
    pub progress: Option<&'a (dyn Fn(&Progress) + Sync)>,
    /// Looks, in a complete search that keeps states whole, for states from which no end can be reached.
    pub livelock: bool,
    /// What is kept of each state.
    pub keep: Keep,
    /// Where the search is saved as it goes, and from where it goes on.
    pub checkpoints: Option<&'a Checkpoints>,
    /// The processes that search together with this one. No checkpoints are written then, and no livelocks looked for.
    pub cluster: Option<&'a Cluster>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options {
            workers: 1,
            reductions: Reductions::ALL,
            max_states: None,
            max_memory: None,
            timeout: None,
            stop: None,
            until: 0,
            progress: None,
            livelock: false,
            keep: Keep::States,
            checkpoints: None,
            cluster: None,
        }
    }
}

/// How far a search has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Distinct states stored.
    pub states: u64,
    /// Level that is being expanded; the initial states are level 0.
    pub level: u32,
    /// Transitions taken.
    pub transitions: u64,
    /// Bytes held.
    pub bytes: usize,
    /// Since the search began.
    pub elapsed: Duration,
}

/// Why a search ended. Anything but `Complete` leaves states unexplored: what was not found may still exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Ended {
    /// Every reachable state was expanded.
    Complete,
    /// [`Options::max_states`] was reached.
    States,
    /// [`Options::max_memory`] was reached.
    Memory,
    /// [`Options::timeout`] passed.
    Time,
    /// [`Options::stop`] was set.
    Stopped,
    /// A flag of [`Options::until`] was met.
    Found,
    /// The search could not be saved: [`Checkpoints::trouble`] says why.
    Disk,
    /// Another process of the cluster has died: [`Cluster::trouble`] says which. Nothing of what was found is told.
    Lost,
}
