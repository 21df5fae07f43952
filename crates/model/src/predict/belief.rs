//! The set of states that a stepped machine may be in, and what a turn makes of it.

use std::collections::{BTreeSet, HashMap};

use cowherd_explore::{Choice, System};
use cowherd_litmus::ast::{Call, Mode, Test};
use cowherd_mm::machine::IoState;
use cowherd_mm::step::Wait;
use cowherd_mm::*;

use super::Turn;
use super::view::{Last, View};
use crate::kernels::Profile;
use crate::lower::{Refused, lower};
use crate::program::Program;
use crate::state::State;
use crate::system::Actor;

/// A turn came to more states than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

/// One state, and what whoever looks on remembers.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) state: State,
    /// Tasks that were let go and have not returned, one bit each.
    pub(super) issued: u8,
    /// The frames that were last seen mapped.
    pub(super) last: [[Last; MAX_PAGES]; MAX_MMS],
}

/// The states that a stepped machine may be in.
#[derive(Clone, Debug)]
pub struct Belief {
    nodes: Vec<Node>,
}

/// A test on a kernel, to be stepped call by call.
pub struct Predictor {
    /// The test, lowered.
    pub program: Program,
    /// For each task and operation: where the statement that it belongs to ends.
    ends: Vec<Vec<u8>>,
    /// States of one turn at most.
    limit: usize,
}

impl Predictor {
    /// Lowers `test` for `profile`. A turn that comes to more than `limit` states gives up.
    pub fn new(test: &Test, profile: &Profile, limit: usize) -> Result<Predictor, Refused> {
        let program = lower(test, profile, false)?;
        let ends = (0..program.tasks.len())
            .map(|task| ends(test, &program, task))
            .collect();
        Ok(Predictor {
            program,
            ends,
            limit,
        })
    }

    /// Where the statement that holds a task's operation ends, as an index of operations.
    pub fn end(&self, task: usize, op: usize) -> usize {
        self.ends[task].get(op).map_or(op + 1, |&end| end as usize)
    }

    /// Before the first turn.
    pub fn start(&self) -> Belief {
        let nodes = self.program.initial.iter().map(|state| {
            let mut node = Node {
                state: state.clone(),
                issued: 0,
                last: [[Last::Never; MAX_PAGES]; MAX_MMS],
            };
            node.remember(&self.program);
            node
        });
        Belief {
            nodes: nodes.collect(),
        }
    }

    /// Takes every state through a turn. Where the turn cannot be taken (the task still waits or has ended, the transfer is not in flight) nothing happens.
    pub fn turn(&self, belief: &Belief, turn: Turn) -> Result<Belief, TooMany> {
        let mut seen: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut ended: HashMap<Vec<u8>, Node> = HashMap::new();
        let mut todo: Vec<(Node, Option<IoId>)> = Vec::new();
        let mut push = |node: Node, device: Option<IoId>, todo: &mut Vec<(Node, Option<IoId>)>| {
            let mut key = self.key(&node);
            key.push(device.map_or(255, |io| io.0));
            let n = seen.len();
            if let std::collections::hash_map::Entry::Vacant(slot) = seen.entry(key) {
                slot.insert(n);
                todo.push((node, device));
            }
            if n > self.limit { Err(TooMany) } else { Ok(()) }
        };
        for node in &belief.nodes {
            let (node, device) = self.begin(node, turn).unwrap_or((node.clone(), None));
            push(node, device, &mut todo)?;
        }
        while let Some((node, device)) = todo.pop() {
            if device.is_none() && self.settled(&node) {
                let mut end = node.clone();
                let view = end.view(&self.program);
                end.remember(&self.program);
                // States that look different stay apart, though they are the same from here on.
                let mut key = self.key(&end);
                key.extend(view.pages.iter().map(|page| match page {
                    super::Page::Present(frame) => *frame as u8,
                    _ => 9,
                }));
                ended.entry(key).or_insert_with(|| node.clone());
            }
            for actor in 0..self.program.actors() {
                if !self.active(&node, device, actor) || !self.program.enabled(&node.state, actor) {
                    continue;
                }
                if self.out_of_slots(&node.state, actor) {
                    return Err(TooMany);
                }
                let (mut number, mut fanout) = (0, 1);
                while number < fanout {
                    let mut next = node.clone();
                    let mut choice = Choice::number(number);
                    self.program.step(&mut next.state, actor, &mut choice);
                    fanout = fanout.max(choice.fanout());
                    number += 1;
                    if !choice.valid() {
                        continue;
                    }
                    next.forget_freed();
                    self.returned(&node, &mut next);
                    let device = device.filter(|&io| in_flight(&next.state, io));
                    push(next, device, &mut todo)?;
                }
            }
        }
        Ok(Belief {
            nodes: ended.into_values().collect(),
        })
    }

