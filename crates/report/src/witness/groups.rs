//! A witness cut into groups: consecutive steps of one actor within one call.

use cowherd_model::witness::{Trace, TraceStep};

use super::memory::{Memory, page_of_pte};
use super::phrases::{Scene, phrase};

/// What an actor does in one go.
#[derive(Clone, Debug)]
pub struct Group {
    /// The actor's number.
    pub actor: usize,
    /// For people: `P0`, `reclaim`, `device`.
    pub who: String,
    /// The call, as the test has it; empty for devices.
    pub call: String,
    /// Was the call begun in an earlier group?
    pub continued: bool,
    /// Its steps: first, and one past the last.
    pub steps: std::ops::Range<usize>,
    /// What each step does, where that is worth saying.
    pub phrases: Vec<Option<String>>,
}

impl Group {
    /// The sentence over the group: all that is worth saying.
    pub fn headline(&self) -> String {
        let said: Vec<&str> = self.phrases.iter().flatten().map(String::as_str).collect();
        said.join("; ")
    }
}

/// The groups of a trace.
pub fn groups(trace: &Trace) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut memory = Memory::default();
    memory.apply(&trace.start);
    for (at, step) in trace.steps.iter().enumerate() {
        let same = groups.last().is_some_and(|g| {
            let last = &trace.steps[at - 1];
            g.actor == step.actor && same_call(trace, step, last)
        });
        if !same {
            groups.push(Group {
                actor: step.actor,
                who: who(trace, step),
                call: if step_is_environment(trace, step) {
                    String::new()
                } else {
                    step.call.clone()
                },
                continued: !step.begins && !step_is_environment(trace, step),
                steps: at..at,
                phrases: Vec::new(),
            });
        }
        let before = memory.clone();
        memory.apply(&step.changes);
        let said = phrase(&Scene::new(trace, at, &before, &memory));
        if let Some(group) = groups.last_mut() {
            group.steps.end = at + 1;
            group.phrases.push(said);
        }
    }
    for group in &mut groups {
        if group.headline().is_empty() {
            let quiet = quiet(&trace.steps[group.steps.clone()]);
            group.phrases.pop();
            group.phrases.push(Some(quiet));
        }
    }
    groups
}

/// What is said of steps of which each goes without saying: a fault that is cut in two, a call that changes nothing.
fn quiet(steps: &[TraceStep]) -> String {
    let Some(last) = steps.last() else {
        return String::new();
    };
    if let ("CPU walk", Some(entry)) = (last.label.as_str(), last.changes.first()) {
        let page = page_of_pte(&entry.to).unwrap_or_else(|| entry.to.clone());
        return format!("takes the translation to {page} into the TLB");
    }
    match (last.label.as_str(), last.ends) {
        ("CPU walk" | "WP0", false) => {
            "finds nothing mapped that allows it: a page fault begins".into()
        }
        ("WP0", true) => "no VMA allows it: SIGSEGV".into(),
        (_, true) => "no page table is changed; the call returns".into(),
        (_, false) => as_far(last),
    }
}

/// How far a call has come.
pub fn as_far(last: &TraceStep) -> String {
    format!("comes as far as {}", last.function)
}

/// Does a step go on with the call of another, earlier one of its actor? A call that fills several of the model's (a
/// transfer of several cells) is one.
fn same_call(trace: &Trace, step: &TraceStep, last: &TraceStep) -> bool {
    step_is_environment(trace, step) || (step.call == last.call && !(step.begins && last.ends))
}

/// Is it a device or a drain, whose steps are no calls?
pub fn step_is_environment(trace: &Trace, step: &TraceStep) -> bool {
    let name = actor(trace, step);
    ["device", "swap", "lru"].iter().any(|kind| {
        name.strip_prefix(kind)
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    })
}

fn actor<'t>(trace: &'t Trace, step: &TraceStep) -> &'t str {
    trace.actors.get(step.actor).map_or("?", String::as_str)
}

/// The name for people. One device is `device`; a kernel actor goes by what it does.
fn who(trace: &Trace, step: &TraceStep) -> String {
    let name = actor(trace, step);
    if let Some(n) = name.strip_prefix("device")
        && step_is_environment(trace, step)
    {
        let several = trace.actors.iter().any(|a| a == "device1");
        return if several {
            format!("device of transfer {n}")
        } else {
            "device".into()
        };
    }
    if let Some(n) = name.strip_prefix("swap")
        && step_is_environment(trace, step)
    {
        return format!("swap device (slot {n})");
    }
    if let Some(n) = name.strip_prefix("lru")
        && step_is_environment(trace, step)
    {
        return format!("CPU {n}");
    }
    name.into()
}
