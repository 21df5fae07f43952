//! A witness as a Mermaid sequence diagram: what each actor does to the memory.

use std::fmt::Write as _;

use cowherd_model::witness::Trace;

use super::groups::groups;
use crate::style::wrap;

/// Columns of a message: actors stand as far apart as the longest between them is wide.
const MESSAGE: usize = 40;

/// The diagram.
pub fn mermaid(trace: &Trace) -> String {
    let groups = groups(trace);
    let mut out = String::from("sequenceDiagram\n");
    let _ = writeln!(
        out,
        "    %% {} on {}: {}",
        trace.test,
        trace.profile,
        trace.outcome.join(" ")
    );
    let mut seen: Vec<(usize, &str)> = Vec::new();
    for group in &groups {
        if !seen.iter().any(|(actor, _)| *actor == group.actor) {
            seen.push((group.actor, &group.who));
        }
    }
    seen.sort_unstable();
    for (actor, who) in &seen {
        let _ = writeln!(out, "    participant a{actor} as {}", escape(who));
    }
    out.push_str("    participant mm as memory\n");
    for group in &groups {
        let actor = group.actor;
        if !group.call.is_empty() {
            let again = if group.continued { "... " } else { "" };
            let _ = writeln!(
                out,
                "    Note over a{actor}: {again}{}",
                escape(&group.call)
            );
        }
        for said in group.phrases.iter().flatten() {
            let said = wrap(&escape(said), MESSAGE, 0).replace('\n', "<br/>");
            let _ = writeln!(out, "    a{actor}->>mm: {said}");
        }
    }
    let end: Vec<&str> = trace
        .outcome
        .iter()
        .chain(&trace.broken)
        .map(String::as_str)
        .collect();
    let _ = writeln!(out, "    Note over mm: {}", escape(&end.join(", ")));
    out
}

/// `;` ends a statement and `#` begins an entity.
fn escape(text: &str) -> String {
    text.replace('#', "#35;").replace(';', "#59;")
}
