//! A write (or unshare) fault on a present PTE that is not writable: `do_wp_page`, `wp_can_reuse_anon_folio`,
//! `wp_page_reuse` (mm/memory.c). Entered with the page-table lock held and the PTE checked.
//!
//! The question is always the same, *may this page be reused in place?*, and each era answered it in its own way:
//!
//! | era | feature | answer |
//! |---|---|---|
//! | up to 5.8 | `wp_mapcount` | mapcount + swapcount of at most 1; references do not count |
//! | 5.9 to 5.17 | `wp_refcount1` | reference count 1: no swap cache, no LRU batch, no GUP |
//! | 5.18 | `wp_swapfree`, `wp_lrudrain` | leave the swap cache and drain the batch first, then reference count 1 |
//! | 5.19 | `anon_exclusive` | PG_anon_exclusive: at once; else as 5.18 |
//!
//! A check of a count and the act on it are separate steps, for GUP-fast, LRU drains and other processes take no lock of ours.

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::memory::fault::{Fault, FaultCx, FaultKind, FaultResult};
use crate::memory::wp_page_copy::WpPageCopy;
use crate::packed;
use crate::pgtable::Present;
use crate::step::{Step, Wait, step};

packed! {
    /// A write-protect fault. The page-table lock is held unless a step says otherwise; the page is the one that the PTE maps.
    pub enum DoWpPage {
        /// WP3: the cheap test of the reference count.
        CountRefs { f: FaultCx },
        /// WP4: PG_lru is clear: drains this CPU's batch.
        Drain { f: FaultCx },
        /// WP3 again, after the drain: more than the swap cache's reference?
        CountAgain { f: FaultCx },
        /// WP5: trylock.
        Trylock { f: FaultCx },
        /// WP6: tries to leave the swap cache. Folio lock held.
        FreeSwap { f: FaultCx },
        /// WP7: the test that decides. Folio lock held.
        LastCount { f: FaultCx },
        /// WP8: sets PG_anon_exclusive, unlocks the folio.
        SetExclusive { f: FaultCx },
        /// WP9: makes the PTE writable.
        SetPte { f: FaultCx },
        /// Up to 5.8: the trylock failed; sleeps on the folio lock without the page-table lock.
        SleepOnLock { f: FaultCx, orig: Present },
        /// Up to 5.8: has the folio lock; takes the page-table lock again and checks the PTE.
        Relock { f: FaultCx, orig: Present },
        /// Up to 5.8: `reuse_swap_page`. Folio lock held.
        MapcountTest { f: FaultCx },
    }
}

use DoWpPage::*;

/// WP1, WP2: under the page-table lock with `orig` checked. Exclusive pages are reused without another look: nothing but fork
/// (excluded by mmap_lock) and holders of this lock clear the flag.
pub fn enter(k: &mut Kernel, f: FaultCx, orig: Present) -> Fault {
    let vma = *k.vma(f.mm, f.va);
    if f.kind == FaultKind::Write {
        if orig.uffd_wp && vma.uffd_wp {
            k.unlock_ptl(f.mm);
            return Fault::userfault(k, f);
        }
        // A write-protection that was not flushed yet may leave writable translations behind.
        if vma.uffd_wp && k.tables(f.mm).flush_pending.0 > 0 && k.has(F::UffdwpFlush) {
            k.flush_tlb_page(f.mm, f.va);
        }
    }
    let Some(pfn) = orig.pte().normal_page().filter(|&pfn| k.page(pfn).anon()) else {
        // Zero page or page cache. An unshare fault on them is a no-op until 6.2.
        if f.kind == FaultKind::Unshare && !k.has(F::LongtermCow) {
            return Fault::unlock_over(k, f, FaultResult::Done);
        }
        return WpPageCopy::enter(f, orig);
    };
    if k.anon_exclusive(pfn) {
        return if f.kind == FaultKind::Unshare {
            Fault::unlock_over(k, f, FaultResult::Done)
        } else {
            reuse(k, f, orig)
        };
    }
    if k.has(F::WpMapcount) {
        trylock_by_mapcount(k, f, orig, pfn)
    } else {
        wp(CountRefs { f })
    }
}

fn wp(p: DoWpPage) -> Fault {
    Fault::Wp { p }
}

