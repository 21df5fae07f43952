//! What a search has seen. Every worker keeps its own; merging them gives the same whatever each of them met.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::expand::bits;
use crate::store::StateId;

/// A place in a search where something was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sighting {
    /// [`effort`](crate::System::effort) there.
    pub effort: (u32, u32),
    /// Transitions from an initial state.
    pub depth: u32,
    /// The state; or the one before it, if `inside`.
    pub state: StateId,
    /// Seen after some step of a transition from `state`, in a state that fused movers do not store.
    pub inside: bool,
}

impl Sighting {
    fn order(&self) -> (u32, StateId) {
        (self.depth, self.state)
    }

    fn cost(&self) -> ((u32, u32), u32, StateId) {
        (self.effort, self.depth, self.state)
    }
}

/// Where a flag was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    /// First in the order of the search.
    pub first: Sighting,
    /// With the least effort, then the least depth.
    pub best: Sighting,
}

/// What is known of one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// States that end with it.
    pub states: u64,
    /// The first of them in the order of the search.
    pub first: StateId,
    /// Transitions from an initial state to that one.
    pub depth: u32,
}

/// States of some bad kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bad {
    /// How many.
    pub states: u64,
    /// The first in the order of the search.
    pub first: Option<StateId>,
    /// Transitions from an initial state to that one.
    pub depth: u32,
}

/// Everything that one worker has seen.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Found {
    #[serde(with = "pairs")]
    outcomes: HashMap<Vec<u8>, Outcome>,
    pub(crate) flags: BTreeMap<u32, Flag>,
    pub(crate) deadlocks: Bad,
}

impl Found {
    pub(crate) fn outcome(&mut self, bytes: &[u8], id: StateId, depth: u32) {
        match self.outcomes.get_mut(bytes) {
            Some(known) => known.merge(Outcome {
                states: 1,
                first: id,
                depth,
            }),
            None => {
                self.outcomes.insert(
                    bytes.to_vec(),
                    Outcome {
                        states: 1,
                        first: id,
                        depth,
                    },
                );
            }
        }
    }

    pub(crate) fn flags(&mut self, flags: u64, seen: Sighting) {
        for bit in bits(flags) {
            self.flag(
                bit as u32,
                Flag {
                    first: seen,
                    best: seen,
                },
            );
        }
    }

    fn flag(&mut self, bit: u32, seen: Flag) {
        let known = self.flags.entry(bit).or_insert(seen);
        if seen.first.order() < known.first.order() {
            known.first = seen.first;
        }
        if seen.best.cost() < known.best.cost() {
            known.best = seen.best;
        }
    }

    pub(crate) fn merge(&mut self, other: Found) {
        for (bytes, outcome) in other.outcomes {
            self.outcomes
                .entry(bytes)
                .and_modify(|known| known.merge(outcome))
                .or_insert(outcome);
        }
        for (bit, flag) in other.flags {
            self.flag(bit, flag);
        }
        self.deadlocks.merge(other.deadlocks);
    }

    /// All states that somebody may want to know the way to, each once.
    #[cfg(feature = "cluster")]
    pub(crate) fn sighted(&self) -> Vec<StateId> {
        let outcomes = self.outcomes.values().map(|outcome| outcome.first);
        let flags = self.flags.values();
        let flags = flags.flat_map(|flag| [flag.first.state, flag.best.state]);
        let all = outcomes.chain(flags).chain(self.deadlocks.first);
        let once: std::collections::BTreeSet<_> = all.collect();
        once.into_iter().collect()
    }

    pub(crate) fn into_outcomes(self) -> BTreeMap<Vec<u8>, Outcome> {
        self.outcomes.into_iter().collect()
    }
}

impl Outcome {
    fn merge(&mut self, other: Outcome) {
        self.states += other.states;
        if (other.depth, other.first) < (self.depth, self.first) {
            (self.depth, self.first) = (other.depth, other.first);
        }
    }
}

impl Bad {
    /// One more.
    pub(crate) fn add(&mut self, id: StateId, depth: u32) {
        self.merge(Bad {
            states: 1,
            first: Some(id),
            depth,
        });
    }

    fn merge(&mut self, other: Bad) {
        self.states += other.states;
        let earlier = match (other.first, self.first) {
            (Some(other_first), Some(first)) => (other.depth, other_first) < (self.depth, first),
            (first, None) => first.is_some(),
            (None, _) => false,
        };
        if earlier {
            (self.depth, self.first) = (other.depth, other.first);
        }
    }
}

/// A map whose keys are no text, as pairs.
mod pairs {
    use super::{HashMap, Outcome};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        map: &HashMap<Vec<u8>, Outcome>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(map)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(
        from: D,
    ) -> Result<HashMap<Vec<u8>, Outcome>, D::Error> {
        Vec::<(Vec<u8>, Outcome)>::deserialize(from).map(HashMap::from_iter)
    }
}
