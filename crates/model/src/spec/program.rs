//! The specification of a program: what its statements may write, and what they use.
//!
//! Which values may be where is a least fixed point over all statements, whatever their order; only what the forking thread writes
//! after its fork is told apart, for no child is born with it. It decides what a broken promise is called, never whether one is.

use cowherd_litmus::ast::{self, Test};
use cowherd_mm::config::FileSystem;
use cowherd_mm::machine::{Dir, Hold};
use cowherd_mm::parts::Part;
use cowherd_mm::world::Trap;
use cowherd_mm::*;

use super::alarms::{GAVE_UP_BIT, HAZARD_SHIFT, Kind};
use super::cell_sets::CellSets;
use super::ideal::Ideal;
use super::page::Traps;
use super::promises::{By, HoldUse, IoUse, Promise, Spec, Values, value};
use crate::program::{Op, Program, Source, Starts, TaskProgram};
use crate::state::{Memory, State};

impl Spec {
    /// The promises made to `test`, as `p` runs it.
    pub fn new(test: &Test, p: &Program) -> Spec {
        let sizes = &p.cfg.sizes;
        let mut spec = Spec::new_for(sizes.mms as u8, sizes.pages as u8, sizes.cells);
        for (n, process) in test.processes.iter().enumerate() {
            spec.parents[n] = process.parent.map(|parent| MmId(parent.0));
        }
        for (va, page) in test.pages.iter().enumerate() {
            if let ast::Contents::File { file, .. } = page.contents {
                spec.base[va] = CellSets::just(&p.files[file.index()], sizes.cells);
            }
        }
        for state in &p.initial {
            spec.read_start(state);
        }
        for task in &p.tasks {
            for stmt in &task.stmts {
                spec.uses_of(p, task, &stmt.op);
            }
        }
        Flow::new(p).run(&mut spec);
        spec
    }

    /// What pages hold at the start.
    fn read_start(&mut self, state: &State) {
        for mm in 0..self.mms {
            for va in 0..self.pages {
                for cell in 0..self.cells {
                    if let Some(v) = state.read(MmId(mm), Va(va), Cell(cell)) {
                        self.starts[mm as usize][va as usize] |= value(v);
                    }
                }
            }
        }
    }

    /// What a transfer or a holder uses.
    fn uses_of(&mut self, p: &Program, task: &TaskProgram, op: &Op) {
        match *op {
            Op::Transfer {
                io,
                dir,
                va,
                cells,
                file,
                ..
            } => {
                self.ios[io.at()] = IoUse {
                    dir,
                    mm: task.mm.unwrap_or(MmId(0)),
                    va,
                    cells,
                    by: reference(&p.cfg, file),
                };
            }
            Op::Fixed {
                io,
                dir,
                holder,
                mm,
                va,
                cells,
                ..
            } => {
                self.ios[io.at()] = IoUse {
                    dir,
                    mm,
                    va,
                    cells,
                    by: By::Buffer(holder),
                };
            }
            Op::Hold { holder, want, .. } => {
                let promise = match want.hold {
                    Hold::Get if want.write => Promise::InSyncUnlessForked,
                    Hold::Pin if want.write || want.longterm => Promise::InSync,
                    _ => Promise::Snapshot,
                };
                self.holders[holder.at()] = HoldUse {
                    mm: want.mm,
                    va: want.va,
                    promise,
                };
            }
            Op::Free { va } => {
                if let Some(mm) = task.mm {
                    self.freed[mm.at()][va.at()] = true;
                }
            }
            _ => {}
        }
    }

