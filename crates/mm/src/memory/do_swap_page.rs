//! Swap-in: `do_swap_page`, `should_try_to_free_swap` (mm/memory.c), `swapin_readahead`, `read_swap_cache_async`
//! (mm/swap_state.c), `ksm_might_need_to_copy` (mm/ksm.c).
//!
//! Everything up to the page-table lock may be overtaken: another thread may finish the same fault, reclaim may swap the page
//! out again *to the same slot*. What saves a fault from that is the folio lock with a second look at the swap cache
//! (`swapin_lock`) and the PTE compared bit for bit; a swap-in that bypasses the cache has just the latter, until it claims
//! the slot (`skip_cache_claim`).
//!
//! May the page be mapped writable, or marked exclusive?
//!
//! | era | feature | answer |
//! |---|---|---|
//! | up to 5.17 | | write faults: `reuse_swap_page` (mapcount + swapcount 1), references do not count; then the slot count drops |
//! | 5.18 | `swapin_refcount` | the slot count drops first; write faults: reference count 1 |
//! | 5.19 | `swp_exclusive` | the bit in the swap PTE, or reference count 1; not under writeback to a stable-writes device |
//! | by 6.12 | `swapin_ro_w` | as before, and read faults map writable too |
//! | 7.0 | `free_after_map` | as before, decided in the swap cache; then the slot count drops, and once the PTE is set the page may leave the cache |

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::memory::do_wp_page;
use crate::memory::fault::{Fault, FaultCx, FaultKind, FaultResult};
use crate::packed;
use crate::page::Page;
use crate::pgtable::{Present, Pte, SwapPte};
use crate::rmap::Rmap;
use crate::step::{Step, Wait, step};

packed! {
    /// A swap-in under way. `orig` is the swap PTE that faulted.
    pub enum DoSwapPage {
        /// SI2: looks for a folio in the swap cache.
        Lookup { f: FaultCx, orig: SwapPte },
        /// SI3: not cached, synchronous device: is the slot used just once?
        CountOne { f: FaultCx, orig: SwapPte },
        /// SI3a: claims the slot for a swap-in that bypasses the cache (6.8).
        Claim { f: FaultCx, orig: SwapPte },
        /// SI3a: somebody else has claimed it: sleeps, and faults again.
        ClaimWait { f: FaultCx, orig: SwapPte },
        /// SI3b: allocates and reads, bypassing the cache.
        BypassRead { f: FaultCx, orig: SwapPte, claimed: bool },
        /// SI3c: allocates, inserts the folio locked into the swap cache.
        Insert { f: FaultCx, orig: SwapPte },
        /// SI4: the read completes: uptodate, unlocked.
        ReadDone { f: FaultCx, orig: SwapPte, pfn: Pfn },
        /// SI5, SI6: locks the folio and looks again whether it is cached for this entry.
        LockFolio { f: FaultCx, orig: SwapPte, pfn: Pfn },
        /// SI7: a page of another anon_vma (once KSM) is copied. Folio lock held.
        KsmCopy { f: FaultCx, orig: SwapPte, pfn: Pfn, new: Pfn, cell: Cell },
        /// SI8: drains this CPU's LRU batch (5.18, write faults). Folio lock held.
        Drain { f: FaultCx, orig: SwapPte, got: Got },
        /// SI9: takes the page-table lock and checks the PTE.
        LockPtl { f: FaultCx, orig: SwapPte, got: Got },
        /// SI11: drops the slot count before the decision (5.18 to 6.19). From here on PTL and folio lock are held.
        PutSlotFirst { f: FaultCx, orig: SwapPte, got: Got },
        /// SI12: tries to leave the swap cache before the decision (5.18 to 6.19).
        FreeSwapFirst { f: FaultCx, orig: SwapPte, got: Got },
        /// SI10, SI13: decides exclusivity by the bit or the count.
        Decide { f: FaultCx, orig: SwapPte, got: Got },
        /// SI14: sets PTE, mapcount and flag.
        SetPte { f: FaultCx, orig: SwapPte, got: Got, map: Map },
        /// SI15: drops the slot count after the decision and before the PTE is set (from 7.0).
        PutSlotMid { f: FaultCx, orig: SwapPte, got: Got, map: Map },
        /// SI15: drops the slot count after the mapping (up to 5.17).
        PutSlotLast { f: FaultCx, slot: Slot, got: Got, map: Map },
        /// SI16: tries to leave the swap cache after the mapping (up to 5.17, and from 7.0).
        FreeSwapLast { f: FaultCx, got: Got, map: Map, slot: Slot },
        /// SI17 to SI20: unlocks the folio; becomes `do_wp_page` if it is still a write.
        Unlock { f: FaultCx, got: Got, map: Map, slot: Slot },
    }

    /// The page that is to be mapped, and where it came from. Locked, with a reference that becomes the PTE's.
    pub struct Got {
        /// The page.
        pub pfn: Pfn,
        /// How it was got.
        pub from: From,
    }

    /// Where a swapped-in page came from.
    pub enum From {
        /// The swap cache.
        Cache,
        /// Read past the swap cache; `claimed`: the slot is claimed until the end.
        Bypass { claimed: bool },
        /// A private copy of a cached page that belongs to another anon_vma; that one is locked and referenced too.
        KsmCopy { of: Pfn },
    }

    /// What the decision was.
    pub enum Map {
        /// Read-only, possibly shared.
        Shared,
        /// Exclusive; `write`: writable at once.
        Exclusive { write: bool },
        /// Writable, in kernels without PG_anon_exclusive.
        Writable,
    }
}

