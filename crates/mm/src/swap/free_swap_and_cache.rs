//! `free_swap_and_cache` (mm/swapfile.c): a swap PTE is about to go, and its page with it. The caller holds the PTL, and clears
//! the PTE once this is over.

use crate::ids::*;
use crate::kernel::Kernel;
use crate::packed;
use crate::step::{Step, step};

packed! {
    /// The dropping of one swap entry.
    pub enum FreeSwapAndCache {
        /// ZS2: drops the slot count.
        PutSlot { slot: Slot },
        /// ZS3: looks up the folio that is left in the swap cache: trylock.
        Trylock { slot: Slot },
        /// ZS4: it leaves the swap cache. Folio lock held.
        FreeCached { pfn: Pfn },
    }
}

use FreeSwapAndCache::*;

impl FreeSwapAndCache {
    /// The description of the next step.
    pub fn describe(&self) -> Step {
        match *self {
            PutSlot { .. } => step("ZS2", "free_swap_and_cache").under("PTL"),
            Trylock { .. } => step("ZS3", "free_swap_and_cache").under("PTL"),
            FreeCached { .. } => step("ZS4", "folio_free_swap").under("PTL, folio lock"),
        }
    }

    /// Takes the next step; none: it is over.
    pub fn step(self, k: &mut Kernel) -> Option<FreeSwapAndCache> {
        match self {
            PutSlot { slot } => {
                k.put_slot(slot);
                let s = *k.slot(slot);
                (s.count.0 == 0 && s.cache.is_some()).then_some(Trylock { slot })
            }
            Trylock { slot } => {
                // If the lock is somebody's, the page lingers in the cache.
                let pfn = k.slot(slot).cache?;
                (!k.page(pfn).frozen && k.trylock(pfn)).then_some(FreeCached { pfn })
            }
            FreeCached { pfn } => {
                if k.page(pfn).mapcount.0 == 0 || k.cfg.swap.half_full {
                    k.get_page(pfn);
                    k.free_swap(pfn);
                    k.unlock_page(pfn);
                    k.put_page(pfn);
                } else {
                    k.unlock_page(pfn);
                }
                None
            }
        }
    }
}
