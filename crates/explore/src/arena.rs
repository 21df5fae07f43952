//! Records, one behind the other, in blocks that never move: growing copies nothing and wastes at most one block.

use crate::record::{self, Record};
use crate::store::StateId;

/// Size of a block. No record is longer, and none crosses from one block into the next.
const BLOCK: usize = 1 << 16;
const SHIFT: u32 = BLOCK.trailing_zeros();

/// An append-only store of records, found again by offset. A higher offset was appended later.
#[derive(Default)]
pub(crate) struct Arena {
    blocks: Vec<Vec<u8>>,
    /// Capacity of all blocks.
    held: usize,
}

impl Arena {
    /// Appends a record and returns its offset.
    pub(crate) fn push(&mut self, parent: Option<StateId>, packed: &[u8]) -> u64 {
        let size = record::size(packed);
        if self
            .blocks
            .last()
            .is_none_or(|block| block.len() + size > BLOCK)
        {
            // Only the first block starts small: most searches are small, and large ones fill every block but the last.
            let first = if self.blocks.is_empty() {
                512.max(size)
            } else {
                BLOCK
            };
            self.blocks.push(Vec::with_capacity(first));
            self.held += first;
        }
        let index = self.blocks.len() - 1;
        let block = &mut self.blocks[index];
        let offset = (index as u64) << SHIFT | block.len() as u64;
        if block.len() + size > block.capacity() {
            let wanted = (block.capacity() * 2).max(block.len() + size).min(BLOCK);
            self.held -= block.capacity();
            block.reserve_exact(wanted - block.len());
            self.held += block.capacity();
        }
        record::write(block, parent, packed);
        offset
    }

    /// The bytes from `offset` to the end of its block: they start with the record appended there.
    pub(crate) fn at(&self, offset: u64) -> &[u8] {
        &self.blocks[(offset >> SHIFT) as usize][offset as usize & (BLOCK - 1)..]
    }

    /// Where the `n`th record lies, if all are of this size.
    pub(crate) fn nth(n: u64, size: usize) -> u64 {
        let each = (BLOCK / size) as u64;
        ((n / each) << SHIFT) + (n % each) * size as u64
    }

    /// One past the last record.
    pub(crate) fn end(&self) -> u64 {
        match self.blocks.last() {
            Some(block) => ((self.blocks.len() as u64 - 1) << SHIFT) + block.len() as u64,
            None => 0,
        }
    }

    /// Where the record behind one that ends at `offset` starts: there, or at the start of the next block.
    fn settle(&self, offset: u64) -> u64 {
        let index = (offset.saturating_sub(1) >> SHIFT) as usize;
        let used = self.blocks.get(index).map_or(0, Vec::len) as u64;
        if offset == ((index as u64) << SHIFT) + used && index + 1 < self.blocks.len() {
            (index as u64 + 1) << SHIFT
        } else {
            offset
        }
    }

    /// The records between two offsets.
    pub(crate) fn records(&self, start: u64, end: u64) -> impl Iterator<Item = (u64, Record<'_>)> {
        let mut position = start;
        std::iter::from_fn(move || {
            position = self.settle(position);
            (position < end).then(|| {
                let offset = position;
                let record = record::read(self.at(offset));
                position += record::size(record.packed) as u64;
                (offset, record)
            })
        })
    }

    /// The bytes between two offsets, block by block: each a run of whole records.
    pub(crate) fn runs(&self, start: u64, end: u64) -> impl Iterator<Item = &[u8]> {
        let blocks = (start >> SHIFT) as usize..self.blocks.len();
        blocks.map_while(move |index| {
            let first = (index as u64) << SHIFT;
            let block = &self.blocks[index];
            let from = start.saturating_sub(first) as usize;
            let to = (end.checked_sub(first)? as usize).min(block.len());
            block.get(from..to)
        })
    }

    /// Bytes of memory held.
    pub(crate) fn bytes(&self) -> usize {
        self.held + self.blocks.capacity() * size_of::<Vec<u8>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_in_the_order_of_appending() {
        let mut arena = Arena::default();
        let longest = record::LONGEST;
        let lengths = (0..5000)
            .map(|n| n * 37 % 300)
            .chain([longest, 1, longest, longest - 20, 1]);
        let states: Vec<Vec<u8>> = lengths
            .enumerate()
            .map(|(n, length)| vec![n as u8; length])
            .collect();
        let offsets: Vec<u64> = states.iter().map(|state| arena.push(None, state)).collect();
        assert!(offsets.is_sorted());
        let found = arena
            .records(0, arena.end())
            .map(|(offset, record)| (offset, record.packed.to_vec()));
        assert!(found.eq(offsets.iter().copied().zip(states.iter().cloned())));
        let some = arena
            .records(offsets[7], offsets[900])
            .map(|(offset, _)| offset);
        assert!(some.eq(offsets[7..900].iter().copied()));
    }

    #[test]
    fn runs_hold_the_records_between_two_offsets_and_no_others() {
        let mut arena = Arena::default();
        let mut offsets: Vec<u64> = (0..5000usize)
            .map(|n| arena.push(None, &vec![n as u8; n % 300]))
            .collect();
        offsets.push(arena.end());
        for (from, to) in [(0, 5000), (0, 0), (7, 7), (7, 8), (1, 4999), (2000, 5000)] {
            let mut copy = Vec::new();
            for run in arena.runs(offsets[from], offsets[to]) {
                copy.extend(record::each(run).map(|record| record.packed.to_vec()));
            }
            let wanted = (from..to).map(|n| vec![n as u8; n % 300]);
            assert!(copy.into_iter().eq(wanted), "{from}..{to}");
        }
    }

    #[test]
    fn records_of_one_size_are_found_by_number() {
        let mut arena = Arena::default();
        for n in 0..20_000u64 {
            let offset = arena.push(None, &n.to_le_bytes());
            assert_eq!(offset, Arena::nth(n, record::FINGERPRINT));
        }
    }

    #[test]
    fn at_most_one_block_is_wasted() {
        let mut arena = Arena::default();
        for _ in 0..10_000 {
            arena.push(None, &[1; 58]);
        }
        assert!(arena.bytes() <= 640_000 + BLOCK + 1024);
    }
}
