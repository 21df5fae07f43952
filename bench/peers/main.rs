//! The two explorers in Rust on the shared model of README.md: `peers WHO WORKERS STORES PASSES TRANSFERS`, WHO being
//! `cowherd`, `fingerprints` or `stateright`. Prints what it counted; `run` measures it from outside, as it does the checkers that
//! are not Rust.

mod model;

use std::process::ExitCode;

use cowherd_explore::{Choice, Keep, Options, Reductions, System, explore};
use model::{ACTORS, Bound, Cowlet};
use stateright::{Checker, Model, Property};

/// The model from one start.
struct Shared {
    bound: Bound,
}

impl System for Shared {
    type State = Cowlet;

    fn initial(&self, each: &mut dyn FnMut(Cowlet)) {
        each(Cowlet::start(self.bound));
    }

    fn actors(&self) -> usize {
        ACTORS
    }

    fn enabled(&self, state: &Cowlet, actor: usize) -> bool {
        state.ways(actor) > 0
    }

    fn step(&self, state: &mut Cowlet, actor: usize, choice: &mut Choice) {
        let way = choice.choose(state.ways(actor));
        state.step(actor, way);
    }

    // What ends is a deadlock here, as for the others: all that counts is to count.
    fn done(&self, _: &Cowlet) -> bool {
        false
    }

    fn outcome(&self, _: &Cowlet, _: &mut Vec<u8>) {}

    fn pack(&self, state: &Cowlet, out: &mut Vec<u8>) {
        out.extend_from_slice(&state.pack());
    }

    fn unpack(&self, bytes: &[u8]) -> Cowlet {
        Cowlet::unpack(bytes)
    }
}

impl Model for Shared {
    type State = Cowlet;
    type Action = (usize, u32);

    fn init_states(&self) -> Vec<Cowlet> {
        vec![Cowlet::start(self.bound)]
    }

    fn actions(&self, state: &Cowlet, actions: &mut Vec<(usize, u32)>) {
        for actor in 0..ACTORS {
            actions.extend((0..state.ways(actor)).map(|way| (actor, way)));
        }
    }

    fn next_state(&self, state: &Cowlet, (actor, way): (usize, u32)) -> Option<Cowlet> {
        let mut next = *state;
        next.step(actor, way);
        Some(next)
    }

    // Without a property nothing would be searched.
    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("counted", |_, _| true)]
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |n: usize| args.get(n).and_then(|arg| arg.parse::<u8>().ok());
    let (Some(who), Some(workers), Some(stores), Some(passes), Some(transfers)) =
        (args.first(), number(1), number(2), number(3), number(4))
    else {
        eprintln!("peers WHO WORKERS STORES PASSES TRANSFERS");
        return ExitCode::from(2);
    };
    let (workers, bound) = (
        usize::from(workers),
        Bound {
            stores: stores.min(3),
            passes: passes.min(3),
            transfers: transfers.min(3),
        },
    );
    let search = |keep| {
        let options = Options {
            workers,
            reductions: Reductions::NONE,
            keep,
            ..Options::default()
        };
        let report = explore(&Shared { bound }, &options);
        (report.states, report.transitions)
    };
    let (states, transitions) = match who.as_str() {
        "cowherd" => search(Keep::States),
        "fingerprints" => search(Keep::Fingerprints),
        "stateright" => {
            let checker = Shared { bound }.checker().threads(workers);
            let checked = checker.spawn_bfs().join();
            // It counts the initial state as one that was generated.
            (
                checked.unique_state_count() as u64,
                checked.state_count() as u64 - 1,
            )
        }
        other => {
            eprintln!("there are cowherd, fingerprints and stateright, not {other}");
            return ExitCode::from(2);
        }
    };
    println!("states={states} transitions={transitions}");
    ExitCode::SUCCESS
}
