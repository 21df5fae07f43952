//! The data files and what must be true of them.

use std::fmt;
use std::sync::Arc;

use cowherd_mm::Feature;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Arch, Backport, Clue, Commit, FeatureInfo, Kernels, Need, Release, Rule, Status};

/// A data file: its name, for errors, and its text.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The file, seen from `kernels/`.
    pub file: &'static str,
    /// What it says.
    pub text: &'static str,
}

/// The files of `kernels/` as they were when this was built.
pub(super) const SHIPPED: &[Source] = &[
    shipped(
        "features/cow.toml",
        include_str!("../../../../kernels/features/cow.toml"),
    ),
    shipped(
        "features/fork-gup.toml",
        include_str!("../../../../kernels/features/fork-gup.toml"),
    ),
    shipped(
        "features/moving.toml",
        include_str!("../../../../kernels/features/moving.toml"),
    ),
    shipped(
        "features/swap.toml",
        include_str!("../../../../kernels/features/swap.toml"),
    ),
    shipped("rules.toml", include_str!("../../../../kernels/rules.toml")),
    shipped(
        "architectures.toml",
        include_str!("../../../../kernels/architectures.toml"),
    ),
    shipped(
        "profiles.toml",
        include_str!("../../../../kernels/profiles.toml"),
    ),
];

const fn shipped(file: &'static str, text: &'static str) -> Source {
    Source { file, text }
}

/// A stable release that has a profile.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stable {
    /// The point release.
    pub release: Release,
    /// Who runs it.
    pub why: String,
}

/// A kernel with a name of its own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The expression it stands for.
    pub is: String,
    /// Why it has a name.
    pub why: String,
}

/// What is wrong with the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataError {
    /// The file.
    pub file: String,
    /// What is wrong in it.
    pub what: String,
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.what)
    }
}

impl std::error::Error for DataError {}

