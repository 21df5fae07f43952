//! Unmapping for reclaim: `try_to_unmap_one` with TTU_BATCH_FLUSH (mm/rmap.c).
//!
//! Under the folio lock, mapping by mapping, each under its page-table lock. Other holders of that lock see a mapping unmapped
//! at once; GUP-fast and the hardware do not take it, and see: the PTE cleared, the flush (now or deferred), the pin test,
//! the swap PTE.

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::packed;
use crate::pgtable::{Present, Pte, SwapPte};
use crate::step::{Step, Wait, step};
use crate::tlb::TlbBatch;
use crate::world::Event;

packed! {
    /// The unmapping of one page. `old` is the PTE that was cleared.
    pub enum TryToUnmap {
        /// RU1, RU2, RU4: takes the page-table lock of the next mapping, clears its PTE, hands its dirty bit on.
        Clear { pfn: Pfn, at: Va, mm: MmId },
        /// RU3: flushes now, or defers it.
        Flush { pfn: Pfn, at: Va, mm: MmId, old: Present },
        /// Lazily freed page: reads the reference count.
        LazyCount { pfn: Pfn, at: Va, mm: MmId, old: Present },
        /// Lazily freed page: reads the dirty flag, and discards or restores.
        LazyDirty { pfn: Pfn, at: Va, mm: MmId, old: Present, alone: bool },
        /// RU5: one more reference to the slot.
        DupSlot { pfn: Pfn, at: Va, mm: MmId, old: Present },
        /// RU6: an exclusive page that may be pinned stays (5.19).
        PinTest { pfn: Pfn, at: Va, mm: MmId, old: Present },
        /// RU7 to RU10: clears PG_anon_exclusive, sets the swap PTE, drops mapping and reference.
        SetSwapPte { pfn: Pfn, at: Va, mm: MmId, old: Present, exclusive: bool },
    }
}

use TryToUnmap::*;

/// What follows a step of the unmapping.
pub enum Unmapping {
    /// More of it.
    On(TryToUnmap),
    /// No mapping is left, or one could not go.
    Over,
}

impl TryToUnmap {
    /// The first mapping of `pfn`, if it has one that the reverse mapping finds.
    pub fn enter(k: &mut Kernel, pfn: Pfn) -> Unmapping {
        after(k, pfn, 0)
    }

