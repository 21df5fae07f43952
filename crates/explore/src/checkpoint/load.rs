//! A checkpoint is read, and looked at whether it is whole and of the right search.

use std::fs::File;
use std::io;
use std::path::Path;

use super::Refused;
use super::head::Head;
use super::segment::{self, Frame, Segment};
use crate::about::About;
use crate::record;
use crate::shard::{Piece, Shard};
use crate::store::SHARDS;
use crate::worker::Harvest;

/// A search as it was before a level.
pub(crate) struct Saved {
    pub(super) head: Head,
    pub(crate) shards: Vec<Shard>,
    /// The pieces of each level before, in case that livelocks are looked for.
    pub(crate) pieces: Vec<Vec<Piece>>,
    /// Where each shard ends.
    pub(super) ends: [u64; SHARDS],
}

impl Saved {
    /// The states of each level, the pieces of all but the last, what the system noted, what was seen.
    pub(crate) fn into_parts(self) -> (Vec<u64>, Vec<Vec<Piece>>, Vec<u8>, Harvest) {
        let head = self.head;
        (head.levels, self.pieces, head.noted, head.harvest)
    }
}

pub(super) fn load(folder: &Path, about: &About) -> Result<Saved, Refused> {
    let head = Head::read(folder)?;
    if let Some(difference) = about.difference(&head.about) {
        return Err(Refused::Foreign(difference));
    }
    let mut shards: Vec<Shard> = (0..SHARDS)
        .map(|shard| Shard::new(shard, head.keep))
        .collect();
    let mut pieces = Vec::new();
    let mut complete = 0;
    for segment in &head.segments {
        segment::read(segment, open(folder, segment)?, |frame| {
            match frame {
                Frame::Run(shard, run) => {
                    record::each(run).for_each(|record| shards[shard].restore(record));
                }
                Frame::Level => {
                    complete += 1;
                    // The last level is the one that comes next: the search itself begins it.
                    if complete < head.levels.len() {
                        let mut level = Vec::new();
                        for shard in &mut shards {
                            shard.advance(&mut level);
                        }
                        pieces.push(level);
                    }
                }
            }
            Ok(())
        })?;
    }
    if let Some(segment) = &head.whole {
        segment::read(segment, open(folder, segment)?, |frame| {
            if let Frame::Run(shard, run) = frame {
                record::each(run).for_each(|record| shards[shard].restore_whole(record));
            }
            Ok(())
        })?;
    }
    let states: u64 = shards.iter().map(Shard::states).sum();
    if complete != head.levels.len() || states != head.levels.iter().sum::<u64>() {
        return Err(Refused::Damaged("states are missing".into()));
    }
    let ends = std::array::from_fn(|shard| shards[shard].end());
    Ok(Saved {
        head,
        shards,
        pieces,
        ends,
    })
}

fn open(folder: &Path, segment: &Segment) -> Result<File, Refused> {
    File::open(folder.join(&segment.file)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Refused::Damaged(format!("{} is missing", segment.file)),
        _ => Refused::Io(error),
    })
}
