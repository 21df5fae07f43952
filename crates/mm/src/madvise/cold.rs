//! MADV_COLD: `madvise_cold`, `madvise_cold_or_pageout_pte_range` (mm/madvise.c).
//!
//! Ageing is left out of the model, so what is left of it are this CPU's LRU batches, drained and filled, and the flush of what
//! reclaim deferred: enough to change who else holds a reference. mmap_lock for read, then the PTL.

use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::packed;
use crate::step::{Step, Wait, step};
use crate::task::{Call, Errno, Next};

packed! {
    /// MADV_COLD of one page.
    pub enum MadvCold {
        /// Takes mmap_lock, drains this CPU's LRU batches.
        Begin { mm: MmId, va: Va },
        /// Takes the PTL, flushes what reclaim deferred, queues the page; the call returns.
        Walk { mm: MmId, va: Va },
    }
}

use MadvCold::*;

impl MadvCold {
    /// Enters the call.
    pub fn enter(mm: MmId, va: Va) -> Next {
        go(Begin { mm, va })
    }

    /// The description of the next step.
    pub fn describe(&self, _v: &View) -> Step {
        match *self {
            Begin { mm, .. } => step("MC drain", "madvise_cold")
                .under("mmap_lock (read)")
                .waits(Wait::MmapRead(mm)),
            Walk { mm, .. } => step("MC walk", "madvise_cold_or_pageout_pte_range")
                .under("mmap_lock (read), PTL")
                .waits(Wait::Ptl(mm)),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        match self {
            Begin { mm, va } => {
                if !k.vma(mm, va).mapped {
                    return Next::Return {
                        result: Err(Errno::Enomem),
                    };
                }
                k.mmap_read_lock(mm);
                k.lru_add_drain();
                go(Walk { mm, va })
            }
            Walk { mm, va } => {
                k.flush_tlb_batched_pending(mm);
                // Pages that others map, too, are left alone.
                let page = k.pte(mm, va).normal_page();
                if let Some(pfn) = page.filter(|&pfn| k.page(pfn).mapcount.0 == 1) {
                    k.folio_deactivate(pfn);
                }
                k.mmap_read_unlock(mm);
                Next::Return { result: Ok(()) }
            }
        }
    }
}

fn go(p: MadvCold) -> Next {
    Next::Call {
        call: Call::MadvCold { p },
    }
}
