//! The kernel at work: one task's step, with the machine, the configuration and the driver at hand.

use crate::config::Config;
use crate::feature::Feature;
use crate::ids::*;
use crate::machine::{Dir, Holder, Io, Machine, Mm, Pipe, SwapSlot, Vma};
use crate::page::Page;
use crate::pgtable::Pte;
use crate::step::Who;
use crate::touch::Touch;
use crate::world::{Access, Broken, Event, World};

/// The context in which a step runs. All state is reached through it, and what is reached is recorded: the step's footprint.
pub struct Kernel<'a> {
    m: &'a mut Machine,
    /// Features, devices, failures.
    pub cfg: &'a Config,
    /// The driver.
    world: &'a mut dyn World,
    /// Who takes the step.
    pub who: Who,
    touched: Touch,
}

/// What a description is made from: the state, read-only.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The state.
    pub m: &'a Machine,
    /// Features, devices, failures.
    pub cfg: &'a Config,
    /// Who would take the step.
    pub who: Who,
}

impl View<'_> {
    /// Does the kernel have this feature?
    pub fn has(&self, feature: Feature) -> bool {
        self.cfg.has(feature)
    }

    /// The PTE at `va` of `mm`.
    pub fn pte(&self, mm: MmId, va: Va) -> Pte {
        self.m.ptes[mm.at()][va.at()]
    }

    /// A frame's struct page.
    pub fn page(&self, pfn: Pfn) -> &Page {
        &self.m.frames[pfn.at()]
    }
}

