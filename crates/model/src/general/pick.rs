//! Which calls may begin, and how one does.

use cowherd_explore::Choice;
use cowherd_mm::machine::{Dir, IoState};
use cowherd_mm::memory::fault::Fault;
use cowherd_mm::pack::Naming;
use cowherd_mm::task::Task;
use cowherd_mm::*;

use super::{Grain, Slot};
use crate::calls::First;
use crate::program::{Op, Program, Stmt, StmtNo};
use crate::spec::{PROMISES, Values, value};
use crate::state::{State, Val};

impl Program {
    /// Is this a task of a general program that is in no call?
    pub fn rests(&self, state: &State, task: usize) -> bool {
        self.general.is_some()
            && !state.m.tasks[task].busy()
            && state.pc[task] as usize == self.tasks[task].stmts.len()
    }

    /// Is the process of a task there, and its fork over?
    pub(crate) fn forked(&self, state: &State, task: usize) -> bool {
        let Some(mm) = self.tasks[task].mm else {
            return true;
        };
        state.m.mms[mm.at()].alive
            && !self
                .others(state, task)
                .any(|op| op == Op::Fork { child: mm })
            && !self.exits(state, mm)
    }

    /// Is the last thread of a process ending it? All others have ended.
    fn exits(&self, state: &State, mm: MmId) -> bool {
        (0..self.tasks.len()).any(|t| {
            let exits = |stmt: &Stmt| stmt.op == Op::Exit;
            self.tasks[t].mm == Some(mm)
                && state.m.tasks[t].busy()
                && self.stmt(state, t).is_some_and(exits)
        })
    }

    /// What all others are busy with.
    fn others<'a>(&'a self, state: &'a State, task: usize) -> impl Iterator<Item = Op> + 'a {
        (0..self.tasks.len())
            .filter(move |&t| t != task)
            .filter_map(|t| self.stmt(state, t).map(|stmt| stmt.op))
    }

    /// May a resting task begin anything?
    pub(crate) fn may_begin(&self, state: &State, task: usize) -> bool {
        state.calls != 0
            && state.killed >> task & 1 == 0
            && self.started(state, task)
            && !self.waits_for_twin(state, task)
            && self.startable(state, task).next().is_some()
    }

    /// Are calls atomic, and is somebody else in the middle of one?
    pub(crate) fn must_wait(&self, state: &State, task: usize) -> bool {
        let atomic = self
            .general
            .as_ref()
            .is_some_and(|g| g.grain == Grain::Call);
        let goes_on = |t: usize| {
            t != task
                && state.m.tasks[t].busy()
                && self
                    .next_step(state, t)
                    .is_some_and(|step| step.wait.over(&state.m))
        };
        // Of two that were waiting for the same, the first goes on.
        let before = if state.m.tasks[task].busy() {
            task
        } else {
            self.tasks.len()
        };
        atomic && (0..before).any(goes_on)
    }

    /// Threads of one process in which nothing differs are one as good as the other: the first of them goes.
    fn waits_for_twin(&self, state: &State, task: usize) -> bool {
        self.naming == Naming::Canonical
            && state.blank(self, task)
            && (0..task).any(|t| {
                self.tasks[t].mm == self.tasks[task].mm
                    && state.killed >> t & 1 == 0
                    && state.blank(self, t)
            })
    }

