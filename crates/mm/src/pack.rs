//! Packed states: every value that takes part in a state writes itself into a bit stream and reads itself back.
//!
//! Frames and swap slots have no identity but the references to them, so a [`Writer`] may *rename* them in the order in
//! which it meets them ([`Names`]): two states that differ only in such names then pack equal. That is a true canonical form,
//! because the order of the walk depends on nothing but the state's structure.
//!
//! A search packs every successor of every state, so this is written to be quick: a value gathers its bits in a [`Word`], which
//! stays in registers, and the stream is touched once a word.

use alloc::vec::Vec;

use crate::frames::Frames;
use crate::ids::{FrameNo, MAX_FRAMES, MAX_SLOTS, Pfn, Slot};

/// A value that can be written to and read from a packed state: `unpack(pack(x)) == x` up to renaming.
pub trait Pack: Sized {
    /// Bits that a value takes, at most.
    const MOST: u32;
    /// Adds the value to a word that has room for it.
    fn put(&self, word: Word, names: &mut Names) -> Word;
    /// Takes the value from a reader that has it at hand.
    fn take(r: &mut Reader) -> Self;

    /// Appends the value.
    #[inline]
    fn pack(&self, w: &mut Writer, names: &mut Names) {
        const { assert!(Self::MOST <= Word::ROOM, "too long for a word") };
        w.word(self.put(Word::EMPTY, names));
    }

    /// Reads the value back.
    #[inline]
    fn unpack(r: &mut Reader) -> Self {
        const { assert!(Self::MOST <= Word::ROOM, "too long for a word") };
        r.reach(Self::MOST);
        Self::take(r)
    }
}

/// Bits on their way into a stream.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    bits: u64,
    len: u32,
}

impl Word {
    /// No bits.
    pub const EMPTY: Word = Word { bits: 0, len: 0 };
    /// Bits that a word has room for: seven more may wait in the stream for their byte to be full.
    pub const ROOM: u32 = 56;

    /// These bits and then the low `width` of `value`, which must fit.
    #[inline]
    #[must_use]
    pub fn and(self, value: u32, width: u32) -> Word {
        debug_assert!(
            width <= 32 && (width == 32 || value >> width == 0),
            "{value} does not fit {width} bits"
        );
        debug_assert!(self.len + width <= Word::ROOM, "no room for {width} bits");
        Word {
            bits: self.bits | u64::from(value) << self.len,
            len: self.len + width,
        }
    }
}

/// Eight bytes; past the end there are zeroes.
#[inline(always)]
fn load(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..at + 8) {
        Some(word) => u64::from_le_bytes(word.try_into().expect("eight bytes")),
        None => {
            let rest = &bytes[at.min(bytes.len())..];
            rest.iter()
                .rev()
                .fold(0, |word, &byte| word << 8 | u64::from(byte))
        }
    }
}

/// Are frames and slots renamed while packing?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// As they are.
    Kept,
    /// In the order of the walk: the canonical form.
    Canonical,
}

const UNSEEN: u8 = u8::MAX;
const UNSEEN_FRAME: FrameNo = FrameNo::MAX;

/// How many frames and slots have names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Met {
    pub(crate) frames: FrameNo,
    pub(crate) slots: u8,
}

/// The names that frames and slots have in one stream.
pub struct Names {
    naming: Naming,
    frames: [FrameNo; MAX_FRAMES],
    slots: [u8; MAX_SLOTS],
    frame_order: [FrameNo; MAX_FRAMES],
    slot_order: [u8; MAX_SLOTS],
    frames_met: FrameNo,
    slots_met: u8,
    /// Does every frame and slot that was met bear its own number?
    straight: bool,
}

impl Names {
    /// None yet.
    pub fn new(naming: Naming) -> Names {
        let mut frames = [UNSEEN_FRAME; MAX_FRAMES];
        // Frame 0 is the zero page: it keeps its name.
        frames[0] = 0;
        Names {
            naming,
            frames,
            slots: [UNSEEN; MAX_SLOTS],
            frame_order: [0; MAX_FRAMES],
            slot_order: [0; MAX_SLOTS],
            frames_met: 1,
            slots_met: 0,
            straight: true,
        }
    }

