//! A program as the explorer steps it.
//!
//! Actors, in this order: one a task; one a transfer in flight; one a swap slot (its write in flight); one a CPU (its LRU
//! batches, which may drain at any time), and where there is swap one for the CPUs without a task. The start of a call is glued to the call's first step.

use cowherd_explore::{Choice, Footprint, Mover, System};
use cowherd_mm::direct_io::device;
use cowherd_mm::machine::IoState;
use cowherd_mm::parts::Part;
use cowherd_mm::step::{Moves, step};
use cowherd_mm::*;

use crate::calls::{First, enters};
use crate::driver::split;
use crate::program::{Op, Program, Source, Stmt, StmtNo};
use crate::spec::{Alarm, Alarms};
use crate::state::{State, Val};

/// Who an actor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A task, on the CPU of the same number.
    Task(usize),
    /// The device behind a transfer.
    Device(IoId),
    /// The swap device, writing a slot.
    SwapDevice(Slot),
    /// The LRU batches of a CPU.
    Drain(Cpu),
}

impl Program {
    /// Who the `n`th actor is.
    pub fn actor(&self, n: usize) -> Actor {
        let s = &self.cfg.sizes;
        if n < s.cpus {
            return Actor::Task(n);
        }
        let n = n - s.cpus;
        if n < s.ios {
            return Actor::Device(IoId(n as u8));
        }
        let n = n - s.ios;
        if n < s.slots {
            Actor::SwapDevice(Slot(n as u8))
        } else {
            Actor::Drain(self.drained(n - s.slots))
        }
    }

    /// Whose batches the `n`th of the draining actors empties.
    fn drained(&self, n: usize) -> Cpu {
        if n < self.cfg.sizes.cpus {
            Cpu(n as u8)
        } else {
            Cpu::ELSEWHERE
        }
    }

    /// Who takes a step of this task, for the mm. A kernel actor takes the process that it works on for its own.
    pub fn who(&self, state: &State, task: usize) -> Who {
        let target = || self.stmt(state, task).and_then(|stmt| stmt.op.target());
        Who {
            cpu: Cpu(task as u8),
            mm: self.tasks[task].mm.or_else(target).unwrap_or(MmId(0)),
        }
    }

    pub(crate) fn view<'a>(&'a self, state: &'a State, task: usize) -> View<'a> {
        View {
            m: &state.m,
            cfg: &self.cfg,
            who: self.who(state, task),
        }
    }

    /// The statement that the task is at, if it has one left.
    pub fn stmt(&self, state: &State, task: usize) -> Option<&Stmt> {
        if state.killed & (1 << task) != 0 {
            return None;
        }
        self.tasks[task].stmts.get(state.pc[task] as usize)
    }

    pub(crate) fn finished(&self, state: &State, task: usize) -> bool {
        !state.m.tasks[task].busy()
            && (self.stmt(state, task).is_none() || self.waits_in_vain(state, task))
    }

    /// The step that a task takes next: of the call under way, or the first of the next one.
    pub fn next_step(&self, state: &State, task: usize) -> Option<Step> {
        let stmt = self.stmt(state, task)?;
        let v = self.view(state, task);
        let current = state.m.tasks[task];
        if current.busy() {
            return Some(current.describe(&v));
        }
        if !self.started(state, task) {
            return None;
        }
        match self.first_call(state, task, &stmt.op) {
            First::Call(call) => Some(
                Task {
                    call,
                    fault: memory::fault::Fault::Idle,
                }
                .describe(&v),
            ),
            First::Now => Some(step("enter", stmt.name)),
            First::NotYet => None,
        }
    }

