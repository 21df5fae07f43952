//! A missing page: `do_anonymous_page`; for a private file mapping `do_read_fault` and `do_cow_fault` (mm/memory.c).
//!
//! All of it takes effect at the one PTE that is set under the page-table lock; the allocation before is private.

use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::memory::fault::{Fault, FaultCx, FaultKind, FaultResult};
use crate::packed;
use crate::pgtable::{Present, Pte};
use crate::rmap::Rmap;
use crate::step::{Step, Wait, step};

packed! {
    /// A fault on an empty PTE.
    pub enum DoAnonymousPage {
        /// Read: maps the zero page, or the page-cache page of a file.
        MapShared { f: FaultCx },
        /// Write: has its page (zeroed, or copied from the page cache) and maps it.
        MapNew { f: FaultCx, new: Pfn },
        /// Write: allocates and fills the page.
        Alloc { f: FaultCx },
        /// Write to a file mapping: copies one more cell from the page cache.
        CopyFile { f: FaultCx, new: Pfn, cell: Cell },
    }
}

use DoAnonymousPage::*;

impl DoAnonymousPage {
    /// An empty PTE was read.
    pub fn enter(f: FaultCx) -> Fault {
        let p = match f.kind {
            FaultKind::Write => Alloc { f },
            FaultKind::Read | FaultKind::Unshare => MapShared { f },
        };
        Fault::Anonymous { p }
    }

    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        match *self {
            MapShared { f } => step("map zero page", "do_anonymous_page")
                .under("PTL")
                .waits(Wait::Ptl(f.mm)),
            MapNew { f, .. } => step("map new page", "do_anonymous_page")
                .under("PTL")
                .waits(Wait::Ptl(f.mm)),
            // What it drops if there is no memory is no right mover's; and a frame that is freed before may be the one.
            Alloc { .. } if v.cfg.fails.oom => step("allocate", "do_anonymous_page"),
            Alloc { .. } => step("allocate", "do_anonymous_page").right(),
            CopyFile { .. } => step("copy from page cache", "do_cow_fault"),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Fault {
        match self {
            Alloc { f } => {
                k.anon_vma_prepare(f.mm, f.va);
                let home = k.home(f.mm, f.va);
                let Some(new) = k.alloc_page(home) else {
                    return Fault::over(k, f, FaultResult::Oom);
                };
                if k.vma(f.mm, f.va).file.is_some() {
                    return Fault::Anonymous {
                        p: CopyFile {
                            f,
                            new,
                            cell: Cell(0),
                        },
                    };
                }
                k.clear_page(new);
                Fault::Anonymous {
                    p: MapNew { f, new },
                }
            }
            CopyFile { f, new, cell } => {
                let file = k.vma(f.mm, f.va).file.expect("do_cow_fault without a file");
                k.copy_cell(file, new, cell);
                let next = Cell(cell.0 + 1);
                let p = if next.0 < k.cfg.sizes.cells {
                    CopyFile { f, new, cell: next }
                } else {
                    MapNew { f, new }
                };
                Fault::Anonymous { p }
            }
            MapShared { f } => {
                k.lock_ptl(f.mm);
                let old = k.pte(f.mm, f.va);
                if old == Pte::None || old == Pte::Marker {
                    let vma = *k.vma(f.mm, f.va);
                    let pfn = vma.file.unwrap_or(Pfn::ZERO);
                    if !pfn.is_zero() {
                        k.get_page(pfn);
                        k.page_mut(pfn).mapcount.0 += 1;
                    }
                    let e = Present {
                        uffd_wp: old == Pte::Marker,
                        ..k.mk_pte(f.mm, f.va, pfn)
                    };
                    k.set_pte(f.mm, f.va, e.pte());
                }
                Fault::unlock_over(k, f, FaultResult::Done)
            }
            MapNew { f, new } => {
                k.lock_ptl(f.mm);
                let old = k.pte(f.mm, f.va);
                if old != Pte::None && old != Pte::Marker {
                    k.put_page(new);
                    return Fault::unlock_over(k, f, FaultResult::Done);
                }
                k.add_anon_rmap(new, Rmap::Exclusive);
                k.folio_add_lru(new);
                // A marker hands userfaultfd write-protection on to the page.
                let trapped = old == Pte::Marker;
                let write = k.vma(f.mm, f.va).write && !trapped;
                let e = Present {
                    write,
                    dirty: true,
                    soft_dirty: true,
                    uffd_wp: trapped,
                    ..k.mk_pte(f.mm, f.va, new)
                };
                k.set_pte(f.mm, f.va, e.pte());
                Fault::unlock_over(k, f, FaultResult::Done)
            }
        }
    }
}
