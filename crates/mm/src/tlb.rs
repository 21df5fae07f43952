//! One TLB a CPU: `arch/x86/mm/tlb.c`, `mm/rmap.c` (deferred flushes).
//!
//! Entries go only by flush. A flush reaches all CPUs that run the process in one step: the initiator waits for every
//! acknowledgement before it goes on, and what one CPU does after its own flush while another has still to flush, it could
//! have done before or after the whole.

use crate::ids::*;
use crate::kernel::Kernel;
use crate::machine::TlbEntry;
use crate::packed;
use crate::touch::Touch;

packed! {
    /// `struct tlbflush_unmap_batch`: what a reclaiming task has still to flush.
    pub struct TlbBatch {
        /// `flush_required`.
        pub pending: bool,
        /// `writable`: some PTE that was cleared was dirty, so a CPU may still write.
        pub writable: bool,
    }
}

impl TlbBatch {
    /// Nothing to flush.
    pub const EMPTY: TlbBatch = TlbBatch {
        pending: false,
        writable: false,
    };
}

impl Kernel<'_> {
    /// The translation that this CPU has of `va`.
    pub fn tlb(&mut self, va: Va) -> Option<TlbEntry> {
        let cpu = self.who.cpu;
        self.machine(Touch::tlb(va)).tlbs[cpu.at()][va.at()]
    }

    /// Fills this CPU's TLB.
    pub fn fill_tlb(&mut self, va: Va, entry: TlbEntry) {
        let cpu = self.who.cpu;
        // Whoever frees the page looks for translations of it.
        self.page(entry.pfn);
        self.machine_mut(Touch::tlb(va)).tlbs[cpu.at()][va.at()] = Some(entry);
    }

    /// `flush_tlb_page` on every CPU that runs `mm`.
    pub fn flush_tlb_page(&mut self, mm: MmId, va: Va) {
        for cpu in self.cpus_of(mm) {
            self.machine_mut(Touch::tlb(va)).tlbs[cpu.at()][va.at()] = None;
        }
    }

    /// `flush_tlb_mm`.
    pub fn flush_tlb_mm(&mut self, mm: MmId) {
        for cpu in self.cpus_of(mm) {
            self.machine_mut(Touch::TLBS).tlbs[cpu.at()] = [None; MAX_PAGES];
        }
    }

    /// `try_to_unmap_flush`: `arch_tlbbatch_flush` empties the TLBs of all CPUs concerned.
    pub fn try_to_unmap_flush(&mut self, batch: TlbBatch) {
        if batch.pending {
            for cpu in (0..self.cfg.sizes.cpus as u8).map(Cpu) {
                self.machine_mut(Touch::TLBS).tlbs[cpu.at()] = [None; MAX_PAGES];
            }
        }
    }

    /// `flush_tlb_batched_pending`: what reclaim deferred for this mm, before somebody relies on what the PTEs say.
    pub fn flush_tlb_batched_pending(&mut self, mm: MmId) {
        if self.tables(mm).flush_batched && self.has(crate::feature::Feature::BatchedFlush) {
            self.flush_tlb_mm(mm);
            self.tables_mut(mm).flush_batched = false;
        }
    }

    /// Does any CPU run this process?
    pub fn cpus_of(&self, mm: MmId) -> impl Iterator<Item = Cpu> + 'static {
        let cpu_mm = self.cfg.cpu_mm;
        (0..self.cfg.sizes.cpus as u8)
            .map(Cpu)
            .filter(move |cpu| cpu_mm[cpu.at()] == Some(mm))
    }

    /// Could a CPU still write this frame without a walk, other than in an mm where somebody has yet to flush? MADV_FREE leaves a
    /// clean PTE behind that CPUs know as dirty until its flush; reclaim takes the PTE's word and does not flush before it
    /// writes. What is stored meanwhile is MADV_FREE's to drop.
    pub fn writable_unawares(&mut self, pfn: Pfn) -> bool {
        let cpu_mm = self.cfg.cpu_mm;
        let m = self.translating(pfn);
        let m = self.machine(m);
        m.tlbs.iter().zip(cpu_mm).any(|(tlb, mm)| {
            let awaited = mm.is_some_and(|mm| m.mms[mm.at()].flush_pending.0 > 0);
            let stale = |e: &TlbEntry| e.pfn == pfn && e.write && e.dirty;
            !awaited && tlb.iter().flatten().any(stale)
        })
    }

    /// What tells which TLBs translate to this frame: a new translation touches the page as well.
    fn translating(&mut self, pfn: Pfn) -> u128 {
        let m = self.machine(0);
        let mut bits = Touch::page(pfn);
        for va in (0..MAX_PAGES as u8).map(Va) {
            let mut entries = m.tlbs.iter().filter_map(|tlb| tlb[va.at()]);
            if entries.any(|entry| entry.pfn == pfn) {
                bits |= Touch::tlb(va);
            }
        }
        bits
    }

    /// Could a CPU still write this frame without a walk?
    pub fn writable_in_a_tlb(&mut self, pfn: Pfn) -> bool {
        let bits = self.translating(pfn);
        self.machine(bits)
            .tlbs
            .iter()
            .flatten()
            .flatten()
            .any(|entry| entry.pfn == pfn && entry.write && entry.dirty)
    }
}
