//! The layout that `cowherd fmt` gives a test. It keeps every comment, and what the test means.

mod pieces;

use std::sync::Arc;

use crate::Span;
use crate::diagnostic::Diagnostic;
use crate::lex::{Comment, CommentKind, Lexed, Tok, Token};
use crate::limits;
use crate::parse::is_thread_name;
use pieces::{Mode, Pieces, WIDTH};

/// How far a block is indented.
const INDENT: usize = 4;

/// The text in canonical layout, or why it cannot be read. What the names stand for is not checked.
///
/// One item a line, blocks indented by four, lines of at most 100 characters where they can be broken. A block that stands in one line stays
/// there if it fits. Up to one blank line between items is kept, and so is every comment: beside its line if it stood there. Formatting twice
/// changes nothing, and neither what the test means nor its documentation changes.
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let source: Arc<str> = Arc::from("");
    if text.len() > limits::MAX_TEXT {
        return Err(vec![crate::too_long(&source)]);
    }
    let lexed = crate::lex::lex(text);
    let (raw, from_parse) = crate::parse::parse(text, &lexed);
    let mut diagnostics = lexed.diagnostics.clone();
    diagnostics.extend(from_parse);
    if !diagnostics.is_empty() {
        return Err(crate::finish(diagnostics, &source, text));
    }
    let condition_end = raw
        .condition
        .map_or(text.len(), |condition| condition.span.end);
    let laid_out = Formatter::new(text, &lexed).run(condition_end);
    // What is too long to be read again is no layout of it.
    if laid_out.len() > limits::MAX_TEXT {
        return Err(vec![crate::too_long(&source)]);
    }
    Ok(laid_out)
}

/// Tokens that will be a line, and what goes with it.
struct Item<'t> {
    pieces: Pieces<'t>,
    blank_before: bool,
    /// Comments inside of it that cannot stand in the line.
    comments: Vec<Comment>,
}

/// A line of the output, or several where what it holds is too long or is a comment of several lines.
struct Line {
    indent: usize,
    text: String,
    blank_before: bool,
    /// Comments at its end.
    trailing: Vec<String>,
}

struct Formatter<'t, 'l> {
    text: &'t str,
    tokens: &'l [Token],
    comments: &'l [Comment],
    /// The next token.
    at: usize,
    /// The next comment.
    comment: usize,
    /// The end of the token or comment taken last.
    end: usize,
    lines: Vec<Line>,
}

impl<'t, 'l> Formatter<'t, 'l> {
    fn new(text: &'t str, lexed: &'l Lexed) -> Formatter<'t, 'l> {
        Formatter {
            text,
            tokens: &lexed.tokens,
            comments: &lexed.comments,
            at: 0,
            comment: 0,
            end: 0,
            lines: Vec::new(),
        }
    }

    fn run(mut self, condition_end: usize) -> String {
        self.comments_before(0);
        self.test_name();
        loop {
            self.comments_before(0);
            match (self.tok(), self.word()) {
                (Tok::End, _) => break,
                (Tok::Semicolon, _) => self.skip(),
                (Tok::OpenBrace, _) => self.init(),
                (_, "locations") => self.item(0, Mode::Condition, |this, at| {
                    this.tokens[at - 1].tok == Tok::CloseBracket && this.closes_locations(at - 1)
                }),
                (_, word) if word == "kernel" || is_thread_name(word) => self.head_and_block(),
                _ => self.item(0, Mode::Condition, |this, at| {
                    this.tokens[at].span.start >= condition_end
                }),
            }
        }
        self.finish()
    }

    fn tok(&self) -> Tok {
        self.tokens[self.at].tok
    }

