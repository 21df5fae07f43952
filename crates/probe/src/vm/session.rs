//! Any number of tests on one kernel, in as many boots as it takes.
//!
//! One boot runs them all, unless the guest dies. Then the test that began last is at fault (also if its result had come: what it broke may show
//! only later), and the others run in a new boot. A test that dies with a complaint of the kernel is dead; one that dies without a word (an emulator
//! that crashed, a host that gave no time) is tried again, a few times. A boot that does not get as far as a test is tried again too.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::boot::{self, Boot, End, Limits};
use super::console::{self, Severity, Trace};
use super::modules::Module;
use super::qemu::Accelerator;
use super::{Guest, initramfs};
use crate::frame::{Hello, Message};
use crate::init::{Job, Source};
use crate::live::{self, Reach, TestResult};

/// Boots in which nothing was heard of a test, and tries of a test that dies without a word.
const TRIES: u32 = 3;

/// How long a boot may take with an accelerator. If that works it is a second; if not, it is not to cost much.
const BOOT_KVM: Duration = Duration::from_secs(10);

/// Lines of the console that are told where the kernel did not complain.
const TAIL: usize = 20;

/// What became of a test.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It ran, and the guest lived on.
    Ran {
        /// What it gave.
        result: TestResult,
        /// What the kernel complained of meanwhile.
        complaint: Option<Trace>,
        /// How often the guest died of it without a word before.
        lost: u32,
    },
    /// The guest died of it.
    Died {
        /// How.
        how: String,
        /// What the kernel complained of.
        complaint: Option<Trace>,
        /// The last lines of the console, for where it did not.
        console: String,
    },
    /// It was not its turn when Ctrl-C was pressed, or no kernel came up.
    NotRun,
}

/// What all tests gave on one kernel.
#[derive(Clone, Debug)]
pub struct Session {
    /// The guest, once one came up.
    pub hello: Option<Hello>,
    /// Who ran its instructions.
    pub accelerator: Accelerator,
    /// What it had to remark: a module that does not load.
    pub notes: Vec<String>,
    /// The tests.
    pub outcomes: Vec<Outcome>,
    /// Boots that it took.
    pub boots: u32,
    /// How it ended.
    pub end: SessionEnd,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// Every test ran, or died.
    Complete,
    /// By Ctrl-C.
    Interrupted,
    /// No kernel came up; what was seen of the last try.
    NoKernel(String),
}

/// What is seen while it runs.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A boot begins.
    Boot(Accelerator),
    /// This test begins.
    Begin(usize),
}

/// Runs the tests in a guest. `accelerator` is the one to try; it becomes the one that works.
pub fn run(
    guest: &Guest,
    accelerator: &mut Accelerator,
    tests: &[Source],
    options: &live::Options,
    watch: &mut dyn FnMut(Event),
    stop: &AtomicBool,
) -> Result<Session, String> {
    let mut session = Session {
        hello: None,
        accelerator: *accelerator,
        notes: Vec::new(),
        outcomes: vec![Outcome::NotRun; tests.len()],
        boots: 0,
        end: SessionEnd::Complete,
    };
    // For each test, how often the guest died of it without a word.
    let mut lost = vec![0; tests.len()];
    let mut failures = 0;
    loop {
        let left: Vec<usize> = (0..tests.len())
            .filter(|test| matches!(session.outcomes[*test], Outcome::NotRun))
            .collect();
        if left.is_empty() {
            return Ok(session);
        }
        let job = Job {
            tests: left.iter().map(|test| tests[*test].clone()).collect(),
            options: options.clone(),
            limit: guest.limit.as_secs().max(1),
            shell: false,
        };
        watch(Event::Boot(*accelerator));
        let mut tell = |message: &Message| {
            if let Message::Begin(test) = message {
                watch(Event::Begin(left[*test]));
            }
        };
        let boot = boot::boot(
            guest,
            &archive(&job, &guest.modules)?,
            *accelerator,
            limits(guest, *accelerator, left.len()),
            &mut tell,
            stop,
        )
        .map_err(|e| super::qemu_failed(&e))?;
        session.boots += 1;
        session.accelerator = *accelerator;
        session.absorb(&boot, &left, &mut lost);
        if boot.end == End::Interrupted {
            session.end = SessionEnd::Interrupted;
            return Ok(session);
        }
        if boot.begun.is_some() {
            failures = 0;
        } else if *accelerator == Accelerator::Kvm {
            // It was worth a try.
            *accelerator = Accelerator::Tcg;
        } else {
            failures += 1;
            if failures == TRIES {
                session.end = SessionEnd::NoKernel(failure(&boot));
                return Ok(session);
            }
        }
    }
}

/// How long things may take. The guest gives up a test after its limit and says what it hung in, so the host waits longer.
fn limits(guest: &Guest, accelerator: Accelerator, tests: usize) -> Limits {
    Limits {
        boot: match accelerator {
            Accelerator::Kvm => guest.limit.min(BOOT_KVM),
            Accelerator::Tcg => guest.limit,
        },
        test: guest.limit * 2,
        tests,
    }
}

