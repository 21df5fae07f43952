//! Judged tests as KTAP, which kernel selftests write, and as text for people.

use std::fmt::Write;

use super::judge::{Judged, Verdict};

/// The head of a KTAP document: how many tests, and what they ran on.
pub fn head(tests: usize, about: &[String]) -> String {
    let mut out = format!("KTAP version 1\n1..{tests}\n");
    for line in about {
        let _ = writeln!(out, "# {line}");
    }
    out
}

/// A test's line, after diagnostics that tell what was seen.
pub fn line(n: usize, judged: &Judged) -> String {
    let mut out = String::new();
    for line in details(judged) {
        let _ = writeln!(out, "# {line}");
    }
    let (word, reason) = (judged.verdict.word(), judged.reason.as_deref());
    let (ok, what) = match judged.verdict {
        Verdict::Skipped => ("ok", format!("SKIP {}", reason.unwrap_or(word))),
        // A call that hangs is no pass.
        Verdict::NoResult => ("not ok", format!("{word}: {}", reason.unwrap_or("no run"))),
        Verdict::Unsound => ("not ok", word.into()),
        _ => ("ok", word.into()),
    };
    let _ = writeln!(out, "{ok} {n} {} # {what}", judged.name);
    out
}

/// What was seen of a test, in herd's words.
pub fn details(judged: &Judged) -> Vec<String> {
    let mut out = Vec::new();
    if judged.verdict == Verdict::Skipped {
        return out;
    }
    out.extend(
        judged
            .notes
            .iter()
            .map(|note| format!("{}: {note}", judged.name)),
    );
    out.push(format!("Test {} Directed", judged.name));
    out.push(format!("Histogram ({} states)", judged.states.len()));
    for seen in &judged.states {
        let mark = match seen.satisfies {
            Some(true) => "*>",
            Some(false) => ":>",
            None => "?>",
        };
        out.push(format!("{:<8}{mark}{}", seen.times, seen.state));
    }
    let (yes, no) = judged
        .states
        .iter()
        .fold((0, 0), |(yes, no), s| match s.satisfies {
            Some(true) => (yes + s.times, no),
            Some(false) => (yes, no + s.times),
            None => (yes, no),
        });
    out.push(format!("Condition {}", judged.condition));
    out.push(format!(
        "Observation {} {} {yes} {no}",
        judged.name, judged.observed
    ));
    let orders = match judged.sampled {
        true => format!("{} orders, a sample", judged.orders),
        false => format!("all {} orders", judged.orders),
    };
    out.push(format!(
        "Model {}; {orders}; {} runs",
        judged.model, judged.runs
    ));
    if let Some(reason) = &judged.reason {
        out.push(format!("{}: {reason}", judged.verdict.word()));
    }
    for (why, times) in &judged.no_result {
        out.push(format!("{times} runs without a result: {why}"));
    }
    if judged.unfollowed > 0 {
        out.push(format!(
            "{} runs have too many states to be followed",
            judged.unfollowed
        ));
    }
    for forbidden in &judged.forbidden {
        out.push(format!("FORBIDDEN, seen {} times, after", forbidden.times));
        for (n, turn) in forbidden.turns.iter().enumerate() {
            out.push(format!("  {}. {turn}", n + 1));
        }
        out.push(format!("  seen:    {}", forbidden.seen));
        for allowed in &forbidden.allowed {
            out.push(format!("  allowed: {allowed}"));
        }
        out.extend(forbidden.why.iter().map(|why| format!("  why not: {why}")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::judge::judge;
    use crate::live::{Options, TestResult};
    use cowherd_model::kernels::Kernels;

    #[test]
    fn a_call_that_did_not_return_is_no_pass_and_what_was_skipped_is_no_failure() {
        let profile = Kernels::shipped().profile("v6.12").expect("a kernel");
        let judged = |verdict, why: &str| {
            let result = TestResult {
                name: "t".into(),
                skipped: Some(why.into()),
                ..TestResult::default()
            };
            let judged = judge(&result, &profile.profile, &Options::default());
            Judged { verdict, ..judged }
        };
        let last = |verdict, why| {
            let text = line(1, &judged(verdict, why));
            text.lines().last().map(str::to_owned)
        };
        assert_eq!(
            last(Verdict::NoResult, "a call of P0 did not return").as_deref(),
            Some("not ok 1 t # no result: a call of P0 did not return")
        );
        assert_eq!(
            last(Verdict::Skipped, "userfaultfd").as_deref(),
            Some("ok 1 t # SKIP userfaultfd")
        );
    }
}
