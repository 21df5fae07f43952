//! `echo 4 > /proc/PID/clear_refs`: `clear_refs_write`, `clear_soft_dirty`, `pte_is_pinned` (fs/proc/task_mmu.c).
//!
//! Every PTE of a process loses its soft-dirty bit and becomes read-only, so that the next store is recorded. Stale writable
//! translations live until the one flush at the end; `tlb_flush_pending` is raised meanwhile. (A writable migration entry loses the bit
//! and stays writable, in every release: what is stored once the page is mapped again goes unrecorded.)
//!
//! | | feature | lock over the walk |
//! |---|---|---|
//! | up to 5.10 | | mmap_lock for read: faults run at the same time, and copy pages that others still write |
//! | 5.11 | `clearrefs_lock` | mmap_lock for write |
//! | 6.4 | `per_vma_lock` | and every VMA's lock for write |
//!
//! From 5.11 on (`clearrefs_pinned`) writable pages that may be pinned are left alone, and count as written.

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::packed;
use crate::pgtable::{Migration, Present, Pte, SwapPte};
use crate::step::{Step, Wait, step};
use crate::task::{Call, Next};
use crate::world::{Event, Trap};

packed! {
    /// A walk over a process.
    pub enum ClearRefs {
        /// CR1, CR2: takes mmap_lock, clears VM_SOFTDIRTY, raises `tlb_flush_pending`.
        Begin { mm: MmId },
        /// CR1: takes one more VMA's lock for write (6.4).
        LockVma { mm: MmId, va: Va },
        /// CR3: takes the PTL, looks at the PTE: may its page be pinned?
        PinTest { mm: MmId, va: Va },
        /// CR3: write-protects. PTL held.
        Wrprotect { mm: MmId, va: Va },
        /// CR4: flushes.
        Flush { mm: MmId },
        /// CR5, CR6: lowers `tlb_flush_pending`, drops mmap_lock.
        End { mm: MmId },
    }
}

use ClearRefs::*;

impl ClearRefs {
    /// Enters the call.
    pub fn enter(mm: MmId) -> Next {
        go(Begin { mm })
    }

    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        let lock = if v.has(F::ClearrefsLock) {
            "mmap_lock (write)"
        } else {
            "mmap_lock (read)"
        };
        match *self {
            Begin { mm } => step("CR1", "clear_refs_write").under(lock).waits(
                // Up to 5.10 the lock is taken for write just to clear VM_SOFTDIRTY, and downgraded.
                if v.has(F::ClearrefsLock)
                    || v.m.vmas[mm.at()]
                        .iter()
                        .any(|vma| vma.mapped && vma.soft_dirty)
                {
                    Wait::MmapWrite(mm)
                } else {
                    Wait::MmapRead(mm)
                },
            ),
            LockVma { mm, va } => step("CR1 VMA", "vma_start_write")
                .under(lock)
                .waits(Wait::VmaWrite(mm, va)),
            PinTest { mm, .. } => step("CR3", "clear_soft_dirty")
                .under("PTL")
                .waits(Wait::Ptl(mm)),
            Wrprotect { .. } => step("CR3 wrprotect", "clear_soft_dirty").under("PTL"),
            Flush { .. } => step("CR4", "flush_tlb_mm").under(lock),
            End { .. } => step("CR6", "clear_refs_write").under(lock),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        match self {
            Begin { mm } => begin(k, mm),
            LockVma { mm, va } => {
                k.vma_mut(mm, va).writer = true;
                match next_mapped(k, mm, va.0 + 1) {
                    Some(va) => go(LockVma { mm, va }),
                    None => start(k, mm),
                }
            }
            PinTest { mm, va } => {
                k.lock_ptl(mm);
                if k.pte(mm, va) == Pte::None || is_pinned(k, mm, va) {
                    return unlock(k, mm, va);
                }
                go(Wrprotect { mm, va })
            }
            Wrprotect { mm, va } => {
                let pte = clear_soft_dirty(k.pte(mm, va));
                k.set_pte(mm, va, pte);
                unlock(k, mm, va)
            }
            Flush { mm } => {
                if k.has(F::ClearrefsFlush) {
                    k.flush_tlb_mm(mm);
                }
                go(End { mm })
            }
            End { mm } => end(k, mm),
        }
    }
}

