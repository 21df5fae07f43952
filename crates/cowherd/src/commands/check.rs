//! `cowherd check`

use cowherd_explore::About;
use cowherd_litmus::Diagnostic;
use cowherd_model::kernels::{Kernels, Profile};
use cowherd_model::lower::Refused;
use cowherd_report::table::{self, Levels};
use cowherd_report::{Checked, Standing, herd, json, junit, matrix};

use crate::batch::{self, Extras, Job};
use crate::cli::{Check, Format};
use crate::commands::list::pretty;
use crate::commands::{explain, graph};
use crate::coverage;
use crate::exit::{Exit, Failure};
use crate::input::{self, Loaded};
use crate::large;
use crate::terminal;

/// Tests of one run that still get a table each; more get a line each.
const FEW: usize = 3;

pub fn run(args: &Check) -> Result<Exit, Failure> {
    let corpus = input::corpus(args.from.corpus.as_deref())?;
    let entries = input::entries(&args.tests, &corpus)?;
    let tests = input::load_or(&entries, |errors| wrong(errors, args.format))?;
    let profiles = input::profiles(&args.on.kernels)?;
    if tests.is_empty() {
        terminal::complain("there is no test to run");
        return Ok(Exit::NothingRan);
    }
    terminal::catch_interrupts();
    if let Some(format) = args.graph {
        let ([test], [profile]) = (tests.as_slice(), profiles.as_slice()) else {
            return Err(Failure::Input(
                "--graph needs one test and one kernel: `cowherd check TEST -k PROFILE --graph dot`"
                    .into(),
            ));
        };
        return graph::run(test, profile, format, &args.search);
    }
    let named = args.on.kernels.is_empty();
    let job = |test| Job {
        test,
        profiles: kernels(test, &profiles, named),
    };
    let jobs: Vec<Job> = tests.iter().map(job).collect();
    let many = tests.len() > FEW;
    let mut extras = Extras {
        livelock: args.livelock,
        coverage: many && args.tests.is_empty() || jobs.iter().all(|job| job.profiles.len() == 1),
        keep: args.large.keep(),
        ..Extras::default()
    };
    let workers = batch::workers(&args.search);
    let checkpoints = args.large.checkpoints(|| about(&jobs, args, extras))?;
    let cluster = args.large.cluster(workers, || about(&jobs, args, extras))?;
    extras.checkpoints = checkpoints.as_ref();
    extras.cluster = cluster.as_ref();
    let checked = batch::run(&jobs, &args.search, extras);
    refusals(&jobs, &checked);
    large::tell(extras.checkpoints);
    large::lost(extras.cluster);
    let whole = args.tests.is_empty() && named && !terminal::stopped();
    match args.format {
        Format::Text if many => {
            terminal::print(&overview(&checked, &profiles))?;
            if whole {
                let coverage = coverage::find(&jobs, &checked, &args.search);
                terminal::print(&format!("\n{}", coverage.text()))?;
            }
        }
        Format::Text => terminal::print(&tables(&checked, args))?,
        Format::Herd => {
            for checked in &checked {
                terminal::print(&format!("{}\n", herd::herd(checked)))?;
            }
        }
        Format::Json => {
            let coverage = whole.then(|| coverage::find(&jobs, &checked, &args.search));
            let document = json::document(&checked, coverage.as_ref());
            let text = serde_json::to_string_pretty(&document)
                .map_err(|e| Failure::Machine(e.to_string()))?;
            terminal::print(&format!("{text}\n"))?;
        }
        Format::Junit => {
            let text = junit::junit(&checked).map_err(|e| Failure::Machine(e.to_string()))?;
            terminal::print(&text)?;
        }
    }
    Ok(exit(&checked))
}

/// Says where a test asks for what the model cannot run; once, not for each kernel.
fn refusals(jobs: &[Job], checked: &[Checked]) {
    for (job, checked) in jobs.iter().zip(checked) {
        let mut told: Vec<&Refused> = Vec::new();
        let refused = checked.rows.iter().filter_map(|row| match &row.result {
            Some(Err(refused)) => Some(refused),
            _ => None,
        });
        for refused in refused {
            if !told.contains(&refused) {
                explain::show_refused(job.test, refused);
                told.push(refused);
            }
        }
    }
}

/// Tests that are none, for a program that reads the results.
fn wrong(errors: &[Diagnostic], format: Format) -> Result<(), Failure> {
    match format {
        Format::Text | Format::Herd => Ok(()),
        Format::Json => Ok(terminal::print(&pretty(&json::errors(errors))?)?),
        Format::Junit => {
            let text = junit::errors(errors).map_err(|e| Failure::Machine(e.to_string()))?;
            Ok(terminal::print(&text)?)
        }
    }
}

/// What the search is about, if there is but one.
fn about(jobs: &[Job], args: &Check, extras: Extras) -> Result<About, Failure> {
    let single = |job: &&Job| job.profiles.len() == 1;
    let ([job], Some(_)) = (jobs, jobs.first().filter(single)) else {
        return Err(Failure::Input(
            "only a single search can be saved, or shared out: name one test and one kernel".into(),
        ));
    };
    let search = batch::search(&args.search, 1, extras);
    let mut about = large::about("check", &job.profiles[0], &search.options())?;
    about.line("test", &job.test.title);
    about.hashed("text of the test", job.test.text.as_bytes());
    Ok(about)
}

/// Those of the command line or the matrix, and (unless the command line names some) those that the test's `Result:` lines name.
fn kernels(test: &Loaded, profiles: &[Profile], named: bool) -> Vec<Profile> {
    let mut all = profiles.to_vec();
    if named {
        let ends = test.expectations.ends(Kernels::shipped());
        for profile in test.expectations.kernels().chain(&ends) {
            if !all.iter().any(|p| p.same_kernel(profile)) {
                all.push(profile.clone());
            }
        }
    }
    all
}

fn tables(checked: &[Checked], args: &Check) -> String {
    let levels = if args.levels {
        Levels::Shown
    } else {
        Levels::Hidden
    };
    let tables: Vec<String> = checked.iter().map(|c| table::table(c, levels)).collect();
    tables.join("\n")
}

fn overview(checked: &[Checked], profiles: &[Profile]) -> String {
    let mut out = matrix::matrix(checked, profiles);
    let differences = matrix::differences(checked);
    if !differences.is_empty() {
        out.push_str("\nNot as expected:\n");
        out.push_str(&differences);
    }
    out.push_str(&format!("\n{}\n", matrix::summary(checked, profiles)));
    out
}

/// The worst decides.
fn exit(checked: &[Checked]) -> Exit {
    match checked.iter().map(Checked::standing).max() {
        None => Exit::NothingRan,
        Some(Standing::Expected | Standing::Open) => Exit::Fine,
        Some(Standing::Undetermined) => Exit::Undetermined,
        Some(Standing::Wrong) => Exit::BadInput,
        Some(Standing::Differs) => Exit::Differs,
    }
}
