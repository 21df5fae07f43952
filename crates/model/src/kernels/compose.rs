//! Profile expressions: a published kernel, changed by features.

use std::sync::Arc;

use cowherd_mm::FeatureSet;

use super::composer::Composer;
use super::expression::Expression;
use super::suggest::suggest;
use super::{Arch, Composed, FeatureInfo, Kernels, Profile, ProfileError, Release, Role};

/// The fewest digits that name a commit.
const SHORTEST_COMMIT: usize = 7;

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
    pub(super) fn find_commit(
        &self,
        word: &str,
    ) -> Result<(&FeatureInfo, (usize, Role)), ProfileError> {
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

    /// The expression that makes these features of a kernel.
    ///
    /// # Errors
    ///
    /// If they make no kernel.
    pub fn expression(
        &self,
        base: &Profile,
        features: FeatureSet,
    ) -> Result<Composed, ProfileError> {
        let text = Composer::new(self, base.features).expression(&base.name, features);
        self.profile(&text)
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
