//! What somebody outside sees of a state between two turns: what /proc/PID/pagemap tells.

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
            parts.push(format!(
                "{}:{} {word}",
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
        for mm in 0..s.mms {
            for va in 0..s.pages {
                pages.push(self.page(mm, va));
            }
        }
        View {
            pages,
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
