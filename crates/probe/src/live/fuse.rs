//! Files whose server answers when told: FUSE, spoken over /dev/fuse without a library.
//!
//! A mount holds one file, for one transfer. When a test reads or writes it with O_DIRECT, the kernel takes references to the caller's pages and queues a request. The
//! request stays in the queue, unread, until [`File::complete`]: so a read lands and a write samples the memory when the controller says so.
//! Everything else that the kernel asks is asked and answered while the file is made.

use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::filler::Filler;

/// Bytes of a cell.
pub const CELL: usize = 512;

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const SETATTR: u32 = 4;
const OPEN: u32 = 14;
const READ: u32 = 15;
const WRITE: u32 = 16;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;

const IN_HEADER: usize = 40;
const FOPEN_DIRECT_IO: u32 = 1;
const ROOT: u64 = 1;
const FILE: u64 = 2;

/// A file and its server.
pub struct File {
    server: OwnedFd,
    /// The file, open for direct I/O.
    pub file: fs::File,
}

/// A request of the kernel.
struct Request {
    opcode: u32,
    unique: u64,
    node: u64,
    body: Vec<u8>,
}

impl File {
    /// Mounts a file at `folder` and opens it. The mount is seen where the caller's mount namespace is, and there only.
    pub fn mount(folder: &Path) -> io::Result<File> {
        let server: OwnedFd = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open("/dev/fuse")?
            .into();
        fs::create_dir_all(folder)?;
        // SAFETY: these two only read the ids of the caller.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        let options = format!(
            "fd={},rootmode=40000,user_id={uid},group_id={gid}",
            server.as_raw_fd()
        );
        let options = CString::new(options).map_err(io::Error::other)?;
        mount(
            Some("cowherd"),
            folder,
            Some("fuse"),
            MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
            Some(options.as_c_str()),
        )?;
        let path = folder.join("f");
        // The kernel waits for answers while it opens the file, so somebody else has to give them.
        let opened = std::thread::scope(|scope| {
            let opener = scope.spawn(|| open(&path));
            while !opener.is_finished() {
                if pending(server.as_raw_fd(), 20) {
                    serve(server.as_raw_fd(), None)?;
                }
            }
            opener
                .join()
                .map_err(|_| io::Error::other("opening the file panicked"))?
        })?;
        let file = File {
            server,
            file: opened,
        };
        while pending(file.server.as_raw_fd(), 10) {
            serve(file.server.as_raw_fd(), None)?;
        }
        Ok(file)
    }

    /// Is a request in the queue?
    pub fn pending(&self, milliseconds: u16) -> bool {
        pending(self.server.as_raw_fd(), milliseconds)
    }

    /// Where to look for requests.
    pub fn server(&self) -> RawFd {
        self.server.as_raw_fd()
    }

    /// Answers the transfer in the queue: a read with what the file holds, one value for each cell; a write by changing what it holds.
    pub fn complete(&self, contents: &mut [u8; 4], filler: Filler) -> io::Result<()> {
        for _ in 0..16 {
            if !self.pending(1000) {
                break;
            }
            if serve(self.server.as_raw_fd(), Some((contents, filler)))? {
                return Ok(());
            }
        }
        Err(io::Error::other("there is no transfer to complete"))
    }

    /// Answers whatever is left in the queue.
    pub fn drain(&self) {
        while self.pending(0) {
            if serve(self.server.as_raw_fd(), None).is_err() {
                return;
            }
        }
    }
}

/// Opens the file, and lets the kernel ask once what it asks just once: whether there is flush, getxattr and so on.
fn open(path: &Path) -> io::Result<fs::File> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    drop(file.try_clone()?);
    let mut sector = [0; CELL];
    file.read_at(&mut sector, 0)?;
    file.write_at(&sector, 0)?;
    Ok(file)
}

fn pending(server: RawFd, milliseconds: u16) -> bool {
    // SAFETY: the descriptor stays open as long as its `File`.
    let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(server) };
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::from(milliseconds)).is_ok_and(|n| n > 0)
}

