//! Migration of one page: `migrate_folio_unmap`, `migrate_folio_move`, `folio_migrate_mapping`, `folio_migrate_flags`
//! (mm/migrate.c); how the page is found: `add_page_for_migration` (move_pages), or compaction, which isolates it from the LRU.
//!
//! The page is locked and unmapped ([`try_to_migrate`]), moved, and mapped again ([`remove_migration_ptes`]); faults sleep on the
//! migration entries meanwhile. Any reference that the isolation and the swap cache do not explain makes it fail, and a page that
//! is unmapped gets no new ones: that is what keeps GUP right.
//!
//! The references are tested, the copy is made, and then a page in the swap cache is frozen and its slot switched to the new
//! page: the order of 6.11. Before, the copy came last. Nobody can tell: who looks the page up waits for the lock of the old page
//! or of the new one, and nobody else has a reference.
//!
//! move_pages stands for MPOL_MF_MOVE_ALL: it takes shared pages too. It waits for locks and writeback; compaction gives up, and defers its flushes (6.3). The retries of a migration that
//! fails for its references are left out: each is a later look at the same count.

pub mod remove_migration_ptes;
pub mod try_to_migrate;

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::migrate::remove_migration_ptes::RemoveMigrationPtes;
use crate::migrate::try_to_migrate::{TryToMigrate, Unmapping};
use crate::packed;
use crate::page::PageKind;
use crate::step::{Step, Wait, step};
use crate::task::{Call, Errno, Next};
use crate::tlb::TlbBatch;
use crate::vmscan::shrink_folio_list::isolate;

packed! {
    /// `enum migrate_mode`.
    pub enum MigrateMode {
        /// MIGRATE_SYNC: waits.
        Sync,
        /// MIGRATE_ASYNC: gives up.
        Async,
    }

    /// A page on its way.
    pub struct Move {
        /// The old page: isolated, so referenced; locked.
        pub src: Pfn,
        /// The new page: referenced, locked.
        pub dst: Pfn,
    }

    /// A migration under way.
    pub enum Migrate {
        /// move_pages: drains all LRU batches.
        Drain { mm: MmId, va: Va },
        /// move_pages: takes mmap_lock.
        Enter { mm: MmId, va: Va },
        /// MG1: move_pages: finds the page under the PTL and isolates it.
        Follow { mm: MmId, va: Va },
        /// MG1: compaction: isolates a page of this variable, whoever maps it.
        Isolate { mm: MmId, va: Va },
        /// Allocates the new page.
        Alloc { src: Pfn, mode: MigrateMode },
        /// MG2: locks the page.
        Lock { m: Move, mode: MigrateMode },
        /// MG3: waits for writeback, or gives up.
        Writeback { m: Move, mode: MigrateMode },
        /// MG4. `batch`: flushes that are deferred, if that may be.
        Unmap { m: Move, batch: Option<TlbBatch>, u: TryToMigrate },
        /// Unmapped: flushes what was deferred.
        Flush { m: Move, batch: TlbBatch },
        /// Still mapped?
        Unmapped { m: Move },
        /// MG5: the reference test.
        RefTest { m: Move },
        /// MG6: copies one more cell.
        Copy { m: Move, cell: Cell },
        /// MG7: freezes the page, and its slot is the new page's.
        Switch { m: Move },
        /// `folio_migrate_flags`.
        Flags { m: Move },
        /// MG8.
        Restore { m: Move, r: RemoveMigrationPtes },
        /// MG9: unlocks the new page, drops the reference to it.
        PutNew { m: Move },
        /// MG9: unlocks the old page, and frees it.
        PutOld { src: Pfn },
        /// Gave up: the old page is mapped again.
        RestoreOld { m: Move, r: RemoveMigrationPtes },
        /// Gave up: unlocks the old page.
        UnlockOld { m: Move },
        /// Gave up: the old page goes back to the LRU.
        Putback { m: Move },
    }
}

use Migrate::*;

impl Migrate {
    /// move_pages of the page that is mapped at `va` of `mm`.
    pub fn page(mm: MmId, va: Va) -> Next {
        go(Drain { mm, va })
    }

