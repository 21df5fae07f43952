//! The driver of the mm: what pages hold, which alternative is taken, and an ear for the specification.

use cowherd_explore::Choice;
use cowherd_mm::machine::Dir;
use cowherd_mm::*;

use crate::program::{JUNK, MAX_REGS, Op, Program, Source};
use crate::spec::{Alarms, Ideal};
use crate::state::{State, Val};

/// Everything of a [`State`] but its machine, while a step runs on that.
pub struct Driver<'a> {
    p: &'a Program,
    choice: &'a mut Choice,
    /// The statement that the stepping task is at.
    op: Option<&'a Op>,
    /// Where its value goes.
    result: Option<usize>,
    /// The process of the stepping task.
    mm: Option<MmId>,
    frames: &'a mut [[u8; MAX_CELLS]; MAX_FRAMES],
    slots: &'a mut [[u8; MAX_CELLS]; MAX_SLOTS],
    files: &'a mut [[u8; MAX_CELLS]; MAX_FILES],
    regs: &'a mut [Val; MAX_REGS],
    ideal: &'a mut Ideal,
    /// What was broken in this step.
    pub alarms: Alarms,
    /// What the step read and wrote beside the machine: files, and the ideal memory.
    pub touched: Touch,
    /// Was the ideal memory told anything?
    pub told: bool,
    /// Was a register or a file written?
    pub wrote: bool,
    /// The frames in use when last looked.
    used: Frames,
    /// The frames of the page cache that a VMA shows.
    mapped_files: Frames,
}

/// A state split into its machine and its driver.
pub fn split<'a>(
    p: &'a Program,
    state: &'a mut State,
    choice: &'a mut Choice,
    op: Option<&'a Op>,
    result: Option<usize>,
    mm: Option<MmId>,
) -> (&'a mut Machine, Driver<'a>) {
    let used = state.used;
    let mut mapped_files = Frames::NONE;
    if p.cfg.sizes.file_frames > 0 {
        let files = state.m.vmas.iter().flatten().filter_map(|vma| vma.file);
        files.for_each(|pfn| mapped_files.add(pfn));
    }
    let State {
        m,
        frames,
        slots,
        files,
        regs,
        ideal,
        ..
    } = state;
    (
        m,
        Driver {
            p,
            choice,
            op,
            result,
            mm,
            frames,
            slots,
            files,
            regs,
            ideal,
            alarms: Alarms::default(),
            touched: Touch::NONE,
            told: false,
            wrote: false,
            used,
            mapped_files,
        },
    )
}

impl Driver<'_> {
    fn source(&mut self, source: Source) -> u8 {
        match source {
            Source::Value(v) => v,
            Source::Reg(reg) => match self.regs[reg] {
                Val::Number(v) => v,
                Val::Unset | Val::Failed(_) => 0,
            },
            Source::File(file, cell) => {
                self.touched.read(Touch::file(file));
                self.files[file.at()][cell.at()]
            }
        }
    }

    fn give(&mut self, value: u8) {
        self.wrote = true;
        if let Some(reg) = self.result {
            self.regs[reg] = Val::Number(value);
        }
    }

    fn in_use(&self, pfn: Pfn) -> bool {
        self.used.has(pfn)
    }

    /// The ideal memory of an address is about to change, or to be asked.
    fn ideal(&mut self, mm: MmId, va: Va) {
        self.told = true;
        self.touched.write(Touch::ideal(mm, va));
    }

    /// A frame is about to be accessed; freed ones hold nothing.
    fn reach(&mut self, pfn: Pfn) {
        if !self.in_use(pfn) {
            self.broken(Broken::UseAfterFree);
        }
    }

    fn get(&self, pfn: Pfn, cell: Cell) -> u8 {
        if !self.in_use(pfn) {
            JUNK
        } else {
            self.frames[pfn.at()][cell.at()]
        }
    }

    fn put(&mut self, pfn: Pfn, cell: Cell, value: u8) {
        if pfn == Pfn::ZERO {
            return self.broken(Broken::ZeroPage);
        }
        self.frames[pfn.at()][cell.at()] = value;
        if self.mapped_files.has(pfn) {
            self.told = true;
            self.touched.read(Touch::VMAS);
            self.p.spec.file_written(self.ideal, &mut self.alarms);
        }
    }

    fn load(&mut self, mm: MmId, va: Va, pfn: Pfn, cell: Cell) -> u8 {
        self.reach(pfn);
        self.ideal(mm, va);
        let value = self.get(pfn, cell);
        self.p
            .spec
            .load(self.ideal, &mut self.alarms, mm, va, cell, value);
        value
    }

    fn store(&mut self, mm: MmId, va: Va, pfn: Pfn, cell: Cell, value: u8) {
        self.reach(pfn);
        self.ideal(mm, va);
        self.put(pfn, cell, value);
        self.p
            .spec
            .store(self.ideal, &mut self.alarms, mm, va, cell, value);
    }
}

