//! The state of the whole system: frames, slots, address spaces, TLBs, transfers, pipes.

use crate::frames::Frames;
use crate::ids::*;
use crate::pack::Naming;
use crate::packed;
use crate::page::{Page, PageKind};
use crate::pgtable::Pte;
use crate::task::Task;

packed! {
    /// A vm_area_struct: every variable of a test is a VMA of one page.
    pub struct Vma {
        /// Is there a VMA at all? (munmap takes it away.)
        pub mapped: bool,
        /// VM_READ.
        pub read: bool,
        /// VM_WRITE.
        pub write: bool,
        /// The page-cache page behind a private file mapping.
        pub file: Option<Pfn>,
        /// `vm_pgoff`: the linear index; differs from the address after mremap.
        pub pgoff: Va,
        /// VM_SOFTDIRTY: everything in the VMA counts as soft-dirty.
        pub soft_dirty: bool,
        /// VM_UFFD_WP.
        pub uffd_wp: bool,
        /// VM_UFFD_RWP (in no release): the mark of write-protection stands for protection from reads and writes.
        pub uffd_rwp: bool,
        /// VM_UFFD_MISSING.
        pub uffd_missing: bool,
        /// VM_UFFD_MINOR: faults on what is in the page cache.
        pub uffd_minor: bool,
        /// VM_MERGEABLE.
        pub mergeable: bool,
        /// `vma->anon_vma` is there: anonymous memory was once allocated in it, or in the parent's before the fork.
        pub anon_vma: bool,
        /// VM_DONTCOPY.
        pub dontfork: bool,
        /// VM_WIPEONFORK.
        pub wipeonfork: bool,
        /// Readers of the per-VMA lock (6.4).
        pub readers: Count,
        /// The per-VMA lock is held for write.
        pub writer: bool,
    }

    /// An mm_struct, less its page tables.
    pub struct Mm {
        /// Does the process exist?
        pub alive: bool,
        /// The first ancestor: pages of its family share an anon_vma tree.
        pub root: MmId,
        /// Readers of mmap_lock.
        pub readers: Count,
        /// mmap_lock is held for write.
        pub writer: bool,
        /// The page-table lock (one page-table page holds all variables of a process) is held.
        pub ptl: bool,
        /// `mm->has_pinned` / MMF_HAS_PINNED: never cleared, not inherited.
        pub has_pinned: bool,
        /// `write_protect_seq`: odd while a fork write-protects.
        pub wp_seq: Count,
        /// `tlb_flush_pending`: operations that changed PTEs and have not flushed.
        pub flush_pending: Count,
        /// `tlb_flush_batched`: reclaim deferred a flush.
        pub flush_batched: bool,
    }

    /// One swap slot.
    pub struct SwapSlot {
        /// Swap PTEs (and transient users) that refer to the slot.
        pub count: Count,
        /// SWAP_HAS_CACHE without a folio in the cache: claimed by a swap-in that bypasses it (6.8) or is about to fill it.
        pub claimed: bool,
        /// The folio in the swap cache.
        pub cache: Option<Pfn>,
        /// Sectors that the device has still to sample of the write in flight.
        pub writing: Cells,
    }

    /// A translation in one CPU's TLB.
    pub struct TlbEntry {
        /// The frame.
        pub pfn: Pfn,
        /// The entry allows writes.
        pub write: bool,
        /// The PTE is known to be dirty: a write needs no walk.
        pub dirty: bool,
    }

    /// A transfer between a device and a page: a bio or a kiocb.
    pub struct Io {
        /// How far it is.
        pub state: IoState,
        /// Device to memory, or memory to device.
        pub dir: Dir,
        /// The process and page that it was started for.
        pub mm: MmId,
        /// See `mm`.
        pub va: Va,
        /// The file at the device's end.
        pub file: FileId,
        /// The page under transfer, once GUP found it.
        pub pfn: Option<Pfn>,
        /// The kind of reference that it holds, and thus drops.
        pub hold: Hold,
        /// When its pages are dirtied.
        pub dirtying: Dirtying,
        /// Sectors that have still to be transferred.
        pub left: Cells,
    }

    /// Where a transfer is in its life.
    pub enum IoState {
        /// No transfer.
        Idle,
        /// The call was entered; GUP is under way.
        Entered,
        /// Handed to the device.
        InFlight,
        /// All sectors are through; the completion is due.
        Completing,
        /// Completion: the page lock is waited for, to set dirty.
        Dirtying,
        /// Completion: dirtied; the reference is to be dropped.
        Releasing,
        /// Complete, as the task may learn.
        Done,
        /// GUP failed: nothing was transferred.
        Failed,
        /// Complete for the task; the dirtying that was deferred to a worker is still to come.
        DoneDirtying,
        /// As before; the worker has dirtied and is to drop the reference.
        DoneReleasing,
    }

    /// Direction of a transfer.
    pub enum Dir {
        /// A direct *read*: the device writes memory.
        ToMemory,
        /// A direct *write*: the device reads memory.
        ToDevice,
    }

    /// The kind of reference that somebody holds to a page.
    pub enum Hold {
        /// FOLL_GET.
        Get,
        /// FOLL_PIN.
        Pin,
        /// None of its own: the page belongs to a registered buffer.
        Borrowed,
    }

    /// When direct I/O sets the pages that it wrote dirty.
    pub enum Dirtying {
        /// `bio_set_pages_dirty` before submission, checked again at completion: iomap, asynchronous block.
        BeforeSubmit,
        /// When the pages are released after completion: simple synchronous block path, FUSE, NFS.
        AtRelease,
    }

    /// A long-lived holder: an io_uring registered buffer, an RDMA region, a driver.
    pub struct Holder {
        /// The page and how it is held; none: not (or no longer) held.
        pub page: Option<Pfn>,
        /// FOLL_GET or FOLL_PIN.
        pub hold: Hold,
        /// Taken with FOLL_WRITE.
        pub write: bool,
    }

    /// One buffer of a pipe: a reference to a page, as vmsplice leaves it.
    pub struct PipeBuf {
        /// The page.
        pub pfn: Pfn,
        /// The cells that the buffer shows.
        pub cells: Cells,
        /// Whose memory it is.
        pub mm: MmId,
        /// See `mm`.
        pub va: Va,
    }
}

