//! A witness as a plain-text table, one column an actor, for a commit message: at most 80 wide, no colours.

use std::fmt::Write as _;

use cowherd_model::witness::Trace;

use super::groups::groups;
use crate::style::wrap;

/// No line is wider.
const WIDTH: usize = 80;
/// Blanks between columns.
const GAP: usize = 2;

/// The table.
pub fn columns(trace: &Trace) -> String {
    let groups = groups(trace);
    let mut heads: Vec<&str> = Vec::new();
    let mut order: Vec<(usize, &str)> = groups.iter().map(|g| (g.actor, g.who.as_str())).collect();
    order.sort_unstable();
    for (_, who) in &order {
        if !heads.contains(who) {
            heads.push(who);
        }
    }
    let n = heads.len().max(1);
    let width = (WIDTH - GAP * (n - 1)) / n;
    let mut out = format!("{} on {}\n\n", trace.test, trace.profile);
    let cells: Vec<String> = heads
        .iter()
        .map(|h| format!("{h:<width$}", h = cut(h, width)))
        .collect();
    out.push_str(cells.join(&" ".repeat(GAP)).trim_end());
    out.push('\n');
    out.push_str(&"-".repeat(n * width + GAP * (n - 1)));
    out.push('\n');
    for group in &groups {
        let column = heads.iter().position(|h| *h == group.who).unwrap_or(0);
        let indent = " ".repeat(column * (width + GAP));
        let mut lines = Vec::new();
        if !group.call.is_empty() {
            let again = if group.continued { "... " } else { "" };
            lines.push(wrap(&format!("{again}{}", group.call), width, 2));
        }
        for (step, said) in trace.steps[group.steps.clone()].iter().zip(&group.phrases) {
            if let Some(said) = said {
                let function = match step.function.as_str() {
                    "hardware" => "",
                    name if name.contains(' ') => "",
                    name => name,
                };
                if !function.is_empty() {
                    lines.push(format!(
                        "  {}",
                        wrap(&format!("{function}()"), width - 2, 2)
                    ));
                }
                let inner = if function.is_empty() { 2 } else { 4 };
                let text = wrap(said, width.saturating_sub(inner), 0);
                let pad = " ".repeat(inner);
                lines.push(format!("{pad}{}", text.replace('\n', &format!("\n{pad}"))));
            }
        }
        for line in lines.iter().flat_map(|l| l.lines()) {
            for piece in pieces(line, width) {
                let _ = writeln!(out, "{}", format!("{indent}{piece}").trim_end());
            }
        }
    }
    let _ = write!(out, "\n=> {}\n", wrap(&end(trace), WIDTH - 3, 3));
    out
}

fn end(trace: &Trace) -> String {
    let mut parts = trace.outcome.clone();
    parts.extend(trace.broken.iter().cloned());
    parts.join("; ")
}

fn cut(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

/// A line that has no blank to break at is broken where it must be.
fn pieces(line: &str, width: usize) -> Vec<String> {
    let chars: Vec<char> = line.chars().collect();
    chars
        .chunks(width.max(1))
        .map(|piece| piece.iter().collect())
        .collect()
}
