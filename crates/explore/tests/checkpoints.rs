//! A search that is cut short and goes on from its checkpoint ends as one that was not; and a checkpoint that is not as it was
//! written, or of another search, is refused.

mod toy;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use cowherd_explore::{
    About, Checkpoints, Choice, Ended, Keep, Options, Reductions, Refused, Report, System, explore,
};
use proptest::prelude::*;
use toy::{Machine, Op};

/// A machine that notes who stepped, and that ends the search after so many steps.
struct Watched<'a> {
    machine: &'a Machine,
    stepped: AtomicU64,
    left: AtomicI64,
    stop: AtomicBool,
}

impl<'a> Watched<'a> {
    fn new(machine: &'a Machine, steps: i64) -> Self {
        Watched {
            machine,
            stepped: AtomicU64::new(0),
            left: AtomicI64::new(steps),
            stop: AtomicBool::new(false),
        }
    }
}

impl System for Watched<'_> {
    type State = <Machine as System>::State;

    fn initial(&self, each: &mut dyn FnMut(Self::State)) {
        self.machine.initial(each);
    }
    fn actors(&self) -> usize {
        self.machine.actors()
    }
    fn enabled(&self, state: &Self::State, actor: usize) -> bool {
        self.machine.enabled(state, actor)
    }
    fn step(&self, state: &mut Self::State, actor: usize, choice: &mut Choice) {
        self.stepped.fetch_or(1 << actor, Ordering::Relaxed);
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            self.stop.store(true, Ordering::Relaxed);
        }
        self.machine.step(state, actor, choice);
    }
    fn done(&self, state: &Self::State) -> bool {
        self.machine.done(state)
    }
    fn flags(&self, state: &Self::State) -> u64 {
        self.machine.flags(state)
    }
    fn outcome(&self, state: &Self::State, out: &mut Vec<u8>) {
        self.machine.outcome(state, out);
    }
    fn pack(&self, state: &Self::State, out: &mut Vec<u8>) {
        self.machine.pack(state, out);
    }
    fn unpack(&self, bytes: &[u8]) -> Self::State {
        self.machine.unpack(bytes)
    }
    fn noted(&self) -> Vec<u8> {
        self.stepped.load(Ordering::Relaxed).to_le_bytes().to_vec()
    }
    fn note(&self, noted: &[u8]) {
        let noted = u64::from_le_bytes(noted.try_into().unwrap());
        self.stepped.fetch_or(noted, Ordering::Relaxed);
    }
}

fn about(text: &str) -> About {
    let mut about = About::default();
    about.line("machine", text);
    about
}

fn begin(folder: &Path, every: Duration) -> Checkpoints {
    Checkpoints::begin(folder, every, about("one")).unwrap()
}

fn resume(folder: &Path) -> Result<Checkpoints, Refused> {
    Checkpoints::resume(folder, Duration::ZERO, about("one"))
}

