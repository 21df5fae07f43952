//! MADV_WILLNEED, MADV_POPULATE.

use cowherd_mm::madvise::populate::Populate;
use cowherd_mm::madvise::willneed::Willneed;
use cowherd_mm::task::{Errno, Next};

use crate::common::*;

#[test]
fn willneed_fills_the_swap_cache_and_maps_nothing() {
    for features in [v6_12(), v5_18(), v5_10()] {
        let mut s = Sim::new(features);
        s.store(A0, X, 0, 7);
        s.swap_out(A, X);
        let slot = s.swapped(A, X).slot;
        assert_eq!(s.call(A0, Willneed::enter(X)), Ok(()));
        assert_eq!(s.swapped(A, X).slot, slot);
        let pfn = s.m.slots[slot.at()].cache.expect("not cached");
        assert!(s.m.frames[pfn.at()].uptodate && s.m.frames[pfn.at()].lru);
        assert_eq!(s.call(A0, Willneed::enter(X)), Ok(()));
        assert_eq!(s.load(A0, X, 0), 7);
        assert_eq!(s.pfn(A, X), pfn);
        s.assert_quiet();
    }
}

#[test]
fn willneed_of_nothing_does_nothing() {
    let mut s = Sim::new(v6_12());
    assert_eq!(s.call(A0, Willneed::enter(X)), Ok(()));
    s.store(A0, X, 0, 7);
    assert_eq!(s.call(A0, Willneed::enter(X)), Ok(()));
    s.m.vmas[A.at()][Y.at()].mapped = false;
    assert_eq!(s.call(A0, Willneed::enter(Y)), Err(Errno::Enomem));
    s.assert_quiet();
}

fn populate(s: &mut Sim, write: bool) -> Result<(), Errno> {
    let next = Populate::enter(&s.cfg, X, write);
    match next {
        Next::Return { result } => result,
        next => s.call(A0, next),
    }
}

#[test]
fn populate_faults_pages_in_and_leaves_no_reference() {
    let mut s = Sim::two(v6_12());
    assert_eq!(populate(&mut s, false), Ok(()));
    assert!(s.pfn(A, X).is_zero());
    assert_eq!(populate(&mut s, true), Ok(()));
    assert!(s.present(A, X).write && s.page(A, X).exclusive);
    s.assert_quiet();

    s.fork(A0, C);
    let shared = s.pfn(A, X);
    assert_eq!(populate(&mut s, false), Ok(()));
    assert_eq!(s.pfn(A, X), shared);
    assert_eq!(populate(&mut s, true), Ok(()));
    assert_ne!(s.pfn(A, X), shared);
    s.assert_quiet();

    let mut s = Sim::new(v6_12());
    s.store(A0, X, 0, 7);
    s.swap_out(A, X);
    assert_eq!(populate(&mut s, true), Ok(()));
    assert_eq!(s.load(A0, X, 0), 7);
    s.assert_quiet();
}

#[test]
fn populate_says_why_not() {
    let mut s = Sim::new(v5_10());
    assert_eq!(populate(&mut s, true), Err(Errno::Einval));
    let mut s = Sim::new(v6_12());
    s.m.vmas[A.at()][X.at()].write = false;
    assert_eq!(populate(&mut s, true), Err(Errno::Einval));
    s.m.vmas[A.at()][X.at()].mapped = false;
    assert_eq!(populate(&mut s, false), Err(Errno::Enomem));
    let mut s = Sim::new(v6_12());
    s.cfg.fails.oom = true;
    s.w.choices.push_back(1);
    assert_eq!(populate(&mut s, true), Err(Errno::Enomem));
    s.assert_quiet();
}