impl Session {
    /// Takes what a boot gave, in which the tests `left` were to run.
    fn absorb(&mut self, boot: &Boot, left: &[usize], lost: &mut [u32]) {
        let Some(begun) = boot.begun else {
            return;
        };
        self.hello.clone_from(&boot.hello);
        self.notes.clone_from(&boot.notes);
        let dead = !matches!(boot.end, End::Complete | End::Interrupted);
        for (test, result) in &boot.results {
            if !(dead && *test == begun) {
                self.outcomes[left[*test]] = Outcome::Ran {
                    result: result.clone(),
                    complaint: console::trace(console::during(&boot.console, *test)),
                    lost: lost[left[*test]],
                };
            }
        }
        if !dead {
            return;
        }
        let part = console::during(&boot.console, begun);
        let complaint = console::trace(part);
        let broken = complaint
            .as_ref()
            .is_some_and(|c| c.severity == Severity::Broken);
        let test = left[begun];
        lost[test] += 1;
        if broken || matches!(boot.end, End::Died(_)) || lost[test] == TRIES {
            self.outcomes[test] = Outcome::Died {
                how: how(&boot.end),
                complaint,
                console: console::tail(part, TAIL),
            };
        }
    }
}

/// The initramfs, in memory.
pub(super) fn archive(job: &Job, modules: &[Module]) -> Result<File, String> {
    let bytes = initramfs::build(job, modules)?;
    let write = || -> io::Result<File> {
        let mut file = boot::anonymous(c"initramfs")?;
        file.write_all(&bytes)?;
        Ok(file)
    };
    write().map_err(|e| format!("the initramfs: {e}"))
}

/// How a guest ended, as the end of a sentence.
fn how(end: &End) -> String {
    match end {
        End::Complete => "it ended as it should".into(),
        End::Died(how) => how.clone(),
        End::Exited(status) => format!("the guest ended before its end marker (QEMU: {status})"),
        End::Silent(limit) => format!("nothing was heard of the guest for {limit:?}"),
        End::Damaged(why) => format!("the line of results is damaged: {why}"),
        End::Interrupted => "it was interrupted".into(),
    }
}

/// Why a kernel did not come up: what kind of failure it is, and the last that was heard.
fn failure(boot: &Boot) -> String {
    let mut text = format!("{}: {}", kind(boot), how(&boot.end));
    let last = console::tail(&boot.console, TAIL);
    let all = [
        ("QEMU", boot.errors.trim()),
        ("the last lines of its console", last.as_str()),
    ];
    for (who, said) in all {
        if !said.is_empty() {
            text.push_str(&format!("\n{who}:\n{said}"));
        }
    }
    text
}

/// What kind of failure a boot is that did not get as far as a test.
fn kind(boot: &Boot) -> String {
    if let Some(panic) = console::panic(&boot.console) {
        return format!("the kernel panicked while it booted ({panic})");
    }
    if boot.hello.is_some() {
        return "the kernel booted, and no test began".into();
    }
    let silent = boot.console.trim().is_empty();
    match (&boot.end, silent) {
        (End::Damaged(_), _) => "what came over the line of results is garbage".into(),
        (_, true) if !boot.errors.trim().is_empty() => "QEMU did not run it".into(),
        (_, true) => "the kernel wrote nothing to its console: the image is damaged, or it has no \
             serial console (CONFIG_SERIAL_8250_CONSOLE)"
            .into(),
        (End::Silent(_), false) => "the boot came to no end; --timeout gives it more time".into(),
        _ => "the kernel wrote to its console, and /init did not come to run".into(),
    }
}

/// The accelerator to begin with: KVM if this process may use it.
pub fn first_choice() -> Accelerator {
    match File::options().read(true).write(true).open("/dev/kvm") {
        Ok(_) => Accelerator::Kvm,
        Err(_) => Accelerator::Tcg,
    }
}

/// Boots without a test, to see what the guest is and has. `accelerator` becomes one with which it comes up.
pub fn look(
    guest: &Guest,
    accelerator: &mut Accelerator,
    stop: &AtomicBool,
) -> Result<Hello, String> {
    let job = Job {
        tests: Vec::new(),
        options: live::Options {
            reach: Reach::System,
            ..live::Options::default()
        },
        limit: 1,
        shell: false,
    };
    let archive = archive(&job, &guest.modules)?;
    let mut tries = 0;
    loop {
        let limits = limits(guest, *accelerator, 0);
        let boot = boot::boot(guest, &archive, *accelerator, limits, &mut |_| {}, stop)
            .map_err(|e| super::qemu_failed(&e))?;
        match boot.hello {
            Some(hello) if boot.end == End::Complete => return Ok(hello),
            _ if boot.end == End::Interrupted => return Err(how(&boot.end)),
            _ if *accelerator == Accelerator::Kvm => *accelerator = Accelerator::Tcg,
            _ => {
                tries += 1;
                if tries == TRIES {
                    return Err(format!("no kernel came up: {}", failure(&boot)));
                }
            }
        }
    }
}