    /// The ideal memory at the start of a run.
    pub fn initial(&self, state: &State) -> Ideal {
        let mut ideal = self.start();
        for mm in (0..self.mms).map(MmId) {
            if !state.m.mms[mm.at()].alive {
                continue;
            }
            ideal.born(mm);
            for va in (0..self.pages).map(Va) {
                let mut values = [0; MAX_CELLS];
                let mut mapped = false;
                for cell in (0..self.cells).map(Cell) {
                    if let Some(v) = state.read(mm, va, cell) {
                        (mapped, values[cell.at()]) = (true, v);
                    }
                }
                if !mapped {
                    continue;
                }
                ideal.map(mm, va, &values);
                let vma = &state.m.vmas[mm.at()][va.at()];
                let pte = state.m.ptes[mm.at()][va.at()];
                if let pgtable::Pte::Present { e } = pte
                    && state.m.frames[e.pfn.at()].kind == page::PageKind::Anon
                    && !state.m.frames[e.pfn.at()].swapbacked
                {
                    ideal.free_lazily(mm, va);
                }
                if !vma.write {
                    ideal.trap(mm, va, Traps::FORBIDDEN);
                }
                let uffd_wp = match pte {
                    pgtable::Pte::Present { e } => e.uffd_wp,
                    pgtable::Pte::Swap { e } => e.uffd_wp,
                    _ => false,
                };
                if vma.traps_writes(uffd_wp) {
                    ideal.trap(mm, va, Traps::by(Trap::Uffd));
                }
                if !crate::system::soft_dirty(&state.m, mm, va) {
                    ideal.trap(mm, va, Traps::by(Trap::SoftDirty));
                }
            }
        }
        ideal
    }

    /// What is checked in every state, whatever happened: the free observer of pages and pins. And what is forgotten because
    /// nobody asks any more.
    pub fn settle(&self, state: &mut State, alarms: &mut super::Alarms, p: &Program) {
        if state.ideal.watched() {
            state.origin.changed.add(Part::IDEAL);
            let read = read_by_reference(state, p);
            self.forget(&mut state.ideal, |mm, va| read.has(mm, va));
        }
        let State {
            m,
            frames,
            slots,
            ideal,
            origin,
            ..
        } = state;
        let changed = &mut origin.changed;
        let memory = Memory { m, frames, slots };
        let m = memory.m;
        for mm in (0..self.mms).map(MmId) {
            let proc = &m.mms[mm.at()];
            for va in (0..self.pages).map(Va) {
                let page = ideal.page(mm, va);
                let by = Trap::SoftDirty;
                if page.traps.has(Traps::by(by)) && crate::system::soft_dirty(m, mm, va) {
                    changed.add(Part::IDEAL);
                    self.event(ideal, alarms, Event::TrapLifted { mm, va, by });
                }
                if ideal.page(mm, va).dropping && !stale(m, &p.cfg, mm, va) {
                    changed.add(Part::IDEAL);
                    let page = ideal.page_mut(mm, va);
                    page.drop_end(&self.base[page.origin.at()]);
                    self.changed(ideal, alarms, mm, va);
                }
                if !proc.alive || proc.ptl || in_transit(m, mm, va) {
                    continue;
                }
                let Some(values) = memory.read(mm, va) else {
                    continue;
                };
                // What can only be so needs no look.
                if ideal.page(mm, va).worlds.are(values, self.cells) {
                    continue;
                }
                changed.add(Part::IDEAL);
                for cell in (0..self.cells).map(Cell) {
                    self.observe(ideal, alarms, mm, va, cell, values[cell.at()]);
                }
            }
        }
        for (n, holder) in m.holders[..p.cfg.sizes.holders].iter().enumerate() {
            let ptl = m.mms[self.holders[n].mm.at()].ptl;
            let Some(pfn) = holder.page.filter(|_| !ptl) else {
                continue;
            };
            changed.add(Part::IDEAL);
            for cell in (0..self.cells).map(Cell) {
                let value = memory.frames[pfn.at()][cell.at()];
                self.observe_held(ideal, alarms, HoldId(n as u8), cell, value);
            }
        }
    }
}

/// Does some TLB lead elsewhere than the page table?
fn stale(m: &Machine, cfg: &Config, mm: MmId, va: Va) -> bool {
    let now = m.ptes[mm.at()][va.at()].present().map(|e| e.pfn);
    let leads = |cpu: usize| m.tlbs[cpu][va.at()].map(|e| e.pfn);
    (0..cfg.sizes.cpus)
        .any(|cpu| cfg.cpu_mm[cpu] == Some(mm) && leads(cpu).is_some_and(|pfn| now != Some(pfn)))
}

