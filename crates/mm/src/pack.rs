//! Packed states: every value that takes part in a state writes itself into a bit stream and reads itself back.
//!
//! Frames and swap slots have no identity but the references to them, so a [`Writer`] may *rename* them in the order in
//! which it meets them: two states that differ only in such names then pack equal. That is a true canonical form, because
//! the order of the walk depends on nothing but the state's structure.

use alloc::vec::Vec;

use crate::ids::{MAX_FRAMES, MAX_SLOTS, Pfn, Slot};

/// A value that can be written to and read from a packed state: `unpack(pack(x)) == x` up to renaming.
pub trait Pack: Sized {
    /// Appends the value.
    fn pack(&self, w: &mut Writer);
    /// Reads the value back.
    fn unpack(r: &mut Reader) -> Self;
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

/// Room for one packed state. The largest that [`crate::machine::Sizes`] allows is well below.
const ROOM: usize = 512;

/// A bit stream under construction. It is gathered on the stack and appended as a whole: growing the vector word by word
/// was a tenth of a search's time.
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    room: [u8; ROOM],
    len: usize,
    acc: u64,
    filled: u32,
    naming: Naming,
    frames: [u8; MAX_FRAMES],
    slots: [u8; MAX_SLOTS],
    frame_order: [u8; MAX_FRAMES],
    slot_order: [u8; MAX_SLOTS],
    frames_met: u8,
    slots_met: u8,
}

impl<'a> Writer<'a> {
    /// Starts a stream that is appended to `out`.
    pub fn new(out: &'a mut Vec<u8>, naming: Naming) -> Self {
        Writer {
            out,
            room: [0; ROOM],
            len: 0,
            acc: 0,
            filled: 0,
            naming,
            frames: [UNSEEN; MAX_FRAMES],
            slots: [UNSEEN; MAX_SLOTS],
            frame_order: [0; MAX_FRAMES],
            slot_order: [0; MAX_SLOTS],
            // Frame 0 is the zero page: it keeps its name.
            frames_met: 1,
            slots_met: 0,
        }
    }

    /// Appends the low `width` (at most 32) bits of `value`, which must fit.
    #[inline]
    pub fn bits(&mut self, value: u32, width: u32) {
        debug_assert!(
            width <= 32 && (width == 32 || value >> width == 0),
            "{value} does not fit {width} bits"
        );
        self.acc |= u64::from(value) << self.filled;
        self.filled += width;
        if self.filled >= 32 {
            self.room[self.len..self.len + 4].copy_from_slice(&(self.acc as u32).to_le_bytes());
            self.len += 4;
            self.acc >>= 32;
            self.filled -= 32;
        }
    }

    /// Appends what is left, padded to a byte.
    pub fn finish(mut self) {
        while self.filled > 0 {
            self.room[self.len] = self.acc as u8;
            self.len += 1;
            self.acc >>= 8;
            self.filled = self.filled.saturating_sub(8);
        }
        self.out.extend_from_slice(&self.room[..self.len]);
    }

    /// The name under which `frame` stands in this stream.
    #[inline]
    pub fn frame_name(&mut self, frame: Pfn) -> u8 {
        if self.naming == Naming::Kept || frame.0 == 0 {
            return frame.0;
        }
        let at = frame.0 as usize;
        if self.frames[at] == UNSEEN {
            self.frames[at] = self.frames_met;
            self.frame_order[self.frames_met as usize] = frame.0;
            self.frames_met += 1;
        }
        self.frames[at]
    }

    /// The name under which `slot` stands in this stream.
    #[inline]
    pub fn slot_name(&mut self, slot: Slot) -> u8 {
        if self.naming == Naming::Kept {
            return slot.0;
        }
        let at = slot.0 as usize;
        if self.slots[at] == UNSEEN {
            self.slots[at] = self.slots_met;
            self.slot_order[self.slots_met as usize] = slot.0;
            self.slots_met += 1;
        }
        self.slots[at]
    }

    /// The frame that was named `name`, if that many were met.
    pub fn frame_at(&self, name: u8) -> Option<Pfn> {
        match self.naming {
            Naming::Kept => Some(Pfn(name)),
            Naming::Canonical => {
                (name < self.frames_met).then(|| Pfn(self.frame_order[name as usize]))
            }
        }
    }

