//! Unmapping for migration: `try_to_migrate_one` (mm/rmap.c).
//!
//! Under the folio lock, mapping by mapping, each under its page-table lock: the PTE is cleared and flushed, then an exclusive
//! page that may be pinned gets its PTE back and the walk ends (5.19), then a migration entry takes its place. The entry
//! remembers whether the PTE was writable, else (5.19) whether the page was exclusive, the PTE's marks, and (6.1) its dirty bit.
//! Compaction defers the flushes until the page is unmapped everywhere (6.3).

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::packed;
use crate::pgtable::{Migration, MigrationKind, Present, Pte};
use crate::rmap::try_to_unmap::defer_flush;
use crate::step::{Step, Wait, step};
use crate::tlb::TlbBatch;
use crate::world::Broken;

packed! {
    /// The unmapping of one page. `old` is the PTE that was cleared.
    pub enum TryToMigrate {
        /// MG4: takes the page-table lock of the next mapping, clears its PTE.
        Clear { pfn: Pfn, mm: MmId, at: Va },
        /// MG4: flushes, or defers it. PTL held, as in all that follows.
        Flush { pfn: Pfn, mm: MmId, at: Va, old: Present },
        /// MG4: an exclusive page that may be pinned stays.
        PinTest { pfn: Pfn, mm: MmId, at: Va, old: Present },
        /// MG4: clears PG_anon_exclusive, sets the migration entry, drops mapping and reference.
        SetEntry { pfn: Pfn, mm: MmId, at: Va, old: Present },
    }
}

use TryToMigrate::*;

/// What follows a step of the unmapping.
pub enum Unmapping {
    /// More of it.
    On(TryToMigrate),
    /// No mapping is left, or one could not go.
    Over,
}

impl TryToMigrate {
    /// The first mapping of `pfn`, if it has one that the reverse mapping finds.
    pub fn enter(k: &mut Kernel, pfn: Pfn) -> Unmapping {
        after(k, pfn, 0)
    }

    /// The description of the next step.
    pub fn describe(&self, _v: &View) -> Step {
        const F: &str = "try_to_migrate_one";
        const LOCKS: &str = "folio lock, PTL";
        match *self {
            Clear { mm, .. } => step("MG4 clear", F).under(LOCKS).waits(Wait::Ptl(mm)),
            Flush { .. } => step("MG4 flush", F).under(LOCKS),
            PinTest { .. } => step("MG4 pin test", "folio_try_share_anon_rmap_pte").under(LOCKS),
            SetEntry { .. } => step("MG4 set", F).under(LOCKS),
        }
    }

    /// Takes the next step. `batch`: flushes may be deferred.
    pub fn step(self, k: &mut Kernel, batch: Option<&mut TlbBatch>) -> Unmapping {
        match self {
            Clear { pfn, mm, at } => {
                k.lock_ptl(mm);
                let Some(old) = k.pte(mm, at).present().filter(|e| e.pfn == pfn) else {
                    k.unlock_ptl(mm);
                    return after(k, pfn, site(mm, at) + 1);
                };
                k.clear_pte(mm, at);
                Unmapping::On(Flush { pfn, mm, at, old })
            }
            Flush { pfn, mm, at, old } => {
                match batch {
                    Some(batch) => defer_flush(k, mm, at, old, batch),
                    None if k.has(F::MigFlush) => k.flush_tlb_page(mm, at),
                    None => {}
                }
                if old.dirty && k.has(F::MigDirty) {
                    k.page_mut(pfn).dirty = true;
                }
                let exclusive = k.anon_exclusive(pfn);
                if old.writable() && !exclusive && k.has(F::AnonExclusive) {
                    k.broken(Broken::WExcl);
                }
                Unmapping::On(if exclusive {
                    PinTest { pfn, mm, at, old }
                } else {
                    SetEntry { pfn, mm, at, old }
                })
            }
            PinTest { pfn, mm, at, old } => {
                if k.has(F::MigPinTest) && k.maybe_dma_pinned(pfn) {
                    k.set_pte(mm, at, old.pte());
                    k.unlock_ptl(mm);
                    return Unmapping::Over;
                }
                Unmapping::On(SetEntry { pfn, mm, at, old })
            }
            SetEntry { pfn, mm, at, old } => {
                let e = entry(k, old);
                k.page_mut(pfn).exclusive = false;
                k.set_pte(mm, at, Pte::Migration { e });
                k.remove_rmap(pfn);
                k.put_page(pfn);
                k.unlock_ptl(mm);
                after(k, pfn, site(mm, at) + 1)
            }
        }
    }
}

/// The entry in the place of `old`.
fn entry(k: &mut Kernel, old: Present) -> Migration {
    let kind = if old.writable() {
        MigrationKind::Writable
    } else if k.anon_exclusive(old.pfn) && k.has(F::MigReadableExclusive) {
        MigrationKind::ReadableExclusive
    } else {
        MigrationKind::Readable
    };
    Migration {
        pfn: old.pfn,
        kind,
        dirty: old.dirty && k.has(F::MigYoungDirty),
        soft_dirty: old.soft_dirty,
        uffd_wp: old.uffd_wp,
    }
}

fn site(mm: MmId, va: Va) -> usize {
    mm.at() * MAX_PAGES + va.at()
}

fn after(k: &mut Kernel, pfn: Pfn, from: usize) -> Unmapping {
    match k.next_mapping(pfn, from) {
        Some((mm, at)) => Unmapping::On(Clear { pfn, mm, at }),
        None => Unmapping::Over,
    }
}
