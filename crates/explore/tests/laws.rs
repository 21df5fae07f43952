//! Laws, over generated systems: no reduction changes a verdict, the number of workers changes nothing at all, and without
//! reductions the search is the naive one.

mod toy;

use std::collections::BTreeSet;

use cowherd_explore::oracle::oracle;
use cowherd_explore::{Ended, Options, Reductions, Report, Shortest, System, explore, shortest};
use proptest::prelude::*;
use toy::{Machine, Op};

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0..3u8).prop_map(Op::Lock),
        3 => (0..3u8).prop_map(Op::Unlock),
        3 => (0..3u8).prop_map(Op::Load),
        3 => (0..3u8).prop_map(Op::Store),
        1 => (0..3u8, 0..3u8).prop_map(|(v, k)| Op::Set(v, k)),
        1 => (0..3u8, 0..3u8).prop_map(|(v, k)| Op::Await(v, k)),
        2 => Just(Op::Add),
        1 => (1..4u8).prop_map(Op::Choose),
        1 => (0..2u8, 0..4u8).prop_map(|(bit, k)| Op::Flag(bit, k)),
        1 => (0..3u8).prop_map(Op::Loop),
    ]
}

/// A part of a program: loose instructions, or a critical section.
fn part() -> impl Strategy<Value = Vec<Op>> {
    prop_oneof![
        prop::collection::vec(op(), 1..3),
        (0..3u8, prop::collection::vec(op(), 0..3)).prop_map(|(lock, body)| [
            &[Op::Lock(lock)],
            &body[..],
            &[Op::Unlock(lock)]
        ]
        .concat()),
        // Each variable under the lock of its number: these accesses are movers, where all are like this.
        (0..3u8, 0..3u8).prop_map(|(v, k)| {
            let change = if k == 0 { Op::Choose(2) } else { Op::Add };
            vec![
                Op::Lock(v),
                Op::Load(v),
                change,
                Op::Store(v),
                Op::Unlock(v),
                Op::Flag(k % 2, k),
            ]
        }),
        (0..2u8).prop_map(|back| vec![Op::Add, Op::Loop(back)]),
        (0..3u8, 0..3u8).prop_map(|(a, b)| vec![
            Op::Lock(a),
            Op::Lock(b),
            Op::Load(a),
            Op::Unlock(b),
            Op::Unlock(a)
        ]),
    ]
}

fn program() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(part(), 0..3).prop_map(|parts| parts.concat())
}

/// Programs in which all accesses are as their locks demand: mostly movers.
fn tidy() -> impl Strategy<Value = Vec<Op>> {
    let section = (0..2u8, 0..4u8, 0..4u8).prop_map(|(v, k, bit)| {
        let mut ops = vec![
            Op::Lock(v),
            Op::Load(v),
            if k == 0 { Op::Choose(2) } else { Op::Add },
            Op::Store(v),
            Op::Unlock(v),
        ];
        if k < 2 {
            ops.push(Op::Flag(bit % 2, bit));
        }
        ops
    });
    prop::collection::vec(section, 0..3).prop_map(|parts| parts.concat())
}

fn machine() -> impl Strategy<Value = Machine> {
    let programs = prop_oneof![
        prop::collection::vec(program(), 1..4),
        prop::collection::vec(tidy(), 1..4)
    ];
    (programs, 0..2usize).prop_map(|(programs, daemons)| {
        let daemons = daemons.min(programs.len() - 1);
        Machine {
            daemons,
            ..Machine::new(programs)
        }
    })
}

fn symmetric() -> impl Strategy<Value = Machine> {
    (program(), 2..4usize).prop_map(|(program, actors)| Machine {
        symmetric: true,
        ..Machine::new(vec![program; actors])
    })
}

fn switches() -> impl Iterator<Item = Reductions> {
    (0..8u8).map(|set| Reductions {
        symmetry: set & 1 != 0,
        movers: set & 2 != 0,
        commute: set & 4 != 0,
        ..Reductions::ALL
    })
}

/// What no reduction may change.
fn verdict(report: &Report) -> (Vec<Vec<u8>>, Vec<u32>, bool, bool) {
    assert_eq!(report.ended, Ended::Complete);
    (
        report.outcomes.keys().cloned().collect(),
        report.flags.keys().copied().collect(),
        report.deadlocks.states > 0,
        report.livelocks.unwrap().states > 0,
    )
}

const MOST: usize = 20_000;

