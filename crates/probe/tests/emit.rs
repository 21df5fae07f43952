//! Tests as C programs: what can be written compiles without a word, what cannot is refused, and the program of the mail's scenario does on
//! real kernels what the model says.

mod common;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cowherd_litmus::ast::Test;
use cowherd_model::check::Search;
use cowherd_model::corpus::Corpus;
use cowherd_model::kernels::{Kernels, Profile};
use cowherd_probe::emit::{Emitted, Refusal, emit};
use cowherd_probe::vm::{modules, newc::Archive};

fn kernels() -> Vec<Profile> {
    let matrix = Kernels::shipped().matrix();
    matrix.into_iter().rev().filter(|k| k.published).collect()
}

fn program(text: &str, kernels: &[Profile]) -> Result<Emitted, Refusal> {
    let test: Test = cowherd_litmus::parse("test", text).unwrap();
    emit(&test, text, kernels, &Search::default())
}

fn of_corpus(name: &str, kernel: &str) -> Emitted {
    let corpus = Corpus::shipped();
    let entry = corpus.find(name).unwrap()[0];
    let text = std::str::from_utf8(&entry.text).unwrap();
    let kernel = Kernels::shipped().profile(kernel).unwrap().profile;
    program(text, &[kernel]).unwrap()
}

/// Compiles as the program's own comment says; what the compiler remarks.
fn compile(text: &str, to: &Path) -> String {
    let mut cc = Command::new("cc")
        .args([
            "-O1", "-static", "-pthread", "-Wall", "-Wextra", "-x", "c", "-o",
        ])
        .arg(to)
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = cc.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let out = cc.wait_with_output().unwrap();
    String::from_utf8_lossy(&out.stderr).into_owned()
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("cowherd-emit-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_can_be_written_of_the_corpus_compiles_without_a_warning() {
    let folder = Folder::new("corpus");
    let kernels = kernels();
    let mut written = 0;
    for entry in &Corpus::shipped().entries {
        let text = std::str::from_utf8(&entry.text).unwrap();
        if let Ok(emitted) = program(text, &kernels) {
            let remarks = compile(&emitted.text, &folder.0.join("program"));
            assert_eq!(remarks, "", "{}", entry.source);
            written += 1;
        }
    }
    println!("{written} tests written");
    assert!(written >= 75, "only {written} tests could be written");
}

#[test]
fn the_story_and_the_order_of_the_mail_stand_in_its_program() {
    let emitted = of_corpus("odirect-swap", "v5.10");
    let text = emitted.text;
    let story = &text[..text.find("#define _GNU_SOURCE").unwrap()];
    let order = &text[text.find("/* The order of the story. */").unwrap()..];
    let order = &order[..order.find("\n}\n").unwrap() + 3];
    insta::assert_snapshot!("odirect_swap", format!("{story}...\n{order}"));
}

#[test]
fn a_pin_is_a_registered_buffer() {
    let text = "MM t { anon x = 1; } P0 { h0 = pin(x, FOLL_WRITE, FOLL_LONGTERM); x = 2; release(h0); } exists (x=2)";
    let emitted = program(text, &kernels()).unwrap().text;
    assert!(emitted.contains("where a driver pins"), "{emitted}");
    assert!(emitted.contains(" = register_buffer("), "{emitted}");
    assert!(emitted.contains("unregister("), "{emitted}");
    let short = text.replace(", FOLL_LONGTERM", "");
    assert!(program(&short, &kernels()).is_err());
}

#[test]
fn a_kernel_on_which_it_does_not_happen_has_no_order() {
    let corpus = Corpus::shipped();
    let entry = corpus.find("odirect-swap").unwrap()[0];
    let text = std::str::from_utf8(&entry.text).unwrap();
    let kernel = Kernels::shipped().profile("v6.1").unwrap().profile;
    let refusal = program(text, &[kernel]).unwrap_err().to_string();
    assert!(refusal.contains("no order"), "{refusal}");
}

#[test]
fn what_a_program_cannot_do_is_refused_with_the_reason() {
    let refused = |text: &str| program(text, &kernels()).unwrap_err().to_string();
    for (test, why) in [
        (
            "MM t { anon x = 1 batch(P0); } P0 { x = 2; } exists (x=2)",
            "batch",
        ),
        (
            "MM t { anon x = 1; tlb hot P0: x; } P0 { x = 2; } exists (x=2)",
            "TLB",
        ),
        (
            "MM t { anon x = 1; } P0 { h0 = get(x); } exists (x=1)",
            "no system calls",
        ),
        (
            "MM t { anon x = 1; } P0 { x = 2; } exists (violates)",
            "cannot be seen",
        ),
        (
            "MM t { anon x = 1; anon k = 1; } kernel { ksm(x, k); } exists (x=1)",
            "KSM",
        ),
    ] {
        let refusal = refused(test);
        assert!(refusal.contains(why), "{test}: {refusal}");
    }
}

/// Boots a kernel with a program as its /init; what it wrote.
fn boot(kernel: &Path, program: &Path, folder: &Path) -> String {
    let mut archive = Archive::default();
    archive.device("dev/console", 5, 1);
    archive.file("init", 0o755, &fs::read(program).unwrap());
    let wanted = ["lzo_rle", "lz4", "zram", "fuse"];
    let mut order = String::new();
    for module in modules::read(&kernel.join("modules"), &wanted).unwrap() {
        archive.file(&format!("modules/{}", module.name), 0o644, &module.bytes);
        order += &format!("{}\n", module.name);
    }
    archive.file("modules/order", 0o644, order.as_bytes());
    let initramfs = folder.join("initramfs");
    fs::write(&initramfs, archive.finish()).unwrap();
    // An emulator that crashes early, or hangs, has seen nothing: again.
    for _ in 0..3 {
        let out = Command::new("timeout")
            .args([
                "-s",
                "KILL",
                "120",
                "qemu-system-x86_64",
                "-accel",
                "tcg",
                "-cpu",
                "max,-cx16",
            ])
            .args([
                "-m", "512", "-smp", "2", "-display", "none", "-vga", "none", "-serial", "stdio",
            ])
            .args(["-monitor", "none", "-no-reboot", "-nic", "none", "-kernel"])
            .arg(kernel.join("vmlinuz"))
            .arg("-initrd")
            .arg(&initramfs)
            .args(["-append", "console=ttyS0 quiet panic=-1"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        if text.contains("exit code ") {
            return text;
        }
    }
    panic!("the virtual machine came to no end");
}

#[test]
fn the_mails_read_is_lost_on_5_10_and_not_on_6_1() {
    let folder = Folder::new("boot");
    let program = folder.0.join("program");
    assert_eq!(
        compile(&of_corpus("odirect-swap", "v5.10").text, &program),
        ""
    );
    let qemu = Command::new("qemu-system-x86_64").arg("--version").output();
    for (series, word, code) in [
        ("5.10", "LOST: odirect-swap", 1),
        ("6.1", "ok: odirect-swap", 0),
    ] {
        let Some(kernel) = common::fetched("kernels", "COWHERD_IMAGES", series) else {
            continue;
        };
        if qemu.is_err() {
            assert!(!common::needed(series), "missing: QEMU");
            eprintln!("missing, so not tested: QEMU");
            continue;
        }
        let text = boot(&kernel, &program, &folder.0);
        assert!(
            text.contains(word) && text.contains(&format!("exit code {code}")),
            "{series}: {text}"
        );
    }
}
