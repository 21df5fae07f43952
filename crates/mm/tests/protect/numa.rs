//! NUMA hinting: whom it passes over, and what its faults restore.

use cowherd_mm::feature::Feature as F;
use cowherd_mm::memory::copy_page_range::Fork;
use cowherd_mm::numa::numa_scan;

use crate::common::*;
use crate::kernels::*;

fn scan() -> Op {
    Op::Call(numa_scan(A, X))
}

#[test]
fn a_page_stays_in_step_with_gup_through_a_hint() {
    // B2 does not come about: the PTE is writable again after the fault.
    for (kernel, features) in eras() {
        let runs = program(features)
            .thread(&[get(), Op::Store(X, 1, 2)])
            .kernel(&[scan()])
            .run();
        assert!(runs.found.is_empty(), "{kernel}: {:?}", runs.found);
        assert_eq!(runs.held(0), [Some(X)].into(), "{kernel}");
    }
}

#[test]
fn fork_shares_a_hinted_page_read_only() {
    for (kernel, features) in eras() {
        let runs = program(features)
            .thread(&[scan(), Op::Call(Fork::enter(B)), Op::Store(X, 0, 1)])
            .child(&[Op::Store(X, 0, 2)])
            .run();
        assert!(runs.found.is_empty(), "{kernel}: {:?}", runs.found);
        assert_eq!(runs.x0(), [1].into(), "{kernel}");
    }
}

#[test]
fn pages_that_are_in_use_get_no_hint() {
    let hinted = |features, first: Op| {
        let runs = program(features).thread(&[first, scan()]).run();
        runs.are_clean();
        runs.ends.iter().all(|end| end.x_protnone)
    };
    assert!(hinted(v5_10(), get()));
    assert!(!hinted(v5_18(), get()));
    assert!(hinted(v7_2(), get()));
    assert!(!hinted(v7_2(), pin()));
    assert!(hinted(without(v7_2(), &[F::NumaSkipPinned]), pin()));
    for (kernel, features) in eras() {
        let fork = Op::Call(Fork::enter(B));
        assert!(!hinted(features, fork), "{kernel}");
    }
}
