//! userfaultfd: registration, the calls of the language, and a thread that notes traps.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU32, Ordering};

use super::sys::{PAGE, result};

const API: u64 = 0xaa;
const UFFDIO_API: u64 = 0xc018_aa3f;
const UFFDIO_REGISTER: u64 = 0xc020_aa00;
const UFFDIO_COPY: u64 = 0xc028_aa03;
const UFFDIO_ZEROPAGE: u64 = 0xc020_aa04;
const UFFDIO_MOVE: u64 = 0xc028_aa05;
const UFFDIO_WRITEPROTECT: u64 = 0xc018_aa06;
const UFFDIO_CONTINUE: u64 = 0xc020_aa07;

/// What a userfaultfd can be asked for.
pub mod feature {
    /// Write protection of anonymous memory.
    pub const WP: u64 = 1;
    /// Minor faults on shmem.
    pub const MINOR_SHMEM: u64 = 1 << 10;
    /// UFFDIO_MOVE.
    pub const MOVE: u64 = 1 << 16;
}

/// How a page is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Missing pages trap.
    Missing = 1,
    /// Stores to protected pages trap.
    WriteProtect = 2,
    /// Pages that only the page cache has trap.
    Minor = 4,
}

/// A userfaultfd of the process that made it.
#[derive(Clone, Copy, Debug)]
pub struct Uffd(RawFd);

impl Uffd {
    /// A new one, with these features.
    pub fn new(features: u64) -> io::Result<Uffd> {
        // SAFETY: makes a descriptor.
        let fd = result(unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) })?;
        let uffd = Uffd(fd as RawFd);
        uffd.ioctl(UFFDIO_API, &mut [API, features, 0])?;
        Ok(uffd)
    }

    /// The features that there are.
    pub fn features() -> io::Result<u64> {
        // SAFETY: makes a descriptor.
        let fd = result(unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) })?;
        let mut api = [API, 0, 0];
        let told = Uffd(fd as RawFd).ioctl(UFFDIO_API, &mut api);
        // SAFETY: the descriptor is this function's own.
        unsafe { libc::close(fd as RawFd) };
        told.map(|()| api[1])
    }

    fn ioctl<const N: usize>(&self, request: u64, words: &mut [u64; N]) -> io::Result<()> {
        // SAFETY: each request's structure is as many words as its callers pass.
        result(unsafe { libc::ioctl(self.0, request as libc::Ioctl, words.as_mut_ptr()) }).map(drop)
    }

    /// Registers a page.
    pub fn register(&self, address: usize, modes: u64) -> io::Result<()> {
        self.ioctl(
            UFFDIO_REGISTER,
            &mut [address as u64, PAGE as u64, modes, 0],
        )
    }

    /// UFFDIO_WRITEPROTECT: protects, or unprotects and wakes.
    pub fn write_protect(&self, address: usize, protect: bool) -> io::Result<()> {
        let mode = u64::from(protect);
        self.ioctl(
            UFFDIO_WRITEPROTECT,
            &mut [address as u64, PAGE as u64, mode],
        )
    }

    /// UFFDIO_COPY of a page from elsewhere.
    pub fn copy(&self, address: usize, from: &[u8; PAGE]) -> io::Result<()> {
        let from = from.as_ptr() as u64;
        self.ioctl(UFFDIO_COPY, &mut [address as u64, from, PAGE as u64, 0, 0])
    }

    /// UFFDIO_ZEROPAGE.
    pub fn zeropage(&self, address: usize) -> io::Result<()> {
        self.ioctl(UFFDIO_ZEROPAGE, &mut [address as u64, PAGE as u64, 0, 0])
    }

    /// UFFDIO_CONTINUE.
    pub fn go_on(&self, address: usize) -> io::Result<()> {
        self.ioctl(UFFDIO_CONTINUE, &mut [address as u64, PAGE as u64, 0, 0])
    }

    /// UFFDIO_MOVE of a page.
    pub fn move_page(&self, to: usize, from: usize) -> io::Result<()> {
        self.ioctl(
            UFFDIO_MOVE,
            &mut [to as u64, from as u64, PAGE as u64, 0, 0],
        )
    }

    /// Notes in `trapped`, a bit for each of `pages`, where threads were trapped. For a thread of its own: does not return.
    pub fn note_traps(&self, pages: &[usize], trapped: &AtomicU32) {
        // struct uffd_msg is 32 bytes: the event, then at 8 the flags, at 16 the address.
        let mut message = [0u8; 32];
        loop {
            // SAFETY: the buffer is as long as said.
            let n = unsafe { libc::read(self.0, message.as_mut_ptr().cast(), message.len()) };
            if n != 32 {
                return;
            }
            let address = u64::from_ne_bytes(message[16..24].try_into().unwrap_or_default());
            let page = address as usize & !(PAGE - 1);
            if let Some(at) = pages.iter().position(|&p| p == page) {
                trapped.fetch_or(1 << at, Ordering::SeqCst);
            }
        }
    }
}
