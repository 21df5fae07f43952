//! What the data says about a feature.

use std::fmt;
use std::str::FromStr;

use cowherd_mm::{Feature, FeatureSet};
use serde::Deserialize;

use super::release::NotARelease;
use super::{Arch, Clue, Release};

/// One upstream change, or one rule that was never absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureInfo {
    /// The name in data, expressions and reports.
    pub name: String,
    /// Whether the model has it.
    pub status: Status,
    /// The first mainline release that has it.
    pub first: Release,
    /// The last mainline release that has it, if it is gone.
    pub until: Option<Release>,
    /// The stable branches that have it although their mainline release has not.
    pub backports: Vec<Backport>,
    /// The stable branches that have it no longer although their mainline release has it.
    pub reverts: Vec<Backport>,
    /// If not empty: the architectures that have it since `first`.
    pub arches: Vec<String>,
    /// The first release that has it on the architectures not named in `arches`; none if they never do.
    pub elsewhere: Option<Release>,
    /// The features of a group exclude each other: they are answers to one question.
    pub group: Option<String>,
    /// What it cannot do without.
    pub needs: Vec<Need>,
    /// What it does nothing without.
    pub idle_without: Vec<Need>,
    /// The upstream commits, the main one first. Empty for a rule.
    pub commits: Vec<Commit>,
    /// What it does.
    pub effect: String,
    /// For a rule that was never absent: where it is and what its mutant does.
    pub rule: Option<Rule>,
    /// What is not certain.
    pub note: Option<String>,
    /// What shows in a source tree that the kernel has it: any of these. Empty: nothing is known to.
    pub look: Vec<Clue>,
}

/// Whether the model has a feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It can be asked for.
    Modelled(Feature),
    /// It is refused, with this reason.
    Unmodelled {
        /// Why the model has no such feature.
        why: String,
    },
}

/// An upstream commit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// The first twelve digits of its id, where known.
    pub id: Option<String>,
    /// Its subject.
    pub subject: String,
    /// Whether id and subject were found in the history, a mail or a `Fixes:` tag, and are not from memory.
    pub confirmed: bool,
    /// What it did to the feature.
    #[serde(default)]
    pub role: Role,
}

/// What a commit did to its feature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It brought the feature, or a part of it.
    #[default]
    Introduction,
    /// It took the feature away.
    Removal,
}

/// A rule that was never absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The kernel function that has it.
    pub function: String,
    /// What goes wrong without it.
    pub mutant: String,
}

/// A stable branch that has a feature, or the revert of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Backport {
    /// This point release and every later one of the branch have it.
    From(Release),
    /// Some point release of this branch has it, it is not known since which. No profile follows from that.
    Somewhere(Release),
}

/// A need: one of these features is enough.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Need(pub Vec<String>);

impl FeatureInfo {
    /// The feature, if the model has it.
    pub fn feature(&self) -> Option<Feature> {
        match self.status {
            Status::Modelled(feature) => Some(feature),
            Status::Unmodelled { .. } => None,
        }
    }

    /// Whether `release` has it on `arch`.
    pub fn is_in(&self, release: Release, arch: &Arch) -> bool {
        let first = if self.arches.is_empty() || self.arches.contains(&arch.name) {
            Some(self.first)
        } else {
            self.elsewhere
        };
        let mainline = release.mainline();
        let in_mainline = first.is_some_and(|first| first <= mainline)
            && self.until.is_none_or(|until| mainline <= until);
        let is_in = |backport: &Backport| backport.is_in(release);
        if in_mainline {
            !self.reverts.iter().any(is_in)
        } else {
            self.backports.iter().any(is_in)
        }
    }
}

impl Backport {
    /// Whether `release` has it for certain.
    fn is_in(self, release: Release) -> bool {
        match self {
            Backport::From(from) => from.mainline() == release.mainline() && from <= release,
            Backport::Somewhere(_) => false,
        }
    }
}

impl TryFrom<String> for Backport {
    type Error = NotARelease;

    fn try_from(text: String) -> Result<Backport, NotARelease> {
        if let Some(branch) = text.strip_suffix(".y") {
            return Release::from_str(branch).map(Backport::Somewhere);
        }
        match Release::from_str(&text)? {
            release if release.is_stable() => Ok(Backport::From(release)),
            _ => Err(NotARelease(text)),
        }
    }
}

impl fmt::Display for Backport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Backport::From(release) => release.fmt(f),
            Backport::Somewhere(branch) => write!(f, "{branch}.y"),
        }
    }
}

impl Need {
    /// Whether one of its features is among these.
    pub fn is_met(&self, features: FeatureSet) -> bool {
        let has = |name: &String| Feature::from_name(name).is_some_and(|f| features.contains(f));
        self.0.iter().any(has)
    }

    /// Whether this feature would meet it.
    pub(super) fn names(&self, feature: Feature) -> bool {
        self.0.iter().any(|name| name == feature.name())
    }
}

impl From<String> for Need {
    fn from(text: String) -> Need {
        Need(text.split('|').map(str::to_string).collect())
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" or "))
    }
}