fn check(machine: &Machine) -> Result<(), TestCaseError> {
    let Some(oracle) = oracle(machine, MOST) else {
        return Ok(());
    };
    for reductions in switches() {
        let options = Options {
            reductions,
            livelock: true,
            ..Options::default()
        };
        let report = explore(machine, &options);
        let (outcomes, flags, deadlock, livelock) = verdict(&report);
        prop_assert_eq!(
            outcomes,
            oracle.outcomes.keys().cloned().collect::<Vec<_>>(),
            "{:?}",
            reductions
        );
        prop_assert_eq!(
            flags,
            (0..64)
                .filter(|bit| oracle.flags >> bit & 1 == 1)
                .collect::<Vec<_>>(),
            "{:?}",
            reductions
        );
        prop_assert_eq!(deadlock, oracle.deadlocks > 0, "{:?}", reductions);
        prop_assert_eq!(livelock, oracle.livelocks > 0, "{:?}", reductions);
        prop_assert!(report.states <= oracle.states);
        prop_assert_eq!(report.levels.iter().sum::<u64>(), report.states);
        witnesses(machine, &report)?;
        if reductions == Reductions::NONE {
            prop_assert_eq!(report.states, oracle.states);
            prop_assert_eq!(report.transitions, oracle.transitions);
            prop_assert_eq!(&report.levels, &oracle.levels);
            prop_assert_eq!(report.deadlocks.states, oracle.deadlocks);
            prop_assert_eq!(report.livelocks.unwrap().states, oracle.livelocks);
            let counts = report
                .outcomes
                .iter()
                .map(|(bytes, outcome)| (bytes.clone(), outcome.states));
            prop_assert!(counts.eq(oracle.outcomes.clone()));
        }
    }
    Ok(())
}

/// Every witness can be replayed, and shows what it is a witness of.
fn witnesses(machine: &Machine, report: &Report) -> Result<(), TestCaseError> {
    for (bytes, outcome) in &report.outcomes {
        let end = report
            .witness(machine, outcome.first)
            .replay(machine, |_, _| {});
        let mut found = Vec::new();
        machine.outcome(&end, &mut found);
        prop_assert!(machine.done(&end));
        prop_assert_eq!(&found, bytes);
    }
    for (bit, flag) in &report.flags {
        for seen in [flag.first, flag.best] {
            let end = report
                .flag_witness(machine, *bit, seen)
                .replay(machine, |_, _| {});
            prop_assert!(machine.flags(&end) >> bit & 1 == 1);
            prop_assert_eq!(machine.effort(&end), seen.effort);
        }
    }
    if let Some(first) = report.deadlocks.first {
        let end = report.witness(machine, first).replay(machine, |_, _| {});
        prop_assert!(
            !machine.done(&end) && (0..machine.actors()).all(|actor| !machine.enabled(&end, actor))
        );
    }
    Ok(())
}

/// Every difference that could be seen between two reports.
fn print(report: &Report) -> String {
    let states: BTreeSet<_> = report.packed_states().collect();
    format!(
        "{:?} {} {} {} {:?} {:?} {:?} {:?} {:?} {} {states:?}",
        report.ended,
        report.states,
        report.transitions,
        report.steps,
        report.levels,
        report.outcomes,
        report.flags,
        report.deadlocks,
        report.livelocks,
        report.bytes,
    )
}

/// Systems to generate for each law.
fn cases() -> u32 {
    std::env::var("EXPLORE_CASES").map_or(500, |cases| {
        cases.parse().expect("EXPLORE_CASES is a number")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn no_reduction_changes_a_verdict(machine in machine()) {
        check(&machine)?;
    }

    #[test]
    fn no_reduction_changes_a_verdict_of_a_symmetric_system(machine in symmetric()) {
        check(&machine)?;
    }

    #[test]
    fn workers_change_nothing(machine in machine(), set in 0..8usize) {
        let reductions = switches().nth(set).unwrap();
        if oracle(&machine, MOST).is_none() {
            return Ok(());
        }
        let one = print(&explore(&machine, &Options { reductions, livelock: true, ..Options::default() }));
        for workers in [2, 4] {
            let more = explore(&machine, &Options { reductions, workers, livelock: true, ..Options::default() });
            prop_assert_eq!(&print(&more), &one);
        }
    }

    #[test]
    fn the_shortest_witness_is_the_shortest(machine in machine()) {
        let Some(oracle) = oracle(&machine, MOST) else { return Ok(()) };
        let full = explore(&machine, &Options { reductions: Reductions::NONE, ..Options::default() });
        for bit in 0..2u32 {
            let wanted = |state: &toy::State| machine.flags(state) >> bit & 1 == 1;
            match shortest(&machine, &Options::default(), wanted) {
                Shortest::Found(witness) => {
                    let best = full.flags[&bit].best;
                    let end = witness.replay(&machine, |_, _| {});
                    prop_assert!(wanted(&end));
                    prop_assert_eq!((machine.effort(&end), witness.steps.len()), (best.effort, best.depth as usize));
                }
                Shortest::None => prop_assert!(oracle.flags >> bit & 1 == 0),
                Shortest::Unknown(ended) => prop_assert!(false, "{:?}", ended),
            }
        }
    }
}
