//! Which clause of a `Result:` line speaks for which profile.

use cowherd_model::kernels::{Kernels, Profile, Range};

fn range(text: &str) -> Range {
    Kernels::shipped()
        .range(text)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn profile(text: &str) -> Profile {
    Kernels::shipped().profile(text).unwrap().profile
}

fn contains(clause: &str, kernel: &str) -> bool {
    range(clause).contains(&profile(kernel))
}

fn error(text: &str) -> String {
    Kernels::shipped().range(text).unwrap_err().to_string()
}

/// What the clauses say of the kernel.
fn pick(clauses: &[(&'static str, &'static str)], kernel: &str) -> Option<&'static str> {
    let ranges: Vec<Range> = clauses.iter().map(|(text, _)| range(text)).collect();
    let says = clauses.iter().map(|(_, says)| *says);
    Range::pick(ranges.iter().zip(says), &profile(kernel))
}

#[test]
fn a_range_has_both_its_ends() {
    assert!(contains("v5.9..v5.18", "v5.9"));
    assert!(contains("v5.9..v5.18", "v5.18"));
    assert!(!contains("v5.9..v5.18", "v5.8"));
    assert!(!contains("v5.9..v5.18", "v5.19"));
    assert!(contains("v4.20..v6.0", "v5.19"));
}

#[test]
fn a_range_may_be_open_or_a_single_release() {
    assert!(contains("v5.19..", "v7.2") && !contains("v5.19..", "v5.18"));
    assert!(contains("..v5.8", "v4.19") && !contains("..v5.8", "v5.9"));
    assert!(contains("5.8", "v5.8") && !contains("v5.8", "v5.9"));
    assert!(contains(" v5.9 .. v5.10 ", "v5.10"));
}

#[test]
fn a_stable_release_goes_with_its_mainline_release_unless_it_is_named() {
    assert!(contains("v5.9..v5.18", "v5.10.262"));
    assert!(contains("v5.10", "v5.10.262"));
    assert!(!contains("v5.11..", "v5.10.262"));
    let clauses = [
        ("v5.9..v5.18", "Sometimes"),
        ("v5.10.262", "Never"),
        ("v5.19..", "Never"),
    ];
    assert_eq!(pick(&clauses, "v5.10"), Some("Sometimes"));
    assert_eq!(pick(&clauses, "v5.10.262"), Some("Never"));
    assert_eq!(pick(&clauses[..1], "v5.10.262"), Some("Sometimes"));
    assert_eq!(pick(&clauses, "v6.1.176"), Some("Never"));
    assert_eq!(pick(&clauses, "v5.8"), None);
}

#[test]
fn a_changed_kernel_must_be_named() {
    let clauses = [
        ("..v5.18", "Sometimes"),
        ("v5.19..", "Never"),
        ("part2", "Always"),
        ("v6.1-unshare", "Sometimes"),
    ];
    assert_eq!(pick(&clauses, "part2"), Some("Always"));
    assert_eq!(pick(&clauses[..2], "part2"), None);
    assert_eq!(
        pick(&clauses, "v5.18+unshare+anon_exclusive"),
        Some("Always")
    );
    assert_eq!(pick(&clauses, "v6.1-unshare"), Some("Sometimes"));
    assert_eq!(pick(&clauses, "v6.1-unshare-swp_exclusive"), None);
}

#[test]
fn another_architecture_must_be_named() {
    let clauses = [
        ("v5.19..", "Never"),
        ("v5.19/riscv..v6.2/riscv", "Sometimes"),
        ("v6.3/riscv..", "Never"),
    ];
    assert_eq!(pick(&clauses, "v6.1"), Some("Never"));
    assert_eq!(pick(&clauses, "v6.1/riscv"), Some("Sometimes"));
    assert_eq!(pick(&clauses, "v6.1.176/riscv"), Some("Sometimes"));
    assert_eq!(pick(&clauses, "v6.12/riscv"), Some("Never"));
    assert_eq!(pick(&clauses, "v6.12/arm64"), None);
}

#[test]
fn ranges_that_contradict_each_other_overlap() {
    assert!(range("v5.9..v5.18").overlaps(&range("v5.18..")));
    assert!(!range("v5.9..v5.18").overlaps(&range("v5.19..")));
    assert!(!range("v5.9..v5.18").overlaps(&range("v5.10.262")));
    assert!(!range("v5.9..").overlaps(&range("v5.9/riscv..")));
    assert!(range("part2").overlaps(&range("v5.18+anon_exclusive+unshare")));
}

#[test]
fn what_is_no_range_is_refused() {
    assert_eq!(error("v5.18..v5.9"), "`v5.18..v5.9` ends before it begins");
    assert_eq!(
        error("v5.10.262.."),
        "a range runs over mainline releases: give `v5.10.262` a clause of its own"
    );
    assert_eq!(
        error("part2..v6.1"),
        "a range runs over mainline releases: give `part2` a clause of its own"
    );
    assert_eq!(
        error("v5.19/riscv..v6.2"),
        "the ends of `v5.19/riscv..v6.2` are of different architectures"
    );
    assert_eq!(error("v5.19..v9.9"), "v9.9 is not known: v4.19 to v7.2 are");
    assert!(error("..").contains("names no release"));
    assert!(error("").contains("names no release"));
}
