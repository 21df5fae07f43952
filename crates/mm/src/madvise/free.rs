//! MADV_FREE: `madvise_free_single_vma`, `madvise_free_pte_range` (mm/madvise.c), `folio_mark_lazyfree` (mm/swap.c).
//!
//! The page becomes clean, in its struct and in its PTE, and is queued to lose PG_swapbacked when the CPU's lazyfree batch drains.
//! Reclaim then discards it, unless it was written since: the next store makes the PTE dirty again. A CPU that knows the PTE
//! as dirty would not do so, hence the flush at the end. Nobody looks at references: a page that GUP holds is freed lazily too.
//!
//! Locks: mmap_lock for read (7.x: the VMA's lock for read, which excludes the same calls); the PTE under its PTL; the folio is
//! just tried.

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::packed;
use crate::pgtable::{Present, Pte};
use crate::step::{Step, Wait, step};
use crate::swap::free_swap_and_cache::FreeSwapAndCache;
use crate::task::{Call, Errno, Next};
use crate::world::Event;

packed! {
    /// MADV_FREE of one page of the caller's process.
    pub enum MadvFree {
        /// Takes mmap_lock, drains this CPU's LRU batches, raises `tlb_flush_pending`.
        Begin { va: Va },
        /// MF1: takes the PTL, flushes what reclaim deferred, looks at the PTE.
        Pte { va: Va },
        /// A swap PTE: the entry is dropped. PTL held.
        FreeSwap { va: Va, s: FreeSwapAndCache },
        /// A swap PTE: is cleared. PTL held.
        ClearSwap { va: Va },
        /// MF2: a page that is dirty or in the swap cache: trylock. PTL held.
        Trylock { va: Va, pfn: Pfn },
        /// MF2: is it mapped just once? PTL, folio lock held.
        Mapcount { va: Va, pfn: Pfn },
        /// MF3: leaves the swap cache. PTL, folio lock held.
        FreeCache { va: Va, pfn: Pfn },
        /// MF4: clears PG_dirty, unlocks the folio. PTL held.
        ClearDirty { va: Va, pfn: Pfn },
        /// MF5: the PTE becomes clean. PTL held.
        Clean { va: Va, pfn: Pfn },
        /// MF6: queues the page; drops the PTL.
        Queue { va: Va, pfn: Pfn, gathered: bool },
        /// MF7: flushes.
        Flush { va: Va, gathered: bool },
        /// Drops mmap_lock.
        End { va: Va },
    }
}

use MadvFree::{
    Begin, Clean, ClearDirty, ClearSwap, End, Flush, FreeCache, FreeSwap, Mapcount, Pte as ReadPte,
    Queue, Trylock,
};

