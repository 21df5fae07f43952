//! `cowherd list`

use cowherd_litmus::ast::Test;
use cowherd_model::corpus::{Corpus, Entry};
use cowherd_report::style::{BOLD, DIM, NAME, WIDTH, paint, plural};
use serde_json::json;

use crate::cli::List;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::terminal;

pub fn run(args: &List) -> Result<Exit, Failure> {
    let corpus = input::corpus(args.from.corpus.as_deref())?;
    let entries = input::entries(&args.tests, &corpus)?;
    if args.json {
        terminal::print(&as_json(&entries)?)?;
    } else {
        terminal::print(&as_text(&entries, &corpus))?;
    }
    Ok(Exit::Fine)
}

fn parsed(entry: &Entry) -> Option<Test> {
    let text = std::str::from_utf8(&entry.text).ok()?;
    cowherd_litmus::analyse(&entry.source, text).test
}

/// The first sentence of the documentation, and the next where that is but a name.
fn headline(test: &Test) -> String {
    let words: Vec<&str> = test.doc.split_whitespace().collect();
    let doc = words.join(" ");
    let mut ends = doc.match_indices(". ").map(|(at, _)| at + 1);
    let end = ends.find(|&at| at > 30).unwrap_or(doc.len());
    doc[..end].to_string()
}

fn as_text(entries: &[Entry], corpus: &Corpus) -> String {
    let width = entries.iter().map(|e| e.name.len()).max().unwrap_or(0);
    let room = WIDTH.saturating_sub(width + 4).max(20);
    let mut out = String::new();
    let mut theme = None;
    for entry in entries {
        if theme != Some(&entry.theme) {
            let title = if entry.theme.is_empty() {
                "(no theme)"
            } else {
                &entry.theme
            };
            out.push_str(&format!("{}\n", paint(BOLD, title)));
            theme = Some(&entry.theme);
        }
        let what = parsed(entry).map_or("does not parse".into(), |test| headline(&test));
        let what = if what.chars().count() > room {
            let cut: String = what.chars().take(room - 3).collect();
            format!("{}...", cut.trim_end())
        } else {
            what
        };
        let name = format!("{:<width$}", entry.name);
        out.push_str(&format!("  {}  {what}\n", paint(NAME, name)));
    }
    let all = corpus.entries.len();
    let count = if entries.len() == all {
        plural(all, "test")
    } else {
        format!("{} of {}", entries.len(), plural(all, "test"))
    };
    out.push_str(&format!("{}\n", paint(DIM, count)));
    out
}

fn as_json(entries: &[Entry]) -> Result<String, Failure> {
    let tests: Vec<_> = entries
        .iter()
        .map(|entry| {
            let test = parsed(entry);
            json!({
                "name": entry.name,
                "title": entry.title,
                "theme": entry.theme,
                "source": entry.source,
                "doc": test.as_ref().map(|t| t.doc.clone()),
                "condition": test.as_ref().map(|t| t.show(&t.condition).to_string()),
                "text": String::from_utf8_lossy(&entry.text),
            })
        })
        .collect();
    pretty(&json!({ "schema": cowherd_report::json::SCHEMA, "tests": tests }))
}

/// JSON for standard output.
pub fn pretty(value: &serde_json::Value) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Failure::Machine(e.to_string()))?;
    Ok(format!("{text}\n"))
}
