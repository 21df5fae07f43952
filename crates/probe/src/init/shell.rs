//! A shell in the guest, on its console.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Runs it until it ends.
pub fn run(notes: &[String]) -> Result<(), String> {
    for note in notes {
        println!("cowherd: {note}");
    }
    let busybox = Path::new("/bin/busybox");
    if busybox.exists() {
        let mut install = Command::new(busybox);
        install.args(["--install", "-s", "/bin"]);
        install
            .status()
            .map_err(|e| format!("busybox --install: {e}"))?;
    } else {
        println!("cowherd: without a busybox on the host this shell has its builtins and cowherd");
    }
    let mut shell = Command::new("/bin/sh");
    println!("cowherd: exit ends the guest; Ctrl-A X ends QEMU");
    shell.env("PATH", "/bin").env("HOME", "/root").arg("-i");
    // SAFETY: both are async-signal-safe system calls that touch no memory of ours.
    unsafe {
        shell.pre_exec(|| {
            // Job control needs a session whose terminal this is.
            nix::unistd::setsid()?;
            libc::ioctl(0, libc::TIOCSCTTY, 0);
            Ok(())
        });
    }
    let console = || {
        let open = std::fs::File::options()
            .read(true)
            .write(true)
            .open("/dev/ttyS0");
        open.map_err(|e| format!("/dev/ttyS0: {e}"))
    };
    shell
        .stdin(console()?)
        .stdout(console()?)
        .stderr(console()?);
    shell.status().map_err(|e| format!("/bin/sh: {e}"))?;
    Ok(())
}
