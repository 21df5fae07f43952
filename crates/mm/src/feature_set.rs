//! A set of features, as small and as constant as the question `has` needs it.

use core::fmt;

use crate::Feature;

const WORDS: usize = 4;

/// A set of [`Feature`]s: one bit each.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FeatureSet([u64; WORDS]);

// The bitset has room for every discriminant.
const _: () = assert!(Feature::ALL.len() <= 64 * WORDS);

impl FeatureSet {
    /// The set of nothing.
    pub const EMPTY: FeatureSet = FeatureSet([0; WORDS]);

    /// The set of every feature, also of those that exclude each other.
    pub const ALL: FeatureSet = FeatureSet::of(Feature::ALL);

    /// The set of these features.
    pub const fn of(features: &[Feature]) -> FeatureSet {
        let mut set = FeatureSet::EMPTY;
        let mut i = 0;
        while i < features.len() {
            set = set.with(features[i]);
            i += 1;
        }
        set
    }

    /// The set with these words of bits: bit n of the whole is the feature with discriminant n.
    pub const fn from_words(words: [u64; WORDS]) -> FeatureSet {
        FeatureSet(words)
    }

    /// The words that [`from_words`](FeatureSet::from_words) makes the set of.
    pub const fn words(&self) -> [u64; WORDS] {
        self.0
    }

    /// Whether `feature` is in the set.
    pub const fn contains(&self, feature: Feature) -> bool {
        self.0[feature as usize / 64] & (1 << (feature as usize % 64)) != 0
    }

    /// The set and `feature`.
    #[must_use]
    pub const fn with(mut self, feature: Feature) -> FeatureSet {
        self.0[feature as usize / 64] |= 1 << (feature as usize % 64);
        self
    }

    /// The set but `feature`.
    #[must_use]
    pub const fn without(mut self, feature: Feature) -> FeatureSet {
        self.0[feature as usize / 64] &= !(1 << (feature as usize % 64));
        self
    }

    /// Adds `feature`; whether it was absent.
    pub const fn insert(&mut self, feature: Feature) -> bool {
        let absent = !self.contains(feature);
        *self = self.with(feature);
        absent
    }

    /// Removes `feature`; whether it was present.
    pub const fn remove(&mut self, feature: Feature) -> bool {
        let present = self.contains(feature);
        *self = self.without(feature);
        present
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: FeatureSet) -> FeatureSet {
        let mut words = self.0;
        let mut i = 0;
        while i < WORDS {
            words[i] |= other.0[i];
            i += 1;
        }
        FeatureSet(words)
    }

    /// What is in both.
    #[must_use]
    pub const fn intersection(self, other: FeatureSet) -> FeatureSet {
        let mut words = self.0;
        let mut i = 0;
        while i < WORDS {
            words[i] &= other.0[i];
            i += 1;
        }
        FeatureSet(words)
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub const fn difference(self, other: FeatureSet) -> FeatureSet {
        let mut words = self.0;
        let mut i = 0;
        while i < WORDS {
            words[i] &= !other.0[i];
            i += 1;
        }
        FeatureSet(words)
    }

    /// Whether nothing is in the set.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many features are in the set.
    pub const fn len(&self) -> usize {
        let mut sum = 0;
        let mut i = 0;
        while i < WORDS {
            sum += self.0[i].count_ones() as usize;
            i += 1;
        }
        sum
    }

    /// The features of the set, in the order of declaration.
    pub fn iter(&self) -> impl Iterator<Item = Feature> + use<> {
        let set = *self;
        Feature::ALL
            .iter()
            .copied()
            .filter(move |feature| set.contains(*feature))
    }
}

impl FromIterator<Feature> for FeatureSet {
    fn from_iter<I: IntoIterator<Item = Feature>>(features: I) -> FeatureSet {
        features
            .into_iter()
            .fold(FeatureSet::EMPTY, FeatureSet::with)
    }
}

/// The names: `{anon_exclusive, unshare}`.
impl fmt::Debug for FeatureSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, feature) in self.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{}", feature.name())?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::{format, vec::Vec};

    use super::*;

    #[test]
    fn every_feature_has_a_bit_of_its_own() {
        for &feature in Feature::ALL {
            let set = FeatureSet::of(&[feature]);
            assert_eq!(set.iter().collect::<Vec<_>>(), [feature]);
            assert_eq!(
                FeatureSet::ALL.without(feature).len(),
                Feature::ALL.len() - 1
            );
        }
    }

    #[test]
    fn insert_and_remove_say_whether_they_changed_the_set() {
        let mut set = FeatureSet::EMPTY;
        assert!(set.insert(Feature::Unshare));
        assert!(!set.insert(Feature::Unshare));
        assert!(set.remove(Feature::Unshare));
        assert!(!set.remove(Feature::Unshare));
        assert!(set.is_empty());
    }

    #[test]
    fn union_and_difference_are_by_feature() {
        let a = FeatureSet::of(&[Feature::PinBias, Feature::Unshare]);
        let b = FeatureSet::of(&[Feature::Unshare, Feature::FreeAfterMap]);
        assert_eq!(a.difference(b), FeatureSet::of(&[Feature::PinBias]));
        assert_eq!(a.intersection(b), FeatureSet::of(&[Feature::Unshare]));
        assert_eq!(a.union(b).len(), 3);
    }

    #[test]
    fn a_set_prints_its_names() {
        let set = FeatureSet::of(&[Feature::Unshare, Feature::PinBias]);
        assert_eq!(format!("{set:?}"), "{unshare, pin_bias}");
    }
}
