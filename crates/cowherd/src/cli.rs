//! The command line: the one definition of arguments, help, completions and man pages.

mod large;
mod real;
mod within;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use cowherd_explore::Reductions;
use cowherd_litmus::ast::Kind;

pub use large::Large;
pub use real::{Conform, Detect, Emit, Machine, Probe, ProbeFormat, Runs, Vm};
pub use within::{Classify, Diff, Grain, Menu, Simulate, Verify, Within};

const EXIT_CODES: &str = "\
Exit codes, of every command:
    0  every expectation was met
    1  a verdict differs from what was expected
    2  the command line, a test or a profile is wrong
    3  undetermined: a limit or Ctrl-C ended a search
    4  nothing ran, or this machine cannot do it
  101  a bug in cowherd";

/// Litmus tests for Linux anonymous memory.
///
/// A test is a small program: threads that load, store, fork and do I/O, and a kernel that reclaims, merges and migrates beside them.
/// cowherd runs it in every interleaving, on a model of each kernel's memory management, and says which outcomes are possible;
/// for a bad one it tells the shortest story of how it happens.
#[derive(Debug, Parser)]
#[command(name = "cowherd", version, max_term_width = 100, after_long_help = EXIT_CODES)]
pub struct Cli {
    /// When to use colours.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    Check(Check),
    Explain(Explain),
    Replay(Replay),
    Verify(Verify),
    Diff(Diff),
    Classify(Classify),
    Simulate(Simulate),
    Report(Report),
    Serve(Serve),
    Probe(Probe),
    Vm(Vm),
    Conform(Conform),
    Bless(Bless),
    Fmt(Fmt),
    List(List),
    Kernels(Kernels),
    Features(Features),
    Detect(Detect),
    Emit(Emit),
    Completions(Completions),
    Man(Man),
}

/// Which outcomes are possible, on which kernels?
///
/// Without arguments, checks the whole corpus on every kernel of the matrix: prints a letter for each test and kernel, what differs from the
/// `Result:` lines of the tests, which features no test tells apart, and which steps of the model no test reached.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd check
      The whole corpus on all kernels of the matrix.
  cowherd check odirect-swap
      One test of the corpus, on all kernels of the matrix.
  cowherd check my.litmus -k v5.18+swp_exclusive -k v6.12 -k v5.19/riscv
      A file of your own, on a release with one patch more, a plain release, and another architecture.
  cowherd check direct-io --format herd
      A theme (a folder of the corpus), written as herd7 would.
  cowherd check odirect-swap -k v5.19 --graph dot | dot -Tsvg > states.svg
      Every state and who leads from one to the other; for small tests.
  cowherd check my.litmus -k v7.2 --timeout 60 --max-memory 8G
      Gives up after a minute or at 8 GiB, and then says Unknown, never Never.
  cowherd check my.litmus -k v7.2 --checkpoint saved
  cowherd check my.litmus -k v7.2 --resume saved
      Saves a large search as it goes; goes on after Ctrl-C, a limit, or the end of the machine.
  cowherd check my.litmus -k v7.2 --cluster hosts --process 0
      One search by all processes that the file names; the others are started with --process 1 and so on.")]
pub struct Check {
    /// Tests: names of the corpus, THEME/NAME, themes (THEME/), files, folders. Default: the whole corpus.
    #[arg(value_name = "TEST|FILE|FOLDER")]
    pub tests: Vec<String>,
    #[command(flatten)]
    pub on: On,
    #[command(flatten)]
    pub from: From,
    /// How to write the results.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    #[command(flatten)]
    pub search: Search,
    /// Look for states from which the program can no longer end, too.
    #[arg(long, conflicts_with_all = ["fingerprints", "Processes"])]
    pub livelock: bool,
    /// Show how many states each level of the search has.
    #[arg(long)]
    pub levels: bool,
    /// Write the graph of all states instead; needs one test and one -k.
    #[arg(long, value_name = "FORMAT", conflicts_with_all = ["Large", "Processes"])]
    pub graph: Option<Graph>,
    #[command(flatten)]
    pub large: Large,
}