    /// Compaction comes by a page of this variable.
    pub fn compact(mm: MmId, va: Va) -> Next {
        go(Isolate { mm, va })
    }

    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        const UNMAP: &str = "migrate_folio_unmap";
        const MOVE: &str = "migrate_folio_move";
        const BOTH: &str = "both folio locks";
        match *self {
            Drain { .. } => step("MG drain", "lru_cache_disable"),
            Enter { mm, .. } => step("MG lock", "add_page_for_migration")
                .under("mmap_lock (read)")
                .waits(Wait::MmapRead(mm)),
            Follow { mm, .. } => step("MG1", "add_page_for_migration")
                .under("mmap_lock (read), PTL")
                .waits(Wait::Ptl(mm)),
            Isolate { .. } => step("MG1", "isolate_migratepages_block").under("LRU lock"),
            Alloc { .. } => step("MG alloc", UNMAP),
            Lock { m, mode } => step("MG2", UNMAP).under("folio lock").waits(match mode {
                MigrateMode::Sync => Wait::Folio(m.src),
                MigrateMode::Async => Wait::Nothing,
            }),
            Writeback { m, mode } => step("MG3", UNMAP).under(BOTH).waits(match mode {
                MigrateMode::Sync if v.has(F::MigWriteback) => Wait::Writeback(m.src),
                _ => Wait::Nothing,
            }),
            Unmap { ref u, .. } => u.describe(v),
            Flush { .. } => step("MG4 flush", "try_to_unmap_flush").under(BOTH),
            Unmapped { .. } => step("MG unmapped", UNMAP).under(BOTH),
            RefTest { .. } => step("MG5", "folio_migrate_mapping").under(BOTH),
            Copy { .. } => step("MG6", "folio_copy").under(BOTH),
            Switch { .. } => step("MG7", "folio_migrate_mapping").under(BOTH),
            Flags { .. } => step("MG flags", "folio_migrate_flags").under(BOTH),
            Restore { ref r, .. } | RestoreOld { ref r, .. } => r.describe(v),
            PutNew { .. } => step("MG9", MOVE).under(BOTH),
            PutOld { .. } => step("MG9", MOVE).under("folio lock"),
            UnlockOld { .. } => step("MG undo", "migrate_folio_undo_src").under(BOTH),
            Putback { .. } => step("MG undo", "migrate_folio_undo_dst").under("folio lock"),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        match self {
            Drain { mm, va } => {
                k.lru_add_drain_all();
                go(Enter { mm, va })
            }
            Enter { mm, va } => {
                k.mmap_read_lock(mm);
                if !k.vma(mm, va).mapped {
                    k.mmap_read_unlock(mm);
                    return refused(Errno::Efault);
                }
                go(Follow { mm, va })
            }
            Follow { mm, va } => {
                let hidden = k.hidden_by_protnone(mm, va);
                let mapped = k.pte(mm, va).normal_page().filter(|_| !hidden);
                let isolated = mapped.filter(|&pfn| k.page(pfn).anon() && k.folio_isolate_lru(pfn));
                k.mmap_read_unlock(mm);
                match (mapped, isolated) {
                    (_, Some(src)) => go(Alloc {
                        src,
                        mode: MigrateMode::Sync,
                    }),
                    (Some(_), None) => refused(Errno::Ebusy),
                    (None, None) => refused(Errno::Enoent),
                }
            }
            Isolate { mm, va } => match isolate(k, mm, va) {
                Some(src) => go(Alloc {
                    src,
                    mode: MigrateMode::Async,
                }),
                None => refused(Errno::Ebusy),
            },
            Alloc { src, mode } => alloc(k, src, mode),
            Lock { m, mode } => {
                match mode {
                    MigrateMode::Sync => k.lock_page(m.src),
                    MigrateMode::Async if k.trylock(m.src) => {}
                    MigrateMode::Async => return go(Putback { m }),
                }
                go(Writeback { m, mode })
            }
            Writeback { m, mode } => {
                if k.page(m.src).writeback && k.has(F::MigWriteback) {
                    return go(UnlockOld { m });
                }
                let defer = mode == MigrateMode::Async && k.has(F::MigBatchFlush);
                let batch = defer.then_some(TlbBatch::EMPTY);
                let first = TryToMigrate::enter(k, m.src);
                unmap(m, batch, first)
            }
            Unmap { m, mut batch, u } => {
                let going = u.step(k, batch.as_mut());
                unmap(m, batch, going)
            }
            Flush { m, batch } => {
                if k.has(F::MigFlush) {
                    k.try_to_unmap_flush(batch);
                }
                go(Unmapped { m })
            }
            Unmapped { m } => {
                if k.page(m.src).mapcount.0 > 0 {
                    return undo(k, m);
                }
                go(RefTest { m })
            }
            RefTest { m } => {
                if k.has(F::MigRefTest) && !explained(k, m.src) {
                    return undo(k, m);
                }
                if k.page(m.src).swap.is_none() {
                    move_mapping(k, m);
                }
                go(Copy { m, cell: Cell(0) })
            }
            Copy { m, cell } => {
                k.copy_cell(m.src, m.dst, cell);
                let next = Cell(cell.0 + 1);
                let cached = k.page(m.src).swap.is_some();
                go(if next.0 < k.cfg.sizes.cells {
                    Copy { m, cell: next }
                } else if cached {
                    Switch { m }
                } else {
                    Flags { m }
                })
            }
            Switch { m } => {
                // folio_ref_freeze() tests and freezes in one, and nobody sees the page frozen: lookups spin.
                if k.has(F::MigRefTest) && !explained(k, m.src) {
                    return undo(k, m);
                }
                switch_slot(k, m);
                go(Flags { m })
            }
            Flags { m } => {
                move_dirty(k, m);
                let uptodate = k.page(m.src).uptodate;
                k.page_mut(m.dst).uptodate = uptodate;
                if k.page(m.src).ksm() {
                    // folio_migrate_ksm(): the stable node leads to the new page only.
                    let src = k.page_mut(m.src);
                    src.kind = PageKind::Anon;
                    src.home = None;
                }
                k.folio_add_lru(m.dst);
                restored(m, RemoveMigrationPtes::enter(k, m.src, m.dst))
            }
            Restore { m, r } => restored(m, r.step(k)),
            PutNew { m } => {
                k.unlock_page(m.dst);
                k.put_page(m.dst);
                go(PutOld { src: m.src })
            }
            PutOld { src } => {
                k.unlock_page(src);
                k.put_page(src);
                Next::Return { result: Ok(()) }
            }
            RestoreOld { m, r } => restored_old(m, r.step(k)),
            UnlockOld { m } => {
                k.unlock_page(m.src);
                go(Putback { m })
            }
            Putback { m } => {
                k.unlock_page(m.dst);
                k.put_page(m.dst);
                k.folio_putback_lru(m.src);
                refused(Errno::Ebusy)
            }
        }
    }
}

