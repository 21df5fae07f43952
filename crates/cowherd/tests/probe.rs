//! `cowherd probe` on the kernel of this machine. Without root, or without what a test needs, there is nothing to see, and the test says so.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Who looks at the machine is alone.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(|e| e.into_inner())
}

/// Where the prober's folder and swap file are: not where those of others are.
fn folder() -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("probe");
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn cowherd() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cowherd"));
    command.env("TMPDIR", folder());
    command
}

fn root() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|s| s.contains("\nUid:\t0\t"))
}

/// Everything of the machine that a run may change.
fn machine() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut note = |what: &str, text: String| {
        all.extend(text.lines().map(|line| format!("{what}: {line}")));
    };
    for path in [
        "/proc/swaps",
        "/proc/self/mounts",
        "/proc/sys/vm/page-cluster",
        "/sys/kernel/mm/ksm/run",
    ] {
        let text = fs::read_to_string(path).unwrap_or_default();
        // The use of an area is somebody else's matter.
        let first = |line: &str| {
            line.split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let lines: Vec<String> = match path {
            "/proc/swaps" => text.lines().map(first).collect(),
            _ => text.lines().map(str::to_owned).collect(),
        };
        note(path, lines.join("\n"));
    }
    let names = |folder: &Path, wanted: &dyn Fn(&str) -> bool| -> String {
        let entries = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(Result::ok);
        let names = entries.map(|e| e.file_name().to_string_lossy().into_owned());
        names.filter(|n| wanted(n)).collect::<Vec<_>>().join("\n")
    };
    note("device", names(Path::new("/sys/block"), &|_| true));
    note("left", names(&folder(), &|_| true));
    for entry in fs::read_dir("/sys/block")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
    {
        if let Ok(file) = fs::read_to_string(entry.path().join("loop/backing_file")) {
            note("loop", file);
        }
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_cowherd"));
    for entry in fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
    {
        if fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe == binary) {
            note("process", entry.file_name().to_string_lossy().into_owned());
        }
    }
    all
}

fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|n| n.parse().ok())
        .collect()
}

fn send(signal: &str, pid: u32) {
    let _ = Command::new("kill")
        .args([signal, &pid.to_string()])
        .status();
}

#[test]
fn a_prober_killed_at_any_point_leaves_nothing_behind() {
    let _alone = alone();
    if !root() {
        eprintln!("not root: nothing to leave behind");
        return;
    }
    let before = machine();
    let mut random = 0x5eed_u64;
    for n in 0..50 {
        let mut prober = cowherd()
            .args(["probe", "--system", "--runs", "1", "swap", "direct-io"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("cowherd starts");
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        std::thread::sleep(Duration::from_millis((random >> 33) % 600));
        match n % 3 {
            0 => send("-KILL", prober.id()),
            1 => send("-INT", prober.id()),
            // The supervisor.
            _ => children(prober.id())
                .into_iter()
                .for_each(|child| send("-KILL", child)),
        }
        let _ = prober.wait();
        let killed = Instant::now();
        while machine() != before && killed.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let after = machine();
        let left: Vec<_> = after.symmetric_difference(&before).collect();
        assert!(left.is_empty(), "killed for the {n}th time: {left:?}");
    }
}

#[test]
fn what_the_machine_lacks_is_named_and_a_dry_run_touches_nothing() {
    let _alone = alone();
    let before = machine();
    let output = cowherd()
        .args(["probe", "--dry-run", "ro-pin-leak", "store-load"])
        .output();
    let output = output.expect("cowherd starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("ro-pin-leak is skipped"), "{text}");
    assert!(text.contains("store-load runs"), "{text}");
    let after = machine();
    let left: Vec<_> = after.symmetric_difference(&before).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_test_that_needs_nothing_runs_and_is_witnessed() {
    let _alone = alone();
    let output = cowherd()
        .args(["probe", "store-load"])
        .output()
        .expect("cowherd starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with("KTAP version 1\n1..1\n"), "{text}");
    assert!(text.contains("ok 1 store-load # witnessed"), "{text}");
}

#[test]
fn this_kernel_does_what_its_profile_says() {
    let _alone = alone();
    let json = |more: &[&str]| {
        let output = cowherd()
            .args(["detect", "--json"])
            .args(more)
            .output()
            .expect("cowherd starts");
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), value)
    };
    let (code, release) = json(&["--by-release"]);
    if code == Some(2) {
        eprintln!("skipped: this kernel is none of the model's");
        return;
    }
    assert_eq!(code, Some(0));
    assert_eq!(release["behaviour"]["not_looked_at"], "not asked for");
    let (code, told) = json(&[]);
    assert_eq!(code, Some(0), "{told:#}");
    assert_eq!(told["profile"], release["profile"]);
    assert_eq!(told["behaviour"]["changed"], serde_json::json!([]));
    let shown = told["behaviour"]["shown"].as_array().expect("a list");
    assert!(
        shown
            .iter()
            .any(|s| s["name"] == "anon_exclusive" || s["name"] == "wp_mapcount")
    );
}

/// What somebody prints who runs random programs until a signal comes.
fn interrupted(signal: &str) -> (Option<i32>, String) {
    let prober = cowherd()
        .args([
            "probe",
            "--random",
            "2000",
            "--seed",
            "1",
            "--seconds",
            "3600",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("cowherd starts");
    // Programs run once the runner is there, a child of the supervisor.
    let runs = |pid| children(pid).into_iter().any(|c| !children(c).is_empty());
    let begun = Instant::now();
    while !runs(prober.id()) && begun.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(1));
    send(signal, prober.id());
    let output = prober.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), text)
}

#[test]
fn random_programs_that_are_interrupted_tell_what_is_known() {
    let _alone = alone();
    for signal in ["-INT", "-TERM"] {
        let (code, text) = interrupted(signal);
        let told = text.contains("Not all of 2000 programs ran.\n")
            && text.contains(" programs held against ")
            && text.contains(" steps of the model may have been taken");
        assert!(told, "{signal}: {text}");
        assert_eq!(code, Some(3), "{signal}: {text}");
    }
}