    fn word(&self) -> &'t str {
        self.tokens[self.at].span.text(self.text)
    }

    /// Passes over a token that leaves no trace.
    fn skip(&mut self) {
        self.end = self.tokens[self.at].span.end;
        self.at += 1;
    }

    /// Is there a line break in the text between these places?
    fn broken(&self, start: usize, end: usize) -> bool {
        Span::new(start, end).text(self.text).contains('\n')
    }

    /// Is there a blank line between what was taken last and this place? Never at the start of a block.
    fn blank_before(&self, start: usize) -> bool {
        let gap = Span::new(self.end, start).text(self.text);
        let opens = self
            .lines
            .last()
            .is_none_or(|line| line.text.ends_with('{'));
        !opens && gap.bytes().filter(|b| *b == b'\n').count() > 1
    }

    /// Is the `]` with this number the end of `locations`? Others are those of cells.
    fn closes_locations(&self, close: usize) -> bool {
        let mut depth = 0;
        for open in (0..=close).rev() {
            match self.tokens[open].tok {
                Tok::CloseBracket => depth += 1,
                Tok::OpenBracket => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return open > 0 && self.tokens[open - 1].span.text(self.text) == "locations";
            }
        }
        true
    }

    /// Takes the comments before the next token: one that stands beside the line before stays there, others get lines of their own.
    fn comments_before(&mut self, indent: usize) {
        while let Some(comment) = self.comments.get(self.comment) {
            if comment.span.start > self.tokens[self.at].span.start {
                return;
            }
            let beside = !self.broken(self.end, comment.span.start) && self.end > 0;
            let text = comment_text(self.text, comment, indent);
            if !(beside && self.put_beside(&text)) {
                let blank_before = self.blank_before(comment.span.start);
                self.line(indent, text, blank_before);
            }
            self.end = comment.span.end;
            self.comment += 1;
        }
    }

    /// Puts a comment at the end of the last line, where it can stand there.
    fn put_beside(&mut self, comment: &str) -> bool {
        let Some(line) = self.lines.last_mut() else {
            return false;
        };
        let last = line.trailing.last().unwrap_or(&line.text);
        if comment.contains('\n') || last.starts_with("//") {
            return false;
        }
        line.trailing.push(comment.to_owned());
        true
    }

    fn line(&mut self, indent: usize, text: String, blank_before: bool) {
        self.lines.push(Line {
            indent,
            text,
            blank_before,
            trailing: Vec::new(),
        });
    }

    /// Takes tokens up to the one at which `ends` says to stop, and the comments among them.
    fn collect(&mut self, mode: Mode, ends: impl Fn(&Self, usize) -> bool) -> Item<'t> {
        let blank_before = self.blank_before(self.tokens[self.at].span.start);
        let mut item = Item {
            pieces: Pieces::new(mode),
            blank_before,
            comments: Vec::new(),
        };
        let start = self.at;
        while self.tok() != Tok::End && (self.at == start || !ends(self, self.at)) {
            let Token { tok, span } = self.tokens[self.at];
            while let Some(comment) = self
                .comments
                .get(self.comment)
                .filter(|c| c.span.start < span.start)
            {
                let inline = comment.span.text(self.text);
                if comment.kind == CommentKind::Block && !inline.contains('\n') {
                    item.pieces.comment(inline);
                } else {
                    item.comments.push(*comment);
                }
                self.comment += 1;
            }
            // `locations [x; y;]` has one semicolon too many.
            let needless = mode == Mode::Condition
                && tok == Tok::Semicolon
                && matches!(
                    self.tokens[self.at + 1].tok,
                    Tok::CloseBracket | Tok::Semicolon
                );
            if !needless {
                item.pieces.token(tok, span.text(self.text));
            }
            self.end = span.end;
            self.at += 1;
        }
        item
    }

    /// The comments of an item that cannot stand inside of its line go after it: what stands before the first thread is documentation.
    fn comments_after(&mut self, comments: &[Comment], indent: usize) {
        for comment in comments {
            let text = comment_text(self.text, comment, indent);
            if !self.put_beside(&text) {
                self.line(indent, text, false);
            }
        }
    }

    /// `MM name`. What stands inside of it is no documentation, and goes before it.
    fn test_name(&mut self) {
        let item = self.collect(Mode::Body, |_, at| at == 2);
        for comment in &item.comments {
            self.line(0, comment_text(self.text, comment, 0), false);
        }
        self.line(0, item.pieces.flat(), item.blank_before);
    }

    /// One item in lines of its own.
    fn item(&mut self, indent: usize, mode: Mode, ends: impl Fn(&Self, usize) -> bool) {
        let mut item = self.collect(mode, ends);
        if mode == Mode::Condition {
            item.pieces.drop_last(Tok::Semicolon);
        }
        self.line(indent, item.pieces.filled(indent), item.blank_before);
        self.comments_after(&item.comments, indent);
    }

    /// A thread or `kernel` block.
    fn head_and_block(&mut self) {
        let head = self.collect(Mode::Body, |this, at| this.tokens[at].tok == Tok::OpenBrace);
        self.block(0, head, Inside::Stmts);
    }

    /// The declarations.
    fn init(&mut self) {
        let blank_before = self.blank_before(self.tokens[self.at].span.start);
        let head = Item {
            pieces: Pieces::new(Mode::Body),
            blank_before,
            comments: Vec::new(),
        };
        self.block(0, head, Inside::Decls);
    }

    /// `{ ... }` after its head: in one line if it was and fits.
    fn block(&mut self, indent: usize, mut head: Item<'t>, inside: Inside) {
        let close = self.matching_brace();
        if let Some(text) = self.one_line(close, &head.pieces, indent, inside) {
            self.line(indent, text, head.blank_before);
            self.comments_after(&head.comments, indent);
            self.at = close + 1;
            self.end = self.tokens[close].span.end;
            return;
        }
        head.pieces.token(Tok::OpenBrace, "{");
        self.line(indent, head.pieces.filled(indent), head.blank_before);
        self.comments_after(&head.comments, indent + INDENT);
        self.skip();
        self.inside(indent + INDENT, inside);
        self.line(indent, "}".to_owned(), false);
        self.skip();
    }

    /// A block and its head in one line, where that may be.
    fn one_line(
        &self,
        close: usize,
        head: &Pieces<'t>,
        indent: usize,
        inside: Inside,
    ) -> Option<String> {
        let block = &self.tokens[self.at..=close];
        let (start, end) = (block[0].span.start, block[block.len() - 1].span.end);
        let empty = block[1..block.len() - 1]
            .iter()
            .all(|token| token.tok == Tok::Semicolon);
        let has_comment = self
            .comments
            .get(self.comment)
            .is_some_and(|c| c.span.start < end);
        if has_comment || (self.broken(start, end) && !empty) {
            return None;
        }
        let mut flat = head.clone();
        for token in block {
            // `;;`, `{ ;` and the `;` after the block of a `fork`.
            let needless = token.tok == Tok::Semicolon
                && matches!(
                    flat.last_tok(),
                    Some(Tok::Semicolon | Tok::OpenBrace | Tok::CloseBrace)
                );
            if !needless {
                flat.token(token.tok, token.span.text(self.text));
            }
        }
        let text = flat.flat();
        let fits = inside == Inside::Stmts && indent + text.chars().count() <= WIDTH;
        (fits || empty).then_some(text)
    }

    /// The items of a block, up to its `}`.
    fn inside(&mut self, indent: usize, inside: Inside) {
        loop {
            self.comments_before(indent);
            match (self.tok(), inside) {
                (Tok::CloseBrace | Tok::End, _) => return,
                (Tok::Semicolon, _) => self.skip(),
                (_, Inside::Decls) => {
                    let mode = if self.word() == "tlb" {
                        Mode::Tlb
                    } else {
                        Mode::Body
                    };
                    self.item(indent, mode, |this, at| {
                        this.tokens[at - 1].tok == Tok::Semicolon
                    });
                }
                (_, Inside::Stmts) => self.stmt(indent),
            }
        }
    }

    /// A statement; that of a `fork` with its block.
    fn stmt(&mut self, indent: usize) {
        let item = self.collect(Mode::Body, |this, at| {
            let before = this.tokens[at - 1].tok;
            before == Tok::Semicolon
                || (before == Tok::CloseParen && this.tokens[at].tok == Tok::OpenBrace)
        });
        if self.tok() == Tok::OpenBrace && item.pieces.last_tok() == Some(Tok::CloseParen) {
            return self.block(indent, item, Inside::Stmts);
        }
        self.line(indent, item.pieces.filled(indent), item.blank_before);
        self.comments_after(&item.comments, indent);
    }

    /// The `}` of the `{` that is next.
    fn matching_brace(&self) -> usize {
        let mut depth = 0;
        for at in self.at..self.tokens.len() {
            match self.tokens[at].tok {
                Tok::OpenBrace => depth += 1,
                Tok::CloseBrace => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        self.tokens.len() - 1
    }

    /// The lines as text, with the comments beside consecutive lines one below the other.
    fn finish(self) -> String {
        let mut out = String::new();
        let mut at = 0;
        while at < self.lines.len() {
            let group = self.lines[at..]
                .iter()
                .enumerate()
                .take_while(|(n, line)| {
                    !line.trailing.is_empty() && (*n == 0 || !line.blank_before)
                })
                .count()
                .max(1);
            let group = &self.lines[at..at + group];
            let aligned = group.iter().map(Line::width).max().unwrap_or(0);
            let comments = group
                .iter()
                .map(|line| line.trailing.join(" ").chars().count())
                .max();
            let align = aligned + 2 + comments.unwrap_or(0) <= WIDTH;
            for line in group {
                line.write(&mut out, align.then_some(aligned));
            }
            at += group.len();
        }
        out
    }
}

/// What a block holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Decls,
    Stmts,
}

