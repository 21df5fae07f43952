//! mremap with MREMAP_MAYMOVE | MREMAP_FIXED: `move_vma`, `move_ptes` (mm/mremap.c).
//!
//! mmap_lock for write. What is mapped at the new place is unmapped first (up to 5.16 even where there is nothing to move then: EFAULT, left out
//! here). The locks of both VMAs for write (6.4). The new VMA keeps the linear index of the old one (`vm_pgoff`), so
//! the page need not change. Under the page-table locks of both places, one lock here, the old PTE is cleared and the new one
//! set; translations of the old address are flushed *before* the lock is dropped, for from then on the page may be unmapped at
//! its new address and freed. Up to 4.19 only those of a dirty PTE were (`mremap_flush`). What reclaim deferred is flushed first, and
//! that is all that is flushed where the PTE is not present.
//!
//! A reverse mapping that visits the new VMA before the old one would miss the page at both: then (`need_rmap_locks`) mremap
//! holds it off. Whoever walks to unmap or restore holds the folio lock, so here mremap waits for that instead.

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::machine::Vma;
use crate::memory::zap_pte_range::Zap;
use crate::mprotect::change_protection::is_trapped;
use crate::packed;
use crate::pgtable::{Migration, Present, Pte, SwapPte};
use crate::step::{Step, Wait, step};
use crate::task::{Call, Errno, Next};
use crate::world::{Event, Trap};

packed! {
    /// The move of one page of the caller's process.
    pub enum Mremap {
        /// Takes mmap_lock.
        Begin { from: Va, to: Va },
        /// Takes the old VMA's lock (6.4).
        LockFrom { from: Va, to: Va },
        /// Takes the lock of what is at the new place (6.4).
        LockTo { from: Va, to: Va },
        /// `take_rmap_locks`: waits for whoever walks the reverse mapping of the page.
        RmapLock { from: Va, to: Va },
        /// Takes the PTL, flushes what reclaim deferred, clears the old PTE.
        Clear { from: Va, to: Va },
        /// Sets the new PTE. PTL held.
        Set { from: Va, to: Va, old: Pte },
        /// Flushes the old address. PTL held.
        Flush { from: Va, to: Va },
        /// The same, without the PTL (a clean PTE, up to 4.19).
        LateFlush { from: Va, to: Va },
        /// The old VMA goes; drops mmap_lock.
        End { from: Va, to: Va },
    }
}

use Mremap::*;

impl Mremap {
    /// Enters the call.
    pub fn enter(from: Va, to: Va) -> Next {
        go(Begin { from, to })
    }

    /// What was at the new place is gone (`mremap_to` unmaps it first); mmap_lock is held.
    pub fn unmapped(k: &mut Kernel, from: Va, to: Va) -> Next {
        if k.has(F::PerVmaLock) {
            return go(LockFrom { from, to });
        }
        move_vma(k, from, to)
    }

    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        const MM: &str = "mmap_lock (write)";
        let mm = v.who.mm;
        match *self {
            Begin { .. } => step("MR1", "mremap_to")
                .under(MM)
                .waits(Wait::MmapWrite(mm)),
            LockFrom { from, .. } => step("MR1 VMA", "vma_start_write")
                .under(MM)
                .waits(Wait::VmaWrite(mm, from)),
            LockTo { to, .. } => step("MR1 VMA", "vma_start_write")
                .under(MM)
                .waits(Wait::VmaWrite(mm, to)),
            RmapLock { from, .. } => {
                step("MR2 rmap", "take_rmap_locks")
                    .under(MM)
                    .waits(match walked(v.pte(mm, from)) {
                        Some(pfn) => Wait::Folio(pfn),
                        None => Wait::Nothing,
                    })
            }
            Clear { .. } => step("MR2", "move_ptes")
                .under("mmap_lock (write), PTL")
                .waits(Wait::Ptl(mm)),
            Set { .. } => step("MR3", "move_ptes").under("mmap_lock (write), PTL"),
            Flush { .. } => step("MR4", "flush_tlb_range").under("mmap_lock (write), PTL"),
            LateFlush { .. } => step("MR4", "flush_tlb_range").under(MM),
            End { .. } => step("MR5", "move_vma").under(MM),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        let mm = k.who.mm;
        match self {
            Begin { from, to } => begin(k, from, to),
            LockFrom { from, to } => {
                k.vma_mut(mm, from).writer = true;
                go(LockTo { from, to })
            }
            LockTo { from, to } => {
                k.vma_mut(mm, to).writer = true;
                move_vma(k, from, to)
            }
            RmapLock { from, to } => {
                // Whose lock is waited for, the PTE says.
                k.pte(mm, from);
                go(Clear { from, to })
            }
            Clear { from, to } => {
                if to < from && walked(k.pte(mm, from)).is_some_and(|pfn| k.page(pfn).locked) {
                    return go(RmapLock { from, to });
                }
                k.lock_ptl(mm);
                k.flush_tlb_batched_pending(mm);
                let old = k.clear_pte(mm, from);
                go(Set { from, to, old })
            }
            Set { from, to, old } => {
                k.set_pte(mm, to, moved(old));
                if is_trapped(old) {
                    k.event(Event::TrapLifted {
                        mm,
                        va: from,
                        by: Trap::Uffd,
                    });
                }
                if old
                    .present()
                    .is_some_and(|e| e.dirty || k.has(F::MremapFlush))
                {
                    return go(Flush { from, to });
                }
                k.event(Event::Moved { mm, from, to });
                k.unlock_ptl(mm);
                if old.present().is_some() {
                    return go(LateFlush { from, to });
                }
                left(k, from, to)
            }
            Flush { from, to } => {
                k.flush_tlb_page(mm, from);
                // Until now the old address led to the page as well, through TLBs.
                k.event(Event::Moved { mm, from, to });
                k.unlock_ptl(mm);
                left(k, from, to)
            }
            LateFlush { from, to } => {
                k.flush_tlb_page(mm, from);
                left(k, from, to)
            }
            End { from, to } => end(k, from, to),
        }
    }
}

