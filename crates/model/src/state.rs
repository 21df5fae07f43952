//! The state of a run: the machine, what its memory holds, where each task is, and the ideal memory.

use cowherd_mm::pack::{Names, Naming, Pack, Reader, Word, Writer};
use cowherd_mm::parts::Changed;
#[cfg(not(feature = "wide"))]
use cowherd_mm::parts::{Form, Kind, Model, Unpack};
use cowherd_mm::*;

use crate::program::{MAX_REGS, Program, StmtNo};

/// A state of a run, unpacked.
#[derive(Debug, PartialEq)]
pub struct State {
    /// The mm.
    pub m: Machine,
    /// The frames in use since the last step: [`Machine::in_use`].
    pub used: Frames,
    /// What frames hold.
    pub frames: [[u8; MAX_CELLS]; MAX_FRAMES],
    /// What swap slots hold.
    pub slots: [[u8; MAX_CELLS]; MAX_SLOTS],
    /// What files hold.
    pub files: [[u8; MAX_CELLS]; MAX_FILES],
    /// The statement that each task is at; in a general program, the entry of the menu that it is busy with, or one past the last.
    pub pc: [StmtNo; MAX_CPUS],
    /// Calls that may still begin, in a general program; see [`crate::general::Calls`].
    pub calls: u16,
    /// What registers hold.
    pub regs: [Val; MAX_REGS],
    /// Which calls and activities gave up, of those that somebody looks at.
    pub refused: u8,
    /// Threads that a fault has killed.
    pub killed: TaskBits,
    /// Pages at which userfaultfd trapped, if somebody looks: bit mm * 4 + va.
    pub trapped: u16,
    /// The frames of the start, if somebody looks at them.
    pub start: [[Option<Pfn>; MAX_PAGES]; MAX_MMS],
    /// Promises broken so far, by kind; see [`crate::spec::Kind`].
    pub alarms: u64,
    /// Promises kept.
    pub ideal: crate::spec::Ideal,
    /// How it relates to the packed state that it came from.
    pub origin: Origin,
}

/// The packed state that a state was unpacked from, and which of its parts steps have changed since. No part of the state.
#[derive(Debug)]
pub struct Origin {
    /// Only of the very state that was unpacked. Apart, for every copy of a state would copy it too.
    #[cfg(not(feature = "wide"))]
    form: Option<Box<Form>>,
    pub(crate) changed: Changed,
}

impl PartialEq for Origin {
    fn eq(&self, _: &Origin) -> bool {
        true
    }
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

/// Registers that a [`Word`] has room for.
const REGS_A_WORD: usize = (Word::ROOM / Val::MOST) as usize;

impl Val {
    fn code(self, word: Word) -> Word {
        let code = match self {
            Val::Unset => 32,
            Val::Number(n) => u32::from(n),
            Val::Failed(e) => 33 + ERRNOS.iter().position(|&x| x == e).unwrap_or(0) as u32,
        };
        word.and(code, Val::MOST)
    }
}

impl Pack for Val {
    const MOST: u32 = 6;
    fn put(&self, word: Word, _: &mut Names) -> Word {
        self.code(word)
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
    r.reach(5 * MAX_CELLS as u32);
    for value in &mut cells[..n as usize] {
        *value = r.next(5) as u8;
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
            used: Frames::ZERO,
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
            origin: Origin {
                #[cfg(not(feature = "wide"))]
                form: None,
                changed: Changed::NONE,
            },
        }
    };

    /// A state with nothing in it.
    pub fn new() -> State {
        State::EMPTY
    }
}

#[cfg(not(feature = "wide"))]
impl State {
    /// Packs the state as `p` uses it, names as `p` says.
    ///
    /// Kernel actors that do the same may swap places: of the forms that all their orders give, the least is taken. Each is
    /// packed as a whole, frames renamed anew, so that the result does not depend on which order came first.
    pub fn pack(&self, p: &Program, out: &mut Vec<u8>) {
        self.pack_like(p, None, out);
    }

