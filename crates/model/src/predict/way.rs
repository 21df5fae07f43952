//! What the model does in a turn, told step by step: for whoever has seen something else.

use cowherd_explore::Step as Taken;

use super::belief::{Belief, Predictor, in_flight};
use super::{Turn, belief};
use crate::system::Actor;
use crate::witness::TraceStep;

/// Steps of a turn at most.
const LONGEST: usize = 400;

impl Predictor {
    /// One way through a turn, from one of the states that the machine may be in: of those who may act, those who were let go come first, and the
    /// kernel acts by itself only where they wait for it.
    pub fn way(&self, belief: &Belief, turn: Turn) -> Vec<TraceStep> {
        let Some((mut node, device)) = belief
            .nodes()
            .iter()
            .find_map(|node| self.begin(node, turn))
        else {
            return Vec::new();
        };
        let mut device = device;
        let mut steps = Vec::new();
        while steps.len() < LONGEST && !(device.is_none() && self.settled(&node)) {
            let of_kernel = |actor: &usize| {
                matches!(
                    self.program.actor(*actor),
                    Actor::SwapDevice(_) | Actor::Drain(_)
                )
            };
            let mut actors: Vec<usize> = (0..self.program.actors())
                .filter(|&actor| self.active(&node, device, actor))
                .collect();
            actors.sort_by_key(of_kernel);
            // The first alternative may be one that cannot be.
            let next = actors.iter().find_map(|&actor| {
                (0..8).find_map(|choice| {
                    let taken = Taken { actor, choice };
                    Some((taken, self.program.take(&node.state, taken)?))
                })
            });
            let Some((taken, state)) = next else { break };
            steps.push(self.program.tell(&node.state, &state, taken));
            let mut next = belief::Node {
                state,
                ..node.clone()
            };
            next.forget_freed();
            self.returned(&node, &mut next);
            device = device.filter(|&io| in_flight(&next.state, io));
            node = next;
        }
        steps
    }
}
