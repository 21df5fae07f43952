//! The language of cowherd's litmus tests: text to a checked program.
//!
//! [`parse`] makes a [`Test`] of a text, or says everything that is wrong with it:
//!
//! ```
//! use cowherd_litmus::ast::{Call, Verdict};
//!
//! let text = "
//! MM store
//! // Result: v5.9.. Always
//! { anon x[2] = { 1, 2 }; }
//! P0 in A { x[1] = 3; r0 = x[1]; }
//! kernel { reclaim(x); }
//! forall (P0:r0=3)
//! ";
//! let test = cowherd_litmus::parse("store.litmus", text).unwrap();
//! assert_eq!(test.results[0].verdict, Verdict::Always);
//! assert!(matches!(test.threads[0].stmts[0].call, Call::Store { .. }));
//! assert_eq!(test.show(&test.condition).to_string(), "forall (P0:r0=3)");
//!
//! let diagnostics = cowherd_litmus::parse("slip.litmus", &text.replace("reclaim", "reclame")).unwrap_err();
//! assert_eq!(diagnostics[0].help[0], "did you mean `reclaim`, as in `reclaim(x);`?");
//! ```
//!
//! In a checked test every name is an index and every index is in range, so who lowers it to something else need not check again. What a model
//! does not know it must refuse by the span: the language is wider than any one model.
//!
//! [`render`] draws diagnostics, [`format()`] lays a text out, a test prints itself canonically, and [`Test::digest`](ast::Test::digest) tells
//! programs apart. The reference of the language is `docs/src/language.md`.
//!
//! The way of a text: `lex` cuts it into tokens, `parse` finds its shape and goes on after errors, `check` gives the names their
//! meaning.

pub mod ast;
mod check;
mod diagnostic;
mod format;
mod lex;
pub mod limits;
mod parse;
mod print;
pub mod reference;
mod span;
mod suggest;

use std::sync::Arc;

pub use diagnostic::{Code, Colour, Diagnostic, render};
pub use format::format;
pub use print::Shown;
pub use span::Span;

use ast::Test;

/// What came of a text.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// The test, where the text has no error.
    pub test: Option<Test>,
    /// Errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses and checks a test. Warnings come with it; see [`parse`] where they do not matter.
///
/// `source_name` is what diagnostics call the text, normally the name of its file.
pub fn analyse(source_name: &str, text: &str) -> Analysis {
    let source: Arc<str> = Arc::from(source_name);
    if text.len() > limits::MAX_TEXT {
        let message = format!("the text is longer than {} bytes", limits::MAX_TEXT);
        let mut diagnostic = Diagnostic::new(Code::Limit, Span::new(0, 0), message);
        diagnostic.locate(&source, text);
        return Analysis {
            test: None,
            diagnostics: vec![diagnostic],
        };
    }
    let mut lexed = lex::lex(text);
    let (raw, from_parse) = parse::parse(text, &lexed);
    let (test, from_check) = check::check(text, &lexed, &raw);
    let mut diagnostics = std::mem::take(&mut lexed.diagnostics);
    diagnostics.extend(from_parse);
    diagnostics.extend(from_check);
    let diagnostics = finish(diagnostics, &source, text);
    let test = test.filter(|_| !diagnostics.iter().any(Diagnostic::is_error));
    Analysis { test, diagnostics }
}

/// Parses and checks a test: the test, or everything that is wrong with it.
///
/// `source_name` is what diagnostics call the text, normally the name of its file.
pub fn parse(source_name: &str, text: &str) -> Result<Test, Vec<Diagnostic>> {
    let Analysis { test, diagnostics } = analyse(source_name, text);
    test.ok_or(diagnostics)
}

/// The text of a file's bytes, or what is wrong with them.
pub fn decode<'b>(source_name: &str, bytes: &'b [u8]) -> Result<&'b str, Vec<Diagnostic>> {
    std::str::from_utf8(bytes).map_err(|error| {
        let message = std::format!("byte {} is not UTF-8 text", error.valid_up_to());
        let mut diagnostic = Diagnostic::new(Code::NotUtf8, Span::new(0, 0), message);
        diagnostic.locate(&Arc::from(source_name), "");
        vec![diagnostic]
    })
}

fn too_long(source: &Arc<str>) -> Diagnostic {
    let message = std::format!("the text is longer than {} bytes", limits::MAX_TEXT);
    let mut diagnostic = Diagnostic::new(Code::Limit, Span::new(0, 0), message);
    diagnostic.locate(source, "");
    diagnostic
}

/// Sorts by place, drops warnings where there are errors, and cuts off what is beyond the limit.
fn finish(mut diagnostics: Vec<Diagnostic>, source: &Arc<str>, text: &str) -> Vec<Diagnostic> {
    diagnostics.sort_by_key(|d| (d.span.start, d.span.end, d.code));
    if diagnostics.iter().any(Diagnostic::is_error) {
        diagnostics.retain(Diagnostic::is_error);
    }
    // A comment without an end swallows the rest: what is missing there was perhaps not forgotten.
    let open_comment = diagnostics.iter().find(|d| d.code == Code::OpenComment);
    if let Some(start) = open_comment.map(|d| d.span.start) {
        diagnostics.retain(|d| {
            d.code == Code::OpenComment || (d.span.end < start && d.code != Code::OpenBracket)
        });
    }
    if diagnostics.len() > limits::MAX_DIAGNOSTICS {
        diagnostics.truncate(limits::MAX_DIAGNOSTICS);
        if let Some(last) = diagnostics.last_mut() {
            last.help.push("there is more; mend these first".to_owned());
        }
    }
    for diagnostic in &mut diagnostics {
        diagnostic.locate(source, text);
    }
    diagnostics
}
