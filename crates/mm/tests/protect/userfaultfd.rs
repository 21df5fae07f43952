//! userfaultfd: traps that spring, pages that are filled in, pages that move.

use cowherd_mm::feature::Feature as F;
use cowherd_mm::machine::Vma;
use cowherd_mm::memory::zap_pte_range::Zap;
use cowherd_mm::page::{Page, PageKind};
use cowherd_mm::pgtable::Pte;
use cowherd_mm::remote::{Door, RemoteAccess};
use cowherd_mm::userfaultfd::mfill_atomic::{Fill, MfillAtomic};
use cowherd_mm::userfaultfd::move_pages::MovePages;
use cowherd_mm::userfaultfd::{rw_protect, write_protect, write_unprotect};
use cowherd_mm::vmscan::shrink_folio_list::Shrink;
use cowherd_mm::*;

use crate::common::*;
use crate::kernels::*;

const BUSY: u8 = 100 + Errno::Ebusy as u8;
const EXISTS: u8 = 100 + Errno::Eexist as u8;

fn protect() -> Op {
    Op::Call(write_protect(A, X))
}

fn unprotect() -> Op {
    Op::Call(write_unprotect(A, X))
}

fn fill(with: Fill) -> Op {
    Op::Call(MfillAtomic::enter(A, X, with))
}

fn move_x() -> Op {
    Op::Call(MovePages::enter(A, Y, X))
}

fn registered(features: FeatureSet) -> Program {
    program(features).start(|m| m.vmas[0][X.at()].uffd_wp = true)
}

/// X is missing.
fn missing(features: FeatureSet) -> Program {
    program(features).start(|m| {
        m.vmas[0][X.at()].uffd_missing = true;
        m.ptes[0][X.at()] = Pte::None;
        m.frames[PX.at()] = Page::FREE;
    })
}

/// Y can be moved to.
fn movable(features: FeatureSet) -> Program {
    program(features).start(|m| m.vmas[0][Y.at()].uffd_missing = true)
}

#[test]
fn a_store_waits_until_the_protection_is_lifted() {
    for (kernel, features) in eras() {
        let trapped = registered(features)
            .thread(&[protect(), Op::Store(X, 0, 1)])
            .run();
        assert!(trapped.found.is_empty(), "{kernel}: {:?}", trapped.found);
        assert!(trapped.ends.is_empty(), "{kernel}");
        let freed = registered(features)
            .thread(&[protect(), Op::Store(X, 0, 1)])
            .thread(&[Op::After(0, 1), unprotect()])
            .run();
        assert!(freed.found.is_empty(), "{kernel}: {:?}", freed.found);
        assert_eq!(freed.x0(), [1].into(), "{kernel}");
    }
}

#[test]
fn once_a_protection_has_returned_every_store_is_trapped() {
    let run = |features| {
        registered(features)
            .thread(&[Op::Store(X, 0, 1)])
            .hot(0)
            .thread(&[protect()])
            .thread(&[protect()])
            .run()
    };
    for (kernel, features) in eras() {
        let runs = run(features);
        assert!(runs.found.is_empty(), "{kernel}: {:?}", runs.found);
    }
    for rule in [F::TlbFlushNested, F::ProtectFlush] {
        let runs = run(without(v7_2(), &[rule]));
        assert!(runs.found.contains(&Found::MissedUffd), "{rule:?}");
    }
}

#[test]
fn a_protection_flushes_what_reclaim_deferred() {
    let run = |features| {
        registered(features)
            .thread(&[Op::Store(X, 0, 1)])
            .hot(0)
            .thread(&[protect()])
            .kernel(&[Op::Call(Shrink::reclaim(A, X))])
            .run()
    };
    run(v7_2()).are_clean();
    let mutant = run(without(v7_2(), &[F::BatchedFlush]));
    assert!(mutant.found.contains(&Found::MissedUffd));
}

#[test]
fn protecting_and_lifting_at_the_same_time_raises_no_alarm() {
    for (kernel, features) in eras() {
        let runs = registered(features)
            .thread(&[Op::Store(X, 0, 1)])
            .hot(0)
            .thread(&[protect(), unprotect()])
            .thread(&[protect()])
            .run();
        assert!(runs.found.is_empty(), "{kernel}: {:?}", runs.found);
    }
}

#[test]
fn before_5_12_a_page_is_copied_under_stores_through_stale_translations() {
    // B21: protect, lift before the flush, copy.
    let lost = |features| {
        let runs = registered(features)
            .start(batched)
            .thread(&[Op::Store(X, 0, 1)])
            .hot(0)
            .thread(&[protect(), unprotect()])
            .thread(&[unprotect()])
            .thread(&[Op::Store(X, 1, 2)])
            .run();
        runs.are_clean();
        runs.ends.iter().any(|end| end.x != [1, 2])
    };
    assert!(lost(v5_10()));
    assert!(!lost(with(v5_10(), &[F::UffdwpFlush])));
    assert!(!lost(v5_18()));
    assert!(!lost(v7_2()));
}

