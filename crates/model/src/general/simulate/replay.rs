//! Some of the calls of a walk, in the order of its steps.

use cowherd_explore::Choice;

use super::walk::Walked;
use crate::program::Program;
use crate::state::State;
use crate::system::Actor;

/// Steps in which a call that is late may catch up before the next one of its task.
const LATE: usize = 500;
/// Rounds in which everybody goes on in the end.
const ROUNDS: usize = 200;

/// Takes the steps of a walk again, less those of calls that are not `kept`. A step that cannot be taken now is left out; so calls
/// may take other ways than in the walk. Is any of the same promises broken?
pub(super) fn breaks(p: &Program, walked: &Walked, kept: &[bool]) -> bool {
    let mut state = Box::new(p.initial[0].clone());
    let mut begun = vec![false; walked.calls.len()];
    for taken in &walked.steps {
        let actor = taken.actor as usize;
        if let (Actor::Task(task), Some(call)) = (p.actor(actor), taken.call) {
            let call = call as usize;
            if !kept[call] {
                continue;
            }
            if !begun[call] {
                begun[call] = true;
                finish(p, &mut state, task);
                let called = walked.calls[call];
                if !p.rests(&state, task) || !begins(p, &state, task, called.entry) {
                    continue;
                }
                p.start(&mut state, task, called.entry, called.value);
            } else if p.rests(&state, task) {
                continue;
            }
        }
        step(p, &mut state, actor, taken.choice);
        if state.alarms & walked.broken != 0 {
            return true;
        }
    }
    // What was left out may be late.
    for _ in 0..ROUNDS {
        let mut moved = false;
        for actor in 0..p.actors() {
            let rests = actor < p.tasks.len() && p.rests(&state, actor);
            moved |= !rests && step(p, &mut state, actor, 0);
            if state.alarms & walked.broken != 0 {
                return true;
            }
        }
        if !moved {
            break;
        }
    }
    false
}

fn begins(p: &Program, state: &State, task: usize, entry: usize) -> bool {
    state.killed >> task & 1 == 0 && p.started(state, task) && p.may_start(state, task, entry)
}

/// A call of this task that takes longer than it did goes on to its end.
fn finish(p: &Program, state: &mut State, task: usize) {
    for _ in 0..LATE {
        if p.rests(state, task) || !step(p, state, task, 0) {
            break;
        }
    }
}

/// Takes a step, if it can be taken.
fn step(p: &Program, state: &mut State, actor: usize, choice: u32) -> bool {
    let can = p.next_move(state, actor).is_some();
    if can {
        p.judged_step(state, actor, &mut Choice::number(choice));
    }
    can
}
