//! The state graph of a search, to look at: as dot or as JSON.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use crate::expand::{Expander, Step};
use crate::options::Ended;
use crate::report::Report;
use crate::store::StateId;
use crate::system::System;
use crate::worker::pack;

/// What kind of state a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It goes on from here.
    Inner,
    /// The program has ended.
    Done,
    /// Nobody can take a step.
    Deadlock,
    /// Found, and not expanded when the search ended: what comes after it may be missing.
    Frontier,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Inner => "inner",
            Kind::Done => "done",
            Kind::Deadlock => "deadlock",
            Kind::Frontier => "frontier",
        }
    }
}

/// One stored state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name in the report.
    pub state: StateId,
    /// Does the search begin here?
    pub initial: bool,
    /// How it goes on.
    pub kind: Kind,
    /// The flags that hold.
    pub flags: u64,
}

/// One transition between stored states.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    /// Index of the node that it leaves.
    pub from: usize,
    /// Index of the node that it leads to.
    pub to: usize,
    /// Its steps, all of one actor. With "symmetry", actors are named as in the state that it leaves.
    pub steps: Vec<Step>,
}

/// The states of a report and the transitions between them; nodes in breadth-first order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// The states.
    pub nodes: Vec<Node>,
    /// The transitions, by the node that they leave.
    pub edges: Vec<Edge>,
}

impl Report {
    /// Finds the transitions of this search once more. They take far more memory than the search: for small ones.
    pub fn graph<S: System>(&self, system: &S) -> Graph {
        let mut graph = Graph::default();
        let mut numbers = HashMap::new();
        let mut states = Vec::new();
        let mut packed = Vec::new();
        system.initial(&mut |mut state| {
            packed.clear();
            pack(system, self.reductions, &mut state, &mut packed);
            let Some(id) = self.store.find(&packed) else {
                return;
            };
            numbers.entry(id).or_insert_with(|| {
                graph.nodes.push(Node {
                    state: id,
                    initial: true,
                    kind: Kind::Inner,
                    flags: 0,
                });
                states.push(state);
                states.len() - 1
            });
        });
        let mut expander = Expander::with_trails(system, self.reductions);
        let mut from = 0;
        while from < graph.nodes.len() {
            let state = states[from].clone();
            let flags = system.flags(&state);
            graph.nodes[from].flags = flags;
            if system.done(&state) {
                graph.nodes[from].kind = Kind::Done;
                from += 1;
                continue;
            }
            expander.expand_every_way(&state, flags);
            if expander.successors().is_empty() {
                graph.nodes[from].kind = Kind::Deadlock;
            }
            let first = graph.edges.len();
            let trails = std::mem::take(&mut expander.trails);
            for (mut next, steps) in expander.successors().iter().cloned().zip(trails) {
                packed.clear();
                pack(system, self.reductions, &mut next, &mut packed);
                let Some(id) = self.store.find(&packed) else {
                    // A complete search leaves out only ways that a reduction found needless.
                    if self.ended != Ended::Complete {
                        graph.nodes[from].kind = Kind::Frontier;
                    }
                    continue;
                };
                let to = *numbers.entry(id).or_insert_with(|| {
                    graph.nodes.push(Node {
                        state: id,
                        initial: false,
                        kind: Kind::Inner,
                        flags: 0,
                    });
                    states.push(next);
                    states.len() - 1
                });
                let edge = Edge { from, to, steps };
                if !graph.edges[first..].contains(&edge) {
                    graph.edges.push(edge);
                }
            }
            from += 1;
        }
        graph
    }
}

impl Graph {
    /// Writes the graph in the language of Graphviz. `node` and `edge` make the labels.
    pub fn write_dot(
        &self,
        out: &mut dyn Write,
        node: impl Fn(&Node) -> String,
        edge: impl Fn(&Edge) -> String,
    ) -> io::Result<()> {
        writeln!(out, "digraph states {{")?;
        writeln!(out, "  node [shape=box];")?;
        for (number, each) in self.nodes.iter().enumerate() {
            let mut style = match each.kind {
                Kind::Inner => String::new(),
                Kind::Done => ", peripheries=2".to_string(),
                Kind::Deadlock => ", color=red".to_string(),
                Kind::Frontier => ", style=dashed".to_string(),
            };
            if each.initial {
                style.push_str(", penwidth=2");
            }
            if each.flags != 0 {
                style.push_str(", fontcolor=red");
            }
            writeln!(out, "  s{number} [label={}{style}];", quoted(&node(each)))?;
        }
        for each in &self.edges {
            writeln!(
                out,
                "  s{} -> s{} [label={}];",
                each.from,
                each.to,
                quoted(&edge(each))
            )?;
        }
        writeln!(out, "}}")
    }

    /// Writes the graph as one JSON object: `version` 1, `nodes` with `id`, `label`, `initial`, `kind` and `flags` (bits that are
    /// set), `edges` with `from`, `to`, `label` and `steps` of `actor` and `choice`.
    pub fn write_json(
        &self,
        out: &mut dyn Write,
        node: impl Fn(&Node) -> String,
        edge: impl Fn(&Edge) -> String,
    ) -> io::Result<()> {
        writeln!(out, "{{\"version\":1,")?;
        write!(out, "\"nodes\":[")?;
        for (number, each) in self.nodes.iter().enumerate() {
            let flags: Vec<String> = crate::expand::bits(each.flags)
                .map(|bit| bit.to_string())
                .collect();
            write!(
                out,
                "{}\n{{\"id\":{number},\"label\":{},\"initial\":{},\"kind\":\"{}\",\"flags\":[{}]}}",
                comma(number),
                quoted(&node(each)),
                each.initial,
                each.kind.name(),
                flags.join(","),
            )?;
        }
        write!(out, "],\n\"edges\":[")?;
        for (number, each) in self.edges.iter().enumerate() {
            let step =
                |step: &Step| format!("{{\"actor\":{},\"choice\":{}}}", step.actor, step.choice);
            let steps: Vec<String> = each.steps.iter().map(step).collect();
            write!(
                out,
                "{}\n{{\"from\":{},\"to\":{},\"label\":{},\"steps\":[{}]}}",
                comma(number),
                each.from,
                each.to,
                quoted(&edge(each)),
                steps.join(","),
            )?;
        }
        writeln!(out, "]}}")
    }
}

fn comma(number: usize) -> &'static str {
    if number == 0 { "" } else { "," }
}

/// A JSON string. What it escapes, dot reads in the same way, as far as labels go.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for each in text.chars() {
        match each {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            other if other < ' ' => {
                let _ = write!(out, "\\u{:04x}", other as u32);
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        assert_eq!(
            quoted("a \"b\"\\\n\u{1}é"),
            "\"a \\\"b\\\"\\\\\\n\\u0001é\""
        );
    }
}
