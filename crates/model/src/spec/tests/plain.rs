//! A memory that is right by its simplicity never alarms; each way to make it wrong does.
//!
//! One array a process; a fork copies it at one moment, a zap clears it at one moment, a transfer lands. Programs are random.

use proptest::prelude::*;

use super::packing::survives;
use super::*;

const C: MmId = MmId(2);
const MMS: usize = 3;
const PAGES: usize = 2;
const CELLS: usize = 2;

/// A step of a random program: what, and three numbers for it.
pub type Step = (u8, u8, u8, u8);

/// Programs.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0..24u8, any::<u8>(), any::<u8>(), any::<u8>()), 0..80)
}

/// What is done wrong, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    /// A store does not reach memory.
    LostStore,
    /// A transfer does not.
    LostLanding,
    /// A child gets what its parent held at the start.
    StaleFork,
    /// A store of the parent shows in its child.
    Leaked,
    /// A page becomes zero.
    Zeroed,
    /// A device reads what was there at the start.
    StaleSample,
    /// A page shows what a freed frame was left with.
    Junk,
}

/// Values that say where they come from: A starts with 13 and 14, stores 1 to 3, B stores 4 to 6, C 7 and 8, transfers land 9 to 12.
fn promises() -> Spec {
    let mut spec = Spec::new_for(MMS as u8, PAGES as u8, CELLS as u8);
    spec.parents = [None, Some(A), Some(B), None];
    let values = |range: std::ops::RangeInclusive<u8>| range.fold(0, |set, v| set | value(v));
    spec.starts[0] = [values(13..=14); 4];
    spec.stores = [
        [values(1..=3); 4],
        [values(4..=6); 4],
        [values(7..=8); 4],
        [0; 4],
    ];
    spec.lands[0] = [values(9..=12); 4];
    spec.inherits[1] = [values(9..=14) | values(1..=3); 4];
    spec.inherits[2] = [values(9..=14) | values(1..=6); 4];
    for (n, io) in spec.ios.iter_mut().enumerate() {
        *io = IoUse {
            dir: if n == 2 { Dir::ToDevice } else { Dir::ToMemory },
            mm: A,
            va: Va(n as u8 % 2),
            cells: Cells::first(2),
            by: if n == 0 { By::Get } else { By::Pin },
        };
    }
    spec
}

struct Plain {
    run: Run,
    memory: [[[u8; CELLS]; PAGES]; MMS],
    born: [bool; MMS],
    forking: [Option<bool>; MMS],
    zapping: [[Option<bool>; PAGES]; MMS],
    freeing: [[bool; PAGES]; MMS],
    /// May be dropped.
    lazy: [[bool; PAGES]; MMS],
    flying: [bool; 3],
    splices: Vec<(MmId, Va, [u8; CELLS])>,
}

impl Plain {
    fn new() -> Plain {
        let mut run = Run::new();
        run.spec = promises();
        run.ideal = run.spec.start();
        run.ideal.born(A);
        for va in 0..PAGES as u8 {
            run.ideal.map(A, Va(va), &[13, 14, 0, 0]);
        }
        Plain {
            run,
            memory: [[[13, 14]; PAGES]; MMS],
            born: [true, false, false],
            forking: [None; MMS],
            zapping: [[None; PAGES]; MMS],
            freeing: [[false; PAGES]; MMS],
            lazy: [[false; PAGES]; MMS],
            flying: [false; 3],
            splices: Vec::new(),
        }
    }

    /// A process that exists and that nobody is just making.
    fn who(&self, n: u8) -> MmId {
        let mm = MmId(n % MMS as u8);
        if self.born[mm.at()] { mm } else { A }
    }

    fn write(&mut self, mm: MmId, va: Va, cell: Cell, v: u8) {
        self.memory[mm.at()][va.at()][cell.at()] = v;
        self.lazy[mm.at()][va.at()] &= self.freeing[mm.at()][va.at()];
    }