impl DoWpPage {
    /// The description of the next step.
    pub fn describe(&self, _v: &View) -> Step {
        match *self {
            CountRefs { .. } => step("WP3", "wp_can_reuse_anon_folio").under("PTL"),
            Drain { .. } => step("WP4", "lru_add_drain").under("PTL"),
            CountAgain { .. } => step("WP3", "wp_can_reuse_anon_folio").under("PTL"),
            Trylock { .. } => step("WP5", "folio_trylock").under("PTL"),
            FreeSwap { .. } => step("WP6", "folio_free_swap").under("PTL, folio lock"),
            LastCount { .. } => step("WP7", "wp_can_reuse_anon_folio").under("PTL, folio lock"),
            SetExclusive { .. } => step("WP8", "SetPageAnonExclusive").under("PTL, folio lock"),
            SetPte { .. } => step("WP9", "wp_page_reuse").under("PTL"),
            SleepOnLock { orig, .. } => {
                step("lock_page", "do_wp_page").waits(Wait::Folio(orig.pfn))
            }
            Relock { f, .. } => step("WP1", "do_wp_page")
                .under("PTL, folio lock")
                .waits(Wait::Ptl(f.mm)),
            MapcountTest { .. } => step("WP7", "reuse_swap_page").under("PTL, folio lock"),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Fault {
        match self {
            CountRefs { f } => {
                let (orig, pfn) = mapped(k, f);
                let most = if k.has(F::WpRefcount1) { 1 } else { 3 };
                if k.page(pfn).ksm() || k.refcount(pfn) > most {
                    return WpPageCopy::enter(f, orig);
                }
                if !k.has(F::WpSwapfree) {
                    return wp(Trylock { f });
                }
                if k.has(F::WpLrudrain) && !k.page(pfn).lru {
                    wp(Drain { f })
                } else {
                    wp(CountAgain { f })
                }
            }
            Drain { f } => {
                k.lru_add_drain();
                wp(CountAgain { f })
            }
            CountAgain { f } => {
                let (orig, pfn) = mapped(k, f);
                let cached = u32::from(k.page(pfn).swap.is_some());
                if k.refcount(pfn) > 1 + cached {
                    WpPageCopy::enter(f, orig)
                } else {
                    wp(Trylock { f })
                }
            }
            Trylock { f } => {
                let (orig, pfn) = mapped(k, f);
                if !k.trylock(pfn) {
                    return WpPageCopy::enter(f, orig);
                }
                let free = k.has(F::WpSwapfree) && k.page(pfn).swap.is_some();
                wp(if free {
                    FreeSwap { f }
                } else {
                    LastCount { f }
                })
            }
            FreeSwap { f } => {
                let (_, pfn) = mapped(k, f);
                k.free_swap_to_reuse(pfn);
                wp(LastCount { f })
            }
            LastCount { f } => {
                let (orig, pfn) = mapped(k, f);
                let page = *k.page(pfn);
                let alone = k.refcount(pfn) == 1 && (k.has(F::WpSwapfree) || page.mapcount.0 == 1);
                if page.ksm() || !alone {
                    k.unlock_page(pfn);
                    return WpPageCopy::enter(f, orig);
                }
                wp(SetExclusive { f })
            }
            SetExclusive { f } => {
                let (_, pfn) = mapped(k, f);
                if k.has(F::AnonExclusive) {
                    k.page_mut(pfn).exclusive = true;
                }
                k.move_anon_rmap(pfn, f.mm, f.va);
                k.unlock_page(pfn);
                if f.kind == FaultKind::Unshare {
                    return Fault::unlock_over(k, f, FaultResult::Done);
                }
                wp(SetPte { f })
            }
            SetPte { f } => {
                let (orig, _) = mapped(k, f);
                reuse(k, f, orig)
            }
            SleepOnLock { f, orig } => {
                k.lock_page(orig.pfn);
                wp(Relock { f, orig })
            }
            Relock { f, orig } => {
                k.lock_ptl(f.mm);
                let same = k.pte(f.mm, f.va) == orig.pte();
                if !same {
                    k.unlock_page(orig.pfn);
                }
                k.put_page(orig.pfn);
                if !same {
                    return Fault::unlock_over(k, f, FaultResult::Done);
                }
                wp(MapcountTest { f })
            }
            MapcountTest { f } => {
                let (orig, pfn) = mapped(k, f);
                let page = *k.page(pfn);
                let ksm_single =
                    page.ksm() && k.has(F::ReuseKsm) && page.mapcount.0 == 1 && page.swap.is_none();
                let reusable = ksm_single && k.refcount(pfn) == 1 || k.reuse_swap_page(pfn);
                if !reusable {
                    k.unlock_page(pfn);
                    return WpPageCopy::enter(f, orig);
                }
                if ksm_single {
                    // reuse_ksm_page(): the page leaves the stable tree and is this VMA's.
                    let home = k.home(f.mm, f.va);
                    let page = k.page_mut(pfn);
                    page.kind = crate::page::PageKind::Anon;
                    page.home = home;
                }
                wp(SetExclusive { f })
            }
        }
    }
}

/// The page that the faulting PTE maps: stable under the page-table lock.
fn mapped(k: &mut Kernel, f: FaultCx) -> (Present, Pfn) {
    let e = k
        .pte(f.mm, f.va)
        .present()
        .expect("do_wp_page without a present PTE");
    (e, e.pfn)
}

/// `wp_page_reuse`: dirty, young, and writable if the VMA is. Permissions only grow, so nothing is flushed.
fn reuse(k: &mut Kernel, f: FaultCx, orig: Present) -> Fault {
    let write = k.vma(f.mm, f.va).write;
    k.set_pte(
        f.mm,
        f.va,
        Present {
            write,
            dirty: true,
            soft_dirty: true,
            ..orig
        }
        .pte(),
    );
    Fault::unlock_over(k, f, FaultResult::Done)
}

/// Up to 5.8: trylock; if somebody holds the folio, a reference keeps it while the page-table lock is dropped and the
/// lock slept on.
fn trylock_by_mapcount(k: &mut Kernel, f: FaultCx, orig: Present, pfn: Pfn) -> Fault {
    if k.trylock(pfn) {
        return wp(MapcountTest { f });
    }
    k.get_page(pfn);
    k.unlock_ptl(f.mm);
    wp(SleepOnLock { f, orig })
}

impl Kernel<'_> {
    /// `page_move_anon_rmap`: the page is this VMA's alone now. Within one family the root and index stay what they are.
    fn move_anon_rmap(&mut self, pfn: Pfn, mm: MmId, va: Va) {
        let home = self.home(mm, va);
        let page = self.page_mut(pfn);
        if page.kind == crate::page::PageKind::Anon {
            page.home = home;
        }
    }
}
