//! Reclaim of one page: `shrink_folio_list` (`shrink_page_list`), `add_to_swap`, `pageout`, `__remove_mapping`
//! (mm/vmscan.c); how it gets there: cgroup-style isolation from the LRU, or MADV_PAGEOUT
//! (`madvise_cold_or_pageout_pte_range`, mm/madvise.c).
//!
//! The page is locked, enters the swap cache, and is unmapped *before* anybody looks at its references: only `pageout` does.
//! So a page that GUP holds ends up unmapped, in the swap cache, dirty, with its swap PTEs in place (PAGE_KEEP), and is
//! faulted back from there. Flushes are deferred until the page is written or freed, or the pass ends.
//!
//! Ageing (the reference test) is left out: a pass that it keeps from a page is a pass that did not happen.

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::packed;
use crate::page::Page;
use crate::rmap::try_to_unmap::{TryToUnmap, Unmapping};
use crate::step::{Step, Wait, step};
use crate::task::{Call, Errno, Next};
use crate::tlb::TlbBatch;
use crate::touch::Touch;
use crate::world::Broken;

packed! {
    /// A pass of reclaim over one page.
    pub struct Pass {
        /// The page: isolated, so referenced.
        pub pfn: Pfn,
        /// MADV_PAGEOUT: the process whose mmap_lock is held for read.
        pub owner: Option<MmId>,
        /// Flushes that are still due.
        pub batch: TlbBatch,
    }

    /// A pass under way.
    pub enum Shrink {
        /// MADV_PAGEOUT: takes mmap_lock, drains this CPU's LRU batch.
        Pageout { mm: MmId, va: Va },
        /// MADV_PAGEOUT: isolates the page under the PTL, if it is mapped just once and on the LRU.
        PageoutIsolate { mm: MmId, va: Va },
        /// cgroup-style: isolates a page of this variable, whoever maps it.
        Isolate { mm: MmId, va: Va },
        /// RC1: trylock.
        Trylock { p: Pass },
        /// RC2: under writeback? pinned?
        Check { p: Pass },
        /// RC3, RC4: a slot, the swap cache, dirty.
        AddToSwap { p: Pass },
        /// RU1 to RU10.
        Unmap { p: Pass, u: TryToUnmap },
        /// RC5, RC6: still mapped? pinned? Then dirty or clean?
        Unmapped { p: Pass },
        /// RC7: flushes what was deferred, if a CPU could still write.
        FlushDirty { p: Pass },
        /// RC8: page-out gives up on a page with references that it cannot explain.
        RefTest { p: Pass },
        /// RC9 to RC11: clears dirty, starts the write, unlocks.
        Write { p: Pass },
        /// RC13: the write was submitted. A device that is quick may be done already, whatever it is called.
        Written { p: Pass },
        /// RC13, RC14: the device is done: locks again.
        Relock { p: Pass },
        /// RC15: freezes the reference count.
        Freeze { p: Pass },
        /// RC16, RC17: dirty again? Else the page leaves the swap cache.
        Remove { p: Pass },
        /// RC18: flushes, frees.
        Free { p: Pass },
        /// RCx: the page is kept: what was deferred is flushed at the end of the pass.
        KeepFlush { p: Pass, refused: bool },
        /// RCx: back to the LRU; `reclaim_folio_list`, of MADV_PAGEOUT, puts it into this CPU's batch.
        Putback { p: Pass, refused: bool },
    }
}

use Shrink::*;

impl Shrink {
    /// A cgroup-style pass over the page of a variable.
    pub fn reclaim(mm: MmId, va: Va) -> Next {
        go(Isolate { mm, va })
    }