    /// As [`pack`](State::pack), for a state that steps made of `from`, which was unpacked.
    pub fn pack_after(&self, p: &Program, from: &State, out: &mut Vec<u8>) {
        let model = from.origin.form.as_deref().map(|form| Model {
            form,
            changed: self.origin.changed,
        });
        let start = out.len();
        self.pack_like(p, model, out);
        if cfg!(debug_assertions) {
            let mut whole = Vec::new();
            self.pack(p, &mut whole);
            assert_eq!(out[start..], whole, "a step changed more than it told");
        }
    }

    fn pack_like(&self, p: &Program, model: Option<Model>, out: &mut Vec<u8>) {
        let start = out.len();
        self.pack_as_is(p, model, out);
        if p.naming == Naming::Kept || p.twins.is_empty() {
            return;
        }
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
            other.pack_as_is(p, None, out);
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

    fn pack_as_is(&self, p: &Program, model: Option<Model>, out: &mut Vec<u8>) {
        let mut w = Writer::new(out);
        let mut names = Names::new(p.naming);
        let sizes = &p.cfg.sizes;
        w.parts(sizes, self.used, model, &mut names, |part, w, names| {
            self.pack_part(p, part, w, names)
        });
        // Only now it is known in which order frames and slots come.
        match self.value_names(p, &names) {
            None => w.finish(),
            Some(renaming) => self.renamed(&renaming).pack_as_is(p, None, out),
        }
    }

    /// What refers to no frame and no slot: where tasks are, and what they left behind.
    fn pack_head(&self, p: &Program, w: &mut Writer) {
        let s = &p.cfg.sizes;
        let (pcs, bits) = (self.pc[..s.cpus].iter(), p.pc_bits());
        w.word(pcs.fold(Word::EMPTY, |word, pc| word.and(u32::from(*pc), bits)));
        for regs in self.regs[..p.regs.len()].chunks(REGS_A_WORD) {
            w.word(regs.iter().fold(Word::EMPTY, |word, reg| reg.code(word)));
        }
        let word = Word::EMPTY.and(u32::from(self.refused), p.refusals.len() as u32);
        let word = word.and(u32::from(self.killed), s.cpus as u32);
        w.word(word.and(u32::from(self.alarms != 0), 1));
        if self.alarms != 0 {
            w.bits(self.alarms as u32, 32);
            w.bits((self.alarms >> 32) as u32, 32);
        }
        if p.general.is_some() {
            w.bits(u32::from(self.calls), 16);
        }
        if p.watches_traps {
            w.bits(u32::from(self.trapped), 16);
        }
        for file in &self.files[..p.files.len()] {
            w.word(put_cells(file, s.cells, Word::EMPTY));
        }
    }

    fn unpack_head(&mut self, p: &Program, r: &mut Reader) {
        let s = &p.cfg.sizes;
        for pc in &mut self.pc[..s.cpus] {
            *pc = r.bits(p.pc_bits()) as StmtNo;
        }
        for reg in &mut self.regs[..p.regs.len()] {
            *reg = Val::unpack(r);
        }
        self.refused = r.bits(p.refusals.len() as u32) as u8;
        self.killed = r.bits(s.cpus as u32) as TaskBits;
        self.alarms = 0;
        if r.bits(1) == 1 {
            self.alarms = u64::from(r.bits(32)) | u64::from(r.bits(32)) << 32;
        }
        if p.general.is_some() {
            self.calls = r.bits(16) as u16;
        }
        if p.watches_traps {
            self.trapped = r.bits(16) as u16;
        }
        for file in &mut self.files[..p.files.len()] {
            *file = unpack_cells(s.cells, r);
        }
    }

    fn pack_part(&self, p: &Program, part: Kind, w: &mut Writer, names: &mut Names) {
        let s = &p.cfg.sizes;
        match part {
            Kind::Head => self.pack_head(p, w),
            Kind::Ideal => self.ideal.pack(w),
            Kind::Mm(mm) => self.m.pack_mm(mm, s, p.base(), w, names),
            Kind::Task(cpu) => self.m.pack_task(cpu, w, names),
            Kind::Tlbs => self.m.pack_tlbs(s, w, names),
            Kind::Devices => self.m.pack_devices(s, w, names),
            Kind::Start if p.watches_frames => {
                for pfn in self.start[..s.mms].iter().flat_map(|mm| &mm[..s.pages]) {
                    pfn.pack(w, names);
                }
            }
            Kind::Start | Kind::Used => {}
            Kind::Frame(pfn) => {
                if self.m.pack_frame(pfn, w, names) {
                    w.word(put_cells(&self.frames[pfn.at()], s.cells, Word::EMPTY));
                }
            }
            Kind::Slot(slot) => {
                let word = self.m.put_slot(slot, names);
                w.word(put_cells(&self.slots[slot.at()], s.cells, word));
            }
        }
    }

    #[inline(always)]
    fn unpack_part(&mut self, p: &Program, part: Kind, r: &mut Reader) {
        let s = &p.cfg.sizes;
        match part {
            Kind::Head => self.unpack_head(p, r),
            Kind::Ideal => self.ideal.unpack(r),
            Kind::Mm(mm) => self.m.unpack_mm(mm, s, p.base(), r),
            Kind::Task(cpu) => self.m.unpack_task(cpu, r),
            Kind::Tlbs => self.m.unpack_tlbs(s, r),
            Kind::Devices => self.m.unpack_devices(s, r),
            Kind::Start if p.watches_frames => {
                for pfn in self.start[..s.mms]
                    .iter_mut()
                    .flat_map(|mm| &mut mm[..s.pages])
                {
                    *pfn = Pack::unpack(r);
                }
            }
            Kind::Start | Kind::Used => {}
            Kind::Frame(pfn) => {
                if self.m.unpack_frame(pfn, p.naming, r) {
                    self.frames[pfn.at()] = unpack_cells(s.cells, r);
                } else {
                    self.drop_frame(pfn);
                }
            }
            Kind::Slot(slot) => {
                self.m.unpack_slot(slot, p.naming, r);
                self.slots[slot.at()] = unpack_cells(s.cells, r);
            }
        }
    }

    /// The inverse of [`pack`](State::pack).
    pub fn unpack(p: &Program, bytes: &[u8]) -> State {
        let mut state = State::EMPTY;
        state.unpack_into(p, bytes);
        state
    }

    /// As [`unpack`](State::unpack), in place.
    pub fn unpack_into(&mut self, p: &Program, bytes: &[u8]) {
        let mut r = Reader::new(bytes);
        // One state is written over the other. What it was unpacked from tells which frames have to be dropped; if steps were
        // taken in it, nobody knows.
        let form = self.origin.form.take();
        let known = self.origin.changed == Changed::NONE;
        let mut form = form.filter(|_| known).unwrap_or_else(|| {
            *self = State::EMPTY;
            p.spec.size(&mut self.ideal);
            Box::default()
        });
        let (used, gone) = r.parts(&p.cfg.sizes, p.naming, &mut form, &mut Over(self, p));
        gone.iter().for_each(|pfn| self.drop_frame(pfn));
        self.used = used;
        self.origin = Origin {
            form: Some(form),
            changed: Changed::NONE,
        };
    }

    fn drop_frame(&mut self, pfn: Pfn) {
        self.m.frames[pfn.at()] = page::Page::FREE;
        self.frames[pfn.at()] = JUNK_CELLS;
    }
}

impl State {
    /// What freed frames hold is not packed: nobody may rely on it.
    pub fn forget_freed(&mut self) {
        for pfn in Pfn::all(MAX_FRAMES).filter(|pfn| !self.used.has(*pfn)) {
            self.frames[pfn.at()] = JUNK_CELLS;
        }
    }

    /// As [`forget_freed`](State::forget_freed), of some that are free.
    pub(crate) fn forget_all(&mut self, freed: Frames) {
        for pfn in freed.iter() {
            self.frames[pfn.at()] = JUNK_CELLS;
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

#[cfg(not(feature = "wide"))]
/// A state that another is unpacked over.
struct Over<'a>(&'a mut State, &'a Program);

#[cfg(not(feature = "wide"))]
impl Unpack for Over<'_> {
    #[inline(always)]
    fn part(&mut self, part: Kind, r: &mut Reader) {
        self.0.unpack_part(self.1, part, r);
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
            origin,
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
        self.origin = Origin {
            #[cfg(not(feature = "wide"))]
            form: None,
            changed: origin.changed,
        };
    }
}

impl Default for State {
    fn default() -> Self {
        State::new()
    }
}