    /// The description of the next step.
    pub fn describe(&self, _v: &View) -> Step {
        const F: &str = "try_to_unmap_one";
        const LOCKS: &str = "folio lock, PTL";
        match *self {
            Clear { mm, .. } => step("RU2", F).under(LOCKS).waits(Wait::Ptl(mm)),
            Flush { .. } => step("RU3", "set_tlb_ubc_flush_pending").under(LOCKS),
            LazyCount { .. } => step("RU4 count", F).under(LOCKS),
            LazyDirty { .. } => step("RU4 dirty", F).under(LOCKS),
            DupSlot { .. } => step("RU5", "swap_duplicate").under(LOCKS),
            PinTest { .. } => step("RU6", "folio_try_share_anon_rmap_pte").under(LOCKS),
            SetSwapPte { .. } => step("RU8", F).under(LOCKS),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel, batch: &mut TlbBatch) -> Unmapping {
        match self {
            Clear { pfn, at, mm } => {
                k.lock_ptl(mm);
                let Some(old) = k.pte(mm, at).present().filter(|e| e.pfn == pfn) else {
                    k.unlock_ptl(mm);
                    return after(k, pfn, site(mm, at) + 1);
                };
                k.clear_pte(mm, at);
                if old.dirty && k.has(F::TtuDirty) {
                    k.page_mut(pfn).dirty = true;
                }
                Unmapping::On(Flush { pfn, at, mm, old })
            }
            Flush { pfn, at, mm, old } => {
                defer_flush(k, mm, at, old, batch);
                let page = *k.page(pfn);
                Unmapping::On(if page.anon() && !page.swapbacked {
                    LazyCount { pfn, at, mm, old }
                } else {
                    DupSlot { pfn, at, mm, old }
                })
            }
            LazyCount { pfn, at, mm, old } => {
                let alone = k.refcount(pfn) == 1 + u32::from(k.page(pfn).mapcount.0);
                Unmapping::On(LazyDirty {
                    pfn,
                    at,
                    mm,
                    old,
                    alone,
                })
            }
            LazyDirty {
                pfn,
                at,
                mm,
                old,
                alone,
            } => lazyfree(k, pfn, at, mm, old, alone),
            DupSlot { pfn, at, mm, old } => {
                let Some(slot) = k.page(pfn).swap else {
                    return restore(k, mm, at, old);
                };
                k.dup_slot(slot);
                Unmapping::On(if k.anon_exclusive(pfn) {
                    PinTest { pfn, at, mm, old }
                } else {
                    SetSwapPte {
                        pfn,
                        at,
                        mm,
                        old,
                        exclusive: false,
                    }
                })
            }
            PinTest { pfn, at, mm, old } => {
                if k.has(F::TtuPinTest) && k.maybe_dma_pinned(pfn) {
                    if let Some(slot) = k.page(pfn).swap {
                        k.put_slot(slot);
                    }
                    return restore(k, mm, at, old);
                }
                Unmapping::On(SetSwapPte {
                    pfn,
                    at,
                    mm,
                    old,
                    exclusive: true,
                })
            }
            SetSwapPte {
                pfn,
                at,
                mm,
                old,
                exclusive,
            } => {
                let Some(slot) = k.page(pfn).swap else {
                    return restore(k, mm, at, old);
                };
                if exclusive {
                    k.page_mut(pfn).exclusive = false;
                }
                let exclusive = exclusive && k.has(F::SwpExclusive);
                let e = SwapPte {
                    slot,
                    exclusive,
                    soft_dirty: old.soft_dirty,
                    uffd_wp: old.uffd_wp,
                };
                k.set_pte(mm, at, Pte::Swap { e });
                k.remove_rmap(pfn);
                k.put_page(pfn);
                k.unlock_ptl(mm);
                after(k, pfn, site(mm, at) + 1)
            }
        }
    }
}

fn site(mm: MmId, va: Va) -> usize {
    mm.at() * MAX_PAGES + va.at()
}

fn after(k: &mut Kernel, pfn: Pfn, from: usize) -> Unmapping {
    match k.next_mapping(pfn, from) {
        Some((mm, at)) => Unmapping::On(Clear { pfn, at, mm }),
        None => Unmapping::Over,
    }
}

/// Puts the PTE back as it was and stops the walk: the page stays mapped.
fn restore(k: &mut Kernel, mm: MmId, at: Va, old: Present) -> Unmapping {
    k.set_pte(mm, at, old.pte());
    k.unlock_ptl(mm);
    Unmapping::Over
}

/// `should_defer_flush`, `set_tlb_ubc_flush_pending`. A process that no other CPU runs is flushed at once, which is nothing to
/// do; else the flush is left for later, and whether a CPU may still write is remembered.
pub fn defer_flush(k: &mut Kernel, mm: MmId, at: Va, old: Present, batch: &mut TlbBatch) {
    let cpu = k.who.cpu;
    if k.cpus_of(mm).all(|c| c == cpu) {
        return k.flush_tlb_page(mm, at);
    }
    batch.pending = true;
    batch.writable |= old.dirty || k.has(F::UnmapFlushPending) && k.tables(mm).flush_pending.0 > 0;
    k.tables_mut(mm).flush_batched = true;
}

/// A lazily freed page is discarded if it is clean and (`madvfree_refs`) nobody else holds it; else the PTE comes back, and
/// the page is as swap-backed as any (unless, from 6.15, it is only referenced).
fn lazyfree(k: &mut Kernel, pfn: Pfn, at: Va, mm: MmId, old: Present, alone: bool) -> Unmapping {
    let dirty = k.page(pfn).dirty;
    if !dirty && (alone || !k.has(F::MadvfreeRefs)) {
        k.event(Event::Dropped { mm, va: at });
        k.remove_rmap(pfn);
        k.put_page(pfn);
        k.unlock_ptl(mm);
        return after(k, pfn, site(mm, at) + 1);
    }
    if dirty || !k.has(F::MadvfreeKeepLazy) {
        k.page_mut(pfn).swapbacked = true;
    }
    restore(k, mm, at, old)
}
