//! `change_protection`, `change_pte_range` (mm/mprotect.c) for its three callers; a range is one page here.
//!
//! Locks: mmap_lock for write and the VMA's lock (mprotect) or mmap_lock for read (NUMA hinting, userfaultfd); each PTE under the
//! PTL, where what reclaim deferred is flushed first (4.13, `batched_flush`). `tlb_flush_pending` is raised from before the
//! first change until after the flush.
//!
//! A PTE is taken out and put back changed (`ptep_modify_prot_start`, `_commit`). Nobody sees more of the moment in between than
//! that it is empty, upon which GUP-fast and faults turn to locks that are held: it is one step.

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::mprotect::{Prot, can_change_pte_writable};
use crate::packed;
use crate::page::PageKind;
use crate::pgtable::{Migration, MigrationKind, Present, Pte, SwapPte};
use crate::step::{Step, Wait, step};
use crate::task::{Call, Errno, Next};
use crate::world::{Event, Trap};

packed! {
    /// A change of the protection of one page.
    pub enum ChangeProtection {
        /// Takes mmap_lock, checks the VMA. mprotect changes the VMA's flags, unless its lock has to be taken first.
        Begin { c: Change },
        /// mprotect: takes the VMA's lock for write (6.4), changes its flags.
        LockVma { c: Change },
        /// Takes the PTL, flushes what reclaim deferred, changes the PTE.
        Pte { c: Change },
        /// Flushes what was made stricter, or everything if another call has still to flush.
        Flush { c: Change, gathered: bool },
        /// Drops the lock; the call returns.
        End { c: Change },
    }

    /// Whose protection is changed, and how.
    pub struct Change {
        /// The process.
        pub mm: MmId,
        /// The page.
        pub va: Va,
        /// The caller.
        pub by: By,
    }

    /// The callers of `change_protection`: MM_CP_*.
    pub enum By {
        /// mprotect.
        Mprotect { prot: Prot },
        /// MM_CP_PROT_NUMA: task_numa_work.
        Numa,
        /// MM_CP_UFFD_WP: UFFDIO_WRITEPROTECT with UFFDIO_WRITEPROTECT_MODE_WP.
        UffdWp,
        /// MM_CP_UFFD_RWP: UFFDIO_RWPROTECT (in no release).
        UffdRwp,
        /// MM_CP_UFFD_WP_RESOLVE: UFFDIO_WRITEPROTECT or UFFDIO_RWPROTECT without a mode.
        UffdWpResolve,
    }
}

use ChangeProtection::{Begin, End, Flush, LockVma, Pte as ChangePte};

impl ChangeProtection {
    /// mprotect of a page of the caller's process.
    pub fn mprotect(mm: MmId, va: Va, prot: Prot) -> Next {
        ChangeProtection::enter(mm, va, By::Mprotect { prot })
    }

    /// Enters the call.
    pub fn enter(mm: MmId, va: Va, by: By) -> Next {
        go(Begin {
            c: Change { mm, va, by },
        })
    }

    /// The description of the next step.
    pub fn describe(&self, _v: &View) -> Step {
        match *self {
            Begin { c } => step(c.by.label(), c.by.function())
                .under(c.by.lock())
                .waits(match c.by {
                    By::Mprotect { .. } => Wait::MmapWrite(c.mm),
                    _ => Wait::MmapRead(c.mm),
                }),
            LockVma { c } => step("MP VMA", "vma_start_write")
                .under(c.by.lock())
                .waits(Wait::VmaWrite(c.mm, c.va)),
            ChangePte { c } => step("MP pte", "change_pte_range")
                .under("PTL")
                .waits(Wait::Ptl(c.mm)),
            Flush { c, .. } => step("MP flush", "tlb_flush_mmu").under(c.by.lock()),
            End { c } => step("MP end", c.by.function()).under(c.by.lock()),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        match self {
            Begin { c } => begin(k, c),
            LockVma { c } => {
                k.vma_mut(c.mm, c.va).writer = true;
                start(k, c)
            }
            ChangePte { c } => {
                k.lock_ptl(c.mm);
                k.flush_tlb_batched_pending(c.mm);
                let gathered = change_pte(k, c);
                k.unlock_ptl(c.mm);
                go(Flush { c, gathered })
            }
            Flush { c, gathered } => {
                if k.has(F::ProtectFlush) {
                    k.tlb_flush_mmu(c.mm, c.va, gathered);
                }
                go(End { c })
            }
            End { c } => end(k, c),
        }
    }
}

fn go(p: ChangeProtection) -> Next {
    Next::Call {
        call: Call::ChangeProtection { p },
    }
}

impl By {
    fn label(self) -> &'static str {
        match self {
            By::Mprotect { .. } => "MP lock",
            By::Numa => "NU lock",
            By::UffdWp | By::UffdRwp | By::UffdWpResolve => "UW lock",
        }
    }

