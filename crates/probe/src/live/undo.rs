//! What has to be put back, in memory that outlives the process that changed it: the runner notes, a supervisor puts back when the runner is gone,
//! however it went.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use super::sys::result;

/// One thing to put back. Each may be done when there is nothing to put back: it is noted before the change is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Undo {
    /// swapoff.
    Swapoff(PathBuf),
    /// Removes a zram device.
    Zram(u32),
    /// Removes the zram device of this number unless it has a size: one that is being made, of which the number that it gets is not known yet.
    NewZram(u32),
    /// Detaches a loop device.
    Loop(PathBuf),
    /// Removes a file.
    File(PathBuf),
    /// Removes a folder of ours and what is in it.
    Folder(PathBuf),
    /// Writes what a setting was.
    Write(String, String),
}

/// What to put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The swap area.
    Swap,
    /// All.
    All,
}

const ROOM: usize = 64 * 1024;

/// Which half of the list holds: the top bit of its first word.
const SECOND: u32 = 1 << 31;

/// The list, twice: a word with the length of the one that holds, and lines of JSON. A change writes the other one and then the word, so that whoever is
/// killed amid it leaves the old list or the new.
struct List {
    at: *mut u8,
}

// SAFETY: the mapping stays for the life of the process. One process writes; others read when it is gone.
unsafe impl Send for List {}
// SAFETY: as above.
unsafe impl Sync for List {}

static LIST: OnceLock<List> = OnceLock::new();

/// Makes the list. Processes forked from here on have it in common.
pub fn share() -> io::Result<()> {
    // SAFETY: a new shared mapping, placed by the kernel, aliases nothing.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            ROOM,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let _ = LIST.set(List { at: at.cast() });
    Ok(())
}

impl List {
    const HALF: usize = ROOM / 2 - 4;

    fn word(&self) -> &AtomicU32 {
        // SAFETY: the mapping is aligned and begins with the word.
        unsafe { AtomicU32::from_ptr(self.at.cast()) }
    }

    fn half(&self, second: bool) -> *mut u8 {
        // SAFETY: both halves are within the mapping.
        unsafe { self.at.add(4 + usize::from(second) * Self::HALF) }
    }

    fn read(&self) -> Vec<Undo> {
        let word = self.word().load(Ordering::SeqCst);
        let length = ((word & !SECOND) as usize).min(Self::HALF);
        // SAFETY: so many bytes were written before the word.
        let bytes = unsafe { std::slice::from_raw_parts(self.half(word & SECOND != 0), length) };
        let text = String::from_utf8_lossy(bytes);
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    fn write(&self, list: &[Undo]) {
        let mut text = String::new();
        for undo in list {
            text.push_str(&serde_json::to_string(undo).unwrap_or_default());
            text.push('\n');
        }
        let bytes = &text.as_bytes()[..text.len().min(Self::HALF)];
        let other = !self.word().load(Ordering::SeqCst) & SECOND;
        // SAFETY: there is room for so many bytes, in the half that does not hold.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.half(other != 0), bytes.len());
        }
        self.word()
            .store(other | bytes.len() as u32, Ordering::SeqCst);
    }
}

/// Notes a change that is about to be made.
pub fn push(undo: Undo) {
    if let Some(list) = LIST.get() {
        let mut all = list.read();
        all.push(undo);
        list.write(&all);
    }
}

/// Notes another change in the place of the last that was noted.
pub fn replace_last(undo: Undo) {
    if let Some(list) = LIST.get() {
        let mut all = list.read();
        all.pop();
        all.push(undo);
        list.write(&all);
    }
}

/// The same as [`push`], unless the place is noted already: the first note is what it was.
pub fn push_once(undo: Undo) {
    let known = |other: &Undo| match (other, &undo) {
        (Undo::Write(a, _), Undo::Write(b, _)) => a == b,
        (a, b) => a == b,
    };
    if LIST
        .get()
        .is_some_and(|list| !list.read().iter().any(known))
    {
        push(undo);
    }
}

/// Puts back, the last change first. What cannot be put back is told.
pub fn all(which: Which) {
    let Some(list) = LIST.get() else { return };
    let mut rest = list.read();
    let mut kept = Vec::new();
    while let Some(undo) = rest.pop() {
        if which == Which::Swap && matches!(undo, Undo::Write(..) | Undo::Folder(_)) {
            kept.insert(0, undo);
            continue;
        }
        if let Err(error) = put_back(&undo) {
            eprintln!("cowherd: {undo:?} was not put back: {error}");
        }
    }
    list.write(&kept);
}

fn put_back(undo: &Undo) -> io::Result<()> {
    match undo {
        Undo::Swapoff(path) => swapped_off(path),
        Undo::Zram(number) => match zram_exists(*number) {
            true => remove_zram(*number),
            false => Ok(()),
        },
        Undo::NewZram(number) => {
            let size = fs::read_to_string(format!("/sys/block/zram{number}/disksize"));
            match size.is_ok_and(|size| size.trim() == "0") {
                true => remove_zram(*number),
                false => Ok(()),
            }
        }
        Undo::Loop(path) => {
            const LOOP_CLR_FD: u64 = 0x4c01;
            let device = fs::File::open(path)?;
            // SAFETY: takes no argument.
            let done = result(unsafe {
                libc::ioctl(
                    std::os::fd::AsRawFd::as_raw_fd(&device),
                    LOOP_CLR_FD as libc::Ioctl,
                    0,
                )
            });
            unless(libc::ENXIO, done.map(drop))
        }
        Undo::File(path) => unless(libc::ENOENT, fs::remove_file(path)),
        Undo::Folder(path) => unless(libc::ENOENT, fs::remove_dir_all(path)),
        Undo::Write(path, text) => fs::write(path, text),
    }
}

/// Is there a zram device of this number?
pub fn zram_exists(number: u32) -> bool {
    Path::new(&format!("/sys/block/zram{number}")).exists()
}

fn remove_zram(number: u32) -> io::Result<()> {
    retry(|| fs::write("/sys/class/zram-control/hot_remove", number.to_string()))
}

/// The area is off in the end, whatever one call says: a swapoff of somebody who is being killed may still be under way, for as long as which
/// another gets EINVAL, and then turn the area on again.
fn swapped_off(path: &Path) -> io::Result<()> {
    let mut last = Ok(());
    for _ in 0..250 {
        last = unless(libc::EINVAL, swapoff(path));
        let on = fs::read_to_string("/proc/swaps").unwrap_or_default();
        if !on.contains(&*path.to_string_lossy()) {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    last
}

/// A device may be busy for a moment: somebody looks at every new one.
fn retry(act: impl Fn() -> io::Result<()>) -> io::Result<()> {
    for _ in 0..100 {
        match act() {
            Err(e) if e.raw_os_error() == Some(libc::EBUSY) => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            done => return done,
        }
    }
    act()
}

fn unless(errno: i32, done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(e) if e.raw_os_error() == Some(errno) => Ok(()),
        done => done,
    }
}

/// swapoff of an area.
pub fn swapoff(path: &Path) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)?;
    // SAFETY: the path ends with a zero.
    result(unsafe { libc::swapoff(path.as_ptr()) }).map(drop)
}
