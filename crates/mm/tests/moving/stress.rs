//! Random interleavings of everything that moves pages with threads that load and store. Each cell of each process has one
//! writer, so that what a load must give is known.

use cowherd_mm::access::Access;
use cowherd_mm::feature::Feature as F;
use cowherd_mm::gup::unpin::HolderCall;
use cowherd_mm::ksm::Ksm;
use cowherd_mm::ksm::madvise::KsmMadvise;
use cowherd_mm::machine::Hold;
use cowherd_mm::madvise::populate::Populate;
use cowherd_mm::madvise::willneed::Willneed;
use cowherd_mm::memory::copy_page_range::Fork;
use cowherd_mm::memory::zap_pte_range::Zap;
use cowherd_mm::migrate::Migrate;
use cowherd_mm::swap::swapoff::Swapoff;
use cowherd_mm::task::{Call, Next};
use cowherd_mm::vmscan::shrink_folio_list::Shrink;
use cowherd_mm::{Cpu, FeatureSet, HoldId, MmId, Slot, invariants};

use crate::common::*;

/// Who does what.
struct Actors {
    s: Sim,
    /// What each thread's CPU is about to load or store.
    cells: [(u8, Option<u8>); 7],
    /// What each cell of X holds: by process, then cell. None: what a fork left, not known yet.
    ideal: [[Option<u8>; 4]; 3],
    /// C is a child of A, again and again.
    forks: bool,
    held: bool,
    seed: u64,
    log: Vec<String>,
}

