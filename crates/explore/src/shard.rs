//! The share of the states whose hashes end alike: their records, and a table that finds them.

use crate::arena::Arena;
use crate::hash::hash;
use crate::narrow::Narrow;
use crate::options::Keep;
use crate::record;
use crate::store::{MOST_BYTES, StateId};
use crate::table::{Place, Table};

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
pub(crate) struct Shard {
    number: usize,
    arena: Arena,
    /// Where the records lie; where the arena has only fingerprints, [`Levels`] has another.
    table: Table,
    states: u64,
    /// Records before this offset are in this level or in an earlier one.
    settled: u64,
    /// Where the pieces of the next level start.
    marks: Vec<u64>,
    /// Records behind the last mark.
    behind_mark: u32,
    levels: Option<Levels>,
}

/// Where the arena has only fingerprints: their table, and the states of two levels, each with its name in the place of its
/// parent's.
#[derive(Default)]
struct Levels {
    table: Narrow,
    current: Arena,
    next: Arena,
}

impl Shard {
    pub(crate) fn new(number: usize, keep: Keep) -> Shard {
        Shard {
            number,
            arena: Arena::default(),
            table: Table::default(),
            states: 0,
            settled: 0,
            marks: Vec::new(),
            behind_mark: 0,
            levels: (keep == Keep::Fingerprints).then(Levels::default),
        }
    }

    /// Looks for a state. A table of fingerprints must not be empty.
    fn search(&self, hash: u64, packed: &[u8]) -> Place {
        match &self.levels {
            Some(levels) => match levels.table.probe(hash, &self.arena) {
                (slot, Some(offset)) => Place::Found(slot, offset),
                (slot, None) => Place::Missing(slot),
            },
            None => self.table.search(hash, |offset| {
                record::packed(self.arena.at(offset)).0 == packed
            }),
        }
    }

    /// Stores a state unless it is known.
    pub(crate) fn offer(&mut self, hash: u64, parent: Option<StateId>, packed: &[u8]) -> Offered {
        self.make_room();
        let Place::Missing(slot) = self.search(hash, packed) else {
            return Offered::Known;
        };
        let (offset, mark) = match &mut self.levels {
            None => {
                let offset = self.arena.push(parent, packed);
                (offset, offset)
            }
            Some(levels) => {
                let offset = self.arena.push(parent, &hash.to_le_bytes());
                (
                    offset,
                    levels
                        .next
                        .push(Some(StateId::new(self.number, offset)), packed),
                )
            }
        };
        self.enter(slot, hash, offset);
        self.mark(mark);
        Offered::New
    }

    fn make_room(&mut self) {
        match &mut self.levels {
            Some(levels) => levels.table.make_room(&self.arena),
            None => self.table.make_room(),
        }
    }

    fn enter(&mut self, slot: usize, hash: u64, offset: u64) {
        assert!(
            offset < MOST_BYTES,
            "a shard holds at most {MOST_BYTES} bytes"
        );
        match &mut self.levels {
            Some(levels) => levels.table.enter_last(hash),
            None => self.table.insert(slot, hash, offset),
        }
        self.states += 1;
    }

    /// The next state of the next level lies here.
    fn mark(&mut self, offset: u64) {
        if self.behind_mark == 0 {
            self.marks.push(offset);
        }
        self.behind_mark = (self.behind_mark + 1) % PIECE;
    }

    /// Stores a record of an earlier run, which is none of those here: as it was kept, in the order in which it was.
    pub(crate) fn restore(&mut self, record: record::Record<'_>) {
        self.make_room();
        let hash = match (&self.levels, record.packed.try_into()) {
            (Some(_), Ok(fingerprint)) => u64::from_le_bytes(fingerprint),
            _ => hash(record.packed),
        };
        let Place::Missing(slot) = self.table.search(hash, |_| false) else {
            unreachable!("no record is the right one");
        };
        let offset = self.arena.push(record.parent, record.packed);
        self.enter(slot, hash, offset);
        if self.levels.is_none() {
            self.mark(offset);
        }
    }

