//! Every order of the turns of a test.

use cowherd_explore::Choice;
use cowherd_mm::MmId;

use super::{Predictor, Turn};
use crate::program::{Op, Starts};

/// The orders of a test's turns.
#[derive(Clone, Debug)]
pub struct Orders {
    /// The orders; all of them, or a sample.
    pub orders: Vec<Vec<Turn>>,
    /// Were there more than asked for?
    pub sampled: bool,
}

/// A turn, and which turns come before it in every order.
struct Place {
    turn: Turn,
    after: Vec<usize>,
}

/// Every order of the turns in which a task's calls follow each other, a transfer completes after it is submitted and before whoever waits for it, and
/// nobody acts before the fork that makes him. If there are more than `limit`, a sample of so many, chosen by `seed`.
pub fn orders(predictor: &Predictor, limit: usize, seed: u64) -> Orders {
    let places = places(predictor);
    let mut orders = Vec::new();
    let complete = enumerate(&places, &mut Vec::new(), limit, &mut orders);
    if complete {
        return Orders {
            orders,
            sampled: false,
        };
    }
    // One that is surely there, and others at random.
    orders.truncate(usize::from(limit > 1));
    let mut random = seed | 1;
    let mut tries = 0;
    while orders.len() < limit && tries < limit * 4 {
        let order = sample(&places, &mut random);
        if !orders.contains(&order) {
            orders.push(order);
        }
        tries += 1;
    }
    Orders {
        orders,
        sampled: true,
    }
}

fn enumerate(
    places: &[Place],
    taken: &mut Vec<usize>,
    limit: usize,
    orders: &mut Vec<Vec<Turn>>,
) -> bool {
    if taken.len() == places.len() {
        orders.push(taken.iter().map(|&n| places[n].turn).collect());
        return orders.len() <= limit;
    }
    for n in ready(places, taken) {
        taken.push(n);
        let go_on = enumerate(places, taken, limit, orders);
        taken.pop();
        if !go_on {
            return false;
        }
    }
    true
}

fn ready(places: &[Place], taken: &[usize]) -> Vec<usize> {
    let free = |n: &usize| {
        !taken.contains(n) && places[*n].after.iter().all(|before| taken.contains(before))
    };
    (0..places.len()).filter(free).collect()
}

/// An order at random. Where everybody goes on with the same probability, who has little to do comes early; so each goes on with one that
/// grows with what is behind it. Of actors that do not wait for each other, every order is then as likely as every other.
fn sample(places: &[Place], random: &mut u64) -> Vec<Turn> {
    let weights: Vec<u32> = (0..places.len()).map(|n| behind(places, n)).collect();
    let mut taken = Vec::new();
    while taken.len() < places.len() {
        let ready = ready(places, &taken);
        // xorshift: any spread will do.
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        let mut choice = Choice::number((*random >> 33) as u32);
        let mut drawn = choice.choose(ready.iter().map(|n| weights[*n]).sum());
        let next = ready.into_iter().find(|n| {
            let here = drawn < weights[*n];
            drawn = drawn.saturating_sub(weights[*n]);
            here
        });
        taken.extend(next);
    }
    taken.iter().map(|&n| places[n].turn).collect()
}

/// This place, and those that come after it in every order.
fn behind(places: &[Place], n: usize) -> u32 {
    let mut after = vec![n];
    while let Some(next) = (0..places.len()).find(|m| {
        !after.contains(m) && places[*m].after.iter().any(|before| after.contains(before))
    }) {
        after.push(next);
    }
    after.len() as u32
}

fn places(predictor: &Predictor) -> Vec<Place> {
    let p = &predictor.program;
    let mut places: Vec<Place> = Vec::new();
    // The place of each task's statements, by the operation that they begin with.
    let mut at: Vec<Vec<(usize, usize)>> = Vec::new();
    let mut completions: Vec<Option<usize>> = vec![None; p.cfg.sizes.ios];
    for (task, program) in p.tasks.iter().enumerate() {
        let mut mine = Vec::new();
        let mut previous: Vec<usize> = Vec::new();
        let mut op = 0;
        while op < program.stmts.len() {
            let n = places.len();
            places.push(Place {
                turn: Turn::Task(task),
                after: previous.clone(),
            });
            mine.push((op, n));
            previous = vec![n];
            let (io, waits) = match program.stmts[op].op {
                Op::Transfer { io, wait, .. } => (Some(io), wait),
                Op::Fixed { io, .. } => (Some(io), true),
                _ => (None, false),
            };
            if let Some(io) = io {
                completions[io.at()] = Some(n + 1);
                places.push(Place {
                    turn: Turn::Complete(io.at()),
                    after: vec![n],
                });
                if waits {
                    previous.push(n + 1);
                }
            }
            if let Op::WaitIo { io } = program.stmts[op].op {
                places[n].after.extend(completions[io.at()]);
            }
            op = predictor.end(task, op);
        }
        at.push(mine);
    }
    let last = |mm: MmId| {
        let of = |task: &usize| p.tasks[*task].mm == Some(mm);
        (0..p.tasks.len())
            .filter(of)
            .filter_map(|task| at[task].last().map(|&(_, n)| n))
            .collect::<Vec<_>>()
    };
    // Who makes each process.
    let fork = |mm: MmId| {
        p.tasks.iter().enumerate().find_map(|(task, program)| {
            let op = program
                .stmts
                .iter()
                .position(|s| matches!(s.op, Op::Fork { child } if child == mm))?;
            place_of(&at[task], op)
        })
    };
    for (task, program) in p.tasks.iter().enumerate() {
        if let (Starts::After { task: by, stmt }, Some(&(_, first))) =
            (program.starts, at[task].first())
        {
            let fork = place_of(&at[by], stmt);
            places[first].after.extend(fork);
        }
        for &(op, n) in &at[task] {
            match program.stmts[op].op {
                Op::Waitpid { mm } => places[n].after.extend(last(mm)),
                Op::Remote { mm, .. } => places[n].after.extend(fork(mm)),
                ref other => {
                    let fork = other.target().and_then(fork).filter(|&f| f != n);
                    places[n].after.extend(fork);
                }
            }
        }
    }
    places
}

fn place_of(statements: &[(usize, usize)], op: usize) -> Option<usize> {
    statements
        .iter()
        .rev()
        .find(|(first, _)| *first <= op)
        .map(|&(_, n)| n)
}
