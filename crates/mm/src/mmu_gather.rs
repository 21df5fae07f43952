//! Flushes that a call owes for the PTEs it changed: `mm/mmu_gather.c`, `mm_tlb_flush_pending` (include/linux/mm_inline.h).
//!
//! `tlb_flush_pending` counts the calls that changed PTEs and have not flushed yet. Whoever finds a PTE that looks safe while
//! another call has still to flush must not rely on it: a call that itself changed nothing flushes everything then.

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::Kernel;

impl Kernel<'_> {
    /// `tlb_gather_mmu`, `inc_tlb_flush_pending`: before the first PTE changes.
    pub fn tlb_gather_mmu(&mut self, mm: MmId) {
        self.tables_mut(mm).flush_pending.0 += 1;
    }

    /// `mm_tlb_flush_nested`: has somebody else still to flush?
    pub fn mm_tlb_flush_nested(&mut self, mm: MmId) -> bool {
        self.tables(mm).flush_pending.0 > 1 && self.has(F::TlbFlushNested)
    }

    /// `tlb_flush_mmu`: `gathered` says whether the PTE at `va` was made stricter.
    pub fn tlb_flush_mmu(&mut self, mm: MmId, va: Va, gathered: bool) {
        if self.mm_tlb_flush_nested(mm) {
            self.flush_tlb_mm(mm);
        } else if gathered {
            self.flush_tlb_page(mm, va);
        }
    }

    /// `tlb_finish_mmu`, `dec_tlb_flush_pending`: after the flush.
    pub fn tlb_finish_mmu(&mut self, mm: MmId) {
        self.tables_mut(mm).flush_pending.0 -= 1;
    }
}
