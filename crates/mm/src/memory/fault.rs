//! Fault entry and dispatch: `handle_mm_fault`, `handle_pte_fault` (mm/memory.c), `lock_vma_under_rcu` (6.4).
//!
//! A fault takes mmap_lock for read, or from 6.4 the lock of its VMA, unless its caller (GUP) holds mmap_lock already. It reads
//! the PTE without the page-table lock and dispatches on it; every handler checks the PTE again under the lock and silently
//! gives up when it changed: the CPU faults again.

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::memory::do_anonymous_page::DoAnonymousPage;
use crate::memory::do_swap_page::DoSwapPage;
use crate::memory::do_wp_page::{self, DoWpPage};
use crate::memory::wp_page_copy::WpPageCopy;
use crate::packed;
use crate::pgtable::{Present, Pte};
use crate::step::{Step, Wait, step};

packed! {
    /// What a fault is about.
    pub struct FaultCx {
        /// The process.
        pub mm: MmId,
        /// The page.
        pub va: Va,
        /// The access.
        pub kind: FaultKind,
        /// The lock that keeps the VMA in place.
        pub lock: FaultLock,
        /// `FAULT_FLAG_REMOTE` with FOLL_FORCE: the VMA's protection is not looked at.
        pub force: bool,
    }

    /// What kind of access faults.
    pub enum FaultKind {
        /// A read.
        Read,
        /// `FAULT_FLAG_WRITE`.
        Write,
        /// `FAULT_FLAG_UNSHARE` (5.19): make the page exclusive, read-only.
        Unshare,
    }

    /// Which lock a fault runs under.
    pub enum FaultLock {
        /// mmap_lock for read, taken by the fault.
        Mmap,
        /// The VMA's lock for read, taken by the fault (6.4).
        Vma,
        /// mmap_lock for read, taken by the caller.
        Callers,
        /// mmap_lock, taken by a caller who cannot have it dropped (no `FAULT_FLAG_ALLOW_RETRY`): what userspace would have to
        /// resolve fails.
        Kept,
    }

    /// What the caller of a fault learns.
    pub enum FaultResult {
        /// Done, or worth another try: the access is made again.
        Done,
        /// VM_FAULT_RETRY: the lock was dropped meanwhile.
        Retry,
        /// VM_FAULT_SIGSEGV, or no VMA.
        Segv,
        /// VM_FAULT_SIGBUS.
        Sigbus,
        /// VM_FAULT_OOM.
        Oom,
    }

    /// A fault under way; `Idle`: none is.
    pub enum Fault {
        /// No fault.
        Idle,
        /// Takes the lock, looks at the VMA, reads the PTE.
        Entry { f: FaultCx },
        /// A present PTE was read: takes the page-table lock and checks it again.
        Present { f: FaultCx, orig: Present },
        /// A migration entry was read: sleeps until it goes.
        MigrationWait { f: FaultCx },
        /// `handle_userfault`: sleeps, without the lock, until userspace resolves it.
        Userfault { f: FaultCx },
        /// A missing page.
        Anonymous { p: DoAnonymousPage },
        /// A write-protected page.
        Wp { p: DoWpPage },
        /// Its copy.
        Copy { p: WpPageCopy },
        /// A swapped-out page.
        SwapIn { p: DoSwapPage },
        /// A NUMA hinting PTE.
        Numa { p: crate::numa::DoNumaPage },
        /// Over.
        Over { result: FaultResult },
    }
}

impl FaultCx {
    /// A CPU's own fault.
    pub fn own(mm: MmId, va: Va, kind: FaultKind) -> FaultCx {
        FaultCx {
            mm,
            va,
            kind,
            lock: FaultLock::Mmap,
            force: false,
        }
    }

    /// A fault that `break_ksm` makes up (`FAULT_FLAG_REMOTE`): permissions are not looked at.
    pub fn fake(mm: MmId, va: Va, kind: FaultKind) -> FaultCx {
        FaultCx {
            mm,
            va,
            kind,
            lock: FaultLock::Kept,
            force: true,
        }
    }