    /// Is reclaim about to find no free slot, though a test may have no more of them? A real swap area has.
    fn out_of_slots(&self, state: &State, actor: usize) -> bool {
        let Actor::Task(task) = self.program.actor(actor) else {
            return false;
        };
        let mut slots = state.m.slots.iter();
        let full = self.program.cfg.sizes.slots == MAX_SLOTS
            && slots.all(|s| s.count.0 > 0 || s.cache.is_some() || s.claimed);
        let next = || self.program.next_step(state, task);
        full && next().is_some_and(|step| step.function == "add_to_swap")
    }

    /// A turn begins: a task is let go, or a device. None: it cannot be taken.
    pub(super) fn begin(&self, node: &Node, turn: Turn) -> Option<(Node, Option<IoId>)> {
        let mut node = node.clone();
        match turn {
            Turn::Task(task) if self.can(&node, task) => {
                node.issued |= 1 << task;
                Some((node, None))
            }
            Turn::Complete(io) if in_flight(&node.state, IoId(io as u8)) => {
                Some((node, Some(IoId(io as u8))))
            }
            _ => None,
        }
    }

    fn key(&self, node: &Node) -> Vec<u8> {
        let mut key = Vec::new();
        node.state.pack(&self.program, &mut key);
        key.push(node.issued);
        let s = &self.program.cfg.sizes;
        for mm in 0..s.mms {
            key.extend(node.last[mm][..s.pages].iter().map(|last| match last {
                Last::Never => 255,
                Last::Freed => 254,
                Last::Frame(pfn) => pfn.0,
            }));
        }
        key
    }

    /// Can this task make a call? It has begun to exist, has one left, and is in none.
    fn can(&self, node: &Node, task: usize) -> bool {
        let started = self.program.started(&node.state, task);
        started && node.issued >> task & 1 == 0 && self.program.stmt(&node.state, task).is_some()
    }

    /// May this actor step during the turn? Those that were let go, and what the kernel does when it likes.
    pub(super) fn active(&self, node: &Node, device: Option<IoId>, actor: usize) -> bool {
        match self.program.actor(actor) {
            Actor::Task(task) => node.issued >> task & 1 == 1,
            Actor::Device(io) => {
                device == Some(io)
                    || matches!(
                        node.state.m.ios[io.at()].state,
                        IoState::DoneDirtying | IoState::DoneReleasing
                    )
            }
            Actor::SwapDevice(_) | Actor::Drain(_) => true,
        }
    }

    /// Does everybody who was let go wait for somebody who was not? A swap write ends by itself, so who waits for one goes on.
    pub(super) fn settled(&self, node: &Node) -> bool {
        (0..self.program.tasks.len())
            .filter(|task| node.issued >> task & 1 == 1)
            .all(|task| {
                let wait = self.program.next_step(&node.state, task).map(|s| s.wait);
                !self.program.enabled(&node.state, task)
                    && !matches!(wait, Some(Wait::Writeback(_)))
            })
    }

    /// Tasks whose statement has come to its end have returned.
    pub(super) fn returned(&self, before: &Node, after: &mut Node) {
        for task in 0..self.program.tasks.len() {
            let (was, is) = (before.state.pc[task], after.state.pc[task]);
            let killed = after.state.killed >> task & 1 == 1;
            if killed || was != is && usize::from(is) == self.end(task, usize::from(was)) {
                after.issued &= !(1 << task);
            }
        }
    }
}

impl Node {
    fn outcome(&self, predictor: &Predictor) -> Vec<u8> {
        let mut bytes = Vec::new();
        predictor.program.observe(&self.state, &mut bytes);
        bytes
    }
}

impl Belief {
    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// What may be seen now.
    pub fn views(&self, predictor: &Predictor) -> BTreeSet<View> {
        self.nodes
            .iter()
            .map(|node| node.view(&predictor.program))
            .collect()
    }

