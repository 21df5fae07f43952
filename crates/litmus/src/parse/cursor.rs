//! The tokens ahead, and what to do when the next one is wrong.

use super::is_thread_name;
use super::syntax::{Name, Number};
use crate::Span;
use crate::diagnostic::{Code, Diagnostic};
use crate::lex::{Tok, Token};
use crate::limits::MAX_DIAGNOSTICS;

/// The complaint has been made; the caller skips to where parsing can go on.
#[derive(Debug)]
pub(crate) struct Failed;

pub(crate) type Parsed<T> = Result<T, Failed>;

pub(crate) struct Cursor<'t, 'l> {
    pub(crate) text: &'t str,
    tokens: &'l [Token],
    at: usize,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl<'t, 'l> Cursor<'t, 'l> {
    /// `tokens` ends with [`Tok::End`].
    pub(crate) fn new(text: &'t str, tokens: &'l [Token]) -> Cursor<'t, 'l> {
        Cursor {
            text,
            tokens,
            at: 0,
            diagnostics: Vec::new(),
        }
    }

    fn token(&self, ahead: usize) -> Token {
        self.tokens[(self.at + ahead).min(self.tokens.len() - 1)]
    }

    pub(crate) fn tok(&self) -> Tok {
        self.token(0).tok
    }

    pub(crate) fn tok_ahead(&self, ahead: usize) -> Tok {
        self.token(ahead).tok
    }

    pub(crate) fn span(&self) -> Span {
        self.token(0).span
    }

    /// The token taken last.
    pub(crate) fn last_span(&self) -> Span {
        match self.at {
            0 => Span::new(0, 0),
            at => self.tokens[at - 1].span,
        }
    }

    /// From `start` to the token taken last.
    pub(crate) fn since(&self, start: Span) -> Span {
        start.to(self.last_span())
    }

    pub(crate) fn at_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    /// The next token where it is a name or keyword.
    pub(crate) fn word(&self) -> Option<&'t str> {
        (self.tok() == Tok::Ident).then(|| self.span().text(self.text))
    }

    /// Does another part of the test begin here? None may be inside of a block.
    pub(crate) fn at_part(&self) -> bool {
        let next = self.tok_ahead(1);
        match self.word() {
            Some("exists" | "forall") => next == Tok::OpenParen,
            Some("locations") => next == Tok::OpenBracket,
            Some("kernel") => matches!(next, Tok::OpenBrace | Tok::Star),
            Some(word) if is_thread_name(word) => {
                next == Tok::OpenBrace || self.token(1).span.text(self.text) == "in"
            }
            _ => self.tok() == Tok::Tilde && self.token(1).span.text(self.text) == "exists",
        }
    }

    /// Takes one token; the end stays.
    pub(crate) fn bump(&mut self) -> Span {
        let span = self.span();
        if self.tok() != Tok::End {
            self.at += 1;
        }
        span
    }

    pub(crate) fn eat(&mut self, tok: Tok) -> Option<Span> {
        (self.tok() == tok).then(|| self.bump())
    }

