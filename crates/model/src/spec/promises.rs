//! What is the same in all states of a test: who may ever write what, and what each call uses.

use cowherd_mm::machine::Dir;
use cowherd_mm::{
    Cell, Cells, HoldId, MAX_CELLS, MAX_HOLDS, MAX_IOS, MAX_MMS, MAX_PAGES, MmId, Va,
};

use super::cell_sets::CellSets;

/// A set of values, one bit each.
pub type Values = u16;

/// For each page of each process, a set of values.
pub type ByPage = [[Values; MAX_PAGES]; MAX_MMS];

/// The promises of one test.
///
/// Only what calls use decides *whether* something is wrong. Who may write what decides how it is called ([`Kind`](super::Kind),
/// [`Rule`](super::Rule)), and whether a page that was given away under a pin leaks: it does no harm to name too many values.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Processes.
    pub mms: u8,
    /// Variables of each.
    pub pages: u8,
    /// Cells of each.
    pub cells: u8,
    /// What a fresh page of each variable holds: zeroes, or its file's contents.
    pub base: [CellSets; MAX_PAGES],
    /// The process that each is (or was) forked from.
    pub parents: [Option<MmId>; MAX_MMS],
    /// What pages hold at the start.
    pub starts: ByPage,
    /// What stores may put there: of CPUs, of other processes, of drivers.
    pub stores: ByPage,
    /// What transfers may put there.
    pub lands: ByPage,
    /// What a child's page may have been born with.
    pub inherits: ByPage,
    /// Pages that somebody calls MADV_FREE for.
    pub freed: [[bool; MAX_PAGES]; MAX_MMS],
    /// What transfers use.
    pub ios: [IoUse; MAX_IOS],
    /// What holders use.
    pub holders: [HoldUse; MAX_HOLDS],
}

/// What a transfer uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoUse {
    /// Direction.
    pub dir: Dir,
    /// Whose memory.
    pub mm: MmId,
    /// Which page.
    pub va: Va,
    /// Which cells of it.
    pub cells: Cells,
    /// By which reference.
    pub by: By,
}

/// The reference that a transfer uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// FOLL_GET.
    Get,
    /// FOLL_PIN.
    Pin,
    /// A registered buffer's.
    Buffer(HoldId),
}

/// What a holder uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldUse {
    /// Whose memory.
    pub mm: MmId,
    /// Which page.
    pub va: Va,
    /// What it was promised.
    pub promise: Promise,
}

/// What a holder was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// FOLL_PIN with FOLL_WRITE or FOLL_LONGTERM: its page stays the one that is mapped (S7).
    InSync,
    /// FOLL_GET with FOLL_WRITE: so it does, unless the process forks (H1).
    InSyncUnlessForked,
    /// Read-only, and not long-term: what the cells held at some time since (S6).
    Snapshot,
}

impl Default for Spec {
    fn default() -> Self {
        Spec::new_for(1, 1, 1)
    }
}

impl Spec {
    /// Of a test of this size in which nobody does anything.
    pub fn new_for(mms: u8, pages: u8, cells: u8) -> Spec {
        Spec {
            mms,
            pages,
            cells,
            base: [CellSets::just(&[0; MAX_CELLS], cells); MAX_PAGES],
            parents: [None; MAX_MMS],
            starts: [[0; MAX_PAGES]; MAX_MMS],
            stores: [[0; MAX_PAGES]; MAX_MMS],
            lands: [[0; MAX_PAGES]; MAX_MMS],
            inherits: [[0; MAX_PAGES]; MAX_MMS],
            freed: [[false; MAX_PAGES]; MAX_MMS],
            ios: [IoUse {
                dir: Dir::ToMemory,
                mm: MmId(0),
                va: Va(0),
                cells: Cells::NONE,
                by: By::Pin,
            }; MAX_IOS],
            holders: [HoldUse {
                mm: MmId(0),
                va: Va(0),
                promise: Promise::InSync,
            }; MAX_HOLDS],
        }
    }

    /// All that `mm` may ever have put into any of its pages, its start included.
    pub(super) fn own(&self, mm: MmId) -> Values {
        let all = |by: &ByPage| by[mm.at()].iter().fold(0, |all, set| all | set);
        all(&self.starts) | all(&self.stores) | all(&self.lands)
    }

    /// All that `mm` may have been born with.
    pub(super) fn inherited(&self, mm: MmId) -> Values {
        self.inherits[mm.at()].iter().fold(0, |all, set| all | set)
    }

    /// What its ancestors had at the start, and never write.
    pub(super) fn ancient(&self, mm: MmId) -> Values {
        let all = |by: &ByPage, mm: MmId| by[mm.at()].iter().fold(0, |all, set| all | set);
        let (mut starts, mut writes, mut at) = (0, 0, mm);
        for _ in 0..MAX_MMS {
            let Some(parent) = self.parents[at.at()] else {
                break;
            };
            at = parent;
            starts |= all(&self.starts, at);
            writes |= all(&self.stores, at) | all(&self.lands, at);
        }
        starts & !writes
    }

    /// All that may ever have been put into this page, or been there at its birth.
    pub(super) fn ever(&self, mm: MmId, va: Va) -> Values {
        let at = |by: &ByPage| by[mm.at()][va.at()];
        at(&self.starts) | at(&self.stores) | at(&self.lands) | at(&self.inherits)
    }

    /// The oldest known ancestor.
    pub(super) fn root(&self, mm: MmId) -> MmId {
        let mut root = mm;
        for _ in 0..MAX_MMS {
            match self.parents[root.at()] {
                Some(parent) => root = parent,
                None => break,
            }
        }
        root
    }

    /// Does the transfer use `cell`?
    pub(super) fn uses(&self, io: usize, cell: Cell) -> bool {
        self.ios[io].cells.has(cell)
    }
}

/// The set of just this value; empty if no program may write it.
pub fn value(value: u8) -> Values {
    1u16.checked_shl(u32::from(value)).unwrap_or(0)
}
