//! See the crate's description in Cargo.toml; filled in the commits that follow.

pub mod kernels;
