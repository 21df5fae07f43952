//! fork: `dup_mmap` (kernel/fork.c), `copy_page_range`, `copy_present_pte`, `copy_nonpresent_pte` (mm/memory.c).
//!
//! The parent's mmap_lock is held for write throughout, which keeps faults out, save those under a VMA lock (6.4) until fork
//! takes these too (6.5, `fork_vma_lock`). Each private page is write-protected in the parent and shared with the child,
//! unless it may be pinned (5.9): then the child gets a copy at once. **The parent's TLBs are flushed just once, at the very
//! end**: until then its other threads may go on writing through stale translations, and "the moment of the fork" is anywhere
//! in between. The child's mmap_lock is dropped before that flush.
//!
//! What a fault brings back is left out: page tables of a VMA in which no anonymous page ever was (`vma_needs_copy`, in every release). Those
//! of a VMA whose child userfaultfd write-protects are copied from 5.19 on; here no child is registered (UFFD_FEATURE_EVENT_FORK).

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::packed;
use crate::pgtable::{Migration, MigrationKind, Present, Pte, SwapPte};
use crate::rmap::Rmap;
use crate::step::{Step, Wait, step};
use crate::task::{Call, Errno, Next};
use crate::world::Event;

packed! {
    /// A fork under way: of the caller's process into `child`.
    pub enum Fork {
        /// FK0: mmap_lock for write; the child's VMAs.
        Begin { child: MmId },
        /// FK0: write-locks one more of the parent's VMAs (6.5).
        LockVma { child: MmId, va: Va },
        /// FK1: `write_protect_seq` becomes odd.
        SeqBegin { child: MmId, va: Va },
        /// FK2, FK3: takes both page-table locks and looks at the PTE.
        Pte { child: MmId, va: Va },
        /// FK4: one more reference and mapping; PG_anon_exclusive goes.
        Share { child: MmId, va: Va },
        /// FK5: write-protects the parent's PTE. No flush.
        Wrprotect { child: MmId, va: Va },
        /// FK6: the child's PTE, read-only.
        SetChild { child: MmId, va: Va },
        /// FK7: copies one more cell of a page that may be pinned.
        EarlyCopy { child: MmId, va: Va, new: Pfn, cell: Cell },
        /// FK7: the child's PTE, writable.
        SetCopy { child: MmId, va: Va, new: Pfn },
        /// FK8: one more reference to the slot.
        DupSlot { child: MmId, va: Va, e: SwapPte },
        /// FK8: the parent's swap PTE loses its exclusive bit, the child gets the entry.
        SetSwap { child: MmId, va: Va, e: SwapPte },
        /// FK11: `write_protect_seq` becomes even.
        SeqEnd { child: MmId, va: Va },
        /// FK12: the child's mmap_lock is dropped.
        UnlockChild { child: MmId },
        /// FK13: the parent's TLBs are flushed.
        Flush { child: MmId },
        /// FK14: the parent's mmap_lock is dropped.
        End { child: MmId },
    }
}

use Fork::{
    Begin, DupSlot, EarlyCopy, End, Flush, LockVma, Pte as ReadPte, SeqBegin, SeqEnd, SetChild,
    SetCopy, SetSwap, Share, UnlockChild, Wrprotect,
};

