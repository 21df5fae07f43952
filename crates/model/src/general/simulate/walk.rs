//! One walk: calls and steps at random, until the calls are used up or a promise is broken.

use cowherd_explore::Choice;
use cowherd_mm::{MmId, Va};
use fastrand::Rng;

use super::pace::{Crowd, Pace};
use crate::general::{Bound, Called};
use crate::program::{Op, Program};
use crate::spec::{Values, value};
use crate::state::State;
use crate::system::Actor;

/// Steps that a call takes, generously: bounds a walk.
const STEPS_PER_CALL: u64 = 400;
/// Entries of a menu that are tried before a task goes on resting.
const TRIED: usize = 12;

/// A walk that was taken.
pub(super) struct Walked {
    /// Its calls, in the order in which they began.
    pub calls: Vec<Called>,
    /// Its steps.
    pub steps: Vec<Taken>,
    /// What it broke, as [`crate::spec::Alarms::word`].
    pub broken: u64,
    /// Whose page, if that can be said.
    pub page: Option<(MmId, Va)>,
}

/// A step that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub actor: u16,
    /// See [`Choice::number`].
    pub choice: u32,
    /// Of a task: the call that it is a step of.
    pub call: Option<u32>,
}

/// Walks through a program of this bound.
pub(super) fn walk(
    p: &Program,
    bound: &Bound,
    random: &mut Rng,
    stop: &dyn Fn() -> bool,
) -> Walked {
    let holders = p.spec.holders[..p.cfg.sizes.holders].iter().map(|h| h.va);
    let ios = p.spec.ios[..p.cfg.sizes.ios].iter().map(|io| io.va);
    Walker {
        p,
        menus: Menu::of_all(p),
        devices: holders.chain(ios).collect(),
        hot: Va(0),
        state: Box::new(p.initial[0].clone()),
        at: vec![None; p.tasks.len()],
        walked: Walked {
            calls: Vec::new(),
            steps: Vec::new(),
            broken: 0,
            page: None,
        },
    }
    .run(bound.counts, random, stop)
}

/// The entries of a task's menu, by page; and those of none.
struct Menu {
    pages: Vec<Vec<usize>>,
    others: Vec<usize>,
}

impl Menu {
    fn of_all(p: &Program) -> Vec<Menu> {
        let menu = |task: &crate::program::TaskProgram| {
            let mut menu = Menu {
                pages: vec![Vec::new(); p.cfg.sizes.pages],
                others: Vec::new(),
            };
            for (entry, stmt) in task.stmts.iter().enumerate() {
                match page_of(p, &stmt.op) {
                    Some(va) => menu.pages[va.at()].push(entry),
                    None => menu.others.push(entry),
                }
            }
            menu
        };
        p.tasks.iter().map(menu).collect()
    }
}

/// The page that an operation of a menu is about.
pub(super) fn page_of(p: &Program, op: &Op) -> Option<Va> {
    match *op {
        Op::Load { va, .. }
        | Op::Store { va, .. }
        | Op::Transfer { va, .. }
        | Op::Vmsplice { va, .. }
        | Op::Remote { va, .. }
        | Op::Dontneed { va }
        | Op::Munmap { va }
        | Op::Free { va }
        | Op::Mprotect { va, .. }
        | Op::Pageout { va, .. }
        | Op::Willneed { va, .. }
        | Op::Cold { va, .. }
        | Op::Populate { va, .. }
        | Op::ForkAdvice { va, .. }
        | Op::Unmergeable { va }
        | Op::Reclaim { va, .. }
        | Op::MovePages { va, .. }
        | Op::Compact { va, .. }
        | Op::NumaScan { va, .. } => Some(va),
        Op::Hold { want, .. } => Some(want.va),
        Op::HeldLoad { holder, .. } | Op::HeldStore { holder, .. } | Op::Release { holder } => {
            Some(p.spec.holders[holder.at()].va)
        }
        Op::Ksm { first, .. } => Some(first.1),
        _ => None,
    }
}

struct Walker<'a> {
    p: &'a Program,
    menus: Vec<Menu>,
    /// Pages to which direct I/O and long-lived references go.
    devices: Vec<Va>,
    /// The page that most calls are about just now.
    hot: Va,
    state: Box<State>,
    /// The call that each task is in.
    at: Vec<Option<u32>>,
    walked: Walked,
}

impl Crowd for Walker<'_> {
    fn goes_on(&self, actor: usize) -> bool {
        goes_on(self.p, &self.state, actor)
    }

    fn begins(&mut self, task: usize, random: &mut Rng) -> bool {
        if !may_begin(self.p, &self.state, task) {
            return false;
        }
        let Some(entry) = (0..TRIED).find_map(|_| self.entry(task, random)) else {
            return false;
        };
        let value = self.value(task, entry, random);
        self.p.start(&mut self.state, task, entry, value);
        self.at[task] = Some(self.walked.calls.len() as u32);
        self.walked.calls.push(Called { task, entry, value });
        if random.u8(..32) == 0 {
            self.hot = self.another_page(random);
        }
        true
    }
}

