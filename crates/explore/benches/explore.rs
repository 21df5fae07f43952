//! How fast and how small is the search? A system of 1.2 million states of 60 bytes, walked by this crate and by the
//! breadth-first search of `stateright`, each in a process of its own so that the memory can be told apart. The counts must be
//! equal. `stateright` keeps a fingerprint of each state; so does this crate where it is asked to.
//!
//! `cargo bench -p cowherd-explore`; a step costs next to nothing here, so this is the price of exploring alone.

use std::process::Command;
use std::time::{Duration, Instant};

use cowherd_explore::{Choice, Keep, Options, Reductions, System, explore};
use stateright::{Checker, Model, Property};

const ACTORS: usize = 4;
const STEPS: u8 = 32;
const STATES: u64 = (STEPS as u64 + 1).pow(ACTORS as u32);
const ROUNDS: usize = 5;
const CONTENDERS: [&str; 3] = ["cowherd", "fingerprints", "stateright"];

/// Four actors that take 32 steps each. What they write depends on who has taken how many, and on nothing else, so that
/// the number of states is known.
struct Lattice {
    steps: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct State {
    shared: [u32; 3],
    registers: [[u8; 11]; ACTORS],
    taken: [u8; ACTORS],
}

impl Lattice {
    fn start() -> State {
        State {
            shared: [0; 3],
            registers: [[0; 11]; ACTORS],
            taken: [0; ACTORS],
        }
    }

    fn take(state: &mut State, actor: usize) {
        state.taken[actor] += 1;
        let step = u32::from(state.taken[actor]);
        state.registers[actor][step as usize % 11] ^= step as u8 + 1;
        state.shared[actor % 3] =
            state.shared[actor % 3].wrapping_add(step.wrapping_mul(0x9e37_79b9 + actor as u32));
    }
}

impl System for Lattice {
    type State = State;

    fn initial(&self, each: &mut dyn FnMut(State)) {
        each(Lattice::start());
    }

    fn actors(&self) -> usize {
        ACTORS
    }

    fn enabled(&self, state: &State, actor: usize) -> bool {
        state.taken[actor] < self.steps
    }

    fn step(&self, state: &mut State, actor: usize, _: &mut Choice) {
        Lattice::take(state, actor);
    }

    fn done(&self, state: &State) -> bool {
        state.taken == [self.steps; ACTORS]
    }

    fn outcome(&self, state: &State, out: &mut Vec<u8>) {
        out.extend(state.taken);
    }

    fn pack(&self, state: &State, out: &mut Vec<u8>) {
        for word in state.shared {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(state.registers.as_flattened());
        out.extend_from_slice(&state.taken);
    }

    fn unpack(&self, bytes: &[u8]) -> State {
        let mut state = Lattice::start();
        let (words, rest) = bytes.split_at(12);
        for (word, raw) in state.shared.iter_mut().zip(words.as_chunks().0) {
            *word = u32::from_le_bytes(*raw);
        }
        let (registers, taken) = rest.split_at(11 * ACTORS);
        state
            .registers
            .as_flattened_mut()
            .copy_from_slice(registers);
        state.taken.copy_from_slice(taken);
        state
    }
}

impl Model for Lattice {
    type State = State;
    type Action = usize;

