//! The comments after a test's name: its documentation and its `Result:` lines.

use super::scope::Scope;
use crate::Span;
use crate::ast::{Clause, Profile, Range, Verdict};
use crate::diagnostic::{Code, Diagnostic};
use crate::lex::{Comment, CommentKind, Lexed};
use crate::parse::syntax::RawTest;
use crate::suggest::nearest;

/// What the comments say.
pub(super) struct TestHead {
    pub(super) doc: String,
    pub(super) results: Vec<Clause>,
}

const HELP: &str = "as in `Result: v5.8 Never; v5.9..v5.18 Sometimes; v5.19.. Never`";

pub(super) fn head(
    scope: &mut Scope<'_>,
    text: &str,
    lexed: &Lexed,
    raw: &RawTest<'_>,
) -> TestHead {
    let mut head = TestHead {
        doc: String::new(),
        results: Vec::new(),
    };
    let mut doc: Vec<&str> = Vec::new();
    for comment in &lexed.comments {
        let in_head = raw.name.span.end <= comment.span.start && comment.span.end <= raw.head_end;
        if !in_head {
            misplaced(scope, text, comment);
            continue;
        }
        for line in lines(text, comment) {
            let content = line.text(text);
            match content.strip_prefix("Result:") {
                Some(clauses) => {
                    let start = line.end - clauses.len();
                    result_line(scope, text, Span::new(start, line.end), &mut head.results);
                }
                None => doc.push(content),
            }
        }
    }
    let first = doc
        .iter()
        .position(|line| !line.is_empty())
        .unwrap_or(doc.len());
    let last = doc
        .iter()
        .rposition(|line| !line.is_empty())
        .map_or(first, |at| at + 1);
    head.doc = doc[first..last].join("\n");
    head
}

/// Complains of `Result:` lines where nobody would look for them.
fn misplaced(scope: &mut Scope<'_>, text: &str, comment: &Comment) {
    for line in lines(text, comment)
        .into_iter()
        .filter(|line| line.text(text).starts_with("Result:"))
    {
        scope.report(
            Diagnostic::new(
                Code::ResultLine,
                line,
                "a `Result:` line stands in the wrong place",
            )
            .help("results belong between the test's name and its first `{`"),
        );
    }
}

/// The lines of a comment without delimiters, leading stars and blanks at the ends.
fn lines(text: &str, comment: &Comment) -> Vec<Span> {
    let Span { start, end } = comment.span;
    let (start, end) = match comment.kind {
        CommentKind::Line => (start + 2, end),
        CommentKind::Block => {
            let closed = comment.span.text(text).ends_with("*)") && end - start >= 4;
            (start + 2, if closed { end - 2 } else { end })
        }
    };
    let mut at = start;
    let mut lines = Vec::new();
    for line in text[start..end].split('\n') {
        lines.push(content(text, Span::new(at, at + line.len()), comment.kind));
        at += line.len() + 1;
    }
    lines
}

/// One line without its decoration: ` * text` and `// text` leave `text`, with what indents it further.
fn content(text: &str, line: Span, kind: CommentKind) -> Span {
    let whole = line.text(text).trim_end();
    let mut rest = whole;
    if kind == CommentKind::Block {
        rest = rest.trim_start();
        rest = rest.strip_prefix('*').unwrap_or(rest);
    } else {
        rest = rest.trim_start_matches('/');
    }
    rest = rest.strip_prefix(' ').unwrap_or(rest);
    let end = line.start + whole.len();
    Span::new(end - rest.len(), end)
}

fn result_line(scope: &mut Scope<'_>, text: &str, line: Span, results: &mut Vec<Clause>) {
    let mut at = line.start;
    let mut any = false;
    for part in line.text(text).split(';') {
        let start = at + (part.len() - part.trim_start().len());
        let span = Span::new(start, start + part.trim().len());
        at += part.len() + 1;
        if span.start == span.end {
            continue;
        }
        any = true;
        if let Some(clause) = clause(scope, text, span) {
            results.push(clause);
        }
    }
    if !any {
        scope.report(
            Diagnostic::new(Code::ResultLine, line, "this line expects nothing").help(HELP),
        );
    }
}

/// `v5.9..v5.18 Sometimes`
fn clause(scope: &mut Scope<'_>, text: &str, span: Span) -> Option<Clause> {
    let content = span.text(text);
    let at_verdict = content.rfind(char::is_whitespace).map_or(0, |at| {
        at + content[at..].chars().next().map_or(1, char::len_utf8)
    });
    let word = Span::new(span.start + at_verdict, span.end);
    let Some(verdict) = Verdict::from_word(word.text(text)) else {
        let words = Verdict::ALL.iter().map(|verdict| verdict.word());
        let near = nearest(word.text(text), words);
        return scope.none(
            Diagnostic::new(
                Code::ResultLine,
                word,
                "a clause ends with `Never`, `Sometimes` or `Always`",
            )
            .help(near.map_or(HELP.to_owned(), |near| format!("did you mean `{near}`?"))),
        );
    };
    let range = Span::new(
        span.start,
        span.start + content[..at_verdict].trim_end().len(),
    );
    let range = self::range(scope, text, range)?;
    Some(Clause {
        range,
        verdict,
        span,
    })
}

fn range(scope: &mut Scope<'_>, text: &str, span: Span) -> Option<Range> {
    let content = span.text(text);
    if content.is_empty() || content == ".." {
        return Some(Range::All);
    }
    let Some(dots) = content.find("..") else {
        return Some(Range::One(profile(scope, text, span)?));
    };
    let from = Span::new(span.start, span.start + content[..dots].trim_end().len());
    let after = &content[dots + 2..];
    let to = Span::new(span.end - after.trim_start().len(), span.end);
    Some(match (from.start == from.end, to.start == to.end) {
        (true, _) => Range::To(profile(scope, text, to)?),
        (false, true) => Range::From(profile(scope, text, from)?),
        (false, false) => Range::FromTo(profile(scope, text, from)?, profile(scope, text, to)?),
    })
}

fn profile(scope: &mut Scope<'_>, text: &str, span: Span) -> Option<Profile> {
    let content = span.text(text);
    let proper = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-' | '/');
    if content.chars().all(proper) && !content.contains("..") {
        return Some(Profile {
            text: content.to_owned(),
            span,
        });
    }
    scope.none(
        Diagnostic::new(
            Code::ResultLine,
            span,
            "this is not a profile or a range of releases",
        )
        .help(HELP),
    )
}
