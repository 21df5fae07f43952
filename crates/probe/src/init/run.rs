//! A test in a process of its own.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use super::Job;
use crate::live::{self, TestResult};
use crate::vm::console;

/// Where the test's process leaves its result.
const RESULT: &str = "/tmp/cowherd-result.json";

/// How often init looks whether the test has ended.
const PACE: Duration = Duration::from_millis(5);

/// How long processes may take to be gone after SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// Runs a test; or says how its process died, or what it hung in.
pub fn one(job: &Job, test: usize) -> Result<TestResult, String> {
    // Between what the kernel says before and after. Without it only the trace of a complaint cannot be told apart.
    let _ = fs::write("/dev/kmsg", format!("<4>{}\n", console::mark(test)));
    let _ = fs::remove_file(RESULT);
    // SAFETY: init has one thread, so no lock is held by another one, and the child may do what it likes.
    let child = match unsafe { fork() }.map_err(|e| format!("fork: {e}"))? {
        ForkResult::Child => {
            let code = match work(job, test) {
                Ok(()) => 0,
                Err(why) => {
                    eprintln!("cowherd: {why}");
                    1
                }
            };
            std::process::exit(code);
        }
        ForkResult::Parent { child } => child,
    };
    let status = wait(child, Instant::now() + Duration::from_secs(job.limit));
    let hung = status.is_none().then(stacks);
    let left = sweep();
    match (status, hung) {
        (Some(WaitStatus::Exited(_, 0)), _) if left.is_empty() => {}
        (Some(WaitStatus::Exited(_, 0)), _) => {
            return Err(format!("it left processes that cannot be killed\n{left}"));
        }
        (Some(WaitStatus::Exited(_, code)), _) => {
            return Err(format!("its process ended with exit code {code}"));
        }
        (Some(WaitStatus::Signaled(_, signal, _)), _) => {
            return Err(format!("its process was killed by {signal}"));
        }
        (_, stacks) => {
            let stacks = stacks.unwrap_or_default();
            return Err(format!("it did not end in {} s\n{stacks}", job.limit));
        }
    }
    let json = fs::read(RESULT).map_err(|e| format!("{RESULT}: {e}"))?;
    serde_json::from_slice(&json).map_err(|e| format!("{RESULT}: {e}"))
}

/// What the test's process does.
fn work(job: &Job, test: usize) -> Result<(), String> {
    let source = &job.tests[test];
    // The host has parsed it too, so there is nothing wrong with it.
    let test = cowherd_litmus::parse(&source.name, &source.text)
        .map_err(|_| format!("{} does not parse", source.name))?;
    let mut results = Vec::new();
    live::run_all(&[test], &job.options, |result| results.push(result))
        .map_err(|e| e.to_string())?;
    let result = results.pop().ok_or("the test gave no result")?;
    let json = serde_json::to_vec(&result).map_err(|e| e.to_string())?;
    fs::write(RESULT, json).map_err(|e| format!("{RESULT}: {e}"))
}

/// Waits for this child; reaps all that is orphaned meanwhile.
fn wait(child: Pid, until: Instant) -> Option<WaitStatus> {
    while Instant::now() < until {
        match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
            Ok(status) if status.pid() == Some(child) => return Some(status),
            Ok(WaitStatus::StillAlive) => std::thread::sleep(PACE),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
    None
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