/// The tables that any of the files may hold. Which file holds what is for people.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    feature: Vec<RawFeature>,
    rule: Vec<RawRule>,
    arch: Vec<Arch>,
    stable: Vec<Stable>,
    named: Vec<Named>,
    matrix: Vec<String>,
    oldest: Option<Release>,
    newest: Option<Release>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFeature {
    name: String,
    status: RawStatus,
    why: Option<String>,
    first: Release,
    until: Option<Release>,
    #[serde(default)]
    backports: Vec<Backport>,
    #[serde(default)]
    reverts: Vec<Backport>,
    #[serde(default)]
    arches: Vec<String>,
    elsewhere: Option<Release>,
    group: Option<String>,
    #[serde(default)]
    needs: Vec<Need>,
    #[serde(default)]
    idle_without: Vec<Need>,
    commits: Vec<Commit>,
    effect: String,
    note: Option<String>,
    #[serde(default)]
    look: Vec<Clue>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawStatus {
    Modelled,
    Unmodelled,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    name: String,
    function: String,
    effect: String,
    mutant: String,
    #[serde(default)]
    needs: Vec<Need>,
    #[serde(default)]
    idle_without: Vec<Need>,
    note: Option<String>,
    #[serde(default)]
    look: Vec<Clue>,
}

impl Kernels {
    /// The kernels that these files describe, and that nothing is wrong with them.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, a feature that the model and the data do not both have, a name that means nothing
    /// or two things, a profile that is no kernel.
    pub fn parse(sources: &[Source]) -> Result<Kernels, DataError> {
        let kernels = Kernels::read(sources)?;
        kernels.check_names()?;
        kernels.check_enum()?;
        kernels.check_profiles()?;
        Ok(kernels)
    }

    /// The kernels that these files describe, if they can be read. To check all profiles takes ten times as long.
    pub(super) fn read(sources: &[Source]) -> Result<Kernels, DataError> {
        let mut kernels = Kernels {
            features: Vec::new(),
            arches: Vec::new(),
            oldest: Release::ALWAYS,
            newest: Release::ALWAYS,
            stable: Vec::new(),
            named: Vec::new(),
            matrix: Vec::new(),
        };
        for source in sources {
            let file: File = read(source)?;
            let at = |what: String| error(source.file, what);
            for raw in file.feature {
                kernels.features.push(raw.checked().map_err(at)?);
            }
            for raw in file.rule {
                kernels.features.push(raw.checked().map_err(at)?);
            }
            kernels.arches.extend(file.arch.into_iter().map(Arc::new));
            kernels.stable.extend(file.stable);
            kernels.named.extend(file.named);
            kernels.matrix.extend(file.matrix);
            kernels.oldest = file.oldest.unwrap_or(kernels.oldest);
            kernels.newest = file.newest.unwrap_or(kernels.newest);
        }
        Ok(kernels)
    }

    /// No name means two things, and every name that is used means something.
    fn check_names(&self) -> Result<(), DataError> {
        let at = |what| error("features", what);
        for (i, info) in self.features.iter().enumerate() {
            if self.features[..i]
                .iter()
                .any(|other| other.name == info.name)
            {
                return Err(at(format!("`{}` is there twice", info.name)));
            }
            let needs = info.needs.iter().chain(&info.idle_without);
            for name in needs.flat_map(|need| &need.0) {
                if Feature::from_name(name).is_none() {
                    let why = "which is no feature of the model";
                    return Err(at(format!("`{}` needs `{name}`, {why}", info.name)));
                }
            }
            for name in &info.arches {
                if !self.arches.iter().any(|arch| arch.name == *name) {
                    return Err(at(format!("`{}`: no architecture `{name}`", info.name)));
                }
            }
        }
        if self.arches.is_empty() {
            return Err(error("architectures", "there are none".to_string()));
        }
        Ok(())
    }

    /// The data and the model have the same features.
    fn check_enum(&self) -> Result<(), DataError> {
        let at = |what| error("features", what);
        for info in &self.features {
            let in_model = Feature::from_name(&info.name);
            match (info.feature(), in_model) {
                (None, Some(_)) => {
                    return Err(at(format!("the model has `{}`: say so", info.name)));
                }
                (Some(_), Some(_)) | (None, None) => {}
                (Some(_), None) => unreachable!("`checked` found it"),
            }
        }
        for feature in Feature::ALL {
            let name = feature.name();
            if !self.features.iter().any(|info| info.name == name) {
                return Err(at(format!(
                    "`{name}` of the model is neither feature nor rule"
                )));
            }
        }
        Ok(())
    }

    /// Every published release has what its features need, and the matrix and the named kernels exist.
    fn check_profiles(&self) -> Result<(), DataError> {
        let at = |what| error("profiles", what);
        if self.oldest == Release::ALWAYS || self.newest < self.oldest {
            return Err(at(
                "`oldest` and `newest` are missing or the wrong way round".to_string(),
            ));
        }
        let stable = self.stable.iter().map(|stable| stable.release);
        for release in self.releases().chain(stable) {
            for arch in &self.arches {
                let profile = self.derive(release, arch);
                if let Some(wrong) = self.flaw(&profile) {
                    return Err(at(format!("{}: {wrong}", profile.name)));
                }
            }
        }
        let named = self.named.iter().map(|named| &named.name);
        for text in self.matrix.iter().chain(named) {
            self.profile(text)
                .map_err(|error| at(format!("{text}: {error}")))?;
        }
        Ok(())
    }

    /// What keeps a published profile from being a kernel.
    fn flaw(&self, profile: &super::Profile) -> Option<String> {
        for feature in profile.features.iter() {
            let info = self.feature(feature);
            for need in &info.needs {
                if !need.is_met(profile.features) {
                    return Some(format!("{} needs {need}", info.name));
                }
            }
            let rival = profile.features.iter().find(|&other| {
                other != feature && info.group.is_some() && self.feature(other).group == info.group
            });
            if let Some(rival) = rival {
                return Some(format!(
                    "{} and {} exclude each other",
                    info.name,
                    rival.name()
                ));
            }
        }
        let bit = profile.arch.swp_exclusive <= profile.release;
        if bit != profile.has(Feature::SwpExclusive) {
            return Some("the architecture and swp_exclusive disagree about the bit".to_string());
        }
        None
    }
}

impl RawFeature {
    fn checked(self) -> Result<FeatureInfo, String> {
        let name = self.name;
        let status = match (self.status, self.why) {
            (RawStatus::Modelled, None) => Status::Modelled(known(&name)?),
            (RawStatus::Unmodelled, Some(why)) => Status::Unmodelled { why },
            (RawStatus::Modelled, Some(_)) => {
                return Err(format!("`{name}` is modelled: no reason is wanted"));
            }
            (RawStatus::Unmodelled, None) => return Err(format!("`{name}`: say why not")),
        };
        if self.until.is_some_and(|until| until < self.first) {
            return Err(format!("`{name}` ended before it began"));
        }
        if self.commits.is_empty() {
            return Err(format!("`{name}` has no commit"));
        }
        Ok(FeatureInfo {
            name,
            status,
            first: self.first,
            until: self.until,
            backports: self.backports,
            reverts: self.reverts,
            arches: self.arches,
            elsewhere: self.elsewhere,
            group: self.group,
            needs: self.needs,
            idle_without: self.idle_without,
            commits: self.commits,
            effect: self.effect,
            rule: None,
            note: self.note,
            look: self.look,
        })
    }
}

impl RawRule {
    fn checked(self) -> Result<FeatureInfo, String> {
        Ok(FeatureInfo {
            status: Status::Modelled(known(&self.name)?),
            name: self.name,
            first: Release::ALWAYS,
            until: None,
            backports: Vec::new(),
            reverts: Vec::new(),
            arches: Vec::new(),
            elsewhere: None,
            group: None,
            needs: self.needs,
            idle_without: self.idle_without,
            commits: Vec::new(),
            effect: self.effect,
            rule: Some(Rule {
                function: self.function,
                mutant: self.mutant,
            }),
            note: self.note,
            look: self.look,
        })
    }
}

fn known(name: &str) -> Result<Feature, String> {
    Feature::from_name(name).ok_or_else(|| format!("the model has no feature `{name}`"))
}

fn read<T: DeserializeOwned>(source: &Source) -> Result<T, DataError> {
    toml::from_str(source.text).map_err(|wrong| error(source.file, wrong.to_string()))
}

fn error(file: &str, what: String) -> DataError {
    DataError {
        file: file.to_string(),
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with the shipped data when `text` takes the place of `old` in one of its files.
    fn wrong(file: &str, old: &str, new: &str) -> String {
        let shipped = SHIPPED.iter().find(|source| source.file == file);
        let text = shipped.unwrap().text;
        assert!(text.contains(old), "{file} has no `{old}`");
        let text: &'static str = Box::leak(text.replacen(old, new, 1).into_boxed_str());
        let sources: Vec<Source> = SHIPPED
            .iter()
            .map(|source| match source.file == file {
                true => Source { text, ..*source },
                false => *source,
            })
            .collect();
        Kernels::parse(&sources).unwrap_err().to_string()
    }

    #[test]
    fn the_shipped_data_is_right() {
        if let Err(error) = Kernels::parse(SHIPPED) {
            panic!("{error}");
        }
    }

    #[test]
    fn the_model_and_the_data_have_the_same_features() {
        let modelled: Vec<Feature> = Kernels::shipped()
            .features()
            .iter()
            .filter_map(FeatureInfo::feature)
            .collect();
        assert_eq!(modelled.len(), Feature::ALL.len());
        for feature in Feature::ALL {
            assert_eq!(Kernels::shipped().feature(*feature).name, feature.name());
        }
    }

    #[test]
    fn a_feature_that_only_one_of_them_has_is_an_error() {
        let name = "name = \"free_after_map\"";
        assert_eq!(
            wrong("features/swap.toml", name, "name = \"free_after_maps\""),
            "features/swap.toml: the model has no feature `free_after_maps`"
        );
        let status = format!("{name}\nstatus = \"modelled\"");
        let other = format!("{name}\nstatus = \"unmodelled\"\nwhy = \"a test\"");
        assert_eq!(
            wrong("features/swap.toml", &status, &other),
            "features: the model has `free_after_map`: say so"
        );
    }

    #[test]
    fn every_feature_and_rule_says_what_shows_it_in_a_source_tree() {
        for info in Kernels::shipped().features() {
            if info.feature().is_some() {
                assert!(!info.look.is_empty(), "{}", info.name);
            }
            for clue in &info.look {
                assert!(
                    !clue.has.is_empty() || clue.lacks.is_some(),
                    "{}",
                    info.name
                );
            }
        }
    }

    #[test]
    fn an_unmodelled_feature_says_why() {
        assert_eq!(
            wrong("features/cow.toml", "why = \"hugetlb\"\n", ""),
            "features/cow.toml: `hugetlb_seq`: say why not"
        );
    }

    #[test]
    fn a_need_that_a_release_does_not_meet_is_an_error() {
        assert_eq!(
            wrong(
                "features/cow.toml",
                "first = \"v6.2\"\nneeds = [\"unshare\"]",
                "first = \"v5.18\"\nneeds = [\"unshare\"]"
            ),
            "profiles: v5.18: longterm_cow needs unshare"
        );
    }

    #[test]
    fn two_answers_to_one_question_in_one_release_are_an_error() {
        assert_eq!(
            wrong(
                "features/cow.toml",
                "until = \"v5.17\"",
                "until = \"v5.18\""
            ),
            "profiles: v5.18: wp_refcount1 and wp_swapfree exclude each other"
        );
    }

    #[test]
    fn the_architectures_and_swp_exclusive_agree() {
        assert!(
            wrong(
                "architectures.toml",
                "name = \"riscv\"\naliases = [\"riscv64\"]\nsource = \"riscv\"\nswp_exclusive = \"v6.3\"",
                "name = \"riscv\"\naliases = [\"riscv64\"]\nsource = \"riscv\"\nswp_exclusive = \"v6.4\""
            )
            .contains("disagree about the bit")
        );
    }

    #[test]
    fn a_matrix_with_an_unknown_profile_is_an_error() {
        assert_eq!(
            wrong("profiles.toml", "\"v6.18\"", "\"v6.99\""),
            "profiles: v6.99: v6.99 is not known: v4.19 to v7.2 are"
        );
    }

    #[test]
    fn commit_ids_are_twelve_digits_and_name_one_feature() {
        for info in Kernels::shipped().features() {
            for id in info.commits.iter().filter_map(|commit| commit.id.as_ref()) {
                assert_eq!(id.len(), 12, "{id}");
                assert!(
                    id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
                    "{id}"
                );
                let found = Kernels::shipped().find_feature(&id[..7]).unwrap();
                assert_eq!(found.name, info.name, "{id}");
            }
        }
    }
}
