//! `ksm_madvise` (mm/ksm.c): MADV_MERGEABLE, MADV_UNMERGEABLE. Both hold mmap_lock for write, and change VMA flags, which write-
//! locks the VMA (6.4).

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::ksm::RmapItem;
use crate::ksm::break_ksm::{BreakKsm, Breaking};
use crate::memory::fault::FaultResult;
use crate::packed;
use crate::step::{Step, Wait, step};
use crate::task::{Call, Errno, Next};

packed! {
    /// madvise(MADV_MERGEABLE) or madvise(MADV_UNMERGEABLE) by the caller's process.
    pub enum KsmMadvise {
        /// Takes mmap_lock.
        Begin { va: Va, mergeable: bool },
        /// Takes the VMA lock (6.4).
        LockVma { va: Va, mergeable: bool },
        /// Sets or clears VM_MERGEABLE; drops the locks.
        SetFlag { va: Va, mergeable: bool },
        /// `unmerge_ksm_pages`: before the flag goes, so do KSM pages.
        Unmerge { va: Va, b: BreakKsm },
    }
}

use KsmMadvise::*;

impl KsmMadvise {
    /// madvise(MADV_MERGEABLE).
    pub fn mergeable(va: Va) -> Next {
        go(Begin {
            va,
            mergeable: true,
        })
    }

    /// madvise(MADV_UNMERGEABLE).
    pub fn unmergeable(va: Va) -> Next {
        go(Begin {
            va,
            mergeable: false,
        })
    }

    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        const F: &str = "ksm_madvise";
        const MMAP: &str = "mmap_lock (write)";
        match *self {
            Begin { .. } => step("KM1", F).under(MMAP).waits(Wait::MmapWrite(v.who.mm)),
            LockVma { va, .. } => step("KM1 VMA", "vma_start_write")
                .under(MMAP)
                .waits(Wait::VmaWrite(v.who.mm, va)),
            SetFlag { .. } => step("KM2", F).under(MMAP),
            Unmerge { ref b, .. } => b.describe(v),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        let mm = k.who.mm;
        match self {
            Begin { va, mergeable } => {
                k.mmap_write_lock(mm);
                if !k.vma(mm, va).mapped {
                    return end(k, Err(Errno::Enomem));
                }
                if k.vma(mm, va).mergeable == mergeable {
                    return end(k, Ok(()));
                }
                if k.has(F::PerVmaLock) {
                    return go(LockVma { va, mergeable });
                }
                locked(va, mm, mergeable)
            }
            LockVma { va, mergeable } => {
                k.vma_mut(mm, va).writer = true;
                locked(va, mm, mergeable)
            }
            SetFlag { va, mergeable } => {
                k.vma_mut(mm, va).mergeable = mergeable;
                end(k, Ok(()))
            }
            Unmerge { va, b } => {
                let going = b.step(k);
                broken(k, va, going)
            }
        }
    }

    /// The fault that breaks a KSM page is over.
    pub fn after_fault(self, k: &mut Kernel, result: FaultResult) -> Next {
        let Unmerge { va, b } = self else {
            return go(self);
        };
        let going = b.after_fault(k, result);
        broken(k, va, going)
    }
}

fn go(p: KsmMadvise) -> Next {
    Next::Call {
        call: Call::KsmMadvise { p },
    }
}

fn locked(va: Va, mm: MmId, mergeable: bool) -> Next {
    go(if mergeable {
        SetFlag { va, mergeable }
    } else {
        Unmerge {
            va,
            b: BreakKsm::Follow {
                at: RmapItem { mm, va },
            },
        }
    })
}

fn broken(k: &mut Kernel, va: Va, going: Breaking) -> Next {
    match going {
        Breaking::On(b) => go(Unmerge { va, b }),
        Breaking::Fault(b, fault) => Next::Fault {
            call: Call::KsmMadvise {
                p: Unmerge { va, b },
            },
            fault,
        },
        Breaking::Over(Ok(())) => go(SetFlag {
            va,
            mergeable: false,
        }),
        Breaking::Over(Err(errno)) => end(k, Err(errno)),
    }
}

/// Drops mmap_lock, and with it the VMA lock.
fn end(k: &mut Kernel, result: Result<(), Errno>) -> Next {
    let mm = k.who.mm;
    k.mmap_write_unlock(mm);
    Next::Return { result }
}
