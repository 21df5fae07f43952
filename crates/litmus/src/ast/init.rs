//! What there is before the first step: processes, pages, files, pipes, the swap device, TLBs.

use super::words::{FileSystem, UffdMode};
use super::{FileId, PageId, ProcessId, ThreadId};
use crate::Span;

/// A process: one address space.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// The name: a capital identifier.
    pub name: String,
    /// Who forked it; `None` for the default process and for one declared by `process C;`.
    pub parent: Option<ProcessId>,
    /// Does it exist before the first step? Otherwise a `fork` of the program makes it.
    pub from_start: bool,
    /// Where it is named first.
    pub span: Span,
}

/// A variable: a page-sized and page-aligned private VMA, and what it holds at the start.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PageInit {
    /// The name.
    pub name: String,
    /// Number of cells, at least 1.
    pub cells: u8,
    /// What is there.
    pub contents: Contents,
    /// The process in which `contents` is there. Further ones are [`shared`](Attributes::shared).
    pub owner: ProcessId,
    /// The processes that have the VMA at the start, the owner among them, in ascending order. A process forked later has it if its parent
    /// has.
    pub processes: Vec<ProcessId>,
    /// The state of page and VMA.
    pub attributes: Attributes,
    /// The declaration.
    pub span: Span,
    /// The name in the declaration.
    pub name_span: Span,
}

/// What a variable holds at the start.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Contents {
    /// `anon y[2];` no PTE.
    Untouched,
    /// `anon z[2] zero;` the zero page is mapped.
    Zero,
    /// `anon x[2] = { 1, 2 };` an anonymous page with these values, one for each cell.
    Values(Vec<u8>),
    /// `private m[2] of f;` a private mapping of the file's page.
    File {
        /// The file.
        file: FileId,
        /// Is a read-only PTE of the page cache page present?
        mapped: bool,
    },
}

/// The state of a page and of its VMA at the start. Where nothing is said of a page with values, it is as a store leaves it: present, writable,
/// dirty, exclusive, on the LRU.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes {
    /// Is the PTE dirty? Where neither `clean` nor `dirty` is written, see [`dirty_by_default`](Attributes::dirty_by_default).
    pub dirty: bool,
    /// The VMA lacks VM_WRITE.
    pub readonly: bool,
    /// The PTE is not writable, the page exclusive (as after clear_refs or a failed KSM merge).
    pub wrprotected: bool,
    /// The PTE is not writable and the page not exclusive (as after a fork whose child is gone).
    pub nonexclusive: bool,
    /// In the LRU batch of this thread's CPU, with the batch's reference.
    pub batch: Option<ThreadId>,
    /// Swapped out: a swap PTE, and the data in a slot.
    pub swapped: bool,
    /// In the swap cache: mapped, or with `swapped` no longer.
    pub cached: bool,
    /// Under writeback to its slot (with `cached`).
    pub writeback: bool,
    /// Mapped read-only in these processes too (not counting the owner), as after a fork; for a KSM page, as after a merge.
    pub shared: Vec<ProcessId>,
    /// A KSM page.
    pub ksm: Option<Ksm>,
    /// MADV_FREE'd before the test, and the batch drained.
    pub lazy: bool,
    /// A NUMA hinting entry.
    pub protnone: bool,
    /// Soft-dirty tracking was started.
    pub tracked: bool,
    /// So many others hold a reference that the page looks pinned (`maybe_dma_pinned` is true of it).
    pub crowded: bool,
    /// Registered with userfaultfd.
    pub uffd: Option<Uffd>,
}

impl Attributes {
    /// Is the PTE dirty where nothing is said? A page with values was stored to, unless something since has cleaned its PTE.
    pub fn dirty_by_default(&self, contents: &Contents) -> bool {
        matches!(contents, Contents::Values(_)) && !self.lazy && !self.swapped && self.ksm.is_none()
    }
}

/// How a KSM page is mapped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ksm {
    /// The variables that map the same KSM page, this one not counted.
    pub with: Vec<PageId>,
}

/// A registration with userfaultfd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Uffd {
    /// The mode.
    pub mode: UffdMode,
    /// Is the page (write-)protected at the start? Modes `wp` and `rwp` only.
    pub protected: bool,
}

/// A file of one page.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct File {
    /// The name.
    pub name: String,
    /// Who does its I/O.
    pub on: FileSystem,
    /// Its contents, one value for each cell.
    pub values: Vec<u8>,
    /// The declaration.
    pub span: Span,
}

/// A pipe.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pipe {
    /// The name.
    pub name: String,
    /// The declaration.
    pub span: Span,
}

/// The swap device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Swap {
    /// What it is.
    pub device: SwapDevice,
    /// Do frames have to stay as they are while it writes them (SWP_STABLE_WRITES)?
    pub stable: bool,
    /// Is more than half of it in use, so that slots are given back as soon as may be (`vm_swap_full`)?
    pub half_full: bool,
    /// Number of slots.
    pub slots: u8,
    /// The declaration; empty where there is none.
    pub span: Span,
}

impl Default for Swap {
    /// `swap async slots 2;`
    fn default() -> Swap {
        Swap {
            device: SwapDevice::Async,
            stable: false,
            half_full: false,
            slots: crate::limits::DEFAULT_SLOTS,
            span: Span::default(),
        }
    }
}

/// Kinds of swap device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SwapDevice {
    /// I/O completes later; the page lingers in the swap cache.
    Async,
    /// I/O completes in the call (SWP_SYNCHRONOUS_IO: zram, brd).
    Sync,
    /// There is no swap.
    None,
}

/// `tlb hot P1: x, y;` what a CPU has cached at the start. Later declarations win over earlier ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tlb {
    /// What is said of them.
    pub heat: Heat,
    /// The thread whose CPU is meant; `None`: every CPU.
    pub thread: Option<ThreadId>,
    /// The pages, in the thread's own process; empty: every page.
    pub pages: Vec<PageId>,
    /// The declaration.
    pub span: Span,
}

/// Is a translation in the TLB at the start?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Heat {
    /// Yes, writable and dirty where the PTE allows.
    Hot,
    /// No. The default.
    Cold,
    /// Both are tried.
    Any,
}
