//! A table of fingerprints with half the slots' width: four bytes. For searches of 10^9 states, where the table is what memory goes to.

use crate::arena::Arena;
use crate::record;

/// Bits of a slot that count fingerprints; the others are a tag.
const COUNT: u32 = 26;
/// Fingerprints that one shard may have.
const MOST: u64 = (1 << COUNT) - 1;

/// Open addressing, linear probing; a slot is a tag above the number of a fingerprint plus one, in the order of the arena.
#[derive(Default)]
pub(crate) struct Narrow {
    slots: Vec<u32>,
    used: u64,
}

/// The part of a fingerprint that a slot keeps: not of those bits that choose the shard or the slot.
fn tag(hash: u64) -> u32 {
    (hash >> 6) as u32 & ((1 << (32 - COUNT)) - 1)
}

impl Narrow {
    fn home(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.slots.len() as u128) >> 64) as usize
    }

    fn next(&self, slot: usize) -> usize {
        if slot + 1 == self.slots.len() {
            0
        } else {
            slot + 1
        }
    }

    /// The offset of the fingerprint in a slot that is not empty.
    fn offset(value: u32) -> u64 {
        Arena::nth((value & MOST as u32) as u64 - 1, record::FINGERPRINT)
    }

    /// The slot that holds a fingerprint, and where it lies in the arena; or else the empty slot where it belongs. The table must not be
    /// empty.
    pub(crate) fn probe(&self, hash: u64, arena: &Arena) -> (usize, Option<u64>) {
        let mut slot = self.home(hash);
        loop {
            let value = self.slots[slot];
            if value == 0 {
                return (slot, None);
            }
            if value >> COUNT == tag(hash) {
                let offset = Narrow::offset(value);
                if record::packed(arena.at(offset)).0 == hash.to_le_bytes() {
                    return (slot, Some(offset));
                }
            }
            slot = self.next(slot);
        }
    }

    /// What a look for this fingerprint will most likely look at first, if anything.
    pub(crate) fn near(&self, hash: u64) -> Option<u64> {
        let value = *self.slots.get(self.home(hash))?;
        (value != 0 && value >> COUNT == tag(hash)).then(|| Narrow::offset(value))
    }

    /// Kept below five sixths full, grown by a quarter: above two thirds.
    pub(crate) fn make_room(&mut self, arena: &Arena) {
        if (self.used + 1) * 6 <= self.slots.len() as u64 * 5 {
            return;
        }
        let larger = (self.slots.len() + self.slots.len() / 4).max(16);
        // One after the other: they may be large.
        drop(std::mem::take(&mut self.slots));
        self.slots = vec![0; larger];
        self.used = 0;
        // Slots keep too little to be moved; but fingerprints lie in a row.
        for (_, record) in arena.records(0, arena.end()) {
            if let Ok(fingerprint) = record.packed.try_into() {
                self.enter_last(u64::from_le_bytes(fingerprint));
            }
        }
    }

    /// Enters the fingerprint that lies behind all that were entered, and is none of them.
    pub(crate) fn enter_last(&mut self, hash: u64) {
        let mut slot = self.home(hash);
        while self.slots[slot] != 0 {
            slot = self.next(slot);
        }
        self.used += 1;
        assert!(
            self.used < MOST,
            "a shard holds at most {MOST} fingerprints"
        );
        self.slots[slot] = tag(hash) << COUNT | self.used as u32;
    }

    pub(crate) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u32>()
    }
}
