//! Processes that search together find what one finds alone, to the state. Here a process is a thread; connections are real.

mod toy;

use std::net::TcpListener;
use std::sync::atomic::AtomicBool;

use cowherd_explore::{
    About, Choice, Cluster, Ended, Keep, NoCluster, Options, Reductions, Report, System, explore,
};
use proptest::prelude::*;
use toy::{Machine, Op};

/// Addresses on this machine that nobody listens at.
fn hosts(processes: usize) -> Vec<String> {
    let listeners: Vec<TcpListener> = (0..processes)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap().to_string())
        .collect()
}

fn about(text: &str) -> About {
    let mut about = About::default();
    about.line("machine", text);
    about
}

/// What each process finds, when so many with so many workers each search together.
fn together<T: Send>(
    processes: usize,
    workers: usize,
    search: impl Fn(&Cluster) -> T + Sync,
) -> Vec<T> {
    let hosts = hosts(processes);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..processes)
            .map(|process| {
                let (hosts, search) = (hosts.clone(), &search);
                scope.spawn(move || {
                    let cluster = Cluster::join(hosts, process, workers, about("one")).unwrap();
                    search(&cluster)
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

/// All that a search found and every way to it, to be compared.
fn all<S: System>(system: &S, report: &Report) -> String {
    let counts = (
        report.ended,
        report.states,
        report.transitions,
        report.steps,
    );
    let found = (&report.outcomes, &report.flags, report.deadlocks);
    let ends = report.outcomes.values().map(|end| end.first);
    let ends = ends.chain(report.deadlocks.first);
    let ways: Vec<_> = ends.map(|id| report.witness(system, id)).collect();
    let flags = report.flags.iter().flat_map(|(bit, flag)| {
        [flag.first, flag.best].map(|seen| report.flag_witness(system, *bit, seen))
    });
    let flags: Vec<_> = flags.collect();
    format!(
        "{counts:?} {found:?} {:?} {ways:?} {flags:?}",
        report.levels
    )
}

fn machine() -> impl Strategy<Value = Machine> {
    let op = prop_oneof![
        (0..2u8).prop_map(Op::Lock),
        (0..2u8).prop_map(Op::Unlock),
        (0..3u8).prop_map(Op::Load),
        (0..3u8).prop_map(Op::Store),
        Just(Op::Add),
        (1..4u8).prop_map(Op::Choose),
        (0..2u8, 0..4u8).prop_map(|(bit, k)| Op::Flag(bit, k)),
        (0..3u8).prop_map(Op::Loop),
    ];
    prop::collection::vec(prop::collection::vec(op, 1..6), 1..4).prop_map(Machine::new)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn processes_together_find_what_one_finds_alone(
        machine in machine(),
        processes in 1..4usize,
        workers in 1..3usize,
        set in 0..8u8,
        whole in any::<bool>(),
        until in 0..4u64,
    ) {
        let options = Options {
            reductions: Reductions {
                symmetry: set & 1 != 0,
                movers: set & 2 != 0,
                commute: set & 4 != 0,
                ..Reductions::ALL
            },
            keep: if whole { Keep::States } else { Keep::Fingerprints },
            until,
            ..Options::default()
        };
        let report = explore(&machine, &options);
        prop_assume!(report.states < 20_000);
        let alone = all(&machine, &report);
        // Twice, on the same connections.
        let found = together(processes, workers, |cluster| {
            let options = Options { cluster: Some(cluster), ..options };
            [(); 2].map(|()| all(&machine, &explore(&machine, &options)))
        });
        for found in found.into_iter().flatten() {
            prop_assert_eq!(&found, &alone);
        }
    }
}

/// Counters: more states than packets hold, and many of them met more than once.
struct Counters;

impl System for Counters {
    type State = [u8; 6];

    fn initial(&self, each: &mut dyn FnMut(Self::State)) {
        each([0; 6]);
        each([1, 0, 0, 0, 0, 0]);
    }
    fn actors(&self) -> usize {
        6
    }
    fn enabled(&self, state: &Self::State, actor: usize) -> bool {
        state[actor] < 7
    }
    fn step(&self, state: &mut Self::State, actor: usize, choice: &mut Choice) {
        state[actor] += 1 + (choice.choose(2) as u8) * u8::from(state[actor] == 1);
    }
    fn done(&self, state: &Self::State) -> bool {
        state[0] == 7 && state[1] == 7
    }
    fn flags(&self, state: &Self::State) -> u64 {
        1 << (state.iter().map(|n| u64::from(*n)).sum::<u64>())
    }
    fn outcome(&self, state: &Self::State, out: &mut Vec<u8>) {
        out.extend_from_slice(&state[2..4]);
    }
    fn pack(&self, state: &Self::State, out: &mut Vec<u8>) {
        out.extend_from_slice(state);
    }
    fn unpack(&self, bytes: &[u8]) -> Self::State {
        bytes.try_into().unwrap()
    }
}

#[test]
fn a_large_search_is_the_same_and_limits_end_it_for_all() {
    let alone = all(&Counters, &explore(&Counters, &Options::default()));
    let found = together(2, 2, |cluster| {
        let options = Options {
            cluster: Some(cluster),
            ..Options::default()
        };
        let whole = all(&Counters, &explore(&Counters, &options));
        let states = Options {
            max_states: (cluster.process() == 1).then_some(20_000),
            ..options
        };
        let states = explore(&Counters, &states);
        // One of them is interrupted.
        let stop = AtomicBool::new(cluster.process() == 0);
        let interrupted = Options {
            stop: Some(&stop),
            ..options
        };
        let cut = explore(&Counters, &interrupted);
        (
            whole,
            (states.ended, states.states),
            (cut.ended, cut.states),
        )
    });
    assert_eq!(found[0].0, alone);
    assert_eq!(found[0], found[1]);
    let (ended, states) = found[0].1;
    assert_eq!(ended, Ended::States);
    assert!((20_000..200_000).contains(&states));
    assert_eq!(found[0].2.0, Ended::Stopped);
}

#[test]
fn processes_about_something_else_do_not_search_together() {
    let hosts = hosts(2);
    let join = |process, text: &str| {
        let (hosts, about) = (hosts.clone(), about(text));
        std::thread::spawn(move || Cluster::join(hosts, process, 1, about).err())
    };
    let (first, second) = (join(0, "one"), join(1, "two"));
    let told = [first, second].map(|thread| thread.join().unwrap().unwrap().to_string());
    assert!(told[0].ends_with("does something else: machine is two there, and one here"));
    assert!(told[1].ends_with("does something else: machine is one there, and two here"));
    let number = Cluster::join(hosts.clone(), 2, 1, about("one"));
    assert!(matches!(number, Err(NoCluster::Number(2, 2))));
    let workers = Cluster::join(hosts, 1, 33, about("one"));
    assert!(matches!(workers, Err(NoCluster::Workers(66))));
}

#[test]
fn a_process_that_is_lost_ends_the_search_of_all_others() {
    let ended = together(3, 1, |cluster| {
        if cluster.process() == 1 {
            return None;
        }
        let options = Options {
            cluster: Some(cluster),
            ..Options::default()
        };
        let report = explore(&Counters, &options);
        assert!(report.outcomes.is_empty() && report.flags.is_empty());
        Some((report.ended, cluster.trouble().is_some()))
    });
    assert_eq!(ended[0], Some((Ended::Lost, true)));
    assert_eq!(ended[2], Some((Ended::Lost, true)));
}
