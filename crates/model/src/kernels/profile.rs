//! One kernel to run a test on.

use std::fmt;
use std::sync::Arc;

use cowherd_mm::{Feature, FeatureSet};

use super::{Arch, Release};

/// A kernel: a release on an architecture, as published or with features added and taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The expression that gives this profile again: `v5.19/riscv`, `v6.1-unshare`, `part2`.
    pub name: String,
    /// The release it starts from.
    pub release: Release,
    /// The machine it runs on.
    pub arch: Arc<Arch>,
    /// What it has.
    pub features: FeatureSet,
    /// Whether `features` are those that the release was published with.
    pub published: bool,
}

impl Profile {
    /// The profile of a release as it was published.
    pub(super) fn published(
        release: Release,
        arch: Arc<Arch>,
        features: FeatureSet,
        default_arch: &Arch,
    ) -> Profile {
        let name = if arch.name == default_arch.name {
            release.to_string()
        } else {
            format!("{release}/{}", arch.name)
        };
        Profile {
            name,
            release,
            arch,
            features,
            published: true,
        }
    }

    /// Whether the kernel has this feature.
    pub fn has(&self, feature: Feature) -> bool {
        self.features.contains(feature)
    }

    /// Whether it is the same kernel, whatever it is called.
    pub fn same_kernel(&self, other: &Profile) -> bool {
        self.release == other.release
            && self.arch.name == other.arch.name
            && self.features == other.features
    }

    /// Whether PTEs track soft-dirty.
    pub fn has_soft_dirty(&self) -> bool {
        self.is_since(self.arch.soft_dirty)
    }

    /// Whether userfaultfd can write-protect anonymous memory.
    pub fn has_uffd_wp(&self) -> bool {
        self.is_since(self.arch.uffd_wp)
    }

    /// Whether GUP has its lockless fast path.
    pub fn has_gup_fast(&self) -> bool {
        self.is_since(self.arch.gup_fast)
    }

    /// Whether reclaim may defer the TLB flush of an unmap.
    pub fn defers_unmap_flush(&self) -> bool {
        self.is_since(self.arch.batched_unmap)
    }

    fn is_since(&self, since: Option<Release>) -> bool {
        since.is_some_and(|since| since <= self.release)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