/// Is the page swapped out, and its cached folio being filled under its lock: read from the slot, or copied to by migration? A
/// fault waits for the lock before it looks.
fn in_transit(m: &Machine, mm: MmId, va: Va) -> bool {
    let pgtable::Pte::Swap { e } = m.ptes[mm.at()][va.at()] else {
        return false;
    };
    m.slots[e.slot.at()].cache.is_some_and(|pfn| {
        let page = &m.frames[pfn.at()];
        page.locked && !page.uptodate
    })
}

/// The addresses that are read by reference: from a pipe, or by a call under way.
fn read_by_reference(state: &State, p: &Program) -> Addresses {
    let mut read = Addresses([0; WORDS]);
    for buf in state.m.pipes.iter().flatten().flatten() {
        read.add(buf.mm, buf.va);
    }
    for t in (0..p.tasks.len()).filter(|&t| state.m.tasks[t].busy()) {
        match p.stmt(state, t).map(|stmt| &stmt.op) {
            Some(&Op::Vmsplice { va, .. }) => {
                if let Some(mm) = p.tasks[t].mm {
                    read.add(mm, va);
                }
            }
            Some(&Op::Remote { mm, va, .. }) => read.add(mm, va),
            _ => {}
        }
    }
    read
}

const WORDS: usize = (MAX_MMS * MAX_PAGES).div_ceil(32);

/// One bit for each address of each process.
struct Addresses([u32; WORDS]);

impl Addresses {
    fn place(mm: MmId, va: Va) -> (usize, usize) {
        let n = mm.at() * MAX_PAGES + va.at();
        if WORDS == 1 { (0, n) } else { (n / 32, n % 32) }
    }

    fn add(&mut self, mm: MmId, va: Va) {
        let (word, bit) = Addresses::place(mm, va);
        self.0[word] |= 1 << bit;
    }

    fn has(&self, mm: MmId, va: Va) -> bool {
        let (word, bit) = Addresses::place(mm, va);
        self.0[word] >> bit & 1 == 1
    }
}

/// Who does direct I/O on `file` decides what holds the page.
fn reference(cfg: &Config, file: FileId) -> By {
    let pins = match cfg.files[file.at()] {
        FileSystem::Block | FileSystem::BlockSync => cfg.features().contains(Feature::DioPin),
        FileSystem::Fuse => cfg.features().contains(Feature::FusePin),
        FileSystem::Nfs | FileSystem::Ceph => false,
    };
    if pins { By::Pin } else { By::Get }
}

/// Which values may get where.
struct Flow<'p> {
    p: &'p Program,
    regs: Vec<Values>,
    files: [Values; MAX_FILES],
    piped: Values,
}

