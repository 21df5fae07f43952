//! Results as JSON. The schema is described in the book ("Output"); [`SCHEMA`] grows when a reader of the old one would
//! read the new one wrongly. New fields may appear without.

use std::collections::BTreeMap;

use cowherd_explore::Ended;
use cowherd_litmus::Diagnostic;
use cowherd_model::check::Run;
use serde::Serialize;
use serde_json::json;

use crate::checked::{Checked, Row, Standing, positive_negative};
use crate::coverage::{Coverage, StepName};

/// The version of the schema.
pub const SCHEMA: u32 = 1;

/// The whole of `cowherd check --format json`.
#[derive(Debug, Serialize)]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The version of cowherd.
    pub cowherd: String,
    /// The tests, in the order of the command line or the corpus.
    pub tests: Vec<TestJson>,
    /// What the corpus leaves untested; only where the whole corpus ran on the matrix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<CoverageJson>,
}

/// In place of a [`Document`]: what is wrong with tests that cannot be read.
pub fn errors(all: &[Diagnostic]) -> serde_json::Value {
    let error = |d: &Diagnostic| {
        json!({
            "source": &*d.source,
            "line": d.line,
            "column": d.column,
            "code": d.code.as_str(),
            "message": d.message,
            "help": d.help,
        })
    };
    json!({
        "schema": SCHEMA,
        "cowherd": env!("CARGO_PKG_VERSION"),
        "errors": all.iter().map(error).collect::<Vec<_>>(),
    })
}

/// What a corpus tests.
#[derive(Debug, Serialize)]
pub struct CoverageJson {
    /// For each feature that a test tells apart, such a test.
    pub flips: BTreeMap<&'static str, String>,
    /// Features that no test tells apart.
    pub unflipped: Vec<&'static str>,
    /// Steps of the model that no test reached: path, step.
    pub unreached: Vec<StepName>,
}

/// A test.
#[derive(Debug, Serialize)]
pub struct TestJson {
    /// Its name.
    pub name: String,
    /// Its file.
    pub source: String,
    /// Its documentation.
    pub doc: String,
    /// Its condition, as written.
    pub condition: String,
    /// A number that stays the same while the test does, in hexadecimal.
    pub hash: String,
    /// What came of it, a kernel each.
    pub results: Vec<ResultJson>,
}

/// A test on a kernel.
#[derive(Debug, Serialize)]
pub struct ResultJson {
    /// The kernel.
    pub profile: String,
    /// `Never`, `Sometimes`, `Always`, `Unknown`.
    pub verdict: &'static str,
    /// Is the condition, with its quantifier, true? `null`: unknown.
    pub holds: Option<bool>,
    /// The verdict that a `Result:` line expects, if one speaks for this kernel.
    pub expected: Option<&'static str>,
    /// `expected`, `open`, `undetermined`, `wrong`, `differs`.
    pub standing: &'static str,
    /// Why the model refused to run the test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The run, if there was one.
    #[serde(flatten)]
    pub run: Option<RunJson>,
}

/// A search.
#[derive(Debug, Serialize)]
pub struct RunJson {
    /// `complete`, `states`, `memory`, `time`, `stopped`, `disk`, `lost`.
    pub ended: &'static str,
    /// Distinct states.
    pub states: u64,
    /// Transitions.
    pub transitions: u64,
    /// States that each level added.
    pub levels: Vec<u64>,
    /// Bytes for the states.
    pub bytes: usize,
    /// The chance that some state was taken for another, where only fingerprints were kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chance: Option<f64>,
    /// Wall time of the search. Kernels that share a run show the same.
    pub seconds: f64,
    /// Final states in which the proposition holds.
    pub positive: u64,
    /// Final states in which it does not.
    pub negative: u64,
    /// States in which nobody can go on.
    pub deadlocks: u64,
    /// States from which the program cannot end; `null`: not looked for.
    pub livelocks: Option<u64>,
    /// Kinds of promises that some interleaving breaks.
    pub broken: Vec<String>,
    /// The distinct final states.
    pub outcomes: Vec<OutcomeJson>,
    /// The features that were asked for, and whether the kernel has them.
    pub consulted: Vec<(String, bool)>,
}

/// A final state.
#[derive(Debug, Serialize)]
pub struct OutcomeJson {
    /// What is seen: `A:x[0]=0`.
    pub values: Vec<String>,
    /// How many states of the machine end so.
    pub states: u64,
    /// Does the proposition hold?
    pub satisfies: bool,
}

/// The document of some tests.
pub fn document(tests: &[Checked], coverage: Option<&Coverage>) -> Document {
    Document {
        schema: SCHEMA,
        cowherd: env!("CARGO_PKG_VERSION").into(),
        tests: tests.iter().map(test).collect(),
        coverage: coverage.map(|c| CoverageJson {
            flips: c.flips.iter().map(|(f, t)| (f.name(), t.clone())).collect(),
            unflipped: c.unflipped().iter().map(|f| f.name()).collect(),
            unreached: c.unreached(),
        }),
    }
}

fn test(checked: &Checked) -> TestJson {
    let test = &checked.test;
    TestJson {
        name: checked.title.clone(),
        source: checked.source.clone(),
        doc: test.doc.clone(),
        condition: test.show(&test.condition).to_string(),
        hash: format!("{:032x}", test.digest()),
        results: checked.rows.iter().map(result).collect(),
    }
}

fn result(row: &Row) -> ResultJson {
    let refused = match &row.result {
        Some(Err(refused)) => Some(refused.message.clone()),
        _ => None,
    };
    ResultJson {
        profile: row.profile.name.clone(),
        verdict: row.verdict().word(),
        holds: row.run().and_then(|run| run.holds),
        expected: row.expected.as_ref().map(|e| e.verdict.word()),
        standing: match row.standing() {
            Standing::Expected => "expected",
            Standing::Open => "open",
            Standing::Undetermined => "undetermined",
            Standing::Wrong => "wrong",
            Standing::Differs => "differs",
        },
        refused,
        run: row.run().map(|run| search(row, run)),
    }
}

fn search(row: &Row, run: &Run) -> RunJson {
    let (positive, negative) = positive_negative(run);
    RunJson {
        ended: match run.ended {
            Ended::Complete => "complete",
            Ended::States => "states",
            Ended::Memory => "memory",
            Ended::Time => "time",
            Ended::Stopped => "stopped",
            Ended::Found => "found",
            Ended::Disk => "disk",
            Ended::Lost => "lost",
        },
        states: run.states,
        transitions: run.transitions,
        levels: run.levels.clone(),
        bytes: run.bytes,
        chance: (run.chance > 0.0).then_some(run.chance),
        seconds: run.elapsed.as_secs_f64(),
        positive,
        negative,
        deadlocks: run.deadlocks,
        livelocks: run.livelocks,
        broken: cowherd_model::spec::names(run.alarms),
        outcomes: run
            .outcomes
            .iter()
            .zip(&row.outcomes)
            .map(|(o, values)| OutcomeJson {
                values: values.clone(),
                states: o.states,
                satisfies: o.satisfies,
            })
            .collect(),
        consulted: run
            .consulted
            .iter()
            .map(|f| (f.name().to_string(), run.had.contains(f)))
            .collect(),
    }
}
