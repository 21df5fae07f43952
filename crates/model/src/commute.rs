//! What steps and actors touch, coarsely enough to be told without running them: the reduction "commute".
//!
//! A resource is a variable's *data* (what its frames hold, what TLBs hold of it, what the ideal memory holds of it) or its
//! *state* (PTEs, struct pages, slots). A CPU's access through its TLB touches data only; nearly everything else touches state,
//! of whatever variable: allocation and LRU batches reach across. An actor's future is what its remaining statements may
//! touch; one that flushes whole TLBs or walks whole address spaces may touch everything.
//!
//! Alarms are sticky and every run that ends passes its terminal state on, so no step need be visible by itself: what a
//! schedule that was left out would have shown is shown by the one that was kept.

use cowherd_explore::Footprint;
use cowherd_mm::access::Access;
use cowherd_mm::memory::fault::Fault;
use cowherd_mm::task::Call;
use cowherd_mm::*;

use crate::program::{Op, Program};
use crate::state::State;
use crate::system::Actor;

const STATE: u128 = 1 << 32;

fn data(va: Va) -> u128 {
    1 << va.0
}

impl Program {
    /// What the next step of an actor touches.
    pub(crate) fn step_footprint(&self, state: &State, actor: usize) -> Footprint {
        let Actor::Task(task) = self.actor(actor) else {
            return Footprint::ALL;
        };
        let current = state.m.tasks[task];
        match (current.call, current.fault) {
            (
                Call::Access {
                    p: Access::Touch { va, store },
                },
                Fault::Idle,
            ) => {
                let Some(entry) = state.m.tlbs[task][va.at()] else {
                    return Footprint::ALL;
                };
                // The frame may be another variable's by now, if the translation is stale.
                let home = state.m.frames[entry.pfn.at()]
                    .home
                    .map_or(0, |home| data(home.index));
                let (reads, writes) = (data(va) | home, if store { data(va) | home } else { 0 });
                Footprint { reads, writes }
            }
            _ => Footprint::ALL,
        }
    }

    /// What an actor may touch from now on.
    pub(crate) fn actor_future(&self, state: &State, actor: usize) -> Footprint {
        let all_data = (0..self.cfg.sizes.pages as u8).fold(0, |bits, va| bits | data(Va(va)));
        match self.actor(actor) {
            // Anything may still begin.
            Actor::Task(_) if self.general.is_some() => Footprint::ALL,
            Actor::Task(task) => {
                if state.killed >> task & 1 == 1 {
                    return Footprint::default();
                }
                let rest = &self.tasks[task].stmts
                    [(state.pc[task] as usize).min(self.tasks[task].stmts.len())..];
                rest.iter().fold(Footprint::default(), |f, stmt| {
                    let bits = self.op_future(&stmt.op, all_data);
                    Footprint {
                        reads: f.reads | bits,
                        writes: f.writes | bits,
                    }
                })
            }
            Actor::Device(io) => {
                let va = state.m.ios[io.at()].va;
                let bits = if state.m.ios[io.at()].state == machine::IoState::Idle {
                    0
                } else {
                    data(va) | STATE
                };
                Footprint {
                    reads: bits,
                    writes: bits,
                }
            }
            Actor::SwapDevice(_) if self.swaps() => Footprint {
                reads: all_data | STATE,
                writes: STATE,
            },
            Actor::SwapDevice(_) => Footprint::default(),
            Actor::Drain(_) => Footprint {
                reads: STATE,
                writes: STATE,
            },
        }
    }

    fn op_future(&self, op: &Op, all_data: u128) -> u128 {
        match *op {
            Op::Load { va, .. }
            | Op::Store { va, .. }
            | Op::LoadToFile { va, .. }
            | Op::Transfer { va, .. }
            | Op::Fixed { va, .. }
            | Op::Vmsplice { va, .. }
            | Op::Remote { va, .. } => data(va) | STATE,
            Op::Hold { want, .. } => data(want.va) | STATE,
            // A flush that reclaim left due is one of the whole process.
            Op::Dontneed { va } if !self.swaps() => data(va) | STATE,
            Op::Drain | Op::DrainAll | Op::WaitIo { .. } | Op::Pagemap { .. } => STATE,
            _ => all_data | STATE,
        }
    }

    /// Is anything ever written to swap?
    fn swaps(&self) -> bool {
        let reclaims = |op: &Op| matches!(op, Op::Reclaim { .. } | Op::Pageout { .. });
        self.tasks
            .iter()
            .flat_map(|t| &t.stmts)
            .any(|s| reclaims(&s.op))
            || self
                .initial
                .iter()
                .any(|s| s.m.slots.iter().any(|slot| slot.cache.is_some()))
    }
}
