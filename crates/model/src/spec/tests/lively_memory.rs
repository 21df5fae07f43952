//! A small kernel: frames, page tables, TLBs, COW by an exclusive flag, references and pins. Right, unless a rule is switched off.
//!
//! It is no model of Linux, and far coarser than the mm: it is here to bring about what a right kernel may show, copies under way
//! and stale TLBs included, so that the specification can be held against it.

use super::*;

pub const MMS: usize = 3;
pub const PAGES: usize = 2;
pub const CELLS: usize = 2;
const THREADS: usize = 2;
/// What each transfer may land.
pub const LANDS: std::ops::RangeInclusive<u8> = 9..=12;

/// A rule that may be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Off {
    /// None.
    Nothing,
    /// fork flushes the parent's TLBs.
    ForkFlush,
    /// fork copies what is pinned.
    ForkPins,
    /// An exclusive page is written in place whoever refers to it.
    Exclusive,
    /// A page that others refer to is not taken over because it is mapped once.
    Refs,
    /// A freed page is dropped only if nobody refers to it.
    DropRefs,
    /// A freed page is dropped only if it is clean.
    DropDirty,
    /// A zap flushes.
    ZapFlush,
    /// A zap drops its reference only after the flush.
    ZapRef,
    /// A read-only pin of a shared page breaks COW first.
    Unshare,
    /// A copy is dropped if the PTE changed meanwhile.
    Recheck,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Frame {
    pub cells: [u8; CELLS],
    pub refs: u8,
    pub pins: u8,
    pub exclusive: bool,
    pub lazy: bool,
    pub mapped: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pte {
    pub frame: usize,
    pub write: bool,
    pub dirty: bool,
}

/// A copy under way.
#[derive(Clone, Copy, Debug)]
struct Copying {
    from: Option<usize>,
    to: usize,
    done: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    No,
    Begun,
    Done,
}

pub struct Lively {
    pub run: Run,
    pub off: Off,
    pub frames: Vec<Frame>,
    pub ptes: [[Option<Pte>; PAGES]; MMS],
    tlbs: [[[Option<Pte>; PAGES]; THREADS]; MMS],
    born: [bool; MMS],
    copies: [[Option<Copying>; PAGES]; MMS],
    /// Pages copied so far, of a child whose fork is under way.
    forks: [Option<usize>; MMS],
    zaps: [[Way; PAGES]; MMS],
    /// What they have cleared and not flushed yet.
    gathered: [[Option<usize>; PAGES]; MMS],
    frees: [[Way; PAGES]; MMS],
    pub moving: [Option<Va>; MMS],
    /// Under way; its frame.
    pub ios: [Option<Option<usize>>; 4],
    pub holders: [Option<Option<usize>>; 3],
    pub splices: Vec<(MmId, Va, Option<usize>)>,
}

fn promises() -> Spec {
    let mut spec = Spec::new_for(MMS as u8, PAGES as u8, CELLS as u8);
    spec.parents = [None, Some(A), Some(B), None];
    let values = |range: std::ops::RangeInclusive<u8>| range.fold(0, |set, v| set | value(v));
    spec.starts[0] = [values(13..=14); 4];
    let stores = [values(1..=3), values(4..=6), values(7..=8)];
    for (mm, set) in stores.into_iter().enumerate() {
        spec.stores[mm] = [set; 4];
    }
    spec.lands[0] = [values(LANDS); 4];
    spec.inherits[1] = [values(9..=14) | values(1..=3); 4];
    spec.inherits[2] = [values(9..=14) | values(1..=6); 4];
    for (n, io) in spec.ios.iter_mut().enumerate() {
        *io = IoUse {
            dir: if n < 3 { Dir::ToMemory } else { Dir::ToDevice },
            mm: A,
            va: Va(n as u8 % 2),
            cells: Cells::first(2),
            by: if n == 1 { By::Pin } else { By::Get },
        };
    }
    let promises = [
        Promise::InSync,
        Promise::InSyncUnlessForked,
        Promise::Snapshot,
    ];
    for (holder, promise) in spec.holders.iter_mut().zip(promises) {
        *holder = HoldUse {
            mm: A,
            va: X,
            promise,
        };
    }
    spec
}

impl Lively {
    pub fn new(off: Off) -> Lively {
        let mut run = Run::new();
        run.spec = promises();
        run.ideal = run.spec.start();
        run.ideal.born(A);
        let mut l = Lively {
            run,
            off,
            frames: Vec::new(),
            ptes: [[None; PAGES]; MMS],
            tlbs: [[[None; PAGES]; THREADS]; MMS],
            born: [true, false, false],
            copies: [[None; PAGES]; MMS],
            forks: [None; MMS],
            zaps: [[Way::No; PAGES]; MMS],
            gathered: [[None; PAGES]; MMS],
            frees: [[Way::No; PAGES]; MMS],
            moving: [None; MMS],
            ios: [None; 4],
            holders: [None; 3],
            splices: Vec::new(),
        };
        for va in 0..PAGES {
            l.run.ideal.map(A, Va(va as u8), &[13, 14, 0, 0]);
            let frame = l.alloc([13, 14]);
            l.map(0, va, frame, true);
        }
        l
    }

    fn alloc(&mut self, cells: [u8; CELLS]) -> usize {
        self.frames.push(Frame {
            cells,
            ..Frame::default()
        });
        self.frames.len() - 1
    }

    /// Maps a page of nobody else.
    fn map(&mut self, mm: usize, va: usize, frame: usize, write: bool) {
        let f = &mut self.frames[frame];
        f.mapped += 1;
        f.exclusive = true;
        self.ptes[mm][va] = Some(Pte {
            frame,
            write,
            dirty: true,
        });
    }

    fn unmap(&mut self, mm: usize, va: usize) {
        if let Some(pte) = self.ptes[mm][va].take() {
            self.frames[pte.frame].mapped -= 1;
        }
    }

    fn flush(&mut self, mm: usize, va: usize) {
        for tlb in &mut self.tlbs[mm] {
            tlb[va] = None;
        }
    }

    /// What a load would show.
    pub fn shows(&self, mm: usize, va: usize, cell: usize) -> u8 {
        self.ptes[mm][va].map_or(0, |pte| self.frames[pte.frame].cells[cell])
    }

    pub fn forking(&self, mm: usize) -> bool {
        self.forks.get(mm + 1).is_some_and(Option::is_some)
    }

    /// Does the step, if that can be done now.
    pub fn step(&mut self, (what, a, b, c): super::plain::Step) {
        let m = usize::from(a) % MMS;
        let m = if self.born[m] { m } else { 0 };
        let (va, cell) = (usize::from(b) % PAGES, usize::from(c) % CELLS);
        let thread = usize::from(b / 2) % THREADS;
        match what {
            0..=4 => self.store(m, thread, va, cell, c),
            5 | 6 => self.load(m, thread, va, cell, c),
            7 | 8 => self.fork(m),
            9 => self.zap(m, va),
            10 => self.free(m, va),
            11 => self.drop_lazy(m, va),
            12 => self.wrprotect(m, va),
            13..=16 => self.transfer(usize::from(a) % 4, cell, c),
            17 | 18 => self.splice(m, va, cell, c),
            19 | 20 => self.hold(usize::from(a) % 3, cell, c),
            21 => self.move_page(m, va),
            22 => self.migrate(m, va),
            _ => self.copy(m, va),
        }
    }

    fn load(&mut self, m: usize, thread: usize, va: usize, cell: usize, c: u8) {
        let stale = self.tlbs[m][thread][va].filter(|_| c % 4 < 2);
        let Some(pte) = stale.or(self.ptes[m][va]) else {
            if !self.forking(m) && self.moving[m].is_none() {
                let frame = self.alloc([0; CELLS]);
                self.map(m, va, frame, true);
            }
            return;
        };
        self.tlbs[m][thread][va] = Some(pte);
        let seen = self.frames[pte.frame].cells[cell];
        self.run
            .load(MmId(m as u8), Va(va as u8), Cell(cell as u8), seen);
    }

    fn store(&mut self, m: usize, thread: usize, va: usize, cell: usize, c: u8) {
        let stale = self.tlbs[m][thread][va].filter(|t| c % 4 < 2 && t.write && t.dirty);
        let pte = match (stale, &mut self.ptes[m][va]) {
            (Some(stale), _) => stale,
            (None, Some(pte)) if pte.write => {
                pte.dirty = true;
                *pte
            }
            _ => return self.fault(m, va),
        };
        self.tlbs[m][thread][va] = Some(pte);
        let value = [1, 4, 7][m] + c / 4 % if m == 2 { 2 } else { 3 };
        self.frames[pte.frame].cells[cell] = value;
        self.run
            .store(MmId(m as u8), Va(va as u8), Cell(cell as u8), value);
    }

    /// A write fault: reuse, or a copy begins.
    pub fn fault(&mut self, m: usize, va: usize) {
        if self.forking(m) || self.moving[m].is_some() || self.copies[m][va].is_some() {
            return;
        }
        let Some(pte) = self.ptes[m][va] else {
            let frame = self.alloc([0; CELLS]);
            return self.map(m, va, frame, true);
        };
        let f = self.frames[pte.frame];
        let alone = f.mapped == 1 && (f.refs + f.pins == 0 || self.off == Off::Refs);
        let exclusive = f.exclusive && self.off != Off::Exclusive;
        if exclusive || alone {
            self.frames[pte.frame].exclusive = true;
            self.ptes[m][va] = Some(Pte {
                write: true,
                dirty: true,
                ..pte
            });
        } else {
            self.begin_copy(m, va);
        }
    }

    fn begin_copy(&mut self, m: usize, va: usize) {
        let to = self.alloc([0; CELLS]);
        let from = self.ptes[m][va].map(|pte| pte.frame);
        self.copies[m][va] = Some(Copying { from, to, done: 0 });
    }

    /// A copy goes on: a cell, or the switch of the PTE.
    fn copy(&mut self, m: usize, va: usize) {
        let Some(mut copying) = self.copies[m][va].filter(|_| self.moving[m].is_none()) else {
            return;
        };
        let Some(from) = copying.from else { return };
        if copying.done < CELLS {
            self.frames[copying.to].cells[copying.done] = self.frames[from].cells[copying.done];
            copying.done += 1;
            self.copies[m][va] = Some(copying);
            return;
        }
        self.copies[m][va] = None;
        let same = self.ptes[m][va].is_some_and(|pte| pte.frame == from && !pte.write);
        if same || self.off == Off::Recheck {
            self.flush(m, va);
            self.unmap(m, va);
            self.map(m, va, copying.to, true);
        }
    }

    fn fork(&mut self, parent: usize) {
        let child = parent + 1;
        if child >= MMS || self.born[child] {
            return;
        }
        let ids = (MmId(parent as u8), MmId(child as u8));
        let (begin, end) = (
            Event::ForkBegin {
                parent: ids.0,
                child: ids.1,
            },
            Event::ForkEnd {
                parent: ids.0,
                child: ids.1,
            },
        );
        match self.forks[child] {
            None => {
                let busy = (0..PAGES).any(|va| {
                    self.copies[parent][va].is_some()
                        || self.zaps[parent][va] != Way::No
                        || self.frees[parent][va] != Way::No
                });
                if !busy && self.moving[parent].is_none() {
                    self.run.event(begin);
                    self.forks[child] = Some(0);
                }
            }
            Some(va) if va < PAGES => {
                self.share(parent, child, va);
                self.forks[child] = Some(va + 1);
            }
            Some(_) => {
                if self.off != Off::ForkFlush {
                    (0..PAGES).for_each(|va| self.flush(parent, va));
                }
                self.run.event(end);
                self.forks[child] = None;
                self.born[child] = true;
            }
        }
    }

    fn share(&mut self, parent: usize, child: usize, va: usize) {
        let Some(pte) = self.ptes[parent][va] else {
            return;
        };
        let f = self.frames[pte.frame];
        if f.pins > 0 && f.exclusive && self.off != Off::ForkPins {
            let copy = self.alloc(f.cells);
            self.map(child, va, copy, true);
            return;
        }
        let f = &mut self.frames[pte.frame];
        f.exclusive = false;
        f.mapped += 1;
        let shared = Pte {
            write: false,
            ..pte
        };
        self.ptes[parent][va] = Some(shared);
        self.ptes[child][va] = Some(shared);
    }

    fn zap(&mut self, m: usize, va: usize) {
        if self.forking(m) || self.moving[m].is_some() {
            return;
        }
        let (mm, at) = (MmId(m as u8), Va(va as u8));
        self.zaps[m][va] = match self.zaps[m][va] {
            Way::No => {
                self.run.event(Event::ZapBegin { mm, va: at });
                Way::Begun
            }
            Way::Begun => {
                // The reference goes after the flush: until then nobody may take the page for unshared.
                self.gathered[m][va] = self.ptes[m][va].map(|pte| pte.frame);
                if let Some(frame) = self.gathered[m][va].filter(|_| self.off != Off::ZapRef) {
                    self.frames[frame].refs += 1;
                }
                self.unmap(m, va);
                Way::Done
            }
            Way::Done => {
                if self.off != Off::ZapFlush {
                    self.flush(m, va);
                }
                if let Some(frame) = self.gathered[m][va].take() {
                    self.frames[frame].refs = self.frames[frame].refs.saturating_sub(1);
                }
                self.run.event(Event::ZapEnd { mm, va: at });
                Way::No
            }
        };
    }

    fn free(&mut self, m: usize, va: usize) {
        if self.forking(m) || self.moving[m].is_some() {
            return;
        }
        let (mm, at) = (MmId(m as u8), Va(va as u8));
        self.frees[m][va] = match self.frees[m][va] {
            Way::No => {
                self.run.event(Event::FreeBegin { mm, va: at });
                Way::Begun
            }
            Way::Begun => {
                if let Some(pte) = &mut self.ptes[m][va]
                    && self.frames[pte.frame].mapped == 1
                {
                    pte.dirty = false;
                    self.frames[pte.frame].lazy = true;
                }
                Way::Done
            }
            Way::Done => {
                self.flush(m, va);
                self.run.event(Event::FreeEnd { mm, va: at });
                Way::No
            }
        };
    }

    /// Reclaim drops a freed page.
    fn drop_lazy(&mut self, m: usize, va: usize) {
        let Some(pte) = self.ptes[m][va].filter(|_| !self.forking(m)) else {
            return;
        };
        let f = self.frames[pte.frame];
        let free = f.refs + f.pins == 0 || self.off == Off::DropRefs;
        let clean = !pte.dirty || self.off == Off::DropDirty;
        if f.lazy && f.mapped == 1 && free && clean && self.moving[m].is_none() {
            self.unmap(m, va);
            self.flush(m, va);
        }
    }

    /// clear_refs, mprotect and back, a merge that fails: the PTE becomes read-only.
    fn wrprotect(&mut self, m: usize, va: usize) {
        if self.forking(m) || self.copies[m][va].is_some() {
            return;
        }
        if let Some(pte) = &mut self.ptes[m][va] {
            pte.write = false;
            self.flush(m, va);
        }
    }

    /// UFFDIO_MOVE: of an exclusive page that is not pinned, to where there is none.
    fn move_page(&mut self, m: usize, va: usize) {
        let mm = MmId(m as u8);
        if let Some(from) = self.moving[m] {
            let to = Va(1 - from.0);
            if let Some(pte) = self.ptes[m][from.at()].take() {
                self.ptes[m][to.at()] = Some(pte);
            }
            self.flush(m, from.at());
            self.moving[m] = None;
            self.run.event(Event::Moved { mm, from, to });
            return;
        }
        let (from, to) = (Va(va as u8), Va(1 - va as u8));
        let movable = self.ptes[m][va].is_some_and(|pte| {
            let f = self.frames[pte.frame];
            f.exclusive && f.pins == 0
        });
        if movable && self.ptes[m][to.at()].is_none() && !self.forking(m) {
            self.flush(m, va);
            self.run.event(Event::MoveBegin { mm, from, to });
            self.moving[m] = Some(from);
        }
    }

    /// Migration, or out to swap and back: another frame, if nobody refers to the page.
    fn migrate(&mut self, m: usize, va: usize) {
        let Some(pte) = self.ptes[m][va] else { return };
        let f = self.frames[pte.frame];
        if f.mapped != 1 || f.refs + f.pins > 0 || self.forking(m) || self.moving[m].is_some() {
            return;
        }
        let new = self.alloc(f.cells);
        self.frames[new] = Frame {
            cells: f.cells,
            ..f
        };
        self.frames[pte.frame].mapped = 0;
        self.ptes[m][va] = Some(Pte { frame: new, ..pte });
        self.flush(m, va);
    }
}
