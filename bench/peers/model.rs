//! The shared model of README.md, once for both explorers in Rust.

/// Frames.
const FRAMES: usize = 4;

/// A page-table entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pte {
    /// Nothing was ever there.
    None,
    /// In the slot.
    Swap,
    /// A frame that is read only.
    ReadOnly(u8),
    /// A frame that may be stored to.
    Writable(u8),
}

/// A thread, which stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Thread {
    place: u8,
    /// Stores left.
    left: u8,
    cell: u8,
    value: u8,
}

/// The reclaimer or the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Agent {
    place: u8,
    /// Passes or transfers left.
    left: u8,
    /// In hand; 0 where there is none.
    frame: u8,
}

/// One state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cowlet {
    ptes: [Pte; 2],
    refs: [u8; FRAMES],
    cells: [[u8; 2]; FRAMES],
    /// Entries that are in the slot.
    count: u8,
    /// The cached frame, from 1; 0: none.
    cache: u8,
    slot: [u8; 2],
    threads: [Thread; 2],
    forked: bool,
    reclaimer: Agent,
    device: Agent,
}

/// How often each may begin; at most 3, which is what the packed form has room for.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Stores of each thread.
    pub stores: u8,
    /// Passes of the reclaimer.
    pub passes: u8,
    /// Transfers of the device.
    pub transfers: u8,
}

/// Who steps: two threads, fork, the reclaimer, the device.
pub const ACTORS: usize = 5;
const FORK: usize = 2;
const RECLAIM: usize = 3;

impl Cowlet {
    /// The initial state.
    pub fn start(bound: Bound) -> Cowlet {
        let thread = Thread {
            place: 0,
            left: bound.stores,
            cell: 0,
            value: 0,
        };
        let agent = |left| Agent {
            place: 0,
            left,
            frame: 0,
        };
        Cowlet {
            ptes: [Pte::Writable(0), Pte::None],
            refs: [1, 0, 0, 0],
            cells: [[0; 2]; FRAMES],
            count: 0,
            cache: 0,
            slot: [0; 2],
            threads: [thread; 2],
            forked: false,
            reclaimer: agent(bound.passes),
            device: agent(bound.transfers),
        }
    }

    fn free(&self) -> Option<u8> {
        self.refs
            .iter()
            .position(|refs| *refs == 0)
            .map(|f| f as u8)
    }

    fn drop(&mut self, frame: u8) {
        let f = frame as usize;
        self.refs[f] -= 1;
        if self.refs[f] == 0 {
            self.cells[f] = [0; 2];
        }
    }

    fn present(&self, process: usize) -> Option<u8> {
        match self.ptes[process] {
            Pte::ReadOnly(f) | Pte::Writable(f) => Some(f),
            _ => None,
        }
    }

    /// How many ways the actor may step; 0: it is blocked.
    pub fn ways(&self, actor: usize) -> u32 {
        match actor {
            FORK => u32::from(!self.forked),
            RECLAIM => match self.reclaimer.place {
                0 if self.reclaimer.left > 0 => {
                    (0..2).filter(|&p| self.present(p).is_some()).count() as u32
                }
                0 => 0,
                _ => 1,
            },
            4 => match self.device.place {
                0 => u32::from(self.device.left > 0 && matches!(self.ptes[0], Pte::Writable(_))),
                _ => 1,
            },
            t => self.thread_ways(t),
        }
    }

    fn thread_ways(&self, t: usize) -> u32 {
        let thread = &self.threads[t];
        if t == 1 && !self.forked {
            return 0;
        }
        let needs_frame = match (thread.place, self.ptes[t]) {
            (0, _) => return if thread.left > 0 { 4 } else { 0 },
            (1, Pte::None) | (2, Pte::ReadOnly(_)) => true,
            (3, Pte::Swap) => self.cache == 0,
            _ => false,
        };
        u32::from(!needs_frame || self.free().is_some())
    }

    /// Steps; `way` is below [`Cowlet::ways`].
    pub fn step(&mut self, actor: usize, way: u32) {
        match actor {
            FORK => self.fork(),
            RECLAIM => self.reclaim(way),
            4 => self.transfer(),
            t => self.store(t, way),
        }
    }