impl<'a> Kernel<'a> {
    /// A step about to be taken.
    pub fn new(
        m: &'a mut Machine,
        cfg: &'a Config,
        world: &'a mut dyn World,
        who: Who,
    ) -> Kernel<'a> {
        Kernel {
            m,
            cfg,
            world,
            who,
            touched: Touch::NONE,
        }
    }

    /// Everything that was reached so far.
    pub fn touched(&self) -> Touch {
        self.touched
    }

    fn reads(&mut self, bits: u128) {
        self.touched.read(bits);
    }

    fn writes(&mut self, bits: u128) {
        self.touched.write(bits);
    }

    /// Does the kernel have this feature?
    #[inline]
    pub fn has(&self, feature: Feature) -> bool {
        self.cfg.has(feature)
    }

    /// One of `0..ways`, left open.
    pub fn choose(&mut self, ways: u8) -> u8 {
        if ways <= 1 {
            0
        } else {
            self.world.choose(ways)
        }
    }

    /// May a failure of this kind happen, and does it?
    pub fn fails(&mut self, kind: bool) -> bool {
        kind && self.choose(2) == 1
    }

    /// Tells the specification.
    pub fn event(&mut self, event: Event) {
        self.world.event(event);
    }

    /// Reports a broken invariant.
    pub fn broken(&mut self, broken: Broken) {
        self.world.broken(broken);
    }

    /// The whole state, for walks over much of it. The caller names what it reads.
    pub fn machine(&mut self, bits: u128) -> &Machine {
        self.reads(bits);
        self.m
    }

    /// An mm, to read.
    pub fn mm(&mut self, mm: MmId) -> &Mm {
        self.reads(Touch::mm(mm));
        &self.m.mms[mm.at()]
    }

    /// An mm's page-table flags and counters, to read.
    pub fn tables(&mut self, mm: MmId) -> &Mm {
        self.reads(Touch::ptl(mm));
        &self.m.mms[mm.at()]
    }

    /// An mm's page-table flags and counters, to change.
    pub fn tables_mut(&mut self, mm: MmId) -> &mut Mm {
        self.writes(Touch::ptl(mm));
        &mut self.m.mms[mm.at()]
    }

    /// An mm, to change.
    pub fn mm_mut(&mut self, mm: MmId) -> &mut Mm {
        self.writes(Touch::mm(mm));
        &mut self.m.mms[mm.at()]
    }

    /// A VMA, to read.
    pub fn vma(&mut self, mm: MmId, va: Va) -> &Vma {
        self.reads(Touch::vma(mm, va));
        &self.m.vmas[mm.at()][va.at()]
    }

    /// A VMA, to change.
    pub fn vma_mut(&mut self, mm: MmId, va: Va) -> &mut Vma {
        self.writes(Touch::vma(mm, va));
        &mut self.m.vmas[mm.at()][va.at()]
    }

    /// `ptep_get`.
    pub fn pte(&mut self, mm: MmId, va: Va) -> Pte {
        self.reads(Touch::pte(mm, va));
        self.m.ptes[mm.at()][va.at()]
    }

    /// `set_pte_at`.
    pub fn set_pte(&mut self, mm: MmId, va: Va, pte: Pte) {
        self.writes(Touch::pte(mm, va));
        self.m.ptes[mm.at()][va.at()] = pte;
    }

    /// `ptep_get_and_clear`: the caller flushes, or defers the flush.
    pub fn clear_pte(&mut self, mm: MmId, va: Va) -> Pte {
        let old = self.pte(mm, va);
        self.set_pte(mm, va, Pte::None);
        old
    }

    /// A struct page, to read.
    pub fn page(&mut self, pfn: Pfn) -> &Page {
        self.reads(Touch::page(pfn));
        &self.m.frames[pfn.at()]
    }

    /// A struct page, to change.
    pub fn page_mut(&mut self, pfn: Pfn) -> &mut Page {
        self.writes(Touch::page(pfn));
        &mut self.m.frames[pfn.at()]
    }

    /// A swap slot, to read.
    pub fn slot(&mut self, slot: Slot) -> &SwapSlot {
        self.reads(Touch::slot(slot));
        self.check_swap_map();
        &self.m.slots[slot.at()]
    }

    /// A swap slot, to change.
    pub fn slot_mut(&mut self, slot: Slot) -> &mut SwapSlot {
        self.writes(Touch::slot(slot));
        self.check_swap_map();
        &mut self.m.slots[slot.at()]
    }

    fn check_swap_map(&mut self) {
        self.reads(Touch::SWAP_DEVICE);
        if self.m.swap_gone {
            self.broken(Broken::UseAfterFree);
        }
    }

    /// `get_swap_device` fails: swapoff is over.
    pub fn swap_device_gone(&mut self) -> bool {
        self.reads(Touch::SWAP_DEVICE);
        self.m.swap_gone
    }

    /// A transfer, to read.
    pub fn io(&mut self, io: IoId) -> &Io {
        self.reads(Touch::io(io));
        &self.m.ios[io.at()]
    }

    /// A transfer, to change.
    pub fn io_mut(&mut self, io: IoId) -> &mut Io {
        self.writes(Touch::io(io));
        &mut self.m.ios[io.at()]
    }

    /// A long-lived holder, to read.
    pub fn holder(&mut self, holder: HoldId) -> &Holder {
        self.reads(Touch::holder(holder));
        &self.m.holders[holder.at()]
    }

    /// A long-lived holder, to change.
    pub fn holder_mut(&mut self, holder: HoldId) -> &mut Holder {
        self.writes(Touch::holder(holder));
        &mut self.m.holders[holder.at()]
    }

    /// A pipe, to change.
    pub fn pipe_mut(&mut self, pipe: PipeId) -> &mut Pipe {
        self.writes(Touch::pipe(pipe));
        &mut self.m.pipes[pipe.at()]
    }

    /// The machine, to change what has no accessor of its own. The caller names what it writes.
    pub fn machine_mut(&mut self, bits: u128) -> &mut Machine {
        self.writes(bits);
        self.m
    }

    /// Takes the page-table lock of `mm`.
    pub fn lock_ptl(&mut self, mm: MmId) {
        let mm = self.tables_mut(mm);
        debug_assert!(!mm.ptl, "page-table lock taken twice");
        mm.ptl = true;
    }

    /// Drops the page-table lock of `mm`.
    pub fn unlock_ptl(&mut self, mm: MmId) {
        let mm = self.tables_mut(mm);
        debug_assert!(mm.ptl, "page-table lock dropped twice");
        mm.ptl = false;
    }

    /// Takes mmap_lock for read: nothing that another reader minds.
    pub fn mmap_read_lock(&mut self, mm: MmId) {
        self.reads(Touch::mm(mm));
        let mm = &mut self.m.mms[mm.at()];
        debug_assert!(!mm.writer);
        mm.readers.0 += 1;
    }

    /// Drops mmap_lock.
    pub fn mmap_read_unlock(&mut self, mm: MmId) {
        self.reads(Touch::mm(mm));
        self.m.mms[mm.at()].readers.0 -= 1;
    }

    /// Takes the lock of a VMA for read: nothing that another reader minds.
    pub fn vma_read_lock(&mut self, mm: MmId, va: Va) {
        self.reads(Touch::vma(mm, va));
        self.m.vmas[mm.at()][va.at()].readers.0 += 1;
    }

    /// Drops the lock of a VMA.
    pub fn vma_read_unlock(&mut self, mm: MmId, va: Va) {
        self.reads(Touch::vma(mm, va));
        self.m.vmas[mm.at()][va.at()].readers.0 -= 1;
    }

    /// Takes mmap_lock for write.
    pub fn mmap_write_lock(&mut self, mm: MmId) {
        let mm = self.mm_mut(mm);
        debug_assert!(!mm.writer && mm.readers.0 == 0);
        mm.writer = true;
    }

    /// Drops mmap_lock held for write, and with it every VMA lock held for write (`vma_end_write_all`).
    pub fn mmap_write_unlock(&mut self, mm: MmId) {
        for va in (0..self.cfg.sizes.pages as u8).map(Va) {
            if self.vma(mm, va).writer {
                self.vma_mut(mm, va).writer = false;
            }
        }
        self.mm_mut(mm).writer = false;
    }
}

