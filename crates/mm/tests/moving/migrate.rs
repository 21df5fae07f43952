//! move_pages, compaction.

use cowherd_mm::feature::Feature as F;
use cowherd_mm::machine::Hold;
use cowherd_mm::migrate::Migrate;
use cowherd_mm::page::PageKind;
use cowherd_mm::pgtable::{MigrationKind, Pte};
use cowherd_mm::task::Errno;
use cowherd_mm::{Broken, Cell, FeatureSet, Pfn};

use crate::common::*;

fn one(features: FeatureSet) -> Sim {
    let mut s = Sim::two(features);
    s.store(A0, X, 0, 7);
    s
}

fn kind(s: &Sim) -> MigrationKind {
    s.m.ptes[A.at()][X.at()].migration().expect("no entry").kind
}

#[test]
fn a_page_moves_with_its_contents() {
    for features in [v6_12(), v5_18(), v5_10()] {
        for compaction in [false, true] {
            let mut s = one(features);
            s.drain();
            let before = s.pfn(A, X);
            let call = if compaction {
                Migrate::compact(A, X)
            } else {
                Migrate::page(A, X)
            };
            assert_eq!(s.call(K0, call), Ok(()));
            assert_ne!(s.pfn(A, X), before);
            assert!(s.m.frames[before.at()].is_free());
            assert!(s.page(A, X).exclusive == features.contains(F::AnonExclusive));
            assert!(s.present(A, X).write && s.page(A, X).dirty);
            assert_eq!(s.load(A0, X, 0), 7);
            s.assert_quiet();
        }
    }
}

#[test]
fn a_shared_page_moves_for_all_who_map_it_and_stays_readonly() {
    for features in [v6_12(), v5_18(), v5_10()] {
        let mut s = one(features);
        s.fork(A0, C);
        assert_eq!(s.call(K0, Migrate::page(C, X)), Ok(()));
        assert_eq!(s.pfn(A, X), s.pfn(C, X));
        assert!(!s.present(A, X).write && !s.page(A, X).exclusive);
        s.store(A0, X, 0, 8);
        assert_eq!(s.load(C0, X, 0), 7);
        s.assert_quiet();
    }
}

#[test]
fn a_page_that_is_held_stays() {
    for features in [v6_12(), v5_18(), v5_10()] {
        for (hold, write) in [
            (Hold::Get, true),
            (Hold::Get, false),
            (Hold::Pin, true),
            (Hold::Pin, false),
        ] {
            let mut s = one(features);
            s.hold(A0, 0, hold, write);
            let before = (s.present(A, X), s.page(A, X).exclusive);
            assert_eq!(s.call(K0, Migrate::page(A, X)), Err(Errno::Ebusy));
            assert_eq!(
                (s.present(A, X).write, s.page(A, X).exclusive),
                (before.0.write, before.1)
            );
            assert_eq!(s.pfn(A, X), before.0.pfn);
            s.device_store(0, 1, 9);
            assert_eq!(s.load(A0, X, 1), 9);
            s.unhold(A0, 0);
            s.assert_quiet();
        }
    }
}

#[test]
fn without_the_reference_test_a_device_keeps_the_old_page() {
    let mut s = one(without(v6_12(), &[F::MigRefTest]));
    s.hold(A0, 0, Hold::Get, true);
    assert_eq!(s.call(K0, Migrate::page(A, X)), Ok(()));
    s.device_store(0, 1, 9);
    assert_eq!(s.load(A0, X, 1), 0);
}

#[test]
fn a_fault_sleeps_until_the_entry_goes() {
    for features in [v6_12(), v5_18()] {
        let mut s = one(features);
        s.start(K0, Migrate::page(A, X));
        s.until(K0, "MG6");
        s.w.cell = 1;
        s.w.value = 9;
        s.begin_store(A1, X);
        s.until(A1, "migration wait");
        assert!(!s.ready(A1));
        assert_eq!(s.finish(K0), Ok(()));
        s.w.value = 9;
        assert_eq!(s.finish(A1), Ok(()));
        assert_eq!((s.load(A0, X, 0), s.load(A0, X, 1)), (7, 9));
        s.assert_quiet();
    }
}

