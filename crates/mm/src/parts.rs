//! The parts of a packed state, and how what a step left alone is packed by copying.
//!
//! A packed state is a row of parts: first what refers to frames and slots, then those. A step changes little: a task, a
//! PTE, a struct page. So whoever unpacks a state notes where each part lies ([`Form`]). A successor takes over the bits of those
//! that no step changed ([`Changed`]).
//!
//! Bits hold names of frames and slots, given in the order of the walk. A part can be taken over only while every name is given as it
//! was in the other state.

use alloc::vec::Vec;

use crate::frames::Frames;
use crate::ids::*;
use crate::machine::Sizes;
use crate::pack::{Met, Names, Naming, PADDING, Reader, Writer};
use crate::touch::Touch;

/// A part of a packed state, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part(u8);

/// What a part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What refers to nothing: where tasks are, registers, files.
    Head,
    /// What the driver's specification holds.
    Ideal,
    /// An mm with its VMAs and its page table.
    Mm(MmId),
    /// What a task is doing.
    Task(Cpu),
    /// All TLBs.
    Tlbs,
    /// The swap device, transfers, holders, pipes.
    Devices,
    /// What else of the driver's refers to frames.
    Start,
    /// Where names are kept: which frames are in use.
    Used,
    /// A frame, and what it holds.
    Frame(Pfn),
    /// A swap slot, and what it holds.
    Slot(Slot),
}

const MMS: u8 = 2;
const TASKS: u8 = MMS + MAX_MMS as u8;
const TLBS: u8 = TASKS + MAX_CPUS as u8;
const FRAMES: u8 = TLBS + 4;
const SLOTS: u8 = FRAMES + MAX_FRAMES as u8;
const PARTS: usize = SLOTS as usize + MAX_SLOTS;

impl Part {
    /// See [`Kind::Head`].
    pub const HEAD: Part = Part(0);
    /// See [`Kind::Ideal`].
    pub const IDEAL: Part = Part(1);
    const TLBS: Part = Part(TLBS);
    const DEVICES: Part = Part(TLBS + 1);
    /// See [`Kind::Start`].
    pub const START: Part = Part(TLBS + 2);
    /// See [`Kind::Used`].
    pub const USED: Part = Part(TLBS + 3);

    #[inline]
    fn mm(mm: MmId) -> Part {
        Part(MMS + mm.0)
    }

    /// See [`Kind::Task`].
    #[inline]
    pub fn task(cpu: Cpu) -> Part {
        Part(TASKS + cpu.0)
    }

    #[inline]
    fn frame(pfn: Pfn) -> Part {
        Part(FRAMES + pfn.0)
    }

    #[inline]
    fn slot(slot: Slot) -> Part {
        Part(SLOTS + slot.0)
    }

    /// What it holds.
    #[inline]
    pub fn kind(self) -> Kind {
        match self.0 {
            0 => Kind::Head,
            1 => Kind::Ideal,
            n @ MMS..TASKS => Kind::Mm(MmId(n - MMS)),
            n @ TASKS..TLBS => Kind::Task(Cpu(n - TASKS)),
            n @ FRAMES..SLOTS => Kind::Frame(Pfn(n - FRAMES)),
            n @ SLOTS.. => Kind::Slot(Slot(n - SLOTS)),
            _ => match self {
                Part::TLBS => Kind::Tlbs,
                Part::DEVICES => Kind::Devices,
                Part::START => Kind::Start,
                _ => Kind::Used,
            },
        }
    }

    fn bit(self) -> u64 {
        1 << self.0
    }
}

/// Which parts steps may have changed since the state was unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed(u64);

impl Changed {
    /// None.
    pub const NONE: Changed = Changed(0);

    /// A step touched this. What it wrote has changed; of an mm and a VMA what it read as well, for readers of a lock are counted.
    #[inline]
    pub fn touch(&mut self, touched: Touch) {
        let changed = touched.writes | touched.any & (Touch::MMS | Touch::VMAS);
        let mut parts = Touch::mms(changed) << MMS;
        parts |= u64::from(changed & Touch::TLBS != 0) << Part::TLBS.0;
        parts |= u64::from(changed & Touch::DEVICES != 0) << Part::DEVICES.0;
        parts |= u64::from(Touch::frames(changed).bits()) << FRAMES;
        parts |= Touch::slots(changed) << SLOTS;
        self.0 |= parts;
    }

