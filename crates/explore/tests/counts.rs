//! Systems that are small enough to count by hand, or whose counts must not change unnoticed.

mod toy;

use cowherd_explore::oracle::oracle;
use cowherd_explore::{
    Choice, Edge, Keep, Kind, Mover, Options, Reductions, Report, Shortest, System, explore,
    shortest,
};
use toy::{Machine, Op};

fn full(system: &impl System) -> Report {
    let options = Options {
        reductions: Reductions::NONE,
        livelock: true,
        ..Options::default()
    };
    explore(system, &options)
}

fn reduced(system: &impl System) -> Report {
    explore(
        system,
        &Options {
            livelock: true,
            ..Options::default()
        },
    )
}

/// Takes a lock, counts up a variable, drops the lock.
fn critical() -> Vec<Op> {
    vec![
        Op::Lock(0),
        Op::Load(0),
        Op::Add,
        Op::Store(0),
        Op::Unlock(0),
    ]
}

#[test]
fn a_critical_section_is_one_transition() {
    for actors in 1..=4u64 {
        let machine = Machine::new(vec![critical(); actors as usize]);
        let report = reduced(&machine);
        let full = full(&machine);
        // Who has been through, and in which order: registers remember it.
        assert!(report.outcomes.keys().eq(full.outcomes.keys()));
        assert_eq!(report.deadlocks.states, 0);
        let orders: u64 = (0..=actors)
            .map(|through| (0..through).map(|n| actors - n).product::<u64>())
            .sum();
        assert_eq!(report.states, orders);
        // Within the section: four more states for each order and each actor that may be next.
        let inside: u64 = (0..actors)
            .map(|through| (0..=through).map(|n| actors - n).product::<u64>())
            .sum();
        assert_eq!(full.states, orders + 4 * inside);
    }
}

#[test]
fn equal_actors_are_one_state() {
    for actors in 1..=4usize {
        let machine = Machine {
            symmetric: true,
            ..Machine::new(vec![critical(); actors])
        };
        let report = explore(&machine, &Options::default());
        // How many have been through is all that is left.
        assert_eq!(report.states, actors as u64 + 1);
        assert_eq!(report.outcomes.len(), 1);
    }
}

#[test]
fn two_locks_in_two_orders_deadlock() {
    let order = |a, b| {
        vec![
            Op::Lock(a),
            Op::Lock(b),
            Op::Add,
            Op::Unlock(b),
            Op::Unlock(a),
        ]
    };
    let machine = Machine::new(vec![order(0, 1), order(1, 0)]);
    for report in [full(&machine), reduced(&machine)] {
        assert_eq!(report.deadlocks.states, 1);
        let witness = report.witness(&machine, report.deadlocks.first.unwrap());
        let actors: Vec<usize> = witness.steps.iter().map(|step| step.actor).collect();
        assert!(actors == [0, 1] || actors == [1, 0]);
        assert_eq!(report.livelocks.unwrap().states, 0);
    }
}

/// Philosophers at a round table; each takes the fork on the left, then the one on the right.
struct Table(usize);

impl System for Table {
    /// Of each philosopher: forks taken, 3 is full.
    type State = [u8; 8];

    fn initial(&self, each: &mut dyn FnMut(Self::State)) {
        each([0; 8]);
    }

    fn actors(&self) -> usize {
        self.0
    }

    fn enabled(&self, state: &Self::State, actor: usize) -> bool {
        let left = state[(actor + 1) % self.0];
        let right = state[(actor + self.0 - 1) % self.0];
        match state[actor] {
            // The fork on the left is the second fork of the neighbour there; the one on the right the first of the other.
            0 => left != 2,
            1 => right != 1 && right != 2,
            2 => true,
            _ => false,
        }
    }

    fn step(&self, state: &mut Self::State, actor: usize, _: &mut Choice) {
        state[actor] += 1;
    }

    fn done(&self, state: &Self::State) -> bool {
        state[..self.0].iter().all(|taken| *taken == 3)
    }

    fn outcome(&self, _: &Self::State, _: &mut Vec<u8>) {}

    fn pack(&self, state: &Self::State, out: &mut Vec<u8>) {
        out.extend_from_slice(&state[..self.0]);
    }

    fn unpack(&self, bytes: &[u8]) -> Self::State {
        let mut state = [0; 8];
        state[..self.0].copy_from_slice(bytes);
        state
    }

    /// The table may be turned.
    fn canonical(&self, state: &mut Self::State) {
        let seats = *state;
        for turn in 1..self.0 {
            let mut turned = seats;
            turned[..self.0].rotate_left(turn);
            if turned < *state {
                *state = turned;
            }
        }
    }
}