/// May an actor that does not rest go on?
pub(super) fn goes_on(p: &Program, state: &State, actor: usize) -> bool {
    let rests = actor < p.tasks.len() && p.rests(state, actor);
    !rests && p.next_move(state, actor).is_some()
}

/// Is this a task that rests, of a process that is there, and are calls left?
pub(super) fn may_begin(p: &Program, state: &State, task: usize) -> bool {
    task < p.tasks.len()
        && p.rests(state, task)
        && state.killed >> task & 1 == 0
        && state.calls != 0
        && p.started(state, task)
}

impl Walker<'_> {
    fn run(mut self, counts: u64, random: &mut Rng, stop: &dyn Fn() -> bool) -> Walked {
        let mut pace = Pace::new(self.p, random);
        self.hot = self.another_page(random);
        let most = u64::from(self.state.calls) * STEPS_PER_CALL;
        for step in 0..most {
            let stopped = step % 1024 == 0 && stop();
            let next = (!stopped).then(|| pace.next(&mut self, random)).flatten();
            let Some(actor) = next else { break };
            let choice = random.u32(..);
            let call = match self.p.actor(actor) {
                Actor::Task(task) => self.at[task],
                _ => None,
            };
            let mut chosen = Choice::number(choice);
            let alarms = self.p.judged_step(&mut self.state, actor, &mut chosen);
            self.walked.steps.push(Taken {
                actor: actor as u16,
                choice,
                call,
            });
            let broken = self.state.alarms & counts;
            if broken != 0 {
                self.walked.broken = broken;
                let mut places = alarms.iter().filter_map(|alarm| alarm.place);
                self.walked.page = places.next().map(|(mm, va, _)| (mm, va));
                break;
            }
        }
        self.walked
    }

    /// A page, often one to which devices go.
    fn another_page(&self, random: &mut Rng) -> Va {
        let device = random.choice(&self.devices).filter(|_| random.u8(..4) > 0);
        let any = || Va(random.u8(..self.p.cfg.sizes.pages as u8));
        device.copied().unwrap_or_else(any)
    }

    /// An entry of a task's menu, if the first that comes to mind may begin.
    fn entry(&self, task: usize, random: &mut Rng) -> Option<usize> {
        let menu = &self.menus[task];
        let va = match random.u8(..4) {
            0 => Va(random.u8(..self.p.cfg.sizes.pages as u8)),
            _ => self.hot,
        };
        let entries = match random.u8(..12) {
            0 => &menu.others,
            _ => &menu.pages[va.at()],
        };
        let entry = *random.choice(entries)?;
        let op = self.p.tasks[task].stmts[entry].op;
        // What ends a process, a mapping or the swap device is rare: the walk goes on with what is left. Whoever accesses what is not
        // there is killed. And most loads and stores do no more than that.
        let rare = match op {
            Op::Munmap { .. } | Op::Swapoff => 64,
            Op::Exit => 8,
            _ if self.would_fault(task, &op) => 64,
            Op::Load { .. } => 4,
            Op::Store { .. } => 2,
            _ => 1,
        };
        (random.u8(..rare) == 0 && self.p.may_start(&self.state, task, entry)).then_some(entry)
    }

    /// Would an access find no mapping, or none that allows it?
    fn would_fault(&self, task: usize, op: &Op) -> bool {
        let mm = self.p.tasks[task].mm.unwrap_or(MmId(0));
        let vma = |va: Va| &self.state.m.vmas[mm.at()][va.at()];
        match *op {
            Op::Load { va, .. } => !vma(va).mapped,
            Op::Store { va, .. } => !vma(va).mapped || !vma(va).write,
            _ => false,
        }
    }

    /// A value for an entry that writes one: of its process, and one that nobody may see at its page, or that its own page does not hold.
    fn value(&self, task: usize, entry: usize, random: &mut Rng) -> Option<u8> {
        let op = self.p.tasks[task].stmts[entry].op;
        let class = self.p.class(task, &op)?;
        let va = page_of(self.p, &op)?;
        let mm = self.p.tasks[task].mm.unwrap_or(MmId(0));
        let fresh = class & !self.seen_at(va);
        let other = class & !self.state.ideal.values_of(mm, va);
        let values = [fresh, other, class].into_iter().find(|set| *set != 0)?;
        let nth = random.u32(..values.count_ones());
        let mut values = (0..16).filter(|v| values & value(*v) != 0);
        values.nth(nth as usize)
    }

    /// The values that somebody may see at a page: in its processes, in frames and slots that were theirs, in a file on its way.
    fn seen_at(&self, va: Va) -> Values {
        let State { m, ideal, .. } = &*self.state;
        let mut seen = ideal.values_at(va);
        let mut see = |cells: &[u8]| cells.iter().for_each(|&v| seen |= value(v));
        for (page, cells) in m.frames.iter().zip(&self.state.frames) {
            if page.home.is_some_and(|home| home.index == va) {
                see(cells);
            }
        }
        for ptes in &m.ptes {
            if let Some(e) = ptes[va.at()].swap() {
                see(&self.state.slots[e.slot.at()]);
            }
        }
        for (io, used) in m.ios.iter().zip(&self.p.spec.ios) {
            if used.va == va {
                see(&self.state.files[io.file.at()]);
            }
        }
        seen
    }
}