impl MadvFree {
    /// Enters the call.
    pub fn enter(va: Va) -> Next {
        go(Begin { va })
    }

    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        const W: &str = "madvise_free_pte_range";
        const MM: &str = "mmap_lock (read)";
        const BOTH: &str = "PTL, folio lock";
        let mm = v.who.mm;
        match *self {
            Begin { .. } => step("MF0", "madvise_free_single_vma")
                .under(MM)
                .waits(Wait::MmapRead(mm)),
            ReadPte { .. } => step("MF1", W).under("PTL").waits(Wait::Ptl(mm)),
            FreeSwap { ref s, .. } => s.describe(),
            ClearSwap { .. } => step("MF1 swap", W).under("PTL"),
            Trylock { .. } => step("MF2 trylock", W).under("PTL"),
            Mapcount { .. } => step("MF2", W).under(BOTH),
            FreeCache { .. } => step("MF3", "folio_free_swap").under(BOTH),
            ClearDirty { .. } => step("MF4", "folio_clear_dirty").under(BOTH),
            Clean { .. } => step("MF5", "clear_young_dirty_ptes").under("PTL"),
            Queue { .. } => step("MF6", "folio_mark_lazyfree").under("PTL"),
            Flush { .. } => step("MF7", "tlb_flush_mmu").under(MM),
            End { .. } => step("MF end", "madvise_free_single_vma").under(MM),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        let mm = k.who.mm;
        match self {
            Begin { va } => {
                k.mmap_read_lock(mm);
                let vma = *k.vma(mm, va);
                let errno = match vma.mapped {
                    false => Some(Errno::Enomem),
                    true => vma.file.map(|_| Errno::Einval),
                };
                if let Some(errno) = errno {
                    k.mmap_read_unlock(mm);
                    return Next::Return { result: Err(errno) };
                }
                k.lru_add_drain();
                k.tlb_gather_mmu(mm);
                k.event(Event::FreeBegin { mm, va });
                go(ReadPte { va })
            }
            ReadPte { va } => read_pte(k, va),
            FreeSwap { va, s } => go(match s.step(k) {
                Some(s) => FreeSwap { va, s },
                None => ClearSwap { va },
            }),
            ClearSwap { va } => {
                k.clear_pte(mm, va);
                k.unlock_ptl(mm);
                go(Flush {
                    va,
                    gathered: false,
                })
            }
            Trylock { va, pfn } => {
                if !k.trylock(pfn) {
                    return skip(k, va);
                }
                go(Mapcount { va, pfn })
            }
            Mapcount { va, pfn } => {
                let page = *k.page(pfn);
                if page.mapcount.0 != 1 && k.has(F::MadvfreeMapcount) {
                    k.unlock_page(pfn);
                    return skip(k, va);
                }
                go(if page.swap.is_some() {
                    FreeCache { va, pfn }
                } else {
                    ClearDirty { va, pfn }
                })
            }
            FreeCache { va, pfn } => {
                if !k.free_swap(pfn) {
                    k.unlock_page(pfn);
                    return skip(k, va);
                }
                go(ClearDirty { va, pfn })
            }
            ClearDirty { va, pfn } => {
                k.page_mut(pfn).dirty = false;
                k.unlock_page(pfn);
                go(Clean { va, pfn })
            }
            Clean { va, pfn } => {
                let gathered = clean(k, va);
                go(Queue { va, pfn, gathered })
            }
            Queue { va, pfn, gathered } => {
                k.folio_mark_lazyfree(pfn);
                k.unlock_ptl(mm);
                go(Flush { va, gathered })
            }
            Flush { va, gathered } => {
                if k.has(F::MadvfreeFlush) {
                    k.tlb_flush_mmu(mm, va, gathered);
                }
                go(End { va })
            }
            End { va } => {
                k.tlb_finish_mmu(mm);
                k.mmap_read_unlock(mm);
                k.event(Event::FreeEnd { mm, va });
                Next::Return { result: Ok(()) }
            }
        }
    }
}

fn go(p: MadvFree) -> Next {
    Next::Call {
        call: Call::MadvFree { p },
    }
}

fn read_pte(k: &mut Kernel, va: Va) -> Next {
    let mm = k.who.mm;
    k.lock_ptl(mm);
    k.flush_tlb_batched_pending(mm);
    let pte = k.pte(mm, va);
    if let Pte::Swap { e } = pte {
        return go(FreeSwap {
            va,
            s: FreeSwapAndCache::PutSlot { slot: e.slot },
        });
    }
    let Some(pfn) = pte.normal_page() else {
        return skip(k, va);
    };
    let page = *k.page(pfn);
    go(if page.swap.is_some() || page.dirty {
        Trylock { va, pfn }
    } else {
        Clean { va, pfn }
    })
}

/// The page stays as it is. Drops the PTL.
fn skip(k: &mut Kernel, va: Va) -> Next {
    let mm = k.who.mm;
    k.unlock_ptl(mm);
    go(Flush {
        va,
        gathered: false,
    })
}

/// MF5: taken out and put back clean, so that no dirty bit is lost. True if a CPU may know the PTE as dirty.
fn clean(k: &mut Kernel, va: Va) -> bool {
    let mm = k.who.mm;
    let Some(e) = k.pte(mm, va).present() else {
        return false;
    };
    k.set_pte(mm, va, Present { dirty: false, ..e }.pte());
    e.dirty
}
