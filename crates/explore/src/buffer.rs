//! What one chunk of the frontier led to, sorted by shard. Emptied and used again: nothing is allocated per state.

use crate::hash::hash;
use crate::store::{SHARDS, StateId, shard_of};

/// A successor on its way to its shard.
#[derive(Clone, Copy)]
struct Entry {
    hash: u64,
    start: u32,
    length: u16,
    parent: u16,
}

/// Successors on their way to the shards.
pub(crate) struct Buffers {
    /// Packed states, one behind the other: each is packed where it stays until its shard has looked at it.
    packed: Vec<u8>,
    /// Ends of the states that are not sorted yet.
    ends: Vec<usize>,
    parents: Vec<Option<StateId>>,
    shards: Vec<Vec<Entry>>,
}

impl Default for Buffers {
    fn default() -> Self {
        Buffers {
            packed: Vec::new(),
            ends: Vec::new(),
            parents: Vec::new(),
            shards: vec![Vec::new(); SHARDS],
        }
    }
}

impl Buffers {
    pub(crate) fn clear(&mut self) {
        self.packed.clear();
        self.parents.clear();
        for shard in &mut self.shards {
            shard.clear();
        }
    }

    /// Takes in one successor, which `pack` appends.
    pub(crate) fn push(&mut self, pack: impl FnOnce(&mut Vec<u8>)) {
        pack(&mut self.packed);
        self.ends.push(self.packed.len());
    }

    /// Sorts what was pushed since the last time: the successors of `parent`. Not one by one, because to hash bytes that were only
    /// just written is to wait for them.
    pub(crate) fn sort(&mut self, mut start: usize, parent: Option<StateId>) {
        if self.parents.last() != Some(&parent) {
            self.parents.push(parent);
        }
        for end in self.ends.drain(..) {
            let packed = &self.packed[start..end];
            let hash = hash(packed);
            let entry = Entry {
                hash,
                start: start as u32,
                length: crate::record::length(packed),
                parent: self.parents.len() as u16 - 1,
            };
            self.shards[shard_of(hash)].push(entry);
            start = end;
        }
    }

    /// Where the next successor will start.
    pub(crate) fn start(&self) -> usize {
        self.packed.len()
    }

    /// Is there nothing for this shard?
    pub(crate) fn is_empty(&self, shard: usize) -> bool {
        self.shards[shard].is_empty()
    }

    /// The hashes for one shard.
    pub(crate) fn hashes(&self, shard: usize) -> impl Iterator<Item = u64> + Clone {
        self.shards[shard].iter().map(|entry| entry.hash)
    }

    /// What there is for one shard: hash, parent and packed state.
    pub(crate) fn entries(
        &self,
        shard: usize,
    ) -> impl Iterator<Item = (u64, Option<StateId>, &[u8])> {
        self.shards[shard].iter().map(|entry| {
            let start = entry.start as usize;
            let packed = &self.packed[start..start + usize::from(entry.length)];
            (entry.hash, self.parents[usize::from(entry.parent)], packed)
        })
    }

    pub(crate) fn bytes(&self) -> usize {
        let entries: usize = self.shards.iter().map(Vec::capacity).sum();
        self.packed.capacity() + entries * size_of::<Entry>()
    }
}
