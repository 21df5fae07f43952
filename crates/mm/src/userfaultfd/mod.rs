//! userfaultfd: fs/userfaultfd.c, mm/userfaultfd.c. The fault side is in [`crate::memory::fault`] (`handle_userfault`).
//!
//! All of it runs under mmap_lock for *read* (from 6.9 on mostly under VMA locks for read, which exclude the same calls): faults, GUP
//! and reclaim go on. Write-protection is a [`change_protection`](crate::mprotect::change_protection): the PTE becomes read-only and
//! marked at once, the flush comes at the end, and until then CPUs may write through what they remember. A write fault in such
//! a moment flushes for itself (5.12, `uffdwp_flush`) before it copies.
//!
//! A page that is swapped out or migrated keeps its mark in the entry. An anonymous address that was never touched cannot be
//! write-protected (nobody asks for UFFD_FEATURE_WP_UNPOPULATED); one of a file gets a marker.
//!
//! Read-write protection (`uffd_rwp`) is a series of 2026 that no release has. It uses the same mark, in VMAs registered for it, on a
//! PTE that faults in hardware. Its two bugs on the way are mutants: `rwp_fork_sample` (B40), `rwp_swapin` (B41).

pub mod mfill_atomic;
pub mod move_pages;

use crate::ids::*;
use crate::mprotect::change_protection::{By, ChangeProtection};
use crate::task::Next;

/// UFFDIO_WRITEPROTECT with UFFDIO_WRITEPROTECT_MODE_WP.
pub fn write_protect(mm: MmId, va: Va) -> Next {
    ChangeProtection::enter(mm, va, By::UffdWp)
}

/// UFFDIO_RWPROTECT with its mode.
pub fn rw_protect(mm: MmId, va: Va) -> Next {
    ChangeProtection::enter(mm, va, By::UffdRwp)
}

/// UFFDIO_WRITEPROTECT or UFFDIO_RWPROTECT without: lifts the protection, and wakes who waits.
pub fn write_unprotect(mm: MmId, va: Va) -> Next {
    ChangeProtection::enter(mm, va, By::UffdWpResolve)
}
