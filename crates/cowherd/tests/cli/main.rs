//! The program as a user runs it: what it writes, and its exit codes. Nothing here depends on how long something takes, nor on
//! how many states a search has.

mod checkpoint;
#[cfg(feature = "cluster")]
mod cluster;
mod corpus;
mod diff;
mod exit_codes;
mod explain;
mod formats;
mod interrupt;
mod simulate;
mod tools;
mod verify;

use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

/// A test that nobody has seen before: Never, on every kernel.
const SMALL: &str = "\
MM small

(*
 * Result: Never
 *)

{
    anon x = 1;
}

P0 in A { x = 2; }

exists (x=1)
";

/// One that no search gets to the end of.
const ENDLESS: &str = "\
MM endless

{
    anon x[2] = { 0, 0 };
    anon y[2] = { 0, 0 };
    file f on nfs = { 7, 8 };
    swap async;
}

P0 in A { pread(f, x, O_DIRECT); fork(B) { x = 1; y = 2; } y = 3; }
P1 in A { x[1] = 1; y[1] = 1; r0 = x[0]; }
P2 in A { madvise(y, MADV_PAGEOUT); x[0] = 3; }

kernel*2 { reclaim(x); reclaim(y); }

exists (x[0]=0 /\\ y[1]=0 /\\ P1:r0=3)
";

/// cowherd, about to run in an empty folder, where there is no checkout around it.
struct Cowherd {
    folder: TempDir,
}

impl Cowherd {
    fn new() -> Cowherd {
        Cowherd {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The folder with one more file.
    fn with(self, name: &str, text: &str) -> Cowherd {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn command(&self) -> Command {
        let mut command = Command::cargo_bin("cowherd").unwrap();
        command
            .current_dir(self.folder.path())
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE");
        command
    }

    /// Runs it with these arguments, split at spaces.
    fn run(&self, arguments: &str) -> Ran {
        Ran::of(self.command().args(arguments.split(' ')).output().unwrap())
    }
}

/// What a run came to.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: Output) -> Ran {
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The exit code is this; else everything that was written is shown.
    #[track_caller]
    fn ends(self, code: i32) -> Ran {
        let (out, err) = (&self.out, &self.err);
        assert_eq!(self.code, Some(code), "\n{out}\n{err}");
        self
    }

    /// Standard output has this.
    #[track_caller]
    fn says(self, text: &str) -> Ran {
        assert!(self.out.contains(text), "no {text:?} in\n{}", self.out);
        self
    }

    /// Standard error has this.
    #[track_caller]
    fn complains(self, text: &str) -> Ran {
        assert!(self.err.contains(text), "no {text:?} in\n{}", self.err);
        self
    }
}
