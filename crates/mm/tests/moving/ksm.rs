//! ksmd, MADV_MERGEABLE, MADV_UNMERGEABLE.

use cowherd_mm::feature::Feature as F;
use cowherd_mm::ksm::Ksm;
use cowherd_mm::ksm::madvise::KsmMadvise;
use cowherd_mm::machine::Hold;
use cowherd_mm::page::PageKind;
use cowherd_mm::task::Errno;
use cowherd_mm::{Broken, FeatureSet};

use crate::common::*;

/// A and B each have a page at X with the same contents.
fn twins(features: FeatureSet) -> Sim {
    let mut s = Sim::new(features);
    s.store(A0, X, 0, 7);
    s.store(B0, X, 0, 7);
    s
}

fn merge(s: &mut Sim) -> Result<(), Errno> {
    s.call(K0, Ksm::scan((A, X), Some((B, X))))
}

#[test]
fn the_page_that_ksmd_is_at_becomes_the_ksm_page_and_replaces_the_one_before() {
    for features in [v6_12(), v5_18(), v5_10()] {
        let mut s = twins(features);
        let (before, at) = (s.pfn(A, X), s.pfn(B, X));
        assert_eq!(merge(&mut s), Ok(()));
        assert_eq!((s.pfn(A, X), s.pfn(B, X)), (at, at));
        assert_eq!(s.page(A, X).kind, PageKind::Ksm);
        assert!(s.page(A, X).dirty);
        assert!(s.m.frames[before.at()].is_free());
        assert!(!s.present(A, X).write && !s.present(B, X).write);
        s.assert_quiet();

        s.store(A0, X, 0, 8);
        assert_eq!((s.load(A0, X, 0), s.load(B0, X, 0)), (8, 7));
        s.assert_quiet();
    }
}

#[test]
fn a_page_alone_becomes_nothing_but_joins_a_ksm_page() {
    let mut s = twins(v6_12());
    assert_eq!(s.call(K0, Ksm::scan((A, X), None)), Err(Errno::Ebusy));
    assert_eq!(s.page(A, X).kind, PageKind::Anon);
    assert_eq!(merge(&mut s), Ok(()));
    s.store(C0, X, 0, 7);
    assert_eq!(s.call(K0, Ksm::scan((C, X), None)), Ok(()));
    assert_eq!(s.page(C, X).mapcount.0, 3);
    s.assert_quiet();
}

#[test]
fn pages_of_one_process_merge_and_pages_that_differ_do_not() {
    let mut s = Sim::new(v6_12());
    s.store(A0, X, 0, 7);
    s.store(A0, Y, 0, 7);
    s.store(B0, X, 0, 6);
    assert_eq!(merge(&mut s), Err(Errno::Ebusy));
    assert_eq!(s.call(K0, Ksm::scan((A, X), Some((A, Y)))), Ok(()));
    assert_eq!(s.pfn(A, X), s.pfn(A, Y));
    s.assert_quiet();
}

#[test]
fn only_mergeable_vmas_are_looked_at() {
    let mut s = twins(v6_12());
    s.m.vmas[B.at()][X.at()].mergeable = false;
    assert_eq!(merge(&mut s), Err(Errno::Ebusy));
    assert_eq!(s.call(B0, KsmMadvise::mergeable(X)), Ok(()));
    assert_eq!(merge(&mut s), Ok(()));
    s.assert_quiet();
}

#[test]
fn a_page_that_is_held_is_not_merged_while_its_pte_is_writable() {
    for features in [v6_12(), v5_18(), v5_10()] {
        for hold in [Hold::Get, Hold::Pin] {
            let mut s = twins(features);
            s.hold(A0, 0, hold, true);
            let before = s.present(A, X);
            assert_eq!(merge(&mut s), Err(Errno::Ebusy));
            assert_eq!(s.present(A, X), before, "restored as it was");
            assert_eq!(s.page(B, X).kind, PageKind::Anon, "the half pair is broken");
            s.device_store(0, 0, 9);
            assert_eq!(s.load(A0, X, 0), 9);
            s.unhold(A0, 0);
            s.assert_quiet();
        }
    }
}