impl Fork {
    /// Enters the call.
    pub fn enter(child: MmId) -> Next {
        go(Begin { child })
    }

    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        const MM: &str = "mmap_lock (write)";
        const PTLS: &str = "mmap_lock (write), both PTLs";
        let parent = v.who.mm;
        match *self {
            Begin { .. } => step("FK0", "dup_mmap")
                .under(MM)
                .waits(Wait::MmapWrite(parent)),
            LockVma { va, .. } => step("FK0 VMA", "vma_start_write")
                .under(MM)
                .waits(Wait::VmaWrite(parent, va)),
            SeqBegin { .. } => step("FK1", "copy_page_range").under(MM),
            ReadPte { child, .. } => step("FK2", "copy_pte_range")
                .under(PTLS)
                .waits(Wait::Ptls(parent, child)),
            Share { .. } => step("FK4", "folio_try_dup_anon_rmap_pte").under(PTLS),
            Wrprotect { .. } => step("FK5", "ptep_set_wrprotect").under(PTLS),
            SetChild { .. } => step("FK6", "copy_present_pte").under(PTLS),
            EarlyCopy { .. } => step("FK7 copy", "copy_present_page").under(PTLS),
            SetCopy { .. } => step("FK7", "copy_present_page").under(PTLS),
            DupSlot { .. } => step("FK8 count", "swap_duplicate").under(PTLS),
            SetSwap { .. } => step("FK8", "copy_nonpresent_pte").under(PTLS),
            SeqEnd { .. } => step("FK11", "copy_page_range").under(MM),
            UnlockChild { .. } => step("FK12", "dup_mmap").under(MM),
            Flush { .. } => step("FK13", "flush_tlb_mm").under(MM),
            End { .. } => step("FK14", "dup_mmap").under(MM),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        let parent = k.who.mm;
        match self {
            Begin { child } => begin(k, child),
            LockVma { child, va } => {
                k.vma_mut(parent, va).writer = true;
                match next_mapped(k, va.0 + 1) {
                    Some(va) => go(LockVma { child, va }),
                    None => next_vma(k, child, 0),
                }
            }
            SeqBegin { child, va } => {
                bump_seq(k, parent);
                go(ReadPte { child, va })
            }
            ReadPte { child, va } => read_pte(k, child, va),
            Share { child, va } => {
                let e = present(k, va);
                k.get_page(e.pfn);
                k.page_mut(e.pfn).mapcount.0 += 1;
                if k.has(F::ForkClearExclusive) {
                    k.page_mut(e.pfn).exclusive = false;
                }
                // B40: the PTE had the child's protection by then, and was not writable any more.
                let rewritten = k.vma(parent, va).uffd_rwp && !k.has(F::RwpForkSample);
                go(if e.writable() && !rewritten {
                    Wrprotect { child, va }
                } else {
                    SetChild { child, va }
                })
            }
            Wrprotect { child, va } => {
                let e = present(k, va);
                k.set_pte(parent, va, e.wrprotect().pte());
                go(SetChild { child, va })
            }
            SetChild { child, va } => {
                let e = present(k, va);
                let e = childs(k, child, va, e);
                k.set_pte(child, va, e.pte());
                unlock(k, child, va)
            }
            EarlyCopy {
                child,
                va,
                new,
                cell,
            } => {
                let e = present(k, va);
                k.copy_cell(e.pfn, new, cell);
                let next = Cell(cell.0 + 1);
                go(if next.0 < k.cfg.sizes.cells {
                    EarlyCopy {
                        child,
                        va,
                        new,
                        cell: next,
                    }
                } else {
                    SetCopy { child, va, new }
                })
            }
            SetCopy { child, va, new } => {
                let write = k.vma(child, va).write;
                k.add_anon_rmap(new, Rmap::Exclusive);
                k.folio_add_lru(new);
                let e = Present {
                    write,
                    dirty: true,
                    soft_dirty: true,
                    ..k.mk_pte(child, va, new)
                };
                k.set_pte(child, va, e.pte());
                unlock(k, child, va)
            }
            DupSlot { child, va, e } => {
                k.dup_slot(e.slot);
                go(SetSwap { child, va, e })
            }
            SetSwap { child, va, e } => {
                if k.has(F::ForkClearSwpExclusive) {
                    k.set_pte(
                        parent,
                        va,
                        Pte::Swap {
                            e: SwapPte {
                                exclusive: false,
                                ..e
                            },
                        },
                    );
                }
                let uffd_wp = e.uffd_wp && k.vma(child, va).uffd_wp;
                k.set_pte(
                    child,
                    va,
                    Pte::Swap {
                        e: SwapPte {
                            exclusive: false,
                            uffd_wp,
                            ..e
                        },
                    },
                );
                unlock(k, child, va)
            }
            SeqEnd { child, va } => {
                bump_seq(k, parent);
                next_vma(k, child, va.0 + 1)
            }
            UnlockChild { child } => {
                k.mmap_write_unlock(child);
                go(Flush { child })
            }
            Flush { child } => {
                if k.has(F::ForkFlush) {
                    k.flush_tlb_mm(parent);
                }
                k.event(Event::ForkEnd { parent, child });
                go(End { child })
            }
            End { .. } => {
                k.mmap_write_unlock(parent);
                Next::Return { result: Ok(()) }
            }
        }
    }
}

fn go(p: Fork) -> Next {
    Next::Call {
        call: Call::Fork { p },
    }
}

/// FK0. The child's VMAs are the parent's, less what fork does not hand on.
fn begin(k: &mut Kernel, child: MmId) -> Next {
    let parent = k.who.mm;
    k.mmap_write_lock(parent);
    k.event(Event::ForkBegin { parent, child });
    let root = k.mm(parent).root;
    k.tables_mut(child);
    let mm = k.mm_mut(child);
    mm.alive = true;
    mm.root = root;
    mm.writer = true;
    mm.has_pinned = false;
    for va in (0..k.cfg.sizes.pages as u8).map(Va) {
        let mut vma = *k.vma(parent, va);
        vma.readers = Count(0);
        vma.writer = false;
        vma.uffd_wp = false;
        vma.uffd_rwp = false;
        vma.uffd_missing = false;
        vma.uffd_minor = false;
        vma.anon_vma &= !vma.wipeonfork;
        if vma.mapped && (vma.dontfork || vma.wipeonfork) {
            k.event(Event::ForkWithout { child, va });
        }
        vma.mapped &= !vma.dontfork;
        *k.vma_mut(child, va) = vma;
    }
    match next_mapped(k, 0) {
        Some(va) if k.has(F::PerVmaLock) && k.has(F::ForkVmaLock) => go(LockVma { child, va }),
        _ => next_vma(k, child, 0),
    }
}

