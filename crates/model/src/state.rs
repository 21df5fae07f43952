//! The state of a run: the machine, what its memory holds, where each task is, and the ideal memory.

use cowherd_mm::machine::bits;
use cowherd_mm::pack::{Names, Naming, Pack, Reader, Word, Writer};
use cowherd_mm::*;

use crate::program::{MAX_REGS, Program};

/// A state of a run, unpacked.
#[derive(Debug, PartialEq)]
pub struct State {
    /// The mm.
    pub m: Machine,
    /// The frames in use since the last step: [`Machine::in_use`].
    pub used: u32,
    /// What frames hold.
    pub frames: [[u8; MAX_CELLS]; MAX_FRAMES],
    /// What swap slots hold.
    pub slots: [[u8; MAX_CELLS]; MAX_SLOTS],
    /// What files hold.
    pub files: [[u8; MAX_CELLS]; MAX_FILES],
    /// The statement that each task is at; in a general program, the entry of the menu that it is busy with, or one past the last.
    pub pc: [u8; MAX_CPUS],
    /// Calls that may still begin, in a general program; see [`crate::general::Calls`].
    pub calls: u16,
    /// What registers hold.
    pub regs: [Val; MAX_REGS],
    /// Which calls and activities gave up, of those that somebody looks at.
    pub refused: u8,
    /// Threads that a fault has killed.
    pub killed: u8,
    /// Pages at which userfaultfd trapped, if somebody looks: bit mm * 4 + va.
    pub trapped: u16,
    /// The frames of the start, if somebody looks at them.
    pub start: [[Option<Pfn>; MAX_PAGES]; MAX_MMS],
    /// Promises broken so far, by kind; see [`crate::spec::Kind`].
    pub alarms: u64,
    /// Promises kept.
    pub ideal: crate::spec::Ideal,
}

/// What a register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Val {
    /// Nothing yet.
    Unset,
    /// A value: of a cell, or 0 for success.
    Number(u8),
    /// The call failed.
    Failed(Errno),
}

const ERRNOS: [Errno; 10] = [
    Errno::Efault,
    Errno::Enomem,
    Errno::Ebusy,
    Errno::Eagain,
    Errno::Einval,
    Errno::Ebadf,
    Errno::Eexist,
    Errno::Enoent,
    Errno::Eio,
    Errno::Segv,
];

impl Pack for Val {
    const MOST: u32 = 6;
    fn put(&self, word: Word, _: &mut Names) -> Word {
        let code = match *self {
            Val::Unset => 32,
            Val::Number(n) => u32::from(n),
            Val::Failed(e) => 33 + ERRNOS.iter().position(|&x| x == e).unwrap_or(0) as u32,
        };
        word.and(code, 6)
    }
    fn take(r: &mut Reader) -> Val {
        match r.next(6) {
            n @ 0..=31 => Val::Number(n as u8),
            32 => Val::Unset,
            e => Val::Failed(ERRNOS[(e - 33) as usize]),
        }
    }
}

fn put_cells(cells: &[u8; MAX_CELLS], n: u8, word: Word) -> Word {
    let cells = cells[..n as usize].iter();
    cells.fold(word, |word, value| word.and(u32::from(*value), 5))
}

fn unpack_cells(n: u8, r: &mut Reader) -> [u8; MAX_CELLS] {
    let mut cells = [0; MAX_CELLS];
    for value in &mut cells[..n as usize] {
        *value = r.bits(5) as u8;
    }
    cells
}

/// What a freed frame holds.
const JUNK_CELLS: [u8; MAX_CELLS] = [crate::program::JUNK; MAX_CELLS];

impl State {
    /// A state with nothing in it.
    pub const EMPTY: State = {
        let mut frames = [JUNK_CELLS; MAX_FRAMES];
        frames[0] = [0; MAX_CELLS];
        State {
            m: Machine::EMPTY,
            used: 1,
            frames,
            slots: [[0; MAX_CELLS]; MAX_SLOTS],
            files: [[0; MAX_CELLS]; MAX_FILES],
            pc: [0; MAX_CPUS],
            calls: 0,
            regs: [Val::Unset; MAX_REGS],
            refused: 0,
            killed: 0,
            trapped: 0,
            start: [[None; MAX_PAGES]; MAX_MMS],
            alarms: 0,
            ideal: crate::spec::Ideal::EMPTY,
        }
    };

    /// A state with nothing in it.
    pub fn new() -> State {
        State::EMPTY
    }

