//! `cowherd report`

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use cowherd_model::check::Search;
use cowherd_model::lower::lower;
use cowherd_report::html::conformance::Conformance;
use cowherd_report::html::site::{Site, Witness};
use cowherd_report::{Checked, Row};

use crate::batch::{self, Extras, Job};
use crate::cli::Report;
use crate::coverage;
use crate::exit::{Exit, Failure};
use crate::find::{self, Found};
use crate::input::{self, Loaded};
use crate::terminal::{self, Meter};

pub fn run(args: &Report) -> Result<Exit, Failure> {
    let conformance = match &args.conformance {
        Some(path) => conformance(path)?,
        None => Conformance::default(),
    };
    let corpus = input::corpus(args.from.corpus.as_deref())?;
    let tests = input::load(&input::entries(&args.tests, &corpus)?)?;
    let profiles = input::profiles(&args.on.kernels)?;
    if tests.is_empty() {
        terminal::complain("there is no test to run");
        return Ok(Exit::NothingRan);
    }
    terminal::catch_interrupts();
    let jobs: Vec<Job> = tests
        .iter()
        .map(|test| Job {
            test,
            profiles: profiles.clone(),
        })
        .collect();
    let checked = batch::run(&jobs, &args.search, Extras::default());
    let coverage = coverage::find(&jobs, &checked, &args.search);
    let witnesses = witnesses(&tests, &checked, args);
    let texts: Vec<String> = tests.iter().map(|t| t.text.clone()).collect();
    let site = Site {
        tests: &checked,
        texts: &texts,
        profiles: &profiles,
        coverage: &coverage,
        witnesses: &witnesses,
        conformance: &conformance,
    };
    let files = site.files();
    for (path, text) in &files {
        let path = args.output.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|e| Failure::file(folder, &e))?;
        }
        fs::write(&path, text).map_err(|e| Failure::file(&path, &e))?;
    }
    terminal::print(&format!(
        "{} pages: {}\n",
        files.len(),
        args.output.join("index.html").display()
    ))?;
    Ok(if terminal::stopped() {
        Exit::Undetermined
    } else {
        Exit::Fine
    })
}

fn conformance(path: &Path) -> Result<Conformance, Failure> {
    let text = fs::read_to_string(path).map_err(|e| Failure::file(path, &e))?;
    Conformance::parse(&text).map_err(|e| Failure::Input(format!("{}: {e}", path.display())))
}

/// For each test and each of its runs in which something bad happens, the shortest way there.
fn witnesses(tests: &[Loaded], checked: &[Checked], args: &Report) -> Vec<Witness> {
    let search = batch::search(&args.search, 1, Extras::default());
    let meter = Meter::new(tests.len());
    let queue: Mutex<VecDeque<usize>> = Mutex::new((0..tests.len()).collect());
    let found: Mutex<Vec<Witness>> = Mutex::default();
    let next = || {
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.pop_front().filter(|_| !terminal::stopped())
    };
    std::thread::scope(|scope| {
        for _ in 0..batch::workers(&args.search) {
            scope.spawn(|| {
                while let Some(at) = next() {
                    let mine = of_test(at, &tests[at], &checked[at], &search);
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    found.extend(mine);
                    meter.done(&format!("how {} happens", tests[at].title));
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|w| (w.test, w.rows.clone()));
    found
}

fn of_test(number: usize, test: &Loaded, checked: &Checked, search: &Search) -> Vec<Witness> {
    let mut done: Vec<Witness> = Vec::new();
    // Newer kernels first: a run is told on the newest that has it.
    for (at, row) in checked.rows.iter().enumerate().rev() {
        if done.iter().any(|w| w.rows.contains(&at)) {
            continue;
        }
        let Some(goal) = row.run().and_then(|run| find::goal(&test.test, run)) else {
            continue;
        };
        // A test that cannot be run has no witness, which its page says.
        let Ok(Found::Trace(trace)) = find::witness(test, &row.profile, &goal, search) else {
            continue;
        };
        let rows: Vec<usize> = (0..checked.rows.len())
            .filter(|&n| same_run(&checked.rows[n], row))
            .collect();
        done.push(Witness {
            test: number,
            rows,
            trace: *trace,
            safe: None,
        });
    }
    // One comparison a test: where the newest kernel that is not safe meets its next.
    if let Some(newest) = done.first_mut()
        && let Some(at) = newest.rows.last().map(|last| last + 1)
        && let Some(row) = checked.rows.get(at)
        && row
            .run()
            .is_some_and(|run| find::goal(&test.test, run).is_none())
        && let Ok(program) = lower(&test.test, &row.profile, true)
    {
        newest.safe = Some(program.replay(&newest.trace, &find::names(test, &row.profile)));
    }
    done
}

fn same_run(a: &Row, b: &Row) -> bool {
    match (&a.result, &b.result) {
        (Some(Ok(a)), Some(Ok(b))) => Arc::ptr_eq(a, b),
        _ => false,
    }
}
