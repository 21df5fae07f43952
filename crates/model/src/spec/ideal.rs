//! The state of the ideal memory.

use cowherd_mm::{
    Cell, HoldId, IoId, MAX_CELLS, MAX_CPUS, MAX_HOLDS, MAX_IOS, MAX_MMS, MAX_PAGES, MAX_PIPES,
    MmId, PIPE_BUFS, PageBits, Va, packed,
};

use super::cell_sets::CellSets;
use super::page::{Page, Traps};
use super::promises::{Spec, Values};
use super::worlds::{World, Worlds};

#[cfg(not(feature = "wide"))]
mod packing;

/// What is promised at one moment: pages, and the calls that are under way.
///
/// Nothing is kept for what does not exist, and nothing once it cannot matter any more.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Ideal {
    /// How much of the arrays is in use.
    pub(super) sizes: Sizes,
    pub(super) pages: [[Page; MAX_PAGES]; MAX_MMS],
    pub(super) procs: [Proc; MAX_MMS],
    pub(super) moving: [Option<Moving>; MAX_MMS],
    pub(super) ios: [Transfer; MAX_IOS],
    pub(super) holders: [Holder; MAX_HOLDS],
    pub(super) watches: [Option<Watch>; MAX_WATCHES],
}

/// How much of everything there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sizes {
    /// Processes.
    pub mms: u8,
    /// Variables.
    pub pages: u8,
    /// Cells.
    pub cells: u8,
}

/// Addresses by which somebody reads without a translation, at most. Walks have room for one a task and one a buffer of a pipe.
pub(super) const MAX_WATCHES: usize = if cfg!(feature = "wide") {
    MAX_CPUS + MAX_PIPES * PIPE_BUFS
} else {
    4
};

packed! {
    /// A process.
    pub enum Proc {
        /// Not born yet, or its fork failed.
        Absent,
        /// fork is under way: its pages may hold what its parent's did at any moment of it (S5).
        Forking,
        /// Born.
        Alive,
    }

    /// A page on its way to another address (S9).
    pub struct Moving {
        /// Where it was.
        pub from: Va,
        /// Where it will be.
        pub to: Va,
    }
}

/// Addresses of one process, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Places(PageBits);

impl Places {
    pub const NONE: Places = Places(0);

    pub fn one(va: Va) -> Places {
        Places(1 << va.0)
    }

    pub fn has(self, va: Va) -> bool {
        self.0 & (1 << va.0) != 0
    }

    pub fn add(&mut self, va: Va) {
        self.0 |= 1 << va.0;
    }

    /// The first address.
    pub fn first(self) -> Va {
        Va(self.0.trailing_zeros().min(MAX_PAGES as u32 - 1) as u8)
    }

    pub fn iter(self) -> impl Iterator<Item = Va> {
        (0..MAX_PAGES as u8).map(Va).filter(move |&va| self.has(va))
    }
}

/// Processes, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Procs(u8);

impl Procs {
    pub const NONE: Procs = Procs(0);

    pub fn has(self, mm: MmId) -> bool {
        self.0 & (1 << mm.0) != 0
    }

    pub fn add(&mut self, mm: MmId) {
        self.0 |= 1 << mm.0;
    }

    pub fn remove(&mut self, mm: MmId) {
        self.0 &= !(1 << mm.0);
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = MmId> {
        (0..MAX_MMS as u8).map(MmId).filter(move |&mm| self.has(mm))
    }
}

/// A call that transfers between a device and a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Transfer {
    /// From entry to completion; none: not under way. Where the page may be: more than one address once it moved.
    pub at: Option<Places>,
    /// A zap, or MADV_FREE, overlapped it (H4).
    pub zapped: bool,
    /// Children that were forked meanwhile and share the page, for it was not pinned (H1).
    pub shared: Procs,
    /// Memory to device: what the cells held since entry (S6).
    pub since: CellSets,
}

impl Transfer {
    pub const IDLE: Transfer = Transfer {
        at: None,
        zapped: false,
        shared: Procs::NONE,
        since: CellSets::EMPTY,
    };
}

/// A long-lived reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Holder {
    pub phase: Phase,
    /// Where its page may be; none while it holds nothing.
    pub at: Places,
    /// The page was zapped or freed lazily under it, or it may be another one (H4): only what leaks is still wrong.
    pub orphan: bool,
    /// It was found out of sync, and that was told.
    pub told: bool,
    /// As in [`Transfer`].
    pub shared: Procs,
    /// Read-only and not long-term: what the cells held since entry (S6).
    pub since: CellSets,
}

