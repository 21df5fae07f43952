//! A result as herd7 writes it, so that scripts that read herd's output read ours.
//!
//! What herd counts as witnesses, positive and negative, are executions; here they are final states. A `Flag` is a promise or an
//! invariant that was broken somewhere, or a hazard that was met.

use std::fmt::Write as _;

use cowherd_litmus::ast::Quantifier;
use cowherd_model::check::{Run, Verdict};

use crate::checked::{Checked, Row, positive_negative};

/// What a block tells besides the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// How long it took; witnesses are final states of the machine.
    Run,
    /// Nothing that changes with the machine or the search engine: no time; witnesses are the states that are listed.
    Lasting,
}

/// Every row, each headed by its kernel.
pub fn herd(checked: &Checked) -> String {
    let mut out = String::new();
    for row in &checked.rows {
        if let Some(block) = block(checked, row, Detail::Run) {
            let _ = writeln!(out, "Kernel {}\n{block}", row.profile);
        }
    }
    out
}

/// Every row; kernels on which the same came out share a block. What is kept as `NAME.expected`.
pub fn expected(checked: &Checked) -> String {
    let mut blocks: Vec<(String, Vec<&str>)> = Vec::new();
    for row in &checked.rows {
        let block = block(checked, row, Detail::Lasting).unwrap_or_else(|| match &row.result {
            Some(Err(refused)) => format!("Refused {} {refused}\n", checked.test.name),
            _ => String::new(),
        });
        match blocks.iter_mut().find(|(b, _)| *b == block) {
            Some((_, kernels)) => kernels.push(&row.profile.name),
            None => blocks.push((block, vec![&row.profile.name])),
        }
    }
    let mut out = String::new();
    for (block, kernels) in blocks {
        let _ = writeln!(out, "Kernel {}\n{block}", kernels.join(" "));
    }
    out
}

/// One run, if it was one.
fn block(checked: &Checked, row: &Row, detail: Detail) -> Option<String> {
    let run = row.run()?;
    let test = &checked.test;
    // Beside its file, a test needs no theme.
    let name = match detail {
        Detail::Run => &checked.title,
        Detail::Lasting => &test.name,
    };
    let kind = match test.condition.quantifier {
        Quantifier::Exists => "Allowed",
        Quantifier::NotExists => "Forbidden",
        Quantifier::Forall => "Required",
    };
    let mut out = String::new();
    let _ = writeln!(out, "Test {name} {kind}");
    let _ = writeln!(out, "States {}", run.outcomes.len());
    for values in &row.outcomes {
        for value in values {
            let _ = write!(out, "{value}; ");
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    out.push_str(match run.holds {
        Some(true) => "Ok\n",
        Some(false) => "No\n",
        None => "Undetermined\n",
    });
    let (positive, negative) = match detail {
        Detail::Run => positive_negative(run),
        Detail::Lasting => {
            let positive = run.outcomes.iter().filter(|o| o.satisfies).count() as u64;
            (positive, run.outcomes.len() as u64 - positive)
        }
    };
    let _ = writeln!(out, "Witnesses\nPositive: {positive} Negative: {negative}");
    for broken in cowherd_model::spec::names(run.alarms) {
        let _ = writeln!(out, "Flag {broken}");
    }
    let _ = writeln!(out, "Condition {}", test.show(&test.condition));
    let observation = observation(run);
    let _ = writeln!(
        out,
        "Observation {name} {observation} {positive} {negative}"
    );
    if detail == Detail::Run {
        let _ = writeln!(out, "Time {name} {:.2}", run.elapsed.as_secs_f64());
    }
    let _ = writeln!(out, "Hash={:032x}", test.digest());
    Some(out)
}

/// herd knows three; a search that was cut short is none of them.
fn observation(run: &Run) -> &'static str {
    match run.verdict {
        Verdict::Unknown => "Unknown",
        verdict => verdict.word(),
    }
}
