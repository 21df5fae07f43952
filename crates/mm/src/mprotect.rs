//! Protection changes: `change_protection` (mm/mprotect.c), and the NUMA hinting faults that they prepare: `do_numa_page`
//! (mm/memory.c).

use crate::feature::Feature as F;
use crate::kernel::{Kernel, View};
use crate::memory::fault::{Fault, FaultCx, FaultResult};
use crate::packed;
use crate::pgtable::Present;
use crate::step::{Step, Wait, step};

packed! {
    /// A fault on a NUMA hinting PTE.
    pub enum DoNumaPage {
        /// Takes the PTL, checks the PTE, restores its protection.
        Restore { f: FaultCx, orig: Present },
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

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Fault {
        let DoNumaPage::Restore { f, orig } = self;
        k.lock_ptl(f.mm);
        if k.pte(f.mm, f.va) == orig.pte() {
            let write = if k.has(F::NumaExcl) {
                can_change_pte_writable(k, f, orig)
            } else {
                orig.saved_write
            };
            k.set_pte(
                f.mm,
                f.va,
                Present {
                    protnone: false,
                    saved_write: false,
                    write,
                    ..orig
                }
                .pte(),
            );
        }
        Fault::unlock_over(k, f, FaultResult::Done)
    }
}

/// `can_change_pte_writable`: an exclusive page of a writable VMA that nobody wants to be told of.
pub fn can_change_pte_writable(k: &mut Kernel, f: FaultCx, e: Present) -> bool {
    let vma = *k.vma(f.mm, f.va);
    if !vma.write || e.pfn.is_zero() || !k.page(e.pfn).anon() {
        return false;
    }
    let tracked = !vma.soft_dirty && !e.soft_dirty && k.has(F::SoftDirtyMprotect);
    let trapped = vma.uffd_wp && e.uffd_wp;
    !tracked && !trapped && k.anon_exclusive(e.pfn)
}