#[test]
fn philosophers_deadlock_in_one_way() {
    let counts: Vec<(u64, u64)> = (3..=6)
        .map(|seats| {
            let (all, turned) = (full(&Table(seats)), reduced(&Table(seats)));
            assert_eq!(all.states, oracle(&Table(seats), 100_000).unwrap().states);
            for report in [&all, &turned] {
                assert_eq!(
                    (report.deadlocks.states, report.deadlocks.depth),
                    (1, seats as u32)
                );
                assert_eq!(report.outcomes.len(), 1);
            }
            (all.states, turned.states)
        })
        .collect();
    // Around the table, nobody who has both forks may sit beside one who holds the fork between them: words of length n without
    // two such neighbours, of which there are 3 a(n-1) + 2 a(n-2). Turned, they are necklaces.
    assert_eq!(counts, [(45, 17), (161, 45), (573, 117), (2041, 353)]);
}

#[test]
fn a_witness_of_a_turned_table_is_a_schedule_of_the_table() {
    let report = reduced(&Table(5));
    let end = report
        .witness(&Table(5), report.deadlocks.first.unwrap())
        .replay(&Table(5), |_, _| {});
    assert_eq!(end[..5], [1; 5]);
}

#[test]
fn every_alternative_is_tried() {
    let tree = Machine::new(vec![vec![
        Op::Choose(3),
        Op::Store(0),
        Op::Choose(2),
        Op::Store(1),
        Op::Choose(4),
    ]]);
    for report in [full(&tree), reduced(&tree)] {
        assert_eq!(report.outcomes.len(), 3 * 2 * 4);
        for (bytes, outcome) in &report.outcomes {
            let witness = report.witness(&tree, outcome.first);
            let choices: Vec<u32> = witness.steps.iter().map(|step| step.choice).collect();
            let expected = [bytes[0], 0, bytes[1], 0, bytes[3]].map(u32::from);
            assert_eq!(choices, expected);
        }
    }
    assert_eq!(full(&tree).levels, [1, 3, 3, 6, 6, 24]);
}

#[test]
fn one_that_turns_for_ever_keeps_nobody_else_from_going() {
    let turns = vec![Op::Add, Op::Loop(0)];
    let goes = vec![Op::Set(0, 1), Op::Load(0), Op::Flag(1, 1)];
    for programs in [vec![turns.clone(), goes.clone()], vec![goes, turns]] {
        let machine = Machine::new(programs);
        for report in [full(&machine), reduced(&machine)] {
            assert!(report.flags.contains_key(&1));
            // Nothing here ever ends.
            assert_eq!(report.livelocks.unwrap().states, report.states);
        }
    }
}

#[test]
fn a_livelock_is_found_behind_states_that_can_still_end() {
    // Goes round while it chooses 1, ends with 0, and is caught by 2.
    let machine = Machine::new(vec![
        vec![Op::Choose(2), Op::Loop(1), Op::Set(1, 1)],
        vec![Op::Choose(2), Op::Store(0), Op::Loop(0)],
    ]);
    let report = full(&machine);
    assert_eq!(
        report.livelocks.unwrap().states,
        oracle(&machine, 1000).unwrap().livelocks
    );
    let first = report.livelocks.unwrap().first.unwrap();
    let witness = report.witness(&machine, first);
    assert_eq!(
        witness
            .steps
            .iter()
            .map(|step| (step.actor, step.choice))
            .collect::<Vec<_>>(),
        [(1, 1)]
    );
    assert!(reduced(&machine).livelocks.unwrap().states > 0);
}

#[test]
fn the_cheapest_witness_has_the_least_effort_and_then_the_fewest_steps() {
    // Alone, the first raises the flag in six steps; with the help of the second, in four.
    let machine = Machine::new(vec![
        vec![
            Op::Load(0),
            Op::Flag(0, 1),
            Op::Add,
            Op::Add,
            Op::Add,
            Op::Flag(0, 3),
        ],
        vec![Op::Set(0, 1)],
    ]);
    let flag = |state: &toy::State| machine.flags(state) != 0;
    let Shortest::Found(witness) = shortest(&machine, &Options::default(), flag) else {
        panic!()
    };
    assert_eq!(
        witness
            .steps
            .iter()
            .map(|step| step.actor)
            .collect::<Vec<_>>(),
        [0; 6]
    );
    assert_eq!(full(&machine).flags[&0].first.depth, 3);
    assert_eq!(
        shortest(&machine, &Options::default(), |_| false),
        Shortest::None
    );
}

#[test]
fn the_graph_has_every_state_and_every_transition() {
    let order = |a, b| {
        vec![
            Op::Lock(a),
            Op::Lock(b),
            Op::Add,
            Op::Unlock(b),
            Op::Unlock(a),
        ]
    };
    let machine = Machine::new(vec![order(0, 1), order(1, 0)]);
    let all = full(&machine);
    let graph = all.graph(&machine);
    assert_eq!(
        (graph.nodes.len() as u64, graph.edges.len() as u64),
        (all.states, all.transitions)
    );
    let of = |kind| graph.nodes.iter().filter(|node| node.kind == kind).count();
    assert_eq!(
        (of(Kind::Done), of(Kind::Deadlock), of(Kind::Frontier)),
        (1, 1, 0)
    );
    assert!(graph.nodes[0].initial && graph.edges[0].from == 0);
    let reduced = reduced(&machine);
    let graph = reduced.graph(&machine);
    assert_eq!(graph.nodes.len() as u64, reduced.states);
    assert!(graph.edges.iter().any(|edge| edge.steps.len() > 1));
}

