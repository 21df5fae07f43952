//! What tests gave on a kernel, held against the model of that kernel.

use cowherd_model::kernels::Profile;

use super::console::Trace;
use super::session::{Outcome, Session, SessionEnd};
use crate::live::judge::{Judged, Verdict, judge};
use crate::live::{Options, ktap};
use crate::side_by_side::side_by_side;

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
    /// Why no kernel came up, or no more.
    pub fault: Option<String>,
    /// The tests.
    pub tests: Vec<Tested>,
}

impl Held {
    /// A kernel that cannot be booted at all.
    pub fn not_booted(name: String, fault: String, tests: usize) -> Held {
        Held {
            name,
            release: String::new(),
            version: String::new(),
            profile: String::new(),
            why: String::new(),
            notes: Vec::new(),
            fault: Some(fault),
            tests: vec![Tested::NotRun; tests],
        }
    }
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

    /// Gives it the name that people are told, which need not be the one in its text.
    pub fn call(&mut self, title: &str) {
        if let Tested::Judged { judged, .. } = self {
            judged.name = title.into();
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
    side_by_side(&session.outcomes, |outcome| one(outcome, profile, options))
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
    if session.end == SessionEnd::Interrupted {
        notes.push("interrupted".into());
    }
    notes
}
