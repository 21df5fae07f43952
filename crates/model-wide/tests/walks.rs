//! Random walks with eight processes and 64 pages: they find what is known to be broken, and nothing where nothing is.

use cowherd_model_wide::general::{Bound, Grain, Simulated, simulate};
use cowherd_model_wide::kernels::{Kernels, Profile};
use cowherd_model_wide::spec::{Kind, PROMISES};

fn kernel(name: &str) -> Profile {
    Kernels::shipped().profile(name).unwrap().profile
}

/// Eight processes of two threads, 64 pages.
fn bound(allowed: &[&'static str]) -> Bound {
    Bound {
        processes: 8,
        threads: 2,
        kernel: 4,
        pages: 64,
        cells: 2,
        calls: 0,
        allowed: allowed.to_vec(),
        swap: "async".into(),
        files: "nfs".into(),
        counts: PROMISES,
        grain: Grain::Step,
    }
}

/// Up to `walks` walks of 3000 calls, from seed 1.
fn walks(bound: &Bound, on: &str, walks: u64) -> Simulated {
    simulate(
        bound,
        3000,
        &kernel(on),
        (1, walks),
        (&|| false, &|| false),
        &mut |_| {},
    )
    .unwrap()
}

#[test]
fn a_direct_read_that_reclaim_loses_is_found_and_made_small() {
    let bound = bound(&["load", "store", "fork", "pread", "reclaim"]);
    for on in ["v5.10", "v5.19-swp_exclusive"] {
        let found = walks(&bound, on, 200).found.expect(on);
        assert_eq!(
            found.broken & u64::from(Kind::LostWrite.bit()),
            found.broken,
            "{on}"
        );
        assert!(found.needed.len() <= 6, "{on}: {:#?}", found.needed);
        let test = found.test.expect("every process is forked once");
        assert!(
            cowherd_litmus::analyse("found", &test).test.is_some(),
            "{test}"
        );
    }
}

#[test]
fn a_seed_gives_the_same_walks_again() {
    let bound = bound(&["load", "store", "fork", "exit", "pread", "reclaim"]);
    let told = |all: &Simulated| {
        let found = all.found.as_ref();
        let found = found.map(|f| (f.seed, f.calls, f.needed.clone(), f.test.clone()));
        (all.walks, all.calls, all.steps, found)
    };
    let (one, two) = (walks(&bound, "v5.10", 3), walks(&bound, "v5.10", 3));
    assert_eq!(told(&one), told(&two));
}

#[test]
fn walks_break_nothing_on_a_kernel_that_is_right() {
    let usual = bound(&[
        "load",
        "store",
        "fork",
        "exit",
        "pread",
        "vmsplice",
        "mem_write",
        "pin",
        "get",
        "dontneed",
        "wipeonfork",
        "mprotect",
        "clear_refs",
        "reclaim",
        "migrate",
    ]);
    // open-questions/clear-refs-migrate: every kernel misses a write there.
    let bound = Bound {
        counts: PROMISES & !u64::from(Kind::MissedWp.bit()),
        ..usual
    };
    for on in ["v6.12", "v7.2"] {
        let came = walks(&bound, on, 15);
        let found = came.found.map(|found| (found.seed, found.needed));
        assert_eq!(found, None, "{on}");
        // A walk ends early once nobody is left who could call anything.
        assert!(came.calls > 40_000, "{on}: {} calls", came.calls);
    }
}
