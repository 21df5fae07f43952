//! swapoff: `try_to_unuse`, `unuse_mm`, `unuse_pte_range`, `unuse_pte` (mm/swapfile.c).
//!
//! No slot is handed out any more. Process by process, under mmap_lock (read), every swap PTE gets its page back: read into the
//! swap cache, locked, waited for; the PTE is compared under its lock, its marks aside, and becomes a read-only PTE. Then what
//! is left in the swap cache is freed, and all of it is done again until no slot is in use. A process that exits is skipped, and
//! waited for in that way.
//!
//! The PTE is read-only even where the page is nobody else's. From 5.19 on the page is exclusive again (`swp_exclusive`); before,
//! the next write copies it if anybody refers to it, so that a transfer in flight is lost. In 5.10 the PTE's soft-dirty and
//! uffd-wp marks are lost too (`swapoff_keep_bits`).
//!
//! Last, swapoff frees `swap_map`, once nobody holds a reference to the device: a swap-in does from 5.14 on (`swapdev_ref`),
//! `free_swap_and_cache` from 6.9 on (`free_swapoff`). Without one, a swap-in that bypasses the swap cache reads from a device
//! that is gone, and who drops the last entry of a slot looks at a count that is gone. (The swap cache itself is only looked up
//! with a reference. That a spinlock keeps `synchronize_rcu` waiting on most configurations is not taken into account.)
//!
//! The folio that was looked up is not compared with the swap cache again under its lock, as a fault does: nobody can get the
//! slot anew (`swapoff_no_slots`).

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::packed;
use crate::pgtable::{Present, Pte, SwapPte};
use crate::rmap::Rmap;
use crate::step::{Step, Wait, step};
use crate::swap::read_swap_cache::SwapRead;
use crate::task::{Call, Errno, Next};
use crate::touch::Touch;
use crate::world::Broken;

packed! {
    /// A swap PTE, and the slot that it named when it was read.
    pub struct Unuse {
        /// Whose.
        pub mm: MmId,
        /// Where.
        pub va: Va,
        /// The slot.
        pub slot: Slot,
    }

    /// swapoff under way.
    pub enum Swapoff {
        /// SO1: the device leaves the list of those that slots are allocated from.
        Begin,
        /// SO2: takes a process's mmap_lock.
        Enter { mm: MmId },
        /// SO3: reads a PTE, without its lock. mmap_lock held, up to SO10.
        ReadPte { mm: MmId, va: Va },
        /// SO4: looks for the folio in the swap cache, or begins to read it.
        Lookup { u: Unuse },
        /// SO4: waits for a swap-in that bypasses the swap cache.
        ClaimWait { u: Unuse },
        /// SO4: the read completes.
        ReadDone { u: Unuse, pfn: Pfn },
        /// SO5: locks the folio.
        LockFolio { u: Unuse, pfn: Pfn },
        /// SO6: waits for writeback; is the page this VMA's?
        Writeback { u: Unuse, pfn: Pfn },
        /// SO7: copies one more cell of a page that is not.
        KsmCopy { u: Unuse, pfn: Pfn, new: Pfn, cell: Cell },
        /// SO8: takes the page-table lock, compares the PTE, maps the page.
        SetPte { u: Unuse, pfn: Pfn, new: Option<Pfn> },
        /// SO9: drops the slot count, and the page-table lock.
        PutSlot { u: Unuse, pfn: Pfn, new: Option<Pfn> },
        /// SO9: unlocks the copy.
        UnlockCopy { u: Unuse, pfn: Pfn, new: Pfn },
        /// SO10: the folio leaves the swap cache if it can; unlocks it.
        FreeSwap { u: Unuse, pfn: Pfn },
        /// SO10: drops the reference to it.
        Put { u: Unuse, pfn: Pfn },
        /// SO11: looks for a folio that is left in the swap cache.
        CacheLookup { slot: Slot },
        /// SO12: locks it.
        CacheLock { slot: Slot, pfn: Pfn },
        /// SO12: waits for writeback; the folio leaves the swap cache if it can.
        CacheFree { slot: Slot, pfn: Pfn },
        /// SO12: drops the reference to it.
        CachePut { slot: Slot, pfn: Pfn },
        /// SO13: is a slot in use still?
        Check,
        /// SO14: waits for all who hold a reference to the device, and frees `swap_map`.
        Free,
    }
}

