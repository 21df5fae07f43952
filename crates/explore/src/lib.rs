//! Every interleaving of any [`System`]: search, reductions, workers, limits.

mod system;

pub use system::{Choice, Footprint, Mover, System};
