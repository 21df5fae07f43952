//! Files that hold a transfer in flight until they are told, whatever they are made of.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;

use super::filler::Filler;
use super::{fuse, nbd};

/// A file that holds one transfer.
pub enum Held {
    /// On FUSE.
    Fuse(fuse::File),
    /// A block device.
    Nbd(nbd::Device),
}

impl Held {
    /// A file on FUSE, mounted at `folder`.
    pub fn fuse(folder: &Path) -> io::Result<Held> {
        fuse::File::mount(folder).map(Held::Fuse)
    }

    /// A block device.
    pub fn nbd() -> io::Result<Held> {
        nbd::Device::open().map(Held::Nbd)
    }

    /// The file, open for direct I/O.
    pub fn file(&self) -> RawFd {
        match self {
            Held::Fuse(file) => file.file.as_raw_fd(),
            Held::Nbd(device) => device.file.as_raw_fd(),
        }
    }

    /// Where to look for requests.
    pub fn server(&self) -> RawFd {
        match self {
            Held::Fuse(file) => file.server(),
            Held::Nbd(device) => device.server(),
        }
    }

    /// Is a transfer in flight?
    pub fn pending(&self, milliseconds: u16) -> bool {
        match self {
            Held::Fuse(file) => file.pending(milliseconds),
            Held::Nbd(device) => device.pending(milliseconds),
        }
    }

    /// Completes it: a read with what the file holds, one value for each cell; a write by changing what it holds.
    pub fn complete(&self, contents: &mut [u8; 4], filler: Filler) -> io::Result<()> {
        match self {
            Held::Fuse(file) => file.complete(contents, filler),
            Held::Nbd(device) => device.complete(contents, filler),
        }
    }

    /// Completes whatever is left.
    pub fn drain(&self) {
        match self {
            Held::Fuse(file) => file.drain(),
            Held::Nbd(device) => device.drain(),
        }
    }
}
