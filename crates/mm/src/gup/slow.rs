//! GUP under mmap_lock: `__get_user_pages`, `follow_page_pte`, `faultin_page` (mm/gup.c).
//!
//! Each look at the PTE takes the reference in the same section of the page-table lock. A fault in between holds nothing that
//! keeps the page: it may be gone by the next look, and the loop begins anew. That is why the demand for a writable PTE has
//! to be kept up over the fault (Dirty COW, `foll_cow`), and what FOLL_FORCE may take instead: a dirty PTE once COW was
//! broken (up to 5.19), an exclusive page (6.0, `force_excl`). Only /proc/pid/mem and ptrace force (`mem_force`).

use crate::feature::Feature as F;
use crate::gup::{Then, Want, must_unshare, writes};
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::machine::Hold;
use crate::memory::fault::{Fault, FaultCx, FaultKind, FaultLock, FaultResult};
use crate::packed;
use crate::pgtable::{Present, Pte};
use crate::step::{Step, Wait, step};
use crate::task::{Call, Errno, Next};
use crate::world::Event;

packed! {
    /// A walk under mmap_lock. `cow`: FOLL_COW, COW was broken by a fault of this walk.
    pub enum GupSlow {
        /// Takes mmap_lock for read.
        Begin { want: Want, then: Then },
        /// Looks at the PTE under its lock, and takes the reference or faults.
        Follow { want: Want, then: Then, cow: bool },
    }
}

use GupSlow::*;

impl GupSlow {
    /// The description of the next step.
    pub fn describe(&self, _v: &View) -> Step {
        match *self {
            Begin { want, then } => {
                let lock = step("GUP lock", "__get_user_pages")
                    .under("mmap_lock (read)")
                    .waits(Wait::MmapRead(want.mm));
                match then {
                    // The specification hears of it: what the page holds from here on may be what is read.
                    Then::Remote { .. } => lock,
                    _ => lock.right(),
                }
            }
            Follow { want, .. } => step("follow", "follow_page_pte")
                .under("mmap_lock (read), PTL")
                .waits(Wait::Ptl(want.mm)),
        }
    }

    /// Is this on behalf of somebody outside, for this process's memory?
    pub fn is_remote(self, mm: MmId) -> bool {
        let (Begin { want, then } | Follow { want, then, .. }) = self;
        want.mm == mm && matches!(then, Then::Remote { .. })
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        match self {
            Begin { want, then } => {
                if matches!(then, Then::Remote { .. }) && !k.mmget_not_zero(want.mm) {
                    return Next::Return {
                        result: Err(Errno::Efault),
                    };
                }
                k.mmap_read_lock(want.mm);
                if matches!(then, Then::Remote { .. }) {
                    k.event(Event::RemoteBegin {
                        mm: want.mm,
                        va: want.va,
                    });
                }
                if want.hold == Hold::Pin && k.has(F::HasPinned) {
                    // Only fork and clear_refs look, and both hold mmap_lock for write (since 5.11).
                    k.tables_mut(want.mm).has_pinned = true;
                }
                go(Follow {
                    want,
                    then,
                    cow: false,
                })
            }
            Follow { want, then, cow } => follow(k, want, then, cow),
        }
    }

    /// The fault that the walk raised is over.
    pub fn after_fault(self, k: &mut Kernel, result: FaultResult) -> Next {
        let Follow { want, then, cow } = self else {
            return go(self);
        };
        match result {
            FaultResult::Done => {
                let forced = want.write && !k.vma(want.mm, want.va).write;
                if forced && !k.has(F::FollCow) {
                    // Up to 4.8.2: COW was broken, so the next look need not ask for a writable PTE.
                    return go(Follow {
                        want: Want {
                            write: false,
                            ..want
                        },
                        then,
                        cow,
                    });
                }
                go(Follow {
                    want,
                    then,
                    cow: cow || forced || (!want.write && writes(k, want)),
                })
            }
            FaultResult::Retry => go(Begin { want, then }),
            FaultResult::Segv | FaultResult::Sigbus => fail(k, want, then, Errno::Efault),
            FaultResult::Oom => fail(k, want, then, Errno::Enomem),
        }
    }
}

