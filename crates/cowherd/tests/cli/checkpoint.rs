//! A search that is killed goes on from its last checkpoint, and ends as one that was not.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Cowherd, ENDLESS, Ran};

/// A test that takes some seconds.
const LARGE: &str = include_str!("../../../../bench/tests/large.litmus");

/// When a run is killed.
#[derive(Clone, Copy, Debug)]
enum Kill {
    After(Duration),
    /// While a checkpoint is being written.
    InTheMiddle,
}

fn writes(saved: &Path) -> bool {
    let entries = fs::read_dir(saved).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .any(|name| name.ends_with(".new"))
}

/// Runs cowherd until it is to be killed; what it came to if it was over before.
fn leg(c: &Cowherd, arguments: &str, kill: Kill) -> Option<Ran> {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("cowherd"))
        .args(arguments.split(' '))
        .current_dir(c.folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    // The head is the last file of a checkpoint; of the files before it there are more.
    let mut seen = 0;
    loop {
        if child.try_wait().unwrap().is_some() {
            return Some(Ran::of(child.wait_with_output().unwrap()));
        }
        let over = match kill {
            Kill::After(time) => began.elapsed() >= time,
            Kill::InTheMiddle => {
                seen += u32::from(writes(&c.folder.path().join("saved")));
                seen > 3
            }
        };
        if over {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        thread::yield_now();
    }
}

/// Kills a run again and again, until one comes to its end.
fn killed(c: &Cowherd, command: &str) -> (Ran, u32) {
    // Somewhere within a time that grows, so that it comes to an end however slow the machine is.
    let mut most = Duration::from_millis(100);
    for kills in 0.. {
        let saved = c.folder.path().join("saved/head").exists();
        let how = if saved { "--resume" } else { "--checkpoint" };
        most = most.mul_f64(1.3);
        let kill = if kills % 3 == 2 {
            Kill::InTheMiddle
        } else {
            Kill::After(most.mul_f64(fastrand::f64()))
        };
        let arguments = format!("{command} --checkpoint-every 0 {how} saved");
        if let Some(ran) = leg(c, &arguments, kill) {
            return (ran, kills);
        }
    }
    unreachable!("it comes to its end")
}

/// What is written, but for what differs from run to run.
pub fn stable(out: &str) -> Value {
    let mut all: Value = serde_json::from_str(out).unwrap();
    for result in all["tests"][0]["results"].as_array_mut().unwrap() {
        let result = result.as_object_mut().unwrap();
        result.remove("seconds").unwrap();
        result.remove("bytes").unwrap();
    }
    all
}

#[test]
fn a_check_that_is_killed_again_and_again_ends_as_one_that_is_not() {
    let c = Cowherd::new().with("large.litmus", LARGE);
    for keep in ["", " --fingerprints"] {
        let command = format!("check large.litmus -k v6.1 --no-movers --format json{keep}");
        let whole = c.run(&command).ends(0);
        let (ran, kills) = killed(&c, &command);
        assert!(kills > 0);
        let ran = ran.ends(0);
        assert_eq!(stable(&ran.out), stable(&whole.out));
        assert_eq!(ran.err, whole.err);
        // What is over may be looked at again.
        let again = c.run(&format!("{command} --resume saved")).ends(0);
        assert_eq!(stable(&again.out), stable(&whole.out));
        fs::remove_dir_all(c.folder.path().join("saved")).unwrap();
    }
}

/// The text without times.
pub fn untimed(out: &str) -> String {
    let words = |line: &str| {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if let Some(at) = words.iter().position(|word| *word == "s") {
            words.drain(at - 1..=at);
        }
        words.join(" ")
    };
    out.lines().map(words).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_verification_that_is_killed_again_and_again_finds_the_same_program() {
    let c = Cowherd::new();
    let command =
        "verify -k v5.19-swp_exclusive --allow pread,reclaim,store --activities 1 --calls 3";
    let whole = c.run(command).ends(1).says("breaks: lost-write");
    let (ran, kills) = killed(&c, command);
    assert!(kills > 0);
    assert_eq!(untimed(&ran.ends(1).out), untimed(&whole.out));
}

#[test]
fn a_limit_leaves_a_checkpoint_from_which_the_search_goes_on() {
    let c = Cowherd::new().with("large.litmus", LARGE);
    let command = "check large.litmus -k v6.1 --format json";
    let whole = c.run(command).ends(0);
    c.run(&format!("{command} --checkpoint saved --max-states 20000"))
        .ends(3);
    c.run(&format!("{command} --resume saved --max-memory 20M"))
        .ends(3);
    let rest = c.run(&format!("{command} --resume saved")).ends(0);
    assert_eq!(stable(&rest.out), stable(&whole.out));
}

#[test]
fn a_checkpoint_that_is_damaged_foreign_or_not_to_be_lost_is_2() {
    let c = Cowherd::new().with("endless.litmus", ENDLESS);
    let command = "check endless.litmus -k v7.2 --max-states 20000";
    c.run(&format!("{command} --resume saved"))
        .ends(2)
        .complains("saved: there is no checkpoint here; --checkpoint writes one");
    c.run(&format!("{command} --checkpoint saved")).ends(3);
    c.run(&format!("{command} --checkpoint saved"))
        .ends(2)
        .complains("saved: there is a checkpoint here already; --resume goes on with it");
    c.run("check endless.litmus -k v6.1 --resume saved")
        .ends(2)
        .complains("of another search: kernel is v7.2 there, and v6.1 here");
    c.run("check endless.litmus -k v7.2 --no-symmetry --resume saved")
        .ends(2)
        .complains("of another search: symmetry is true there, and false here");
    c.run("check endless.litmus -k v7.2 -k v6.1 --resume saved")
        .ends(2)
        .complains("only a single search can be saved");
    fs::write(
        c.folder.path().join("endless.litmus"),
        ENDLESS.replace("y = 3", "y = 2"),
    )
    .unwrap();
    c.run(&format!("{command} --resume saved"))
        .ends(2)
        .complains("of another search: text of the test");
    fs::write(c.folder.path().join("endless.litmus"), ENDLESS).unwrap();
    let states = c.folder.path().join("saved/0-1.states");
    let mut bytes = fs::read(&states).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&states, &bytes).unwrap();
    c.run(&format!("{command} --resume saved"))
        .ends(2)
        .complains("saved: this checkpoint is damaged: 0-1.states is not as it was written");
    bytes[middle] ^= 1;
    fs::write(&states, &bytes).unwrap();
    c.run(&format!("{command} --resume saved")).ends(3);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_unknown_and_leaves_the_last_checkpoint() {
    let c = Cowherd::new().with("large.litmus", LARGE);
    let command = "check large.litmus -k v6.1 --format json";
    let whole = c.run(command).ends(0);
    // No file may be longer than 64 blocks of 512 bytes or 1024, which is what a full disk does to those who write.
    let program = assert_cmd::cargo::cargo_bin("cowherd");
    let script = format!(
        "trap '' XFSZ; ulimit -f 64; exec {} check large.litmus -k v6.1 --checkpoint saved --checkpoint-every 0",
        program.display()
    );
    let ran = Command::new("sh")
        .args(["-c", &script])
        .current_dir(c.folder.path())
        .output();
    Ran::of(ran.unwrap())
        .ends(3)
        .says("Unknown")
        .says("cut short (it could not be saved) in level")
        .complains("saved: File too large (os error 27); what was saved before is still there");
    let rest = c.run(&format!("{command} --resume saved")).ends(0);
    assert_eq!(stable(&rest.out), stable(&whole.out));
}
