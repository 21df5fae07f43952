//! Exit codes, and what is said about what the user got wrong.

use crate::{Cowherd, ENDLESS, SMALL};

#[test]
fn every_expectation_met_is_0() {
    let c = Cowherd::new().with("small.litmus", SMALL);
    c.run("check small.litmus").ends(0).says("as expected");
    c.run("check odirect-swap -k v5.18").ends(0);
}

#[test]
fn a_question_without_an_expectation_is_0() {
    let c = Cowherd::new().with(
        "small.litmus",
        &SMALL.replace("Result: Never", "No result."),
    );
    c.run("check small.litmus -k v7.2").ends(0).says("Never");
}

#[test]
fn a_verdict_that_differs_is_1() {
    let c = Cowherd::new().with("small.litmus", &SMALL.replace("Never", "Always"));
    c.run("check small.litmus -k v7.2")
        .ends(1)
        .says("expected Always");
}

#[test]
fn a_test_in_which_no_execution_ends_is_2_and_not_never() {
    let text = "
MM stuck
{ anon x = 1; pipe p; }
P0 in A { r0 = read(p); }
exists (x = 7)
";
    let c = Cowherd::new().with("stuck.litmus", text);
    c.run("check stuck.litmus -k v6.12")
        .ends(2)
        .says("no execution ends, 1 deadlock")
        .says("Unknown");
}

#[test]
fn a_file_that_is_not_as_it_should_be_is_1() {
    let c = Cowherd::new().with("small.litmus", SMALL);
    c.run("bless --check small.litmus").ends(1).says("new");
    c.run("bless small.litmus").ends(0);
    assert!(c.read("small.expected").contains("Observation small Never"));
    c.run("bless --check small.litmus").ends(0);
}

#[test]
fn an_unknown_test_is_2_and_names_what_may_be_meant() {
    Cowherd::new()
        .run("check odirct-swap")
        .ends(2)
        .complains("there is no file, test or theme `odirct-swap`; did you mean `odirect-swap`?");
}

#[test]
fn an_unknown_kernel_is_2_and_names_what_may_be_meant() {
    let c = Cowherd::new();
    c.run("check odirect-swap -k v5.1x")
        .ends(2)
        .complains("unknown profile `v5.1x`; did you mean one of `v5.1`, `v5.10`, `v5.11`?");
    c.run("kernels v99")
        .ends(2)
        .complains("unknown profile `v99`: `cowherd kernels` shows all there are, up to v7.2");
    c.run("kernels v9.9")
        .ends(2)
        .complains("v9.9 is not known: v4.19 to v7.2 are");
}

#[test]
fn an_unknown_feature_is_2_and_names_what_may_be_meant() {
    let c = Cowherd::new();
    c.run("check odirect-swap -k v5.18+unshaer")
        .ends(2)
        .complains("unknown feature `unshaer`; did you mean `unshare`?");
    c.run("features unshaer")
        .ends(2)
        .complains("did you mean `unshare`?");
}

#[test]
fn an_unmodelled_feature_is_2_and_says_why() {
    Cowherd::new()
        .run("check odirect-swap -k v5.18+thp_refcount")
        .ends(2)
        .complains("`thp_refcount` is not modelled: large folios");
}

#[test]
fn a_command_line_that_makes_no_sense_is_2() {
    let c = Cowherd::new();
    c.run("chekc").ends(2).complains("check");
    c.run("explain odirect-swap -k v5.18 -k v5.10")
        .ends(2)
        .complains("too many kernels");
    c.run("check small --max-memory 3bananas").ends(2);
}

