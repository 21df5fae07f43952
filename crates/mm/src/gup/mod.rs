//! Get user pages: `mm/gup.c`.
//!
//! A caller of GUP says what it [`Want`]s and what comes [`Then`]: the path goes forward into its continuation with the page
//! in hand. Callers with their own mm try without locks first ([`fast`]), then with mmap_lock ([`slow`]); a fault runs under
//! the slow path and hands back to it. Nothing is held between the fault and the next look at the PTE.

pub mod fast;
pub mod slow;
pub mod unpin;

use crate::direct_io::DirectIo;
use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::Kernel;
use crate::machine::Hold;
use crate::packed;
use crate::page::PageKind;
use crate::pgtable::Present;
use crate::task::{Call, Errno, Next};

packed! {
    /// What a caller of GUP asks for.
    pub struct Want {
        /// Whose memory.
        pub mm: MmId,
        /// Which page.
        pub va: Va,
        /// FOLL_WRITE.
        pub write: bool,
        /// FOLL_GET or FOLL_PIN.
        pub hold: Hold,
        /// FOLL_LONGTERM.
        pub longterm: bool,
        /// FOLL_FORCE.
        pub force: bool,
    }

    /// What happens to the page that GUP found.
    pub enum Then {
        /// Direct I/O.
        Dio { io: IoId, wait: bool },
        /// vmsplice.
        Vmsplice { pipe: PipeId, cells: Cells },
        /// A long-lived holder.
        Hold { holder: HoldId },
        /// An access to another process's memory.
        Remote { store: bool },
    }
}

impl Then {
    /// GUP has the page.
    pub fn got(self, k: &mut Kernel, want: Want, pfn: Pfn) -> Next {
        match self {
            Then::Dio { io, wait } => DirectIo::got(k, io, wait, pfn),
            Then::Vmsplice { pipe, cells } => crate::pipe::Vmsplice::got(want, pipe, cells, pfn),
            Then::Hold { holder } => unpin::got(k, want, holder, pfn),
            Then::Remote { store } => crate::remote::RemoteAccess::got(want, store, pfn),
        }
    }

    /// GUP found none.
    pub fn failed(self, k: &mut Kernel, errno: Errno) -> Next {
        match self {
            Then::Dio { io, wait } => DirectIo::failed(k, io, wait, errno),
            _ => Next::Return { result: Err(errno) },
        }
    }
}

/// Starts GUP the way callers with their own mm do: without locks first.
pub fn get_user_pages_fast(want: Want, then: Then) -> Next {
    Next::Call {
        call: Call::GupFast {
            p: fast::GupFast::Begin { want, then },
        },
    }
}

/// Starts GUP under mmap_lock.
pub fn get_user_pages(want: Want, then: Then) -> Next {
    Next::Call {
        call: Call::GupSlow {
            p: slow::GupSlow::Begin { want, then },
        },
    }
}

/// `gup_must_unshare` (5.19): a read-only pin takes only what is exclusive.
pub fn must_unshare(k: &mut Kernel, want: Want, e: Present) -> bool {
    if want.write || want.hold != Hold::Pin || e.write || !k.has(F::Unshare) {
        return false;
    }
    let page = *k.page(e.pfn);
    match page.kind {
        PageKind::Anon | PageKind::Ksm => !page.exclusive,
        _ => want.longterm && k.has(F::LongtermCow),
    }
}

/// 5.8, `should_force_cow_break`: every get or pin on a COW mapping behaves as a write.
pub fn writes(k: &mut Kernel, want: Want) -> bool {
    want.write || k.has(F::GupForceCow)
}

impl Kernel<'_> {
    /// Does `follow_page` not see what is mapped, because it does not see through PROT_NONE? Only GUP that comes back after a fault was
    /// meant to mind.
    pub fn hidden_by_protnone(&mut self, mm: MmId, va: Va) -> bool {
        let protnone = self.pte(mm, va).present().is_some_and(|e| e.protnone);
        protnone && self.has(F::FollowNoProtnone)
    }
}
