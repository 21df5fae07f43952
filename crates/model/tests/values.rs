//! The reduction "values": states that differ only in the names of values are one state, and nothing else is changed.
//!
//! `COWHERD_LONG=N` tries N random menus, `COWHERD_SEED` others.

mod common;

use std::collections::BTreeSet;

use common::examine::{flags, profile};
use cowherd_explore::{Ended, Options, Reductions, Report, System, explore};
use cowherd_model::general::{Bound, Calls, Grain, MENU, general};
use cowherd_model::program::Program;
use cowherd_model::spec::PROMISES;

const KERNELS: [&str; 5] = ["v5.8", "v5.10", "v5.18", "v6.12.107", "v7.2"];

/// States of one search at most.
const MOST: u64 = 60_000;

/// A bound with a few words of the menu, the store among them.
fn bound(random: &mut fastrand::Rng) -> Bound {
    let mut allowed = vec!["store"];
    for _ in 0..random.usize(1..4) {
        let word = MENU[random.usize(0..MENU.len())].name;
        if !allowed.contains(&word) && !["uffd_rwp", "ksm"].contains(&word) {
            allowed.push(word);
        }
    }
    let processes = random.usize(1..3);
    if processes > 1 && !allowed.contains(&"fork") {
        allowed.push("fork");
    }
    let mut bound = Bound {
        processes,
        threads: random.usize(1..3),
        kernel: 1,
        pages: 1,
        cells: random.usize(1..3),
        calls: 3,
        allowed,
        swap: ["async", "sync"][random.usize(0..2)].into(),
        files: ["nfs", "block", "fuse"][random.usize(0..3)].into(),
        counts: PROMISES,
        grain: Grain::Step,
    };
    bound.kernel = usize::from(bound.kernel_acts());
    bound
}

fn states(program: &Program, report: &Report) -> BTreeSet<Vec<u8>> {
    let packed = report.packed_states().map(|(_, packed)| {
        let mut again = Vec::new();
        program.pack(&program.unpack(packed), &mut again);
        again
    });
    packed.collect()
}

/// With the reduction a search stores exactly one state for all those that differ in names of values, and breaks the same promises.
#[test]
fn values_that_differ_only_in_name_are_one_state() {
    let rounds = common::rounds(40);
    let (mut held, mut fewer) = (0, 0);
    for round in 0..rounds {
        let mut random = fastrand::Rng::with_seed(common::seed().wrapping_add(round));
        let bound = bound(&mut random);
        let kernel = profile(KERNELS[random.usize(0..KERNELS.len())]);
        // The others off: which of several equal states is met first has a say in what they leave out.
        let symmetry = Reductions {
            symmetry: true,
            ..Reductions::NONE
        };
        let with = Reductions {
            values: true,
            ..symmetry
        };
        let search = |reductions: Reductions| {
            let calls = Calls::Any(bound.calls.into());
            let program = general(&bound, calls, &kernel, reductions).expect("a menu");
            let options = Options {
                reductions,
                max_states: Some(MOST),
                ..Options::default()
            };
            let report = explore(&program, &options);
            (program, report)
        };
        let (_, all) = search(symmetry);
        if all.ended != Ended::Complete {
            continue;
        }
        let (program, one) = search(with);
        let what = format!("{bound:?} on {}", kernel.name);
        assert_eq!(flags(&one), flags(&all), "{what}");
        assert_eq!(one.deadlocks.states > 0, all.deadlocks.states > 0, "{what}");
        let (stored, quotient) = (states(&program, &one), states(&program, &all));
        assert_eq!(
            one.states,
            stored.len() as u64,
            "packing again renames again: {what}"
        );
        assert!(
            stored == quotient,
            "{} and {}: {what}",
            stored.len(),
            quotient.len()
        );
        held += 1;
        fewer += u64::from(one.states < all.states);
    }
    println!("held for {held} of {rounds} menus, {fewer} of them with fewer states");
    assert!(held > 0 && fewer > 0);
}
