//! Swap slots and their counts: `mm/swapfile.c`.
//!
//! | here | 5.10 to 6.19 | 7.0 |
//! |---|---|---|
//! | [`alloc_slot`](Kernel::alloc_slot) | `get_swap_page` / `folio_alloc_swap` | `folio_alloc_swap` |
//! | [`dup_slot`](Kernel::dup_slot) | `swap_duplicate` | `folio_dup_swap`, `swap_dup_entry_direct` |
//! | [`put_slot`](Kernel::put_slot) | `swap_free` | `folio_put_swap`, `swap_put_entries_direct` |
//! | [`free_swap`](Kernel::free_swap) | `try_to_free_swap`, `folio_free_swap` | `folio_free_swap` |
//!
//! Each runs under the cluster lock, which nothing is held across: one step each. Count, claim and cached folio are three facts
//! with three owners. Before 7.0 the claim is SWAP_HAS_CACHE; from 7.0 on a slot is free when it is neither counted nor cached.

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::Kernel;
use crate::touch::Touch;
use crate::world::Broken;

impl Kernel<'_> {
    /// A free slot, if there is one: any, for the allocator's order is nobody's promise. Still uncounted and unclaimed.
    pub fn alloc_slot(&mut self) -> Option<Slot> {
        if self.fails(self.cfg.fails.swap_full) {
            return None;
        }
        let slots = self.cfg.sizes.slots;
        let swapoff = self.has(F::SwapoffNoSlots);
        let m = self.machine(Touch::SLOTS | Touch::SWAP_DEVICE);
        if m.swap_off && swapoff {
            return None;
        }
        let free = |s: &Slot| {
            let slot = &m.slots[s.at()];
            slot.count.0 == 0 && slot.cache.is_none() && !slot.claimed
        };
        let mut ways = [Slot(0); MAX_SLOTS];
        let mut n = 0;
        for slot in (0..slots as u8).map(Slot).filter(free) {
            ways[n] = slot;
            n += 1;
        }
        if n == 0 {
            return None;
        }
        let pick = self.choose(n as u8);
        Some(ways[pick as usize])
    }

    /// One more swap PTE (or transient user) refers to the slot.
    pub fn dup_slot(&mut self, slot: Slot) {
        self.slot_mut(slot).count.0 += 1;
    }

    /// One less. The slot is free once it is neither counted, claimed nor cached.
    pub fn put_slot(&mut self, slot: Slot) {
        if self.slot(slot).count.0 == 0 {
            self.broken(Broken::SwapCnt);
            return;
        }
        self.slot_mut(slot).count.0 -= 1;
    }

    /// `folio_free_swap`: leaves the swap cache if no swap PTE is left; the caller holds the folio lock. The folio becomes
    /// dirty, for the slot no longer backs it.
    pub fn free_swap(&mut self, pfn: Pfn) -> bool {
        self.page_swapcount(pfn) == 0 && self.leave_swap_cache(pfn)
    }

    /// The same by a fault, which reuses the page if nobody else refers to it then.
    pub fn free_swap_to_reuse(&mut self, pfn: Pfn) -> bool {
        if self.has(F::ReuseSwapcount) {
            self.free_swap(pfn)
        } else {
            self.leave_swap_cache(pfn)
        }
    }

    fn leave_swap_cache(&mut self, pfn: Pfn) -> bool {
        let page = *self.page(pfn);
        if page.swap.is_none() || page.writeback {
            return false;
        }
        self.delete_from_swap_cache(pfn);
        self.page_mut(pfn).dirty = true;
        true
    }

    /// The number of swap PTEs behind a cached page: `page_swapcount`.
    pub fn page_swapcount(&mut self, pfn: Pfn) -> u32 {
        match self.page(pfn).swap {
            Some(slot) => u32::from(self.slot(slot).count.0),
            None => 0,
        }
    }

    /// `reuse_swap_page` (up to 5.17): the caller holds the folio lock. May leave the swap cache. GUP references are ignored.
    pub fn reuse_swap_page(&mut self, pfn: Pfn) -> bool {
        let page = *self.page(pfn);
        if page.ksm() {
            return false;
        }
        let mut users = u32::from(page.mapcount.0);
        if self.has(F::ReuseSwapcount) {
            users += self.page_swapcount(pfn);
        }
        if users > 1 {
            return false;
        }
        if users == 1 && page.swap.is_some() {
            if !page.writeback {
                self.delete_from_swap_cache(pfn);
                self.page_mut(pfn).dirty = true;
            } else if self.cfg.swap.stable_writes && self.has(F::StableAnon) {
                return false;
            }
        }
        true
    }
}
