//! io_uring, as far as registered buffers need it: one ring, one request at a time.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU32, Ordering};

use super::sys::result;

const REGISTER_BUFFERS: u32 = 0;
const UNREGISTER_BUFFERS: u32 = 1;
const READ_FIXED: u8 = 4;
const WRITE_FIXED: u8 = 5;
const ENTER_GETEVENTS: u32 = 1;
const SQES: libc::off_t = 0x1000_0000;
const ENTRIES: u32 = 4;

/// Offsets in the ring of submissions or completions; what is not used has no name.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Offsets {
    head: u32,
    tail: u32,
    mask: u32,
    _entries: u32,
    /// Submissions: flags; completions: overflow.
    _flags: u32,
    /// Submissions: dropped; completions: the entries.
    cqes: u32,
    /// Submissions: the array of indices.
    array: u32,
    _rest: [u32; 3],
}

/// struct io_uring_params.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Params {
    sq_entries: u32,
    cq_entries: u32,
    flags: u32,
    _cpu: u32,
    _idle: u32,
    features: u32,
    _fd: u32,
    _reserved: [u32; 3],
    sq: Offsets,
    cq: Offsets,
}

/// A ring with one registered buffer.
pub struct Ring {
    fd: RawFd,
    rings: *mut u8,
    sqes: *mut u8,
    params: Params,
}

/// Which way a fixed request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// File to memory.
    Read,
    /// Memory to file.
    Write,
}

impl Ring {
    /// Is there io_uring, and may it be used?
    pub fn available() -> bool {
        Ring::new().is_ok()
    }

    /// A ring.
    pub fn new() -> io::Result<Ring> {
        let mut params = Params::default();
        // SAFETY: the structure has the kernel's layout and size (120 bytes).
        let fd = result(unsafe {
            libc::syscall(
                libc::SYS_io_uring_setup,
                ENTRIES,
                std::ptr::from_mut(&mut params),
            )
        })? as RawFd;
        let rings = map(fd, 0)?;
        let sqes = map(fd, SQES)?;
        Ok(Ring {
            fd,
            rings,
            sqes,
            params,
        })
    }

    /// Pins a range of memory.
    pub fn register(&self, address: usize, bytes: usize) -> io::Result<()> {
        let range = libc::iovec {
            iov_base: address as *mut libc::c_void,
            iov_len: bytes,
        };
        // SAFETY: one vector, which the kernel reads.
        result(unsafe {
            libc::syscall(
                libc::SYS_io_uring_register,
                self.fd,
                REGISTER_BUFFERS,
                std::ptr::from_ref(&range),
                1,
            )
        })
        .map(drop)
    }

    /// Unpins it.
    pub fn unregister(&self) -> io::Result<()> {
        // SAFETY: takes no argument.
        result(unsafe {
            libc::syscall(
                libc::SYS_io_uring_register,
                self.fd,
                UNREGISTER_BUFFERS,
                std::ptr::null::<u8>(),
                0,
            )
        })
        .map(drop)
    }

    /// Transfers between a file and the registered buffer, and waits for it.
    pub fn transfer(
        &self,
        way: Way,
        file: RawFd,
        offset: usize,
        address: usize,
        bytes: usize,
    ) -> io::Result<usize> {
        let mut sqe = [0u8; 64];
        sqe[0] = match way {
            Way::Read => READ_FIXED,
            Way::Write => WRITE_FIXED,
        };
        sqe[4..8].copy_from_slice(&file.to_ne_bytes());
        sqe[8..16].copy_from_slice(&(offset as u64).to_ne_bytes());
        sqe[16..24].copy_from_slice(&(address as u64).to_ne_bytes());
        sqe[24..28].copy_from_slice(&(bytes as u32).to_ne_bytes());
        let (sq, cq) = (self.params.sq, self.params.cq);
        let tail = self.word(sq.tail).load(Ordering::Acquire);
        let index = tail & self.word(sq.mask).load(Ordering::Relaxed);
        // SAFETY: the index is below the number of entries, which are 64 bytes each.
        unsafe {
            std::ptr::copy_nonoverlapping(sqe.as_ptr(), self.sqes.add(64 * index as usize), 64);
        }
        self.word(sq.array + 4 * index)
            .store(index, Ordering::Relaxed);
        self.word(sq.tail)
            .store(tail.wrapping_add(1), Ordering::Release);
        // SAFETY: no signal mask is passed.
        result(unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                self.fd,
                1u32,
                1u32,
                ENTER_GETEVENTS,
                std::ptr::null::<u8>(),
                0usize,
            )
        })?;
        let head = self.word(cq.head).load(Ordering::Acquire);
        while self.word(cq.tail).load(Ordering::Acquire) == head {
            std::thread::yield_now();
        }
        let at = cq.cqes + 16 * (head & self.word(cq.mask).load(Ordering::Relaxed));
        // struct io_uring_cqe: user data, result, flags.
        let done = self.word(at + 8).load(Ordering::Acquire) as i32;
        self.word(cq.head)
            .store(head.wrapping_add(1), Ordering::Release);
        if done < 0 {
            return Err(io::Error::from_raw_os_error(-done));
        }
        Ok(done as usize)
    }

    fn word(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: the kernel's offsets lie within the mapped rings and are aligned.
        unsafe { AtomicU32::from_ptr(self.rings.add(offset as usize).cast()) }
    }
}

/// Maps a ring or the entries: a page has room for what four entries need.
fn map(fd: RawFd, offset: libc::off_t) -> io::Result<*mut u8> {
    // SAFETY: a new mapping of the ring's own memory, placed by the kernel.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            super::sys::PAGE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            fd,
            offset,
        )
    };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(at.cast())
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: both were mapped by `new`, and the descriptor is the ring's own.
        unsafe {
            libc::munmap(self.rings.cast(), super::sys::PAGE);
            libc::munmap(self.sqes.cast(), super::sys::PAGE);
            libc::close(self.fd);
        }
    }
}