    fn function(self) -> &'static str {
        match self {
            By::Mprotect { .. } => "mprotect_fixup",
            By::Numa => "change_prot_numa",
            By::UffdWp | By::UffdWpResolve => "mwriteprotect_range",
            By::UffdRwp => "mrwprotect_range",
        }
    }

    fn lock(self) -> &'static str {
        match self {
            By::Mprotect { .. } => "mmap_lock (write)",
            _ => "mmap_lock (read)",
        }
    }
}

fn begin(k: &mut Kernel, c: Change) -> Next {
    if let By::Mprotect { prot } = c.by {
        k.mmap_write_lock(c.mm);
        let vma = *k.vma(c.mm, c.va);
        let same = (vma.read, vma.write) == (prot != Prot::None, prot == Prot::ReadWrite);
        if !vma.mapped || same {
            k.mmap_write_unlock(c.mm);
            return Next::Return {
                result: if vma.mapped {
                    Ok(())
                } else {
                    Err(Errno::Enomem)
                },
            };
        }
        return if k.has(F::PerVmaLock) {
            go(LockVma { c })
        } else {
            start(k, c)
        };
    }
    k.mmap_read_lock(c.mm);
    let vma = *k.vma(c.mm, c.va);
    let refused = match c.by {
        // task_numa_work() passes over what cannot be accessed anyway.
        By::Numa => (!vma.mapped || !vma.accessible()).then_some(Errno::Ebusy),
        By::UffdRwp if !k.has(F::UffdRwp) => Some(Errno::Einval),
        By::UffdRwp => (!vma.mapped || !vma.uffd_rwp).then_some(Errno::Enoent),
        _ => (!vma.mapped || !vma.traps_writes(true)).then_some(Errno::Enoent),
    };
    if let Some(errno) = refused {
        k.mmap_read_unlock(c.mm);
        return Next::Return { result: Err(errno) };
    }
    start(k, c)
}

/// All locks are held: mprotect changes the VMA, before any PTE.
fn start(k: &mut Kernel, c: Change) -> Next {
    k.tlb_gather_mmu(c.mm);
    if let By::Mprotect { prot } = c.by {
        let vma = k.vma_mut(c.mm, c.va);
        vma.read = prot != Prot::None;
        vma.write = prot == Prot::ReadWrite;
        if prot == Prot::ReadWrite {
            // A PTE may be writable from its change on, which is before the call returns.
            k.event(Event::WriteAllowed { mm: c.mm, va: c.va });
        }
    }
    go(ChangePte { c })
}

/// `change_pte_range`. True if a translation that the PTE allowed so far has to go.
fn change_pte(k: &mut Kernel, c: Change) -> bool {
    match k.pte(c.mm, c.va) {
        Pte::Present { e } => change_present(k, c, e),
        Pte::Swap { e } => {
            let uffd_wp = c.by.mark(e.uffd_wp);
            k.set_pte(
                c.mm,
                c.va,
                Pte::Swap {
                    e: SwapPte { uffd_wp, ..e },
                },
            );
            lifted(k, c);
            false
        }
        Pte::Migration { e } => {
            change_migration(k, c, e);
            lifted(k, c);
            false
        }
        Pte::Marker => {
            if c.by == By::UffdWpResolve {
                k.set_pte(c.mm, c.va, Pte::None);
                lifted(k, c);
            }
            false
        }
        Pte::None => {
            // Anonymous memory that was never touched is not protected. Of a file, the page cache may hold a page: a marker.
            if c.by == By::UffdWp && k.vma(c.mm, c.va).file.is_some() {
                k.set_pte(c.mm, c.va, Pte::Marker);
            }
            false
        }
    }
}

