//! A test on some kernels, and how what came of it stands to what was expected.

use std::sync::Arc;

use cowherd_explore::Ended;
use cowherd_litmus::ast::Test;
use cowherd_model::check::{Run, Verdict};
use cowherd_model::corpus::Expectation;
use cowherd_model::kernels::Profile;
use cowherd_model::lower::Refused;

/// A test and what came of it on each kernel.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What people are told that it is called: its name, with its theme where another test has the same.
    pub title: String,
    /// The test.
    pub test: Arc<Test>,
    /// What diagnostics call its file.
    pub source: String,
    /// The names of what is seen at the end, for each outcome of each row: see [`Row::outcomes`].
    pub rows: Vec<Row>,
}

/// A test on one kernel.
#[derive(Clone, Debug)]
pub struct Row {
    /// The kernel.
    pub profile: Profile,
    /// What came of it; none: it was not run, since the user had enough.
    pub result: Option<Result<Arc<Run>, Refused>>,
    /// What is seen at the end, in the order of [`Run::outcomes`]: `A:x[0]=0`.
    pub outcomes: Vec<Vec<String>>,
    /// What was expected.
    pub expected: Option<Expectation>,
}

/// How a result stands to what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is what was expected.
    Expected,
    /// Nothing was expected.
    Open,
    /// The search was cut short before it was known.
    Undetermined,
    /// The model cannot run the test, or no execution of it ends.
    Wrong,
    /// It is not what was expected.
    Differs,
}

impl Row {
    /// The run, if there is one.
    pub fn run(&self) -> Option<&Run> {
        match &self.result {
            Some(Ok(run)) => Some(run),
            _ => None,
        }
    }

    /// What came of it; a run that did not happen is unknown.
    pub fn verdict(&self) -> Verdict {
        self.run().map_or(Verdict::Unknown, |run| run.verdict)
    }

    /// How it stands to what was expected.
    pub fn standing(&self) -> Standing {
        let run = match &self.result {
            Some(Ok(run)) => run,
            Some(Err(_)) => return Standing::Wrong,
            None => return Standing::Undetermined,
        };
        if never_ends(run) {
            return Standing::Wrong;
        }
        match (&self.expected, run.verdict) {
            (Some(e), verdict) if e.verdict == verdict => Standing::Expected,
            // A single outcome of the other kind refutes Never and Always, however much is left to search.
            (Some(_), Verdict::Unknown) if !self.refuted() => Standing::Undetermined,
            (Some(_), _) => Standing::Differs,
            (None, Verdict::Unknown) => Standing::Undetermined,
            (None, _) => Standing::Open,
        }
    }

    /// Does what was seen so far exclude what was expected?
    fn refuted(&self) -> bool {
        let (Some(run), Some(expected)) = (self.run(), &self.expected) else {
            return false;
        };
        let (yes, no) = positive_negative(run);
        match expected.verdict {
            Verdict::Never => yes > 0,
            Verdict::Always => no > 0,
            Verdict::Sometimes | Verdict::Unknown => false,
        }
    }
}

impl Checked {
    /// The worst of its rows.
    pub fn standing(&self) -> Standing {
        self.rows
            .iter()
            .map(Row::standing)
            .max()
            .unwrap_or(Standing::Open)
    }
}

/// Is every execution stuck, so that there is no final state to speak of?
pub fn never_ends(run: &Run) -> bool {
    run.ended == Ended::Complete && run.outcomes.is_empty()
}

/// Final states in which the proposition holds, and in which it does not.
pub fn positive_negative(run: &Run) -> (u64, u64) {
    let count = |wanted: bool| {
        run.outcomes
            .iter()
            .filter(|o| o.satisfies == wanted)
            .map(|o| o.states)
            .sum()
    };
    (count(true), count(false))
}