#[cfg(not(feature = "wide"))]
mod packing;

/// A pipe: buffers in order.
pub type Pipe = [Option<PipeBuf>; PIPE_BUFS];

/// Everything that the kernel's state consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Address spaces.
    pub mms: [Mm; MAX_MMS],
    /// Their VMAs.
    pub vmas: [[Vma; MAX_PAGES]; MAX_MMS],
    /// Their page tables: one page-table page each.
    pub ptes: [[Pte; MAX_PAGES]; MAX_MMS],
    /// Physical memory.
    pub frames: [Page; MAX_FRAMES],
    /// The swap device.
    pub slots: [SwapSlot; MAX_SLOTS],
    /// Was swapoff begun? No slot is handed out any more.
    pub swap_off: bool,
    /// Is swapoff over? `swap_map` is freed: who looks at a slot now is too late.
    pub swap_gone: bool,
    /// One TLB a CPU.
    pub tlbs: [[Option<TlbEntry>; MAX_PAGES]; MAX_CPUS],
    /// Transfers.
    pub ios: [Io; MAX_IOS],
    /// Long-lived holders.
    pub holders: [Holder; MAX_HOLDS],
    /// Pipes.
    pub pipes: [Pipe; MAX_PIPES],
    /// What each CPU's task is doing.
    pub tasks: [Task; MAX_CPUS],
}

/// How much of a [`Machine`] a test uses; the rest is not packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Processes.
    pub mms: usize,
    /// Variables of each.
    pub pages: usize,
    /// Cells of each page.
    pub cells: u8,
    /// Frames, the zero page and page cache included.
    pub frames: usize,
    /// Page-cache pages: frames 1 and up. VMAs name them, so they keep their names.
    pub file_frames: usize,
    /// Swap slots.
    pub slots: usize,
    /// Tasks, each on a CPU of its own.
    pub cpus: usize,
    /// Transfers.
    pub ios: usize,
    /// Long-lived holders.
    pub holders: usize,
    /// Pipes.
    pub pipes: usize,
}

impl Vma {
    /// No VMA at `va`.
    pub const fn absent(va: Va) -> Vma {
        Vma {
            mapped: false,
            read: false,
            write: false,
            file: None,
            pgoff: va,
            soft_dirty: false,
            uffd_wp: false,
            uffd_rwp: false,
            uffd_missing: false,
            uffd_minor: false,
            mergeable: false,
            anon_vma: false,
            dontfork: false,
            wipeonfork: false,
            readers: Count(0),
            writer: false,
        }
    }

    /// Does a fault on an empty PTE go to userspace? Anonymous memory is missing then; of a file, the page cache has the page.
    pub fn userfaults(&self) -> bool {
        if self.file.is_some() {
            self.uffd_minor
        } else {
            self.uffd_missing
        }
    }

