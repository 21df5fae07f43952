//! What the page asks for.

use std::io::Read;

use cowherd_litmus::{Colour, Diagnostic};
use cowherd_model::corpus::{Corpus, Entry};
use cowherd_model::kernels::{Kernels, Profile};
use cowherd_report::html::playground::{self, Start};
use serde::Deserialize;
use serde_json::{Value, json};
use tiny_http::{Method, Request};

use super::guard::MAX_BODY;
use super::{Answer, Playground, jobs};
use crate::input;

/// The longest test.
const MAX_TEXT: usize = 64 << 10;
/// Kernels of one run.
const MAX_KERNELS: usize = 60;
/// The test that one finds in the editor.
const FIRST: &str = "odirect-swap";
/// The kernels that are ticked.
const TICKED: [&str; 3] = ["v5.8", "v5.18", "v5.19"];

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    text: String,
    #[serde(default)]
    kernels: Vec<String>,
    #[serde(default)]
    kernel: String,
    #[serde(default)]
    job: u64,
}

/// Answers a request that [`guard`](super::guard) let through.
pub fn answer(request: &mut Request, playground: &Playground) -> Answer {
    let url = request.url().to_string();
    let (path, query) = url.split_once('?').unwrap_or((&url, ""));
    if *request.method() == Method::Get {
        return get(path, query, playground);
    }
    let mut body = String::new();
    let limit = MAX_BODY as u64;
    if request
        .as_reader()
        .take(limit)
        .read_to_string(&mut body)
        .is_err()
    {
        return Answer::error(400, "the body is not text");
    }
    let asked: Asked = match serde_json::from_str(&body) {
        Ok(asked) => asked,
        Err(e) => return Answer::error(400, &format!("the body is not what was expected: {e}")),
    };
    if asked.text.len() > MAX_TEXT {
        let message = format!("the test is longer than {} KiB", MAX_TEXT >> 10);
        return Answer::error(413, &message);
    }
    match path {
        "/api/diagnose" => {
            let read = input::read(&entry(&asked.text));
            let diagnostics = diagnostics(&read.diagnostics, &asked.text);
            Answer::json(&json!({ "diagnostics": diagnostics }))
        }
        "/api/run" => run(&asked, playground),
        "/api/explain" => explain(&asked, playground),
        "/api/stop" => {
            if let Some(job) = playground.jobs.get(asked.job) {
                job.stop();
            }
            Answer::json(&json!({}))
        }
        _ => Answer::error(404, "there is no such thing"),
    }
}

fn get(path: &str, query: &str, playground: &Playground) -> Answer {
    let value = |key: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(k, _)| *k == key).map(|(_, v)| v)
    };
    let number = |text: Option<&str>| text.and_then(|t| t.parse().ok());
    match path {
        "/" => Answer::page(playground::page(&start(&playground.corpus))),
        "/api/test" => match test(value("name").unwrap_or_default(), &playground.corpus) {
            Some(entry) => {
                let text = String::from_utf8_lossy(&entry.text);
                Answer::json(&json!({ "text": text }))
            }
            None => Answer::error(404, "there is no such test"),
        },
        "/api/job" => {
            let job = number(value("job")).and_then(|id| playground.jobs.get(id));
            match job {
                Some(job) => {
                    let seen = number(value("seen")).unwrap_or(0);
                    Answer::json(&job.news(seen as usize))
                }
                None => Answer::error(404, "there is no such run any more"),
            }
        }
        _ => {
            let job = number(path.strip_prefix("/witness/")).and_then(|id| playground.jobs.get(id));
            match job.and_then(|job| job.page()) {
                Some(page) => Answer::page(page),
                None => Answer::error(404, "there is no such page"),
            }
        }
    }
}

/// The test of this title. Of what a browser escapes, titles have nothing but the slash.
fn test<'a>(title: &str, corpus: &'a Corpus) -> Option<&'a Entry> {
    let title = title.replace("%2F", "/");
    corpus.entries.iter().find(|e| e.title == title)
}

fn start(corpus: &Corpus) -> Start {
    let mut themes: Vec<(String, Vec<String>)> = Vec::new();
    for entry in &corpus.entries {
        match themes.iter_mut().find(|(theme, _)| *theme == entry.theme) {
            Some((_, titles)) => titles.push(entry.title.clone()),
            None => themes.push((entry.theme.clone(), vec![entry.title.clone()])),
        }
    }
    let first = corpus.entries.iter().find(|e| e.title == FIRST);
    let first = first.or(corpus.entries.first());
    let kernels = Kernels::shipped().matrix();
    Start {
        text: first.map_or(String::new(), |e| String::from_utf8_lossy(&e.text).into()),
        kernels: kernels
            .into_iter()
            .map(|p| (p.name.clone(), TICKED.contains(&&*p.name)))
            .collect(),
        corpus: themes,
    }
}

fn entry(text: &str) -> Entry {
    Entry::made("test", "test.litmus".into(), text.as_bytes().to_vec())
}

/// Diagnostics with their places as the browser counts them, in UTF-16, and drawn as on a terminal.
pub fn diagnostics(all: &[Diagnostic], text: &str) -> Vec<Value> {
    let units = |at: usize| {
        let mut at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        text[..at].encode_utf16().count()
    };
    all.iter()
        .map(|d| {
            json!({
                "severity": if d.is_error() { "error" } else { "warning" },
                "line": d.line,
                "start": units(d.span.start),
                "end": units(d.span.end),
                "text": cowherd_litmus::render(std::slice::from_ref(d), text, Colour::Never),
            })
        })
        .collect()
}

fn profiles(words: &[String]) -> Result<Vec<Profile>, Answer> {
    if words.is_empty() {
        return Err(Answer::error(400, "no kernel is ticked"));
    }
    if words.len() > MAX_KERNELS {
        return Err(Answer::error(400, "too many kernels"));
    }
    let parse = |word: &String| match Kernels::shipped().profile(word) {
        Ok(composed) => Ok(composed.profile),
        Err(e) => Err(Answer::error(400, &e.to_string())),
    };
    words.iter().map(parse).collect()
}

fn run(asked: &Asked, playground: &Playground) -> Answer {
    let profiles = match profiles(&asked.kernels) {
        Ok(profiles) => profiles,
        Err(answer) => return answer,
    };
    begin(asked, playground, move |job, test| {
        jobs::check(job, test, &profiles);
    })
}

fn explain(asked: &Asked, playground: &Playground) -> Answer {
    let profile = match profiles(std::slice::from_ref(&asked.kernel)) {
        Ok(mut profiles) => profiles.remove(0),
        Err(answer) => return answer,
    };
    begin(asked, playground, move |job, test| {
        jobs::explain(job, test, &profile);
    })
}

fn begin(
    asked: &Asked,
    playground: &Playground,
    work: impl FnOnce(&jobs::Job, &input::Loaded) + Send + 'static,
) -> Answer {
    let read = input::read(&entry(&asked.text));
    let said = diagnostics(&read.diagnostics, &asked.text);
    let Some(test) = read.test else {
        return Answer::json(&json!({ "diagnostics": said }));
    };
    match playground.jobs.begin(move |job| work(job, &test)) {
        Some(id) => Answer::json(&json!({ "job": id, "diagnostics": said })),
        None => Answer::error(429, "two runs are under way; wait for one or stop it"),
    }
}