    /// A fault on behalf of GUP, which holds mmap_lock (`lock`: may the fault drop it?).
    pub fn gup(mm: MmId, va: Va, kind: FaultKind, lock: FaultLock, force: bool) -> FaultCx {
        FaultCx {
            mm,
            va,
            kind,
            lock,
            force,
        }
    }
}

impl Fault {
    /// The fault that is about to begin: under which lock depends on the kernel.
    pub fn enter(k: &Kernel, mut f: FaultCx) -> Fault {
        if f.lock == FaultLock::Mmap && k.has(F::PerVmaLock) {
            f.lock = FaultLock::Vma;
        }
        Fault::Entry { f }
    }

    /// Drops the lock that the fault took, and is over. A lock dropped moves left: it needs no step of its own.
    pub fn over(k: &mut Kernel, f: FaultCx, result: FaultResult) -> Fault {
        match f.lock {
            FaultLock::Mmap => k.mmap_read_unlock(f.mm),
            FaultLock::Vma => k.vma_read_unlock(f.mm, f.va),
            FaultLock::Callers | FaultLock::Kept => {}
        }
        Fault::Over { result }
    }

    /// Drops the page-table lock first.
    pub fn unlock_over(k: &mut Kernel, f: FaultCx, result: FaultResult) -> Fault {
        k.unlock_ptl(f.mm);
        Fault::over(k, f, result)
    }

    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        match self {
            Fault::Idle | Fault::Over { .. } => step("", ""),
            Fault::Entry { f } => {
                step("WP0", "handle_mm_fault")
                    .under(f.lock.name())
                    .waits(match f.lock {
                        FaultLock::Mmap => Wait::MmapRead(f.mm),
                        FaultLock::Vma => Wait::VmaRead(f.mm, f.va),
                        FaultLock::Callers | FaultLock::Kept => Wait::Nothing,
                    })
            }
            Fault::Present { f, .. } => step("WP1", "handle_pte_fault")
                .under("PTL")
                .waits(Wait::Ptl(f.mm)),
            Fault::MigrationWait { f } => {
                step("migration wait", "migration_entry_wait").waits(Wait::NotMigrating(f.mm, f.va))
            }
            Fault::Userfault { f } => {
                step("userfault", "handle_userfault").waits(Wait::Uffd(f.mm, f.va))
            }
            Fault::Anonymous { p } => p.describe(v),
            Fault::Wp { p } => p.describe(v),
            Fault::Copy { p } => p.describe(v),
            Fault::SwapIn { p } => p.describe(v),
            Fault::Numa { p } => p.describe(v),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Fault {
        match self {
            Fault::Idle | Fault::Over { .. } => self,
            Fault::Entry { f } => entry(k, f),
            Fault::Present { f, orig } => present(k, f, orig),
            Fault::MigrationWait { f } => Fault::over(k, f, FaultResult::Done),
            // GUP has given up mmap_lock in between.
            Fault::Userfault { .. } => Fault::Over {
                result: FaultResult::Retry,
            },
            Fault::Anonymous { p } => p.step(k),
            Fault::Wp { p } => p.step(k),
            Fault::Copy { p } => p.step(k),
            Fault::SwapIn { p } => p.step(k),
            Fault::Numa { p } => p.step(k),
        }
    }

    /// The paths of a fault, each with its steps.
    const PATHS: [(&'static str, &'static [&'static str]); 6] = [
        ("Fault", &["Entry", "Present", "MigrationWait", "Userfault"]),
        ("DoAnonymousPage", DoAnonymousPage::VARIANTS),
        ("DoWpPage", DoWpPage::VARIANTS),
        ("WpPageCopy", WpPageCopy::VARIANTS),
        ("DoSwapPage", DoSwapPage::VARIANTS),
        ("DoNumaPage", crate::numa::DoNumaPage::VARIANTS),
    ];

    /// Every step of every fault: the path and the step's name.
    pub fn steps() -> impl Iterator<Item = (&'static str, &'static str)> {
        let paths = Fault::PATHS.into_iter();
        paths.flat_map(|(path, steps)| steps.iter().map(move |step| (path, *step)))
    }

    /// The number of the next step, in the order of [`steps`](Fault::steps).
    pub fn step_number(&self) -> usize {
        let (path, step) = match self {
            Fault::Anonymous { p } => (1, p.number()),
            Fault::Wp { p } => (2, p.number()),
            Fault::Copy { p } => (3, p.number()),
            Fault::SwapIn { p } => (4, p.number()),
            Fault::Numa { p } => (5, p.number()),
            // Behind `Idle`.
            own => (0, own.number() - 1),
        };
        let before = &Fault::PATHS[..path];
        before.iter().map(|(_, steps)| steps.len()).sum::<usize>() + step
    }

    /// Is this a swap-in that got hold of the swap device?
    pub fn swaps_in(&self) -> bool {
        matches!(self, Fault::SwapIn { p } if !p.is_entry())
    }

    /// `handle_userfault`: drops the lock and sleeps.
    pub fn userfault(k: &mut Kernel, f: FaultCx) -> Fault {
        match f.lock {
            FaultLock::Kept => {
                return Fault::Over {
                    result: FaultResult::Sigbus,
                };
            }
            FaultLock::Vma => k.vma_read_unlock(f.mm, f.va),
            FaultLock::Mmap | FaultLock::Callers => k.mmap_read_unlock(f.mm),
        }
        Fault::Userfault { f }
    }
}

impl FaultLock {
    fn name(self) -> &'static str {
        match self {
            FaultLock::Mmap | FaultLock::Callers => "mmap_lock (read)",
            FaultLock::Kept => "mmap_lock",
            FaultLock::Vma => "VMA lock (read)",
        }
    }
}

/// Takes the lock (a right mover), looks at the VMA (stable under it) and reads the PTE: one observation.
fn entry(k: &mut Kernel, f: FaultCx) -> Fault {
    match f.lock {
        FaultLock::Mmap => k.mmap_read_lock(f.mm),
        FaultLock::Vma => k.vma_read_lock(f.mm, f.va),
        FaultLock::Callers | FaultLock::Kept => {}
    }
    let vma = *k.vma(f.mm, f.va);
    if f.lock == FaultLock::Vma && f.kind == FaultKind::Write && vma.mapped && !vma.anon_vma {
        // vmf_anon_prepare() looks at neighbours, which takes mmap_lock: once more, under that.
        k.vma_read_unlock(f.mm, f.va);
        return Fault::Entry {
            f: FaultCx {
                lock: FaultLock::Mmap,
                ..f
            },
        };
    }
    let allowed = vma.mapped
        && match f.kind {
            FaultKind::Write => vma.write || f.force,
            FaultKind::Read | FaultKind::Unshare => vma.read || f.force,
        };
    if !allowed {
        return Fault::over(k, f, FaultResult::Segv);
    }
    match k.pte(f.mm, f.va) {
        Pte::None | Pte::Marker => {
            if vma.userfaults() {
                return Fault::userfault(k, f);
            }
            DoAnonymousPage::enter(f)
        }
        Pte::Swap { e } => DoSwapPage::enter(f, e),
        Pte::Migration { .. } => Fault::MigrationWait { f },
        Pte::Present { e } if vma.traps_reads(e.uffd_wp) => Fault::userfault(k, f),
        // In a PROT_NONE VMA (reached by FOLL_FORCE) protnone is no hint.
        Pte::Present { e } if e.protnone && vma.accessible() => {
            crate::numa::DoNumaPage::enter(f, e)
        }
        Pte::Present { e } => Fault::Present { f, orig: e },
    }
}

/// Under the page-table lock, with the PTE checked again: a write (or unshare) fault on a PTE that is not writable becomes
/// `do_wp_page`; else another CPU was faster, and dirty (and young) are all that is left to set.
fn present(k: &mut Kernel, f: FaultCx, orig: Present) -> Fault {
    k.lock_ptl(f.mm);
    if k.pte(f.mm, f.va) != orig.pte() {
        return Fault::unlock_over(k, f, FaultResult::Done);
    }
    if f.kind != FaultKind::Read && !orig.write {
        return do_wp_page::enter(k, f, orig);
    }
    if f.kind == FaultKind::Write {
        k.set_pte(
            f.mm,
            f.va,
            Pte::Present {
                e: Present {
                    dirty: true,
                    soft_dirty: true,
                    ..orig
                },
            },
        );
    }
    Fault::unlock_over(k, f, FaultResult::Done)
}
