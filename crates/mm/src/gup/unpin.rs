//! Long-lived holders of page references, and how they let go: `unpin_user_pages_dirty_lock` (mm/gup.c),
//! `io_sqe_buffer_register` (io_uring), RDMA, VFIO, drivers.

use crate::gup::Want;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::machine::{Hold, Holder};
use crate::packed;
use crate::step::{Step, Wait, step};
use crate::task::{Call, Errno, Next};
use crate::world::{Access as Kind, Event};

packed! {
    /// A holder at work.
    pub enum HolderCall {
        /// The device behind the holder reads or writes its page.
        Access { holder: HoldId, store: bool },
        /// `unpin_user_pages_dirty_lock`: a page that was written through the holder is dirtied first, under its lock.
        Dirty { holder: HoldId },
        /// Drops the reference.
        Drop { holder: HoldId },
    }
}

use HolderCall::*;

/// GUP has the page: the holder keeps it.
pub fn got(k: &mut Kernel, want: Want, holder: HoldId, pfn: Pfn) -> Next {
    *k.holder_mut(holder) = Holder {
        page: Some(pfn),
        hold: want.hold,
        write: want.write,
    };
    k.event(Event::Held {
        holder,
        mm: want.mm,
        va: want.va,
    });
    Next::Return { result: Ok(()) }
}

impl HolderCall {
    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        match *self {
            Access { store, .. } => {
                step(if store { "device store" } else { "device load" }, "device")
            }
            Dirty { holder } => {
                let wait = match v.m.holders[holder.at()].page {
                    Some(pfn) if !v.page(pfn).dirty => Wait::Folio(pfn),
                    _ => Wait::Nothing,
                };
                step("set dirty", "unpin_user_pages_dirty_lock")
                    .under("folio lock")
                    .waits(wait)
            }
            Drop { holder } => {
                let pinned = v.m.holders[holder.at()].hold == Hold::Pin;
                step(
                    "unpin",
                    if pinned {
                        "unpin_user_page"
                    } else {
                        "folio_put"
                    },
                )
            }
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        let (Access { holder, .. } | Dirty { holder } | Drop { holder }) = self;
        let held = *k.holder(holder);
        let Some(pfn) = held.page else {
            return Next::Return {
                result: Err(Errno::Ebadf),
            };
        };
        match self {
            Access { store, .. } => {
                k.held_access(holder, pfn, if store { Kind::Store } else { Kind::Load });
                Next::Return { result: Ok(()) }
            }
            Dirty { .. } => {
                if held.write && !pfn.is_zero() {
                    k.page_mut(pfn).dirty = true;
                }
                Next::Call {
                    call: Call::Holder { p: Drop { holder } },
                }
            }
            Drop { .. } => {
                k.holder_mut(holder).page = None;
                k.event(Event::Released { holder });
                k.release(pfn, held.hold);
                Next::Return { result: Ok(()) }
            }
        }
    }
}
