//! What is seen between two turns: every variable of every process, and who waits or was killed.

use std::sync::atomic::Ordering;

use cowherd_litmus::ast::PageId;
use cowherd_model::predict::{Frame, Page, Told, View};

use super::directed::Run;
use super::look::{self, Entry};
use super::world::address;

impl Run<'_> {
    /// Looks at every variable.
    pub(super) fn look(&mut self) -> View {
        let (mut pages, mut told) = (Vec::new(), Vec::new());
        for process in 0..self.test.processes.len() {
            for page in 0..self.test.pages.len() {
                let key = (process, page);
                let entry = self.entry(process, page);
                told.push(self.told(process, page, entry));
                pages.push(match entry {
                    None => Page::Gone,
                    Some(Entry::None) => {
                        self.start.remove(&key);
                        Page::None
                    }
                    Some(Entry::Swapped) => {
                        self.start.remove(&key);
                        Page::Swapped
                    }
                    Some(Entry::Present { frame: 0 }) => Page::Present(Frame::Fresh),
                    Some(Entry::Present { frame }) => {
                        Page::Present(match self.last.insert(key, frame) {
                            None => Frame::First,
                            Some(last) if last == frame => Frame::Same,
                            Some(_) => Frame::Other,
                        })
                    }
                });
            }
        }
        let killed = (0..self.test.threads.len())
            .filter(|&t| {
                self.world.board.get().threads[t]
                    .life
                    .load(Ordering::SeqCst)
                    == 2
            })
            .fold(0, |bits, t| bits | 1 << t);
        View {
            pages,
            told,
            waiting: self.issued & !killed,
            killed,
        }
    }

    /// What else can be told of a variable where there is this.
    fn told(&self, process: usize, page: usize, entry: Option<Entry>) -> Told {
        let frame = match entry {
            Some(Entry::Present { frame }) => Some(frame).filter(|&frame| frame != 0),
            Some(Entry::Swapped) => None,
            None | Some(Entry::None) => return Told::default(),
        };
        let pid = self.pid(process);
        let cached = |frame| Some(look::flags(frame)? & look::flag::SWAPCACHE != 0);
        Told {
            merged: frame.and_then(look::merged),
            cached: frame.and_then(cached),
            protected: pid.and_then(|pid| look::protected(pid, address(PageId(page as u8)))),
        }
    }
}
