//! What memory holds, and what was promised.

use cowherd_mm::machine::Dir;
use cowherd_mm::world::Trap;
use cowherd_mm::*;

use crate::common::{A, Data, Found, Op, X};

/// What a step sees of the world, and tells it.
pub struct Driver<'a> {
    pub data: &'a mut Data,
    pub op: Option<Op>,
    pub result: &'a mut u8,
    pub script: &'a [u8],
    pub asked: Vec<u8>,
    pub stored: Option<(MmId, Va)>,
    pub lifted: u16,
    pub trapped: u16,
}

/// A page of a process, as one of a set.
pub fn bit(mm: MmId, va: Va) -> u16 {
    1 << (mm.at() * MAX_PAGES + va.at())
}

impl World for Driver<'_> {
    fn choose(&mut self, ways: u8) -> u8 {
        let at = self.asked.len();
        self.asked.push(ways);
        self.script.get(at).copied().unwrap_or(0)
    }
    fn zero(&mut self, to: Pfn) {
        self.data.frames[to.at()] = [0; MAX_CELLS];
    }
    fn copy(&mut self, from: Pfn, to: Pfn, cell: Cell) {
        self.data.frames[to.at()][cell.at()] = self.data.frames[from.at()][cell.at()];
    }
    fn swap_write(&mut self, from: Pfn, slot: Slot, cell: Cell) {
        self.data.slots[slot.at()][cell.at()] = self.data.frames[from.at()][cell.at()];
    }
    fn swap_read(&mut self, slot: Slot, to: Pfn) {
        self.data.frames[to.at()] = self.data.slots[slot.at()];
    }
    fn swap_garble(&mut self, slot: Slot) {
        self.data.slots[slot.at()] = [0xee; MAX_CELLS];
    }
    fn same(&mut self, a: Pfn, b: Pfn) -> bool {
        self.data.frames[a.at()] == self.data.frames[b.at()]
    }
    fn same_as_slot(&mut self, pfn: Pfn, slot: Slot, cell: Cell) -> bool {
        self.data.frames[pfn.at()][cell.at()] == self.data.slots[slot.at()][cell.at()]
    }
    fn access(&mut self, mm: MmId, va: Va, pfn: Pfn, access: Access) {
        match (self.op, access) {
            (Some(Op::Load(_, cell)), Access::Load) => {
                *self.result = self.data.frames[pfn.at()][cell as usize];
            }
            (Some(Op::Store(_, cell, value)), Access::Store) => {
                self.data.frames[pfn.at()][cell as usize] = value;
                self.stored = Some((mm, va));
            }
            // UFFDIO_COPY brings threes, a remote store nines.
            (Some(Op::Call(_)), Access::Store) if mm == A && va == X => {
                self.data.frames[pfn.at()] = [3; MAX_CELLS];
            }
            _ => {}
        }
        if pfn.is_zero() && access == Access::Store {
            self.data.found.push(Found::Broken(Broken::ZeroPage));
        }
    }
    fn transfer(&mut self, _: IoId, _: FileId, pfn: Pfn, cell: Cell, dir: Dir) {
        if dir == Dir::ToMemory {
            self.data.frames[pfn.at()][cell.at()] = 5;
        }
    }
    fn held_access(&mut self, _: HoldId, _: Pfn, _: Access) {}
    fn pipe_read(&mut self, _: PipeId, _: Pfn, _: Cells, _: MmId, _: Va) {}
    fn event(&mut self, event: Event) {
        let d = &mut *self.data;
        match event {
            Event::WriteForbidden { mm, va } => d.forbidden |= bit(mm, va),
            Event::WriteAllowed { mm, va } => d.forbidden &= !bit(mm, va),
            Event::WriteTrapped { mm, va, by } => match by {
                Trap::Uffd => self.trapped |= bit(mm, va),
                Trap::SoftDirty => d.soft_dirty |= bit(mm, va),
            },
            Event::TrapLifted { mm, va, by } => match by {
                Trap::Uffd => {
                    d.uffd &= !bit(mm, va);
                    self.lifted |= bit(mm, va);
                }
                Trap::SoftDirty => d.soft_dirty &= !bit(mm, va),
            },
            Event::ZapBegin { mm, va } | Event::FreeBegin { mm, va } => {
                d.uffd &= !bit(mm, va);
                d.soft_dirty &= !bit(mm, va);
            }
            Event::Moved { mm, from, to } => {
                for set in [&mut d.uffd, &mut d.soft_dirty] {
                    if *set & bit(mm, from) != 0 {
                        *set = *set & !bit(mm, from) | bit(mm, to);
                    }
                }
            }
            _ => {}
        }
    }
    fn broken(&mut self, broken: Broken) {
        self.data.found.push(Found::Broken(broken));
    }
}