    /// The slot that was named `name`, if that many were met.
    pub fn slot_at(&self, name: u8) -> Option<Slot> {
        match self.naming {
            Naming::Kept => Some(Slot(name)),
            Naming::Canonical => {
                (name < self.slots_met).then(|| Slot(self.slot_order[name as usize]))
            }
        }
    }

    /// Has `frame` been met? Under [`Naming::Kept`] every frame counts as met.
    pub fn has_met(&self, frame: Pfn) -> bool {
        self.naming == Naming::Kept || frame.0 == 0 || self.frames[frame.0 as usize] != UNSEEN
    }

    /// Has `slot` been met?
    pub fn has_met_slot(&self, slot: Slot) -> bool {
        self.naming == Naming::Kept || self.slots[slot.0 as usize] != UNSEEN
    }
}

/// A packed state being read back.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    acc: u64,
    filled: u32,
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader {
            bytes,
            at: 0,
            acc: 0,
            filled: 0,
        }
    }

    /// The next `width` (at most 32) bits.
    #[inline]
    pub fn bits(&mut self, width: u32) -> u32 {
        if self.filled < width {
            self.refill();
        }
        let value = (self.acc & ((1u64 << width) - 1)) as u32;
        self.acc >>= width;
        self.filled -= width;
        value
    }
}

impl Reader<'_> {
    /// Takes up four more bytes; past the end there are zeroes.
    #[inline]
    fn refill(&mut self) {
        let word = match self.bytes.get(self.at..self.at + 4) {
            Some(word) => u32::from_le_bytes([word[0], word[1], word[2], word[3]]),
            None => {
                let rest = &self.bytes[self.at.min(self.bytes.len())..];
                rest.iter()
                    .rev()
                    .fold(0, |word, &byte| word << 8 | u32::from(byte))
            }
        };
        self.acc |= u64::from(word) << self.filled;
        self.at += 4;
        self.filled += 32;
    }
}

impl Pack for bool {
    #[inline]
    fn pack(&self, w: &mut Writer) {
        w.bits(u32::from(*self), 1);
    }
    #[inline]
    fn unpack(r: &mut Reader) -> Self {
        r.bits(1) == 1
    }
}

impl<T: Pack> Pack for Option<T> {
    #[inline]
    fn pack(&self, w: &mut Writer) {
        match self {
            None => w.bits(0, 1),
            Some(value) => {
                w.bits(1, 1);
                value.pack(w);
            }
        }
    }
    #[inline]
    fn unpack(r: &mut Reader) -> Self {
        (r.bits(1) == 1).then(|| T::unpack(r))
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
            #[inline]
            fn pack(&self, w: &mut $crate::pack::Writer) { $($crate::pack::Pack::pack(&self.$field, w);)* }
            #[inline]
            fn unpack(r: &mut $crate::pack::Reader) -> Self { $name { $($field: $crate::pack::Pack::unpack(r),)* } }
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
                match self { $($name::$variant $({ $($field: _),* })? => stringify!($variant),)* }
            }
        }
        impl $crate::pack::Pack for $name {
            fn pack(&self, w: &mut $crate::pack::Writer) {
                #[allow(clippy::enum_variant_names, clippy::upper_case_acronyms, non_camel_case_types, dead_code)]
                enum Tag { $($variant,)* COUNT }
                const WIDTH: u32 = $crate::pack::tag_width(Tag::COUNT as u32);
                match self {
                    $($name::$variant $({ $($field),* })? => {
                        w.bits(Tag::$variant as u32, WIDTH);
                        $($($crate::pack::Pack::pack($field, w);)*)?
                    })*
                }
            }
            fn unpack(r: &mut $crate::pack::Reader) -> Self {
                #[allow(clippy::enum_variant_names, clippy::upper_case_acronyms, non_camel_case_types, dead_code)]
                enum Tag { $($variant,)* COUNT }
                const WIDTH: u32 = $crate::pack::tag_width(Tag::COUNT as u32);
                let tag = r.bits(WIDTH);
                $(if tag == Tag::$variant as u32 {
                    return $name::$variant $({ $($field: $crate::pack::Pack::unpack(r)),* })?;
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
