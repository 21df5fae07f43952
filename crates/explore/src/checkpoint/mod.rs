//! Searches that outlive their process.
//!
//! A search goes level by level, and its records only ever grow at the end. So a checkpoint is cheap: what was added since the last one
//! goes into one more file, and a *head* says which files there are, what the search has seen, and what it is about. Each file is
//! written under another name, brought to the disk, and renamed; the head last. Whenever the process dies, the head that is there is
//! whole, and so is all that it names.
//!
//! What is saved is the search as it was before a level. One that ends within a level is saved as it was before that level.

mod head;
mod load;
mod save;
mod segment;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::about::About;

pub(crate) use load::Saved;
pub(crate) use save::Saver;

/// A folder in which searches are saved as they go, and from which one goes on.
///
/// A run may search more than once; then its searches are numbered, and must be the same in every run. Those before the one that was
/// saved are searched anew, and not saved.
pub struct Checkpoints {
    folder: PathBuf,
    /// Between two checkpoints, at least.
    every: Duration,
    about: About,
    /// Searches that have begun.
    begun: AtomicU32,
    saved: Mutex<Option<Saved>>,
    trouble: Mutex<Option<String>>,
}

/// Why searches cannot be saved in a folder, or a search cannot go on from it.
#[derive(Debug)]
pub enum Refused {
    /// There is a checkpoint already, and it is not to be lost.
    Taken,
    /// There is no checkpoint.
    Missing,
    /// The checkpoint is of another version of the format.
    Version,
    /// It is of another search; this is the difference.
    Foreign(String),
    /// It is not as it was written.
    Damaged(String),
    /// The folder, or a file in it, cannot be read or written.
    Io(io::Error),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refused::Taken => write!(f, "there is a checkpoint here already"),
            Refused::Missing => write!(f, "there is no checkpoint here"),
            Refused::Version => write!(f, "this checkpoint is of another version of cowherd"),
            Refused::Foreign(what) => write!(f, "this checkpoint is of another search: {what}"),
            Refused::Damaged(what) => write!(f, "this checkpoint is damaged: {what}"),
            Refused::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Refused {}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Refused {
        Refused::Io(error)
    }
}

impl Checkpoints {
    /// A folder, made if need be, for a run that begins; `every` is the least time between two checkpoints.
    pub fn begin(folder: &Path, every: Duration, about: About) -> Result<Checkpoints, Refused> {
        std::fs::create_dir_all(folder)?;
        if head::path(folder).exists() {
            return Err(Refused::Taken);
        }
        Ok(Checkpoints::new(folder, every, about, None))
    }

    /// A folder from which a run goes on.
    pub fn resume(folder: &Path, every: Duration, about: About) -> Result<Checkpoints, Refused> {
        let saved = load::load(folder, &about)?;
        Ok(Checkpoints::new(folder, every, about, Some(saved)))
    }

    fn new(folder: &Path, every: Duration, about: About, saved: Option<Saved>) -> Checkpoints {
        Checkpoints {
            folder: folder.into(),
            every,
            about,
            begun: AtomicU32::new(0),
            saved: Mutex::new(saved),
            trouble: Mutex::new(None),
        }
    }

    /// Why the last checkpoint could not be written, if so.
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The next search begins: how it is saved, if it is, and what was saved of it.
    pub(crate) fn next(&self) -> (Option<Saver<'_>>, Option<Saved>) {
        let search = self.begun.fetch_add(1, Ordering::Relaxed);
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        match saved.as_ref().map(|saved| saved.head.search.cmp(&search)) {
            Some(std::cmp::Ordering::Greater) => (None, None),
            Some(std::cmp::Ordering::Equal) => {
                let saved = saved.take();
                (Some(Saver::new(self, search, saved.as_ref())), saved)
            }
            _ => (Some(Saver::new(self, search, None)), None),
        }
    }
}
