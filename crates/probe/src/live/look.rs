//! What the kernel tells of a process's pages: /proc/PID/pagemap, /proc/kpageflags, and what a thread is doing.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use cowherd_model::kernels::Release;

use super::world::scratch;
use crate::detect::release::leading;

/// An entry of pagemap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// There is no PTE.
    None,
    /// A swap entry, a migration entry, or a marker.
    Swapped,
    /// Present; the frame is 0 for who may not know it.
    Present {
        /// The frame's number.
        frame: u64,
    },
}

const SWAPPED: u64 = 1 << 62;
const PRESENT: u64 = 1 << 63;
const SOFT_DIRTY: u64 = 1 << 55;
const UFFD_WP: u64 = 1 << 57;
const FRAME: u64 = (1 << 55) - 1;

/// Flags of /proc/kpageflags.
pub mod flag {
    /// On the LRU.
    pub const LRU: u64 = 1 << 5;
    /// Being written back.
    pub const WRITEBACK: u64 = 1 << 8;
    /// In the swap cache.
    pub const SWAPCACHE: u64 = 1 << 13;
    /// A KSM page. Some releases say so of every anonymous page.
    pub const KSM: u64 = 1 << 21;
}

fn raw(pid: i32, address: usize) -> io::Result<u64> {
    let map = File::open(format!("/proc/{pid}/pagemap"))?;
    let mut bytes = [0; 8];
    map.read_exact_at(&mut bytes, (address / 4096 * 8) as u64)?;
    Ok(u64::from_ne_bytes(bytes))
}

/// What is at an address of a process.
pub fn pagemap(pid: i32, address: usize) -> io::Result<Entry> {
    let entry = raw(pid, address)?;
    Ok(if entry & PRESENT != 0 {
        Entry::Present {
            frame: entry & FRAME,
        }
    } else if entry & SWAPPED != 0 {
        Entry::Swapped
    } else {
        Entry::None
    })
}

/// Is the page at an address soft-dirty?
pub fn soft_dirty(pid: i32, address: usize) -> io::Result<bool> {
    Ok(raw(pid, address)? & SOFT_DIRTY != 0)
}

/// Is what is at an address write-protected by userfaultfd? None: the kernel does not show it.
pub fn protected(pid: i32, address: usize) -> Option<bool> {
    // Subject: mm/pagemap: export uffd-wp protection information.
    static SHOWN: OnceLock<bool> = OnceLock::new();
    let shown = || {
        let names = nix::sys::utsname::uname().ok();
        let release = names.and_then(|n| leading(&n.release().to_string_lossy()));
        release.is_some_and(|release| release >= Release::new(5, 14, 0))
    };
    let raw = raw(pid, address).ok()?;
    SHOWN.get_or_init(shown).then_some(raw & UFFD_WP != 0)
}

/// Is a frame a KSM page? None: it cannot be told. Some releases say so of every anonymous page, and so of one that surely is none.
pub fn merged(frame: u64) -> Option<bool> {
    let Entry::Present { frame: plain } = pagemap(std::process::id() as i32, scratch()).ok()?
    else {
        return None;
    };
    if flags(plain)? & flag::KSM != 0 {
        return None;
    }
    Some(flags(frame)? & flag::KSM != 0)
}

/// The flags of a frame; none for who may not know them.
pub fn flags(frame: u64) -> Option<u64> {
    let file = File::open("/proc/kpageflags").ok()?;
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, frame * 8).ok()?;
    Some(u64::from_ne_bytes(bytes))
}

/// Is there a mapping at an address of a process?
pub fn mapped(pid: i32, address: usize) -> bool {
    let Ok(maps) = std::fs::read_to_string(format!("/proc/{pid}/maps")) else {
        return false;
    };
    maps.lines().any(|line| {
        let range = line
            .split(' ')
            .next()
            .and_then(|range| range.split_once('-'));
        range.is_some_and(|(from, to)| {
            let number = |text| usize::from_str_radix(text, 16).unwrap_or(0);
            number(from) <= address && address < number(to)
        })
    })
}

/// The state of a thread as ps shows it: R, S, D, Z; none: it is gone.
pub fn state(pid: i32, tid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Has a process memory? Not if all of its threads are zombies. A thread that ends lets go of memory before it closes its files, and to close one
/// that FUSE has may take until a transfer completes: so not either if it sleeps and has no memory any more. One that has none and runs may
/// still be taking it down.
pub fn has_memory(pid: i32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return false;
    };
    let of_thread = |tid: i32| match state(pid, tid) {
        None | Some('Z' | 'X') => false,
        Some('S' | 'D') => {
            let pages = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/statm"));
            pages.is_ok_and(|pages| !pages.starts_with("0 "))
        }
        Some(_) => true,
    };
    threads
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .any(of_thread)
}

/// Reads a byte of a process. None: it cannot be read.
pub fn byte(pid: i32, address: usize) -> Option<u8> {
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut byte = [0];
    memory.read_exact_at(&mut byte, address as u64).ok()?;
    Some(byte[0])
}
