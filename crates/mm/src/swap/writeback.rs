//! Swap writeback: `mm/page_io.c` (`swap_writepage`, `end_swap_bio_write`).
//!
//! The device samples the page sector by sector, in any order, between submission and completion. It takes no lock. The page
//! may be mapped and written again meanwhile; then it is dirty again, and the slot's contents are nobody's until the next
//! write. A device that demands stable pages is told of a change as [`Broken::TornWriteback`].

use crate::ids::*;
use crate::kernel::Kernel;
use crate::machine::Machine;
use crate::world::Broken;

impl Kernel<'_> {
    /// Submission: PG_writeback is set and every sector is due.
    pub fn start_writeback(&mut self, pfn: Pfn, slot: Slot) {
        if self.writable_unawares(pfn) {
            self.broken(Broken::FlushIo);
        }
        self.page_mut(pfn).writeback = true;
        let cells = Cells::first(self.cfg.sizes.cells);
        self.slot_mut(slot).writing = cells;
    }

    /// The device's next step for `slot`: samples a sector, or completes.
    pub fn writeback_step(&mut self, slot: Slot) {
        let SwapSlot { writing, cache, .. } = *self.slot(slot);
        let Some(pfn) = cache else { return };
        if writing.is_empty() {
            return self.end_writeback(pfn, slot);
        }
        let cell = writing.nth(self.choose(writing.len() as u8));
        self.swap_write(pfn, slot, cell);
        self.slot_mut(slot).writing = writing.without(cell);
    }

    /// The whole write at once: what a synchronous device does while its submitter waits.
    pub fn writeback_now(&mut self, pfn: Pfn, slot: Slot) {
        for cell in Cells::first(self.cfg.sizes.cells).iter() {
            self.swap_write(pfn, slot, cell);
        }
        self.slot_mut(slot).writing = Cells::NONE;
        self.end_writeback(pfn, slot);
    }

    fn end_writeback(&mut self, pfn: Pfn, slot: Slot) {
        if self.cfg.swap.stable_writes {
            let torn = Cells::first(self.cfg.sizes.cells)
                .iter()
                .any(|cell| !self.same_as_slot(pfn, slot, cell));
            if torn {
                self.broken(Broken::TornWriteback);
            }
        }
        if self.fails(self.cfg.fails.io_error) {
            // end_swap_bio_write(): the page stays, dirty; the slot holds garbage that nobody will read.
            self.swap_garble(slot);
            self.page_mut(pfn).dirty = true;
        }
        // folio_end_writeback(): what reclaim has written is to be reclaimed next.
        self.folio_rotate_reclaimable(pfn);
        self.page_mut(pfn).writeback = false;
    }
}

use crate::machine::SwapSlot;

impl Machine {
    /// Has the device something to do for `slot`?
    pub fn writeback_pending(&self, slot: Slot) -> bool {
        self.slots[slot.at()]
            .cache
            .is_some_and(|pfn| self.frames[pfn.at()].writeback)
    }
}
