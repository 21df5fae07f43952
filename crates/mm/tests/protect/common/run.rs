//! How a program is run: every state that it comes to, by every actor and every choice.

use std::collections::{BTreeSet, HashSet};

use cowherd_mm::access::Access as CpuAccess;
use cowherd_mm::machine::IoState;
use cowherd_mm::memory::fault::Fault;
use cowherd_mm::mprotect::ChangeProtection;
use cowherd_mm::mprotect::change_protection::By;
use cowherd_mm::pack::{Names, Naming, Writer};
use cowherd_mm::page::PageKind;
use cowherd_mm::parts::Kind;
use cowherd_mm::pgtable::Pte;
use cowherd_mm::task::{Call, Next};
use cowherd_mm::*;

use super::*;
use crate::world::{Driver, bit};

impl Program {
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