#[test]
fn an_entry_that_is_zapped_leaves_a_page_that_nobody_maps() {
    use cowherd_mm::memory::zap_pte_range::Zap;
    for features in [v6_12(), v5_18()] {
        let mut s = one(features);
        s.start(K0, Migrate::page(A, X));
        s.until(K0, "MG6");
        assert_eq!(s.call(A0, Zap::dontneed(X)), Ok(()));
        assert_eq!(s.finish(K0), Ok(()));
        assert_eq!(s.m.ptes[A.at()][X.at()], Pte::None);
        assert_eq!(s.load(A0, X, 0), 0);
        s.drain();
        s.assert_quiet();
        assert!(s.m.frames[1..].iter().all(|page| page.is_free()), "a leak");
    }
}

#[test]
fn an_entry_that_is_forked_is_readable_in_both() {
    for features in [v6_12(), v5_18()] {
        let mut s = one(features);
        s.start(K0, Migrate::page(A, X));
        s.until(K0, "MG6");
        assert_eq!(kind(&s), MigrationKind::Writable);
        s.fork(A0, C);
        assert_eq!(kind(&s), MigrationKind::Readable);
        assert_eq!(s.finish(K0), Ok(()));
        assert_eq!(s.pfn(A, X), s.pfn(C, X));
        assert!(!s.present(A, X).write && !s.present(C, X).write && !s.page(A, X).exclusive);
        s.store(A0, X, 0, 8);
        assert_eq!(s.load(C0, X, 0), 7);
        s.assert_quiet();
    }
}

/// B11.
#[test]
fn a_readonly_exclusive_page_stays_exclusive() {
    for (mutant, exclusive) in [(None, true), (Some(F::MigReadableExclusive), false)] {
        let mut s = one(without(v6_12(), mutant.as_slice()));
        s.set(A, X, |e| (e.write, e.dirty) = (false, false));
        s.start(K0, Migrate::page(A, X));
        s.until(K0, "MG6");
        assert_eq!(kind(&s) == MigrationKind::ReadableExclusive, exclusive);
        assert_eq!(s.finish(K0), Ok(()));
        assert_eq!(s.page(A, X).exclusive, exclusive);
        assert!(!s.present(A, X).write);
        s.assert_quiet();
    }
}

/// B45, as a mutant: in private memory the VMA's protection never says that a PTE may be written.
#[test]
fn what_was_readonly_or_trapped_is_so_again() {
    for (mutant, write) in [(None, false), (Some(F::MigWrprotect), true)] {
        let mut s = one(without(v6_12(), mutant.as_slice()));
        s.m.vmas[A.at()][X.at()].uffd_wp = true;
        s.set(A, X, |e| (e.write, e.uffd_wp) = (false, true));
        assert_eq!(s.call(K0, Migrate::page(A, X)), Ok(()));
        assert!(s.present(A, X).uffd_wp && s.present(A, X).soft_dirty);
        assert_eq!(s.present(A, X).write, write);
    }
}

#[test]
fn the_dirty_bit_survives_in_the_entry_or_in_the_page() {
    for (features, pte_dirty) in [(v6_12(), true), (v5_18(), false)] {
        let mut s = one(features);
        assert_eq!(s.call(K0, Migrate::page(A, X)), Ok(()));
        assert_eq!(s.present(A, X).dirty, pte_dirty);
        assert!(s.page(A, X).dirty);
    }
}