impl Actors {
    fn new(features: FeatureSet, seed: u64, forks: bool) -> Actors {
        let mut s = if forks {
            Sim::two(features)
        } else {
            Sim::new(features)
        };
        s.w.random = Some(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
        s.cfg.swap.synchronous = seed % 4 == 1;
        s.cfg.swap.half_full = seed % 8 > 5;
        s.cfg.fails.trylock = seed % 16 > 12;
        Actors {
            s,
            cells: [(0, None); 7],
            ideal: [[Some(0); 4]; 3],
            forks,
            held: false,
            seed,
            log: Vec::new(),
        }
    }

    fn rand(&mut self, below: usize) -> usize {
        self.s.w.rand(below)
    }

    /// A thread of a process works on its own cell of X.
    fn thread(&mut self, cpu: Cpu, mm: MmId, cell: u8) {
        let call = |p| Next::Call {
            call: Call::Access { p },
        };
        match self.rand(10) {
            0..4 => {
                self.cells[cpu.at()] = (cell, None);
                self.s.start(cpu, call(Access::load(X)));
            }
            4..8 => {
                let value = self.rand(3) as u8;
                self.cells[cpu.at()] = (cell, Some(value));
                self.s.start(cpu, call(Access::store(X)));
            }
            8 => self.s.start(cpu, Willneed::enter(X)),
            _ => {
                let write = self.rand(2) == 1;
                match Populate::enter(&self.s.cfg, X, write) {
                    Next::Return { .. } => {}
                    next => self.s.start(cpu, next),
                }
            }
        }
        self.log(cpu, mm, cell);
    }

    fn log(&mut self, cpu: Cpu, mm: MmId, cell: u8) {
        let line = format!("{cpu:?} {mm:?} {cell} {:?}", self.s.m.tasks[cpu.at()].call);
        self.log.push(line);
    }

    /// The thread of C works on its page, and holds a page of A for a device.
    fn holder(&mut self, kinds: &[Hold]) {
        if !self.held {
            let hold = kinds[self.rand(kinds.len())];
            let next = self.s.hold_next(0, hold, true);
            return self.s.start(A1, next);
        }
        match self.rand(6) {
            0 => {
                self.held = false;
                let p = HolderCall::Dirty { holder: HoldId(0) };
                let call = Call::Holder { p };
                self.s.start(A1, Next::Call { call });
            }
            _ => {
                let value = self.rand(3) as u8;
                self.ideal[0][2] = Some(value);
                self.s.device_store(0, 2, value);
            }
        }
    }

    fn mover(&mut self, cpu: Cpu) {
        let mm = MmId(self.rand(3) as u8);
        let other = MmId(self.rand(3) as u8);
        let next = match (cpu, self.rand(4)) {
            (K0, 0) => Migrate::compact(mm, X),
            (K0, 1) => Migrate::page(mm, X),
            (K0, _) => Ksm::scan((mm, X), Some((other, X))),
            (K1, 0) => Shrink::pageout(mm, X),
            (K1, _) => Shrink::reclaim(mm, X),
            (_, 0) => Swapoff::enter(),
            (_, 1) => Migrate::page(mm, X),
            (_, 2) => Migrate::compact(mm, X),
            _ => Shrink::reclaim(mm, X),
        };
        self.s.start(cpu, next);
        self.log(cpu, mm, other.0);
    }

    /// One random step of anybody. `calls`: new ones may begin.
    fn step(&mut self, calls: bool, holds: &[Hold]) -> Result<(), String> {
        let cpu = Cpu(self.rand(8) as u8);
        if cpu.0 == 7 {
            self.background();
            return Ok(());
        }
        if !self.s.busy(cpu) {
            if calls {
                match cpu {
                    A0 if self.forks && self.rand(4) == 0 => self.fork(),
                    C0 if self.forks && !self.s.m.mms[C.at()].alive => {}
                    C0 if self.forks && self.parent_forks() => {}
                    C0 if self.forks && self.rand(12) == 0 => self.s.start(C0, Zap::exit()),
                    A0 => self.thread(A0, A, 0),
                    A1 if !holds.is_empty() && self.rand(3) > 0 => self.holder(holds),
                    A1 => self.thread(A1, A, 1),
                    B0 if self.rand(8) == 0 => {
                        let on = self.rand(2) == 1;
                        let next = if on {
                            KsmMadvise::mergeable(X)
                        } else {
                            KsmMadvise::unmergeable(X)
                        };
                        self.s.start(B0, next);
                    }
                    B0 => self.thread(B0, B, 0),
                    C0 => self.thread(C0, C, 0),
                    _ => self.mover(cpu),
                }
            }
            return Ok(());
        }
        if !self.s.ready(cpu) {
            return Ok(());
        }
        let (cell, store) = self.cells[cpu.at()];
        let accessing = matches!(self.s.m.tasks[cpu.at()].call, Call::Access { .. });
        let gup = !accessing && cpu == A1 && !self.held && self.s.m.holders[0].page.is_none();
        self.s.w.cell = cell;
        self.s.w.value = store.unwrap_or(0);
        let label = self.s.label(cpu);
        let result = self.s.step(cpu);
        self.log.push(format!("  {cpu:?} {label}"));
        let broken = invariants::broken(&self.s.m, &self.s.cfg);
        if !self.s.w.broken.is_empty() || !broken.is_empty() {
            let found: Vec<_> = broken.iter().collect();
            return Err(format!("{:?} {found:?}", self.s.w.broken));
        }
        if gup && self.s.m.holders[0].page.is_some() {
            self.held = true;
        }
        if result.is_some() && matches!(cpu, K2) {
            (self.s.m.swap_off, self.s.m.swap_gone) = (false, false);
        }
        if accessing && result == Some(Ok(())) {
            let mm = self.s.cfg.cpu_mm[cpu.at()].expect("a thread");
            let ideal = &mut self.ideal[mm.at()][cell as usize];
            match store {
                Some(value) => *ideal = Some(value),
                None if ideal.is_none_or(|ideal| ideal == self.s.w.value) => {
                    *ideal = Some(self.s.w.value)
                }
                None => {
                    let got = self.s.w.value;
                    return Err(format!("{cpu:?} cell {cell}: {got} for {ideal:?}"));
                }
            }
        }
        Ok(())
    }

    /// Is the fork of the child still under way?
    fn parent_forks(&self) -> bool {
        matches!(self.s.m.tasks[A0.at()].call, Call::Fork { .. })
    }

    /// A forks, if the last child is gone. The forking thread's cell is known to the child; of the others' either value.
    fn fork(&mut self) {
        if self.s.m.mms[C.at()].alive || self.s.busy(C0) {
            return;
        }
        self.ideal[C.at()] = [self.ideal[A.at()][0], None, None, Some(0)];
        self.s.start(A0, Fork::enter(C));
        self.log(A0, A, 0);
    }

    /// Batches drain, the swap device works.
    fn background(&mut self) {
        match self.rand(4) {
            0 => {
                let cpu = Cpu(self.rand(7) as u8);
                self.s.kernel(cpu).lru_add_drain_cpu(cpu);
            }
            _ => {
                let slot = Slot(self.rand(3) as u8);
                if self.s.m.writeback_pending(slot) {
                    self.s.kernel(K2).writeback_step(slot);
                }
            }
        }
    }

    /// Everything comes to an end; then the accounts must be right, and each cell what it should be.
    fn end(&mut self) -> Result<(), String> {
        for _ in 0..100_000 {
            if (0..7).map(Cpu).all(|cpu| !self.s.busy(cpu)) {
                break;
            }
            self.step(false, &[])?;
        }
        if let Some(cpu) = (0..7).map(Cpu).find(|&cpu| self.s.busy(cpu)) {
            return Err(format!(
                "{cpu:?} never ends: {:?}",
                self.s.m.tasks[cpu.at()]
            ));
        }
        if let Some(unsound) = self.s.unsound() {
            return Err(unsound);
        }
        let held = self.s.m.holders[0].page;
        for (cpu, mm) in [(A0, A), (B0, B), (C0, C)] {
            if !self.s.m.mms[mm.at()].alive {
                continue;
            }
            for cell in 0..4 {
                let got = self.s.load(cpu, X, cell);
                let want = self.ideal[mm.at()][cell as usize];
                if want.is_some_and(|want| got != want) {
                    return Err(format!(
                        "{mm:?} cell {cell}: {got} for {want:?}; held {held:?}"
                    ));
                }
            }
        }
        Ok(())
    }
}

fn run(
    features: FeatureSet,
    seed: u64,
    holds: &[Hold],
    forks: bool,
) -> Result<(), (String, Vec<String>)> {
    let mut actors = Actors::new(features, seed, forks);
    let result = (0..600)
        .try_for_each(|_| actors.step(true, holds))
        .and_then(|()| actors.end());
    result.map_err(|what| (format!("seed {}: {what}", actors.seed), actors.log))
}

#[test]
fn no_store_is_lost() {
    for (name, features) in [("6.12", v6_12()), ("5.18", v5_18()), ("5.10", v5_10())] {
        for seed in 0..1000 {
            if let Err((what, log)) = run(features, seed, &[], false) {
                panic!("{name}: {what}\n{}", log.join("\n"));
            }
        }
    }
}

#[test]
fn a_device_and_the_threads_agree_from_exclusivity_on() {
    for holds in [&[Hold::Pin][..], &[Hold::Get, Hold::Pin]] {
        for seed in 0..1000 {
            if let Err((what, log)) = run(v6_12(), seed, holds, false) {
                panic!("{what}\n{}", log.join("\n"));
            }
        }
    }
}

#[test]
fn a_child_sees_nothing_of_its_parent_after_the_fork() {
    for (name, features, holds) in [
        ("6.12", v6_12(), &[Hold::Pin][..]),
        ("6.12", v6_12(), &[]),
        ("5.18", v5_18(), &[]),
        ("5.10", v5_10(), &[]),
    ] {
        for seed in 0..1200 {
            if let Err((what, log)) = run(features, seed, holds, true) {
                panic!("{name}: {what}\n{}", log.join("\n"));
            }
        }
    }
}

/// What these rules keep from happening is met at random.
#[test]
fn a_missing_rule_is_noticed() {
    let both = &[Hold::Get, Hold::Pin][..];
    for (rule, holds) in [
        (F::KsmRefTest, both),
        (F::KsmClearExclusive, both),
        (F::KsmCompare, both),
        (F::MigFlush, both),
        (F::MigDirty, both),
        (F::MigWriteback, both),
        (F::MigPinTest, both),
        (F::MigRefTest, both),
        (F::MigMoveDirty, both),
        (F::MigWrprotect, both),
        (F::SwapoffPteSame, both),
        (F::SwapoffExclusive, both),
    ] {
        let features = without(v6_12(), &[rule]);
        let found = (0..6000).any(|seed| run(features, seed, holds, false).is_err());
        assert!(found, "{}", rule.name());
    }
}
