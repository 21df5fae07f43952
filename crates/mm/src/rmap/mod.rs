//! Reverse mappings: `mm/rmap.c`.

pub mod try_to_unmap;

use crate::feature::Feature as F;
use crate::ids::*;
use crate::kernel::Kernel;
use crate::page::{Home, PageKind};
use crate::touch::Touch;
use crate::world::Broken;

/// Is the page that is being mapped known to be exclusive? `RMAP_EXCLUSIVE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rmap {
    /// `RMAP_NONE`: leaves PG_anon_exclusive as it is.
    None,
    /// `RMAP_EXCLUSIVE`.
    Exclusive,
}

impl Kernel<'_> {
    /// `anon_vma_prepare`: before the first anonymous page of a VMA. mmap_lock is held, for read at least.
    pub fn anon_vma_prepare(&mut self, mm: MmId, va: Va) {
        if !self.vma(mm, va).anon_vma {
            self.vma_mut(mm, va).anon_vma = true;
        }
    }

    /// `folio_add_anon_rmap_pte`, `folio_add_new_anon_rmap`: one more mapping; the reference is the caller's.
    pub fn add_anon_rmap(&mut self, pfn: Pfn, rmap: Rmap) {
        let exclusive = rmap == Rmap::Exclusive && self.has(F::AnonExclusive);
        let page = self.page_mut(pfn);
        page.mapcount.0 += 1;
        if exclusive {
            page.exclusive = true;
        }
    }

    /// `folio_remove_rmap_pte` of any page but the zero page.
    pub fn remove_rmap(&mut self, pfn: Pfn) {
        if self.page(pfn).kind == PageKind::Zero {
            return;
        }
        if self.page(pfn).mapcount.0 == 0 {
            self.broken(Broken::PteRef);
            return;
        }
        self.page_mut(pfn).mapcount.0 -= 1;
    }

    /// `PageAnonExclusive`.
    pub fn anon_exclusive(&mut self, pfn: Pfn) -> bool {
        self.page(pfn).exclusive && self.has(F::AnonExclusive)
    }

    /// The pages of all processes at which the reverse mapping would look for `pfn`, in the order of the walk.
    ///
    /// An anonymous page may be mapped in any process of the family at the address with its index; a KSM page anywhere.
    pub fn rmap_sites(&mut self, pfn: Pfn) -> impl Iterator<Item = (MmId, Va)> + use<> {
        let sizes = self.cfg.sizes;
        let m = self.machine(Touch::page(pfn) | Touch::MMS | Touch::VMAS);
        let page = m.frames[pfn.at()];
        let mut sites = [None; MAX_MMS * MAX_PAGES];
        for mm in (0..sizes.mms as u8)
            .map(MmId)
            .filter(|mm| m.mms[mm.at()].alive)
        {
            for va in (0..sizes.pages as u8).map(Va) {
                let here = m.vmas[mm.at()][va.at()].mapped
                    && match page.kind {
                        PageKind::Ksm => true,
                        PageKind::Anon => {
                            page.home
                                == Some(Home {
                                    root: m.mms[mm.at()].root,
                                    index: m.vmas[mm.at()][va.at()].pgoff,
                                })
                        }
                        _ => false,
                    };
                sites[mm.at() * MAX_PAGES + va.at()] = here.then_some((mm, va));
            }
        }
        sites.into_iter().flatten()
    }

    /// The first mapping of `pfn` by a present PTE at or after `from` in the order of the walk.
    pub fn next_mapping(&mut self, pfn: Pfn, from: usize) -> Option<(MmId, Va)> {
        let sites = self.rmap_sites(pfn);
        sites
            .filter(|(mm, va)| mm.at() * MAX_PAGES + va.at() >= from)
            .find(|&(mm, va)| self.pte(mm, va).normal_page() == Some(pfn))
    }
}
