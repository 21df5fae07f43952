//! The kernel at work: one task's step, with the machine, the configuration and the driver at hand.

use crate::config::Config;
use crate::feature::Feature;
use crate::ids::*;
use crate::machine::{Io, Machine, Mm, SwapSlot, Vma};
use crate::page::Page;
use crate::pgtable::Pte;
use crate::step::{Touch, Who};
use crate::world::{Broken, Event, World};

/// The context in which a step runs. All state is reached through it, so that debug builds can hold every access against the
/// footprint that the step declares.
pub struct Kernel<'a> {
    m: &'a mut Machine,
    /// Features, devices, failures.
    pub cfg: &'a Config,
    /// The driver.
    pub world: &'a mut dyn World,
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

    /// Everything that was reached so far (recorded in debug builds only).
    pub fn touched(&self) -> Touch {
        self.touched
    }

    fn reads(&mut self, bits: u128) {
        if cfg!(debug_assertions) {
            self.touched = self.touched.read(bits);
        }
    }

    fn writes(&mut self, bits: u128) {
        if cfg!(debug_assertions) {
            self.touched = self.touched.write(bits);
        }
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

    /// The whole state, for walks over all of it (rmap, allocation). Recorded as a read of everything.
    pub fn machine(&mut self) -> &Machine {
        self.m
    }

    /// An mm, to read.
    pub fn mm(&mut self, mm: MmId) -> &Mm {
        self.reads(Touch::mm(mm));
        &self.m.mms[mm.at()]
    }

    /// An mm, to change.
    pub fn mm_mut(&mut self, mm: MmId) -> &mut Mm {
        self.writes(Touch::mm(mm));
        &mut self.m.mms[mm.at()]
    }

    /// A VMA, to read.
    pub fn vma(&mut self, mm: MmId, va: Va) -> &Vma {
        self.reads(Touch::mm(mm));
        &self.m.vmas[mm.at()][va.at()]
    }

    /// A VMA, to change.
    pub fn vma_mut(&mut self, mm: MmId, va: Va) -> &mut Vma {
        self.writes(Touch::mm(mm));
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
        if self.m.swap_gone {
            self.broken(Broken::UseAfterFree);
        }
    }

    /// `get_swap_device` fails: swapoff is over.
    pub fn swap_device_gone(&self) -> bool {
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

    /// The machine, to change what has no accessor of its own. The caller names what it writes.
    pub fn machine_mut(&mut self, bits: u128) -> &mut Machine {
        self.writes(bits);
        self.m
    }

    /// Takes the page-table lock of `mm`.
    pub fn lock_ptl(&mut self, mm: MmId) {
        let mm = self.mm_mut(mm);
        debug_assert!(!mm.ptl, "page-table lock taken twice");
        mm.ptl = true;
    }

    /// Drops the page-table lock of `mm`.
    pub fn unlock_ptl(&mut self, mm: MmId) {
        let mm = self.mm_mut(mm);
        debug_assert!(mm.ptl, "page-table lock dropped twice");
        mm.ptl = false;
    }

    /// Takes mmap_lock for read.
    pub fn mmap_read_lock(&mut self, mm: MmId) {
        let mm = self.mm_mut(mm);
        debug_assert!(!mm.writer);
        mm.readers.0 += 1;
    }

    /// Drops mmap_lock.
    pub fn mmap_read_unlock(&mut self, mm: MmId) {
        self.mm_mut(mm).readers.0 -= 1;
    }

    /// Takes mmap_lock for write.
    pub fn mmap_write_lock(&mut self, mm: MmId) {
        let mm = self.mm_mut(mm);
        debug_assert!(!mm.writer && mm.readers.0 == 0);
        mm.writer = true;
    }

    /// Drops mmap_lock held for write, and with it every VMA lock held for write (`vma_end_write_all`).
    pub fn mmap_write_unlock(&mut self, mm: MmId) {
        for va in 0..self.cfg.sizes.pages as u8 {
            self.vma_mut(mm, Va(va)).writer = false;
        }
        self.mm_mut(mm).writer = false;
    }
}
