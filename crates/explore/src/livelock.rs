//! The backward pass: which states can still come to an end?

use std::collections::HashMap;

use crate::expand::Expander;
use crate::found::Bad;
use crate::report::Report;
use crate::store::{SHARDS, StateId};
use crate::system::System;
use crate::worker::pack;

/// Finds the states from which neither a done state nor a deadlock can be reached. States must be kept whole.
///
/// Successors are found anew, levels from the last to the first: nearly every state has a successor in a later level from
/// which an end can be reached, and is settled at once. Only for the rest are edges kept, and followed backwards.
///
/// That a reduction leaves states out does no harm: from each state that it keeps, the same ends can be reached, and every state
/// that it leaves out leads to one that it keeps.
pub(crate) fn livelocks<S: System>(system: &S, report: &Report) -> Bad {
    let mut pass = Backward {
        system,
        report,
        expander: Expander::new(system, report.reductions),
        packed: Vec::new(),
    };
    let mut ends = Ends {
        slots: (0..SHARDS)
            .map(|shard| vec![0; report.store.shards[shard].slots().div_ceil(64)])
            .collect(),
    };
    let mut open = Vec::new();
    for (depth, level) in report.pieces.iter().enumerate().rev() {
        for piece in level {
            let shard = &report.store.shards[piece.shard];
            for (id, packed) in shard.frontier(*piece) {
                if pass
                    .successors(packed)
                    .is_none_or(|next| next.iter().any(|next| ends.has(report, *next)))
                {
                    ends.set(report, id);
                } else {
                    open.push((depth as u32, id));
                }
            }
        }
    }
    pass.settle(&mut open, &mut ends);
    let mut bad = Bad::default();
    for (depth, id) in open {
        if !ends.has(report, id) {
            bad.add(id, depth);
        }
    }
    bad
}

/// One bit for each slot of each shard: can the state there come to an end?
struct Ends {
    slots: Vec<Vec<u64>>,
}

impl Ends {
    fn has(&self, report: &Report, id: StateId) -> bool {
        let slot = report.store.slot(id);
        self.slots[id.shard()][slot / 64] >> (slot % 64) & 1 == 1
    }

    fn set(&mut self, report: &Report, id: StateId) {
        let slot = report.store.slot(id);
        self.slots[id.shard()][slot / 64] |= 1 << (slot % 64);
    }
}

struct Backward<'a, S: System> {
    system: &'a S,
    report: &'a Report,
    expander: Expander<'a, S>,
    packed: Vec<u8>,
}

impl<S: System> Backward<'_, S> {
    /// The stored successors of a state; `None` if it is an end.
    fn successors(&mut self, packed: &[u8]) -> Option<Vec<StateId>> {
        let state = self.system.unpack(packed);
        if self.system.done(&state) {
            return None;
        }
        self.expander.expand_every_way(&state, u64::MAX);
        if self.expander.successors().is_empty() {
            return None;
        }
        let mut found = Vec::with_capacity(self.expander.successors().len());
        for next in self.expander.successors() {
            self.packed.clear();
            pack(self.system, self.report.reductions, next, &mut self.packed);
            // The search went some of these ways only, where an actor was expanded alone.
            found.extend(self.report.store.find(&self.packed));
        }
        Some(found)
    }

    /// Follows the edges between the states that are still open backwards, from those that come to an end after all.
    fn settle(&mut self, open: &mut [(u32, StateId)], ends: &mut Ends) {
        let numbers: HashMap<StateId, usize> = open
            .iter()
            .enumerate()
            .map(|(number, (_, id))| (*id, number))
            .collect();
        let mut before = vec![Vec::new(); open.len()];
        let mut ready = Vec::new();
        for (number, (_, id)) in open.iter().enumerate() {
            let next = self.successors(self.report.packed(*id)).unwrap_or_default();
            if next.iter().any(|next| ends.has(self.report, *next)) {
                ready.push(number);
            }
            for next in next.iter().filter_map(|next| numbers.get(next)) {
                before[*next].push(number);
            }
        }
        while let Some(number) = ready.pop() {
            if !ends.has(self.report, open[number].1) {
                ends.set(self.report, open[number].1);
            }
            ready.extend(
                std::mem::take(&mut before[number])
                    .into_iter()
                    .filter(|earlier| !ends.has(self.report, open[*earlier].1)),
            );
        }
    }
}
