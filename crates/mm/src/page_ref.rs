//! Reference counts and the buddy allocator, as far as anybody can tell: `include/linux/mm.h`, `mm/page_alloc.c`, `mm/gup.c`
//! (`try_grab_folio`, `gup_put_folio`).
//!
//! The count that the kernel compares is [`Kernel::refcount`]: plain references plus 1024 a pin (5.7), so that
//! [`Kernel::maybe_dma_pinned`] can be told from it.

use crate::feature::Feature as F;
use crate::frames::Frames;
use crate::ids::*;
use crate::kernel::Kernel;
use crate::machine::Hold;
use crate::page::{GUP_PIN_COUNTING_BIAS, Home, Page, PageKind};
use crate::task::Call;
use crate::touch::Touch;
use crate::world::Broken;

impl Kernel<'_> {
    /// `folio_ref_count`.
    pub fn refcount(&mut self, pfn: Pfn) -> u32 {
        let page = *self.page(pfn);
        let bias = if page.pins.0 > 0 && self.has(F::PinBias) {
            GUP_PIN_COUNTING_BIAS
        } else {
            1
        };
        if page.frozen {
            0
        } else {
            u32::from(page.refs.0) + u32::from(page.pins.0) * bias
        }
    }

    /// `folio_maybe_dma_pinned`: never wrong while a pin is held.
    pub fn maybe_dma_pinned(&mut self, pfn: Pfn) -> bool {
        self.page(pfn).pins.0 > 0 && self.has(F::PinBias)
    }

    /// Did this mm ever pin (`has_pinned`, 5.9)? A kernel that does not remember has to assume so.
    pub fn has_pinned(&mut self, mm: MmId) -> bool {
        self.tables(mm).has_pinned || !self.has(F::HasPinned)
    }

    /// `folio_get`: one more plain reference to a page that is known to be referenced.
    pub fn get_page(&mut self, pfn: Pfn) {
        let page = self.page_mut(pfn);
        if page.kind != PageKind::Zero {
            page.refs.0 += 1;
        }
    }

    /// `folio_put`: frees the page when the last reference goes.
    pub fn put_page(&mut self, pfn: Pfn) {
        if self.page(pfn).kind == PageKind::Zero {
            return;
        }
        if self.page(pfn).refs.0 == 0 {
            self.broken(Broken::RefUnderflow);
            return;
        }
        self.page_mut(pfn).refs.0 -= 1;
        self.free_if_unreferenced(pfn);
    }

    /// `try_get_folio` and `try_grab_folio`: a speculative reference; fails if the count is 0, frozen or freed.
    pub fn try_grab(&mut self, pfn: Pfn, hold: Hold) -> bool {
        let page = *self.page(pfn);
        if page.kind == PageKind::Zero {
            return true;
        }
        if page.frozen || page.is_free() {
            return false;
        }
        match hold {
            Hold::Get => self.page_mut(pfn).refs.0 += 1,
            Hold::Pin => self.page_mut(pfn).pins.0 += 1,
            Hold::Borrowed => {}
        }
        true
    }

    /// `put_page` or `unpin_user_page`.
    pub fn release(&mut self, pfn: Pfn, hold: Hold) {
        match hold {
            Hold::Get => self.put_page(pfn),
            Hold::Pin => {
                if self.page(pfn).kind == PageKind::Zero {
                    return;
                }
                if self.page(pfn).pins.0 == 0 {
                    self.broken(Broken::RefUnderflow);
                    return;
                }
                self.page_mut(pfn).pins.0 -= 1;
                self.free_if_unreferenced(pfn);
            }
            Hold::Borrowed => {}
        }
    }

    fn free_if_unreferenced(&mut self, pfn: Pfn) {
        let page = *self.page(pfn);
        if page.refs.0 == 0 && page.pins.0 == 0 && !page.frozen {
            self.free_page(pfn);
        }
    }

    /// `free_unref_page`: back to the buddy allocator, after what `free_page_is_bad` checks. What the frame held stays in it.
    pub fn free_page(&mut self, pfn: Pfn) {
        let page = *self.page(pfn);
        if page.mapcount.0 > 0 {
            self.broken(Broken::PteRef);
        }
        if page.swap.is_some() || page.locked || page.writeback {
            self.broken(Broken::FreedInUse);
        }
        if self.writable_in_a_tlb(pfn) {
            self.broken(Broken::FlushIo);
        }
        if let Some(slot) = page.swap {
            self.slot_mut(slot).cache = None;
        }
        self.machine_mut(Touch::FREE_FRAMES | Touch::data(pfn));
        *self.page_mut(pfn) = Page::FREE;
    }

    /// `vma_alloc_folio`: a page with one reference, for the page at `home` (none: for the swap cache). None: out of memory.
    ///
    /// Which free frame is taken makes no difference, unless somebody can still reach it: a stale translation, a PTE, a GUP-fast that has
    /// read a PTE and not taken its reference yet.
    pub fn alloc_page(&mut self, home: Option<Home>) -> Option<Pfn> {
        if self.fails(self.cfg.fails.oom) {
            return None;
        }
        let frames = self.cfg.sizes.frames;
        let m = self.machine_mut(Touch::FREE_FRAMES);
        let reachable = m.reachable();
        let mut fresh = None;
        let mut stale = [Pfn::ZERO; MAX_FRAMES];
        let mut stales = 0;
        for pfn in Pfn::all(frames).filter(|pfn| m.frames[pfn.at()].is_free()) {
            if reachable.has(pfn) {
                stale[stales] = pfn;
                stales += 1;
            } else if fresh.is_none() {
                fresh = Some(pfn);
            }
        }
        let ways = stales + usize::from(fresh.is_some());
        if ways == 0 {
            return None;
        }
        let pick = self.choose(ways as u8) as usize;
        let pfn = if pick < stales { stale[pick] } else { fresh? };
        let reached = if stales > 0 {
            Touch::TLBS | Touch::PTES | Touch::TASKS
        } else {
            0
        };
        self.machine(reached);
        self.machine_mut(Touch::data(pfn));
        *self.page_mut(pfn) = Page {
            kind: PageKind::Anon,
            refs: Count(1),
            swapbacked: true,
            uptodate: true,
            home,
            ..Page::FREE
        };
        Some(pfn)
    }

    /// Where an anonymous page for `va` of `mm` belongs.
    pub fn home(&mut self, mm: MmId, va: Va) -> Option<Home> {
        Some(Home {
            root: self.mm(mm).root,
            index: self.vma(mm, va).pgoff,
        })
    }

    /// `folio_trylock`. Somebody outside the test may hold the lock, if the test says so.
    pub fn trylock(&mut self, pfn: Pfn) -> bool {
        if self.page(pfn).locked || self.fails(self.cfg.fails.trylock) {
            return false;
        }
        self.page_mut(pfn).locked = true;
        true
    }

    /// `folio_lock`, once it is free.
    pub fn lock_page(&mut self, pfn: Pfn) {
        debug_assert!(!self.page(pfn).locked, "folio lock taken twice");
        self.page_mut(pfn).locked = true;
    }

    /// `folio_unlock`.
    pub fn unlock_page(&mut self, pfn: Pfn) {
        debug_assert!(self.page(pfn).locked, "folio lock dropped twice");
        self.page_mut(pfn).locked = false;
    }
}

impl crate::machine::Machine {
    /// The frames that a translation or a PTE can reach, if only a stale one, or a GUP-fast that has yet to take its reference.
    fn reachable(&self) -> Frames {
        let translated = self.tlbs.iter().flatten().flatten().map(|entry| entry.pfn);
        let mapped = self
            .ptes
            .iter()
            .flatten()
            .filter_map(|pte| pte.normal_page());
        let speculated = self.tasks.iter().filter_map(|task| match task.call {
            Call::GupFast { p } => p.speculates(),
            _ => None,
        });
        let mut frames = Frames::NONE;
        translated
            .chain(mapped)
            .chain(speculated)
            .for_each(|pfn| frames.add(pfn));
        frames
    }
}
