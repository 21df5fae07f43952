//! A witness in Apalache's Informal Trace Format: a state for each moment, the memory in it as maps from strings to strings, so that every
//! variable has one type.

use cowherd_model::memory::{Thing, apply};
use cowherd_model::witness::{Trace, TraceStep};
use serde_json::{Map, Value, json};

/// The variables and their types, as Apalache writes types.
const VARS: [(&str, &str); 9] = [
    ("step", "Int"),
    ("actor", "Str"),
    ("call", "Str"),
    ("function", "Str"),
    ("lock", "Str"),
    ("broken", "Set(Str)"),
    ("memory", "Str -> (Str -> Str)"),
    ("points", "Str -> Set(Str)"),
    ("reach", "Str -> Str"),
];

/// The document.
pub fn itf(trace: &Trace) -> Value {
    let types: Map<String, Value> = VARS
        .iter()
        .map(|(name, ty)| (name.to_string(), json!(ty)))
        .collect();
    let mut things = trace.memory.clone();
    let mut states = vec![state(trace, 0, None, &things)];
    for (at, step) in trace.steps.iter().enumerate() {
        apply(&mut things, &step.memory, &step.gone);
        states.push(state(trace, at + 1, Some(step), &things));
    }
    json!({
        "#meta": {
            "format": "ITF",
            "format-description": "https://apalache-mc.org/docs/adr/015adr-trace.html",
            "source": trace.test,
            "description": format!("{} on {}: {}", trace.test, trace.profile, trace.outcome.join("; ")),
            "varTypes": types,
        },
        "vars": VARS.map(|(name, _)| name),
        "states": states,
    })
}

fn state(trace: &Trace, index: usize, step: Option<&TraceStep>, things: &[Thing]) -> Value {
    let text = |of: fn(&TraceStep) -> &str| step.map_or("", of);
    let actor = step.and_then(|s| trace.actors.get(s.actor));
    let map = |value: &dyn Fn(&Thing) -> Value| {
        let pairs: Vec<Value> = things.iter().map(|t| json!([t.id, value(t)])).collect();
        json!({ "#map": pairs })
    };
    json!({
        "#meta": { "index": index },
        "step": { "#bigint": index.to_string() },
        "actor": actor.map_or("", String::as_str),
        "call": text(|s| &s.call),
        "function": text(|s| &s.function),
        "lock": text(|s| &s.lock),
        "broken": { "#set": step.map_or(&[][..], |s| &s.broken) },
        "memory": map(&|t| {
            let fields: Vec<Value> = t.fields.iter().map(|f| json!([f.name, f.value])).collect();
            json!({ "#map": fields })
        }),
        "points": map(&|t| json!({ "#set": t.to })),
        "reach": map(&|t| json!(t.reach)),
    })
}
