//! Protection changes: `do_mprotect_pkey`, `mprotect_fixup`, `can_change_pte_writable` (mm/mprotect.c).
//!
//! mprotect changes the VMA first, under mmap_lock for write and (6.4) the lock of the VMA, and then each PTE under its lock. The
//! page tables of a private mapping are never writable by the VMA's protection alone, so PTEs become read-only either way and
//! the next write fault decides; from 6.0 on (`mprotect_excl`) an exclusive page is writable again at once. A VMA without any
//! access (PROT_NONE) has PTEs that fault in hardware. What became stricter is flushed once, at the end.
//!
//! | | NUMA hinting | mprotect | userfaultfd |
//! |---|---|---|---|
//! | entered by | [`numa`](crate::numa) | here | [`userfaultfd`](crate::userfaultfd) |
//! | mmap_lock | read | write | read |
//! | PTE | protnone | the VMA's protection | read-only, marked or unmarked |

pub mod change_protection;

pub use change_protection::ChangeProtection;

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::Kernel;
use crate::packed;
use crate::pgtable::{Present, Pte};

packed! {
    /// What mprotect allows. (No processor here can write what it cannot read.)
    pub enum Prot {
        /// PROT_NONE.
        None,
        /// PROT_READ.
        Read,
        /// PROT_READ | PROT_WRITE.
        ReadWrite,
    }
}

/// `can_change_pte_writable`: an exclusive page of a writable VMA that nobody wants to be told of. PTL held.
pub fn can_change_pte_writable(k: &mut Kernel, mm: MmId, va: Va, e: Present) -> bool {
    let vma = *k.vma(mm, va);
    if !vma.write || e.protnone || e.pfn.is_zero() || !k.page(e.pfn).anon() {
        return false;
    }
    if !e.dirty && !k.has(F::MprotectExclClean) {
        return false;
    }
    let tracked = !vma.soft_dirty && !e.soft_dirty && k.has(F::SoftDirtyMprotect);
    let trapped = vma.uffd_wp && e.uffd_wp && k.has(F::CanWriteUffdWp);
    !tracked && !trapped && (k.anon_exclusive(e.pfn) || !k.has(F::CanWriteExclusive))
}

impl Kernel<'_> {
    /// A page that is mapped again from a swap or migration entry keeps userfaultfd's read-write protection.
    pub fn keep_rwp(&mut self, mm: MmId, va: Va, e: Present) -> Present {
        if !self.vma(mm, va).traps_reads(e.uffd_wp) {
            return e;
        }
        Present {
            protnone: true,
            ..e.wrprotect()
        }
    }

    /// `mk_pte(page, vma->vm_page_prot)`: read-only, as a private mapping's protection is; faulting in a PROT_NONE VMA.
    pub fn mk_pte(&mut self, mm: MmId, va: Va, pfn: Pfn) -> Present {
        Present {
            protnone: !self.vma(mm, va).accessible(),
            ..Pte::of(pfn)
        }
    }
}