#[test]
fn a_protected_page_stays_so_on_swap() {
    for (kernel, features) in eras() {
        let runs = registered(features)
            .thread(&[
                protect(),
                Op::Call(Shrink::pageout(A, X)),
                Op::Load(X, 0),
                Op::Store(X, 0, 1),
            ])
            .run();
        assert!(runs.found.is_empty(), "{kernel}: {:?}", runs.found);
        assert!(runs.ends.is_empty(), "{kernel}");
    }
}

#[test]
fn a_missing_page_is_filled_in_once() {
    for (with, value) in [(Fill::Copy, 3), (Fill::Zeropage, 0)] {
        let runs = missing(v7_2())
            .thread(&[Op::Load(X, 0)])
            .thread(&[fill(with)])
            .thread(&[fill(with)])
            .run();
        runs.are_clean();
        assert_eq!(runs.results(0), [value].into());
        assert_eq!(runs.results(1), [0, EXISTS].into());
    }
}

/// X is a private mapping of frame 2, which is in the page cache. Minor faults go to userspace.
fn file(features: FeatureSet, write: bool) -> Program {
    let mut p = missing(features).start(|m| {
        m.frames[PY.at()] = Page {
            kind: PageKind::File,
            refs: Count(1),
            uptodate: true,
            ..Page::FREE
        };
        m.vmas[0][X.at()] = Vma {
            mapped: true,
            read: true,
            write,
            file: Some(PY),
            uffd_minor: true,
            ..Vma::absent(X)
        };
    });
    p.start.data.frames[PY.at()] = [4; MAX_CELLS];
    p
}

#[test]
fn a_minor_fault_waits_for_continue() {
    for (kernel, features) in eras() {
        let runs = file(features, true)
            .thread(&[Op::Load(X, 1), Op::Store(X, 0, 1)])
            .thread(&[fill(Fill::Continue)])
            .run();
        assert!(runs.found.is_empty(), "{kernel}: {:?}", runs.found);
        assert!(runs.ends.iter().all(|end| end.x == [1, 4]), "{kernel}");
    }
}

#[test]
fn a_dirty_page_of_the_cache_is_no_copy() {
    // CVE-2022-2590 (B18): /proc/PID/mem breaks COW, the copy is zapped, and CONTINUE puts a dirty page in its place.
    let written = |features| {
        let force = RemoteAccess::enter(A, X, Door::ProcMem, Access::Store);
        let runs = file(features, false)
            .kernel(&[Op::Call(force)])
            .thread(&[
                fill(Fill::Continue),
                Op::Call(Zap::dontneed(X)),
                fill(Fill::Continue),
            ])
            .run();
        runs.found
    };
    let modified = [Found::FileModified].into();
    assert_eq!(written(v5_18()), modified);
    assert!(written(without(v5_18(), &[F::UffdContinueDirty])).is_empty());
    assert!(written(v5_10()).is_empty());
    assert!(written(v6_1()).is_empty());
    assert!(written(v7_2()).is_empty());
}

#[test]
fn a_page_moves_with_what_gup_holds_of_it() {
    for features in [v6_12(), v7_2()] {
        let runs = movable(features)
            .thread(&[get(), move_x(), Op::Store(Y, 1, 2), Op::Load(X, 0)])
            .run();
        runs.are_clean();
        for end in &runs.ends {
            assert_eq!((end.x, end.y), ([0, 0], [OLD, 2]));
            assert_eq!(end.held_at, Some(Y));
        }
    }
}

#[test]
fn a_pinned_page_does_not_move() {
    let run = |features| {
        let runs = movable(features).thread(&[pin()]).thread(&[move_x()]).run();
        runs.are_clean();
        runs
    };
    // Where the move came first, there is nothing at X any more, and the pin is of a new page.
    let torn = |runs: &Runs| {
        let pinned = runs.ends.iter().filter(|end| end.results[0] == 0);
        pinned.clone().any(|end| end.held_at != Some(X))
    };
    let right = run(v7_2());
    assert!(right.results(1).contains(&BUSY));
    assert!(!torn(&right));
    assert!(torn(&run(without(v7_2(), &[F::UffdMovePinTest]))));
}

#[test]
fn a_shared_page_does_not_move() {
    let run = |features| {
        movable(features)
            .thread(&[Op::Call(memory::copy_page_range::Fork::enter(B)), move_x()])
            .child(&[Op::Load(X, 0)])
            .run()
    };
    let right = run(v7_2());
    right.are_clean();
    assert_eq!(right.results(0), [BUSY].into());
    let mutant = run(without(v7_2(), &[F::UffdMoveExclusive]));
    assert!(mutant.found.contains(&Found::Broken(Broken::WExcl)));
}

