//! A schedule that leads to a state, step by step.

use crate::expand::{Expander, Step};
use crate::found::Sighting;
use crate::report::Report;
use crate::store::StateId;
use crate::system::{Choice, System};
use crate::worker::pack;

/// A schedule: from which initial state, and the steps. All of them: fused ones one by one, and with the names of the
/// initial state, not those of the canonical forms.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Witness {
    /// Number of the initial state, in the order of [`System::initial`].
    pub initial: usize,
    /// Who takes which alternative, in this order.
    pub steps: Vec<Step>,
}

impl Witness {
    /// The state that the schedule leads to; `each` is shown every state before its step.
    ///
    /// # Panics
    ///
    /// If the schedule is not one of this system.
    pub fn replay<S: System>(&self, system: &S, mut each: impl FnMut(&S::State, Step)) -> S::State {
        let mut state = initial(system, self.initial);
        for step in &self.steps {
            each(&state, *step);
            assert!(
                system.enabled(&state, step.actor),
                "actor {} is blocked",
                step.actor
            );
            let mut choice = Choice::number(step.choice);
            system.step(&mut state, step.actor, &mut choice);
            assert!(
                choice.valid(),
                "actor {} has no alternative {}",
                step.actor,
                step.choice
            );
        }
        state
    }
}

fn initial<S: System>(system: &S, number: usize) -> S::State {
    let mut states = Vec::new();
    system.initial(&mut |state| states.push(state));
    assert!(number < states.len(), "there is no initial state {number}");
    states.swap_remove(number)
}

impl Report {
    /// The schedule by which the search first came to `state`.
    ///
    /// # Panics
    ///
    /// If the report is of another system, or of one that is not deterministic.
    pub fn witness<S: System>(&self, system: &S, state: StateId) -> Witness {
        self.follow(system, state).0
    }

    /// A schedule that ends in a state that shows flag `bit`, by way of `seen`.
    ///
    /// # Panics
    ///
    /// If the report is of another system, or `seen` is no sighting of this flag.
    pub fn flag_witness<S: System>(&self, system: &S, bit: u32, seen: Sighting) -> Witness {
        let (mut witness, state) = self.follow(system, seen.state);
        if seen.inside {
            let mut expander = Expander::with_trails(system, self.reductions);
            expander.expand_every_way(&state, system.flags(&state));
            let inside = expander
                .inside
                .iter()
                .find(|inside| inside.flags >> bit & 1 == 1 && inside.effort == seen.effort);
            witness
                .steps
                .extend(&inside.expect("the flag is seen after this state").trail);
        }
        witness
    }

    /// Walks to a stored state. The stored ones are canonical: at each step, that successor of the state at hand is taken
    /// whose canonical form comes next.
    fn follow<S: System>(&self, system: &S, to: StateId) -> (Witness, S::State) {
        let path = self.store.path(to);
        let mut expander = Expander::with_trails(system, self.reductions);
        let mut packed = Vec::new();
        let mut is = |state: &S::State, id: StateId| {
            packed.clear();
            pack(system, self.reductions, &mut state.clone(), &mut packed);
            self.store.is(id, &packed)
        };
        let mut initials = Vec::new();
        system.initial(&mut |state| initials.push(state));
        let number = initials
            .iter()
            .position(|state| is(state, path[0]))
            .expect("the path begins at an initial state");
        let mut state = initials.swap_remove(number);
        let mut witness = Witness {
            initial: number,
            steps: Vec::new(),
        };
        for next in &path[1..] {
            expander.expand_every_way(&state, system.flags(&state));
            let found = expander
                .successors()
                .iter()
                .position(|successor| is(successor, *next));
            let found = found.expect("a stored state is a successor of its parent");
            witness.steps.append(&mut expander.trails[found]);
            state = expander.successors()[found].clone();
        }
        (witness, state)
    }
}
