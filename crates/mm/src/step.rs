//! One description per step: what people read, what the scheduler waits for, how it moves. What it touches is recorded when it
//! is taken ([`Touch`](crate::Touch)).

use crate::ids::*;
use crate::machine::{Io, IoState, Machine};
use crate::pgtable::Pte;

/// Who takes a step: a task on its CPU, in its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// The task's CPU.
    pub cpu: Cpu,
    /// The task's process; for a kernel thread, whatever it works on names its own.
    pub mm: MmId,
}

/// The description of a path's next step.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The label of semantics.md section 19.2, or one in its style.
    pub label: &'static str,
    /// The kernel function whose work it is.
    pub function: &'static str,
    /// The locks that cover it, for people.
    pub lock: &'static str,
    /// What it waits for.
    pub wait: Wait,
    /// How it commutes.
    pub moves: Moves,
}

/// What must hold before a step can be taken. A path is never half-stepped: it waits before, not within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Nothing.
    Nothing,
    /// mmap_lock can be taken for read.
    MmapRead(MmId),
    /// mmap_lock can be taken for write.
    MmapWrite(MmId),
    /// The per-VMA lock can be taken for read.
    VmaRead(MmId, Va),
    /// The per-VMA lock can be taken for write.
    VmaWrite(MmId, Va),
    /// The page-table lock is free.
    Ptl(MmId),
    /// Both page-table locks are free.
    Ptls(MmId, MmId),
    /// The page is unlocked.
    Folio(Pfn),
    /// No swap write of the page is in flight.
    Writeback(Pfn),
    /// The PTE is not (or no longer) this migration entry.
    NotMigrating(MmId, Va),
    /// The slot is not claimed by a swap-in that bypasses the cache.
    Unclaimed(Slot),
    /// No task holds a reference to the swap device: faults (5.14), `free_swap_and_cache` (6.9).
    SwapDevice {
        /// Do swap-ins hold one?
        faults: bool,
        /// Do those who drop a swap entry?
        frees: bool,
    },
    /// Nobody holds mmap_lock or accesses the process's memory from outside: the last `mmput` takes it down, and who holds the lock
    /// without a count of its own (ksmd) is waited for first (`ksm_exit`).
    MmUsers(MmId),
    /// The transfer is complete.
    Io(IoId),
    /// The pipe holds a buffer.
    PipeFull(PipeId),
    /// The pipe has room for a buffer.
    PipeRoom(PipeId),
    /// Nothing can end this wait but the driver (a userfaultfd fault that nobody resolves).
    Uffd(MmId, Va),
}

impl Wait {
    /// Is what is waited for the case?
    pub fn over(self, m: &Machine) -> bool {
        match self {
            Wait::Nothing => true,
            Wait::MmapRead(mm) => !m.mms[mm.at()].writer,
            Wait::MmapWrite(mm) => !m.mms[mm.at()].writer && m.mms[mm.at()].readers.0 == 0,
            Wait::VmaRead(mm, va) => !m.vmas[mm.at()][va.at()].writer,
            Wait::VmaWrite(mm, va) => {
                let vma = &m.vmas[mm.at()][va.at()];
                !vma.writer && vma.readers.0 == 0
            }
            Wait::Ptl(mm) => !m.mms[mm.at()].ptl,
            Wait::Ptls(a, b) => !m.mms[a.at()].ptl && !m.mms[b.at()].ptl,
            Wait::Folio(pfn) => !m.frames[pfn.at()].locked,
            Wait::Writeback(pfn) => !m.frames[pfn.at()].writeback,
            Wait::NotMigrating(mm, va) => m.ptes[mm.at()][va.at()].migration().is_none(),
            Wait::Unclaimed(slot) => !m.slots[slot.at()].claimed,
            Wait::SwapDevice { faults, frees } => !m
                .tasks
                .iter()
                .any(|task| (faults && task.fault.swaps_in()) || (frees && task.call.frees_swap())),
            Wait::MmUsers(mm) => {
                let used = m.tasks.iter().any(|task| task.call.uses_mm(mm));
                Wait::MmapWrite(mm).over(m) && !used
            }
            Wait::Io(io) => m.ios[io.at()].is_done(),
            Wait::PipeFull(pipe) => m.pipes[pipe.at()][0].is_some(),
            Wait::PipeRoom(pipe) => m.pipes[pipe.at()][PIPE_BUFS - 1].is_none(),
            Wait::Uffd(mm, va) => match m.ptes[mm.at()][va.at()] {
                Pte::None | Pte::Marker => !m.vmas[mm.at()][va.at()].userfaults(),
                Pte::Present { e } => !m.vmas[mm.at()][va.at()].traps_writes(e.uffd_wp),
                // Swapped out while its fault waits: only UFFDIO_WRITEPROTECT wakes it.
                Pte::Swap { e } => !m.vmas[mm.at()][va.at()].traps_writes(e.uffd_wp),
                _ => true,
            },
        }
    }
}

impl Io {
    /// Does the task that started it see it complete?
    pub fn is_done(&self) -> bool {
        matches!(
            self.state,
            IoState::Done | IoState::DoneDirtying | IoState::DoneReleasing | IoState::Failed
        )
    }
}

/// How a step commutes with the steps of others (Lipton). A lock that is taken moves right, one that is dropped moves left; a
/// count or a flag that somebody without the lock can see does neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    /// Not at all.
    No,
    /// Later: only takes locks.
    Right,
    /// Earlier: only drops locks.
    Left,
    /// Both ways: touches nothing that others can see.
    Both,
}

/// Starts the description of a step that waits for nothing, holds nothing and commutes with nothing.
pub fn step(label: &'static str, function: &'static str) -> Step {
    Step {
        label,
        function,
        lock: "",
        wait: Wait::Nothing,
        moves: Moves::No,
    }
}

impl Step {
    /// The locks that cover the step.
    pub fn under(mut self, lock: &'static str) -> Step {
        self.lock = lock;
        self
    }

    /// What the step waits for.
    pub fn waits(mut self, wait: Wait) -> Step {
        self.wait = wait;
        self
    }

    /// It only takes locks.
    pub fn right(mut self) -> Step {
        self.moves = Moves::Right;
        self
    }

    /// It only drops locks.
    pub fn left(mut self) -> Step {
        self.moves = Moves::Left;
        self
    }

    /// It is private work.
    pub fn private(mut self) -> Step {
        self.moves = Moves::Both;
        self
    }
}
