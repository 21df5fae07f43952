//! NUMA hinting: the scan, `task_numa_work`, `change_prot_numa` (kernel/sched/fair.c, mm/mempolicy.c), and the faults that it
//! provokes, `do_numa_page` (mm/memory.c).
//!
//! The scan takes mmap_lock for read and makes PTEs protnone ([`crate::mprotect`]); the fault restores them under the PTL. Whether
//! the page was writable is remembered in the PTE (savedwrite, up to 6.1) or worked out from exclusivity (6.2, `numa_excl`).
//!
//! Pages that the scan passes over, beside the zero page and KSM pages, in private mappings:
//!
//! | era | feature | those |
//! |---|---|---|
//! | up to 5.16 | | that are mapped elsewhere too |
//! | 5.17 to 6.9 | `numa_skip_refs` | that anybody else refers to |
//! | 6.10 | `numa_skip_pinned` | that are mapped elsewhere too, or may be pinned |
//!
//! That the fault may move the page to another node is left to the migration activity.

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::memory::fault::{Fault, FaultCx, FaultResult};
use crate::mprotect::can_change_pte_writable;
use crate::mprotect::change_protection::{By, ChangeProtection};
use crate::packed;
use crate::page::PageKind;
use crate::pgtable::Present;
use crate::step::{Step, Wait, step};
use crate::task::Next;

packed! {
    /// A fault on a NUMA hinting PTE.
    pub enum DoNumaPage {
        /// Takes the PTL, checks the PTE, restores its protection.
        Restore { f: FaultCx, orig: Present },
    }
}

/// A scan of one page.
pub fn numa_scan(mm: MmId, va: Va) -> Next {
    ChangeProtection::enter(mm, va, By::Numa)
}

/// May the scan turn this PTE into a hint? PTL held.
///
/// The count is read just once and nothing depends on it: a page that is pinned right after stays the same page.
pub fn worth_a_hint(k: &mut Kernel, e: Present) -> bool {
    if e.protnone || e.pfn.is_zero() {
        return false;
    }
    let page = *k.page(e.pfn);
    if page.kind == PageKind::Ksm {
        return false;
    }
    if k.has(F::NumaSkipPinned) {
        page.mapcount.0 == 1 && !k.maybe_dma_pinned(e.pfn)
    } else if k.has(F::NumaSkipRefs) {
        k.refcount(e.pfn) == 1
    } else {
        page.mapcount.0 == 1
    }
}

impl DoNumaPage {
    /// A protnone PTE was read in an accessible VMA.
    pub fn enter(f: FaultCx, orig: Present) -> Fault {
        Fault::Numa {
            p: DoNumaPage::Restore { f, orig },
        }
    }

    /// The description of the next step.
    pub fn describe(&self, _v: &View) -> Step {
        let DoNumaPage::Restore { f, .. } = *self;
        step("NF1", "do_numa_page")
            .under("PTL")
            .waits(Wait::Ptl(f.mm))
    }

    /// Takes the next step. Permissions only grow, so nothing is flushed.
    pub fn step(self, k: &mut Kernel) -> Fault {
        let DoNumaPage::Restore { f, orig } = self;
        k.lock_ptl(f.mm);
        if k.pte(f.mm, f.va) == orig.pte() {
            let e = Present {
                protnone: false,
                ..orig.wrprotect()
            };
            let write = if k.has(F::NumaExcl) {
                can_change_pte_writable(k, f.mm, f.va, e)
            } else {
                orig.saved_write
            };
            k.set_pte(f.mm, f.va, Present { write, ..e }.pte());
        }
        Fault::unlock_over(k, f, FaultResult::Done)
    }
}