    /// Stores a state of the next level whole, where the arena has only fingerprints.
    pub(crate) fn restore_whole(&mut self, record: record::Record<'_>) {
        if let Some(levels) = &mut self.levels {
            let offset = levels.next.push(record.parent, record.packed);
            self.mark(offset);
        }
    }

    /// One past the last record.
    pub(crate) fn end(&self) -> u64 {
        self.arena.end()
    }

    /// The records between two offsets, as they lie.
    pub(crate) fn runs(&self, start: u64, end: u64) -> impl Iterator<Item = &[u8]> {
        self.arena.runs(start, end)
    }

    /// The states of this level whole, as they lie; none where all are kept whole.
    pub(crate) fn whole_runs(&self) -> impl Iterator<Item = &[u8]> {
        let whole = self.levels.iter().map(|levels| &levels.current);
        whole.flat_map(|arena| arena.runs(0, arena.end()))
    }

    /// Brings near what offering states with these hashes will look at. Each look is at another place of a large table, and the
    /// next does not wait for the one before as long as nothing is decided in between: first all slots, then the records that
    /// they lead to.
    pub(crate) fn touch(&self, hashes: impl Iterator<Item = u64> + Clone, near: &mut Vec<u64>) {
        if self.states == 0 {
            return;
        }
        near.clear();
        match &self.levels {
            Some(levels) => near.extend(hashes.filter_map(|hash| levels.table.near(hash))),
            None => {
                let slots = hashes.clone().map(|hash| self.table.touch(hash));
                std::hint::black_box(slots.fold(0, |sum, slot| sum ^ slot));
                // Where there is none, the first record: it is near, and not worth a branch.
                hashes.for_each(|hash| near.push(self.table.candidate(hash).unwrap_or(0)));
            }
        }
        let mut sum = 0u8;
        for offset in near.iter() {
            let record = self.arena.at(*offset);
            // The cache line that the record starts in, and the one after it: few records are longer.
            sum ^= record[0] ^ record.get(64).unwrap_or(&0);
        }
        std::hint::black_box(sum);
    }

    /// Where a state is stored, if it is.
    pub(crate) fn find(&self, hash: u64, packed: &[u8]) -> Option<u64> {
        if self.states == 0 {
            return None;
        }
        match self.search(hash, packed) {
            Place::Found(_, offset) => Some(offset),
            Place::Missing(_) => None,
        }
    }

    /// The slot of a state that is stored here.
    pub(crate) fn slot(&self, hash: u64, packed: &[u8]) -> usize {
        match self.search(hash, packed) {
            Place::Found(slot, _) | Place::Missing(slot) => slot,
        }
    }

    /// Number of slots, where states are kept whole.
    pub(crate) fn slots(&self) -> usize {
        self.table.slots()
    }

    /// Is a state in this level or in an earlier one?
    pub(crate) fn settled(&self, hash: u64, packed: &[u8]) -> bool {
        self.find(hash, packed)
            .is_some_and(|offset| offset < self.settled)
    }

