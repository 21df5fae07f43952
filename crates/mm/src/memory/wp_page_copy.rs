//! Copy on write: `wp_page_copy` (mm/memory.c).
//!
//! The old page is referenced and the page-table lock dropped while the copy is made; the copy is not atomic: a device or a
//! stale writable translation may change the old page while and after its cells are copied. Then the PTE is cleared and all
//! TLBs flushed, *before* the new page is set, and the old mapping is dropped after: nobody may read the old page through a
//! translation once somebody can write the new one.

use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::memory::fault::{Fault, FaultCx, FaultKind, FaultResult};
use crate::packed;
use crate::pgtable::Present;
use crate::rmap::Rmap;
use crate::step::{Step, Wait, step};

packed! {
    /// A copy under way. `orig` is the PTE that faulted; it names the old page (or the zero page).
    pub enum WpPageCopy {
        /// WC1, WC2: references the old page, drops the page-table lock, allocates.
        Begin { f: FaultCx, orig: Present },
        /// WC3: copies one more cell.
        CopyCell { f: FaultCx, orig: Present, new: Pfn, cell: Cell },
        /// WC4, WC5: takes the page-table lock, checks the PTE, clears it.
        Clear { f: FaultCx, orig: Present, new: Pfn },
        /// WC5: flushes. PTL held.
        Flush { f: FaultCx, orig: Present, new: Pfn },
        /// WC6, WC7: maps the new page, unmaps the old one, drops the page-table lock.
        SetPte { f: FaultCx, orig: Present, new: Pfn },
        /// WC8: drops the page table's reference; the old page's swap cache goes too if its lock can be had.
        DropOld { f: FaultCx, old: Pfn },
        /// WC8: has the old page's lock: leaves the swap cache.
        FreeSwapCache { f: FaultCx, old: Pfn },
        /// WC9: drops the temporary reference.
        DropTemporary { f: FaultCx, old: Pfn },
    }
}

use WpPageCopy::*;

impl WpPageCopy {
    /// Entered with the page-table lock held; the page must be copied.
    pub fn enter(f: FaultCx, orig: Present) -> Fault {
        copy(Begin { f, orig })
    }

    /// The description of the next step.
    pub fn describe(&self, _v: &View) -> Step {
        match *self {
            Begin { .. } => step("WC1", "wp_page_copy").under("PTL"),
            CopyCell { .. } => step("WC3", "copy_user_highpage"),
            Clear { f, .. } => step("WC4", "wp_page_copy")
                .under("PTL")
                .waits(Wait::Ptl(f.mm)),
            Flush { .. } => step("WC5", "ptep_clear_flush").under("PTL"),
            SetPte { .. } => step("WC6", "wp_page_copy").under("PTL"),
            DropOld { .. } => step("WC8", "free_swap_cache"),
            FreeSwapCache { .. } => step("WC8", "folio_free_swap").under("folio lock"),
            DropTemporary { .. } => step("WC9", "folio_put"),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Fault {
        match self {
            Begin { f, orig } => {
                k.get_page(orig.pfn);
                k.unlock_ptl(f.mm);
                k.anon_vma_prepare(f.mm, f.va);
                let home = k.home(f.mm, f.va);
                let Some(new) = k.alloc_page(home) else {
                    k.put_page(orig.pfn);
                    return Fault::over(k, f, FaultResult::Oom);
                };
                if orig.pfn.is_zero() {
                    k.clear_page(new);
                    return copy(Clear { f, orig, new });
                }
                copy(CopyCell {
                    f,
                    orig,
                    new,
                    cell: Cell(0),
                })
            }
            CopyCell { f, orig, new, cell } => {
                k.copy_cell(orig.pfn, new, cell);
                let next = Cell(cell.0 + 1);
                copy(if next.0 < k.cfg.sizes.cells {
                    CopyCell {
                        f,
                        orig,
                        new,
                        cell: next,
                    }
                } else {
                    Clear { f, orig, new }
                })
            }
            Clear { f, orig, new } => {
                k.lock_ptl(f.mm);
                if k.pte(f.mm, f.va) != orig.pte() {
                    k.put_page(new);
                    k.put_page(orig.pfn);
                    return Fault::unlock_over(k, f, FaultResult::Done);
                }
                k.clear_pte(f.mm, f.va);
                copy(Flush { f, orig, new })
            }
            Flush { f, orig, new } => {
                k.flush_tlb_page(f.mm, f.va);
                copy(SetPte { f, orig, new })
            }
            SetPte { f, orig, new } => {
                k.add_anon_rmap(new, Rmap::Exclusive);
                k.folio_add_lru(new);
                let e = k.mk_pte(f.mm, f.va, new);
                let e = match f.kind {
                    // An unshared page stays read-only, with the marks of the PTE.
                    FaultKind::Unshare => Present {
                        soft_dirty: orig.soft_dirty,
                        uffd_wp: orig.uffd_wp,
                        ..e
                    },
                    _ => Present {
                        write: k.vma(f.mm, f.va).write,
                        dirty: true,
                        soft_dirty: true,
                        ..e
                    },
                };
                k.set_pte(f.mm, f.va, e.pte());
                k.remove_rmap(orig.pfn);
                k.unlock_ptl(f.mm);
                if orig.pfn.is_zero() {
                    return Fault::over(k, f, FaultResult::Done);
                }
                copy(DropOld { f, old: orig.pfn })
            }
            DropOld { f, old } => {
                k.put_page(old);
                let page = *k.page(old);
                let orphaned = page.swap.is_some() && page.mapcount.0 == 0;
                copy(if orphaned && k.trylock(old) {
                    FreeSwapCache { f, old }
                } else {
                    DropTemporary { f, old }
                })
            }
            FreeSwapCache { f, old } => {
                k.free_swap(old);
                k.unlock_page(old);
                copy(DropTemporary { f, old })
            }
            DropTemporary { f, old } => {
                k.put_page(old);
                Fault::over(k, f, FaultResult::Done)
            }
        }
    }
}

fn copy(p: WpPageCopy) -> Fault {
    Fault::Copy { p }
}
