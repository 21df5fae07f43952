//! Mapping again after migration: `remove_migration_pte` (mm/migrate.c).
//!
//! Entry by entry, each under its page-table lock. The entry says what the PTE becomes; one that was zapped meanwhile is gone,
//! one that was forked is readable by now. On success the entries, which name the old page, become PTEs of the new one; on
//! failure, of the old one. The reverse mapping visits a process before its children: an entry that fork copies meanwhile is met
//! later.

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::packed;
use crate::pgtable::{MigrationKind, Present};
use crate::rmap::Rmap;
use crate::step::{Step, Wait, step};

packed! {
    /// The walk over all migration entries for `old`, each of which becomes a PTE of `new`.
    pub enum RemoveMigrationPtes {
        /// MG8: one entry.
        Restore { old: Pfn, new: Pfn, mm: MmId, at: Va },
    }
}

use RemoveMigrationPtes::*;

impl RemoveMigrationPtes {
    /// The first entry, if there is one.
    pub fn enter(k: &mut Kernel, old: Pfn, new: Pfn) -> Option<RemoveMigrationPtes> {
        after(k, old, new, 0)
    }

    /// The description of the next step.
    pub fn describe(&self, _v: &View) -> Step {
        let Restore { mm, .. } = *self;
        step("MG8", "remove_migration_pte")
            .under("folio lock, PTL")
            .waits(Wait::Ptl(mm))
    }

    /// Takes the next step: what follows, if there is more.
    pub fn step(self, k: &mut Kernel) -> Option<RemoveMigrationPtes> {
        let Restore { old, new, mm, at } = self;
        k.lock_ptl(mm);
        if let Some(e) = k.pte(mm, at).migration().filter(|e| e.pfn == old) {
            k.get_page(new);
            let exclusive = e.kind != MigrationKind::Readable;
            k.add_anon_rmap(
                new,
                if exclusive {
                    Rmap::Exclusive
                } else {
                    Rmap::None
                },
            );
            let vma = *k.vma(mm, at);
            // mprotect has made the entry readable if the VMA is not writable any more. Without `mig_wrprotect` whatever the VMA
            // allows.
            let write = if k.has(F::MigWrprotect) {
                e.kind == MigrationKind::Writable
            } else {
                vma.write
            };
            let dirty = e.dirty && k.page(new).dirty;
            let pte = Present {
                write,
                dirty,
                soft_dirty: e.soft_dirty,
                // A writable entry is never marked: change_pte_range() makes it readable first.
                uffd_wp: e.uffd_wp && e.kind != MigrationKind::Writable,
                ..k.mk_pte(mm, at, new)
            };
            let pte = k.keep_rwp(mm, at, pte);
            k.set_pte(mm, at, pte.pte());
        }
        k.unlock_ptl(mm);
        after(k, old, new, mm.at() * MAX_PAGES + at.at() + 1)
    }
}

/// The first address at or after `from` in the order of the walk, which looks under each page-table lock (`PVMW_SYNC`): where there
/// is no entry now, as while mremap has it in hand, there may be one by then.
fn after(k: &mut Kernel, old: Pfn, new: Pfn, from: usize) -> Option<RemoveMigrationPtes> {
    k.rmap_sites(new)
        .find(|(mm, at)| mm.at() * MAX_PAGES + at.at() >= from)
        .map(|(mm, at)| Restore { old, new, mm, at })
}
