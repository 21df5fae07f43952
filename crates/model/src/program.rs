//! A test made ready to run: statements in the mm's own terms, the initial state, and what is looked at in the end.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use cowherd_litmus::ast;
use cowherd_mm::config::SwapDevice;
use cowherd_mm::machine::Dir;
use cowherd_mm::madvise::flags::ForkAdvice;
use cowherd_mm::mprotect::Prot;
use cowherd_mm::remote::Door;
use cowherd_mm::*;

use crate::state::State;

/// Marks a cell that holds nothing that anybody wrote: what a freed frame or a failed swap write leaves.
pub const JUNK: u8 = 31;

/// Registers of all threads together at most.
pub const MAX_REGS: usize = if cfg!(feature = "wide") { MAX_CPUS } else { 12 };

/// The number of a statement of a task.
#[cfg(not(feature = "wide"))]
pub type StmtNo = u8;
/// The number of a statement of a task.
#[cfg(feature = "wide")]
pub type StmtNo = u16;

/// A test lowered for one kernel.
pub struct Program {
    /// Sizes, devices, failures, features.
    pub cfg: Config,
    /// What each task does, in order.
    pub tasks: Vec<TaskProgram>,
    /// When each process comes to be.
    pub births: Vec<Starts>,
    /// Which tasks are threads, and whose.
    pub initial: Vec<State>,
    /// The registers that anybody looks at.
    pub regs: Vec<RegName>,
    /// Calls and activities whose giving up somebody looks at, by name.
    pub refusals: Vec<&'static str>,
    /// Does a condition ask which frame was there at the start?
    pub watches_frames: bool,
    /// Does a condition ask whether userfaultfd trapped?
    pub watches_traps: bool,
    /// Are frames and slots renamed into a canonical form?
    pub naming: pack::Naming,
    /// Tasks that do the same may swap places: every order but the one as it is, as a sequence of swaps.
    pub twins: Vec<Vec<(usize, usize)>>,
    /// What promises were made.
    pub spec: crate::spec::Spec,
    /// What is looked at in final states, in the order of outcome bytes.
    pub observables: Vec<crate::observe::Observable>,
    /// For each transfer: the cell of its file that its cell 0 would go with, modulo the page (`shift`).
    pub shifts: Vec<i8>,
    /// The test's names, for people.
    pub names: TestNames,
    /// Which value each file cell holds at the start.
    pub files: Vec<[u8; MAX_CELLS]>,
    /// The page-cache page of each file that is mapped.
    pub page_cache: Vec<Option<Pfn>>,
    /// Set: the statements of each task are no program but a menu, see [`crate::general`].
    pub general: Option<crate::general::General>,
    /// The steps that were taken.
    pub taken: Taken,
}

/// A set of steps of the mm, for coverage: bit n is step n of [`Task::steps`].
#[derive(Debug, Default)]
pub struct Taken([AtomicU64; 8]);

impl Taken {
    /// Adds the next step of a task.
    #[inline]
    pub(crate) fn note(&self, task: &Task) {
        let step = task.step_number();
        let (word, bit) = (&self.0[step / 64], 1 << (step % 64));
        if word.load(Ordering::Relaxed) & bit == 0 {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// The set, as words of bits.
    pub(crate) fn words(&self) -> [u64; 8] {
        std::array::from_fn(|word| self.0[word].load(Ordering::Relaxed))
    }

    /// Adds all of a set.
    pub(crate) fn add(&self, words: [u64; 8]) {
        for (word, more) in self.0.iter().zip(words) {
            word.fetch_or(more, Ordering::Relaxed);
        }
    }

    /// The path and the name of each.
    pub fn names(&self) -> BTreeSet<(&'static str, &'static str)> {
        let taken = |n: usize| self.0[n / 64].load(Ordering::Relaxed) >> (n % 64) & 1 == 1;
        let steps = Task::steps().enumerate();
        steps
            .filter(|(n, _)| taken(*n))
            .map(|(_, name)| name)
            .collect()
    }
}

/// One task: a thread or a pass of the kernel.
#[derive(Clone, Debug)]
pub struct TaskProgram {
    /// For people: `P0`, `B` (the block of a fork), `kernel`.
    pub name: String,
    /// Its process; a kernel actor has none.
    pub mm: Option<MmId>,
    /// When it may begin.
    pub starts: Starts,
    /// What it does.
    pub stmts: Vec<Stmt>,
}

/// When a task may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starts {
    /// At once.
    AtOnce,
    /// Once that task has done that statement, a fork.
    After {
        /// The forking task.
        task: usize,
        /// The fork.
        stmt: usize,
    },
    /// Once its process is there, whoever made it.
    Born,
}

/// One statement.
#[derive(Clone, Debug)]
pub struct Stmt {
    /// What is done.
    pub op: Op,
    /// Where its result goes, if anybody looks at it.
    pub result: Option<usize>,
    /// Which bit of [`State::refused`] it sets when it gives up.
    pub refusal: Option<usize>,
    /// The text of the test, for people.
    pub text: String,
    /// The call's name.
    pub name: &'static str,
}

/// A register that somebody looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegName {
    /// The thread.
    pub thread: ast::ThreadId,
    /// A register, or the result behind a handle.
    pub what: RegKind,
}

/// See [`RegName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegKind {
    /// `r1`
    Reg(ast::Reg),
    /// `io0`
    Handle(ast::HandleId),
}

