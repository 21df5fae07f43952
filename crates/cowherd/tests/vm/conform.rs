//! `cowherd conform` with kernels that do not boot: the others have their columns.

use std::fs;

use cowherd_probe::frame::Message;

use crate::{Fake, Ran, line, skipped};

/// What boots `good/vmlinuz` gives two results, other kernels panic.
const GOOD_OR_BAD: &str =
    r#"case "$*" in */good/vmlinuz*) cat good.line ;; *) cat bad.console >"$console" ;; esac"#;

impl Fake {
    /// A kernel below `kernels`; with a header that QEMU would take, or not.
    fn kernel(&self, name: &str, image: &[u8]) {
        let folder = self.file("kernels").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("vmlinuz"), image).unwrap();
    }

    fn conform(&mut self, more: &[&str]) -> Ran {
        let good = [
            Message::Begin(0),
            skipped(0, "the first test"),
            Message::Begin(1),
            skipped(1, "the second test"),
            Message::End,
        ];
        fs::write(self.file("good.line"), line(&good)).unwrap();
        let console = "[ 0.1] Linux version 6.1\n\
            [ 0.2] Kernel panic - not syncing: VFS: Unable to mount root fs\n";
        fs::write(self.file("bad.console"), console).unwrap();
        for _ in 0..8 {
            self.boot("", b"", GOOD_OR_BAD);
        }
        let kernels = self.file("kernels");
        let mut words = vec!["conform", "store-load", "zero-page", "--timeout", "5"];
        words.extend(["--kernels", kernels.to_str().unwrap()]);
        self.run_command(&[&words, more].concat())
    }
}

#[test]
fn a_garbage_image_has_a_column_and_the_other_kernels_run() {
    let mut fake = Fake::new();
    let image = fake.image();
    fake.kernel("bad", b"garbage");
    fake.kernel("good", &image);
    let chapter = fake.file("chapter.md");
    let ran = fake.conform(&["--write", chapter.to_str().unwrap()]);
    assert_eq!(ran.code, Some(3), "{}", ran.text);
    assert!(
        ran.text.contains("basics/store-load  no boot    -\n"),
        "{}",
        ran.text
    );
    let why = "no Linux kernel image for x86-64 (bzImage)";
    assert!(ran.text.contains(why), "{}", ran.text);
    let chapter = fs::read_to_string(chapter).unwrap();
    assert!(
        chapter.contains("| bad |") && chapter.contains(why),
        "{chapter}"
    );
    assert!(
        chapter.contains("basics/zero-page: the second test"),
        "{chapter}"
    );
}

#[test]
fn a_kernel_that_panics_has_a_column_and_the_other_kernels_run() {
    let mut fake = Fake::new();
    let image = fake.image();
    fake.kernel("bad", &image);
    fake.kernel("good", &image);
    let ran = fake.conform(&[]);
    assert_eq!(ran.code, Some(3), "{}", ran.text);
    assert!(
        ran.text.contains("basics/store-load  no boot    -\n"),
        "{}",
        ran.text
    );
    let why = "bad: no kernel came up: the kernel panicked while it booted (Kernel panic - not \
        syncing: VFS: Unable to mount root fs)";
    assert!(ran.text.contains(why), "{}", ran.text);
}

#[test]
fn where_no_kernel_comes_up_nothing_ran() {
    let mut fake = Fake::new();
    fake.kernel("bad", b"garbage");
    let ran = fake.conform(&[]);
    assert_eq!((ran.code, ran.boots), (Some(4), 0), "{}", ran.text);
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_anything_boots() {
    for option in ["--write", "--json"] {
        let mut fake = Fake::new();
        let image = fake.image();
        fake.kernel("good", &image);
        let file = fake.file("nowhere/file");
        let ran = fake.conform(&[option, file.to_str().unwrap()]);
        assert_eq!((ran.code, ran.boots), (Some(2), 0), "{}", ran.text);
        assert!(ran.text.contains("nowhere/file"), "{}", ran.text);
    }
}

#[test]
fn a_folder_without_kernels_is_told() {
    let mut fake = Fake::new();
    fs::create_dir_all(fake.file("kernels/empty")).unwrap();
    let ran = fake.conform(&[]);
    assert_eq!((ran.code, ran.boots), (Some(2), 0), "{}", ran.text);
    assert!(
        ran.text.contains("no folder with a vmlinuz"),
        "{}",
        ran.text
    );
}
