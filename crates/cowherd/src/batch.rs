//! Many tests on many kernels, on all CPUs. The results are the same, in the same order, however the work was shared out.

use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};

use cowherd_explore::{Checkpoints, Cluster, Keep};
use cowherd_model::check::{Search, Shared};
use cowherd_model::kernels::Profile;
use cowherd_model::lower::lower;
use cowherd_report::{Checked, Row};

use crate::cli;
use crate::input::Loaded;
use crate::terminal::{self, Meter, STOP};

/// A test and the kernels that it is to be run on.
pub struct Job<'a> {
    /// The test.
    pub test: &'a Loaded,
    /// The kernels.
    pub profiles: Vec<Profile>,
}

/// What is wanted besides the verdicts.
#[derive(Clone, Copy)]
pub struct Extras<'a> {
    /// States from which the program can no longer end.
    pub livelock: bool,
    /// The steps of the mm that were reached.
    pub coverage: bool,
    /// What is kept of each state.
    pub keep: Keep,
    /// Where the search is saved.
    pub checkpoints: Option<&'a Checkpoints>,
    /// The processes that search together with this one.
    pub cluster: Option<&'a Cluster>,
}

impl Default for Extras<'_> {
    fn default() -> Self {
        Extras {
            livelock: false,
            coverage: false,
            keep: Keep::States,
            checkpoints: None,
            cluster: None,
        }
    }
}

/// CPUs that may be used.
pub fn workers(search: &cli::Search) -> usize {
    let available = || std::thread::available_parallelism().map_or(1, NonZero::get);
    search.workers.unwrap_or_else(available)
}

/// The model's search, as the command line has it.
pub fn search<'a>(args: &cli::Search, workers: usize, extras: Extras<'a>) -> Search<'a> {
    Search {
        workers,
        reductions: args.reductions(),
        max_states: args.max_states,
        max_memory: args.max_memory,
        timeout: args.timeout,
        stop: Some(&STOP),
        progress: None,
        livelock: extras.livelock,
        coverage: extras.coverage,
        keep: extras.keep,
        checkpoints: extras.checkpoints,
        cluster: extras.cluster,
    }
}

/// Runs all. Tests are shared out among the threads; a few tests get several threads each.
pub fn run(jobs: &[Job], args: &cli::Search, extras: Extras) -> Vec<Checked> {
    let workers = workers(args);
    let threads = workers.min(jobs.len()).max(1);
    let each = search(args, (workers / threads).max(1), extras);
    let meter = Meter::new(jobs.iter().map(|job| job.profiles.len()).sum());
    let queue: Mutex<VecDeque<usize>> = Mutex::new((0..jobs.len()).collect());
    let done: Vec<Mutex<Option<Checked>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let next = || {
        queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(at) = next() {
                    let checked = one(&jobs[at], &each, &meter);
                    *done[at].lock().unwrap_or_else(PoisonError::into_inner) = Some(checked);
                }
            });
        }
    });
    done.into_iter()
        .filter_map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}

/// One test on its kernels, which share runs where they agree.
fn one(job: &Job, each: &Search, meter: &Meter) -> Checked {
    let test = &job.test.test;
    let mut shared = Shared::default();
    let mut rows = Vec::new();
    for profile in &job.profiles {
        let what = format!("{} on {profile}", job.test.title);
        let progress = |p: &_| meter.searching(&what, p);
        let search = Search {
            progress: Some(&progress),
            ..*each
        };
        let result = (!terminal::stopped()).then(|| shared.check(test, profile, &search));
        let outcomes = match &result {
            Some(Ok(run)) => match lower(test, profile, true) {
                Ok(program) => run
                    .outcomes
                    .iter()
                    .map(|o| program.outcome_names(&o.bytes))
                    .collect(),
                Err(_) => Vec::new(),
            },
            _ => Vec::new(),
        };
        meter.done(&what);
        rows.push(Row {
            profile: profile.clone(),
            result,
            outcomes,
            expected: job.test.expectations.pick(profile).cloned(),
        });
    }
    Checked {
        title: job.test.title.clone(),
        test: Arc::clone(test),
        source: job.test.source.clone(),
        rows,
    }
}
