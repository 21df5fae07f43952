//! The successors of one state, with movers fused and commuting actors alone.
//!
//! # Movers
//!
//! A transition is a run of steps of one actor: right movers, then at most one step that is no mover, then left movers
//! (`Both` is either). Every interleaving can be sorted into such runs: a step of another actor between two right movers, or
//! between a right mover and what follows it, goes before the run; one between the middle and a left mover goes behind it.
//! So no verdict is lost, provided that
//!
//! - a run that is past its right movers goes on with left movers only: with two steps in it that are no movers, what others
//!   do between them would be lost;
//! - a step that others may disable is never fused to a right mover: two actors that each hold what the other waits for would
//!   never be seen between the two;
//! - a run ends where the program is done;
//! - movers are as [`System::mover`] demands: they have no part in `done` or the outcome, and hide no flag. Flags are looked
//!   at after every step of a run;
//! - a run is cut after [`LONGEST_RUN`] steps, so that it ends, and once it is one of more than [`WIDEST_RUN`] alternatives, so
//!   that a loop of choices does not explode. To cut one is always right: it only stores more states.
//!
//! # Commuting steps
//!
//! If the next step of an actor is invisible and nobody else can ever conflict with it, whatever anyone does, then each
//! schedule that takes it later has an equal one that takes it now, and one that never takes it can take it first: that actor
//! is expanded alone (a persistent set with one member). Its run goes on only over steps of which the same is true; a run
//! that fused more would hide what others may do before the rest. So that nobody is put off for ever round a cycle, one
//! of the successors must be new, in no level that is complete; else all actors are expanded. A successor that is done
//! refuses it too.

use crate::options::Reductions;
use crate::system::{Choice, Footprint, Mover, Next, System};

/// Steps in one transition, at most.
pub(crate) const LONGEST_RUN: usize = 64;
/// A transition goes on while its choices so far had no more alternatives than this, multiplied.
pub(crate) const WIDEST_RUN: u32 = 64;

/// One step of a schedule: who, and which of the alternatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// The actor that steps.
    pub actor: usize,
    /// The number of its [`Choice`].
    pub choice: u32,
}

/// Flags that were met inside a transition, with the effort there.
pub(crate) struct Inside {
    pub(crate) flags: u64,
    pub(crate) effort: (u32, u32),
    /// The steps that lead there; empty unless asked for.
    pub(crate) trail: Vec<Step>,
}

/// When a transition ends.
#[derive(Clone, Copy)]
enum Run {
    /// After one step, and whatever else the movers allow.
    Movers,
    /// Where others could conflict with the next step; they may touch this.
    Alone(Footprint),
}

/// A run so far.
#[derive(Clone, Copy)]
struct Sofar {
    actor: usize,
    steps: usize,
    /// Alternatives that its choices had.
    width: u32,
    /// It took a step that is no right mover.
    committed: bool,
}

/// Expands states, one after the other.
pub(crate) struct Expander<'s, S: System> {
    system: &'s S,
    reductions: Reductions,
    /// Keep the steps of each transition.
    keep_trails: bool,
    trail: Vec<Step>,
    futures: Vec<Footprint>,
    /// Flags of the state that is being expanded.
    known: u64,
    /// The next step of each actor that is enabled.
    next: Vec<Option<Next>>,
    /// The successors, in order; behind them, states to be written over: to make a new one each time would be to copy it twice.
    states: Vec<S::State>,
    staged: usize,
    /// For each successor, the steps that lead there; none unless asked for.
    pub(crate) trails: Vec<Vec<Step>>,
    /// Flags met on the way to them that the state itself does not show.
    pub(crate) inside: Vec<Inside>,
    /// Steps taken since the beginning.
    pub(crate) steps: u64,
}

