//! cowherd: litmus tests for Linux anonymous memory.
//!
//! `main` maps what a command came to, to an exit code. A closed pipe is no error: somebody has read enough.

#![forbid(unsafe_code)]

mod batch;
mod cli;
mod commands;
mod coverage;
mod exit;
mod find;
mod input;
mod large;
mod serve;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::exit::{Exit, Failure};

fn main() -> ExitCode {
    if cowherd_probe::init::wanted() {
        cowherd_probe::init::main();
    }
    let cli = cli::Cli::parse();
    terminal::colour(cli.color);
    match commands::run(cli.command) {
        Ok(exit) => exit.into(),
        Err(Failure::PipeClosed) => Exit::Fine.into(),
        Err(Failure::Told(exit)) => exit.into(),
        Err(Failure::Input(message)) => {
            terminal::complain(&message);
            Exit::BadInput.into()
        }
        Err(Failure::Machine(message)) => {
            terminal::complain(&message);
            Exit::NothingRan.into()
        }
    }
}
