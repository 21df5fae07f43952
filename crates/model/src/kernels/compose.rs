//! Profile expressions: a published kernel, changed by features.

use std::fmt;
use std::sync::Arc;

use cowherd_mm::{Feature, FeatureSet};

use super::expression::{Change, Expression, Sign};
use super::suggest::suggest;
use super::{Arch, FeatureInfo, Kernels, Profile, ProfileError, Release, Role, Status};

/// The fewest digits that name a commit.
const SHORTEST_COMMIT: usize = 7;

/// A profile and what should be said about how it came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    /// The kernel.
    pub profile: Profile,
    /// What the expression says in vain, or does besides what it says.
    pub warnings: Vec<Warning>,
}

/// Something that an expression says in vain, or does besides what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The feature is added to a kernel that has it.
    AlreadyThere {
        /// The feature.
        feature: Feature,
    },
    /// The feature is taken from a kernel that does not have it.
    NotThere {
        /// The feature.
        feature: Feature,
    },
    /// Both are answers to one question, and the new one is taken.
    Replaces {
        /// The feature that was added.
        feature: Feature,
        /// The feature that went.
        old: Feature,
    },
    /// What went away with a feature that was replaced, because it needed it.
    GoesToo {
        /// What went.
        feature: Feature,
        /// What it needed.
        need: String,
    },
    /// A revert: with the feature gone, what it replaced is back.
    ComesBack {
        /// The feature that was removed.
        removed: Feature,
        /// What is back.
        feature: Feature,
    },
    /// The feature does nothing in this kernel.
    Idle {
        /// The feature.
        feature: Feature,
        /// What it does nothing without.
        need: String,
    },
    /// The commit is only a part of the feature, which is added or removed whole.
    OnlyPart {
        /// The commit as it was written.
        commit: String,
        /// The feature.
        feature: Feature,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::AlreadyThere { feature } => {
                write!(f, "{} is there already", feature.name())
            }
            Warning::NotThere { feature } => write!(f, "{} is not there anyway", feature.name()),
            Warning::Replaces { feature, old } => {
                write!(f, "{} takes the place of {}", feature.name(), old.name())
            }
            Warning::GoesToo { feature, need } => {
                write!(f, "{} goes too: it needs {need}", feature.name())
            }
            Warning::ComesBack { removed, feature } => {
                write!(f, "without {}, {} is back", removed.name(), feature.name())
            }
            Warning::Idle { feature, need } => {
                write!(
                    f,
                    "{} does nothing here: there is no {need}",
                    feature.name()
                )
            }
            Warning::OnlyPart { commit, feature } => {
                write!(
                    f,
                    "{commit} is only a part of {}, which is meant",
                    feature.name()
                )
            }
        }
    }
}

impl Kernels {
    /// The kernel that an expression describes.
    ///
    /// # Errors
    ///
    /// If it names what is not known or not modelled, or describes no kernel.
    pub fn profile(&self, text: &str) -> Result<Composed, ProfileError> {
        let arches: Vec<&str> = self.arches.iter().flat_map(|arch| arch.names()).collect();
        let expression = Expression::parse(text, &arches)?;
        let arch = match expression.arch {
            Some(name) => self.arch(name)?,
            None => Arc::clone(self.default_arch()),
        };
        let (name, published, base) = self.base(expression.base, &arch)?;
        let mut composer = Composer::new(self, base);
        for change in &expression.changes {
            composer.change(*change)?;
        }
        composer.finish(name, &published)
    }

