//! The head of a checkpoint: a line with the version, a line with a sum over the rest, then JSON.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Refused;
use super::segment::Segment;
use crate::about::About;
use crate::hash::hash;
use crate::options::Keep;
use crate::worker::Harvest;

/// Changes with all that is written, and with the hash: it decides where a state is.
const VERSION: &str = "cowherd checkpoint 1";

/// What is known of a search before one of its levels, and where its states are.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) about: About,
    /// The number of the search in its run.
    pub(super) search: u32,
    pub(super) keep: Keep,
    /// States of each level. The last is the one that comes next.
    pub(super) levels: Vec<u64>,
    /// The files with the states of all levels, in order.
    pub(super) segments: Vec<Segment>,
    /// The file with the states of the next level, whole, if only fingerprints are kept.
    pub(super) whole: Option<Segment>,
    /// What the system noted.
    pub(super) noted: Vec<u8>,
    /// What was seen in the levels before.
    pub(super) harvest: Harvest,
}

pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("head")
}

impl Head {
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let text = serde_json::to_string(self)?;
        let whole = format!("{VERSION}\n{:016x}\n{text}\n", hash(text.as_bytes()));
        replace(folder, &path(folder), |file| {
            file.write_all(whole.as_bytes())
        })
    }

    pub(super) fn read(folder: &Path) -> Result<Head, Refused> {
        let bytes = fs::read(path(folder)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Refused::Missing,
            _ => Refused::Io(error),
        })?;
        let damaged = || Refused::Damaged("its head is not as it was written".into());
        let text = String::from_utf8(bytes).map_err(|_| damaged())?;
        let (version, rest) = text.split_once('\n').ok_or_else(damaged)?;
        if version != VERSION {
            return Err(if version.starts_with("cowherd checkpoint ") {
                Refused::Version
            } else {
                damaged()
            });
        }
        let (sum, text) = rest.split_once('\n').ok_or_else(damaged)?;
        let text = text.strip_suffix('\n').ok_or_else(damaged)?;
        if sum != format!("{:016x}", hash(text.as_bytes())) {
            return Err(damaged());
        }
        serde_json::from_str(text).map_err(|_| damaged())
    }
}

/// Writes a file so that it is there whole or not at all, even if the machine stops.
pub(super) fn replace<T>(
    folder: &Path,
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<T>,
) -> io::Result<T> {
    let new = path.with_extension("new");
    let whole = File::create(&new).and_then(|mut file| {
        let written = write(&mut file)?;
        file.sync_all()?;
        Ok(written)
    });
    if whole.is_err() {
        // A disk that is full need not stay so.
        let _ = fs::remove_file(&new);
    }
    let whole = whole?;
    fs::rename(&new, path)?;
    // The name, too, has to get to the disk.
    File::open(folder)?.sync_all()?;
    Ok(whole)
}