use Swapoff::*;

impl Swapoff {
    /// Enters the call.
    pub fn enter() -> Next {
        go(Begin)
    }

    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        const RANGE: &str = "unuse_pte_range";
        const MMAP: &str = "mmap_lock (read)";
        const FOLIO: &str = "mmap_lock (read), folio lock";
        const BOTH: &str = "mmap_lock (read), folio lock, PTL";
        match *self {
            Begin => step("SO1", "swapoff").under("swap_lock"),
            Enter { mm } => step("SO2", "unuse_mm")
                .under(MMAP)
                .waits(Wait::MmapRead(mm)),
            ReadPte { .. } => step("SO3", RANGE).under(MMAP),
            Lookup { .. } => step("SO4", RANGE).under(MMAP),
            ClaimWait { u } => step("SO4 wait", "read_swap_cache_async")
                .under(MMAP)
                .waits(Wait::Unclaimed(u.slot)),
            ReadDone { .. } => step("SO4 read", "end_swap_bio_read").under(MMAP),
            LockFolio { pfn, .. } => step("SO5", RANGE).under(FOLIO).waits(Wait::Folio(pfn)),
            Writeback { pfn, .. } => {
                let wait = if v.has(F::SwapoffWriteback) {
                    Wait::Writeback(pfn)
                } else {
                    Wait::Nothing
                };
                step("SO6", "folio_wait_writeback").under(FOLIO).waits(wait)
            }
            KsmCopy { .. } => step("SO7", "ksm_might_need_to_copy").under(FOLIO),
            SetPte { u, .. } => step("SO8", "unuse_pte").under(BOTH).waits(Wait::Ptl(u.mm)),
            PutSlot { .. } => step("SO9", "swap_free").under(BOTH),
            UnlockCopy { .. } => step("SO9", "unuse_pte").under(FOLIO),
            FreeSwap { .. } => step("SO10", "folio_free_swap").under(FOLIO),
            Put { .. } => step("SO10", RANGE).under(MMAP),
            CacheLookup { .. } => step("SO11", "try_to_unuse"),
            CacheLock { pfn, .. } => step("SO12", "try_to_unuse")
                .under("folio lock")
                .waits(Wait::Folio(pfn)),
            CacheFree { pfn, .. } => step("SO12", "folio_free_swap")
                .under("folio lock")
                .waits(Wait::Writeback(pfn)),
            CachePut { .. } => step("SO12", "folio_put"),
            Check => step("SO13", "try_to_unuse"),
            Free => step("SO14", "swapoff").waits(Wait::SwapDevice {
                faults: v.has(F::SwapdevRef),
                frees: v.has(F::FreeSwapoff),
            }),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        match self {
            Begin => {
                let m = k.machine_mut(Touch::SWAP_DEVICE);
                if m.swap_off {
                    // Nobody finds the device in the list any more.
                    return Next::Return {
                        result: Err(Errno::Einval),
                    };
                }
                m.swap_off = true;
                first_mm(k)
            }
            Enter { mm } => {
                k.mmap_read_lock(mm);
                if !k.mmget_not_zero(mm) {
                    k.mmap_read_unlock(mm);
                    return next_mm(k, mm.0 + 1);
                }
                go(ReadPte { mm, va: Va(0) })
            }
            ReadPte { mm, va } => match k.pte(mm, va) {
                Pte::Swap { e } if k.vma(mm, va).mapped => go(Lookup {
                    u: Unuse {
                        mm,
                        va,
                        slot: e.slot,
                    },
                }),
                _ => next_page(k, mm, va),
            },
            Lookup { u } => match k.read_swap_cache_async(u.slot) {
                SwapRead::Cached(pfn) => go(LockFolio { u, pfn }),
                SwapRead::Reading(pfn) => go(ReadDone { u, pfn }),
                SwapRead::Claimed => go(ClaimWait { u }),
                SwapRead::Gone => next_page(k, u.mm, u.va),
                SwapRead::Oom => failed(k, u.mm),
            },
            ClaimWait { u } => go(Lookup { u }),
            ReadDone { u, pfn } => {
                k.end_swap_read(u.slot, pfn);
                go(LockFolio { u, pfn })
            }
            LockFolio { u, pfn } => {
                k.lock_page(pfn);
                go(Writeback { u, pfn })
            }
            Writeback { u, pfn } => might_need_to_copy(k, u, pfn),
            KsmCopy { u, pfn, new, cell } => {
                k.copy_cell(pfn, new, cell);
                let next = Cell(cell.0 + 1);
                go(if next.0 < k.cfg.sizes.cells {
                    KsmCopy {
                        u,
                        pfn,
                        new,
                        cell: next,
                    }
                } else {
                    SetPte {
                        u,
                        pfn,
                        new: Some(new),
                    }
                })
            }
            SetPte { u, pfn, new } => unuse_pte(k, u, pfn, new),
            PutSlot { u, pfn, new } => {
                k.put_slot(u.slot);
                k.unlock_ptl(u.mm);
                unlock_copy(u, pfn, new)
            }
            UnlockCopy { u, pfn, new } => {
                k.unlock_page(new);
                k.put_page(new);
                go(FreeSwap { u, pfn })
            }
            FreeSwap { u, pfn } => {
                k.free_swap(pfn);
                k.unlock_page(pfn);
                go(Put { u, pfn })
            }
            Put { u, pfn } => {
                k.put_page(pfn);
                next_page(k, u.mm, u.va)
            }
            CacheLookup { slot } => match k.swap_cache_get(slot) {
                Some(pfn) => go(CacheLock { slot, pfn }),
                None => next_slot(k, slot.0 + 1),
            },
            CacheLock { slot, pfn } => {
                k.lock_page(pfn);
                go(CacheFree { slot, pfn })
            }
            CacheFree { slot, pfn } => {
                k.free_swap(pfn);
                k.unlock_page(pfn);
                go(CachePut { slot, pfn })
            }
            CachePut { slot, pfn } => {
                k.put_page(pfn);
                next_slot(k, slot.0 + 1)
            }
            Check => {
                if in_use(k).is_some() {
                    return first_mm(k);
                }
                go(Free)
            }
            Free => {
                k.machine_mut(Touch::SWAP_DEVICE).swap_gone = true;
                Next::Return { result: Ok(()) }
            }
        }
    }
}