    /// Does a write to a page with (`marked`) or without userfaultfd's mark go to userspace?
    pub fn traps_writes(&self, marked: bool) -> bool {
        marked && (self.uffd_wp || self.uffd_rwp)
    }

    /// Does a read too?
    pub fn traps_reads(&self, marked: bool) -> bool {
        marked && self.uffd_rwp
    }

    /// Is it registered with userfaultfd?
    pub fn registered(&self) -> bool {
        self.uffd_missing || self.uffd_minor || self.uffd_wp || self.uffd_rwp
    }

    /// `vma_is_accessible`: not PROT_NONE.
    pub fn accessible(&self) -> bool {
        self.read || self.write
    }
}

impl Mm {
    /// No process.
    pub const fn absent(mm: MmId) -> Mm {
        Mm {
            alive: false,
            root: mm,
            readers: Count(0),
            writer: false,
            ptl: false,
            has_pinned: false,
            wp_seq: Count(0),
            flush_pending: Count(0),
            flush_batched: false,
        }
    }
}

impl SwapSlot {
    /// Nobody's.
    pub const FREE: SwapSlot = SwapSlot {
        count: Count(0),
        claimed: false,
        cache: None,
        writing: Cells::NONE,
    };
}

impl Holder {
    /// Holds nothing.
    pub const IDLE: Holder = Holder {
        page: None,
        hold: Hold::Get,
        write: false,
    };
}

impl Io {
    /// No transfer.
    pub const IDLE: Io = Io {
        state: IoState::Idle,
        dir: Dir::ToMemory,
        mm: MmId(0),
        va: Va(0),
        file: FileId(0),
        pfn: None,
        hold: Hold::Get,
        dirtying: Dirtying::BeforeSubmit,
        left: Cells::NONE,
    };
}

impl Machine {
    /// A machine with nothing but the zero page in it.
    pub const EMPTY: Machine = {
        let mut m = Machine {
            mms: [Mm::absent(MmId(0)); MAX_MMS],
            vmas: [[Vma::absent(Va(0)); MAX_PAGES]; MAX_MMS],
            ptes: [[Pte::None; MAX_PAGES]; MAX_MMS],
            frames: [Page::FREE; MAX_FRAMES],
            slots: [SwapSlot::FREE; MAX_SLOTS],
            swap_off: false,
            swap_gone: false,
            tlbs: [[None; MAX_PAGES]; MAX_CPUS],
            ios: [Io::IDLE; MAX_IOS],
            holders: [Holder::IDLE; MAX_HOLDS],
            pipes: [[None; PIPE_BUFS]; MAX_PIPES],
            tasks: [Task::IDLE; MAX_CPUS],
        };
        m.frames[0].kind = PageKind::Zero;
        m.frames[0].refs = Count(1);
        m.frames[0].uptodate = true;
        let mut mm = 0;
        while mm < MAX_MMS {
            m.mms[mm] = Mm::absent(MmId(mm as u8));
            let mut va = 0;
            while va < MAX_PAGES {
                m.vmas[mm][va] = Vma::absent(Va(va as u8));
                va += 1;
            }
            mm += 1;
        }
        m
    };

    /// A machine with nothing but the zero page in it.
    pub fn new() -> Machine {
        Machine::EMPTY
    }

    /// The frames that are in somebody's hands.
    #[inline]
    pub fn in_use(&self) -> Frames {
        let mut used = Frames::NONE;
        for (n, page) in self.frames.iter().enumerate() {
            used.add_if(!page.is_free(), Pfn(n as FrameNo));
        }
        used
    }

    /// Those of some frames that are in use.
    #[inline]
    pub fn in_use_among(&self, frames: Frames) -> Frames {
        let mut used = Frames::NONE;
        for pfn in frames.iter() {
            used.add_if(!self.frames[pfn.at()].is_free(), pfn);
        }
        used
    }

    /// Are names kept or canonical? A convenience for drivers.
    pub fn naming(symmetry: bool) -> Naming {
        if symmetry {
            Naming::Canonical
        } else {
            Naming::Kept
        }
    }
}

/// The numbers of the bits that are set.
pub fn bits(set: u32) -> impl Iterator<Item = u8> {
    let mut rest = set;
    core::iter::from_fn(move || {
        (rest != 0).then(|| {
            let bit = rest.trailing_zeros() as u8;
            rest &= rest - 1;
            bit
        })
    })
}

impl Default for Machine {
    fn default() -> Self {
        Machine::new()
    }
}
