//! What --system allows: a swap area of cowherd's own, and KSM. Everything is noted before it is done, for whoever puts it back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::machine::{Swap, stable_writes};
use super::runner::because;
use super::sys::{self, PAGE, result};
use super::undo::{self, Undo};

/// What ksmd may take to scan everything that is mergeable a few times: all virtual machines of a host, for instance.
const PASS: Duration = Duration::from_secs(8);
/// Bytes of a swap area.
const BYTES: u64 = 64 << 20;
/// The name of the swap file.
const FILE: &str = "swap";

/// The area that is on.
static AREA: Mutex<Option<(Swap, PathBuf)>> = Mutex::new(None);

/// The kinds of swap area that can be made here.
pub fn kinds() -> Vec<Swap> {
    let mut kinds = Vec::new();
    if Path::new("/sys/class/zram-control/hot_add").exists() {
        kinds.push(Swap::ZRAM);
    }
    kinds.push(Swap {
        synchronous: false,
        stable: stable_writes(&std::env::temp_dir()),
    });
    kinds
}

/// Makes sure that a swap area of this kind is on, and no other of cowherd's. A swap file is made in `folder`.
pub fn swap_on(kind: Swap, folder: &Path) -> io::Result<()> {
    let mut area = AREA.lock().unwrap_or_else(|e| e.into_inner());
    match area.take() {
        Some((on, path)) if on == kind => {
            if fs::read_to_string("/proc/swaps")?.contains(&*path.to_string_lossy()) {
                *area = Some((on, path));
                return Ok(());
            }
            turn_on(&path)?;
            *area = Some((on, path));
            return Ok(());
        }
        Some(_) => undo::all(undo::Which::Swap),
        None => {}
    }
    let path = match kind.synchronous {
        true => zram().map_err(|e| because("a zram device", e))?,
        false => file_or_loop(folder)?,
    };
    label(&path)?;
    undo::push_once(Undo::Swapoff(path.clone()));
    turn_on(&path)?;
    *area = Some((kind, path));
    Ok(())
}

/// swapoff of the own area; the next run turns it on again.
pub fn swapoff() -> io::Result<()> {
    let area = AREA.lock().unwrap_or_else(|e| e.into_inner());
    match &*area {
        Some((_, path)) => undo::swapoff(path),
        None => Err(io::Error::from_raw_os_error(libc::EINVAL)),
    }
}

fn zram() -> io::Result<PathBuf> {
    // To read hot_add makes the device, which gets the lowest number that is free (zram_add: idr_alloc). Who is killed before the number is read leaves it.
    undo::push(Undo::NewZram(
        (0..).find(|n| !undo::zram_exists(*n)).unwrap_or(0),
    ));
    let number = fs::read_to_string("/sys/class/zram-control/hot_add")?;
    let number: u32 = number.trim().parse().map_err(io::Error::other)?;
    undo::replace_last(Undo::Zram(number));
    fs::write(
        format!("/sys/block/zram{number}/disksize"),
        BYTES.to_string(),
    )?;
    Ok(format!("/dev/zram{number}").into())
}

fn file_or_loop(folder: &Path) -> io::Result<PathBuf> {
    file(folder).or_else(|no_file| {
        // A full disk does not stay full for a file that is of no use.
        let _ = fs::remove_file(folder.join(FILE));
        let no_file = because(
            &format!("a file of 64 MiB in {}", folder.display()),
            no_file,
        );
        on_loop().map_err(|e| because(&format!("{no_file}; a loop device"), e))
    })
}

fn file(folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join(FILE);
    undo::push(Undo::File(path.clone()));
    let mut file = File::create(&path)?;
    let zeroes = vec![0; 1 << 20];
    for _ in 0..BYTES >> 20 {
        file.write_all(&zeroes)?;
    }
    file.sync_all()?;
    label(&path)?;
    // Not every file system can be swapped to. Who is killed while this is tried leaves the area on.
    undo::push_once(Undo::Swapoff(path.clone()));
    turn_on(&path)?;
    undo::swapoff(&path)?;
    Ok(path)
}

