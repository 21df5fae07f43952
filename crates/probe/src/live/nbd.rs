//! Block devices whose server answers when told: the kernel's nbd over a socket pair.
//!
//! A device is for one transfer at a time. When a test reads it with O_DIRECT, the kernel takes references to the caller's pages, and the request waits in the
//! socket until [`Device::complete`]. Only reads are held so: of a write nbd sends the data along, at once. The device belongs to a process of its
//! own, which sits in NBD_DO_IT; when that is killed the kernel lets go of the device, and ends what is in flight.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::filler::Filler;
use super::fuse::CELL;
use super::sys::result;

const NBD_SET_SOCK: u64 = 0xab00;
const NBD_SET_BLKSIZE: u64 = 0xab01;
const NBD_DO_IT: u64 = 0xab03;
const NBD_SET_SIZE_BLOCKS: u64 = 0xab07;

const REQUEST: u32 = 0x2560_9513;
const REPLY: u32 = 0x6744_6698;
const READ: u32 = 0;
const WRITE: u32 = 1;

/// Cells of a device: a page of them.
const CELLS: u64 = 8;

/// How long a device may take to be there.
const PATIENCE: Duration = Duration::from_secs(5);

/// A device and its server.
pub struct Device {
    server: UnixStream,
    /// The device, open for direct I/O.
    pub file: fs::File,
}

/// Is there such a device?
pub fn available() -> bool {
    Path::new("/sys/block/nbd0").exists() && Path::new("/dev/nbd0").exists()
}

impl Device {
    /// Takes a device that nobody has, and opens it. The caller has no other thread: a process is forked.
    pub fn open() -> io::Result<Device> {
        let number = (0..64).find(|n| {
            let folder = format!("/sys/block/nbd{n}");
            Path::new(&folder).exists() && !Path::new(&format!("{folder}/pid")).exists()
        });
        let number = number.ok_or_else(|| io::Error::other("every device is taken"))?;
        let path = PathBuf::from(format!("/dev/nbd{number}"));
        let (server, kernel) = UnixStream::pair()?;
        // SAFETY: the caller has no other thread. The child makes system calls only, and ends.
        if result(unsafe { libc::fork() })? == 0 {
            drop(server);
            let _ = serve_forever(&path, &kernel);
            super::world::end();
        }
        drop(kernel);
        let begun = Instant::now();
        // Its size comes last.
        let size = format!("/sys/block/nbd{number}/size");
        while fs::read_to_string(&size).is_ok_and(|size| size.trim() == "0") {
            if begun.elapsed() > PATIENCE {
                return Err(io::Error::other("it is not there"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // The kernel may look for partitions, so somebody has to answer while it is opened.
        let opened = std::thread::scope(|scope| {
            let opener = scope.spawn(|| open(&path));
            while !opener.is_finished() {
                if pending(server.as_raw_fd(), 20) {
                    serve(&server, None)?;
                }
            }
            let opened = opener.join();
            opened.map_err(|_| io::Error::other("opening the device panicked"))?
        });
        Ok(Device {
            server,
            file: opened?,
        })
    }

    /// Is a request in the socket?
    pub fn pending(&self, milliseconds: u16) -> bool {
        pending(self.server.as_raw_fd(), milliseconds)
    }

    /// Where to look for requests.
    pub fn server(&self) -> RawFd {
        self.server.as_raw_fd()
    }

    /// Answers the transfer in the socket, with one value for each cell.
    pub fn complete(&self, contents: &[u8; 4], filler: Filler) -> io::Result<()> {
        for _ in 0..16 {
            if !self.pending(1000) {
                break;
            }
            if serve(&self.server, Some((contents, filler)))? {
                return Ok(());
            }
        }
        Err(io::Error::other("there is no transfer to complete"))
    }

    /// Answers whatever is left.
    pub fn drain(&self) {
        while self.pending(0) {
            if serve(&self.server, None).is_err() {
                return;
            }
        }
    }
}

/// Gives the device a size and the socket, and is its process until it is killed.
fn serve_forever(path: &Path, socket: &UnixStream) -> io::Result<()> {
    let device = OpenOptions::new().read(true).write(true).open(path)?;
    let set = |request: u64, argument: u64| {
        // SAFETY: each of these takes a number.
        result(unsafe { libc::ioctl(device.as_raw_fd(), request as libc::Ioctl, argument) })
    };
    set(NBD_SET_BLKSIZE, CELL as u64)?;
    set(NBD_SET_SIZE_BLOCKS, CELLS)?;
    set(NBD_SET_SOCK, socket.as_raw_fd() as u64)?;
    set(NBD_DO_IT, 0).map(drop)
}

fn open(path: &Path) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(libc::O_DIRECT).open(path)?;
    // Direct I/O wants memory that a sector begins in: the page that is nobody's.
    // SAFETY: a page of cowherd's own, in which nothing of Rust lives.
    let memory =
        unsafe { std::slice::from_raw_parts_mut(super::world::scratch() as *mut u8, CELL) };
    file.read_exact_at(memory, 0)?;
    Ok(file)
}

fn pending(server: RawFd, milliseconds: u16) -> bool {
    // SAFETY: the descriptor stays open as long as its `Device`.
    let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(server) };
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::from(milliseconds)).is_ok_and(|n| n > 0)
}

/// Reads one request and answers it. True: it was a transfer.
fn serve(mut server: &UnixStream, contents: Option<(&[u8; 4], Filler)>) -> io::Result<bool> {
    let mut request = [0; 28];
    server.read_exact(&mut request)?;
    let word = |at: usize| u32::from_be_bytes(request[at..at + 4].try_into().unwrap_or_default());
    if word(0) != REQUEST {
        return Err(io::Error::other("a request without its mark"));
    }
    // Flags are in the upper half; offsets are small.
    let (kind, offset, size) = (word(4) & 0xffff, word(20) as usize, word(24) as usize);
    let mut reply = Vec::new();
    reply.extend(REPLY.to_be_bytes());
    reply.extend(0u32.to_be_bytes());
    reply.extend(&request[8..16]);
    match kind {
        READ => {
            let byte = |at: usize| contents.map_or(0, |(c, f)| f.byte(c, at));
            reply.extend((offset..offset + size).map(byte));
        }
        WRITE => server.read_exact(&mut vec![0; size])?,
        _ => {}
    }
    server.write_all(&reply)?;
    Ok(kind == READ)
}
