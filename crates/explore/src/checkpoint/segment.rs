//! A file of records: runs of them in frames, a frame a shard, and a mark behind each level. Every frame has a sum over itself and all
//! before it, so that nothing is looked at before it is known to be as it was written.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};

use serde::{Deserialize, Serialize};

use super::Refused;
use crate::hash::hash;
use crate::store::SHARDS;

/// Stands in the place of the shard's number: the level is complete.
const LEVEL: u8 = 0xff;

/// A file of records, as the head knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Segment {
    pub(super) file: String,
    /// The sum of its last frame.
    sum: u64,
}

pub(super) struct Writer<'a> {
    out: BufWriter<&'a mut File>,
    sum: u64,
}

/// What the sum of a file starts with: its name, so that no file is taken for another.
fn seed(name: &str) -> u64 {
    hash(name.as_bytes())
}

/// The sum of a frame, after that of the frame before.
fn next(sum: u64, shard: u8, run: &[u8]) -> u64 {
    let mut words = [0; 24];
    words[..8].copy_from_slice(&sum.to_le_bytes());
    words[8..16].copy_from_slice(&hash(run).to_le_bytes());
    words[16] = shard;
    hash(&words)
}

impl<'a> Writer<'a> {
    pub(super) fn new(name: &str, file: &'a mut File) -> Self {
        Writer {
            out: BufWriter::with_capacity(1 << 20, file),
            sum: seed(name),
        }
    }

    /// Records of one shard.
    pub(super) fn run(&mut self, shard: usize, run: &[u8]) -> io::Result<()> {
        if run.is_empty() {
            return Ok(());
        }
        self.frame(shard as u8, run)
    }

    /// All records of a level are there.
    pub(super) fn level(&mut self) -> io::Result<()> {
        self.frame(LEVEL, &[])
    }

    fn frame(&mut self, shard: u8, run: &[u8]) -> io::Result<()> {
        self.sum = next(self.sum, shard, run);
        self.out.write_all(&[shard])?;
        self.out.write_all(&(run.len() as u32).to_le_bytes())?;
        self.out.write_all(&self.sum.to_le_bytes())?;
        self.out.write_all(run)
    }

    pub(super) fn finish(mut self, name: &str) -> io::Result<Segment> {
        self.out.flush()?;
        Ok(Segment {
            file: name.into(),
            sum: self.sum,
        })
    }
}

/// A frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// Records of a shard.
    Run(usize, &'a [u8]),
    /// The level is complete.
    Level,
}

/// Shows every frame of a file, and fails unless all are as they were written, and no more nor fewer.
pub(super) fn read(
    segment: &Segment,
    file: File,
    mut each: impl FnMut(Frame<'_>) -> Result<(), Refused>,
) -> Result<(), Refused> {
    let name = &segment.file;
    let damaged = || Refused::Damaged(format!("{name} is not as it was written"));
    let mut file = BufReader::with_capacity(1 << 20, file);
    let mut sum = seed(name);
    let mut run = Vec::new();
    loop {
        let mut header = [0; 13];
        match file.read(&mut header[..1])? {
            0 if sum == segment.sum => return Ok(()),
            0 => return Err(damaged()),
            _ => {}
        }
        file.read_exact(&mut header[1..]).map_err(|_| damaged())?;
        let [shard, l0, l1, l2, l3, written @ ..] = header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        run.clear();
        // Not as long as it says, but as there is: a length may be damaged, too.
        (&mut file)
            .take(length.into())
            .read_to_end(&mut run)
            .map_err(|_| damaged())?;
        sum = next(sum, shard, &run);
        if run.len() != length as usize || sum != u64::from_le_bytes(written) {
            return Err(damaged());
        }
        match usize::from(shard) {
            shard if shard < SHARDS => each(Frame::Run(shard, &run))?,
            _ => each(Frame::Level)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, SeekFrom};

    fn written(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file
    }

    fn frames(segment: &Segment, bytes: &[u8]) -> Result<Vec<(usize, Vec<u8>)>, Refused> {
        let mut all = Vec::new();
        read(segment, written(bytes), |frame| {
            all.push(match frame {
                Frame::Run(shard, run) => (shard, run.to_vec()),
                Frame::Level => (SHARDS, Vec::new()),
            });
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn what_is_read_is_what_was_written_or_nothing() {
        let mut file = tempfile::tempfile().unwrap();
        let mut writer = Writer::new("one", &mut file);
        writer.run(3, b"abc").unwrap();
        writer.run(4, b"").unwrap();
        writer.run(63, &[7; 1000]).unwrap();
        writer.level().unwrap();
        let segment = writer.finish("one").unwrap();
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        let wanted = [
            (3, b"abc".to_vec()),
            (63, vec![7; 1000]),
            (SHARDS, Vec::new()),
        ];
        assert_eq!(frames(&segment, &bytes).unwrap(), wanted);
        for at in 0..bytes.len() {
            for bit in [0, 3, 7] {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                assert!(frames(&segment, &other).is_err(), "bit {bit} of byte {at}");
            }
            assert!(frames(&segment, &bytes[..at]).is_err(), "cut at {at}");
        }
        bytes.push(0);
        assert!(frames(&segment, &bytes).is_err(), "one byte more");
        bytes.pop();
        let renamed = Segment {
            file: "two".into(),
            ..segment
        };
        assert!(frames(&renamed, &bytes).is_err(), "another name");
    }
}
