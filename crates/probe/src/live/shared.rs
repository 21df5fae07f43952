//! Memory that the controller shares with every process of a test: who is told to do what, and what came of it.
//!
//! The controller and the workers take turns through two counters for each thread, on which they sleep by futex. Everything is atomic, so nobody has a
//! reference that another process could pull the rug from under.

use std::io;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

use cowherd_litmus::limits::{MAX_HANDLES, MAX_PROCESSES, MAX_REGISTERS, MAX_THREADS};

/// Transfers of a test at most.
pub const MAX_TRANSFERS: usize = 4;

/// What all processes of a test share. All zeroes at first.
#[repr(C)]
pub struct Shared {
    /// The threads.
    pub threads: [Thread; MAX_THREADS],
    /// The process ids; 0: not made yet.
    pub pids: [AtomicI32; MAX_PROCESSES],
    /// Pages at which userfaultfd trapped, a bit each, by process.
    pub trapped: [AtomicU32; MAX_PROCESSES],
    /// The transfers.
    pub transfers: [Transfer; MAX_TRANSFERS],
    /// What preparing the test failed at: an errno. 0: nothing.
    pub failed: AtomicI32,
    /// How far the preparation of each process is.
    pub prepared: [AtomicU32; MAX_PROCESSES],
    /// The step of the preparation that may be done now.
    pub prepare: AtomicU32,
    /// Set when threads of a free run may start.
    pub go: AtomicU32,
}

/// A thread as the controller sees it.
#[repr(C)]
pub struct Thread {
    /// The number of statements that it may have begun.
    pub told: AtomicU32,
    /// The number of statements that it has done.
    pub done: AtomicU32,
    /// 0: not there yet; 1: there; 2: killed by a fault.
    pub life: AtomicU32,
    /// Its thread id.
    pub tid: AtomicI32,
    /// What its registers hold; see [`Value`].
    pub registers: [AtomicI32; MAX_REGISTERS as usize],
    /// The result of the calls that made its handles.
    pub handles: [AtomicI32; MAX_HANDLES],
    /// The result of each statement.
    pub results: [AtomicI32; cowherd_litmus::limits::MAX_STMTS],
}

/// A transfer that is submitted.
#[repr(C)]
pub struct Transfer {
    /// 0: not submitted; 1: submitted; 2: over.
    pub state: AtomicU32,
    /// 0, or a negative errno.
    pub result: AtomicI32,
}

/// A result: nothing yet, a value, or an errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing yet.
    Unset,
    /// A value of a cell, or 0 for success.
    Number(u8),
    /// The call failed.
    Errno(i32),
}

impl Value {
    /// As it is stored.
    pub fn store(self, to: &AtomicI32) {
        let code = match self {
            Value::Unset => 0,
            Value::Number(n) => i32::from(n) + 1,
            Value::Errno(errno) => -errno,
        };
        to.store(code, Ordering::SeqCst);
    }

    /// What is stored.
    pub fn load(from: &AtomicI32) -> Value {
        match from.load(Ordering::SeqCst) {
            0 => Value::Unset,
            n if n > 0 => Value::Number((n - 1) as u8),
            errno => Value::Errno(-errno),
        }
    }

    /// The value of a call's result.
    pub fn of<T>(result: &io::Result<T>) -> Value {
        match result {
            Ok(_) => Value::Number(0),
            Err(e) => Value::Errno(e.raw_os_error().unwrap_or(libc::EIO)),
        }
    }
}

/// A mapping of [`Shared`], the same in every process that is forked from here on.
#[derive(Clone, Copy)]
pub struct Board {
    at: *mut Shared,
}

// SAFETY: the mapping stays for the life of the process, and everything in it is atomic.
unsafe impl Send for Board {}
// SAFETY: as above.
unsafe impl Sync for Board {}

impl Board {
    /// Maps a board.
    pub fn new() -> io::Result<Board> {
        // SAFETY: a new shared mapping, placed by the kernel, aliases nothing.
        let at = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                std::mem::size_of::<Shared>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Board { at: at.cast() })
    }

    /// What is on it.
    pub fn get(&self) -> &'static Shared {
        // SAFETY: mapped by `new`, zeroed (a valid value of every field), and unmapped only by `unmap`, which nothing outlives.
        unsafe { &*self.at }
    }

    /// Takes the mapping away.
    pub fn unmap(self) {
        // SAFETY: `at` was mapped with this size by `new`. Whoever calls this keeps no reference from `get`.
        unsafe { libc::munmap(self.at.cast(), std::mem::size_of::<Shared>()) };
    }
}

/// Sleeps until `word` is no longer `value`, or for so long.
pub fn wait(word: &AtomicU32, value: u32, at_most: Duration) {
    let timeout = libc::timespec {
        tv_sec: at_most.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(at_most.subsec_nanos() as i32),
    };
    // SAFETY: the word outlives the call, and the timeout is read only.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT,
            value,
            std::ptr::from_ref(&timeout),
            std::ptr::null::<u32>(),
            0u32,
        )
    };
}

/// Stores a value, and wakes whoever sleeps on the word.
pub fn set(word: &AtomicU32, value: u32) {
    word.store(value, Ordering::SeqCst);
    // SAFETY: waking looks at the address only.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE,
            i32::MAX,
            std::ptr::null::<libc::timespec>(),
            std::ptr::null::<u32>(),
            0u32,
        )
    };
}
