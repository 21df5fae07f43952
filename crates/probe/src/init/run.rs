//! Tests, in a process below init: whatever becomes of it, init lives on and can tell.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use cowherd_litmus::ast::Test;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe};

use super::Job;
use super::line::Line;
use crate::frame::Message;
use crate::live::{self, TestResult};
use crate::vm::console;

/// How often init looks whether somebody has ended.
const PACE: Duration = Duration::from_millis(5);

/// How long processes may take to be gone after SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// Runs the tests, and tells the host of each. If the process that runs them dies or hangs, says how and leaves the others: the host boots anew for them.
pub fn all(job: &Job, line: &mut Line) -> Result<(), String> {
    // The host has parsed them too, so there is nothing wrong with them.
    let parse = |n: usize| {
        let source = &job.tests[n];
        cowherd_litmus::parse(&source.name, &source.text)
            .map_err(|_| format!("{} does not parse", source.name))
    };
    let tests: Vec<Test> = (0..job.tests.len()).map(parse).collect::<Result<_, _>>()?;
    let (results, report) = pipe().map_err(|e| format!("pipe: {e}"))?;
    // SAFETY: init has one thread, so no lock is held by another one, and the child may do what it likes.
    let child = match unsafe { fork() }.map_err(|e| format!("fork: {e}"))? {
        ForkResult::Child => {
            drop(results);
            std::process::exit(work(&tests, job, report));
        }
        ForkResult::Parent { child } => child,
    };
    drop(report);
    let mut results = Results::new(results);
    for test in 0..tests.len() {
        // In the kernel's log, so that what it complains of can be laid to a test.
        let _ = fs::write("/dev/kmsg", format!("<4>{}\n", console::mark(test)));
        line.say(&Message::Begin(test))?;
        match results.next(Duration::from_secs(job.limit)) {
            Ok(result) => line.say(&Message::Result(test, Box::new(result)))?,
            Err(Missing::Hung) => {
                let text = format!("it did not end in {} s\n{}", job.limit, stacks());
                return line.say(&Message::Died(test, text));
            }
            Err(Missing::Ended) => {
                let text = format!("the process that ran it {}", fate(child));
                return line.say(&Message::Died(test, text));
            }
        }
    }
    let left = sweep();
    if !left.is_empty() {
        let text = format!("it left processes that cannot be killed\n{left}");
        return line.say(&Message::Died(tests.len().saturating_sub(1), text));
    }
    line.say(&Message::End)
}

/// What the child does: a line for each result. Its exit code.
fn work(tests: &[Test], job: &Job, report: OwnedFd) -> i32 {
    let mut report = File::from(report);
    let tell = |result: TestResult| {
        let json = serde_json::to_string(&result).expect("results have no maps with odd keys");
        // If init no longer reads, the machine is about to go.
        let _ = writeln!(report, "{json}");
    };
    match live::run_all(tests, &job.options, &AtomicBool::new(false), tell) {
        Ok(()) => 0,
        Err(why) => {
            eprintln!("cowherd: {why}");
            1
        }
    }
}

/// The child's results, as they come.
struct Results {
    lines: BufReader<File>,
}

/// Why there is no result.
enum Missing {
    /// The time is over.
    Hung,
    /// The child has ended.
    Ended,
}

impl Results {
    fn new(pipe: OwnedFd) -> Results {
        Results {
            lines: BufReader::new(File::from(pipe)),
        }
    }

    fn next(&mut self, limit: Duration) -> Result<TestResult, Missing> {
        let until = Instant::now() + limit;
        while self.lines.buffer().is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut ends = [PollFd::new(self.lines.get_ref().as_fd(), PollFlags::POLLIN)];
            match poll(&mut ends, timeout) {
                Ok(0) => return Err(Missing::Hung),
                Ok(_) => break,
                // Signals come to init when processes end.
                Err(Errno::EINTR) => {}
                Err(_) => return Err(Missing::Ended),
            }
        }
        // A line is written at once, so its end follows.
        let mut line = String::new();
        self.read(&mut line).map_err(|_| Missing::Ended)?;
        serde_json::from_str(&line).map_err(|_| Missing::Ended)
    }

    fn read(&mut self, line: &mut String) -> io::Result<()> {
        self.lines.read_line(line).map(drop)
    }
}

/// What became of the child.
fn fate(child: Pid) -> String {
    let until = Instant::now() + GRACE;
    while Instant::now() < until {
        match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => {
                return format!("ended with exit code {code}");
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => {
                return format!("was killed by {signal}");
            }
            Ok(WaitStatus::StillAlive) => std::thread::sleep(PACE),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    "says nothing any more".into()
}

/// Ends all processes but this one. Says what those do that stay.
fn sweep() -> String {
    let until = Instant::now() + GRACE;
    loop {
        // To everybody but init; there may be nobody.
        let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return String::new(),
            Ok(WaitStatus::StillAlive) if Instant::now() > until => return stacks(),
            Ok(WaitStatus::StillAlive) => std::thread::sleep(PACE),
            _ => {}
        }
    }
}

/// What every thread of every process but init waits for in the kernel.
fn stacks() -> String {
    let list = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter_map(|e| e.file_name().into_string().ok())
            .filter(|name| name.bytes().all(|b| b.is_ascii_digit()) && name != "1")
            .collect();
        names.sort_by_key(|name| name.parse().unwrap_or(0_u32));
        names
    };
    let mut text = String::new();
    for process in list("/proc") {
        // Kernel threads have no program.
        if !Path::new(&format!("/proc/{process}/exe")).exists() {
            continue;
        }
        for thread in list(&format!("/proc/{process}/task")) {
            let of = |file: &str| {
                let path = format!("/proc/{process}/task/{thread}/{file}");
                fs::read_to_string(path).unwrap_or_default()
            };
            text.push_str(&format!("thread {thread} ({}):\n", of("comm").trim()));
            text.push_str(&of("stack"));
        }
    }
    text
}
