//! `cowherd vm`

use std::path::Path;

use cowherd_litmus::ast::Test;
use cowherd_model::kernels::Profile;
use cowherd_probe::init::Source;
use cowherd_probe::live::judge::Verdict;
use cowherd_probe::live::machine::Swap;
use cowherd_probe::live::plan::plan;
use cowherd_probe::live::{Machine, Options, Reach, ktap, release};
use cowherd_probe::vm::console::Severity;
use cowherd_probe::vm::held::{self, Held, Tested};
use cowherd_probe::vm::{self, Accelerator, Event, Guest, Session, SessionEnd, table};

use crate::cli::{self, Vm};
use crate::commands::random::{self, Ground};
use crate::exit::{Exit, Failure};
use crate::input::{self, Loaded};
use crate::terminal::{self, Meter, STOP};

pub fn run(args: &Vm) -> Result<Exit, Failure> {
    let corpus = input::corpus(args.from.corpus.as_deref())?;
    let tests = input::load(&input::entries(&args.tests, &corpus)?)?;
    if tests.is_empty() {
        return Ok(Exit::NothingRan);
    }
    let guest = open(&args.kernel, args.modules.as_deref(), &args.machine)?;
    if args.shell {
        guest.shell().map_err(Failure::Machine)?;
        return Ok(Exit::Fine);
    }
    terminal::catch_interrupts();
    let (profile, why) = profile(&guest, args.profile.as_deref())?;
    let options = options(&args.runs, &profile);
    let mut accelerator = vm::first_choice();
    if let Some(programs) = args.random {
        let ground = Ground {
            machine: vm::look(&guest, &mut accelerator, &STOP)
                .map_err(Failure::Machine)?
                .machine,
            profile: profile.clone(),
            run: &mut |tests, options| {
                let tests: Vec<Source> = tests.iter().map(source_of).collect();
                let session = boot(&guest, &mut accelerator, &tests, options)?;
                Ok(held::hold(&session, &profile, options))
            },
        };
        return random::run(programs, &options, ground);
    }
    let sources: Vec<Source> = tests.iter().map(source).collect();
    let session = boot(&guest, &mut accelerator, &sources, &options)?;
    let held = hold(&guest, &session, &tests, &profile, why, &options);
    if let (Some(fault), None) = (&held.fault, &session.hello) {
        return Err(Failure::Machine(fault.clone()));
    }
    let mut about = vec![format!(
        "{}, held against {} ({})",
        held.release, held.profile, held.why
    )];
    about.extend(held.notes.iter().cloned());
    let fault = held.fault.iter().flat_map(|fault| fault.lines());
    about.extend(fault.map(String::from));
    let mut text = ktap::head(tests.len(), &about);
    for (n, (tested, test)) in held.tests.iter().zip(&tests).enumerate() {
        text.push_str(&tested.ktap(n + 1, &test.title));
    }
    text.push_str(&format!("# {}\n", table::counts(&held.tests)));
    terminal::print(&text)?;
    Ok(exit(&held.tests))
}

/// A test of the corpus, for a guest.
pub fn source(test: &Loaded) -> Source {
    Source {
        name: test.title.clone(),
        text: test.text.clone(),
    }
}

/// A test that stands in no file, for a guest.
fn source_of(test: &Test) -> Source {
    Source {
        name: test.name.clone(),
        text: test.to_string(),
    }
}

/// The guest that the command line describes.
pub fn open(
    kernel: &Path,
    modules: Option<&Path>,
    machine: &cli::Machine,
) -> Result<Guest, Failure> {
    let parts = vm::Machine {
        memory: u32::try_from(machine.memory >> 20).unwrap_or(u32::MAX),
        cpus: machine.cpus,
        append: machine.append.clone(),
    };
    Guest::open(kernel, modules, parts, machine.timeout).map_err(Failure::Input)
}

