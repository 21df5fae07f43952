//! Processes that search together find what one finds, and none goes on alone when one dies.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::checkpoint::{stable, untimed};
use crate::interrupt::searches;
use crate::{Cowherd, ENDLESS, Ran};

/// A list of addresses on this machine that nobody listens at.
fn hosts(c: &Cowherd, processes: usize) {
    let listeners: Vec<TcpListener> = (0..processes)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let mut text = String::from("# one machine\n");
    for listener in &listeners {
        text += &format!("{}\n", listener.local_addr().unwrap());
    }
    std::fs::write(c.folder.path().join("hosts"), text).unwrap();
}

/// Starts one process of the cluster.
fn start(c: &Cowherd, arguments: &str, process: usize) -> Child {
    let process = process.to_string();
    Command::new(assert_cmd::cargo::cargo_bin("cowherd"))
        .args(arguments.split(' '))
        .args(["--cluster", "hosts", "--process", &process])
        .current_dir(c.folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs all processes to their end.
fn together(c: &Cowherd, arguments: &str, processes: usize) -> Vec<Ran> {
    hosts(c, processes);
    let children: Vec<Child> = (0..processes)
        .map(|process| start(c, arguments, process))
        .collect();
    let end = |child: Child| Ran::of(child.wait_with_output().unwrap());
    children.into_iter().map(end).collect()
}

#[test]
fn a_check_by_two_and_three_processes_is_that_of_one() {
    let c = Cowherd::new();
    for how in ["--workers 1", "--workers 2 --fingerprints"] {
        let command = format!("check odirect-swap -k v5.10 --format json {how}");
        let whole = c.run(&command).ends(0);
        for processes in [2, 3] {
            let mut all = together(&c, &command, processes).into_iter();
            let first = all.next().unwrap().ends(0);
            assert_eq!(stable(&first.out), stable(&whole.out));
            for other in all {
                assert_eq!(other.ends(0).out, "", "only the first one prints");
            }
        }
    }
}

#[test]
fn a_verification_by_two_and_three_processes_finds_the_program_of_one() {
    let c = Cowherd::new();
    let command = "verify -k v5.19-swp_exclusive --allow pread,reclaim,store --activities 1 --calls 3 --workers 1";
    let whole = c.run(command).ends(1).says("breaks: lost-write");
    for processes in [2, 3] {
        let mut all = together(&c, command, processes).into_iter();
        let first = all.next().unwrap().ends(1);
        assert_eq!(untimed(&first.out), untimed(&whole.out));
        for other in all {
            assert_eq!(other.ends(1).out, "", "only the first one prints");
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_process_that_is_killed_ends_all_others_without_a_verdict() {
    let c = Cowherd::new().with("endless.litmus", ENDLESS);
    hosts(&c, 3);
    let command = "check endless.litmus -k v7.2 --workers 1";
    let mut children: Vec<Child> = (0..3).map(|process| start(&c, command, process)).collect();
    while !children.iter().all(searches) {
        for child in &mut children {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        }
        thread::yield_now();
    }
    let mut killed = children.remove(1);
    killed.kill().unwrap();
    killed.wait().unwrap();
    for (number, child) in children.into_iter().enumerate() {
        let ran = Ran::of(child.wait_with_output().unwrap()).ends(3);
        let ran = ran
            .complains("process 1 at 127.0.0.1:")
            .complains("has died");
        assert!(!ran.out.contains("Never"), "{}", ran.out);
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
        if number == 0 {
            ran.says("Unknown")
                .says("a process of the cluster has died");
        }
    }
}

#[test]
fn processes_that_are_not_about_the_same_are_2() {
    let c = Cowherd::new();
    hosts(&c, 2);
    let one = start(&c, "check odirect-swap -k v5.18 --workers 1", 0);
    let two = start(&c, "check odirect-swap -k v5.19 --workers 1", 1);
    for child in [one, two] {
        Ran::of(child.wait_with_output().unwrap())
            .ends(2)
            .complains("does something else: kernel is v5.1");
    }
    let c = c.with("odd", "");
    c.run("check odirect-swap -k v5.18 --cluster odd --process 0")
        .ends(2)
        .complains("there is no process 0 of 0");
    c.run("check odirect-swap --cluster odd --process 0")
        .ends(2)
        .complains("only a single search can be saved, or shared out");
    c.run("check odirect-swap -k v5.18 --cluster odd").ends(2);
}