    fn init_states(&self) -> Vec<State> {
        vec![Lattice::start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<usize>) {
        actions.extend((0..ACTORS).filter(|actor| state.taken[*actor] < self.steps));
    }

    fn next_state(&self, state: &State, actor: usize) -> Option<State> {
        let mut next = *state;
        Lattice::take(&mut next, actor);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("nobody oversteps", |_, state: &State| {
            state.taken.iter().all(|taken| *taken <= STEPS)
        })]
    }
}

/// What one walk cost.
struct Cost {
    elapsed: Duration,
    transitions: u64,
    stored: u64,
    peak: u64,
}

/// The most memory that this process ever had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok())
        .map_or(0, |kib: u64| kib * 1024)
}

/// One walk, in this process; prints what it cost.
fn walk(who: &str, workers: usize) {
    let lattice = Lattice { steps: STEPS };
    let before = peak();
    let began = Instant::now();
    let (states, transitions, stored) = match who {
        "cowherd" | "fingerprints" => {
            let keep = if who == "cowherd" {
                Keep::States
            } else {
                Keep::Fingerprints
            };
            let options = Options {
                keep,
                workers,
                reductions: Reductions::NONE,
                ..Options::default()
            };
            let report = explore(&lattice, &options);
            (report.states, report.transitions, report.bytes as u64)
        }
        _ => {
            let checker = lattice.checker().threads(workers).spawn_bfs().join();
            (
                checker.unique_state_count() as u64,
                checker.state_count() as u64 - 1,
                0,
            )
        }
    };
    let elapsed = began.elapsed();
    assert_eq!(states, STATES);
    println!(
        "{} {transitions} {stored} {}",
        elapsed.as_nanos(),
        peak() - before
    );
}

/// One walk in a process of its own.
fn cost(who: &str, workers: usize) -> Cost {
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new(program)
        .args(["--walk", who, &workers.to_string()])
        .output()
        .expect("it runs again");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("figures");
    let figures: Vec<u64> = text
        .split_whitespace()
        .map(|figure| figure.parse().expect("a figure"))
        .collect();
    Cost {
        elapsed: Duration::from_nanos(figures[0]),
        transitions: figures[1],
        stored: figures[2],
        peak: figures[3],
    }
}

/// What a search of few states costs: most litmus tests are small.
fn small(steps: u8) {
    let lattice = Lattice { steps };
    let options = Options {
        reductions: Reductions::NONE,
        ..Options::default()
    };
    let (began, mut searches, mut states) = (Instant::now(), 0u32, 0);
    while began.elapsed() < Duration::from_millis(300) {
        states = explore(&lattice, &options).states;
        searches += 1;
    }
    println!(
        "{states} states: {:.1} us a search",
        began.elapsed().as_secs_f64() * 1e6 / f64::from(searches)
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--walk") {
        walk(
            &arguments[at + 1],
            arguments[at + 2].parse().expect("a number of workers"),
        );
        return;
    }
    if arguments.iter().any(|argument| argument == "--small") {
        small(1);
        small(5);
        small(9);
        return;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{STATES} states of 60 bytes, quickest of {ROUNDS} walks, {cores} cores");
    println!(
        "{:12} {:>7} {:>8} {:>18} {:>18} {:>12} {:>12}",
        "", "workers", "s", "states/s/core", "transitions/s/core", "bytes/state", "peak/state"
    );
    small(1);
    small(5);
    let mut workers = vec![1];
    if cores > 1 {
        workers.push(cores);
    }
    for workers in workers {
        // In turn, so that whatever else the machine does meets them all.
        let mut walks = CONTENDERS.map(|_| Vec::new());
        for _ in 0..ROUNDS {
            for (who, walks) in CONTENDERS.iter().zip(&mut walks) {
                walks.push(cost(who, workers));
            }
        }
        let quickest = |walks: Vec<Cost>| {
            walks
                .into_iter()
                .min_by_key(|cost| cost.elapsed)
                .expect("some rounds")
        };
        let costs = walks.map(quickest);
        for (who, cost) in CONTENDERS.iter().zip(&costs) {
            let seconds = cost.elapsed.as_secs_f64();
            let rate = |count: u64| count as f64 / seconds / workers as f64 / 1e6;
            let share = |bytes: u64| bytes as f64 / STATES as f64;
            println!(
                "{who:12} {workers:7} {seconds:8.3} {:16.2} M {:16.2} M {:12.1} {:12.1}",
                rate(STATES),
                rate(cost.transitions),
                share(cost.stored),
                share(cost.peak),
            );
        }
        let [ours @ .., theirs] = &costs;
        for (who, cost) in CONTENDERS.iter().zip(ours) {
            assert_eq!(
                cost.transitions, theirs.transitions,
                "both take every transition"
            );
            println!(
                "{who:12} {workers:7} {:.1} times as fast as stateright, {:.2} times the memory",
                theirs.elapsed.as_secs_f64() / cost.elapsed.as_secs_f64(),
                cost.peak as f64 / theirs.peak as f64,
            );
        }
    }
}