/// A value to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A constant.
    Value(u8),
    /// A register.
    Reg(usize),
    /// A cell of a file: a buffered read.
    File(FileId, Cell),
}

/// What a statement does, in the mm's terms.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Op {
    Load {
        va: Va,
        cell: Cell,
    },
    Store {
        va: Va,
        cell: Cell,
        value: Source,
    },
    /// A buffered write: loads the cell and writes it to the page cache.
    LoadToFile {
        va: Va,
        cell: Cell,
        file: FileId,
        file_cell: Cell,
    },
    Fork {
        child: MmId,
    },
    /// The last thread of a process to get there ends it.
    Exit,
    Waitpid {
        mm: MmId,
    },
    Transfer {
        io: IoId,
        dir: Dir,
        va: Va,
        cells: Cells,
        file: FileId,
        wait: bool,
    },
    WaitIo {
        io: IoId,
    },
    Fixed {
        io: IoId,
        dir: Dir,
        holder: HoldId,
        mm: MmId,
        va: Va,
        cells: Cells,
        file: FileId,
    },
    Vmsplice {
        pipe: PipeId,
        va: Va,
        cells: Cells,
    },
    ReadPipe {
        pipe: PipeId,
    },
    Tee {
        from: PipeId,
        to: PipeId,
    },
    Splice {
        from: PipeId,
        to: PipeId,
    },
    Hold {
        holder: HoldId,
        want: gup::Want,
        fast: bool,
    },
    HeldLoad {
        holder: HoldId,
        cell: Cell,
    },
    HeldStore {
        holder: HoldId,
        cell: Cell,
        value: Source,
    },
    Release {
        holder: HoldId,
    },
    Remote {
        mm: MmId,
        va: Va,
        cell: Cell,
        door: Door,
        store: Option<Source>,
    },
    Dontneed {
        va: Va,
    },
    Munmap {
        va: Va,
    },
    Pageout {
        mm: MmId,
        va: Va,
    },
    Reclaim {
        mm: MmId,
        va: Va,
    },
    Drain,
    DrainAll,
    Pagemap {
        va: Va,
    },
    Free {
        va: Va,
    },
    Cold {
        mm: MmId,
        va: Va,
    },
    Willneed {
        mm: MmId,
        va: Va,
    },
    Populate {
        va: Va,
        write: bool,
    },
    Mergeable {
        va: Va,
    },
    Unmergeable {
        va: Va,
    },
    ForkAdvice {
        va: Va,
        advice: ForkAdvice,
    },
    Mremap {
        from: Va,
        to: Va,
    },
    Mprotect {
        va: Va,
        prot: Prot,
    },
    ClearRefs {
        mm: MmId,
    },
    UffdWp {
        va: Va,
    },
    UffdRwp {
        va: Va,
    },
    UffdUnwp {
        va: Va,
    },
    UffdMove {
        to: Va,
        from: Va,
    },
    UffdCopy {
        va: Va,
        values: [Source; MAX_CELLS],
    },
    UffdZeropage {
        va: Va,
    },
    UffdContinue {
        va: Va,
    },
    Swapoff,
    MovePages {
        mm: MmId,
        va: Va,
    },
    Compact {
        mm: MmId,
        va: Va,
    },
    NumaScan {
        mm: MmId,
        va: Va,
    },
    Ksm {
        first: (MmId, Va),
        second: Option<(MmId, Va)>,
    },
}

impl Op {
    /// Whose memory an activity works on, where that is not the task's own process.
    pub fn target(&self) -> Option<MmId> {
        match *self {
            Op::Pageout { mm, .. }
            | Op::Reclaim { mm, .. }
            | Op::Cold { mm, .. }
            | Op::Willneed { mm, .. }
            | Op::MovePages { mm, .. }
            | Op::Compact { mm, .. }
            | Op::NumaScan { mm, .. }
            | Op::ClearRefs { mm } => Some(mm),
            Op::Ksm { first, .. } => Some(first.0),
            _ => None,
        }
    }
}

impl Program {
    /// The device that swap is on, as tests name it.
    pub fn swap(&self) -> SwapDevice {
        self.cfg.swap
    }

    /// The cell of the file that goes with a cell of memory.
    pub fn file_cell(&self, io: IoId, cell: Cell) -> Cell {
        Cell((cell.0 as i8 + self.shifts[io.at()]) as u8)
    }

    /// The machine of the start, against which VMAs are packed.
    pub fn base(&self) -> &Machine {
        &self.initial[0].m
    }

    /// Bits of a [`State::pc`].
    pub(crate) fn pc_bits(&self) -> u32 {
        if self.general.is_some() { 6 } else { 4 }
    }

    /// Actors: tasks, then transfers, then swap writes, then LRU drains. Only the end of a swap write queues a page elsewhere.
    pub fn actors(&self) -> usize {
        let s = &self.cfg.sizes;
        s.cpus + s.ios + s.slots + s.cpus + usize::from(s.slots > 0)
    }
}

/// The names that a test gives to things.
#[derive(Clone, Debug, Default)]
pub struct TestNames {
    /// Processes.
    pub processes: Vec<String>,
    /// Variables.
    pub pages: Vec<String>,
    /// Files.
    pub files: Vec<String>,
    /// Pipes.
    pub pipes: Vec<String>,
    /// Handles of each thread.
    pub handles: Vec<Vec<String>>,
}