    /// Does what the step says, if that can be done now.
    fn step(&mut self, (what, a, b, c): Step) {
        let mm = self.who(a);
        let (va, cell) = (Va(b % PAGES as u8), Cell(c % CELLS as u8));
        let (m, v) = (mm.at(), va.at());
        match what {
            0..=4 => {
                let value = [1, 4, 7][m] + c / 2 % if m == 2 { 2 } else { 3 };
                self.run.store(mm, va, cell, value);
                self.write(mm, va, cell, value);
            }
            5 | 6 => {
                let seen = self.memory[m][v][cell.at()];
                self.run.load(mm, va, cell, seen);
            }
            7 | 8 => self.fork(mm),
            9 | 10 => self.zap(mm, va),
            11 => self.free(mm, va),
            12 if self.lazy[m][v] => self.memory[m][v] = [0; CELLS],
            13..=16 => self.transfer(usize::from(a % 3), cell, c),
            17 if self.splices.len() < 3 => {
                self.run.event(Event::SpliceBegin { mm, va });
                self.splices.push((mm, va, self.memory[m][v]));
            }
            18 => self.read_pipe(b),
            19 => self.move_page(mm, va),
            _ => {}
        }
    }

    /// A fork begins; the copy is made; it ends.
    fn fork(&mut self, parent: MmId) {
        let child = MmId(parent.0 + 1);
        if child.at() >= MMS || self.born[child.at()] {
            return;
        }
        match self.forking[child.at()] {
            None => {
                self.run.event(Event::ForkBegin { parent, child });
                self.forking[child.at()] = Some(false);
            }
            Some(false) => {
                self.memory[child.at()] = self.memory[parent.at()];
                self.lazy[child.at()] = self.lazy[parent.at()];
                self.forking[child.at()] = Some(true);
            }
            Some(true) => {
                self.run.event(Event::ForkEnd { parent, child });
                self.forking[child.at()] = None;
                self.born[child.at()] = true;
            }
        }
    }

    /// A zap begins; the page is cleared; it ends.
    fn zap(&mut self, mm: MmId, va: Va) {
        let (m, v) = (mm.at(), va.at());
        match self.zapping[m][v] {
            None => {
                self.run.event(Event::ZapBegin { mm, va });
                self.zapping[m][v] = Some(false);
            }
            Some(false) => {
                self.memory[m][v] = [0; CELLS];
                self.lazy[m][v] = self.freeing[m][v];
                self.zapping[m][v] = Some(true);
            }
            Some(true) => {
                self.run.event(Event::ZapEnd { mm, va });
                self.zapping[m][v] = None;
            }
        }
    }

    fn free(&mut self, mm: MmId, va: Va) {
        let open = &mut self.freeing[mm.at()][va.at()];
        *open = !*open;
        if *open {
            self.run.event(Event::FreeBegin { mm, va });
            self.lazy[mm.at()][va.at()] = true;
        } else {
            self.run.event(Event::FreeEnd { mm, va });
        }
    }

    /// A transfer begins, lands a cell or samples one, or ends.
    fn transfer(&mut self, n: usize, cell: Cell, c: u8) {
        let io = IoId(n as u8);
        let used = self.run.spec.ios[n];
        if !self.flying[n] {
            self.flying[n] = true;
            self.run.begin(io);
        } else if c.is_multiple_of(4) {
            self.flying[n] = false;
            self.run.end(io);
        } else if used.dir == Dir::ToMemory {
            let value = 9 + c % 4;
            self.run.land(io, cell, value);
            self.write(A, used.va, cell, value);
        } else {
            let seen = self.memory[0][used.va.at()][cell.at()];
            self.run.sample(io, cell, seen);
        }
    }

