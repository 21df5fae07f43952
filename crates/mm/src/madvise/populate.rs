//! MADV_POPULATE_READ, MADV_POPULATE_WRITE (5.14): `madvise_populate` (mm/madvise.c), `faultin_page_range` (mm/gup.c).
//!
//! GUP without a reference: looks at the PTE and faults until it will do, under mmap_lock (read). No FOLL_FORCE.

use crate::config::Config;
use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::memory::fault::{Fault, FaultCx, FaultKind, FaultLock, FaultResult};
use crate::packed;
use crate::step::{Step, Wait, step};
use crate::task::{Call, Errno, Next};

packed! {
    /// madvise(MADV_POPULATE_READ) or madvise(MADV_POPULATE_WRITE) by the caller's process.
    pub enum Populate {
        /// Takes mmap_lock.
        Begin { va: Va, write: bool },
        /// Looks at the PTE under its lock; faults. mmap_lock held.
        Follow { va: Va, write: bool },
        /// Drains this CPU's LRU batch, drops mmap_lock.
        End { result: Populated },
    }

    /// How it ended.
    pub enum Populated {
        /// The PTE will do.
        Done,
        /// EINVAL: the VMA does not allow it.
        Einval,
        /// EFAULT: SIGBUS or SIGSEGV.
        Efault,
        /// ENOMEM: out of memory, or no VMA.
        Enomem,
    }
}

use Populate::*;

impl Populate {
    /// Enters the call.
    pub fn enter(cfg: &Config, va: Va, write: bool) -> Next {
        if !cfg.has(F::MadvPopulate) {
            return Next::Return {
                result: Err(Errno::Einval),
            };
        }
        go(Begin { va, write })
    }

    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        const MMAP: &str = "mmap_lock (read)";
        match *self {
            Begin { .. } => step("MP1", "madvise_populate")
                .under(MMAP)
                .waits(Wait::MmapRead(v.who.mm))
                .right(),
            Follow { .. } => step("MP2", "follow_page_pte")
                .under("mmap_lock (read), PTL")
                .waits(Wait::Ptl(v.who.mm)),
            End { .. } => step("MP3", "lru_add_drain").under(MMAP),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        let mm = k.who.mm;
        match self {
            Begin { va, write } => {
                k.mmap_read_lock(mm);
                go(Follow { va, write })
            }
            Follow { va, write } => follow(k, va, write),
            End { result } => {
                k.lru_add_drain();
                k.mmap_read_unlock(mm);
                Next::Return {
                    result: match result {
                        Populated::Done => Ok(()),
                        Populated::Einval => Err(Errno::Einval),
                        Populated::Efault => Err(Errno::Efault),
                        Populated::Enomem => Err(Errno::Enomem),
                    },
                }
            }
        }
    }

    /// The fault is over.
    pub fn after_fault(self, result: FaultResult) -> Next {
        let Follow { va, write } = self else {
            return go(self);
        };
        match result {
            FaultResult::Done => go(self),
            FaultResult::Retry => go(Begin { va, write }),
            FaultResult::Segv | FaultResult::Sigbus => end(Populated::Efault),
            FaultResult::Oom => end(Populated::Enomem),
        }
    }
}

fn go(p: Populate) -> Next {
    Next::Call {
        call: Call::Populate { p },
    }
}

fn end(result: Populated) -> Next {
    go(End { result })
}

fn follow(k: &mut Kernel, va: Va, write: bool) -> Next {
    let mm = k.who.mm;
    let vma = *k.vma(mm, va);
    if !vma.mapped {
        return end(Populated::Enomem);
    }
    if !(if write { vma.write } else { vma.read }) {
        return end(Populated::Einval);
    }
    let kind = if write {
        FaultKind::Write
    } else {
        FaultKind::Read
    };
    match k.pte(mm, va).present() {
        Some(e) if !e.protnone && (e.write || !write) => {
            // FOLL_TOUCH.
            if write && !e.dirty && !k.page(e.pfn).dirty {
                k.page_mut(e.pfn).dirty = true;
            }
            k.folio_mark_accessed(e.pfn);
            end(Populated::Done)
        }
        _ => Next::Fault {
            call: Call::Populate {
                p: Follow { va, write },
            },
            fault: Fault::enter(k, FaultCx::gup(mm, va, kind, FaultLock::Callers, false)),
        },
    }
}
