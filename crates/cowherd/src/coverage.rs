//! Which features does no test tell apart? Where the results of the matrix do not show it, single features are changed.

use std::sync::{Mutex, PoisonError};

use cowherd_mm::Feature;
use cowherd_model::check::{Search, Verdict, check};
use cowherd_model::kernels::{Kernels, Profile};
use cowherd_report::Checked;
use cowherd_report::coverage::Coverage;

use crate::batch::{self, Extras, Job};
use crate::cli;
use crate::terminal::{self, Meter};

/// A feature to be changed on a kernel, for a test that asks for it there.
struct Try<'a> {
    feature: Feature,
    job: &'a Job<'a>,
    profile: &'a Profile,
    verdict: Verdict,
}

/// What the results show, and what changing one feature at a time shows of the features that are left.
pub fn find(jobs: &[Job], checked: &[Checked], args: &cli::Search) -> Coverage {
    let mut coverage = Coverage::of(checked);
    let open: Vec<Feature> = coverage.unflipped().iter().collect();
    let meter = Meter::new(open.len());
    let workers = batch::workers(args);
    let search = batch::search(args, 1, Extras::default());
    let found: Mutex<Vec<(Feature, String)>> = Mutex::default();
    let queue = Mutex::new(open.into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(feature) = next() {
                    let tries = tries(feature, jobs, checked);
                    if let Some(t) = tries.iter().find(|t| flips(t, &search)) {
                        let name = t.job.test.title.clone();
                        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                        found.push((feature, name));
                    }
                    meter.done(&format!("a test for {}", feature.name()));
                }
            });
        }
    });
    for (feature, test) in found.into_inner().unwrap_or_else(PoisonError::into_inner) {
        coverage.flip(feature, &test);
    }
    coverage
}

/// Where a feature was asked for: each test once for each answer that it got, newer kernels first.
fn tries<'a>(feature: Feature, jobs: &'a [Job<'a>], checked: &'a [Checked]) -> Vec<Try<'a>> {
    let mut tries = Vec::new();
    for (job, checked) in jobs.iter().zip(checked) {
        let mut seen = Vec::new();
        for row in checked.rows.iter().rev().filter(|r| r.profile.published) {
            let Some(run) = row.run().filter(|r| r.consulted.contains(feature)) else {
                continue;
            };
            // Kernels that share a run would share the next one, too.
            if seen.contains(&(run.consulted, run.had)) {
                continue;
            }
            seen.push((run.consulted, run.had));
            tries.push(Try {
                feature,
                job,
                profile: &row.profile,
                verdict: run.verdict,
            });
        }
    }
    tries
}

/// Is the verdict another with the feature changed? A kernel that cannot be has none.
fn flips(t: &Try, search: &Search) -> bool {
    if terminal::stopped() {
        return false;
    }
    let sign = if t.profile.has(t.feature) { '-' } else { '+' };
    let text = format!("{}{sign}{}", t.profile.name, t.feature.name());
    let Ok(composed) = Kernels::shipped().profile(&text) else {
        return false;
    };
    check(&t.job.test.test, &composed.profile, search)
        .is_ok_and(|run| run.verdict != Verdict::Unknown && run.verdict != t.verdict)
}
