//! `cowherd detect`, of the running kernel or of an image: by its release and by what it does

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use cowherd_litmus::ast::Test;
use cowherd_model::kernels::{Arch, Kernels, Profile};
use cowherd_probe::detect::behaviour::{Behaviour, behaviour};
use cowherd_probe::detect::release::{self, Banner, Mapped};
use cowherd_probe::detect::{image, running};
use cowherd_probe::init::Source;
use cowherd_probe::live::{self, Options, Reach, TestResult};
use cowherd_probe::vm::{self, Outcome, SessionEnd};
use cowherd_report::style::{BOLD, DIM, GOOD, NAME, WARN, WIDTH, paint, plural, wrap};
use serde_json::json;

use crate::cli::Detect;
use crate::commands::detect::arch;
use crate::commands::list::pretty;
use crate::commands::probe::reach;
use crate::commands::vm::{boot, open, source};
use crate::exit::{Exit, Failure};
use crate::input::{self, Loaded};
use crate::terminal::{self, Meter};

/// Orders of a test at most: enough to tell, and quick.
const ORDERS: usize = 12;

pub fn run(args: &Detect) -> Result<Exit, Failure> {
    let (banner, arch) = match &args.kernel {
        Some(path) => (of_image(path)?, arch(args, None)?),
        None => (running::banner(), arch(args, Some(std::env::consts::ARCH))?),
    };
    let kernels = Kernels::shipped();
    let Some(mapped) = release::map(kernels, &banner, &arch) else {
        return Err(Failure::Input(format!(
            "`{}` names no release of Linux; `cowherd detect --source` looks into its source",
            banner.release
        )));
    };
    let composed = mapped.expression.as_ref();
    let composed = composed.map_err(|error| Failure::Input(error.to_string()))?;
    let thought = &composed.profile;
    let behaves = if args.by_release {
        Err("not asked for".into())
    } else {
        match results(args, thought) {
            Ok(results) => Ok(behaviour(kernels, thought, &results)),
            Err(Failure::Machine(why)) => Err(why),
            Err(failure) => return Err(failure),
        }
    };
    let name = match &behaves {
        Ok(behaves) => &behaves.profile.name,
        Err(_) => &thought.name,
    };
    let text = if args.json {
        pretty(&as_json(&mapped, &arch, name, &behaves))?
    } else if args.brief {
        format!("{name}\n")
    } else {
        let mut text = by_release(&mapped, &arch);
        match &behaves {
            Ok(behaves) => text.push_str(&by_behaviour(behaves, thought)),
            Err(_) if args.by_release => {}
            Err(why) => {
                let why = format!("What it does was not looked at: {why}.");
                let _ = writeln!(text, "{}", paint(WARN, wrap(&why, WIDTH, 0)));
            }
        }
        if terminal::stopped() {
            let why = "Interrupted: not all tests ran.";
            let _ = writeln!(text, "{}", paint(WARN, why));
        }
        let _ = writeln!(text, "As a profile: -k {}", paint(BOLD, name));
        text
    };
    terminal::print(&text)?;
    let told = behaves.is_ok_and(|b| b.unexplained.is_empty()) && !terminal::stopped();
    Ok(if told || args.by_release {
        Exit::Fine
    } else {
        Exit::Undetermined
    })
}

fn of_image(path: &Path) -> Result<Banner, Failure> {
    let banner = image::banner(path).map_err(|e| Failure::file(path, &e))?;
    banner.ok_or_else(|| {
        Failure::Input(format!(
            "{}: no kernel image, or one that is compressed whole and so does not tell its release",
            path.display()
        ))
    })
}

/// What the tests of the corpus show on it, those of them that run there.
fn results(args: &Detect, thought: &Profile) -> Result<Vec<TestResult>, Failure> {
    let corpus = input::corpus(None)?;
    let tests = input::load(&input::entries(&[], &corpus)?)?;
    let options = Options {
        runs: 1,
        orders: ORDERS,
        reach: match args.kernel {
            Some(_) => Reach::System,
            None => reach(args.system)?,
        },
        profile: thought.name.clone(),
        ..Options::default()
    };
    match &args.kernel {
        Some(path) => in_a_guest(args, path, &tests, options),
        None => here(&tests, &options),
    }
}

fn here(tests: &[Loaded], options: &Options) -> Result<Vec<TestResult>, Failure> {
    terminal::catch_interrupts();
    let tests: Vec<Test> = tests.iter().map(|l| (*l.test).clone()).collect();
    let meter = Meter::new(tests.len());
    let mut results = Vec::new();
    live::run_all(&tests, options, &terminal::STOP, |result| {
        meter.done(&result.name);
        results.push(result);
    })
    .map_err(|e| Failure::Machine(e.to_string()))?;
    Ok(results)
}

