//! Any number of tests on one kernel, in as many boots as it takes.
//!
//! One boot runs them all, unless the guest dies. Then the test that began last is at fault (also if its result had come: what it broke may show
//! only after), and the others run in a new boot. A test that dies with a complaint of the kernel is dead; one that dies without a word (an emulator that
//! crashed, a host that gave no time) is tried again, a few times. A boot that does not get as far as `/init` is tried again too.

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
use crate::live::{self, TestResult};

/// Boots in which nothing was heard of `/init`, and tries of a test that dies without a word.
const TRIES: u32 = 3;

/// How long a boot may take. A kernel takes 3 s, and ten times as long on a loaded machine.
const BOOT_TCG: Duration = Duration::from_secs(120);

/// With an accelerator that works it is a second. If it does not, it is not to cost much.
const BOOT_KVM: Duration = Duration::from_secs(10);

/// What the host grants a test more than the guest does.
const MORE: Duration = Duration::from_secs(30);

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
        /// How many times the guest died of it without a word before.
        lost: u32,
    },
    /// The guest died of it.
    Died {
        /// How.
        how: String,
        /// What the kernel said.
        complaint: Option<Trace>,
        /// The last lines of the console, where that is nothing.
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
    /// Why no kernel came up: what was seen of the last try.
    pub failure: Option<String>,
    /// Was it ended by Ctrl-C?
    pub interrupted: bool,
}

/// What is seen while it runs.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A boot begins.
    Boot(Accelerator),
    /// This test begins.
    Begin(usize),
    /// It gave this.
    Result(usize, &'a TestResult),
}

/// Runs the tests in a guest. `accelerator` is the one to try; it is changed to one that works.
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
        failure: None,
        interrupted: false,
    };
    let mut lost = vec![0; tests.len()];
    let mut left: Vec<usize> = (0..tests.len()).collect();
    let mut failures = 0;
    while !left.is_empty() {
        let job = Job {
            tests: left.iter().map(|test| tests[*test].clone()).collect(),
            options: options.clone(),
            limit: guest.limit.as_secs().max(1),
            shell: false,
        };
        let archive = archive(&job, &guest.modules)?;
        watch(Event::Boot(*accelerator));
        session.boots += 1;
        let mut tell = |message: &Message| match message {
            Message::Begin(test) => watch(Event::Begin(left[*test])),
            Message::Result(test, result) => watch(Event::Result(left[*test], result)),
            _ => {}
        };
        let limits = Limits {
            boot: match accelerator {
                Accelerator::Kvm => BOOT_KVM,
                Accelerator::Tcg => BOOT_TCG,
            },
            test: guest.limit + MORE,
        };
        let boot = boot::boot(
            &guest.machine,
            &guest.kernel,
            &archive,
            *accelerator,
            limits,
            &mut tell,
            stop,
        )
        .map_err(|e| super::qemu_failed(&e))?;
        if boot.end == End::Interrupted {
            session.interrupted = true;
        }
        let Some(begun) = boot.begun else {
            // Nothing was tried, so this says nothing of any test.
            if session.interrupted {
                break;
            }
            if *accelerator == Accelerator::Kvm {
                *accelerator = Accelerator::Tcg;
                session.accelerator = Accelerator::Tcg;
                continue;
            }
            failures += 1;
            if failures == TRIES {
                session.failure = Some(failure(&boot));
                break;
            }
            continue;
        };
        failures = 0;
        session.hello = boot.hello.clone().or(session.hello);
        session.notes.clone_from(&boot.notes);
        let dead = (!matches!(boot.end, End::Complete | End::Interrupted)).then_some(begun);
        for (test, result) in &boot.results {
            if dead != Some(*test) && *test < left.len() {
                session.outcomes[left[*test]] = Outcome::Ran {
                    result: result.clone(),
                    complaint: console::trace(console::during(&boot.console, Some(*test))),
                    lost: lost[left[*test]],
                };
            }
        }
        if let Some(test) = dead {
            let at = left[test];
            lost[at] += 1;
            let part = console::during(&boot.console, Some(test));
            let complaint = console::trace(part);
            let broken = |trace: &Trace| trace.severity == Severity::Broken;
            let worded = matches!(boot.end, End::Died(_));
            if worded || complaint.as_ref().is_some_and(broken) || lost[at] == TRIES {
                session.outcomes[at] = Outcome::Died {
                    how: how(&boot.end),
                    complaint,
                    console: console::tail(part, TAIL),
                };
            }
        }
        if session.interrupted {
            break;
        }
        left.retain(|test| matches!(session.outcomes[*test], Outcome::NotRun));
    }
    Ok(session)
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

/// How a guest ended, in a sentence's end.
fn how(end: &End) -> String {
    match end {
        End::Complete => "it ended as it should".into(),
        End::Died(how) => how.clone(),
        End::Exited(status) => format!("the guest ended before its end marker (QEMU: {status})"),
        End::Silent(limit) => format!("nothing was heard of the guest for {} s", limit.as_secs()),
        End::Damaged(why) => format!("the line of results is damaged: {why}"),
        End::Interrupted => "it was interrupted".into(),
    }
}

/// Why a kernel did not come up.
fn failure(boot: &Boot) -> String {
    let mut text = how(&boot.end);
    let complaint = console::trace(&boot.console).map(|trace| trace.text);
    let said = complaint.unwrap_or_else(|| console::tail(&boot.console, TAIL));
    for (who, said) in [("QEMU", boot.errors.trim()), ("the kernel", said.as_str())] {
        if !said.is_empty() {
            text.push_str(&format!("\n{who}:\n{said}"));
        }
    }
    text
}

/// The accelerator to begin with: KVM if this process may use it.
pub fn first_choice() -> Accelerator {
    let usable = File::options().read(true).write(true).open("/dev/kvm");
    match usable {
        Ok(_) => Accelerator::Kvm,
        Err(_) => Accelerator::Tcg,
    }
}
