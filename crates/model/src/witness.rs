//! A witness as data: every step of a schedule, who took it, and what it changed. Renderers make text of it; nothing here
//! is a story yet.

use cowherd_explore::{Choice, Step as Taken, System, Witness};
use serde::{Deserialize, Serialize};

use crate::diff::{Change, diff};
use crate::memory::{Thing, changed, things};
use crate::program::Program;
use crate::state::State;
use crate::system::Actor;
use cowherd_mm::Cpu;

/// The version of the serialised form.
pub const SCHEMA: u32 = 2;

/// A schedule of a test on a kernel, with what every step did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The test's name.
    pub test: String,
    /// The test's text, so that the trace can be replayed by itself.
    pub source: String,
    /// The kernel.
    pub profile: String,
    /// What is seen at the end.
    pub outcome: Vec<String>,
    /// Promises that were broken on the way, by kind.
    pub broken: Vec<String>,
    /// Which of the initial states.
    pub initial: usize,
    /// Who takes part, in the order of actors.
    pub actors: Vec<String>,
    /// The memory at the start, as changes to a machine with nothing in it.
    pub start: Vec<Change>,
    /// The memory at the start, whole. What each step changed of it is in [`TraceStep::memory`].
    pub memory: Vec<Thing>,
    /// The steps.
    pub steps: Vec<TraceStep>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStep {
    /// The actor's number.
    pub actor: usize,
    /// The alternative it took.
    pub choice: u32,
    /// The statement or activity that it is at, as the test has it.
    pub call: String,
    /// Does the call begin with this step?
    pub begins: bool,
    /// Does it end with it?
    pub ends: bool,
    /// The step's label.
    pub label: String,
    /// The kernel function.
    pub function: String,
    /// The locks that cover it.
    pub lock: String,
    /// What it changed.
    pub changes: Vec<Change>,
    /// The things of the memory that are other ones now, whole.
    pub memory: Vec<Thing>,
    /// Those that are gone.
    pub gone: Vec<String>,
    /// Promises that it broke.
    pub broken: Vec<String>,
    /// The features that it asked for, and whether the kernel has them.
    pub asked: Vec<(String, bool)>,
}

impl Program {
    /// The name of an actor.
    pub fn actor_name(&self, actor: usize) -> String {
        match self.actor(actor) {
            Actor::Task(task) => self.tasks[task].name.clone(),
            Actor::Device(io) => format!("device{}", io.0),
            Actor::SwapDevice(slot) => format!("swap{}", slot.0),
            Actor::Drain(Cpu::ELSEWHERE) => "lru".into(),
            Actor::Drain(cpu) => format!("lru{}", cpu.0),
        }
    }

    /// The statement that an actor is at, as the test has it.
    fn call_text(&self, state: &State, actor: usize) -> String {
        match self.actor(actor) {
            Actor::Task(task) => self
                .stmt(state, task)
                .map_or(String::new(), |s| s.text.clone()),
            Actor::Device(_) => "I/O".into(),
            Actor::SwapDevice(_) => "swap-out".into(),
            Actor::Drain(Cpu::ELSEWHERE) => "LRU batch of another CPU".into(),
            Actor::Drain(cpu) => format!("LRU batch of CPU {}", cpu.0),
        }
    }

    /// Takes one step of a schedule; none: the actor cannot take it.
    pub fn take(&self, state: &State, taken: Taken) -> Option<State> {
        if taken.actor >= self.actors() || self.done(state) || !self.enabled(state, taken.actor) {
            return None;
        }
        let mut next = state.clone();
        let mut choice = Choice::number(taken.choice);
        self.step(&mut next, taken.actor, &mut choice);
        choice.valid().then_some(next)
    }

    /// Everything there is to tell of one step.
    pub fn tell(&self, state: &State, next: &State, taken: Taken) -> TraceStep {
        let description = self.describe(state, taken.actor);
        let (label, function, lock) =
            description.map_or(("", "", ""), |d| (d.label, d.function, d.lock));
        let (mut begins, mut ends) = (false, false);
        if let Actor::Task(task) = self.actor(taken.actor) {
            begins = !state.m.tasks[task].busy();
            ends = state.pc[task] != next.pc[task] || next.killed >> task & 1 == 1;
        }
        self.cfg.forget();
        let _ = self.take(state, taken);
        let asked = self
            .cfg
            .consulted()
            .iter()
            .map(|f| (f.name().to_string(), self.cfg.features().contains(f)))
            .collect();
        let (memory, gone) = changed(&things(self, state), &things(self, next));
        TraceStep {
            actor: taken.actor,
            choice: taken.choice,
            call: self.call_text(state, taken.actor),
            begins,
            ends,
            label: label.into(),
            function: function.into(),
            lock: lock.into(),
            changes: diff(self, state, next),
            memory,
            gone,
            broken: crate::spec::names(next.alarms & !state.alarms),
            asked,
        }
    }

    /// A schedule told step by step.
    ///
    /// # Panics
    ///
    /// If the schedule is not one of this program.
    pub fn trace(&self, names: &Names, witness: &Witness) -> Trace {
        let mut state = self.initial[witness.initial].clone();
        let start = diff(self, &State::new(), &state);
        let memory = things(self, &state);
        let mut steps = Vec::new();
        for &taken in &witness.steps {
            let next = self
                .take(&state, taken)
                .expect("the schedule is one of this program");
            steps.push(self.tell(&state, &next, taken));
            state = next;
        }
        Trace {
            schema: SCHEMA,
            test: names.test.clone(),
            source: names.source.clone(),
            profile: names.profile.clone(),
            outcome: self.outcome_text(&state),
            broken: crate::spec::names(state.alarms),
            initial: witness.initial,
            actors: (0..self.actors()).map(|n| self.actor_name(n)).collect(),
            start,
            memory,
            steps,
        }
    }
}

/// What a trace is of.
#[derive(Clone, Debug)]
pub struct Names {
    /// The test's name.
    pub test: String,
    /// Its text.
    pub source: String,
    /// The kernel.
    pub profile: String,
}

impl Trace {
    /// The schedule by itself.
    pub fn schedule(&self) -> Witness {
        let steps = self
            .steps
            .iter()
            .map(|s| Taken {
                actor: s.actor,
                choice: s.choice,
            })
            .collect();
        Witness {
            initial: self.initial,
            steps,
        }
    }
}
