//! The order of calls that a program outside of the kernel can force, found by the explorer: a call runs until it returns or waits for
//! somebody of the test, and nobody else acts meanwhile.

use cowherd_explore::{Choice, Options, Shortest, System, shortest};
use cowherd_mm::IoId;
use cowherd_mm::machine::IoState;
use cowherd_model::program::Program;
use cowherd_model::state::State;
use cowherd_model::system::Actor;
use cowherd_model::witness::{Names, Trace};

/// What the schedule does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// This task makes its next call, and returns.
    Run(usize),
    /// This task makes its next call, and comes to wait in it.
    Start(usize),
    /// What it waited for is there: it returns.
    Finish(usize),
    /// A transfer is in flight from here on.
    Held(usize),
    /// The device transfers; the number is the transfer's.
    Answer(usize),
}

/// An order, and the schedule of the model that it was found by.
#[derive(Clone, Debug)]
pub struct Order {
    /// The events, each with the step of the trace that it begins with.
    pub events: Vec<(Event, usize)>,
    /// The schedule.
    pub trace: Trace,
}

/// A program whose calls are not interrupted.
struct Whole<'p>(&'p Program);

impl Whole<'_> {
    /// Is it this actor's turn, for it is amid something?
    fn amid(&self, state: &State, actor: usize) -> bool {
        match self.0.actor(actor) {
            Actor::Task(task) => state.m.tasks[task].busy(),
            // A transfer once begun is completed.
            Actor::Device(io) => !matches!(
                state.m.ios[io.at()].state,
                IoState::Idle
                    | IoState::Entered
                    | IoState::InFlight
                    | IoState::Done
                    | IoState::Failed
            ),
            // Swap I/O ends by itself, so at once.
            Actor::SwapDevice(_) => true,
            Actor::Drain(_) => false,
        }
    }
}

impl System for Whole<'_> {
    type State = State;

    fn initial(&self, each: &mut dyn FnMut(State)) {
        self.0.initial(each);
    }

    fn actors(&self) -> usize {
        System::actors(self.0)
    }

    fn enabled(&self, state: &State, actor: usize) -> bool {
        // LRU batches drain when the kernel likes; a program has no say in it.
        if matches!(self.0.actor(actor), Actor::Drain(_)) || !self.0.enabled(state, actor) {
            return false;
        }
        let all = 0..System::actors(self.0);
        let other = |&n: &usize| n != actor && self.amid(state, n) && self.0.enabled(state, n);
        self.amid(state, actor) || !all.into_iter().any(|n| other(&n))
    }

    fn step(&self, state: &mut State, actor: usize, choice: &mut Choice) {
        self.0.step(state, actor, choice);
    }

    fn done(&self, state: &State) -> bool {
        self.0.done(state)
    }

    fn flags(&self, state: &State) -> u64 {
        self.0.flags(state)
    }

    fn outcome(&self, state: &State, out: &mut Vec<u8>) {
        System::outcome(self.0, state, out);
    }

    fn pack(&self, state: &State, out: &mut Vec<u8>) {
        System::pack(self.0, state, out);
    }

    fn unpack(&self, bytes: &[u8]) -> State {
        System::unpack(self.0, bytes)
    }

    fn effort(&self, state: &State) -> (u32, u32) {
        self.0.effort(state)
    }
}

/// What came of the search for an order.
pub enum Search {
    /// This one.
    Found(Box<Order>),
    /// None leads to what is wanted.
    None,
    /// A limit ended the search.
    Unknown,
}

/// The shortest order to a wanted end.
pub fn order(
    program: &Program,
    names: &Names,
    options: &Options,
    wanted: impl Fn(&State) -> bool + Sync,
) -> Search {
    match shortest(&Whole(program), options, wanted) {
        Shortest::Found(witness) => {
            let trace = program.trace(names, &witness);
            Search::Found(Box::new(Order {
                events: events(program, &trace),
                trace,
            }))
        }
        Shortest::None => Search::None,
        Shortest::Unknown(_) => Search::Unknown,
    }
}

/// The events of a schedule whose calls are not interrupted.
fn events(program: &Program, trace: &Trace) -> Vec<(Event, usize)> {
    let mut events: Vec<(Event, usize)> = Vec::new();
    let mut state = program.initial[trace.initial].clone();
    let schedule = trace.schedule();
    for (at, step) in trace.steps.iter().enumerate() {
        let before = state.clone();
        state = program
            .take(&state, schedule.steps[at])
            .expect("the schedule is one of this program");
        match program.actor(step.actor) {
            Actor::Task(task) => {
                if step.begins {
                    events.push((Event::Start(task), at));
                }
                if let Some(io) = submitted(program, &before, &state) {
                    events.push((Event::Held(io), at));
                }
                if step.ends {
                    // A call that nothing came between.
                    match events.last_mut() {
                        Some((event, _)) if *event == Event::Start(task) => {
                            *event = Event::Run(task);
                        }
                        _ => events.push((Event::Finish(task), at)),
                    }
                }
            }
            Actor::Device(io) => {
                let last = events.last().map(|(event, _)| *event);
                let begun = in_flight(&before, io);
                if begun && last != Some(Event::Answer(io.at())) {
                    events.push((Event::Answer(io.at()), at));
                }
            }
            Actor::SwapDevice(_) | Actor::Drain(_) => {}
        }
    }
    events
}

fn in_flight(state: &State, io: IoId) -> bool {
    state.m.ios[io.at()].state == IoState::InFlight
}

/// The transfer that this step handed to its device.
fn submitted(program: &Program, before: &State, after: &State) -> Option<usize> {
    (0..program.cfg.sizes.ios).find(|&io| {
        let io = IoId(io as u8);
        !in_flight(before, io) && in_flight(after, io)
    })
}