/// The first VMA of the parent at or after `from`.
fn next_mapped(k: &mut Kernel, from: u8) -> Option<Va> {
    let parent = k.who.mm;
    (from..k.cfg.sizes.pages as u8)
        .map(Va)
        .find(|&va| k.vma(parent, va).mapped)
}

/// Goes on with the next VMA whose pages are copied, or ends the walk.
fn next_vma(k: &mut Kernel, child: MmId, from: u8) -> Next {
    let parent = k.who.mm;
    let mut from = from;
    while let Some(va) = next_mapped(k, from) {
        let vma = *k.vma(parent, va);
        // An empty PTE says something only while nobody holds its lock: reclaim and migration clear it for a moment.
        let empty = k.pte(parent, va) == Pte::None && !k.tables(parent).ptl;
        let needs_copy = vma.anon_vma || !k.has(F::ForkNeedsCopy);
        if !vma.dontfork && !vma.wipeonfork && !empty && needs_copy {
            return go(if k.has(F::ForkWpseq) {
                SeqBegin { child, va }
            } else {
                ReadPte { child, va }
            });
        }
        from = va.0 + 1;
    }
    go(UnlockChild { child })
}

fn bump_seq(k: &mut Kernel, mm: MmId) {
    let seq = &mut k.tables_mut(mm).wp_seq;
    seq.0 = (seq.0 + 1) % 16;
}

/// The PTE that both page-table locks keep in place.
fn present(k: &mut Kernel, va: Va) -> Present {
    let parent = k.who.mm;
    k.pte(parent, va)
        .present()
        .expect("copy_present_pte without a present PTE")
}

/// `__copy_present_ptes`: the child's PTE, read-only. userfaultfd's mark goes where the child is not registered, and with it the
/// protection from reads.
fn childs(k: &mut Kernel, child: MmId, va: Va, e: Present) -> Present {
    let parent = k.who.mm;
    let protected = k.vma(parent, va).traps_reads(e.uffd_wp);
    let vma = *k.vma(child, va);
    Present {
        protnone: e.protnone && !protected || !vma.accessible(),
        uffd_wp: vma.traps_writes(e.uffd_wp),
        ..e.wrprotect()
    }
}

/// Drops both page-table locks.
fn unlock(k: &mut Kernel, child: MmId, va: Va) -> Next {
    let parent = k.who.mm;
    k.unlock_ptl(parent);
    k.unlock_ptl(child);
    if k.has(F::ForkWpseq) {
        go(SeqEnd { child, va })
    } else {
        next_vma(k, child, va.0 + 1)
    }
}

/// FK2, FK3: what there is to copy.
fn read_pte(k: &mut Kernel, child: MmId, va: Va) -> Next {
    let parent = k.who.mm;
    k.lock_ptl(parent);
    k.lock_ptl(child);
    match k.pte(parent, va) {
        Pte::None | Pte::Marker => unlock(k, child, va),
        Pte::Present { e } if e.pfn.is_zero() => {
            let e = childs(k, child, va, e);
            k.set_pte(child, va, e.pte());
            unlock(k, child, va)
        }
        Pte::Present { e } => {
            if k.page(e.pfn).anon() && needs_copy(k, e) {
                let home = k.home(child, va);
                let Some(new) = k.alloc_page(home) else {
                    return fail(k, child);
                };
                return go(EarlyCopy {
                    child,
                    va,
                    new,
                    cell: Cell(0),
                });
            }
            go(Share { child, va })
        }
        Pte::Swap { e } => go(DupSlot { child, va, e }),
        Pte::Migration { e } => {
            // Writable or exclusive: both become readable, for the page is shared from now on.
            let kind = if e.kind == MigrationKind::ReadableExclusive
                || e.kind == MigrationKind::Writable
            {
                MigrationKind::Readable
            } else {
                e.kind
            };
            let shared = Pte::Migration {
                e: Migration { kind, ..e },
            };
            k.set_pte(parent, va, shared);
            k.set_pte(child, va, shared);
            unlock(k, child, va)
        }
    }
}

/// `copy_present_page`: a page that may be pinned must stay the parent's alone; from 5.19 on only if it is exclusive.
fn needs_copy(k: &mut Kernel, e: Present) -> bool {
    let parent = k.who.mm;
    if !k.has(F::ForkEarlyCopy) || !k.maybe_dma_pinned(e.pfn) || !k.has_pinned(parent) {
        return false;
    }
    !k.has(F::AnonExclusive) || k.page(e.pfn).exclusive
}

/// Out of memory: what was copied stays in a child that never runs.
fn fail(k: &mut Kernel, child: MmId) -> Next {
    let parent = k.who.mm;
    k.unlock_ptl(parent);
    k.unlock_ptl(child);
    if k.has(F::ForkWpseq) {
        bump_seq(k, parent);
    }
    k.flush_tlb_mm(parent);
    k.event(Event::ForkFailed { parent, child });
    k.event(Event::ForkEnd { parent, child });
    k.mmap_write_unlock(child);
    k.mmap_write_unlock(parent);
    Next::Return {
        result: Err(Errno::Enomem),
    }
}
