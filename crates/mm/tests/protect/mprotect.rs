//! mprotect: stores that it forbids, PTEs that it makes writable at once.

use cowherd_mm::Broken;
use cowherd_mm::clear_refs::ClearRefs;
use cowherd_mm::feature::Feature as F;
use cowherd_mm::memory::copy_page_range::Fork;
use cowherd_mm::migrate::Migrate;
use cowherd_mm::mprotect::{ChangeProtection, Prot};
use cowherd_mm::remote::{Door, RemoteAccess};
use cowherd_mm::userfaultfd::write_protect;
use cowherd_mm::vmscan::shrink_folio_list::Shrink;
use cowherd_mm::{Access, Errno};

use crate::common::*;
use crate::kernels::*;

fn mprotect(prot: Prot) -> Op {
    Op::Call(ChangeProtection::mprotect(A, X, prot))
}

const SEGV: u8 = 100 + Errno::Segv as u8;

fn racing(features: cowherd_mm::FeatureSet, activity: Op) -> Runs {
    program(features)
        .thread(&[Op::Store(X, 0, 1), Op::Store(X, 1, 2)])
        .hot(0)
        .thread(&[mprotect(Prot::Read)])
        .kernel(&[activity])
        .run()
}

#[test]
fn after_mprotect_no_store_takes_effect() {
    let reclaim = Op::Call(Shrink::reclaim(A, X));
    let migrate = Op::Call(Migrate::compact(A, X));
    for (kernel, features) in eras() {
        for activity in [reclaim, migrate] {
            let runs = racing(features, activity);
            assert!(runs.found.is_empty(), "{kernel}: {:?}", runs.found);
            assert_eq!(runs.results(0), [0, SEGV].into());
        }
    }
    for (rule, activity) in [
        (F::ProtectFlush, reclaim),
        (F::BatchedFlush, reclaim),
        (F::ProtectMigration, migrate),
    ] {
        let runs = racing(without(v7_2(), &[rule]), activity);
        assert!(runs.found.contains(&Found::Forbidden), "{rule:?}");
    }
}

#[test]
fn from_6_0_on_an_exclusive_page_is_writable_again_at_once() {
    let writable = |features| {
        let runs = program(features)
            .thread(&[mprotect(Prot::Read), mprotect(Prot::ReadWrite)])
            .run();
        runs.are_clean();
        runs.ends.iter().all(|end| end.x_writable)
    };
    assert!(!writable(v5_18()));
    assert!(writable(v6_1()));
    assert!(writable(v7_2()));
}

#[test]
fn before_6_2_only_a_dirty_one_is() {
    let writable = |features| {
        let runs = program(features)
            .start(|m| {
                let e = m.ptes[0][X.at()].present().expect("X is mapped");
                m.ptes[0][X.at()] = cowherd_mm::pgtable::Present { dirty: false, ..e }.pte();
            })
            .thread(&[mprotect(Prot::Read), mprotect(Prot::ReadWrite)])
            .run();
        runs.ends.iter().all(|end| end.x_writable)
    };
    assert!(!writable(v6_1()));
    assert!(writable(v6_12()));
}

#[test]
fn before_5_19_a_page_that_gup_holds_is_copied_after_mprotect() {
    let held = |features| {
        let there_and_back = [
            get(),
            mprotect(Prot::Read),
            mprotect(Prot::ReadWrite),
            Op::Store(X, 1, 2),
        ];
        program(features).thread(&there_and_back).run().held(0)
    };
    assert_eq!(held(v5_10()), [None].into());
    assert_eq!(held(v5_18()), [None].into());
    assert_eq!(held(v6_1()), [Some(X)].into());
    assert_eq!(held(v7_2()), [Some(X)].into());
}

#[test]
fn a_shared_page_does_not_become_writable() {
    let run = |features| {
        program(features)
            .thread(&[
                Op::Call(Fork::enter(B)),
                mprotect(Prot::Read),
                mprotect(Prot::ReadWrite),
            ])
            .child(&[Op::Load(X, 0)])
            .run()
    };
    run(v7_2()).are_clean();
    let mutant = run(without(v7_2(), &[F::CanWriteExclusive]));
    assert!(mutant.found.contains(&Found::Broken(Broken::WExcl)));
    assert!(mutant.found.contains(&Found::Broken(Broken::WOne)));
}

#[test]
fn a_write_protected_page_does_not_become_writable() {
    let run = |features| {
        program(features)
            .start(|m| m.vmas[0][X.at()].uffd_wp = true)
            .thread(&[
                Op::Call(write_protect(A, X)),
                mprotect(Prot::Read),
                mprotect(Prot::ReadWrite),
                Op::Store(X, 0, 1),
            ])
            .run()
    };
    let right = run(v7_2());
    right.are_clean();
    assert!(right.ends.is_empty(), "the store is trapped");
    let mutant = run(without(v7_2(), &[F::CanWriteUffdWp]));
    assert!(mutant.found.contains(&Found::MissedUffd));
}

#[test]
fn a_page_whose_stores_are_recorded_does_not_become_writable() {
    let run = |features| {
        program(features)
            .thread(&[
                Op::Call(ClearRefs::enter(A)),
                mprotect(Prot::Read),
                mprotect(Prot::ReadWrite),
                Op::Store(X, 0, 1),
            ])
            .run()
    };
    run(v6_1()).are_clean();
    let mutant = run(without(v6_1(), &[F::SoftDirtyMprotect]));
    assert!(mutant.found.contains(&Found::MissedSoftDirty));
}

#[test]
fn prot_none_takes_every_access_but_those_by_force() {
    for (kernel, features) in eras() {
        let force = RemoteAccess::enter(A, X, Door::ProcMem, Access::Load);
        let runs = program(features)
            .thread(&[mprotect(Prot::None), Op::Load(X, 0)])
            .kernel(&[Op::After(0, 1), Op::Call(force)])
            .run();
        assert!(runs.found.is_empty(), "{kernel}: {:?}", runs.found);
        assert_eq!(runs.results(0), [SEGV].into(), "{kernel}");
        assert_eq!(runs.results(1), [0].into(), "{kernel}");
        assert!(runs.ends.iter().all(|end| end.x_protnone), "{kernel}");
    }
}

#[test]
fn prot_none_memory_comes_back_from_swap_as_it_was() {
    let force = RemoteAccess::enter(A, X, Door::ProcMem, Access::Load);
    let runs = program(v7_2())
        .thread(&[
            Op::Call(Shrink::pageout(A, X)),
            mprotect(Prot::None),
            Op::Call(force),
            Op::Load(X, 0),
        ])
        .run();
    runs.are_clean();
    assert_eq!(runs.results(0), [SEGV].into());
}