packed! {
    /// How far a holder is.
    pub enum Phase {
        /// Holds nothing.
        Idle,
        /// GUP is under way.
        Entering,
        /// Holds its page.
        Holding,
    }
}

impl Holder {
    pub const IDLE: Holder = Holder {
        phase: Phase::Idle,
        at: Places::NONE,
        orphan: false,
        told: false,
        shared: Procs::NONE,
        since: CellSets::EMPTY,
    };
}

/// An address that a pipe or another process reads by reference: what its cells held since the first such call was entered (S6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Watch {
    pub mm: MmId,
    /// The address as the call was given it.
    pub va: Va,
    /// Where its page may be.
    pub at: Places,
    /// A zap, or MADV_FREE, overlapped it (H4).
    pub zapped: bool,
    /// What the cells held when such a call was entered.
    pub entry: CellSets,
    /// What else they held since.
    pub later: CellSets,
}

impl Ideal {
    /// No memory at all.
    pub const EMPTY: Ideal = {
        let mut ideal = Ideal {
            sizes: Sizes {
                mms: 1,
                pages: 1,
                cells: 1,
            },
            pages: [[Page::absent(Va(0)); MAX_PAGES]; MAX_MMS],
            procs: [Proc::Absent; MAX_MMS],
            moving: [None; MAX_MMS],
            ios: [Transfer::IDLE; MAX_IOS],
            holders: [Holder::IDLE; MAX_HOLDS],
            watches: [None; MAX_WATCHES],
        };
        let mut mm = 0;
        while mm < MAX_MMS {
            ideal.pages[mm] = Ideal::NO_PAGES;
            mm += 1;
        }
        ideal
    };

    pub(super) const NO_PAGES: [Page; MAX_PAGES] = {
        let mut pages = [Page::absent(Va(0)); MAX_PAGES];
        let mut va = 0;
        while va < MAX_PAGES {
            pages[va] = Page::absent(Va(va as u8));
            va += 1;
        }
        pages
    };

    pub(super) fn page(&self, mm: MmId, va: Va) -> &Page {
        &self.pages[mm.at()][va.at()]
    }

    pub(super) fn page_mut(&mut self, mm: MmId, va: Va) -> &mut Page {
        &mut self.pages[mm.at()][va.at()]
    }

    pub(super) fn io(&mut self, io: IoId) -> &mut Transfer {
        &mut self.ios[io.at()]
    }

    pub(super) fn holder(&mut self, holder: HoldId) -> &mut Holder {
        &mut self.holders[holder.at()]
    }

    pub(super) fn mms(&self) -> impl Iterator<Item = MmId> + use<> {
        (0..self.sizes.mms).map(MmId)
    }

    pub(super) fn vas(&self) -> impl Iterator<Item = Va> + use<> {
        (0..self.sizes.pages).map(Va)
    }

    pub(super) fn cells(&self) -> u8 {
        self.sizes.cells
    }

    /// The watch on an address.
    pub(super) fn watch(&mut self, mm: MmId, va: Va) -> Option<&mut Watch> {
        self.watches
            .iter_mut()
            .flatten()
            .find(|w| w.mm == mm && w.va == va)
    }

    /// The canonical order of watches: by address.
    pub(super) fn sort_watches(&mut self) {
        self.watches
            .sort_unstable_by_key(|w| w.map_or((u8::MAX, 0), |w| (w.mm.0, w.va.0)));
    }
}

impl Ideal {
    /// Every value that anybody may still see: no other can matter any more.
    pub fn values(&self) -> Values {
        let mut all = CellSets::EMPTY;
        for page in self.mms().flat_map(|mm| self.vas().map(move |va| (mm, va))) {
            let page = self.page(page.0, page.1);
            let held = page.worlds.all(&CellSets::EMPTY);
            all = all.union(&held).union(&page.written).union(&page.stale);
        }
        for io in &self.ios {
            all = all.union(&io.since);
        }
        for holder in &self.holders {
            all = all.union(&holder.since);
        }
        for watch in self.watches.iter().flatten() {
            all = all.union(&watch.entry).union(&watch.later);
        }
        (0..self.cells()).fold(0, |values, cell| values | all.values(Cell(cell)))
    }

    /// Every value that this page may hold, or may have held when something began that is under way.
    pub fn values_of(&self, mm: MmId, va: Va) -> Values {
        let page = self.page(mm, va);
        let held = page.worlds.all(&CellSets::EMPTY);
        let all = held.union(&page.written).union(&page.stale);
        (0..self.cells()).fold(0, |values, cell| values | all.values(Cell(cell)))
    }

