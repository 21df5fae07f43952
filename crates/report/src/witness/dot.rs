//! A witness as a graph for Graphviz: a cluster a lane, a box for what an actor does in one go, arrows in the order of time.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cowherd_model::witness::Trace;

use super::groups::groups;
use crate::style::wrap;

/// The graph.
pub fn dot(trace: &Trace) -> String {
    let groups = groups(trace);
    let title = format!("{} on {}", trace.test, trace.profile);
    let mut out = format!("digraph {} {{\n", quoted(&title));
    out.push_str("    rankdir=TB;\n    node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"sans-serif\", fontsize=10];\n");
    out.push_str("    edge [color=\"#57606a\"];\n");
    let mut lanes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (n, group) in groups.iter().enumerate() {
        lanes.entry(group.actor).or_default().push(n);
    }
    for (lane, members) in &lanes {
        let _ = writeln!(out, "    subgraph cluster_{lane} {{");
        let who = quoted(&groups[members[0]].who);
        let _ = writeln!(
            out,
            "        label={who}; fontname=\"sans-serif\"; color=\"#d8dbdf\";"
        );
        for &n in members {
            let group = &groups[n];
            let bad = trace.steps[group.steps.clone()]
                .iter()
                .any(|s| !s.broken.is_empty());
            let colour = if bad {
                ", color=\"#b3201a\", penwidth=2"
            } else {
                ""
            };
            let what = if group.call.is_empty() {
                &group.who
            } else {
                &group.call
            };
            let text = format!("{}. {what}\n{}", n + 1, wrap(&group.headline(), 40, 0));
            let _ = writeln!(out, "        g{n} [label={}{colour}];", label(&text));
        }
        out.push_str("    }\n");
    }
    let mut end = trace.outcome.clone();
    end.extend(trace.broken.iter().cloned());
    let _ = writeln!(
        out,
        "    end [label={}, shape=plaintext, style=\"\", fontcolor=\"#b3201a\"];",
        label(&wrap(&end.join("; "), 60, 0))
    );
    for n in 1..groups.len() {
        let _ = writeln!(out, "    g{} -> g{n};", n - 1);
    }
    if let Some(last) = groups.len().checked_sub(1) {
        let _ = writeln!(out, "    g{last} -> end;");
    }
    out.push_str("}\n");
    out
}

/// A quoted string of the DOT language.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// A label of lines that stand flush left.
fn label(text: &str) -> String {
    let text = quoted(text.trim_end());
    format!("{}\\l\"", text[..text.len() - 1].replace('\n', "\\l"))
}
