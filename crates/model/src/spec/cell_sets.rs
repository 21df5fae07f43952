//! For every cell of a page, a set of values.

use cowherd_mm::pack::{Pack, Reader, Word, Writer};
use cowherd_mm::{Cell, Cells, MAX_CELLS};

/// What nobody wrote: a freed frame or slot is left with it. Any value above 15 counts as this one.
pub const JUNK: u8 = 31;

/// The largest value that a program may write.
pub const MAX_VALUE: u8 = 15;

/// For each cell a set of values, [`JUNK`] being one of them. Cells that a test does not use have empty sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellSets {
    values: [u16; MAX_CELLS],
    /// The cells that may hold junk.
    junk: u8,
}

impl CellSets {
    /// The sets of all cells side by side, so that they are worked on at once.
    #[inline]
    fn lanes(&self) -> u64 {
        let [a, b, c, d] = self.values.map(u64::from);
        a | b << 16 | c << 32 | d << 48
    }

    #[inline]
    fn of(lanes: u64, junk: u8) -> CellSets {
        let lane = |n: u32| (lanes >> (16 * n)) as u16;
        CellSets {
            values: [lane(0), lane(1), lane(2), lane(3)],
            junk,
        }
    }

    /// No value anywhere.
    pub const EMPTY: CellSets = CellSets {
        values: [0; MAX_CELLS],
        junk: 0,
    };

    /// Exactly these values, in the first `cells` cells.
    pub fn just(values: &[u8; MAX_CELLS], cells: u8) -> CellSets {
        let mut sets = CellSets::EMPTY;
        for cell in (0..cells).map(Cell) {
            sets.add(cell, values[cell.at()]);
        }
        sets
    }

    /// May `cell` hold `value`?
    #[inline]
    pub fn has(&self, cell: Cell, value: u8) -> bool {
        if value > MAX_VALUE {
            self.junk & (1 << cell.0) != 0
        } else {
            self.values[cell.at()] & (1 << value) != 0
        }
    }

    /// `cell` may hold `value` too.
    #[inline]
    pub fn add(&mut self, cell: Cell, value: u8) {
        if value > MAX_VALUE {
            self.junk |= 1 << cell.0;
        } else {
            self.values[cell.at()] |= 1 << value;
        }
    }

    /// `cell` holds `value` and nothing else.
    #[inline]
    pub fn put(&mut self, cell: Cell, value: u8) {
        self.clear(cell);
        self.add(cell, value);
    }

    /// `cell` holds no value.
    pub fn clear(&mut self, cell: Cell) {
        self.values[cell.at()] = 0;
        self.junk &= !(1 << cell.0);
    }

    /// Every value of either.
    #[inline]
    #[must_use]
    pub fn union(self, other: &CellSets) -> CellSets {
        CellSets::of(self.lanes() | other.lanes(), self.junk | other.junk)
    }

    /// What `other` has not.
    #[inline]
    #[must_use]
    pub fn without(self, other: &CellSets) -> CellSets {
        CellSets::of(self.lanes() & !other.lanes(), self.junk & !other.junk)
    }

    /// These sets in `cells`, those of `other` in all others.
    pub fn over(mut self, cells: Cells, other: &CellSets) -> CellSets {
        for cell in (0..MAX_CELLS as u8).map(Cell) {
            if !cells.has(cell) {
                self.values[cell.at()] = other.values[cell.at()];
            }
        }
        self.junk = self.junk & cells.0 | other.junk & !cells.0;
        self
    }

    /// Has it every value that `other` has?
    #[inline]
    pub fn contains(&self, other: &CellSets) -> bool {
        other.lanes() & !self.lanes() == 0 && other.junk & !self.junk == 0
    }

