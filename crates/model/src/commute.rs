//! What steps and actors touch, coarsely enough to be told without running them: the reduction "commute".
//!
//! A resource is a variable's *data* (what its frames hold, what TLBs hold of it, what the ideal memory holds of it), what *files*
//! hold, or the *state* of all variables (PTEs, struct pages, slots). A CPU's access through its TLB touches data only; nearly
//! everything else touches state, of whatever variable: allocation and LRU batches reach across. An actor's future is what its
//! remaining statements may touch; one that flushes whole TLBs or walks whole address spaces may touch everything.
//!
//! What a step touches is also recorded while it runs ([`Touch`]). A debug build panics where that is not in what was told
//! before; `tests/footprints.rs` compares the two in release builds.
//!
//! Alarms are sticky and every run that ends passes its terminal state on, so no step need be visible by itself: what a
//! schedule that was left out would have shown is shown by the one that was kept.

use cowherd_explore::Footprint;
use cowherd_mm::access::Access;
use cowherd_mm::memory::fault::Fault;
use cowherd_mm::task::Call;
use cowherd_mm::*;

use crate::program::{Op, Program, Source};
use crate::state::State;
use crate::system::Actor;

const STATE: u128 = 1 << 32;
const FILES: u128 = 1 << 33;
/// Where tasks are in their programs. Who goes on *reads* this, and who looks at others *writes* it: those who go on do not mind
/// each other.
const TASKS: u128 = 1 << 34;

fn data(va: Va) -> u128 {
    1 << va.0
}

impl Program {
    /// What the next step of an actor touches.
    pub(crate) fn step_footprint(&self, state: &State, actor: usize) -> Footprint {
        let Actor::Task(task) = self.actor(actor) else {
            return Footprint::ALL;
        };
        if self.mixes() {
            return Footprint::ALL;
        }
        let current = state.m.tasks[task];
        match (current.call, current.fault) {
            (
                Call::Access {
                    p: Access::Touch { va, store },
                },
                Fault::Idle,
            ) => {
                // Without a translation that will do, the CPU walks again.
                let entry = state.m.tlbs[task][va.at()].filter(|e| access::usable(e, store));
                let Some(entry) = entry else {
                    return Footprint::ALL;
                };
                let file = match self.stmt(state, task).map(|stmt| &stmt.op) {
                    Some(Op::LoadToFile { .. }) => (0, FILES),
                    Some(Op::Store {
                        value: Source::File(..),
                        ..
                    }) => (FILES, 0),
                    _ => (0, 0),
                };
                // The frame may be another variable's by now, if the translation is stale, or on its way to be freed. One of the
                // page cache is anybody's.
                let page = &state.m.frames[entry.pfn.at()];
                let home = match page.home.filter(|_| page.mapcount.0 > 0) {
                    Some(home) => data(home.index),
                    None if entry.pfn.is_zero() => 0,
                    None => return Footprint::ALL,
                };
                // Whoever looks learns: even a load changes what the ideal memory may hold.
                Footprint {
                    reads: file.0 | TASKS,
                    writes: data(va) | home | file.1,
                }
            }
            _ => Footprint::ALL,
        }
    }

    /// What was recorded, as told here.
    pub fn coarse(&self, state: &State, touched: Touch) -> Footprint {
        let coarse = |bits: u128| {
            let mut all = 0;
            for va in (0..self.cfg.sizes.pages as u8).map(Va) {
                let ideal = (0..MAX_MMS as u8).fold(0, |b, mm| b | Touch::ideal(MmId(mm), va));
                if bits & (ideal | Touch::tlb(va)) != 0 {
                    all |= data(va);
                }
            }
            for pfn in (1..MAX_FRAMES as u8).map(Pfn) {
                if bits & Touch::data(pfn) != 0 {
                    let page = &state.m.frames[pfn.at()];
                    let home = page.home.filter(|_| page.mapcount.0 > 0);
                    all |= home.map_or(STATE, |home| data(home.index));
                }
            }
            let files = (0..MAX_FILES as u8).fold(0, |b, f| b | Touch::file(FileId(f)));
            if bits & files != 0 {
                all |= FILES;
            }
            let told = Touch::IDEALS | Touch::TLBS | Touch::DATA | Touch::TASKS | files;
            if bits & !told != 0 {
                all |= STATE;
            }
            all
        };
        let looks = touched.any & !touched.writes & Touch::TASKS != 0;
        let goes_on = touched.writes & Touch::TASKS != 0;
        Footprint {
            reads: coarse(touched.any & !touched.writes) | if goes_on { TASKS } else { 0 },
            writes: coarse(touched.writes) | if looks { TASKS } else { 0 },
        }
    }

    /// What an actor may touch from now on.
    pub fn actor_future(&self, state: &State, actor: usize) -> Footprint {
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
                        reads: f.reads | bits | TASKS,
                        writes: f.writes | bits,
                    }
                })
            }
            Actor::Device(io) => {
                let va = state.m.ios[io.at()].va;
                let bits = if state.m.ios[io.at()].state == machine::IoState::Idle {
                    0
                } else {
                    STATE | FILES | if self.mixes() { all_data } else { data(va) }
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
        let data = |va: Va| if self.mixes() { all_data } else { data(va) };
        match *op {
            Op::LoadToFile { va, .. }
            | Op::Store {
                va,
                value: Source::File(..),
                ..
            }
            | Op::Transfer { va, .. }
            | Op::Fixed { va, .. } => data(va) | STATE | FILES,
            Op::Load { va, .. } | Op::Store { va, .. } | Op::Vmsplice { va, .. } => {
                data(va) | STATE
            }
            Op::Remote { va, .. } => data(va) | STATE | TASKS,
            Op::Hold { want, .. } => data(want.va) | STATE,
            Op::Drain | Op::DrainAll | Op::WaitIo { .. } | Op::Pagemap { .. } => STATE,
            _ => all_data | STATE | FILES | TASKS,
        }
    }

    /// May one frame be, or become, that of two variables?
    fn mixes(&self) -> bool {
        let mixes =
            |op: &Op| matches!(op, Op::Ksm { .. } | Op::Mremap { .. } | Op::UffdMove { .. });
        let ksm = |page: &page::Page| page.kind == page::PageKind::Ksm;
        self.tasks
            .iter()
            .flat_map(|t| &t.stmts)
            .any(|s| mixes(&s.op))
            || self.base().frames.iter().any(ksm)
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