    /// The name under which `frame` stands in this stream.
    #[inline]
    pub fn frame(&mut self, frame: Pfn) -> FrameNo {
        if self.naming == Naming::Kept {
            return frame.0;
        }
        let name = &mut self.frames[frame.at()];
        if *name == UNSEEN_FRAME {
            *name = self.frames_met;
            self.straight &= *name == frame.0;
            self.frame_order[self.frames_met as usize] = frame.0;
            self.frames_met += 1;
        }
        *name
    }

    /// The name under which `slot` stands in this stream.
    #[inline]
    pub fn slot(&mut self, slot: Slot) -> u8 {
        if self.naming == Naming::Kept {
            return slot.0;
        }
        let name = &mut self.slots[slot.at()];
        if *name == UNSEEN {
            *name = self.slots_met;
            self.straight &= *name == slot.0;
            self.slot_order[self.slots_met as usize] = slot.0;
            self.slots_met += 1;
        }
        *name
    }

    /// The frame that was named `name`, if that many were met.
    #[inline]
    pub fn frame_at(&self, name: FrameNo) -> Option<Pfn> {
        (name < self.frames_met).then(|| Pfn(self.frame_order[name as usize]))
    }

    /// The slot that was named `name`, if that many were met.
    #[inline]
    pub fn slot_at(&self, name: u8) -> Option<Slot> {
        (name < self.slots_met).then(|| Slot(self.slot_order[name as usize]))
    }

    /// The frames that have been met.
    #[inline]
    pub fn frames_met(&self) -> Frames {
        let mut met = Frames::NONE;
        for frame in &self.frame_order[..self.frames_met as usize] {
            met.add(Pfn(*frame));
        }
        met
    }

    /// Has `slot` been met?
    #[inline]
    pub fn has_met_slot(&self, slot: Slot) -> bool {
        self.slots[slot.at()] != UNSEEN
    }

    /// Has every frame and slot that was met its own number for a name?
    pub(crate) fn straight(&self) -> bool {
        self.straight
    }

    /// How many were met.
    pub(crate) fn met(&self) -> Met {
        Met {
            frames: self.frames_met,
            slots: self.slots_met,
        }
    }

    /// Are frames and slots renamed?
    pub fn naming(&self) -> Naming {
        self.naming
    }
}

/// Bytes behind the end of a stream that is [copied](Writer::copy) from.
pub(crate) const PADDING: usize = 8;

/// The low `width` bits; fewer than 64.
#[inline(always)]
fn low(width: u32) -> u64 {
    (1 << width) - 1
}

/// Eight bytes of a stream with [`PADDING`].
#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Room for one packed state. The largest that [`crate::machine::Sizes`] allows is well below.
const ROOM: usize = 512;

/// A bit stream under construction. It is gathered on the stack and appended as a whole: growing the vector word by word
/// was a tenth of a search's time. Names are apart, so that the compiler sees that who gives names leaves the stream alone.
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    room: [u8; ROOM],
    /// Bytes that are full.
    len: usize,
    /// The bits behind them, at most 63.
    rest: Word,
}

