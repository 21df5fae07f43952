//! What tests can show whose calls do not interleave: which steps of the mm do the tests of the corpus take, in any order of whole calls?

mod common;

use std::collections::BTreeSet;

use common::examine::{parse, profile};
use cowherd_mm::Task;
use cowherd_model::corpus::Corpus;
use cowherd_model::kernels::Profile;
use cowherd_model::predict::{Belief, Predictor, Turn, orders};

/// The kernels that tests run on.
const KERNELS: [&str; 5] = ["v5.10.262", "v6.1.176", "v6.12.107", "v6.18", "v7.2"];

/// Orders of a test, states of a turn, and states after it, at most: a step that only a larger test takes is no loss.
const ORDERS: usize = 24;
const STATES: usize = 3000;
const BELIEF: usize = 1000;

type Steps = BTreeSet<(&'static str, &'static str)>;

/// The steps of a test in orders of its calls.
fn steps(text: &str, kernel: &Profile) -> Option<Steps> {
    let test = parse(text).ok()?;
    let p = Predictor::new(&test, kernel, STATES).ok()?;
    let mut taken: Vec<(Turn, Belief)> = Vec::new();
    'orders: for order in orders(&p, ORDERS, 1).orders {
        let same = taken.iter().zip(&order).take_while(|((a, _), b)| a == *b);
        let same = same.count();
        taken.truncate(same);
        for &turn in &order[same..] {
            let mut belief = taken.last().map_or_else(|| p.start(), |(_, b)| b.clone());
            belief.look_away(&p);
            match p.turn(&belief, turn) {
                Ok(next) if next.len() <= BELIEF => taken.push((turn, next)),
                _ => break 'orders,
            }
        }
    }
    Some(p.program.taken.names())
}

#[test]
fn all_steps_but_eleven_are_taken_in_some_order_of_whole_calls_of_the_corpus() {
    let corpus = Corpus::shipped().entries;
    let mut taken = Steps::new();
    for kernel in KERNELS.map(profile) {
        for entry in &corpus {
            let text = std::str::from_utf8(&entry.text).expect("tests are text");
            taken.extend(steps(text, &kernel).unwrap_or_default());
        }
    }
    let missing: BTreeSet<String> = Task::steps()
        .filter(|step| !taken.contains(step))
        .map(|(path, step)| format!("{path} {step}"))
        .collect();
    // Those of other releases, and those that need somebody else amid a call.
    let known = [
        "GupFast EarlyRecheck",
        "GupFast LateGrab",
        "Swapoff ClaimWait",
        "Willneed ClaimWait",
        "Mremap LateFlush",
        "MovePages LockFolio",
        "MovePages MigrationWait",
        "DoWpPage SleepOnLock",
        "DoWpPage Relock",
        "DoWpPage MapcountTest",
        "DoSwapPage ClaimWait",
    ];
    let known: BTreeSet<String> = known.map(String::from).into();
    assert_eq!(missing, known);
}
