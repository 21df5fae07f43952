//! What this machine has that tests may need.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::sys;
use super::uffd::Uffd;
use super::uring::Ring;

/// What is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// `uname -r`.
    pub release: String,
    /// `uname -v`.
    pub version: String,
    /// `uname -m`.
    pub arch: String,
    /// May this process do what root may?
    pub root: bool,
    /// May it know the frames of pages?
    pub frames: bool,
    /// Is there /dev/fuse?
    pub fuse: bool,
    /// May block devices of its own be made, with nbd?
    pub nbd: bool,
    /// Swap that is on.
    pub swap: Option<Swap>,
    /// Swap areas of cowherd's own may be made, of these kinds.
    pub own_swap: Vec<Swap>,
    /// May KSM be run?
    pub ksm: bool,
    /// Does the kernel track soft-dirty pages?
    pub soft_dirty: bool,
    /// The features of userfaultfd; none: there is no userfaultfd, or it may not be used.
    pub uffd: Option<u64>,
    /// Is there io_uring?
    pub io_uring: bool,
    /// NUMA nodes.
    pub nodes: usize,
}

/// A swap device, as far as the model tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swap {
    /// Its I/O completes in the call.
    pub synchronous: bool,
    /// Frames must not change while it writes them.
    pub stable: bool,
}

impl Swap {
    /// zram.
    pub const ZRAM: Swap = Swap {
        synchronous: true,
        stable: true,
    };

    /// A file on a loop device.
    pub const LOOP: Swap = Swap {
        synchronous: false,
        stable: false,
    };

    /// For people.
    pub fn text(self) -> &'static str {
        match (self.synchronous, self.stable) {
            (true, true) => "sync stable",
            (true, false) => "sync",
            (false, true) => "async stable",
            (false, false) => "async",
        }
    }
}

/// What may be touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Reach {
    /// Nothing outside the test's own processes.
    #[default]
    Own,
    /// A swap area and devices of cowherd's own, KSM and settings, all of it put back.
    System,
}

impl Machine {
    /// Looks around. Changes nothing.
    pub fn look(reach: Reach) -> Machine {
        let uname = nix::sys::utsname::uname().ok();
        let text = |part: Option<&std::ffi::OsStr>| {
            part.map_or(String::new(), |t| t.to_string_lossy().into_owned())
        };
        let root = root();
        let system = reach == Reach::System && root;
        Machine {
            release: text(uname.as_ref().map(|u| u.release())),
            version: text(uname.as_ref().map(|u| u.version())),
            arch: text(uname.as_ref().map(|u| u.machine())),
            root,
            frames: frames(),
            fuse: Path::new("/dev/fuse").exists() && root,
            nbd: system && super::nbd::available(),
            swap: swap(),
            own_swap: if system {
                super::system::kinds()
            } else {
                Vec::new()
            },
            ksm: system && Path::new("/sys/kernel/mm/ksm/run").exists(),
            soft_dirty: soft_dirty(),
            uffd: Uffd::features().ok(),
            io_uring: Ring::available(),
            nodes: nodes(),
        }
    }
}

/// May this process do what root may?
pub fn root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Does pagemap tell the frame of a page of our own?
fn frames() -> bool {
    let page = Box::new([1u8; 2 * sys::PAGE]);
    let at = page.as_ptr() as usize;
    std::hint::black_box(&page);
    matches!(
        super::look::pagemap(std::process::id() as i32, at),
        Ok(super::look::Entry::Present { frame }) if frame != 0
    )
}

/// The swap that is on: none, or what its first area is.
fn swap() -> Option<Swap> {
    let areas = fs::read_to_string("/proc/swaps").ok()?;
    let first = areas.lines().nth(1)?.split_whitespace().next()?.to_owned();
    if first.contains("zram") {
        return Some(Swap::ZRAM);
    }
    Some(Swap {
        synchronous: false,
        stable: stable_writes(Path::new(&first)),
    })
}

/// Does the device that a path is on need frames to stay as they are?
pub fn stable_writes(path: &Path) -> bool {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let Ok(meta) = fs::metadata(path) else {
        return false;
    };
    let device = if meta.file_type().is_block_device() {
        meta.rdev()
    } else {
        meta.dev()
    };
    let (major, minor) = (libc::major(device), libc::minor(device));
    let folder = format!("/sys/dev/block/{major}:{minor}");
    ["queue/stable_writes", "../queue/stable_writes"]
        .iter()
        .any(|name| {
            fs::read_to_string(Path::new(&folder).join(name)).is_ok_and(|text| text.trim() == "1")
        })
}

/// Does clear_refs make a page of a child lose its soft-dirty bit?
fn soft_dirty() -> bool {
    // SAFETY: the child makes system calls only, and ends.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let at = super::world::scratch();
        let me = std::process::id() as i32;
        let tracks = sys::map(at, None).is_ok() && {
            super::world::write(at, 1);
            super::call::clear_refs(me).is_ok()
                && super::look::soft_dirty(me, at).is_ok_and(|d| !d)
                && {
                    super::world::write(at, 2);
                    super::look::soft_dirty(me, at).is_ok_and(|d| d)
                }
        };
        // SAFETY: does not return.
        unsafe { libc::_exit(i32::from(!tracks)) };
    }
    let mut status = 1;
    // SAFETY: room for one status.
    unsafe { libc::waitpid(pid, &mut status, 0) };
    status == 0
}

fn nodes() -> usize {
    let Ok(entries) = fs::read_dir("/sys/devices/system/node") else {
        return 1;
    };
    let node = |e: &fs::DirEntry| {
        let name = e.file_name();
        let name = name.to_string_lossy();
        name.strip_prefix("node")
            .is_some_and(|n| n.parse::<u32>().is_ok())
    };
    entries.filter_map(Result::ok).filter(node).count().max(1)
}