    /// Packs the state as `p` uses it, names as `p` says.
    ///
    /// Kernel actors that do the same may swap places: of the forms that all their orders give, the least is taken. Each is
    /// packed as a whole, frames renamed anew, so that the result does not depend on which order came first.
    pub fn pack(&self, p: &Program, out: &mut Vec<u8>) {
        if p.naming == Naming::Kept || p.twins.is_empty() {
            return self.pack_as_is(p, out);
        }
        let start = out.len();
        self.pack_as_is(p, out);
        for swaps in &p.twins {
            if p.general.is_some()
                && swaps
                    .iter()
                    .any(|&(a, b)| self.blank(p, a) && self.blank(p, b))
            {
                continue;
            }
            let mut other = self.clone();
            for &(a, b) in swaps {
                other.swap_tasks(a, b, p.general.is_some());
            }
            let end = out.len();
            other.pack_as_is(p, out);
            if out[end..] < out[start..end] {
                out.drain(start..end);
            } else {
                out.truncate(end);
            }
        }
    }

    /// Two tasks swap places, and whatever names their CPUs with them; `values`: the registers of the same numbers, too.
    fn swap_tasks(&mut self, a: usize, b: usize, values: bool) {
        self.pc.swap(a, b);
        if values {
            self.regs.swap(a, b);
        }
        self.m.tasks.swap(a, b);
        self.m.tlbs.swap(a, b);
        let bit = |n: usize| self.killed >> n & 1;
        let (x, y) = (bit(a), bit(b));
        self.killed = self.killed & !(1 << a | 1 << b) | y << a | x << b;
        let swap = |cpu: &mut Option<Cpu>| {
            *cpu = cpu.map(|c| match c.at() {
                n if n == a => Cpu(b as u8),
                n if n == b => Cpu(a as u8),
                _ => c,
            });
        };
        for page in &mut self.m.frames {
            swap(&mut page.batch);
            swap(&mut page.lazy_batch);
            swap(&mut page.moving);
        }
    }

    fn pack_as_is(&self, p: &Program, out: &mut Vec<u8>) {
        let s = &p.cfg.sizes;
        let mut w = Writer::new(out);
        let names = &mut Names::new(p.naming);
        let (pcs, bits) = (self.pc[..s.cpus].iter(), p.pc_bits());
        w.word(pcs.fold(Word::EMPTY, |word, pc| word.and(u32::from(*pc), bits)));
        if p.general.is_some() {
            w.bits(u32::from(self.calls), 16);
        }
        for reg in &self.regs[..p.regs.len()] {
            reg.pack(&mut w, names);
        }
        w.bits(u32::from(self.refused), p.refusals.len() as u32);
        w.bits(u32::from(self.killed), s.cpus as u32);
        if p.watches_traps {
            w.bits(u32::from(self.trapped), 16);
        }
        w.bits(u32::from(self.alarms != 0), 1);
        if self.alarms != 0 {
            w.bits(self.alarms as u32, 32);
            w.bits((self.alarms >> 32) as u32, 32);
        }
        for file in 0..p.files.len() {
            w.word(put_cells(&self.files[file], s.cells, Word::EMPTY));
        }
        self.ideal.pack(&mut w);
        self.m.pack_roots(s, p.base(), &mut w, names);
        if p.watches_frames {
            for mm in 0..s.mms {
                for va in 0..s.pages {
                    self.start[mm][va].pack(&mut w, names);
                }
            }
        }
        self.m.pack_memory(
            s,
            self.used,
            &mut w,
            names,
            |pfn, w| w.word(put_cells(&self.frames[pfn.at()], s.cells, Word::EMPTY)),
            |slot, word| put_cells(&self.slots[slot.at()], s.cells, word),
        );
        w.finish();
    }

    /// The inverse of [`pack`](State::pack).
    pub fn unpack(p: &Program, bytes: &[u8]) -> State {
        let mut state = State::EMPTY;
        state.unpack_into(p, bytes);
        state
    }

