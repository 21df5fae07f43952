//! One file a command.

mod bless;
mod check;
mod detect;
mod emit;
mod explain;
mod features;
mod fmt;
mod graph;
mod kernels;
mod list;
mod print;
mod replay;
mod why_not;

use crate::cli::Command;
use crate::exit::{Exit, Failure};

/// Does what the command line says.
pub fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Check(args) => check::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::List(args) => list::run(&args),
        Command::Kernels(args) => kernels::run(&args),
        Command::Features(args) => features::run(&args),
        Command::Detect(args) => detect::run(&args),
        Command::Emit(args) => emit::run(&args),
        Command::Completions(args) => print::completions(&args),
        Command::Man(args) => print::man(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Bless(args) => bless::run(&args),
        Command::Fmt(args) => fmt::run(&args),
    }
}
