//! What has come for one shard in one level, until the level is complete and it is known in which order it would have been met.

use crate::record::{self, Record};
use crate::shard::{Offered, Shard};
use crate::store::StateId;

/// Records are thinned out once there are so many bytes of them.
const THIN: usize = 16 << 20;

/// States that may be new, the same one more than once.
#[derive(Default)]
pub(super) struct Arrivals {
    records: Vec<u8>,
    entries: Vec<Entry>,
    /// Bytes at which they are thinned out.
    most: usize,
}

/// One record: by parent, then by the order in which it came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    parent: u64,
    start: usize,
    hash: u64,
}

impl Arrivals {
    /// Takes in a record, unless its state is in a level before.
    pub(super) fn take(&mut self, shard: &Shard, hash: u64, record: Record<'_>) {
        if shard.settled(hash, record.packed) {
            return;
        }
        self.entries.push(Entry {
            parent: StateId::to_raw(record.parent),
            start: self.records.len(),
            hash,
        });
        record::write(&mut self.records, record.parent, record.packed);
        if self.records.len() > self.most.max(THIN) {
            self.thin();
        }
    }

    fn record(&self, entry: &Entry) -> Record<'_> {
        record::read(&self.records[entry.start..])
    }

    /// Keeps of each state the record that comes first.
    fn thin(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_unstable_by(|a, b| {
            let packed = |entry| self.record(entry).packed;
            (a.hash, packed(a)).cmp(&(b.hash, packed(b))).then(a.cmp(b))
        });
        entries.dedup_by(|later, first| {
            later.hash == first.hash && self.record(later).packed == self.record(first).packed
        });
        // Those of one parent keep their order.
        entries.sort_unstable_by_key(|entry| entry.start);
        let mut records = Vec::new();
        for entry in &mut entries {
            let record = self.record(entry);
            let start = records.len();
            record::write(&mut records, record.parent, record.packed);
            entry.start = start;
        }
        (self.records, self.entries) = (records, entries);
        self.most = 2 * self.records.len();
    }

    /// Stores all, in the order in which one process would have; says how many are new.
    pub(super) fn store(&mut self, shard: &mut Shard) -> u64 {
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_unstable();
        let mut fresh = 0;
        for entry in &entries {
            let record = self.record(entry);
            let offered = shard.offer(entry.hash, record.parent, record.packed);
            fresh += u64::from(offered == Offered::New);
        }
        *self = Arrivals::default();
        fresh
    }

    pub(super) fn bytes(&self) -> usize {
        self.records.capacity() + self.entries.capacity() * size_of::<Entry>()
    }
}