/// What pages hold: the driver's business, of which the step's footprint tells which pages.
impl Kernel<'_> {
    /// `clear_highpage`.
    pub fn clear_page(&mut self, to: Pfn) {
        self.writes(Touch::data(to));
        self.world.zero(to);
    }

    /// One cell of a page copy.
    pub fn copy_cell(&mut self, from: Pfn, to: Pfn, cell: Cell) {
        self.reads(Touch::data(from));
        self.writes(Touch::data(to));
        self.world.copy(from, to, cell);
    }

    /// The device samples one sector of `from` for `slot`.
    pub fn swap_write(&mut self, from: Pfn, slot: Slot, cell: Cell) {
        self.reads(Touch::data(from));
        self.writes(Touch::slot(slot));
        self.world.swap_write(from, slot, cell);
    }

    /// A slot is read into `to`.
    pub fn swap_read(&mut self, slot: Slot, to: Pfn) {
        self.reads(Touch::slot(slot));
        self.writes(Touch::data(to));
        self.world.swap_read(slot, to);
    }

    /// A failed swap write leaves anything in the slot.
    pub fn swap_garble(&mut self, slot: Slot) {
        self.writes(Touch::slot(slot));
        self.world.swap_garble(slot);
    }

    /// `pages_identical`.
    pub fn pages_identical(&mut self, a: Pfn, b: Pfn) -> bool {
        self.reads(Touch::data(a) | Touch::data(b));
        self.world.same(a, b)
    }

    /// Does `pfn` hold what `slot` holds in this sector?
    pub fn same_as_slot(&mut self, pfn: Pfn, slot: Slot, cell: Cell) -> bool {
        self.reads(Touch::data(pfn) | Touch::slot(slot));
        self.world.same_as_slot(pfn, slot, cell)
    }

    fn accesses(&mut self, pfn: Pfn, access: Access) {
        match access {
            Access::Load => self.reads(Touch::data(pfn)),
            Access::Store => self.writes(Touch::data(pfn)),
        }
    }

    /// The access that the running task asked for happens now, on this frame.
    pub fn access(&mut self, mm: MmId, va: Va, pfn: Pfn, access: Access) {
        self.accesses(pfn, access);
        self.world.access(mm, va, pfn, access);
    }

    /// A device transfers one cell.
    pub fn transfer(&mut self, io: IoId, pfn: Pfn, cell: Cell, dir: Dir) {
        self.accesses(
            pfn,
            match dir {
                Dir::ToMemory => Access::Store,
                Dir::ToDevice => Access::Load,
            },
        );
        let file = self.io(io).file;
        self.world.transfer(io, file, pfn, cell, dir);
    }

    /// The device behind a holder accesses the page it holds.
    pub fn held_access(&mut self, holder: HoldId, pfn: Pfn, access: Access) {
        self.accesses(pfn, access);
        self.world.held_access(holder, pfn, access);
    }

    /// The running task reads the cells of a pipe buffer.
    pub fn pipe_read(&mut self, pipe: PipeId, pfn: Pfn, cells: Cells, mm: MmId, va: Va) {
        self.reads(Touch::data(pfn));
        self.world.pipe_read(pipe, pfn, cells, mm, va);
    }
}