    fn step_task(&self, state: &mut State, task: usize, choice: &mut Choice) -> Done {
        let Some(stmt) = self.stmt(state, task) else {
            return Done::default();
        };
        let mut current = state.m.tasks[task];
        let first = if current.busy() {
            None
        } else {
            Some(self.first_call(state, task, &stmt.op))
        };
        let mut value = None;
        let who = self.who(state, task);
        let (m, mut driver) = split(
            self,
            state,
            choice,
            Some(&stmt.op),
            stmt.result,
            self.tasks[task].mm,
        );
        if !matches!(first, None | Some(First::NotYet)) {
            enters(&mut driver, &stmt.op);
        }
        let mut k = Kernel::new(m, &self.cfg, &mut driver, who);
        let step = |current: &mut Task, k: &mut Kernel| {
            self.taken.note(current);
            current.step(k)
        };
        let returned = match first {
            None => step(&mut current, &mut k),
            Some(First::Call(call)) => {
                current = Task {
                    call,
                    fault: memory::fault::Fault::Idle,
                };
                step(&mut current, &mut k)
            }
            Some(First::Now) => {
                let next = self.begin(&mut k, stmt.op, &mut value);
                // The entry leads into GUP, whose first step waits for nothing.
                match current.go(next) {
                    None => step(&mut current, &mut k),
                    done => done,
                }
            }
            Some(First::NotYet) => return Done::default(),
        };
        let mut touched = k.touched();
        if let (Some(Err(_)), Op::Hold { holder, .. }) = (&returned, stmt.op) {
            driver.event(Event::Released { holder });
        }
        touched.add(driver.touched);
        let (alarms, told, wrote) = (driver.alarms, driver.told, driver.wrote);
        state.m.tasks[task] = current;
        let changed = &mut state.origin.changed;
        changed.touch(touched);
        changed.add(Part::task(Cpu(task as u8)));
        changed.add_if(told, Part::IDEAL);
        changed.add_if(wrote || returned.is_some(), Part::HEAD);
        if let memory::fault::Fault::Userfault { f } = current.fault
            && self.watches_traps
        {
            state.trapped |= 1 << (f.mm.0 * 4 + f.va.0);
            state.origin.changed.add(Part::HEAD);
        }
        state.note(alarms);
        if let Some(result) = returned {
            self.returned(state, task, result, value);
        }
        Done {
            touched,
            alarms,
            told,
        }
    }

    /// A call returned: its result, and the next statement.
    fn returned(
        &self,
        state: &mut State,
        task: usize,
        result: Result<(), Errno>,
        value: Option<Val>,
    ) {
        let stmt = &self.tasks[task].stmts[state.pc[task] as usize];
        let gives_value = matches!(
            stmt.op,
            Op::Load { .. }
                | Op::HeldLoad { .. }
                | Op::ReadPipe { .. }
                | Op::Remote { store: None, .. }
        );
        // What a system call copies for its caller is no access of his: a fault ends the call, not him.
        let buffered = matches!(
            stmt.op,
            Op::LoadToFile { .. }
                | Op::Store {
                    value: Source::File(..),
                    ..
                }
        );
        let result = result.map_err(|errno| match errno {
            Errno::Segv if buffered => Errno::Efault,
            errno => errno,
        });
        match result {
            Err(Errno::Segv) => state.killed |= 1 << task,
            Err(errno) => {
                if let Some(reg) = stmt.result {
                    state.regs[reg] = Val::Failed(errno);
                }
                if let Some(bit) = stmt.refusal {
                    state.refused |= 1 << bit;
                }
                if let Op::Fork { child } = stmt.op {
                    for (t, other) in self.tasks.iter().enumerate() {
                        if other.mm == Some(child) {
                            state.killed |= 1 << t;
                        }
                    }
                }
            }
            Ok(()) => {
                if let Some(reg) = stmt.result
                    && !gives_value
                {
                    state.regs[reg] = value.unwrap_or(Val::Number(0));
                }
            }
        }
        match &self.general {
            None => state.pc[task] += 1,
            Some(_) => self.rest(state, task),
        }
    }