#[test]
fn the_graph_is_written_as_dot_and_as_json() {
    let machine = Machine::new(vec![vec![Op::Choose(2), Op::Store(0)]]);
    let graph = full(&machine).graph(&machine);
    let edge = |edge: &Edge| {
        edge.steps
            .iter()
            .map(|step| step.choice.to_string())
            .collect()
    };
    let (mut dot, mut json) = (Vec::new(), Vec::new());
    graph
        .write_dot(&mut dot, |_| "x".to_string(), edge)
        .unwrap();
    graph
        .write_json(&mut json, |_| "x".to_string(), edge)
        .unwrap();
    assert_eq!(
        String::from_utf8(dot).unwrap(),
        "digraph states {\n  node [shape=box];\n  s0 [label=\"x\", penwidth=2];\n  s1 [label=\"x\"];\n  \
         s2 [label=\"x\"];\n  s3 [label=\"x\", peripheries=2];\n  s4 [label=\"x\", peripheries=2];\n  \
         s0 -> s1 [label=\"0\"];\n  s0 -> s2 [label=\"1\"];\n  s1 -> s3 [label=\"0\"];\n  \
         s2 -> s4 [label=\"0\"];\n}\n"
    );
    let json = String::from_utf8(json).unwrap();
    assert!(json.starts_with("{\"version\":1,\n\"nodes\":[\n{\"id\":0,\"label\":\"x\",\"initial\":true,\"kind\":\"inner\","));
    assert!(json.ends_with(
        "{\"from\":2,\"to\":4,\"label\":\"0\",\"steps\":[{\"actor\":0,\"choice\":0}]}]}\n"
    ));
}

#[test]
fn fingerprints_find_the_same_and_tell_the_chance_of_a_miss() {
    let order = |a, b| {
        vec![
            Op::Lock(a),
            Op::Lock(b),
            Op::Choose(3),
            Op::Store(a),
            Op::Unlock(b),
            Op::Unlock(a),
        ]
    };
    let machine = Machine::new(vec![order(0, 1), order(1, 0), order(2, 1)]);
    for reductions in [Reductions::ALL, Reductions::NONE] {
        let options = Options {
            reductions,
            ..Options::default()
        };
        let whole = explore(&machine, &options);
        let less = explore(
            &machine,
            &Options {
                keep: Keep::Fingerprints,
                ..options
            },
        );
        assert_eq!(less.states, whole.states);
        assert_eq!(
            (&less.levels, less.transitions),
            (&whole.levels, whole.transitions)
        );
        assert!(less.outcomes.keys().eq(whole.outcomes.keys()));
        assert_eq!(less.deadlocks.states, whole.deadlocks.states);
        for (bytes, outcome) in &less.outcomes {
            let end = less
                .witness(&machine, outcome.first)
                .replay(&machine, |_, _| {});
            let mut found = Vec::new();
            machine.outcome(&end, &mut found);
            assert_eq!(&found, bytes);
        }
        assert_eq!(
            less.graph(&machine).edges.len(),
            whole.graph(&machine).edges.len()
        );
        assert_eq!(whole.chance(), 0.0);
        assert!(less.chance() > 0.0 && less.chance() < 1e-9);
    }
}

/// One actor, two steps that are fused; between them, and only there, a flag holds.
struct Blink;

impl System for Blink {
    type State = u8;

    fn initial(&self, each: &mut dyn FnMut(u8)) {
        each(0);
    }

    fn actors(&self) -> usize {
        1
    }

    fn enabled(&self, state: &u8, _: usize) -> bool {
        *state < 2
    }

    fn step(&self, state: &mut u8, _: usize, _: &mut Choice) {
        *state += 1;
    }

    fn done(&self, state: &u8) -> bool {
        *state == 2
    }

    fn flags(&self, state: &u8) -> u64 {
        u64::from(*state == 1) << 63
    }

    fn outcome(&self, _: &u8, _: &mut Vec<u8>) {}

    fn pack(&self, state: &u8, out: &mut Vec<u8>) {
        out.push(*state);
    }

    fn unpack(&self, bytes: &[u8]) -> u8 {
        bytes[0]
    }

    fn mover(&self, state: &u8, _: usize) -> Mover {
        if *state == 0 {
            Mover::Right
        } else {
            Mover::None
        }
    }

    fn blocks(&self, _: &u8, _: usize) -> bool {
        false
    }
}

#[test]
fn a_flag_is_seen_inside_a_transition() {
    let report = reduced(&Blink);
    assert_eq!((report.states, report.transitions, report.steps), (2, 1, 2));
    let seen = report.flags[&63].first;
    assert!(seen.inside);
    assert_eq!(
        report
            .flag_witness(&Blink, 63, seen)
            .replay(&Blink, |_, _| {}),
        1
    );
    assert!(!full(&Blink).flags[&63].first.inside);
}