/// All that a search found, to be compared.
fn all(report: &Report) -> String {
    let counts = (
        report.ended,
        report.states,
        report.transitions,
        report.steps,
    );
    let found = (&report.outcomes, &report.flags, report.deadlocks);
    let states: Vec<_> = report.packed_states().collect();
    let rest = (&report.levels, report.livelocks, states);
    format!("{counts:?} {found:?} {rest:?}")
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

/// How to search.
#[derive(Clone, Copy, Debug)]
struct How {
    workers: usize,
    reductions: Reductions,
    keep: Keep,
    livelock: bool,
    /// Between two checkpoints: none but the first and the last, or one a level.
    every: Duration,
}

impl How {
    fn options<'a>(self) -> Options<'a> {
        Options {
            workers: self.workers,
            reductions: self.reductions,
            keep: self.keep,
            livelock: self.livelock,
            ..Options::default()
        }
    }
}

fn how() -> impl Strategy<Value = How> {
    let reductions = prop_oneof![Just(Reductions::ALL), Just(Reductions::NONE)];
    let keep = prop_oneof![Just(Keep::States), Just(Keep::Fingerprints)];
    let every = prop_oneof![Just(Duration::ZERO), Just(Duration::MAX)];
    (1..3usize, reductions, keep, any::<bool>(), every).prop_map(
        |(workers, reductions, keep, livelock, every)| How {
            workers,
            reductions,
            keep,
            livelock,
            every,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_search_goes_on_from_any_level(machine in machine(), how in how()) {
        let alone = Watched::new(&machine, i64::MAX);
        let whole = explore(&alone, &how.options());
        prop_assume!(whole.states < 20_000);
        let mut met = 0;
        for level in &whole.levels {
            met += level;
            let folder = tempfile::tempdir().unwrap();
            let cut = Watched::new(&machine, i64::MAX);
            let checkpoints = begin(folder.path(), how.every);
            let short = explore(&cut, &Options {
                checkpoints: Some(&checkpoints),
                max_states: Some(met),
                ..how.options()
            });
            prop_assert_eq!(checkpoints.trouble(), None);
            let checkpoints = resume(folder.path()).unwrap();
            let rest = Watched::new(&machine, i64::MAX);
            let found = explore(&rest, &Options { checkpoints: Some(&checkpoints), ..how.options() });
            prop_assert!(short.states <= found.states);
            prop_assert!(all(&found) == all(&whole));
            prop_assert_eq!(rest.noted(), alone.noted());
            for outcome in found.outcomes.values() {
                prop_assert_eq!(
                    found.witness(&rest, outcome.first),
                    whole.witness(&alone, outcome.first)
                );
            }
        }
    }

    #[test]
    fn a_search_goes_on_from_wherever_it_was_stopped(
        machine in machine(),
        how in how(),
        steps in 1..50i64,
    ) {
        let whole = explore(&Watched::new(&machine, i64::MAX), &how.options());
        prop_assume!(whole.states < 20_000);
        let folder = tempfile::tempdir().unwrap();
        let mut checkpoints = begin(folder.path(), how.every);
        for leg in 0.. {
            // Each time it may go a little further, so that it comes to an end.
            let watched = Watched::new(&machine, steps << leg);
            let found = explore(&watched, &Options {
                checkpoints: Some(&checkpoints),
                stop: Some(&watched.stop),
                ..how.options()
            });
            if found.ended == Ended::Complete {
                prop_assert!(all(&found) == all(&whole));
                break;
            }
            prop_assert_eq!(found.ended, Ended::Stopped);
            checkpoints = Checkpoints::resume(folder.path(), how.every, about("one")).unwrap();
        }
    }
}

/// Three actors that choose and store: some thousand states.
fn some() -> Machine {
    let program = vec![
        Op::Choose(3),
        Op::Store(0),
        Op::Load(1),
        Op::Add,
        Op::Store(1),
    ];
    Machine::new(vec![program; 3])
}

/// A folder with the checkpoint of a search that was cut short.
fn saved() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (number, most) in [20, 200, 1000].into_iter().enumerate() {
        let checkpoints = match number {
            0 => Checkpoints::begin(folder.path(), Duration::MAX, about("one")),
            _ => Checkpoints::resume(folder.path(), Duration::MAX, about("one")),
        };
        let checkpoints = checkpoints.unwrap();
        let options = Options {
            checkpoints: Some(&checkpoints),
            max_states: Some(most),
            reductions: Reductions::NONE,
            ..Options::default()
        };
        assert_eq!(explore(&some(), &options).ended, Ended::States);
    }
    folder
}

#[test]
fn a_damaged_checkpoint_is_refused_wherever_the_damage_is() {
    let folder = saved();
    assert!(resume(folder.path()).is_ok());
    let mut files = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        files += 1;
        for at in (0..bytes.len()).step_by(bytes.len() / 50 + 1) {
            let mut other = bytes.clone();
            other[at] ^= 0x10;
            fs::write(&path, &other).unwrap();
            let refused = resume(folder.path()).err();
            let told = refused.map(|refused| refused.to_string());
            assert!(
                told.as_ref().is_some_and(|told| told.contains("damaged")
                    || told == "this checkpoint is of another version of cowherd"),
                "{}, byte {at}: {told:?}",
                path.display()
            );
            fs::write(&path, &bytes[..at]).unwrap();
            assert!(matches!(resume(folder.path()), Err(Refused::Damaged(_))));
        }
        fs::remove_file(&path).unwrap();
        match resume(folder.path()) {
            Err(Refused::Missing) => assert_eq!(path.file_name().unwrap(), "head"),
            other => assert!(matches!(other, Err(Refused::Damaged(_)))),
        }
        fs::write(&path, &bytes).unwrap();
    }
    assert!(files > 2);
    assert!(resume(folder.path()).is_ok());
}

#[test]
fn a_checkpoint_of_another_search_is_refused_and_one_is_never_written_over() {
    let folder = saved();
    let other = Checkpoints::resume(folder.path(), Duration::ZERO, about("two"));
    assert_eq!(
        other.err().unwrap().to_string(),
        "this checkpoint is of another search: machine is one there, and two here"
    );
    let again = Checkpoints::begin(folder.path(), Duration::ZERO, about("one"));
    assert!(matches!(again, Err(Refused::Taken)));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(resume(empty.path()), Err(Refused::Missing)));
}

#[test]
fn a_search_that_cannot_be_saved_ends_and_loses_nothing() {
    let machine = some();
    let whole = explore(&machine, &Options::default());
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = begin(folder.path(), Duration::ZERO);
    // Where the third file is to be written, nothing can be.
    let blocked = folder.path().join("0-2.new");
    fs::create_dir(&blocked).unwrap();
    let options = Options {
        checkpoints: Some(&checkpoints),
        ..Options::default()
    };
    let report = explore(&machine, &options);
    assert_eq!(report.ended, Ended::Disk);
    assert!(report.states > 0 && report.states < whole.states);
    assert!(checkpoints.trouble().unwrap().contains("directory"));
    fs::remove_dir(&blocked).unwrap();
    let checkpoints = resume(folder.path()).unwrap();
    let options = Options {
        checkpoints: Some(&checkpoints),
        ..Options::default()
    };
    assert!(all(&explore(&machine, &options)) == all(&whole));
}

#[test]
fn the_searches_of_a_run_are_told_apart() {
    let (first, second) = (Machine::new(vec![vec![Op::Choose(3); 3]]), some());
    let folder = tempfile::tempdir().unwrap();
    let run = |checkpoints: &Checkpoints, most| {
        let options = Options {
            checkpoints: Some(checkpoints),
            ..Options::default()
        };
        let first = explore(&first, &options);
        let most = Options {
            max_states: most,
            ..options
        };
        (all(&first), all(&explore(&second, &most)))
    };
    let whole = (
        all(&explore(&first, &Options::default())),
        all(&explore(&second, &Options::default())),
    );
    let short = run(&begin(folder.path(), Duration::ZERO), Some(500));
    assert!(short.0 == whole.0 && short.1 != whole.1);
    let files: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        files
            .iter()
            .all(|name| name == "head" || name.starts_with("1-"))
    );
    assert!(run(&resume(folder.path()).unwrap(), None) == whole);
}