    /// The description of an actor's next step, for witnesses.
    pub fn describe(&self, state: &State, actor: usize) -> Option<Step> {
        match self.actor(actor) {
            Actor::Task(task) => self.next_step(state, task),
            Actor::Device(io) => device::describe(&self.view(state, 0), io),
            Actor::SwapDevice(slot) => state.m.writeback_pending(slot).then(|| {
                let last = state.m.slots[slot.at()].writing.is_empty();
                if last {
                    step("RC13", "end_swap_bio_write")
                } else {
                    step("RC12", "swap device reads page")
                }
            }),
            Actor::Drain(cpu) => state
                .m
                .batch_filled(cpu)
                .then(|| step("drain", "lru_add_drain_cpu")),
        }
    }
}

fn mover(moves: Moves) -> Mover {
    match moves {
        Moves::Right => Mover::Right,
        Moves::Left => Mover::Left,
        Moves::Both => Mover::Both,
        Moves::No => Mover::None,
    }
}

/// What /proc/pid/pagemap says of a page. Of a hole it says nothing.
pub fn pagemap(m: &Machine, mm: MmId, va: Va) -> bool {
    m.vmas[mm.at()][va.at()].mapped && soft_dirty(m, mm, va)
}

/// Is a page soft-dirty, by its PTE or its VMA?
pub fn soft_dirty(m: &Machine, mm: MmId, va: Va) -> bool {
    let vma = &m.vmas[mm.at()][va.at()];
    vma.soft_dirty
        || match m.ptes[mm.at()][va.at()] {
            pgtable::Pte::Present { e } => e.soft_dirty,
            pgtable::Pte::Swap { e } => e.soft_dirty,
            pgtable::Pte::Migration { e } => e.soft_dirty,
            pgtable::Pte::None | pgtable::Pte::Marker => false,
        }
}

/// What a step did beside the state.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) touched: Touch,
    pub(crate) alarms: Alarms,
    /// Was the ideal memory told anything?
    pub(crate) told: bool,
}

impl State {
    pub(crate) fn note(&mut self, alarms: Alarms) {
        let before = self.alarms;
        self.alarms |= alarms.word();
        self.origin
            .changed
            .add_if(before != self.alarms, Part::HEAD);
    }
}

#[cfg(not(feature = "wide"))]
impl System for Program {
    type State = State;

    fn initial(&self, each: &mut dyn FnMut(State)) {
        for state in &self.initial {
            each(state.clone());
        }
    }

    fn actors(&self) -> usize {
        Program::actors(self)
    }

    fn enabled(&self, state: &State, actor: usize) -> bool {
        self.next_move(state, actor).is_some()
    }

    fn step(&self, state: &mut State, actor: usize, choice: &mut Choice) {
        let told = cfg!(debug_assertions).then(|| self.told(state, actor));
        let done = self.act(state, actor, choice);
        if let Some((label, told)) = told {
            let did = self.coarse(state, done.touched);
            assert!(
                told.covers(did),
                "{label} touched {did:x?}, and told {told:x?}"
            );
        }
        self.settle(state, &done);
    }

    fn done(&self, state: &State) -> bool {
        let pending = |io: &machine::Io| {
            !matches!(
                io.state,
                IoState::Idle | IoState::Entered | IoState::Done | IoState::Failed
            )
        };
        // A device that needs stable pages tells of a torn write only when it is over.
        let writing = |slot: usize| state.m.writeback_pending(Slot(slot as u8));
        if state.m.ios[..self.cfg.sizes.ios].iter().any(pending)
            || self.cfg.swap.stable_writes && (0..self.cfg.sizes.slots).any(writing)
        {
            return false;
        }
        if self.general.is_some() {
            return self.general_done(state);
        }
        (0..self.tasks.len()).all(|task| {
            let asleep = |step: Step| {
                // Who exits under somebody who sleeps so leaves him the process.
                let for_ever = matches!(step.wait, Wait::Uffd(..) | Wait::MmUsers(_));
                for_ever && !step.wait.over(&state.m)
            };
            let exits = || {
                self.stmt(state, task)
                    .is_some_and(|stmt| stmt.op == Op::Exit)
            };
            self.finished(state, task)
                || (state.m.tasks[task].faults() || exits())
                    && self.next_step(state, task).is_some_and(asleep)
        })
    }

    fn flags(&self, state: &State) -> u64 {
        state.alarms
    }

