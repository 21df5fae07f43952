//! What the kernel relies on in every state (semantics.md section 2), as far as a state can show it.
//!
//! Each holds only where the kernel itself keeps it. Page tables whose lock is held are not looked at, nor pages whose count is
//! frozen; what relates a page or a slot to *all* page tables is looked at only while no page-table lock is held. (Between two
//! sections of a page-table lock everything holds: that is what the lock is for.)
//!
//! | name | the kernel's words | since |
//! |---|---|---|
//! | `WOne` | an anonymous page that more than one process may reach is mapped read-only everywhere | ever |
//! | `PteRef` | each present PTE has a mapcount and a reference (`free_page_is_bad`: "nonzero mapcount") | ever |
//! | `SwapCnt` | the slot count is the number of swap PTEs (`swap_free`: "Unused swap offset entry") | ever |
//! | `SwapCache` | PG_swapcache and the swap cache agree ("VM_BUG_ON_FOLIO(folio != entry)") | ever |
//! | `CacheLock` | a folio under writeback is in the swap cache ("VM_BUG_ON_FOLIO(folio_test_writeback(folio))") | ever |
//! | `AnonRmap` | `folio->mapping` and `index` lead to the PTE (`__page_check_anon_rmap`) | ever |
//! | `Ksm` | a KSM page is read-only everywhere; not pinned ("VM_BUG_ON_FOLIO(folio_test_ksm)") | ever; 5.19 |
//! | `Excl1` | PG_anon_exclusive: one PTE maps the page, nothing else leads to it; no KSM page has it | `anon_exclusive` |
//! | `WExcl` | a writable PTE maps an exclusive page ("VM_BUG_ON_PAGE(pte_write && !PageAnonExclusive)") | `anon_exclusive` |
//! | `ExclUnmapped` | "swap/migration entry of an exclusive page": the PTE remembers, not the page | `anon_exclusive` |
//! | `PinExcl` | a pinned anonymous page is exclusive (`sanity_check_pinned_pages`) | `unshare` |
//! | `SwpExcl1` | an exclusive swap PTE is the only one of its slot ("VM_WARN_ON_ONCE(count != 1)") | `swp_exclusive` |

use crate::config::Config;
use crate::feature::Feature as F;
use crate::frames::Frames;
use crate::ids::*;
use crate::machine::{Hold, Machine};
use crate::page::{Home, Page, PageKind};
use crate::pgtable::{Present, Pte};
use crate::world::Broken;

/// A set of [`Broken`] invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct BrokenSet(u32);

impl BrokenSet {
    /// None.
    pub const EMPTY: BrokenSet = BrokenSet(0);

    /// Adds one.
    pub fn insert(&mut self, broken: Broken) {
        self.0 |= 1 << broken as u32;
    }

    /// Is it in the set?
    pub fn contains(self, broken: Broken) -> bool {
        self.0 & (1 << broken as u32) != 0
    }

    /// Is all well?
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them, in the order of declaration.
    pub fn iter(self) -> impl Iterator<Item = Broken> {
        Broken::ALL.into_iter().filter(move |&b| self.contains(b))
    }
}

/// What the unlocked page tables lead to.
struct Seen {
    /// The frames that present PTEs lead to.
    reached: Frames,
    /// Present PTEs of each frame.
    mapped: [u8; MAX_FRAMES],
    /// Those of them that are writable, or will be once their NUMA hint is resolved.
    writable: [u8; MAX_FRAMES],
    /// Migration entries of each frame.
    migrating: [u8; MAX_FRAMES],
    /// Swap PTEs of each slot.
    swapped: [u8; MAX_SLOTS],
    /// Is no page-table lock held, so that the above is everything there is?
    complete: bool,
}

/// The invariants that do not hold in this state.
pub fn broken(m: &Machine, cfg: &Config) -> BrokenSet {
    broken_among(m, cfg, m.in_use())
}

/// As [`broken`], by somebody who knows which frames are in [use](Machine::in_use).
pub fn broken_among(m: &Machine, cfg: &Config, used: Frames) -> BrokenSet {
    let mut found = BrokenSet::EMPTY;
    let seen = page_tables(m, cfg, &mut found);
    // A frame that is free and that no PTE leads to cannot be wrong.
    for pfn in used.or(seen.reached).without(Frames::ZERO).iter() {
        frame(m, cfg, &seen, pfn, &mut found);
    }
    for at in 0..cfg.sizes.slots {
        slot(m, cfg, &seen, Slot(at as u8), &mut found);
    }
    let held = m.holders[..cfg.sizes.holders].iter();
    let held = held.filter_map(|h| h.page.map(|pfn| (pfn, h.hold)));
    let moved = m.ios[..cfg.sizes.ios].iter();
    let moved = moved.filter_map(|io| io.pfn.map(|pfn| (pfn, io.hold)));
    for (pfn, hold) in held.chain(moved) {
        if hold == Hold::Pin {
            pinned(m, cfg, pfn, &mut found);
        }
    }
    found
}