#[test]
fn errors_in_a_test_are_2_and_all_of_them_are_shown() {
    let wrong = SMALL
        .replace("x = 2;", "y = 2; madvise(x, MADV_FRE);")
        .replace("exists (x=1)", "exists (B:x=1)");
    let ran = Cowherd::new()
        .with("wrong.litmus", &wrong)
        .run("check wrong.litmus")
        .ends(2);
    assert_eq!(ran.out, "");
    insta::assert_snapshot!(ran.err, @r"
    error[E010]: there is no variable `y`
      --> wrong.litmus:11:11
       |
    11 | P0 in A { y = 2; madvise(x, MADV_FRE); }
       |           ^ not declared
       |
       = help: the only variable is `x`

    error[E014]: `MADV_FRE` is not an advice
      --> wrong.litmus:11:29
       |
    11 | P0 in A { y = 2; madvise(x, MADV_FRE); }
       |                             ^^^^^^^^
       |
       = help: did you mean `MADV_FREE`?

    error[E011]: there is no process `B`
      --> wrong.litmus:13:9
       |
    13 | exists (B:x=1)
       |         ^ neither declared nor forked
       |
       = help: the only process is `A`
    ");
}

#[test]
fn an_unknown_kernel_in_a_result_line_is_2() {
    Cowherd::new()
        .with("small.litmus", &SMALL.replace("Never", "v5.1x Never"))
        .run("check small.litmus -k v7.2")
        .ends(2)
        .complains("v5.1x");
}

#[test]
fn a_bound_is_3_and_never_never() {
    let c = Cowherd::new().with("endless.litmus", ENDLESS);
    for bound in ["--max-states 1000", "--max-memory 4M", "--timeout 0.01"] {
        let ran = c.run(&format!("check endless.litmus -k v7.2 {bound}"));
        let ran = ran.ends(3).says("Unknown").says("cut short");
        assert!(!ran.out.contains("Never"), "{}", ran.out);
    }
}

#[test]
fn what_was_met_before_the_bound_is_no_verdict() {
    let c = Cowherd::new().with(
        "endless.litmus",
        &ENDLESS.replace("exists (", "exists (true \\/ "),
    );
    c.run("check endless.litmus -k v7.2 --max-states 1000")
        .ends(3)
        .says("Unknown");
}

#[test]
fn a_folder_without_tests_is_4() {
    let c = Cowherd::new();
    std::fs::create_dir(c.folder.path().join("empty")).unwrap();
    let none = "empty holds no .litmus file";
    c.run("check empty").ends(4).complains(none);
    c.run("probe empty").ends(4).complains(none);
    c.run("vm --kernel none empty").ends(4).complains(none);
    c.run("check --corpus empty").ends(2).complains(none);
}

#[test]
fn a_number_of_which_nothing_comes_is_2() {
    let c = Cowherd::new();
    for (option, why) in [
        ("--runs 0", "0 is not in 1.."),
        ("--random 0", "0 is not in 1.."),
        ("--orders 0", "there has to be one at least"),
    ] {
        for command in ["probe", "vm --kernel none"] {
            let ran = c.run(&format!("{command} {option}")).ends(2);
            ran.complains(why)
                .complains(option.split(' ').next().unwrap());
        }
    }
    c.run("vm --kernel none --timeout 0")
        .ends(2)
        .complains("a second is the least");
    c.run("conform --kernels none --memory 1M")
        .ends(2)
        .complains("a guest needs 128M at least");
    c.run("probe --seconds 0")
        .ends(2)
        .complains("0 is not in 1..");
}

/// A test beyond the model's room, which the language has: where, and what to do.
#[test]
fn what_the_model_has_no_room_for_is_shown_in_the_test() {
    let five = SMALL.replace(
        "    anon x = 1;",
        "    anon x = 1;\n    anon a = 1;\n    anon b = 1;\n    anon c = 1;\n    anon d = 1;",
    );
    let c = Cowherd::new().with("small.litmus", &five);
    c.run("check small.litmus -k v7.2")
        .ends(2)
        .complains("at most 4 variables")
        .complains("anon d = 1;")
        .complains("^^^")
        .complains("help: leave out what the question does not need");
}

/// A condition that would be Never whatever happens is no test.
#[test]
fn a_livelock_in_a_condition_is_refused() {
    for kind in ["livelock", "deadlock"] {
        let asked = SMALL.replace("(x=1)", &format!("(violates({kind}))"));
        Cowherd::new()
            .with("small.litmus", &asked)
            .run("check small.litmus -k v7.2")
            .ends(2)
            .complains(&format!("a {kind} is in no final state"));
    }
}

/// Who asks for a kind is told of those that `explain` has.
#[test]
fn the_kinds_that_are_offered_are_those_that_can_be_explained() {
    let ran = Cowherd::new()
        .run("explain odirect-swap --kind nothing")
        .ends(2);
    assert!(
        ran.err.contains("deadlock") && !ran.err.contains("livelock"),
        "{}",
        ran.err
    );
}