    /// Keeps the states that agree with what was seen, and looks away. False: there are none.
    pub fn keep(&mut self, predictor: &Predictor, seen: &View) -> bool {
        self.nodes
            .retain(|node| node.view(&predictor.program).agrees(seen));
        self.look_away(predictor);
        !self.nodes.is_empty()
    }

    /// What is mapped now is what later frames are compared with.
    pub fn look_away(&mut self, predictor: &Predictor) {
        for node in &mut self.nodes {
            node.remember(&predictor.program);
        }
    }

    /// What may be seen in the end, were this the end: one byte for each of [`Program::observables`].
    pub fn outcomes(&self, predictor: &Predictor) -> BTreeSet<Vec<u8>> {
        self.nodes
            .iter()
            .map(|node| node.outcome(predictor))
            .collect()
    }

    /// The same of the states in which nobody has a turn left: those in which a run may end.
    pub fn ends(&self, predictor: &Predictor) -> BTreeSet<Vec<u8>> {
        let ended = |node: &&Node| {
            let mut tasks = 0..predictor.program.tasks.len();
            let mut ios = 0..predictor.program.cfg.sizes.ios;
            !tasks.any(|task| predictor.can(node, task))
                && !ios.any(|io| in_flight(&node.state, IoId(io as u8)))
        };
        self.nodes
            .iter()
            .filter(ended)
            .map(|node| node.outcome(predictor))
            .collect()
    }

    /// How many states.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Is a turn possible in any of the states?
    pub fn can(&self, predictor: &Predictor, turn: Turn) -> bool {
        self.nodes.iter().any(|node| match turn {
            Turn::Task(task) => predictor.can(node, task),
            Turn::Complete(io) => in_flight(&node.state, IoId(io as u8)),
        })
    }
}

/// Is the transfer with its device? What is left to a worker after the task was told is not.
pub(super) fn in_flight(state: &State, io: IoId) -> bool {
    matches!(
        state.m.ios[io.at()].state,
        IoState::InFlight | IoState::Completing | IoState::Dirtying | IoState::Releasing
    )
}

/// Where each operation's statement ends. Only a buffered transfer of a whole page is more than one operation.
fn ends(test: &Test, program: &Program, task: usize) -> Vec<u8> {
    let ops = program.tasks[task].stmts.len();
    let Some(thread) = test.threads.get(task) else {
        return (1..=ops as u8).collect();
    };
    let mut ends = Vec::new();
    for stmt in &thread.stmts {
        let width = match &stmt.call {
            Call::Pread {
                place,
                mode: Mode::Buffered,
                ..
            }
            | Call::Pwrite {
                place,
                mode: Mode::Buffered,
                ..
            } => match place.cells {
                cowherd_litmus::ast::Cells::All => test.pages[place.page.index()].cells as usize,
                cowherd_litmus::ast::Cells::One(_) => 1,
            },
            _ => 1,
        };
        let end = ends.len() + width;
        ends.extend(std::iter::repeat_n(end as u8, width));
    }
    ends.truncate(ops);
    ends
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Kernels;

    #[test]
    fn a_page_that_no_slot_is_left_for_is_followed_no_further() {
        let text = "
MM many-slots
{ anon x = 1; anon y = 2; anon z = 3; swap sync slots 4; }
P0 in A {
    fork(B) {
        x = 4; y = 5; z = 6;
        madvise(x, MADV_PAGEOUT); madvise(y, MADV_PAGEOUT); madvise(z, MADV_PAGEOUT);
    }
    madvise(x, MADV_PAGEOUT);
    madvise(y, MADV_PAGEOUT);
}
exists (true)
";
        let test = cowherd_litmus::parse("many-slots", text).expect("a test");
        let profile = Kernels::shipped().profile("v6.18").expect("a kernel");
        let p = Predictor::new(&test, &profile.profile, 200_000).expect("it runs");
        let mut belief = p.start();
        // The fork, and what the child does; then the parent, of whose two pages one finds a slot.
        for task in [0, 1, 1, 1, 1, 1, 1, 0] {
            belief = p.turn(&belief, Turn::Task(task)).expect("it is followed");
        }
        let swapped = |view: &View| view.pages[0] == crate::predict::Page::Swapped;
        let views = belief.views(&p);
        assert!(views.iter().any(swapped), "{views:?}");
        assert!(p.turn(&belief, Turn::Task(0)).is_err());
    }
}
