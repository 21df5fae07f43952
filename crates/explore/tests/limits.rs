//! Limits, and workers that share the work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cowherd_explore::oracle::oracle;
use cowherd_explore::{Choice, Ended, Keep, Options, Report, Shortest, System, explore, shortest};

/// Ten counters, each up to nine: 10^10 states, more than any limit below.
struct Endless;

impl System for Endless {
    type State = [u8; 10];

    fn initial(&self, each: &mut dyn FnMut(Self::State)) {
        each([0; 10]);
    }

    fn actors(&self) -> usize {
        10
    }

    fn enabled(&self, state: &Self::State, actor: usize) -> bool {
        state[actor] < 9
    }

    fn step(&self, state: &mut Self::State, actor: usize, _: &mut Choice) {
        state[actor] += 1;
    }

    fn done(&self, state: &Self::State) -> bool {
        *state == [9; 10]
    }

    fn outcome(&self, _: &Self::State, _: &mut Vec<u8>) {}

    fn pack(&self, state: &Self::State, out: &mut Vec<u8>) {
        out.extend_from_slice(state);
    }

    fn unpack(&self, bytes: &[u8]) -> Self::State {
        bytes.try_into().unwrap()
    }
}

#[test]
fn each_limit_ends_the_search_for_its_own_reason() {
    for workers in [1, 2] {
        let options = Options {
            workers,
            ..Options::default()
        };
        let report = explore(
            &Endless,
            &Options {
                max_states: Some(10_000),
                ..options
            },
        );
        assert_eq!(report.ended, Ended::States);
        assert!((10_000..200_000).contains(&report.states));
        assert_eq!(report.levels.iter().sum::<u64>(), report.states);
        let report = explore(
            &Endless,
            &Options {
                max_memory: Some(10 << 20),
                ..options
            },
        );
        assert_eq!(report.ended, Ended::Memory);
        assert!(report.bytes < 30 << 20);
        let report = explore(
            &Endless,
            &Options {
                timeout: Some(Duration::from_millis(50)),
                ..options
            },
        );
        assert_eq!(report.ended, Ended::Time);
        assert!(report.elapsed < Duration::from_secs(10));
        let stop = AtomicBool::new(true);
        let report = explore(
            &Endless,
            &Options {
                stop: Some(&stop),
                ..options
            },
        );
        assert_eq!(report.ended, Ended::Stopped);
    }
    let limited = Options {
        max_states: Some(1000),
        ..Options::default()
    };
    assert_eq!(
        shortest(&Endless, &limited, |_| false),
        Shortest::Unknown(Ended::States)
    );
}

/// Levels of thousands of states, where the workers do share the work; some states have flags, some end.
struct Wide;

impl System for Wide {
    type State = [u8; 6];

    fn initial(&self, each: &mut dyn FnMut(Self::State)) {
        each([0; 6]);
        each([1, 0, 0, 0, 0, 0]);
    }

    fn actors(&self) -> usize {
        6
    }

    fn enabled(&self, state: &Self::State, actor: usize) -> bool {
        state[actor] < 5
    }

    fn step(&self, state: &mut Self::State, actor: usize, choice: &mut Choice) {
        state[actor] += 1 + (choice.choose(2) as u8) * u8::from(state[actor] == 1);
    }

    fn done(&self, state: &Self::State) -> bool {
        state[0] == 5 && state[1] == 5
    }

    fn flags(&self, state: &Self::State) -> u64 {
        1 << (state.iter().map(|n| u64::from(*n)).sum::<u64>())
    }

    fn effort(&self, state: &Self::State) -> (u32, u32) {
        (u32::from(state[3]), u32::from(state[4]))
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
fn workers_who_share_a_level_change_nothing() {
    let print = |workers, max_states, keep| {
        let options = Options {
            keep,
            workers,
            max_states,
            ..Options::default()
        };
        let report = explore(&Wide, &options);
        let witnesses: Vec<_> = report
            .outcomes
            .values()
            .map(|end| report.witness(&Wide, end.first))
            .collect();
        let states: Vec<_> = report
            .packed_states()
            .map(|(id, packed)| (id, packed.to_vec()))
            .collect();
        assert_eq!(
            report.ended,
            if max_states.is_some() {
                Ended::States
            } else {
                Ended::Complete
            }
        );
        let Report {
            states: count,
            transitions,
            steps,
            levels,
            outcomes,
            flags,
            deadlocks,
            bytes,
            ..
        } = report;
        (
            count,
            transitions,
            steps,
            levels,
            outcomes,
            flags,
            (deadlocks, bytes),
            (witnesses, states),
        )
    };
    let cases = [
        (None, Keep::States),
        (Some(20_000), Keep::States),
        (None, Keep::Fingerprints),
    ];
    for (max_states, keep) in cases {
        let one = print(1, max_states, keep);
        assert!(*one.3.iter().max().unwrap() > 3000);
        for workers in 2..=4 {
            assert!(print(workers, max_states, keep) == one);
        }
    }
    let alone = explore(&Wide, &Options::default());
    let oracle = oracle(&Wide, 1_000_000).unwrap();
    assert_eq!((alone.states, alone.levels), (oracle.states, oracle.levels));
}

#[test]
fn a_search_can_be_stopped_from_outside_and_says_how_far_it_is() {
    let stop = AtomicBool::new(false);
    let progress = |progress: &cowherd_explore::Progress| {
        assert!(progress.states > 0 && progress.transitions > 0 && progress.bytes > 0);
        assert!(progress.elapsed >= Duration::from_secs(1));
        stop.store(true, Ordering::Relaxed);
    };
    let options = Options {
        workers: 2,
        stop: Some(&stop),
        progress: Some(&progress),
        ..Options::default()
    };
    assert_eq!(explore(&Endless, &options).ended, Ended::Stopped);
}

#[test]
fn a_panic_of_the_system_is_passed_on_and_leaves_no_worker_waiting() {
    struct Breaks;
    impl System for Breaks {
        type State = [u8; 10];
        fn initial(&self, each: &mut dyn FnMut(Self::State)) {
            Endless.initial(each);
        }
        fn actors(&self) -> usize {
            10
        }
        fn enabled(&self, state: &Self::State, actor: usize) -> bool {
            Endless.enabled(state, actor)
        }
        fn step(&self, state: &mut Self::State, actor: usize, choice: &mut Choice) {
            assert!(
                state.iter().map(|n| u32::from(*n)).sum::<u32>() < 8,
                "broken on purpose"
            );
            Endless.step(state, actor, choice);
        }
        fn done(&self, _: &Self::State) -> bool {
            false
        }
        fn outcome(&self, _: &Self::State, _: &mut Vec<u8>) {}
        fn pack(&self, state: &Self::State, out: &mut Vec<u8>) {
            Endless.pack(state, out);
        }
        fn unpack(&self, bytes: &[u8]) -> Self::State {
            Endless.unpack(bytes)
        }
    }
    for workers in [1, 3] {
        let run = || {
            explore(
                &Breaks,
                &Options {
                    workers,
                    ..Options::default()
                },
            )
        };
        let payload = std::panic::catch_unwind(run).err().expect("it panics");
        assert_eq!(payload.downcast_ref(), Some(&"broken on purpose"));
    }
}
