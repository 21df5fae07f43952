//! What one chunk of the frontier led to, sorted by shard. Emptied and used again: nothing is allocated per state.

use crate::hash::hash;
use crate::record;
use crate::shard::tag;
use crate::store::{SHARDS, StateId, shard_of};

#[derive(Default)]
struct Buffer {
    tags: Vec<u32>,
    records: Vec<u8>,
}

/// Successors on their way to the shards.
pub(crate) struct Buffers {
    shards: Vec<Buffer>,
}

impl Default for Buffers {
    fn default() -> Self {
        Buffers {
            shards: (0..SHARDS).map(|_| Buffer::default()).collect(),
        }
    }
}

impl Buffers {
    pub(crate) fn clear(&mut self) {
        for buffer in &mut self.shards {
            buffer.tags.clear();
            buffer.records.clear();
        }
    }

    pub(crate) fn push(&mut self, parent: Option<StateId>, packed: &[u8]) {
        let hash = hash(packed);
        let buffer = &mut self.shards[shard_of(hash)];
        buffer.tags.push(tag(hash));
        record::write(&mut buffer.records, parent, packed);
    }

    /// The records for one shard: each with its tag, and at the start of the bytes.
    pub(crate) fn records(&self, shard: usize) -> impl Iterator<Item = (u32, &[u8])> {
        let buffer = &self.shards[shard];
        let mut rest = &buffer.records[..];
        buffer.tags.iter().map(move |tag| {
            let (record, behind) = rest.split_at(record::packed(rest).1);
            rest = behind;
            (*tag, record)
        })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.shards
            .iter()
            .map(|buffer| buffer.tags.capacity() * size_of::<u32>() + buffer.records.capacity())
            .sum()
    }
}
