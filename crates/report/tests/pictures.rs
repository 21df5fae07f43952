//! What a witness becomes for other programs: a page, trace events, ITF, a graph. The mail's witness throughout.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use cowherd_explore::{Options, Shortest, System, shortest};
use cowherd_model::corpus::Corpus;
use cowherd_model::kernels::Kernels;
use cowherd_model::lower::lower;
use cowherd_model::memory;
use cowherd_model::program::Program;
use cowherd_model::witness::{Names, Trace};
use cowherd_report::html::witness::{page, page_of_two};
use cowherd_report::witness::{dot, groups, itf, perfetto};
use serde_json::Value;

fn mail() -> String {
    let corpus = Corpus::shipped();
    let entry = corpus.find("odirect-swap").unwrap()[0];
    String::from_utf8(entry.text.to_vec()).unwrap()
}

fn program(text: &str, profile: &str) -> (Program, Names) {
    let test = cowherd_litmus::parse("t", text).unwrap();
    let profile = Kernels::shipped().profile(profile).unwrap().profile;
    let names = Names {
        test: test.name.clone(),
        source: text.into(),
        profile: profile.name.clone(),
    };
    (lower(&test, &profile, true).unwrap(), names)
}

/// The shortest way to the outcome that the test asks for.
fn witness(text: &str, profile: &str) -> Trace {
    find(text, profile).expect("it happens")
}

fn find(text: &str, profile: &str) -> Option<Trace> {
    let (program, names) = program(text, profile);
    let test = cowherd_litmus::parse("t", text).unwrap();
    let wanted = |state: &_| program.ends_with(state, &test.condition.prop);
    let Shortest::Found(witness) = shortest(&program, &Options::default(), wanted) else {
        return None;
    };
    Some(program.trace(&names, &program.tidy(&witness, &wanted)))
}

fn two() -> (Trace, String) {
    let recorded = witness(&mail(), "part2");
    let (fixed, names) = program(&mail(), "v5.19");
    let replay = fixed.replay(&recorded, &names);
    let text = page_of_two(&recorded, &replay, &[]);
    (recorded, text)
}

/// The data that the page gives its script.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").unwrap();
    let (data, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(data).unwrap()
}

#[test]
fn the_page_is_small_and_fetches_nothing() {
    for page in [page(&witness(&mail(), "v5.18")), two().1] {
        assert!(page.len() < 400_000, "{}", page.len());
        assert!(page.contains("default-src 'none'") || page.contains("default-src &#39;none&#39;"));
        assert!(!page.contains("unsafe-"));
        for fetch in [
            "src=",
            "url(http",
            "@import",
            "<link",
            "fetch(",
            "XMLHttpRequest",
            "import(",
        ] {
            assert!(!page.contains(fetch), "{fetch}");
        }
        // Styles and handlers in attributes would need a policy that allows them.
        for attribute in [" style=", " onclick=", " onload="] {
            assert!(!page.contains(attribute), "{attribute}");
        }
    }
}

#[test]
fn a_comment_may_hold_any_text() {
    let attack = "</script><script>alert(1)</script><img src=x onerror=alert(1)><!-- ]]>";
    let text = mail().replacen("(*", &format!("(* {attack}"), 1);
    let plain = page(&witness(&mail(), "v5.18"));
    let page = page(&witness(&text, "v5.18"));
    assert_eq!(
        page.matches("<script").count(),
        plain.matches("<script").count()
    );
    assert_eq!(
        page.matches("</script").count(),
        plain.matches("</script").count()
    );
    assert!(!page.contains("<img") && !page.contains("<!--"));
    assert!(page.contains("&lt;/script&gt;&lt;script&gt;alert(1)"));
}

