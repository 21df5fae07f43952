//! Values that differ only in name are one state.
//!
//! In a general program a store writes, and a transfer lands, a value that nobody has yet; which one says nothing. So the values of a
//! class (those that stores to a process may take, those that may land in it) are renamed: a value is told by the places where
//! somebody has it, and the names of a class are given in the order of these. Nobody has a dead one, so it comes last.
//!
//! *Why it is sound.* To rename values within their classes maps steps to steps: no path looks at what a cell holds, the ideal memory only
//! compares, and what a broken promise is called depends on the class alone. *Why it is canonical.* A state is a map from places to
//! values; two that differ in names only give each value the same places under another name. The places do not depend on names:
//! frames and slots are counted in the order in which packing meets them.
//!
//! The least place of a value decides; of two that share it, the sum of all, each spread over 64 bits: two values with the same sum and
//! different places would keep the order of their names, which may cost a state and never a verdict. Places of the ideal memory come
//! first, for what it holds changes seldom.

use cowherd_mm::pack::Names;
use cowherd_mm::{MAX_FRAMES, MAX_SLOTS};

use crate::program::Program;
use crate::spec::{Values, value};
use crate::state::{State, Val};

/// How many values there are.
const VALUES: usize = 16;

/// A new name for each value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renaming([u8; VALUES]);

impl Renaming {
    const NONE: Renaming = {
        let mut names = [0; VALUES];
        let mut value = 0;
        while value < VALUES {
            names[value] = value as u8;
            value += 1;
        }
        Renaming(names)
    };

    /// The new name. What nobody wrote keeps its own.
    pub fn of(&self, value: u8) -> u8 {
        self.0.get(value as usize).copied().unwrap_or(value)
    }

    /// The new names of a set.
    pub fn of_set(&self, values: Values) -> Values {
        members(values).fold(0, |set, value| set | 1 << self.of(value))
    }
}

fn members(mut values: Values) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let value = values.trailing_zeros() as u8;
        values &= values.wrapping_sub(1);
        (value < VALUES as u8).then_some(value)
    })
}

/// Spreads a place over 64 bits (the finalizer of splitmix64).
fn mixed(place: u32) -> u64 {
    let n = u64::from(place)
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ n >> 31
}

/// Where the places of each kind begin, cells aside; those of the ideal memory are below.
const FRAMES: u32 = 1 << 24;
const SLOTS: u32 = 2 << 24;
const FILES: u32 = 3 << 24;
const REGS: u32 = 4 << 24;
/// The place of a value that nobody has.
const NOWHERE: u32 = u32::MAX;

impl State {
    /// The names that the values of this state should have, if they are others; `names`: those of its frames and slots, all of
    /// which were met.
    pub(crate) fn value_names(&self, p: &Program, names: &Names) -> Option<Renaming> {
        let general = p.general.as_ref().filter(|general| general.renames)?;
        let mut least = [NOWHERE; VALUES];
        self.each_place(p, names, |values, place| {
            for value in members(values) {
                least[value as usize] = least[value as usize].min(place);
            }
        });
        let mut renaming = Renaming::NONE;
        let mut sums = None;
        for &class in general.stores.iter().chain(&general.lands) {
            let rising = |a: u8, b: u8| {
                least[a as usize] < least[b as usize] || least[b as usize] == NOWHERE
            };
            if members(class)
                .zip(members(class).skip(1))
                .all(|(a, b)| rising(a, b))
            {
                continue;
            }
            let sums = sums.get_or_insert_with(|| self.sums(p, names));
            let mut sorted = [0; VALUES];
            let n = members(class)
                .zip(&mut sorted)
                .map(|(value, to)| *to = value)
                .count();
            sorted[..n].sort_by_key(|&value| (least[value as usize], sums[value as usize]));
            for (name, value) in members(class).zip(&sorted[..n]) {
                renaming.0[*value as usize] = name;
            }
        }
        (renaming != Renaming::NONE).then_some(renaming)
    }

    /// For each value, the sum of its places.
    #[cold]
    fn sums(&self, p: &Program, names: &Names) -> [u64; VALUES] {
        let mut sums = [0u64; VALUES];
        self.each_place(p, names, |values, place| {
            for value in members(values) {
                sums[value as usize] = sums[value as usize].wrapping_add(mixed(place));
            }
        });
        sums
    }

    /// Every place, with the values that stand there.
    fn each_place(&self, p: &Program, names: &Names, mut each: impl FnMut(Values, u32)) {
        let sizes = &p.cfg.sizes;
        let cells = sizes.cells as usize;
        let mut row = |held: &[u8], place: u32| {
            for (cell, held) in held[..cells].iter().enumerate() {
                each(value(*held), place << 2 | cell as u32);
            }
        };
        let frames = (0..MAX_FRAMES as u8).map_while(|name| names.frame_at(name));
        for (name, pfn) in frames.enumerate() {
            row(&self.frames[pfn.at()], FRAMES + name as u32);
        }
        let slots = (0..MAX_SLOTS as u8).map_while(|name| names.slot_at(name));
        for (name, slot) in slots.enumerate() {
            row(&self.slots[slot.at()], SLOTS + name as u32);
        }
        for (file, held) in self.files[..p.files.len()].iter().enumerate() {
            row(held, FILES + file as u32);
        }
        for (reg, val) in self.regs[..p.regs.len()].iter().enumerate() {
            if let Val::Number(held) = val {
                each(value(*held), (REGS + reg as u32) << 2);
            }
        }
        self.ideal.each_place(each);
    }

    /// The same state under other names for its values.
    pub(crate) fn renamed(&self, renaming: &Renaming) -> State {
        let mut state = self.clone();
        let cells = state.frames.iter_mut().chain(&mut state.slots);
        for value in cells.chain(&mut state.files).flatten() {
            *value = renaming.of(*value);
        }
        for val in &mut state.regs {
            if let Val::Number(value) = val {
                *value = renaming.of(*value);
            }
        }
        state.ideal.rename(renaming);
        state
    }
}
