//! swapoff.

use cowherd_mm::feature::Feature as F;
use cowherd_mm::machine::Hold;
use cowherd_mm::pgtable::Pte;
use cowherd_mm::swap::swapoff::Swapoff;
use cowherd_mm::task::Errno;
use cowherd_mm::vmscan::shrink_folio_list::Shrink;
use cowherd_mm::{Broken, FeatureSet};

use crate::common::*;

/// A page of A is in swap; `cached`: in the swap cache, too.
fn swapped(features: FeatureSet, cached: bool) -> Sim {
    let mut s = Sim::two(features);
    s.store(A0, X, 0, 7);
    if cached {
        s.drain();
        assert_eq!(s.reclaim(A, X), Ok(()));
    } else {
        s.swap_out(A, X);
    }
    s
}

#[test]
fn every_page_comes_back_readonly_and_no_slot_is_in_use() {
    for features in [v6_12(), v5_18(), v5_10()] {
        let mut s = swapped(features, false);
        s.store(B0, Y, 0, 6);
        s.swap_out(B, Y);
        assert_eq!(s.call(K0, Swapoff::enter()), Ok(()));
        for (mm, va) in [(A, X), (B, Y)] {
            assert!(!s.present(mm, va).write);
            assert_eq!(
                s.page(mm, va).exclusive,
                features.contains(F::AnonExclusive)
            );
            assert!(s.page(mm, va).dirty && s.page(mm, va).swap.is_none());
        }
        assert_eq!((s.load(A0, X, 0), s.load(B0, Y, 0)), (7, 6));
        s.drain();
        assert_eq!(s.reclaim(A, X), Err(Errno::Ebusy), "there is no slot");
        s.assert_quiet();
    }
}

#[test]
fn a_shared_slot_gives_a_shared_page() {
    for features in [v6_12(), v5_18(), v5_10()] {
        let mut s = swapped(features, false);
        s.fork(A0, C);
        assert_eq!(s.call(K0, Swapoff::enter()), Ok(()));
        assert_eq!(s.pfn(A, X), s.pfn(C, X));
        assert!(!s.page(A, X).exclusive);
        s.store(A0, X, 0, 8);
        assert_eq!(s.load(C0, X, 0), 7);
        s.assert_quiet();
    }
}

#[test]
fn writeback_is_waited_for() {
    let mut s = swapped(v6_12(), true);
    s.start(K0, Swapoff::enter());
    s.until(K0, "SO6");
    assert!(!s.ready(K0));
    s.writeback();
    assert_eq!(s.finish(K0), Ok(()));
    assert_eq!(s.load(A0, X, 0), 7);
    s.assert_quiet();
}

/// Variant (c) of B1, B34: the page is read-only; who else refers to it decides what a write does, before 5.19.
#[test]
fn a_transfer_in_flight_keeps_its_page_from_exclusivity_on() {
    let mutant = without(v6_12(), &[F::SwapoffExclusive]);
    for (features, lost) in [
        (v6_12(), false),
        (mutant, true),
        (v5_18(), true),
        (v5_10(), true),
    ] {
        let mut s = Sim::two(features);
        s.store(A0, X, 0, 7);
        s.hold(A0, 0, Hold::Get, true);
        s.drain();
        assert_eq!(s.reclaim(A, X), Err(Errno::Ebusy), "unmapped, and kept");
        assert!(s.m.ptes[A.at()][X.at()].swap().is_some());
        assert_eq!(s.call(K0, Swapoff::enter()), Ok(()));
        s.store(A0, X, 1, 5);
        s.device_store(0, 0, 9);
        assert_eq!(s.load(A0, X, 0), if lost { 7 } else { 9 });
        s.unhold(A0, 0);
        s.assert_quiet();
    }
}