#[test]
fn the_page_says_why_the_data_was_lost() {
    let data = data(&page(&witness(&mail(), "v5.18")));
    let why: Vec<&str> = data["views"][0]["why"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    insta::assert_snapshot!(why.join("\n"));
}

#[test]
fn every_function_of_the_mails_witness_has_words() {
    let data = data(&two().1);
    for view in data["views"].as_array().unwrap() {
        for step in view["steps"].as_array().unwrap() {
            assert_ne!(step["meaning"], "", "{}", step["function"]);
        }
    }
}

#[test]
fn two_kernels_go_side_by_side() {
    let (recorded, page) = two();
    let data = data(&page);
    let rows = data["rows"].as_array().unwrap();
    // Each kernel takes all of its steps, in its order.
    for (side, view) in data["views"].as_array().unwrap().iter().enumerate() {
        let taken: Vec<u64> = rows.iter().filter_map(|r| r["at"][side].as_u64()).collect();
        let steps = view["steps"].as_array().unwrap().len() as u64;
        assert_eq!(taken, (0..steps).collect::<Vec<_>>());
    }
    // The same up to the parting, and there something else.
    let parting = data["parting"].as_u64().unwrap() as usize;
    let step = |side: usize, row: &Value| {
        let at = row["at"][side].as_u64().unwrap() as usize;
        data["views"][side]["steps"][at]["changes"].clone()
    };
    for row in &rows[..parting] {
        assert_eq!(step(0, row), step(1, row));
    }
    assert_ne!(step(0, &rows[parting]), step(1, &rows[parting]));
    let other = data["views"][1]["profile"].as_str().unwrap();
    let mut text = format!("{} and {other}\n", recorded.profile);
    for (n, row) in rows.iter().enumerate() {
        let function = |side: usize| {
            let at = row["at"][side].as_u64();
            let at = at.map(|at| &data["views"][side]["steps"][at as usize]["function"]);
            at.and_then(Value::as_str).unwrap_or("-").to_string()
        };
        if n == parting {
            text.push_str("==== here they part\n");
        }
        text.push_str(&format!("{:<32} {}\n", function(0), function(1)));
    }
    insta::assert_snapshot!(text);
}

/// The format as the documentation of Trace Event JSON has it.
#[test]
fn trace_events_are_well_formed_and_nest() {
    let trace = witness(&mail(), "v5.18");
    let document = perfetto::perfetto(&trace);
    let events = document["traceEvents"].as_array().unwrap();
    let mut tracks: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
    let mut named = BTreeSet::new();
    for event in events {
        let number = |key: &str| {
            event[key]
                .as_u64()
                .unwrap_or_else(|| panic!("{key}: {event}"))
        };
        assert!(event["name"].is_string(), "{event}");
        assert_eq!(number("pid"), 1);
        let track = number("tid");
        match event["ph"].as_str().unwrap() {
            "M" => {
                assert!(event["args"].is_object());
                if event["name"] == "thread_name" {
                    assert!(named.insert(track), "{event}");
                }
            }
            "X" => tracks
                .entry(track)
                .or_default()
                .push((number("ts"), number("ts") + number("dur"))),
            "i" => assert!(["t", "p", "g"].contains(&event["s"].as_str().unwrap())),
            other => panic!("{other}: {event}"),
        }
    }
    let lanes: BTreeSet<usize> = groups(&trace).iter().map(|g| g.actor).collect();
    assert_eq!(named.len(), lanes.len());
    assert_eq!(tracks.keys().copied().collect::<BTreeSet<_>>(), named);
    let apart = |a: (u64, u64), b: (u64, u64)| a.1 <= b.0 || b.1 <= a.0;
    let within = |a: (u64, u64), b: (u64, u64)| b.0 <= a.0 && a.1 <= b.1;
    for slices in tracks.values() {
        for (n, &a) in slices.iter().enumerate() {
            for &b in &slices[..n] {
                assert!(apart(a, b) || within(a, b) || within(b, a), "{a:?} {b:?}");
            }
        }
    }
    let steps = events.iter().filter(|e| e["cat"] == "step").count();
    assert_eq!(steps, trace.steps.len());
}

/// An expression of the Informal Trace Format.
fn is_itf(value: &Value) -> bool {
    let list = |v: &Value| v.as_array().is_some_and(|all| all.iter().all(is_itf));
    let pair = |v: &Value| {
        v.as_array()
            .is_some_and(|p| p.len() == 2 && p.iter().all(is_itf))
    };
    match value {
        Value::Bool(_) | Value::String(_) => true,
        // Numbers stand as big integers; plain ones are allowed where JavaScript holds them exactly.
        Value::Number(n) => n.as_i64().is_some_and(|n| n.abs() < 1 << 53),
        Value::Array(all) => all.iter().all(is_itf),
        Value::Object(fields) => match fields.iter().next() {
            Some((key, v)) if fields.len() == 1 && key.starts_with('#') => match key.as_str() {
                "#bigint" => v.as_str().is_some_and(|n| n.parse::<i128>().is_ok()),
                "#tup" | "#set" => list(v),
                "#map" => v.as_array().is_some_and(|pairs| pairs.iter().all(pair)),
                "#unserializable" => v.is_string(),
                _ => false,
            },
            _ => fields
                .iter()
                .all(|(key, v)| !key.starts_with('#') && is_itf(v)),
        },
        Value::Null => false,
    }
}

#[test]
fn itf_keeps_its_schema() {
    let trace = witness(&mail(), "v5.18");
    let document = itf::itf(&trace);
    let fields = document.as_object().unwrap();
    let allowed = ["#meta", "params", "vars", "states", "loop"];
    assert!(fields.keys().all(|key| allowed.contains(&key.as_str())));
    let vars: BTreeSet<&str> = fields["vars"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let states = fields["states"].as_array().unwrap();
    assert_eq!(states.len(), trace.steps.len() + 1);
    for (index, state) in states.iter().enumerate() {
        let state = state.as_object().unwrap();
        assert_eq!(state["#meta"]["index"], index);
        let mine: BTreeSet<&str> = state
            .keys()
            .map(String::as_str)
            .filter(|k| *k != "#meta")
            .collect();
        assert_eq!(mine, vars);
        for (name, value) in state.iter().filter(|(name, _)| *name != "#meta") {
            assert!(is_itf(value), "{name}: {value}");
        }
    }
}

/// A state as the types of the variables have it.
#[derive(Debug, serde::Deserialize)]
struct State {
    step: i64,
    broken: BTreeSet<String>,
    memory: BTreeMap<String, BTreeMap<String, String>>,
    points: BTreeMap<String, BTreeSet<String>>,
    reach: BTreeMap<String, String>,
}

#[test]
fn itf_is_read_by_a_library_that_is_not_ours() {
    let text = itf::itf(&witness(&mail(), "v5.18")).to_string();
    let trace: itf_reader::Trace<State> = itf_reader::trace_from_str(&text).unwrap();
    let lost = trace
        .states
        .iter()
        .map(|s| &s.value)
        .find(|s| s.broken.contains("lost-write"))
        .unwrap();
    assert_eq!(lost.memory["page 1"]["[0]"], "7");
    assert_eq!(lost.reach["page 1"], "nobody");
    assert!(lost.points["A:x"].contains("page 2"));
    let steps: Vec<i64> = trace.states.iter().map(|s| s.value.step).collect();
    assert_eq!(steps, (0..trace.states.len() as i64).collect::<Vec<_>>());
}

#[test]
fn the_graph_is_as_it_was() {
    insta::assert_snapshot!(dot::dot(&witness(&mail(), "v5.18")));
}

#[test]
#[ignore = "needs graphviz"]
fn graphviz_accepts_the_graph() {
    let mut trace = witness(&mail(), "v5.18");
    // Names may hold anything.
    trace.test = "a \"quoted\\ <name>".into();
    let text = dot::dot(&trace);
    let mut child = Command::new("dot")
        .arg("-Tsvg")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("graphviz is installed");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let svg = String::from_utf8(output.stdout).unwrap();
    assert!(
        svg.contains("lost&#45;write") && svg.contains("reclaim(x)"),
        "{svg}"
    );
}

/// What the steps say of the memory is what the memory is.
#[test]
fn the_memory_is_rebuilt_from_the_start_and_the_steps() {
    let corpus = Corpus::shipped();
    let mut rebuilt = 0;
    for entry in ["direct-io", "pins", "swap"]
        .iter()
        .flat_map(|theme| corpus.find(theme).unwrap())
    {
        let text = String::from_utf8(entry.text.to_vec()).unwrap();
        let Some(trace) = find(&text, "v5.18") else {
            continue;
        };
        let (program, _) = program(&text, "v5.18");
        let mut state = program.initial[trace.initial].clone();
        let mut things = trace.memory.clone();
        for (taken, step) in trace.schedule().steps.iter().zip(&trace.steps) {
            state = program.take(&state, *taken).unwrap();
            memory::apply(&mut things, &step.memory, &step.gone);
            let mut now = memory::things(&program, &state);
            now.sort_by(|a, b| a.id.cmp(&b.id));
            things.sort_by(|a, b| a.id.cmp(&b.id));
            assert_eq!(things, now, "{}", entry.name);
        }
        assert!(program.done(&state));
        rebuilt += 1;
    }
    assert!(rebuilt > 10, "{rebuilt}");
}
