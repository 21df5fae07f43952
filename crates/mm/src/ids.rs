//! Names of things: small numbers with a type each.

use crate::pack::{Names, Pack, Reader, Word};

/// Processes (mms) at most.
pub const MAX_MMS: usize = 4;
/// Virtual pages of one process at most.
pub const MAX_PAGES: usize = 4;
/// Frames at most, the zero page (frame 0) included.
pub const MAX_FRAMES: usize = 16;
/// Swap slots at most.
pub const MAX_SLOTS: usize = 4;
/// CPUs at most: one a task.
pub const MAX_CPUS: usize = 8;
/// Cells of one page at most.
pub const MAX_CELLS: usize = 4;
/// Transfers (struct bio, kiocb) at most.
pub const MAX_IOS: usize = 4;
/// Pipes at most.
pub const MAX_PIPES: usize = 2;
/// Buffers of one pipe at most.
pub const PIPE_BUFS: usize = 3;
/// Long-lived holders of page references (registered buffers, driver pins) at most.
pub const MAX_HOLDS: usize = 4;
/// Files at most.
pub const MAX_FILES: usize = 4;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident: $bits:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u8);
        impl $name {
            /// As an index.
            #[inline]
            pub fn at(self) -> usize { self.0 as usize }
        }
    )+};
}

macro_rules! packed_ids {
    ($($name:ident: $bits:literal;)+) => {$(
        impl Pack for $name {
            const MOST: u32 = $bits;
            #[inline]
            fn put(&self, word: Word, _: &mut Names) -> Word { word.and(u32::from(self.0), $bits) }
            #[inline]
            fn take(r: &mut Reader) -> Self { $name(r.next($bits) as u8) }
        }
    )+};
}

ids! {
    /// An mm_struct: a process's address space.
    MmId: 2;
    /// A virtual page: its index among the variables of a test.
    Va: 2;
    /// A page frame. 0 is the shared zero page.
    Pfn: 4;
    /// A swap slot.
    Slot: 2;
    /// A CPU. Every task has one of its own; [`Cpu::ELSEWHERE`] is one on which none of them runs.
    Cpu: 4;
    /// A part of a page that is read and written as one: a sector unless a test says otherwise.
    Cell: 2;
    /// A transfer in flight.
    IoId: 2;
    /// A pipe.
    PipeId: 1;
    /// A long-lived holder of a page reference.
    HoldId: 2;
    /// A file.
    FileId: 2;
    /// A set of cells, one bit each.
    Cells: 4;
    /// A small count.
    Count: 4;
}

packed_ids! { MmId: 2; Va: 2; Cpu: 4; Cell: 2; IoId: 2; PipeId: 1; HoldId: 2; FileId: 2; Cells: 4; Count: 4; }

impl Pack for Pfn {
    const MOST: u32 = 4;
    #[inline]
    fn put(&self, word: Word, names: &mut Names) -> Word {
        word.and(u32::from(names.frame(*self)), 4)
    }
    #[inline]
    fn take(r: &mut Reader) -> Self {
        let pfn = r.next(4) as u8;
        r.meets_frame(pfn);
        Pfn(pfn)
    }
}

impl Pack for Slot {
    const MOST: u32 = 2;
    #[inline]
    fn put(&self, word: Word, names: &mut Names) -> Word {
        word.and(u32::from(names.slot(*self)), 2)
    }
    #[inline]
    fn take(r: &mut Reader) -> Self {
        let slot = r.next(2) as u8;
        r.meets_slot(slot);
        Slot(slot)
    }
}

impl Cpu {
    /// A CPU without a task of the test: a device's interrupt may come there.
    pub const ELSEWHERE: Cpu = Cpu(MAX_CPUS as u8);
}

impl Pfn {
    /// The shared zero page: read-only, never counted.
    pub const ZERO: Pfn = Pfn(0);
}

impl Cells {
    /// No cell.
    pub const NONE: Cells = Cells(0);

    /// Just this one.
    pub fn one(cell: Cell) -> Cells {
        Cells(1 << cell.0)
    }

    /// The first `n`.
    pub fn first(n: u8) -> Cells {
        Cells((1 << n) - 1)
    }

    /// Is `cell` among them?
    pub fn has(self, cell: Cell) -> bool {
        self.0 & (1 << cell.0) != 0
    }

    /// Without `cell`.
    pub fn without(self, cell: Cell) -> Cells {
        Cells(self.0 & !(1 << cell.0))
    }

    /// How many.
    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// None at all?
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them, in order.
    pub fn iter(self) -> impl Iterator<Item = Cell> {
        (0..MAX_CELLS as u8)
            .map(Cell)
            .filter(move |&cell| self.has(cell))
    }

    /// The `n`th of them.
    pub fn nth(self, n: u8) -> Cell {
        self.iter()
            .nth(n as usize)
            .expect("fewer cells than asked for")
    }
}
