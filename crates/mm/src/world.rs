//! What the mm asks of whoever drives it: what pages hold, what is left open, and an ear for what happens.

use crate::ids::*;
use crate::machine::Dir;

/// The driver of a [`crate::Machine`]: the explorer's model, a stress run, a pager.
///
/// The mm never looks at what a page holds; it says what is copied where. And it never decides what the hardware, a device
/// or chance decides: it asks [`choose`](World::choose).
pub trait World {
    /// One of `0..ways`.
    fn choose(&mut self, ways: u8) -> u8;

    /// `clear_highpage`: all cells of `to` become zero.
    fn zero(&mut self, to: Pfn);
    /// One cell of a page copy.
    fn copy(&mut self, from: Pfn, to: Pfn, cell: Cell);
    /// The device samples one sector of `from` for `slot`.
    fn swap_write(&mut self, from: Pfn, slot: Slot, cell: Cell);
    /// A slot is read into `to`.
    fn swap_read(&mut self, slot: Slot, to: Pfn);
    /// A failed swap write leaves anything in the slot.
    fn swap_garble(&mut self, slot: Slot);
    /// `pages_identical`.
    fn same(&mut self, a: Pfn, b: Pfn) -> bool;
    /// Does `pfn` hold what `slot` holds in this sector? Tells a torn write.
    fn same_as_slot(&mut self, pfn: Pfn, slot: Slot, cell: Cell) -> bool;

    /// The access that the running task asked for happens now, on this frame.
    fn access(&mut self, mm: MmId, va: Va, pfn: Pfn, access: Access);
    /// A device transfers one cell of an I/O, or a holder's device accesses its page.
    fn transfer(&mut self, io: IoId, file: FileId, pfn: Pfn, cell: Cell, dir: Dir);
    /// The device behind a holder accesses the page it holds: the access that the running task asked for.
    fn held_access(&mut self, holder: HoldId, pfn: Pfn, access: Access);
    /// The running task reads the cells of a pipe buffer.
    fn pipe_read(&mut self, pipe: PipeId, pfn: Pfn, cells: Cells, mm: MmId, va: Va);

    /// Something that the specification has to know of.
    fn event(&mut self, event: Event);
    /// The kernel broke one of its own invariants.
    fn broken(&mut self, broken: Broken);
}

/// What a CPU (or the kernel in its stead) does to a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A load.
    Load,
    /// A store.
    Store,
}

/// What the specification must hear of. Windows are those of its rules S4 to S8. Fields name whose memory, where.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A call that zaps is about to clear its first PTE (S4).
    ZapBegin { mm: MmId, va: Va },
    /// Its flush is over.
    ZapEnd { mm: MmId, va: Va },
    /// The VMA is gone: accesses fault from now on (S4).
    Unmapped { mm: MmId, va: Va },
    /// fork holds the parent's mmap_lock for write (S5).
    ForkBegin { parent: MmId, child: MmId },
    /// The parent's TLBs are flushed.
    ForkEnd { parent: MmId, child: MmId },
    /// fork left this variable out (MADV_DONTFORK), or gave the child an empty one (MADV_WIPEONFORK).
    ForkWithout { child: MmId, va: Va },
    /// A call that transfers between a page and a device was entered (S2, S6).
    TransferBegin { io: IoId },
    /// It is complete, or failed.
    TransferEnd { io: IoId },
    /// MADV_FREE was entered (S8).
    FreeBegin { mm: MmId, va: Va },
    /// It returned.
    FreeEnd { mm: MmId, va: Va },
    /// vmsplice was entered: the pipe may show what the cells hold from now on (S6).
    SpliceBegin { mm: MmId, va: Va },
    /// A long-term pin was taken (S7).
    Held { holder: HoldId, mm: MmId, va: Va },
    /// It was dropped.
    Released { holder: HoldId },
    /// The contents of an address moved to another, with its PTE (mremap, UFFDIO_MOVE); `from` holds nothing any more, and no
    /// translation leads from there to the contents.
    Moved { mm: MmId, from: Va, to: Va },
    /// A call returned after which stores to the page must fault (mprotect, munmap) (S10).
    WriteForbidden { mm: MmId, va: Va },
    /// Stores are allowed again: from now on, which is before the call returns.
    WriteAllowed { mm: MmId, va: Va },
    /// A call returned after which the first store must be trapped or recorded (UFFDIO_WRITEPROTECT, clear_refs) (S10). If the
    /// trap was lifted while the call was still under way, the call has set none.
    WriteTrapped { mm: MmId, va: Va, by: Trap },
    /// The trap was lifted, from now on, or it sprang.
    TrapLifted { mm: MmId, va: Va, by: Trap },
    /// A call that will keep a reference to the page was entered: until [`Held`](Event::Held) a zap or a fork may get in between
    /// (S7). A call that fails says [`Released`](Event::Released).
    HoldBegin { holder: HoldId, mm: MmId, va: Va },
    /// A page is about to move: until [`Moved`](Event::Moved) both addresses show it, one of them through TLBs (S9).
    MoveBegin { mm: MmId, from: Va, to: Va },
    /// fork gave up: the child never runs (S5).
    ForkFailed { parent: MmId, child: MmId },
    /// Another process's memory is about to be accessed, by a reference and not by a translation (S3, S6).
    RemoteBegin { mm: MmId, va: Va },
    /// A lazily freed page was dropped. Until its flush, TLBs may still lead to what it held (S8).
    Dropped { mm: MmId, va: Va },
}