    /// madvise(MADV_PAGEOUT).
    pub fn pageout(mm: MmId, va: Va) -> Next {
        go(Pageout { mm, va })
    }

    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        const S: &str = "shrink_folio_list";
        match *self {
            Pageout { mm, .. } => step("PO1", "madvise_pageout")
                .under("mmap_lock (read)")
                .waits(Wait::MmapRead(mm)),
            PageoutIsolate { mm, .. } => step("RC0", "madvise_cold_or_pageout_pte_range")
                .under("mmap_lock (read), PTL")
                .waits(Wait::Ptl(mm)),
            Isolate { .. } => step("RC0", "folio_isolate_lru").under("LRU lock"),
            Trylock { .. } => step("RC1", S),
            Check { .. } => step("RC2", S).under("folio lock"),
            AddToSwap { .. } => step("RC3", "add_to_swap").under("folio lock"),
            Unmap { ref u, .. } => u.describe(v),
            Unmapped { .. } => step("RC5", S).under("folio lock"),
            FlushDirty { .. } => step("RC7", "try_to_unmap_flush_dirty").under("folio lock"),
            RefTest { .. } => step("RC8", "pageout").under("folio lock"),
            Write { .. } => step("RC11", "swap_writepage").under("folio lock"),
            Written { .. } => step("RC13", S),
            Relock { p } => step("RC14", S).waits(Wait::Writeback(p.pfn)),
            Freeze { .. } => step("RC15", "__remove_mapping").under("folio lock"),
            Remove { .. } => step("RC17", "__remove_mapping").under("folio lock"),
            Free { .. } => step("RC18", "free_unref_folios"),
            KeepFlush { .. } => step("RC flush", "try_to_unmap_flush"),
            Putback { .. } => step("RCx", "move_folios_to_lru"),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        match self {
            Pageout { mm, va } => {
                k.mmap_read_lock(mm);
                k.lru_add_drain();
                if !k.vma(mm, va).mapped {
                    k.mmap_read_unlock(mm);
                    return Next::Return {
                        result: Err(Errno::Enomem),
                    };
                }
                go(PageoutIsolate { mm, va })
            }
            PageoutIsolate { mm, va } => {
                k.flush_tlb_batched_pending(mm);
                let isolated = k.pte(mm, va).normal_page().filter(|&pfn| {
                    let page: Page = *k.page(pfn);
                    page.anon() && page.lru && page.mapcount.0 == 1 && k.folio_isolate_lru(pfn)
                });
                match isolated {
                    Some(pfn) => go(Trylock {
                        p: Pass {
                            pfn,
                            owner: Some(mm),
                            batch: TlbBatch::EMPTY,
                        },
                    }),
                    None => {
                        k.mmap_read_unlock(mm);
                        Next::Return {
                            result: Err(Errno::Ebusy),
                        }
                    }
                }
            }
            Isolate { mm, va } => match isolate(k, mm, va) {
                Some(pfn) => go(Trylock {
                    p: Pass {
                        pfn,
                        owner: None,
                        batch: TlbBatch::EMPTY,
                    },
                }),
                None => Next::Return {
                    result: Err(Errno::Ebusy),
                },
            },
            Trylock { p } => {
                if !k.trylock(p.pfn) {
                    return go(Putback { p, refused: true });
                }
                go(Check { p })
            }
            Check { p } => {
                let page = *k.page(p.pfn);
                if page.writeback && k.has(F::ShrinkWriteback) {
                    return keep(k, p);
                }
                if !page.swapbacked || page.swap.is_some() {
                    return unmap(k, p);
                }
                if k.has(F::NoswapPinned) && k.maybe_dma_pinned(p.pfn) {
                    return keep(k, p);
                }
                go(AddToSwap { p })
            }
            AddToSwap { p } => {
                let Some(slot) = k.alloc_slot() else {
                    return keep(k, p);
                };
                k.add_to_swap_cache(p.pfn, slot);
                if k.has(F::LazyfreeDirty) {
                    // The PTE may be clean, after MADV_FREE, and the slot holds nothing yet.
                    k.page_mut(p.pfn).dirty = true;
                }
                unmap(k, p)
            }
            Unmap { mut p, u } => match u.step(k, &mut p.batch) {
                Unmapping::On(u) => go(Unmap { p, u }),
                Unmapping::Over => go(Unmapped { p }),
            },
            Unmapped { p } => unmapped(k, p),
            FlushDirty { p } => {
                if k.has(F::PageoutFlush) {
                    k.try_to_unmap_flush(p.batch);
                    return go(RefTest {
                        p: Pass {
                            batch: TlbBatch::EMPTY,
                            ..p
                        },
                    });
                }
                go(RefTest { p })
            }
            RefTest { p } => {
                let page = *k.page(p.pfn);
                // Isolation and swap cache explain two; a page in no cache cannot be written (`mapping == NULL`).
                if page.swap.is_none() || (k.has(F::PageoutRefs) && k.refcount(p.pfn) != 2) {
                    return keep(k, p);
                }
                go(Write { p })
            }
            Write { p } => write(k, p),
            Written { p } => {
                let page = *k.page(p.pfn);
                go(if page.writeback || page.dirty {
                    KeepFlush { p, refused: false }
                } else {
                    Relock { p }
                })
            }
            Relock { p } => {
                if !k.trylock(p.pfn) {
                    return go(KeepFlush { p, refused: false });
                }
                let page = *k.page(p.pfn);
                if page.dirty || page.writeback || page.swap.is_none() {
                    return keep(k, p);
                }
                go(Freeze { p })
            }
            Freeze { mut p } => {
                if k.has(F::RemoveFlush) {
                    k.try_to_unmap_flush(p.batch);
                    p.batch = TlbBatch::EMPTY;
                }
                freeze(k, p)
            }
            Remove { p } => {
                let page = *k.page(p.pfn);
                let recheck = page.swapbacked || !k.has(F::MadvfreeRefs);
                if page.dirty && recheck && k.has(F::FreezeDirty) {
                    k.page_mut(p.pfn).frozen = false;
                    return keep(k, p);
                }
                if let Some(slot) = page.swap {
                    k.slot_mut(slot).cache = None;
                    if page.writeback {
                        k.broken(Broken::CacheLock);
                    }
                }
                let page = k.page_mut(p.pfn);
                page.swap = None;
                page.locked = false;
                go(Free { p })
            }
            Free { p } => {
                k.try_to_unmap_flush(p.batch);
                k.page_mut(p.pfn).frozen = false;
                k.free_page(p.pfn);
                ended(k, p, false)
            }
            KeepFlush { p, refused } => {
                k.try_to_unmap_flush(p.batch);
                go(Putback {
                    p: Pass {
                        batch: TlbBatch::EMPTY,
                        ..p
                    },
                    refused,
                })
            }
            Putback { p, refused } => {
                match p.owner {
                    Some(_) => k.folio_putback_lru(p.pfn),
                    None => k.move_to_lru(p.pfn),
                }
                ended(k, p, refused)
            }
        }
    }
}

