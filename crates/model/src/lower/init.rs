//! The initial states.

use cowherd_litmus::ast::{Attributes, Contents, Heat, PageInit, Test, UffdMode};
use cowherd_mm::machine::TlbEntry;
use cowherd_mm::page::{Home, Page, PageKind};
use cowherd_mm::pgtable::{Present, Pte, SwapPte};
use cowherd_mm::*;

use super::{Refused, refuse};
use crate::program::Program;
use crate::state::State;

/// Values as the cells of a page.
pub(super) fn cells(values: &[u8]) -> [u8; MAX_CELLS] {
    core::array::from_fn(|n| values.get(n).copied().unwrap_or(0))
}

/// Every initial state: one, unless what TLBs hold is left open.
pub(super) fn states(test: &Test, p: &Program) -> Result<Vec<State>, Refused> {
    let mut b = Builder {
        test,
        p,
        state: State::new(),
        next_frame: 1,
        next_slot: 0,
        files: vec![None; test.files.len()],
    };
    b.processes();
    // Page-cache pages first: VMAs name them, and packing keeps the names of the first frames.
    for page in &test.pages {
        if let Contents::File { file, .. } = page.contents {
            b.file_page(file.index(), page)?;
        }
    }
    for (n, page) in test.pages.iter().enumerate() {
        b.page(Va(n as u8), page)?;
    }
    for (n, values) in p.files.iter().enumerate() {
        b.state.files[n] = *values;
    }
    for mm in 0..MAX_MMS {
        for va in 0..MAX_PAGES {
            let m = &b.state.m;
            // A page that is swapped out, but cached, still has its frame.
            let cached = m.ptes[mm][va]
                .swap()
                .and_then(|e| m.slots[e.slot.at()].cache);
            b.state.start[mm][va] = m.ptes[mm][va].normal_page().or(cached);
        }
    }
    b.anon_vmas();
    Ok(heat(test, p, b.state))
}

/// How many files have a page in the page cache: those that are mapped.
pub(super) fn mapped_files(test: &Test) -> usize {
    let mapped = |n: usize| {
        test.pages
            .iter()
            .any(|page| matches!(page.contents, Contents::File { file, .. } if file.index() == n))
    };
    (0..test.files.len()).filter(|&n| mapped(n)).count()
}

struct Builder<'a> {
    test: &'a Test,
    p: &'a Program,
    state: State,
    next_frame: FrameNo,
    next_slot: u8,
    /// The page-cache page of each file.
    files: Vec<Option<Pfn>>,
}

