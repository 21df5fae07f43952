//! mremap: the page moves with all that leads to it.

use cowherd_mm::Errno;
use cowherd_mm::feature::Feature as F;
use cowherd_mm::migrate::Migrate;
use cowherd_mm::mremap::Mremap;
use cowherd_mm::vmscan::shrink_folio_list::Shrink;

use crate::common::*;
use crate::kernels::*;

fn mremap() -> Op {
    Op::Call(Mremap::enter(X, Y))
}

#[test]
fn the_page_moves_and_the_old_address_is_gone() {
    for (kernel, features) in eras() {
        let runs = program(features)
            .thread(&[get(), mremap(), Op::Store(Y, 1, 2), Op::Load(X, 0)])
            .run();
        assert!(runs.found.is_empty(), "{kernel}: {:?}", runs.found);
        for end in &runs.ends {
            assert_eq!(end.x, [255, 255], "{kernel}");
            assert_eq!(end.y, [OLD, 2], "{kernel}");
            assert_eq!(end.held_at, Some(Y), "{kernel}");
            assert_eq!(end.results[0], 100 + Errno::Segv as u8, "{kernel}");
        }
    }
}

fn racing(features: cowherd_mm::FeatureSet, activity: Op) -> Runs {
    program(features)
        .thread(&[Op::Store(X, 0, 1)])
        .hot(0)
        .thread(&[mremap()])
        .kernel(&[activity])
        .run()
}

/// A store that was not refused shows at the new address.
fn lost(runs: &Runs) -> bool {
    let done = runs.ends.iter().filter(|end| end.results[0] == 0);
    done.clone().any(|end| end.y[0] != 1)
}

#[test]
fn no_store_is_lost_on_the_way() {
    let reclaim = Op::Call(Shrink::reclaim(A, X));
    let migrate = Op::Call(Migrate::compact(A, Y));
    for (kernel, features) in eras() {
        for activity in [reclaim, migrate] {
            let runs = racing(features, activity);
            assert!(runs.found.is_empty(), "{kernel}: {:?}", runs.found);
            assert!(!lost(&runs), "{kernel}");
        }
    }
    // CVE-2018-18281 (B23) was about clean PTEs: a dirty one was flushed in time before that, too.
    assert!(!lost(&racing(without(v6_1(), &[F::MremapFlush]), migrate)));
}

#[test]
fn a_page_that_moves_down_is_not_missed_by_reverse_mappings() {
    for (kernel, features) in eras() {
        for activity in [
            Shrink::reclaim(A, Y),
            Migrate::compact(A, Y),
            Migrate::compact(A, X),
        ] {
            let mut p = program(features).start(|m| {
                m.ptes[0].swap(X.at(), Y.at());
                m.frames[PX.at()].home = Some(cowherd_mm::page::Home { root: A, index: Y });
            });
            p = p
                .thread(&[Op::Store(Y, 0, 1)])
                .thread(&[Op::Call(Mremap::enter(Y, X))])
                .kernel(&[Op::Call(activity)]);
            let runs = p.run();
            assert!(runs.found.is_empty(), "{kernel}: {:?}", runs.found);
            let done = runs.ends.iter().filter(|end| end.results[0] == 0);
            assert!(done.clone().all(|end| end.x[0] == 1), "{kernel}");
        }
    }
}

#[test]
fn a_swapped_page_moves_too() {
    for (kernel, features) in eras() {
        let runs = program(features)
            .thread(&[
                Op::Call(Shrink::pageout(A, X)),
                mremap(),
                Op::Store(Y, 1, 2),
            ])
            .run();
        assert!(runs.found.is_empty(), "{kernel}: {:?}", runs.found);
        assert!(runs.ends.iter().all(|end| end.y == [OLD, 2]), "{kernel}");
    }
}