/// Reads one request and answers it. True: it was a transfer. Without contents, the file reads as zeroes.
fn serve(server: RawFd, contents: Option<(&mut [u8; 4], Filler)>) -> io::Result<bool> {
    let Some(request) = receive(server)? else {
        return Ok(false);
    };
    let mut transfer = false;
    let answer: Result<Vec<u8>, i32> = match request.opcode {
        INIT => Ok(init(&request.body)),
        LOOKUP => Ok(entry()),
        GETATTR | SETATTR => Ok(attributes_out(request.node)),
        OPEN => Ok([
            1u64.to_ne_bytes().as_slice(),
            &FOPEN_DIRECT_IO.to_ne_bytes(),
            &0u32.to_ne_bytes(),
        ]
        .concat()),
        READ => {
            transfer = true;
            let (offset, size) = range(&request.body);
            let byte = |at| contents.as_ref().map_or(0, |(c, f)| f.byte(*c, at));
            Ok((offset..offset + size).map(byte).collect())
        }
        WRITE => {
            transfer = true;
            let (offset, size) = range(&request.body);
            // struct fuse_write_in is 40 bytes.
            let data = request.body.get(40..).unwrap_or_default();
            if let Some((contents, _)) = contents {
                for (n, chunk) in data.chunks(CELL).enumerate() {
                    if let Some(cell) = contents.get_mut(offset / CELL + n) {
                        *cell = chunk[0];
                    }
                }
            }
            Ok([(size as u32).to_ne_bytes(), [0; 4]].concat())
        }
        RELEASE => Ok(Vec::new()),
        FORGET | BATCH_FORGET | INTERRUPT => return Ok(false),
        FLUSH => Err(libc::ENOSYS),
        _ => Err(libc::ENOSYS),
    };
    let (error, body) = match answer {
        Ok(body) => (0, body),
        Err(errno) => (-errno, Vec::new()),
    };
    let mut reply = Vec::with_capacity(16 + body.len());
    reply.extend((16 + body.len() as u32).to_ne_bytes());
    reply.extend(error.to_ne_bytes());
    reply.extend(request.unique.to_ne_bytes());
    reply.extend(body);
    // SAFETY: the buffer is as long as said.
    let written = unsafe { libc::write(server, reply.as_ptr().cast(), reply.len()) };
    // ENOENT: whoever asked was killed meanwhile.
    if written < 0 && io::Error::last_os_error().raw_os_error() != Some(libc::ENOENT) {
        return Err(io::Error::last_os_error());
    }
    Ok(transfer)
}

fn receive(server: RawFd) -> io::Result<Option<Request>> {
    let mut buffer = vec![0u8; 256 * 1024];
    // SAFETY: the buffer is as long as said.
    let n = unsafe { libc::read(server, buffer.as_mut_ptr().cast(), buffer.len()) };
    if n < 0 {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::EAGAIN | libc::EINTR | libc::ENOENT) => Ok(None),
            _ => Err(error),
        };
    }
    buffer.truncate(n as usize);
    if buffer.len() < IN_HEADER {
        return Err(io::Error::other("a request without a header"));
    }
    let word = |at: usize| u32::from_ne_bytes(buffer[at..at + 4].try_into().unwrap_or_default());
    let long = |at: usize| u64::from_ne_bytes(buffer[at..at + 8].try_into().unwrap_or_default());
    let (opcode, unique, node) = (word(4), long(8), long(16));
    Ok(Some(Request {
        opcode,
        unique,
        node,
        body: buffer.split_off(IN_HEADER),
    }))
}

/// Offset and size of a read or write.
fn range(body: &[u8]) -> (usize, usize) {
    let long = |at: usize| {
        body.get(at..at + 8)
            .and_then(|b| b.try_into().ok())
            .map_or(0, u64::from_ne_bytes)
    };
    let word = |at: usize| {
        body.get(at..at + 4)
            .and_then(|b| b.try_into().ok())
            .map_or(0, u32::from_ne_bytes)
    };
    (long(8) as usize, word(16) as usize)
}

/// struct fuse_init_out: protocol 7.23, no options.
fn init(body: &[u8]) -> Vec<u8> {
    let readahead = body.get(8..12).unwrap_or(&[0; 4]);
    let mut out = Vec::new();
    out.extend(7u32.to_ne_bytes());
    out.extend(23u32.to_ne_bytes());
    out.extend(readahead);
    out.extend(0u32.to_ne_bytes()); // flags
    out.extend(0u16.to_ne_bytes()); // max_background
    out.extend(0u16.to_ne_bytes()); // congestion_threshold
    out.extend(65536u32.to_ne_bytes()); // max_write
    out.extend(1u32.to_ne_bytes()); // time_gran
    out.resize(64, 0);
    out
}

/// struct fuse_entry_out.
fn entry() -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(FILE.to_ne_bytes());
    out.extend(0u64.to_ne_bytes());
    out.extend(u64::from(u32::MAX).to_ne_bytes()); // valid for ever
    out.extend(u64::from(u32::MAX).to_ne_bytes());
    out.extend([0; 8]);
    out.extend(attributes(FILE));
    out
}

/// struct fuse_attr_out.
fn attributes_out(node: u64) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(u64::from(u32::MAX).to_ne_bytes());
    out.extend([0; 8]);
    out.extend(attributes(node));
    out
}

/// struct fuse_attr.
fn attributes(node: u64) -> Vec<u8> {
    let mode = if node == ROOT { 0o40755u32 } else { 0o100644 };
    let mut out = Vec::new();
    out.extend(node.to_ne_bytes());
    out.extend(4096u64.to_ne_bytes()); // size
    out.extend(8u64.to_ne_bytes()); // blocks
    out.extend([0; 24]); // times
    out.extend([0; 12]);
    out.extend(mode.to_ne_bytes());
    out.extend(1u32.to_ne_bytes()); // nlink
    // SAFETY: these two only read the ids of the caller.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    out.extend(uid.to_ne_bytes());
    out.extend(gid.to_ne_bytes());
    out.extend(0u32.to_ne_bytes()); // rdev
    out.extend(4096u32.to_ne_bytes()); // blksize
    out.extend(0u32.to_ne_bytes());
    out
}
