//! The share of the states whose hashes end alike: their records, and a table that finds them.

use crate::arena::Arena;
use crate::record;
use crate::store::StateId;

/// Bits of a hash that a slot keeps. They choose the slot as well, so that the table grows without a look at the records.
const TAG: u32 = 28;
/// Bits of the offset, plus one so that 0 is an empty slot.
const OFFSET: u32 = 64 - TAG;
/// A piece of the frontier that is handed out whole: so many records.
const PIECE: u32 = 128;

/// Records of one level that lie one behind the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) shard: usize,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) records: u32,
}

/// What became of a record that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    New,
    Known,
}

/// One shard. Its records lie in the order in which they were first met.
#[derive(Default)]
pub(crate) struct Shard {
    arena: Arena,
    /// Open addressing, linear probing; a slot is a tag above an offset plus one.
    slots: Vec<u64>,
    states: u64,
    /// Records before this offset are in this level or in an earlier one.
    settled: u64,
    /// Where the pieces of the next level start.
    marks: Vec<u64>,
    /// Records behind the last mark.
    behind_mark: u32,
}

/// The part of a hash that a shard uses.
pub(crate) fn tag(hash: u64) -> u32 {
    (hash >> OFFSET) as u32
}

impl Shard {
    /// The slot where the search for `tag` begins: tags in order are spread over the slots in order.
    fn home(&self, tag: u32) -> usize {
        ((u64::from(tag) * self.slots.len() as u64) >> TAG) as usize
    }

    /// The slot that holds `packed`, or else the empty slot where it belongs. The table must not be empty.
    fn probe(&self, tag: u32, packed: &[u8]) -> (usize, Option<u64>) {
        let mut slot = self.home(tag);
        loop {
            let value = self.slots[slot];
            if value == 0 {
                return (slot, None);
            }
            if (value >> OFFSET) as u32 == tag {
                let offset = (value & ((1 << OFFSET) - 1)) - 1;
                if record::packed(self.arena.at(offset)).0 == packed {
                    return (slot, Some(offset));
                }
            }
            slot += 1;
            if slot == self.slots.len() {
                slot = 0;
            }
        }
    }

    /// Stores a state unless it is known.
    pub(crate) fn offer(&mut self, tag: u32, parent: Option<StateId>, packed: &[u8]) -> Offered {
        // Kept below three quarters full, grown by half: between one half and three quarters, without doubling.
        if (self.states + 1) * 4 > self.slots.len() as u64 * 3 {
            self.grow();
        }
        let (slot, found) = self.probe(tag, packed);
        if found.is_some() {
            return Offered::Known;
        }
        let offset = self.arena.push(parent, packed);
        assert!(
            offset < crate::store::MOST_BYTES,
            "a shard holds at most {} bytes",
            crate::store::MOST_BYTES
        );
        self.slots[slot] = u64::from(tag) << OFFSET | (offset + 1);
        self.states += 1;
        if self.behind_mark == 0 {
            self.marks.push(offset);
        }
        self.behind_mark = (self.behind_mark + 1) % PIECE;
        Offered::New
    }

    /// Brings near what offering these tags will look at. Each look is at another place of a large table, and the next does not
    /// wait for the one before as long as nothing is decided in between.
    pub(crate) fn touch(&self, tags: impl Iterator<Item = u32>, near: &mut Vec<u64>) {
        if self.slots.is_empty() {
            return;
        }
        near.clear();
        near.extend(tags.map(|tag| {
            let slot = self.slots[self.home(tag)];
            // An offset only where the tag is right; the table is the same for wrong ones.
            slot * u64::from((slot >> OFFSET) as u32 == tag)
        }));
        let mut sum = 0u8;
        for slot in near.iter().filter(|slot| **slot != 0) {
            sum ^= self.arena.at((slot & ((1 << OFFSET) - 1)) - 1)[0];
        }
        std::hint::black_box(sum);
    }

    fn grow(&mut self) {
        let larger = (self.slots.len() + self.slots.len() / 2).max(16);
        let old = std::mem::replace(&mut self.slots, vec![0; larger]);
        // The order of the slots is the order of the tags, but for runs that wrap: a sweep through both tables.
        for value in old.into_iter().filter(|value| *value != 0) {
            let mut slot = self.home((value >> OFFSET) as u32);
            while self.slots[slot] != 0 {
                slot = if slot + 1 == larger { 0 } else { slot + 1 };
            }
            self.slots[slot] = value;
        }
    }

    /// Where `packed` is stored, if it is.
    pub(crate) fn find(&self, tag: u32, packed: &[u8]) -> Option<u64> {
        if self.slots.is_empty() {
            None
        } else {
            self.probe(tag, packed).1
        }
    }