    /// No value anywhere?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.lanes() == 0 && self.junk == 0
    }

    /// Are these exactly the values that are possible, one a cell, in the first `cells` cells?
    #[inline]
    pub fn are(&self, values: &[u8; MAX_CELLS], cells: u8) -> bool {
        let bit = |n: usize| {
            let used = n < cells as usize;
            (u64::from(used) << (values[n] & MAX_VALUE)) << (16 * n)
        };
        let junk = values[..cells as usize].iter().any(|&v| v > MAX_VALUE);
        !junk && self.junk == 0 && self.lanes() == bit(0) | bit(1) | bit(2) | bit(3)
    }

    /// The values of a cell, junk aside, bit by bit.
    pub fn values(&self, cell: Cell) -> u16 {
        self.values[cell.at()]
    }

    /// `cell` holds these values; junk stays as it is.
    pub(super) fn set(&mut self, cell: Cell, values: u16) {
        self.values[cell.at()] = values;
    }

    /// The one value of a cell, if it has one and that is not junk.
    pub fn only(&self, cell: Cell) -> Option<u8> {
        let set = self.values[cell.at()];
        (set.count_ones() == 1 && self.junk & (1 << cell.0) == 0)
            .then(|| set.trailing_zeros() as u8)
    }

    /// The cells with more than one value.
    #[inline]
    pub fn open(&self) -> Cells {
        let open = |cell: usize| {
            let set = self.values[cell];
            let junk = self.junk >> cell & 1 == 1;
            let more = set & set.wrapping_sub(1) != 0 || junk && set != 0;
            u8::from(more) << cell
        };
        Cells(open(0) | open(1) | open(2) | open(3))
    }

    /// Adds the one value of each cell to a word, if all have one.
    #[inline]
    pub fn put_values(&self, cells: u8, word: Word) -> Option<Word> {
        (0..cells).try_fold(word, |word, cell| {
            Some(word.and(u32::from(self.only(Cell(cell))?), 4))
        })
    }

    /// The inverse of [`put_values`](CellSets::put_values).
    #[inline]
    pub fn unpack_values(cells: u8, r: &mut Reader) -> CellSets {
        let mut sets = CellSets::EMPTY;
        r.reach(4 * MAX_CELLS as u32);
        for values in &mut sets.values[..cells as usize] {
            *values = 1 << r.next(4);
        }
        sets
    }

    /// Packs the first `cells` cells: in four bits each, if all have one value.
    pub fn pack(&self, cells: u8, w: &mut Writer) {
        if let Some(word) = self.put_values(cells, Word::EMPTY.and(0, 1)) {
            return w.word(word);
        }
        w.bits(1, 1);
        for cell in (0..cells).map(Cell) {
            match self.only(cell) {
                Some(value) => w.bits(u32::from(value) << 1, 5),
                None => {
                    let junk = u32::from(self.junk >> cell.0 & 1);
                    w.bits(1 | junk << 1 | u32::from(self.values[cell.at()]) << 2, 18);
                }
            }
        }
    }

    /// The inverse of [`pack`](CellSets::pack).
    pub fn unpack(cells: u8, r: &mut Reader) -> CellSets {
        if !bool::unpack(r) {
            return CellSets::unpack_values(cells, r);
        }
        let mut sets = CellSets::EMPTY;
        for cell in (0..cells).map(Cell) {
            if bool::unpack(r) {
                sets.junk |= (r.bits(1) as u8) << cell.0;
                sets.values[cell.at()] = r.bits(16) as u16;
            } else {
                sets.values[cell.at()] = 1 << r.bits(4);
            }
        }
        sets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_add_put_and_compare() {
        let mut a = CellSets::just(&[3, 4, 0, 0], 2);
        assert!(a.has(Cell(0), 3) && !a.has(Cell(0), 4) && !a.has(Cell(2), 0));
        let before = a;
        a.add(Cell(1), JUNK);
        assert_eq!(a.only(Cell(1)), None);
        assert_eq!(a.open(), Cells::one(Cell(1)));
        assert!(a.contains(&before) && !before.contains(&a));
        a.put(Cell(1), 4);
        assert_eq!(a, before);
        assert_eq!(a.without(&before), CellSets::EMPTY);
        let b = CellSets::just(&[1, 2, 0, 0], 2);
        assert_eq!(
            b.over(Cells::one(Cell(0)), &a),
            CellSets::just(&[1, 4, 0, 0], 2)
        );
    }

    #[test]
    fn packing_keeps_sets() {
        let mut sets = CellSets::just(&[15, 0, 7, 9], 4);
        sets.add(Cell(1), 3);
        sets.add(Cell(2), JUNK);
        sets.clear(Cell(3));
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out);
        sets.pack(4, &mut w);
        w.finish();
        assert_eq!(CellSets::unpack(4, &mut Reader::new(&out)), sets);
    }
}