    /// The architecture of this name or alias.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn arch(&self, name: &str) -> Result<Arc<Arch>, ProfileError> {
        let found = self.arches.iter().find(|arch| arch.is_called(name));
        found.cloned().ok_or_else(|| ProfileError::UnknownArch {
            name: name.to_string(),
            known: self.arches.iter().map(|arch| arch.name.clone()).collect(),
        })
    }

    /// The feature of this name, or with a commit that begins so; modelled or not.
    ///
    /// # Errors
    ///
    /// If there is none, or more than one.
    pub fn find_feature(&self, word: &str) -> Result<&FeatureInfo, ProfileError> {
        self.find_commit(word).map(|(info, _)| info)
    }

    /// The same, and what the commit did: its place in the list and its role. Place 0 for a name.
    fn find_commit(&self, word: &str) -> Result<(&FeatureInfo, (usize, Role)), ProfileError> {
        if let Some(info) = self.features.iter().find(|info| info.name == word) {
            return Ok((info, (0, Role::Introduction)));
        }
        let hex = word.len() >= SHORTEST_COMMIT && word.bytes().all(|b| b.is_ascii_hexdigit());
        let mut found = Vec::new();
        for info in self.features.iter().filter(|_| hex) {
            let same = |id: &String| id.starts_with(word) || word.starts_with(id.as_str());
            let commits = info.commits.iter().enumerate();
            let mut hits = commits.filter(|(_, commit)| commit.id.as_ref().is_some_and(same));
            if let Some((place, commit)) = hits.next() {
                found.push((info, (place, commit.role)));
            }
        }
        match found[..] {
            [only] => Ok(only),
            [] => Err(ProfileError::UnknownFeature {
                name: word.to_string(),
                suggestions: suggest(word, self.features.iter().map(|info| info.name.as_str())),
            }),
            _ => Err(ProfileError::AmbiguousCommit {
                prefix: word.to_string(),
                features: found.iter().map(|(info, _)| info.name.clone()).collect(),
            }),
        }
    }

    /// What an expression starts from: the name to show, the release as published, and the features to change.
    fn base(
        &self,
        text: &str,
        arch: &Arc<Arch>,
    ) -> Result<(Option<String>, Profile, FeatureSet), ProfileError> {
        if let Some(named) = self.named.iter().find(|named| named.name == text) {
            let is = Expression::parse(&named.is, &[])?;
            let published = self.release(is.base, arch)?;
            let mut composer = Composer::new(self, published.features);
            for change in &is.changes {
                composer.change(*change)?;
            }
            let features = composer.finish(None, &published)?.profile.features;
            return Ok((Some(named.name.clone()), published, features));
        }
        let published = self.release(text, arch)?;
        let features = published.features;
        Ok((None, published, features))
    }

    /// The profile of a release as published, if its data is known.
    fn release(&self, text: &str, arch: &Arc<Arch>) -> Result<Profile, ProfileError> {
        let Ok(release) = text.parse::<Release>() else {
            return Err(self.unknown_profile(text));
        };
        if release.is_stable() && !self.stable.iter().any(|stable| stable.release == release) {
            let stable = self.stable.iter().map(|stable| stable.release);
            let same_branch = |known: &Release| known.mainline() == release.mainline();
            return Err(ProfileError::UnknownStable {
                release,
                known: stable.filter(same_branch).collect(),
            });
        }
        if !self.releases().any(|known| known == release.mainline()) {
            return Err(ProfileError::OutOfRange {
                release,
                oldest: self.oldest,
                newest: self.newest,
            });
        }
        if release < arch.since {
            return Err(ProfileError::ArchTooNew {
                release,
                arch: arch.name.clone(),
                since: arch.since,
            });
        }
        Ok(self.derive(release, arch))
    }

    fn unknown_profile(&self, name: &str) -> ProfileError {
        let stable = self.stable.iter().map(|stable| stable.release);
        let mut known: Vec<String> = self
            .releases()
            .chain(stable)
            .map(|r| r.to_string())
            .collect();
        known.extend(self.named.iter().map(|named| named.name.clone()));
        ProfileError::UnknownProfile {
            name: name.to_string(),
            suggestions: suggest(name, known.iter().map(String::as_str)),
        }
    }
}

/// The features of a kernel while an expression changes them.
struct Composer<'a> {
    kernels: &'a Kernels,
    base: FeatureSet,
    features: FeatureSet,
    warnings: Vec<Warning>,
    /// What was taken away by name, to be reverted once all changes are known.
    removed: Vec<Feature>,
    /// Of these something went because something else took its place: what needed them goes, too.
    replaced: FeatureSet,
}

