//! One file a command.

mod bless;
mod bounds;
mod check;
mod classify;
mod conform;
mod detect;
mod detect_running;
mod diff;
mod emit;
mod explain;
mod features;
mod fmt;
mod graph;
mod kernels;
mod list;
mod print;
mod probe;
mod random;
mod replay;
mod report;
mod serve;
mod simulate;
mod table;
mod verify;
mod vm;
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
        Command::Verify(args) => verify::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Classify(args) => classify::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Probe(args) => probe::run(&args),
        Command::Vm(args) => vm::run(&args),
        Command::Conform(args) => conform::run(&args),
        Command::Bless(args) => bless::run(&args),
        Command::Fmt(args) => fmt::run(&args),
    }
}
