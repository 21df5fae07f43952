//! What somebody outside sees of a state between two turns: what /proc/PID/pagemap and /proc/kpageflags tell.

use cowherd_mm::pgtable::Pte;
use cowherd_mm::*;
use serde::{Deserialize, Serialize};

use super::belief::Node;
use crate::program::Program;

/// What is seen between two turns.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct View {
    /// Every variable of every process, in this order.
    pub pages: Vec<Page>,
    /// What else is seen of them, in the same order.
    pub told: Vec<Told>,
    /// Tasks that were let go and wait, one bit each.
    pub waiting: u8,
    /// Tasks that a fault has killed, one bit each.
    pub killed: u8,
}

/// What is seen of a variable in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Page {
    /// There is no such process, or no such mapping in it.
    Gone,
    /// No PTE.
    None,
    /// A swap entry; a migration entry looks the same.
    Swapped,
    /// Present, in this frame.
    Present(Frame),
    /// A marker: releases differ in what they show.
    Unclear,
}

/// What else is seen of a variable in a process. None: it cannot be told, or there is nothing that it could be told of.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Told {
    /// Is what is present a KSM page?
    pub merged: Option<bool>,
    /// Is what is present in the swap cache?
    pub cached: Option<bool>,
    /// Is it write-protected by userfaultfd? A swap entry remembers it.
    pub protected: Option<bool>,
}

/// How a frame compares with the last one that was seen mapped there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Frame {
    /// The first that was seen there.
    First,
    /// The same frame.
    Same,
    /// Another one, and the old one is still in use.
    Other,
    /// The old one was freed meanwhile; a real machine may have handed out the same again.
    Fresh,
}

impl Page {
    /// May a real machine that shows `seen` be in a state that shows this?
    pub fn agrees(self, seen: Page) -> bool {
        use Frame::*;
        match (self, seen) {
            (Page::Unclear, _) | (_, Page::Unclear) => true,
            (Page::Present(Fresh), Page::Present(_)) | (Page::Present(_), Page::Present(Fresh)) => {
                true
            }
            (a, b) => a == b,
        }
    }
}

impl Told {
    /// May a real machine that shows `seen` be in a state that shows this?
    fn agrees(self, seen: Told) -> bool {
        let differ = |a: Option<bool>, b: Option<bool>| a.zip(b).is_some_and(|(a, b)| a != b);
        !differ(self.merged, seen.merged)
            && !differ(self.cached, seen.cached)
            && !differ(self.protected, seen.protected)
    }

    /// For people, after what the page is.
    fn words(self) -> impl Iterator<Item = &'static str> {
        let words = [
            (self.merged, ", merged"),
            (self.cached, ", in the swap cache"),
            (self.protected, ", write-protected"),
        ];
        words
            .into_iter()
            .filter(|(is, _)| *is == Some(true))
            .map(|(_, word)| word)
    }
}

impl View {
    /// May a real machine that shows `seen` be in a state that shows this?
    pub fn agrees(&self, seen: &View) -> bool {
        self.waiting == seen.waiting
            && self.killed == seen.killed
            && self
                .pages
                .iter()
                .zip(&seen.pages)
                .all(|(a, b)| a.agrees(*b))
            && self.told.iter().zip(&seen.told).all(|(a, b)| a.agrees(*b))
    }

    /// For people, as `A:x same frame; B:x swapped; P0 waits`.
    pub fn text(&self, program: &Program) -> String {
        let names = &program.names;
        let mut parts = Vec::new();
        for (n, page) in self.pages.iter().enumerate() {
            let (mm, va) = (n / names.pages.len(), n % names.pages.len());
            let word = match page {
                Page::Gone | Page::Unclear => continue,
                Page::None => "none",
                Page::Swapped => "swapped",
                Page::Present(Frame::First) => "present",
                Page::Present(Frame::Same) => "present, same frame",
                Page::Present(Frame::Other) => "present, another frame",
                Page::Present(Frame::Fresh) => "present, a new frame",
            };
            let more: String = self
                .told
                .get(n)
                .into_iter()
                .flat_map(|t| t.words())
                .collect();
            parts.push(format!(
                "{}:{} {word}{more}",
                names.processes[mm], names.pages[va]
            ));
        }
        for (task, program) in program.tasks.iter().enumerate() {
            if self.waiting >> task & 1 == 1 {
                parts.push(format!("{} waits", program.name));
            }
            if self.killed >> task & 1 == 1 {
                parts.push(format!("{} was killed", program.name));
            }
        }
        parts.join("; ")
    }
}

impl Node {
    /// What is seen of this state.
    pub(super) fn view(&self, p: &Program) -> View {
        let s = &p.cfg.sizes;
        let mut pages = Vec::with_capacity(s.mms * s.pages);
        let mut told = Vec::with_capacity(s.mms * s.pages);
        for mm in 0..s.mms {
            for va in 0..s.pages {
                pages.push(self.page(mm, va));
                told.push(self.told(mm, va));
            }
        }
        View {
            pages,
            told,
            waiting: self.issued,
            killed: self.state.killed,
        }
    }

    fn page(&self, mm: usize, va: usize) -> Page {
        let m = &self.state.m;
        if !m.mms[mm].alive || !m.vmas[mm][va].mapped {
            return Page::Gone;
        }
        match m.ptes[mm][va] {
            Pte::None => Page::None,
            Pte::Marker => Page::Unclear,
            Pte::Swap { .. } | Pte::Migration { .. } => Page::Swapped,
            Pte::Present { e } => Page::Present(match self.last[mm][va] {
                Last::Never => Frame::First,
                Last::Frame(pfn) if pfn == e.pfn => Frame::Same,
                Last::Frame(_) => Frame::Other,
                Last::Freed => Frame::Fresh,
            }),
        }
    }

    fn told(&self, mm: usize, va: usize) -> Told {
        let m = &self.state.m;
        if !m.mms[mm].alive || !m.vmas[mm][va].mapped {
            return Told::default();
        }
        let entry = |uffd_wp| Told {
            protected: Some(uffd_wp),
            ..Told::default()
        };
        match m.ptes[mm][va] {
            Pte::None | Pte::Marker => Told::default(),
            Pte::Swap { e } => entry(e.uffd_wp),
            Pte::Migration { e } => entry(e.uffd_wp),
            Pte::Present { e } => {
                let page = &m.frames[e.pfn.at()];
                Told {
                    merged: Some(page.ksm()),
                    cached: Some(page.swap.is_some()),
                    protected: Some(e.uffd_wp),
                }
            }
        }
    }

    /// Remembers what is mapped now. Frames are compared with what was mapped when last looked.
    pub(super) fn remember(&mut self, p: &Program) {
        let s = &p.cfg.sizes;
        for mm in 0..s.mms {
            for va in 0..s.pages {
                if let Some(e) = self.state.m.ptes[mm][va].present() {
                    self.last[mm][va] = Last::Frame(e.pfn);
                }
            }
        }
    }

    /// Frames that were freed are no longer anybody's.
    pub(super) fn forget_freed(&mut self) {
        for last in self.last.iter_mut().flatten() {
            if let Last::Frame(pfn) = *last
                && self.state.m.frames[pfn.at()].is_free()
            {
                *last = Last::Freed;
            }
        }
    }
}

/// The frame that was last seen mapped at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Last {
    /// None was.
    Never,
    /// This one, in use ever since.
    Frame(Pfn),
    /// One that was freed since.
    Freed,
}
