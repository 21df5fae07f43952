//! Advice that only changes the VMA: `madvise_vma_behavior`, `madvise_update_vma` (mm/madvise.c).
//!
//! mmap_lock for write, and (6.4) the VMA's lock for write. fork reads the flags under mmap_lock for write.

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::packed;
use crate::step::{Step, Wait, step};
use crate::task::{Call, Errno, Next};

packed! {
    /// What the VMA is told.
    pub enum ForkAdvice {
        /// MADV_DONTFORK: VM_DONTCOPY, the child has no such VMA.
        DontFork,
        /// MADV_DOFORK.
        DoFork,
        /// MADV_WIPEONFORK: the child finds zeroes.
        WipeOnFork,
        /// MADV_KEEPONFORK.
        KeepOnFork,
    }

    /// Advice for one page of the caller's process.
    pub enum MadvFlags {
        /// Takes mmap_lock.
        Begin { va: Va, advice: ForkAdvice },
        /// Takes the VMA's lock (6.4), sets the flag; the call returns.
        LockVma { va: Va, advice: ForkAdvice },
    }
}

use MadvFlags::*;

impl MadvFlags {
    /// Enters the call.
    pub fn enter(va: Va, advice: ForkAdvice) -> Next {
        go(Begin { va, advice })
    }

    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        const FUNCTION: &str = "madvise_update_vma";
        const LOCK: &str = "mmap_lock (write)";
        let mm = v.who.mm;
        match *self {
            Begin { .. } => step("MA lock", FUNCTION)
                .under(LOCK)
                .waits(Wait::MmapWrite(mm)),
            LockVma { va, .. } => step("MA VMA", FUNCTION)
                .under(LOCK)
                .waits(Wait::VmaWrite(mm, va)),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        let mm = k.who.mm;
        match self {
            Begin { va, advice } => {
                k.mmap_write_lock(mm);
                let vma = *k.vma(mm, va);
                let errno = if !vma.mapped {
                    Some(Errno::Enomem)
                } else if advice == ForkAdvice::WipeOnFork && vma.file.is_some() {
                    Some(Errno::Einval)
                } else {
                    None
                };
                if let Some(errno) = errno {
                    k.mmap_write_unlock(mm);
                    return Next::Return { result: Err(errno) };
                }
                if k.has(F::PerVmaLock) {
                    return go(LockVma { va, advice });
                }
                set(k, va, advice)
            }
            LockVma { va, advice } => set(k, va, advice),
        }
    }
}

fn go(p: MadvFlags) -> Next {
    Next::Call {
        call: Call::MadvFlags { p },
    }
}

/// All locks are held; nobody else sees the VMA before they are dropped.
fn set(k: &mut Kernel, va: Va, advice: ForkAdvice) -> Next {
    let mm = k.who.mm;
    let vma = k.vma_mut(mm, va);
    match advice {
        ForkAdvice::DontFork => vma.dontfork = true,
        ForkAdvice::DoFork => vma.dontfork = false,
        ForkAdvice::WipeOnFork => vma.wipeonfork = true,
        ForkAdvice::KeepOnFork => vma.wipeonfork = false,
    }
    k.mmap_write_unlock(mm);
    Next::Return { result: Ok(()) }
}
