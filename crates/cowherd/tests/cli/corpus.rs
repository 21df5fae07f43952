//! The corpus that the binary carries, or that of a folder.

use crate::{Cowherd, SMALL};

#[test]
fn a_binary_outside_of_the_checkout_has_the_corpus() {
    let c = Cowherd::new();
    c.run("list").ends(0).says("odirect-swap");
    c.run("check vmsplice -k v5.7")
        .ends(0)
        .says("Sometimes")
        .says("as expected");
    c.run("kernels").ends(0).says("v5.10.262");
    c.run("features swp_exclusive").ends(0).says("1493a1913e34");
}

#[test]
fn a_folder_takes_the_place_of_the_corpus() {
    let c = Cowherd::new();
    let theme = c.folder.path().join("mine/theme");
    std::fs::create_dir_all(&theme).unwrap();
    std::fs::write(theme.join("small.litmus"), SMALL).unwrap();
    c.run("list --corpus mine").ends(0).says("small");
    c.run("check --corpus mine small -k v7.2")
        .ends(0)
        .says("Never");
    c.run("check --corpus mine odirect-swap").ends(2);
    c.run("check --corpus nowhere small").ends(2);
}

#[test]
fn a_whole_theme_is_named_by_its_folder() {
    let ran = Cowherd::new().run("check leaks -k v7.2").ends(0);
    ran.says("vmsplice-tee").says("ro-pin-leak-swap");
}

#[test]
fn a_name_that_several_tests_have_is_2_and_names_them_and_their_themes_tell_them_apart() {
    let c = Cowherd::new();
    for command in [
        "check",
        "explain",
        "classify",
        "probe --dry-run",
        "emit --c",
        "list",
    ] {
        c.run(&format!("{command} fork"))
            .ends(2)
            .complains("`fork` may be any of `migration/fork`, `swapoff/fork`, `fork/`");
    }
    for line in [
        "check swapoff/fork -k v7.2",
        "check swapoff/fork -k v7.2 --format herd",
        "check swapoff/fork -k v7.2 --format json",
        "check swapoff/fork -k v7.2 --format junit",
        "explain swapoff/fork -k v7.2",
        "classify swapoff/fork -k v7.2",
        "probe --dry-run swapoff/fork",
    ] {
        let ran = c.run(line).says("swapoff/fork");
        assert!(!ran.out.contains("migration/"), "{line}: {}", ran.out);
    }
    for theme in ["fork/", "fork/*", "leaks"] {
        let name = theme.split('/').next().unwrap();
        let ran = c.run(&format!("list {theme}")).ends(0).says(name);
        assert!(!ran.out.contains("migration"), "{theme}: {}", ran.out);
    }
}