/// A page in the swap cache whose only trace of a store is the PTE's dirty bit.
#[test]
fn a_store_to_a_page_in_the_swap_cache_is_not_lost() {
    for (mutant, kept) in [
        (None, true),
        (Some(F::MigDirty), false),
        (Some(F::MigMoveDirty), false),
    ] {
        for features in [v6_12(), v5_18()] {
            let mut s = one(without(features, mutant.as_slice()));
            s.swap_out(A, X);
            assert_eq!(s.load(A0, X, 0), 7);
            assert!(s.page(A, X).swap.is_some());
            s.set(A, X, |e| (e.write, e.dirty) = (true, true));
            s.m.frames[s.pfn(A, X).at()].exclusive = features.contains(F::AnonExclusive);
            s.store(A0, X, 0, 8);
            let before = s.pfn(A, X);
            s.drain();
            assert_eq!(s.call(K0, Migrate::page(A, X)), Ok(()));
            assert_ne!(s.pfn(A, X), before);
            assert!(s.page(A, X).swap.is_some());
            s.assert_quiet();
            s.set(A, X, |e| e.dirty = false);
            s.swap_out(A, X);
            assert_eq!(s.load(A0, X, 0) == 8, kept, "{mutant:?}");
        }
    }
}

#[test]
fn a_swapped_out_page_moves_in_the_swap_cache() {
    for features in [v6_12(), v5_18()] {
        let mut s = one(features);
        s.drain();
        assert_eq!(s.reclaim(A, X), Ok(()));
        s.writeback();
        let slot = s.swapped(A, X).slot;
        let before = s.m.slots[slot.at()].cache;
        assert_eq!(s.call(K0, Migrate::compact(A, X)), Ok(()));
        assert_ne!(s.m.slots[slot.at()].cache, before);
        assert_eq!(s.load(A0, X, 0), 7);
        s.assert_quiet();
    }
}

#[test]
fn writeback_is_waited_for_or_ends_it() {
    let mut s = one(v6_12());
    s.drain();
    assert_eq!(s.reclaim(A, X), Ok(()));
    assert_eq!(s.call(K0, Migrate::compact(A, X)), Err(Errno::Ebusy));
    s.load(A0, X, 0);
    s.drain();
    s.start(K0, Migrate::page(A, X));
    s.until(K0, "MG3");
    assert!(!s.ready(K0));
    s.writeback();
    assert_eq!(s.finish(K0), Ok(()));
    s.assert_quiet();

    let mut s = one(without(v6_12(), &[F::MigWriteback]));
    s.drain();
    assert_eq!(s.reclaim(A, X), Ok(()));
    assert_eq!(s.call(K0, Migrate::compact(A, X)), Ok(()));
    assert!(s.w.broken.contains(&Broken::FreedInUse));
}

/// A fork that meets the migration entry of a pinned page shares it.
#[test]
fn a_pinned_exclusive_page_gets_no_entry() {
    for (mutant, shared) in [(None, false), (Some(F::MigPinTest), true)] {
        let mut s = one(without(v6_12(), mutant.as_slice()));
        s.hold(A0, 0, Hold::Pin, true);
        s.start(K0, Migrate::page(A, X));
        let at = if shared { "MG5" } else { "MG unmapped" };
        s.until(K0, at);
        s.fork(A0, C);
        assert_eq!(s.finish(K0), Err(Errno::Ebusy));
        assert_eq!(s.m.holders[0].page == Some(s.pfn(C, X)), shared);
        s.assert_quiet();
    }
}

/// The store of another CPU through its TLB, after the copy.
#[test]
fn nobody_writes_the_old_page_once_it_is_copied() {
    for compaction in [false, true] {
        for (mutant, kept) in [(None, true), (Some(F::MigFlush), false)] {
            let mut s = one(without(v6_12(), mutant.as_slice()));
            s.store(A1, X, 1, 1);
            s.drain();
            let call = if compaction {
                Migrate::compact(A, X)
            } else {
                Migrate::page(A, X)
            };
            s.start(K0, call);
            s.until(K0, "MG6");
            while s.label(K0) == "MG6" {
                s.step(K0);
            }
            (s.w.cell, s.w.value) = (1, 9);
            s.begin_store(A1, X);
            if kept {
                s.until(A1, "migration wait");
                assert_eq!(s.finish(K0), Ok(()));
                s.w.value = 9;
                assert_eq!(s.finish(A1), Ok(()));
            } else {
                assert_eq!(s.finish(A1), Ok(()));
                assert_eq!(s.finish(K0), Ok(()));
                s.m.tlbs = [[None; 4]; 8];
            }
            assert_eq!(s.load(A1, X, 1) == 9, kept);
        }
    }
}