impl Builder<'_> {
    fn processes(&mut self) {
        for (n, process) in self.test.processes.iter().enumerate() {
            let mut root = n;
            let mut at = process;
            while let Some(parent) = at.parent {
                root = parent.index();
                at = &self.test.processes[root];
            }
            let mm = &mut self.state.m.mms[n];
            mm.root = MmId(root as u8);
            mm.alive = process.from_start;
        }
    }

    /// Where there is an anonymous page, there is an anon_vma. Elsewhere there need not be one, and there is none.
    fn anon_vmas(&mut self) {
        let m = &mut self.state.m;
        for (vma, pte) in m.vmas.iter_mut().flatten().zip(m.ptes.iter().flatten()) {
            let page = pte.normal_page().map(|pfn| &m.frames[pfn.at()]);
            vma.anon_vma = pte.swap().is_some() || page.is_some_and(Page::anon);
        }
    }

    fn frame(&mut self, page: Page, values: &[u8], init: &PageInit) -> Result<Pfn, Refused> {
        if self.next_frame as usize >= self.p.cfg.sizes.frames {
            return refuse(init.span, "there are not frames enough for the variables");
        }
        let pfn = Pfn(self.next_frame);
        self.next_frame += 1;
        self.state.m.frames[pfn.at()] = page;
        self.state.frames[pfn.at()] = cells(values);
        Ok(pfn)
    }

    fn page(&mut self, va: Va, init: &PageInit) -> Result<(), Refused> {
        let a = &init.attributes;
        let file = match init.contents {
            Contents::File { file, .. } => Some(self.file_page(file.index(), init)?),
            _ => None,
        };
        for process in &init.processes {
            let vma = &mut self.state.m.vmas[process.index()][va.at()];
            vma.mapped = true;
            vma.read = true;
            vma.write = !a.readonly;
            vma.file = file;
            vma.soft_dirty = !a.tracked;
            vma.mergeable = true;
            if let Some(uffd) = a.uffd {
                vma.uffd_wp = uffd.mode == UffdMode::Wp;
                vma.uffd_rwp = uffd.mode == UffdMode::Rwp;
                vma.uffd_missing = uffd.mode == UffdMode::Missing;
                vma.uffd_minor = uffd.mode == UffdMode::Minor;
            }
        }
        let mappers: Vec<usize> = std::iter::once(init.owner.index())
            .chain(a.shared.iter().map(|p| p.index()))
            .collect();
        match &init.contents {
            Contents::Untouched => {}
            Contents::Zero => {
                for &mm in &mappers {
                    self.state.m.ptes[mm][va.at()] = Pte::of(Pfn::ZERO).pte();
                }
            }
            Contents::File { mapped, .. } => {
                if let (true, Some(pfn)) = (*mapped, file) {
                    for &mm in &mappers {
                        let dirty = a.dirty;
                        self.state.m.ptes[mm][va.at()] = Present {
                            dirty,
                            ..Pte::of(pfn)
                        }
                        .pte();
                        let page = &mut self.state.m.frames[pfn.at()];
                        page.refs.0 += 1;
                        page.mapcount.0 += 1;
                    }
                }
            }
            Contents::Values(values) => self.anonymous(va, init, values, &mappers)?,
        }
        Ok(())
    }

    fn file_page(&mut self, file: usize, init: &PageInit) -> Result<Pfn, Refused> {
        if let Some(pfn) = self.files[file] {
            return Ok(pfn);
        }
        let page = Page {
            kind: PageKind::File,
            refs: Count(1),
            uptodate: true,
            ..Page::FREE
        };
        let values = self.test.files[file].values.clone();
        let pfn = self.frame(page, &values, init)?;
        self.files[file] = Some(pfn);
        Ok(pfn)
    }

    fn anonymous(
        &mut self,
        va: Va,
        init: &PageInit,
        values: &[u8],
        mappers: &[usize],
    ) -> Result<(), Refused> {
        let a = &init.attributes;
        if let Some(with) = a
            .ksm
            .as_ref()
            .and_then(|k| k.with.iter().map(|p| p.index()).find(|&p| p < va.at()))
        {
            // The other variable came first and has made the page.
            return self.join_ksm(va, with, mappers);
        }
        let exclusive = mappers.len() == 1 && !a.nonexclusive && a.ksm.is_none();
        let flag = exclusive && self.p.cfg.has(Feature::AnonExclusive);
        let home = Some(Home {
            root: self.state.m.mms[mappers[0]].root,
            index: va,
        });
        let mut page = Page {
            kind: if a.ksm.is_some() {
                PageKind::Ksm
            } else {
                PageKind::Anon
            },
            uptodate: true,
            swapbacked: !a.lazy,
            dirty: a.ksm.is_some(),
            home,
            ..Page::FREE
        };
        if let Some(thread) = a.batch {
            page.batch = Some(Cpu(thread.0));
            page.refs.0 += 1;
        } else {
            page.lru = true;
        }
        let slot = if a.swapped || a.cached {
            Some(self.slot(init, values)?)
        } else {
            None
        };
        if a.swapped {
            let slot = slot.expect("a swapped page has a slot");
            for &mm in mappers {
                let e = SwapPte {
                    slot,
                    exclusive: flag && self.p.cfg.has(Feature::SwpExclusive),
                    soft_dirty: !a.tracked,
                    uffd_wp: a.uffd.is_some_and(|u| u.protected),
                };
                self.state.m.ptes[mm][va.at()] = Pte::Swap { e };
                self.state.m.slots[slot.at()].count.0 += 1;
            }
            if !a.cached {
                return Ok(());
            }
        } else {
            page.refs.0 += mappers.len() as u8;
            page.mapcount.0 += mappers.len() as u8;
            page.exclusive = flag;
        }
        if let Some(slot) = slot {
            page.swap = Some(slot);
            page.refs.0 += 1;
            page.writeback = a.writeback;
        }
        if a.crowded {
            // What so many references look like: a pin, and nobody's.
            page.pins.0 = 1;
        }
        let pfn = self.frame(page, values, init)?;
        if let Some(slot) = slot {
            let s = &mut self.state.m.slots[slot.at()];
            s.cache = Some(pfn);
            if a.writeback {
                s.writing = Cells::first(self.p.cfg.sizes.cells);
            }
        }
        if !a.swapped {
            for &mm in mappers {
                self.state.m.ptes[mm][va.at()] = present(pfn, a, exclusive).pte();
            }
        }
        Ok(())
    }

    fn join_ksm(&mut self, va: Va, with: usize, mappers: &[usize]) -> Result<(), Refused> {
        let owner = self.test.pages[with].owner.index();
        let pte = self.state.m.ptes[owner][with];
        if let Some(pfn) = pte.normal_page() {
            for &mm in mappers {
                self.state.m.ptes[mm][va.at()] = pte;
                let page = &mut self.state.m.frames[pfn.at()];
                page.refs.0 += 1;
                page.mapcount.0 += 1;
            }
        }
        Ok(())
    }

    fn slot(&mut self, init: &PageInit, values: &[u8]) -> Result<Slot, Refused> {
        if self.next_slot as usize >= self.p.cfg.sizes.slots {
            return refuse(
                init.span,
                "there are not swap slots enough for the variables",
            );
        }
        let slot = Slot(self.next_slot);
        self.next_slot += 1;
        self.state.slots[slot.at()] = cells(values);
        Ok(slot)
    }
}

