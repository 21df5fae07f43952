//! Merging one page: `try_to_merge_with_ksm_page`, `try_to_merge_one_page`, `write_protect_page`, `replace_page` (mm/ksm.c).
//!
//! Under mmap_lock (read) and the folio lock, which is only tried. `write_protect_page` makes sure that nobody can change the
//! page: it clears the PTE and flushes *before* it looks at the references, so that a GUP-fast either is counted or finds the
//! PTE changed; from 5.19 on it clears PG_anon_exclusive in between, after a test for pins (semantics.md 9.4). The order is
//! `ksm_clear_first`. A PTE that is read-only and clean already, of a page that is not exclusive, it takes as it is, and
//! **then nothing is tested, not even the references**: before 5.19 the page may be pinned.
//!
//! Without a page to merge with, the page becomes a KSM page itself. Else its contents are compared, now that they stay, and
//! `replace_page` puts the KSM page in its place, unless the PTE changed. Soft-dirty and uffd-wp marks of the PTE are lost
//! there: the new PTE is made of nothing but the VMA's protection.

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::ksm::{Item, find_mergeable_vma};
use crate::packed;
use crate::page::PageKind;
use crate::pgtable::Present;
use crate::rmap::Rmap;
use crate::step::{Step, Wait, step};
use crate::touch::Touch;
use crate::world::Broken;

packed! {
    /// A merge under way: of the page of `i`, with `kpage` if there is one. `orig` is the PTE, as it was found, then as it was left.
    pub enum TryToMerge {
        /// KS1: takes mmap_lock, looks at the VMA, tries the folio lock.
        Lock { i: Item, kpage: Option<Pfn> },
        /// KS2, KS3: takes the page-table lock; clears the PTE if anybody could write.
        ClearPte { i: Item, kpage: Option<Pfn> },
        /// KS3: flushes. PTL held, up to KS7.
        Flush { i: Item, kpage: Option<Pfn>, orig: Present },
        /// KS4: the reference test.
        RefTest { i: Item, kpage: Option<Pfn>, orig: Present },
        /// KS5: an exclusive page that may be pinned is left alone (5.19).
        PinTest { i: Item, kpage: Option<Pfn>, orig: Present },
        /// Without `ksm_clear_first`: clears the PTE and flushes only now.
        LateClear { i: Item, kpage: Option<Pfn>, orig: Present },
        /// KS5: clears PG_anon_exclusive (5.19).
        ClearExclusive { i: Item, kpage: Option<Pfn>, orig: Present },
        /// KS6, KS7: the PTE comes back read-only and clean; drops the page-table lock.
        SetReadOnly { i: Item, kpage: Option<Pfn>, orig: Present },
        /// The page becomes a KSM page. Folio lock held, as in all that follows.
        MakeStable { i: Item },
        /// KS8: compares the contents.
        Compare { i: Item, kpage: Pfn, orig: Present },
        /// KS9: takes the page-table lock, compares the PTE, references the KSM page, clears the PTE.
        Replace { i: Item, kpage: Pfn, orig: Present },
        /// KS10: flushes. PTL held, up to KS11. `old`: the page that was mapped, which is that of `i` if `ksm_pte_same` is kept.
        ReplaceFlush { i: Item, kpage: Pfn, old: Option<Pfn> },
        /// KS10: maps the KSM page.
        SetPte { i: Item, kpage: Pfn, old: Option<Pfn> },
        /// KS11: the old page leaves the swap cache if it can, and loses the page table's reference; drops all locks.
        DropOld { i: Item, kpage: Pfn, old: Option<Pfn> },
    }
}

use TryToMerge::*;

/// What follows a step of the merge.
pub enum Merging {
    /// More of it.
    On(TryToMerge),
    /// It is over; all locks are dropped, the references are still the caller's.
    Over {
        /// The page.
        i: Item,
        /// The page that it was to be merged with.
        kpage: Option<Pfn>,
        /// Was it?
        merged: bool,
    },
}

