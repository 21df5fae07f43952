//! Ctrl-C ends a search, and what was found so far is told.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::{Cowherd, ENDLESS, Ran};

/// Has the process taken charge of SIGINT? (The second lowest bit of the mask of caught signals.)
fn catches_interrupts(child: &Child) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let mask = status
        .lines()
        .find_map(|l| l.strip_prefix("SigCgt:"))
        .unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() & 2 != 0
}

/// Has it searched for a while? (The fields of /proc/pid/stat behind the name; the twelfth is the CPU time, in hundredths.)
pub fn searches(child: &Child) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let fields = stat.rsplit(')').next().unwrap();
    let ticks: u32 = fields.split_whitespace().nth(11).unwrap().parse().unwrap();
    ticks >= 30
}

/// Starts a run that would go on for minutes, and sends it SIGINT once it searches.
#[cfg(target_os = "linux")]
fn interrupted(c: &Cowherd, arguments: &str) -> Ran {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("cowherd"))
        .args(arguments.split(' '))
        .current_dir(c.folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !catches_interrupts(&child) || !searches(&child) {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        thread::yield_now();
    }
    let pid = child.id().to_string();
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -INT {pid}")])
        .status();
    assert!(sent.unwrap().success());
    Ran::of(child.wait_with_output().unwrap())
}

#[test]
#[cfg(target_os = "linux")]
fn an_interrupted_search_is_undetermined_and_says_what_it_knows() {
    let c = Cowherd::new().with("endless.litmus", ENDLESS);
    let ran = interrupted(&c, "check endless.litmus -k v7.2 -k v6.1").ends(3);
    let ran = ran.says("v7.2").says("v6.1").says("Unknown");
    assert!(!ran.out.contains("Never"), "{}", ran.out);
}

#[test]
#[cfg(target_os = "linux")]
fn interrupted_searches_of_every_program_say_what_was_covered() {
    let c = Cowherd::new();
    let ran = interrupted(
        &c,
        "verify -k v7.2 --calls 5 --allow store,fork,pread,reclaim",
    )
    .ends(3);
    let ran = ran.says("  1 call ").says("undetermined: interrupted");
    assert!(!ran.out.contains("no program"), "{}", ran.out);
    interrupted(
        &c,
        "verify -k v7.2 --all --calls 5 --allow store,fork,pread,reclaim",
    )
    .ends(3)
    .says("there may be more");
    interrupted(
        &c,
        "diff v6.12 v7.2 --calls 5 --allow store,fork,pread,reclaim",
    )
    .ends(3)
    .says("undetermined: interrupted")
    .says("every program with up to ");
    interrupted(
        &c,
        "simulate -k v7.2 --walks 1000000 --allow load,store,fork,pread,reclaim",
    )
    .ends(3)
    .says("interrupted: nothing was broken so far");
}
