//! Three processes, so that nothing is left behind whoever of them is killed.
//!
//! The *main* process holds a leash and reads results. The *supervisor* holds the list of what has to be put back, and waits: when the runner is gone, or
//! the leash is cut because the main process is gone, it ends the runner and puts back. The *runner* is the first process of a PID namespace and a mount
//! namespace of its own, so every process of a test dies with it, and no mount is seen by anybody else. If it is the supervisor that is
//! killed, the kernel kills the runner, and the main process puts back.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use cowherd_litmus::ast::Test;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe};

use super::machine::root;
use super::runner::{Runner, because};
use super::undo::{self, Undo, Which};
use super::{MEMORY, Options, TestResult};

/// Runs tests, and hands over each result as it comes, until all ran or `stop` is set. Puts everything back before it returns.
///
/// Other threads of the caller hold no lock: processes are forked. (The one that waits for Ctrl-C does nothing else.)
pub fn run_all(
    tests: &[Test],
    options: &Options,
    stop: &AtomicBool,
    mut each: impl FnMut(TestResult),
) -> io::Result<()> {
    undo::share()?;
    let (leash, held) = pipe()?;
    let (results, report) = pipe()?;
    // SAFETY: no other thread of the caller holds a lock.
    let supervisor = match unsafe { fork() }? {
        ForkResult::Child => {
            drop(held);
            drop(results);
            supervise(tests, options, leash, report)
        }
        ForkResult::Parent { child } => child,
    };
    drop(leash);
    drop(report);
    let mut failure = None;
    let mut held = Some(held);
    let mut results = BufReader::new(File::from(results));
    loop {
        if stop.load(Ordering::Relaxed) {
            // Cuts the leash. What the runner has said already is still read.
            held = None;
        }
        if held.is_some() && results.buffer().is_empty() && !readable(results.get_ref()) {
            continue;
        }
        let mut line = String::new();
        if results.read_line(&mut line)? == 0 {
            break;
        }
        if held.is_none() && !line.ends_with('\n') {
            // The runner was killed amid a word.
            break;
        }
        match serde_json::from_str(&line) {
            Ok(Line::Result(result)) => each(*result),
            Ok(Line::Failed(why)) => failure = Some(why),
            Err(error) => failure = Some(format!("a garbled result: {error}")),
        }
    }
    let status = waitpid(supervisor, None)?;
    drop(held);
    if !matches!(status, WaitStatus::Exited(_, _)) {
        undo::all(Which::All);
        failure.get_or_insert(format!(
            "the supervisor did not come to its end: {status:?}"
        ));
    }
    match failure {
        Some(why) => Err(io::Error::other(why)),
        None => Ok(()),
    }
}

/// Is there something to read, or an end, within a moment?
fn readable(pipe: &File) -> bool {
    let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::from(50u16)).is_ok_and(|n| n > 0)
}

/// A line of the runner's report.
#[derive(serde::Serialize, serde::Deserialize)]
enum Line {
    Result(Box<TestResult>),
    Failed(String),
}

fn supervise(tests: &[Test], options: &Options, leash: OwnedFd, report: OwnedFd) -> ! {
    // A Ctrl-C is for the main process; when that is gone, the leash tells.
    for ignored in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        // SAFETY: to ignore a signal needs no handler.
        let _ = unsafe { signal(ignored, SigHandler::SigIgn) };
    }
    let folder = std::env::temp_dir().join(format!("cowherd-{}", std::process::id()));
    undo::push(Undo::Folder(folder.clone()));
    let status = match start(tests, options, folder, &report) {
        Ok(runner) => {
            drop(report);
            watch(runner, &leash)
        }
        Err(error) => {
            tell(&report, &Line::Failed(error.to_string()));
            1
        }
    };
    undo::all(Which::All);
    // SAFETY: does not return.
    unsafe { libc::_exit(status) }
}

/// Makes the runner, in namespaces of its own.
fn start(tests: &[Test], options: &Options, folder: PathBuf, report: &OwnedFd) -> io::Result<Pid> {
    fs::create_dir_all(&folder).map_err(|e| because(&folder.display().to_string(), e))?;
    let root = root();
    if root {
        unshare(CloneFlags::CLONE_NEWPID)?;
    }
    // SAFETY: the supervisor has no other thread.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let ended = run(tests, options, &folder, report, root);
            if let Err(error) = ended {
                tell(report, &Line::Failed(error.to_string()));
            }
            super::world::end()
        }
    }
}

fn run(
    tests: &[Test],
    options: &Options,
    folder: &std::path::Path,
    report: &OwnedFd,
    root: bool,
) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    // What may be written, and not address space: allocators reserve more than they use.
    setrlimit(Resource::RLIMIT_DATA, MEMORY, MEMORY)?;
    if root {
        // Of its own, so that the supervisor, which removes the folder, sees no mount in it.
        unshare(CloneFlags::CLONE_NEWNS)?;
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
        mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), none)?;
    }
    let mut runner = Runner::new(options, folder)?;
    for test in tests {
        let result = runner.run(test);
        tell(report, &Line::Result(Box::new(result)));
    }
    Ok(())
}

/// Waits for the end of the runner, or of the main process. The exit status to give.
fn watch(runner: Pid, leash: &OwnedFd) -> i32 {
    loop {
        match waitpid(runner, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => {}
            Ok(WaitStatus::Exited(_, status)) => return status,
            Ok(WaitStatus::Signaled(_, signal, _)) => {
                eprintln!("cowherd: the process that ran the tests was killed by {signal}");
                return 1;
            }
            _ => return 1,
        }
        let mut fds = [PollFd::new(leash.as_fd(), PollFlags::POLLIN)];
        let cut = poll(&mut fds, PollTimeout::from(20u16)).is_ok_and(|n| n > 0);
        if cut {
            let _ = kill(runner, Signal::SIGKILL);
            let _ = waitpid(runner, None);
            return 1;
        }
    }
}

fn tell(report: &OwnedFd, line: &Line) {
    let text = serde_json::to_string(line).unwrap_or_default() + "\n";
    if let Ok(clone) = report.try_clone() {
        // Nobody may listen any more.
        let _ = File::from(clone).write_all(text.as_bytes());
    }
}
