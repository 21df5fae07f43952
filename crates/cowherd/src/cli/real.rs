//! Arguments of the commands that have to do with real kernels.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{From, Search, bytes, seconds};

/// Does the kernel of this machine do what the model says?
///
/// Runs tests on the live kernel: every thread a real thread, every statement its system call, one call at a time, in every order, several times each. What is seen
/// after each call is held against the model of the kernel's release. Without --system nothing is touched but the test's own processes.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd probe
      Every test of the corpus that can run here.
  cowherd probe odirect-swap --runs 100 --system
      One test; --system makes a swap area of its own, and takes it away again.
  cowherd probe --system --dry-run
      What would be touched, and which tests would be skipped for want of what.
  cowherd probe fork/ --free 1000
      Threads run against each other as well, for races inside the kernel.
  cowherd probe --random 2000 --seed 1 --system
      Random programs; one that the model forbids is made smaller, and printed.
  cowherd probe -k v6.1.176 --format json
      Held against another kernel's model, as data.")]
pub struct Probe {
    /// Tests: names of the corpus, THEME/NAME, themes (THEME/), files, folders. Default: the whole corpus.
    #[arg(value_name = "TEST|FILE|FOLDER")]
    pub tests: Vec<String>,
    /// The kernel of the model. Default: by the running kernel's release.
    #[arg(short = 'k', long = "kernel", value_name = "PROFILE")]
    pub kernel: Option<String>,
    #[command(flatten)]
    pub from: From,
    /// Runs of each order of calls.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), default_value = "3", conflicts_with = "random")]
    pub runs: u32,
    /// Orders of a test at most; of more, a sample is taken.
    #[arg(long, value_name = "N", value_parser = some, default_value = "60", conflicts_with = "random")]
    pub orders: usize,
    /// Runs of each test in which threads run against each other, on CPUs of their own and with random delays.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub free: u32,
    /// What samples and delays are drawn from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Run so many random programs in place of tests, each in one order.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "tests")]
    pub random: Option<u64>,
    /// Allow what changes the machine while tests run: a swap area of its own, KSM, settings. All of it is put back.
    #[arg(long)]
    pub system: bool,
    /// Run nothing; say what would be touched.
    #[arg(long)]
    pub dry_run: bool,
    /// Begin no run after so many seconds. Tests that are left then are named, and the exit code is 3.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..), default_value = "600")]
    pub seconds: u64,
    /// How to write the results of tests.
    #[arg(long, value_name = "FORMAT", default_value = "ktap", conflicts_with_all = ["random", "dry_run"])]
    pub format: ProbeFormat,
}

/// How results of a live kernel are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProbeFormat {
    /// KTAP, as kernel selftests write it.
    Ktap,
    /// JSON.
    Json,
    /// For people.
    Text,
}

/// Runs tests on a real kernel, in a virtual machine.
///
/// Boots a kernel image in QEMU with cowherd as its `/init`, runs the tests there and compares what happened with what the model allows. Nothing
/// of this machine is touched, and no root is needed. Uses KVM where that works, and QEMU's own emulation where not.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd vm --kernel /boot/vmlinuz-6.1.0-50-amd64
      Every test that can run there; the modules are those of /lib/modules/6.1.0-50-amd64.
  cowherd vm --kernel target/kernels/5.10/vmlinuz odirect-swap
      A kernel that scripts/fetch-kernels fetched, with the modules beside it.
  cowherd vm --kernel bzImage --append slub_debug=FZ --timeout 300
      A kernel of your own without modules, with more checks, and more time for each test.
  cowherd vm --kernel target/kernels/6.1/vmlinuz --random 2000 --seed 1
      Random programs; one that the model forbids is made smaller, and printed.
  cowherd vm --kernel target/kernels/6.12/vmlinuz --shell
      A shell in the guest; the host's busybox, if it has one.")]
