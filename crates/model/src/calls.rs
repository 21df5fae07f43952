//! Which call of the mm a statement begins with.

use cowherd_mm::clear_refs::ClearRefs;
use cowherd_mm::direct_io::{DirectIo, Request};
use cowherd_mm::gup::unpin::HolderCall;
use cowherd_mm::ksm::{Ksm, madvise::KsmMadvise};
use cowherd_mm::machine::IoState;
use cowherd_mm::madvise::{
    cold::MadvCold, flags::MadvFlags, free::MadvFree, populate::Populate, willneed::Willneed,
};
use cowherd_mm::memory::copy_page_range::Fork;
use cowherd_mm::memory::zap_pte_range::Zap;
use cowherd_mm::migrate::Migrate;
use cowherd_mm::mprotect::change_protection::ChangeProtection;
use cowherd_mm::mremap::Mremap;
use cowherd_mm::pipe::{PipeCall, Vmsplice};
use cowherd_mm::remote::RemoteAccess;
use cowherd_mm::swap::swapoff::Swapoff;
use cowherd_mm::task::{Call, Next};
use cowherd_mm::userfaultfd::{
    mfill_atomic::{Fill, MfillAtomic},
    move_pages::MovePages,
};
use cowherd_mm::vmscan::shrink_folio_list::Shrink;
use cowherd_mm::*;

use crate::program::{Op, Program};
use crate::state::{State, Val};
use crate::system::pagemap;

impl Program {
    /// The call that an operation begins with, as far as that can be told without beginning it: what its first step waits for.
    pub(crate) fn first_call(&self, state: &State, task: usize, op: &Op) -> First {
        if op.names().any(|mm| !self.born(state, mm)) {
            return First::NotYet;
        }
        let who = self.who(state, task);
        let next = match *op {
            Op::Load { va, .. } | Op::LoadToFile { va, .. } => {
                return First::Call(Call::Access {
                    p: access::Access::load(va),
                });
            }
            Op::Store { va, .. } => {
                return First::Call(Call::Access {
                    p: access::Access::store(va),
                });
            }
            Op::Fork { child } => Fork::enter(child),
            Op::Exit => {
                if !self.last_thread(state, task) {
                    return First::Now;
                }
                Zap::exit()
            }
            Op::Waitpid { mm } => {
                return if state.m.mms[mm.at()].alive {
                    First::NotYet
                } else {
                    First::Now
                };
            }
            Op::Transfer { io, .. } | Op::Fixed { io, .. } => {
                let idle = state.m.ios[io.at()].state == IoState::Idle;
                return if idle { First::Now } else { First::NotYet };
            }
            Op::WaitIo { io } => DirectIo::wait(io),
            Op::ReadPipe { pipe } => {
                return First::Call(Call::Pipe {
                    p: PipeCall::Read { pipe },
                });
            }
            Op::Tee { from, to } => {
                return First::Call(Call::Pipe {
                    p: PipeCall::Tee { from, to },
                });
            }
            Op::Splice { from, to } => {
                return First::Call(Call::Pipe {
                    p: PipeCall::Splice { from, to },
                });
            }
            Op::Hold { want, fast, holder } => {
                let then = gup::Then::Hold { holder };
                if fast {
                    gup::get_user_pages_fast(want, then)
                } else {
                    gup::get_user_pages(want, then)
                }
            }
            Op::HeldLoad { holder, .. } => {
                return First::Call(Call::Holder {
                    p: HolderCall::Access {
                        holder,
                        store: false,
                    },
                });
            }
            Op::HeldStore { holder, .. } => {
                return First::Call(Call::Holder {
                    p: HolderCall::Access {
                        holder,
                        store: true,
                    },
                });
            }
            Op::Release { holder } => {
                return First::Call(Call::Holder {
                    p: HolderCall::Dirty { holder },
                });
            }
            Op::Remote {
                mm,
                va,
                door,
                store,
                ..
            } => {
                let access = if store.is_some() {
                    Access::Store
                } else {
                    Access::Load
                };
                RemoteAccess::enter(mm, va, door, access)
            }
            Op::Dontneed { va } => Zap::dontneed(va),
            Op::Munmap { va } => Zap::munmap(va),
            Op::Pageout { mm, va } => Shrink::pageout(mm, va),
            Op::Reclaim { mm, va } => Shrink::reclaim(mm, va),
            Op::Free { va } => MadvFree::enter(va),
            Op::Cold { mm, va } => MadvCold::enter(mm, va),
            Op::Willneed { va, .. } => Willneed::enter(va),
            Op::Populate { va, write } => Populate::enter(&self.cfg, va, write),
            Op::Mergeable { va } => KsmMadvise::mergeable(va),
            Op::Unmergeable { va } => KsmMadvise::unmergeable(va),
            Op::ForkAdvice { va, advice } => MadvFlags::enter(va, advice),
            Op::Mremap { from, to } => Mremap::enter(from, to),
            Op::Mprotect { va, prot } => ChangeProtection::mprotect(who.mm, va, prot),
            Op::ClearRefs { mm } => ClearRefs::enter(mm),
            Op::UffdWp { va } => userfaultfd::write_protect(who.mm, va),
            Op::UffdRwp { va } => userfaultfd::rw_protect(who.mm, va),
            Op::UffdUnwp { va } => userfaultfd::write_unprotect(who.mm, va),
            Op::UffdMove { to, from } => MovePages::enter(who.mm, to, from),
            Op::UffdCopy { va, .. } => MfillAtomic::enter(who.mm, va, Fill::Copy),
            Op::UffdZeropage { va } => MfillAtomic::enter(who.mm, va, Fill::Zeropage),
            Op::UffdContinue { va } => MfillAtomic::enter(who.mm, va, Fill::Continue),
            Op::Swapoff => Swapoff::enter(),
            Op::MovePages { mm, va } => Migrate::page(mm, va),
            Op::Compact { mm, va } => Migrate::compact(mm, va),
            Op::NumaScan { mm, va } => numa::numa_scan(mm, va),
            Op::Ksm { first, second } => Ksm::scan(first, second),
            Op::Vmsplice { .. } | Op::Drain | Op::DrainAll | Op::Pagemap { .. } => {
                return First::Now;
            }
        };
        match next {
            Next::Call { call } => First::Call(call),
            Next::Fault { .. } | Next::Return { .. } => First::Now,
        }
    }

