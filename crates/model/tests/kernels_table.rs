//! The derived profiles against a table that was written down by a person, release by release.
//!
//! The data gives a feature's first and last release; the table gives what each kernel has. Two ways to say the same
//! thing, so that a slip in one shows.

use cowherd_mm::Feature;
use cowherd_model::kernels::{Kernels, Profile};

const COLUMNS: [&str; 15] = [
    "v4.19",
    "v5.8",
    "v5.10",
    "v5.10.262",
    "v5.17",
    "v5.18",
    "part2",
    "v5.19",
    "v6.1",
    "v6.1.176",
    "v6.6",
    "v6.12",
    "v6.12.107",
    "v6.18",
    "v7.2",
];

/// `x`: on, `-`: off. One letter a column.
#[rustfmt::skip]
const TABLE: &[(&str, &str)] = &[
    //                        4   5   5   5   5   5   p   5   6   6   6   6   6   6   7
    //                        19  8   10  .y  17  18  2   19  1   .y  6   12  .y  18  2
    ("wp_mapcount",          "x   x   -   -   -   -   -   -   -   -   -   -   -   -   -"),
    ("reuse_ksm",            "-   x   -   -   -   -   -   -   -   -   -   -   -   -   -"),
    ("gup_force_cow",        "-   x   -   -   -   -   -   -   -   -   -   -   -   -   -"),
    ("wp_refcount1",         "-   -   x   x   x   -   -   -   -   -   -   -   -   -   -"),
    ("wp_swapfree",          "-   -   -   -   -   x   x   x   x   x   x   x   x   x   x"),
    ("wp_lrudrain",          "-   -   -   -   -   x   x   x   x   x   x   x   x   x   x"),
    ("swapin_refcount",      "-   -   -   -   -   x   x   x   x   x   x   x   x   x   x"),
    ("anon_exclusive",       "-   -   -   -   -   -   x   x   x   x   x   x   x   x   x"),
    ("unshare",              "-   -   -   -   -   -   x   x   x   x   x   x   x   x   x"),
    ("swp_exclusive",        "-   -   -   -   -   -   -   x   x   x   x   x   x   x   x"),
    ("longterm_cow",         "-   -   -   -   -   -   -   -   -   -   x   x   x   x   x"),
    ("force_excl",           "-   -   -   -   -   -   -   -   x   x   x   x   x   x   x"),
    ("gupfast_barriers",     "-   -   -   -   -   -   -   -   x   x   x   x   x   x   x"),
    ("pin_bias",             "-   x   x   x   x   x   x   x   x   x   x   x   x   x   x"),
    ("fork_early_copy",      "-   -   x   x   x   x   x   x   x   x   x   x   x   x   x"),
    ("fork_wpseq",           "-   -   -   x   x   x   x   x   x   x   x   x   x   x   x"),
    ("noswap_pinned",        "-   -   -   x   x   x   x   x   x   x   x   x   x   x   x"),
    ("reclaim_unmapped_pin", "-   -   -   -   -   -   -   -   -   x   x   x   x   x   x"),
    ("clearrefs_lock",       "-   -   -   x   x   x   x   x   x   x   x   x   x   x   x"),
    ("clearrefs_pinned",     "-   -   -   x   x   x   x   x   x   x   x   x   x   x   x"),
    ("uffdwp_flush",         "-   -   -   x   x   x   x   x   x   x   x   x   x   x   x"),
    ("madvfree_refs",        "-   -   -   x   -   x   x   x   x   x   x   x   x   x   x"),
    ("mprotect_excl",        "-   -   -   -   -   -   -   -   x   x   x   x   x   x   x"),
    ("mprotect_excl_clean",  "-   -   -   -   -   -   -   -   -   -   x   x   x   x   x"),
    ("numa_excl",            "-   -   -   -   -   -   -   -   -   -   x   x   x   x   x"),
    ("ksm_unshare",          "-   -   -   -   -   -   -   -   -   -   x   x   x   x   x"),
    ("dio_pin",              "-   -   -   -   -   -   -   -   -   -   x   x   x   x   x"),
    ("fuse_pin",             "-   -   -   -   -   -   -   -   -   -   -   x   x   x   x"),
    ("free_swapoff",         "-   -   -   x   -   -   -   -   -   x   -   x   x   x   x"),
    ("swapin_ro_w",          "-   -   -   -   -   -   -   -   -   -   -   x   x   x   x"),
    ("skip_cache",           "x   x   x   x   x   x   x   x   x   x   x   x   x   x   -"),
    ("skip_cache_claim",     "-   -   -   -   -   -   -   -   -   x   -   x   x   x   -"),
    ("per_vma_lock",         "-   -   -   -   -   -   -   -   -   -   x   x   x   x   x"),
    ("fork_vma_lock",        "-   -   -   -   -   -   -   -   -   -   x   x   x   x   x"),
    ("uffd_move",            "-   -   -   -   -   -   -   -   -   -   -   x   x   x   x"),
    ("uffd_move_sc1",        "-   -   -   -   -   -   -   -   -   -   -   -   x   x   x"),
    ("uffd_move_sc2",        "-   -   -   -   -   -   -   -   -   -   -   -   x   x   x"),
    ("free_after_map",       "-   -   -   -   -   -   -   -   -   -   -   -   -   -   x"),
];