    fn outcome(&self, state: &State, out: &mut Vec<u8>) {
        self.observe(state, out);
    }

    fn pack(&self, state: &State, out: &mut Vec<u8>) {
        state.pack(self, out);
    }

    fn pack_after(&self, from: &State, state: &State, out: &mut Vec<u8>) {
        state.pack_after(self, from, out);
    }

    fn unpack(&self, bytes: &[u8]) -> State {
        State::unpack(self, bytes)
    }

    fn unpack_into(&self, bytes: &[u8], state: &mut State) {
        state.unpack_into(self, bytes);
    }

    fn mover(&self, state: &State, actor: usize) -> Mover {
        let Actor::Task(task) = self.actor(actor) else {
            return Mover::None;
        };
        // The specification hears that the call was entered: whether a zap is under way makes a difference.
        let enters = !state.m.tasks[task].busy();
        if enters && matches!(self.stmt(state, task), Some(s) if matches!(s.op, Op::Hold { .. })) {
            return Mover::None;
        }
        self.next_step(state, task)
            .map_or(Mover::None, |step| mover(step.moves))
    }

    fn blocks(&self, state: &State, actor: usize) -> bool {
        match self.actor(actor) {
            Actor::Task(task) => self
                .next_step(state, task)
                .is_none_or(|step| step.wait != Wait::Nothing),
            _ => true,
        }
    }

    fn survey(&self, state: &State, next: &mut [Option<cowherd_explore::Next>]) {
        let s = &self.cfg.sizes;
        let moves = s.cpus + s.ios;
        for (actor, next) in next.iter_mut().enumerate().take(moves) {
            *next = self.next_move(state, actor);
        }
        // Swap writes and drains wait for nothing and are no movers.
        let now = cowherd_explore::Next {
            mover: Mover::None,
            blocks: true,
        };
        let (writes, drains) = next[moves..].split_at_mut(s.slots);
        for (slot, next) in writes.iter_mut().enumerate() {
            *next = state.m.writeback_pending(Slot(slot as u8)).then_some(now);
        }
        let filled = state.m.batches_filled(state.used);
        for (n, next) in drains.iter_mut().enumerate() {
            *next = (filled >> self.drained(n).0 & 1 == 1).then_some(now);
        }
    }

    fn next(&self, state: &State, actor: usize) -> Option<cowherd_explore::Next> {
        self.next_move(state, actor)
    }

    fn footprint(&self, state: &State, actor: usize) -> Footprint {
        self.step_footprint(state, actor)
    }

    fn future(&self, state: &State, actor: usize) -> Footprint {
        self.actor_future(state, actor)
    }

    fn invisible(&self, _state: &State, _actor: usize) -> bool {
        // See crate::commute: what is seen is seen at the end, alarms included.
        true
    }

    fn effort(&self, state: &State) -> (u32, u32) {
        if let Some(general) = &self.general {
            let left = general.calls.left(state.calls);
            return (general.calls.len() as u32 - left, 0);
        }
        let mut effort = (0, 0);
        for task in 0..self.tasks.len() {
            let begun = u32::from(state.pc[task]) + u32::from(state.m.tasks[task].busy());
            effort.0 += begun;
            effort.1 += u32::from(begun > 0);
        }
        effort
    }

    /// Which features were asked for and which steps taken.
    fn noted(&self) -> Vec<u8> {
        let (features, steps) = (self.cfg.consulted().words(), self.taken.words());
        let words = features.into_iter().chain(steps);
        words.flat_map(u64::to_le_bytes).collect()
    }

    fn note(&self, noted: &[u8]) {
        let mut words = noted.as_chunks().0.iter().copied().map(u64::from_le_bytes);
        let mut next = || words.next().unwrap_or(0);
        let features = std::array::from_fn(|_| next());
        self.cfg.consult(FeatureSet::from_words(features));
        self.taken.add(std::array::from_fn(|_| next()));
    }
}