/// The PTE that a touched page has at the start.
fn present(pfn: Pfn, a: &Attributes, exclusive: bool) -> Present {
    let protected = a.uffd.is_some_and(|u| u.protected);
    let unreadable = protected && a.uffd.is_some_and(|u| u.mode == UffdMode::Rwp);
    let readonly = a.readonly || a.wrprotected || a.tracked || protected || !exclusive;
    Present {
        write: !readonly && !a.protnone,
        dirty: a.dirty,
        soft_dirty: !a.tracked,
        uffd_wp: protected,
        protnone: a.protnone || unreadable,
        saved_write: a.protnone && !readonly,
        ..Pte::of(pfn)
    }
}

/// What TLBs hold: later declarations win; `any` doubles the states.
fn heat(test: &Test, p: &Program, base: State) -> Vec<State> {
    let mut states = vec![base];
    for (cpu, task) in p.tasks.iter().enumerate() {
        let Some(mm) = task.mm.filter(|mm| states[0].m.mms[mm.at()].alive) else {
            continue;
        };
        for va in 0..p.cfg.sizes.pages {
            let Some(e) = states[0].m.ptes[mm.at()][va]
                .present()
                .filter(|e| !e.protnone)
            else {
                continue;
            };
            let meant = |tlb: &&cowherd_litmus::ast::Tlb| {
                tlb.thread.is_none_or(|t| t.index() == cpu)
                    && (tlb.pages.is_empty() || tlb.pages.iter().any(|page| page.index() == va))
            };
            let heat = test
                .tlb
                .iter()
                .rev()
                .find(meant)
                .map_or(Heat::Cold, |tlb| tlb.heat);
            let entry = Some(TlbEntry {
                pfn: e.pfn,
                write: e.write,
                dirty: e.dirty,
            });
            match heat {
                Heat::Cold => {}
                Heat::Hot => states.iter_mut().for_each(|s| s.m.tlbs[cpu][va] = entry),
                Heat::Any => {
                    let mut hot = states.clone();
                    hot.iter_mut().for_each(|s| s.m.tlbs[cpu][va] = entry);
                    states.extend(hot);
                }
            }
        }
    }
    states
}
