//! What the running kernel calls itself.

use super::release::Banner;

/// The banner of the kernel that runs here.
pub fn banner() -> Banner {
    let text = |uts: &std::ffi::OsStr| uts.to_string_lossy().into_owned();
    let mut banner = Banner {
        signature: std::fs::read_to_string("/proc/version_signature")
            .ok()
            .map(|line| line.trim().to_string()),
        ..Banner::default()
    };
    if let Ok(uts) = nix::sys::utsname::uname() {
        banner.release = text(uts.release());
        banner.version = text(uts.version());
    }
    banner
}
