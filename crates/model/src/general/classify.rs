//! Is a test minimal? One statement after the other is left out of its text; the promises that it breaks must hold without it.

use cowherd_explore::Ended;
use cowherd_litmus::ast::{Call, Test};
use cowherd_litmus::{Analysis, analyse};

use crate::check::{Search, check};
use crate::kernels::Profile;
use crate::spec::PROMISES;

/// What a test is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// Without any one of so many statements it breaks nothing.
    Minimal {
        /// The statements that were left out in turn.
        dropped: usize,
    },
    /// It breaks the same without some.
    Reducible {
        /// What is left: a minimal test.
        to: String,
        /// The statements that are not needed.
        left_out: Vec<String>,
    },
    /// It breaks no promise on this kernel.
    Nothing,
    /// A search was cut short.
    Beyond,
    /// It cannot be run.
    Refused(String),
}

/// Classifies the test in `text`, which is one.
pub fn classify(text: &str, profile: &Profile, search: &Search) -> Class {
    let Some(test) = analyse("test", text).test else {
        return Class::Refused("it is no test".into());
    };
    let broken = match breaks(&test, profile, search) {
        Ok(Some(0)) => return Class::Nothing,
        Ok(Some(broken)) => broken,
        Ok(None) => return Class::Beyond,
        Err(why) => return Class::Refused(why),
    };
    let mut left = text.to_string();
    let mut left_out = Vec::new();
    loop {
        match one_less(&left, broken, profile, search) {
            Less::Shows(shorter, statement) => {
                left = shorter;
                left_out.push(statement);
            }
            Less::Nothing(dropped) if left_out.is_empty() => return Class::Minimal { dropped },
            Less::Nothing(_) => return Class::Reducible { to: left, left_out },
            Less::Unknown => return Class::Beyond,
        }
    }
}

enum Less {
    /// This shorter text breaks the same; what was left out.
    Shows(String, String),
    /// None does; so many were tried.
    Nothing(usize),
    Unknown,
}

fn one_less(text: &str, broken: u64, profile: &Profile, search: &Search) -> Less {
    let Analysis {
        test: Some(test), ..
    } = analyse("test", text)
    else {
        return Less::Unknown;
    };
    let mut tried = 0;
    for (from, to) in statements(&test, text) {
        let mut shorter = String::from(&text[..from]);
        shorter.push_str(&text[to..]);
        // A text that is no test without the statement (its register is used later, say) needs it.
        tried += 1;
        let Some(candidate) = analyse("test", &shorter).test else {
            continue;
        };
        match breaks(&candidate, profile, search) {
            Ok(Some(still)) if still & broken != 0 => {
                return Less::Shows(shorter, text[from..to].trim().into());
            }
            Ok(None) => return Less::Unknown,
            Ok(Some(_)) | Err(_) => {}
        }
    }
    Less::Nothing(tried)
}

/// Where statements and activities stand, the semicolon included; a fork with its block.
fn statements(test: &Test, text: &str) -> Vec<(usize, usize)> {
    let threads = test.threads.iter().flat_map(|t| &t.stmts);
    let kernel = test.kernel.iter().flat_map(|k| &k.activities);
    let mut spans: Vec<(usize, usize)> = threads
        .map(|s| {
            (
                s.span.start,
                s.span.end,
                matches!(s.call, Call::Fork { .. }),
            )
        })
        .chain(kernel.map(|s| (s.span.start, s.span.end, false)))
        .map(|(start, end, fork)| (start, behind(text, end, fork)))
        .collect();
    spans.sort_unstable();
    spans.dedup();
    spans
}

/// One past the semicolon that ends a statement; of a fork, past its block.
fn behind(text: &str, end: usize, fork: bool) -> usize {
    let rest = &text[end..];
    if fork && !text[..end].ends_with('}') {
        let Some(open) = rest.find('{') else {
            return end;
        };
        let mut depth = 0;
        for (at, c) in rest[open..].char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 1 => return end + open + at + 1,
                '}' => depth -= 1,
                _ => {}
            }
        }
        return end;
    }
    match rest.find(|c: char| !c.is_whitespace()) {
        Some(at) if rest[at..].starts_with(';') => end + at + 1,
        _ => end,
    }
}

/// The promises that a test breaks, documented hazards aside. None: unknown. A search that was cut short may know what the condition
/// comes to, and not what is broken.
fn breaks(test: &Test, profile: &Profile, search: &Search) -> Result<Option<u64>, String> {
    let run = check(test, profile, search).map_err(|refused| refused.message)?;
    let broken = run.alarms & PROMISES;
    Ok(Some(broken).filter(|broken| *broken != 0 || run.ended == Ended::Complete))
}
