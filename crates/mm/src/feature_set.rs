//! Sets of features.

use crate::feature::Feature;

/// A set of [`Feature`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FeatureSet([u64; 4]);

impl FeatureSet {
    /// No feature.
    pub const EMPTY: FeatureSet = FeatureSet([0; 4]);

    /// The set with these words of bits; bit n of the whole is the feature with discriminant n.
    pub const fn from_words(words: [u64; 4]) -> FeatureSet {
        FeatureSet(words)
    }

    /// Is `feature` in the set?
    pub const fn contains(&self, feature: Feature) -> bool {
        self.0[feature as usize / 64] & (1 << (feature as usize % 64)) != 0
    }

    /// Adds `feature`.
    pub fn insert(&mut self, feature: Feature) {
        self.0[feature as usize / 64] |= 1 << (feature as usize % 64);
    }

    /// Takes `feature` away.
    pub fn remove(&mut self, feature: Feature) {
        self.0[feature as usize / 64] &= !(1 << (feature as usize % 64));
    }

    /// Those in both sets.
    pub fn intersection(&self, other: &FeatureSet) -> FeatureSet {
        FeatureSet(core::array::from_fn(|w| self.0[w] & other.0[w]))
    }

    /// Those in just one of the sets.
    pub fn difference(&self, other: &FeatureSet) -> FeatureSet {
        FeatureSet(core::array::from_fn(|w| self.0[w] ^ other.0[w]))
    }

    /// Those in either set.
    pub fn union(&self, other: &FeatureSet) -> FeatureSet {
        FeatureSet(core::array::from_fn(|w| self.0[w] | other.0[w]))
    }

    /// Each feature in the set, in order of declaration.
    pub fn iter(&self) -> impl Iterator<Item = Feature> + '_ {
        Feature::ALL.iter().copied().filter(|&f| self.contains(f))
    }

    /// No feature at all?
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }
}

impl FromIterator<Feature> for FeatureSet {
    fn from_iter<I: IntoIterator<Item = Feature>>(features: I) -> Self {
        let mut set = FeatureSet::EMPTY;
        for feature in features {
            set.insert(feature);
        }
        set
    }
}