/// How a state graph is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Graph {
    /// For Graphviz.
    Dot,
    /// JSON: nodes and edges.
    Json,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// As herd7 writes them.
    Herd,
    /// JSON, its schema in the book.
    Json,
    /// JUnit XML: a suite a test, a case a kernel.
    Junit,
}

/// The kernels.
#[derive(Debug, Args)]
pub struct On {
    /// A kernel: v6.1, v5.10.262, v5.19/riscv, v5.18+FEATURE, v6.12-FEATURE. Default: those of the matrix.
    #[arg(short = 'k', long = "kernel", value_name = "PROFILE")]
    pub kernels: Vec<String>,
}

/// The corpus.
#[derive(Debug, Args)]
pub struct From {
    /// Take the corpus from this folder, not the one that cowherd was built with.
    #[arg(long, value_name = "DIR")]
    pub corpus: Option<PathBuf>,
}

/// How to search.
#[derive(Debug, Clone, Args)]
pub struct Search {
    /// Threads. The results are the same for any number. Default: one for each CPU.
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024), help_heading = "Search")]
    pub workers: Option<usize>,
    /// Tell states apart that differ only in the names of pages, slots and threads.
    #[arg(long, help_heading = "Search")]
    pub no_symmetry: bool,
    /// Do not fuse steps that only take or drop locks with their neighbours.
    #[arg(long, help_heading = "Search")]
    pub no_movers: bool,
    /// Try every order of steps that cannot disturb each other.
    #[arg(long, help_heading = "Search")]
    pub no_commute: bool,
    /// Tell states apart that differ only in the names of values, in searches of every program within a bound.
    #[arg(long, help_heading = "Search")]
    pub no_values: bool,
    /// Give up a search at so many states.
    #[arg(long, value_name = "N", help_heading = "Search")]
    pub max_states: Option<u64>,
    /// Give up a search at so many bytes: 800M, 16G.
    #[arg(long, value_name = "BYTES", value_parser = bytes, help_heading = "Search")]
    pub max_memory: Option<usize>,
    /// Give up a search after so long.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = "Search")]
    pub timeout: Option<Duration>,
}

impl Search {
    /// The reductions that are left on.
    pub fn reductions(&self) -> Reductions {
        Reductions {
            symmetry: !self.no_symmetry,
            movers: !self.no_movers,
            commute: !self.no_commute,
            values: !self.no_values,
        }
    }
}

/// How does a bad outcome come about? The shortest story.
///
/// Finds the schedule with the fewest calls, actors and steps that leads to a final state of which the condition's proposition holds, and tells it
/// step by step. Where the proposition never holds, but a promise of the specification is broken on the way, tells that.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd explain odirect-swap -k v5.18
      The story, as numbered prose.
  cowherd explain odirect-swap -k v5.18 --format html > lost.html
      A page: step through it with the arrow keys, and see the memory at each step.
  cowherd explain odirect-swap -k v5.18 --format columns
      A table for a commit message, one column an actor, at most 80 wide.
  cowherd explain odirect-swap -k v5.19 --why-not
      Why v5.19 is safe: the schedule of a kernel that is not, up to the step where the two part.
  cowherd explain my.litmus -k v6.1 --kind lost-write --format json > trace.json
      The first lost write, as data; `cowherd replay trace.json` steps it again.")]