#[test]
fn a_page_that_changes_meanwhile_is_looked_at_again() {
    let run = |features| {
        movable(features)
            .thread(&[Op::Call(Zap::dontneed(X)), Op::Store(X, 0, 1)])
            .thread(&[move_x()])
            .run()
    };
    run(v7_2()).are_clean();
    assert!(!run(without(v7_2(), &[F::UffdMoveRecheck])).found.is_empty());
}

#[test]
fn a_move_drops_the_protection() {
    // B39: no release does better.
    let run = |features| {
        movable(features)
            .start(|m| {
                m.vmas[0][X.at()].uffd_wp = true;
                m.vmas[0][Y.at()].uffd_wp = true;
            })
            .thread(&[protect(), move_x(), Op::Store(Y, 0, 1)])
            .run()
    };
    assert_eq!(run(v7_2()).found, [Found::MissedUffd].into());
    run(with(v7_2(), &[F::UffdMoveWp])).are_clean();
}

#[test]
fn before_6_14_a_page_in_the_swap_cache_stays_behind() {
    // B38: the swap entry moves, the cached page keeps its old index, and the fault copies it.
    let held = |features| {
        let runs = movable(features)
            .thread(&[
                get(),
                Op::Call(Shrink::pageout(A, X)),
                move_x(),
                Op::Store(Y, 1, 2),
            ])
            .run();
        runs.are_clean();
        runs.held(0)
    };
    assert_eq!(held(v6_12()), [None].into());
    assert_eq!(held(with(v6_12(), &[F::UffdMoveSc1])), [Some(Y)].into());
    assert_eq!(held(v7_2()), [Some(Y)].into());
}

#[test]
fn before_6_16_a_page_that_comes_back_to_the_swap_cache_stays_behind() {
    // CVE-2025-38242 (B38): no page is cached when the move looks, one is when it moves the entry.
    let run = |features| {
        movable(features)
            .thread(&[
                Op::Call(Shrink::pageout(A, X)),
                move_x(),
                Op::Store(Y, 1, 2),
            ])
            .thread(&[get()])
            .kernel(&[Op::Call(Shrink::reclaim(A, X))])
            .run()
    };
    let sc1 = run(with(v6_12(), &[F::UffdMoveSc1]));
    assert!(sc1.held(1).contains(&None));
    let sc2 = run(with(v6_12(), &[F::UffdMoveSc1, F::UffdMoveSc2]));
    sc2.are_clean();
    assert!(!sc2.held(1).contains(&None));
    assert!(!run(v7_2()).held(1).contains(&None));
}

/// X is registered for read-write protection.
fn private_to_userspace(features: FeatureSet) -> Program {
    let features = with(features, &[F::UffdRwp]);
    program(features).start(|m| m.vmas[0][X.at()].uffd_rwp = true)
}

fn rw_protect_x() -> Op {
    Op::Call(rw_protect(A, X))
}

#[test]
fn read_write_protection_traps_loads_too() {
    for access in [Op::Load(X, 0), Op::Store(X, 0, 1)] {
        for between in [
            Op::Call(Shrink::pageout(A, X)),
            Op::Call(migrate::Migrate::page(A, X)),
            Op::Call(numa::numa_scan(A, X)),
        ] {
            let trapped = private_to_userspace(v7_2())
                .thread(&[rw_protect_x(), between, access])
                .run();
            trapped.are_clean();
            assert!(trapped.ends.is_empty());
            let freed = private_to_userspace(v7_2())
                .thread(&[rw_protect_x(), between, access])
                .thread(&[Op::After(0, 2), unprotect()])
                .run();
            freed.are_clean();
            assert!(!freed.ends.is_empty());
        }
    }
}

#[test]
fn fork_write_protects_in_a_vma_with_read_write_protection() {
    // B40.
    let run = |features| {
        private_to_userspace(features)
            .thread(&[
                Op::Call(memory::copy_page_range::Fork::enter(B)),
                Op::Store(X, 0, 1),
            ])
            .child(&[Op::Load(X, 0)])
            .run()
    };
    let right = run(v7_2());
    right.are_clean();
    assert_eq!(right.results(1), [OLD].into());
    let mutant = run(without(v7_2(), &[F::RwpForkSample]));
    assert!(mutant.found.contains(&Found::Broken(Broken::WExcl)));
    assert_eq!(mutant.results(1), [OLD, 1].into());
}

#[test]
fn a_shared_page_stays_read_write_protected_on_swap() {
    // B41.
    let run = |features| {
        private_to_userspace(features)
            .thread(&[
                Op::Call(memory::copy_page_range::Fork::enter(B)),
                rw_protect_x(),
                Op::After(1, 2),
                Op::Store(X, 0, 1),
            ])
            .kernel(&[Op::After(0, 2), Op::Call(Shrink::reclaim(A, X))])
            .run()
    };
    let right = run(v7_2());
    right.are_clean();
    assert!(right.ends.is_empty());
    let mutant = run(without(v7_2(), &[F::RwpSwapin]));
    assert!(mutant.found.contains(&Found::MissedUffd));
}
