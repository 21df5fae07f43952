//! What a CPU does by itself: a load or a store, through its TLB or a page walk. No lock covers it.
//!
//! A store sets the PTE's dirty bit in the walk (or finds it set), and the walk fills the TLB; the access itself is a step of
//! its own, through the translation. A flush in between makes the CPU walk again, for no CPU acknowledges a flush in the
//! middle of an instruction.

use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::machine::TlbEntry;
use crate::memory::fault::{Fault, FaultCx, FaultKind, FaultResult};
use crate::packed;
use crate::pgtable::Pte;
use crate::step::{Step, step};
use crate::task::{Call, Errno, Next};
use crate::world::Access as Kind;

packed! {
    /// A CPU's access to one of its process's pages.
    pub enum Access {
        /// Walks the page table, or uses what the TLB holds.
        Walk { va: Va, store: bool },
        /// Has a translation and makes the access.
        Touch { va: Va, store: bool },
    }
}

impl Access {
    /// A load.
    pub fn load(va: Va) -> Access {
        Access::Walk { va, store: false }
    }

    /// A store.
    pub fn store(va: Va) -> Access {
        Access::Walk { va, store: true }
    }

    /// The description of the next step.
    pub fn describe(&self, _v: &View) -> Step {
        match *self {
            Access::Walk { .. } => step("CPU walk", "hardware"),
            Access::Touch { store: true, .. } => step("CPU store", "hardware"),
            Access::Touch { store: false, .. } => step("CPU load", "hardware"),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        match self {
            Access::Walk { va, store } => walk(k, va, store),
            Access::Touch { va, store } => {
                let Some(entry) = k.tlb(va).filter(|entry| usable(entry, store)) else {
                    return walk(k, va, store);
                };
                let kind = if store { Kind::Store } else { Kind::Load };
                k.access(k.who.mm, va, entry.pfn, kind);
                Next::Return { result: Ok(()) }
            }
        }
    }

    /// The fault that the walk raised is over.
    pub fn after_fault(self, result: FaultResult) -> Next {
        match result {
            FaultResult::Done | FaultResult::Retry | FaultResult::Oom => Next::Call {
                call: Call::Access { p: self },
            },
            FaultResult::Segv | FaultResult::Sigbus => Next::Return {
                result: Err(Errno::Segv),
            },
        }
    }
}

/// Will this translation do?
pub fn usable(entry: &TlbEntry, store: bool) -> bool {
    !store || (entry.write && entry.dirty)
}

/// The page walk: a usable translation in the TLB is used or not, as the hardware likes; else the PTE decides.
fn walk(k: &mut Kernel, va: Va, store: bool) -> Next {
    let cached = k.tlb(va).filter(|entry| usable(entry, store));
    let go = Next::Call {
        call: Call::Access {
            p: Access::Touch { va, store },
        },
    };
    let mm = k.who.mm;
    let walked = match k.pte(mm, va) {
        Pte::Present { e } if !e.protnone && (e.write || !store) => Some(TlbEntry {
            pfn: e.pfn,
            write: e.write,
            dirty: e.dirty || store,
        }),
        _ => None,
    };
    if let Some(entry) = cached {
        let same = walked.is_some_and(|w| w.pfn == entry.pfn && w.write == entry.write);
        if same || k.choose(2) == 0 {
            return go;
        }
    }
    match (walked, k.pte(mm, va)) {
        (Some(entry), Pte::Present { e }) => {
            if store && !e.dirty {
                // The hardware sets the bit in one atomic update of the PTE.
                k.set_pte(
                    mm,
                    va,
                    Pte::Present {
                        e: crate::pgtable::Present { dirty: true, ..e },
                    },
                );
            }
            k.fill_tlb(va, entry);
            go
        }
        _ => {
            let kind = if store {
                FaultKind::Write
            } else {
                FaultKind::Read
            };
            Next::Fault {
                call: Call::Access {
                    p: Access::Walk { va, store },
                },
                fault: Fault::enter(k, FaultCx::own(mm, va, kind)),
            }
        }
    }
}
