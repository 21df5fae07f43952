//! Kernels as data: which release has which feature, on which architecture.
//!
//! The data is the folder `kernels/` of the repository, embedded here. Every mainline release from v4.19 on is a
//! profile, derived from the features' first and last releases; stable releases add what was backported to them, and
//! a few kernels have a name of their own. Expressions change a profile by features:
//!
//! ```
//! use cowherd_mm::Feature;
//! use cowherd_model::kernels::Kernels;
//!
//! let kernels = Kernels::shipped();
//! let v5_19 = kernels.profile("v5.19").unwrap().profile;
//! assert!(v5_19.has(Feature::SwpExclusive));
//!
//! // No swap-exclusive bit before v6.3 but on four architectures.
//! let riscv = kernels.profile("v5.19/riscv").unwrap().profile;
//! assert!(!riscv.has(Feature::SwpExclusive));
//!
//! // One series without another, by name or by commit.
//! let part2 = kernels.profile("v5.18+anon_exclusive+c89357e27f20").unwrap();
//! assert!(part2.profile.same_kernel(&kernels.profile("part2").unwrap().profile));
//! ```

mod arch;
mod clue;
mod compose;
mod composer;
mod data;
mod error;
mod expression;
mod info;
mod profile;
mod range;
mod release;
mod suggest;
mod warning;

use std::sync::{Arc, OnceLock};

use cowherd_mm::{Feature, FeatureSet};

pub use arch::Arch;
pub use clue::{Clue, Either};
pub use data::{DataError, Named, Source, Stable};
pub use error::{ProfileError, RangeError};
pub use info::{Backport, Commit, FeatureInfo, Need, Role, Rule, Status};
pub use profile::Profile;
pub use range::{Range, Rank};
pub use release::{NotARelease, Release};
pub(crate) use suggest::suggest;
pub use warning::{Composed, Warning};

/// Every kernel that is known: features, releases, architectures.
#[derive(Clone, Debug)]
pub struct Kernels {
    features: Vec<FeatureInfo>,
    arches: Vec<Arc<Arch>>,
    oldest: Release,
    newest: Release,
    stable: Vec<Stable>,
    named: Vec<Named>,
    matrix: Vec<String>,
}

impl Kernels {
    /// The data that cowherd ships with. A test checks it, once and for all: each start of the program only reads it.
    ///
    /// # Panics
    ///
    /// If that data cannot be read, which the test excludes.
    pub fn shipped() -> &'static Kernels {
        static SHIPPED: OnceLock<Kernels> = OnceLock::new();
        SHIPPED.get_or_init(|| {
            Kernels::read(data::SHIPPED)
                .unwrap_or_else(|error| panic!("the embedded kernel data is wrong: {error}"))
        })
    }

    /// Every feature and rule of the data, modelled or not, in its order.
    pub fn features(&self) -> &[FeatureInfo] {
        &self.features
    }

    /// What the data says about a feature of the model.
    ///
    /// # Panics
    ///
    /// Never: [`parse`](Kernels::parse), which a test calls for the data that ships, refuses data that leaves a feature out.
    pub fn feature(&self, feature: Feature) -> &FeatureInfo {
        self.features
            .iter()
            .find(|info| info.feature() == Some(feature))
            .expect("checked with the data")
    }

    /// The architectures; the first is the default.
    pub fn arches(&self) -> &[Arc<Arch>] {
        &self.arches
    }

    /// The architecture of an expression that names none: x86-64.
    pub fn default_arch(&self) -> &Arc<Arch> {
        &self.arches[0]
    }

    /// The mainline releases that are known, oldest first.
    pub fn releases(&self) -> impl Iterator<Item = Release> + use<> {
        let newest = self.newest;
        std::iter::successors(Some(self.oldest), |release| Some(release.next()))
            .take_while(move |release| *release <= newest)
    }

    /// The stable releases that are known.
    pub fn stable(&self) -> &[Stable] {
        &self.stable
    }

    /// The kernels with a name of their own.
    pub fn named(&self) -> &[Named] {
        &self.named
    }

    /// The profiles of the mainline releases, oldest first.
    pub fn mainline(&self) -> Vec<Profile> {
        let arch = self.default_arch();
        self.releases()
            .map(|release| self.derive(release, arch))
            .collect()
    }

    /// Every kernel that has a name, on an architecture: mainline and stable releases, and those with a name of their own.
    pub fn known(&self, arch: &Arc<Arch>) -> Vec<Profile> {
        let stable = self.stable.iter().map(|stable| stable.release);
        let published = self.releases().chain(stable);
        let mut known: Vec<Profile> = published
            .filter(|release| *release >= arch.since)
            .map(|release| self.derive(release, arch))
            .collect();
        let named = |named: &Named| self.profile(&format!("{}/{}", named.name, arch.name)).ok();
        known.extend(self.named.iter().filter_map(named).map(|c| c.profile));
        known
    }

    /// How far apart two releases are: in mainline releases, then in point releases.
    pub fn distance(&self, one: Release, other: Release) -> (usize, u16) {
        let place = |release: Release| {
            self.releases()
                .take_while(|r| *r < release.mainline())
                .count()
        };
        (
            place(one).abs_diff(place(other)),
            one.point().abs_diff(other.point()),
        )
    }

    /// The profiles that are checked when nobody names any, in the order of the columns.
    ///
    /// # Panics
    ///
    /// Never: [`parse`](Kernels::parse), which a test calls for the data that ships, refuses a matrix with an unknown profile.
    pub fn matrix(&self) -> Vec<Profile> {
        let parse = |text: &String| self.profile(text).expect("checked with the data");
        self.matrix.iter().map(|text| parse(text).profile).collect()
    }

    /// The profile of a release as it was published, as far as the data goes: of a point release that was not compared with its source, the
    /// backports whose date is known.
    pub fn derive(&self, release: Release, arch: &Arc<Arch>) -> Profile {
        let features = self
            .features
            .iter()
            .filter(|info| info.is_in(release, arch))
            .filter_map(FeatureInfo::feature)
            .collect::<FeatureSet>();
        Profile::published(release, Arc::clone(arch), features, self.default_arch())
    }
}
