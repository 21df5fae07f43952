//! The clues of kernels/ against whole source trees: what is found must be what the profiles say, feature by feature.
//!
//! The trees are not in the repository. They are looked for in `COWHERD_SOURCES`, else where `scripts/fetch-kernels --source` puts them:
//! a folder for each series, `5.10`, `6.1`, `6.12`, `7.2`. A tree that is not there is named, and not tested, unless `COWHERD_NEEDED` lists it.

mod common;

use cowherd_model::kernels::Kernels;
use cowherd_probe::detect::look::Found;
use cowherd_probe::detect::source::detect;
use cowherd_probe::detect::tree::{File, Tree};

/// The series, and the profile that stands for its stable releases.
const SERIES: [(&str, &str); 4] = [
    ("5.10", "v5.10.262"),
    ("6.1", "v6.1.176"),
    ("6.12", "v6.12.107"),
    ("7.2", "v7.2"),
];

/// The trees that are there, with their profiles; those that are missing are named.
fn trees() -> Vec<(Tree, &'static str)> {
    let mut trees = Vec::new();
    for (series, profile) in SERIES {
        if let Some(folder) = common::fetched("kernel-sources", "COWHERD_SOURCES", series) {
            trees.push((Tree::open(&folder).unwrap(), profile));
        }
    }
    trees
}

#[test]
fn every_feature_of_a_tree_is_as_its_profile_has_it_on_every_architecture() {
    let kernels = Kernels::shipped();
    for (tree, name) in trees() {
        for arch in kernels.arches().iter().filter(|arch| tree.runs_on(arch)) {
            let expression = format!("{name}/{}", arch.name);
            let profile = kernels.profile(&expression).unwrap().profile;
            let detected = detect(kernels, &tree, arch);
            for looked in &detected.looked {
                let has = profile.has(looked.feature);
                let agrees = match looked.found {
                    Found::Present(_) => has,
                    Found::Absent(_) => !has,
                    Found::CannotTell(_) => false,
                };
                let (feature, found) = (looked.feature.name(), &looked.found);
                assert!(
                    agrees,
                    "{profile}: {feature} is {found:?}, the profile says {has}"
                );
            }
            assert_eq!(detected.expression.unwrap().profile.name, profile.name);
        }
    }
}

#[test]
fn the_line_that_decided_stands_in_the_file() {
    let kernels = Kernels::shipped();
    for (tree, _) in trees() {
        let detected = detect(kernels, &tree, kernels.default_arch());
        for looked in &detected.looked {
            let Found::Present(place) = &looked.found else {
                continue;
            };
            let Some(line) = place.line else { continue };
            let File::Source(source) = tree.file(&place.file) else {
                panic!("{} is not there", place.file);
            };
            // Where a clue is that something lacks, the head of the function is shown.
            if !place.text.contains(" has no ") {
                assert_eq!(source.line(line), place.text);
            }
        }
    }
}
