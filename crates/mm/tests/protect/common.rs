//! Small programs on a machine with a byte a cell, and what came of them.

mod run;

use std::collections::BTreeSet;

use cowherd_mm::feature::Feature as F;
use cowherd_mm::gup::{Then, Want, get_user_pages_fast};
use cowherd_mm::machine::{Hold, Vma};
use cowherd_mm::page::{Home, Page, PageKind};
use cowherd_mm::pgtable::{Present, Pte};
use cowherd_mm::task::Next;
use cowherd_mm::*;

/// The process that is there from the start, and its child.
pub const A: MmId = MmId(0);
/// See [`A`].
pub const B: MmId = MmId(1);
/// Variables.
pub const X: Va = Va(0);
/// See [`X`].
pub const Y: Va = Va(1);
/// The frame that X maps at the start, and that of Y if it maps one.
pub const PX: Pfn = Pfn(1);
/// See [`PX`].
pub const PY: Pfn = Pfn(2);
/// What X holds at the start.
pub const OLD: u8 = 7;

/// What a thread does.
#[derive(Clone, Copy)]
pub enum Op {
    /// Loads a cell; the value is the thread's result.
    Load(Va, u8),
    /// Stores a value to a cell.
    Store(Va, u8, u8),
    /// Any call.
    Call(Next),
    /// Waits until another task has got that far, or has ended.
    After(usize, u8),
}

/// A thread or a kernel activity: its process, and what it does.
#[derive(Clone)]
pub struct Thread {
    pub mm: Option<MmId>,
    pub ops: Vec<Op>,
}

/// A program: threads, and a machine to start from.
pub struct Program {
    pub cfg: Config,
    pub threads: Vec<Thread>,
    pub start: State,
    /// May LRU batches drain at any time?
    pub drains: bool,
}

/// A state of it.
#[derive(Clone)]
pub struct State {
    pub m: Machine,
    pub data: Data,
    pc: [u8; MAX_CPUS],
    /// The last value that each thread loaded, or 100 + the error of its last call.
    results: [u8; MAX_CPUS],
}

/// What memory holds, and what was promised.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Data {
    pub frames: [[u8; MAX_CELLS]; MAX_FRAMES],
    pub slots: [[u8; MAX_CELLS]; MAX_SLOTS],
    /// Pages by process whose next store must be trapped, recorded, or must not happen.
    pub uffd: u16,
    pub soft_dirty: u16,
    pub forbidden: u16,
    /// Write-protections under way whose effect was lifted.
    pub voided: u8,
    /// What went wrong in the step that led here.
    pub found: Vec<Found>,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Found {
    /// An invariant.
    Broken(Broken),
    /// A store that userfaultfd should have trapped.
    MissedUffd,
    /// A store that was not recorded.
    MissedSoftDirty,
    /// A store after mprotect forbade it.
    Forbidden,
    /// The page cache was written.
    FileModified,
    /// A state from which nobody can go on.
    Deadlock,
}

/// What a run ended with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// The threads' results.
    pub results: Vec<u8>,
    /// What a fresh load of X and Y in A would give, cell by cell; 255 where it would fault for good.
    pub x: [u8; 2],
    pub y: [u8; 2],
    /// Which variable leads to the page that holder 0 holds.
    pub held_at: Option<Va>,
    /// Does A's PTE of X allow writes, does it fault for hardware?
    pub x_writable: bool,
    pub x_protnone: bool,
}

/// Everything that a program can do.
pub struct Runs {
    pub ends: BTreeSet<End>,
    pub found: BTreeSet<Found>,
    pub states: usize,
}

impl Runs {
    /// Nothing went wrong.
    pub fn are_clean(&self) {
        assert!(self.found.is_empty(), "found {:?}", self.found);
    }

    /// The values that X's first cell may have at the end.
    pub fn x0(&self) -> BTreeSet<u8> {
        self.ends.iter().map(|end| end.x[0]).collect()
    }

    /// The variables at which the held page may be in the end, of the runs in which GUP found it; `None`: nowhere.
    pub fn held(&self, thread: usize) -> BTreeSet<Option<Va>> {
        let ends = self.ends.iter().filter(|end| end.results[thread] == 0);
        ends.map(|end| end.held_at).collect()
    }

