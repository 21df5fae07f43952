//! `cowherd verify` and `cowherd diff`: what they find is a test that `cowherd check` judges as it says, and a limit is no answer.

use std::fs;

use crate::Cowherd;

/// Checks every test of the folder `found` on the kernels that its `Result:` lines name; how many there are, and all their text.
fn all_as_expected(c: &Cowherd) -> (usize, String) {
    let mut texts = Vec::new();
    for file in fs::read_dir(c.folder.path().join("found")).unwrap() {
        let test = format!("found/{}", file.unwrap().file_name().display());
        let text = c.read(&test);
        let (_, results) = text.split_once("Result: ").expect(&text);
        let results = results.lines().next().unwrap();
        for kernel in results.split("; ").map(|r| r.split(' ').next().unwrap()) {
            c.run(&format!("check {test} -k {kernel}"))
                .ends(0)
                .says("as expected");
        }
        texts.push(text);
    }
    (texts.len(), texts.concat())
}

#[test]
fn the_program_that_is_found_is_a_test_with_its_verdict_and_its_story() {
    let c = Cowherd::new();
    let bound = "--allow pread,reclaim,store --activities 1 --calls 3 --write found";
    let ran = c.run(&format!("verify -k v5.19-swp_exclusive {bound}"));
    ran.ends(1)
        .says("the shortest program that breaks it: lost-write")
        .says("1. P0: pread(f, x[0], O_DIRECT)")
        .says("In the end: violates(lost-write)");
    let (tests, text) = all_as_expected(&c);
    assert_eq!(tests, 1);
    assert!(text.contains("Result: v5.19-swp_exclusive Sometimes"));
    assert!(text.contains("exists (violates(lost-write))"));
}

#[test]
fn each_of_all_minimal_programs_is_a_test_with_its_verdict() {
    let c = Cowherd::new();
    let bound = "--allow pread,store,clear_refs --activities 1 --calls 3 --write found";
    c.run(&format!("verify -k v5.10 --all {bound}"))
        .ends(1)
        .says("2 minimal programs in ");
    let (tests, text) = all_as_expected(&c);
    assert_eq!(tests, 2);
    assert_eq!(text.matches("clear_refs(A);").count(), 2);
}

#[test]
fn calls_taken_for_atomic_never_show_that_there_is_no_program() {
    let bound = "--allow pread,reclaim,store --activities 1 --calls 2";
    let c = Cowherd::new();
    c.run(&format!("verify -k v5.19 {bound}"))
        .ends(0)
        .says("no program within this bound");
    let ran = c.run(&format!("verify -k v5.19 {bound} --grain call"));
    let ran = ran
        .ends(3)
        .says("undetermined: calls were taken for atomic");
    assert!(!ran.out.contains("no program"), "{}", ran.out);
}

#[test]
fn programs_on_which_kernels_differ_are_tests_with_their_verdicts() {
    // What only one of them allows may be all that it allows; and the second may allow what the first does not.
    for (kernels, allow, calls, results) in [
        (
            "part2 v5.19",
            "pread,reclaim,store",
            3,
            "part2 Sometimes; v5.19 Never",
        ),
        (
            "v7.2 v7.2-mem_force",
            "mprotect,mem_write",
            2,
            "v7.2 Always; v7.2-mem_force Never",
        ),
        (
            "v7.2 v7.2-mem_force",
            "mprotect,mem_write",
            2,
            "v7.2-mem_force Sometimes; v7.2 Never",
        ),
    ] {
        let c = Cowherd::new();
        let bound = format!("--allow {allow} --activities 1 --calls {calls}");
        c.run(&format!("diff {kernels} {bound} --write found"))
            .ends(1)
            .says(&format!(
                "the first difference has {calls} calls; every shorter program was tried and agrees"
            ))
            .says("Then the kernels part");
        let (_, text) = all_as_expected(&c);
        assert!(text.contains(&format!("Result: {results}\n")), "{text}");
    }
}

#[test]
fn a_limit_is_no_answer() {
    let c = Cowherd::new();
    let bound = "--allow pread,reclaim,store --calls 2";
    for limit in ["--max-states 100", "--max-memory 1K", "--timeout 0"] {
        let name = limit.split(' ').next().unwrap();
        c.run(&format!("verify -k v7.2 {bound} {limit}"))
            .ends(3)
            .says(&format!("undetermined: {name}"));
        c.run(&format!("verify -k v7.2 --all {bound} {limit}"))
            .ends(3)
            .says("there may be more");
        // One program at a time, too, where the kernels ask for what they differ in.
        c.run(&format!("diff v5.10 v7.2 {bound} {limit}"))
            .ends(3)
            .says(&format!("undetermined: {name}"));
        c.run(&format!("diff --table --releases {bound} {limit}"))
            .ends(3)
            .says("cut short");
    }
}

#[test]
fn a_bound_that_cannot_be_is_2() {
    let c = Cowherd::new();
    for (wrong, says) in [
        ("--calls 0", "0 is not in 1..=10"),
        ("--pages 99", "99 is not in 1..=2"),
        ("--workers 0", "0 is not in 1..=1024"),
        (
            "--allow frobnicate",
            "nothing called `frobnicate` may be allowed",
        ),
        ("--allow help", "what may be allowed"),
        ("--allow uffd_wp,uffd_rwp", "not for both"),
    ] {
        for command in ["verify -k v7.2", "diff v5.18 v5.19"] {
            c.run(&format!("{command} {wrong}")).ends(2).complains(says);
        }
    }
    c.run("verify -k v7.2 --resume nothing")
        .ends(2)
        .complains("nothing: there is no checkpoint here");
    c.run("diff v5.18").ends(2);
    c.run("simulate -k v7.2 --walks 0").ends(2);
}