fn in_a_guest(
    args: &Detect,
    path: &Path,
    tests: &[Loaded],
    options: Options,
) -> Result<Vec<TestResult>, Failure> {
    let guest = open(path, args.modules.as_deref(), &args.machine)?;
    terminal::catch_interrupts();
    let tests: Vec<Source> = tests.iter().map(source).collect();
    let options = Options {
        // The guest has a limit for each test instead.
        seconds: u64::from(u32::MAX),
        ..options
    };
    let session = boot(&guest, &mut vm::first_choice(), &tests, &options)?;
    match session.end {
        SessionEnd::Complete => {}
        SessionEnd::Interrupted => return Err(Failure::Machine("interrupted".into())),
        SessionEnd::NoKernel(why) => return Err(Failure::Machine(why)),
    }
    let ran = session.outcomes.into_iter().filter_map(|o| match o {
        Outcome::Ran { result, .. } => Some(result),
        Outcome::Died { .. } | Outcome::NotRun => None,
    });
    Ok(ran.collect())
}

fn by_release(mapped: &Mapped, arch: &Arch) -> String {
    let release = format!(
        "Linux {} on {}, by {}.",
        mapped.release, arch.name, mapped.from
    );
    let mut out = format!("{}\n", wrap(&release, WIDTH, 0));
    for doubt in &mapped.doubts {
        let doubt = wrap(&format!("Not certain: {doubt}."), WIDTH, 0);
        let _ = writeln!(out, "{}", paint(WARN, doubt));
    }
    out
}

fn by_behaviour(behaves: &Behaviour, thought: &Profile) -> String {
    let mut out = String::new();
    let ran = plural(behaves.ran, "test");
    let decided = format!(
        "By what it does: {ran} ran and decided {}.",
        plural(behaves.shown.len(), "feature")
    );
    let _ = writeln!(out, "{}\n", wrap(&decided, WIDTH, 0));
    for shown in &behaves.shown {
        let (style, word) = match shown.present {
            true => (GOOD, "present"),
            false => (DIM, "absent"),
        };
        let _ = writeln!(
            out,
            "  {}  {}  {}",
            paint(NAME, format!("{:<24}", shown.feature.name())),
            paint(style, format!("{word:<11}")),
            shown.test
        );
    }
    out.push('\n');
    for changed in &behaves.changed {
        let sign = if behaves.profile.has(changed.feature) {
            "with"
        } else {
            "without"
        };
        let mut text = format!(
            "Not as {}: {sign} {}, by {}",
            thought.name,
            changed.feature.name(),
            changed.tests.join(", ")
        );
        if !changed.or.is_empty() {
            let or: Vec<&str> = changed.or.iter().map(|f| f.name()).collect();
            let _ = write!(text, "; it might as well be {}", or.join(" or "));
        }
        let _ = writeln!(out, "{}", paint(WARN, wrap(&text, WIDTH, 2)));
    }
    if !behaves.unexplained.is_empty() {
        let text = format!(
            "What these showed is not allowed here, and no change of one feature allows more than it forbids: {}. See `cowherd probe` or `cowherd vm` on them.",
            behaves.unexplained.join(", ")
        );
        let _ = writeln!(out, "{}", paint(WARN, wrap(&text, WIDTH, 0)));
    }
    if !behaves.open.is_empty() {
        let open: Vec<&str> = behaves.open.iter().map(|f| f.name()).collect();
        let text = format!(
            "Asked about, but decided by no order of whole calls that ran, so taken from the release: {}.",
            open.join(", ")
        );
        let _ = writeln!(out, "{}", paint(DIM, wrap(&text, WIDTH, 2)));
    }
    out
}

fn as_json(
    mapped: &Mapped,
    arch: &Arc<Arch>,
    name: &str,
    behaves: &Result<Behaviour, String>,
) -> serde_json::Value {
    let behaviour = match behaves {
        Err(why) => json!({ "not_looked_at": why }),
        Ok(b) => json!({
            "ran": b.ran,
            "shown": b.shown.iter().map(|s| json!({
                "name": s.feature.name(),
                "present": s.present,
                "test": s.test,
            })).collect::<Vec<_>>(),
            "changed": b.changed.iter().map(|c| json!({
                "name": c.feature.name(),
                "present": b.profile.has(c.feature),
                "or": c.or.iter().map(|f| f.name()).collect::<Vec<_>>(),
                "tests": c.tests,
            })).collect::<Vec<_>>(),
            "open": b.open.iter().map(|f| f.name()).collect::<Vec<_>>(),
            "unexplained": b.unexplained,
        }),
    };
    json!({
        "schema": cowherd_report::json::SCHEMA,
        "version": mapped.release.to_string(),
        "arch": arch.name,
        "from": mapped.from,
        "profile": name,
        "doubts": mapped.doubts,
        "behaviour": behaviour,
    })
}
