//! cowherd as `/init` of a virtual machine.
//!
//! What a test finds there: it is root, and alone. `/proc`, `/sys`, `/dev`, `/tmp`, debugfs, tracefs and cgroup2 are mounted; the modules of
//! [`WANTED`](crate::vm::WANTED) are loaded as far as the kernel has them; there are two NUMA nodes. No swap area is on, and no setting of mm/ was
//! changed.
//!
//! The tests run in a process below init, so that one that dies does not take init along. After a test that died or did not end, the guest ends too:
//! what the test leaves behind would be in the way of the next, which runs in a new boot.

mod line;
mod mounts;
mod run;
mod shell;

use std::path::Path;

use nix::sys::reboot::{RebootMode, reboot};
use serde::{Deserialize, Serialize};

use crate::frame::{Hello, Message};
use crate::live::{self, Machine};
use line::Line;

/// Where the guest finds what it is to do.
pub const JOB: &str = "/cowherd/job.json";

/// The modules, and a file `order` with their names in the order in which they load.
pub const MODULES: &str = "/cowherd/modules";

/// What a guest is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// The tests.
    pub tests: Vec<Source>,
    /// How to run them.
    pub options: live::Options,
    /// Seconds that one test may take.
    pub limit: u64,
    /// A shell, instead of tests.
    pub shell: bool,
}

/// The text of a test.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Source {
    /// What diagnostics call it.
    pub name: String,
    /// The text.
    pub text: String,
}

/// Is this process the `/init` of such a guest? The first process of a container is not.
pub fn wanted() -> bool {
    std::process::id() == 1 && Path::new(JOB).exists()
}

/// Does the job, and powers the machine off.
pub fn main() -> ! {
    if let Err(why) = work() {
        // Goes to the console. There is no end marker then, and the host sees that.
        eprintln!("cowherd: {why}");
    }
    let Err(why) = reboot(RebootMode::RB_POWER_OFF);
    panic!("the machine cannot be powered off: {why}");
}

fn work() -> Result<(), String> {
    mounts::mount()?;
    let json = std::fs::read(JOB).map_err(|e| format!("{JOB}: {e}"))?;
    let job: Job = serde_json::from_slice(&json).map_err(|e| format!("{JOB}: {e}"))?;
    let notes = mounts::load_modules();
    if job.shell {
        return shell::run(&notes);
    }
    let mut line = Line::open()?;
    let names = nix::sys::utsname::uname().map_err(|e| format!("uname: {e}"))?;
    line.say(&Message::Hello(Hello {
        release: names.release().to_string_lossy().into_owned(),
        version: names.version().to_string_lossy().into_owned(),
        machine: Machine::look(job.options.reach),
    }))?;
    for note in notes {
        line.say(&Message::Note(note))?;
    }
    run::all(&job, &mut line)
}
