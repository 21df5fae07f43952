//! The invariants hold on kernels that are right, whatever happens at the same time; each is broken by some mutant.

use cowherd_mm::clear_refs::ClearRefs;
use cowherd_mm::feature::Feature as F;
use cowherd_mm::ksm::Ksm;
use cowherd_mm::madvise::free::MadvFree;
use cowherd_mm::memory::copy_page_range::Fork;
use cowherd_mm::memory::zap_pte_range::Zap;
use cowherd_mm::migrate::Migrate;
use cowherd_mm::mprotect::{ChangeProtection, Prot};
use cowherd_mm::mremap::Mremap;
use cowherd_mm::numa::numa_scan;
use cowherd_mm::userfaultfd::move_pages::MovePages;
use cowherd_mm::userfaultfd::{write_protect, write_unprotect};
use cowherd_mm::vmscan::shrink_folio_list::Shrink;

use crate::common::*;
use crate::kernels::*;

fn disturbances() -> Vec<(&'static str, Vec<Op>)> {
    let call = |next| vec![Op::Call(next)];
    vec![
        ("clear_refs", call(ClearRefs::enter(A))),
        (
            "mprotect",
            vec![
                Op::Call(ChangeProtection::mprotect(A, X, Prot::Read)),
                Op::Call(ChangeProtection::mprotect(A, X, Prot::ReadWrite)),
            ],
        ),
        ("numa_scan", call(numa_scan(A, X))),
        (
            "uffd",
            vec![
                Op::Call(write_protect(A, X)),
                Op::Call(write_unprotect(A, X)),
            ],
        ),
        ("MADV_FREE", call(MadvFree::enter(X))),
        ("mremap", call(Mremap::enter(X, Y))),
        ("uffd_move", call(MovePages::enter(A, Y, X))),
        ("DONTNEED", call(Zap::dontneed(X))),
        ("pageout", call(Shrink::pageout(A, X))),
    ]
}

fn activities() -> Vec<(&'static str, Op)> {
    vec![
        ("reclaim", Op::Call(Shrink::reclaim(A, X))),
        ("migration", Op::Call(Migrate::compact(A, X))),
        ("ksmd", Op::Call(Ksm::scan((A, X), Some((A, Y))))),
    ]
}

fn registered(features: cowherd_mm::FeatureSet) -> Program {
    program(features).start(|m| {
        m.vmas[0][X.at()].uffd_wp = true;
        m.vmas[0][Y.at()].uffd_missing = true;
        m.vmas[0][X.at()].mergeable = true;
    })
}

#[test]
fn nothing_is_broken_while_a_thread_writes_and_the_kernel_works() {
    for (kernel, features) in eras() {
        for (name, ops) in disturbances() {
            for (activity, op) in activities() {
                let mut p = registered(features);
                if activity == "ksmd" && !["mremap", "uffd_move"].contains(&name) {
                    let State { m, data, .. } = &mut p.start;
                    map(m, data, Y, PY);
                    m.frames[PY.at()].exclusive = features.contains(F::AnonExclusive);
                    m.vmas[0][Y.at()].mergeable = true;
                }
                let runs = p
                    .thread(&[Op::Store(X, 0, 1)])
                    .thread(&ops)
                    .kernel(&[op])
                    .run();
                let mut found = runs.found;
                match (name, activity) {
                    // See clear_refs.rs.
                    ("clear_refs", "migration") => found.remove(&Found::MissedSoftDirty),
                    // replace_page() makes the PTE anew, without the mark.
                    ("uffd", "ksmd") => found.remove(&Found::MissedUffd),
                    _ => false,
                };
                assert!(found.is_empty(), "{kernel}, {name}, {activity}: {found:?}");
            }
        }
    }
}

#[test]
fn nothing_is_broken_while_a_process_forks() {
    for (kernel, features) in eras() {
        for (name, ops) in disturbances() {
            let runs = registered(features)
                .thread(&[Op::Call(Fork::enter(B)), Op::Store(X, 0, 1)])
                .thread(&ops)
                .child(&[Op::Store(X, 0, 2)])
                .run();
            assert!(runs.found.is_empty(), "{kernel}, {name}: {:?}", runs.found);
        }
    }
}

#[test]
fn nothing_is_broken_while_a_page_is_pinned() {
    for (kernel, features) in [("v5.18", v5_18()), ("v6.1", v6_1()), ("v7.2", v7_2())] {
        for (name, ops) in disturbances() {
            let runs = registered(features)
                .thread(&[pin(), Op::Store(X, 0, 1)])
                .thread(&ops)
                .kernel(&[Op::Call(Shrink::reclaim(A, X))])
                .run();
            assert!(runs.found.is_empty(), "{kernel}, {name}: {:?}", runs.found);
        }
    }
}

#[test]
fn a_page_that_fork_left_exclusive_is_noticed() {
    let features = without(v6_12(), &[F::ForkClearExclusive]);
    let runs = program(features)
        .thread(&[Op::Call(Fork::enter(B)), Op::Store(X, 0, 1)])
        .run();
    use cowherd_mm::Broken::*;
    assert!(runs.found.contains(&Found::Broken(Excl1)));
    assert!(runs.found.contains(&Found::Broken(WOne)));
}

#[test]
fn a_swap_pte_that_fork_left_exclusive_is_noticed() {
    let features = without(v6_12(), &[F::ForkClearSwpExclusive]);
    let runs = program(features)
        .thread(&[
            Op::Call(Shrink::pageout(A, X)),
            Op::Call(Fork::enter(B)),
            Op::Store(X, 0, 1),
        ])
        .run();
    use cowherd_mm::Broken::*;
    assert!(runs.found.contains(&Found::Broken(SwpExcl1)));
}

#[test]
fn a_pinned_page_that_reclaim_took_is_noticed() {
    let features = without(v6_12(), &[F::TtuPinTest, F::NoswapPinned]);
    let runs = program(features)
        .thread(&[pin()])
        .kernel(&[Op::Call(Shrink::reclaim(A, X))])
        .run();
    let lost = Found::Broken(cowherd_mm::Broken::PinExcl);
    assert!(runs.found.contains(&lost));
}
