//! What one worker does with the states that it is given.

use serde::{Deserialize, Serialize};

use crate::buffer::Buffers;
use crate::expand::Expander;
use crate::found::{Found, Sighting};
use crate::hash::hash;
use crate::options::Reductions;
use crate::shard::{Piece, Shard};
use crate::store::StateId;
use crate::system::System;

/// A search for one state: no successor above the limit is followed.
pub(crate) struct Hunt<'a, T> {
    pub(crate) wanted: &'a (dyn Fn(&T) -> bool + Sync),
    pub(crate) limit: (u32, u32),
}

impl<T> Clone for Hunt<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Hunt<'_, T> {}

/// What became of a hunt.
#[derive(Clone, Copy, Default)]
pub(crate) struct Hunted {
    /// The first match in the order of the search.
    pub(crate) found: Option<StateId>,
    /// The least effort above the limit.
    pub(crate) beyond: Option<(u32, u32)>,
}

impl Hunted {
    pub(crate) fn merge(&mut self, other: Hunted) {
        self.found = self.found.into_iter().chain(other.found).min();
        self.beyond = self.beyond.into_iter().chain(other.beyond).min();
    }
}

/// One worker: its scratch space and what it has seen.
pub(crate) struct Worker<'s, S: System> {
    system: &'s S,
    reductions: Reductions,
    hunt: Option<Hunt<'s, S::State>>,
    expander: Expander<'s, S>,
    /// The state that is being expanded.
    at: Option<Box<S::State>>,
    packed: Vec<u8>,
    found: Found,
    pub(crate) hunted: Hunted,
    pub(crate) transitions: u64,
}

/// What a worker brings home.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Harvest {
    pub(crate) found: Found,
    pub(crate) transitions: u64,
    pub(crate) steps: u64,
}

impl Harvest {
    pub(crate) fn merge(&mut self, other: Harvest) {
        self.found.merge(other.found);
        self.transitions += other.transitions;
        self.steps += other.steps;
    }
}

impl<'s, S: System> Worker<'s, S> {
    pub(crate) fn new(
        system: &'s S,
        reductions: Reductions,
        hunt: Option<Hunt<'s, S::State>>,
    ) -> Self {
        Worker {
            system,
            reductions,
            hunt,
            expander: Expander::new(system, reductions),
            at: None,
            packed: Vec::new(),
            found: Found::default(),
            hunted: Hunted::default(),
            transitions: 0,
        }
    }

    /// Takes in an initial state.
    pub(crate) fn initial(&mut self, mut state: S::State, buffers: &mut Buffers) {
        if !followed(self.system, &self.hunt, &mut self.hunted, &state) {
            return;
        }
        let start = buffers.start();
        buffers.push(|packed| pack(self.system, self.reductions, &mut state, packed));
        buffers.sort(start, None);
    }

    /// Expands the states of one piece. `new` tells whether a state, of which it is given the hash and the packed form, is in no
    /// level that is complete.
    pub(crate) fn piece(
        &mut self,
        shard: &Shard,
        piece: Piece,
        depth: u32,
        buffers: &mut Buffers,
        mut new: impl FnMut(u64, &[u8]) -> bool,
    ) {
        // One state is unpacked over the other.
        let mut at = self.at.take();
        for (id, packed) in shard.frontier(piece) {
            if let Some(state) = self.unpack(&mut at, packed) {
                self.state(state, id, depth, buffers, &mut new);
            }
        }
        self.at = at;
    }

    fn unpack<'a>(&self, at: &'a mut Option<Box<S::State>>, packed: &[u8]) -> Option<&'a S::State> {
        match at {
            Some(state) => self.system.unpack_into(packed, state),
            None => *at = Some(Box::new(self.system.unpack(packed))),
        }
        at.as_deref()
    }

    /// Shows, by hash and packed form, every state of which [`piece`](Worker::piece) may ask whether it is new.
    #[cfg(feature = "cluster")]
    pub(crate) fn asks(&mut self, shard: &Shard, piece: Piece, mut each: impl FnMut(u64, &[u8])) {
        let mut at = self.at.take();
        for (_, bytes) in shard.frontier(piece) {
            let Some(state) = self.unpack(&mut at, bytes) else {
                continue;
            };
            if self.system.done(state) {
                continue;
            }
            let Worker {
                system,
                reductions,
                packed,
                expander,
                ..
            } = self;
            expander.asks(state, |state| {
                packed.clear();
                pack(*system, *reductions, &mut state.clone(), packed);
                each(hash(packed), packed);
            });
        }
        self.at = at;
    }

    fn state(
        &mut self,
        state: &S::State,
        id: StateId,
        depth: u32,
        buffers: &mut Buffers,
        new: &mut impl FnMut(u64, &[u8]) -> bool,
    ) {
        let Worker {
            system,
            reductions,
            packed,
            ..
        } = self;
        let flags = system.flags(state);
        if flags != 0 {
            let effort = system.effort(state);
            self.found.flags(
                flags,
                Sighting {
                    effort,
                    depth,
                    state: id,
                    inside: false,
                },
            );
        }
        if self.hunt.as_ref().is_some_and(|hunt| (hunt.wanted)(state)) {
            self.hunted.merge(Hunted {
                found: Some(id),
                beyond: None,
            });
        }
        if system.done(state) {
            packed.clear();
            system.outcome(state, packed);
            self.found.outcome(packed, id, depth);
            return;
        }
        let new = |state: &S::State| {
            packed.clear();
            pack(*system, *reductions, &mut state.clone(), packed);
            new(hash(packed), packed)
        };
        if self.expander.expand(state, flags, new) == 0 {
            self.found.deadlocks.add(id, depth);
        }
        for seen in &self.expander.inside {
            self.found.flags(
                seen.flags,
                Sighting {
                    effort: seen.effort,
                    depth: depth + 1,
                    state: id,
                    inside: true,
                },
            );
        }
        self.transitions += self.expander.successors().len() as u64;
        let start = buffers.start();
        for next in self.expander.successors() {
            if followed(*system, &self.hunt, &mut self.hunted, next) {
                if reductions.symmetry {
                    system.canonical(next);
                }
                buffers.push(|packed| system.pack_after(state, next, packed));
            }
        }
        buffers.sort(start, Some(id));
    }

    /// The flags seen so far.
    pub(crate) fn flags(&self) -> u64 {
        self.found.flags.keys().fold(0, |all, bit| all | 1 << bit)
    }

    /// What it has brought home since the last time.
    pub(crate) fn harvest(&mut self) -> Harvest {
        Harvest {
            found: std::mem::take(&mut self.found),
            transitions: std::mem::take(&mut self.transitions),
            steps: std::mem::take(&mut self.expander.steps),
        }
    }
}

/// Is this state within the limit of the hunt, if there is one?
fn followed<S: System>(
    system: &S,
    hunt: &Option<Hunt<'_, S::State>>,
    hunted: &mut Hunted,
    state: &S::State,
) -> bool {
    let Some(hunt) = hunt else { return true };
    let effort = system.effort(state);
    if effort > hunt.limit {
        hunted.merge(Hunted {
            found: None,
            beyond: Some(effort),
        });
        return false;
    }
    true
}

/// Appends the packed form under which a state is stored.
pub(crate) fn pack<S: System>(
    system: &S,
    reductions: Reductions,
    state: &mut S::State,
    packed: &mut Vec<u8>,
) {
    if reductions.symmetry {
        system.canonical(state);
    }
    system.pack(state, packed);
}
