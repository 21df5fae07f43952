//! What a task is doing: a call, and under it, perhaps, a fault.
//!
//! A path goes forward into its successor; GUP, a CPU access and a remote access own a call, and a fault runs under it and
//! hands its result back. That depth of two is all that there is.

use crate::access::Access;
use crate::clear_refs::ClearRefs;
use crate::direct_io::DirectIo;
use crate::gup::fast::GupFast;
use crate::gup::slow::GupSlow;
use crate::gup::unpin::HolderCall;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::ksm::Ksm;
use crate::ksm::madvise::KsmMadvise;
use crate::madvise::cold::MadvCold;
use crate::madvise::flags::MadvFlags;
use crate::madvise::free::MadvFree;
use crate::madvise::populate::Populate;
use crate::madvise::willneed::Willneed;
use crate::memory::copy_page_range::Fork;
use crate::memory::fault::{Fault, FaultResult};
use crate::memory::zap_pte_range::Zap;
use crate::migrate::Migrate;
use crate::mprotect::ChangeProtection;
use crate::mremap::Mremap;
use crate::packed;
use crate::pipe::{PipeCall, Vmsplice};
use crate::remote::RemoteAccess;
use crate::step::{Step, step};
use crate::swap::swapoff::Swapoff;
use crate::userfaultfd::mfill_atomic::MfillAtomic;
use crate::userfaultfd::move_pages::MovePages;
use crate::vmscan::shrink_folio_list::Shrink;