/// A loop device over a file in memory, where no file system can be swapped to.
fn on_loop() -> io::Result<PathBuf> {
    const LOOP_CTL_GET_FREE: u64 = 0x4c82;
    const LOOP_SET_FD: u64 = 0x4c00;
    let control = File::open("/dev/loop-control")?;
    // SAFETY: takes no argument.
    let number =
        result(unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE as libc::Ioctl) })?;
    let backing = super::call::memory_file()?;
    // SAFETY: two numbers.
    result(unsafe { libc::ftruncate(backing, BYTES as libc::off_t) })?;
    let path = PathBuf::from(format!("/dev/loop{number}"));
    let device = OpenOptions::new().read(true).write(true).open(&path)?;
    undo::push(Undo::Loop(path.clone()));
    // SAFETY: two descriptors.
    result(unsafe { libc::ioctl(device.as_raw_fd(), LOOP_SET_FD as libc::Ioctl, backing) })?;
    super::call::close(backing);
    Ok(path)
}

/// mkswap: union swap_header, version 1.
fn label(path: &Path) -> io::Result<()> {
    let mut header = vec![0u8; PAGE];
    let last = (BYTES / PAGE as u64 - 1) as u32;
    header[1024..1028].copy_from_slice(&1u32.to_ne_bytes());
    header[1028..1032].copy_from_slice(&last.to_ne_bytes());
    header[PAGE - 10..].copy_from_slice(b"SWAPSPACE2");
    let file = OpenOptions::new().write(true).open(path)?;
    file.write_all_at(&header, 0)?;
    file.sync_all()
}

fn turn_on(path: &Path) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)?;
    const SWAP_FLAG_PREFER: i32 = 0x8000;
    // SAFETY: the path ends with a zero.
    result(unsafe { libc::swapon(path.as_ptr(), SWAP_FLAG_PREFER | 100) }).map(drop)
}

/// Settings that a run changes, as they are to be while tests run.
pub fn settings() -> io::Result<()> {
    // A swap-in reads the neighbours of a slot as well, which may be other pages of the test.
    set("/proc/sys/vm/page-cluster", "0")
}

/// Sets a setting, and notes what it was.
fn set(path: &str, value: &str) -> io::Result<()> {
    let was = fs::read_to_string(path)?.trim().to_owned();
    if was != value {
        undo::push(Undo::Write(path.into(), was));
        fs::write(path, value)?;
    }
    Ok(())
}

/// Gives ksmd a page of this process. Where nothing is mergeable (a test may have said so of all its pages) it does not scan, and no pass ends.
fn scan_something() -> io::Result<()> {
    #[repr(align(4096))]
    struct Page([u8; PAGE]);
    static MINE: OnceLock<usize> = OnceLock::new();
    let at = *MINE.get_or_init(|| Box::leak(Box::new(Page([0x5a; PAGE]))).0.as_ptr() as usize);
    // What is forked from here has pages of its own to scan.
    sys::madvise(at, libc::MADV_DONTFORK)?;
    sys::madvise(at, libc::MADV_MERGEABLE)
}

/// Lets ksmd scan everything that is mergeable, often enough that pages it has not met before are merged.
pub fn ksm_pass() -> io::Result<()> {
    const KSM: &str = "/sys/kernel/mm/ksm";
    let scans = || -> io::Result<u64> {
        fs::read_to_string(format!("{KSM}/full_scans"))?
            .trim()
            .parse()
            .map_err(io::Error::other)
    };
    let set = |name: &str, value: &str| {
        let path = format!("{KSM}/{name}");
        if name == "run" {
            fs::write(path, value)
        } else {
            self::set(&path, value)
        }
    };
    if Path::new(KSM).join("smart_scan").exists() {
        set("smart_scan", "0")?;
    }
    set("sleep_millisecs", "0")?;
    set("pages_to_scan", "10000")?;
    undo::push_once(Undo::Write(
        format!("{KSM}/run"),
        fs::read_to_string(format!("{KSM}/run"))?.trim().into(),
    ));
    scan_something()?;
    let begin = scans()?;
    set("run", "1")?;
    let begun = Instant::now();
    // The first may have begun behind the pages; one learns their checksums, the next merges.
    let mut done = false;
    while !done && begun.elapsed() < PASS {
        std::thread::sleep(Duration::from_millis(1));
        done = scans()? >= begin + 4;
    }
    set("run", "0")?;
    match done {
        true => Ok(()),
        false => Err(io::Error::from_raw_os_error(libc::ETIMEDOUT)),
    }
}