fn go(p: ClearRefs) -> Next {
    Next::Call {
        call: Call::ClearRefs { p },
    }
}

fn begin(k: &mut Kernel, mm: MmId) -> Next {
    if !k.mm(mm).alive {
        // get_task_mm() finds none: nothing is done, and that is no error.
        return Next::Return { result: Ok(()) };
    }
    if k.has(F::ClearrefsLock) {
        k.mmap_write_lock(mm);
    } else {
        k.mmap_read_lock(mm);
    }
    match next_mapped(k, mm, 0) {
        Some(va) if k.has(F::ClearrefsLock) && k.has(F::PerVmaLock) => go(LockVma { mm, va }),
        _ => start(k, mm),
    }
}

/// The first VMA at or after `from`.
fn next_mapped(k: &mut Kernel, mm: MmId, from: u8) -> Option<Va> {
    (from..k.cfg.sizes.pages as u8)
        .map(Va)
        .find(|&va| k.vma(mm, va).mapped)
}

/// CR1, CR2, with the locks held.
fn start(k: &mut Kernel, mm: MmId) -> Next {
    for va in (0..k.cfg.sizes.pages as u8).map(Va) {
        k.vma_mut(mm, va).soft_dirty = false;
    }
    k.tlb_gather_mmu(mm);
    next_pte(k, mm, 0)
}

fn next_pte(k: &mut Kernel, mm: MmId, from: u8) -> Next {
    match next_mapped(k, mm, from) {
        Some(va) => go(PinTest { mm, va }),
        None => go(Flush { mm }),
    }
}

fn unlock(k: &mut Kernel, mm: MmId, va: Va) -> Next {
    k.unlock_ptl(mm);
    next_pte(k, mm, va.0 + 1)
}

/// `pte_is_pinned`: write-protecting a page that a device writes would make the next store copy it.
fn is_pinned(k: &mut Kernel, mm: MmId, va: Va) -> bool {
    let pte = k.pte(mm, va);
    match (pte, pte.normal_page()) {
        (Pte::Present { e }, Some(pfn)) => {
            e.writable() && k.has(F::ClearrefsPinned) && k.maybe_dma_pinned(pfn) && k.has_pinned(mm)
        }
        _ => false,
    }
}

/// `clear_soft_dirty`: swap and migration entries just lose the bit.
fn clear_soft_dirty(pte: Pte) -> Pte {
    match pte {
        Pte::None | Pte::Marker => pte,
        Pte::Present { e } => Present {
            soft_dirty: false,
            ..e.wrprotect()
        }
        .pte(),
        Pte::Swap { e } => Pte::Swap {
            e: SwapPte {
                soft_dirty: false,
                ..e
            },
        },
        Pte::Migration { e } => Pte::Migration {
            e: Migration {
                soft_dirty: false,
                ..e
            },
        },
    }
}

fn is_soft_dirty(pte: Pte) -> bool {
    match pte {
        Pte::None | Pte::Marker => false,
        Pte::Present { e } => e.soft_dirty,
        Pte::Swap { e } => e.soft_dirty,
        Pte::Migration { e } => e.soft_dirty,
    }
}

/// CR5, CR6. What counts as written still, or again, is not tracked.
fn end(k: &mut Kernel, mm: MmId) -> Next {
    k.tlb_finish_mmu(mm);
    for va in (0..k.cfg.sizes.pages as u8).map(Va) {
        if k.vma(mm, va).mapped && !is_soft_dirty(k.pte(mm, va)) {
            k.event(Event::WriteTrapped {
                mm,
                va,
                by: Trap::SoftDirty,
            });
        }
    }
    if k.has(F::ClearrefsLock) {
        k.mmap_write_unlock(mm);
    } else {
        k.mmap_read_unlock(mm);
    }
    Next::Return { result: Ok(()) }
}