fn go(p: Swapoff) -> Next {
    Next::Call {
        call: Call::Swapoff { p },
    }
}

impl Kernel<'_> {
    /// `mmget_not_zero`: is the process there, and not about to go?
    pub fn mmget_not_zero(&mut self, mm: MmId) -> bool {
        let cpu_mm = self.cfg.cpu_mm;
        let m = self.machine(Touch::mm(mm) | Touch::TASKS);
        let exiting = |cpu: usize| {
            cpu_mm[cpu] == Some(mm) && matches!(m.tasks[cpu].call, Call::Zap { p } if p.is_exit())
        };
        m.mms[mm.at()].alive && !(0..MAX_CPUS).any(exiting)
    }
}

/// `try_to_unuse` begins: the walk over all processes.
fn first_mm(k: &mut Kernel) -> Next {
    if in_use(k).is_none() {
        return go(Check);
    }
    next_mm(k, 0)
}

/// The next process of the mmlist, or else what is left in the swap cache.
fn next_mm(k: &mut Kernel, from: u8) -> Next {
    let next = (from..k.cfg.sizes.mms as u8)
        .map(MmId)
        .find(|&mm| k.mm(mm).alive);
    match next {
        Some(mm) => go(Enter { mm }),
        None => next_slot(k, 0),
    }
}

fn next_page(k: &mut Kernel, mm: MmId, va: Va) -> Next {
    let next = Va(va.0 + 1);
    if (next.0 as usize) < k.cfg.sizes.pages {
        return go(ReadPte { mm, va: next });
    }
    k.mmap_read_unlock(mm);
    next_mm(k, mm.0 + 1)
}

