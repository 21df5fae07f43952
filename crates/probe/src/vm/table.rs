//! Tests by kernels, the model beside reality: for the terminal, and as a chapter of the book.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::console::Severity;
use super::held::{Held, Tested};
use crate::live::judge::{Judged, Verdict};

/// What the letters and words of a cell mean.
const LEGEND: &str = "\
The letter is the model's: N Never, S Sometimes, A Always, ? Unknown. Then what the kernel did: `seen`, the
condition's outcome was seen; `unseen`, it is allowed and was not; `sound`, it never happens and did not, or,
after another letter than N, it cannot be told from outside. In each of these everything else that was seen is
allowed, too. `UNSOUND`: something was seen that the model forbids. `died`: the guest died of it. `BUG`: the
kernel reported a bug. `no result`: no run came to its end. `-`: it cannot run there. `no boot`: the kernel
did not come up. `not run`: it was not its turn.
";

/// A cell.
pub fn cell(tested: &Tested) -> String {
    if tested
        .complaint()
        .is_some_and(|c| c.severity == Severity::Broken)
    {
        return "BUG".into();
    }
    let judged = match tested {
        Tested::Judged { judged, .. } => judged,
        Tested::Died { .. } => return "died".into(),
        Tested::NotRun => return "not run".into(),
    };
    let what = match judged.verdict {
        Verdict::Skipped => return "-".into(),
        Verdict::NoResult => return "no result".into(),
        Verdict::Unsound => return "UNSOUND".into(),
        Verdict::Sound => "sound",
        Verdict::NotWitnessed => "unseen",
        Verdict::Witnessed => "seen",
    };
    let letter = match judged.model.as_str() {
        "Never" => 'N',
        "Sometimes" => 'S',
        "Always" => 'A',
        _ => '?',
    };
    format!("{letter} {what}")
}

/// A cell of a kernel, which may not have come up.
fn cell_of(kernel: &Held, test: usize) -> String {
    match kernel.tests.get(test) {
        None => "-".into(),
        Some(Tested::NotRun) if kernel.fault.is_some() => "no boot".into(),
        Some(tested) => cell(tested),
    }
}

/// For the terminal. `names` are the tests.
pub fn text(names: &[String], kernels: &[Held]) -> String {
    let mut out = String::new();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    let _ = write!(out, "{:width$}", "");
    for kernel in kernels {
        let _ = write!(out, "  {:9}", kernel.name);
    }
    out.push('\n');
    for (n, name) in names.iter().enumerate() {
        let _ = write!(out, "{name:width$}");
        for kernel in kernels {
            let _ = write!(out, "  {:9}", cell_of(kernel, n));
        }
        out.push('\n');
    }
    let trimmed: Vec<&str> = out.lines().map(str::trim_end).collect();
    format!("{}\n\n{LEGEND}\n{}", trimmed.join("\n"), about(kernels))
}

/// What each kernel is, and how many of its tests came to what.
fn about(kernels: &[Held]) -> String {
    let mut out = String::new();
    for kernel in kernels {
        if let Some(fault) = &kernel.fault {
            let fault = fault.replace('\n', "\n    ");
            let _ = writeln!(out, "{}: {fault}", kernel.name);
        }
        if kernel.release.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{}: {}", kernel.name, identity(kernel));
        let _ = writeln!(out, "    {}", counts(&kernel.tests));
        for note in &kernel.notes {
            let _ = writeln!(out, "    {}", note.replace('\n', "\n    "));
        }
    }
    out
}

fn identity(kernel: &Held) -> String {
    format!(
        "{} {}, held against {} ({})",
        kernel.release, kernel.version, kernel.profile, kernel.why
    )
}

/// `130 ran: 20 seen, 100 sound, 10 unseen; 70 cannot run there`.
pub fn counts(tests: &[Tested]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut idle = 0;
    for tested in tests {
        let cell = cell(tested);
        match cell.as_str() {
            "-" | "not run" => idle += 1,
            word => {
                // Without the letter of the model.
                let word = match word.split_once(' ') {
                    Some((letter, what)) if letter.len() == 1 => what,
                    _ => word,
                };
                *counts.entry(word.into()).or_default() += 1;
            }
        }
    }
    let ran: usize = counts.values().sum();
    let words: Vec<String> = counts
        .iter()
        .map(|(word, n)| format!("{n} {word}"))
        .collect();
    let mut out = format!("{ran} tests ran");
    if ran > 0 {
        let _ = write!(out, ": {}", words.join(", "));
    }
    if idle > 0 {
        let _ = write!(out, "; {idle} did not");
    }
    out
}