#[test]
fn marks_are_kept_but_not_in_v5_10() {
    for (features, kept) in [(v6_12(), true), (v5_18(), true), (v5_10(), false)] {
        let mut s = Sim::two(features);
        s.store(A0, X, 0, 7);
        s.m.vmas[A.at()][X.at()].uffd_wp = true;
        s.set(A, X, |e| (e.write, e.uffd_wp) = (false, true));
        s.swap_out(A, X);
        assert_eq!(s.call(K0, Swapoff::enter()), Ok(()));
        let e = s.present(A, X);
        assert_eq!((e.soft_dirty, e.uffd_wp), (kept, kept));
    }
}

/// Marks that change between the look and the lock do not matter.
#[test]
fn the_pte_is_compared_without_its_marks() {
    let mut s = swapped(v6_12(), false);
    s.start(K0, Swapoff::enter());
    s.until(K0, "SO8");
    let mut e = s.swapped(A, X);
    (e.exclusive, e.soft_dirty) = (false, false);
    s.m.ptes[A.at()][X.at()] = Pte::Swap { e };
    assert_eq!(s.finish(K0), Ok(()));
    assert!(!s.page(A, X).exclusive && !s.present(A, X).soft_dirty);
    s.assert_quiet();
}

#[test]
fn a_page_that_is_faulted_in_meanwhile_stays() {
    for (mutant, told) in [(None, false), (Some(F::SwapoffPteSame), true)] {
        let mut s = swapped(without(v6_12(), mutant.as_slice()), false);
        s.start(K0, Swapoff::enter());
        s.until(K0, "SO5");
        s.store(A0, X, 0, 8);
        s.until(K0, "SO10");
        assert_eq!(s.w.broken.contains(&Broken::SwapCnt), told);
        if !told {
            assert_eq!(s.finish(K0), Ok(()));
            assert_eq!(s.load(A0, X, 0), 8);
            s.assert_quiet();
        }
    }
}

/// Slots must not come back between the lookup and the lock: the folio is not looked up again.
#[test]
fn a_slot_that_is_used_again_gives_the_wrong_page() {
    for (mutant, wrong) in [(None, false), (Some(F::SwapoffNoSlots), true)] {
        let mut s = swapped(without(v5_18(), mutant.as_slice()), false);
        s.start(K0, Swapoff::enter());
        s.until(K0, "SO5");
        // The reference that swapoff holds makes this a copy; the slot is free then.
        s.store(A0, X, 0, 8);
        s.drain();
        let swapped_again = s.call(A0, Shrink::pageout(A, X)).is_ok();
        assert_eq!(swapped_again, wrong);
        s.writeback();
        assert_eq!(s.finish(K0), Ok(()));
        assert_eq!(s.load(A0, X, 0), if wrong { 7 } else { 8 });
    }
}

#[test]
fn a_ksm_page_that_was_swapped_out_is_copied() {
    use cowherd_mm::ksm::Ksm;
    for features in [v6_12(), v5_18(), v5_10()] {
        let mut s = Sim::new(features);
        s.store(A0, X, 0, 7);
        s.store(B0, X, 0, 7);
        assert_eq!(s.call(K0, Ksm::scan((A, X), Some((B, X)))), Ok(()));
        s.swap_out(A, X);
        assert_eq!(s.call(K0, Swapoff::enter()), Ok(()));
        assert_ne!(s.pfn(A, X), s.pfn(B, X));
        assert_eq!((s.load(A0, X, 0), s.load(B0, X, 0)), (7, 7));
        s.assert_quiet();
    }
}

#[test]
fn without_memory_the_device_stays() {
    let mut s = swapped(v6_12(), false);
    s.cfg.fails.oom = true;
    s.w.choices.push_back(1);
    assert_eq!(s.call(K0, Swapoff::enter()), Err(Errno::Enomem));
    assert!(!s.m.swap_off);
    s.cfg.fails.oom = false;
    assert_eq!(s.load(A0, X, 0), 7);
    s.assert_quiet();
}

