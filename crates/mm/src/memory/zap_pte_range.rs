//! Unmapping: `zap_pte_range` (mm/memory.c) under MADV_DONTNEED, munmap, mremap and exit.
//!
//! The PTE is cleared under its lock, the TLBs are flushed after, and only then is the reference dropped: a CPU may use the page
//! until the flush. What reclaim deferred is flushed first, for an empty PTE says nothing about TLBs then. References of GUP
//! stay: a transfer into a page that was zapped goes nowhere, which is the application's own doing.

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::mremap::Mremap;
use crate::packed;
use crate::pgtable::Pte;
use crate::step::{Step, Wait, step};
use crate::swap::free_swap_and_cache::FreeSwapAndCache;
use crate::task::{Call, Errno, Next};
use crate::world::Event;

packed! {
    /// Who zaps, and thus what it holds.
    pub enum ZapFor {
        /// MADV_DONTNEED: mmap_lock for read.
        Dontneed,
        /// munmap: mmap_lock for write; the VMA goes.
        Munmap,
        /// exit: nobody else runs in the process.
        Exit,
        /// mremap, of what is where it moves to: mmap_lock for write; the VMA goes.
        Mremap { from: Va },
    }

    /// The zapping of one page of the caller's process.
    pub enum Zap {
        /// Takes the lock.
        Begin { va: Va, by: ZapFor },
        /// munmap: takes the VMA's lock for write (6.4).
        LockVma { va: Va, by: ZapFor },
        /// ZP1 to ZP5: takes the PTL, flushes what reclaim deferred, clears the PTE.
        Clear { va: Va, by: ZapFor },
        /// ZS2 to ZS4: drops a swap entry. PTL held.
        FreeSwap { va: Va, by: ZapFor, s: FreeSwapAndCache },
        /// ZS5: clears the swap PTE.
        ClearSwap { va: Va, by: ZapFor },
        /// ZP6: flushes.
        Flush { va: Va, by: ZapFor, pfn: Option<Pfn> },
        /// ZP7: tries to leave the swap cache before the page is dropped.
        TrylockPage { va: Va, by: ZapFor, pfn: Pfn },
        /// ZP7: has the folio lock.
        FreePage { va: Va, by: ZapFor, pfn: Pfn },
        /// ZP7: drops the reference.
        Put { va: Va, by: ZapFor, pfn: Pfn },
        /// Drops the lock.
        End { va: Va, by: ZapFor },
    }
}

use Zap::*;

impl Zap {
    /// madvise(MADV_DONTNEED).
    pub fn dontneed(va: Va) -> Next {
        go(Begin {
            va,
            by: ZapFor::Dontneed,
        })
    }

    /// munmap.
    pub fn munmap(va: Va) -> Next {
        go(Begin {
            va,
            by: ZapFor::Munmap,
        })
    }

    /// `mremap_to`, with mmap_lock for write: what is at `to` goes first.
    pub fn for_mremap(k: &mut Kernel, from: Va, to: Va) -> Next {
        unmap(k, to, ZapFor::Mremap { from })
    }

    /// exit, of the last thread.
    pub fn exit() -> Next {
        go(Begin {
            va: Va(0),
            by: ZapFor::Exit,
        })
    }

    /// Is this the exit of a process? From its first step on nobody else works on the process any more.
    pub fn is_exit(self) -> bool {
        let (Begin { by, .. }
        | LockVma { by, .. }
        | Clear { by, .. }
        | FreeSwap { by, .. }
        | ClearSwap { by, .. }
        | Flush { by, .. }
        | TrylockPage { by, .. }
        | FreePage { by, .. }
        | Put { by, .. }
        | End { by, .. }) = self;
        by == ZapFor::Exit
    }

    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        const Z: &str = "zap_pte_range";
        let mm = v.who.mm;
        match *self {
            Begin { by, .. } => step("ZP0", by.function()).under(by.lock()).waits(match by {
                ZapFor::Munmap => Wait::MmapWrite(mm),
                ZapFor::Dontneed => Wait::MmapRead(mm),
                ZapFor::Exit => Wait::MmUsers(mm),
                // It begins with the lock held.
                ZapFor::Mremap { .. } => Wait::Nothing,
            }),
            LockVma { va, by } => step("ZP0 VMA", "vma_start_write")
                .under(by.lock())
                .waits(Wait::VmaWrite(mm, va)),
            Clear { .. } => step("ZP3", Z).under("PTL").waits(Wait::Ptl(mm)),
            FreeSwap { ref s, .. } => s.describe(),
            ClearSwap { .. } => step("ZS5", Z).under("PTL"),
            Flush { by, .. } => step("ZP6", "tlb_flush_mmu").under(by.lock()),
            TrylockPage { by, .. } => step("ZP7", "free_swap_cache").under(by.lock()),
            FreePage { .. } => step("ZP7", "folio_free_swap").under("folio lock"),
            Put { by, .. } => step("ZP7", "free_pages_and_swap_cache").under(by.lock()),
            End { by, .. } => step("ZP end", by.function()).under(by.lock()),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        let mm = k.who.mm;
        match self {
            Begin { va, by } => begin(k, va, by),
            LockVma { va, by } => {
                k.vma_mut(mm, va).writer = true;
                start(k, va, by)
            }
            Clear { va, by } => clear(k, va, by),
            FreeSwap { va, by, s } => go(match s.step(k) {
                Some(s) => FreeSwap { va, by, s },
                None => ClearSwap { va, by },
            }),
            ClearSwap { va, by } => {
                k.clear_pte(mm, va);
                k.unlock_ptl(mm);
                go(Flush { va, by, pfn: None })
            }
            Flush { va, by, pfn } => {
                if k.has(F::ZapFlush) {
                    k.tlb_flush_mmu(mm, va, pfn.is_some());
                }
                k.event(Event::ZapEnd { mm, va });
                match pfn {
                    Some(pfn) if k.page(pfn).swap.is_some() && k.page(pfn).mapcount.0 == 0 => {
                        go(TrylockPage { va, by, pfn })
                    }
                    Some(pfn) => go(Put { va, by, pfn }),
                    None => go(End { va, by }),
                }
            }
            TrylockPage { va, by, pfn } => go(if k.trylock(pfn) {
                FreePage { va, by, pfn }
            } else {
                Put { va, by, pfn }
            }),
            FreePage { va, by, pfn } => {
                k.free_swap(pfn);
                k.unlock_page(pfn);
                go(Put { va, by, pfn })
            }
            Put { va, by, pfn } => {
                k.put_page(pfn);
                go(End { va, by })
            }
            End { va, by } => end(k, va, by),
        }
    }
}

