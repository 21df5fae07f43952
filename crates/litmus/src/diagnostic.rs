//! What is wrong with a test, and what to write instead.

use std::fmt;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::Span;

/// Declares the codes: number, and the sentence of the reference.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal,)+) => {
        /// The stable code of a diagnostic. `E` codes are errors, `W` codes warnings.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[doc = $doc])+ $variant,)+ }

        impl Code {
            /// Every code, in ascending order.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)+];

            /// As written: `E001`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $code,)+ }
            }
        }
    };
}

codes! {
    /// Something else was expected here.
    Expected = "E001",
    /// A character or number that the language does not have.
    Lexical = "E002",
    /// A comment without an end.
    OpenComment = "E003",
    /// A bracket without its partner.
    OpenBracket = "E004",
    /// Another language's spelling.
    Foreign = "E005",
    /// A part of the test is missing or stands twice.
    Missing = "E006",
    /// The text is no text: not UTF-8.
    NotUtf8 = "E007",
    /// A limit of the language is exceeded.
    Limit = "E008",
    /// There is no variable, file, pipe, handle or register of this name.
    UnknownName = "E010",
    /// There is no process of this name.
    UnknownProcess = "E011",
    /// There is no thread of this name.
    UnknownThread = "E012",
    /// There is no call, activity or page atom of this name.
    UnknownCall = "E013",
    /// A word that is not one of those that may stand here.
    UnknownWord = "E014",
    /// A name is given twice.
    Twice = "E015",
    /// A name that things of this kind cannot have.
    BadName = "E016",
    /// A name of the wrong kind.
    WrongKind = "E017",
    /// The process does not have the variable.
    NotInProcess = "E018",
    /// There is no such cell.
    Cell = "E020",
    /// A value is out of range.
    Value = "E021",
    /// More or fewer values than cells.
    Values = "E022",
    /// A call's arguments do not fit.
    Arguments = "E023",
    /// A result goes where it cannot.
    Result = "E024",
    /// A register is used that nothing has set.
    Unset = "E025",
    /// A handle is used when it is not live.
    DeadHandle = "E026",
    /// Attributes contradict each other.
    Contradiction = "E027",
    /// A process begins twice or never.
    Process = "E028",
    /// A `Result:` line that cannot be read.
    ResultLine = "E030",
    /// The condition asks for what the test does not have.
    Nothing = "E031",
    /// Declared and never used.
    Unused = "W001",
    /// A handle is made and never used.
    UnusedHandle = "W002",
    /// Statements, or a thread, that never run.
    NeverRuns = "W003",
}

impl Code {
    /// Is the test refused because of it?
    pub fn is_error(self) -> bool {
        self.as_str().starts_with('E')
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One error or warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The code.
    pub code: Code,
    /// What is wrong, as one sentence without a full stop.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to write under the caret; may be empty.
    pub label: String,
    /// Other places that have to do with it.
    pub notes: Vec<(Span, String)>,
    /// What to write instead.
    pub help: Vec<String>,
    /// The file, as the caller named it.
    pub source: Arc<str>,
    /// The line of the start of `span`, from 1.
    pub line: usize,
    /// The column of the start of `span` in characters, from 1.
    pub column: usize,
}

impl Diagnostic {
    pub(crate) fn new(code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            message: message.into(),
            span,
            label: String::new(),
            notes: Vec::new(),
            help: Vec::new(),
            source: Arc::from(""),
            line: 0,
            column: 0,
        }
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    pub(crate) fn note(mut self, span: Span, note: impl Into<String>) -> Diagnostic {
        self.notes.push((span, note.into()));
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help.push(help.into());
        self
    }

    /// Adds a help line where there is one to add.
    pub(crate) fn maybe_help(self, help: Option<String>) -> Diagnostic {
        match help {
            Some(help) => self.help(help),
            None => self,
        }
    }

    /// Fills in where the diagnostic stands.
    pub(crate) fn locate(&mut self, source: &Arc<str>, text: &str) {
        self.source = source.clone();
        let before = &text[..floor(text, self.span.start)];
        self.line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        self.column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    }

    /// Is the test refused because of it?
    pub fn is_error(&self) -> bool {
        self.code.is_error()
    }
}

impl fmt::Display for Diagnostic {
    /// One line: `FILE:LINE:COLUMN: error[E001]: MESSAGE`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.is_error() { "error" } else { "warning" };
        let Diagnostic {
            source,
            line,
            column,
            code,
            message,
            ..
        } = self;
        write!(f, "{source}:{line}:{column}: {severity}[{code}]: {message}")
    }
}

impl std::error::Error for Diagnostic {}

/// Are diagnostics drawn with the colours of a terminal?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// With escape sequences.
    Always,
}

/// Draws diagnostics: message, file and line, the text with carets, help.
///
/// `text` is the text that was parsed.
pub fn render(diagnostics: &[Diagnostic], text: &str, colour: Colour) -> String {
    let renderer = match colour {
        Colour::Never => Renderer::plain(),
        Colour::Always => Renderer::styled(),
    };
    let renderer = renderer.term_width(100);
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&renderer.render(&[group(diagnostic, text)]));
        out.push_str("\n\n");
    }
    out.pop();
    out
}

fn group<'a>(d: &'a Diagnostic, text: &'a str) -> Group<'a> {
    let level = if d.is_error() {
        Level::ERROR
    } else {
        Level::WARNING
    };
    let title = level.primary_title(d.message.as_str()).id(d.code.as_str());
    let mut group = Group::with_title(title);
    if text.is_empty() {
        group = group.element(Origin::path(&*d.source));
    } else {
        let primary = AnnotationKind::Primary.span(drawable(text, d.span));
        let primary = if d.label.is_empty() {
            primary
        } else {
            primary.label(d.label.as_str())
        };
        let notes = d.notes.iter().map(|(span, label)| {
            AnnotationKind::Context
                .span(drawable(text, *span))
                .label(label.as_str())
        });
        let snippet = Snippet::source(text)
            .path(&*d.source)
            .line_start(1)
            .annotation(primary);
        group = group.element(snippet.annotations(notes));
    }
    for help in &d.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    group
}

/// The span as a range on character boundaries inside of `text`.
fn drawable(text: &str, span: Span) -> std::ops::Range<usize> {
    let start = floor(text, span.start);
    let end = floor(text, span.end).max(start);
    start..end
}

/// The last character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
