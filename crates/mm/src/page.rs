//! `struct page` / `struct folio` of one order-0 frame.

use crate::ids::{Count, Cpu, MmId, Pfn, Slot, Va};
use crate::pack::{Names, Pack, Reader, Word};
use crate::packed;

/// One frame's `struct page`. What the frame holds is the driver's business ([`crate::World`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    /// What the page is.
    pub kind: PageKind,
    /// Plain references: one a present PTE, one for the swap cache, one for an LRU batch, one for isolation, one a FOLL_GET,
    /// one a temporary user. 0 while free, and while [`frozen`](Page::frozen).
    pub refs: Count,
    /// FOLL_PIN references, each worth `GUP_PIN_COUNTING_BIAS` plain ones (or just one before 5.7).
    pub pins: Count,
    /// Present PTEs that map the page. Swap and migration entries do not count.
    pub mapcount: Count,
    /// PG_anon_exclusive.
    pub exclusive: bool,
    /// PG_dirty: must reach swap before the page may be dropped.
    pub dirty: bool,
    /// PG_writeback: a swap write is in flight.
    pub writeback: bool,
    /// PG_uptodate: false while a swap read is in flight.
    pub uptodate: bool,
    /// PG_locked.
    pub locked: bool,
    /// PG_lru: on an LRU list. Clear while isolated and while in `batch`; from 6.11 to 6.16 while in any batch.
    pub lru: bool,
    /// PG_swapbacked; clear on an anonymous page: lazily freed.
    pub swapbacked: bool,
    /// The reference count is frozen to 0 (`folio_ref_freeze`) by the holder of the folio lock.
    pub frozen: bool,
    /// PG_swapcache, with the entry.
    pub swap: Option<Slot>,
    /// In the LRU batch of this CPU, which holds a reference.
    pub batch: Option<Cpu>,
    /// In the lazyfree batch of this CPU, which holds a reference: `swapbacked` is cleared when it drains.
    pub lazy_batch: Option<Cpu>,
    /// In a batch of this CPU that moves it to another LRU list or to a list's end, which holds a reference: `lru_activate`,
    /// `lru_deactivate` or `lru_move_tail`. Which one makes no difference; nor does a second one.
    pub moving: Option<Cpu>,
    /// `folio->mapping` and `folio->index` of an anonymous page: where rmap walks look for it. None: read from swap and
    /// not mapped since.
    pub home: Option<Home>,
}

packed! {
    /// Where an anonymous page belongs: the root of its anon_vma tree and its linear index.
    pub struct Home {
        /// The first ancestor process of all that may map the page.
        pub root: MmId,
        /// `folio->index`, as a page of the root's variables.
        pub index: Va,
    }

    /// What a frame is used for.
    pub enum PageKind {
        /// In the buddy allocator.
        Free,
        /// Anonymous memory (`folio_test_anon`).
        Anon,
        /// A KSM stable-tree page (`folio_test_ksm`).
        Ksm,
        /// A page-cache page of a file; the page cache holds a reference.
        File,
        /// The shared zero page.
        Zero,
    }
}

impl Pack for Page {
    /// By hand, for this is what a packed state mostly consists of: kind, counts and flags in one go.
    const MOST: u32 = 28 + Slot::MOST + 3 * Cpu::MOST + Home::MOST;

    fn put(&self, word: Word, names: &mut Names) -> Word {
        let flags = [
            self.exclusive,
            self.dirty,
            self.writeback,
            self.uptodate,
            self.locked,
            self.lru,
            self.swapbacked,
            self.frozen,
        ];
        // Eight bytes of one bit each, multiplied so that the bits meet in the highest byte, the first one lowest.
        let flags = u64::from_le_bytes(flags.map(u8::from));
        let flags = (flags.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32;
        let bits = flags
            | u32::from(self.swap.is_some()) << 8
            | u32::from(self.batch.is_some()) << 9
            | u32::from(self.lazy_batch.is_some()) << 10
            | u32::from(self.moving.is_some()) << 11
            | u32::from(self.home.is_some()) << 12;
        let counts =
            u32::from(self.refs.0) | u32::from(self.pins.0) << 4 | u32::from(self.mapcount.0) << 8;
        let mut word = word.and(bits | counts << 13 | (self.kind as u32) << 25, 28);
        if let Some(slot) = self.swap {
            word = slot.put(word, names);
        }
        if let Some(cpu) = self.batch {
            word = cpu.put(word, names);
        }
        if let Some(cpu) = self.lazy_batch {
            word = cpu.put(word, names);
        }
        if let Some(cpu) = self.moving {
            word = cpu.put(word, names);
        }
        if let Some(home) = self.home {
            word = home.put(word, names);
        }
        word
    }

    fn take(r: &mut Reader) -> Page {
        const KINDS: [PageKind; 5] = [
            PageKind::Free,
            PageKind::Anon,
            PageKind::Ksm,
            PageKind::File,
            PageKind::Zero,
        ];
        let bits = r.next(28);
        let set = |n: u32| bits >> n & 1 == 1;
        let count = |n: u32| Count((bits >> n & 15) as u8);
        Page {
            kind: KINDS[(bits >> 25) as usize],
            refs: count(13),
            pins: count(17),
            mapcount: count(21),
            exclusive: set(0),
            dirty: set(1),
            writeback: set(2),
            uptodate: set(3),
            locked: set(4),
            lru: set(5),
            swapbacked: set(6),
            frozen: set(7),
            swap: set(8).then(|| Pack::take(r)),
            batch: set(9).then(|| Pack::take(r)),
            lazy_batch: set(10).then(|| Pack::take(r)),
            moving: set(11).then(|| Pack::take(r)),
            home: set(12).then(|| Pack::take(r)),
        }
    }
}

/// `GUP_PIN_COUNTING_BIAS`.
pub const GUP_PIN_COUNTING_BIAS: u32 = 1024;

impl Page {
    /// A page in the buddy allocator.
    pub const FREE: Page = Page {
        kind: PageKind::Free,
        refs: Count(0),
        pins: Count(0),
        mapcount: Count(0),
        exclusive: false,
        dirty: false,
        writeback: false,
        uptodate: false,
        locked: false,
        lru: false,
        swapbacked: false,
        frozen: false,
        swap: None,
        batch: None,
        lazy_batch: None,
        moving: None,
        home: None,
    };

    /// `folio_test_anon`: KSM pages are anonymous too.
    pub fn anon(&self) -> bool {
        matches!(self.kind, PageKind::Anon | PageKind::Ksm)
    }

    /// `folio_test_ksm`.
    pub fn ksm(&self) -> bool {
        self.kind == PageKind::Ksm
    }

    /// Is the frame in nobody's hands? A frozen page is in its freezer's.
    pub fn is_free(&self) -> bool {
        self.kind == PageKind::Free
    }
}

impl Pfn {
    /// Is this the shared zero page?
    pub fn is_zero(self) -> bool {
        self == Pfn::ZERO
    }
}
