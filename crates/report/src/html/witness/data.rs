//! What the script of the page gets: everything that it shows, so that it need not know what any of it means.

use cowherd_model::diff::Change;
use cowherd_model::memory::Thing;
use cowherd_model::witness::{Trace, TraceStep};
use serde::Serialize;

use super::alignment::Block;
use super::cause::cause;
use crate::html::words;
use crate::witness::Group;

/// All of it.
#[derive(Debug, Serialize)]
pub struct Document {
    /// The kernels; one or two.
    pub views: Vec<View>,
    /// The lines of the schedule.
    pub rows: Vec<RowData>,
    /// Who takes part: lanes, in the order in which they are drawn.
    pub lanes: Vec<Lane>,
    /// The calls.
    pub groups: Vec<GroupData>,
    /// Where the kernels part: the number of the first line that is not the same on both.
    pub parting: Option<usize>,
}

/// One kernel.
#[derive(Debug, Serialize)]
pub struct View {
    /// Its name.
    pub profile: String,
    /// What is seen in the end.
    pub ending: String,
    /// Is that the bad end?
    pub bad: bool,
    /// Why it went wrong.
    pub why: Vec<String>,
    /// The memory at the start.
    pub memory: Vec<Thing>,
    /// The steps.
    pub steps: Vec<StepData>,
}

/// A step.
#[derive(Debug, Serialize)]
pub struct StepData {
    /// The step's label in the model.
    pub label: String,
    /// The kernel function.
    pub function: String,
    /// What that function is for, if there are words for it.
    pub meaning: &'static str,
    /// The locks that cover the step.
    pub lock: String,
    /// What it does, if that is worth a clause.
    pub said: String,
    /// What changed.
    pub changes: Vec<Change>,
    /// Things that are other ones now.
    pub memory: Vec<Thing>,
    /// Things that are gone.
    pub gone: Vec<String>,
    /// What was broken: the kind, and what that means.
    pub broken: Vec<(String, &'static str)>,
}

/// A line of the schedule.
#[derive(Debug, Serialize)]
pub struct RowData {
    /// For each kernel, the number of the step that it takes.
    pub at: Vec<Option<usize>>,
    /// The call.
    pub group: usize,
}

/// A lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lane {
    /// The actor's number.
    pub actor: usize,
    /// Its name.
    pub name: String,
    /// `cpu`, `kernel` or `device`.
    pub kind: &'static str,
}

/// A call.
#[derive(Debug, Serialize)]
pub struct GroupData {
    /// The number of its lane.
    pub lane: usize,
    /// The call; empty for devices.
    pub call: String,
    /// Was it begun in an earlier group?
    pub continued: bool,
    /// The sentence, for each kernel; none: it does not take part.
    pub said: Vec<Option<String>>,
}

/// What a trace came to, in words.
pub fn ending(trace: &Trace) -> String {
    let mut parts = trace.outcome.clone();
    parts.extend(trace.broken.iter().cloned());
    parts.join("; ")
}

/// One kernel.
pub fn view(trace: &Trace, groups: &[Group], bad: bool) -> View {
    let phrases: Vec<&Option<String>> = groups.iter().flat_map(|g| &g.phrases).collect();
    let steps = trace.steps.iter().zip(phrases);
    View {
        profile: trace.profile.clone(),
        ending: ending(trace),
        bad,
        why: cause(trace, groups),
        memory: trace.memory.clone(),
        steps: steps.map(|(step, said)| one(step, said)).collect(),
    }
}

fn one(step: &TraceStep, said: &Option<String>) -> StepData {
    StepData {
        label: step.label.clone(),
        function: step.function.clone(),
        meaning: words::function(&step.function).unwrap_or_default(),
        lock: step.lock.clone(),
        said: said.clone().unwrap_or_default(),
        changes: step.changes.clone(),
        memory: step.memory.clone(),
        gone: step.gone.clone(),
        broken: step
            .broken
            .iter()
            .map(|kind| (kind.clone(), words::kind(kind).unwrap_or_default()))
            .collect(),
    }
}

/// The lanes of some traces of one test: threads, the kernel's activities, devices.
pub fn lanes(trace: &Trace, groups: &[&[Group]]) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    for group in groups.iter().flat_map(|g| g.iter()) {
        if !lanes.iter().any(|lane| lane.actor == group.actor) {
            let kind = if group.call.is_empty() {
                "device"
            } else if trace.actors[group.actor].starts_with("kernel") {
                "kernel"
            } else {
                "cpu"
            };
            lanes.push(Lane {
                actor: group.actor,
                name: group.who.clone(),
                kind,
            });
        }
    }
    lanes.sort_by_key(|lane| lane.actor);
    lanes
}

/// The whole document.
pub fn document(
    views: Vec<View>,
    lanes: Vec<Lane>,
    groups: &[&[Group]],
    blocks: &[Block],
    parting: Option<usize>,
) -> Document {
    let mut rows = Vec::new();
    let mut calls = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        let at = block.rows.iter().map(|at| RowData {
            at: at.clone(),
            group: number,
        });
        rows.extend(at);
        let of = |side: usize| block.groups[side].map(|n| &groups[side][n]);
        let first = (0..groups.len()).find_map(of);
        let Some(first) = first else { continue };
        calls.push(GroupData {
            lane: lanes
                .iter()
                .position(|lane| lane.actor == first.actor)
                .unwrap_or(0),
            call: first.call.clone(),
            continued: first.continued,
            said: (0..groups.len())
                .map(|side| of(side).map(Group::headline))
                .collect(),
        });
    }
    Document {
        views,
        rows,
        lanes,
        groups: calls,
        parting,
    }
}
