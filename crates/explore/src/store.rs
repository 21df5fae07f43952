//! All states met, in a fixed number of shards.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::hash::hash;
use crate::options::Keep;
use crate::record::Record;
use crate::shard::Shard;

/// Shards, whatever the number of workers: the order of the search must not depend on it.
pub(crate) const SHARDS: usize = 64;
const OFFSET: u32 = 34;
/// What one shard may hold.
pub(crate) const MOST_BYTES: u64 = (1 << OFFSET) - 1;
const NONE: u64 = (1 << 40) - 1;

/// Names a stored state of one search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StateId(u64);

impl StateId {
    pub(crate) fn new(shard: usize, offset: u64) -> StateId {
        StateId((shard as u64) << OFFSET | offset)
    }

    pub(crate) fn shard(self) -> usize {
        (self.0 >> OFFSET) as usize
    }

    pub(crate) fn offset(self) -> u64 {
        self.0 & ((1 << OFFSET) - 1)
    }

    /// The number of this state: the same in every run of the same search.
    pub fn number(self) -> u64 {
        self.0
    }

    pub(crate) fn from_raw(raw: u64) -> Option<StateId> {
        (raw != NONE).then_some(StateId(raw))
    }

    pub(crate) fn to_raw(id: Option<StateId>) -> u64 {
        id.map_or(NONE, |id| id.0)
    }
}

/// The shard that a state with this hash belongs to.
pub(crate) fn shard_of(hash: u64) -> usize {
    hash as usize % SHARDS
}

/// The states of a finished search; or, where they lie on several machines, those on the way to what was seen.
pub(crate) struct Store {
    pub(crate) keep: Keep,
    pub(crate) shards: Vec<Shard>,
    pub(crate) paths: Paths,
}

/// Some states, each with its parent.
pub(crate) type Paths = HashMap<StateId, (Option<StateId>, Vec<u8>)>;

impl Store {
    pub(crate) fn record(&self, id: StateId) -> Record<'_> {
        match self.paths.get(&id) {
            Some((parent, packed)) => Record {
                parent: *parent,
                packed,
            },
            None => self.shards[id.shard()].record(id.offset()),
        }
    }

    pub(crate) fn find(&self, packed: &[u8]) -> Option<StateId> {
        let hash = hash(packed);
        let shard = shard_of(hash);
        self.shards[shard]
            .find(hash, packed)
            .map(|offset| StateId::new(shard, offset))
    }

    /// Is this the packed form of the state?
    pub(crate) fn is(&self, id: StateId, packed: &[u8]) -> bool {
        let kept = self.record(id).packed;
        match self.keep {
            Keep::States => kept == packed,
            Keep::Fingerprints => kept == hash(packed).to_le_bytes(),
        }
    }

    /// The slot of a state in the table of its shard.
    pub(crate) fn slot(&self, id: StateId) -> usize {
        let packed = self.record(id).packed;
        self.shards[id.shard()].slot(hash(packed), packed)
    }

    /// Every state as it is kept, shard by shard.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (StateId, &[u8])> {
        self.shards.iter().flat_map(Shard::records)
    }

    /// From an initial state to `id`, both included.
    pub(crate) fn path(&self, id: StateId) -> Vec<StateId> {
        let mut path = vec![id];
        let mut at = id;
        while let Some(parent) = self.record(at).parent {
            path.push(parent);
            at = parent;
        }
        path.reverse();
        path
    }
}
