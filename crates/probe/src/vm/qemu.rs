//! QEMU: its command line, and its process.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};

/// The program.
pub const QEMU: &str = "qemu-system-x86_64";

/// Who runs the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// The CPU.
    Kvm,
    /// QEMU.
    Tcg,
}

impl Accelerator {
    /// As QEMU calls it.
    pub fn name(self) -> &'static str {
        match self {
            Accelerator::Kvm => "kvm",
            Accelerator::Tcg => "tcg",
        }
    }
}

/// The virtual machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Memory, in MiB.
    pub memory: u32,
    /// CPUs.
    pub cpus: u32,
    /// More for the kernel's command line.
    pub append: String,
}

/// Where the guest's files are: paths that QEMU can open.
#[derive(Clone, Debug)]
pub struct Files {
    /// The kernel.
    pub kernel: String,
    /// What it boots from.
    pub initramfs: String,
    /// Where the console's text goes; `None` for the terminal.
    pub console: Option<String>,
}

/// The arguments of QEMU.
pub fn arguments(machine: &Machine, files: &Files, accelerator: Accelerator) -> Vec<String> {
    let cpu = match accelerator {
        Accelerator::Kvm => "host",
        // With cx16, QEMU 7.2 loses one boot of 6.12 in five.
        Accelerator::Tcg => "max,-cx16",
    };
    let serial = match &files.console {
        Some(path) => vec![format!("file:{path}"), "stdio".into()],
        None => vec!["mon:stdio".into()],
    };
    let half = machine.memory / 2;
    let mut all = words(&format!(
        "-accel {} -cpu {cpu} -m {} -smp {}",
        accelerator.name(),
        half * 2,
        machine.cpus
    ));
    // Two NUMA nodes, for the tests that migrate.
    all.extend(words(&format!(
        "-object memory-backend-ram,id=near,size={half}M -object memory-backend-ram,id=far,size={half}M \
         -numa node,nodeid=0,cpus=0-{},memdev=near -numa node,nodeid=1,memdev=far",
        machine.cpus - 1
    )));
    all.extend(words(
        "-display none -vga none -parallel none -nic none -no-user-config -no-reboot",
    ));
    if files.console.is_some() {
        all.extend(words("-monitor none"));
    }
    for serial in serial {
        all.extend(["-serial".into(), serial]);
    }
    all.extend(["-kernel".into(), files.kernel.clone()]);
    all.extend(["-initrd".into(), files.initramfs.clone()]);
    // An oops ends the guest, and a panic ends QEMU: both are seen at once. Some distributions forbid FOLL_FORCE by default. On a busy machine the timer that a
    // boot tests may be late, and the kernel would panic.
    let mut append = String::from(
        "console=ttyS0 loglevel=5 oops=panic panic=-1 no_timer_check proc_mem.force_override=always",
    );
    if !machine.append.is_empty() {
        append.push(' ');
        append.push_str(&machine.append);
    }
    all.extend(["-append".into(), append]);
    all
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(String::from).collect()
}

/// QEMU, running. It ends with this value, and with cowherd.
pub struct Qemu {
    child: Child,
}

impl Qemu {
    /// Starts it. `errors` gets what it has to say itself.
    pub fn start(arguments: &[String], errors: &File, terminal: Terminal) -> io::Result<Qemu> {
        let mut command = Command::new(QEMU);
        command.args(arguments);
        match terminal {
            Terminal::Guest => {}
            Terminal::None => {
                command
                    .stdin(Stdio::null())
                    .stdout(Stdio::piped())
                    .stderr(errors.try_clone()?)
                    // Ctrl-C is for cowherd, which then ends QEMU.
                    .process_group(0);
            }
        }
        // SAFETY: between fork and exec, prctl and getppid are async-signal-safe system calls that touch no memory.
        unsafe {
            command.pre_exec(|| {
                // The thread that starts QEMU is the one that waits for it, so its end is cowherd's.
                nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
                Ok(())
            });
        }
        Ok(Qemu {
            child: command.spawn()?,
        })
    }

    /// What the guest writes to the line of results.
    pub fn results(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Has it ended?
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits until it ends.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Who has the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// Nobody: results come through a pipe.
    None,
    /// The guest's console.
    Guest,
}

/// A path by which QEMU opens a file that has no name.
pub fn path(file: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(accelerator: Accelerator, console: Option<&str>) -> String {
        let machine = Machine {
            memory: 513,
            cpus: 2,
            append: "slub_debug=FZ".into(),
        };
        let files = Files {
            kernel: "a kernel".into(),
            initramfs: "/proc/1/fd/3".into(),
            console: console.map(String::from),
        };
        arguments(&machine, &files, accelerator).join("\n")
    }

    #[test]
    fn results_have_a_line_of_their_own() {
        let line = line(Accelerator::Tcg, Some("/proc/1/fd/5"));
        assert!(line.contains("-monitor\nnone\n-serial\nfile:/proc/1/fd/5\n-serial\nstdio\n"));
    }

    #[test]
    fn the_shell_has_the_console_and_the_monitor() {
        let line = line(Accelerator::Tcg, None);
        assert!(line.contains("-serial\nmon:stdio\n") && !line.contains("-monitor"));
    }

    #[test]
    fn cx16_is_masked_where_qemu_gets_it_wrong() {
        assert!(line(Accelerator::Tcg, None).contains("-accel\ntcg\n-cpu\nmax,-cx16\n"));
        assert!(line(Accelerator::Kvm, None).contains("-accel\nkvm\n-cpu\nhost\n"));
    }

    #[test]
    fn there_are_two_nodes_of_half_the_memory() {
        let line = line(Accelerator::Tcg, None);
        assert!(line.contains("-m\n512\n"));
        assert_eq!(line.matches("size=256M").count(), 2);
        assert!(line.contains("node,nodeid=0,cpus=0-1,memdev=near"));
    }

    #[test]
    fn what_is_appended_and_names_with_spaces_stay_one_argument() {
        let line = line(Accelerator::Tcg, None);
        assert!(line.contains("-kernel\na kernel\n"));
        assert!(line.ends_with("no_timer_check proc_mem.force_override=always slub_debug=FZ"));
    }
}