#[test]
fn without_the_reference_test_a_device_writes_into_a_page_that_is_gone() {
    let mut s = twins(without(v6_12(), &[F::KsmRefTest]));
    s.hold(A0, 0, Hold::Pin, true);
    assert_eq!(merge(&mut s), Ok(()));
    s.device_store(0, 0, 9);
    assert_eq!(s.load(A0, X, 0), 7);
}

/// B9: nothing is tested for a PTE that is read-only and clean, so that a pinned page is merged, before 5.19.
#[test]
fn a_pinned_page_with_a_readonly_clean_pte_is_merged_before_exclusivity_and_not_after() {
    for (features, merged) in [(v5_10(), true), (v5_18(), true), (v6_12(), false)] {
        let mut s = twins(features);
        s.hold(A0, 0, Hold::Pin, false);
        s.set(A, X, |e| (e.write, e.dirty) = (false, false));
        assert_eq!(merge(&mut s).is_ok(), merged);
        s.store(A0, X, 1, 5);
        let held = s.m.holders[0].page.unwrap();
        let synchronous = s.w.frames[held.at()][1] == 5;
        assert_eq!(synchronous, !merged, "does the pin see the store?");
    }
}

/// A GUP-fast that read the PTE before ksmd cleared it must not keep its pin unnoticed.
#[test]
fn gup_fast_is_counted_or_backs_off() {
    for late in ["KS3", "KS4", "KS5 test", "KS5", "KS6"] {
        for write in [false, true] {
            let mut s = twins(v6_12());
            s.set(A, X, |e| (e.write, e.dirty) = (write, write));
            s.start(K0, Ksm::scan((B, X), Some((A, X))));
            s.until(K0, "KS2");
            let next = s.hold_next(0, Hold::Pin, write);
            s.start(A0, next);
            s.until(A0, "GF3");
            s.until(K0, late);
            while s.label(A0).starts_with("GF") {
                s.step(A0);
            }
            let _ = s.finish(K0);
            assert_eq!(s.finish(A0), Ok(()));
            let held = s.m.holders[0].page.unwrap();
            assert_eq!(held, s.pfn(A, X), "{late}");
            assert!(s.page(A, X).exclusive, "{late}");
            s.assert_quiet();
        }
    }
}

/// The same with the tests first, and the PTE cleared after.
#[test]
fn without_clearing_first_a_pinned_page_is_merged() {
    let mut s = twins(without(v6_12(), &[F::KsmClearFirst]));
    s.set(A, X, |e| (e.write, e.dirty) = (false, false));
    s.start(K0, Ksm::scan((B, X), Some((A, X))));
    s.until(K0, "KS3");
    s.hold(A0, 0, Hold::Pin, false);
    assert_eq!(s.finish(K0), Ok(()));
    assert_eq!(s.page(A, X).kind, PageKind::Ksm);
    assert_eq!(s.m.holders[0].page, Some(s.pfn(A, X)));
}

/// B19: without the barriers GUP-fast's second look may come before its pin.
#[test]
fn without_barriers_a_page_is_pinned_and_not_exclusive() {
    for (features, wrong) in [
        (v6_12(), false),
        (without(v6_12(), &[F::GupfastBarriers]), true),
    ] {
        let mut s = twins(features);
        s.set(A, X, |e| (e.write, e.dirty) = (false, false));
        s.w.choices.push_back(1);
        let next = s.hold_next(0, Hold::Pin, false);
        s.start(A0, next);
        s.until(A0, if wrong { "GF4" } else { "GF3" });
        if wrong {
            assert_eq!(s.step(A0), None);
        }
        assert_eq!(s.call(K0, Ksm::scan((B, X), Some((A, X)))), Ok(()));
        assert_eq!(s.finish(A0), Ok(()));
        let held = s.m.holders[0].page.unwrap();
        assert_eq!(s.m.frames[held.at()].exclusive, !wrong);
        assert_eq!(s.m.frames[held.at()].ksm(), wrong);
    }
}