impl TryToMerge {
    /// The description of the next step.
    pub fn describe(&self, _v: &View) -> Step {
        const WP: &str = "write_protect_page";
        const RP: &str = "replace_page";
        const BOTH: &str = "mmap_lock (read), folio lock, PTL";
        const FOLIO: &str = "mmap_lock (read), folio lock";
        match *self {
            Lock { i, .. } => step("KS1", "try_to_merge_one_page")
                .under("mmap_lock (read)")
                .waits(Wait::MmapRead(i.at.mm)),
            ClearPte { i, .. } => step("KS2", WP).under(BOTH).waits(Wait::Ptl(i.at.mm)),
            Flush { .. } => step("KS3", "ptep_clear_flush").under(BOTH),
            RefTest { .. } => step("KS4", WP).under(BOTH),
            PinTest { .. } => step("KS5 test", "folio_try_share_anon_rmap_pte").under(BOTH),
            LateClear { .. } => step("KS3", "ptep_clear_flush").under(BOTH),
            ClearExclusive { .. } => step("KS5", "folio_try_share_anon_rmap_pte").under(BOTH),
            SetReadOnly { .. } => step("KS6", WP).under(BOTH),
            MakeStable { .. } => step("KS stable", "set_page_stable_node").under(FOLIO),
            Compare { .. } => step("KS8", "pages_identical").under(FOLIO),
            Replace { i, .. } => step("KS9", RP).under(BOTH).waits(Wait::Ptl(i.at.mm)),
            ReplaceFlush { .. } => step("KS10 flush", "ptep_clear_flush").under(BOTH),
            SetPte { .. } => step("KS10", RP).under(BOTH),
            DropOld { .. } => step("KS11", RP).under(BOTH),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Merging {
        match self {
            Lock { i, kpage } => lock(k, i, kpage),
            ClearPte { i, kpage } => clear_pte(k, i, kpage),
            Flush { i, kpage, orig } => {
                if k.has(F::KsmFlush) {
                    k.flush_tlb_page(i.at.mm, i.at.va);
                }
                Merging::On(RefTest { i, kpage, orig })
            }
            RefTest { i, kpage, orig } => {
                let page = *k.page(i.pfn);
                let expected = u32::from(page.mapcount.0) + 1 + u32::from(page.swap.is_some());
                if k.has(F::KsmRefTest) && k.refcount(i.pfn) != expected {
                    return restore(k, i, kpage, orig);
                }
                Merging::On(if k.anon_exclusive(i.pfn) {
                    PinTest { i, kpage, orig }
                } else {
                    tested(k, i, kpage, orig)
                })
            }
            PinTest { i, kpage, orig } => {
                // After the reference test the only pin to be met is that of a GUP-fast which will back off: one rule.
                if k.has(F::KsmRefTest) && k.maybe_dma_pinned(i.pfn) {
                    return restore(k, i, kpage, orig);
                }
                Merging::On(tested(k, i, kpage, orig))
            }
            LateClear { i, kpage, orig } => {
                // The hardware may have set the dirty bit since: what counts is what was cleared.
                let orig = k.clear_pte(i.at.mm, i.at.va).present().unwrap_or(orig);
                k.flush_tlb_page(i.at.mm, i.at.va);
                Merging::On(cleared(k, i, kpage, orig))
            }
            ClearExclusive { i, kpage, orig } => {
                if k.has(F::KsmClearExclusive) {
                    k.page_mut(i.pfn).exclusive = false;
                }
                Merging::On(SetReadOnly { i, kpage, orig })
            }
            SetReadOnly { i, kpage, orig } => {
                if orig.dirty {
                    k.page_mut(i.pfn).dirty = true;
                }
                let left = Present {
                    dirty: false,
                    ..orig.wrprotect()
                };
                k.set_pte(i.at.mm, i.at.va, left.pte());
                k.unlock_ptl(i.at.mm);
                Merging::On(write_protected(i, kpage, left))
            }
            MakeStable { i } => {
                if k.anon_exclusive(i.pfn) || mapped_writable(k, i.pfn) {
                    k.broken(Broken::Ksm);
                }
                let dirty = k.has(F::KsmDirty);
                let page = k.page_mut(i.pfn);
                page.kind = PageKind::Ksm;
                page.dirty |= dirty;
                k.folio_mark_accessed(i.pfn);
                unlock_over(k, i, None, true)
            }
            Compare { i, kpage, orig } => {
                if k.has(F::KsmCompare) && !k.pages_identical(i.pfn, kpage) {
                    return unlock_over(k, i, Some(kpage), false);
                }
                Merging::On(Replace { i, kpage, orig })
            }
            Replace { i, kpage, orig } => replace(k, i, kpage, orig),
            ReplaceFlush { i, kpage, old } => {
                if k.has(F::KsmReplaceFlush) {
                    k.flush_tlb_page(i.at.mm, i.at.va);
                }
                Merging::On(SetPte { i, kpage, old })
            }
            SetPte { i, kpage, old } => {
                let e = k.mk_pte(i.at.mm, i.at.va, kpage);
                k.set_pte(i.at.mm, i.at.va, e.pte());
                if let Some(old) = old {
                    k.remove_rmap(old);
                }
                Merging::On(DropOld { i, kpage, old })
            }
            DropOld { i, kpage, old } => {
                if k.page(i.pfn).mapcount.0 == 0 {
                    k.free_swap(i.pfn);
                }
                if let Some(old) = old {
                    k.put_page(old);
                }
                k.unlock_ptl(i.at.mm);
                unlock_over(k, i, Some(kpage), true)
            }
        }
    }
}

/// KS1. Nothing is to be done for a page that is the KSM page already: another PTE of it was merged before.
fn lock(k: &mut Kernel, i: Item, kpage: Option<Pfn>) -> Merging {
    k.mmap_read_lock(i.at.mm);
    let known = kpage == Some(i.pfn);
    let mergeable = find_mergeable_vma(k, i.at);
    if mergeable && !known && k.page(i.pfn).anon() && k.trylock(i.pfn) {
        return Merging::On(ClearPte { i, kpage });
    }
    k.mmap_read_unlock(i.at.mm);
    Merging::Over {
        i,
        kpage,
        merged: mergeable && known,
    }
}

/// KS2: the PTE, if it still maps the page, and if the page belongs where it is mapped (`page_address_in_vma`; a KSM page
/// does not).
fn clear_pte(k: &mut Kernel, i: Item, kpage: Option<Pfn>) -> Merging {
    k.lock_ptl(i.at.mm);
    let home = k.home(i.at.mm, i.at.va);
    let page = *k.page(i.pfn);
    let found = k
        .pte(i.at.mm, i.at.va)
        .present()
        .filter(|e| e.pfn == i.pfn && page.kind == PageKind::Anon && page.home == home);
    let Some(orig) = found else {
        k.unlock_ptl(i.at.mm);
        return unlock_over(k, i, kpage, false);
    };
    let pending = k.tables(i.at.mm).flush_pending.0 > 0 && k.has(F::KsmTlbPending);
    let writable = orig.writable() || orig.dirty;
    if !writable && !pending && !k.anon_exclusive(i.pfn) {
        k.unlock_ptl(i.at.mm);
        return Merging::On(write_protected(i, kpage, orig));
    }
    if !k.has(F::KsmClearFirst) {
        return Merging::On(RefTest { i, kpage, orig });
    }
    k.clear_pte(i.at.mm, i.at.va);
    Merging::On(Flush { i, kpage, orig })
}

/// The tests are passed.
fn tested(k: &mut Kernel, i: Item, kpage: Option<Pfn>, orig: Present) -> TryToMerge {
    if k.has(F::KsmClearFirst) {
        cleared(k, i, kpage, orig)
    } else {
        LateClear { i, kpage, orig }
    }
}

fn cleared(k: &mut Kernel, i: Item, kpage: Option<Pfn>, orig: Present) -> TryToMerge {
    if k.anon_exclusive(i.pfn) {
        ClearExclusive { i, kpage, orig }
    } else {
        SetReadOnly { i, kpage, orig }
    }
}

fn write_protected(i: Item, kpage: Option<Pfn>, orig: Present) -> TryToMerge {
    match kpage {
        None => MakeStable { i },
        Some(kpage) => Compare { i, kpage, orig },
    }
}

/// Puts the PTE back as it was, and gives up.
fn restore(k: &mut Kernel, i: Item, kpage: Option<Pfn>, orig: Present) -> Merging {
    if k.has(F::KsmClearFirst) {
        k.set_pte(i.at.mm, i.at.va, orig.pte());
    }
    k.unlock_ptl(i.at.mm);
    unlock_over(k, i, kpage, false)
}

/// KS9.
fn replace(k: &mut Kernel, i: Item, kpage: Pfn, orig: Present) -> Merging {
    k.lock_ptl(i.at.mm);
    let home = k.home(i.at.mm, i.at.va);
    let now = k.pte(i.at.mm, i.at.va);
    let same = now == orig.pte() || !k.has(F::KsmPteSame);
    if !same || k.page(i.pfn).home != home {
        k.unlock_ptl(i.at.mm);
        return unlock_over(k, i, Some(kpage), false);
    }
    if k.anon_exclusive(i.pfn) || k.anon_exclusive(kpage) || mapped_writable(k, kpage) {
        k.broken(Broken::Ksm);
    }
    k.get_page(kpage);
    k.add_anon_rmap(kpage, Rmap::None);
    let old = k.clear_pte(i.at.mm, i.at.va).normal_page();
    Merging::On(ReplaceFlush { i, kpage, old })
}

/// Is a page writable somewhere that must not be?
fn mapped_writable(k: &mut Kernel, pfn: Pfn) -> bool {
    k.machine(Touch::PTES)
        .ptes
        .iter()
        .flatten()
        .filter_map(|pte| pte.present())
        .any(|e| e.pfn == pfn && e.writable())
}

/// Drops folio lock and mmap_lock.
fn unlock_over(k: &mut Kernel, i: Item, kpage: Option<Pfn>, merged: bool) -> Merging {
    k.unlock_page(i.pfn);
    k.mmap_read_unlock(i.at.mm);
    Merging::Over { i, kpage, merged }
}
