//! The formatter, completions, man pages, help.

use crate::{Cowherd, SMALL};

#[test]
fn fmt_check_changes_nothing_and_fmt_does() {
    let untidy = SMALL.replace("x = 2;", "x   =   2;");
    let c = Cowherd::new().with("small.litmus", &untidy);
    c.run("fmt --check small.litmus")
        .ends(1)
        .says("small.litmus: not formatted");
    assert_eq!(c.read("small.litmus"), untidy);
    c.run("fmt small.litmus").ends(0);
    assert_eq!(c.read("small.litmus"), SMALL);
    c.run("fmt --check .").ends(0);
}

#[test]
fn fmt_reads_standard_input() {
    let c = Cowherd::new();
    let mut command = c.command();
    let output = command
        .args(["fmt", "-"])
        .write_stdin(SMALL.replace("x = 2", "x=2"));
    let output = output.output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), SMALL);
}

#[test]
fn fmt_leaves_a_file_alone_that_it_cannot_read() {
    let wrong = "MM x P0 {";
    let c = Cowherd::new().with("wrong.litmus", wrong);
    c.run("fmt wrong.litmus").ends(2);
    assert_eq!(c.read("wrong.litmus"), wrong);
}

#[test]
fn every_shell_has_completions() {
    let c = Cowherd::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        c.run(&format!("completions {shell}"))
            .ends(0)
            .says("explain");
    }
}

#[test]
fn every_command_has_a_man_page() {
    let c = Cowherd::new();
    c.run("man").ends(0).says(".TH cowherd 1");
    c.run("man --dir pages").ends(0);
    for page in [
        "cowherd.1",
        "cowherd-check.1",
        "cowherd-explain.1",
        "cowherd-replay.1",
    ] {
        assert!(
            c.read(&format!("pages/{page}")).contains(".SH NAME"),
            "{page}"
        );
    }
}

#[test]
fn help_tells_the_exit_codes() {
    Cowherd::new()
        .run("--help")
        .ends(0)
        .says("3  undetermined: a limit or Ctrl-C ended a search");
}
