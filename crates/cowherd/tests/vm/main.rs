//! `cowherd vm` with a QEMU that misbehaves: what is no result is told apart from results.
//!
//! The QEMU here is a script. It finds on its command line where the console's text is to go, and writes there and to the line of results (its
//! standard output) what the test made up: one file a boot.

mod conform;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use cowherd_probe::frame::{Hello, Message, encode};
use cowherd_probe::live::{Machine, TestResult};

/// Boot n writes what is in the files `n.console` and `n.line`, runs `n.then`, if there is one, and ends.
const SCRIPT: &str = r#"#!/bin/sh
cd "$(dirname "$0")"
boot=$(($(cat boots 2>/dev/null || echo 0) + 1))
echo $boot >boots
for word; do
    case $word in file:*) console=${word#file:} ;; esac
done
[ ! -e $boot.console ] || cat $boot.console >"$console"
[ ! -e $boot.line ] || cat $boot.line
[ ! -e $boot.then ] || . ./$boot.then
"#;

/// A folder with the script, and a kernel image that is none.
struct Fake {
    folder: tempfile::TempDir,
    boots: u32,
}

impl Fake {
    fn new() -> Fake {
        let folder = tempfile::tempdir().unwrap();
        let qemu = folder.path().join("qemu-system-x86_64");
        fs::write(&qemu, SCRIPT).unwrap();
        fs::set_permissions(&qemu, PermissionsExt::from_mode(0o755)).unwrap();
        let fake = Fake { folder, boots: 0 };
        fs::write(fake.file("vmlinuz"), fake.image()).unwrap();
        fake
    }

    /// What looks like the image of a kernel.
    fn image(&self) -> Vec<u8> {
        let mut image = vec![0; 0x400];
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
        image[0x300..0x305].copy_from_slice(b"6.1.0");
        image
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The next boot.
    fn boot(&mut self, console: &str, line: &[u8], then: &str) -> &mut Fake {
        self.boots += 1;
        let write = |what: &str, text: &[u8]| {
            fs::write(self.file(&format!("{}.{what}", self.boots)), text).unwrap();
        };
        write("console", console.as_bytes());
        write("line", line);
        write("then", then.as_bytes());
        self
    }

    /// A PATH on which this QEMU comes first.
    fn path(&self) -> String {
        let path = std::env::var("PATH").unwrap();
        format!("{}:{path}", self.folder.path().display())
    }

    /// Runs two tests of the corpus.
    fn run(&self) -> Ran {
        self.run_with(&self.path(), &[])
    }

    fn run_with(&self, path: &str, more: &[&str]) -> Ran {
        let tests = ["vm", "store-load", "zero-page", "--timeout", "1"];
        self.run_words(path, &[&tests, more].concat())
    }

    fn run_words(&self, path: &str, words: &[&str]) -> Ran {
        let kernel = self.file("vmlinuz");
        self.ran(
            path,
            &[words, &["--kernel", kernel.to_str().unwrap()]].concat(),
        )
    }

    fn run_command(&self, words: &[&str]) -> Ran {
        self.ran(&self.path(), words)
    }

    fn ran(&self, path: &str, words: &[&str]) -> Ran {
        let out = Command::cargo_bin("cowherd")
            .unwrap()
            .env("PATH", path)
            .args(words)
            .output()
            .unwrap();
        let boots = fs::read_to_string(self.file("boots")).unwrap_or_default();
        Ran {
            code: out.status.code(),
            text: String::from_utf8_lossy(&out.stdout).into_owned()
                + &String::from_utf8_lossy(&out.stderr),
            boots: boots.trim().parse().unwrap_or(0),
        }
    }
}

struct Ran {
    code: Option<i32>,
    text: String,
    boots: u32,
}

/// What a guest says that comes so far.
fn line(messages: &[Message]) -> Vec<u8> {
    let hello = Message::Hello(Hello {
        release: "6.1.0-50-cloud-amd64".into(),
        version: "#1 SMP Debian 6.1.176-1 (2026-11-16)".into(),
        machine: Machine::default(),
    });
    let all = std::iter::once(&hello).chain(messages).enumerate();
    all.flat_map(|(n, message)| encode(n as u32, message).into_bytes())
        .collect()
}

/// The result of the test at this place of the boot: skipped, for a reason by which it is recognised.
fn skipped(test: usize, why: &str) -> Message {
    let result = TestResult {
        skipped: Some(why.into()),
        ..TestResult::default()
    };
    Message::Result(test, Box::new(result))
}

/// A boot in which the test that is left gets its result.
fn second_boot(fake: &mut Fake) {
    let told = [
        Message::Begin(0),
        skipped(0, "the second boot"),
        Message::End,
    ];
    fake.boot("", &line(&told), "");
}

#[test]
fn garbage_is_no_result() {
    let mut fake = Fake::new();
    let garbage: Vec<u8> = (0..5000_u32).map(|n| ((n * 7919) >> 3) as u8).collect();
    for _ in 0..4 {
        fake.boot("SeaBIOS\n", &garbage, "");
    }
    let ran = fake.run();
    assert_eq!(ran.code, Some(4), "{}", ran.text);
    // It is tried three times; KVM, where there is one, once more.
    assert!(
        ran.boots >= 3 && ran.text.contains("SeaBIOS"),
        "{}",
        ran.text
    );
}

#[test]
fn a_boot_that_hangs_is_given_up() {
    let mut fake = Fake::new();
    for _ in 0..4 {
        fake.boot("Linux version 6.1\n", b"", "exec sleep 600");
    }
    let ran = fake.run();
    assert_eq!(ran.code, Some(4), "{}", ran.text);
    assert!(ran.text.contains("nothing was heard"), "{}", ran.text);
}

#[test]
fn kernels_that_do_not_come_up_are_told_apart() {
    let mut damaged = line(&[]);
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let panic = "[ 0.1] Linux version 6.1\n[ 0.2] Kernel panic - not syncing: No working init\n";
    for (console, line, then, why) in [
        (
            panic,
            &b""[..],
            "",
            "panicked while it booted (Kernel panic - not syncing: No working",
        ),
        (
            "",
            b"",
            "",
            "the kernel wrote nothing to its console: the image is damaged",
        ),
        (
            "",
            b"",
            "echo bad option >&2; exit 1",
            "QEMU did not run it",
        ),
        (
            "[ 0.1] Linux\n",
            b"",
            "exec sleep 600",
            "--timeout gives it more time",
        ),
        (
            "[ 0.1] Linux\n",
            &damaged,
            "exec sleep 600",
            "came over the line of results",
        ),
        ("[ 0.1] Linux\n", b"", "", "/init did not come to run"),
    ] {
        let mut fake = Fake::new();
        for _ in 0..4 {
            fake.boot(console, line, then);
        }
        let ran = fake.run();
        assert_eq!(ran.code, Some(4), "{}", ran.text);
        assert!(ran.text.contains(why), "{why}: {}", ran.text);
        let last = console.lines().last().unwrap_or_default();
        assert!(ran.text.contains(last), "{}", ran.text);
    }
}

#[test]
fn tests_that_want_modules_of_a_guest_without_any_say_how_to_give_them() {
    let mut fake = Fake::new();
    let message = [Message::Begin(0), skipped(0, "FUSE"), Message::End];
    fake.boot("", &line(&message), "");
    let ran = fake.run_words(&fake.path(), &["vm", "odirect-dontneed", "--timeout", "5"]);
    assert_eq!(ran.code, Some(4), "{}", ran.text);
    let why = "# SKIP FUSE; the guest has no modules: --modules DIR";
    assert!(ran.text.contains(why), "{}", ran.text);
    // This one needs none, so it was skipped for something else.
    let mut fake = Fake::new();
    fake.boot("", &line(&message), "");
    let ran = fake.run_words(&fake.path(), &["vm", "store-load", "--timeout", "5"]);
    assert!(!ran.text.contains("--modules"), "{}", ran.text);
}

#[test]
fn a_folder_with_no_modules_is_told() {
    let fake = Fake::new();
    fs::create_dir(fake.file("empty")).unwrap();
    let empty = fake.file("empty");
    let words = ["--modules", empty.to_str().unwrap()];
    let ran = fake.run_with(&fake.path(), &words);
    assert_eq!((ran.code, ran.boots), (Some(2), 0), "{}", ran.text);
    assert!(ran.text.contains("`depmod` has run"), "{}", ran.text);
    fs::write(empty.join("modules.dep"), "").unwrap();
    let ran = fake.run_with(&fake.path(), &words);
    assert_eq!((ran.code, ran.boots), (Some(2), 0), "{}", ran.text);
    assert!(ran.text.contains("lists no module"), "{}", ran.text);
}

#[test]
fn a_panic_is_told_with_its_trace_and_the_other_tests_run_in_a_new_boot() {
    let mut fake = Fake::new();
    let console = "[ 1.0] cowherd: test 0 begins\n\
        [ 1.1] BUG: unable to handle page fault for address: 0000000000000040\n\
        [ 1.2] RIP: 0010:try_to_unmap_one+0x12/0x34\n\
        [ 1.3] Kernel panic - not syncing: Fatal exception\n";
    fake.boot(console, &line(&[Message::Begin(0)]), "");
    second_boot(&mut fake);
    let ran = fake.run();
    assert_eq!(ran.code, Some(1), "{}", ran.text);
    assert_eq!(ran.boots, 2);
    assert!(ran.text.contains("try_to_unmap_one"), "{}", ran.text);
    assert!(ran.text.contains("the second boot"), "{}", ran.text);
}

#[test]
fn a_random_program_of_which_the_guest_dies_is_named_and_the_others_run() {
    let mut fake = Fake::new();
    // The first boot tells what the guest has.
    fake.boot("", &line(&[Message::End]), "");
    let console = "[ 1.0] cowherd: test 0 begins\n[ 1.1] kernel BUG at mm/rmap.c:1!\n";
    fake.boot(console, &line(&[Message::Begin(0)]), "");
    fake.boot(
        "",
        &line(&[Message::Begin(0), skipped(0, "whole"), Message::End]),
        "",
    );
    let ran = fake.run_words(&fake.path(), &["vm", "--random", "2", "--timeout", "1"]);
    assert_eq!(ran.code, Some(1), "{}", ran.text);
    assert_eq!(ran.boots, 3, "{}", ran.text);
    assert_eq!(ran.text.matches("MM random-1-").count(), 1, "{}", ran.text);
    assert!(ran.text.contains("kernel BUG at mm/rmap.c"), "{}", ran.text);
    assert!(ran.text.contains("of which the guest died"), "{}", ran.text);
}

#[test]
fn a_message_that_is_cut_off_is_no_result_and_is_tried_again() {
    let mut fake = Fake::new();
    let mut cut = line(&[Message::Begin(0), skipped(0, "cut off")]);
    cut.truncate(cut.len() - 9);
    for _ in 0..3 {
        fake.boot("", &cut, "");
    }
    fake.boot(
        "",
        &line(&[Message::Begin(0), skipped(0, "whole"), Message::End]),
        "",
    );
    let ran = fake.run();
    assert_eq!(ran.code, Some(3), "{}", ran.text);
    assert_eq!(ran.boots, 4);
    assert!(
        !ran.text.contains("cut off)") && ran.text.contains("whole"),
        "{}",
        ran.text
    );
}

#[test]
fn without_the_end_marker_the_last_result_does_not_count() {
    let mut fake = Fake::new();
    let both = [
        Message::Begin(0),
        skipped(0, "the first test"),
        Message::Begin(1),
        skipped(1, "no end marker"),
    ];
    fake.boot("", &line(&both), "");
    second_boot(&mut fake);
    let ran = fake.run();
    assert_eq!(ran.boots, 2, "{}", ran.text);
    assert!(ran.text.contains("the first test"), "{}", ran.text);
    assert!(ran.text.contains("the second boot"), "{}", ran.text);
    assert!(!ran.text.contains("no end marker"), "{}", ran.text);
}

#[test]
fn a_test_that_hangs_the_guest_is_not_passed() {
    let mut fake = Fake::new();
    for _ in 0..3 {
        fake.boot("", &line(&[Message::Begin(0)]), "exec sleep 600");
    }
    fake.boot(
        "",
        &line(&[Message::Begin(0), skipped(0, "whole"), Message::End]),
        "",
    );
    let ran = fake.run();
    assert_eq!(ran.code, Some(3), "{}", ran.text);
    assert!(
        ran.text.contains("nothing was heard of the guest"),
        "{}",
        ran.text
    );
}

#[test]
fn a_machine_without_qemu_is_told_what_to_install() {
    let fake = Fake::new();
    // ldd is needed before; QEMU is not in these folders here, or it would refuse the image.
    let tools = fake.file("tools");
    fs::create_dir(&tools).unwrap();
    for tool in ["ldd", "bash", "sh", "cat"] {
        let at = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(tool));
        if let Some(at) = at.iter().find(|at| at.exists()) {
            std::os::unix::fs::symlink(at, tools.join(tool)).unwrap();
        }
    }
    let ran = fake.run_with(tools.to_str().unwrap(), &[]);
    assert_eq!(ran.code, Some(4), "{}", ran.text);
    assert!(ran.text.contains("qemu-system-x86"), "{}", ran.text);
}

#[test]
fn an_image_for_another_machine_is_refused() {
    let fake = Fake::new();
    let mut image = vec![0; 0x400];
    image[56..60].copy_from_slice(b"ARM\x64");
    fs::write(fake.file("vmlinuz"), image).unwrap();
    let ran = fake.run();
    assert_eq!(ran.code, Some(2), "{}", ran.text);
    assert!(ran.text.contains("arm64"), "{}", ran.text);
    fs::remove_file(fake.file("vmlinuz")).unwrap();
    assert_eq!(fake.run().code, Some(2));
}

#[test]
fn an_interrupt_ends_qemu_and_counts_as_undetermined() {
    let mut fake = Fake::new();
    // The guest's first words are there, then cowherd is interrupted.
    fake.boot(
        "",
        &line(&[Message::Begin(0)]),
        "echo $$ >pid; kill -INT $PPID; exec sleep 600",
    );
    let ran = fake.run();
    assert_eq!(ran.code, Some(3), "{}", ran.text);
    let pid = fs::read_to_string(fake.file("pid")).unwrap();
    assert!(!Path::new("/proc").join(pid.trim()).exists());
}
