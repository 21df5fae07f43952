//! The naive reference: one worker, one queue, no reduction, no packing beyond the key of a map. For tests of the explorer and
//! of the systems that it explores; it shares no code with the real one.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::system::{Choice, System};

/// What the naive search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Oracle {
    /// Distinct reachable states.
    pub states: u64,
    /// Successors generated, known ones too.
    pub transitions: u64,
    /// How many states are first met so many steps from an initial state.
    pub levels: Vec<u64>,
    /// How many done states have each outcome.
    pub outcomes: BTreeMap<Vec<u8>, u64>,
    /// All flags that were seen.
    pub flags: u64,
    /// States that are not done and in which no actor is enabled.
    pub deadlocks: u64,
    /// States from which neither a done state nor a deadlock can be reached.
    pub livelocks: u64,
}

/// Walks every reachable state, one by one; `None` if there are more than `most`.
pub fn oracle<S: System>(system: &S, most: usize) -> Option<Oracle> {
    let mut found = Oracle::default();
    let mut depths: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut before: HashMap<Vec<u8>, BTreeSet<Vec<u8>>> = HashMap::new();
    let mut ends = Vec::new();
    let mut queue = VecDeque::new();
    let key = |state: &S::State| {
        let mut bytes = Vec::new();
        system.pack(state, &mut bytes);
        bytes
    };
    system.initial(&mut |state| {
        if depths.insert(key(&state), 0).is_none() {
            queue.push_back(state);
        }
    });
    while let Some(state) = queue.pop_front() {
        let here = key(&state);
        let depth = depths[&here];
        found.states += 1;
        found.levels.resize(depth + 1, 0);
        found.levels[depth] += 1;
        found.flags |= system.flags(&state);
        if system.done(&state) {
            let mut outcome = Vec::new();
            system.outcome(&state, &mut outcome);
            *found.outcomes.entry(outcome).or_default() += 1;
            ends.push(here);
            continue;
        }
        let enabled: Vec<usize> = (0..system.actors())
            .filter(|actor| system.enabled(&state, *actor))
            .collect();
        if enabled.is_empty() {
            found.deadlocks += 1;
            ends.push(here.clone());
        }
        for actor in enabled {
            for next in alternatives(system, &state, actor) {
                found.transitions += 1;
                let there = key(&next);
                before
                    .entry(there.clone())
                    .or_default()
                    .insert(here.clone());
                if !depths.contains_key(&there) {
                    if depths.len() == most {
                        return None;
                    }
                    depths.insert(there, depth + 1);
                    queue.push_back(next);
                }
            }
        }
    }
    let mut alive: BTreeSet<Vec<u8>> = ends.iter().cloned().collect();
    while let Some(state) = ends.pop() {
        for earlier in before.remove(&state).unwrap_or_default() {
            if alive.insert(earlier.clone()) {
                ends.push(earlier);
            }
        }
    }
    found.livelocks = found.states - alive.len() as u64;
    Some(found)
}

fn alternatives<S: System>(system: &S, state: &S::State, actor: usize) -> Vec<S::State> {
    let mut all = Vec::new();
    let (mut number, mut fanout) = (0, 1);
    while number < fanout {
        let mut choice = Choice::number(number);
        let mut next = state.clone();
        system.step(&mut next, actor, &mut choice);
        fanout = fanout.max(choice.fanout());
        if choice.valid() {
            all.push(next);
        }
        number += 1;
    }
    all
}