fn go(p: Migrate) -> Next {
    Next::Call {
        call: Call::Migrate { p },
    }
}

fn refused(errno: Errno) -> Next {
    Next::Return { result: Err(errno) }
}

/// A page that was freed meanwhile is done. The new page, which nobody knows yet, is locked at once.
fn alloc(k: &mut Kernel, src: Pfn, mode: MigrateMode) -> Next {
    if k.refcount(src) == 1 {
        k.put_page(src);
        return Next::Return { result: Ok(()) };
    }
    let Some(dst) = k.alloc_page(None) else {
        k.folio_putback_lru(src);
        return refused(Errno::Enomem);
    };
    let page = k.page_mut(dst);
    page.locked = true;
    page.uptodate = false;
    go(Lock {
        m: Move { src, dst },
        mode,
    })
}

fn unmap(m: Move, batch: Option<TlbBatch>, going: Unmapping) -> Next {
    match (going, batch) {
        (Unmapping::On(u), batch) => go(Unmap { m, batch, u }),
        (Unmapping::Over, Some(batch)) if batch.pending => go(Flush { m, batch }),
        (Unmapping::Over, _) => go(Unmapped { m }),
    }
}

/// Are all references those of the isolation and the swap cache?
fn explained(k: &mut Kernel, src: Pfn) -> bool {
    let expected = 1 + u32::from(k.page(src).swap.is_some());
    k.refcount(src) == expected
}

/// The new page takes over what the old one is, and where it belongs; a stable node of KSM goes along.
fn move_mapping(k: &mut Kernel, m: Move) {
    let src = *k.page(m.src);
    let dst = k.page_mut(m.dst);
    dst.kind = src.kind;
    dst.home = src.home;
    dst.swapbacked = src.swapbacked;
}

/// With the old page frozen and the new one not yet exposed: the slot's cached page is the new one. The cache's reference goes
/// along.
fn switch_slot(k: &mut Kernel, m: Move) {
    move_mapping(k, m);
    move_dirty(k, m);
    let Some(slot) = k.page(m.src).swap else {
        return;
    };
    k.add_to_swap_cache(m.dst, slot);
    k.page_mut(m.src).swap = None;
    k.put_page(m.src);
}

fn move_dirty(k: &mut Kernel, m: Move) {
    if k.page(m.src).dirty && k.has(F::MigMoveDirty) {
        k.page_mut(m.src).dirty = false;
        k.page_mut(m.dst).dirty = true;
    }
}

fn restored(m: Move, more: Option<RemoveMigrationPtes>) -> Next {
    match more {
        Some(r) => go(Restore { m, r }),
        None => go(PutNew { m }),
    }
}

/// Gives up: the entries become PTEs of the old page again.
fn undo(k: &mut Kernel, m: Move) -> Next {
    restored_old(m, RemoveMigrationPtes::enter(k, m.src, m.src))
}

fn restored_old(m: Move, more: Option<RemoveMigrationPtes>) -> Next {
    match more {
        Some(r) => go(RestoreOld { m, r }),
        None => go(UnlockOld { m }),
    }
}
