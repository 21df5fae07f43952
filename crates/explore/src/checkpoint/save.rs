//! A search is saved.

use std::io;
use std::ops::Deref;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::Checkpoints;
use super::head::{Head, replace};
use super::load::Saved;
use super::segment::{Segment, Writer};
use crate::options::Keep;
use crate::shard::Shard;
use crate::store::SHARDS;
use crate::worker::Harvest;

/// A checkpoint is written no sooner than so many times as long after the last one as that took: so it costs a twentieth at most.
const PATIENCE: u32 = 20;

/// Saves one search.
pub(crate) struct Saver<'a> {
    to: &'a Checkpoints,
    /// What would be written now, but for the states.
    head: Head,
    /// Where each shard ended when it was last written.
    start: [u64; SHARDS],
    /// Where each level since then ends in each shard.
    ends: Vec<[u64; SHARDS]>,
    /// When the last one was written, and how long it took.
    last: Option<(Instant, Duration)>,
}

/// The search could not be saved: see [`Checkpoints::trouble`].
pub(crate) struct Failed;

impl<'a> Saver<'a> {
    pub(super) fn new(to: &'a Checkpoints, search: u32, saved: Option<&Saved>) -> Self {
        let head = Head {
            about: to.about.clone(),
            search,
            keep: saved.map_or(Keep::States, |saved| saved.head.keep),
            levels: Vec::new(),
            segments: saved.map_or(Vec::new(), |saved| saved.head.segments.clone()),
            whole: None,
            noted: Vec::new(),
            harvest: Harvest::default(),
        };
        Saver {
            to,
            head,
            start: saved.map_or([0; SHARDS], |saved| saved.ends),
            ends: Vec::new(),
            last: saved.map(|_| (Instant::now(), Duration::ZERO)),
        }
    }

    /// The search is about to begin a level: so many states each level has, that one included; this was seen since the last time.
    /// Writes a checkpoint, if it is time.
    pub(crate) fn level(
        &mut self,
        keep: Keep,
        levels: &[u64],
        harvest: Harvest,
        shards: &[impl Deref<Target = Shard>],
        noted: impl FnOnce() -> Vec<u8>,
    ) -> Result<(), Failed> {
        self.head.keep = keep;
        self.head.levels = levels.to_vec();
        self.head.harvest.merge(harvest);
        let ends = std::array::from_fn(|shard| shards[shard].end());
        if ends != self.start || !self.ends.is_empty() {
            self.ends.push(ends);
        }
        let due = self.last.is_none_or(|(when, took)| {
            when.elapsed() >= self.to.every.max(took.saturating_mul(PATIENCE))
        });
        if due {
            self.write(shards, noted)
        } else {
            Ok(())
        }
    }

    /// Writes what was not written yet: the search as it was before the level in which it is.
    pub(crate) fn write(
        &mut self,
        shards: &[impl Deref<Target = Shard>],
        noted: impl FnOnce() -> Vec<u8>,
    ) -> Result<(), Failed> {
        if self.ends.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        self.head.noted = noted();
        if let Err(error) = self.try_write(shards) {
            let told = format!("{}: {error}", self.to.folder.display());
            *self
                .to
                .trouble
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(told);
            return Err(Failed);
        }
        self.last = Some((Instant::now(), began.elapsed()));
        Ok(())
    }

    /// What was seen in the levels before this one.
    pub(crate) fn finish(self) -> Harvest {
        self.head.harvest
    }

    fn try_write(&mut self, shards: &[impl Deref<Target = Shard>]) -> io::Result<()> {
        let number = self.head.segments.len();
        let search = self.head.search;
        let states = self.file(&format!("{search}-{number}.states"), |out| {
            let mut start = self.start;
            for ends in &self.ends {
                for (shard, each) in shards.iter().enumerate() {
                    for run in each.runs(start[shard], ends[shard]) {
                        out.run(shard, run)?;
                    }
                }
                start = *ends;
                out.level()?;
            }
            Ok(())
        })?;
        if self.head.keep == Keep::Fingerprints {
            let whole = self.file(&format!("{search}-{number}.whole"), |out| {
                for (shard, each) in shards.iter().enumerate() {
                    for run in each.whole_runs() {
                        out.run(shard, run)?;
                    }
                }
                Ok(())
            })?;
            self.head.whole = Some(whole);
        }
        self.head.segments.push(states);
        self.head.write(&self.to.folder)?;
        self.start = self.ends.pop().unwrap_or(self.start);
        self.ends.clear();
        self.sweep()
    }

    fn file(
        &self,
        name: &str,
        write: impl FnOnce(&mut Writer<'_>) -> io::Result<()>,
    ) -> io::Result<Segment> {
        let folder = &self.to.folder;
        replace(folder, &folder.join(name), |file| {
            let mut out = Writer::new(name, file);
            write(&mut out)?;
            out.finish(name)
        })
    }

    /// Removes what the head does not name: of searches before, or of a write that was cut short.
    fn sweep(&self) -> io::Result<()> {
        let named = |name: &str| {
            let mut files = self.head.segments.iter().chain(&self.head.whole);
            files.any(|segment| segment.file == name)
        };
        for entry in std::fs::read_dir(&self.to.folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if ours(&name) && !named(&name) {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

/// Is this the name of a file of records, or of what was to become one?
fn ours(name: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().is_ok();
    let Some((stem, "states" | "whole" | "new")) = name.split_once('.') else {
        return false;
    };
    stem.split_once('-')
        .is_some_and(|(search, segment)| number(search) && number(segment))
}