/// A store between ksmd's first look and the merge.
#[test]
fn a_page_that_changes_meanwhile_is_not_merged() {
    for (mutant, lost) in [(None, false), (Some(F::KsmCompare), true)] {
        let mut s = twins(without(v6_12(), mutant.as_slice()));
        s.start(K0, Ksm::scan((A, X), Some((B, X))));
        s.until(K0, "KS stable");
        s.until(K0, "KS1");
        s.store(A0, X, 0, 8);
        assert_eq!(s.finish(K0).is_ok(), lost);
        assert_eq!(s.load(A0, X, 0), if lost { 7 } else { 8 });
        assert_eq!(s.page(B, X).ksm(), lost, "half a pair is broken again");
        s.assert_quiet();
    }
}

#[test]
fn a_page_that_is_copied_between_comparison_and_replacement_stays() {
    let mut s = twins(v6_12());
    s.start(K0, Ksm::scan((A, X), Some((B, X))));
    s.until(K0, "KS9");
    s.store(A0, X, 0, 8);
    assert_eq!(s.finish(K0), Err(Errno::Ebusy));
    assert_eq!(s.load(A0, X, 0), 8);
    s.assert_quiet();

    let mut s = twins(without(v6_12(), &[F::KsmPteSame]));
    s.start(K0, Ksm::scan((A, X), Some((B, X))));
    s.until(K0, "KS9");
    s.store(A0, X, 0, 8);
    assert_eq!(s.finish(K0), Ok(()));
    assert_eq!(s.load(A0, X, 0), 7);
}

#[test]
fn nobody_writes_a_ksm_page() {
    for mutant in [None, Some(F::KsmFlush), Some(F::KsmClearExclusive)] {
        let mut s = twins(without(v6_12(), mutant.as_slice()));
        assert_eq!(merge(&mut s), Ok(()));
        s.w.choices.push_back(0);
        s.store(B0, X, 0, 9);
        let seen = if mutant.is_some() { 9 } else { 7 };
        assert_eq!(s.load(A0, X, 0), seen, "{mutant:?}");
        // An exclusive page must not become a KSM page.
        let told = s.w.broken.contains(&Broken::Ksm);
        assert_eq!(told, mutant == Some(F::KsmClearExclusive));
    }
}

#[test]
fn a_pending_flush_counts_as_writable() {
    for (mutant, merged) in [(None, false), (Some(F::KsmTlbPending), true)] {
        let mut s = twins(without(v5_18(), mutant.as_slice()));
        s.hold(A0, 0, Hold::Get, true);
        s.set(A, X, |e| (e.write, e.dirty) = (false, false));
        s.m.mms[A.at()].flush_pending.0 = 1;
        assert_eq!(merge(&mut s).is_ok(), merged);
    }
}

#[test]
fn the_old_page_is_not_read_after_it_is_freed() {
    for (mutant, wrong) in [(None, false), (Some(F::KsmReplaceFlush), true)] {
        let mut s = twins(without(v6_12(), mutant.as_slice()));
        s.start(K0, Ksm::scan((A, X), Some((B, X))));
        s.until(K0, "KS8");
        s.load(A0, X, 0);
        assert_eq!(s.finish(K0), Ok(()));
        s.w.choices.push_back(0);
        s.load(A0, X, 0);
        assert_eq!(s.w.broken.contains(&Broken::UseAfterFree), wrong);
    }
}

/// B28, with the way that add_to_swap() once was: a clean KSM page is dropped without a write.
#[test]
fn a_clean_stable_page_is_dropped() {
    let old = [F::LazyfreeDirty];
    for (mutants, kept) in [(&old[..], true), (&[F::LazyfreeDirty, F::KsmDirty], false)] {
        let mut s = twins(without(v5_18(), mutants));
        for mm in [A, B] {
            s.set(mm, X, |e| (e.write, e.dirty) = (false, false));
        }
        assert_eq!(merge(&mut s), Ok(()));
        s.swap_out(A, X);
        assert_eq!(s.load(A0, X, 0) == 7, kept);
    }
}

