//! How a test runs on the live kernel.
//!
//! [`run_all`] runs tests in a process of their own, with a supervisor that puts everything back ([`supervise`]). A test is planned ([`plan`]), its
//! processes are made ([`world`]) and stepped through orders of its turns ([`directed`]); what was seen is a [`TestResult`]. Whether the model allows it is
//! a question for whoever has it ([`judge`]): results are data and may come from another machine.

pub mod call;
mod chosen;
pub mod directed;
pub mod filler;
mod follow;
pub mod free;
pub mod fuse;
pub mod held;
pub mod judge;
pub mod kernel;
pub mod ktap;
pub mod look;
pub mod machine;
pub mod nbd;
mod outcome;
pub mod plan;
pub mod random;
pub mod release;
pub mod runner;
mod seen;
mod settle;
pub mod shared;
pub mod supervise;
pub mod sys;
pub mod system;
mod transfer;
pub mod uffd;
pub mod undo;
pub mod uring;
mod why;
pub mod world;

use serde::{Deserialize, Serialize};

use directed::Trace;
pub use machine::{Machine, Reach};
pub use supervise::run_all;

/// Bytes that each process of a run may take of memory: far more than any needs (some 20 MiB), and the kernel gives no more.
pub const MEMORY: u64 = 1 << 30;

/// How to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Options {
    /// Runs of each order.
    pub runs: u32,
    /// Orders of a test at most; beyond it, a sample.
    pub orders: usize,
    /// What the sample, and the delays of free runs, are drawn from.
    pub seed: u64,
    /// Runs in which nothing is forced; 0: none.
    pub free: u32,
    /// What may be touched.
    pub reach: Reach,
    /// The kernel of the model; orders do not depend on it.
    pub profile: String,
    /// Seconds after which no run begins.
    pub seconds: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            runs: 3,
            orders: 60,
            seed: 1,
            free: 0,
            reach: Reach::Own,
            profile: "v6.12".into(),
            seconds: 600,
        }
    }
}

/// What a test showed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TestResult {
    /// The test.
    pub name: String,
    /// Why it did not run.
    pub skipped: Option<String>,
    /// The time was over before it ran, or before all of its runs did.
    pub late: bool,
    /// What stood in for what.
    pub notes: Vec<String>,
    /// The test as it ran.
    pub ran: String,
    /// Orders that were forced.
    pub orders: usize,
    /// Were there more?
    pub sampled: bool,
    /// What directed runs showed, and how often.
    pub traces: Vec<(Trace, u32)>,
    /// The final states of free runs, and how often.
    pub free: Vec<(Vec<Option<u8>>, u32)>,
    /// Why runs gave no result, and how often.
    pub no_result: Vec<(String, u32)>,
}

impl TestResult {
    /// Did it give nothing at all, not even a run without a result?
    pub fn is_empty(&self) -> bool {
        self.traces.is_empty() && self.free.is_empty() && self.no_result.is_empty()
    }
}

/// What a run would touch, a line each: for `--dry-run`.
pub fn touches(machine: &Machine, options: &Options) -> Vec<String> {
    let mut lines = vec![
        "processes of its own, in a PID namespace that ends with them".into(),
        format!(
            "a folder {}/cowherd-PID, removed at the end",
            std::env::temp_dir().display()
        ),
        "FUSE mounts in that folder, in a mount namespace that nobody else sees".into(),
        format!(
            "no run begins after {} s; no process may take more than {} MiB of memory, and few need 20",
            options.seconds,
            MEMORY >> 20
        ),
    ];
    for swap in &machine.own_swap {
        lines.push(match swap.synchronous {
            true => "a zram device of its own, 64 MiB, swapped on with the highest priority, and off at the end".into(),
            false => format!(
                "a swap file of its own in {}, 64 MiB, swapped on with the highest priority, and off at the end",
                std::env::temp_dir().display()
            ),
        });
    }
    if options.reach == Reach::System {
        lines.push("/proc/sys/vm/page-cluster: 0 while tests run, then what it was".into());
    }
    if machine.nbd {
        lines.push("up to four nbd devices that nobody uses, let go of at the end".into());
    }
    if machine.ksm {
        lines.push("/sys/kernel/mm/ksm/{run,pages_to_scan,sleep_millisecs,smart_scan}, then what they were".into());
    }
    lines
}