impl Line {
    /// The width of its last line.
    fn width(&self) -> usize {
        match self.text.rsplit_once('\n') {
            Some((_, last)) => last.chars().count(),
            None => self.indent + self.text.chars().count(),
        }
    }

    fn write(&self, out: &mut String, align: Option<usize>) {
        if self.blank_before {
            out.push('\n');
        }
        out.push_str(&" ".repeat(self.indent));
        out.push_str(&self.text);
        if !self.trailing.is_empty() {
            let gap = align.unwrap_or(0).saturating_sub(self.width());
            out.push_str(&" ".repeat(gap + 2));
            out.push_str(&self.trailing.join(" "));
        }
        out.push('\n');
    }
}

/// A comment as it stands at this indent: without blanks at the ends of its lines, and its further lines moved along with the first.
fn comment_text(text: &str, comment: &Comment, indent: usize) -> String {
    const BLANKS: [char; 2] = [' ', '\t'];
    let mut lines = comment.span.text(text).split('\n').map(str::trim_end);
    let mut out = lines.next().unwrap_or("").to_owned();
    let rest: Vec<&str> = lines.collect();
    let full = || {
        rest.iter()
            .filter(|line| !line.trim_start_matches(BLANKS).is_empty())
    };
    let starred = full().all(|line| line.trim_start_matches(BLANKS).starts_with('*'));
    let margin = full()
        .map(|line| line.len() - line.trim_start_matches(BLANKS).len())
        .min();
    for line in &rest {
        out.push('\n');
        let content = line.trim_start_matches(BLANKS);
        if content.is_empty() {
            continue;
        }
        // Starred lines stand below the star of the first, others below its text.
        let further = if starred {
            1
        } else {
            3 + (line.len() - content.len()) - margin.unwrap_or(0)
        };
        out.push_str(&" ".repeat(indent + further));
        out.push_str(content);
    }
    out
}