/// The paths that a call may be in, each with a prefix of the same name as its type.
macro_rules! calls {
    ($($(#[$doc:meta])+ $variant:ident($path:ty),)+) => {
        packed! {
            /// A call (or a kernel thread's pass) under way.
            pub enum Call {
                /// None.
                Idle,
                $($(#[$doc])+ $variant { p: $path },)+
            }
        }

        impl Call {
            /// Every step of every call: the path and the step's name.
            pub fn steps() -> impl Iterator<Item = (&'static str, &'static str)> {
                let paths: &[(&'static str, &[&'static str])] = &[$((stringify!($variant), <$path>::VARIANTS),)+];
                paths.iter().flat_map(|(path, steps)| steps.iter().map(move |step| (*path, *step)))
            }

            /// How many steps there are.
            const STEPS: usize = 0 $(+ <$path>::VARIANTS.len())+;

            /// The number of the next step, in the order of [`steps`](Call::steps).
            fn step_number(&self) -> usize {
                let mut before = 0;
                $(
                    if let Call::$variant { p } = self {
                        return before + p.number();
                    }
                    before += <$path>::VARIANTS.len();
                )+
                before
            }

            fn describe(&self, v: &View) -> Step {
                match self {
                    Call::Idle => step("", ""),
                    $(Call::$variant { p } => p.describe(v),)+
                }
            }

            fn step(self, k: &mut Kernel) -> Next {
                match self {
                    Call::Idle => Next::Return { result: Ok(()) },
                    $(Call::$variant { p } => p.step(k),)+
                }
            }
        }
    };
}

calls! {
    /// A load or a store.
    Access(Access),
    /// GUP without locks.
    GupFast(GupFast),
    /// GUP under mmap_lock.
    GupSlow(GupSlow),
    /// A transfer, once GUP has its page.
    DirectIo(DirectIo),
    /// vmsplice, once GUP has its page.
    Vmsplice(Vmsplice),
    /// Other work on pipes.
    Pipe(PipeCall),
    /// A long-lived holder at work.
    Holder(HolderCall),
    /// An access to another process's memory, once GUP has its page.
    Remote(RemoteAccess),
    /// Reclaim.
    Shrink(Shrink),
    /// fork.
    Fork(Fork),
    /// munmap, MADV_DONTNEED, exit.
    Zap(Zap),
    /// ksmd.
    Ksm(Ksm),
    /// MADV_MERGEABLE, MADV_UNMERGEABLE.
    KsmMadvise(KsmMadvise),
    /// Migration.
    Migrate(Migrate),
    /// swapoff.
    Swapoff(Swapoff),
    /// MADV_WILLNEED.
    Willneed(Willneed),
    /// MADV_POPULATE_READ, MADV_POPULATE_WRITE.
    Populate(Populate),
    /// mprotect, the NUMA hinting scan, UFFDIO_WRITEPROTECT.
    ChangeProtection(ChangeProtection),
    /// /proc/PID/clear_refs.
    ClearRefs(ClearRefs),
    /// MADV_FREE.
    MadvFree(MadvFree),
    /// MADV_COLD.
    MadvCold(MadvCold),
    /// MADV_DONTFORK and the like.
    MadvFlags(MadvFlags),
    /// mremap.
    Mremap(Mremap),
    /// UFFDIO_COPY, UFFDIO_ZEROPAGE, UFFDIO_CONTINUE.
    MfillAtomic(MfillAtomic),
    /// UFFDIO_MOVE.
    MovePages(MovePages),
}

packed! {
    /// What a task is doing.
    pub struct Task {
        /// Its call.
        pub call: Call,
        /// The fault that runs under it.
        pub fault: Fault,
    }
}

/// What follows a step of a call.
#[derive(Clone, Copy, Debug)]
pub enum Next {
    /// The call goes on.
    Call {
        /// Where.
        call: Call,
    },
    /// A fault runs, and hands back to the call.
    Fault {
        /// Where the call goes on.
        call: Call,
        /// The fault.
        fault: Fault,
    },
    /// The call returns.
    Return {
        /// To userspace.
        result: Result<(), Errno>,
    },
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Errno {
    /// Bad address.
    Efault,
    /// Out of memory.
    Enomem,
    /// The page is in use: migration, page-out, KSM and the like gave up.
    Ebusy,
    /// Try again.
    Eagain,
    /// Not with this page, or not on this kernel.
    Einval,
    /// No such handle.
    Ebadf,
    /// Already there.
    Eexist,
    /// Nothing there.
    Enoent,
    /// Nothing could be read or written: what /proc/pid/mem says where GUP fails.
    Eio,
    /// Not an error number: the access killed the thread.
    Segv,
}

impl Task {
    /// In userspace, or asleep for want of work.
    pub const IDLE: Task = Task {
        call: Call::Idle,
        fault: Fault::Idle,
    };

    /// Is a call under way?
    #[inline]
    pub fn busy(&self) -> bool {
        !matches!(self.call, Call::Idle)
    }

    /// Is a fault under way?
    #[inline]
    pub fn faults(&self) -> bool {
        !matches!(self.fault, Fault::Idle)
    }

    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        if matches!(self.fault, Fault::Idle) {
            self.call.describe(v)
        } else {
            self.fault.describe(v)
        }
    }

    /// Every step of every path: the path and the step's name.
    pub fn steps() -> impl Iterator<Item = (&'static str, &'static str)> {
        Call::steps().chain(Fault::steps())
    }

    /// The number of the next step, in the order of [`steps`](Task::steps). A call must be under way.
    pub fn step_number(&self) -> usize {
        if self.faults() {
            Call::STEPS + self.fault.step_number()
        } else {
            self.call.step_number()
        }
    }

    /// Takes the next step: `Some` when the call returned.
    pub fn step(&mut self, k: &mut Kernel) -> Option<Result<(), Errno>> {
        if matches!(self.fault, Fault::Idle) {
            let next = self.call.step(k);
            return self.go(next);
        }
        match self.fault.step(k) {
            Fault::Over { result } => {
                let next = self.call.after_fault(k, result);
                self.fault = Fault::Idle;
                self.go(next)
            }
            fault => {
                self.fault = fault;
                None
            }
        }
    }

    /// Enters what a call's entry has led to.
    pub fn go(&mut self, next: Next) -> Option<Result<(), Errno>> {
        match next {
            Next::Call { call } => {
                *self = Task {
                    call,
                    fault: Fault::Idle,
                };
                None
            }
            Next::Fault { call, fault } => {
                *self = Task { call, fault };
                None
            }
            Next::Return { result } => {
                *self = Task::IDLE;
                Some(result)
            }
        }
    }
}

impl Call {
    /// Is it in `free_swap_and_cache`?
    pub fn frees_swap(&self) -> bool {
        matches!(
            self,
            Call::Zap {
                p: Zap::FreeSwap { .. }
            } | Call::MadvFree {
                p: MadvFree::FreeSwap { .. }
            }
        )
    }

    /// Does it hold the memory of another process (`get_task_mm`, `mm_access`)? While it does, an exit does not take that down.
    pub fn uses_mm(&self, mm: MmId) -> bool {
        match self {
            Call::GupSlow { p } => p.is_remote(mm),
            Call::Remote { p } => p.is_of(mm),
            _ => false,
        }
    }

    /// The fault that ran under this call is over.
    fn after_fault(self, k: &mut Kernel, result: FaultResult) -> Next {
        match self {
            Call::Access { p } => p.after_fault(result),
            Call::GupSlow { p } => p.after_fault(k, result),
            Call::Ksm { p } => p.after_fault(k, result),
            Call::KsmMadvise { p } => p.after_fault(k, result),
            Call::Populate { p } => p.after_fault(result),
            call => unreachable!("no fault runs under {call:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::ids::{MmId, Va};
    use crate::memory::fault::{FaultCx, FaultKind, FaultLock};

    #[test]
    fn the_number_of_a_step_leads_to_its_name() {
        let name = |task: Task| Task::steps().nth(task.step_number());
        let load = Access::load(Va(0));
        let call = Call::Access { p: load };
        let idle = Fault::Idle;
        assert_eq!(
            name(Task { call, fault: idle }),
            Some(("Access", load.variant()))
        );
        let shrink = Shrink::reclaim(MmId(0), Va(0));
        let Next::Call {
            call: Call::Shrink { p },
        } = shrink
        else {
            panic!("reclaim is a call");
        };
        let task = Task {
            call: Call::Shrink { p },
            fault: idle,
        };
        assert_eq!(name(task), Some(("Shrink", p.variant())));
        let f = FaultCx {
            mm: MmId(0),
            va: Va(0),
            kind: FaultKind::Read,
            lock: FaultLock::Mmap,
            force: false,
        };
        let fault = Fault::Userfault { f };
        assert_eq!(name(Task { call, fault }), Some(("Fault", "Userfault")));
    }
}