fn change_present(k: &mut Kernel, c: Change, old: Present) -> bool {
    if c.by == By::Numa && !crate::numa::worth_a_hint(k, old) {
        return false;
    }
    let vma = *k.vma(c.mm, c.va);
    // pte_modify(): the protection of a private VMA never allows writes.
    let uffd_wp = c.by.mark(old.uffd_wp);
    let mut new = Present {
        protnone: c.by == By::Numa || !vma.accessible() || vma.traps_reads(uffd_wp),
        uffd_wp,
        ..old.wrprotect()
    };
    let upgrade = match c.by {
        By::Mprotect { .. } => k.has(F::MprotectExcl),
        // 6.3, a release later; nobody can tell, for the write fault would come to the same result.
        By::UffdWpResolve => k.has(F::MprotectExclClean),
        By::Numa | By::UffdWp | By::UffdRwp => false,
    };
    if upgrade && can_change_pte_writable(k, c.mm, c.va, new) {
        new.write = true;
    }
    if c.by == By::Numa && !k.has(F::NumaExcl) {
        new.saved_write = old.writable();
    }
    k.set_pte(c.mm, c.va, new.pte());
    lifted(k, c);
    !old.protnone && (new.protnone || (old.write && !new.write))
}

/// A writable entry becomes readable, and stays exclusive if the kernel knows of such (5.19).
fn change_migration(k: &mut Kernel, c: Change, e: Migration) {
    let mut kind = e.kind;
    if kind == MigrationKind::Writable && k.has(F::ProtectMigration) {
        let anon = k.page(e.pfn).kind != PageKind::File;
        kind = if anon && k.has(F::AnonExclusive) {
            MigrationKind::ReadableExclusive
        } else {
            MigrationKind::Readable
        };
    }
    let uffd_wp = c.by.mark(e.uffd_wp);
    let e = Migration { kind, uffd_wp, ..e };
    k.set_pte(c.mm, c.va, Pte::Migration { e });
}

impl By {
    /// The uffd-wp bit of an entry that had `old`.
    fn mark(self, old: bool) -> bool {
        match self {
            By::UffdWp | By::UffdRwp => true,
            By::UffdWpResolve => false,
            By::Mprotect { .. } | By::Numa => old,
        }
    }
}

/// An unprotected page may be written from the change of its PTE on.
fn lifted(k: &mut Kernel, c: Change) {
    if c.by == By::UffdWpResolve {
        k.event(Event::TrapLifted {
            mm: c.mm,
            va: c.va,
            by: Trap::Uffd,
        });
    }
}

fn end(k: &mut Kernel, c: Change) -> Next {
    let (mm, va) = (c.mm, c.va);
    k.tlb_finish_mmu(mm);
    match c.by {
        By::Mprotect { prot } => {
            k.mmap_write_unlock(mm);
            if prot != Prot::ReadWrite {
                k.event(Event::WriteForbidden { mm, va });
            }
        }
        By::UffdWp | By::UffdRwp => {
            if is_trapped(k.pte(mm, va)) {
                k.event(Event::WriteTrapped {
                    mm,
                    va,
                    by: Trap::Uffd,
                });
            }
            k.mmap_read_unlock(mm);
        }
        By::Numa | By::UffdWpResolve => k.mmap_read_unlock(mm),
    }
    Next::Return { result: Ok(()) }
}

/// Does the entry remember userfaultfd write-protection?
pub fn is_trapped(pte: Pte) -> bool {
    match pte {
        Pte::None => false,
        Pte::Present { e } => e.uffd_wp,
        Pte::Swap { e } => e.uffd_wp,
        Pte::Migration { e } => e.uffd_wp,
        Pte::Marker => true,
    }
}
