//! `cowherd check --graph`

use cowherd_explore::{Edge, Node, Report, System, explore};
use cowherd_model::kernels::Profile;
use cowherd_model::lower::lower;
use cowherd_model::program::Program;

use crate::batch::{self, Extras};
use crate::cli::{Graph, Search};
use crate::commands::explain;
use crate::exit::{Exit, Failure};
use crate::input::Loaded;
use crate::terminal::{self, Meter};

/// More states than anybody can look at, and a graph takes far more memory than a search.
const MOST: u64 = 200_000;

/// Writes the state graph of one test on one kernel.
pub fn run(
    test: &Loaded,
    profile: &Profile,
    format: Graph,
    search: &Search,
) -> Result<Exit, Failure> {
    let program = lower(&test.test, profile, search.reductions().symmetry)
        .map_err(|r| explain::refuse(test, &r))?;
    let meter = Meter::new(1);
    let progress = |p: &_| meter.searching("searching", p);
    let mut options = batch::search(search, batch::workers(search), Extras::default()).options();
    options.max_states = Some(options.max_states.unwrap_or(MOST).min(MOST));
    options.progress = Some(&progress);
    let report = explore(&program, &options);
    if report.states >= MOST {
        terminal::warn(&format!("the graph ends at {MOST} states"));
    }
    let graph = report.graph(&program);
    drop(meter);
    let node = |n: &Node| label(&program, &report, n);
    let edge = |e: &Edge| steps(&program, &report, &graph.nodes[e.from], e);
    let mut out = Vec::new();
    match format {
        Graph::Dot => graph.write_dot(&mut out, node, edge)?,
        Graph::Json => graph.write_json(&mut out, node, edge)?,
    }
    terminal::print(&String::from_utf8_lossy(&out))?;
    Ok(Exit::Fine)
}

/// A final state shows what is seen in it, a bad one what is broken.
fn label(program: &Program, report: &Report, node: &Node) -> String {
    let state = program.unpack(report.packed(node.state));
    let mut parts = Vec::new();
    if program.done(&state) {
        parts = program.outcome_text(&state);
    }
    parts.extend(cowherd_model::spec::names(node.flags));
    parts.join("; ")
}

/// Who takes which steps.
fn steps(program: &Program, report: &Report, from: &Node, edge: &Edge) -> String {
    let mut state = program.unpack(report.packed(from.state));
    let mut labels = Vec::new();
    let mut who = String::new();
    for &step in &edge.steps {
        who = program.actor_name(step.actor);
        if let Some(d) = program.describe(&state, step.actor) {
            labels.push(d.label);
        }
        match program.take(&state, step) {
            Some(next) => state = next,
            None => break,
        }
    }
    format!("{who}: {}", labels.join(" "))
}