    /// The slot of a state that is stored here.
    pub(crate) fn slot(&self, tag: u32, packed: &[u8]) -> usize {
        self.probe(tag, packed).0
    }

    /// Number of slots.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Is `packed` in this level or in an earlier one?
    pub(crate) fn settled(&self, tag: u32, packed: &[u8]) -> bool {
        self.find(tag, packed)
            .is_some_and(|offset| offset < self.settled)
    }

    /// Begins the next level: appends its pieces to `pieces`, as shard number `shard`.
    pub(crate) fn advance(&mut self, shard: usize, pieces: &mut Vec<Piece>) {
        let end = self.arena.end();
        for (index, start) in self.marks.iter().enumerate() {
            let (end, records) = match self.marks.get(index + 1) {
                Some(next) => (*next, PIECE),
                None => (
                    end,
                    if self.behind_mark == 0 {
                        PIECE
                    } else {
                        self.behind_mark
                    },
                ),
            };
            pieces.push(Piece {
                shard,
                start: *start,
                end,
                records,
            });
        }
        self.marks.clear();
        self.behind_mark = 0;
        self.settled = end;
    }

    /// The record at an offset that this shard gave out.
    pub(crate) fn record(&self, offset: u64) -> record::Record<'_> {
        record::read(self.arena.at(offset))
    }

    /// Offsets and packed states between two offsets.
    pub(crate) fn records(&self, start: u64, end: u64) -> impl Iterator<Item = (u64, &[u8])> {
        let mut position = start;
        std::iter::from_fn(move || {
            position = self.arena.settle(position);
            if position >= end {
                return None;
            }
            let offset = position;
            let (packed, length) = record::packed(self.arena.at(offset));
            position += length as u64;
            Some((offset, packed))
        })
    }

    /// Number of states.
    pub(crate) fn states(&self) -> u64 {
        self.states
    }

    /// One past the last record.
    pub(crate) fn end(&self) -> u64 {
        self.arena.end()
    }

    /// Bytes of memory held.
    pub(crate) fn bytes(&self) -> usize {
        self.arena.bytes()
            + self.slots.capacity() * size_of::<u64>()
            + self.marks.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::hash;

    fn offer(shard: &mut Shard, packed: &[u8]) -> Offered {
        shard.offer(tag(hash(packed)), None, packed)
    }

    #[test]
    fn each_state_is_stored_once() {
        let mut shard = Shard::default();
        for round in [Offered::New, Offered::Known] {
            for n in 0..20_000u32 {
                assert_eq!(offer(&mut shard, &n.to_le_bytes()), round);
            }
        }
        assert_eq!(shard.states(), 20_000);
        let found: Vec<u32> = shard
            .records(0, shard.end())
            .map(|(_, packed)| u32::from_le_bytes(packed.try_into().unwrap()))
            .collect();
        assert!(found.into_iter().eq(0..20_000));
    }

    #[test]
    fn equal_tags_are_told_apart_by_the_bytes() {
        let mut shard = Shard::default();
        for n in 0..100u8 {
            assert_eq!(shard.offer((1 << TAG) - 1, None, &[n]), Offered::New);
        }
        assert_eq!(shard.states(), 100);
        assert!(shard.find((1 << TAG) - 1, &[99]).is_some());
        assert!(shard.find((1 << TAG) - 1, &[100]).is_none());
    }

    #[test]
    fn a_level_is_cut_into_pieces_that_hold_all_of_it() {
        let mut shard = Shard::default();
        let mut expected = 0..0u32;
        for level in [0u32, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE] {
            expected = expected.end..expected.end + level;
            for n in expected.clone() {
                offer(&mut shard, &n.to_le_bytes());
            }
            assert!(
                level == 0
                    || !shard.settled(
                        tag(hash(&expected.start.to_le_bytes())),
                        &expected.start.to_le_bytes()
                    )
            );
            let mut pieces = Vec::new();
            shard.advance(3, &mut pieces);
            assert_eq!(pieces.iter().map(|piece| piece.records).sum::<u32>(), level);
            let found = pieces.iter().flat_map(|piece| {
                assert_eq!(
                    shard.records(piece.start, piece.end).count(),
                    piece.records as usize
                );
                shard.records(piece.start, piece.end)
            });
            assert!(
                found
                    .map(|(_, packed)| u32::from_le_bytes(packed.try_into().unwrap()))
                    .eq(expected.clone())
            );
            assert!(
                level == 0
                    || shard.settled(
                        tag(hash(&expected.start.to_le_bytes())),
                        &expected.start.to_le_bytes()
                    )
            );
        }
    }
}