impl Program {
    /// The next step of an actor, if it may be taken now.
    pub(crate) fn next_move(&self, state: &State, actor: usize) -> Option<cowherd_explore::Next> {
        if let Actor::Task(task) = self.actor(actor) {
            if self.must_wait(state, task) {
                return None;
            }
            if self.rests(state, task) {
                return self
                    .may_begin(state, task)
                    .then_some(cowherd_explore::Next {
                        mover: Mover::None,
                        blocks: true,
                    });
            }
        }
        let step = self.describe(state, actor)?;
        let task = matches!(self.actor(actor), Actor::Task(_));
        step.wait.over(&state.m).then_some(cowherd_explore::Next {
            mover: if task { mover(step.moves) } else { Mover::None },
            blocks: !task || step.wait != Wait::Nothing,
        })
    }

    /// [`step`](System::step), and what it read and wrote.
    pub fn traced_step(&self, state: &mut State, actor: usize, choice: &mut Choice) -> Touch {
        let step = self.describe(state, actor);
        let wait = step.map_or(Wait::Nothing, |step| step.wait);
        let shown = self.shown(state, actor);
        let done = self.act(state, actor, choice);
        let mut touched = done.touched;
        touched.add(wait.touches());
        if shown != self.shown(state, actor) {
            touched.write(Touch::TASKS);
        }
        if matches!(shown, Some((_, _, true))) {
            touched.read(Touch::TASKS);
        }
        touched.write(self.spec.tied(&state.ideal, touched.any));
        self.settle(state, &done);
        touched
    }

    /// [`step`](System::step), and which rules it broke.
    pub fn judged_step(&self, state: &mut State, actor: usize, choice: &mut Choice) -> Vec<Alarm> {
        let done = self.act(state, actor, choice);
        let after = self.settle(state, &done);
        done.alarms.iter().chain(after.iter()).collect()
    }

    /// What others see of a task's place in its program: the statement, whether it uses the swap device, whether it exits.
    fn shown(&self, state: &State, actor: usize) -> Option<(StmtNo, [bool; 3], bool)> {
        let Actor::Task(task) = self.actor(actor) else {
            return None;
        };
        let now = state.m.tasks[task];
        let exits = matches!(self.stmt(state, task), Some(stmt) if stmt.op == Op::Exit);
        let uses = [now.fault.swaps_in(), now.call.frees_swap(), now.busy()];
        Some((state.pc[task], uses, exits))
    }

    /// The label of an actor's next step, and what the reduction "commute" takes it to touch.
    #[cfg(not(feature = "wide"))]
    pub fn told(&self, state: &State, actor: usize) -> (&'static str, Footprint) {
        let label = self.describe(state, actor).map_or("", |step| step.label);
        (label, self.step_footprint(state, actor))
    }

    /// Takes an actor's next step, without what follows from it, and says what it touched.
    fn act(&self, state: &mut State, actor: usize, choice: &mut Choice) -> Done {
        let env = match self.actor(actor) {
            Actor::Task(task) => {
                #[cfg(not(feature = "wide"))]
                if self.rests(state, task) {
                    self.pick(state, task, choice);
                }
                return self.step_task(state, task, choice);
            }
            env => env,
        };
        let (m, mut driver) = split(self, state, choice, None, None, None);
        // Devices and drains run on no CPU of their own.
        let who = Who {
            cpu: Cpu(0),
            mm: MmId(0),
        };
        let mut k = Kernel::new(m, &self.cfg, &mut driver, who);
        match env {
            Actor::Device(io) => device::step_io(&mut k, io),
            Actor::SwapDevice(slot) => k.writeback_step(slot),
            Actor::Drain(cpu) => k.lru_add_drain_cpu(cpu),
            Actor::Task(_) => {}
        }
        let mut touched = k.touched();
        touched.add(driver.touched);
        let (alarms, told, wrote) = (driver.alarms, driver.told, driver.wrote);
        let changed = &mut state.origin.changed;
        changed.touch(touched);
        changed.add_if(told, Part::IDEAL);
        changed.add_if(wrote, Part::HEAD);
        state.note(alarms);
        Done {
            touched,
            alarms,
            told,
        }
    }
}