    /// A pipe shows what was there at vmsplice, or what is there now.
    fn read_pipe(&mut self, b: u8) {
        let Some((mm, va, then)) = self.splices.pop() else {
            return;
        };
        let now = self.memory[mm.at()][va.at()];
        for cell in (0..CELLS as u8).map(Cell) {
            let seen = if b.is_multiple_of(2) { now } else { then }[cell.at()];
            self.run.pipe_read(mm, va, cell, seen);
        }
        let Plain { run, splices, .. } = self;
        run.spec.forget(&mut run.ideal, |mm, va| {
            splices.iter().any(|s| (s.0, s.1) == (mm, va))
        });
    }

    /// UFFDIO_MOVE.
    fn move_page(&mut self, mm: MmId, from: Va) {
        let to = Va(1 - from.0);
        let m = mm.at();
        let quiet = |va: Va| self.zapping[m][va.at()].is_none() && !self.freeing[m][va.at()];
        if !quiet(from)
            || !quiet(to)
            || self.forking.iter().any(Option::is_some)
            || self.flying.iter().any(|&f| f)
            || !self.splices.is_empty()
        {
            return;
        }
        self.run.event(Event::Moved { mm, from, to });
        self.memory[m][to.at()] = self.memory[m][from.at()];
        self.lazy[m][to.at()] = self.lazy[m][from.at()];
        self.memory[m][from.at()] = [0; CELLS];
        self.lazy[m][from.at()] = false;
    }

    /// What the free observer sees.
    fn observe(&mut self) {
        for m in 0..MMS {
            for v in 0..PAGES {
                for cell in 0..CELLS {
                    let value = self.memory[m][v][cell];
                    let (mm, va, cell) = (MmId(m as u8), Va(v as u8), Cell(cell as u8));
                    let (ideal, alarms) = (&mut self.run.ideal, &mut self.run.alarms);
                    self.run.spec.observe(ideal, alarms, mm, va, cell, value);
                }
            }
        }
    }

    /// Closes every window.
    fn close(&mut self) {
        for m in 0..MMS {
            let mm = MmId(m as u8);
            while m > 0 && self.forking[m].is_some() {
                self.fork(MmId(mm.0 - 1));
            }
            for v in 0..PAGES {
                while self.zapping[m][v].is_some() {
                    self.zap(mm, Va(v as u8));
                }
                if self.freeing[m][v] {
                    self.free(mm, Va(v as u8));
                }
            }
        }
        for n in 0..3 {
            if self.flying[n] {
                self.transfer(n, C0, 0);
            }
        }
    }

    /// Nothing was broken; hazards are none of this memory's business but H6 and H7.
    fn check(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.run.alarms.kinds(), 0, "{:?}", self.run.alarms);
        prop_assert!(!self.run.alarms.gave_up());
        let met = self.run.alarms.hazards();
        let excused = [Hazard::H6, Hazard::H7]
            .into_iter()
            .fold(Hazards::NONE, |set, h| set.union(Hazards::one(h)));
        prop_assert!(met.without(excused).is_empty(), "{:?}", met);
        Ok(())
    }

    /// Does one thing wrong, and looks. Says which kinds that may be called.
    fn go_wrong(&mut self, wrong: Wrong, va: Va, cell: Cell) -> Vec<Kind> {
        self.close();
        self.observe();
        let place = (va.at(), cell.at());
        match wrong {
            Wrong::LostStore => {
                let old = self.memory[0][place.0][place.1];
                self.run.store(A, va, cell, 1 + old % 3);
                if old == 0 {
                    vec![Kind::Zeroed]
                } else {
                    vec![Kind::LostWrite]
                }
            }
            Wrong::LostLanding => {
                let old = self.memory[0][place.0][place.1];
                let io = IoId(va.0);
                self.run
                    .begin(io)
                    .land(io, cell, if old == 9 { 10 } else { 9 });
                self.run.end(io);
                if old == 0 {
                    vec![Kind::Zeroed]
                } else {
                    vec![Kind::LostWrite]
                }
            }
            Wrong::StaleFork => {
                while !self.born[1] {
                    self.fork(A);
                }
                while !self.born[2] {
                    self.fork(B);
                }
                self.run.store(B, va, cell, 4);
                self.memory[1][place.0][place.1] = 13;
                vec![Kind::LostWrite]
            }
            Wrong::Leaked => {
                while !self.born[1] {
                    self.fork(A);
                }
                self.run.store(B, va, cell, 4);
                self.memory[1][place.0][place.1] = 4;
                self.memory[0][place.0][place.1] = 4;
                vec![Kind::Leak]
            }
            Wrong::Zeroed => {
                self.run.store(A, va, cell, 1);
                self.memory[0][place.0][place.1] = 0;
                vec![Kind::Zeroed]
            }
            Wrong::StaleSample => {
                self.run.store(A, X, cell, 1);
                self.memory[0][0][cell.at()] = 1;
                self.run.begin(IoId(2)).sample(IoId(2), cell, 13);
                self.run.end(IoId(2));
                vec![Kind::StaleRead]
            }
            Wrong::Junk => {
                self.memory[0][place.0][place.1] = JUNK;
                vec![Kind::Leak]
            }
        }
    }
}