#[test]
fn a_process_that_exits_is_waited_for() {
    use cowherd_mm::memory::zap_pte_range::Zap;
    let mut s = swapped(v6_12(), true);
    s.writeback();
    s.start(A0, Zap::exit());
    s.until(A0, "ZS2");
    s.start(K0, Swapoff::enter());
    s.until(K0, "SO13");
    assert_eq!(s.step(K0), None, "a slot is in use: all over again");
    assert_eq!(s.finish(A0), Ok(()));
    assert_eq!(s.finish(K0), Ok(()));
    s.assert_quiet();
}

/// A device that demands stable pages: a page that is exclusive under writeback would be reused in place.
#[test]
fn a_page_is_not_reused_under_writeback() {
    for (mutant, torn) in [(None, false), (Some(F::SwapoffWriteback), true)] {
        let mut s = Sim::two(without(v6_12(), mutant.as_slice()));
        s.cfg.swap.stable_writes = true;
        s.store(A0, X, 0, 7);
        s.drain();
        assert_eq!(s.reclaim(A, X), Ok(()));
        let slot = s.swapped(A, X).slot;
        s.kernel(K2).writeback_step(slot);
        s.start(K0, Swapoff::enter());
        s.until(K0, "SO6");
        if torn {
            s.until(K0, "SO10");
            s.store(A0, X, 0, 8);
        }
        s.writeback();
        assert_eq!(s.w.broken.contains(&Broken::TornWriteback), torn);
        assert_eq!(s.finish(K0), Ok(()));
    }
}

/// A swap-in that bypasses the swap cache, from a device that goes.
#[test]
fn the_device_is_there_as_long_as_a_fault_needs_it() {
    use cowherd_mm::access::Access;
    use cowherd_mm::task::{Call, Next};
    for (features, waits) in [(v6_12(), true), (v5_10(), false)] {
        let mut s = Sim::two(features);
        s.cfg.swap.synchronous = true;
        s.store(A0, X, 0, 7);
        s.swap_out(A, X);
        let p = Access::load(X);
        s.start(
            A0,
            Next::Call {
                call: Call::Access { p },
            },
        );
        s.until(A0, "SI3");
        s.start(K0, Swapoff::enter());
        s.until(K0, "SO14");
        assert_eq!(s.ready(K0), !waits);
        if !waits {
            assert_eq!(s.finish(K0), Ok(()));
        }
        assert_eq!(s.finish(A0), Ok(()));
        assert_eq!(s.w.value, 7);
        assert_eq!(s.w.broken.contains(&Broken::UseAfterFree), !waits);
        if waits {
            assert_eq!(s.finish(K0), Ok(()));
            s.assert_quiet();
        }
    }
}

#[test]
fn a_fault_that_comes_too_late_for_the_device_looks_at_the_pte_again() {
    use cowherd_mm::access::Access;
    use cowherd_mm::task::{Call, Next};
    for features in [v6_12(), v5_18(), v5_10()] {
        let mut s = swapped(features, false);
        let p = Access::load(X);
        s.start(
            A0,
            Next::Call {
                call: Call::Access { p },
            },
        );
        s.until(A0, "SI2");
        assert_eq!(s.call(K0, Swapoff::enter()), Ok(()));
        assert_eq!(s.finish(A0), Ok(()));
        assert_eq!(s.w.value, 7);
        s.assert_quiet();
    }
}

/// B33: the last entry of a slot is dropped by a process that exits, and swapoff frees the page that is left in the cache first.
#[test]
fn who_drops_the_last_entry_of_a_slot_keeps_the_device() {
    use cowherd_mm::memory::zap_pte_range::Zap;
    for (mutant, waits) in [(None, true), (Some(F::FreeSwapoff), false)] {
        let mut s = swapped(without(v6_12(), mutant.as_slice()), true);
        s.writeback();
        s.start(A0, Zap::exit());
        s.until(A0, "ZS3");
        s.start(K0, Swapoff::enter());
        s.until(K0, "SO14");
        assert_eq!(s.ready(K0), !waits);
        if !waits {
            assert_eq!(s.finish(K0), Ok(()));
        }
        s.step(A0);
        assert_eq!(s.w.broken.contains(&Broken::UseAfterFree), !waits);
    }
}
