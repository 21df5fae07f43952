//! Runs: a thread each, with limits on time, memory and number.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cowherd_model::check::{Search, Shared, Verdict};
use cowherd_model::kernels::Profile;
use cowherd_model::lower::{Refused, lower};
use cowherd_model::spec;
use cowherd_report::html::witness;
use cowherd_report::style::grouped;
use serde_json::{Value, json};

use crate::find::{self, Found};
use crate::input::Loaded;

/// Runs that are under way at a time.
const RUNNING: usize = 2;
/// Runs that are remembered.
const KEPT: usize = 16;
/// All searches of a run together.
const TIME: Duration = Duration::from_secs(60);
/// Each search.
const MEMORY: usize = 512 << 20;

/// All runs.
#[derive(Default)]
pub struct Jobs {
    next: AtomicU64,
    kept: Mutex<Vec<Arc<Job>>>,
}

/// A run.
pub struct Job {
    /// Its number.
    pub id: u64,
    stop: AtomicBool,
    told: Mutex<Told>,
}

/// What a run has told so far.
#[derive(Default)]
struct Told {
    events: Vec<Value>,
    progress: String,
    page: Option<String>,
    done: bool,
}

impl Jobs {
    /// Begins a run; none: too many are under way.
    pub fn begin(&self, work: impl FnOnce(&Job) + Send + 'static) -> Option<u64> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.iter().filter(|job| !job.told().done).count() >= RUNNING {
            return None;
        }
        if kept.len() >= KEPT
            && let Some(oldest) = kept.iter().position(|job| job.told().done)
        {
            kept.remove(oldest);
        }
        let job = Arc::new(Job {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            stop: AtomicBool::new(false),
            told: Mutex::default(),
        });
        kept.push(Arc::clone(&job));
        let id = job.id;
        std::thread::spawn(move || {
            // A bug of the model ends the run, not the server; the panic has told its story on standard error.
            if catch_unwind(AssertUnwindSafe(|| work(&job))).is_err() {
                job.tell(
                    json!({ "kind": "error", "message": "a bug in cowherd: see its terminal" }),
                );
            }
            job.told().done = true;
        });
        Some(id)
    }

    /// The run of this number, if it is remembered.
    pub fn get(&self, id: u64) -> Option<Arc<Job>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|job| job.id == id).cloned()
    }

    /// Stops all and waits for them, but not for ever.
    pub fn end(&self) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().for_each(|job| job.stop());
        let began = Instant::now();
        while kept.iter().any(|job| !job.told().done) && began.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Job {
    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: Value) {
        self.told().events.push(event);
    }

    /// Ends its searches.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// What is new after so many events.
    pub fn news(&self, seen: usize) -> Value {
        let told = self.told();
        json!({
            "events": told.events.get(seen..).unwrap_or_default(),
            "progress": told.progress,
            "done": told.done,
        })
    }

    /// The page that it made.
    pub fn page(&self) -> Option<String> {
        self.told().page.clone()
    }

    /// Searches within the limits; `left`: what is left of the time.
    fn search<T>(&self, what: &str, left: Duration, work: impl FnOnce(&Search) -> T) -> T {
        self.told().progress = format!("Running {what}\u{2026}");
        let progress = |p: &cowherd_explore::Progress| {
            self.told().progress = format!(
                "Running {what}: {} states, level {}, {} MiB, {:.0} s",
                grouped(p.states),
                p.level,
                p.bytes >> 20,
                p.elapsed.as_secs_f64()
            );
        };
        work(&Search {
            max_memory: Some(MEMORY),
            timeout: Some(left),
            stop: Some(&self.stop),
            progress: Some(&progress),
            ..Search::default()
        })
    }
}

/// Runs a test on kernels, and tells each verdict as it is known.
pub fn check(job: &Job, test: &Loaded, profiles: &[Profile]) {
    let deadline = Instant::now() + TIME;
    let mut shared = Shared::default();
    for profile in profiles {
        let left = deadline.saturating_duration_since(Instant::now());
        if job.stop.load(Ordering::Relaxed) || left.is_zero() {
            let why = if left.is_zero() {
                "the time is up"
            } else {
                "stopped"
            };
            job.tell(json!({ "kind": "error", "message": format!("{profile} and later: not run, {why}") }));
            break;
        }
        let result = job.search(&profile.name, left, |search| {
            shared.check(&test.test, profile, search)
        });
        match result {
            Ok(run) => {
                let program = lower(&test.test, profile, true);
                let values = |bytes: &[u8]| {
                    let names = program.as_ref().map(|p| p.outcome_names(bytes));
                    names.unwrap_or_default()
                };
                let outcomes: Vec<Value> = run
                    .outcomes
                    .iter()
                    .map(|o| json!({ "values": values(&o.bytes), "states": o.states, "satisfies": o.satisfies }))
                    .collect();
                let expected = test.expectations.pick(profile);
                let differs = expected.filter(|e| run.verdict != e.verdict);
                let cut = cowherd_report::table::ended(&run);
                job.tell(json!({
                    "kind": "verdict",
                    "kernel": profile.name,
                    "verdict": run.verdict.word(),
                    "outcomes": outcomes,
                    "states": grouped(run.states),
                    "broken": spec::names(run.alarms),
                    "expected": differs.map(|e| e.verdict.word()),
                    "refused": Some(cut).filter(|cut| run.verdict == Verdict::Unknown && !cut.is_empty()),
                    "witness": find::goal(&test.test, &run).is_some(),
                }));
            }
            Err(refused) => {
                tell_refused(job, test, &refused);
                break;
            }
        }
    }
    job.told().progress.clear();
}

/// The model cannot run it, which is said at its place in the test.
fn tell_refused(job: &Job, test: &Loaded, refused: &Refused) {
    let diagnostic = crate::input::diagnostic(
        cowherd_litmus::Code::Limit,
        refused.message.clone(),
        refused.span,
        &test.source,
        &test.text,
    );
    let diagnostics = super::api::diagnostics(&[diagnostic], &test.text);
    job.tell(json!({ "kind": "diagnostics", "diagnostics": diagnostics }));
    job.tell(json!({ "kind": "error", "message": refused.message }));
}

/// Finds the shortest schedule to what is bad, and makes a page of it.
pub fn explain(job: &Job, test: &Loaded, profile: &Profile) {
    let what = format!("{profile}, the shortest way");
    let deadline = Instant::now() + TIME;
    let error = |message: &str| job.tell(json!({ "kind": "error", "message": message }));
    let run = job.search(&what, TIME, |search| {
        cowherd_model::check::check(&test.test, profile, search)
    });
    let goal = match &run {
        Ok(run) => find::goal(&test.test, run),
        Err(refused) => return tell_refused(job, test, refused),
    };
    let Some(goal) = goal else {
        return error("it does not happen in what was searched");
    };
    let left = deadline.saturating_duration_since(Instant::now());
    let found = job.search(&what, left, |search| {
        find::witness(test, profile, &goal, search)
    });
    match found {
        Ok(Found::Trace(trace)) => {
            job.told().page = Some(witness::page(&trace));
            job.tell(json!({ "kind": "page", "path": format!("/witness/{}", job.id) }));
        }
        Ok(Found::Nothing) => error("it does not happen"),
        Ok(Found::CutShort) => error("the search was cut short"),
        Err(refused) => tell_refused(job, test, &refused),
    }
    job.told().progress.clear();
}
