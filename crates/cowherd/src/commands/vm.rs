//! `cowherd vm`

use cowherd_probe::init::Source;
use cowherd_probe::live;
use cowherd_probe::vm::{self, Guest, Outcome};

use crate::cli::{self, Vm};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::terminal::{self, STOP};

pub fn run(args: &Vm) -> Result<Exit, Failure> {
    let corpus = input::corpus(args.from.corpus.as_deref())?;
    let tests = input::load(&input::entries(&args.tests, &corpus)?)?;
    let guest = Guest::open(
        &args.kernel,
        args.modules.as_deref(),
        machine(&args.machine),
        args.machine.timeout,
    )
    .map_err(Failure::Input)?;
    let mut accelerator = vm::first_choice();
    if args.shell {
        guest.shell(accelerator).map_err(Failure::Machine)?;
        return Ok(Exit::Fine);
    }
    terminal::catch_interrupts();
    let sources: Vec<Source> = tests
        .iter()
        .map(|test| Source {
            name: test.source.clone(),
            text: test.text.clone(),
        })
        .collect();
    let session = vm::run(
        &guest,
        &mut accelerator,
        &sources,
        &live::Options::default(),
        &mut |_| {},
        &STOP,
    )
    .map_err(Failure::Machine)?;
    println!("{session:#?}");
    Ok(Exit::Fine)
}

/// The machine that the command line describes.
pub fn machine(args: &cli::Machine) -> vm::Machine {
    vm::Machine {
        memory: u32::try_from(args.memory >> 20).unwrap_or(u32::MAX),
        cpus: args.cpus,
        append: args.append.clone(),
    }
}
