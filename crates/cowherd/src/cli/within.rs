//! Arguments of the commands that search every program within a bound.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use cowherd_litmus::ast::Kind;

use super::{From, Large, Search, kind};

/// Does any program within a bound break what anonymous memory promises?
///
/// Searches every program of up to so many calls, in every interleaving: at every point each thread may begin any allowed call on
/// any page of its process, and the kernel any allowed activity. Programs with fewer calls come first. Says that there is none, or writes
/// the shortest that there is as a test, with its story. Documented hazards do not count.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd verify -k v5.19-swp_exclusive --allow pread,reclaim,store --calls 3
      Finds the program of the mail of March 2022.
  cowherd verify -k v6.12 --processes 2 --threads 2 --calls 3
      Everything that is usually allowed; two processes of two threads.
  cowherd verify -k v5.10 --all --allow load,store,pread,reclaim,clear_refs,mprotect --calls 4
      Every minimal program that breaks v5.10, not only the shortest.
  cowherd verify -k v6.12 --kind lost-write,leak,zeroed
      Passes over everything else that may be broken.
  cowherd verify -k v6.12 --processes 2 --calls 5 --checkpoint saved
  cowherd verify -k v6.12 --processes 2 --calls 5 --resume saved
      Saves the search as it goes; goes on after Ctrl-C, a limit, or the end of the machine.

Exit codes: 0 there is none; 1 there is one; 3 the search was cut short, or took calls for atomic.")]
pub struct Verify {
    /// The kernel.
    #[arg(short = 'k', long = "kernel", value_name = "PROFILE", required = true)]
    pub kernel: String,
    #[command(flatten)]
    pub within: Within,
    /// Promises that count. Default: all.
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    pub kind: Vec<Kind>,
    /// Find all minimal programs: those that no longer break anything without any one of their calls.
    #[arg(long, conflicts_with_all = ["Large", "Processes"])]
    pub all: bool,
    /// How finely calls interleave. Calls taken for atomic find candidates fast, and never show that there is none.
    #[arg(
        long,
        value_name = "GRAIN",
        default_value = "step",
        conflicts_with = "all"
    )]
    pub grain: Grain,
    /// Write each program that is found into this folder, as NAME.litmus.
    #[arg(long, value_name = "DIR")]
    pub write: Option<PathBuf>,
    #[command(flatten)]
    pub search: Search,
    #[command(flatten)]
    pub large: Large,
}

/// How finely calls interleave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Grain {
    /// Step by step.
    Step,
    /// Call by call, as long as none has to wait; devices go on meanwhile.
    Call,
}

/// What is the shortest program on which two kernels differ?
///
/// Compares what every program within a bound may end in, those with fewer calls first, and stops at the number of calls at which the first differ.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd diff part2 v5.19 --allow load,store,pread,reclaim
      What the third series changed.
  cowherd diff v6.12 v6.12-unshare --allow store,fork,pin-ro --processes 2
      What a single feature does.
  cowherd diff --table --calls 2
      For each pair of neighbouring releases, and each feature of the newest.

Exit codes: 0 they agree; 1 they differ; 3 the search was cut short.")]
pub struct Diff {
    /// One kernel.
    #[arg(value_name = "PROFILE", required_unless_present = "table")]
    pub left: Option<String>,
    /// The other.
    #[arg(value_name = "PROFILE", required_unless_present = "table")]
    pub right: Option<String>,
    /// Compare all neighbouring releases, and the newest with itself less each of its features.
    #[arg(long, conflicts_with_all = ["left", "right"])]
    pub table: bool,
    /// Compare all neighbouring releases, and of features those of --features only.
    #[arg(long, requires = "table")]
    pub releases: bool,
    /// Compare the newest kernel with itself less each of these features; and no releases, unless --releases says so.
    #[arg(
        long,
        value_name = "FEATURE",
        value_delimiter = ',',
        requires = "table"
    )]
    pub features: Vec<String>,
    #[command(flatten)]
    pub within: Within,
    /// Write each program that is found into this folder, as NAME.litmus; with --table one for each line, unless a test of the
    /// corpus is that program already.
    #[arg(long, value_name = "DIR")]
    pub write: Option<PathBuf>,
    #[command(flatten)]
    pub search: Search,
}

