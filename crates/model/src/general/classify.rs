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
            Less::Nothing(_) => {
                let to = without_idle(left, broken, profile, search);
                return Class::Reducible { to, left_out };
            }
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

/// The text without threads and `kernel` blocks that are left with nothing to do, and without files and pipes that nobody uses any
/// more, as far as it breaks the same without.
fn without_idle(mut text: String, broken: u64, profile: &Profile, search: &Search) -> String {
    let shorter = |text: &str| {
        let test = analyse("test", text).test?;
        idle(&test, text).into_iter().find_map(|(from, to)| {
            let shorter = format!("{}{}", &text[..from], &text[to..]);
            let candidate = analyse("test", &shorter).test?;
            let still = breaks(&candidate, profile, search).ok()??;
            (still & broken != 0).then_some(shorter)
        })
    };
    while let Some(less) = shorter(&text) {
        text = less;
    }
    text
}

/// Where threads and blocks without statements stand, and the files and pipes. (One that is used is needed: without it the text is no
/// test.)
fn idle(test: &Test, text: &str) -> Vec<(usize, usize)> {
    let threads = test.threads.iter();
    let threads = threads.filter(|t| t.stmts.is_empty() && t.number.is_some());
    let blocks = test.kernel.iter().filter(|k| k.activities.is_empty());
    let declared = (test.files.iter().map(|f| &f.span)).chain(test.pipes.iter().map(|p| &p.span));
    threads
        .map(|t| (t.span.start, behind(text, t.span.end, true)))
        .chain(blocks.map(|k| (k.span.start, behind(text, k.span.end, true))))
        .chain(declared.map(|span| (span.start, behind(text, span.end, false))))
        .collect()
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
