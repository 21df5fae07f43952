//! `cowherd probe` on the kernel of this machine. Without root, or without what a test needs, there is nothing to see, and the test says so.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
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
        for of in ["loop/backing_file", "pid"] {
            if let Ok(text) = fs::read_to_string(entry.path().join(of)) {
                note(of, text);
            }
        }
    }
    // Every setting of KSM, whether a run is known to change it or not.
    let ksm = fs::read_dir("/sys/kernel/mm/ksm").into_iter().flatten();
    for file in ksm.filter_map(Result::ok) {
        let may_write = file.metadata().is_ok_and(|m| m.mode() & 0o200 != 0);
        if let (true, Ok(text)) = (may_write, fs::read_to_string(file.path())) {
            note(&file.path().to_string_lossy(), text);
        }
    }
    let mut folders = vec![Path::new("/sys/fs/cgroup").to_owned()];
    while let Some(folder) = folders.pop() {
        note("cgroup", names(&folder, &|name| name.contains("cowherd")));
        let entries = fs::read_dir(folder).into_iter().flatten();
        let inside = entries.filter_map(Result::ok);
        let is_folder = |e: &fs::DirEntry| e.file_type().is_ok_and(|t| t.is_dir());
        folders.extend(inside.filter(is_folder).map(|e| e.path()));
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

/// What is other than it was, when those who put it back have had the time to.
fn left(before: &BTreeSet<String>) -> Vec<String> {
    let ended = Instant::now();
    loop {
        let left: Vec<String> = machine().symmetric_difference(before).cloned().collect();
        if left.is_empty() || ended.elapsed() > Duration::from_secs(20) {
            return left;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
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
        // As long as it takes to come to swap areas, devices and transfers, and KSM in between.
        let mut prober = cowherd()
            .args(["probe", "--system", "ksm", "swap", "direct-io"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("cowherd starts");
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        // While it starts, and later.
        let longest = if n % 2 == 0 { 600 } else { 5000 };
        std::thread::sleep(Duration::from_millis((random >> 33) % longest));
        let below = |pids: Vec<u32>| pids.into_iter().flat_map(children).collect::<Vec<u32>>();
        let supervisor = children(prober.id());
        let (signal, whom) = match n % 5 {
            0 => ("-KILL", vec![prober.id()]),
            1 => ("-INT", vec![prober.id()]),
            2 => ("-TERM", vec![prober.id()]),
            3 => ("-KILL", supervisor),
            // The runner.
            _ => ("-KILL", below(supervisor)),
        };
        whom.iter().for_each(|pid| send(signal, *pid));
        if whom.is_empty() {
            // It had not come so far, or was at its end.
            send("-KILL", prober.id());
        }
        let _ = prober.wait();
        let left = left(&before);
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
    let left = left(&before);
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

/// The exit code and what is printed.
fn said(args: &[&str]) -> (Option<i32>, String) {
    let output = cowherd().args(args).output().expect("cowherd starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), text)
}

/// What somebody prints who is at work until a signal comes.
fn interrupted(args: &[&str], signal: &str) -> (Option<i32>, String) {
    let prober = cowherd()
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("cowherd starts");
    // Tests run once the runner is there, a child of the supervisor.
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
fn what_is_interrupted_tells_what_is_known_and_leaves_nothing_behind() {
    let _alone = alone();
    let kernels = folder().with_file_name("no-kernels");
    fs::create_dir_all(&kernels).expect("a folder");
    let kernels = kernels.to_string_lossy();
    let before = machine();
    let random = "probe --random 2000 --seed 1 --seconds 3600";
    let conform = format!("conform --live --runs 1000 --kernels {kernels}");
    let told = [
        (random, "Not all of 2000 programs ran.\n"),
        (random, " programs held against "),
        (random, " steps of the model may have been taken"),
        ("probe --runs 1000", "# not run to the end: "),
        ("probe --runs 1000 --format json", "\"left\": ["),
        (&conform, "not run\n"),
        ("detect --running", "Interrupted: not all tests ran."),
    ];
    for signal in ["-INT", "-TERM"] {
        let commands: BTreeSet<&str> = told.iter().map(|(command, _)| *command).collect();
        for command in commands {
            let args: Vec<&str> = command.split(' ').collect();
            let (code, text) = interrupted(&args, signal);
            for (_, words) in told.iter().filter(|(of, _)| *of == command) {
                assert!(text.contains(words), "{command}, {signal}: {text}");
            }
            assert_eq!(code, Some(3), "{command}, {signal}: {text}");
            let left = left(&before);
            assert!(left.is_empty(), "{command}, {signal}: {left:?}");
        }
    }
}

#[test]
fn tests_that_no_time_is_left_for_are_named_and_the_answer_is_open() {
    let _alone = alone();
    // Free runs would go on for many seconds more.
    let args = "probe --seconds 1 --free 30000 store-load zero-page";
    let (code, text) = said(&args.split(' ').collect::<Vec<_>>());
    for words in [
        "store-load: only some runs: the 1 s are over",
        "2 zero-page # SKIP the 1 s are over",
        "# not run to the end: store-load, zero-page",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(code, Some(3), "{text}");
}

#[test]
fn a_dry_run_of_random_programs_runs_none_and_what_has_no_meaning_for_them_is_refused() {
    let _alone = alone();
    let (code, text) = said(&["probe", "--random", "5", "--dry-run"]);
    assert!(text.contains("Would be touched:\n"), "{text}");
    assert!(
        text.ends_with("5 random programs of seed 1 would run.\n"),
        "{text}"
    );
    assert_eq!(code, Some(0));
    for no in [["--format", "json"], ["--runs", "2"], ["--orders", "2"]] {
        let (code, text) = said(&[&["probe", "--random", "5"], &no[..]].concat());
        assert_eq!((code, text.as_str()), (Some(2), ""), "{no:?}");
    }
}

/// The processes that the runner, the supervisor's child, has forked.
fn processes_of_tests(prober: u32) -> Vec<u32> {
    let next = |level: Vec<u32>| level.into_iter().flat_map(children).collect();
    (0..3).fold(vec![prober], |level, _| next(level))
}

#[test]
fn no_process_of_a_run_may_take_more_memory_than_is_said() {
    let _alone = alone();
    let (_, said) = said(&["probe", "--dry-run", "store-load"]);
    assert!(said.contains("more than 1024 MiB of memory"), "{said}");
    let prober = cowherd()
        .args(["probe", "store-load", "--runs", "100000"])
        .stdout(Stdio::null())
        .spawn()
        .expect("cowherd starts");
    let begun = Instant::now();
    let mut limits = String::new();
    while limits.is_empty() && begun.elapsed() < Duration::from_secs(60) {
        let pid = processes_of_tests(prober.id()).into_iter().next();
        let limit = |pid| fs::read_to_string(format!("/proc/{pid}/limits")).ok();
        limits = pid.and_then(limit).unwrap_or_default();
    }
    send("-INT", prober.id());
    let _ = prober.wait_with_output();
    let data = limits.lines().find(|l| l.starts_with("Max data size"));
    let words: Vec<&str> = data.unwrap_or("").split_whitespace().collect();
    assert_eq!(words.get(3..5), Some(&["1073741824"; 2][..]), "{limits}");
}

/// The CPUs that the threads of a process are kept on, of those that are kept on one.
fn kept_on(pid: u32) -> BTreeSet<String> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let status = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("status")).ok();
    let list = |status: String| {
        let line = status
            .lines()
            .find(|l| l.starts_with("Cpus_allowed_list"))?;
        Some(line.split_whitespace().last()?.to_owned())
    };
    let lists = threads.into_iter().flatten().flatten();
    let lists = lists.filter_map(status).filter_map(list);
    lists.filter(|l| l.parse::<u32>().is_ok()).collect()
}

#[test]
fn threads_of_a_free_run_are_on_several_cpus_and_those_of_a_directed_one_on_one() {
    let _alone = alone();
    let several = std::thread::available_parallelism().is_ok_and(|n| n.get() > 1);
    for (args, free) in [(["--runs", "100000"], false), (["--free", "100000"], true)] {
        let prober = cowherd()
            .args(["probe", "fork-parent-store", "--orders", "1"])
            .args(args)
            .stdout(Stdio::null())
            .spawn()
            .expect("cowherd starts");
        let mut most = BTreeSet::new();
        let begun = Instant::now();
        while !(free && several && most.len() > 1) && begun.elapsed() < Duration::from_secs(3) {
            for pid in processes_of_tests(prober.id()) {
                let on = kept_on(pid);
                most = if on.len() > most.len() { on } else { most };
            }
        }
        send("-INT", prober.id());
        let _ = prober.wait_with_output();
        assert_eq!(most.len() > 1, free && several, "{args:?}: {most:?}");
        assert!(!most.is_empty());
    }
}

#[test]
fn a_full_disk_is_told_and_nothing_of_it_is_left() {
    let _alone = alone();
    let before = machine();
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    let output = cowherd()
        .args(["probe", "store-load"])
        .stdout(full.expect("/dev/full"))
        .output()
        .expect("cowherd starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("standard output: No space left on device"),
        "{text}"
    );
    assert_eq!(output.status.code(), Some(4));
    if !root() {
        eprintln!("not root: no swap file to make");
        return;
    }
    // In a mount namespace of its own: a small disk, and no loop devices to fall back to.
    let script = "mount -t tmpfs -o size=8m small \"$TMPDIR\" && mount --bind /dev/null /dev/loop-control && exec \"$0\" \"$@\"";
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", script, env!("CARGO_BIN_EXE_cowherd")])
        .args(["probe", "--system", "swap-roundtrip"])
        .env("TMPDIR", folder())
        .output()
        .expect("unshare starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let why = "SKIP a swap area: a file of 64 MiB in ";
    assert!(text.contains(why), "{text}");
    assert!(text.contains(": No space left on device"), "{text}");
    assert_eq!(output.status.code(), Some(4));
    let left = left(&before);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn who_is_not_root_is_told_that_he_may_not_have_the_system() {
    let _alone = alone();
    use std::os::unix::process::CommandExt;
    let nobody = 65534;
    let kernels = folder().to_string_lossy().into_owned();
    for args in [
        &["probe", "--system"][..],
        &["probe", "--system", "--dry-run"],
        &["probe", "--system", "--random", "5"],
        &["conform", "--live", "--system", "--kernels", &kernels],
    ] {
        let mut command = cowherd();
        command.args(args);
        if root() {
            command.uid(nobody).gid(nobody);
        }
        let Ok(output) = command.output() else {
            eprintln!("skipped: nobody may not run this binary");
            return;
        };
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("--system is for root"), "{args:?}: {text}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(4), 0));
    }
}
