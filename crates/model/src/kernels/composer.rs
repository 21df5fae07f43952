//! The features of a kernel while an expression changes them: groups, reverts, needs.

use cowherd_mm::{Feature, FeatureSet};

use super::expression::{Change, Expression, Sign};
use super::{
    Composed, FeatureInfo, Kernels, Need, Profile, ProfileError, Release, Role, Status, Warning,
};

/// The features of a kernel while an expression changes them.
pub(super) struct Composer<'a> {
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
    /// Nothing is changed yet.
    pub fn new(kernels: &'a Kernels, base: FeatureSet) -> Composer<'a> {
        Composer {
            kernels,
            base,
            features: base,
            warnings: Vec::new(),
            removed: Vec::new(),
            replaced: FeatureSet::EMPTY,
        }
    }

    /// Adds or removes one feature.
    ///
    /// To add a kernel with a name of its own (`v5.18+part2`) is to add what it was made of.
    pub fn change(&mut self, change: Change<'_>) -> Result<(), ProfileError> {
        let mut named = self.kernels.named.iter();
        if change.what == Sign::Add
            && let Some(named) = named.find(|named| named.name == change.word)
        {
            for change in Expression::parse(&named.is, &[])?.changes {
                self.change(change)?;
            }
            return Ok(());
        }
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

    /// The kernel that the changes make of `published`, or of the kernel called `base_name`.
    pub fn finish(
        mut self,
        base_name: Option<String>,
        published: &Profile,
    ) -> Result<Composed, ProfileError> {
        let name = match base_name {
            Some(name) => {
                let arch = published.name.find('/');
                name + arch.map_or("", |at| &published.name[at..])
            }
            None => published.name.clone(),
        };
        self.revert()?;
        self.drop_orphans();
        self.check_needs(&name)?;
        self.warn_idle();
        let mut profile = published.clone();
        profile.features = self.features;
        profile.published = self.features == published.features;
        profile.name = self.expression(&name, self.features);
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
                let lost = |need: &&Need| !need.is_met(self.features) && need.is_met(self.replaced);
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
        let mut to_add = FeatureSet::EMPTY;
        for feature in self.features.iter() {
            for need in &self.kernels.feature(feature).needs {
                if need.is_met(self.features) {
                    continue;
                }
                let entry = (feature.name().to_string(), need.to_string());
                if self.base.contains(feature) {
                    kept.push(entry);
                } else {
                    added.push(entry);
                    to_add = to_add.union(self.needed(feature));
                }
            }
        }
        let fixed = self.closed(self.features.union(to_add));
        let with = self.expression(base_name, fixed);
        if !added.is_empty() {
            return Err(ProfileError::Needs {
                missing: added,
                with,
            });
        }
        if !kept.is_empty() {
            return Err(ProfileError::NeededBy {
                missing: kept,
                with,
            });
        }
        Ok(())
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

    /// These features without those that need what is not among them.
    fn closed(&self, mut features: FeatureSet) -> FeatureSet {
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
    fn expression(&self, base_name: &str, features: FeatureSet) -> String {
        let mut text = base_name.to_string();
        let added = features.difference(self.base);
        for feature in added.iter() {
            text += &format!("+{}", feature.name());
        }
        for feature in self.base.difference(features).iter() {
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
