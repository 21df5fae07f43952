//! Arguments of a single search that is too large to be done by the way.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::seconds;

/// A large search: saved as it goes, with less memory, or by several processes.
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
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    pub cluster: Processes,
}

/// Several processes that search together. All get the same arguments, but for the number, limits and the folder to write into.
#[cfg(feature = "cluster")]
#[derive(Debug, Clone, Args)]
pub struct Processes {
    /// Search together with other processes: FILE has the address of each, one a line, as HOST:PORT. Whoever can connect to
    /// these addresses can take part, so let nobody but you.
    #[arg(long, value_name = "FILE", requires = "process", conflicts_with_all = ["checkpoint", "resume"], help_heading = "Large searches")]
    pub cluster: Option<PathBuf>,
    /// Which line of the file this process is, from 0. The first one prints; all end with the same exit code.
    #[arg(
        long,
        value_name = "N",
        requires = "cluster",
        help_heading = "Large searches"
    )]
    pub process: Option<usize>,
}