proptest! {
    #![proptest_config(super::cases(1500))]

    #[test]
    fn a_correct_memory_never_alarms(steps in steps()) {
        let mut plain = Plain::new();
        for step in steps {
            plain.step(step);
            plain.check()?;
            plain.observe();
            plain.check()?;
            survives(&plain.run.ideal);
        }
    }

    #[test]
    fn a_wrong_memory_alarms_with_the_right_kind(
        steps in steps(),
        wrong in prop::sample::select(vec![
            Wrong::LostStore, Wrong::LostLanding, Wrong::StaleFork, Wrong::Leaked, Wrong::Zeroed, Wrong::StaleSample, Wrong::Junk,
        ]),
        va in 0..2u8,
        cell in 0..2u8,
    ) {
        let mut plain = Plain::new();
        for step in steps {
            plain.step(step);
            plain.observe();
        }
        plain.check()?;
        let kinds = plain.go_wrong(wrong, Va(va), Cell(cell));
        plain.observe();
        let raised: Vec<Kind> = plain.run.alarms.iter().map(|a| a.kind).collect();
        prop_assert_eq!(&raised, &kinds, "{:?}", wrong);
        // The search goes on, and is at peace with what it saw.
        plain.run.alarms = Alarms::default();
        plain.observe();
        prop_assert!(plain.run.alarms.is_empty());
    }

    #[test]
    fn once_all_is_over_only_values_are_left(steps in steps()) {
        let mut plain = Plain::new();
        for step in steps {
            plain.step(step);
            plain.observe();
        }
        plain.close();
        // A store to each cell ends laziness, and whatever was open.
        for mm in [A, B, C] {
            for (va, cell) in [(X, C0), (X, C1), (Y, C0), (Y, C1)] {
                if plain.born[mm.at()] {
                    let value = [1, 4, 7][mm.at()];
                    plain.run.store(mm, va, cell, value);
                    plain.write(mm, va, cell, value);
                }
            }
        }
        plain.observe();
        plain.check()?;
        let mut fresh = plain.run.spec.start();
        for mm in [A, B, C] {
            if plain.born[mm.at()] {
                fresh.born(mm);
                for va in [X, Y] {
                    let v = [1, 4, 7][mm.at()];
                    fresh.map(mm, va, &[v, v, 0, 0]);
                }
            }
        }
        plain.run.spec.forget(&mut plain.run.ideal, |_, _| false);
        let mut left = plain.run.ideal;
        // Where a page came from is remembered.
        for page in left.pages.iter_mut().flatten().zip(fresh.pages.iter().flatten()) {
            page.0.origin = page.1.origin;
        }
        prop_assert_eq!(left, fresh);
    }
}
