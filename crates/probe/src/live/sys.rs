//! System calls that no library wraps as they are needed here.

use std::io;
use std::os::fd::RawFd;
use std::sync::OnceLock;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Bytes of a page.
pub const PAGE: usize = 4096;

/// The thread that asks.
const ME: Pid = Pid::from_raw(0);

/// The result of a system call that gives -1 and errno on failure.
pub fn result(returned: impl Into<i64>) -> io::Result<i64> {
    match returned.into() {
        -1 => Err(io::Error::last_os_error()),
        n => Ok(n),
    }
}

/// Maps a private page at an address, which must be free: anonymous, or of a file.
pub fn map(address: usize, file: Option<RawFd>) -> io::Result<()> {
    let anonymous = if file.is_none() {
        libc::MAP_ANONYMOUS
    } else {
        0
    };
    // SAFETY: MAP_FIXED_NOREPLACE puts nothing in the place of a mapping that is in use.
    let at = unsafe {
        libc::mmap(
            address as *mut libc::c_void,
            PAGE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | anonymous | libc::MAP_FIXED_NOREPLACE,
            file.unwrap_or(-1),
            0,
        )
    };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// munmap of a page of a test.
pub fn unmap(address: usize) -> io::Result<()> {
    // SAFETY: the page belongs to the test; nothing of Rust lives there.
    result(unsafe { libc::munmap(address as *mut libc::c_void, PAGE) }).map(drop)
}

/// madvise of a page of a test.
pub fn madvise(address: usize, advice: i32) -> io::Result<()> {
    // SAFETY: the page belongs to the test; nothing of Rust lives there.
    result(unsafe { libc::madvise(address as *mut libc::c_void, PAGE, advice) }).map(drop)
}

/// mprotect of a page of a test.
pub fn mprotect(address: usize, prot: i32) -> io::Result<()> {
    // SAFETY: the page belongs to the test; nothing of Rust lives there.
    result(unsafe { libc::mprotect(address as *mut libc::c_void, PAGE, prot) }).map(drop)
}

/// process_madvise of a page of another process.
pub fn process_madvise(pid: i32, address: usize, advice: i32) -> io::Result<()> {
    // SAFETY: makes a descriptor from a number.
    let fd = result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })? as RawFd;
    let range = libc::iovec {
        iov_base: address as *mut libc::c_void,
        iov_len: PAGE,
    };
    // SAFETY: the vector is read; the memory that it names is another process's, whose test it is.
    let done = result(unsafe {
        libc::syscall(
            libc::SYS_process_madvise,
            fd,
            std::ptr::from_ref(&range),
            1,
            advice,
            0,
        )
    });
    // SAFETY: the descriptor is this function's own.
    unsafe { libc::close(fd) };
    done.map(drop)
}

/// Moves a page of a process to another NUMA node; the status of the page is the result.
pub fn move_page(pid: i32, address: usize, node: i32) -> io::Result<()> {
    let page = address as *mut libc::c_void;
    let mut status = 0i32;
    const MPOL_MF_MOVE: i32 = 2;
    // SAFETY: one page, one node, one status.
    result(unsafe {
        libc::syscall(
            libc::SYS_move_pages,
            pid,
            1usize,
            std::ptr::from_ref(&page),
            std::ptr::from_ref(&node),
            std::ptr::from_mut(&mut status),
            MPOL_MF_MOVE,
        )
    })?;
    if status < 0 {
        return Err(io::Error::from_raw_os_error(-status));
    }
    Ok(())
}

/// The node that a page of a process is on.
pub fn node_of(pid: i32, address: usize) -> io::Result<i32> {
    let page = address as *mut libc::c_void;
    let mut status = 0i32;
    // SAFETY: without nodes, move_pages only tells where the page is.
    result(unsafe {
        libc::syscall(
            libc::SYS_move_pages,
            pid,
            1usize,
            std::ptr::from_ref(&page),
            std::ptr::null::<i32>(),
            std::ptr::from_mut(&mut status),
            0,
        )
    })?;
    if status < 0 {
        return Err(io::Error::from_raw_os_error(-status));
    }
    Ok(status)
}

/// Keeps this thread, and those that it makes, on a CPU.
pub fn pin_to_cpu(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    Ok(sched_setaffinity(ME, &set)?)
}

/// The CPUs that this process might run on when it, or the process that it comes from, first asked.
pub fn cpus() -> &'static [usize] {
    static CPUS: OnceLock<Vec<usize>> = OnceLock::new();
    CPUS.get_or_init(|| {
        let set = sched_getaffinity(ME).unwrap_or_default();
        let may = |cpu: &usize| set.is_set(*cpu).unwrap_or(false);
        (0..CpuSet::count()).filter(may).collect()
    })
}

/// The thread's own id.
pub fn gettid() -> i32 {
    // SAFETY: only gives a number.
    unsafe { libc::syscall(libc::SYS_gettid) as i32 }
}

/// Is a page of this process in memory or in the swap cache?
pub fn mincore(address: usize) -> io::Result<bool> {
    let mut byte = 0u8;
    // SAFETY: one page, one byte.
    result(unsafe { libc::mincore(address as *mut libc::c_void, PAGE, &mut byte) })?;
    Ok(byte & 1 == 1)
}