impl<'s, S: System> Expander<'s, S> {
    pub(crate) fn new(system: &'s S, reductions: Reductions) -> Self {
        Expander {
            system,
            reductions,
            keep_trails: false,
            trail: Vec::new(),
            futures: Vec::new(),
            known: 0,
            next: vec![None; system.actors()],
            states: Vec::new(),
            staged: 0,
            trails: Vec::new(),
            inside: Vec::new(),
            steps: 0,
        }
    }

    /// One that keeps the steps of each transition.
    pub(crate) fn with_trails(system: &'s S, reductions: Reductions) -> Self {
        Expander {
            keep_trails: true,
            ..Expander::new(system, reductions)
        }
    }

    /// Finds the successors of a state that is not done. `new` tells whether a state is in no level that is complete. Says
    /// how many actors are enabled.
    pub(crate) fn expand(
        &mut self,
        from: &S::State,
        flags: u64,
        new: impl FnMut(&S::State) -> bool,
    ) -> u32 {
        self.clear();
        self.known = flags;
        let enabled = self.enabled(from);
        if self.reductions.commute && enabled.count_ones() > 1 && self.alone(from, enabled, new) {
            return enabled.count_ones();
        }
        self.everyone(from, enabled);
        enabled.count_ones()
    }

    /// Shows every state of which [`expand`](Expander::expand) may ask whether it is new. Counts no steps: they will be taken again.
    #[cfg(feature = "cluster")]
    pub(crate) fn asks(&mut self, from: &S::State, mut each: impl FnMut(&S::State)) {
        if !self.reductions.commute {
            return;
        }
        let steps = self.steps;
        self.clear();
        let enabled = self.enabled(from);
        if enabled.count_ones() > 1 {
            self.alone(from, enabled, |state| {
                each(state);
                false
            });
        }
        self.clear();
        self.steps = steps;
    }

    /// Finds every successor that [`expand`](Expander::expand) might find, whatever is new.
    pub(crate) fn expand_every_way(&mut self, from: &S::State, flags: u64) {
        self.clear();
        self.known = flags;
        let enabled = self.enabled(from);
        self.everyone(from, enabled);
        if self.reductions.commute {
            self.futures(from);
            for actor in bits(enabled) {
                if let Some(others) = self.undisturbed(from, actor) {
                    self.run(
                        from,
                        Mover::None,
                        Sofar {
                            actor,
                            steps: 0,
                            width: 1,
                            committed: false,
                        },
                        Run::Alone(others),
                    );
                }
            }
        }
    }

    fn everyone(&mut self, from: &S::State, enabled: u64) {
        for actor in bits(enabled) {
            let mover = match self.next[actor] {
                Some(next) if self.reductions.movers => next.mover,
                _ => Mover::None,
            };
            self.run(
                from,
                mover,
                Sofar {
                    actor,
                    steps: 0,
                    width: 1,
                    committed: false,
                },
                Run::Movers,
            );
        }
    }

    /// The successors, in order.
    pub(crate) fn successors(&mut self) -> &mut [S::State] {
        &mut self.states[..self.staged]
    }

    /// Who is enabled.
    fn enabled(&mut self, state: &S::State) -> u64 {
        self.system.survey(state, &mut self.next);
        let next = self.next.iter().enumerate();
        next.fold(0, |set, (actor, next)| {
            set | u64::from(next.is_some()) << actor
        })
    }

    /// Expands one actor alone, if there is one that may be.
    fn alone(
        &mut self,
        from: &S::State,
        enabled: u64,
        mut new: impl FnMut(&S::State) -> bool,
    ) -> bool {
        let system = self.system;
        let mut asked = false;
        for actor in bits(enabled).filter(|actor| system.invisible(from, *actor)) {
            if !std::mem::replace(&mut asked, true) {
                self.futures(from);
            }
            let Some(others) = self.undisturbed(from, actor) else {
                continue;
            };
            self.run(
                from,
                Mover::None,
                Sofar {
                    actor,
                    steps: 0,
                    width: 1,
                    committed: false,
                },
                Run::Alone(others),
            );
            if self.successors().iter().any(&mut new) {
                return true;
            }
            self.clear();
        }
        false
    }