/// `find_next_to_unuse`, among the slots that have a folio.
fn next_slot(k: &mut Kernel, from: u8) -> Next {
    let next = (from..k.cfg.sizes.slots as u8)
        .map(Slot)
        .find(|&slot| k.slot(slot).cache.is_some());
    match next {
        Some(slot) => go(CacheLookup { slot }),
        None => go(Check),
    }
}

/// `si->inuse_pages`.
fn in_use(k: &mut Kernel) -> Option<Slot> {
    (0..k.cfg.sizes.slots as u8).map(Slot).find(|&slot| {
        let slot = *k.slot(slot);
        slot.count.0 > 0 || slot.claimed || slot.cache.is_some()
    })
}

/// Out of memory: the device is put back where slots are allocated from.
fn failed(k: &mut Kernel, mm: MmId) -> Next {
    k.mmap_read_unlock(mm);
    k.machine_mut(Touch::SWAP_DEVICE).swap_off = false;
    Next::Return {
        result: Err(Errno::Enomem),
    }
}

/// SO6. Writeback is over. A page of another VMA (once KSM) is copied.
fn might_need_to_copy(k: &mut Kernel, u: Unuse, pfn: Pfn) -> Next {
    let page = *k.page(pfn);
    let ours = k.home(u.mm, u.va);
    if page.ksm() || !page.uptodate || page.home.is_none() || page.home == ours {
        return go(SetPte { u, pfn, new: None });
    }
    let Some(new) = k.alloc_page(ours) else {
        k.unlock_page(pfn);
        k.put_page(pfn);
        return failed(k, u.mm);
    };
    k.page_mut(new).locked = true;
    go(KsmCopy {
        u,
        pfn,
        new,
        cell: Cell(0),
    })
}

/// SO8. A swap PTE for the same slot will do, whatever its marks: somebody may have cleared soft-dirty, and fork the exclusive
/// bit.
fn unuse_pte(k: &mut Kernel, u: Unuse, pfn: Pfn, new: Option<Pfn>) -> Next {
    k.lock_ptl(u.mm);
    let e = match k.pte(u.mm, u.va).swap().filter(|e| e.slot == u.slot) {
        Some(e) => e,
        None if k.has(F::SwapoffPteSame) => {
            k.unlock_ptl(u.mm);
            return unlock_copy(u, pfn, new);
        }
        None => SwapPte {
            slot: u.slot,
            exclusive: false,
            soft_dirty: false,
            uffd_wp: false,
        },
    };
    let to = new.unwrap_or(pfn);
    if !k.page(to).uptodate {
        // A failed read: from 6.0 on the PTE would be poisoned, before that anything was mapped. Left as it is, it reads as it does for a fault.
        k.unlock_ptl(u.mm);
        return unlock_copy(u, pfn, new);
    }
    if k.anon_exclusive(pfn) {
        k.broken(Broken::ExclUnmapped);
    }
    k.get_page(to);
    let exclusive = new.is_some() || (e.exclusive && k.has(F::SwapoffExclusive));
    if k.page(to).home.is_none() {
        let home = k.home(u.mm, u.va);
        k.page_mut(to).home = home;
    }
    k.add_anon_rmap(
        to,
        if exclusive {
            Rmap::Exclusive
        } else {
            Rmap::None
        },
    );
    if new.is_some() {
        k.folio_add_lru(to);
    }
    let keep = k.has(F::SwapoffKeepBits);
    let pte = Present {
        soft_dirty: keep && e.soft_dirty,
        uffd_wp: keep && e.uffd_wp,
        ..k.mk_pte(u.mm, u.va, to)
    };
    let pte = k.keep_rwp(u.mm, u.va, pte);
    k.set_pte(u.mm, u.va, pte.pte());
    go(PutSlot { u, pfn, new })
}

fn unlock_copy(u: Unuse, pfn: Pfn, new: Option<Pfn>) -> Next {
    go(match new {
        Some(new) => UnlockCopy { u, pfn, new },
        None => FreeSwap { u, pfn },
    })
}