fn go(p: Zap) -> Next {
    Next::Call {
        call: Call::Zap { p },
    }
}

impl ZapFor {
    fn function(self) -> &'static str {
        match self {
            ZapFor::Dontneed => "madvise_dontneed_single_vma",
            ZapFor::Munmap | ZapFor::Mremap { .. } => "do_vmi_munmap",
            ZapFor::Exit => "exit_mmap",
        }
    }

    fn lock(self) -> &'static str {
        match self {
            ZapFor::Dontneed | ZapFor::Exit => "mmap_lock (read)",
            ZapFor::Munmap | ZapFor::Mremap { .. } => "mmap_lock (write)",
        }
    }
}

fn begin(k: &mut Kernel, va: Va, by: ZapFor) -> Next {
    let mm = k.who.mm;
    match by {
        ZapFor::Munmap => {
            k.mmap_write_lock(mm);
            return unmap(k, va, by);
        }
        ZapFor::Dontneed | ZapFor::Exit => k.mmap_read_lock(mm),
        ZapFor::Mremap { .. } => {}
    }
    start(k, va, by)
}

/// Has mmap_lock for write.
fn unmap(k: &mut Kernel, va: Va, by: ZapFor) -> Next {
    if k.has(F::PerVmaLock) && k.vma(k.who.mm, va).mapped {
        // vma_start_write() waits for faults under the VMA lock; no new one can come in.
        return go(LockVma { va, by });
    }
    start(k, va, by)
}

/// Has the locks: from here on `tlb_flush_pending` is raised, until the last flush.
fn start(k: &mut Kernel, va: Va, by: ZapFor) -> Next {
    let mm = k.who.mm;
    k.tlb_gather_mmu(mm);
    if !k.vma(mm, va).mapped {
        if by == ZapFor::Exit {
            return end(k, va, by);
        }
        k.tlb_finish_mmu(mm);
        unlock(k, by);
        return Next::Return {
            result: Err(Errno::Enomem),
        };
    }
    k.event(Event::ZapBegin { mm, va });
    go(Clear { va, by })
}

fn unlock(k: &mut Kernel, by: ZapFor) {
    let mm = k.who.mm;
    match by {
        ZapFor::Munmap | ZapFor::Mremap { .. } => k.mmap_write_unlock(mm),
        ZapFor::Dontneed | ZapFor::Exit => k.mmap_read_unlock(mm),
    }
}

fn clear(k: &mut Kernel, va: Va, by: ZapFor) -> Next {
    let mm = k.who.mm;
    k.lock_ptl(mm);
    k.flush_tlb_batched_pending(mm);
    match k.pte(mm, va) {
        Pte::Swap { e } => go(FreeSwap {
            va,
            by,
            s: FreeSwapAndCache::PutSlot { slot: e.slot },
        }),
        Pte::Present { e } => {
            k.clear_pte(mm, va);
            k.remove_rmap(e.pfn);
            k.unlock_ptl(mm);
            go(Flush {
                va,
                by,
                pfn: Some(e.pfn),
            })
        }
        Pte::None | Pte::Marker | Pte::Migration { .. } => {
            // Nothing was mapped, so nothing is gathered: right only because what reclaim deferred has just been flushed, and
            // because another zap that has not flushed yet is noticed.
            k.clear_pte(mm, va);
            k.unlock_ptl(mm);
            go(Flush { va, by, pfn: None })
        }
    }
}

fn end(k: &mut Kernel, va: Va, by: ZapFor) -> Next {
    let mm = k.who.mm;
    if by != ZapFor::Dontneed && k.vma(mm, va).mapped {
        k.vma_mut(mm, va).mapped = false;
        k.event(Event::Unmapped { mm, va });
    }
    if by == ZapFor::Exit {
        let next = (va.0 + 1..k.cfg.sizes.pages as u8)
            .map(Va)
            .find(|&va| k.vma(mm, va).mapped);
        if let Some(va) = next {
            k.event(Event::ZapBegin { mm, va });
            return go(Clear { va, by });
        }
        k.tlb_finish_mmu(mm);
        k.mmap_read_unlock(mm);
        k.mm_mut(mm).alive = false;
        return Next::Return { result: Ok(()) };
    }
    k.tlb_finish_mmu(mm);
    if let ZapFor::Mremap { from } = by {
        // The lock was that of the VMA that is gone.
        k.vma_mut(mm, va).writer = false;
        return Mremap::unmapped(k, from, va);
    }
    unlock(k, by);
    Next::Return { result: Ok(()) }
}
