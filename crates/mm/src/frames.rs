//! Sets of frames.

use crate::ids::{MAX_FRAMES, Pfn};
use crate::room::FrameWord;

const BITS: usize = FrameWord::BITS as usize;
const WORDS: usize = MAX_FRAMES.div_ceil(BITS);

/// A set of frames, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frames([FrameWord; WORDS]);

impl Frames {
    /// None.
    pub const NONE: Frames = Frames([0; WORDS]);
    /// Just the zero page.
    pub const ZERO: Frames = {
        let mut zero = Frames::NONE;
        zero.0[0] = 1;
        zero
    };

    /// Of a state that is packed: one bit each.
    #[cfg(not(feature = "wide"))]
    #[inline]
    pub fn of(bits: u32) -> Frames {
        Frames([bits])
    }

    /// The inverse of [`of`](Frames::of).
    #[cfg(not(feature = "wide"))]
    #[inline]
    pub fn bits(self) -> u32 {
        self.0[0]
    }

    /// Is it among them?
    #[inline]
    pub fn has(&self, pfn: Pfn) -> bool {
        let (word, bit) = place(pfn);
        self.0[word] >> bit & 1 == 1
    }

    /// Adds one.
    #[inline]
    pub fn add(&mut self, pfn: Pfn) {
        self.add_if(true, pfn);
    }

    /// Adds one, if `added` says so.
    #[inline]
    pub fn add_if(&mut self, added: bool, pfn: Pfn) {
        let (word, bit) = place(pfn);
        self.0[word] |= FrameWord::from(added) << bit;
    }

    /// The frames whose numbers, modulo 16, are these: one bit each.
    #[inline]
    pub fn repeat(bits: u16) -> Frames {
        let all = FrameWord::MAX / FrameWord::from(u16::MAX);
        let ones = if WORDS == 1 { 1 } else { all };
        Frames([FrameWord::from(bits) * ones; WORDS])
    }

    /// None at all?
    #[inline]
    pub fn is_empty(&self) -> bool {
        *self == Frames::NONE
    }

    /// Those of either.
    #[inline]
    #[must_use]
    pub fn or(mut self, other: Frames) -> Frames {
        for (word, more) in self.0.iter_mut().zip(other.0) {
            *word |= more;
        }
        self
    }

    /// What `other` has not.
    #[inline]
    #[must_use]
    pub fn without(mut self, other: Frames) -> Frames {
        for (word, less) in self.0.iter_mut().zip(other.0) {
            *word &= !less;
        }
        self
    }

    /// Each of them, in order.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = Pfn> {
        let mut words = self.0;
        let mut at = 0;
        core::iter::from_fn(move || {
            while words[at] == 0 {
                at += 1;
                if at == WORDS {
                    at -= 1;
                    return None;
                }
            }
            let bit = words[at].trailing_zeros() as usize;
            words[at] &= words[at] - 1;
            Some(Pfn((at * BITS + bit) as _))
        })
    }
}

/// The word and the bit of a frame.
#[inline]
fn place(pfn: Pfn) -> (usize, usize) {
    if WORDS == 1 {
        (0, pfn.at())
    } else {
        (pfn.at() / BITS, pfn.at() % BITS)
    }
}