    /// This may have changed.
    #[inline]
    pub fn add(&mut self, part: Part) {
        self.0 |= part.bit();
    }

    /// This may have changed, if `changed` says so.
    #[inline]
    pub fn add_if(&mut self, changed: bool, part: Part) {
        self.0 |= u64::from(changed) << part.0;
    }
}

/// A part where it lies.
#[derive(Clone, Copy, Debug)]
struct Mark {
    part: Part,
    /// Its first bit. It ends where the next one starts.
    start: u16,
    /// What had names before it, and after it.
    before: Met,
    after: Met,
}

/// A packed state, and where its parts lie.
#[derive(Clone, Debug)]
pub struct Form {
    /// With room behind the end to read on.
    bytes: Vec<u8>,
    marks: [Mark; PARTS],
    /// Of those, so many are parts; one more marks the end.
    len: usize,
    /// So many are no frames and slots.
    roots: usize,
    /// Where each part is among them, by its number.
    place: [u8; PARTS],
    /// The parts that there are, one bit each by number.
    there: u64,
}

impl Default for Form {
    fn default() -> Self {
        let met = Met {
            frames: 0,
            slots: 0,
        };
        let none = Mark {
            part: Part::HEAD,
            start: 0,
            before: met,
            after: met,
        };
        Form {
            bytes: Vec::new(),
            marks: [none; PARTS],
            len: 0,
            roots: 0,
            place: [0; PARTS],
            there: 0,
        }
    }
}

/// A state that is packed already, to take over parts from.
#[derive(Clone, Copy)]
pub struct Model<'a> {
    /// Its packed form.
    pub form: &'a Form,
    /// The parts that may differ.
    pub changed: Changed,
}

/// The order of the parts.
///
/// Frames and slots that something refers to come in the order in which they were met; the others only if they are in use (a leak)
/// or if what is left in them matters: a free slot still holds what its last owner wrote. Where names are kept, all come in order.
struct Walk<'a> {
    sizes: &'a Sizes,
    naming: Naming,
    used: Frames,
    /// The next of the roots.
    root: u8,
    /// The next frame and slot, by name.
    frame: u8,
    slot: u8,
}

impl Walk<'_> {
    fn new(sizes: &Sizes, naming: Naming, used: Frames) -> Walk<'_> {
        Walk {
            sizes,
            naming,
            used: used.without(Frames::ZERO),
            root: 0,
            frame: 1,
            slot: 0,
        }
    }

    /// The next part that is no frame and no slot.
    #[inline]
    fn root(&mut self) -> Option<Part> {
        let mut part = self.root;
        if part == MMS + self.sizes.mms as u8 {
            part = TASKS;
        }
        if part == TASKS + self.sizes.cpus as u8 {
            part = TLBS;
        }
        let last = match self.naming {
            Naming::Kept => Part::USED,
            Naming::Canonical => Part::START,
        };
        self.root = part + 1;
        (part <= last.0).then_some(Part(part))
    }

    /// The next part, given the names so far.
    fn next(&mut self, names: &mut Names) -> Option<Part> {
        if let Some(root) = self.root() {
            return Some(root);
        }
        if self.naming == Naming::Kept {
            return self.in_order();
        }
        loop {
            if let Some(slot) = names.slot_at(self.slot) {
                self.slot += 1;
                return Some(Part::slot(slot));
            }
            if let Some(pfn) = names.frame_at(self.frame) {
                self.frame += 1;
                return Some(Part::frame(pfn));
            }
            if let Some(pfn) = self.used.without(names.frames_met()).iter().next() {
                // In use, and nothing refers to it: in order of their names. (Several such that differ would be told apart by
                // name only; that costs states and never merges different ones.)
                names.frame(pfn);
                continue;
            }
            // Nothing refers to any other slot, either.
            let unmet = |slot: &Slot| !names.has_met_slot(*slot);
            let slot = (0..self.sizes.slots as u8).map(Slot).find(unmet)?;
            names.slot(slot);
        }
    }

    fn in_order(&mut self) -> Option<Part> {
        let rest = Frames::of(self.used.bits() & u32::MAX << self.frame);
        if let Some(pfn) = rest.iter().next() {
            self.frame = pfn.0 + 1;
            return Some(Part::frame(pfn));
        }
        let slot = self.slot;
        self.slot += 1;
        ((slot as usize) < self.sizes.slots).then_some(Part::slot(Slot(slot)))
    }

    /// These parts were packed, every frame and slot under its own number.
    fn pass(&mut self, parts: &[Mark]) {
        for mark in parts {
            match mark.part.kind() {
                Kind::Frame(pfn) => self.frame = pfn.0 + 1,
                Kind::Slot(slot) => self.slot = slot.0 + 1,
                _ => self.root = mark.part.0 + 1,
            }
        }
    }
}

