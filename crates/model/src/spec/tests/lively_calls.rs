//! Calls of the small kernel that go by reference: transfers, pipes, holders; and what the free observers see.

use super::lively_memory::{CELLS, LANDS, Lively, MMS, Off, PAGES};
use super::*;

impl Lively {
    /// GUP. None: nothing yet, a fault came in between.
    fn gup(
        &mut self,
        m: usize,
        va: usize,
        write: bool,
        pin: bool,
        longterm: bool,
    ) -> Option<usize> {
        if self.forking(m) && (pin || self.ptes[m][va].is_none_or(|pte| write && !pte.write)) {
            return None;
        }
        if self.moving[m].is_some() {
            return None;
        }
        let Some(pte) = self.ptes[m][va] else {
            self.fault(m, va);
            return None;
        };
        if write && !pte.write {
            self.fault(m, va);
            return None;
        }
        let f = self.frames[pte.frame];
        if !write && pin && longterm && !f.exclusive && self.off != Off::Unshare {
            self.fault(m, va);
            return None;
        }
        let f = &mut self.frames[pte.frame];
        if pin {
            f.pins += 1;
        } else {
            f.refs += 1;
        }
        Some(pte.frame)
    }

    fn release(&mut self, frame: usize, pin: bool) {
        if pin {
            self.frames[frame].pins -= 1;
        } else {
            self.frames[frame].refs -= 1;
        }
    }

    pub fn transfer(&mut self, n: usize, cell: usize, c: u8) {
        let io = IoId(n as u8);
        let used = self.run.spec.ios[n];
        let pin = used.by == By::Pin;
        let (writes, at) = (used.dir == Dir::ToMemory, Cell(cell as u8));
        match self.ios[n] {
            None => {
                self.run.begin(io);
                self.ios[n] = Some(None);
            }
            Some(None) => {
                let got = self.gup(0, used.va.at(), writes, pin, false);
                self.ios[n] = Some(got);
            }
            Some(Some(frame)) if c.is_multiple_of(4) => {
                // What was written is dirty, before the reference goes.
                if writes {
                    self.frames[frame].lazy = false;
                }
                self.release(frame, pin);
                self.run.end(io);
                self.ios[n] = None;
            }
            Some(Some(frame)) if writes => {
                let value = LANDS.start() + c / 4 % 4;
                self.frames[frame].cells[cell] = value;
                self.run.land(io, at, value);
            }
            Some(Some(frame)) => {
                let seen = self.frames[frame].cells[cell];
                self.run.sample(io, at, seen);
            }
        }
    }

    pub fn splice(&mut self, m: usize, va: usize, cell: usize, c: u8) {
        let (mm, at) = (MmId(m as u8), Va(va as u8));
        match self.splices.last().copied() {
            Some((of, its, None)) => {
                let got = self.gup(of.at(), its.at(), false, false, false);
                let last = self.splices.len() - 1;
                self.splices[last].2 = got;
            }
            Some((of, its, Some(frame))) if c % 4 < 2 => {
                let seen = self.frames[frame].cells[cell];
                self.run.pipe_read(of, its, Cell(cell as u8), seen);
                if c.is_multiple_of(4) {
                    self.splices.pop();
                    self.release(frame, false);
                    let Lively { run, splices, .. } = self;
                    run.spec.forget(&mut run.ideal, |mm, va| {
                        splices.iter().any(|s| (s.0, s.1) == (mm, va))
                    });
                }
            }
            _ if self.splices.len() < 3 => {
                self.run.event(Event::SpliceBegin { mm, va: at });
                self.splices.push((mm, at, None));
            }
            _ => {}
        }
    }

    pub fn hold(&mut self, n: usize, cell: usize, c: u8) {
        let (holder, at) = (HoldId(n as u8), Cell(cell as u8));
        let (mm, va) = (A, X);
        let (pin, write) = (n == 0, n < 2);
        match self.holders[n] {
            None => {
                self.run.event(Event::HoldBegin { holder, mm, va });
                self.holders[n] = Some(None);
            }
            Some(None) => {
                // The pin is a read-only long-term one half of the time.
                let got = self.gup(0, 0, write && (n == 1 || c.is_multiple_of(2)), pin, true);
                if got.is_some() {
                    self.run.event(Event::Held { holder, mm, va });
                }
                self.holders[n] = Some(got);
            }
            Some(Some(frame)) if c.is_multiple_of(8) => {
                if write {
                    self.frames[frame].lazy = false;
                }
                self.release(frame, pin);
                self.run.event(Event::Released { holder });
                self.holders[n] = None;
            }
            Some(Some(frame)) if c.is_multiple_of(2) && n == 1 => {
                let value = LANDS.start() + c / 4 % 4;
                self.frames[frame].cells[cell] = value;
                self.run.held_store(holder, at, value);
            }
            Some(Some(frame)) => {
                let seen = self.frames[frame].cells[cell];
                self.run.held_load(holder, at, seen);
            }
        }
    }

    /// What the free observers see.
    pub fn observe(&mut self) {
        for m in 0..MMS {
            if self.moving[m].is_some() {
                continue;
            }
            for va in 0..PAGES {
                for cell in 0..CELLS {
                    let seen = self.shows(m, va, cell);
                    let (mm, va, cell) = (MmId(m as u8), Va(va as u8), Cell(cell as u8));
                    let (ideal, alarms) = (&mut self.run.ideal, &mut self.run.alarms);
                    self.run.spec.observe(ideal, alarms, mm, va, cell, seen);
                }
            }
        }
        for n in 0..3 {
            if let Some(Some(frame)) = self.holders[n] {
                for cell in 0..CELLS {
                    let seen = self.frames[frame].cells[cell];
                    let (holder, cell) = (HoldId(n as u8), Cell(cell as u8));
                    let (ideal, alarms) = (&mut self.run.ideal, &mut self.run.alarms);
                    self.run
                        .spec
                        .observe_held(ideal, alarms, holder, cell, seen);
                }
            }
        }
    }
}
