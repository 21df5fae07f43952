//! Two kernels, one schedule: where they part, which rule makes the difference, and what follows.

use std::fmt::Write as _;

use cowherd_mm::Feature;
use cowherd_model::kernels::{Kernels, Role};
use cowherd_model::why_not::{How, Parting, Replay};
use cowherd_model::witness::{Trace, TraceStep};
use serde_json::json;

use super::groups::{Group, as_far, groups};
use super::story;
use crate::style::{BAD, BOLD, DIM, GOOD, NAME, WIDTH, paint, plural, wrap};

/// A kernel with one rule changed, and what came of the test there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterproof {
    /// The kernel: `v5.19-swp_exclusive`.
    pub profile: String,
    /// The verdict's word.
    pub verdict: &'static str,
}

/// Why what `recorded` tells does not happen on the kernel of `replay`.
pub fn why_not(recorded: &Trace, replay: &Replay, proofs: &[Counterproof]) -> String {
    let here = &replay.trace;
    let mut out = String::new();
    let Some(parting) = &replay.parting else {
        return same(recorded, here);
    };
    let names: Vec<&str> = parting.rules.iter().map(|(f, _)| f.name()).collect();
    let _ = writeln!(
        out,
        "{} on {}: {}",
        paint(BOLD, &here.test),
        paint(BOLD, &here.profile),
        paint(GOOD, "it does not happen")
    );
    let intro = format!(
        "On {} it does ({}). That schedule, taken on {}, is the same for {}.",
        recorded.profile,
        recorded.outcome.join("; "),
        here.profile,
        plural(parting.at, "step")
    );
    let _ = writeln!(out, "{}\n", wrap(&intro, WIDTH, 0));
    for (n, group) in groups(here).iter().enumerate() {
        if group.steps.start >= parting.at {
            break;
        }
        let said = group.phrases[..group.phrases.len().min(parting.at - group.steps.start)].iter();
        let said: Vec<&str> = said.flatten().map(String::as_str).collect();
        let mut said = said.join("; ");
        if said.is_empty() {
            said = as_far(&here.steps[group.steps.end.min(parting.at) - 1]);
        }
        headline(&mut out, Some(n + 1), group, &said);
    }
    let _ = write!(out, "\n{}", apart(recorded, here, parting));
    if names.is_empty() {
        let _ = writeln!(
            out,
            "They differ in the initial state, and no single feature decides."
        );
    } else {
        let word = if names.len() == 1 {
            "The rule"
        } else {
            "The rules"
        };
        let _ = writeln!(out, "\n{}: {}", paint(BOLD, word), names.join(", "));
    }
    for text in rules(parting, &recorded.profile, &here.profile) {
        out.push_str(&rule(&text));
    }
    for proof in proofs {
        let _ = writeln!(
            out,
            "    Counter-proof: {} on {} is {}.",
            here.test, proof.profile, proof.verdict
        );
    }
    out.push_str(&follows(here, parting));
    out
}

/// The schedule is the same on both.
fn same(recorded: &Trace, here: &Trace) -> String {
    format!(
        "{} on {}: the schedule of {} is the same here, all {}.\nIn the end: {}.\n",
        paint(BOLD, &here.test),
        paint(BOLD, &here.profile),
        recorded.profile,
        plural(here.steps.len(), "step"),
        here.outcome.join("; ")
    )
}

fn headline(out: &mut String, number: Option<usize>, group: &Group, said: &str) {
    let number = number.map_or(String::new(), |n| format!("{n:>2}. "));
    let again = if group.continued { " goes on" } else { "" };
    let call = if group.call.is_empty() {
        String::new()
    } else {
        format!(" {}", group.call)
    };
    let who = paint(NAME, format!("{}{again}:", group.who));
    let _ = writeln!(out, "{number}{who}{}", paint(BOLD, call));
    if !said.is_empty() {
        let text = wrap(said, WIDTH - 4, 0).replace('\n', "\n    ");
        let _ = writeln!(out, "    {text}");
    }
}