pub struct Explain {
    /// A test of the corpus, its name or THEME/NAME, or a file.
    #[arg(value_name = "TEST|FILE")]
    pub test: String,
    /// The kernel. Default: the newest of the matrix on which it happens. With --why-not, a second one is the broken kernel.
    #[arg(short = 'k', long = "kernel", value_name = "PROFILE")]
    pub kernels: Vec<String>,
    /// Explain why it does *not* happen on this kernel.
    #[arg(long)]
    pub why_not: bool,
    /// How to tell it.
    #[arg(long, value_name = "FORMAT", default_value = "story")]
    pub format: Telling,
    /// Explain how a promise of this kind is broken: lost-write, stale-read, leak, zeroed, wrong-permission, missed-wp, file-modified,
    /// torn-writeback, use-after-free, refcount, bad-page-state, deadlock.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    pub kind: Option<Kind>,
    /// Explain how this final state comes about: its number in the list of `cowherd check TEST -k PROFILE`, from 1.
    #[arg(long, value_name = "N", conflicts_with_all = ["kind", "why_not"])]
    pub outcome: Option<usize>,
    #[command(flatten)]
    pub from: From,
    #[command(flatten)]
    pub search: Search,
}

/// How a witness is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Telling {
    /// Numbered prose, with what each step changed.
    Story,
    /// A table, one column an actor.
    Columns,
    /// A Mermaid sequence diagram.
    Mermaid,
    /// Data, for `cowherd replay`.
    Json,
    /// A page for a browser: the schedule, and the memory at each step.
    Html,
    /// Trace events, for ui.perfetto.dev and chrome://tracing.
    Perfetto,
    /// Apalache's Informal Trace Format, a JSON.
    Itf,
    /// A graph for Graphviz: lanes, steps, and what hands what to whom.
    Dot,
}

/// Steps a witness again, on its kernel or on another.
///
/// The witness is what `cowherd explain --format json` wrote; it holds the test. Reports where the schedule parts from what was recorded: a step
/// that cannot be taken, does something else, or asks a feature that this kernel answers otherwise.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd explain odirect-swap -k v5.18 --format json > trace.json
  cowherd replay trace.json
      The same steps, on v5.18: they come to the same end.
  cowherd replay trace.json -k v5.19
      The same steps on v5.19, up to the one where the kernels part.")]
pub struct Replay {
    /// The witness; `-` for standard input.
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,
    /// The kernel. Default: the one that the witness is from.
    #[arg(short = 'k', long = "kernel", value_name = "PROFILE")]
    pub kernel: Option<String>,
    /// How to tell it.
    #[arg(long, value_name = "FORMAT", default_value = "story")]
    pub format: Telling,
}

/// Writes a site: the matrix, a page for each test, for each feature, and for each witness.
///
/// One run of the tests makes all of it. Every page is a file by itself that fetches nothing; open index.html.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd report -o site
      The whole corpus on all kernels of the matrix.
  cowherd report -o site direct-io -k v5.18 -k v5.19
      One theme on two kernels.
  cowherd report -o site --conformance real.json
      What real kernels did stands in the cells.")]
pub struct Report {
    /// Tests: names of the corpus, THEME/NAME, themes (THEME/), files, folders. Default: the whole corpus.
    #[arg(value_name = "TEST|FILE|FOLDER")]
    pub tests: Vec<String>,
    /// The folder to write into. Files of the same names are replaced.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Results of real kernels, as JSON; the book has its schema.
    #[arg(long, value_name = "FILE")]
    pub conformance: Option<PathBuf>,
    #[command(flatten)]
    pub on: On,
    #[command(flatten)]
    pub from: From,
    #[command(flatten)]
    pub search: Search,
}

/// A playground in the browser: edit a test, choose kernels, run it, step through what happens.
///
/// Listens on this machine only, and runs nothing but the model. Ctrl-C ends it.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd serve
      Then open the address that it prints.
  cowherd serve --port 0
      On a port that is free.")]
pub struct Serve {
    /// The port of 127.0.0.1 to listen on; 0: any that is free.
    #[arg(long, value_name = "PORT", default_value_t = 8090)]
    pub port: u16,
    #[command(flatten)]
    pub from: From,
}

/// Writes what tests give, as what they are expected to give.
///
/// For each NAME.litmus writes NAME.expected beside it: the results on the kernels of the matrix, as herd writes them. Review the difference
/// as you would review code.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd bless my.litmus
      Writes my.expected.
  cowherd bless --check
      Writes nothing, and says which tests of ./litmus give something else than they did; exit code 1 if any.")]