impl<'a> Writer<'a> {
    /// Starts a stream that is appended to `out`.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Writer {
            out,
            room: [0; ROOM],
            len: 0,
            rest: Word::EMPTY,
        }
    }

    /// Appends a word.
    #[inline(always)]
    pub fn word(&mut self, word: Word) {
        if self.rest.len + word.len > 63 {
            self.flush();
        }
        self.rest = Word {
            bits: self.rest.bits | word.bits << self.rest.len,
            len: self.rest.len + word.len,
        };
    }

    #[inline(always)]
    fn flush(&mut self) {
        let Word { bits, len } = self.rest;
        self.room[self.len..self.len + 8].copy_from_slice(&bits.to_le_bytes());
        self.len += (len / 8) as usize;
        self.rest = Word {
            bits: bits >> (len / 8 * 8),
            len: len % 8,
        };
    }

    /// Appends the low `width` (at most 32) bits of `value`, which must fit.
    #[inline]
    pub fn bits(&mut self, value: u32, width: u32) {
        self.word(Word::EMPTY.and(value, width));
    }

    /// Appends bits `start..end` of another stream, which has [`PADDING`] behind its end.
    pub(crate) fn copy(&mut self, from: &[u8], start: u16, end: u16) {
        self.flush();
        let shift = start % 8;
        let (mut at, mut left) = (usize::from(start / 8), u32::from(end - start));
        let Word { mut bits, len } = self.rest;
        // Seven bytes at a time: as many bits as before stay behind the full bytes.
        while left > Word::ROOM {
            bits |= (word(from, at) >> shift & low(Word::ROOM)) << len;
            self.room[self.len..self.len + 8].copy_from_slice(&bits.to_le_bytes());
            bits >>= Word::ROOM;
            self.len += 7;
            at += 7;
            left -= Word::ROOM;
        }
        self.rest = Word {
            bits: bits | (word(from, at) >> shift & low(left)) << len,
            len: len + left,
        };
    }

    /// Appends what is left, padded to a byte.
    pub fn finish(&mut self) {
        self.flush();
        let len = self.len + usize::from(self.rest.len > 0);
        self.out.extend_from_slice(&self.room[..len]);
    }
}

/// A packed state being read back. Past its end there are zeroes.
pub struct Reader<'a> {
    bytes: &'a [u8],
    /// The first byte that is not wholly at hand.
    at: usize,
    /// What is at hand, and how much of it.
    bits: u64,
    len: u32,
    /// What has names so far: those that were read, and all below.
    pub(crate) met: Met,
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader {
            bytes,
            at: 0,
            bits: 0,
            len: 0,
            met: Met {
                frames: 1,
                slots: 0,
            },
        }
    }

    /// Bits read so far.
    #[inline]
    pub(crate) fn position(&self) -> u16 {
        (self.at * 8) as u16 - self.len as u16
    }

    /// All that there is to read.
    pub(crate) fn bytes(&self) -> &'_ [u8] {
        self.bytes
    }

    /// A frame with this name was met.
    #[inline]
    pub(crate) fn meets_frame(&mut self, name: FrameNo) {
        self.met.frames = self.met.frames.max(name + 1);
    }

    /// A slot with this name was met.
    #[inline]
    pub(crate) fn meets_slot(&mut self, name: u8) {
        self.met.slots = self.met.slots.max(name + 1);
    }

    /// Has the next `width` bits at hand, at most as many as a [`Word`] has room for.
    #[inline(always)]
    pub fn reach(&mut self, width: u32) {
        if self.len >= width {
            return;
        }
        let word = load(self.bytes, self.at);
        // Whole bytes, up to between 56 and 63 bits; what lies above is read again.
        self.bits |= word << self.len;
        self.at += ((63 - self.len) / 8) as usize;
        self.len |= 56;
    }

    /// The next `width` bits, which are at hand.
    #[inline(always)]
    pub fn next(&mut self, width: u32) -> u32 {
        debug_assert!(self.len >= width);
        let value = (self.bits & ((1 << width) - 1)) as u32;
        self.bits >>= width;
        self.len -= width;
        value
    }

    /// The next `width` bits, which are at hand and stay there.
    #[inline]
    pub fn peek(&self, width: u32) -> u32 {
        (self.bits & ((1 << width) - 1)) as u32
    }

    /// The next `width` (at most 32) bits.
    #[inline]
    pub fn bits(&mut self, width: u32) -> u32 {
        self.reach(width);
        self.next(width)
    }
}

impl Pack for bool {
    const MOST: u32 = 1;
    #[inline]
    fn put(&self, word: Word, _: &mut Names) -> Word {
        word.and(u32::from(*self), 1)
    }
    #[inline]
    fn take(r: &mut Reader) -> Self {
        r.next(1) == 1
    }
}

impl<T: Pack> Pack for Option<T> {
    const MOST: u32 = 1 + T::MOST;
    #[inline]
    fn put(&self, word: Word, names: &mut Names) -> Word {
        match self {
            None => word.and(0, 1),
            Some(value) => value.put(word.and(1, 1), names),
        }
    }
    #[inline]
    fn take(r: &mut Reader) -> Self {
        (r.next(1) == 1).then(|| T::take(r))
    }
}