    fn store(&mut self, t: usize, way: u32) {
        let Thread {
            place, cell, value, ..
        } = self.threads[t];
        match (place, self.ptes[t]) {
            (0, _) => {
                let thread = &mut self.threads[t];
                *thread = Thread {
                    place: 1,
                    left: thread.left - 1,
                    cell: (way % 2) as u8,
                    value: 2 + (way / 2) as u8,
                };
            }
            (1, Pte::Writable(f)) => {
                self.cells[f as usize][cell as usize] = value;
                let thread = &mut self.threads[t];
                (thread.place, thread.cell, thread.value) = (0, 0, 0);
            }
            (1, Pte::ReadOnly(f)) if self.refs[f as usize] == 1 => self.ptes[t] = Pte::Writable(f),
            (1, Pte::ReadOnly(_)) => self.threads[t].place = 2,
            (1, Pte::Swap) => self.threads[t].place = 3,
            (1, Pte::None) => {
                let Some(g) = self.free() else { return };
                self.refs[g as usize] = 1;
                self.ptes[t] = Pte::Writable(g);
            }
            (2, Pte::ReadOnly(f)) => {
                let Some(g) = self.free() else { return };
                self.refs[g as usize] = 1;
                self.cells[g as usize] = self.cells[f as usize];
                self.drop(f);
                self.ptes[t] = Pte::Writable(g);
                self.threads[t].place = 1;
            }
            (3, Pte::Swap) if self.cache == 0 => {
                let Some(g) = self.free() else { return };
                self.refs[g as usize] = 1;
                self.cells[g as usize] = self.slot;
                self.cache = g + 1;
            }
            (3, Pte::Swap) => {
                let f = self.cache - 1;
                self.refs[f as usize] += 1;
                self.ptes[t] = Pte::ReadOnly(f);
                self.count -= 1;
                if self.count == 0 {
                    self.cache = 0;
                    self.slot = [0; 2];
                    self.drop(f);
                }
                self.threads[t].place = 1;
            }
            _ => self.threads[t].place = 1,
        }
    }

    fn fork(&mut self) {
        self.forked = true;
        match self.ptes[0] {
            Pte::ReadOnly(f) | Pte::Writable(f) => {
                self.ptes = [Pte::ReadOnly(f); 2];
                self.refs[f as usize] += 1;
            }
            Pte::Swap => {
                self.ptes[1] = Pte::Swap;
                self.count += 1;
            }
            Pte::None => {}
        }
    }

    fn reclaim(&mut self, way: u32) {
        let f = self.reclaimer.frame;
        match self.reclaimer.place {
            0 => {
                let Some(f) = (0..2).filter_map(|p| self.present(p)).nth(way as usize) else {
                    return;
                };
                self.refs[f as usize] += 1;
                self.reclaimer = Agent {
                    place: 1,
                    left: self.reclaimer.left - 1,
                    frame: f,
                };
            }
            1 if self.cache == f + 1 => self.reclaimer.place = 2,
            1 if self.cache == 0 && self.count == 0 => {
                self.cache = f + 1;
                self.refs[f as usize] += 1;
                self.reclaimer.place = 2;
            }
            2 => {
                let mapped = (0..2).find(|&p| self.present(p) == Some(f));
                match mapped.filter(|_| self.cache == f + 1) {
                    Some(p) => {
                        self.ptes[p] = Pte::Swap;
                        self.count += 1;
                        self.drop(f);
                    }
                    None => self.reclaimer.place = 3,
                }
            }
            place => {
                if place == 3 && self.cache == f + 1 {
                    let out = self.count > 0 && self.refs[f as usize] == 2;
                    if out {
                        self.slot = self.cells[f as usize];
                    }
                    if out || self.count == 0 {
                        self.cache = 0;
                        self.drop(f);
                    }
                }
                self.drop(f);
                (self.reclaimer.place, self.reclaimer.frame) = (0, 0);
            }
        }
    }

    fn transfer(&mut self) {
        let f = self.device.frame;
        match self.device.place {
            0 => {
                let Pte::Writable(f) = self.ptes[0] else {
                    return;
                };
                self.refs[f as usize] += 1;
                self.device = Agent {
                    place: 1,
                    left: self.device.left - 1,
                    frame: f,
                };
            }
            1 => {
                self.cells[f as usize][0] = 1;
                self.device.place = 2;
            }
            _ => {
                self.drop(f);
                (self.device.place, self.device.frame) = (0, 0);
            }
        }
    }

