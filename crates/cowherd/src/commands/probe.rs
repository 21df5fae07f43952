//! `cowherd probe`

use cowherd_litmus::ast::Test;
use cowherd_model::kernels::Profile;
use cowherd_probe::live::judge::{self, Judged, Verdict};
use cowherd_probe::live::machine::Machine;
use cowherd_probe::live::plan::plan;
use cowherd_probe::live::{self, Options, Reach, ktap, release};
use cowherd_probe::vm::held::Tested;

use crate::cli::{Probe, ProbeFormat};
use crate::commands::random::{self, Ground};
use crate::exit::{Exit, Failure};
use crate::input::{self, Loaded};
use crate::terminal::{self, STOP};

pub fn run(args: &Probe) -> Result<Exit, Failure> {
    let corpus = input::corpus(args.from.corpus.as_deref())?;
    let loaded = input::load(&input::entries(&args.tests, &corpus)?)?;
    if loaded.is_empty() {
        return Ok(Exit::NothingRan);
    }
    let tests: Vec<Test> = loaded.iter().map(|l| (*l.test).clone()).collect();
    let reach = if args.system {
        Reach::System
    } else {
        Reach::Own
    };
    let machine = Machine::look(reach);
    let (profile, why) = kernel(args.kernel.as_deref(), &machine)?;
    let about = format!(
        "{} {}, held against {} ({why})",
        machine.release, machine.arch, profile.name
    );
    let options = Options {
        runs: args.runs,
        orders: args.orders,
        seed: args.seed,
        free: args.free,
        reach,
        profile: profile.name.clone(),
        seconds: args.seconds,
    };
    if let Some(programs) = args.random {
        terminal::catch_interrupts();
        let ground = Ground {
            machine,
            profile: profile.clone(),
            run: &mut |tests, options| hold(tests, &profile, options),
        };
        return random::run(programs, &options, ground);
    }
    if args.dry_run {
        return dry_run(&loaded, &machine, &options, &about);
    }
    if args.format == ProbeFormat::Ktap {
        terminal::print(&ktap::head(tests.len(), std::slice::from_ref(&about)))?;
    }
    let mut all: Vec<Judged> = Vec::new();
    let mut closed = None;
    let ran = live::run_all(&tests, &options, &STOP, |result| {
        let mut judged = judge::judge(&result, &profile, &options);
        // Results come in the order of the tests.
        if let Some(test) = loaded.get(all.len()) {
            judged.name.clone_from(&test.title);
        }
        let text = match args.format {
            ProbeFormat::Ktap => ktap::line(all.len() + 1, &judged),
            ProbeFormat::Text => text(&judged),
            ProbeFormat::Json => String::new(),
        };
        if closed.is_none() {
            closed = terminal::print(&text).err();
        }
        all.push(judged);
    });
    if let Some(failure) = closed {
        return Err(failure.into());
    }
    ran.map_err(|e| Failure::Machine(e.to_string()))?;
    match args.format {
        ProbeFormat::Json => {
            let document = serde_json::json!({
                "kernel": machine.release,
                "profile": profile.name,
                "tests": all,
            });
            terminal::print(&format!("{document:#}\n"))?;
        }
        ProbeFormat::Ktap => terminal::print(&format!("# {}\n", summary(&all)))?,
        ProbeFormat::Text => terminal::print(&format!("{about}: {}\n", summary(&all)))?,
    }
    Ok(exit(&all))
}

/// Runs tests on this machine's kernel, and holds each against the model.
pub fn hold(tests: &[Test], profile: &Profile, options: &Options) -> Result<Vec<Tested>, Failure> {
    let mut held = vec![Tested::NotRun; tests.len()];
    let mut next = held.iter_mut();
    live::run_all(tests, options, &STOP, |result| {
        if let Some(place) = next.next() {
            *place = Tested::judged(judge::judge(&result, profile, options));
        }
    })
    .map_err(|e| Failure::Machine(e.to_string()))?;
    Ok(held)
}

/// The profile that the running kernel is held against, and how it was found.
pub fn kernel(word: Option<&str>, machine: &Machine) -> Result<(Profile, String), Failure> {
    if let Some(word) = word {
        return Ok((input::profile(word)?, "-k".into()));
    }
    let mapped =
        release::profile(&machine.release, &machine.version, &machine.arch).ok_or_else(|| {
            Failure::Machine(format!(
                "no kernel of the model is like {} on {}; say which with -k",
                machine.release, machine.arch
            ))
        })?;
    Ok((input::profile(&mapped.profile)?, mapped.why))
}

fn dry_run(
    tests: &[Loaded],
    machine: &Machine,
    options: &Options,
    about: &str,
) -> Result<Exit, Failure> {
    let mut out = format!("{about}\n\nWould be touched:\n");
    for line in live::touches(machine, options) {
        out.push_str(&format!("  {line}\n"));
    }
    out.push_str("\nTests:\n");
    let mut runnable = 0;
    for test in tests {
        match plan(&test.test, machine) {
            Ok(plan) => {
                runnable += 1;
                let notes = plan.notes.join("; ");
                out.push_str(&format!(
                    "  {} runs{}{notes}\n",
                    test.title,
                    if notes.is_empty() { "" } else { ": " }
                ));
            }
            Err(why) => out.push_str(&format!("  {} is skipped: {why}\n", test.title)),
        }
    }
    out.push_str(&format!(
        "\n{runnable} of {} tests would run.\n",
        tests.len()
    ));
    terminal::print(&out)?;
    Ok(Exit::Fine)
}

fn text(judged: &Judged) -> String {
    let mut out = format!("{}: {}", judged.name, judged.verdict.word());
    if let (Verdict::Skipped, Some(reason)) = (judged.verdict, &judged.reason) {
        out.push_str(&format!(": {reason}"));
    }
    out.push('\n');
    for line in ktap::details(judged) {
        out.push_str(&format!("    {line}\n"));
    }
    out
}

fn summary(all: &[Judged]) -> String {
    let count = |verdict| all.iter().filter(|j| j.verdict == verdict).count();
    [
        Verdict::Witnessed,
        Verdict::NotWitnessed,
        Verdict::Sound,
        Verdict::Unsound,
        Verdict::NoResult,
        Verdict::Skipped,
    ]
    .map(|verdict| format!("{} {}", count(verdict), verdict.word()))
    .join(", ")
}

/// What the model forbids and the machine did decides; then whether anything ran.
fn exit(all: &[Judged]) -> Exit {
    if all.iter().any(|j| j.verdict == Verdict::Unsound) {
        Exit::Differs
    } else if all
        .iter()
        .all(|j| matches!(j.verdict, Verdict::Skipped | Verdict::NoResult))
    {
        Exit::NothingRan
    } else if all.iter().any(|j| j.unfollowed > 0) {
        Exit::Undetermined
    } else {
        Exit::Fine
    }
}