#[test]
fn a_ksm_page_that_was_swapped_out_is_copied_for_everybody_but_the_first() {
    for features in [v6_12(), v5_18(), v5_10()] {
        let mut s = twins(features);
        assert_eq!(merge(&mut s), Ok(()));
        s.swap_out(A, X);
        assert_eq!(s.swapped(A, X).slot, s.swapped(B, X).slot);
        assert_eq!((s.load(A0, X, 0), s.load(B0, X, 0)), (7, 7));
        assert_ne!(s.pfn(A, X), s.pfn(B, X));
        s.store(A0, X, 0, 8);
        assert_eq!(s.load(B0, X, 0), 7);
        s.assert_quiet();
    }
}

#[test]
fn unmergeable_gives_everybody_a_page_again() {
    for features in [v6_12(), v5_18(), v5_10()] {
        let mut s = twins(features);
        assert_eq!(merge(&mut s), Ok(()));
        assert_eq!(s.call(A0, KsmMadvise::unmergeable(X)), Ok(()));
        assert_eq!(s.page(A, X).kind, PageKind::Anon);
        assert_ne!(s.pfn(A, X), s.pfn(B, X));
        assert!(!s.m.vmas[A.at()][X.at()].mergeable);
        s.assert_quiet();
    }
}

/// B44: a made-up write fault on a page that userfaultfd write-protects is refused, and the call returns all the same.
#[test]
fn breaking_ksm_under_userfaultfd_takes_an_unshare_fault() {
    for (features, broken) in [(v5_18(), false), (v6_12(), true)] {
        let mut s = twins(features);
        assert_eq!(merge(&mut s), Ok(()));
        s.m.vmas[A.at()][X.at()].uffd_wp = true;
        s.set(A, X, |e| e.uffd_wp = true);
        assert_eq!(s.call(A0, KsmMadvise::unmergeable(X)), Ok(()));
        assert_eq!(s.page(A, X).kind == PageKind::Anon, broken);
        s.assert_quiet();
    }
}

#[test]
fn a_child_inherits_mergeable_and_shares_the_ksm_page() {
    let mut s = Sim::two(v6_12());
    s.store(A0, X, 0, 7);
    s.store(B0, X, 0, 7);
    assert_eq!(merge(&mut s), Ok(()));
    s.fork(A0, C);
    assert!(s.m.vmas[C.at()][X.at()].mergeable);
    assert_eq!(s.page(C, X).mapcount.0, 3);
    s.store(C0, X, 0, 8);
    assert_eq!((s.load(A0, X, 0), s.load(B0, X, 0)), (7, 7));
    s.assert_quiet();
}

/// Q7: fork drops the child's mmap_lock before it flushes the parent's TLBs. ksmd may take the shared page for a KSM page through
/// the child's PTE, while another thread of the parent writes through its TLB.
#[test]
fn in_the_window_of_a_fork_a_third_process_may_see_the_parents_store() {
    for features in [v6_12(), v5_18(), v5_10()] {
        let mut s = Sim::two(features);
        s.store(A0, X, 0, 7);
        s.store(B0, X, 0, 7);
        s.store(A1, X, 1, 0);
        s.drain();
        s.start(A0, cowherd_mm::memory::copy_page_range::Fork::enter(C));
        s.until(A0, "FK13");
        assert_eq!(s.call(K0, Ksm::scan((B, X), Some((C, X)))), Ok(()));
        assert_eq!(s.pfn(B, X), s.pfn(A, X));
        s.w.choices.push_back(0);
        s.store(A1, X, 0, 9);
        assert_eq!(s.load(B0, X, 0), 9, "B never stored that");
    }
}

/// `replace_page` makes its PTE of the VMA's protection: the marks are gone.
#[test]
fn a_merge_forgets_that_the_page_was_written() {
    let mut s = twins(v6_12());
    assert!(s.present(A, X).soft_dirty);
    assert_eq!(merge(&mut s), Ok(()));
    assert!(!s.present(A, X).soft_dirty && s.present(B, X).soft_dirty);
}
