//! Small programs on a machine with a byte a cell, run in every interleaving and with every choice.

use std::collections::{BTreeSet, HashSet};

use cowherd_mm::access::Access as CpuAccess;
use cowherd_mm::feature::Feature as F;
use cowherd_mm::gup::{Then, Want, get_user_pages_fast};
use cowherd_mm::machine::{Hold, IoState, Vma};
use cowherd_mm::memory::fault::Fault;
use cowherd_mm::mprotect::ChangeProtection;
use cowherd_mm::mprotect::change_protection::By;
use cowherd_mm::pack::{Names, Naming, Writer};
use cowherd_mm::page::{Home, Page, PageKind};
use cowherd_mm::parts::Kind;
use cowherd_mm::pgtable::{Present, Pte};
use cowherd_mm::task::{Call, Next};
use cowherd_mm::*;

use crate::world::{Driver, bit};

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

    fn who(&self, task: usize) -> Who {
        Who {
            cpu: Cpu(task as u8),
            mm: self.threads[task].mm.unwrap_or(A),
        }
    }

    fn op(&self, s: &State, task: usize) -> Option<Op> {
        self.threads[task].ops.get(s.pc[task] as usize).copied()
    }

    /// The task as it will be stepped: between calls, at the start of the next one.
    fn task(&self, s: &State, task: usize) -> Option<Task> {
        if s.m.tasks[task].busy() {
            return Some(s.m.tasks[task]);
        }
        let mm = self.threads[task].mm.unwrap_or(A);
        if !s.m.mms[mm.at()].alive || (mm == B && s.m.mms[B.at()].writer) {
            return None;
        }
        let call = match self.op(s, task)? {
            Op::Load(va, _) => Call::Access {
                p: CpuAccess::load(va),
            },
            Op::Store(va, ..) => Call::Access {
                p: CpuAccess::store(va),
            },
            Op::Call(Next::Call { call }) => call,
            Op::Call(_) => panic!("a call that begins otherwise"),
            Op::After(..) => Call::Idle,
        };
        let fault = Fault::Idle;
        Some(Task { call, fault })
    }

    fn enabled(&self, s: &State, task: usize) -> bool {
        if let Some(Op::After(other, pc)) = self.op(s, task) {
            return s.pc[other] >= pc || self.op(s, other).is_none();
        }
        let Some(t) = self.task(s, task) else {
            return false;
        };
        let v = View {
            m: &s.m,
            cfg: &self.cfg,
            who: self.who(task),
        };
        t.describe(&v).wait.over(&s.m)
    }

    /// Steps `actor` with the choices of `script`; what was asked on the way.
    fn step(&self, s: &mut State, actor: usize, script: &[u8]) -> Vec<u8> {
        let tasks = self.threads.len();
        let mut none = 0;
        let (op, who) = if actor < tasks {
            if let Some(Op::After(..)) = self.op(s, actor) {
                s.pc[actor] += 1;
                return Vec::new();
            }
            (self.op(s, actor), self.who(actor))
        } else {
            let who = Who { cpu: Cpu(0), mm: A };
            (None, who)
        };
        let task = if actor < tasks {
            self.task(s, actor)
        } else {
            None
        };
        let State {
            m, data, results, ..
        } = s;
        let mut driver = Driver {
            data,
            op,
            result: results.get_mut(actor).unwrap_or(&mut none),
            script,
            asked: Vec::new(),
            stored: None,
            lifted: 0,
            trapped: 0,
        };
        let mut k = Kernel::new(m, &self.cfg, &mut driver, who);
        let mut returned = None;
        if let Some(mut task) = task {
            returned = task.step(&mut k);
            m.tasks[actor] = task;
        } else {
            match actor - tasks {
                slot if slot < MAX_SLOTS => k.writeback_step(Slot(slot as u8)),
                cpu if cpu < 2 * MAX_SLOTS => k.lru_add_drain_cpu(Cpu((cpu - MAX_SLOTS) as u8)),
                _ => direct_io::device::step_io(&mut k, IoId(0)),
            }
        }
        let Driver {
            asked,
            stored,
            lifted,
            trapped,
            ..
        } = driver;
        self.judge(s, actor, stored, lifted, trapped);
        if let Some(result) = returned {
            match result {
                Err(errno) => s.results[actor] = 100 + errno as u8,
                Ok(()) if !matches!(op, Some(Op::Load(..))) => s.results[actor] = 0,
                Ok(()) => {}
            }
            s.pc[actor] += 1;
            s.data.voided &= !(1u8.checked_shl(actor as u32).unwrap_or(0));
            if result == Err(Errno::Segv) {
                s.pc[actor] = self.threads[actor].ops.len() as u8;
            }
        }
        asked
    }

    /// Holds what was promised against what happened.
    fn judge(
        &self,
        s: &mut State,
        actor: usize,
        stored: Option<(MmId, Va)>,
        lifted: u16,
        trapped: u16,
    ) {
        for (n, task) in s.m.tasks.iter().enumerate() {
            if let Call::ChangeProtection {
                p:
                    ChangeProtection::Pte { c }
                    | ChangeProtection::Flush { c, .. }
                    | ChangeProtection::End { c },
            } = task.call
                && matches!(c.by, By::UffdWp | By::UffdRwp)
                && lifted & bit(c.mm, c.va) != 0
            {
                s.data.voided |= 1 << n;
            }
        }
        if trapped != 0 && s.data.voided & (1 << actor) == 0 {
            s.data.uffd |= trapped;
        }
        if let Some((mm, va)) = stored {
            let vma = &s.m.vmas[mm.at()][va.at()];
            if s.data.uffd & bit(mm, va) != 0 {
                s.data.found.push(Found::MissedUffd);
            }
            if s.data.forbidden & bit(mm, va) != 0 {
                s.data.found.push(Found::Forbidden);
            }
            let dirty = match s.m.ptes[mm.at()][va.at()] {
                Pte::None | Pte::Marker => true,
                Pte::Present { e } => e.soft_dirty,
                Pte::Swap { e } => e.soft_dirty,
                Pte::Migration { e } => e.soft_dirty,
            };
            if s.data.soft_dirty & bit(mm, va) != 0 && !dirty && !vma.soft_dirty {
                s.data.found.push(Found::MissedSoftDirty);
            }
        }
        for pfn in 0..MAX_FRAMES {
            let file = s.m.frames[pfn].kind == PageKind::File;
            if file && s.data.frames[pfn] != self.start.data.frames[pfn] {
                s.data.found.push(Found::FileModified);
            }
        }
        for broken in invariants::broken(&s.m, &self.cfg).iter() {
            s.data.found.push(Found::Broken(broken));
        }
    }

    fn actors(&self, s: &State) -> Vec<usize> {
        let tasks = self.threads.len();
        let mut able: Vec<usize> = (0..tasks).filter(|&t| self.enabled(s, t)).collect();
        for slot in 0..self.cfg.sizes.slots {
            if s.m.writeback_pending(Slot(slot as u8)) {
                able.push(tasks + slot);
            }
        }
        for cpu in 0..tasks {
            if self.drains && s.m.batch_filled(Cpu(cpu as u8)) {
                able.push(tasks + MAX_SLOTS + cpu);
            }
        }
        let v = View {
            m: &s.m,
            cfg: &self.cfg,
            who: self.who(0),
        };
        let device = direct_io::device::describe(&v, IoId(0));
        if device.is_some_and(|step| step.wait.over(&s.m)) {
            able.push(tasks + 2 * MAX_SLOTS);
        }
        able
    }

    fn key(&self, s: &State) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (mut w, mut names) = (Writer::new(&mut bytes), Names::new(Naming::Kept));
        let sizes = &self.cfg.sizes;
        w.parts(
            sizes,
            s.m.in_use(),
            None,
            &mut names,
            |part, w, names| match part {
                Kind::Mm(mm) => s.m.pack_mm(mm, sizes, &self.start.m, w, names),
                Kind::Task(cpu) => s.m.pack_task(cpu, w, names),
                Kind::Tlbs => s.m.pack_tlbs(sizes, w, names),
                Kind::Devices => s.m.pack_devices(sizes, w, names),
                Kind::Frame(pfn) => _ = s.m.pack_frame(pfn, w, names),
                Kind::Slot(slot) => w.word(s.m.put_slot(slot, names)),
                Kind::Head | Kind::Ideal | Kind::Start | Kind::Used => {}
            },
        );
        w.finish();
        bytes.extend(s.pc);
        bytes.extend(s.results);
        let d = &s.data;
        bytes.extend(d.frames[..sizes.frames].iter().flatten());
        bytes.extend(d.slots[..sizes.slots].iter().flatten());
        for promised in [d.uffd, d.soft_dirty, d.forbidden, u16::from(d.voided)] {
            bytes.extend(promised.to_le_bytes());
        }
        bytes
    }

    /// Runs it in every way.
    pub fn run(&self) -> Runs {
        let mut seen = HashSet::new();
        let mut todo = vec![self.start.clone()];
        let mut runs = Runs {
            ends: BTreeSet::new(),
            found: BTreeSet::new(),
            states: 0,
        };
        seen.insert(self.key(&self.start));
        while let Some(s) = todo.pop() {
            runs.states += 1;
            assert!(runs.states < 3_000_000, "too many states");
            let actors = self.actors(&s);
            let over = (0..self.threads.len()).all(|t| self.op(&s, t).is_none());
            if over && s.m.ios[0].state == IoState::Idle {
                runs.ends.insert(self.end(&s));
            }
            if actors.is_empty() && !over && !self.waits_for_ever(&s) {
                runs.found.insert(Found::Deadlock);
            }
            for actor in actors {
                let mut script: Vec<u8> = Vec::new();
                loop {
                    let mut next = s.clone();
                    let asked = self.step(&mut next, actor, &script);
                    runs.found.extend(next.data.found.drain(..));
                    if seen.insert(self.key(&next)) {
                        todo.push(next);
                    }
                    script.resize(asked.len(), 0);
                    while let Some(last) = script.pop() {
                        if last + 1 < asked[script.len()] {
                            script.push(last + 1);
                            break;
                        }
                    }
                    if script.is_empty() {
                        break;
                    }
                }
            }
        }
        runs
    }

    /// Is every thread that has not ended in a userfault, or in a process that is not there?
    fn waits_for_ever(&self, s: &State) -> bool {
        (0..self.threads.len()).all(|t| {
            let absent = !s.m.mms[self.who(t).mm.at()].alive;
            absent
                || self.op(s, t).is_none()
                || matches!(s.m.tasks[t].fault, Fault::Userfault { .. })
        })
    }

    fn end(&self, s: &State) -> End {
        let read = |va: Va| match s.m.ptes[A.at()][va.at()] {
            _ if !s.m.vmas[A.at()][va.at()].mapped => [255; 2],
            Pte::Present { e } => [0, 1].map(|cell| s.data.frames[e.pfn.at()][cell]),
            Pte::Swap { e } => {
                let slot = &s.m.slots[e.slot.at()];
                [0, 1].map(|cell| match slot.cache {
                    Some(pfn) => s.data.frames[pfn.at()][cell],
                    None => s.data.slots[e.slot.at()][cell],
                })
            }
            Pte::Migration { e } => [0, 1].map(|cell| s.data.frames[e.pfn.at()][cell]),
            Pte::None | Pte::Marker => [0; 2],
        };
        let leads = |va: Va| match s.m.ptes[A.at()][va.at()] {
            Pte::Present { e } => Some(e.pfn),
            Pte::Swap { e } => s.m.slots[e.slot.at()].cache,
            Pte::Migration { e } => Some(e.pfn),
            Pte::None | Pte::Marker => None,
        };
        let held = s.m.holders[0].page;
        let e = s.m.ptes[A.at()][X.at()].present();
        End {
            results: s.results[..self.threads.len()].to_vec(),
            x: read(X),
            y: read(Y),
            held_at: [X, Y]
                .into_iter()
                .find(|&va| held.is_some() && leads(va) == held),
            x_writable: e.is_some_and(|e| e.write),
            x_protnone: e.is_some_and(|e| e.protnone),
        }
    }
}