    /// Packed: entries and counts in four bits, cells and registers in one or two.
    pub fn pack(&self) -> [u8; 11] {
        let pte = |pte: Pte| match pte {
            Pte::None => 0,
            Pte::Swap => 1,
            Pte::ReadOnly(f) => 2 + f,
            Pte::Writable(f) => 6 + f,
        };
        let pair = |cells: [u8; 2]| cells[0] | cells[1] << 2;
        let agent = |a: &Agent| a.place | a.left << 2 | a.frame << 4;
        let thread = |t: &Thread| t.place | t.left << 2 | t.cell << 4 | t.value << 5;
        [
            pte(self.ptes[0]) | pte(self.ptes[1]) << 4,
            self.refs[0] | self.refs[1] << 4,
            self.refs[2] | self.refs[3] << 4,
            pair(self.cells[0]) | pair(self.cells[1]) << 4,
            pair(self.cells[2]) | pair(self.cells[3]) << 4,
            self.count | self.cache << 2 | u8::from(self.forked) << 5,
            pair(self.slot),
            thread(&self.threads[0]),
            thread(&self.threads[1]),
            agent(&self.reclaimer),
            agent(&self.device),
        ]
    }

    /// What was packed.
    pub fn unpack(b: &[u8]) -> Cowlet {
        let pte = |n: u8| match n {
            0 => Pte::None,
            1 => Pte::Swap,
            2..=5 => Pte::ReadOnly(n - 2),
            _ => Pte::Writable(n - 6),
        };
        let pair = |n: u8| [n & 3, n >> 2 & 3];
        let agent = |n: u8| Agent {
            place: n & 3,
            left: n >> 2 & 3,
            frame: n >> 4,
        };
        let thread = |n: u8| Thread {
            place: n & 3,
            left: n >> 2 & 3,
            cell: n >> 4 & 1,
            value: n >> 5,
        };
        Cowlet {
            ptes: [pte(b[0] & 15), pte(b[0] >> 4)],
            refs: [b[1] & 15, b[1] >> 4, b[2] & 15, b[2] >> 4],
            cells: [pair(b[3]), pair(b[3] >> 4), pair(b[4]), pair(b[4] >> 4)],
            count: b[5] & 3,
            cache: b[5] >> 2 & 7,
            forked: b[5] >> 5 == 1,
            slot: pair(b[6]),
            threads: [thread(b[7]), thread(b[8])],
            reclaimer: agent(b[9]),
            device: agent(b[10]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Every state of the least bound at which everybody does something.
    fn states() -> HashSet<Cowlet> {
        let start = Cowlet::start(Bound {
            stores: 1,
            passes: 1,
            transfers: 1,
        });
        let mut known = HashSet::from([start]);
        let mut open = vec![start];
        while let Some(state) = open.pop() {
            for actor in 0..ACTORS {
                for way in 0..state.ways(actor) {
                    let mut next = state;
                    next.step(actor, way);
                    if known.insert(next) {
                        open.push(next);
                    }
                }
            }
        }
        known
    }

    #[test]
    fn the_books_balance_in_every_state() {
        let states = states();
        assert_eq!(states.len(), 111_145);
        for state in states {
            assert_eq!(Cowlet::unpack(&state.pack()), state);
            let swapped = state.ptes.iter().filter(|pte| **pte == Pte::Swap);
            assert_eq!(swapped.count(), usize::from(state.count));
            for frame in 0..FRAMES as u8 {
                let mapped = (0..2).filter(|p| state.present(*p) == Some(frame)).count();
                let cached = usize::from(state.cache == frame + 1);
                let agents = [state.reclaimer, state.device];
                let held = agents.iter().filter(|a| a.place > 0 && a.frame == frame);
                let refs = state.refs[usize::from(frame)];
                assert_eq!(usize::from(refs), mapped + cached + held.count());
                assert!(refs > 0 || state.cells[usize::from(frame)] == [0; 2]);
            }
        }
    }
}