    /// As [`unpack`](State::unpack), in place.
    pub fn unpack_into(&mut self, p: &Program, bytes: &[u8]) {
        let s = &p.cfg.sizes;
        let mut r = Reader::new(bytes);
        let state = self;
        *state = State::EMPTY;
        for task in 0..s.cpus {
            state.pc[task] = r.bits(p.pc_bits()) as u8;
        }
        if p.general.is_some() {
            state.calls = r.bits(16) as u16;
        }
        for reg in &mut state.regs[..p.regs.len()] {
            *reg = Val::unpack(&mut r);
        }
        state.refused = r.bits(p.refusals.len() as u32) as u8;
        state.killed = r.bits(s.cpus as u32) as u8;
        if p.watches_traps {
            state.trapped = r.bits(16) as u16;
        }
        if r.bits(1) == 1 {
            state.alarms = u64::from(r.bits(32)) | u64::from(r.bits(32)) << 32;
        }
        for file in 0..p.files.len() {
            state.files[file] = unpack_cells(s.cells, &mut r);
        }
        p.spec.size(&mut state.ideal);
        state.ideal.unpack(&mut r);
        state.m.unpack_roots(s, p.base(), &mut r);
        if p.watches_frames {
            for mm in 0..s.mms {
                for va in 0..s.pages {
                    state.start[mm][va] = Pack::unpack(&mut r);
                }
            }
        }
        let (frames, slots) = (&mut state.frames, &mut state.slots);
        state.used = state.m.unpack_memory(
            s,
            p.naming,
            &mut r,
            |pfn, r| frames[pfn.at()] = unpack_cells(s.cells, r),
            |slot, r| slots[slot.at()] = unpack_cells(s.cells, r),
        );
    }

    /// What freed frames hold is not packed: nobody may rely on it.
    pub fn forget_freed(&mut self) {
        for pfn in bits(!self.used & ((1 << MAX_FRAMES) - 1)) {
            self.frames[pfn as usize] = JUNK_CELLS;
        }
    }

    /// Page tables, and what they lead to.
    #[inline]
    pub fn memory(&self) -> Memory<'_> {
        Memory {
            m: &self.m,
            frames: &self.frames,
            slots: &self.slots,
        }
    }

    /// What a fresh load of a cell would give. `None`: it would fault fatally.
    pub fn read(&self, mm: MmId, va: Va, cell: Cell) -> Option<u8> {
        self.memory().read(mm, va).map(|cells| cells[cell.at()])
    }
}

/// The part of a state that a load looks at.
#[derive(Clone, Copy)]
pub struct Memory<'a> {
    /// The mm.
    pub m: &'a Machine,
    /// What frames hold.
    pub frames: &'a [[u8; MAX_CELLS]; MAX_FRAMES],
    /// What swap slots hold.
    pub slots: &'a [[u8; MAX_CELLS]; MAX_SLOTS],
}

impl<'a> Memory<'a> {
    /// What fresh loads of a page's cells would give. `None`: they would fault fatally.
    #[inline]
    pub fn read(self, mm: MmId, va: Va) -> Option<&'a [u8; MAX_CELLS]> {
        let vma = &self.m.vmas[mm.at()][va.at()];
        if !self.m.mms[mm.at()].alive || !vma.mapped {
            return None;
        }
        let frame = |pfn: Pfn| {
            if self.m.frames[pfn.at()].is_free() {
                &JUNK_CELLS
            } else {
                &self.frames[pfn.at()]
            }
        };
        Some(match self.m.ptes[mm.at()][va.at()] {
            pgtable::Pte::None | pgtable::Pte::Marker => vma.file.map_or(&[0; MAX_CELLS], frame),
            pgtable::Pte::Present { e } => frame(e.pfn),
            pgtable::Pte::Migration { e } => frame(e.pfn),
            pgtable::Pte::Swap { e } => match self.m.slots[e.slot.at()].cache {
                Some(pfn) if self.m.frames[pfn.at()].uptodate => frame(pfn),
                _ => &self.slots[e.slot.at()],
            },
        })
    }
}

impl Clone for State {
    fn clone(&self) -> State {
        let mut state = State::EMPTY;
        state.clone_from(self);
        state
    }

    /// Copies what there is, field by field. (To make a copy and then move it would be to copy twice.)
    fn clone_from(&mut self, from: &State) {
        // Every field by name: one that is added and not copied would be lost.
        let State {
            m,
            used,
            frames,
            slots,
            files,
            pc,
            calls,
            regs,
            refused,
            killed,
            trapped,
            start,
            alarms,
            ideal,
        } = from;
        self.m = *m;
        self.used = *used;
        self.frames = *frames;
        self.slots = *slots;
        self.files = *files;
        self.pc = *pc;
        self.calls = *calls;
        self.regs = *regs;
        self.refused = *refused;
        self.killed = *killed;
        self.trapped = *trapped;
        self.start = *start;
        self.alarms = *alarms;
        self.ideal.clone_from(ideal);
    }
}

impl Default for State {
    fn default() -> Self {
        State::new()
    }
}