impl World for Driver<'_> {
    fn choose(&mut self, ways: u8) -> u8 {
        self.choice.choose(u32::from(ways)) as u8
    }

    fn zero(&mut self, to: Pfn) {
        self.used.add(to);
        self.frames[to.at()] = [0; MAX_CELLS];
    }

    fn copy(&mut self, from: Pfn, to: Pfn, cell: Cell) {
        self.used.add(to);
        self.frames[to.at()][cell.at()] = self.get(from, cell);
    }

    fn swap_write(&mut self, from: Pfn, slot: Slot, cell: Cell) {
        self.slots[slot.at()][cell.at()] = self.get(from, cell);
    }

    fn swap_read(&mut self, slot: Slot, to: Pfn) {
        self.used.add(to);
        self.frames[to.at()] = self.slots[slot.at()];
    }

    fn swap_garble(&mut self, slot: Slot) {
        self.slots[slot.at()] = [JUNK; MAX_CELLS];
    }

    fn same(&mut self, a: Pfn, b: Pfn) -> bool {
        self.frames[a.at()][..self.p.cfg.sizes.cells as usize]
            == self.frames[b.at()][..self.p.cfg.sizes.cells as usize]
    }

    fn same_as_slot(&mut self, pfn: Pfn, slot: Slot, cell: Cell) -> bool {
        self.frames[pfn.at()][cell.at()] == self.slots[slot.at()][cell.at()]
    }

    fn access(&mut self, mm: MmId, va: Va, pfn: Pfn, _access: Access) {
        match self.op.copied() {
            Some(Op::Load { cell, .. }) => {
                let value = self.load(mm, va, pfn, cell);
                self.give(value);
            }
            Some(Op::LoadToFile {
                cell,
                file,
                file_cell,
                ..
            }) => {
                let value = self.load(mm, va, pfn, cell);
                self.wrote = true;
                self.touched.write(Touch::file(file));
                self.files[file.at()][file_cell.at()] = value;
            }
            Some(Op::Remote {
                cell, store: None, ..
            }) => {
                self.reach(pfn);
                self.ideal(mm, va);
                let value = self.get(pfn, cell);
                self.p
                    .spec
                    .remote_load(self.ideal, &mut self.alarms, mm, va, cell, value);
                self.give(value);
            }
            Some(Op::Store { cell, value, .. }) => {
                let value = self.source(value);
                self.store(mm, va, pfn, cell, value);
            }
            Some(Op::Remote {
                cell,
                store: Some(value),
                ..
            }) => {
                let value = self.source(value);
                self.reach(pfn);
                self.ideal(mm, va);
                self.put(pfn, cell, value);
                self.p
                    .spec
                    .remote_store(self.ideal, &mut self.alarms, mm, va, cell, value);
            }
            Some(Op::UffdCopy { values, .. }) => {
                for cell in Cells::first(self.p.cfg.sizes.cells).iter() {
                    let value = self.source(values[cell.at()]);
                    self.ideal(mm, va);
                    self.put(pfn, cell, value);
                    self.p
                        .spec
                        .fill(self.ideal, &mut self.alarms, mm, va, cell, value);
                }
            }
            _ => {}
        }
    }

    fn transfer(&mut self, io: IoId, file: FileId, pfn: Pfn, cell: Cell, dir: Dir) {
        self.reach(pfn);
        let at = self.p.file_cell(io, cell);
        let used = self.p.spec.ios[io.at()];
        self.ideal(used.mm, used.va);
        match dir {
            Dir::ToMemory => {
                self.touched.read(Touch::file(file));
                let value = self.files[file.at()][at.at()];
                self.put(pfn, cell, value);
                self.p
                    .spec
                    .land(self.ideal, &mut self.alarms, io, cell, value);
            }
            Dir::ToDevice => {
                self.wrote = true;
                self.touched.write(Touch::file(file));
                let value = self.get(pfn, cell);
                self.files[file.at()][at.at()] = value;
                self.p
                    .spec
                    .sample(self.ideal, &mut self.alarms, io, cell, value);
            }
        }
    }

    fn held_access(&mut self, holder: HoldId, pfn: Pfn, _access: Access) {
        self.reach(pfn);
        let used = self.p.spec.holders[holder.at()];
        self.ideal(used.mm, used.va);
        match self.op.copied() {
            Some(Op::HeldLoad { cell, .. }) => {
                let value = self.get(pfn, cell);
                self.p
                    .spec
                    .held_load(self.ideal, &mut self.alarms, holder, cell, value);
                self.give(value);
            }
            Some(Op::HeldStore { cell, value, .. }) => {
                let value = self.source(value);
                self.put(pfn, cell, value);
                self.p
                    .spec
                    .held_store(self.ideal, &mut self.alarms, holder, cell, value);
            }
            _ => {}
        }
    }

    fn pipe_read(&mut self, _pipe: PipeId, pfn: Pfn, cells: Cells, mm: MmId, va: Va) {
        self.reach(pfn);
        self.ideal(mm, va);
        let reader = self.mm.unwrap_or(mm);
        for cell in cells.iter() {
            let value = self.get(pfn, cell);
            self.p
                .spec
                .pipe_read(self.ideal, &mut self.alarms, mm, va, cell, value, reader);
            self.give(value);
        }
    }

    fn event(&mut self, event: Event) {
        self.told = true;
        let bits = self.p.spec.event_footprint(event);
        self.touched.write(bits);
        self.p.spec.event(self.ideal, &mut self.alarms, event);
    }

    fn broken(&mut self, broken: Broken) {
        self.alarms.broken(broken);
    }
}
