//! clear_refs: what it records, and what it cost.

use cowherd_mm::clear_refs::ClearRefs;
use cowherd_mm::feature::Feature as F;
use cowherd_mm::migrate::Migrate;

use crate::common::*;
use crate::kernels::*;

fn clear_refs() -> Op {
    Op::Call(ClearRefs::enter(A))
}

#[test]
fn after_clear_refs_every_store_is_recorded() {
    for (kernel, features) in eras() {
        let runs = program(features)
            .thread(&[Op::Store(X, 0, 1), Op::Store(X, 1, 2)])
            .hot(0)
            .thread(&[clear_refs(), Op::Store(X, 0, 3)])
            .run();
        assert!(runs.found.is_empty(), "{kernel}: {:?}", runs.found);
    }
    let mutant = without(v7_2(), &[F::ClearrefsFlush]);
    let runs = program(mutant)
        .thread(&[Op::Store(X, 0, 1)])
        .hot(0)
        .thread(&[clear_refs()])
        .run();
    assert!(runs.found.contains(&Found::MissedSoftDirty));
}

#[test]
fn before_5_11_a_page_is_copied_under_stores_through_stale_translations() {
    // The December 2020 bug (B21): the copy is made while another CPU still writes the old page.
    let lost = |features| {
        let runs = program(features)
            .start(batched)
            .thread(&[Op::Store(X, 0, 1)])
            .hot(0)
            .thread(&[Op::Store(X, 1, 2)])
            .kernel(&[clear_refs()])
            .run();
        runs.are_clean();
        runs.ends.iter().any(|end| end.x != [1, 2])
    };
    assert!(lost(v5_10()));
    assert!(!lost(with(v5_10(), &[F::ClearrefsLock])));
    assert!(!lost(v5_18()));
    assert!(!lost(v7_2()));
}

#[test]
fn before_5_19_a_page_that_gup_holds_is_copied_after_clear_refs() {
    // B2, for FOLL_GET.
    let held = |features| {
        let runs = program(features)
            .thread(&[get(), Op::Call(ClearRefs::enter(A)), Op::Store(X, 1, 2)])
            .run();
        runs.are_clean();
        runs.held(0)
    };
    assert_eq!(held(v5_10()), [None].into());
    assert_eq!(held(v5_18()), [None].into());
    assert_eq!(held(v6_1()), [Some(X)].into());
    assert_eq!(held(v7_2()), [Some(X)].into());
}

#[test]
fn from_5_11_on_pinned_pages_are_left_alone() {
    // B3.
    let held = |features| {
        let runs = program(features)
            .thread(&[pin(), Op::Call(ClearRefs::enter(A)), Op::Store(X, 1, 2)])
            .run();
        runs.are_clean();
        runs.held(0)
    };
    assert_eq!(held(v5_10()), [None].into());
    assert_eq!(held(v5_18()), [Some(X)].into());
    assert_eq!(held(without(v5_18(), &[F::ClearrefsPinned])), [None].into());
    assert_eq!(held(v7_2()), [Some(X)].into());
}

#[test]
fn before_5_19_a_pin_may_come_between_the_test_and_the_write_protection() {
    let held = |features| {
        let runs = program(features)
            .start(|m| m.mms[0].has_pinned = true)
            .thread(&[pin(), Op::Store(X, 1, 2)])
            .kernel(&[clear_refs()])
            .run();
        runs.are_clean();
        runs.held(0)
    };
    assert!(held(v5_18()).contains(&None));
    assert_eq!(held(v6_1()), [Some(X)].into());
}

#[test]
fn a_writable_migration_entry_keeps_what_clear_refs_should_have_taken() {
    for (kernel, features) in eras() {
        let runs = program(features)
            .thread(&[Op::Store(X, 0, 1)])
            .thread(&[clear_refs()])
            .kernel(&[Op::Call(Migrate::compact(A, X))])
            .run();
        let missed = [Found::MissedSoftDirty].into();
        assert_eq!(runs.found, missed, "{kernel}");
    }
}
