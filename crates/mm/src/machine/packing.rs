//! A machine, packed: first what can refer to frames and slots, then those.

use super::{IoState, Machine, Sizes, bits};
use crate::ids::*;
use crate::pack::{Names, Naming, Pack, Reader, Word, Writer};
use crate::task::Task;

impl Machine {
    /// Packs all but frames and slots: what can refer to them. VMAs hardly ever differ from those of the start (`base`).
    pub fn pack_roots(&self, sizes: &Sizes, base: &Machine, w: &mut Writer, names: &mut Names) {
        for pfn in 1..=sizes.file_frames as u8 {
            names.frame(Pfn(pfn));
        }
        for mm in 0..sizes.mms {
            self.mms[mm].pack(w, names);
            if !self.mms[mm].alive {
                continue;
            }
            let root = self.mms[mm].root.at();
            for va in 0..sizes.pages {
                let vma = &self.vmas[mm][va];
                let word = if *vma == base.vmas[root][va] {
                    Word::EMPTY.and(0, 1)
                } else {
                    vma.put(Word::EMPTY.and(1, 1), names)
                };
                let word = self.ptes[mm][va].put(word, names);
                w.word(word);
            }
        }
        for cpu in 0..sizes.cpus {
            let task = &self.tasks[cpu];
            if task.busy() {
                w.bits(1, 1);
                task.call.pack(w, names);
                task.fault.pack(w, names);
            } else {
                w.bits(0, 1);
            }
            let tlb = self.tlbs[cpu][..sizes.pages].iter();
            let word = tlb.fold(Word::EMPTY, |word, entry| entry.put(word, names));
            w.word(word);
        }
        let swap = Word::EMPTY.and(u32::from(self.swap_off), 1);
        w.word(swap.and(u32::from(self.swap_gone), 1));
        for io in &self.ios[..sizes.ios] {
            if io.state == IoState::Idle {
                w.bits(0, 1);
            } else {
                let word = io.put(Word::EMPTY.and(1, 1), names);
                w.word(word);
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

    /// The inverse of [`pack_roots`](Machine::pack_roots), into a machine that is as [`new`](Machine::new).
    pub fn unpack_roots(&mut self, sizes: &Sizes, base: &Machine, r: &mut Reader) {
        let m = self;
        for mm in 0..sizes.mms {
            m.mms[mm] = Pack::unpack(r);
            if !m.mms[mm].alive {
                continue;
            }
            let root = m.mms[mm].root.at();
            for va in 0..sizes.pages {
                m.vmas[mm][va] = if r.bits(1) == 0 {
                    base.vmas[root][va]
                } else {
                    Pack::unpack(r)
                };
                m.ptes[mm][va] = Pack::unpack(r);
            }
        }
        for cpu in 0..sizes.cpus {
            if r.bits(1) == 1 {
                m.tasks[cpu] = Task {
                    call: Pack::unpack(r),
                    fault: Pack::unpack(r),
                };
            }
            for va in 0..sizes.pages {
                m.tlbs[cpu][va] = Pack::unpack(r);
            }
        }
        m.swap_off = Pack::unpack(r);
        m.swap_gone = Pack::unpack(r);
        for io in &mut m.ios[..sizes.ios] {
            if bool::unpack(r) {
                *io = Pack::unpack(r);
            }
        }
        for holder in &mut m.holders[..sizes.holders] {
            *holder = Pack::unpack(r);
        }
        for pipe in &mut m.pipes[..sizes.pipes] {
            for buf in pipe {
                *buf = Pack::unpack(r);
            }
        }
    }

    /// Packs frames and slots, `used` being the frames [in use](Machine::in_use); `frame_data` and `slot_data` append what they hold.
    ///
    /// Those that something refers to come in the order of the walk; the others only if they are in use (a leak) or if what is
    /// left in them matters: a free slot still holds what its last owner wrote. Where names are kept, all come in order.
    pub fn pack_memory(
        &self,
        sizes: &Sizes,
        used: u32,
        w: &mut Writer,
        names: &mut Names,
        frame_data: impl Fn(Pfn, &mut Writer),
        slot_data: impl Fn(Slot, Word) -> Word,
    ) {
        let used = used & !1;
        let (mut frames, mut slots) = (1u8, 0u8);
        if names.naming() == Naming::Kept {
            w.bits(used >> 1, MAX_FRAMES as u32 - 1);
            for pfn in bits(used).map(Pfn) {
                self.frames[pfn.at()].pack(w, names);
                frame_data(pfn, w);
            }
            for slot in (0..sizes.slots as u8).map(Slot) {
                let word = self.slots[slot.at()].put(Word::EMPTY, names);
                w.word(slot_data(slot, word));
            }
            return;
        }
        loop {
            if let Some(slot) = names.slot_at(slots) {
                let word = self.slots[slot.at()].put(Word::EMPTY.and(1, 1), names);
                w.word(slot_data(slot, word));
                slots += 1;
            } else if let Some(pfn) = names.frame_at(frames) {
                let page = &self.frames[pfn.at()];
                if page.is_free() {
                    w.bits(0b110, 3);
                } else {
                    let word = page.put(Word::EMPTY.and(0b010, 3), names);
                    w.word(word);
                    frame_data(pfn, w);
                }
                frames += 1;
            } else if let Some(pfn) = bits(used & !names.frames_met()).next() {
                // In use, and nothing refers to it: in order of their names. (Several such that differ would be told apart by
                // name only; that costs states and never merges different ones.)
                names.frame(Pfn(pfn));
            } else if (slots as usize) < sizes.slots {
                // Nothing refers to any other slot, either.
                let unmet = |slot: &Slot| !names.has_met_slot(*slot);
                if let Some(slot) = (0..sizes.slots as u8).map(Slot).find(unmet) {
                    names.slot(slot);
                }
            } else {
                break;
            }
        }
        w.bits(0, 2);
    }

    /// The inverse of [`pack_memory`](Machine::pack_memory), into a machine whose frames and slots are as new. Says which frames are in use.
    pub fn unpack_memory(
        &mut self,
        sizes: &Sizes,
        naming: Naming,
        r: &mut Reader,
        mut frame_data: impl FnMut(Pfn, &mut Reader),
        mut slot_data: impl FnMut(Slot, &mut Reader),
    ) -> u32 {
        let mut used = 1;
        if naming == Naming::Kept {
            used |= r.bits(MAX_FRAMES as u32 - 1) << 1;
            for pfn in bits(used & !1).map(Pfn) {
                self.frames[pfn.at()] = Pack::unpack(r);
                frame_data(pfn, r);
            }
            for slot in (0..sizes.slots as u8).map(Slot) {
                self.slots[slot.at()] = Pack::unpack(r);
                slot_data(slot, r);
            }
            return used;
        }
        let (mut frames, mut slots) = (1u8, 0u8);
        loop {
            if r.bits(1) == 1 {
                self.slots[slots as usize] = Pack::unpack(r);
                slot_data(Slot(slots), r);
                slots += 1;
            } else if r.bits(1) == 1 {
                if !bool::unpack(r) {
                    self.frames[frames as usize] = Pack::unpack(r);
                    frame_data(Pfn(frames), r);
                    used |= 1 << frames;
                }
                frames += 1;
            } else {
                return used;
            }
        }
    }
}
