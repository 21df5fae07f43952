//! A small machine: actors with straight programs over shared variables and locks. Every reduction has something to do here.
#![allow(dead_code)]

use cowherd_explore::{Choice, Footprint, Mover, System};

/// One instruction; every actor has one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Takes a lock; waits while somebody has it.
    Lock(u8),
    /// Drops a lock; nothing happens if the actor does not have it.
    Unlock(u8),
    /// The register becomes a variable.
    Load(u8),
    /// A variable becomes the register.
    Store(u8),
    /// A variable becomes a constant.
    Set(u8, u8),
    /// Waits until a variable has a value.
    Await(u8, u8),
    /// The register is counted up, modulo 4.
    Add,
    /// The register becomes any of so many values.
    Choose(u8),
    /// Raises a flag for ever if the register has this value.
    Flag(u8, u8),
    /// Goes back so many instructions if the register is not 0; 0 is this one.
    Loop(u8),
}

/// A program for each actor.
#[derive(Clone, Debug)]
pub struct Machine {
    pub programs: Vec<Vec<Op>>,
    /// The last so many actors need not finish.
    pub daemons: usize,
    /// Actors with equal programs may change places.
    pub symmetric: bool,
}

pub const VARIABLES: usize = 3;
pub const LOCKS: usize = 3;
const FREE: u8 = 0xff;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    pc: [u8; 4],
    register: [u8; 4],
    variable: [u8; VARIABLES],
    owner: [u8; LOCKS],
    flags: u8,
}

impl Machine {
    pub fn new(programs: Vec<Vec<Op>>) -> Machine {
        assert!(programs.len() <= 4);
        Machine {
            programs,
            daemons: 0,
            symmetric: false,
        }
    }

    fn op(&self, state: &State, actor: usize) -> Option<Op> {
        self.programs[actor]
            .get(usize::from(state.pc[actor]))
            .copied()
    }

    fn is_daemon(&self, actor: usize) -> bool {
        actor >= self.programs.len() - self.daemons
    }

    /// Others may be cut off where the program is done, and this step has a part in that: it ends an actor that must come to its
    /// end, or it shows in the outcome though its actor need not.
    fn ends(&self, state: &State, actor: usize) -> bool {
        let last = usize::from(state.pc[actor]) + 1 == self.programs[actor].len();
        match self.op(state, actor) {
            Some(Op::Store(_) | Op::Set(..)) if self.is_daemon(actor) => true,
            _ => self.daemons > 0 && last && !self.is_daemon(actor),
        }
    }

    /// Is every access to the variable, in every program, under one and the same lock?
    fn protected(&self, variable: u8) -> bool {
        (0..LOCKS as u8).any(|lock| {
            self.programs.iter().all(|program| {
                let straight = !program.iter().any(|op| matches!(op, Op::Loop(_)));
                let mut held = false;
                straight
                    && program.iter().all(|op| {
                        match *op {
                            Op::Lock(other) if other == lock => held = true,
                            Op::Unlock(other) if other == lock => held = false,
                            Op::Load(v) | Op::Store(v) | Op::Set(v, _) | Op::Await(v, _)
                                if v == variable =>
                            {
                                return held;
                            }
                            _ => {}
                        }
                        true
                    })
            })
        })
    }

    fn touched(op: Op) -> Footprint {
        let (reads, writes) = match op {
            Op::Lock(lock) | Op::Unlock(lock) => (0, 1 << (8 + lock)),
            Op::Load(v) | Op::Await(v, _) => (1 << v, 0),
            Op::Store(v) | Op::Set(v, _) => (0, 1 << v),
            Op::Add | Op::Choose(_) | Op::Loop(_) => (0, 0),
            Op::Flag(..) => (0, 1 << 16),
        };
        Footprint { reads, writes }
    }
}

impl System for Machine {
    type State = State;

    fn initial(&self, each: &mut dyn FnMut(State)) {
        each(State {
            pc: [0; 4],
            register: [0; 4],
            variable: [0; VARIABLES],
            owner: [FREE; LOCKS],
            flags: 0,
        });
    }

    fn actors(&self) -> usize {
        self.programs.len()
    }

    fn enabled(&self, state: &State, actor: usize) -> bool {
        match self.op(state, actor) {
            None => false,
            Some(Op::Lock(lock)) => state.owner[usize::from(lock)] == FREE,
            Some(Op::Await(variable, value)) => state.variable[usize::from(variable)] == value,
            Some(_) => true,
        }
    }