/// Declares structs and enums that pack themselves field by field; a field's type says how many bits it takes.
///
/// The fields of an enum's variants are the registers that are live at that point of a path; they are named for what they
/// hold, which is all the documentation that they need.
#[macro_export]
macro_rules! packed {
    () => {};
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$fmeta:meta])* pub $field:ident: $ty:ty,)* } $($rest:tt)*) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty,)* }
        impl $crate::pack::Pack for $name {
            const MOST: u32 = 0 $(+ <$ty as $crate::pack::Pack>::MOST)*;
            #[inline]
            fn put(&self, word: $crate::pack::Word, names: &mut $crate::pack::Names) -> $crate::pack::Word {
                $(let word = $crate::pack::Pack::put(&self.$field, word, names);)*
                word
            }
            #[inline]
            fn take(r: &mut $crate::pack::Reader) -> Self { $name { $($field: $crate::pack::Pack::take(r),)* } }
        }
        $crate::packed! { $($rest)* }
    };
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$vmeta:meta])* $variant:ident $({ $($(#[$fmeta:meta])* $field:ident: $ty:ty),* $(,)? })?,)*
    } $($rest:tt)*) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant $({ $($(#[$fmeta])* #[allow(missing_docs)] $field: $ty),* })?,)* }
        #[allow(dead_code)]
        impl $name {
            /// The names of all variants.
            pub const VARIANTS: &'static [&'static str] = &[$(stringify!($variant),)*];

            /// The name of this one.
            pub fn variant(&self) -> &'static str {
                $name::VARIANTS[self.number()]
            }

            /// Which of [`VARIANTS`](Self::VARIANTS) this is.
            #[inline]
            pub fn number(&self) -> usize {
                #[allow(clippy::enum_variant_names, clippy::upper_case_acronyms, non_camel_case_types)]
                enum Tag { $($variant,)* }
                match self { $($name::$variant $({ $($field: _),* })? => Tag::$variant as usize,)* }
            }
        }
        impl $crate::pack::Pack for $name {
            const MOST: u32 = {
                let all = [$(0 $($(+ <$ty as $crate::pack::Pack>::MOST)*)?,)*];
                $crate::pack::tag_width(all.len() as u32) + $crate::pack::longest(&all)
            };
            fn put(&self, word: $crate::pack::Word, names: &mut $crate::pack::Names) -> $crate::pack::Word {
                #[allow(clippy::enum_variant_names, clippy::upper_case_acronyms, non_camel_case_types, dead_code)]
                enum Tag { $($variant,)* COUNT }
                const WIDTH: u32 = $crate::pack::tag_width(Tag::COUNT as u32);
                let _ = &names;
                match self {
                    $($name::$variant $({ $($field),* })? => {
                        let word = word.and(Tag::$variant as u32, WIDTH);
                        $($(let word = $crate::pack::Pack::put($field, word, names);)*)?
                        word
                    })*
                }
            }
            fn take(r: &mut $crate::pack::Reader) -> Self {
                #[allow(clippy::enum_variant_names, clippy::upper_case_acronyms, non_camel_case_types, dead_code)]
                enum Tag { $($variant,)* COUNT }
                const WIDTH: u32 = $crate::pack::tag_width(Tag::COUNT as u32);
                let tag = r.next(WIDTH);
                $(if tag == Tag::$variant as u32 {
                    return $name::$variant $({ $($field: $crate::pack::Pack::take(r)),* })?;
                })*
                unreachable!("no variant {tag} of {}", stringify!($name))
            }
        }
        $crate::packed! { $($rest)* }
    };
}

/// Bits that tell `count` variants apart.
pub const fn tag_width(count: u32) -> u32 {
    if count <= 1 {
        0
    } else {
        u32::BITS - (count - 1).leading_zeros()
    }
}

/// The largest of these.
pub const fn longest(all: &[u32]) -> u32 {
    let (mut most, mut n) = (0, 0);
    while n < all.len() {
        if all[n] > most {
            most = all[n];
        }
        n += 1;
    }
    most
}