fn go(p: GupSlow) -> Next {
    Next::Call {
        call: Call::GupSlow { p },
    }
}

/// Is it /proc/pid/mem, which keeps mmap_lock from GUP to copy?
fn remote(want: Want, then: Then) -> bool {
    matches!(then, Then::Remote { .. }) && want.hold == Hold::Get
}

fn fail(k: &mut Kernel, want: Want, then: Then, errno: Errno) -> Next {
    k.mmap_read_unlock(want.mm);
    // mem_rw() has no room for the reason.
    let errno = if remote(want, then) {
        Errno::Eio
    } else {
        errno
    };
    then.failed(k, errno)
}

fn follow(k: &mut Kernel, want: Want, then: Then, cow: bool) -> Next {
    let vma = *k.vma(want.mm, want.va);
    let want = Want {
        force: want.force && k.has(F::MemForce),
        ..want
    };
    let allowed = vma.mapped
        && if want.write {
            vma.write || want.force
        } else {
            vma.read || want.force
        };
    if !allowed || k.fails(k.cfg.fails.short_gup) {
        return fail(k, want, then, Errno::Efault);
    }
    let write = writes(k, want);
    // access_remote_vm() passes no `locked`: mmap_lock stays, and what userspace would have to resolve fails.
    let lock = if remote(want, then) && k.has(F::MemKeepsLock) {
        FaultLock::Kept
    } else {
        FaultLock::Callers
    };
    let fault = |k: &mut Kernel, kind| Next::Fault {
        call: Call::GupSlow {
            p: Follow { want, then, cow },
        },
        fault: Fault::enter(k, FaultCx::gup(want.mm, want.va, kind, lock, true)),
    };
    let kind = if write {
        FaultKind::Write
    } else {
        FaultKind::Read
    };
    let e = match k.pte(want.mm, want.va) {
        // gup_can_follow_protnone(): FOLL_FORCE reaches into a PROT_NONE VMA; elsewhere protnone is a NUMA hint.
        Pte::Present { e } if !e.protnone || !vma.accessible() => e,
        _ => return fault(k, kind),
    };
    if write && !can_follow_write(k, want, e, cow) {
        return fault(k, FaultKind::Write);
    }
    if must_unshare(k, want, e) {
        return fault(k, FaultKind::Unshare);
    }
    k.try_grab(e.pfn, want.hold);
    // FOLL_TOUCH.
    if want.write && !e.dirty && !k.page(e.pfn).dirty && !e.pfn.is_zero() {
        k.page_mut(e.pfn).dirty = true;
    }
    k.folio_mark_accessed(e.pfn);
    // access_remote_vm() keeps mmap_lock until it has copied.
    if !remote(want, then) {
        k.mmap_read_unlock(want.mm);
    }
    then.got(k, want, e.pfn)
}

/// `can_follow_write_pte`: a writable PTE, or what FOLL_FORCE may take for one.
fn can_follow_write(k: &mut Kernel, want: Want, e: Present, cow: bool) -> bool {
    if e.write {
        return true;
    }
    if k.has(F::ForceExcl) {
        let vma = *k.vma(want.mm, want.va);
        let tracked = !vma.soft_dirty && !e.soft_dirty;
        return want.force
            && !vma.write
            && !e.pfn.is_zero()
            && k.anon_exclusive(e.pfn)
            && !tracked
            && !e.uffd_wp;
    }
    // FOLL_COW: a fault of this walk broke COW, and the dirty bit says that the page is still the copy. (5.8 breaks COW for
    // reads too, and takes the copy the same way.)
    cow && e.dirty
}
