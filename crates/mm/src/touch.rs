//! Footprints: what a step read and wrote. Every access of a step goes through [`Kernel`](crate::Kernel), which records it.
//!
//! Two steps commute if neither writes what the other touches. Some things are left out on purpose, for the order makes no
//! difference: a lock taken for read is *read*, for readers do not mind each other.
//!
//! With more room than there are bits (`room_wide.rs`), several resources share one: a footprint then says too much, never too little.

use crate::frames::Frames;
use crate::ids::*;
use crate::step::Wait;

/// A footprint: resources as bits, see the constructors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Touch {
    /// Read or written.
    pub any: u128,
    /// Written.
    pub writes: u128,
}

/// The bit of the nth of `most`, of those that there is a bit for.
const fn nth(n: usize, most: usize, bits: usize) -> u32 {
    (if most > bits { n % bits } else { n }) as u32
}

const fn of_frame(pfn: Pfn) -> u32 {
    nth(pfn.0 as usize, MAX_FRAMES, FRAMES)
}

const fn of_mm(mm: MmId) -> u32 {
    nth(mm.0 as usize, MAX_MMS, 4)
}

const fn of_va(va: Va) -> u32 {
    nth(va.0 as usize, MAX_PAGES, 4)
}

/// Bits for frames.
const FRAMES: usize = 16;

/// The bit of a page of a process.
const fn place(mm: MmId, va: Va) -> u32 {
    of_mm(mm) * 4 + of_va(va)
}

impl Touch {
    /// Nothing.
    pub const NONE: Touch = Touch { any: 0, writes: 0 };

    /// A PTE.
    pub const fn pte(mm: MmId, va: Va) -> u128 {
        1 << place(mm, va)
    }
    /// Every PTE.
    pub const PTES: u128 = 0xffff;
    /// What the driver's specification holds of an address.
    pub const fn ideal(mm: MmId, va: Va) -> u128 {
        1 << (16 + place(mm, va))
    }
    /// What it holds of all addresses.
    pub const IDEALS: u128 = 0xffff << 16;
    /// A frame's struct page.
    pub const fn page(pfn: Pfn) -> u128 {
        1 << (32 + of_frame(pfn))
    }
    /// Every struct page.
    pub const PAGES: u128 = 0xffff << 32;
    /// What a frame holds, and whether it is free.
    pub const fn data(pfn: Pfn) -> u128 {
        1 << (48 + of_frame(pfn))
    }
    /// What all frames hold.
    pub const DATA: u128 = 0xffff << 48;
    /// A VMA, its lock included.
    pub const fn vma(mm: MmId, va: Va) -> u128 {
        1 << (64 + place(mm, va))
    }
    /// Every VMA.
    pub const VMAS: u128 = 0xffff << 64;
    /// A swap slot, what it holds included.
    pub const fn slot(slot: Slot) -> u128 {
        1 << (80 + nth(slot.0 as usize, MAX_SLOTS, 4))
    }
    /// Every swap slot.
    pub const SLOTS: u128 = 0xf << 80;
    /// What the TLBs hold of a page, in whatever process.
    pub const fn tlb(va: Va) -> u128 {
        1 << (84 + of_va(va))
    }
    /// All that TLBs hold.
    pub const TLBS: u128 = 0xf << 84;
    /// One CPU's LRU batches: which pages are in them.
    pub const fn batch(cpu: Cpu) -> u128 {
        if cpu.0 == Cpu::ELSEWHERE.0 {
            1 << 125
        } else {
            1 << (92 + nth(cpu.0 as usize, MAX_CPUS, 8))
        }
    }
    /// An mm: mmap_lock, and whether the process exists.
    pub const fn mm(mm: MmId) -> u128 {
        1 << (100 + of_mm(mm))
    }
    /// Every mm.
    pub const MMS: u128 = 0xf << 100;
    /// An mm's page-table lock, and the flags and counters that go with its page tables.
    pub const fn ptl(mm: MmId) -> u128 {
        1 << (104 + of_mm(mm))
    }
    /// A transfer.
    pub const fn io(io: IoId) -> u128 {
        1 << (108 + nth(io.0 as usize, MAX_IOS, 4))
    }
    /// A pipe.
    pub const fn pipe(pipe: PipeId) -> u128 {
        1 << (112 + pipe.0)
    }
    /// A long-lived holder.
    pub const fn holder(holder: HoldId) -> u128 {
        1 << (114 + nth(holder.0 as usize, MAX_HOLDS, 4))
    }
    /// What a file holds.
    pub const fn file(file: FileId) -> u128 {
        1 << (118 + file.0)
    }
    /// The buddy allocator: which frames are free.
    pub const FREE_FRAMES: u128 = 1 << 122;
    /// The swap device: is it there?
    pub const SWAP_DEVICE: u128 = 1 << 123;
    /// What tasks are doing, where others look: who uses the swap device, who is about to exit.
    pub const TASKS: u128 = 1 << 124;

