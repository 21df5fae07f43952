//! What profile expressions mean, and how they are refused.

use cowherd_mm::Feature;
use cowherd_model::kernels::{Composed, Kernels, Profile, ProfileError};
use proptest::collection::vec;
use proptest::prelude::*;

fn compose(text: &str) -> Composed {
    Kernels::shipped()
        .profile(text)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn profile(text: &str) -> Profile {
    compose(text).profile
}

fn error(text: &str) -> String {
    match Kernels::shipped().profile(text) {
        Ok(composed) => panic!("{text} is {:?}", composed.profile.features),
        Err(error) => error.to_string(),
    }
}

fn warnings(text: &str) -> Vec<String> {
    compose(text)
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_release_has_several_spellings_and_one_name() {
    for text in [
        "v6.1",
        "6.1",
        "v6.1.0",
        "6.1.0",
        " v6.1 ",
        "v6.1/x86-64",
        "v6.1/amd64",
    ] {
        assert_eq!(profile(text).name, "v6.1", "{text}");
    }
    assert_eq!(profile("6.1.176").name, "v6.1.176");
    assert_eq!(profile("v5.19/riscv64").name, "v5.19/riscv");
}

#[test]
fn a_feature_is_added_by_name_or_by_commit() {
    let by_name = profile("v5.10+fork_wpseq");
    assert!(by_name.has(Feature::ForkWpseq));
    assert_eq!(by_name.name, "v5.10+fork_wpseq");
    assert!(!by_name.published);
    for commit in [
        "57efa1f",
        "57efa1fe5957",
        "57efa1fe5957694fa541c9062de0a127f0b9acb0",
    ] {
        assert_eq!(profile(&format!("v5.10+{commit}")), by_name, "{commit}");
    }
}

#[test]
fn a_feature_is_taken_away() {
    let without = profile("v6.1-swp_exclusive");
    assert!(!without.has(Feature::SwpExclusive));
    assert_eq!(without.name, "v6.1-swp_exclusive");
    assert_eq!(profile("v6.1-1493a1913e34"), without);
}

#[test]
fn the_commit_that_took_a_feature_away_is_its_opposite() {
    assert!(!profile("v5.8+a308c71bf1e6").has(Feature::GupForceCow));
    assert_eq!(profile("v5.8+a308c71bf1e6").name, "v5.8-gup_force_cow");
}

#[test]
fn changes_may_come_in_any_order_and_cancel_out() {
    let a = profile("v5.18+unshare+anon_exclusive");
    assert_eq!(a, profile("v5.18+anon_exclusive+unshare"));
    assert_eq!(profile("v6.1-unshare+unshare").name, "v6.1");
    assert!(profile("v6.1-unshare+unshare").published);
}

#[test]
fn part2_is_5_18_with_the_second_series() {
    let part2 = profile("part2");
    assert_eq!(part2.name, "part2");
    assert!(part2.same_kernel(&profile("v5.18+anon_exclusive+unshare")));
    assert_eq!(profile("part2+swp_exclusive").name, "part2+swp_exclusive");
    assert_eq!(profile("part2/arm64").name, "part2/arm64");
    assert!(profile("part2+swp_exclusive").has(Feature::SwpExclusive));
}

#[test]
fn an_architecture_and_features_compose() {
    let riscv = profile("v5.19/riscv+swp_exclusive");
    assert_eq!(riscv.name, "v5.19/riscv+swp_exclusive");
    assert_eq!(riscv.features, profile("v5.19").features);
    assert_eq!(
        profile("v5.19/x86-64-swp_exclusive").name,
        "v5.19-swp_exclusive"
    );
}

#[test]
fn capabilities_of_the_architecture_depend_on_the_release() {
    assert!(profile("v5.10").has_soft_dirty() && !profile("v5.10/arm64").has_soft_dirty());
    assert!(!profile("v4.19").has_uffd_wp() && profile("v5.8").has_uffd_wp());
    assert!(!profile("v6.1/arm64").has_uffd_wp() && profile("v6.12/arm64").has_uffd_wp());
    assert!(!profile("v6.1/riscv").has_gup_fast() && profile("v6.12/riscv").has_gup_fast());
    assert!(profile("v6.1").defers_unmap_flush() && !profile("v6.1/arm64").defers_unmap_flush());
}

#[test]
fn what_is_said_in_vain_is_a_warning() {
    assert_eq!(warnings("v6.1+unshare"), ["unshare is there already"]);
    assert_eq!(warnings("v5.10-unshare"), ["unshare is not there anyway"]);
    assert_eq!(warnings("v6.1"), [""; 0]);
    assert_eq!(
        warnings("v5.18+swp_exclusive"),
        ["swp_exclusive does nothing here: there is no anon_exclusive"]
    );
    assert_eq!(
        warnings("v5.18+78fbe906cc90"),
        ["78fbe906cc90 is only a part of anon_exclusive, which is meant"]
    );
}

#[test]
fn a_rule_for_write_faults_takes_the_place_of_the_other() {
    let composed = compose("v5.10+wp_swapfree");
    assert!(!composed.profile.has(Feature::WpRefcount1));
    assert_eq!(composed.profile.name, "v5.10+wp_swapfree");
    assert_eq!(
        warnings("v5.10+wp_swapfree"),
        ["wp_swapfree takes the place of wp_refcount1"]
    );
    assert_eq!(
        warnings("v5.8+wp_refcount1"),
        [
            "wp_refcount1 takes the place of wp_mapcount",
            "reuse_ksm goes too: it needs wp_mapcount"
        ]
    );
}

#[test]
fn to_take_a_rule_away_is_to_go_back_to_the_one_before() {
    let reverted = compose("v5.18-wp_swapfree");
    assert!(reverted.profile.has(Feature::WpRefcount1));
    assert_eq!(
        warnings("v5.18-wp_swapfree"),
        ["without wp_swapfree, wp_refcount1 is back"]
    );
    assert!(profile("v5.9-wp_refcount1").has(Feature::ReuseKsm));
    assert!(error("v5.8-wp_mapcount-reuse_ksm").starts_with("no wp_rule is left"));
    let bypass = profile("v7.2-no_bypass-sync_always_free");
    assert!(bypass.has(Feature::SkipCache) && bypass.has(Feature::SkipCacheClaim));
}

#[test]
fn what_a_feature_needs_is_named_and_the_expression_that_has_it_is_given() {
    assert_eq!(
        error("v5.18+unshare"),
        "unshare needs anon_exclusive, which is not there: try `v5.18+anon_exclusive+unshare`"
    );
    assert_eq!(
        error("v6.18+sync_always_free"),
        "sync_always_free needs no_bypass, which is not there: try `v6.18+no_bypass+sync_always_free`"
    );
    assert_eq!(
        error("v5.19-anon_exclusive"),
        "unshare needs anon_exclusive, which would be gone: try `v5.19-anon_exclusive-unshare`"
    );
}

#[test]
fn the_expression_that_an_error_proposes_is_one() {
    for text in [
        "v5.18+unshare",
        "v5.18+longterm_cow",
        "v6.18+sync_always_free",
        "part2+mprotect_excl_clean",
        "v5.18/riscv+longterm_cow+ksm_unshare",
        "v7.2-anon_exclusive",
        "v7.2-no_bypass",
        "v5.19/riscv-anon_exclusive",
    ] {
        match Kernels::shipped().profile(text) {
            Err(ProfileError::Needs { with, .. } | ProfileError::NeededBy { with, .. }) => {
                compose(&with);
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn what_is_not_modelled_is_refused_with_the_reason() {
    assert_eq!(
        error("v5.18+thp_refcount"),
        "`thp_refcount` is not modelled: large folios"
    );
    assert_eq!(
        error("v5.18+3bff7e3f1f16"),
        "`thp_refcount` is not modelled: large folios"
    );
    assert!(error("v6.1/riscv+swp_exclusive_all").contains("ask for that"));
}

#[test]
fn what_is_unknown_is_refused_with_what_may_be_meant() {
    assert_eq!(
        error("v5.1x"),
        "unknown profile `v5.1x`; did you mean one of `v5.1`, `v5.10`, `v5.11`?"
    );
    assert_eq!(
        error("part3"),
        "unknown profile `part3`; did you mean `part2`?"
    );
    assert_eq!(
        error("v5.18+unshaer"),
        "unknown feature `unshaer`; did you mean `unshare`?"
    );
    assert_eq!(error("v5.18+1493a1"), "unknown feature `1493a1`");
    assert_eq!(error("v5.18+deadbeef"), "unknown feature `deadbeef`");
    assert!(
        error("v5.18/mipz").starts_with("unknown architecture `mipz`: there are x86-64, arm64")
    );
    assert_eq!(error("v4.18"), "v4.18 is not known: v4.19 to v7.2 are");
    assert_eq!(error("v5.20"), "v5.20 is not known: v4.19 to v7.2 are");
    assert_eq!(
        error("v5.10/loongarch"),
        "v5.10 had no loongarch: it came with v5.19"
    );
    assert_eq!(
        error("v6.1.50"),
        "what was backported to v6.1.50 is not known, as it is of v6.1.176; `v6.1` is the mainline release, and \
         +FEATURE adds to it"
    );
}

#[test]
fn every_profile_with_one_change_has_a_name_that_gives_it_again() {
    let kernels = Kernels::shipped();
    for base in kernels.matrix() {
        for feature in Feature::ALL {
            for sign in ['+', '-'] {
                let text = format!("{}{sign}{}", base.name, feature.name());
                if let Ok(composed) = kernels.profile(&text) {
                    let name = &composed.profile.name;
                    assert_eq!(profile(name), composed.profile, "{text} is called {name}");
                }
            }
        }
    }
}

/// What must hold of every expression that is accepted.
fn check_accepted(text: &str, composed: &Composed) {
    let kernels = Kernels::shipped();
    let Composed { profile, .. } = composed;
    let rules = [
        Feature::WpMapcount,
        Feature::WpRefcount1,
        Feature::WpSwapfree,
    ];
    let has = rules.iter().filter(|rule| profile.has(**rule));
    assert_eq!(has.count(), 1, "{text}");
    assert!(
        !(profile.has(Feature::SkipCache) && profile.has(Feature::NoBypass)),
        "{text}"
    );
    for feature in profile.features.iter() {
        for need in &kernels.feature(feature).needs {
            assert!(need.is_met(profile.features), "{text}: {feature:?}");
        }
    }
    assert_eq!(compose(&profile.name).profile, *profile, "{text}");
}

proptest! {
    #[test]
    fn any_changes_of_any_kernel_are_refused_or_make_a_kernel(
        base in 0..Kernels::shipped().matrix().len(),
        changes in vec((any::<bool>(), 0..Feature::ALL.len()), 0..8),
    ) {
        let mut text = Kernels::shipped().matrix()[base].name.clone();
        for (add, feature) in changes {
            text.push(if add { '+' } else { '-' });
            text += Feature::ALL[feature].name();
        }
        match Kernels::shipped().profile(&text) {
            Ok(composed) => check_accepted(&text, &composed),
            Err(ProfileError::Needs { with, .. } | ProfileError::NeededBy { with, .. }) => {
                check_accepted(&with, &compose(&with));
            }
            Err(ProfileError::NoRule { .. }) => {}
            Err(other) => panic!("{text}: {other}"),
        }
    }

    #[test]
    fn any_text_is_refused_or_makes_a_kernel(text in "(v?[0-9]{1,2}[.][0-9]{1,2}|part2|.{0,4})[/+.-]?.{0,12}") {
        if let Ok(composed) = Kernels::shipped().profile(&text) {
            check_accepted(&text, &composed);
        }
    }
}

#[test]
fn a_kernel_with_a_name_of_its_own_can_be_added() {
    let kernels = Kernels::shipped();
    let added = kernels.profile("v5.18+part2").unwrap();
    let named = kernels.profile("part2").unwrap();
    assert_eq!(added.profile.features, named.profile.features);
    assert!(kernels.profile("v5.18-part2").is_err());
}
