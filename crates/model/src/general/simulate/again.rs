//! A small test in random orders.

use cowherd_explore::Choice;
use cowherd_litmus::analyse;
use fastrand::Rng;

use super::pace::{Crowd, Pace};
use crate::kernels::Profile;
use crate::lower::lower;
use crate::program::Program;
use crate::state::State;

/// Steps of one order at most.
const STEPS: usize = 5000;

struct Run<'a> {
    p: &'a Program,
    state: Box<State>,
}

impl Crowd for Run<'_> {
    fn goes_on(&self, actor: usize) -> bool {
        self.p.next_move(&self.state, actor).is_some()
    }

    fn begins(&mut self, _: usize, _: &mut Rng) -> bool {
        false
    }
}

/// Does the test in `text` break any of these promises in one of `tries` random orders? Not, if it is no test.
pub(super) fn breaks(
    text: &str,
    tries: usize,
    profile: &Profile,
    broken: u64,
    random: &mut Rng,
) -> bool {
    let Some(test) = analyse("candidate", text).test else {
        return false;
    };
    let Ok(p) = lower(&test, profile, false) else {
        return false;
    };
    (0..tries).any(|_| once(&p, broken, random))
}

fn once(p: &Program, broken: u64, random: &mut Rng) -> bool {
    let mut pace = Pace::new(p, random);
    let mut run = Run {
        p,
        state: Box::new(p.initial[0].clone()),
    };
    for _ in 0..STEPS {
        let Some(actor) = pace.next(&mut run, random) else {
            break;
        };
        let mut choice = Choice::number(random.u32(..));
        p.judged_step(&mut run.state, actor, &mut choice);
        if run.state.alarms & broken != 0 {
            return true;
        }
    }
    false
}