    pub(crate) fn eat_word(&mut self, word: &str) -> Option<Span> {
        self.at_word(word).then(|| self.bump())
    }

    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        // One more than the limit, so that the cut can be noticed.
        if self.diagnostics.len() <= MAX_DIAGNOSTICS {
            self.diagnostics.push(diagnostic);
        }
    }

    /// What stands here, as a diagnostic names it.
    pub(crate) fn found(&self) -> String {
        match self.tok() {
            Tok::Ident | Tok::Number | Tok::TestName => {
                let text: String = self.span().text(self.text).chars().take(40).collect();
                format!("`{text}`")
            }
            tok => tok.describe().to_owned(),
        }
    }

    /// A complaint that something else was expected here, not yet made.
    pub(crate) fn unexpected(&self, expected: &str) -> Diagnostic {
        let message = format!("expected {expected}, found {}", self.found());
        let here = self.span();
        let last = self.last_span();
        let between = self.text.get(last.end..here.start).unwrap_or("");
        let forgotten = expected.starts_with("`;`") || expected.starts_with("`)`");
        if forgotten && (between.contains('\n') || matches!(self.tok(), Tok::End | Tok::CloseBrace))
        {
            // What is missing is missing at the end of the line before.
            let span = Span::new(last.end.saturating_sub(1), last.end);
            return Diagnostic::new(Code::Expected, span, message)
                .label(format!("{expected} after this"));
        }
        Diagnostic::new(Code::Expected, here, message).label(format!("expected {expected}"))
    }

    pub(crate) fn fail<T>(&mut self, diagnostic: Diagnostic) -> Parsed<T> {
        self.report(diagnostic);
        Err(Failed)
    }

    pub(crate) fn expect(&mut self, tok: Tok, help: &str) -> Parsed<Span> {
        if let Some(span) = self.eat(tok) {
            return Ok(span);
        }
        let mut diagnostic = self.unexpected(tok.describe());
        if !help.is_empty() {
            diagnostic = diagnostic.help(help);
        }
        self.fail(diagnostic)
    }

    /// Takes the `;`. One forgotten at the end of a line or block is reported, and read as if it were there.
    pub(crate) fn end_of_statement(&mut self, help: &str) -> Parsed<()> {
        let gap = Span::new(self.last_span().end, self.span().start);
        let forgotten = self.tok() == Tok::CloseBrace || gap.text(self.text).contains('\n');
        match self.expect(Tok::Semicolon, help) {
            Err(failed) if !forgotten => Err(failed),
            _ => Ok(()),
        }
    }

    pub(crate) fn expect_name(&mut self, what: &str, help: &str) -> Parsed<Name<'t>> {
        if self.tok() == Tok::Ident {
            return Ok(self.take_name());
        }
        let mut diagnostic = self.unexpected(what);
        if !help.is_empty() {
            diagnostic = diagnostic.help(help);
        }
        self.fail(diagnostic)
    }

    /// Takes the next token, whatever it is, as a name.
    pub(crate) fn take_name(&mut self) -> Name<'t> {
        let span = self.bump();
        Name {
            text: span.text(self.text),
            span,
        }
    }

    /// A word in which hyphens may stand: `block-sync`.
    pub(crate) fn expect_hyphenated(&mut self, what: &str, help: &str) -> Parsed<Name<'t>> {
        let first = self.expect_name(what, help)?;
        Ok(self.hyphens(first))
    }

    /// Goes on with `-word` where it follows without a gap.
    pub(crate) fn hyphens(&mut self, first: Name<'t>) -> Name<'t> {
        let mut span = first.span;
        while self.tok() == Tok::Minus
            && self.tok_ahead(1) == Tok::Ident
            && self.span().start == span.end
            && self.token(1).span.start == self.span().end
        {
            self.bump();
            span = span.to(self.bump());
        }
        Name {
            text: span.text(self.text),
            span,
        }
    }

    pub(crate) fn expect_number(&mut self, what: &str, help: &str) -> Parsed<Number> {
        if self.tok() == Tok::Number {
            let span = self.bump();
            let value = span.text(self.text).parse().unwrap_or(u64::MAX);
            return Ok(Number { value, span });
        }
        let mut diagnostic = self.unexpected(what);
        if !help.is_empty() {
            diagnostic = diagnostic.help(help);
        }
        self.fail(diagnostic)
    }

    /// After a failure inside of `{ 1, 2 }`: skips its `}`, unless the statement ends before.
    pub(crate) fn leave_list<T>(&mut self, parsed: Parsed<T>) -> Parsed<T> {
        if parsed.is_err() {
            while !matches!(self.tok(), Tok::CloseBrace | Tok::Semicolon | Tok::End) {
                self.bump();
            }
            self.eat(Tok::CloseBrace);
        }
        parsed
    }

    /// Skips to the next `;` of this block and takes it, or to the `}` that ends the block and leaves it. Blocks inside are skipped whole. Another
    /// part of the test ends it too: some `}` was forgotten.
    pub(crate) fn recover(&mut self) {
        let mut depth = 0usize;
        loop {
            match self.tok() {
                Tok::End => return,
                _ if self.at_part() => return,
                Tok::Semicolon if depth == 0 => {
                    self.bump();
                    return;
                }
                Tok::OpenBrace => depth += 1,
                Tok::CloseBrace if depth == 0 => return,
                Tok::CloseBrace => {
                    depth -= 1;
                    if depth == 0 {
                        self.bump();
                        self.eat(Tok::Semicolon);
                        return;
                    }
                }
                _ => {}
            }
            self.bump();
        }
    }
}