impl<'a> Composer<'a> {
    fn new(kernels: &'a Kernels, base: FeatureSet) -> Composer<'a> {
        Composer {
            kernels,
            base,
            features: base,
            warnings: Vec::new(),
            removed: Vec::new(),
            replaced: FeatureSet::EMPTY,
        }
    }

    fn change(&mut self, change: Change<'_>) -> Result<(), ProfileError> {
        let (info, (place, role)) = self.kernels.find_commit(change.word)?;
        let feature = match &info.status {
            Status::Modelled(feature) => *feature,
            Status::Unmodelled { why } => {
                return Err(ProfileError::Unmodelled {
                    name: info.name.clone(),
                    why: why.clone(),
                });
            }
        };
        if place > 0 && role == Role::Introduction {
            let commit = change.word.to_string();
            self.warnings.push(Warning::OnlyPart { commit, feature });
        }
        // To add the commit that removed a feature is to remove it.
        match (change.what, role) {
            (Sign::Add, Role::Introduction) | (Sign::Remove, Role::Removal) => self.add(feature),
            (Sign::Remove, Role::Introduction) | (Sign::Add, Role::Removal) => self.remove(feature),
        }
        Ok(())
    }

    fn add(&mut self, feature: Feature) {
        self.removed.retain(|removed| *removed != feature);
        if !self.features.insert(feature) {
            self.warnings.push(Warning::AlreadyThere { feature });
            return;
        }
        for old in self.rivals(feature) {
            if self.features.remove(old) {
                self.replaced.insert(old);
                self.warnings.push(Warning::Replaces { feature, old });
            }
        }
    }

    fn remove(&mut self, feature: Feature) {
        if self.features.remove(feature) {
            self.removed.push(feature);
        } else {
            self.warnings.push(Warning::NotThere { feature });
        }
    }

    fn finish(
        mut self,
        base_name: Option<String>,
        published: &Profile,
    ) -> Result<Composed, ProfileError> {
        self.revert()?;
        self.drop_orphans();
        self.check_needs(base_name.as_deref().unwrap_or(&published.name))?;
        self.warn_idle();
        let mut profile = published.clone();
        profile.features = self.features;
        profile.published = self.features == published.features;
        profile.name = match base_name {
            Some(name) => {
                let suffix = published
                    .name
                    .find('/')
                    .map_or("", |at| &published.name[at..]);
                self.expression(&format!("{name}{suffix}"))
            }
            None => self.expression(&published.name),
        };
        Ok(Composed {
            profile,
            warnings: self.warnings,
        })
    }

    /// The other answers to the question that `feature` answers, in the order of their first releases.
    fn rivals(&self, feature: Feature) -> Vec<Feature> {
        let Some(group) = &self.kernels.feature(feature).group else {
            return Vec::new();
        };
        let same = |other: &&FeatureInfo| other.group.as_ref() == Some(group);
        let mut members: Vec<&FeatureInfo> = self.kernels.features.iter().filter(same).collect();
        members.sort_by_key(|info| info.first);
        let members = members.into_iter().filter_map(FeatureInfo::feature);
        members.filter(|member| *member != feature).collect()
    }

    /// To take away one answer to a question is to go back to the one before it, and to what ended with that one.
    fn revert(&mut self) -> Result<(), ProfileError> {
        for removed in std::mem::take(&mut self.removed) {
            let info = self.kernels.feature(removed);
            let rivals = self.rivals(removed);
            let answered = rivals.iter().any(|rival| self.features.contains(*rival));
            let Some(group) = info.group.as_ref().filter(|_| !answered) else {
                continue;
            };
            let older = |rival: &Feature| self.kernels.feature(*rival).first < info.first;
            let Some(before) = rivals.iter().copied().rfind(older) else {
                if info.first == Release::ALWAYS {
                    return Err(ProfileError::NoRule {
                        group: group.clone(),
                        choices: rivals
                            .iter()
                            .map(|rival| rival.name().to_string())
                            .collect(),
                    });
                }
                continue;
            };
            let until = self.kernels.feature(before).until;
            for info in &self.kernels.features {
                let Some(feature) = info.feature() else {
                    continue;
                };
                let ended_with =
                    info.until == until && info.needs.iter().any(|need| need.names(before));
                if feature == before || ended_with {
                    self.features.insert(feature);
                    self.warnings.push(Warning::ComesBack { removed, feature });
                }
            }
        }
        Ok(())
    }

    /// What needed a feature that was replaced goes with it.
    fn drop_orphans(&mut self) {
        loop {
            let orphan = self.features.iter().find_map(|feature| {
                let needs = &self.kernels.feature(feature).needs;
                let lost =
                    |need: &&super::Need| !need.is_met(self.features) && need.is_met(self.replaced);
                needs
                    .iter()
                    .find(lost)
                    .map(|need| (feature, need.to_string()))
            });
            let Some((feature, need)) = orphan else {
                return;
            };
            self.features.remove(feature);
            self.replaced.insert(feature);
            self.warnings.push(Warning::GoesToo { feature, need });
        }
    }

    fn check_needs(&self, base_name: &str) -> Result<(), ProfileError> {
        let (mut added, mut kept) = (Vec::new(), Vec::new());
        let (mut to_add, mut to_remove) = (FeatureSet::EMPTY, FeatureSet::EMPTY);
        for feature in self.features.iter() {
            for need in &self.kernels.feature(feature).needs {
                if need.is_met(self.features) {
                    continue;
                }
                let entry = (feature.name().to_string(), need.to_string());
                if self.base.contains(feature) {
                    kept.push(entry);
                    to_remove.insert(feature);
                } else {
                    added.push(entry);
                    to_add = to_add.union(self.needed(feature));
                }
            }
        }
        if !added.is_empty() {
            return Err(ProfileError::Needs {
                missing: added,
                with: Composer {
                    features: self.features.union(to_add),
                    ..self.again()
                }
                .expression(base_name),
            });
        }
        if !kept.is_empty() {
            return Err(ProfileError::NeededBy {
                missing: kept,
                with: Composer {
                    features: self.without_dependents(to_remove),
                    ..self.again()
                }
                .expression(base_name),
            });
        }
        Ok(())
    }

    fn again(&self) -> Composer<'a> {
        Composer::new(self.kernels, self.base)
    }

