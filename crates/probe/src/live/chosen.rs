//! The orders of turns in which a test runs: all of them, or beyond a limit a sample, with the order that the model needs to show what the
//! condition asks for.

use cowherd_explore::System;
use cowherd_litmus::ast::{Prop, Test};
use cowherd_model::check;
use cowherd_model::predict::{Predictor, Turn, orders};
use cowherd_model::state::State;
use cowherd_model::witness::Names;

use super::Options;
use crate::emit::order::{self, Event, Search};

/// States of the search for that order at most.
const STATES: u64 = 200_000;

/// The orders that are forced.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The orders.
    pub orders: Vec<Vec<Turn>>,
    /// Are there more?
    pub sampled: bool,
    /// Of a sample: does some order of whole calls, LRU batches at rest, show what the condition asks for? None: not known.
    pub shows: Option<bool>,
}

/// Chooses them. They depend on the test, and the witness's on the kernel.
pub fn choose(test: &Test, predictor: &Predictor, options: &Options) -> Chosen {
    // Each test has a sample of its own: else what comes late in one order would come late in all programs of a random run.
    let spread = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let seed = test.name.bytes().fold(options.seed, spread);
    let all = orders(predictor, options.orders, seed);
    let mut chosen = Chosen {
        orders: all.orders,
        sampled: all.sampled,
        shows: None,
    };
    // A random program has one order, and asks for nothing.
    if !chosen.sampled || test.condition.prop == Prop::True {
        return chosen;
    }
    match witness(test, predictor) {
        Search::Found(order) => {
            let turns: Vec<Turn> = order.events.iter().filter_map(|(e, _)| turn(*e)).collect();
            chosen.orders.retain(|order| *order != turns);
            chosen.orders.truncate(options.orders.saturating_sub(1));
            chosen.orders.insert(0, turns);
            chosen.shows = Some(true);
        }
        Search::None => chosen.shows = Some(false),
        Search::Unknown => {}
    }
    chosen
}

/// The shortest order of whole calls after which the proposition holds.
fn witness(test: &Test, predictor: &Predictor) -> Search {
    let program = &predictor.program;
    let names = Names {
        test: test.name.clone(),
        source: String::new(),
        profile: String::new(),
    };
    let search = check::Search {
        max_states: Some(STATES),
        ..check::Search::default()
    };
    let wanted = |state: &State| {
        let mut bytes = Vec::new();
        program.outcome(state, &mut bytes);
        program.done(state) && program.satisfies(&test.condition.prop, &bytes)
    };
    order::order(program, &names, &search.options(), wanted)
}

fn turn(event: Event) -> Option<Turn> {
    match event {
        Event::Run(task) | Event::Start(task) => Some(Turn::Task(task)),
        Event::Answer(io) => Some(Turn::Complete(io)),
        Event::Finish(_) | Event::Held(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::runner::LIMIT;
    use cowherd_model::kernels::Kernels;

    #[test]
    fn a_sample_has_the_order_that_the_witness_needs() {
        let text = "
MM many
{ anon x[2] = { 0, 0 }; file f on fuse = { 7 }; swap async; }
P0 in A { pread(f[0], x[0], O_DIRECT); }
P1 in A { r0 = x[1]; x[1] = 1; r1 = x[1]; r2 = x[1]; r3 = x[1]; }
kernel { madvise(A:x, MADV_PAGEOUT); }
exists (A:x[0]=0)
";
        let test = cowherd_litmus::parse("many", text).expect("a test");
        let shows = |kernel| {
            let profile = Kernels::shipped()
                .profile(kernel)
                .expect("a kernel")
                .profile;
            let predictor = Predictor::new(&test, &profile, LIMIT).expect("it runs");
            let options = Options {
                orders: 3,
                ..Options::default()
            };
            let chosen = choose(&test, &predictor, &options);
            assert!(chosen.sampled && chosen.orders.len() == 3);
            (chosen.shows, chosen.orders)
        };
        let (old, orders) = shows("v5.10");
        assert_eq!(old, Some(true));
        // The read is submitted before the page goes, and completes after the store.
        let at = |turn| orders[0].iter().position(|t| *t == turn);
        assert!(at(Turn::Task(0)) < at(Turn::Task(2)));
        assert!(at(Turn::Complete(0)) > at(Turn::Task(2)));
        assert_eq!(shows("v6.1").0, Some(false));
    }

    #[test]
    fn what_the_kernel_does_comes_early_in_one_program_and_late_in_another() {
        let at = |n: u32| {
            let text = format!(
                "MM random-1-{n}\n{{ anon x = 0; swap async; }}\n\
                 P0 in A {{ x = 1; x = 2; x = 3; x = 4; x = 5; x = 6; }}\n\
                 kernel {{ madvise(A:x, MADV_PAGEOUT); }}\nexists (true)\n"
            );
            let test = cowherd_litmus::parse("random", &text).expect("a test");
            let profile = Kernels::shipped().profile("v6.12").expect("a kernel");
            let predictor = Predictor::new(&test, &profile.profile, LIMIT).expect("it runs");
            let options = Options {
                orders: 1,
                ..Options::default()
            };
            let orders = choose(&test, &predictor, &options).orders;
            orders[0].iter().position(|t| *t == Turn::Task(1))
        };
        // Every place is as likely as every other: seven of them.
        let mut times = [0; 7];
        for place in (0..210).filter_map(at) {
            times[place] += 1;
        }
        assert!(times.iter().all(|n| (10..60).contains(n)), "{times:?}");
    }
}