/// The kernel of the model that a guest is held against, and why this one.
pub fn profile(guest: &Guest, word: Option<&str>) -> Result<(Profile, String), Failure> {
    if let Some(word) = word {
        return Ok((input::profile(word)?, "-k".into()));
    }
    let image = &guest.image;
    let mapped = release::profile(&image.release, &image.version, "x86_64").ok_or_else(|| {
        Failure::Input(format!(
            "no kernel of the model is like {} ({}); say which with -k",
            guest.kernel,
            if image.release.is_empty() {
                "it does not tell its release"
            } else {
                &image.release
            }
        ))
    })?;
    Ok((input::profile(&mapped.profile)?, mapped.why))
}

/// How tests run in a guest: everything there is cowherd's.
pub fn options(runs: &cli::Runs, profile: &Profile) -> Options {
    Options {
        runs: runs.runs,
        orders: runs.orders,
        free: runs.free,
        seed: runs.seed,
        reach: Reach::System,
        profile: profile.name.clone(),
        // The guest has a limit for each test instead.
        seconds: u64::from(u32::MAX),
    }
}

/// Runs tests in the guest.
pub fn boot(
    guest: &Guest,
    accelerator: &mut Accelerator,
    tests: &[Source],
    options: &Options,
) -> Result<Session, Failure> {
    let meter = Meter::new(tests.len());
    let mut watch = |event: Event| match event {
        Event::Boot(accelerator) => {
            meter.long(&format!(
                "{} boots with {}",
                guest.kernel,
                accelerator.name()
            ));
        }
        Event::Begin(test) => meter.done(&format!("{} in {}", tests[test].name, guest.kernel)),
    };
    vm::run(guest, accelerator, tests, options, &mut watch, &STOP).map_err(Failure::Machine)
}

/// Holds what the guest gave against the model.
pub fn hold(
    guest: &Guest,
    session: &Session,
    tests: &[Loaded],
    profile: &Profile,
    why: String,
    options: &Options,
) -> Held {
    let meter = Meter::new(1);
    meter.long(&format!("what was seen is held against {}", profile.name));
    let mut held = held::hold(session, profile, options);
    for (tested, test) in held.iter_mut().zip(tests) {
        tested.call(&test.title);
        if let (Tested::Judged { judged, .. }, Some(hello)) = (tested, &session.hello)
            && !guest.has_folder
            && let Some(reason) = &mut judged.reason
            && wants_modules(&test.test, &hello.machine)
        {
            reason.push_str("; the guest has no modules: --modules DIR");
        }
    }
    let (release, version) = match &session.hello {
        Some(hello) => (hello.release.clone(), hello.version.clone()),
        None => (guest.image.release.clone(), guest.image.version.clone()),
    };
    Held {
        name: release.clone(),
        release,
        version,
        profile: profile.name.clone(),
        why,
        notes: held::notes(session),
        fault: match &session.end {
            SessionEnd::NoKernel(why) => Some(format!("no kernel came up: {why}")),
            _ => None,
        },
        tests: held,
    }
}

/// Could the test run if the modules were there that tests use?
fn wants_modules(test: &Test, machine: &Machine) -> bool {
    let with = Machine {
        fuse: true,
        nbd: true,
        own_swap: vec![Swap::ZRAM, Swap::LOOP],
        ..machine.clone()
    };
    plan(test, machine).is_err() && plan(test, &with).is_ok()
}

/// What the model forbids and a kernel did decides, or a bug that a kernel found in itself; then what was not seen to its end; then whether anything ran.
pub fn exit<'a>(tests: impl IntoIterator<Item = &'a Tested>) -> Exit {
    let tests: Vec<&Tested> = tests.into_iter().collect();
    let all = || tests.iter().copied();
    let wrong = |tested: &Tested| {
        let broken = tested
            .complaint()
            .is_some_and(|c| c.severity == Severity::Broken);
        broken || tested.verdict() == Some(Verdict::Unsound)
    };
    let undetermined = |tested: &Tested| match tested {
        Tested::Judged { judged, .. } => {
            judged.unfollowed > 0 || judged.verdict == Verdict::NoResult
        }
        Tested::Died { .. } | Tested::NotRun => true,
    };
    let idle = |tested: &Tested| tested.verdict() == Some(Verdict::Skipped);
    if all().any(wrong) {
        Exit::Differs
    } else if all().any(undetermined) {
        Exit::Undetermined
    } else if all().all(idle) {
        Exit::NothingRan
    } else {
        Exit::Fine
    }
}
