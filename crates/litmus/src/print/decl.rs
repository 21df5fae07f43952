//! Declarations as text.

use std::fmt;

use super::Shown;
use crate::ast::{
    Attributes, Contents, File, FileSystem, Heat, PageInit, ProcessId, Swap, SwapDevice, Test, Tlb,
    family,
};

impl Test {
    /// `{ ... }`, where there is something in it.
    pub(super) fn init(&self, out: &mut String) {
        let mut decls: Vec<String> = Vec::new();
        for process in self
            .processes
            .iter()
            .skip(1)
            .filter(|process| process.from_start)
        {
            decls.push(match process.parent {
                Some(parent) => {
                    format!(
                        "process {} = fork({})",
                        process.name,
                        self.processes[parent.index()].name
                    )
                }
                None => format!("process {}", process.name),
            });
        }
        decls.extend(self.pages.iter().map(|page| self.show(page).to_string()));
        decls.extend(self.files.iter().map(|file| file.to_string()));
        decls.extend(self.pipes.iter().map(|pipe| format!("pipe {}", pipe.name)));
        if self.swap != Swap::default() {
            decls.push(self.swap.to_string());
        }
        decls.extend(self.tlb.iter().map(|tlb| self.show(tlb).to_string()));
        if !self.failures.is_empty() {
            let words: Vec<&str> = self.failures.iter().map(|failure| failure.word()).collect();
            decls.push(format!("fail {}", words.join(", ")));
        }
        decls.extend(self.frames.map(|frames| format!("frames {frames}")));
        if !decls.is_empty() {
            out.push_str(&format!("{{\n{};\n}}\n\n", decls.join(";\n")));
        }
    }
}

fn values(values: &[u8]) -> String {
    let values: Vec<String> = values.iter().map(u8::to_string).collect();
    format!("{{ {} }}", values.join(", "))
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file {}", self.name)?;
        if self.on != FileSystem::Block {
            write!(f, " on {}", self.on)?;
        }
        write!(f, " = {}", values(&self.values))
    }
}

impl fmt::Display for Swap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let device = match self.device {
            SwapDevice::Async => "async",
            SwapDevice::Sync => "sync",
            SwapDevice::None => return f.write_str("swap none"),
        };
        let stable = if self.stable { " stable" } else { "" };
        let half_full = if self.half_full { " half_full" } else { "" };
        write!(f, "swap {device}{stable}{half_full}")?;
        if self.slots != crate::limits::DEFAULT_SLOTS {
            write!(f, " slots {}", self.slots)?;
        }
        Ok(())
    }
}

impl fmt::Display for Shown<'_, Tlb> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.item.heat {
            Heat::Hot => "tlb hot",
            Heat::Cold => "tlb cold",
            Heat::Any => "tlb any",
        })?;
        if let Some(thread) = self.item.thread {
            write!(f, " {}", self.test.thread_name(thread))?;
        }
        let pages: Vec<&str> = self
            .item
            .pages
            .iter()
            .map(|page| self.page(*page))
            .collect();
        if !pages.is_empty() {
            write!(f, ": {}", pages.join(", "))?;
        }
        Ok(())
    }
}

impl Shown<'_, PageInit> {
    fn names(&self, processes: impl Iterator<Item = ProcessId>) -> Vec<&str> {
        processes.map(|process| self.process(process)).collect()
    }

    /// `in A`, `shared(A, B)`: where the page is.
    fn whereabouts(&self, out: &mut Vec<String>) {
        let PageInit {
            owner,
            processes,
            attributes,
            ..
        } = self.item;
        let sharers: Vec<ProcessId> = attributes.shared.clone();
        let first_sharer = if sharers.is_empty() {
            ProcessId(0)
        } else {
            *owner
        };
        if *owner != first_sharer || *processes != family(&self.test.processes, *owner) {
            let others = processes.iter().copied().filter(|process| process != owner);
            let all = std::iter::once(*owner).chain(others);
            out.extend(self.names(all).iter().map(|name| format!("in {name}")));
        }
        if !sharers.is_empty() {
            let all = std::iter::once(*owner).chain(sharers);
            out.push(format!("shared({})", self.names(all).join(", ")));
        }
    }

    /// `ksm`, or `ksm with` the first variable of the group.
    fn ksm(&self) -> Option<String> {
        let ksm = self.item.attributes.ksm.as_ref()?;
        let this = self
            .test
            .pages
            .iter()
            .position(|page| page.name == self.item.name)?;
        let first = ksm.with.first().filter(|first| first.index() < this);
        Some(first.map_or("ksm".to_owned(), |first| {
            format!("ksm with {}", self.page(*first))
        }))
    }

    fn attributes(&self) -> Vec<String> {
        let Attributes {
            dirty,
            readonly,
            wrprotected,
            nonexclusive,
            batch,
            swapped,
            cached,
            writeback,
            shared: _,
            ksm: _,
            lazy,
            protnone,
            tracked,
            crowded,
            uffd,
        } = &self.item.attributes;
        let mut words: Vec<String> = Vec::new();
        let mut flag = |word: &str, is: bool| words.extend(is.then(|| word.to_owned()));
        flag("zero", self.item.contents == Contents::Zero);
        flag(
            "mapped",
            matches!(self.item.contents, Contents::File { mapped: true, .. }),
        );
        let by_default = self.item.attributes.dirty_by_default(&self.item.contents);
        flag("clean", !*dirty && by_default);
        flag("dirty", *dirty && !by_default);
        flag("readonly", *readonly);
        flag("wrprotected", *wrprotected);
        flag("nonexclusive", *nonexclusive);
        flag("swapped", *swapped);
        flag("cached", *cached);
        flag("writeback", *writeback);
        flag("lazy", *lazy);
        flag("protnone", *protnone);
        flag("tracked", *tracked);
        flag("crowded", *crowded);
        words.extend(batch.map(|thread| format!("batch({})", self.test.thread_name(thread))));
        words.extend(uffd.map(|uffd| {
            let protected = if uffd.protected { ", protected" } else { "" };
            format!("uffd({}{protected})", uffd.mode)
        }));
        words.extend(self.ksm());
        self.whereabouts(&mut words);
        words
    }
}

impl fmt::Display for Shown<'_, PageInit> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PageInit {
            name,
            cells,
            contents,
            ..
        } = self.item;
        let name = if *cells == 1 {
            name.clone()
        } else {
            format!("{name}[{cells}]")
        };
        match contents {
            Contents::Untouched | Contents::Zero => write!(f, "anon {name}")?,
            Contents::Values(given) => write!(f, "anon {name} = {}", values(given))?,
            Contents::File { file, .. } => {
                // Without a number, a mapping has as many cells as the file.
                let name = format!("{}[{cells}]", self.item.name);
                write!(f, "private {name} of {}", self.file(*file))?;
            }
        }
        let attributes = self.attributes();
        if !attributes.is_empty() {
            write!(f, " {}", attributes.join(", "))?;
        }
        Ok(())
    }
}