    fn step(&self, state: &mut State, actor: usize, choice: &mut Choice) {
        let op = self.op(state, actor).expect("enabled");
        state.pc[actor] += 1;
        match op {
            Op::Lock(lock) => state.owner[usize::from(lock)] = actor as u8,
            Op::Unlock(lock) => {
                if state.owner[usize::from(lock)] == actor as u8 {
                    state.owner[usize::from(lock)] = FREE;
                }
            }
            Op::Load(variable) => state.register[actor] = state.variable[usize::from(variable)],
            Op::Store(variable) => state.variable[usize::from(variable)] = state.register[actor],
            Op::Set(variable, value) => state.variable[usize::from(variable)] = value,
            Op::Await(..) => {}
            Op::Add => state.register[actor] = (state.register[actor] + 1) % 4,
            Op::Choose(ways) => state.register[actor] = choice.choose(u32::from(ways)) as u8,
            Op::Flag(bit, value) => {
                if state.register[actor] == value {
                    state.flags |= 1 << bit;
                }
            }
            Op::Loop(back) => {
                if state.register[actor] != 0 {
                    state.pc[actor] = state.pc[actor].saturating_sub(back + 1);
                }
            }
        }
    }

    fn done(&self, state: &State) -> bool {
        (0..self.programs.len() - self.daemons).all(|actor| self.op(state, actor).is_none())
    }

    fn flags(&self, state: &State) -> u64 {
        u64::from(state.flags)
    }

    fn outcome(&self, state: &State, out: &mut Vec<u8>) {
        out.extend(state.variable);
        let first = out.len();
        out.extend(&state.register[..self.programs.len() - self.daemons]);
        if self.symmetric {
            out[first..].sort_unstable();
        }
    }

    fn pack(&self, state: &State, out: &mut Vec<u8>) {
        out.extend(state.pc);
        out.extend(state.register);
        out.extend(state.variable);
        out.extend(state.owner);
        out.push(state.flags);
    }

    fn unpack(&self, bytes: &[u8]) -> State {
        let mut at = 0;
        let mut next = || {
            at += 1;
            bytes[at - 1]
        };
        State {
            pc: std::array::from_fn(|_| next()),
            register: std::array::from_fn(|_| next()),
            variable: std::array::from_fn(|_| next()),
            owner: std::array::from_fn(|_| next()),
            flags: next(),
        }
    }

    fn canonical(&self, state: &mut State) {
        if !self.symmetric {
            return;
        }
        // Which actor has which locks belongs to the actor: sorting by all that it is gives a true canonical form.
        let mut all: Vec<(u8, u8, u8, usize)> = (0..self.programs.len())
            .map(|actor| {
                let held = (0..LOCKS)
                    .filter(|lock| state.owner[*lock] == actor as u8)
                    .fold(0, |set, lock| set | 1 << lock);
                (state.pc[actor], state.register[actor], held, actor)
            })
            .collect();
        all.sort_unstable();
        for (actor, (pc, register, held, _)) in all.into_iter().enumerate() {
            state.pc[actor] = pc;
            state.register[actor] = register;
            for lock in (0..LOCKS).filter(|lock| held >> lock & 1 == 1) {
                state.owner[lock] = actor as u8;
            }
        }
    }

    fn mover(&self, state: &State, actor: usize) -> Mover {
        match self.op(state, actor).expect("enabled") {
            _ if self.ends(state, actor) => Mover::None,
            Op::Lock(_) => Mover::Right,
            Op::Unlock(_) => Mover::Left,
            Op::Add | Op::Choose(_) | Op::Loop(_) | Op::Flag(..) => Mover::Both,
            Op::Load(variable) | Op::Store(variable) | Op::Set(variable, _)
                if self.protected(variable) =>
            {
                Mover::Both
            }
            _ => Mover::None,
        }
    }

    fn blocks(&self, state: &State, actor: usize) -> bool {
        matches!(self.op(state, actor), Some(Op::Lock(_) | Op::Await(..)))
    }

    fn footprint(&self, state: &State, actor: usize) -> Footprint {
        Machine::touched(self.op(state, actor).expect("enabled"))
    }

    fn future(&self, state: &State, actor: usize) -> Footprint {
        let program = &self.programs[actor];
        let looping = program.iter().any(|op| matches!(op, Op::Loop(_)));
        let from = if looping {
            0
        } else {
            usize::from(state.pc[actor])
        };
        let rest = if usize::from(state.pc[actor]) < program.len() {
            &program[from..]
        } else {
            &[]
        };
        rest.iter()
            .map(|op| Machine::touched(*op))
            .fold(Footprint::default(), Footprint::union)
    }

    fn invisible(&self, state: &State, actor: usize) -> bool {
        !matches!(self.op(state, actor), Some(Op::Flag(..))) && !self.ends(state, actor)
    }

    fn effort(&self, state: &State) -> (u32, u32) {
        let begun = |actor: &usize| state.pc[*actor] > 0;
        let actors = (0..self.programs.len()).filter(begun).count() as u32;
        (actors, actors)
    }
}