fn profile(text: &str) -> Profile {
    Kernels::shipped().profile(text).unwrap().profile
}

#[test]
fn the_columns_of_the_table_are_the_default_matrix() {
    let names: Vec<String> = Kernels::shipped()
        .matrix()
        .into_iter()
        .map(|profile| profile.name)
        .collect();
    assert_eq!(names, COLUMNS);
}

#[test]
fn derived_profiles_agree_with_the_table() {
    let mut wrong = Vec::new();
    for (name, row) in TABLE {
        let feature = Feature::from_name(name).unwrap_or_else(|| panic!("no feature {name}"));
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(cells.len(), COLUMNS.len(), "{name}");
        for (column, cell) in COLUMNS.iter().zip(cells) {
            let on = match cell {
                "x" => true,
                "-" => false,
                other => panic!("{name}: `{other}` is neither x nor -"),
            };
            if profile(column).has(feature) != on {
                wrong.push(format!("{name} at {column}: the table says {cell}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_bit_in_the_swap_pte_came_to_four_architectures_first() {
    for (arch, first) in [
        ("x86-64", "v5.19"),
        ("arm64", "v5.19"),
        ("s390", "v5.19"),
        ("ppc64", "v5.19"),
        ("riscv", "v6.3"),
        ("arm", "v6.3"),
        ("mips", "v6.3"),
        ("loongarch", "v6.3"),
        ("sparc64", "v6.3"),
        ("x86-32", "v6.3"),
    ] {
        let has = |release: &str| profile(&format!("{release}/{arch}")).has(Feature::SwpExclusive);
        assert_eq!(has("v5.19"), first == "v5.19", "{arch}");
        assert_eq!(has("v6.2"), first == "v5.19", "{arch}");
        assert!(has("v6.3"), "{arch}");
    }
}

#[test]
fn every_mainline_release_has_exactly_one_rule_for_write_faults() {
    let rules = [
        Feature::WpMapcount,
        Feature::WpRefcount1,
        Feature::WpSwapfree,
    ];
    for profile in Kernels::shipped().mainline() {
        let has = rules.iter().filter(|rule| profile.has(**rule)).count();
        assert_eq!(has, 1, "{profile}");
    }
}

#[test]
fn every_mainline_release_from_4_19_to_7_2_is_a_profile() {
    let names: Vec<String> = Kernels::shipped()
        .mainline()
        .into_iter()
        .map(|profile| profile.name)
        .collect();
    assert_eq!(names.len(), 2 + 20 + 20 + 3);
    assert_eq!((names[0].as_str(), names[44].as_str()), ("v4.19", "v7.2"));
}

#[test]
fn a_feature_that_is_older_than_every_profile_is_in_all_of_them() {
    for feature in [
        Feature::SwapinLock,
        Feature::KsmDirty,
        Feature::StableAnon,
        Feature::BatchedFlush,
    ] {
        assert!(
            Kernels::shipped()
                .mainline()
                .iter()
                .all(|profile| profile.has(feature)),
            "{feature:?}"
        );
    }
}