/// Who wants to know of the next store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// userfaultfd write-protection.
    Uffd,
    /// Soft-dirty.
    SoftDirty,
}

/// A broken invariant of the kernel (semantics.md section 2), or worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Broken {
    /// I-W-ONE: a page that several mms may reach is writable somewhere.
    WOne,
    /// I-PTE-REF: a page is mapped more often than it is referenced.
    PteRef,
    /// I-SWAP-CNT: the slot count differs from the number of swap PTEs.
    SwapCnt,
    /// I-CACHE-LOCK: a page left the swap cache unlocked or under writeback.
    CacheLock,
    /// I-KSM: a KSM page is mapped writable, or pinned since 5.19.
    Ksm,
    /// I-FLUSH-IO: a page went to swap or was freed while a CPU could still write it.
    FlushIo,
    /// I-EXCL-1: an exclusive page is mapped more than once, or is a KSM page.
    Excl1,
    /// I-W-EXCL: a writable PTE of an anonymous page that is not exclusive.
    WExcl,
    /// I-PIN-EXCL: a pinned page lost its exclusivity.
    PinExcl,
    /// I-NO-EXCL-UNMAPPED: PG_anon_exclusive on an unmapped page.
    ExclUnmapped,
    /// I-SWP-EXCL-1: an exclusive swap PTE whose slot count is not 1.
    SwpExcl1,
    /// A reference was dropped that nobody held.
    RefUnderflow,
    /// A freed page was still mapped, cached, locked or under writeback (`bad_page`).
    FreedInUse,
    /// A frame was accessed that nobody holds a reference to (S12), or `swap_map` after swapoff freed it.
    UseAfterFree,
    /// Somebody wrote the shared zero page.
    ZeroPage,
    /// A frame changed under writeback to a device that demands stable pages (S12).
    TornWriteback,
    /// I-CACHE: a page and the swap cache disagree about each other.
    SwapCache,
    /// I-RMAP: an anonymous page is mapped where its reverse mapping does not look.
    AnonRmap,
}

impl Broken {
    /// All of them, in the order of declaration.
    pub const ALL: [Broken; 18] = [
        Broken::WOne,
        Broken::PteRef,
        Broken::SwapCnt,
        Broken::CacheLock,
        Broken::Ksm,
        Broken::FlushIo,
        Broken::Excl1,
        Broken::WExcl,
        Broken::PinExcl,
        Broken::ExclUnmapped,
        Broken::SwpExcl1,
        Broken::RefUnderflow,
        Broken::FreedInUse,
        Broken::UseAfterFree,
        Broken::ZeroPage,
        Broken::TornWriteback,
        Broken::SwapCache,
        Broken::AnonRmap,
    ];
}