    /// Have all other threads of the task's process ended?
    fn last_thread(&self, state: &State, task: usize) -> bool {
        (0..self.tasks.len()).all(|t| {
            t == task || self.tasks[t].mm != self.tasks[task].mm || self.finished(state, t)
        })
    }

    /// Begins what cannot be told by [`first_call`](Program::first_call).
    pub(crate) fn begin(&self, k: &mut Kernel, op: Op, regs: &mut Option<Val>) -> Next {
        match op {
            Op::Transfer {
                io,
                dir,
                va,
                cells,
                file,
                wait,
            } => {
                let r = Request {
                    io,
                    dir,
                    mm: k.who.mm,
                    va,
                    cells,
                    file,
                };
                DirectIo::enter(k, r, wait)
            }
            Op::Fixed {
                io,
                dir,
                holder,
                mm,
                va,
                cells,
                file,
            } => DirectIo::enter_fixed(
                k,
                Request {
                    io,
                    dir,
                    mm,
                    va,
                    cells,
                    file,
                },
                holder,
            ),
            Op::Vmsplice { pipe, va, cells } => Vmsplice::enter(k, k.who.mm, va, pipe, cells),
            Op::Drain => {
                k.lru_add_drain();
                Next::Return { result: Ok(()) }
            }
            Op::DrainAll => {
                k.lru_add_drain_all();
                Next::Return { result: Ok(()) }
            }
            Op::Pagemap { va } => {
                let mm = k.who.mm;
                let read = Touch::pte(mm, va) | Touch::vma(mm, va);
                *regs = Some(Val::Number(u8::from(pagemap(k.machine(read), mm, va))));
                Next::Return { result: Ok(()) }
            }
            _ => Next::Return { result: Ok(()) },
        }
    }
}

/// Tells the specification that a call is entered whose GUP does not know whom it serves.
pub(crate) fn enters(driver: &mut crate::driver::Driver, op: &Op) {
    match *op {
        Op::Hold { holder, want, .. } => driver.event(Event::HoldBegin {
            holder,
            mm: want.mm,
            va: want.va,
        }),
        Op::Remote { mm, va, .. } => driver.event(Event::RemoteBegin { mm, va }),
        _ => {}
    }
}

/// What an operation begins with.
pub(crate) enum First {
    /// This call.
    Call(Call),
    /// Something that waits for nothing.
    Now,
    /// It cannot begin yet.
    NotYet,
}
