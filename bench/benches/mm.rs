//! How fast and how small is a search of the whole mm, with all checks? One test of more than a million states, reductions
//! off; what a second worker brings is measured on ten million states of a larger one. Times are those of the CPU, so that other work on the machine disturbs little.
//!
//! `cargo bench -p cowherd-bench` prints rates, bytes, and what each part of a transition costs; a file and a kernel may follow
//! `--`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use cowherd_explore::{Choice, Options, Reductions, Report, System, explore};
use cowherd_model::kernels::Kernels;
use cowherd_model::lower::lower;
use cowherd_model::program::Program;
use cowherd_model::state::State;

const TEST: &str = include_str!("../tests/large.litmus");
/// For two workers.
const LARGER: &str = include_str!("../tests/huge.litmus");
/// As much of it as is searched, and a little more: the search ends with a batch.
const MOST: u64 = 10_000_000;
const KERNEL: &str = "v6.1";
/// States from all over the search, for the parts of a transition.
const SAMPLE: usize = 20_000;
const ROUNDS: usize = 5;

/// Time on a CPU so far, of this thread and of those that it ended.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split_whitespace().next().and_then(|n| n.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// The least time that `work` takes, of some rounds.
fn time(mut work: impl FnMut()) -> Duration {
    let once = |_| {
        let began = cpu();
        work();
        cpu() - began
    };
    (0..ROUNDS).map(once).min().expect("some rounds")
}

fn search(program: &Program, workers: usize) -> Report {
    let options = Options {
        workers,
        reductions: Reductions::NONE,
        max_states: Some(MOST),
        ..Options::default()
    };
    explore(program, &options)
}

/// Every successor of a state.
fn successors(program: &Program, state: &State, mut each: impl FnMut(&State)) {
    if program.done(state) {
        return;
    }
    let mut next = state.clone();
    for actor in (0..System::actors(program)).filter(|&actor| program.enabled(state, actor)) {
        let (mut number, mut fanout) = (0, 1);
        while number < fanout {
            let mut choice = Choice::number(number);
            next.clone_from(state);
            program.step(&mut next, actor, &mut choice);
            fanout = fanout.max(choice.fanout());
            if choice.valid() {
                each(&next);
            }
            number += 1;
        }
    }
}

/// What each part of a transition costs, without a table: on a sample of the states. As the explorer does it: a state is unpacked over
/// the one before, and what steps left alone is not packed again.
fn parts(program: &Program, report: &Report, whole: f64) {
    let every = (report.states as usize / SAMPLE).max(1);
    let sample: Vec<&[u8]> = report
        .packed_states()
        .map(|(_, packed)| packed)
        .step_by(every)
        .collect();
    let states: Vec<State> = sample.iter().map(|packed| program.unpack(packed)).collect();
    let mut transitions = 0f64;
    for state in &states {
        successors(program, state, |_| transitions += 1.0);
    }
    let mut scratch = states[0].clone();
    let unpack = time(|| {
        for packed in &sample {
            program.unpack_into(packed, &mut scratch);
            black_box(&scratch);
        }
    });
    let describe = time(|| {
        for state in &states {
            black_box(program.done(state));
            for actor in 0..System::actors(program) {
                black_box(program.enabled(state, actor));
            }
        }
    });
    // Every successor, and something done to it: what that costs is the difference.
    let with = |work: &mut dyn FnMut(&State, &State)| {
        time(|| {
            for state in &states {
                successors(program, state, |next| work(state, next));
            }
        })
    };
    let step = with(&mut |_, next| {
        black_box(next);
    });
    let copy = with(&mut |_, next| {
        scratch.clone_from(next);
        black_box(&scratch);
    })
    .saturating_sub(step);
    let mut bytes = Vec::new();
    let pack = with(&mut |state, next| {
        bytes.clear();
        program.pack_after(state, next, &mut bytes);
        black_box(&bytes);
    })
    .saturating_sub(step);
    let nanos = |time: Duration| time.as_nanos() as f64 / transitions;
    let pure = nanos(unpack) + nanos(step) + nanos(pack);
    println!("\npart of a transition      ns   share");
    let line =
        |name: &str, nanos: f64| println!("{name:22} {nanos:6.0} {:6.0} %", nanos / whole * 100.0);
    line("unpack", nanos(unpack));
    line("what is enabled", nanos(describe));
    line("copy", nanos(copy));
    line(
        "step, all checks",
        nanos(step) - nanos(describe) - nanos(copy),
    );
    line("pack", nanos(pack));
    line("successors, no table", pure);
    line("table and the rest", whole - pure);
    line("all", whole);
    println!("{} bytes a state unpacked", size_of::<State>());
}

/// What a second worker brings: the rate of one search by two workers, against the joint rate of two searches at once, each by
/// one. Two cores of a shared machine are not twice one.
fn pair(program: &Program) {
    let clock = |work: &mut dyn FnMut()| {
        let began = Instant::now();
        work();
        began.elapsed().as_secs_f64()
    };
    let mut shares = Vec::new();
    let mut states = 0;
    for _ in 0..3 {
        let joint = clock(&mut || states = search(program, 2).states);
        let apart = clock(&mut || {
            std::thread::scope(|scope| {
                scope.spawn(|| search(program, 1));
                scope.spawn(|| search(program, 1));
            });
        });
        shares.push(apart / 2.0 / joint);
    }
    shares.sort_by(f64::total_cmp);
    println!(
        "two workers reach {:.0} % of two searches at once, each of {states} states (median of 3)",
        shares[1] * 100.0
    );
}

fn measure(program: &Program) {
    let began = cpu();
    let report = search(program, 1);
    let seconds = (cpu() - began).as_secs_f64();
    let (states, transitions) = (report.states as f64, report.transitions as f64);
    println!(
        "{} states, {} transitions, {seconds:.2} s of CPU",
        report.states, report.transitions
    );
    println!(
        "{:.2} M transitions a second and core",
        transitions / seconds / 1e6
    );
    println!("{:.2} M states a second and core", states / seconds / 1e6);
    println!(
        "{:.1} bytes a state, all told",
        report.bytes as f64 / states
    );
    parts(program, &report, seconds * 1e9 / transitions);
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let kernel = arguments.get(1).map_or(KERNEL, String::as_str);
    let kernel = Kernels::shipped()
        .profile(kernel)
        .expect("a kernel")
        .profile;
    let program = |name: &str, text: &str| {
        let test = cowherd_litmus::parse(name, text).expect("a test");
        println!("{} on {}", test.name, kernel.name);
        lower(&test, &kernel, false).expect("a test that the model runs")
    };
    match arguments.first() {
        Some(path) => {
            let text = std::fs::read_to_string(path).expect("a test");
            let program = program(path, &text);
            measure(&program);
            pair(&program);
        }
        None => {
            measure(&program("large", TEST));
            println!();
            pair(&program("larger", LARGER));
        }
    }
}
