//! Where the records of a shard lie, found by a part of their hashes.
//!
//! Open addressing, the slots in the order of their tags: a search ends at the first larger tag; to insert moves the slots behind by
//! one, up to an empty one; to grow is one sweep through both tables, which does not look at the records.

/// Bits of a hash that a slot keeps, above the offset of a record.
const TAG: u32 = 28;
const OFFSET: u32 = 64 - TAG;
/// No record lies at such an offset.
const EMPTY: u64 = u64::MAX;
/// Slots behind the last home: for those that are moved there. One more is added whenever they are used up.
const BEHIND: usize = WINDOW;
/// Slots that are looked at together.
const WINDOW: usize = 4;

/// Offsets of records, by tag.
#[derive(Default)]
pub(crate) struct Table {
    /// In the order of the tags, but for empty slots. The last is always empty.
    slots: Vec<u64>,
    /// Slots where a search may begin.
    homes: usize,
    /// Records that there is room for, before the table grows.
    room: usize,
}

/// Where a search ended.
pub(crate) enum Place {
    /// In this slot, which holds this offset.
    Found(usize, u64),
    /// It belongs into this slot, before what is there.
    Missing(usize),
}

/// The part of a hash that a slot keeps.
fn tag(hash: u64) -> u64 {
    hash >> OFFSET
}

fn offset(value: u64) -> u64 {
    value & ((1 << OFFSET) - 1)
}

impl Table {
    /// The slot where the search for a tag begins: tags in order are spread over the slots in order.
    fn home(&self, tag: u64) -> usize {
        ((tag * self.homes as u64) >> TAG) as usize
    }

    /// The first slot with this tag or a larger one; an empty one, if that comes before.
    fn first(&self, tag: u64) -> usize {
        let mut slot = self.home(tag);
        // Mostly one of the first few. They are looked at without a branch, which nobody could foresee; whatever lies behind an
        // empty slot has a larger tag.
        if let Some(window) = self.slots[slot..].first_chunk::<WINDOW>() {
            let smaller = window.iter().filter(|value| **value >> OFFSET < tag);
            let smaller = smaller.count();
            slot += smaller;
            if smaller < WINDOW {
                return slot;
            }
        }
        while self.slots[slot] >> OFFSET < tag {
            slot += 1;
        }
        slot
    }

    /// Looks for a record with this hash that `is` the right one.
    pub(crate) fn search(&self, hash: u64, mut is: impl FnMut(u64) -> bool) -> Place {
        let tag = tag(hash);
        if self.slots.is_empty() {
            return Place::Missing(0);
        }
        let mut slot = self.first(tag);
        loop {
            let value = self.slots[slot];
            if value == EMPTY || value >> OFFSET != tag {
                return Place::Missing(slot);
            }
            if is(offset(value)) {
                return Place::Found(slot, offset(value));
            }
            slot += 1;
        }
    }

    /// Brings the slots near where the search for this hash begins.
    pub(crate) fn touch(&self, hash: u64) -> u64 {
        let home = self.home(tag(hash));
        let slots = self.slots.get(home..home + WINDOW);
        slots.map_or(0, |slots| slots[0] ^ slots[WINDOW - 1])
    }

    /// The offset that a search would look at first, if any.
    pub(crate) fn candidate(&self, hash: u64) -> Option<u64> {
        let tag = tag(hash);
        if self.slots.is_empty() {
            return None;
        }
        let value = self.slots[self.first(tag)];
        (value != EMPTY && value >> OFFSET == tag).then(|| offset(value))
    }

    /// Makes room for one more record. Slots found before are no longer where they were.
    pub(crate) fn make_room(&mut self) {
        if self.room == 0 {
            self.grow();
        }
    }

    /// Puts an offset into the slot where a search for this hash ended.
    pub(crate) fn insert(&mut self, slot: usize, hash: u64, offset: u64) {
        let mut moved = tag(hash) << OFFSET | offset;
        for place in &mut self.slots[slot..] {
            moved = std::mem::replace(place, moved);
            if moved == EMPTY {
                break;
            }
        }
        if self.slots.last() != Some(&EMPTY) {
            self.slots.reserve_exact(1);
            self.slots.push(EMPTY);
        }
        self.room -= 1;
    }

    /// Kept between half and three quarters full.
    #[cold]
    fn grow(&mut self) {
        let used = self.homes * 3 / 4;
        self.homes = (self.homes + self.homes / 2).max(16);
        self.room = self.homes * 3 / 4 - used;
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; self.homes + BEHIND]);
        let mut free = 0;
        for value in old.into_iter().filter(|value| *value != EMPTY) {
            let slot = self.home(value >> OFFSET).max(free);
            if slot + 1 >= self.slots.len() {
                self.slots.push(EMPTY);
            }
            self.slots[slot] = value;
            free = slot + 1;
        }
    }

    /// Number of slots.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of memory held.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::hash;

    fn put(table: &mut Table, hash: u64, at: u64) {
        table.make_room();
        match table.search(hash, |offset| offset == at) {
            Place::Missing(slot) => table.insert(slot, hash, at),
            Place::Found(..) => panic!("{at} is there"),
        }
    }

    #[test]
    fn what_was_put_in_is_found_and_nothing_else() {
        let hash = |n: u64| hash(&n.to_le_bytes());
        let mut table = Table::default();
        for n in 0..10_000u64 {
            put(&mut table, hash(n), n);
        }
        for n in 0..20_000u64 {
            match table.search(hash(n), |offset| offset == n) {
                Place::Found(slot, at) => {
                    assert_eq!((table.slots[slot], at), (tag(hash(n)) << OFFSET | n, n));
                }
                Place::Missing(_) => assert!(n >= 10_000),
            }
        }
        let used = table.slots.iter().filter(|slot| **slot != EMPTY);
        assert_eq!(used.count(), 10_000);
        assert!(table.slots.len() < 10_000 * 5 / 3 + 2 * BEHIND);
    }

    #[test]
    fn slots_are_in_the_order_of_their_tags() {
        let mut table = Table::default();
        for n in 0..3000u64 {
            put(&mut table, hash(&n.to_le_bytes()), n);
        }
        let used = table.slots.iter().filter(|slot| **slot != EMPTY);
        assert!(used.map(|slot| slot >> OFFSET).is_sorted());
        assert_eq!(table.slots.last(), Some(&EMPTY));
    }

    #[test]
    fn equal_hashes_go_on_behind_the_last_home() {
        let mut table = Table::default();
        for n in 0..500u64 {
            put(&mut table, u64::MAX, n);
        }
        for n in 0..500u64 {
            assert!(matches!(
                table.search(u64::MAX, |offset| offset == n),
                Place::Found(_, at) if at == n
            ));
        }
    }
}
