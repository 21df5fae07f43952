//! See the crate's description in Cargo.toml; filled in the commits that follow.

pub mod arch;
mod feature;
mod feature_set;

pub use feature::*;
pub use feature_set::FeatureSet;
