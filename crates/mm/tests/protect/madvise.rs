//! MADV_FREE: what it may drop and what not; advice for fork; MADV_COLD.

use cowherd_mm::Errno;
use cowherd_mm::feature::Feature as F;
use cowherd_mm::madvise::cold::MadvCold;
use cowherd_mm::madvise::flags::{ForkAdvice, MadvFlags};
use cowherd_mm::madvise::free::MadvFree;
use cowherd_mm::memory::copy_page_range::Fork;
use cowherd_mm::pgtable::Present;
use cowherd_mm::vmscan::shrink_folio_list::Shrink;

use crate::common::*;
use crate::kernels::*;

fn free() -> Op {
    Op::Call(MadvFree::enter(X))
}

fn reclaim() -> Op {
    Op::Call(Shrink::reclaim(A, X))
}

#[test]
fn a_freed_page_is_kept_or_dropped_as_a_whole() {
    for (kernel, features) in eras() {
        let runs = program(features)
            .thread(&[free()])
            .kernel(&[reclaim()])
            .with_drains()
            .run();
        assert!(runs.found.is_empty(), "{kernel}: {:?}", runs.found);
        let x: std::collections::BTreeSet<_> = runs.ends.iter().map(|end| end.x).collect();
        assert_eq!(x, [[0, 0], [OLD, OLD]].into(), "{kernel}");
    }
}

#[test]
fn a_store_after_madv_free_stays() {
    let kept = |features| {
        program(features)
            .thread(&[free(), Op::Store(X, 0, 1)])
            .hot(0)
            .kernel(&[reclaim()])
            .with_drains()
            .run()
    };
    for (kernel, features) in eras() {
        let runs = kept(features);
        assert!(runs.found.is_empty(), "{kernel}: {:?}", runs.found);
        assert_eq!(runs.x0(), [1].into(), "{kernel}");
    }
    for rule in [F::MadvfreeFlush, F::TtuDirty] {
        let x0 = kept(without(v7_2(), &[rule])).x0();
        assert!(x0.contains(&0), "{rule:?}: {x0:?}");
    }
}

#[test]
fn a_shared_page_is_not_freed() {
    let run = |features| {
        program(features)
            .start(|m| {
                let e = m.ptes[0][X.at()].present().expect("X is mapped");
                m.ptes[0][X.at()] = Present { dirty: false, ..e }.pte();
                m.frames[PX.at()].dirty = true;
            })
            .thread(&[Op::Call(Fork::enter(B))])
            .child(&[free()])
            .kernel(&[Op::After(1, 1), reclaim()])
            .with_drains()
            .run()
    };
    for (kernel, features) in eras() {
        assert_eq!(run(features).x0(), [OLD].into(), "{kernel}");
    }
    let mutant = run(without(v7_2(), &[F::MadvfreeMapcount]));
    assert_eq!(mutant.x0(), [0, OLD].into());
}

#[test]
fn a_swapped_page_is_dropped_at_once() {
    for (kernel, features) in eras() {
        let runs = program(features)
            .thread(&[Op::Call(Shrink::pageout(A, X)), free()])
            .run();
        assert!(runs.found.is_empty(), "{kernel}: {:?}", runs.found);
        assert_eq!(runs.x0(), [0].into(), "{kernel}");
    }
}

#[test]
fn from_5_18_on_a_freed_page_that_gup_holds_stays_mapped() {
    // B26, less the device: GUP's reference is there before the pages are set dirty.
    let held = |features| {
        let runs = program(features)
            .thread(&[free(), get()])
            .kernel(&[Op::After(0, 1), reclaim()])
            .with_drains()
            .run();
        runs.are_clean();
        runs.held(0)
    };
    assert!(held(v5_10()).contains(&None));
    assert_eq!(held(v5_18()), [Some(X)].into());
    assert_eq!(held(v7_2()), [Some(X)].into());
}

#[test]
fn advice_for_fork_is_heeded() {
    let child = |advice| {
        let runs = program(v7_2())
            .thread(&[
                Op::Call(MadvFlags::enter(X, advice)),
                Op::Call(Fork::enter(B)),
            ])
            .child(&[Op::Load(X, 0)])
            .run();
        runs.are_clean();
        runs.results(1)
    };
    assert_eq!(
        child(ForkAdvice::DontFork),
        [100 + Errno::Segv as u8].into()
    );
    assert_eq!(child(ForkAdvice::DoFork), [OLD].into());
    assert_eq!(child(ForkAdvice::WipeOnFork), [0].into());
    assert_eq!(child(ForkAdvice::KeepOnFork), [OLD].into());
}

#[test]
fn cold_memory_leaves_the_callers_batch() {
    let runs = program(v7_2())
        .start(|m| {
            batched(m);
            m.frames[PX.at()].batch = Some(cowherd_mm::Cpu(0));
        })
        .thread(&[
            Op::Call(MadvCold::enter(A, X)),
            Op::Call(Shrink::pageout(A, X)),
        ])
        .run();
    runs.are_clean();
    assert_eq!(runs.results(0), [0].into());
}
