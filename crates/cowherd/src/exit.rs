//! Exit codes, the same for every command.

use std::io;
use std::process::ExitCode;

/// What the exit code says. A panic, which is a bug in cowherd, ends with 101.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Every expectation was met; or there was none, and the question was answered.
    Fine = 0,
    /// A verdict differs from what was expected, or a file is not as it should be (`fmt --check`, `bless --check`).
    Differs = 1,
    /// The command line, a test or a profile is wrong.
    BadInput = 2,
    /// A limit or Ctrl-C ended a search before the answer was known.
    Undetermined = 3,
    /// Nothing ran, or this machine cannot do it.
    NothingRan = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command could not do its work. Bugs panic instead.
#[derive(Debug)]
pub enum Failure {
    /// What the user gave is wrong.
    Input(String),
    /// The same, and the user knows: diagnostics were printed.
    Told(Exit),
    /// Something outside of cowherd failed.
    Machine(String),
    /// Nobody reads any more.
    PipeClosed,
}

impl Failure {
    /// A file or folder could not be read or written.
    pub fn file(path: &std::path::Path, error: &io::Error) -> Failure {
        Failure::Input(format!("{}: {error}", path.display()))
    }
}

impl From<io::Error> for Failure {
    /// Of standard output.
    fn from(error: io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Failure::PipeClosed
        } else {
            Failure::Machine(format!("standard output: {error}"))
        }
    }
}