/// Is a test minimal?
///
/// Leaves out one statement after the other, and asks whether the test still breaks a promise.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd classify odirect-swap -k v5.10
      Minimal: without any one of its statements it breaks nothing.
  cowherd classify my.litmus -k v6.1

Exit codes: 0 minimal; 1 reducible, or it breaks nothing; 3 beyond the bound: a limit cut a search short.")]
pub struct Classify {
    /// A test of the corpus, its name or THEME/NAME, or a file.
    #[arg(value_name = "TEST|FILE")]
    pub test: String,
    /// The kernel on which the test breaks something. Default: the newest of the matrix on which it does.
    #[arg(short = 'k', long = "kernel", value_name = "PROFILE")]
    pub kernel: Option<String>,
    #[command(flatten)]
    pub from: From,
    #[command(flatten)]
    pub search: Search,
}

/// Random programs in random schedules, far beyond what can be searched.
///
/// Walks through long programs at random and holds every step against the specification. Pages start in many ways, children fork, actors are
/// slow and quick. The first walk that breaks a promise is made small: a test of the calls that it takes. Documented hazards do not
/// count. The same seed gives the same walks.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd simulate -k v7.2 --processes 8 --pages 64 --calls 5000 --walks 1000 --timeout 600
      Ten minutes of walks of up to five thousand calls each.
  cowherd simulate -k v5.10 --seed 7 --allow load,store,pread,reclaim
      Finds the lost read.

Exit codes: 0 nothing was broken, which shows nothing of other walks; 1 something was; 3 interrupted.")]
pub struct Simulate {
    /// The kernel.
    #[arg(short = 'k', long = "kernel", value_name = "PROFILE", required = true)]
    pub kernel: String,
    /// The seed of the first walk; the next has the next number.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Walks.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub walks: u64,
    /// Calls and activities of each walk.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..))]
    pub calls: u16,
    /// Processes: the first, and those that descend from it.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub processes: u8,
    /// Threads of each process. With the kernel's activities there is room for 31 in all.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub threads: u8,
    /// Kernel activities at once.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=8))]
    pub activities: u8,
    /// Pages.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub pages: u8,
    /// Promises that count. Default: all.
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    pub kind: Vec<Kind>,
    #[command(flatten)]
    pub menu: Menu,
    /// Write the small test into this folder, as NAME.litmus.
    #[arg(long, value_name = "DIR")]
    pub write: Option<PathBuf>,
    #[command(flatten)]
    pub search: Search,
}

/// The bound.
#[derive(Clone, Debug, Args)]
pub struct Within {
    /// Processes: the first, and those that it forks.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3), help_heading = "Bound")]
    pub processes: u8,
    /// Threads of each process.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=3), help_heading = "Bound")]
    pub threads: u8,
    /// Kernel activities at once.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=3), help_heading = "Bound")]
    pub activities: u8,
    /// Pages.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2), help_heading = "Bound")]
    pub pages: u8,
    /// Cells of each page.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2), help_heading = "Bound")]
    pub cells: u8,
    /// Calls and activities, all together.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=10), help_heading = "Bound")]
    pub calls: u8,
    #[command(flatten)]
    pub menu: Menu,
}

/// What there is to call, and on what.
#[derive(Clone, Debug, Args)]
pub struct Menu {
    /// What may be called; `help` lists what there is.
    #[arg(
        long,
        value_name = "CALL",
        value_delimiter = ',',
        help_heading = "Bound"
    )]
    pub allow: Vec<String>,
    /// The swap device, as in a test.
    #[arg(long, value_name = "WORDS", default_value = "async", value_parser = ["async", "sync", "async stable", "sync stable", "none"], help_heading = "Bound")]
    pub swap: String,
    /// Who does direct I/O, as in a test.
    #[arg(long, value_name = "WORD", default_value = "nfs", value_parser = ["block", "block-sync", "nfs", "fuse", "ceph"], help_heading = "Bound")]
    pub files: String,
}