    /// Begins the next level: appends its pieces to `pieces`.
    pub(crate) fn advance(&mut self, pieces: &mut Vec<Piece>) {
        self.settled = self.arena.end();
        if let Some(levels) = &mut self.levels {
            levels.current = std::mem::take(&mut levels.next);
        }
        let end = self.whole().end();
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
                shard: self.number,
                start: *start,
                end,
                records,
            });
        }
        self.marks.clear();
        self.behind_mark = 0;
    }

    /// Where the states of this level lie whole.
    fn whole(&self) -> &Arena {
        self.levels
            .as_ref()
            .map_or(&self.arena, |levels| &levels.current)
    }

    /// The record at an offset that this shard gave out.
    pub(crate) fn record(&self, offset: u64) -> record::Record<'_> {
        record::read(self.arena.at(offset))
    }

    /// The states of a piece of this level; or of any level, where they are kept whole.
    pub(crate) fn frontier(&self, piece: Piece) -> impl Iterator<Item = (StateId, &[u8])> {
        self.whole()
            .records(piece.start, piece.end)
            .map(|(offset, record)| match record.parent {
                Some(id) if self.levels.is_some() => (id, record.packed),
                _ => (StateId::new(self.number, offset), record.packed),
            })
    }

    /// Every state as it is kept.
    pub(crate) fn records(&self) -> impl Iterator<Item = (StateId, &[u8])> {
        let all = self.arena.records(0, self.arena.end());
        all.map(|(offset, record)| (StateId::new(self.number, offset), record.packed))
    }

    /// Number of states.
    pub(crate) fn states(&self) -> u64 {
        self.states
    }

    /// Bytes of memory held.
    pub(crate) fn bytes(&self) -> usize {
        let levels = self.levels.as_ref().map_or(0, |levels| {
            levels.table.bytes() + levels.current.bytes() + levels.next.bytes()
        });
        self.arena.bytes() + levels + self.table.bytes() + self.marks.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(shard: &mut Shard, packed: &[u8]) -> Offered {
        shard.offer(hash(packed), None, packed)
    }

    fn number(packed: &[u8]) -> u32 {
        u32::from_le_bytes(packed.try_into().unwrap())
    }

    #[test]
    fn each_state_is_stored_once() {
        for keep in [Keep::States, Keep::Fingerprints] {
            let mut shard = Shard::new(0, keep);
            for round in [Offered::New, Offered::Known] {
                for n in 0..20_000u32 {
                    assert_eq!(offer(&mut shard, &n.to_le_bytes()), round);
                }
            }
            assert_eq!(shard.states(), 20_000);
            let kept = shard.records().map(|(_, packed)| packed.to_vec());
            match keep {
                Keep::States => assert!(kept.eq((0..20_000u32).map(|n| n.to_le_bytes().to_vec()))),
                Keep::Fingerprints => {
                    assert!(
                        kept.eq(
                            (0..20_000u32).map(|n| hash(&n.to_le_bytes()).to_le_bytes().to_vec())
                        )
                    )
                }
            }
        }
    }

    #[test]
    fn equal_hashes_are_told_apart_by_the_bytes() {
        let mut shard = Shard::new(0, Keep::States);
        for n in 0..100u8 {
            assert_eq!(shard.offer(u64::MAX, None, &[n]), Offered::New);
        }
        assert_eq!(shard.states(), 100);
        assert!(shard.find(u64::MAX, &[99]).is_some());
        assert!(shard.find(u64::MAX, &[100]).is_none());
    }

    #[test]
    fn a_level_is_cut_into_pieces_that_hold_all_of_it() {
        for keep in [Keep::States, Keep::Fingerprints] {
            let mut shard = Shard::new(5, keep);
            let mut expected = 0..0u32;
            for level in [0u32, 1, PIECE - 1, PIECE, PIECE + 1, 50 * PIECE] {
                expected = expected.end..expected.end + level;
                for n in expected.clone() {
                    offer(&mut shard, &n.to_le_bytes());
                }
                let first = expected.start.to_le_bytes();
                assert!(level == 0 || !shard.settled(hash(&first), &first));
                let mut pieces = Vec::new();
                shard.advance(&mut pieces);
                assert_eq!(pieces.iter().map(|piece| piece.records).sum::<u32>(), level);
                let found = pieces.iter().flat_map(|piece| {
                    assert_eq!(shard.frontier(*piece).count(), piece.records as usize);
                    shard.frontier(*piece)
                });
                for ((id, packed), expected) in found.zip(expected.clone()) {
                    assert_eq!((id.shard(), number(packed)), (5, expected));
                    assert_eq!(shard.find(hash(packed), packed), Some(id.offset()));
                }
                assert!(level == 0 || shard.settled(hash(&first), &first));
            }
        }
    }
}
