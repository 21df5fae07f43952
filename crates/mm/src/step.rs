//! One description per step: what people read, what the scheduler waits for, what the reductions rely on.

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
    /// What it may read and write.
    pub touch: Touch,
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

/// A footprint: resources as bits, see the constructors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Touch {
    /// Read or written.
    pub any: u128,
    /// Written.
    pub writes: u128,
}

impl Touch {
    /// Nothing.
    pub const NONE: Touch = Touch { any: 0, writes: 0 };
    /// Everything.
    pub const ALL: Touch = Touch {
        any: u128::MAX,
        writes: u128::MAX,
    };

    /// A PTE, and what the specification holds of its address.
    pub const fn pte(mm: MmId, va: Va) -> u128 {
        1 << (mm.0 * 4 + va.0)
    }
    /// A frame's struct page.
    pub const fn page(pfn: Pfn) -> u128 {
        1 << (16 + pfn.0)
    }
    /// What a frame holds.
    pub const fn data(pfn: Pfn) -> u128 {
        1 << (32 + pfn.0)
    }
    /// A swap slot, what it holds included.
    pub const fn slot(slot: Slot) -> u128 {
        1 << (48 + slot.0)
    }
    /// One CPU's TLB.
    pub const fn tlb(cpu: Cpu) -> u128 {
        1 << (56 + cpu.0)
    }
    /// An mm's locks, counters and VMAs.
    pub const fn mm(mm: MmId) -> u128 {
        1 << (64 + mm.0)
    }
    /// A transfer.
    pub const fn io(io: IoId) -> u128 {
        1 << (68 + io.0)
    }
    /// A pipe.
    pub const fn pipe(pipe: PipeId) -> u128 {
        1 << (72 + pipe.0)
    }
    /// A long-lived holder.
    pub const fn holder(holder: HoldId) -> u128 {
        1 << (74 + holder.0)
    }
    /// The buddy allocator.
    pub const FREE_FRAMES: u128 = 1 << 78;
    /// The swap allocator.
    pub const FREE_SLOTS: u128 = 1 << 79;

    /// Reads and writes these.
    pub fn write(mut self, bits: u128) -> Touch {
        self.any |= bits;
        self.writes |= bits;
        self
    }

    /// Reads these.
    pub fn read(mut self, bits: u128) -> Touch {
        self.any |= bits;
        self
    }

    /// Would the order of the two matter?
    pub fn conflicts(self, other: Touch) -> bool {
        self.writes & other.any != 0 || self.any & other.writes != 0
    }

    /// Is everything in `other` in here?
    pub fn covers(self, other: Touch) -> bool {
        other.any & !self.any == 0 && other.writes & !self.writes == 0
    }
}

/// Starts the description of a step that waits for nothing, holds nothing, commutes with nothing and touches anything.
pub fn step(label: &'static str, function: &'static str) -> Step {
    Step {
        label,
        function,
        lock: "",
        wait: Wait::Nothing,
        moves: Moves::No,
        touch: Touch::ALL,
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

    /// What it touches, at most.
    pub fn touches(mut self, touch: Touch) -> Step {
        self.touch = touch;
        self
    }
}
