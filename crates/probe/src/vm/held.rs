//! What tests gave on a kernel, held against the model of that kernel.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use cowherd_model::kernels::Profile;

use super::console::Trace;
use super::session::{Outcome, Session, SessionEnd};
use crate::live::judge::{Judged, Verdict, judge};
use crate::live::{Options, ktap};

/// All tests on one kernel.
#[derive(Clone, Debug)]
pub struct Held {
    /// What the kernel is called where there are several.
    pub name: String,
    /// `uname -r`.
    pub release: String,
    /// `uname -v`.
    pub version: String,
    /// The profile of the model, and why this one.
    pub profile: String,
    /// Why this profile.
    pub why: String,
    /// What else is to be said: who ran the guest's instructions, in how many boots, which module did not load.
    pub notes: Vec<String>,
    /// The tests.
    pub tests: Vec<Tested>,
}

/// A test on one kernel.
#[derive(Clone, Debug)]
pub enum Tested {
    /// It ran, or was skipped.
    Judged {
        /// What came of it.
        judged: Box<Judged>,
        /// What the kernel complained of meanwhile.
        complaint: Option<Trace>,
    },
    /// The guest died of it.
    Died {
        /// How.
        how: String,
        /// What the kernel complained of.
        complaint: Option<Trace>,
        /// The last lines of the console, for where it did not.
        console: String,
    },
    /// It was not its turn.
    NotRun,
}

impl Tested {
    /// Judged, with nothing of a kernel's log.
    pub fn judged(judged: Judged) -> Tested {
        Tested::Judged {
            judged: Box::new(judged),
            complaint: None,
        }
    }

    /// What the kernel complained of.
    pub fn complaint(&self) -> Option<&Trace> {
        match self {
            Tested::Judged { complaint, .. } | Tested::Died { complaint, .. } => complaint.as_ref(),
            Tested::NotRun => None,
        }
    }

    /// What came of it, if it was judged.
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Tested::Judged { judged, .. } => Some(judged.verdict),
            Tested::Died { .. } | Tested::NotRun => None,
        }
    }

    /// As KTAP. A guest that died is a failure, whoever is to blame.
    pub fn ktap(&self, n: usize, name: &str) -> String {
        let mut text = String::new();
        let mut say = |lines: &str| {
            for line in lines.lines() {
                text.push_str(&format!("# {line}\n"));
            }
        };
        match self {
            Tested::Judged { judged, complaint } => {
                if let Some(trace) = complaint {
                    say(&trace.text);
                }
                text.push_str(&ktap::line(n, judged));
            }
            Tested::Died {
                how,
                complaint,
                console,
            } => {
                say(complaint.as_ref().map_or(console, |trace| &trace.text));
                let mut how = how.lines();
                let first = how.next().unwrap_or_default();
                for line in how {
                    say(line);
                }
                text.push_str(&format!("not ok {n} {name} # the guest died: {first}\n"));
            }
            Tested::NotRun => text.push_str(&format!("ok {n} {name} # SKIP it was not its turn\n")),
        }
        text
    }
}

/// Holds a session's results against `profile`, on all CPUs.
pub fn hold(session: &Session, profile: &Profile, options: &Options) -> Vec<Tested> {
    let outcomes = &session.outcomes;
    let next = AtomicUsize::new(0);
    let held = Mutex::new(vec![Tested::NotRun; outcomes.len()]);
    let work = || {
        while let Some((n, outcome)) = take(outcomes, &next) {
            let tested = one(outcome, profile, options);
            // A judge that panics is a bug, and the panic is told; the others go on.
            held.lock().unwrap_or_else(PoisonError::into_inner)[n] = tested;
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    held.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn take<'a>(outcomes: &'a [Outcome], next: &AtomicUsize) -> Option<(usize, &'a Outcome)> {
    let n = next.fetch_add(1, Ordering::Relaxed);
    Some((n, outcomes.get(n)?))
}

fn one(outcome: &Outcome, profile: &Profile, options: &Options) -> Tested {
    match outcome {
        Outcome::Ran {
            result,
            complaint,
            lost,
        } => {
            let mut judged = judge(result, profile, options);
            if *lost > 0 {
                judged.notes.push(format!(
                    "the guest died {lost} times before, without a word"
                ));
            }
            Tested::Judged {
                judged: Box::new(judged),
                complaint: complaint.clone(),
            }
        }
        Outcome::Died {
            how,
            complaint,
            console,
        } => Tested::Died {
            how: how.clone(),
            complaint: complaint.clone(),
            console: console.clone(),
        },
        Outcome::NotRun => Tested::NotRun,
    }
}

/// What is to be said of a session besides its tests.
pub fn notes(session: &Session) -> Vec<String> {
    let boots = match session.boots {
        1 => "1 boot".into(),
        n => format!("{n} boots"),
    };
    let mut notes = vec![format!("QEMU with {}, {boots}", session.accelerator.name())];
    notes.extend(session.notes.iter().cloned());
    match &session.end {
        SessionEnd::Complete => {}
        SessionEnd::Interrupted => notes.push("interrupted".into()),
        SessionEnd::NoKernel(why) => notes.push(format!("no kernel came up: {why}")),
    }
    notes
}