pub struct Bless {
    /// Tests: names of the corpus, THEME/NAME, themes (THEME/), files, folders. Default: the whole corpus.
    #[arg(value_name = "TEST|FILE|FOLDER")]
    pub tests: Vec<String>,
    /// The folder that the corpus is in. Default: ./litmus.
    #[arg(long, value_name = "DIR")]
    pub corpus: Option<PathBuf>,
    /// Write nothing; say what would change.
    #[arg(long)]
    pub check: bool,
    #[command(flatten)]
    pub search: Search,
}

/// Gives tests their canonical layout.
///
/// Keeps every comment and what the test means.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd fmt my.litmus
  cowherd fmt --check litmus
      Changes nothing; exit code 1 if a file in the folder is not formatted.
  cowherd fmt - < my.litmus
      From standard input to standard output.")]
pub struct Fmt {
    /// Files and folders; `-` for standard input.
    #[arg(value_name = "FILE|FOLDER", required = true)]
    pub files: Vec<PathBuf>,
    /// Write nothing; say which files are not formatted.
    #[arg(long)]
    pub check: bool,
}

/// The tests of the corpus.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd list
  cowherd list direct-io
      One theme.
  cowherd list --json
      With the text of each test.")]
pub struct List {
    /// Names, THEME/NAME, themes (THEME/). Default: everything.
    #[arg(value_name = "TEST|THEME")]
    pub tests: Vec<String>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub from: From,
}

/// The kernels that tests can be run on, or what one of them has.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd kernels
  cowherd kernels v5.19
      Its features, and what differs from the release before.
  cowherd kernels v6.1-unshare
      What this expression makes.")]
pub struct Kernels {
    /// A kernel.
    #[arg(value_name = "PROFILE")]
    pub profile: Option<String>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// The upstream changes and rules that kernels are made of.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd features
  cowherd features swp_exclusive
      Commit, first release, effect.
  cowherd features 1493a1913e34
      The feature that a commit brought.")]
pub struct Features {
    /// A feature, by name or by commit.
    #[arg(value_name = "NAME|COMMIT")]
    pub name: Option<String>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Completions for a shell, on standard output.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd completions bash > ~/.local/share/bash-completion/completions/cowherd
  cowherd completions zsh > ~/.zfunc/_cowherd
  cowherd completions fish > ~/.config/fish/completions/cowherd.fish")]
pub struct Completions {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// The man pages.
///
/// Without --dir, writes cowherd(1) to standard output.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd man | man -l -
  cowherd man --dir ~/.local/share/man/man1
      A page for each command.")]
pub struct Man {
    /// Write cowherd.1 and a page for each command into this folder.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// `800M`, `16G`, `1048576`.
fn bytes(text: &str) -> Result<usize, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match &text[number.len()..] {
        "" | "B" => 0,
        "K" | "k" | "KiB" => 10,
        "M" | "MiB" => 20,
        "G" | "GiB" => 30,
        unit => return Err(format!("`{unit}` is no unit; there are K, M and G")),
    };
    let number: usize = number.parse().map_err(|e| format!("{e}"))?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "that is more than any machine has".into())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|e| format!("{e}"))?;
    Duration::try_from_secs_f64(seconds).map_err(|e| e.to_string())
}

fn kind(text: &str) -> Result<Kind, String> {
    Kind::from_word(text).ok_or_else(|| {
        // A livelock is no schedule; who asks for it is told.
        let told = Kind::ALL.iter().filter(|kind| **kind != Kind::Livelock);
        let all: Vec<&str> = told.map(|k| k.word()).collect();
        format!("there are {}", all.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_holds_together() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes("800M"), Ok(800 << 20));
        assert_eq!(bytes("12"), Ok(12));
        assert!(bytes("12 apples").is_err());
        assert!(bytes("99999999999G").is_err());
    }
}