    /// All of an mm, its page table and its VMAs.
    pub const fn of_mm(mm: MmId) -> u128 {
        let places = 0xf << (4 * of_mm(mm));
        places | places << 64 | Touch::mm(mm) | Touch::ptl(mm)
    }
    /// The swap device, transfers, pipes, holders.
    pub const DEVICES: u128 = Touch::SWAP_DEVICE | 0x3ff << 108;

    /// What tells who may reach which page: all but what pages hold, TLBs, batches and what tasks do.
    pub const MEMORY: u128 = Touch::PTES
        | Touch::PAGES
        | Touch::VMAS
        | Touch::SLOTS
        | Touch::MMS
        | 0xf << 104
        | Touch::DEVICES;

    /// The mms of which all, or anything, is [among](Touch::of_mm) these, one bit each.
    #[inline]
    pub const fn mms(bits: u128) -> u64 {
        // Four places of each, gathered in its first one, and those one behind the other.
        let places = (bits | bits >> 64) as u64 & 0xffff;
        let pairs = places | places >> 2;
        let firsts = (pairs | pairs >> 1) & 0x1111;
        let mms = firsts | firsts >> 3 | firsts >> 6 | firsts >> 9;
        (mms | (bits >> 100 | bits >> 104) as u64) & 0xf
    }

    /// The frames among these: of their struct pages, or of what they hold.
    #[inline]
    pub fn frames(bits: u128) -> Frames {
        Frames::repeat((bits >> 32 | bits >> 48) as u16)
    }
    /// The slots among these, one bit each.
    pub const fn slots(bits: u128) -> u64 {
        (bits >> 80 & 0xf) as u64
    }

    /// Reads and writes these.
    pub fn write(&mut self, bits: u128) {
        self.any |= bits;
        self.writes |= bits;
    }

    /// And what another touched.
    pub fn add(&mut self, other: Touch) {
        self.any |= other.any;
        self.writes |= other.writes;
    }

    /// Reads these.
    pub fn read(&mut self, bits: u128) {
        self.any |= bits;
    }
}

impl Wait {
    /// What tells whether the wait is over. Who waits for a lock for write minds readers, even if a reader is all that he becomes.
    pub fn touches(self) -> Touch {
        let mut touched = Touch::NONE;
        match self {
            Wait::MmapWrite(mm) => touched.write(Touch::mm(mm)),
            Wait::VmaWrite(mm, va) => touched.write(Touch::vma(mm, va)),
            _ => touched.read(self.reads()),
        }
        touched
    }

    fn reads(self) -> u128 {
        match self {
            Wait::Nothing => 0,
            Wait::MmapRead(mm) | Wait::MmapWrite(mm) => Touch::mm(mm),
            Wait::VmaRead(mm, va) | Wait::VmaWrite(mm, va) => Touch::vma(mm, va),
            Wait::Ptl(mm) => Touch::ptl(mm),
            Wait::Ptls(a, b) => Touch::ptl(a) | Touch::ptl(b),
            Wait::Folio(pfn) | Wait::Writeback(pfn) => Touch::page(pfn),
            Wait::NotMigrating(mm, va) => Touch::pte(mm, va),
            Wait::Unclaimed(slot) => Touch::slot(slot),
            Wait::SwapDevice { .. } => Touch::TASKS,
            Wait::MmUsers(mm) => Touch::mm(mm) | Touch::TASKS,
            Wait::Io(io) => Touch::io(io),
            Wait::PipeFull(pipe) | Wait::PipeRoom(pipe) => Touch::pipe(pipe),
            Wait::Uffd(mm, va) => Touch::pte(mm, va) | Touch::vma(mm, va),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mms_are_those_of_which_something_is_among_the_bits() {
        let mms = |bits: u128| {
            let touched = |mm: &u8| bits & Touch::of_mm(MmId(*mm)) != 0;
            let mms = (0..MAX_MMS as u8).filter(touched);
            mms.fold(0, |mms, mm| mms | 1 << mm)
        };
        for one in 0..128 {
            for other in 0..128 {
                let bits = 1 << one | 1 << other;
                assert_eq!(Touch::mms(bits), mms(bits), "bits {one} and {other}");
            }
        }
    }
}
