//! Per-CPU LRU batches: `mm/swap.c` (`folio_add_lru`, `folio_mark_accessed`, `folio_activate`, `folio_deactivate`,
//! `folio_mark_lazyfree`, `folio_rotate_reclaimable`, `lru_add_drain`).
//!
//! A page that was just allocated, swapped in, or put back (by MADV_PAGEOUT, or migration) sits in the batch of the CPU that did it:
//! one more reference, PG_lru clear. So does, with PG_lru set as a rule, a page that is to be moved to another list: touched by GUP,
//! MADV_COLD, MADV_FREE, or written by reclaim. From 6.11 to 6.16 (`batch_clears_lru`) it was off the lists meanwhile, and nobody
//! could isolate it.
//!
//! A batch drains when it is full, on many system calls of its CPU, and whenever somebody drains all CPUs: so, at any time.

use crate::feature::Feature as F;
use crate::frames::Frames;
use crate::ids::*;
use crate::kernel::Kernel;
use crate::page::Page;
use crate::touch::Touch;

impl Kernel<'_> {
    /// `folio_add_lru`: into this CPU's batch.
    pub fn folio_add_lru(&mut self, pfn: Pfn) {
        let cpu = self.who.cpu;
        self.get_page(pfn);
        self.machine_mut(Touch::batch(cpu));
        self.page_mut(pfn).batch = Some(cpu);
    }

    /// `folio_mark_accessed`, of FOLL_TOUCH and ksmd: a page that was referenced before and is not active goes into this CPU's
    /// `lru_activate` batch. Ageing is left out, so it may have been either.
    pub fn folio_mark_accessed(&mut self, pfn: Pfn) {
        self.may_move(pfn);
    }

    /// `folio_deactivate`: an active page goes into this CPU's `lru_deactivate` batch.
    pub fn folio_deactivate(&mut self, pfn: Pfn) {
        self.may_move(pfn);
    }

    /// A page that two CPUs are to move counts as one CPU's: whichever is drained last, or before, is left open.
    fn may_move(&mut self, pfn: Pfn) {
        let cpu = self.who.cpu;
        let page = *self.page(pfn);
        let same = matches!(page.moving, Some(old) if old == cpu || old == Cpu::ELSEWHERE);
        if page.lru && page.anon() && !same && self.choose(2) == 1 {
            self.queue_move(pfn, cpu);
        }
    }

    /// `folio_rotate_reclaimable`, where a swap write ends: into the `lru_move_tail` batch of the CPU that the interrupt came to.
    /// Which one that is only local drains could tell, and those of any CPU may come first.
    pub fn folio_rotate_reclaimable(&mut self, pfn: Pfn) {
        let page = *self.page(pfn);
        if page.lru && !page.locked && !page.dirty {
            self.queue_move(pfn, Cpu::ELSEWHERE);
        }
    }

    fn queue_move(&mut self, pfn: Pfn, cpu: Cpu) {
        if let Some(old) = self.page(pfn).moving {
            self.machine_mut(Touch::batch(old));
        } else {
            self.get_page(pfn);
        }
        self.machine_mut(Touch::batch(cpu));
        self.page_mut(pfn).moving = Some(cpu);
        self.off_the_lists(pfn);
    }

    fn off_the_lists(&mut self, pfn: Pfn) {
        if self.has(F::BatchClearsLru) {
            self.page_mut(pfn).lru = false;
        }
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
            self.off_the_lists(pfn);
        }
    }

    /// `lru_add_drain_cpu`: every batch of `cpu`.
    pub fn lru_add_drain_cpu(&mut self, cpu: Cpu) {
        for pfn in Pfn::all(self.cfg.sizes.frames) {
            let page = self.machine_mut(Touch::batch(cpu)).frames[pfn.at()];
            if page.batch == Some(cpu) {
                self.page_mut(pfn).batch = None;
                self.page_mut(pfn).lru = true;
                self.put_page(pfn);
            }
            if page.moving == Some(cpu) {
                self.page_mut(pfn).moving = None;
                self.back_on_the_lists(pfn);
                self.put_page(pfn);
            }
            if page.lazy_batch == Some(cpu) {
                self.page_mut(pfn).lazy_batch = None;
                self.back_on_the_lists(pfn);
                // lru_lazyfree() tests again: the page may have gone to the swap cache meanwhile.
                let page = self.page_mut(pfn);
                if page.lru && page.anon() && page.swapbacked && page.swap.is_none() {
                    page.swapbacked = false;
                }
                self.put_page(pfn);
            }
        }
    }

    fn back_on_the_lists(&mut self, pfn: Pfn) {
        if self.has(F::BatchClearsLru) {
            self.page_mut(pfn).lru = true;
        }
    }

    /// `lru_add_drain`: this CPU's batches.
    pub fn lru_add_drain(&mut self) {
        self.lru_add_drain_cpu(self.who.cpu);
    }

    /// `lru_add_drain_all`: those of every CPU.
    pub fn lru_add_drain_all(&mut self) {
        for cpu in (0..self.cfg.sizes.cpus as u8).map(Cpu) {
            self.lru_add_drain_cpu(cpu);
        }
        self.lru_add_drain_cpu(Cpu::ELSEWHERE);
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

    /// `folio_putback_lru`: by way of this CPU's batch, as if it were new. So the page has one more reference until the batch is drained.
    pub fn folio_putback_lru(&mut self, pfn: Pfn) {
        self.folio_add_lru(pfn);
        self.put_page(pfn);
    }

    /// `move_folios_to_lru` (`move_pages_to_lru`): straight to a list.
    pub fn move_to_lru(&mut self, pfn: Pfn) {
        self.page_mut(pfn).lru = true;
        self.put_page(pfn);
    }
}

impl Page {
    fn batches(&self) -> [Option<Cpu>; 3] {
        [self.batch, self.lazy_batch, self.moving]
    }

    /// Is it in a batch?
    pub fn batched(&self) -> bool {
        self.batches().iter().any(Option::is_some)
    }

    /// Is it in a batch of this CPU?
    pub fn batched_on(&self, cpu: Cpu) -> bool {
        self.batches().contains(&Some(cpu))
    }
}

impl crate::machine::Machine {
    /// The CPUs whose batches have something to drain, one bit each. `used`: the frames in use.
    pub fn batches_filled(&self, used: Frames) -> u32 {
        let pages = used.iter().map(|pfn| &self.frames[pfn.at()]);
        let cpus = pages.flat_map(Page::batches).flatten();
        cpus.fold(0, |filled, cpu| filled | 1 << cpu.0)
    }

    /// Has the batch of `cpu` anything to drain?
    pub fn batch_filled(&self, cpu: Cpu) -> bool {
        self.frames.iter().any(|page| page.batched_on(cpu))
    }
}
