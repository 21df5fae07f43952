//! MADV_WILLNEED: `madvise_willneed`, `swapin_walk_pmd_entry` (mm/madvise.c).
//!
//! Reads a swapped-out page into the swap cache, under mmap_lock (read), and maps nothing. The read completes before the call
//! returns, which it need not; whatever may happen meanwhile may be done by another thread.

use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::packed;
use crate::step::{Step, Wait, step};
use crate::swap::read_swap_cache::SwapRead;
use crate::task::{Call, Errno, Next};

packed! {
    /// madvise(MADV_WILLNEED) by the caller's process.
    pub enum Willneed {
        /// Takes mmap_lock.
        Begin { va: Va },
        /// Reads the PTE under its lock. mmap_lock held.
        ReadPte { va: Va },
        /// Looks for the folio in the swap cache, or begins to read it.
        Lookup { slot: Slot },
        /// Waits for a swap-in that bypasses the swap cache.
        ClaimWait { slot: Slot },
        /// The read completes.
        ReadDone { slot: Slot, pfn: Pfn },
        /// Drops the reference to the folio.
        Put { pfn: Pfn },
        /// Drains this CPU's LRU batch, drops mmap_lock.
        End,
    }
}

use Willneed::*;

impl Willneed {
    /// Enters the call.
    pub fn enter(va: Va) -> Next {
        go(Begin { va })
    }

    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        const WALK: &str = "swapin_walk_pmd_entry";
        const MMAP: &str = "mmap_lock (read)";
        match *self {
            Begin { .. } => step("MW1", "madvise_willneed")
                .under(MMAP)
                .waits(Wait::MmapRead(v.who.mm)),
            ReadPte { .. } => step("MW2", WALK)
                .under("mmap_lock (read), PTL")
                .waits(Wait::Ptl(v.who.mm)),
            Lookup { .. } => step("MW3", "read_swap_cache_async").under(MMAP),
            ClaimWait { slot } => step("MW3 wait", "read_swap_cache_async")
                .under(MMAP)
                .waits(Wait::Unclaimed(slot)),
            ReadDone { .. } => step("MW4", "end_swap_bio_read").under(MMAP),
            Put { .. } => step("MW5", WALK).under(MMAP),
            End => step("MW6", "lru_add_drain").under(MMAP),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        let mm = k.who.mm;
        match self {
            Begin { va } => {
                k.mmap_read_lock(mm);
                if !k.vma(mm, va).mapped {
                    k.mmap_read_unlock(mm);
                    return Next::Return {
                        result: Err(Errno::Enomem),
                    };
                }
                go(ReadPte { va })
            }
            ReadPte { va } => go(match k.pte(mm, va).swap() {
                Some(e) if k.vma(mm, va).file.is_none() => Lookup { slot: e.slot },
                _ => End,
            }),
            Lookup { slot } => go(match k.read_swap_cache_async(slot) {
                SwapRead::Cached(pfn) => Put { pfn },
                SwapRead::Reading(pfn) => ReadDone { slot, pfn },
                SwapRead::Claimed => ClaimWait { slot },
                SwapRead::Gone | SwapRead::Oom => End,
            }),
            ClaimWait { slot } => go(Lookup { slot }),
            ReadDone { slot, pfn } => {
                k.end_swap_read(slot, pfn);
                go(Put { pfn })
            }
            Put { pfn } => {
                k.put_page(pfn);
                go(End)
            }
            End => {
                k.lru_add_drain();
                k.mmap_read_unlock(mm);
                Next::Return { result: Ok(()) }
            }
        }
    }
}

fn go(p: Willneed) -> Next {
    Next::Call {
        call: Call::Willneed { p },
    }
}