impl<'p> Flow<'p> {
    fn new(p: &'p Program) -> Flow<'p> {
        let mut files = [0; MAX_FILES];
        for (set, contents) in files.iter_mut().zip(&p.files) {
            *set = contents.iter().fold(0, |set, &v| set | value(v));
        }
        Flow {
            p,
            regs: vec![0; p.regs.len()],
            files,
            piped: 0,
        }
    }

    /// Up to the fixed point.
    fn run(&mut self, spec: &mut Spec) {
        loop {
            let before = (
                self.regs.clone(),
                self.files,
                self.piped,
                spec.stores,
                spec.lands,
                spec.inherits,
            );
            for (t, task) in self.p.tasks.iter().enumerate() {
                for stmt in &task.stmts {
                    self.statement(spec, task.mm, &stmt.op, stmt.result);
                    if let Op::Fork { child } = stmt.op {
                        self.fork(spec, t, task, child);
                    }
                }
            }
            let after = (
                self.regs.clone(),
                self.files,
                self.piped,
                spec.stores,
                spec.lands,
                spec.inherits,
            );
            if before == after {
                return;
            }
        }
    }

    fn source(&self, source: Source) -> Values {
        match source {
            Source::Value(v) => value(v),
            // A register that no load filled holds 0: the result of a call.
            Source::Reg(reg) => self.regs[reg] | 1,
            Source::File(file, _) => self.files[file.at()],
        }
    }

    fn read(&mut self, result: Option<usize>, values: Values) {
        if let Some(reg) = result {
            self.regs[reg] |= values;
        }
    }

    fn statement(&mut self, spec: &mut Spec, mm: Option<MmId>, op: &Op, result: Option<usize>) {
        let mm = mm.unwrap_or(MmId(0));
        match *op {
            Op::Load { va, .. } => self.read(result, spec.ever(mm, va)),
            Op::LoadToFile { va, file, .. } => self.files[file.at()] |= spec.ever(mm, va),
            Op::Transfer {
                io, dir, va, file, ..
            } => self.transfer(spec, io, dir, mm, va, file),
            Op::Fixed {
                io,
                dir,
                mm,
                va,
                file,
                ..
            } => self.transfer(spec, io, dir, mm, va, file),
            Op::Vmsplice { va, .. } => self.piped |= spec.ever(mm, va),
            Op::ReadPipe { .. } => self.read(result, self.piped),
            Op::HeldLoad { holder, .. } => {
                let used = spec.holders[holder.at()];
                self.read(result, spec.ever(used.mm, used.va));
            }
            Op::Remote {
                mm,
                va,
                store: None,
                ..
            } => self.read(result, spec.ever(mm, va)),
            _ => {
                if let Some((mm, va, values)) = self.stores(spec, mm, op) {
                    spec.stores[mm.at()][va.at()] |= values;
                }
            }
        }
    }

    fn transfer(&mut self, spec: &mut Spec, _io: IoId, dir: Dir, mm: MmId, va: Va, file: FileId) {
        match dir {
            Dir::ToMemory => spec.lands[mm.at()][va.at()] |= self.files[file.at()],
            Dir::ToDevice => self.files[file.at()] |= spec.ever(mm, va),
        }
    }

    /// What a statement stores where.
    fn stores(&self, spec: &Spec, mm: MmId, op: &Op) -> Option<(MmId, Va, Values)> {
        match *op {
            Op::Store { va, value, .. } => Some((mm, va, self.source(value))),
            Op::HeldStore { holder, value, .. } => {
                let used = spec.holders[holder.at()];
                Some((used.mm, used.va, self.source(value)))
            }
            Op::Remote {
                mm,
                va,
                store: Some(value),
                ..
            } => Some((mm, va, self.source(value))),
            Op::UffdCopy { va, values } => {
                let all = values.iter().fold(0, |all, &v| all | self.source(v));
                Some((mm, va, all))
            }
            // What moves there may be seen there.
            Op::Mremap { from, to } | Op::UffdMove { to, from } => {
                Some((mm, to, spec.ever(mm, from)))
            }
            _ => None,
        }
    }

    /// A child is born with whatever its parent's pages hold before the fork is over: not with what only comes after it in the
    /// thread that forks, nor in threads that begin later still.
    fn fork(&self, spec: &mut Spec, t: usize, task: &TaskProgram, child: MmId) {
        let Some(parent) = task.mm else { return };
        let at = task
            .stmts
            .iter()
            .position(|s| matches!(s.op, Op::Fork { child: c } if c == child));
        let Some(at) = at else { return };
        for va in (0..spec.pages).map(Va) {
            let by = |set: &super::promises::ByPage| set[parent.at()][va.at()];
            spec.inherits[child.at()][va.at()] |= by(&spec.starts) | by(&spec.inherits);
        }
        for (other, theirs) in self.p.tasks.iter().enumerate() {
            let late =
                matches!(theirs.starts, Starts::After { task, stmt } if task == t && stmt >= at);
            if late {
                continue;
            }
            let stmts = if other == t {
                &theirs.stmts[..at]
            } else {
                &theirs.stmts[..]
            };
            let their_mm = theirs.mm.unwrap_or(MmId(0));
            for stmt in stmts {
                let wrote = match stmt.op {
                    Op::Transfer {
                        dir: Dir::ToMemory,
                        va,
                        file,
                        ..
                    } => Some((their_mm, va, self.files[file.at()])),
                    Op::Fixed {
                        dir: Dir::ToMemory,
                        mm,
                        va,
                        file,
                        ..
                    } => Some((mm, va, self.files[file.at()])),
                    op => self.stores(spec, their_mm, &op),
                };
                if let Some((mm, va, values)) = wrote
                    && mm == parent
                {
                    spec.inherits[child.at()][va.at()] |= values;
                }
            }
        }
    }
}

const _: () = assert!(Kind::ALL.len() as u32 <= HAZARD_SHIFT && HAZARD_SHIFT + 7 <= GAVE_UP_BIT);
