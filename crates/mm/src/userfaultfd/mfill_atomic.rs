//! UFFDIO_COPY, UFFDIO_ZEROPAGE, UFFDIO_CONTINUE: `mfill_atomic`, `mfill_atomic_pte_copy`, `mfill_atomic_pte_zeropage`,
//! `mfill_atomic_pte_continue`, `mfill_atomic_install_pte` (mm/userfaultfd.c).
//!
//! mmap_lock for read, then the PTL, under which the PTE must still be empty. What takes part in it is one PTE that is set: the
//! page is private before. Who waits for the page finds it and goes on.
//!
//! CONTINUE maps what is in the page cache, read-only in a private mapping, and from 5.16 on dirty all the same
//! (`uffd_continue_dirty`): FOLL_FORCE took a dirty read-only PTE for one whose COW was broken, until 6.0 (CVE-2022-2590).

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::packed;
use crate::pgtable::{Present, Pte};
use crate::rmap::Rmap;
use crate::step::{Step, Wait, step};
use crate::task::{Call, Errno, Next};
use crate::world::Access;

packed! {
    /// The filling of one empty address.
    pub enum MfillAtomic {
        /// Takes mmap_lock, checks the VMA, allocates.
        Begin { mm: MmId, va: Va, with: Fill },
        /// Takes the PTL, sets the PTE if it is empty; the call returns.
        Install { mm: MmId, va: Va, with: Fill, new: Option<Pfn> },
    }

    /// With what an address is filled.
    pub enum Fill {
        /// UFFDIO_COPY: a new page. What it holds comes with the call: the driver stores it when the page is installed.
        Copy,
        /// UFFDIO_ZEROPAGE: the zero page.
        Zeropage,
        /// UFFDIO_CONTINUE: the page-cache page of the file.
        Continue,
    }
}

use MfillAtomic::*;

impl MfillAtomic {
    /// Enters the call.
    pub fn enter(mm: MmId, va: Va, with: Fill) -> Next {
        go(Begin { mm, va, with })
    }

    /// The description of the next step.
    pub fn describe(&self, _v: &View) -> Step {
        match *self {
            Begin { mm, with, .. } => step("UF1", with.function())
                .under("mmap_lock (read)")
                .waits(Wait::MmapRead(mm)),
            Install { mm, .. } => step("UF2", "mfill_atomic_install_pte")
                .under("mmap_lock (read), PTL")
                .waits(Wait::Ptl(mm)),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        match self {
            Begin { mm, va, with } => {
                k.mmap_read_lock(mm);
                if let Some(errno) = refused(k, mm, va, with) {
                    return done(k, mm, Err(errno));
                }
                k.anon_vma_prepare(mm, va);
                let mut new = None;
                if with == Fill::Copy {
                    let home = k.home(mm, va);
                    new = k.alloc_page(home);
                    if new.is_none() {
                        return done(k, mm, Err(Errno::Enomem));
                    }
                }
                go(Install { mm, va, with, new })
            }
            Install { mm, va, with, new } => install(k, mm, va, with, new),
        }
    }
}

fn go(p: MfillAtomic) -> Next {
    Next::Call {
        call: Call::MfillAtomic { p },
    }
}

impl Fill {
    fn function(self) -> &'static str {
        match self {
            Fill::Copy => "mfill_atomic_pte_copy",
            Fill::Zeropage => "mfill_atomic_pte_zeropage",
            Fill::Continue => "mfill_atomic_pte_continue",
        }
    }
}

fn done(k: &mut Kernel, mm: MmId, result: Result<(), Errno>) -> Next {
    k.mmap_read_unlock(mm);
    Next::Return { result }
}

/// `validate_dst_vma`, and the checks of each ioctl.
fn refused(k: &mut Kernel, mm: MmId, va: Va, with: Fill) -> Option<Errno> {
    let vma = *k.vma(mm, va);
    if !vma.mapped || !vma.registered() {
        return Some(Errno::Enoent);
    }
    let file = vma.file.is_some();
    (file != (with == Fill::Continue) || (file && !vma.uffd_minor)).then_some(Errno::Einval)
}

fn install(k: &mut Kernel, mm: MmId, va: Va, with: Fill, new: Option<Pfn>) -> Next {
    k.lock_ptl(mm);
    let old = k.pte(mm, va);
    // pte_none_mostly(): a marker may be overwritten, but not with the zero page.
    let free = old == Pte::None || (old == Pte::Marker && with != Fill::Zeropage);
    if !free {
        k.unlock_ptl(mm);
        if let Some(new) = new {
            k.put_page(new);
        }
        return done(k, mm, Err(Errno::Eexist));
    }
    let vma = *k.vma(mm, va);
    let e = match (with, new, vma.file) {
        (Fill::Copy, Some(new), _) => {
            k.add_anon_rmap(new, Rmap::Exclusive);
            k.folio_add_lru(new);
            Present {
                write: vma.write,
                dirty: true,
                soft_dirty: true,
                ..k.mk_pte(mm, va, new)
            }
        }
        (Fill::Continue, _, Some(file)) => {
            k.get_page(file);
            k.page_mut(file).mapcount.0 += 1;
            let dirty = k.has(F::UffdContinueDirty);
            Present {
                dirty,
                soft_dirty: dirty,
                ..k.mk_pte(mm, va, file)
            }
        }
        _ => k.mk_pte(mm, va, Pfn::ZERO),
    };
    k.set_pte(mm, va, e.pte());
    if let Some(new) = new {
        k.access(mm, va, new, Access::Store);
    }
    k.unlock_ptl(mm);
    done(k, mm, Ok(()))
}
