//! Every interleaving of any [`System`]: search, reductions, workers, limits.

mod arena;
mod buffer;
mod expand;
mod found;
mod hash;
mod livelock;
mod options;
pub mod oracle;
mod record;
mod report;
mod search;
mod shard;
mod shortest;
mod store;
mod system;
mod witness;
mod worker;

pub use expand::Step;
pub use found::{Bad, Flag, Outcome, Sighting};
pub use options::{Ended, Options, Progress, Reductions};
pub use report::Report;
pub use search::explore;
pub use shortest::{Shortest, shortest};
pub use store::StateId;
pub use system::{Choice, Footprint, Mover, System};
pub use witness::Witness;