impl Writer<'_> {
    /// Appends all parts: those of `model` that nobody changed as they are there, of the others what `pack` makes of them. `used`:
    /// the frames [in use](crate::Machine::in_use).
    pub fn parts(
        &mut self,
        sizes: &Sizes,
        used: Frames,
        model: Option<Model>,
        names: &mut Names,
        mut pack: impl FnMut(Kind, &mut Self, &mut Names),
    ) {
        let mut pack = |part: Part, w: &mut Self, names: &mut Names| match part.kind() {
            Kind::Used => w.bits(used.bits() >> 1, MAX_FRAMES as u32 - 1),
            kind => pack(kind, w, names),
        };
        for pfn in 1..=sizes.file_frames as u8 {
            names.frame(Pfn(pfn));
        }
        let mut walk = Walk::new(sizes, names.naming(), used);
        if let Some(model) = model {
            let taken = self.take_over(&model, names, &mut pack);
            if taken == model.form.len {
                return self.end(names);
            }
            walk.pass(&model.form.marks[..taken]);
        }
        while let Some(part) = walk.next(names) {
            pack(part, self, names);
        }
        self.end(names);
    }

    /// Where names are not kept, what a frame or a slot begins with tells that there is another.
    fn end(&mut self, names: &Names) {
        if names.naming() == Naming::Canonical {
            self.bits(0, 2);
        }
    }

    /// Appends parts as long as they come as in the model. Says how many.
    fn take_over(
        &mut self,
        model: &Model,
        names: &mut Names,
        pack: &mut impl FnMut(Part, &mut Self, &mut Names),
    ) -> usize {
        let form = model.form;
        // Which frames are in use has a say in the order of frames and slots.
        let used = model.changed.0 & Part::USED.bit() != 0;
        let all = if used { form.roots } else { form.len };
        let mut places = 1 << all;
        for part in ones(model.changed.0 & form.there) {
            places |= 1 << form.place[part as usize];
        }
        let mut at = 0;
        for place in ones(places).map(|place| place as usize) {
            if place > at {
                let (start, end) = (form.marks[at].start, form.marks[place].start);
                self.copy(&form.bytes, start, end);
                names.go_on(form.marks[place - 1].after);
            }
            if place >= all {
                return all;
            }
            let mark = &form.marks[place];
            names.go_on(mark.before);
            pack(mark.part, self, names);
            at = place + 1;
            if !names.are(mark.after) {
                break;
            }
        }
        at
    }
}

/// Who reads the parts of a state.
pub trait Unpack {
    /// Reads this one.
    fn part(&mut self, part: Kind, r: &mut Reader);
}