fn go(p: Mremap) -> Next {
    Next::Call {
        call: Call::Mremap { p },
    }
}

/// Nothing leads from the old address to the page any more. The old VMA is still there, but whoever faults waits for its lock.
fn left(k: &mut Kernel, from: Va, to: Va) -> Next {
    let mm = k.who.mm;
    k.event(Event::Unmapped { mm, va: from });
    go(End { from, to })
}

/// The page whose reverse mapping may be walked just now, to unmap it or to put it back.
fn walked(pte: Pte) -> Option<Pfn> {
    match pte {
        Pte::Present { .. } => pte.normal_page(),
        Pte::Migration { e } => Some(e.pfn),
        Pte::None | Pte::Swap { .. } | Pte::Marker => None,
    }
}

fn begin(k: &mut Kernel, from: Va, to: Va) -> Next {
    let mm = k.who.mm;
    k.mmap_write_lock(mm);
    let errno = if !k.vma(mm, from).mapped {
        Some(Errno::Efault)
    } else if from == to {
        Some(Errno::Einval)
    } else {
        None
    };
    if let Some(errno) = errno {
        k.mmap_write_unlock(mm);
        return Next::Return { result: Err(errno) };
    }
    if k.pte(mm, to) != Pte::None {
        return Zap::for_mremap(k, from, to);
    }
    Mremap::unmapped(k, from, to)
}

/// `copy_vma`: a VMA like the old one, which stays until its PTE is moved. userfaultfd does not follow.
fn move_vma(k: &mut Kernel, from: Va, to: Va) -> Next {
    let mm = k.who.mm;
    k.event(Event::MoveBegin { mm, from, to });
    let old = *k.vma(mm, from);
    let new = k.vma_mut(mm, to);
    *new = Vma {
        readers: new.readers,
        writer: new.writer,
        uffd_wp: false,
        uffd_rwp: false,
        uffd_missing: false,
        uffd_minor: false,
        ..old
    };
    go(if to < from {
        RmapLock { from, to }
    } else {
        Clear { from, to }
    })
}

/// `move_soft_dirty_pte`, and without userfaultfd's mark.
fn moved(pte: Pte) -> Pte {
    let (soft_dirty, uffd_wp) = (true, false);
    match pte {
        Pte::None | Pte::Marker => Pte::None,
        Pte::Present { e } => Pte::Present {
            e: Present {
                soft_dirty,
                uffd_wp,
                ..e
            },
        },
        Pte::Swap { e } => Pte::Swap {
            e: SwapPte {
                soft_dirty,
                uffd_wp,
                ..e
            },
        },
        // is_swap_pte(): so migration entries too.
        Pte::Migration { e } => Pte::Migration {
            e: Migration {
                soft_dirty,
                uffd_wp,
                ..e
            },
        },
    }
}

fn end(k: &mut Kernel, from: Va, to: Va) -> Next {
    let mm = k.who.mm;
    let writable = k.vma(mm, to).write;
    let old = k.vma_mut(mm, from);
    *old = Vma {
        readers: old.readers,
        writer: old.writer,
        ..Vma::absent(from)
    };
    if !writable {
        k.event(Event::WriteForbidden { mm, va: to });
    }
    k.mmap_write_unlock(mm);
    Next::Return { result: Ok(()) }
}