#[test]
fn a_page_is_copied_while_its_slot_is_still_its_own() {
    for features in [v6_12(), v5_18()] {
        let mut s = one(features);
        s.drain();
        assert_eq!(s.reclaim(A, X), Ok(()));
        s.writeback();
        s.start(K0, Migrate::compact(A, X));
        s.until(K0, "MG6");
        let slot = s.swapped(A, X).slot;
        let src = s.m.slots[slot.at()].cache.unwrap();
        assert!(s.m.frames[src.at()].uptodate, "the old page");
        assert_eq!(s.finish(K0), Ok(()));
        assert_ne!(s.m.slots[slot.at()].cache, Some(src));
        s.assert_quiet();
    }
}

#[test]
fn a_ksm_page_moves_and_is_one_still() {
    use cowherd_mm::ksm::Ksm;
    for features in [v6_12(), v5_18()] {
        let mut s = one(features);
        s.store(B0, X, 0, 7);
        assert_eq!(s.call(K0, Ksm::scan((A, X), Some((B, X)))), Ok(()));
        let before = s.pfn(A, X);
        assert_eq!(s.call(K0, Migrate::page(A, X)), Ok(()));
        assert_ne!(s.pfn(A, X), before);
        assert_eq!(s.pfn(A, X), s.pfn(B, X));
        assert_eq!(s.page(A, X).kind, PageKind::Ksm);
        s.store(A0, X, 0, 8);
        assert_eq!(s.load(B0, X, 0), 7);
        s.assert_quiet();
    }
}

#[test]
fn a_page_in_a_batch_of_another_cpu_is_isolated_after_the_drain() {
    let mut s = one(v6_12());
    assert!(s.page(A, X).batch.is_some());
    assert_eq!(s.call(K0, Migrate::compact(A, X)), Err(Errno::Ebusy));
    assert_eq!(s.call(K0, Migrate::page(A, X)), Ok(()));
    assert_eq!(s.call(K0, Migrate::page(A, Y)), Err(Errno::Enoent));
    s.assert_quiet();
}

#[test]
fn a_copy_is_made_cell_by_cell() {
    let mut s = one(v6_12());
    s.start(K0, Migrate::page(A, X));
    s.until(K0, "MG6");
    let src: Vec<Pfn> = (1..14)
        .map(Pfn)
        .filter(|p| !s.m.frames[p.at()].is_free())
        .collect();
    assert_eq!(src.len(), 2);
    let mut steps = 0;
    while s.label(K0) == "MG6" {
        s.step(K0);
        steps += 1;
    }
    assert_eq!(Cell(steps), Cell(4));
}

/// B11 in full: a migration that fails must not cost a page its exclusivity, for the next write would copy it away from under
/// a transfer.
#[test]
fn a_failed_migration_of_a_held_readonly_page_changes_nothing() {
    for (mutant, lost) in [(None, false), (Some(F::MigReadableExclusive), true)] {
        let mut s = one(without(v6_12(), mutant.as_slice()));
        s.hold(A0, 0, Hold::Get, true);
        s.set(A, X, |e| (e.write, e.dirty) = (false, false));
        assert_eq!(s.call(K0, Migrate::page(A, X)), Err(Errno::Ebusy));
        s.store(A0, X, 1, 5);
        s.device_store(0, 0, 9);
        assert_eq!(s.load(A0, X, 0), if lost { 7 } else { 9 });
        s.unhold(A0, 0);
        s.assert_quiet();
    }
}
