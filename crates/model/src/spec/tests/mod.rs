//! The rules, one by one: what is allowed, what is broken.

mod classes;
mod forks;
mod lively;
mod lively_calls;
mod lively_memory;
mod moves;
mod packing;
mod pins;
mod plain;
mod readers;
mod stores;
mod transfers;
mod zaps;

use cowherd_mm::machine::Dir;
use cowherd_mm::{Cell, Cells, Event, HoldId, IoId, MAX_CELLS, MmId, Va};

use super::*;

pub const A: MmId = MmId(0);
pub const B: MmId = MmId(1);
pub const X: Va = Va(0);
pub const Y: Va = Va(1);
pub const C0: Cell = Cell(0);
pub const C1: Cell = Cell(1);
pub const IO: IoId = IoId(0);
pub const IO1: IoId = IoId(1);
pub const PIN: HoldId = HoldId(0);

/// This many random programs, or what the environment says.
pub fn cases(n: u32) -> proptest::test_runner::Config {
    use proptest::test_runner::Config;
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => Config::default(),
        None => Config::with_cases(n),
    }
}

/// Two processes (B is A's child), two variables, two cells. A holds 1, 2 in x at the start and stores 3 and 9; B stores 4; transfers
/// land 7 and 8 in A:x.
pub struct Run {
    pub spec: Spec,
    pub ideal: Ideal,
    pub alarms: Alarms,
}

impl Run {
    pub fn new() -> Run {
        let mut spec = Spec::new_for(2, 2, 2);
        spec.parents[1] = Some(A);
        spec.starts[0] = [value(1) | value(2), value(0), 0, 0];
        spec.stores[0] = [value(3) | value(9), value(3), 0, 0];
        spec.stores[1][0] = value(4);
        spec.lands[0][0] = value(7) | value(8);
        spec.inherits[1][0] = value(1) | value(2) | value(3) | value(7) | value(8);
        spec.inherits[1][1] = value(0);
        for io in &mut spec.ios {
            *io = IoUse {
                dir: Dir::ToMemory,
                mm: A,
                va: X,
                cells: Cells::first(2),
                by: By::Get,
            };
        }
        let mut run = Run {
            ideal: spec.start(),
            spec,
            alarms: Alarms::default(),
        };
        run.ideal.born(A);
        run.ideal.map(A, X, &[1, 2, 0, 0]);
        run.ideal.map(A, Y, &[0; MAX_CELLS]);
        run
    }

    pub fn event(&mut self, event: Event) -> &mut Run {
        self.spec.event(&mut self.ideal, &mut self.alarms, event);
        self
    }

    pub fn load(&mut self, mm: MmId, va: Va, cell: Cell, value: u8) -> &mut Run {
        let (ideal, alarms) = (&mut self.ideal, &mut self.alarms);
        self.spec.load(ideal, alarms, mm, va, cell, value);
        self
    }

    pub fn store(&mut self, mm: MmId, va: Va, cell: Cell, value: u8) -> &mut Run {
        let (ideal, alarms) = (&mut self.ideal, &mut self.alarms);
        self.spec.store(ideal, alarms, mm, va, cell, value);
        self
    }

    pub fn land(&mut self, io: IoId, cell: Cell, value: u8) -> &mut Run {
        let (ideal, alarms) = (&mut self.ideal, &mut self.alarms);
        self.spec.land(ideal, alarms, io, cell, value);
        self
    }

    pub fn sample(&mut self, io: IoId, cell: Cell, value: u8) -> &mut Run {
        let (ideal, alarms) = (&mut self.ideal, &mut self.alarms);
        self.spec.sample(ideal, alarms, io, cell, value);
        self
    }

    pub fn pipe_read(&mut self, mm: MmId, va: Va, cell: Cell, value: u8) -> &mut Run {
        let (ideal, alarms) = (&mut self.ideal, &mut self.alarms);
        self.spec.pipe_read(ideal, alarms, mm, va, cell, value, mm);
        self
    }

    pub fn held_load(&mut self, holder: HoldId, cell: Cell, value: u8) -> &mut Run {
        let (ideal, alarms) = (&mut self.ideal, &mut self.alarms);
        self.spec.held_load(ideal, alarms, holder, cell, value);
        self
    }

    pub fn held_store(&mut self, holder: HoldId, cell: Cell, value: u8) -> &mut Run {
        let (ideal, alarms) = (&mut self.ideal, &mut self.alarms);
        self.spec.held_store(ideal, alarms, holder, cell, value);
        self
    }

    pub fn begin(&mut self, io: IoId) -> &mut Run {
        self.event(Event::TransferBegin { io })
    }

    pub fn end(&mut self, io: IoId) -> &mut Run {
        self.event(Event::TransferEnd { io })
    }

    pub fn zap_begin(&mut self) -> &mut Run {
        self.event(Event::ZapBegin { mm: A, va: X })
    }

    pub fn zap_end(&mut self) -> &mut Run {
        self.event(Event::ZapEnd { mm: A, va: X })
    }

    pub fn free_begin(&mut self) -> &mut Run {
        self.event(Event::FreeBegin { mm: A, va: X })
    }

    pub fn free_end(&mut self) -> &mut Run {
        self.event(Event::FreeEnd { mm: A, va: X })
    }

    pub fn fork_begin(&mut self) -> &mut Run {
        self.event(Event::ForkBegin {
            parent: A,
            child: B,
        })
    }

    pub fn fork_end(&mut self) -> &mut Run {
        self.event(Event::ForkEnd {
            parent: A,
            child: B,
        })
    }

    pub fn fork(&mut self) -> &mut Run {
        self.fork_begin().fork_end()
    }

    /// Nothing was broken so far, and no hazard met.
    #[track_caller]
    pub fn fine(&mut self) -> &mut Run {
        assert_eq!(self.alarms, Alarms::default());
        self
    }

    /// Exactly this was broken, and no hazard met.
    #[track_caller]
    pub fn broken(&mut self, kind: Kind, rule: Rule) -> &mut Run {
        let first = self.alarms.iter().next();
        assert_eq!(first.map(|a| (a.kind, a.rule)), Some((kind, rule)));
        assert_eq!(self.alarms.bits(), kind.bit(), "{:?}", self.alarms);
        self.alarms = Alarms::default();
        self
    }

    /// Exactly this hazard was met, and nothing broken.
    #[track_caller]
    pub fn met(&mut self, hazard: Hazard) -> &mut Run {
        assert_eq!(self.alarms.bits() & 0xffff, 0, "{:?}", self.alarms);
        assert_eq!(self.alarms.hazards(), Hazards::one(hazard));
        self.alarms = Alarms::default();
        self
    }

    /// Would any of these be fine to see by a fresh walk, and no other value up to 9?
    #[track_caller]
    pub fn allows(&mut self, mm: MmId, va: Va, cell: Cell, values: &[u8]) -> &mut Run {
        for v in 0..10 {
            let (mut ideal, mut alarms) = (self.ideal.clone(), Alarms::default());
            self.spec.observe(&mut ideal, &mut alarms, mm, va, cell, v);
            assert_eq!(alarms.kinds() == 0, values.contains(&v), "value {v}");
        }
        self
    }
}
