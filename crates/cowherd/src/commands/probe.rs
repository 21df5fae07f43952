//! `cowherd probe`

use std::sync::atomic::Ordering;
use std::time::Instant;

use cowherd_litmus::ast::Test;
use cowherd_model::kernels::Profile;
use cowherd_probe::live::judge::{self, Judged, Verdict};
use cowherd_probe::live::machine::{Machine, root};
use cowherd_probe::live::plan::plan;
use cowherd_probe::live::{self, Options, Reach, ktap, release};
use cowherd_probe::vm::held::Tested;
use cowherd_report::style::{WIDTH, wrap};

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
    let reach = reach(args.system)?;
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
    if args.dry_run {
        return dry_run(args, &loaded, &machine, &options, &about);
    }
    terminal::catch_interrupts();
    if let Some(programs) = args.random {
        let begun = Instant::now();
        let ground = Ground {
            machine,
            profile: profile.clone(),
            run: &mut |tests, options| {
                // What is run again has what is left of the time.
                let seconds = args.seconds.saturating_sub(begun.elapsed().as_secs());
                let options = Options {
                    seconds,
                    ..options.clone()
                };
                hold(tests, &profile, &options)
            },
        };
        return random::run(programs, &options, ground);
    }
    if args.format == ProbeFormat::Ktap {
        terminal::print(&ktap::head(tests.len(), std::slice::from_ref(&about)))?;
    }
    let mut all: Vec<Judged> = Vec::new();
    let mut left: Vec<&str> = Vec::new();
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
            // What nobody can read need not run.
            STOP.fetch_or(closed.is_some(), Ordering::Relaxed);
        }
        if result.late {
            left.extend(tests.get(all.len()).map(|t| t.name.as_str()));
        }
        all.push(judged);
    });
    if let Some(failure) = closed {
        return Err(failure.into());
    }
    ran.map_err(|e| Failure::Machine(e.to_string()))?;
    left.extend(tests.iter().skip(all.len()).map(|t| t.name.as_str()));
    let told = match args.format {
        ProbeFormat::Json => {
            let document = serde_json::json!({
                "kernel": machine.release,
                "profile": profile.name,
                "tests": all,
                "left": left,
            });
            format!("{document:#}\n")
        }
        ProbeFormat::Ktap => {
            let lines = [summary(&all), not_to_the_end(&left)].join("\n");
            lines.lines().map(|line| format!("# {line}\n")).collect()
        }
        ProbeFormat::Text => format!("{about}: {}\n{}", summary(&all), not_to_the_end(&left)),
    };
    terminal::print(&told)?;
    Ok(exit(&all, &left))
}

/// What may be touched. Who asks for more than he may have is told, and does not get less without a word.
pub fn reach(system: bool) -> Result<Reach, Failure> {
    match (system, root()) {
        (false, _) => Ok(Reach::Own),
        (true, true) => Ok(Reach::System),
        (true, false) => Err(Failure::Machine("--system is for root".into())),
    }
}

/// Runs tests on this machine's kernel, and holds each against the model. Those that did not run to their end, for want of time or by Ctrl-C, are not run.
pub fn hold(tests: &[Test], profile: &Profile, options: &Options) -> Result<Vec<Tested>, Failure> {
    let mut held = vec![Tested::NotRun; tests.len()];
    let mut next = held.iter_mut();
    live::run_all(tests, options, &STOP, |result| {
        if let Some(place) = next.next()
            && !result.late
        {
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
    args: &Probe,
    tests: &[Loaded],
    machine: &Machine,
    options: &Options,
    about: &str,
) -> Result<Exit, Failure> {
    let mut out = format!("{about}\n\nWould be touched:\n");
    for line in live::touches(machine, options) {
        out.push_str(&format!("  {line}\n"));
    }
    if let Some(programs) = args.random {
        let text = format!(
            "\n{programs} random programs of seed {} would run.\n",
            args.seed
        );
        terminal::print(&(out + &text))?;
        return Ok(Exit::Fine);
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

/// The tests that did not run, or not to their end, for want of time or by Ctrl-C.
fn not_to_the_end(left: &[&str]) -> String {
    if left.is_empty() {
        return String::new();
    }
    let text = format!("not run to the end: {}", left.join(", "));
    wrap(&text, WIDTH - 2, 4) + "\n"
}

/// What the model forbids and the machine did decides; then what was not seen to its end; then whether anything ran.
fn exit(all: &[Judged], left: &[&str]) -> Exit {
    let undetermined = |j: &Judged| j.unfollowed > 0 || j.verdict == Verdict::NoResult;
    if all.iter().any(|j| j.verdict == Verdict::Unsound) {
        Exit::Differs
    } else if !left.is_empty() || all.iter().any(undetermined) {
        Exit::Undetermined
    } else if all.iter().all(|j| j.verdict == Verdict::Skipped) {
        Exit::NothingRan
    } else {
        Exit::Fine
    }
}

#[cfg(test)]
mod tests {
    use cowherd_model::kernels::Kernels;
    use cowherd_probe::live::TestResult;

    use super::*;
    use crate::commands::vm;

    fn judged(verdict: Verdict) -> Judged {
        let profile = Kernels::shipped().profile("v6.12").expect("a kernel");
        let result = TestResult {
            skipped: Some(String::new()),
            ..TestResult::default()
        };
        let judged = judge::judge(&result, &profile.profile, &Options::default());
        Judged { verdict, ..judged }
    }

    #[test]
    fn a_test_without_a_result_or_without_its_time_leaves_the_answer_open() {
        use Verdict::{NoResult, Skipped, Sound, Unsound};
        let here = |verdicts: &[Verdict], left: &[&str]| {
            let all: Vec<Judged> = verdicts.iter().map(|v| judged(*v)).collect();
            exit(&all, left)
        };
        assert_eq!(here(&[Sound, NoResult], &[]), Exit::Undetermined);
        assert_eq!(here(&[NoResult], &[]), Exit::Undetermined);
        assert_eq!(here(&[Sound], &["late"]), Exit::Undetermined);
        assert_eq!(here(&[NoResult, Unsound], &["late"]), Exit::Differs);
        assert_eq!(here(&[Sound, Skipped], &[]), Exit::Fine);
        assert_eq!(here(&[Skipped], &[]), Exit::NothingRan);
        let there = |verdict| vm::exit(&[Tested::judged(judged(verdict))]);
        assert_eq!(there(NoResult), Exit::Undetermined);
        assert_eq!(there(Skipped), Exit::NothingRan);
    }
}