    /// What `feature` needs and is not there, and what that needs in turn.
    fn needed(&self, feature: Feature) -> FeatureSet {
        let mut needed = FeatureSet::EMPTY;
        let mut todo = vec![feature];
        while let Some(feature) = todo.pop() {
            for need in &self.kernels.feature(feature).needs {
                if need.is_met(self.features.union(needed)) {
                    continue;
                }
                let first = need.0.first().and_then(|name| Feature::from_name(name));
                if let Some(first) = first.filter(|first| needed.insert(*first)) {
                    todo.push(first);
                }
            }
        }
        needed
    }

    /// The features without these and without what needs them.
    fn without_dependents(&self, gone: FeatureSet) -> FeatureSet {
        let mut features = self.features.difference(gone);
        loop {
            let unmet = features.iter().find(|feature| {
                let needs = &self.kernels.feature(*feature).needs;
                needs.iter().any(|need| !need.is_met(features))
            });
            match unmet {
                Some(feature) => features.remove(feature),
                None => return features,
            };
        }
    }

    /// Says which features do nothing in this kernel and did not so in the base.
    fn warn_idle(&mut self) {
        for feature in self.features.iter() {
            for need in &self.kernels.feature(feature).idle_without {
                let was_idle = self.base.contains(feature) && !need.is_met(self.base);
                if !need.is_met(self.features) && !was_idle {
                    let need = need.to_string();
                    self.warnings.push(Warning::Idle { feature, need });
                }
            }
        }
    }

    /// The shortest expression that gives these features again.
    fn expression(&self, base_name: &str) -> String {
        let mut text = base_name.to_string();
        let added = self.features.difference(self.base);
        for feature in added.iter() {
            text += &format!("+{}", feature.name());
        }
        for feature in self.base.difference(self.features).iter() {
            // What an added feature takes the place of goes without saying.
            if !self
                .rivals(feature)
                .iter()
                .any(|rival| added.contains(*rival))
            {
                text += &format!("-{}", feature.name());
            }
        }
        text
    }
}