    /// Every value that anybody may still see at this address of any process.
    pub fn values_at(&self, va: Va) -> Values {
        let ios = self
            .ios
            .iter()
            .filter(|io| io.at.is_some_and(|at| at.has(va)));
        let holders = self.holders.iter().filter(|holder| holder.at.has(va));
        let watches = self.watches.iter().flatten().filter(|w| w.at.has(va));
        let all = ios.fold(CellSets::EMPTY, |all, io| all.union(&io.since));
        let all = holders.fold(all, |all, holder| all.union(&holder.since));
        let all = watches.fold(all, |all, w| all.union(&w.entry).union(&w.later));
        let pages = self
            .mms()
            .fold(0, |values, mm| values | self.values_of(mm, va));
        (0..self.cells()).fold(pages, |values, cell| values | all.values(Cell(cell)))
    }

    /// Does somebody read by reference? Who no longer does is found out step by step.
    pub fn watched(&self) -> bool {
        self.watches[0].is_some()
    }

    /// Was this process ever born, or is it about to be?
    pub fn knows(&self, mm: MmId) -> bool {
        self.procs[mm.at()] != Proc::Absent
    }

    /// Does this holder hold nothing, and is nobody about to make it?
    pub fn unheld(&self, holder: HoldId) -> bool {
        self.holders[holder.at()].phase == Phase::Idle
    }
}

impl Spec {
    /// Does somebody refer to a page of this process, or remember that it shares one?
    pub fn refers(&self, ideal: &Ideal, mm: MmId) -> bool {
        let mut ios = ideal.ios.iter().zip(&self.ios);
        let mut holders = ideal.holders.iter().zip(&self.holders);
        let mut watches = ideal.watches.iter().flatten();
        ios.any(|(io, used)| io.at.is_some() && (used.mm == mm || io.shared.has(mm)))
            || holders.any(|(holder, used)| {
                holder.phase != Phase::Idle && (used.mm == mm || holder.shared.has(mm))
            })
            || watches.any(|watch| watch.mm == mm)
            || ideal.moving[mm.at()].is_some()
    }
}

/// How a run starts.
impl Spec {
    /// A memory without a process.
    pub fn start(&self) -> Ideal {
        let mut ideal = Ideal::EMPTY;
        self.size(&mut ideal);
        ideal
    }

    /// The size of the test, for a memory without a process.
    pub(crate) fn size(&self, ideal: &mut Ideal) {
        ideal.sizes = Sizes {
            mms: self.mms,
            pages: self.pages,
            cells: self.cells,
        };
    }
}

impl Ideal {
    /// There is this process.
    pub fn born(&mut self, mm: MmId) {
        self.procs[mm.at()] = Proc::Alive;
    }

    /// It has this page.
    pub fn map(&mut self, mm: MmId, va: Va, values: &[u8; MAX_CELLS]) {
        let cells = CellSets::just(values, self.cells());
        self.page_mut(mm, va).worlds = Worlds::one(World::of(cells));
    }

    /// MADV_FREE was called for the page.
    pub fn free_lazily(&mut self, mm: MmId, va: Va) {
        // One world more can only be a lazy one: there is room.
        let _ = self.page_mut(mm, va).free_begin();
        self.page_mut(mm, va).free_end();
    }

    /// Stores to the page are trapped.
    pub fn trap(&mut self, mm: MmId, va: Va, traps: Traps) {
        self.page_mut(mm, va).traps.set(traps);
    }
}

impl Clone for Ideal {
    fn clone(&self) -> Ideal {
        let mut ideal = Ideal::EMPTY;
        ideal.clone_from(self);
        ideal
    }

    /// Copies the pages that there are: few, mostly, of the many that there could be.
    fn clone_from(&mut self, from: &Ideal) {
        if self.sizes != from.sizes {
            self.pages = Ideal::EMPTY.pages;
        }
        self.sizes = from.sizes;
        let pages = from.sizes.pages as usize;
        for mm in 0..from.sizes.mms as usize {
            self.pages[mm][..pages].copy_from_slice(&from.pages[mm][..pages]);
        }
        self.procs = from.procs;
        self.moving = from.moving;
        self.ios = from.ios;
        self.holders = from.holders;
        self.watches = from.watches;
    }
}

impl Default for Ideal {
    fn default() -> Self {
        Ideal::EMPTY
    }
}