pub struct Vm {
    /// Tests: names of the corpus, THEME/NAME, themes (THEME/), files, folders. Default: the whole corpus.
    #[arg(value_name = "TEST|FILE|FOLDER")]
    pub tests: Vec<String>,
    /// The kernel: a bzImage.
    #[arg(long, value_name = "IMAGE")]
    pub kernel: PathBuf,
    /// Its modules, laid out as /lib/modules/RELEASE is. Default: the folder `modules` beside the image, or /lib/modules/RELEASE.
    #[arg(long, value_name = "DIR")]
    pub modules: Option<PathBuf>,
    /// Start a shell in the guest, and no test.
    #[arg(long, conflicts_with_all = ["tests", "random"])]
    pub shell: bool,
    /// Run so many random programs in place of tests, each in one order.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "tests")]
    pub random: Option<u64>,
    /// The kernel of the model. Default: by the image's release.
    #[arg(short = 'k', long, value_name = "PROFILE")]
    pub profile: Option<String>,
    #[command(flatten)]
    pub runs: Runs,
    #[command(flatten)]
    pub machine: Machine,
    #[command(flatten)]
    pub from: From,
}

/// Runs tests on many kernels: the model beside reality.
///
/// Boots each kernel as `cowherd vm` does, and prints a table of tests by kernels.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  scripts/fetch-kernels
  cowherd conform --kernels target/kernels
      The whole corpus on all kernels there.
  cowherd conform --kernels target/kernels --live --write docs/src/conformance.md
      And on this machine's own kernel; writes the chapter of the book.")]
pub struct Conform {
    /// Tests: names of the corpus, THEME/NAME, themes (THEME/), files, folders. Default: the whole corpus.
    #[arg(value_name = "TEST|FILE|FOLDER")]
    pub tests: Vec<String>,
    /// The kernels: DIR/NAME/vmlinuz, with DIR/NAME/modules beside it.
    #[arg(long, value_name = "DIR")]
    pub kernels: PathBuf,
    /// Run the tests on this machine's kernel, too, as `cowherd probe` does.
    #[arg(long)]
    pub live: bool,
    /// On this machine's kernel, allow what `cowherd probe --system` allows.
    #[arg(long, requires = "live")]
    pub system: bool,
    /// Write the table and what was seen of each test into this file, as Markdown.
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// Write what was seen into this file as JSON, for `cowherd report --conformance`.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    #[command(flatten)]
    pub runs: Runs,
    #[command(flatten)]
    pub machine: Machine,
    #[command(flatten)]
    pub from: From,
}

/// How often tests run on a live kernel.
#[derive(Debug, Args)]
pub struct Runs {
    /// Runs of each order of calls.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), default_value = "3")]
    pub runs: u32,
    /// Orders of a test at most; of more, a sample is taken.
    #[arg(long, value_name = "N", value_parser = some, default_value = "60")]
    pub orders: usize,
    /// Runs of each test in which threads run against each other, with random delays.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub free: u32,
    /// What samples and delays are drawn from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// The virtual machine.
#[derive(Debug, Args)]
pub struct Machine {
    /// More for the kernel's command line.
    #[arg(
        long,
        value_name = "WORDS",
        default_value = "",
        allow_hyphen_values = true,
        help_heading = "Virtual machine"
    )]
    pub append: String,
    /// Its memory: 512M, 2G.
    #[arg(long, value_name = "BYTES", value_parser = memory, default_value = "512M", help_heading = "Virtual machine")]
    pub memory: usize,
    /// Its CPUs.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64), default_value = "2", help_heading = "Virtual machine")]
    pub cpus: u32,
    /// Give up a boot, or a test, after so long.
    #[arg(long, value_name = "SECONDS", value_parser = limit, default_value = "60", help_heading = "Virtual machine")]
    pub timeout: Duration,
}

/// At least one.
fn some(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("there has to be one at least".into()),
        Ok(n) => Ok(n),
        Err(e) => Err(format!("{e}")),
    }
}