use DoSwapPage::*;

impl DoSwapPage {
    /// A swap PTE was read.
    pub fn enter(f: FaultCx, orig: SwapPte) -> Fault {
        si(Lookup { f, orig })
    }

    /// Is it still about to get hold of the swap device, and to look into the swap cache?
    pub fn is_entry(&self) -> bool {
        matches!(self, Lookup { .. })
    }

    /// The description of the next step.
    pub fn describe(&self, _v: &View) -> Step {
        const BOTH: &str = "PTL, folio lock";
        match *self {
            Lookup { .. } => step("SI2", "swap_cache_get_folio"),
            CountOne { .. } => step("SI3", "do_swap_page"),
            Claim { .. } => step("SI3a", "swapcache_prepare"),
            ClaimWait { orig, .. } => {
                step("SI3a wait", "do_swap_page").waits(Wait::Unclaimed(orig.slot))
            }
            BypassRead { .. } => step("SI3b", "swap_read_folio"),
            Insert { .. } => step("SI3c", "read_swap_cache_async"),
            ReadDone { .. } => step("SI4", "end_swap_bio_read"),
            LockFolio { pfn, .. } => step("SI5", "folio_lock")
                .under("folio lock")
                .waits(Wait::Folio(pfn)),
            KsmCopy { .. } => step("SI7", "ksm_might_need_to_copy").under("folio lock"),
            Drain { .. } => step("SI8", "lru_add_drain").under("folio lock"),
            LockPtl { f, .. } => step("SI9", "do_swap_page")
                .under(BOTH)
                .waits(Wait::Ptl(f.mm)),
            PutSlotFirst { .. } => step("SI11", "swap_free").under(BOTH),
            FreeSwapFirst { .. } => step("SI12", "folio_free_swap").under(BOTH),
            Decide { .. } => step("SI13", "do_swap_page").under(BOTH),
            SetPte { .. } => step("SI14", "set_pte_at").under(BOTH),
            PutSlotMid { .. } => step("SI15", "folio_put_swap").under(BOTH),
            PutSlotLast { .. } => step("SI15", "swap_free").under(BOTH),
            FreeSwapLast { .. } => step("SI16", "folio_free_swap").under(BOTH),
            Unlock { .. } => step("SI17", "do_swap_page").under(BOTH),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Fault {
        match self {
            // SI1, get_swap_device(): the PTE is no swap PTE any more.
            Lookup { f, .. } if k.has(F::SwapdevRef) && k.swap_device_gone() => {
                Fault::over(k, f, FaultResult::Done)
            }
            Lookup { f, orig } => match k.swap_cache_get(orig.slot) {
                Some(pfn) => si(LockFolio { f, orig, pfn }),
                None if k.cfg.swap.synchronous && k.has(F::SkipCache) && !k.has(F::NoBypass) => {
                    si(CountOne { f, orig })
                }
                None => si(Insert { f, orig }),
            },
            CountOne { f, orig } => {
                if k.slot(orig.slot).count.0 != 1 {
                    return si(Insert { f, orig });
                }
                si(if k.has(F::SkipCacheClaim) {
                    Claim { f, orig }
                } else {
                    BypassRead {
                        f,
                        orig,
                        claimed: false,
                    }
                })
            }
            Claim { f, orig } => {
                let slot = *k.slot(orig.slot);
                if slot.claimed || slot.cache.is_some() || slot.count.0 == 0 {
                    return si(ClaimWait { f, orig });
                }
                k.slot_mut(orig.slot).claimed = true;
                si(BypassRead {
                    f,
                    orig,
                    claimed: true,
                })
            }
            ClaimWait { f, .. } => Fault::over(k, f, FaultResult::Done),
            BypassRead { f, orig, claimed } => {
                k.swap_readpage(orig.slot);
                let home = k.home(f.mm, f.va);
                let Some(pfn) = k.alloc_page(home) else {
                    return give_up(k, f, orig, claimed, FaultResult::Oom);
                };
                k.page_mut(pfn).locked = true;
                k.folio_add_lru(pfn);
                k.swap_read(orig.slot, pfn);
                got(
                    k,
                    f,
                    orig,
                    Got {
                        pfn,
                        from: From::Bypass { claimed },
                    },
                )
            }
            Insert { f, orig } => insert(k, f, orig),
            ReadDone { f, orig, pfn } => {
                if k.fails(k.cfg.fails.io_error) {
                    k.unlock_page(pfn);
                    return si(LockFolio { f, orig, pfn });
                }
                k.swap_read(orig.slot, pfn);
                k.page_mut(pfn).uptodate = true;
                k.unlock_page(pfn);
                si(LockFolio { f, orig, pfn })
            }
            LockFolio { f, orig, pfn } => {
                k.lock_page(pfn);
                if k.has(F::SwapinLock) && k.page(pfn).swap != Some(orig.slot) {
                    return back_out(
                        k,
                        f,
                        Got {
                            pfn,
                            from: From::Cache,
                        },
                        orig.slot,
                        FaultResult::Done,
                    );
                }
                ksm_might_need_to_copy(k, f, orig, pfn)
            }
            KsmCopy {
                f,
                orig,
                pfn,
                new,
                cell,
            } => {
                k.copy_cell(pfn, new, cell);
                let next = Cell(cell.0 + 1);
                if next.0 < k.cfg.sizes.cells {
                    return si(KsmCopy {
                        f,
                        orig,
                        pfn,
                        new,
                        cell: next,
                    });
                }
                got(
                    k,
                    f,
                    orig,
                    Got {
                        pfn: new,
                        from: From::KsmCopy { of: pfn },
                    },
                )
            }
            Drain { f, orig, got } => {
                k.lru_add_drain();
                si(LockPtl { f, orig, got })
            }
            LockPtl { f, orig, got } => {
                k.lock_ptl(f.mm);
                let same = k.pte(f.mm, f.va) == Pte::Swap { e: orig };
                if !same || !k.page(got.pfn).uptodate {
                    k.unlock_ptl(f.mm);
                    let result = if same {
                        FaultResult::Sigbus
                    } else {
                        FaultResult::Done
                    };
                    return back_out(k, f, got, orig.slot, result);
                }
                si(if k.has(F::SwapinRefcount) && !k.has(F::FreeAfterMap) {
                    PutSlotFirst { f, orig, got }
                } else {
                    Decide { f, orig, got }
                })
            }
            PutSlotFirst { f, orig, got } => {
                k.put_slot(orig.slot);
                si(if should_try_to_free_swap(k, f.kind, got) {
                    FreeSwapFirst { f, orig, got }
                } else {
                    Decide { f, orig, got }
                })
            }
            FreeSwapFirst { f, orig, got } => {
                k.free_swap_to_reuse(got.pfn);
                si(Decide { f, orig, got })
            }
            Decide { f, orig, got } => {
                let map = decide(k, f, orig, got);
                si(if k.has(F::FreeAfterMap) {
                    PutSlotMid { f, orig, got, map }
                } else {
                    SetPte { f, orig, got, map }
                })
            }
            PutSlotMid { f, orig, got, map } => {
                k.put_slot(orig.slot);
                si(SetPte { f, orig, got, map })
            }
            SetPte { f, orig, got, map } => {
                set_pte(k, f, orig, got, map);
                let (slot, kind) = (orig.slot, left(k, f));
                si(if !k.has(F::SwapinRefcount) {
                    PutSlotLast { f, slot, got, map }
                } else if k.has(F::FreeAfterMap) && should_try_to_free_swap(k, kind, got) {
                    FreeSwapLast { f, got, map, slot }
                } else {
                    Unlock { f, got, map, slot }
                })
            }
            PutSlotLast { f, slot, got, map } => {
                k.put_slot(slot);
                si(if should_try_to_free_swap(k, f.kind, got) {
                    FreeSwapLast { f, got, map, slot }
                } else {
                    Unlock { f, got, map, slot }
                })
            }
            FreeSwapLast { f, got, map, slot } => {
                k.free_swap_to_reuse(got.pfn);
                si(Unlock { f, got, map, slot })
            }
            Unlock { f, got, map, slot } => unlock(k, f, got, map, slot),
        }
    }
}

fn si(p: DoSwapPage) -> Fault {
    Fault::SwapIn { p }
}

/// SI3c: one folio a slot. The loser of a race takes the winner's folio; a slot that a bypassing swap-in has claimed is waited
/// for; one that is free by now means that the fault is stale.
fn insert(k: &mut Kernel, f: FaultCx, orig: SwapPte) -> Fault {
    if k.swap_device_gone() {
        return Fault::over(k, f, FaultResult::Done);
    }
    let slot = *k.slot(orig.slot);
    if let Some(pfn) = k.swap_cache_get(orig.slot) {
        return si(LockFolio { f, orig, pfn });
    }
    if slot.claimed {
        return si(ClaimWait { f, orig });
    }
    if slot.count.0 == 0 || slot.cache.is_some() {
        return Fault::over(k, f, FaultResult::Done);
    }
    let Some(pfn) = k.alloc_page(None) else {
        return Fault::over(k, f, FaultResult::Oom);
    };
    let page: &mut Page = k.page_mut(pfn);
    page.locked = true;
    page.uptodate = false;
    k.add_to_swap_cache(pfn, orig.slot);
    k.folio_add_lru(pfn);
    si(ReadDone { f, orig, pfn })
}

/// SI7. A page that is still in the stable tree, was never mapped, or belongs to this VMA's family at this index, is used as
/// it is.
fn ksm_might_need_to_copy(k: &mut Kernel, f: FaultCx, orig: SwapPte, pfn: Pfn) -> Fault {
    let page = *k.page(pfn);
    let ours = k.home(f.mm, f.va);
    if page.ksm() || !page.uptodate || page.home.is_none() || page.home == ours {
        return got(
            k,
            f,
            orig,
            Got {
                pfn,
                from: From::Cache,
            },
        );
    }
    let Some(new) = k.alloc_page(ours) else {
        return back_out(
            k,
            f,
            Got {
                pfn,
                from: From::Cache,
            },
            orig.slot,
            FaultResult::Oom,
        );
    };
    k.page_mut(new).locked = true;
    si(KsmCopy {
        f,
        orig,
        pfn,
        new,
        cell: Cell(0),
    })
}

/// SI8: has a locked page.
fn got(k: &mut Kernel, f: FaultCx, orig: SwapPte, got: Got) -> Fault {
    let page = *k.page(got.pfn);
    let drain = f.kind == FaultKind::Write && got.from == From::Cache && !page.ksm() && !page.lru;
    si(if drain && k.has(F::SwapinRefcount) {
        Drain { f, orig, got }
    } else {
        LockPtl { f, orig, got }
    })
}

/// `should_try_to_free_swap`: swap is short, or (5.18) a write fault that would then own the page, or (7.0) the device is as
/// fast as memory.
fn should_try_to_free_swap(k: &mut Kernel, kind: FaultKind, got: Got) -> bool {
    let page = *k.page(got.pfn);
    if page.swap.is_none() {
        return false;
    }
    if k.cfg.swap.half_full || (k.cfg.swap.synchronous && k.has(F::SyncAlwaysFree)) {
        return true;
    }
    k.has(F::SwapinRefcount) && kind == FaultKind::Write && !page.ksm() && k.refcount(got.pfn) == 2
}

/// What is left of the fault once the PTE is set: a write that it lets through is none any more (`vmf->flags`), so from 7.0 on its page
/// stays in the swap cache.
fn left(k: &mut Kernel, f: FaultCx) -> FaultKind {
    match k.pte(f.mm, f.va).present() {
        Some(e) if e.write => FaultKind::Read,
        _ => f.kind,
    }
}

/// SI10, SI13.
fn decide(k: &mut Kernel, f: FaultCx, orig: SwapPte, got: Got) -> Map {
    let page = *k.page(got.pfn);
    let writing = f.kind == FaultKind::Write;
    if !k.has(F::SwapinRefcount) {
        return if writing && k.reuse_swap_page(got.pfn) {
            Map::Writable
        } else {
            Map::Shared
        };
    }
    let fresh = got.from != From::Cache;
    if !k.has(F::AnonExclusive) {
        let reuse = writing && !page.ksm() && (fresh || k.refcount(got.pfn) == 1);
        return if reuse { Map::Writable } else { Map::Shared };
    }
    let mut exclusive = orig.exclusive && !page.ksm();
    if fresh {
        exclusive = true;
    } else if exclusive && page.writeback && k.cfg.swap.stable_writes && k.has(F::StableAnon) {
        // Under writeback nobody can hold a GUP reference, so a copy on the next write desynchronises nobody.
        exclusive = false;
    }
    if page.ksm() || !(exclusive || k.refcount(got.pfn) == 1) {
        return Map::Shared;
    }
    let vma = *k.vma(f.mm, f.va);
    let tracked = !vma.soft_dirty && !orig.soft_dirty;
    // Since 6.11 a write is let through by the rule that maps a page writable without one; if that does not, do_wp_page is next.
    let write = if k.has(F::SwapinRoW) {
        vma.write && !orig.uffd_wp && !tracked
    } else {
        writing && !orig.uffd_wp
    };
    Map::Exclusive { write }
}

/// SI14. The PTE is built anew from the VMA's protection: writability is not remembered in a swap PTE, marks are.
fn set_pte(k: &mut Kernel, f: FaultCx, orig: SwapPte, got: Got, map: Map) {
    let (rmap, write) = match map {
        Map::Shared => (Rmap::None, false),
        Map::Exclusive { write } => (Rmap::Exclusive, write),
        Map::Writable => (Rmap::Exclusive, !orig.uffd_wp),
    };
    let write = write && k.vma(f.mm, f.va).write;
    if k.page(got.pfn).home.is_none() {
        let home = k.home(f.mm, f.va);
        k.page_mut(got.pfn).home = home;
    }
    k.add_anon_rmap(got.pfn, rmap);
    if let From::KsmCopy { .. } = got.from {
        k.folio_add_lru(got.pfn);
    }
    // FOLL_FORCE writes where the VMA does not let. Before `swapin_ro_w` the PTE is dirty all the same, which is what GUP asks for with
    // FOLL_COW; since then `do_wp_page` would make it so, and GUP asks for an exclusive page.
    let writes = f.kind == FaultKind::Write && map != Map::Shared;
    let dirty = writes && (write || !k.has(F::SwapinRoW));
    let e = Present {
        write,
        dirty,
        soft_dirty: orig.soft_dirty || dirty,
        uffd_wp: orig.uffd_wp,
        ..k.mk_pte(f.mm, f.va, got.pfn)
    };
    let e = k.keep_rwp(f.mm, f.va, e);
    k.set_pte(f.mm, f.va, e.pte());
}

/// SI17 to SI20. A write fault whose PTE is still read-only goes on as `do_wp_page`, under the same page-table lock.
fn unlock(k: &mut Kernel, f: FaultCx, got: Got, map: Map, slot: Slot) -> Fault {
    k.unlock_page(got.pfn);
    if let From::KsmCopy { of } = got.from {
        k.unlock_page(of);
        k.put_page(of);
    }
    if got.from == (From::Bypass { claimed: true }) {
        k.slot_mut(slot).claimed = false;
    }
    let e = k
        .pte(f.mm, f.va)
        .present()
        .expect("the PTE that was just set");
    // What `vmf->flags` still says: before 6.11 every exclusive page took the write out of it, writable or not.
    let still = match map {
        Map::Shared => true,
        Map::Exclusive { write } => !write && k.has(F::SwapinRoW),
        Map::Writable => false,
    };
    if still && f.kind == FaultKind::Write {
        // A read-write protected page is userspace's business first (B41).
        let trapped = k.vma(f.mm, f.va).traps_reads(e.uffd_wp);
        if !trapped || !k.has(F::RwpSwapin) {
            return do_wp_page::enter(k, f, e);
        }
    }
    Fault::unlock_over(k, f, FaultResult::Done)
}

/// The fault is stale: unlocks and drops everything.
fn back_out(k: &mut Kernel, f: FaultCx, got: Got, slot: Slot, result: FaultResult) -> Fault {
    k.unlock_page(got.pfn);
    k.put_page(got.pfn);
    match got.from {
        From::KsmCopy { of } => {
            k.unlock_page(of);
            k.put_page(of);
        }
        From::Bypass { claimed: true } => k.slot_mut(slot).claimed = false,
        From::Bypass { claimed: false } | From::Cache => {}
    }
    Fault::over(k, f, result)
}

fn give_up(k: &mut Kernel, f: FaultCx, orig: SwapPte, claimed: bool, result: FaultResult) -> Fault {
    if claimed {
        k.slot_mut(orig.slot).claimed = false;
    }
    Fault::over(k, f, result)
}
