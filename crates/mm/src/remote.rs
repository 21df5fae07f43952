//! Access to the memory of another process: `access_remote_vm` (/proc/pid/mem, ptrace; mm/memory.c) with FOLL_FORCE and
//! FOLL_GET, `process_vm_rw` (mm/process_vm_access.c) with FOLL_PIN. Both find the page under mmap_lock, without GUP-fast; the
//! first copies under it too, so that its reference is never there while the process forks.

use crate::gup::{Then, Want, get_user_pages};
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::machine::Hold;
use crate::packed;
use crate::step::{Step, Wait, step};
use crate::task::{Call, Next};
use crate::world::Access;

packed! {
    /// An access, once GUP has the page.
    pub enum RemoteAccess {
        /// Copies to or from the page.
        Copy { want: Want, store: bool, pfn: Pfn },
        /// Dirties a page that was written, under its lock.
        Dirty { want: Want, pfn: Pfn },
        /// Drops the reference.
        Release { want: Want, pfn: Pfn },
    }
}

use RemoteAccess::*;

/// By which door another process's memory is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// /proc/pid/mem, ptrace: FOLL_FORCE, FOLL_GET.
    ProcMem,
    /// process_vm_readv, process_vm_writev: FOLL_PIN.
    ProcessVm,
}

impl RemoteAccess {
    /// Enters the call.
    pub fn enter(mm: MmId, va: Va, door: Door, access: Access) -> Next {
        let write = access == Access::Store;
        let (hold, force) = match door {
            Door::ProcMem => (Hold::Get, true),
            Door::ProcessVm => (Hold::Pin, false),
        };
        let want = Want {
            mm,
            va,
            write,
            hold,
            longterm: false,
            force,
        };
        get_user_pages(want, Then::Remote { store: write })
    }

    /// GUP has the page.
    pub fn got(want: Want, store: bool, pfn: Pfn) -> Next {
        go(Copy { want, store, pfn })
    }

    /// Is it the memory of this process?
    pub fn is_of(self, mm: MmId) -> bool {
        let (Copy { want, .. } | Dirty { want, .. } | Release { want, .. }) = self;
        want.mm == mm
    }

    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        match *self {
            Copy { store: true, .. } => step("copy to page", "copy_to_user_page"),
            Copy { store: false, .. } => step("copy from page", "copy_from_user_page"),
            Dirty { pfn, .. } => {
                let wait = if v.page(pfn).dirty {
                    Wait::Nothing
                } else {
                    Wait::Folio(pfn)
                };
                step("set dirty", "set_page_dirty_lock")
                    .under("folio lock")
                    .waits(wait)
            }
            Release { .. } => step("release", "folio_put"),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        match self {
            Copy { want, store, pfn } => {
                k.access(
                    want.mm,
                    want.va,
                    pfn,
                    if store { Access::Store } else { Access::Load },
                );
                go(if store {
                    Dirty { want, pfn }
                } else {
                    Release { want, pfn }
                })
            }
            Dirty { want, pfn } => {
                if !pfn.is_zero() {
                    k.page_mut(pfn).dirty = true;
                }
                go(Release { want, pfn })
            }
            Release { want, pfn } => {
                k.release(pfn, want.hold);
                if want.hold == Hold::Get {
                    k.mmap_read_unlock(want.mm);
                }
                Next::Return { result: Ok(()) }
            }
        }
    }
}

fn go(p: RemoteAccess) -> Next {
    Next::Call {
        call: Call::Remote { p },
    }
}
