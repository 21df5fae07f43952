//! Reading a slot into the swap cache: `read_swap_cache_async` (mm/swap_state.c), `end_swap_bio_read` (mm/page_io.c), for those
//! who want a page in the cache and have no fault: swapoff, MADV_WILLNEED.

use crate::ids::*;
use crate::kernel::Kernel;

/// What there is for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwapRead {
    /// A folio is cached; it is referenced.
    Cached(Pfn),
    /// A folio was inserted, locked, and the read has begun; it is referenced.
    Reading(Pfn),
    /// The slot is claimed by a swap-in that bypasses the cache: to be waited for.
    Claimed,
    /// The slot is free by now.
    Gone,
    /// Out of memory.
    Oom,
}

impl Kernel<'_> {
    /// `read_swap_cache_async`: one folio a slot.
    pub fn read_swap_cache_async(&mut self, slot: Slot) -> SwapRead {
        if let Some(pfn) = self.swap_cache_get(slot) {
            return SwapRead::Cached(pfn);
        }
        if self.swap_device_gone() {
            return SwapRead::Gone;
        }
        let now = *self.slot(slot);
        if now.claimed {
            return SwapRead::Claimed;
        }
        if now.count.0 == 0 || now.cache.is_some() {
            return SwapRead::Gone;
        }
        let Some(pfn) = self.alloc_page(None) else {
            return SwapRead::Oom;
        };
        let page = self.page_mut(pfn);
        page.locked = true;
        page.uptodate = false;
        self.add_to_swap_cache(pfn, slot);
        self.folio_add_lru(pfn);
        SwapRead::Reading(pfn)
    }

    /// `swap_readpage` past the swap cache: uses the device, which had better be there.
    pub fn swap_readpage(&mut self, slot: Slot) {
        self.slot(slot);
    }

    /// `end_swap_bio_read`: uptodate unless the read failed; unlocked.
    pub fn end_swap_read(&mut self, slot: Slot, pfn: Pfn) {
        if !self.fails(self.cfg.fails.io_error) {
            self.swap_read(slot, pfn);
            self.page_mut(pfn).uptodate = true;
        }
        self.unlock_page(pfn);
    }
}
