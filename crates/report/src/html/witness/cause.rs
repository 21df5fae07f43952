//! Why it went wrong, in a few sentences: what was broken, where, and since when the page was out of reach.

use cowherd_model::memory::{Reach, Thing, ThingKind, apply};
use cowherd_model::witness::{Trace, TraceStep};

use crate::html::words;
use crate::witness::Group;

/// The memory after each step; the first is that of the start.
pub fn pictures(trace: &Trace) -> Vec<Vec<Thing>> {
    let mut all = vec![trace.memory.clone()];
    for step in &trace.steps {
        let mut things = all[all.len() - 1].clone();
        apply(&mut things, &step.memory, &step.gone);
        all.push(things);
    }
    all
}

/// The sentences; empty if nothing was broken.
pub fn cause(trace: &Trace, groups: &[Group]) -> Vec<String> {
    let Some(at) = trace.steps.iter().position(|s| !s.broken.is_empty()) else {
        return Vec::new();
    };
    let pictures = pictures(trace);
    let step = &trace.steps[at];
    let mut out = Vec::new();
    let (who, said) = told(groups, at);
    out.push(format!("In step {} {who} {said}.", at + 1));
    if let Some(page) = written(step) {
        out.extend(out_of_reach(groups, &pictures, at, page));
    }
    for kind in &step.broken {
        if let Some(meaning) = words::kind(kind) {
            out.push(format!("That is called {kind}: {meaning}."));
        }
    }
    out
}

/// The page whose cells a step changed.
fn written(step: &TraceStep) -> Option<&str> {
    let cell = step
        .changes
        .iter()
        .find(|c| c.object.starts_with("page ") && c.field.starts_with('['));
    cell.map(|c| c.object.as_str())
}

fn find<'a>(picture: &'a [Thing], id: &str) -> Option<&'a Thing> {
    picture.iter().find(|t| t.id == id)
}

/// Since when the address that a page was of leads to another one, and to which. Nothing if it still leads there.
fn out_of_reach(groups: &[Group], pictures: &[Vec<Thing>], at: usize, page: &str) -> Vec<String> {
    let lost = |t: &Thing| t.reach == Reach::Nobody;
    // A transfer knows its address; without one, the page itself must be out of everybody's reach.
    let points = |t: &&Thing| t.kind == ThingKind::Io && t.to.iter().any(|id| id == page);
    let transfer = pictures[at].iter().find(points);
    let subject = transfer.or_else(|| find(&pictures[at], page));
    let Some(subject) = subject.filter(|t| lost(t)) else {
        return Vec::new();
    };
    let since = (0..at).rfind(|&n| find(&pictures[n], &subject.id).is_none_or(|t| !lost(t)));
    let Some(since) = since else {
        return Vec::new();
    };
    let mut out = vec![format!(
        "That page went out of reach in step {}, {}.",
        since + 1,
        so_far(groups, since)
    )];
    let home = match transfer {
        Some(io) => io.get("for").to_string(),
        None => format!(":{}", subject.name),
    };
    let last = pictures.last().map_or(&[][..], Vec::as_slice);
    let ptes = last.iter().filter(|t| t.kind == ThingKind::Pte);
    for pte in ptes.filter(|t| t.id.ends_with(&home)) {
        let Some(frame) = pte.to.first().and_then(|id| find(last, id)) else {
            continue;
        };
        let cells: Vec<String> = frame
            .fields
            .iter()
            .filter(|f| f.name.starts_with('['))
            .map(|f| format!("{}{}={}", pte.id, f.name, f.value))
            .collect();
        out.push(format!(
            "Since then {} is {}, which holds {}.",
            pte.id,
            frame.id,
            cells.join(" and ")
        ));
    }
    out
}

/// What a call did up to a step: the last things that were worth saying.
fn so_far(groups: &[Group], at: usize) -> String {
    let Some(group) = groups.iter().find(|g| g.steps.contains(&at)) else {
        return String::new();
    };
    let said: Vec<&str> = group.phrases[..=at - group.steps.start]
        .iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let last = said[said.len().saturating_sub(2)..].join("; ");
    match group.call.as_str() {
        "" => format!("when {} did this: {last}", group.who),
        call => format!("in {call} of {}: {last}", group.who),
    }
}

/// Who took a step, and what it did.
fn told(groups: &[Group], at: usize) -> (String, String) {
    let group = groups.iter().find(|g| g.steps.contains(&at));
    let Some(group) = group else {
        return ("somebody".into(), "did something".into());
    };
    let who = if group.who == "device" {
        "the device".into()
    } else {
        group.who.clone()
    };
    // What a step begins, a later one of the same call may tell.
    let said = group.phrases[at - group.steps.start..].iter().flatten();
    let said = said.clone().next().cloned();
    (who, said.unwrap_or_else(|| "goes on".into()))
}
