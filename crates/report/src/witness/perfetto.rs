//! A witness as trace events in Chrome's JSON, which ui.perfetto.dev and chrome://tracing open: a track a lane, a slice a call, in it a slice
//! a step. A step takes a microsecond: there is no time in the model, only order.

use std::collections::BTreeMap;

use cowherd_model::witness::Trace;
use serde_json::{Value, json};

use super::groups::groups;
use super::story::changes;

/// The document.
pub fn perfetto(trace: &Trace) -> Value {
    let groups = groups(trace);
    let name = format!("{} on {}", trace.test, trace.profile);
    let meta = |what: &str, lane: Option<usize>, value: &str| json!({ "ph": "M", "name": what, "pid": 1, "tid": lane.map_or(0, track), "args": { "name": value } });
    let mut events = vec![meta("process_name", None, &name)];
    let mut lanes = BTreeMap::new();
    for group in &groups {
        lanes.entry(group.actor).or_insert(group.who.as_str());
    }
    for (lane, who) in &lanes {
        events.push(meta("thread_name", Some(*lane), who));
        events.push(json!({ "ph": "M", "name": "thread_sort_index", "pid": 1, "tid": track(*lane), "args": { "sort_index": lane } }));
    }
    // A call that others interrupt is one slice: no other call of its lane lies within.
    let mut calls: Vec<(usize, &str, std::ops::Range<usize>, Vec<String>)> = Vec::new();
    for group in &groups {
        let open = calls
            .iter_mut()
            .rfind(|(actor, call, _, _)| *actor == group.actor && *call == group.call);
        match open {
            Some((_, _, steps, said)) if group.continued => {
                steps.end = group.steps.end;
                said.push(group.headline());
            }
            _ => calls.push((
                group.actor,
                &group.call,
                group.steps.clone(),
                vec![group.headline()],
            )),
        }
    }
    for (actor, call, steps, said) in &calls {
        let name = if call.is_empty() { lanes[actor] } else { call };
        let said = said.join("; ");
        events.push(json!({
            "ph": "X", "cat": "call", "name": name, "pid": 1, "tid": track(*actor),
            "ts": steps.start, "dur": steps.len(), "args": { "does": said },
        }));
    }
    for (at, step) in trace.steps.iter().enumerate() {
        events.push(json!({
            "ph": "X", "cat": "step", "name": step.function, "pid": 1, "tid": track(step.actor),
            "ts": at, "dur": 1,
            "args": { "step": at + 1, "label": step.label, "lock": step.lock, "changes": changes(&step.changes) },
        }));
        for kind in &step.broken {
            events.push(json!({
                "ph": "i", "s": "t", "cat": "broken", "name": format!("broken: {kind}"), "pid": 1, "tid": track(step.actor), "ts": at + 1,
            }));
        }
    }
    json!({ "traceEvents": events, "displayTimeUnit": "ns", "otherData": { "outcome": trace.outcome.join("; ") } })
}

/// Track 0 is the process's own.
fn track(actor: usize) -> usize {
    actor + 1
}