impl Reader<'_> {
    /// Reads all parts, and makes `form` the form of these bytes. Says which frames are in use, and which were there in the form before
    /// and are no more.
    ///
    /// Where a part always comes at the same place it is read there, by name: the compiler then knows what it reads.
    pub fn parts(
        &mut self,
        sizes: &Sizes,
        naming: Naming,
        form: &mut Form,
        state: &mut impl Unpack,
    ) -> (Frames, Frames) {
        let there = core::mem::take(&mut form.there);
        form.len = 0;
        self.meets_frame(sizes.file_frames as u8);
        self.part(Part::HEAD, form, state);
        self.part(Part::IDEAL, form, state);
        for mm in (0..sizes.mms as u8).map(MmId) {
            self.part(Part::mm(mm), form, state);
        }
        for cpu in (0..sizes.cpus as u8).map(Cpu) {
            self.part(Part::task(cpu), form, state);
        }
        self.part(Part::TLBS, form, state);
        self.part(Part::DEVICES, form, state);
        self.part(Part::START, form, state);
        form.roots = form.len;
        let mut used = 1;
        let mut walk = Walk::new(sizes, naming, Frames::NONE);
        if naming == Naming::Kept {
            form.mark(Part::USED, self.position(), self.met);
            used |= self.bits(MAX_FRAMES as u32 - 1) << 1;
            form.marked(self.met);
            walk.used = Frames::of(used & !1);
            while let Some(part) = walk.in_order() {
                self.part(part, form, state);
            }
        } else {
            while let Some(part) = self.what(&mut walk, &mut used) {
                self.part(part, form, state);
            }
        }
        form.marks[form.len].start = self.position();
        form.bytes.clear();
        form.bytes.extend_from_slice(self.bytes());
        form.bytes.extend_from_slice(&[0; PADDING]);
        let gone = (there & !form.there) >> FRAMES & ((1 << MAX_FRAMES) - 1);
        (Frames::of(used), Frames::of(gone as u32))
    }

    /// What the next bits are of, where names are not kept.
    #[inline]
    fn what(&mut self, walk: &mut Walk, used: &mut u32) -> Option<Part> {
        self.reach(3);
        let bits = self.peek(3);
        if bits & 1 == 1 {
            let slot = walk.slot;
            walk.slot += 1;
            self.meets_slot(slot);
            return Some(Part::slot(Slot(slot)));
        }
        if bits & 0b10 == 0 {
            return None;
        }
        let frame = walk.frame;
        walk.frame += 1;
        self.meets_frame(frame);
        *used |= u32::from(bits == 0b010) << frame;
        Some(Part::frame(Pfn(frame)))
    }

    /// Reads a part, and notes where it lies.
    #[inline(always)]
    fn part(&mut self, part: Part, form: &mut Form, state: &mut impl Unpack) {
        form.mark(part, self.position(), self.met);
        state.part(part.kind(), self);
        form.marked(self.met);
    }
}

impl Form {
    /// A part starts.
    #[inline(always)]
    fn mark(&mut self, part: Part, start: u16, before: Met) {
        let at = self.len;
        self.marks[at].part = part;
        self.marks[at].start = start;
        self.marks[at].before = before;
        self.place[part.0 as usize] = at as u8;
        self.there |= part.bit();
    }

    /// It ends.
    #[inline(always)]
    fn marked(&mut self, after: Met) {
        self.marks[self.len].after = after;
        self.len += 1;
    }
}

impl Names {
    /// Gives names up to here, each frame and slot its own number.
    #[inline]
    fn go_on(&mut self, to: Met) {
        if self.naming() == Naming::Canonical {
            let now = self.met();
            (now.frames..to.frames).for_each(|frame| _ = self.frame(Pfn(frame)));
            (now.slots..to.slots).for_each(|slot| _ = self.slot(Slot(slot)));
        }
    }

    /// Have these names, each its own number?
    #[inline]
    fn are(&self, met: Met) -> bool {
        self.naming() == Naming::Kept || (self.straight() && self.met() == met)
    }
}

/// The numbers of the bits that are set.
fn ones(set: u64) -> impl Iterator<Item = u32> {
    let mut rest = set;
    core::iter::from_fn(move || {
        (rest != 0).then(|| {
            let bit = rest.trailing_zeros();
            rest &= rest - 1;
            bit
        })
    })
}