/// The step in which the kernels part, on both.
fn apart(recorded: &Trace, here: &Trace, parting: &Parting) -> String {
    let theirs = &recorded.steps[parting.at];
    let who = recorded.actors.get(theirs.actor).map_or("", String::as_str);
    let mut out = format!(
        "Then the kernels part, in {} of {}:\n",
        if theirs.call.is_empty() {
            "a step"
        } else {
            &theirs.call
        },
        who
    );
    let width = recorded.profile.len().max(here.profile.len());
    let mut line = |profile: &str, style, text: String| {
        let name = paint(style, format!("{profile:<width$}"));
        let text = wrap(&text, WIDTH - width - 6, 0);
        let text = text.replace('\n', &format!("\n{}", " ".repeat(width + 6)));
        let _ = writeln!(out, "    {name}  {text}");
    };
    line(&recorded.profile, BAD, told(theirs));
    // The actor's next step here, which may be another one; it may have to wait for others first.
    let ours = here.steps[parting.at.min(here.steps.len())..]
        .iter()
        .find(|s| s.actor == theirs.actor);
    let ours = match (parting.how, ours) {
        (How::Blocked, _) => "the step cannot be taken".into(),
        (_, Some(step)) => told(step),
        (_, None) => "nothing".into(),
    };
    line(&here.profile, GOOD, ours);
    if parting.decided != parting.at {
        let step = &recorded.steps[parting.decided];
        let _ = writeln!(
            out,
            "    {}",
            paint(
                DIM,
                format!(
                    "what decided it was asked in {} {}",
                    step.label, step.function
                )
            )
        );
    }
    out
}

fn told(step: &TraceStep) -> String {
    let changes = story::changes(&step.changes);
    let changes = if changes.is_empty() {
        "changes nothing".into()
    } else {
        changes
    };
    format!("{} {}: {changes}", step.label, step.function)
}

/// A rule that makes the difference, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleText {
    /// The feature's name.
    pub name: &'static str,
    /// Which kernel has it.
    pub who: String,
    /// What it does.
    pub effect: String,
    /// The commit and the first release; for a rule that was never absent, where it is.
    pub cite: Vec<String>,
}

/// What the data says of the rules by which the kernels part.
pub fn rules(parting: &Parting, there: &str, here: &str) -> Vec<RuleText> {
    let rules = parting.rules.iter();
    rules
        .map(|(feature, has)| rule_text(*feature, *has, there, here))
        .collect()
}

fn rule_text(feature: Feature, has: bool, there: &str, here: &str) -> RuleText {
    let info = Kernels::shipped().feature(feature);
    let (with, without) = if has { (here, there) } else { (there, here) };
    let mut cite = Vec::new();
    let mut commits = info.commits.iter().filter(|c| c.role == Role::Introduction);
    if let Some(commit) = commits.next() {
        let id = commit.id.as_deref().unwrap_or("(id not known)");
        let more = match commits.count() {
            0 => String::new(),
            n => format!(", and {n} more"),
        };
        cite.push(format!("commit {id} (\"{}\"){more}", commit.subject));
    }
    let until = info
        .until
        .map_or(String::new(), |r| format!(", last in {r}"));
    cite.push(match &info.rule {
        Some(rule) => format!("always there, in {}", rule.function),
        None => format!("first in {}{until}", info.first),
    });
    RuleText {
        name: feature.name(),
        who: format!("{with} has it, {without} has not"),
        effect: info.effect.clone(),
        cite,
    }
}

/// A rule, for the terminal.
fn rule(rule: &RuleText) -> String {
    let mut out = format!("    {}: {}\n", paint(BOLD, rule.name), rule.who);
    for line in std::iter::once(&rule.effect).chain(&rule.cite) {
        let text = wrap(line, WIDTH - 4, 0).replace('\n', "\n    ");
        let _ = writeln!(out, "    {text}");
    }
    out
}

/// What happens on this kernel instead.
fn follows(here: &Trace, parting: &Parting) -> String {
    let mut out = format!("\nWhat follows on {}:\n", here.profile);
    for group in groups(here) {
        if group.steps.end <= parting.at {
            continue;
        }
        let skip = parting.at.saturating_sub(group.steps.start);
        let said: Vec<&str> = group.phrases[skip..]
            .iter()
            .flatten()
            .map(String::as_str)
            .collect();
        if !said.is_empty() {
            headline(&mut out, None, &group, &said.join("; "));
        }
    }
    let _ = writeln!(out, "In the end: {}.", here.outcome.join("; "));
    out
}

/// The same as data.
pub fn as_json(recorded: &Trace, replay: &Replay, proofs: &[Counterproof]) -> serde_json::Value {
    let parting = replay.parting.as_ref().map(|p| {
        json!({
            "at": p.at,
            "how": match p.how {
                How::OtherStep => "other-step",
                How::OtherChange => "other-change",
                How::Blocked => "blocked",
            },
            "decided": p.decided,
            "rules": p.rules.iter().map(|(f, has)| json!({ "feature": f.name(), "has": has })).collect::<Vec<_>>(),
        })
    });
    json!({
        "schema": crate::json::SCHEMA,
        "test": replay.trace.test,
        "profile": replay.trace.profile,
        "recorded_on": recorded.profile,
        "parting": parting,
        "counterproofs": proofs.iter().map(|p| json!({ "profile": p.profile, "verdict": p.verdict })).collect::<Vec<_>>(),
        "recorded": recorded,
        "replayed": replay.trace,
    })
}
