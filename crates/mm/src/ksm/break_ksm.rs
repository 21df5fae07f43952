//! Breaking KSM: `break_ksm` (mm/ksm.c), under the mmap_lock of its caller.
//!
//! Faults until no KSM page is mapped any more. Up to 6.1 by a made-up write fault, with a reference to the page held over it:
//! that fault sets the soft-dirty bit, and if the PTE is write-protected by userfaultfd it is refused, so that the call ends with
//! the KSM page still mapped. From 6.2 on (`ksm_unshare`) by an unshare fault, which has neither effect. Up to 6.1 it is `follow_page` that
//! looks, which in 6.1 does not see through PROT_NONE (`follow_no_protnone`).

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::ksm::RmapItem;
use crate::memory::fault::{Fault, FaultCx, FaultKind, FaultResult};
use crate::packed;
use crate::pgtable::Pte;
use crate::step::{Step, Wait, step};
use crate::task::Errno;

packed! {
    /// The breaking of one page.
    pub enum BreakKsm {
        /// Looks at what is mapped, under the PTL.
        Follow { at: RmapItem },
        /// FOLL_MIGRATION: sleeps until the migration entry goes.
        Migrating { at: RmapItem },
        /// A fault runs. `held`: the page that is referenced meanwhile.
        Faulting { at: RmapItem, held: Option<Pfn> },
    }
}

use BreakKsm::*;

/// What follows a step.
pub enum Breaking {
    /// More of it.
    On(BreakKsm),
    /// A fault.
    Fault(BreakKsm, Fault),
    /// Over; an error: out of memory.
    Over(Result<(), Errno>),
}

impl BreakKsm {
    /// The description of the next step.
    pub fn describe(&self, _v: &View) -> Step {
        match *self {
            Follow { at } => step("break follow", "break_ksm")
                .under("mmap_lock, PTL")
                .waits(Wait::Ptl(at.mm)),
            Migrating { at } => step("migration wait", "migration_entry_wait")
                .under("mmap_lock")
                .waits(Wait::NotMigrating(at.mm, at.va)),
            Faulting { .. } => step("break fault", "break_ksm").under("mmap_lock"),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Breaking {
        let (Follow { at } | Migrating { at } | Faulting { at, .. }) = self;
        let pfn = match k.pte(at.mm, at.va) {
            Pte::Migration { .. } => return Breaking::On(Migrating { at }),
            pte => pte.normal_page(),
        };
        if !matches!(self, Follow { .. }) {
            return Breaking::On(Follow { at });
        }
        let Some(pfn) = pfn.filter(|&pfn| k.page(pfn).ksm()) else {
            return Breaking::Over(Ok(()));
        };
        // It walks the page table by itself since the release in which it unshares (d7c0e68dab98).
        if !k.has(F::KsmUnshare) && k.hidden_by_protnone(at.mm, at.va) {
            return Breaking::Over(Ok(()));
        }
        let (kind, held) = if k.has(F::KsmUnshare) {
            (FaultKind::Unshare, None)
        } else {
            k.get_page(pfn);
            (FaultKind::Write, Some(pfn))
        };
        let fault = Fault::enter(k, FaultCx::fake(at.mm, at.va, kind));
        Breaking::Fault(Faulting { at, held }, fault)
    }

    /// The fault is over: looks again, for a fault may have backed out.
    pub fn after_fault(self, k: &mut Kernel, result: FaultResult) -> Breaking {
        let Faulting { at, held } = self else {
            return Breaking::On(self);
        };
        if let Some(pfn) = held {
            k.put_page(pfn);
        }
        match result {
            FaultResult::Done | FaultResult::Retry => Breaking::On(Follow { at }),
            FaultResult::Segv | FaultResult::Sigbus => Breaking::Over(Ok(())),
            FaultResult::Oom => Breaking::Over(Err(Errno::Enomem)),
        }
    }
}
