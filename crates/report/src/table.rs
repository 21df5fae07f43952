//! One test on some kernels, for people.

use std::fmt::Write as _;
use std::sync::Arc;

use cowherd_explore::Ended;
use cowherd_model::check::{Run, Verdict};
use cowherd_model::kernels::Kernels;
use cowherd_model::spec;

use crate::checked::{Checked, Row, Standing, never_ends, positive_negative};
use crate::style::{self, BAD, BOLD, DIM, GOOD, WARN, grouped, paint, plural, seconds};

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Levels {
    /// The verdicts.
    Hidden,
    /// How many states each level of the search has, too.
    Shown,
}

/// The test's head, a line for each kernel, and what is to be said about them.
pub fn table(checked: &Checked, levels: Levels) -> String {
    let test = &checked.test;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}  {}",
        paint(BOLD, &checked.title),
        test.show(&test.condition)
    );
    let width = checked
        .rows
        .iter()
        .map(|row| row.profile.name.len())
        .max()
        .unwrap_or(0)
        .max(6);
    let head = format!(
        "  {:<width$}  {:<9}  {:>8}  {:>13}  {:>8}",
        "kernel", "verdict", "outcomes", "states", "time"
    );
    let _ = writeln!(out, "{}", paint(DIM, head));
    let mut before: Vec<&Arc<Run>> = Vec::new();
    for row in &checked.rows {
        line(&mut out, row, width, &mut before);
        if levels == Levels::Shown
            && let Some(run) = row.run()
        {
            let list: Vec<String> = run.levels.iter().map(|&n| grouped(n)).collect();
            let text = style::wrap(&format!("levels: {}", list.join(" ")), 94, 2);
            let _ = writeln!(out, "    {}", paint(DIM, text.replace('\n', "\n    ")));
        }
    }
    if let [row] = checked.rows.as_slice() {
        details(&mut out, row);
    }
    out
}

fn line<'a>(out: &mut String, row: &'a Row, width: usize, before: &mut Vec<&'a Arc<Run>>) {
    let name = &row.profile.name;
    let _ = write!(out, "  {name:<width$}  ");
    match &row.result {
        None => {
            let _ = write!(out, "{}", paint(WARN, "not run"));
        }
        Some(Err(refused)) => {
            let _ = write!(out, "{} {refused}", paint(BAD, "refused:"));
        }
        Some(Ok(run)) => {
            let word = format!("{:<9}", run.verdict.word());
            let shared = before.iter().any(|b| Arc::ptr_eq(b, run));
            let time = if shared {
                // Another kernel's run served: they agree on all that it asked.
                "shared".into()
            } else {
                seconds(run.elapsed)
            };
            before.push(run);
            let _ = write!(
                out,
                "{}  {:>8}  {:>13}  {time:>8}  {}",
                paint(style::verdict(run.verdict), word),
                run.outcomes.len(),
                grouped(run.states),
                remarks(row, run)
            );
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
}

/// What stands at the end of a kernel's line.
fn remarks(row: &Row, run: &Run) -> String {
    let mut remarks = Vec::new();
    match row.standing() {
        Standing::Expected => remarks.push(paint(GOOD, "as expected")),
        Standing::Differs => {
            if let Some(e) = &row.expected {
                remarks.push(paint(BAD, format!("expected {}", e.verdict)));
            }
        }
        _ => {}
    }
    if never_ends(run) {
        remarks.push(paint(BAD, "no execution ends"));
    }
    if run.ended != Ended::Complete {
        remarks.push(paint(WARN, ended(run)));
    }
    if run.chance > 0.0 {
        remarks.push(paint(WARN, missed(run.chance)));
    }
    let documented = run.alarms & spec::hazard_bits(None);
    for (bits, style) in [(run.alarms & !documented, BAD), (documented, DIM)] {
        if bits != 0 {
            remarks.push(paint(style, spec::names(bits).join(", ")));
        }
    }
    if run.deadlocks > 0 {
        let n = plural(run.deadlocks as usize, "deadlock");
        remarks.push(paint(BAD, n));
    }
    match run.livelocks {
        Some(0) => remarks.push("no livelock".into()),
        Some(n) => remarks.push(paint(
            BAD,
            format!("livelock in {}", plural(n as usize, "state")),
        )),
        None => {}
    }
    remarks.join(", ")
}

/// Why a search was cut short, and how far it came.
pub fn ended(run: &Run) -> String {
    if run.ended == Ended::Complete {
        return String::new();
    }
    format!(
        "cut short ({}) in level {}",
        ended_because(run.ended),
        run.levels.len().saturating_sub(1)
    )
}

/// What fingerprints may have hidden.
pub fn missed(chance: f64) -> String {
    format!("by fingerprints: states missed with a chance below {chance:.0e}")
}

/// What ended a search.
pub fn ended_because(ended: Ended) -> &'static str {
    match ended {
        Ended::Complete => "complete",
        Ended::States => "--max-states",
        Ended::Memory => "--max-memory",
        Ended::Time => "--timeout",
        Ended::Stopped => "interrupted",
        Ended::Found => "ended by what was found",
        Ended::Disk => "it could not be saved",
        Ended::Lost => "a process of the cluster has died",
    }
}