/// As a chapter: the table, then what was seen of each test.
pub fn markdown(command: &str, names: &[String], kernels: &[Held]) -> String {
    let mut out = String::from("# Conformance\n\n");
    let _ = writeln!(
        out,
        "Tests of the corpus on real kernels, the model beside what was seen. Written by `{command}`; not by hand.\n"
    );
    out.push_str("| kernel | release | version | held against | |\n|---|---|---|---|---|\n");
    for kernel in kernels {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} ({}) | {} |",
            kernel.name,
            kernel.release,
            kernel.version,
            kernel.profile,
            kernel.why,
            match kernel
                .fault
                .as_deref()
                .and_then(|fault| fault.lines().next())
            {
                Some(fault) => format!("{fault}; {}", counts(&kernel.tests)),
                None => counts(&kernel.tests),
            }
        );
    }
    let _ = writeln!(out, "\n## The table\n\n{LEGEND}");
    let _ = write!(out, "| test |");
    for kernel in kernels {
        let _ = write!(out, " {} |", kernel.name);
    }
    out.push_str("\n|---|");
    out.push_str(&"---|".repeat(kernels.len()));
    out.push('\n');
    for (n, name) in names.iter().enumerate().filter(|(n, _)| ran(*n, kernels)) {
        let _ = write!(out, "| {name} |");
        for kernel in kernels {
            let _ = write!(out, " {} |", cell_of(kernel, n));
        }
        out.push('\n');
    }
    out.push_str(&unseen(names, kernels));
    out.push_str("\n## What was seen\n");
    for (n, name) in names.iter().enumerate().filter(|(n, _)| ran(*n, kernels)) {
        let _ = writeln!(out, "\n### {name}\n");
        for kernel in kernels {
            if let Some(tested) = kernel.tests.get(n) {
                let _ = writeln!(out, "- {}: {}", kernel.name, seen(tested));
            }
        }
    }
    out.push_str("\n## What cannot run\n\n");
    for (n, name) in names.iter().enumerate().filter(|(n, _)| !ran(*n, kernels)) {
        let why = kernels.iter().find_map(|k| match k.tests.get(n)? {
            Tested::Judged { judged, .. } => judged.reason.clone(),
            _ => None,
        });
        let _ = writeln!(out, "- {name}: {}", why.unwrap_or_else(|| "not run".into()));
    }
    out
}

/// What the model allows and no run showed, with the reason: a line for each test, kernels of one reason together.
fn unseen(names: &[String], kernels: &[Held]) -> String {
    let mut out = String::from("\n## Allowed, and not seen\n\n");
    for (n, name) in names.iter().enumerate() {
        let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for kernel in kernels {
            if let Some(Tested::Judged { judged, .. }) = kernel.tests.get(n)
                && judged.verdict == Verdict::NotWitnessed
            {
                let reason = judged.reason.as_deref().unwrap_or("not known");
                reasons.entry(reason).or_default().push(&kernel.name);
            }
        }
        for (reason, kernels) in reasons {
            let _ = writeln!(out, "- {name} on {}: {reason}", kernels.join(", "));
        }
    }
    out
}

/// Did a test run on any of them?
fn ran(test: usize, kernels: &[Held]) -> bool {
    kernels
        .iter()
        .filter_map(|k| k.tests.get(test))
        .any(|t| !matches!(cell(t).as_str(), "-" | "not run"))
}

/// What was seen of a test, in a line.
fn seen(tested: &Tested) -> String {
    let judged = match tested {
        Tested::Judged { judged, .. } => judged,
        Tested::Died { how, .. } => {
            return format!("died: {}", how.lines().next().unwrap_or_default());
        }
        Tested::NotRun => return "not run".into(),
    };
    let reason = judged.reason.as_deref().unwrap_or_default();
    if matches!(judged.verdict, Verdict::Skipped | Verdict::NoResult) {
        return format!("{}: {reason}", judged.verdict.word());
    }
    let mut out = format!(
        "model {}, {}, {} runs of {} orders{}",
        judged.model,
        judged.verdict.word(),
        judged.runs,
        judged.orders,
        if judged.sampled { " (a sample)" } else { "" }
    );
    out.push_str(": ");
    out.push_str(&histogram(judged));
    if !reason.is_empty() {
        let _ = write!(out, ". {reason}");
    }
    for forbidden in &judged.forbidden {
        let _ = write!(
            out,
            ". FORBIDDEN, {} times, after {}: {}",
            forbidden.times,
            forbidden.turns.join("; "),
            forbidden.seen
        );
    }
    out
}

/// `12 of x[0]=0;, 78 of x[0]=7;`, with a star where the condition's proposition holds.
fn histogram(judged: &Judged) -> String {
    let states: Vec<String> = judged
        .states
        .iter()
        .map(|s| {
            let star = if s.satisfies == Some(true) { "*" } else { "" };
            let state = if s.state.is_empty() {
                "(nothing to see)"
            } else {
                &s.state
            };
            format!("{}{star} `{state}`", s.times)
        })
        .collect();
    states.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::TestResult;
    use crate::live::judge::judge;
    use cowherd_model::kernels::Kernels;

    fn tested(verdict: Verdict) -> Tested {
        let profile = Kernels::shipped().profile("v6.1").unwrap().profile;
        let skipped = TestResult {
            skipped: Some("for want of a kernel".into()),
            ..TestResult::default()
        };
        let mut judged = judge(&skipped, &profile, &crate::live::Options::default());
        judged.verdict = verdict;
        judged.model = "Never".into();
        Tested::judged(judged)
    }

    #[test]
    fn a_test_without_a_result_is_counted_as_one() {
        let all = [Verdict::Sound, Verdict::NoResult, Verdict::Skipped].map(tested);
        assert_eq!(counts(&all), "2 tests ran: 1 no result, 1 sound; 1 did not");
    }

    #[test]
    fn a_kernel_that_did_not_come_up_has_its_column_and_its_reason() {
        let kernel = Held::not_booted("6.1".into(), "it panicked\nlast words".into(), 1);
        let names = ["basics/store-load".to_string()];
        let text = text(&names, std::slice::from_ref(&kernel));
        assert!(text.contains("basics/store-load  no boot"), "{text}");
        assert!(
            text.contains("6.1: it panicked\n    last words\n"),
            "{text}"
        );
        let chapter = markdown("cowherd conform", &names, &[kernel]);
        assert!(
            chapter.contains("| it panicked; 0 tests ran; 1 did not |"),
            "{chapter}"
        );
    }
}
