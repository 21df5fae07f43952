//! A witness as numbered prose, with every step and what it changed.

use std::fmt::Write as _;

use cowherd_model::diff::Change;
use cowherd_model::witness::{Trace, TraceStep};

use super::generic;
use super::groups::{Group, groups};
use super::memory::Memory;
use crate::style::{BAD, BOLD, DIM, NAME, WIDTH, paint, plural, wrap};

/// Where the changes of a step begin, at most.
const MARGIN: usize = 54;

/// The story.
pub fn story(trace: &Trace) -> String {
    let groups = groups(trace);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} on {}: {}",
        paint(BOLD, &trace.test),
        paint(BOLD, &trace.profile),
        paint(BAD, ending(trace))
    );
    let _ = writeln!(out, "{}", paint(DIM, size(trace, &groups)));
    let _ = writeln!(out, "\n{}", at_the_start(trace));
    let margin = trace
        .steps
        .iter()
        .map(|s| plain_step(s).chars().count() + 2)
        .max()
        .unwrap_or(0)
        .min(MARGIN);
    for (n, group) in groups.iter().enumerate() {
        out.push('\n');
        head(&mut out, n + 1, group);
        for step in &trace.steps[group.steps.clone()] {
            line(&mut out, step, margin);
        }
    }
    let _ = write!(out, "\n{}", at_the_end(trace));
    out
}

/// `x[0]=0`, or what was broken.
fn ending(trace: &Trace) -> String {
    let mut parts = Vec::new();
    if !trace.outcome.is_empty() {
        parts.push(trace.outcome.join("; "));
    }
    // What the condition itself asks for is said once.
    let asked = |kind: &str| {
        let atom = |name: &str| trace.outcome.iter().any(|o| o == name);
        match kind.strip_prefix("hazard ") {
            Some(hazard) => atom(&format!("hazard({hazard})")),
            None => atom(&format!("violates({kind})")),
        }
    };
    let broken = trace.broken.iter().map(String::as_str);
    let broken: Vec<&str> = broken.filter(|kind| !asked(kind)).collect();
    if !broken.is_empty() {
        parts.push(broken.join(", "));
    }
    parts.join("; ")
}

fn size(trace: &Trace, groups: &[Group]) -> String {
    let calls = trace.steps.iter().filter(|s| s.begins).count();
    let mut actors: Vec<usize> = groups.iter().map(|g| g.actor).collect();
    actors.sort_unstable();
    actors.dedup();
    format!(
        "{}, {}, {}",
        plural(calls, "call"),
        plural(actors.len(), "actor"),
        plural(trace.steps.len(), "step")
    )
}

/// What is mapped before anybody does anything.
fn at_the_start(trace: &Trace) -> String {
    let mut memory = Memory::default();
    memory.apply(&trace.start);
    let mut parts = Vec::new();
    for (address, _, pte) in memory.all().filter(|(_, field, _)| *field == "PTE") {
        if pte.is_empty() {
            continue;
        }
        let mut text = format!("{address} is {pte}");
        if let Some(page) = super::memory::page_of_pte(pte) {
            let cells: Vec<String> = memory
                .all()
                .filter(|(object, field, _)| *object == page && field.starts_with('['))
                .map(|(_, field, value)| format!("{}{field}={value}", memory.short(address)))
                .collect();
            let exclusive = if memory.get(&page, "PG_anon_exclusive") == "set" {
                ", exclusive"
            } else {
                ""
            };
            text = format!(
                "{text} (refcount {}, mapcount {}{exclusive}; {})",
                memory.get(&page, "refcount"),
                memory.get(&page, "mapcount"),
                cells.join(" ")
            );
        }
        parts.push(text);
    }
    if parts.is_empty() {
        return "At the start nothing is mapped.".into();
    }
    wrap(&format!("At the start {}.", parts.join("; ")), WIDTH, 0)
}

fn head(out: &mut String, n: usize, group: &Group) {
    let number = format!("{n}.");
    let again = if group.continued { " goes on" } else { "" };
    let who = paint(NAME, format!("{}{again}:", group.who));
    let call = if group.call.is_empty() {
        String::new()
    } else {
        format!(" {}", group.call)
    };
    let _ = writeln!(out, "{:>3} {who}{}", paint(BOLD, number), paint(BOLD, call));
    let headline = group.headline();
    if !headline.is_empty() {
        let text = wrap(&headline, WIDTH - 4, 0).replace('\n', "\n    ");
        let _ = writeln!(out, "    {text}");
    }
}

fn plain_step(step: &TraceStep) -> String {
    let lock = if step.lock.is_empty() {
        String::new()
    } else {
        format!(" [{}]", step.lock)
    };
    format!("      {:<8} {}{lock}", step.label, step.function)
}

/// Label, function, lock, changes.
fn line(out: &mut String, step: &TraceStep, margin: usize) {
    let left = plain_step(step);
    let changes = changes(&step.changes);
    let width = left.chars().count();
    let _ = write!(out, "{}", paint(DIM, &left));
    if !changes.is_empty() {
        if width + 2 > margin {
            let _ = write!(out, "\n{}", " ".repeat(margin));
        } else {
            let _ = write!(out, "{}", " ".repeat(margin - width));
        }
        let text = wrap(&changes, WIDTH - margin, 2);
        out.push_str(&text.replace('\n', &format!("\n{}", " ".repeat(margin))));
    }
    out.push('\n');
    for kind in &step.broken {
        let _ = writeln!(out, "      {}", paint(BAD, format!("breaks: {kind}")));
    }
}

/// `page 1: refcount 2 -> 3, PG_dirty set; slot 0: count 0 -> 1`
pub fn changes(all: &[Change]) -> String {
    let mut out = String::new();
    let mut object = "";
    for c in generic::in_order(all) {
        if c.object == object {
            out.push_str(", ");
        } else {
            if !out.is_empty() {
                out.push_str("; ");
            }
            let _ = write!(out, "{}: ", c.object);
            object = &c.object;
        }
        out.push_str(&field(c));
    }
    out
}

fn field(c: &Change) -> String {
    let none = |text: &str| {
        if text.is_empty() {
            "none".to_string()
        } else {
            text.to_string()
        }
    };
    match (c.field.as_str(), c.from.as_str(), c.to.as_str()) {
        (field, "", "set") => format!("{field} set"),
        (field, "set", "") => format!("{field} cleared"),
        ("", from, to) => format!("{from} -> {to}"),
        // The cells of a page or slot that held nothing.
        (field, "", to) if field.starts_with('[') => format!("{field}={to}"),
        (field, from, to) => format!("{field} {} -> {}", none(from), none(to)),
    }
}

/// What is seen, and what is mapped.
fn at_the_end(trace: &Trace) -> String {
    let mut memory = Memory::default();
    memory.apply(&trace.start);
    for step in &trace.steps {
        memory.apply(&step.changes);
    }
    let mut text = format!("In the end: {}.", ending(trace));
    let mapped: Vec<String> = memory
        .all()
        .filter(|(_, field, pte)| *field == "PTE" && !pte.is_empty())
        .map(|(address, _, pte)| format!("{address} is {pte}"))
        .collect();
    if !mapped.is_empty() {
        text = format!("{text} {}.", mapped.join("; "));
    }
    format!("{}\n", wrap(&text, WIDTH, 0))
}
