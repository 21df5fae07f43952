//! The parts of a machine, packed.

use super::{Io, IoState, Machine, Sizes};
use crate::ids::*;
use crate::pack::{Names, Naming, Pack, Reader, Word, Writer};
use crate::task::Task;

impl Machine {
    /// Packs an mm. VMAs hardly ever differ from those of the start (`base`).
    pub fn pack_mm(
        &self,
        mm: MmId,
        sizes: &Sizes,
        base: &Machine,
        w: &mut Writer,
        names: &mut Names,
    ) {
        self.mms[mm.at()].pack(w, names);
        if !self.mms[mm.at()].alive {
            return;
        }
        let root = self.mms[mm.at()].root.at();
        for va in 0..sizes.pages {
            let vma = &self.vmas[mm.at()][va];
            let word = if *vma == base.vmas[root][va] {
                Word::EMPTY.and(0, 1)
            } else {
                vma.put(Word::EMPTY.and(1, 1), names)
            };
            w.word(self.ptes[mm.at()][va].put(word, names));
        }
    }

    /// The inverse of [`pack_mm`](Machine::pack_mm).
    pub fn unpack_mm(&mut self, mm: MmId, sizes: &Sizes, base: &Machine, r: &mut Reader) {
        self.mms[mm.at()] = Pack::unpack(r);
        if !self.mms[mm.at()].alive {
            self.vmas[mm.at()] = Machine::EMPTY.vmas[mm.at()];
            self.ptes[mm.at()] = Machine::EMPTY.ptes[mm.at()];
            return;
        }
        let root = self.mms[mm.at()].root.at();
        for va in 0..sizes.pages {
            self.vmas[mm.at()][va] = if r.bits(1) == 0 {
                base.vmas[root][va]
            } else {
                Pack::unpack(r)
            };
            self.ptes[mm.at()][va] = Pack::unpack(r);
        }
    }

    /// Packs what a task is doing.
    pub fn pack_task(&self, cpu: Cpu, w: &mut Writer, names: &mut Names) {
        let task = &self.tasks[cpu.at()];
        w.bits(u32::from(task.busy()), 1);
        if task.busy() {
            task.call.pack(w, names);
            task.fault.pack(w, names);
        }
    }

    /// The inverse of [`pack_task`](Machine::pack_task).
    pub fn unpack_task(&mut self, cpu: Cpu, r: &mut Reader) {
        self.tasks[cpu.at()] = if bool::unpack(r) {
            Task {
                call: Pack::unpack(r),
                fault: Pack::unpack(r),
            }
        } else {
            Task::IDLE
        };
    }

    /// Packs the TLBs.
    pub fn pack_tlbs(&self, sizes: &Sizes, w: &mut Writer, names: &mut Names) {
        for tlb in &self.tlbs[..sizes.cpus] {
            let tlb = tlb[..sizes.pages].iter();
            w.word(tlb.fold(Word::EMPTY, |word, entry| entry.put(word, names)));
        }
    }

    /// The inverse of [`pack_tlbs`](Machine::pack_tlbs).
    pub fn unpack_tlbs(&mut self, sizes: &Sizes, r: &mut Reader) {
        for tlb in &mut self.tlbs[..sizes.cpus] {
            for entry in &mut tlb[..sizes.pages] {
                *entry = Pack::unpack(r);
            }
        }
    }

    /// Packs the swap device, transfers, holders and pipes.
    pub fn pack_devices(&self, sizes: &Sizes, w: &mut Writer, names: &mut Names) {
        let swap = Word::EMPTY.and(u32::from(self.swap_off), 1);
        w.word(swap.and(u32::from(self.swap_gone), 1));
        for io in &self.ios[..sizes.ios] {
            if io.state == IoState::Idle {
                w.bits(0, 1);
            } else {
                w.word(io.put(Word::EMPTY.and(1, 1), names));
            }
        }
        for holder in &self.holders[..sizes.holders] {
            holder.pack(w, names);
        }
        for pipe in &self.pipes[..sizes.pipes] {
            for buf in pipe {
                buf.pack(w, names);
            }
        }
    }

    /// The inverse of [`pack_devices`](Machine::pack_devices).
    pub fn unpack_devices(&mut self, sizes: &Sizes, r: &mut Reader) {
        self.swap_off = Pack::unpack(r);
        self.swap_gone = Pack::unpack(r);
        for io in &mut self.ios[..sizes.ios] {
            *io = if bool::unpack(r) {
                Pack::unpack(r)
            } else {
                Io::IDLE
            };
        }
        for holder in &mut self.holders[..sizes.holders] {
            *holder = Pack::unpack(r);
        }
        for pipe in &mut self.pipes[..sizes.pipes] {
            for buf in pipe {
                *buf = Pack::unpack(r);
            }
        }
    }

    /// Begins the packing of a slot, which what it holds goes on with. Where names are not kept, the first bits tell slots, frames that
    /// are free, other frames and the end apart.
    pub fn put_slot(&self, slot: Slot, names: &mut Names) -> Word {
        let word = match names.naming() {
            Naming::Kept => Word::EMPTY,
            Naming::Canonical => Word::EMPTY.and(1, 1),
        };
        self.slots[slot.at()].put(word, names)
    }

    /// The inverse of [`put_slot`](Machine::put_slot).
    pub fn unpack_slot(&mut self, slot: Slot, naming: Naming, r: &mut Reader) {
        if naming == Naming::Canonical {
            r.bits(1);
        }
        self.slots[slot.at()] = Pack::unpack(r);
    }

    /// Packs a frame. Does it hold anything, which is to follow?
    pub fn pack_frame(&self, pfn: Pfn, w: &mut Writer, names: &mut Names) -> bool {
        let page = &self.frames[pfn.at()];
        if names.naming() == Naming::Kept {
            page.pack(w, names);
        } else if page.is_free() {
            w.bits(0b110, 3);
            return false;
        } else {
            w.word(page.put(Word::EMPTY.and(0b010, 3), names));
        }
        true
    }

    /// The inverse of [`pack_frame`](Machine::pack_frame).
    pub fn unpack_frame(&mut self, pfn: Pfn, naming: Naming, r: &mut Reader) -> bool {
        if naming == Naming::Canonical && r.bits(3) == 0b110 {
            return false;
        }
        self.frames[pfn.at()] = Pack::unpack(r);
        true
    }
}
