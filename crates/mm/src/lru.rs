//! Per-CPU LRU batches: `mm/swap.c` (`folio_add_lru`, `lru_add_drain`, `lru_lazyfree`).
//!
//! A page that was just allocated or swapped in sits in the batch of the CPU that did it: one more reference, PG_lru clear.
//! A batch drains when it is full, on many system calls of its CPU, and whenever somebody drains all CPUs: so, at any time.

use crate::ids::*;
use crate::kernel::Kernel;
use crate::machine::bits;
use crate::touch::Touch;

impl Kernel<'_> {
    /// `folio_add_lru`: into this CPU's batch.
    pub fn folio_add_lru(&mut self, pfn: Pfn) {
        let cpu = self.who.cpu;
        self.get_page(pfn);
        self.machine_mut(Touch::batch(cpu));
        self.page_mut(pfn).batch = Some(cpu);
    }

    /// `folio_mark_lazyfree`: into this CPU's lazyfree batch.
    pub fn folio_mark_lazyfree(&mut self, pfn: Pfn) {
        let cpu = self.who.cpu;
        let page = *self.page(pfn);
        if page.lru
            && page.anon()
            && page.swapbacked
            && page.swap.is_none()
            && page.lazy_batch.is_none()
        {
            self.get_page(pfn);
            self.machine_mut(Touch::batch(cpu));
            self.page_mut(pfn).lazy_batch = Some(cpu);
        }
    }

    /// `lru_add_drain_cpu`: every batch of `cpu`.
    pub fn lru_add_drain_cpu(&mut self, cpu: Cpu) {
        for pfn in (1..self.cfg.sizes.frames as u8).map(Pfn) {
            let page = self.machine_mut(Touch::batch(cpu)).frames[pfn.at()];
            if page.batch == Some(cpu) {
                self.page_mut(pfn).batch = None;
                self.page_mut(pfn).lru = true;
                self.put_page(pfn);
            }
            if page.lazy_batch == Some(cpu) {
                // lru_lazyfree_fn() tests again: the page may have gone to the swap cache meanwhile.
                let still = page.lru && page.anon() && page.swapbacked && page.swap.is_none();
                self.page_mut(pfn).lazy_batch = None;
                if still {
                    self.page_mut(pfn).swapbacked = false;
                }
                self.put_page(pfn);
            }
        }
    }

    /// `lru_add_drain`: this CPU's batches.
    pub fn lru_add_drain(&mut self) {
        self.lru_add_drain_cpu(self.who.cpu);
    }

    /// `folio_isolate_lru`: off the list, with a reference.
    pub fn folio_isolate_lru(&mut self, pfn: Pfn) -> bool {
        if !self.page(pfn).lru {
            return false;
        }
        self.page_mut(pfn).lru = false;
        self.get_page(pfn);
        true
    }

    /// `folio_putback_lru`.
    pub fn folio_putback_lru(&mut self, pfn: Pfn) {
        self.page_mut(pfn).lru = true;
        self.put_page(pfn);
    }
}

impl crate::machine::Machine {
    /// The CPUs whose batches have something to drain, one bit each. `used`: the frames in use.
    pub fn batches_filled(&self, used: u32) -> u32 {
        let bit = |cpu: Option<Cpu>| cpu.map_or(0, |cpu| 1 << cpu.0);
        let pages = bits(used).map(|pfn| &self.frames[pfn as usize]);
        pages.fold(0, |filled, page| {
            filled | bit(page.batch) | bit(page.lazy_batch)
        })
    }

    /// Has the batch of `cpu` anything to drain?
    pub fn batch_filled(&self, cpu: Cpu) -> bool {
        self.frames
            .iter()
            .any(|page| page.batch == Some(cpu) || page.lazy_batch == Some(cpu))
    }
}
