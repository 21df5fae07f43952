//! One result, in every form; colour where somebody looks.

use serde_json::Value;

use crate::{Cowherd, Ran, SMALL};

/// Times and counts of states are nobody's promise.
fn lasting(herd: &str) -> String {
    let kept = herd.lines().map(|line| {
        let word = line.split(' ').next().unwrap_or_default();
        match word {
            "Time" => "Time odirect-swap -",
            "Positive:" => "Positive: - Negative: -",
            "Observation" => "Observation odirect-swap Sometimes - -",
            _ => line,
        }
    });
    kept.collect::<Vec<_>>().join("\n")
}

#[test]
fn herd() {
    let ran = Cowherd::new().run("check odirect-swap -k v5.18 --format herd");
    insta::assert_snapshot!(lasting(&ran.ends(0).out), @r"
    Kernel v5.18
    Test odirect-swap Allowed
    States 2
    A:x[0]=0;
    A:x[0]=7;
    Ok
    Witnesses
    Positive: - Negative: -
    Flag lost-write
    Condition exists (x[0]=0)
    Observation odirect-swap Sometimes - -
    Time odirect-swap -
    Hash=72bd3f061c2423612f4de1325667d78b
    ");
}

#[test]
fn json() {
    let ran = Cowherd::new().run("check odirect-swap -k v5.18 -k v5.19 --format json");
    let document: Value = serde_json::from_str(&ran.ends(0).out).unwrap();
    assert_eq!(document["schema"], 1);
    let results = &document["tests"][0]["results"];
    assert_eq!(results[0]["profile"], "v5.18");
    assert_eq!(results[0]["verdict"], "Sometimes");
    assert_eq!(results[0]["broken"][0], "lost-write");
    assert_eq!(results[1]["verdict"], "Never");
}

#[test]
fn junit() {
    let c = Cowherd::new().with("small.litmus", &SMALL.replace("Never", "Always"));
    let ran = c.run("check small.litmus -k v7.2 -k v5.18 --format junit");
    ran.ends(1)
        .says("<testsuites name=\"cowherd\" tests=\"2\" failures=\"2\"")
        .says("<testcase name=\"v5.18\"");
}

#[test]
fn there_is_no_colour_where_there_is_no_terminal() {
    let c = Cowherd::new();
    for arguments in [
        "check odirect-swap -k v5.18",
        "explain odirect-swap -k v5.18",
        "list",
    ] {
        assert!(!c.run(arguments).out.contains('\x1b'), "{arguments}");
    }
    let ran = c.run("check odirect-swap -k v5.18 --color always");
    assert!(ran.out.contains("\x1b["));
    let ran = c.run("check odirect-swap -k v5.18 --color never");
    assert!(!ran.out.contains('\x1b'));
}

#[test]
fn text_fits_a_hundred_columns() {
    let c = Cowherd::new();
    for arguments in [
        "check direct-io -k v5.10 -k v7.2",
        "explain odirect-swap -k v5.10",
        "explain odirect-swap -k v5.19 --why-not",
        "list",
        "kernels",
        "kernels v5.19",
        "features",
        "features swp_exclusive",
        "check --help",
    ] {
        let out = c.run(arguments).ends(0).out;
        let long = out.lines().find(|line| line.chars().count() > 100);
        assert_eq!(long, None, "{arguments}");
    }
}

#[test]
fn who_closes_the_pipe_early_hears_no_complaint() {
    let cowherd = assert_cmd::cargo::cargo_bin("cowherd");
    let script = format!("{} features | head -1", cowherd.display());
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

/// A program that reads the results is told in its own form that a test is none.
#[test]
fn what_cannot_be_read_is_told_in_the_form_that_was_asked_for() {
    let c = Cowherd::new().with("bad.litmus", "MM bad { anon x = 1 } exists (x=1)");
    let json = c.run("check bad.litmus --format json").ends(2).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    let error = &json["errors"][0];
    assert_eq!(
        (&error["source"], &error["line"]),
        (&"bad.litmus".into(), &1.into())
    );
    assert!(error["code"].as_str().unwrap().starts_with('E'));
    let xml = c.run("check bad.litmus --format junit").ends(2).out;
    assert!(
        xml.contains("<error") && xml.contains("bad.litmus:1:"),
        "{xml}"
    );
}

#[test]
fn a_test_comes_from_standard_input() {
    let c = Cowherd::new();
    let mut command = c.command();
    command
        .args(["check", "-", "-k", "v7.2"])
        .write_stdin(SMALL);
    Ran::of(command.output().unwrap()).ends(0).says("small");
}

#[test]
fn a_kernel_that_is_named_twice_runs_once() {
    let ran = Cowherd::new()
        .run("check odirect-swap -k v5.18 -k v5.18")
        .ends(0);
    assert_eq!(ran.out.matches("v5.18").count(), 1, "{}", ran.out);
}