    /// The entries that a resting task may begin.
    pub fn startable<'a>(
        &'a self,
        state: &'a State,
        task: usize,
    ) -> impl Iterator<Item = usize> + 'a {
        (0..self.tasks[task].stmts.len()).filter(move |&entry| self.may_start(state, task, entry))
    }

    /// May a resting task begin this entry?
    pub(crate) fn may_start(&self, state: &State, task: usize, entry: usize) -> bool {
        if self.left_after(state, task, entry).is_none() {
            return false;
        }
        let op = self.tasks[task].stmts[entry].op;
        let held = |holder: HoldId| {
            state.m.holders[holder.at()].page.is_some()
                && !self
                    .others(state, task)
                    .any(|op| op == Op::Release { holder })
        };
        let possible = match op {
            Op::Fork { child } => {
                (!state.ideal.knows(child) || self.is_gone(state, child))
                    && !self.others(state, task).any(|op| op == Op::Fork { child })
            }
            Op::Transfer { io, .. } => state.m.ios[io.at()].state == IoState::Idle,
            Op::Hold { holder, .. } => {
                state.ideal.unheld(holder)
                    && !self
                        .others(state, task)
                        .any(|op| matches!(op, Op::Hold { holder: h, .. } if h == holder))
            }
            Op::HeldLoad { holder, .. } | Op::HeldStore { holder, .. } | Op::Release { holder } => {
                held(holder)
            }
            Op::Fixed { holder, io, .. } => {
                held(holder) && state.m.ios[io.at()].state == IoState::Idle
            }
            _ => true,
        };
        if !possible || self.lacks_value(state, task, &op) {
            return false;
        }
        let v = View {
            m: &state.m,
            cfg: &self.cfg,
            who: Who {
                cpu: Cpu(task as u8),
                mm: self.tasks[task]
                    .mm
                    .or_else(|| op.target())
                    .unwrap_or(MmId(0)),
            },
        };
        match self.first_call(state, task, &op) {
            First::Call(call) => {
                let fault = Fault::Idle;
                Task { call, fault }.describe(&v).wait.over(&state.m)
            }
            First::Now => true,
            First::NotYet => false,
        }
    }

    /// Was this process there, and is nothing left of it? Whoever walks may fork it again.
    fn is_gone(&self, state: &State, mm: MmId) -> bool {
        let m = &state.m;
        let busy = |t: usize| {
            let names = |stmt: &Stmt| stmt.op.names().any(|named| named == mm);
            let tlb = self.tasks[t].mm == Some(mm) && m.tlbs[t].iter().any(Option::is_some);
            tlb || m.tasks[t].busy()
                && (self.tasks[t].mm == Some(mm) || self.stmt(state, t).is_some_and(names))
        };
        let mut ios = m.ios.iter();
        let mut bufs = m.pipes.iter().flatten().flatten();
        cfg!(feature = "wide")
            && !m.mms[mm.at()].alive
            && !(0..self.tasks.len()).any(busy)
            && !ios.any(|io| io.state != IoState::Idle && io.mm == mm)
            && !bufs.any(|buf| buf.mm == mm)
            && !self.spec.refers(&state.ideal, mm)
    }

    /// Is there no value that an operation could write?
    fn lacks_value(&self, state: &State, task: usize, op: &Op) -> bool {
        // Whoever walks is content with one that the page does not hold.
        !cfg!(feature = "wide")
            && self
                .class(task, op)
                .is_some_and(|class| fresh(state, class).is_none())
    }

    /// The calls that are left once this one has begun; none if it may not.
    fn left_after(&self, state: &State, task: usize, entry: usize) -> Option<u16> {
        let mm = self.tasks[task].mm;
        let calls = &self.general.as_ref()?.calls;
        calls.without(state.calls, Slot { mm, entry })
    }

    /// The values from which an operation takes one that is new.
    pub(crate) fn class(&self, task: usize, op: &Op) -> Option<Values> {
        let general = self.general.as_ref()?;
        let mine = self.tasks[task].mm.unwrap_or(MmId(0));
        match *op {
            Op::Store { .. } | Op::UffdCopy { .. } => Some(general.stores[mine.at()]),
            Op::HeldStore { holder, .. } => {
                Some(general.stores[self.spec.holders[holder.at()].mm.at()])
            }
            Op::Remote {
                mm, store: Some(_), ..
            } => Some(general.stores[mm.at()]),
            Op::Transfer {
                dir: Dir::ToMemory, ..
            } => Some(general.lands[mine.at()]),
            Op::Fixed {
                dir: Dir::ToMemory,
                mm,
                ..
            } => Some(general.lands[mm.at()]),
            _ => None,
        }
    }

    /// Does an entry write a value of its own?
    pub(crate) fn writes(&self, task: usize, entry: usize) -> bool {
        self.class(task, &self.tasks[task].stmts[entry].op)
            .is_some()
    }

    /// The value that an entry would write.
    pub fn would_write(&self, state: &State, task: usize, entry: usize) -> Option<u8> {
        let op = self.tasks[task].stmts[entry].op;
        self.class(task, &op).and_then(|class| fresh(state, class))
    }

    /// A resting task chooses what it begins.
    pub(crate) fn pick(&self, state: &mut State, task: usize, choice: &mut Choice) {
        let entries: u64 = self
            .startable(state, task)
            .fold(0, |set, entry| set | 1 << entry);
        let Some(entry) = nth(entries, choice.choose(entries.count_ones().max(1))) else {
            return;
        };
        let new = self.would_write(state, task, entry);
        self.start(state, task, entry, new);
    }

    /// A resting task begins an entry, with the value that it writes.
    pub(crate) fn start(&self, state: &mut State, task: usize, entry: usize, new: Option<u8>) {
        let Some(left) = self.left_after(state, task, entry) else {
            return;
        };
        state.pc[task] = entry as StmtNo;
        state.calls = left;
        if let Op::Fork { child } = self.tasks[task].stmts[entry].op
            && cfg!(feature = "wide")
        {
            self.bear(state, child);
        }
        let Some(new) = new else { return };
        match self.tasks[task].stmts[entry].op {
            Op::Transfer {
                io, cells, file, ..
            }
            | Op::Fixed {
                io, cells, file, ..
            } => {
                for cell in cells.iter() {
                    state.files[file.at()][self.file_cell(io, cell).at()] = new;
                }
            }
            _ => state.regs[task] = Val::Number(new),
        }
    }

    /// A process is about to be forked, perhaps again: nothing is left of one of its name.
    fn bear(&self, state: &mut State, child: MmId) {
        state.m.mms[child.at()] = machine::Mm::absent(child);
        for task in (0..self.tasks.len()).filter(|&t| self.tasks[t].mm == Some(child)) {
            state.killed &= !(1 << task);
        }
    }

    /// The entry that a choice names.
    pub fn picked(&self, state: &State, task: usize, choice: u32) -> Option<usize> {
        let entries: u64 = self
            .startable(state, task)
            .fold(0, |set, entry| set | 1 << entry);
        let n = entries.count_ones().max(1);
        nth(entries, choice % n)
    }

    /// A call is over.
    pub(crate) fn rest(&self, state: &mut State, task: usize) {
        state.pc[task] = self.tasks[task].stmts.len() as StmtNo;
        state.regs[task] = Val::Unset;
    }

    /// Is the program over, as far as it can be? What is broken stays broken; a reader of an empty pipe and a thread that
    /// userfaultfd stopped wait for what nobody promised.
    pub(crate) fn general_done(&self, state: &State) -> bool {
        if state.alarms & PROMISES != 0 {
            return true;
        }
        (0..self.tasks.len()).all(|task| {
            if state.m.tasks[task].busy() {
                self.next_step(state, task).is_some_and(|step| {
                    let user = matches!(
                        step.wait,
                        Wait::Uffd(..) | Wait::PipeFull(_) | Wait::PipeRoom(_)
                    );
                    user && !step.wait.over(&state.m)
                })
            } else {
                !self.may_begin(state, task)
            }
        })
    }

    /// Forgets what nobody can see any more (what files held for transfers that are over, and what they took from memory), and
    /// broken promises that do not count.
    pub(crate) fn forget(&self, state: &mut State) {
        let Some(general) = &self.general else { return };
        state.alarms &= general.counts;
        for &(io, dir, file, cells) in &general.transfers {
            if dir == Dir::ToDevice || state.m.ios[io.at()].state == IoState::Idle {
                for cell in cells.iter() {
                    state.files[file.at()][self.file_cell(io, cell).at()] = 0;
                }
            }
        }
    }
}

impl State {
    /// Does nothing tell this task from another of its process that has not begun?
    pub(crate) fn blank(&self, p: &Program, task: usize) -> bool {
        p.rests(self, task)
            && self.m.tlbs[task].iter().all(Option::is_none)
            && !self.m.batch_filled(Cpu(task as u8))
    }

    /// The values that somebody may still see.
    fn values(&self) -> Values {
        let mut values = self.ideal.values();
        let mut add = |v: u8| values |= value(v);
        self.frames.iter().flatten().for_each(|&v| add(v));
        self.slots.iter().flatten().for_each(|&v| add(v));
        self.files.iter().flatten().for_each(|&v| add(v));
        for reg in self.regs {
            if let Val::Number(v) = reg {
                add(v);
            }
        }
        values
    }
}

/// The least value of a class that nobody may see.
fn fresh(state: &State, class: Values) -> Option<u8> {
    let free = class & !state.values();
    (free != 0).then(|| free.trailing_zeros() as u8)
}

/// The nth member of a set.
fn nth(mut set: u64, n: u32) -> Option<usize> {
    for _ in 0..n {
        set &= set.wrapping_sub(1);
    }
    (set != 0).then(|| set.trailing_zeros() as usize)
}