fn go(p: Shrink) -> Next {
    Next::Call {
        call: Call::Shrink { p },
    }
}

/// Any page on the LRU that belongs to the variable: the mapped one, one left in the swap cache, an old one that only a device
/// still holds.
pub fn isolate(k: &mut Kernel, mm: MmId, va: Va) -> Option<Pfn> {
    let home = k.home(mm, va);
    let frames = k.cfg.sizes.frames;
    // A page that comes up meanwhile was allocated, or read from swap.
    let m = k.machine(Touch::pte(mm, va) | Touch::PAGES | Touch::FREE_FRAMES);
    let slot = m.ptes[mm.at()][va.at()].swap().map(|e| e.slot);
    let mapped = m.ptes[mm.at()][va.at()].normal_page();
    let ours = |pfn: &Pfn| {
        let page = &m.frames[pfn.at()];
        page.lru
            && page.anon()
            && (page.home == home || mapped == Some(*pfn) || (slot.is_some() && page.swap == slot))
    };
    let mut found = [Pfn::ZERO; MAX_FRAMES];
    let mut n = 0;
    for pfn in Pfn::all(frames).filter(ours) {
        found[n] = pfn;
        n += 1;
    }
    if n == 0 {
        return None;
    }
    let pfn = found[k.choose(n as u8) as usize];
    k.folio_isolate_lru(pfn).then_some(pfn)
}

fn unmap(k: &mut Kernel, p: Pass) -> Next {
    match TryToUnmap::enter(k, p.pfn) {
        Unmapping::On(u) => go(Unmap { p, u }),
        Unmapping::Over => go(Unmapped { p }),
    }
}

/// RC5, RC6, and what comes next for a page that is dirty, or lazily freed, or clean.
fn unmapped(k: &mut Kernel, p: Pass) -> Next {
    let page = *k.page(p.pfn);
    let pinned = |k: &mut Kernel| k.has(F::ReclaimUnmappedPin) && k.maybe_dma_pinned(p.pfn);
    if page.mapcount.0 > 0 || pinned(k) {
        // activate_locked
        if k.cfg.swap.half_full {
            k.free_swap(p.pfn);
        }
        return keep(k, p);
    }
    if page.dirty && page.swapbacked {
        return go(if p.batch.writable {
            FlushDirty { p }
        } else {
            RefTest { p }
        });
    }
    if page.swapbacked && page.swap.is_none() {
        return keep(k, p);
    }
    go(Freeze { p })
}

/// RC9 to RC11. Nobody can refer to the page but the cache and this pass, so dirty and writeback change as one. A page whose
/// last swap PTE is gone is not worth a write.
fn write(k: &mut Kernel, p: Pass) -> Next {
    k.page_mut(p.pfn).dirty = false;
    if k.free_swap(p.pfn) {
        return keep(k, p);
    }
    let Some(slot) = k.page(p.pfn).swap else {
        return keep(k, p);
    };
    k.start_writeback(p.pfn, slot);
    k.unlock_page(p.pfn);
    go(if k.cfg.swap.synchronous {
        Relock { p }
    } else {
        Written { p }
    })
}

/// RC15: `folio_ref_freeze`, expecting the isolation's reference and the swap cache's.
fn freeze(k: &mut Kernel, p: Pass) -> Next {
    let expected = 1 + u32::from(k.page(p.pfn).swap.is_some());
    if k.has(F::FreezeRefs) && k.refcount(p.pfn) != expected {
        return keep(k, p);
    }
    k.page_mut(p.pfn).frozen = true;
    go(Remove { p })
}

/// `keep_locked`, `activate_locked`: unlocks; the page stays.
fn keep(k: &mut Kernel, p: Pass) -> Next {
    k.unlock_page(p.pfn);
    go(if p.batch.pending {
        KeepFlush { p, refused: true }
    } else {
        Putback { p, refused: true }
    })
}

fn ended(k: &mut Kernel, p: Pass, refused: bool) -> Next {
    if let Some(mm) = p.owner {
        k.mmap_read_unlock(mm);
    }
    Next::Return {
        result: if refused { Err(Errno::Ebusy) } else { Ok(()) },
    }
}
