//! One boot: from the start of QEMU to its end, and what came over the line meanwhile.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::process::ChildStdout;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::Guest;
use super::qemu::{self, Accelerator, Files, Qemu, Terminal};
use crate::frame::{Heard, Hello, Message, Reader};
use crate::live::TestResult;

/// How long a guest may take to power off after its end marker.
const POWER_OFF: Duration = Duration::from_secs(10);

/// How often Ctrl-C is looked at.
const PACE: Duration = Duration::from_millis(50);

/// How long may things take, and how many may there be?
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until `/init` runs.
    pub boot: Duration,
    /// A test, as the host sees it: more than the guest allows it, so that the guest can say what it hung in.
    pub test: Duration,
    /// How many tests there are.
    pub tests: usize,
}

/// How a boot ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With the end marker.
    Complete,
    /// The test's process died, or did not end.
    Died(String),
    /// QEMU ended.
    Exited(String),
    /// Nothing came for so long.
    Silent(Duration),
    /// What came was damaged.
    Damaged(String),
    /// Ctrl-C.
    Interrupted,
}

/// What a boot gave.
#[derive(Debug)]
pub struct Boot {
    /// The guest, if it came to run.
    pub hello: Option<Hello>,
    /// What it had to remark.
    pub notes: Vec<String>,
    /// The test that began last: its place in the job.
    pub begun: Option<usize>,
    /// Results that came.
    pub results: Vec<(usize, TestResult)>,
    /// How it ended.
    pub end: End,
    /// All that the kernel wrote to the console.
    pub console: String,
    /// What QEMU had to say.
    pub errors: String,
}

/// Boots. `watch` is told of every message as it comes.
pub fn boot(
    guest: &Guest,
    initramfs: &File,
    accelerator: Accelerator,
    limits: Limits,
    watch: &mut dyn FnMut(&Message),
    stop: &AtomicBool,
) -> io::Result<Boot> {
    // Files without a name: there is nothing to clean up, however cowherd ends.
    let mut console = anonymous(c"console")?;
    let mut errors = anonymous(c"errors")?;
    let files = Files {
        kernel: guest.kernel.clone(),
        initramfs: qemu::path(initramfs),
        console: Some(qemu::path(&console)),
    };
    let arguments = qemu::arguments(&guest.machine, &files, accelerator);
    let mut qemu = Qemu::start(&arguments, &errors, Terminal::None)?;
    let results = qemu.results().expect("its standard output is a pipe");
    let mut boot = Boot {
        hello: None,
        notes: Vec::new(),
        begun: None,
        results: Vec::new(),
        end: End::Interrupted,
        console: String::new(),
        errors: String::new(),
    };
    boot.end = boot.listen(&listen(results), limits, watch, stop);
    if boot.end == End::Complete {
        let until = Instant::now() + POWER_OFF;
        while qemu.ended()?.is_none() && Instant::now() < until {
            std::thread::sleep(PACE / 10);
        }
    } else if let End::Exited(status) = &mut boot.end {
        *status = qemu.wait()?.to_string();
    }
    drop(qemu);
    boot.console = contents(&mut console)?;
    boot.errors = contents(&mut errors)?;
    Ok(boot)
}

/// Boots to a shell on this terminal.
pub fn shell(guest: &Guest, initramfs: &File, accelerator: Accelerator) -> io::Result<()> {
    let errors = anonymous(c"errors")?;
    let files = Files {
        kernel: guest.kernel.clone(),
        initramfs: qemu::path(initramfs),
        console: None,
    };
    let arguments = qemu::arguments(&guest.machine, &files, accelerator);
    Qemu::start(&arguments, &errors, Terminal::Guest)?.wait()?;
    Ok(())
}

impl Boot {
    fn listen(
        &mut self,
        line: &Receiver<Heard>,
        limits: Limits,
        watch: &mut dyn FnMut(&Message),
        stop: &AtomicBool,
    ) -> End {
        let mut last = Instant::now();
        loop {
            if stop.load(Ordering::Relaxed) {
                return End::Interrupted;
            }
            let limit = if self.hello.is_some() {
                limits.test
            } else {
                limits.boot
            };
            match line.recv_timeout(PACE) {
                Ok(Heard::Message(message)) => {
                    last = Instant::now();
                    if let Message::Begin(test) | Message::Result(test, _) = message
                        && test >= limits.tests
                    {
                        return End::Damaged(format!("there is no test {test}"));
                    }
                    watch(&message);
                    match message {
                        Message::Hello(hello) => self.hello = Some(hello),
                        Message::Note(note) => self.notes.push(note),
                        Message::Begin(test) => self.begun = Some(test),
                        Message::Result(test, result) => self.results.push((test, *result)),
                        Message::Died(_, how) => return End::Died(how),
                        Message::End => return End::Complete,
                    }
                }
                Ok(Heard::Damaged(why)) => return End::Damaged(why),
                Err(RecvTimeoutError::Timeout) if last.elapsed() > limit => {
                    return End::Silent(limit);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return End::Exited(String::new()),
            }
        }
    }
}

/// Reads the line in a thread, which ends with the line.
fn listen(mut line: ChildStdout) -> Receiver<Heard> {
    let (to, from) = channel();
    std::thread::spawn(move || {
        let mut reader = Reader::default();
        let mut buffer = [0; 65_536];
        while let Ok(count @ 1..) = line.read(&mut buffer) {
            for heard in reader.push(&buffer[..count]) {
                // Nobody listens any more.
                if to.send(heard).is_err() {
                    return;
                }
            }
        }
    });
    from
}

/// A file in memory.
pub fn anonymous(name: &std::ffi::CStr) -> io::Result<File> {
    let flags = nix::sys::memfd::MFdFlags::MFD_CLOEXEC;
    Ok(File::from(nix::sys::memfd::memfd_create(name, flags)?))
}

fn contents(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