fn page_tables(m: &Machine, cfg: &Config, found: &mut BrokenSet) -> Seen {
    let mut seen = Seen {
        reached: Frames::NONE,
        mapped: [0; MAX_FRAMES],
        writable: [0; MAX_FRAMES],
        migrating: [0; MAX_FRAMES],
        swapped: [0; MAX_SLOTS],
        complete: true,
    };
    for mm in (0..cfg.sizes.mms as u8).map(MmId) {
        if m.mms[mm.at()].ptl {
            seen.complete = false;
            continue;
        }
        for va in (0..cfg.sizes.pages as u8).map(Va) {
            match m.ptes[mm.at()][va.at()] {
                Pte::None | Pte::Marker => {}
                Pte::Present { e } => present(m, cfg, mm, va, e, &mut seen, found),
                Pte::Swap { e } => {
                    seen.swapped[e.slot.at()] += 1;
                    if e.exclusive && m.slots[e.slot.at()].count.0 != 1 {
                        found.insert(Broken::SwpExcl1);
                    }
                }
                Pte::Migration { e } => seen.migrating[e.pfn.at()] += 1,
            }
        }
    }
    seen
}

fn present(
    m: &Machine,
    cfg: &Config,
    mm: MmId,
    va: Va,
    e: Present,
    seen: &mut Seen,
    found: &mut BrokenSet,
) {
    if e.pfn.is_zero() {
        return;
    }
    seen.reached.add(e.pfn);
    seen.mapped[e.pfn.at()] += 1;
    let page = &m.frames[e.pfn.at()];
    if page.kind == PageKind::Anon {
        let here = Home {
            root: m.mms[mm.at()].root,
            index: m.vmas[mm.at()][va.at()].pgoff,
        };
        if page.home != Some(here) {
            found.insert(Broken::AnonRmap);
        }
    }
    if !e.writable() || !page.anon() {
        return;
    }
    seen.writable[e.pfn.at()] += 1;
    if page.ksm() {
        found.insert(Broken::Ksm);
    } else if !page.exclusive && cfg.has(F::AnonExclusive) {
        found.insert(Broken::WExcl);
    }
}

fn frame(m: &Machine, cfg: &Config, seen: &Seen, pfn: Pfn, found: &mut BrokenSet) {
    let page = &m.frames[pfn.at()];
    let mapped = seen.mapped[pfn.at()];
    let mapcount = page.mapcount.0;
    if mapped > mapcount || (seen.complete && mapped != mapcount) {
        found.insert(Broken::PteRef);
    }
    if page.is_free() || page.frozen {
        return;
    }
    if page.refs.0 < explained(page) {
        found.insert(Broken::PteRef);
    }
    if let Some(slot) = page.swap {
        if !page.locked && m.slots[slot.at()].cache != Some(pfn) {
            found.insert(Broken::SwapCache);
        }
    } else if page.writeback {
        found.insert(Broken::CacheLock);
    }
    if !page.anon() {
        return;
    }
    let swapped = page.swap.map_or(0, |slot| seen.swapped[slot.at()]);
    let entries = swapped + seen.migrating[pfn.at()];
    if seen.writable[pfn.at()] > 0 && mapped + entries > 1 {
        found.insert(Broken::WOne);
    }
    if !page.exclusive || !cfg.has(F::AnonExclusive) {
        return;
    }
    if page.ksm() || mapped > 1 || (mapped == 1 && entries > 0) {
        found.insert(Broken::Excl1);
    } else if entries > 0 {
        found.insert(Broken::ExclUnmapped);
    }
}

/// The references that the page's own fields account for. GUP and passers-by hold more.
fn explained(page: &Page) -> u8 {
    page.mapcount.0
        + u8::from(page.swap.is_some())
        + u8::from(page.batch.is_some())
        + u8::from(page.lazy_batch.is_some())
        + u8::from(page.moving.is_some())
}

fn slot(m: &Machine, _cfg: &Config, seen: &Seen, slot: Slot, found: &mut BrokenSet) {
    let s = &m.slots[slot.at()];
    if seen.complete && s.count.0 != seen.swapped[slot.at()] {
        found.insert(Broken::SwapCnt);
    }
    if let Some(pfn) = s.cache {
        let page = &m.frames[pfn.at()];
        let owns = page.swap == Some(slot) && page.anon();
        if !owns && !page.locked && !page.frozen {
            found.insert(Broken::SwapCache);
        }
    }
}

/// A pin that GUP has handed out. (One that GUP-fast is about to take back does not count.)
fn pinned(m: &Machine, cfg: &Config, pfn: Pfn, found: &mut BrokenSet) {
    let page = &m.frames[pfn.at()];
    if !page.anon() || page.exclusive || !cfg.has(F::AnonExclusive) || !cfg.has(F::Unshare) {
        return;
    }
    found.insert(if page.ksm() {
        Broken::Ksm
    } else {
        Broken::PinExcl
    });
}
