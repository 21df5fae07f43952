//! `cowherd vm`

use cowherd_probe::init::Source;
use cowherd_probe::live;
use cowherd_probe::vm::console::Severity;
use cowherd_probe::vm::{self, Guest, Outcome, Session, SessionEnd};

use crate::cli::{self, Vm};
use crate::exit::{Exit, Failure};
use crate::input::{self, Loaded};
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
    if args.shell {
        guest.shell().map_err(Failure::Machine)?;
        return Ok(Exit::Fine);
    }
    let mut accelerator = vm::first_choice();
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
        &live::Options {
            reach: live::Reach::System,
            profile: "v6.12".into(),
            ..live::Options::default()
        },
        &mut |e| {
            use std::time::*;
            eprintln!(
                "{:.1} {e:?}",
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap()
                    .as_secs_f64()
                    % 10000.0
            )
        },
        &STOP,
    )
    .map_err(Failure::Machine)?;
    terminal::print(&text(&tests, &session))?;
    Ok(exit(&session))
}

/// The machine that the command line describes.
pub fn machine(args: &cli::Machine) -> vm::Machine {
    vm::Machine {
        memory: u32::try_from(args.memory >> 20).unwrap_or(u32::MAX),
        cpus: args.cpus,
        append: args.append.clone(),
    }
}

fn text(tests: &[Loaded], session: &Session) -> String {
    let mut text = String::new();
    if let SessionEnd::NoKernel(why) = &session.end {
        text.push_str(&format!("no kernel came up: {why}\n"));
    }
    for (test, outcome) in tests.iter().zip(&session.outcomes) {
        let name = &test.test.name;
        text.push_str(&match outcome {
            Outcome::Ran {
                result, complaint, ..
            } => format!(
                "{name}: {:?} {:?} {} {:?} {complaint:?}\n",
                result.skipped,
                result.notes,
                result.traces.len(),
                result.no_result
            ),
            Outcome::Died {
                how,
                complaint,
                console,
            } => format!(
                "{name}: {how}\n{}\n",
                complaint.as_ref().map_or(console, |c| &c.text)
            ),
            Outcome::NotRun => format!("{name}: not run\n"),
        });
    }
    text
}

fn exit(session: &Session) -> Exit {
    match session.end {
        SessionEnd::NoKernel(_) => return Exit::NothingRan,
        SessionEnd::Interrupted => return Exit::Undetermined,
        SessionEnd::Complete => {}
    }
    let broken = |outcome: &Outcome| match outcome {
        Outcome::Ran { complaint, .. } | Outcome::Died { complaint, .. } => complaint
            .as_ref()
            .is_some_and(|c| c.severity == Severity::Broken),
        Outcome::NotRun => false,
    };
    if session.outcomes.iter().any(broken) {
        Exit::Differs
    } else if session
        .outcomes
        .iter()
        .any(|o| matches!(o, Outcome::Died { .. }))
    {
        Exit::Undetermined
    } else {
        Exit::Fine
    }
}