/// A guest's memory: with less, it does not get as far as a test.
fn memory(text: &str) -> Result<usize, String> {
    match bytes(text)? {
        ..SMALLEST => Err("a guest needs 128M at least".into()),
        bytes => Ok(bytes),
    }
}

/// Bytes of memory that a guest has at least.
const SMALLEST: usize = 128 << 20;

/// How long a boot, or a test, may take: a guest counts in seconds.
fn limit(text: &str) -> Result<Duration, String> {
    let limit = seconds(text)?;
    if limit < Duration::from_secs(1) {
        return Err("a second is the least".into());
    }
    Ok(limit)
}

/// Which kernel is this, as a profile?
///
/// Of a source tree: every feature is looked for, and told with the line that decided; the answer is the known kernel that differs least,
/// with what differs, as an expression for -k. Of the running kernel, or an image that QEMU boots: by the release that it names, and by
/// what it does in tests of the corpus, which decide features one by one.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd detect --source ~/src/linux
      Before or after a backport: what does the tree have, and what does that make it?
  cowherd detect --source ~/src/linux --arch riscv
  cowherd detect
      The kernel that runs here.
  cowherd detect --kernel target/kernels/6.1/vmlinuz
  cowherd detect --kernel /boot/vmlinuz-6.1.0-50-amd64 --by-release
      What its release alone tells; nothing is run.
  cowherd check -k $(cowherd detect --source ~/src/linux --brief)")]
pub struct Detect {
    /// A Linux source tree.
    #[arg(long, value_name = "DIR", group = "of")]
    pub source: Option<PathBuf>,
    /// The running kernel; what is asked when nothing else is.
    #[arg(long, group = "of")]
    pub running: bool,
    /// A kernel image: vmlinuz (bzImage), or one that is not compressed.
    #[arg(long, value_name = "IMAGE", group = "of")]
    pub kernel: Option<PathBuf>,
    /// Of an image: its modules, as `cowherd vm` has it.
    #[arg(long, value_name = "DIR", requires = "kernel")]
    pub modules: Option<PathBuf>,
    /// Run nothing: only what the release tells.
    #[arg(long, conflicts_with = "source")]
    pub by_release: bool,
    /// Of the running kernel: allow what `cowherd probe --system` allows.
    #[arg(long, conflicts_with_all = ["source", "kernel", "by_release"])]
    pub system: bool,
    /// The architecture. Default: x86-64 for a tree and an image, this machine's for the running kernel.
    #[arg(long, value_name = "ARCH")]
    pub arch: Option<String>,
    /// Only the expression.
    #[arg(long, conflicts_with = "json")]
    pub brief: bool,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub machine: Machine,
}

/// A test as a stand-alone C program, to attach to a report.
///
/// One file that needs nothing but libc, with the story of the order of calls that it forces: the shortest one that leads to the test's condition
/// and that a program can force. It holds direct I/O in flight by a FUSE server of its own, runs as a program or as /init of a virtual machine,
/// and exits with 1 if what the test asks for happened, 0 if not, 2 if the machine cannot run it. What cannot be written so is refused.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  cowherd emit odirect-swap --c > repro.c
      With an order from the newest kernel of the matrix on which it happens.
  cowherd emit odirect-swap --c -k v5.10 > repro.c && cc -O1 -static -pthread -o repro repro.c && ./repro")]
pub struct Emit {
    /// A test: a name of the corpus, THEME/NAME, or a file.
    #[arg(value_name = "TEST|FILE")]
    pub test: String,
    /// In C, which is all there is so far.
    #[arg(long, required = true)]
    pub c: bool,
    /// The kernel that the order is from. Default: the newest one of the matrix on which it happens.
    #[arg(short = 'k', long = "kernel", value_name = "PROFILE")]
    pub kernel: Option<String>,
    #[command(flatten)]
    pub from: From,
    #[command(flatten)]
    pub search: Search,
}