/// A single run: its outcomes, and on which features it depends.
fn details(out: &mut String, row: &Row) {
    let Some(run) = row.run() else { return };
    if !run.outcomes.is_empty() {
        outcomes(out, row, run);
    }
    features(out, run);
    if !run.reached.is_empty() {
        let mut paths: Vec<&str> = run.reached.iter().map(|(path, _)| *path).collect();
        paths.dedup();
        item(out, &format!("Paths that ran: {}", paths.join(", ")));
    }
    let profile = &row.profile;
    let unmodelled: Vec<&str> = Kernels::shipped()
        .features()
        .iter()
        .filter(|info| info.feature().is_none() && info.is_in(profile.release, &profile.arch))
        .map(|info| info.name.as_str())
        .collect();
    if !unmodelled.is_empty() {
        item(
            out,
            &format!(
                "In this release, and not modelled: {}",
                unmodelled.join(", ")
            ),
        );
    }
}

fn item(out: &mut String, text: &str) {
    let text = style::wrap(text, 98, 2).replace('\n', "\n  ");
    let _ = writeln!(out, "  {text}");
}

fn outcomes(out: &mut String, row: &Row, run: &Run) {
    let (yes, no) = positive_negative(run);
    let _ = writeln!(
        out,
        "\n  Final states, and how many states of the machine end so:"
    );
    for (outcome, values) in run.outcomes.iter().zip(&row.outcomes) {
        let mark = if outcome.satisfies { "*" } else { " " };
        let _ = writeln!(
            out,
            "  {} {:>10}  {}",
            paint(WARN, mark),
            grouped(outcome.states),
            values.join("; ")
        );
    }
    let _ = writeln!(
        out,
        "  The proposition holds in those with *: in {} of {} states.",
        grouped(yes),
        grouped(yes + no)
    );
}

fn features(out: &mut String, run: &Run) {
    let names = |has: bool| {
        let list: Vec<&str> = run
            .consulted
            .iter()
            .filter(|f| run.had.contains(*f) == has)
            .map(|f| f.name())
            .collect();
        if list.is_empty() {
            "none".to_string()
        } else {
            list.join(", ")
        }
    };
    let why = match run.verdict {
        Verdict::Unknown => "What was seen so far depends on these features.",
        _ => "The verdict holds for every kernel that agrees on the features that were asked for.",
    };
    let _ = writeln!(out, "\n  {why}");
    for (word, list) in [("has", names(true)), ("has not", names(false))] {
        let text = style::wrap(&format!("{word}: {list}"), 94, 4);
        let _ = writeln!(out, "    {}", text.replace('\n', "\n    "));
    }
}
