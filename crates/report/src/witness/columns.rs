//! A witness as a plain-text table, one column an actor, for a commit message: at most 80 wide, no colours.

use std::fmt::Write as _;

use cowherd_model::witness::Trace;

use super::groups::{Group, groups};
use crate::style::wrap;

/// No line is wider.
const WIDTH: usize = 80;
/// What an actor does is at least so wide. With many actors that reaches into the next columns, which are empty there: every line
/// is one actor's.
const NARROWEST: usize = 34;

/// The table.
pub fn columns(trace: &Trace) -> String {
    let groups = groups(trace);
    let mut order: Vec<(usize, &str)> = groups.iter().map(|g| (g.actor, g.who.as_str())).collect();
    order.sort_unstable();
    order.dedup();
    let (width, offset) = layout(order.len());
    let mut out = format!("{} on {}\n\n", trace.test, trace.profile);
    let mut heads = String::new();
    for (column, (_, who)) in order.iter().enumerate() {
        let at = column * offset;
        if heads.chars().count() >= at && column > 0 {
            heads.push(' ');
        }
        let _ = write!(
            heads,
            "{:blank$}{who}",
            "",
            blank = at.saturating_sub(heads.len())
        );
    }
    let _ = writeln!(out, "{heads}\n{}", "-".repeat(WIDTH));
    for group in &groups {
        let column = order.iter().position(|(actor, _)| *actor == group.actor);
        let indent = " ".repeat(column.unwrap_or(0) * offset);
        for line in told(trace, group, width).lines() {
            let _ = writeln!(out, "{indent}{line}");
        }
    }
    let mut end = trace.outcome.clone();
    end.extend(trace.broken.iter().cloned());
    let _ = write!(out, "\n=> {}\n", wrap(&end.join("; "), WIDTH - 3, 3));
    out
}

/// How wide a column is, and how far from its neighbour.
fn layout(columns: usize) -> (usize, usize) {
    if columns <= 1 {
        return (WIDTH, 0);
    }
    let even = WIDTH / columns;
    if even > NARROWEST {
        return (even - 2, even);
    }
    (NARROWEST, (WIDTH - NARROWEST) / (columns - 1))
}

/// One group: the call, and below it the functions that did something worth saying.
fn told(trace: &Trace, group: &Group, width: usize) -> String {
    let mut out = String::new();
    if !group.call.is_empty() {
        let again = if group.continued { "... " } else { "" };
        let call = format!("{again}{}", group.call);
        let _ = writeln!(out, "{}", wrap(&call, width, 2));
    }
    for (step, said) in trace.steps[group.steps.clone()].iter().zip(&group.phrases) {
        let Some(said) = said else { continue };
        let function = &step.function;
        let text = if function.contains(' ') || function == "hardware" {
            said.clone()
        } else {
            format!("{function}(): {said}")
        };
        let text = wrap(&text, width - 2, 2).replace('\n', "\n  ");
        let _ = writeln!(out, "  {text}");
    }
    out
}