    /// The results that a thread may have.
    pub fn results(&self, thread: usize) -> BTreeSet<u8> {
        self.ends.iter().map(|end| end.results[thread]).collect()
    }
}

/// FOLL_PIN | FOLL_WRITE of X, by holder 0, who keeps it.
pub fn pin() -> Op {
    gup(Hold::Pin)
}

/// FOLL_GET | FOLL_WRITE of X, by holder 0, who keeps it.
pub fn get() -> Op {
    gup(Hold::Get)
}

fn gup(hold: Hold) -> Op {
    let want = Want {
        mm: A,
        va: X,
        write: true,
        hold,
        longterm: false,
        force: false,
    };
    let then = Then::Hold { holder: HoldId(0) };
    Op::Call(get_user_pages_fast(want, then))
}

/// X's page sits in the LRU batch of some CPU: one more reference.
pub fn batched(m: &mut Machine) {
    let page = &mut m.frames[PX.at()];
    page.lru = false;
    page.batch = Some(Cpu(7));
    page.refs.0 += 1;
}

/// A program that starts with X mapped writable, dirty, exclusive and on the LRU in A, and Y mapped nowhere.
pub fn program(features: FeatureSet) -> Program {
    let sizes = Sizes {
        mms: 2,
        pages: 2,
        cells: 2,
        frames: 6,
        file_frames: 0,
        slots: 2,
        cpus: 0,
        ios: 1,
        holders: 1,
        pipes: 0,
    };
    let mut m = Machine::new();
    m.mms[0].alive = true;
    for va in [X, Y] {
        m.vmas[0][va.at()] = Vma {
            mapped: true,
            read: true,
            write: true,
            soft_dirty: true,
            anon_vma: true,
            ..Vma::absent(va)
        };
    }
    let mut data = Data::default();
    map(&mut m, &mut data, X, PX);
    m.frames[PX.at()].exclusive = features.contains(F::AnonExclusive);
    Program {
        cfg: Config::new(features, sizes),
        threads: Vec::new(),
        start: State {
            m,
            data,
            pc: [0; MAX_CPUS],
            results: [0; MAX_CPUS],
        },
        drains: false,
    }
}

/// Maps a new page, writable and dirty, in A.
pub fn map(m: &mut Machine, data: &mut Data, va: Va, pfn: Pfn) {
    m.frames[pfn.at()] = Page {
        kind: PageKind::Anon,
        refs: Count(1),
        mapcount: Count(1),
        uptodate: true,
        lru: true,
        swapbacked: true,
        home: Some(Home { root: A, index: va }),
        ..Page::FREE
    };
    data.frames[pfn.at()] = [OLD; MAX_CELLS];
    m.ptes[0][va.at()] = Present {
        write: true,
        dirty: true,
        soft_dirty: true,
        ..Pte::of(pfn)
    }
    .pte();
}

impl Program {
    /// One more thread, of A unless it is told otherwise.
    pub fn thread(mut self, ops: &[Op]) -> Program {
        self.push(Some(A), ops);
        self
    }

    /// A thread of the child.
    pub fn child(mut self, ops: &[Op]) -> Program {
        self.push(Some(B), ops);
        self
    }

    /// Something that the kernel does.
    pub fn kernel(mut self, ops: &[Op]) -> Program {
        self.push(None, ops);
        self
    }

    fn push(&mut self, mm: Option<MmId>, ops: &[Op]) {
        let cpu = self.threads.len();
        self.cfg.cpu_mm[cpu] = mm;
        self.cfg.sizes.cpus = cpu + 1;
        self.threads.push(Thread {
            mm,
            ops: ops.to_vec(),
        });
    }

    /// A thread knows X's translation from before.
    pub fn hot(mut self, cpu: usize) -> Program {
        self.start.m.tlbs[cpu][X.at()] = Some(machine::TlbEntry {
            pfn: PX,
            write: true,
            dirty: true,
        });
        self
    }

    /// Changes the start.
    pub fn start(mut self, change: impl FnOnce(&mut Machine)) -> Program {
        change(&mut self.start.m);
        self
    }

    /// Lets LRU batches drain at any time.
    pub fn with_drains(mut self) -> Program {
        self.drains = true;
        self
    }
}