    fn futures(&mut self, from: &S::State) {
        self.futures.clear();
        self.futures
            .extend((0..self.system.actors()).map(|actor| self.system.future(from, actor)));
    }

    /// If nobody can ever conflict with the next step of `actor` and nothing shows it: what the others may touch.
    fn undisturbed(&self, from: &S::State, actor: usize) -> Option<Footprint> {
        let others = self
            .futures
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != actor)
            .map(|(_, future)| *future);
        let others = others.fold(Footprint::default(), Footprint::union);
        self.unseen(from, actor, others).then_some(others)
    }

    fn unseen(&self, state: &S::State, actor: usize, others: Footprint) -> bool {
        self.system.invisible(state, actor)
            && !self.system.footprint(state, actor).conflicts(others)
    }

    /// Takes the next step of an actor in every way, and what is fused to it.
    fn run(&mut self, from: &S::State, mover: Mover, before: Sofar, kind: Run) {
        let actor = before.actor;
        let committed = before.committed || !matches!(mover, Mover::Right | Mover::Both);
        let mut number = 0;
        let mut fanout = 1;
        while number < fanout {
            let mut choice = Choice::number(number);
            let at = self.place(from);
            self.system.step(&mut self.states[at], actor, &mut choice);
            self.steps += 1;
            fanout = fanout.max(choice.fanout());
            if choice.valid() {
                if self.keep_trails {
                    self.trail.push(Step {
                        actor,
                        choice: number,
                    });
                }
                let width = before.width.saturating_mul(choice.fanout());
                let after = Sofar {
                    actor,
                    steps: before.steps + 1,
                    width,
                    committed,
                };
                match self.goes_on(&self.states[at], after, kind) {
                    Some(mover) => {
                        let next = self.states[at].clone();
                        self.look(&next);
                        self.run(&next, mover, after, kind);
                    }
                    None => self.stage(),
                }
                self.trail.pop();
            }
            number += 1;
        }
    }

    /// Is the next step of the actor part of the run? Then as what mover?
    fn goes_on(&self, state: &S::State, run: Sofar, kind: Run) -> Option<Mover> {
        let Sofar {
            actor,
            steps,
            width,
            committed,
        } = run;
        if !self.reductions.movers || steps == LONGEST_RUN || width > WIDEST_RUN {
            return None;
        }
        let Next { mover, blocks } = self.system.next(state, actor)?;
        let fused = match kind {
            Run::Alone(others) => self.unseen(state, actor, others),
            Run::Movers => match mover {
                Mover::Left | Mover::Both => true,
                Mover::Right | Mover::None => !committed && !blocks,
            },
        };
        let mover = match kind {
            Run::Alone(_) => Mover::None,
            Run::Movers => mover,
        };
        (fused && !self.system.done(state)).then_some(mover)
    }

    /// A copy of `state` behind the successors.
    fn place(&mut self, state: &S::State) -> usize {
        match self.states.get_mut(self.staged) {
            Some(place) => place.clone_from(state),
            None => self.states.push(state.clone()),
        }
        self.staged
    }

    /// What lies behind the successors is one of them.
    fn stage(&mut self) {
        self.staged += 1;
        if self.keep_trails {
            self.trails.push(self.trail.clone());
        }
    }

    fn look(&mut self, state: &S::State) {
        let flags = self.system.flags(state) & !self.known;
        if flags != 0 {
            self.inside.push(Inside {
                flags,
                effort: self.system.effort(state),
                trail: self.trail.clone(),
            });
        }
    }

    fn clear(&mut self) {
        self.staged = 0;
        self.trails.clear();
        self.inside.clear();
    }
}

/// The numbers of the bits that are set.
pub(crate) fn bits(set: u64) -> impl Iterator<Item = usize> {
    let mut rest = set;
    std::iter::from_fn(move || {
        (rest != 0).then(|| {
            let bit = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            bit
        })
    })
}
