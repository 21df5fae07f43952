//! The swap cache: `mm/swap_state.c`, `mm/swap.h`. A folio enters and leaves it only with its lock held (I-CACHE-LOCK).

use crate::ids::*;
use crate::kernel::Kernel;
use crate::world::Broken;

impl Kernel<'_> {
    /// `swap_cache_get_folio`: the folio cached for `slot`, with a reference but unlocked.
    pub fn swap_cache_get(&mut self, slot: Slot) -> Option<Pfn> {
        // Every lookup gets hold of the swap device first.
        if self.swap_device_gone() {
            return None;
        }
        let pfn = self.slot(slot).cache?;
        // A lookup spins on a frozen page until it has left the cache: the same as looking later.
        if self.page(pfn).frozen {
            return None;
        }
        self.get_page(pfn);
        Some(pfn)
    }

    /// `add_to_swap_cache`: the cache takes a reference. The caller holds the folio lock.
    pub fn add_to_swap_cache(&mut self, pfn: Pfn, slot: Slot) {
        self.get_page(pfn);
        self.page_mut(pfn).swap = Some(slot);
        self.slot_mut(slot).cache = Some(pfn);
    }

    /// `delete_from_swap_cache`: drops the cache's reference. The caller holds the folio lock and a reference of its own.
    pub fn delete_from_swap_cache(&mut self, pfn: Pfn) {
        let page = *self.page(pfn);
        let Some(slot) = page.swap else { return };
        if !page.locked || page.writeback {
            self.broken(Broken::CacheLock);
        }
        self.slot_mut(slot).cache = None;
        self.page_mut(pfn).swap = None;
        self.put_page(pfn);
    }
}
