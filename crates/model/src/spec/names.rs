//! Where the ideal memory has which value, and the same memory under other names for them ([`crate::general::values`]).

use cowherd_mm::{Cell, MAX_CELLS};

use super::cell_sets::CellSets;
use super::ideal::Ideal;
use crate::general::values::Renaming;
use crate::spec::Values;

/// What an address is asked for: the world that it may be (with its marks), ...
const WORLD: u32 = 0;
const WRITTEN: u32 = 1 << 6;
const STALE: u32 = 2 << 6;
/// ... what a transfer or a holder saw, what a reader by reference did.
const TRANSFER: u32 = 3 << 6;
const HOLDER: u32 = 4 << 6;
const ENTRY: u32 = 5 << 6;
const LATER: u32 = 6 << 6;

impl Ideal {
    /// Every place, with the values that stand there. Worlds have no order: a place in one is told by its marks.
    pub(crate) fn each_place(&self, mut each: impl FnMut(Values, u32)) {
        let cells = self.cells();
        let mut add = |sets: &CellSets, at: u32| {
            for cell in 0..cells {
                each(sets.values(Cell(cell)), at << 2 | u32::from(cell));
            }
        };
        for mm in self.mms() {
            for va in self.vas() {
                let page = self.page(mm, va);
                let at = u32::from(mm.0) | u32::from(va.0) << 2;
                for world in page.worlds.iter() {
                    let marks = u32::from(world.marks.bits())
                        | u32::from(world.lazy) << 7
                        | u32::from(world.loose) << 8;
                    add(&world.cells, at | WORLD | marks << 9);
                }
                add(&page.written, at | WRITTEN);
                add(&page.stale, at | STALE);
            }
        }
        for (n, io) in self.ios.iter().enumerate() {
            add(&io.since, TRANSFER | n as u32);
        }
        for (n, holder) in self.holders.iter().enumerate() {
            add(&holder.since, HOLDER | n as u32);
        }
        for (n, watch) in self.watches.iter().enumerate() {
            if let Some(watch) = watch {
                add(&watch.entry, ENTRY | n as u32);
                add(&watch.later, LATER | n as u32);
            }
        }
    }

    /// Gives all values other names.
    pub(crate) fn rename(&mut self, renaming: &Renaming) {
        let rename = |sets: &mut CellSets| *sets = sets.renamed(renaming);
        for mm in self.mms() {
            for va in self.vas() {
                let page = self.page_mut(mm, va);
                page.worlds = page.worlds.renamed(renaming);
                rename(&mut page.written);
                rename(&mut page.stale);
            }
        }
        self.ios.iter_mut().for_each(|io| rename(&mut io.since));
        let holders = self.holders.iter_mut();
        holders.for_each(|holder| rename(&mut holder.since));
        for watch in self.watches.iter_mut().flatten() {
            rename(&mut watch.entry);
            rename(&mut watch.later);
        }
    }
}

impl CellSets {
    fn renamed(&self, renaming: &Renaming) -> CellSets {
        let mut sets = *self;
        for cell in (0..MAX_CELLS as u8).map(Cell) {
            sets.set(cell, renaming.of_set(self.values(cell)));
        }
        sets
    }
}

impl super::worlds::Worlds {
    fn renamed(&self, renaming: &Renaming) -> super::worlds::Worlds {
        self.with_cells(|cells| cells.renamed(renaming))
    }
}
