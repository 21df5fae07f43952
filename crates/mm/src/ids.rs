//! Names of things: small numbers with a type each.

use crate::pack::{Names, Pack, Reader, Word, tag_width};
pub use crate::room::*;

/// Cells of one page at most.
pub const MAX_CELLS: usize = 4;
/// Pipes at most.
pub const MAX_PIPES: usize = 2;
/// Buffers of one pipe at most.
pub const PIPE_BUFS: usize = 3;
/// Files at most.
pub const MAX_FILES: usize = 4;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident: $number:ty;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub $number);
        impl $name {
            /// As an index.
            #[inline]
            pub fn at(self) -> usize { self.0 as usize }
        }
    )+};
}

macro_rules! packed_ids {
    ($($name:ident: $bits:expr;)+) => {$(
        impl Pack for $name {
            const MOST: u32 = $bits;
            #[inline]
            fn put(&self, word: Word, _: &mut Names) -> Word { word.and(u32::from(self.0), Self::MOST) }
            #[inline]
            fn take(r: &mut Reader) -> Self { $name(r.next(Self::MOST) as u8) }
        }
    )+};
}

ids! {
    /// An mm_struct: a process's address space.
    MmId: u8;
    /// A virtual page: its index among the variables of a test.
    Va: u8;
    /// A page frame. 0 is the shared zero page.
    Pfn: FrameNo;
    /// A swap slot.
    Slot: u8;
    /// A CPU. Every task has one of its own; [`Cpu::ELSEWHERE`] is one on which none of them runs.
    Cpu: u8;
    /// A part of a page that is read and written as one: a sector unless a test says otherwise.
    Cell: u8;
    /// A transfer in flight.
    IoId: u8;
    /// A pipe.
    PipeId: u8;
    /// A long-lived holder of a page reference.
    HoldId: u8;
    /// A file.
    FileId: u8;
    /// A set of cells, one bit each.
    Cells: u8;
    /// A small count.
    Count: u8;
}

packed_ids! {
    MmId: tag_width(MAX_MMS as u32);
    Va: tag_width(MAX_PAGES as u32);
    Cpu: tag_width(MAX_CPUS as u32 + 1);
    Cell: tag_width(MAX_CELLS as u32);
    IoId: tag_width(MAX_IOS as u32);
    PipeId: tag_width(MAX_PIPES as u32);
    HoldId: tag_width(MAX_HOLDS as u32);
    FileId: tag_width(MAX_FILES as u32);
    Cells: MAX_CELLS as u32;
    Count: 4;
}

impl Pack for Pfn {
    const MOST: u32 = tag_width(MAX_FRAMES as u32);
    #[inline]
    fn put(&self, word: Word, names: &mut Names) -> Word {
        word.and(u32::from(names.frame(*self)), Self::MOST)
    }
    #[inline]
    fn take(r: &mut Reader) -> Self {
        let pfn = r.next(Self::MOST) as FrameNo;
        r.meets_frame(pfn);
        Pfn(pfn)
    }
}

impl Pack for Slot {
    const MOST: u32 = tag_width(MAX_SLOTS as u32);
    #[inline]
    fn put(&self, word: Word, names: &mut Names) -> Word {
        word.and(u32::from(names.slot(*self)), Self::MOST)
    }
    #[inline]
    fn take(r: &mut Reader) -> Self {
        let slot = r.next(Self::MOST) as u8;
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

    /// Every frame but the zero page, of so many all told.
    pub fn all(frames: usize) -> impl Iterator<Item = Pfn> {
        (1..frames as FrameNo).map(Pfn)
    }
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
