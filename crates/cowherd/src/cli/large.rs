//! Arguments of a single search that is too large to be done by the way.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::seconds;

/// A large search.
#[derive(Debug, Clone, Args)]
pub struct Large {
    /// Keep 64 bits of each state, not all of it: less memory, and a small chance, which is told, that states are missed.
    #[arg(long, help_heading = "Large searches")]
    pub fingerprints: bool,
    /// Save the search in this folder as it goes, and when a limit or Ctrl-C ends it.
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "resume",
        help_heading = "Large searches"
    )]
    pub checkpoint: Option<PathBuf>,
    /// Go on with the search that was saved in this folder, with the same arguments, and save it there as it goes.
    #[arg(long, value_name = "DIR", help_heading = "Large searches")]
    pub resume: Option<PathBuf>,
    /// Seconds between two checkpoints, at least; more where writing them would take more than a twentieth of the time.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds, help_heading = "Large searches")]
    pub checkpoint_every: Duration,
}
