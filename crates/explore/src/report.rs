//! What a search found.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::found::{Bad, Flag, Outcome};
use crate::options::{Ended, Keep, Options, Reductions};
use crate::search::Run;
use crate::shard::Piece;
use crate::store::{StateId, Store};
use crate::system::System;
use crate::worker::Harvest;

/// What a search found. It keeps the states, from which witnesses and graphs are rebuilt.
pub struct Report {
    /// Why the search ended.
    pub ended: Ended,
    /// Distinct states stored.
    pub states: u64,
    /// Successors generated, known ones too. A run of fused steps is one transition.
    pub transitions: u64,
    /// Single steps taken.
    pub steps: u64,
    /// How many states each level added; the last one is not full if the search was cut short.
    pub levels: Vec<u64>,
    /// The outcomes of the states that are done.
    pub outcomes: BTreeMap<Vec<u8>, Outcome>,
    /// For each flag that was seen, by bit: where.
    pub flags: BTreeMap<u32, Flag>,
    /// States that are not done and in which no actor is enabled.
    pub deadlocks: Bad,
    /// States from which neither a done state nor a deadlock can be reached, if asked for and the search was complete.
    pub livelocks: Option<Bad>,
    /// Bytes that the states take, all told.
    pub bytes: usize,
    /// How long it took.
    pub elapsed: Duration,
    pub(crate) reductions: Reductions,
    pub(crate) keep: Keep,
    pub(crate) store: Store,
    /// The pieces of each level, if livelocks are looked for.
    pub(crate) pieces: Vec<Vec<Piece>>,
}

impl Report {
    pub(crate) fn new(
        store: Store,
        run: Run,
        bytes: usize,
        elapsed: Duration,
        options: &Options,
        harvest: Harvest,
    ) -> Report {
        let Harvest {
            mut found,
            transitions,
            steps,
        } = harvest;
        Report {
            ended: run.ended,
            states: run.levels.iter().sum(),
            transitions,
            steps,
            levels: run.levels,
            flags: std::mem::take(&mut found.flags),
            deadlocks: found.deadlocks,
            outcomes: found.into_outcomes(),
            livelocks: None,
            bytes,
            elapsed,
            reductions: options.reductions,
            keep: options.keep,
            store,
            pieces: run.pieces,
        }
    }

    /// Every stored state in its packed form; its fingerprint, if no more was kept.
    pub fn packed_states(&self) -> impl Iterator<Item = (StateId, &[u8])> {
        self.store.iter()
    }

    /// The packed form of one state.
    ///
    /// # Panics
    ///
    /// If only fingerprints were kept, or the state is of another search.
    pub fn packed(&self, state: StateId) -> &[u8] {
        assert!(self.keep == Keep::States, "only fingerprints were kept");
        self.store.record(state).packed
    }

    /// A stored state, unpacked.
    ///
    /// # Panics
    ///
    /// As [`packed`](Report::packed).
    pub fn state<S: System>(&self, system: &S, state: StateId) -> S::State {
        system.unpack(self.packed(state))
    }

    /// The chance that some state was taken for another: 0 where states are kept whole, else the number of pairs of states over the
    /// number of fingerprints, which is never too small.
    pub fn chance(&self) -> f64 {
        match self.keep {
            Keep::States => 0.0,
            Keep::Fingerprints => {
                (self.states as f64 * self.states as f64 / 2.0 / 2f64.powi(64)).min(1.0)
            }
        }
    }
}
