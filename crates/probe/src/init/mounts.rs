//! What has to be there before a test can run: file systems and modules.

use std::fs;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount as mount_it};

use super::MODULES;

/// Source, place, type; and whether a guest without it is good for something.
const MOUNTS: [(&str, &str, &str, Need); 8] = [
    ("proc", "/proc", "proc", Need::Must),
    ("sysfs", "/sys", "sysfs", Need::Must),
    ("devtmpfs", "/dev", "devtmpfs", Need::Must),
    ("tmpfs", "/tmp", "tmpfs", Need::Must),
    ("tmpfs", "/dev/shm", "tmpfs", Need::May),
    ("debugfs", "/sys/kernel/debug", "debugfs", Need::May),
    ("tracefs", "/sys/kernel/tracing", "tracefs", Need::May),
    ("cgroup2", "/sys/fs/cgroup", "cgroup2", Need::May),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Must,
    /// A test that wants it says that it is missing.
    May,
}

/// Mounts them.
pub fn mount() -> Result<(), String> {
    for (source, place, kind, need) in MOUNTS {
        // Below /sys folders come from the kernel, or are not there.
        if !Path::new(place).exists() {
            let _ = fs::create_dir(place);
        }
        let done = mount_it(
            Some(source),
            place,
            Some(kind),
            MsFlags::empty(),
            None::<&str>,
        );
        // Some kernels mount devtmpfs themselves.
        if let Err(why) = done
            && why != Errno::EBUSY
            && need == Need::Must
        {
            return Err(format!("mounting {place}: {why}"));
        }
    }
    // Otherwise the kernel drops marks of tests that follow each other quickly.
    let _ = fs::write("/proc/sys/kernel/printk_devkmsg", "on");
    Ok(())
}

/// Loads all modules that were brought along; says which do not load.
pub fn load_modules() -> Vec<String> {
    let order = fs::read_to_string(format!("{MODULES}/order")).unwrap_or_default();
    let load = |name: &str| {
        let bytes = fs::read(format!("{MODULES}/{name}.ko")).map_err(|e| e.to_string())?;
        match nix::kmod::init_module(&bytes, c"") {
            Ok(()) | Err(Errno::EEXIST) => Ok(()),
            Err(why) => Err(why.to_string()),
        }
    };
    let failed = |name: &str| {
        let why: Result<(), String> = load(name);
        Some(format!("the module {name} does not load: {}", why.err()?))
    };
    order.lines().filter_map(failed).collect()
}
