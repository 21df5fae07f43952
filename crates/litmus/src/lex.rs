//! Text to tokens. Comments are kept beside them.

use crate::Span;
use crate::diagnostic::{Code, Diagnostic};
use crate::limits::{MAX_DIAGNOSTICS, MAX_NAME};

/// What a token is. Keywords are identifiers: which of them are keywords depends on the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tok {
    /// The name after `MM`.
    TestName,
    Ident,
    Number,
    OpenBrace,
    CloseBrace,
    OpenParen,
    CloseParen,
    OpenBracket,
    CloseBracket,
    Semicolon,
    Comma,
    Colon,
    Equal,
    NotEqual,
    Star,
    Bar,
    Tilde,
    Minus,
    And,
    Or,
    Implies,
    End,
}

impl Tok {
    /// As a diagnostic names it.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Tok::TestName => "the test's name",
            Tok::Ident => "a name",
            Tok::Number => "a number",
            Tok::OpenBrace => "`{`",
            Tok::CloseBrace => "`}`",
            Tok::OpenParen => "`(`",
            Tok::CloseParen => "`)`",
            Tok::OpenBracket => "`[`",
            Tok::CloseBracket => "`]`",
            Tok::Semicolon => "`;`",
            Tok::Comma => "`,`",
            Tok::Colon => "`:`",
            Tok::Equal => "`=`",
            Tok::NotEqual => "`!=`",
            Tok::Star => "`*`",
            Tok::Bar => "`|`",
            Tok::Tilde => "`~`",
            Tok::Minus => "`-`",
            Tok::And => "`/\\`",
            Tok::Or => "`\\/`",
            Tok::Implies => "`=>`",
            Tok::End => "the end of the file",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) tok: Tok,
    pub(crate) span: Span,
}

/// `// ...` or `(* ... *)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommentKind {
    Line,
    Block,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Comment {
    pub(crate) kind: CommentKind,
    pub(crate) span: Span,
}

/// The tokens of a text, the last of which is [`Tok::End`].
pub(crate) struct Lexed {
    pub(crate) tokens: Vec<Token>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

pub(crate) fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer {
        text,
        at: 0,
        out: Lexed {
            tokens: Vec::new(),
            comments: Vec::new(),
            diagnostics: Vec::new(),
        },
    };
    if text.starts_with('\u{feff}') {
        lexer.at = '\u{feff}'.len_utf8();
    }
    while lexer.next() {}
    let end = Span::new(text.len(), text.len());
    lexer.out.tokens.push(Token {
        tok: Tok::End,
        span: end,
    });
    lexer.out
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    out: Lexed,
}

fn is_ident_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn is_ident(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// May the character stand in the name of a test?
pub(crate) fn is_test_name(c: char) -> bool {
    is_ident(c) || matches!(c, '-' | '+' | '.')
}

impl Lexer<'_> {
    /// Takes one token or comment; `false` at the end.
    fn next(&mut self) -> bool {
        self.run(|c| c.is_ascii_whitespace());
        let rest = &self.text[self.at..];
        let Some(c) = rest.chars().next() else {
            return false;
        };
        let start = self.at;
        if rest.starts_with("//") {
            let end = self.run(|c| c != '\n').end;
            self.comment(CommentKind::Line, Span::new(start, end));
        } else if rest.starts_with("(*") {
            self.block_comment();
        } else if self.out.tokens.len() == 1 && is_test_name(c) && self.after_magic() {
            let span = self.run(is_test_name);
            self.push(Tok::TestName, span);
        } else if is_ident_start(c) {
            let span = self.run(is_ident);
            self.name(span);
        } else if c.is_ascii_digit() {
            let span = self.run(is_ident);
            self.number(span);
        } else if let Some((tok, length)) = punctuation(rest) {
            self.at += length;
            self.push(tok, Span::new(start, self.at));
        } else {
            self.foreign(rest, c);
        }
        true
    }

    /// Takes the characters that satisfy `keep`.
    fn run(&mut self, keep: impl Fn(char) -> bool) -> Span {
        let start = self.at;
        let rest = &self.text[start..];
        self.at += rest.find(|c| !keep(c)).unwrap_or(rest.len());
        Span::new(start, self.at)
    }

    fn after_magic(&self) -> bool {
        self.out.tokens[0].span.text(self.text) == "MM"
    }

    fn push(&mut self, tok: Tok, span: Span) {
        self.out.tokens.push(Token { tok, span });
    }

    fn comment(&mut self, kind: CommentKind, span: Span) {
        self.out.comments.push(Comment { kind, span });
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.out.diagnostics.len() <= MAX_DIAGNOSTICS {
            self.out.diagnostics.push(diagnostic);
        }
    }

    /// `(* ... *)`, nested. One without an end takes the rest of the text.
    fn block_comment(&mut self) {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut depth = 0usize;
        while self.at < bytes.len() {
            match &bytes[self.at..] {
                [b'(', b'*', ..] => {
                    depth += 1;
                    self.at += 2;
                }
                [b'*', b')', ..] => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return self.comment(CommentKind::Block, Span::new(start, self.at));
                    }
                }
                _ => self.at += 1,
            }
        }
        self.comment(CommentKind::Block, Span::new(start, self.at));
        let help = match bytes.get(start + 2) {
            Some(b'a'..=b'z') => {
                "in `f(*x)` the `(*` begins a comment; what x holds is written `x`"
            }
            _ => "comments nest: each `(*` needs a `*)` of its own",
        };
        self.report(
            Diagnostic::new(
                Code::OpenComment,
                Span::new(start, start + 2),
                "this comment has no end",
            )
            .label("begins here")
            .help(help),
        );
    }

    fn name(&mut self, span: Span) {
        if span.end - span.start > MAX_NAME {
            self.report(
                Diagnostic::new(Code::Limit, span, "this name is too long")
                    .help(format!("a name has at most {MAX_NAME} characters")),
            );
        }
        self.push(Tok::Ident, span);
    }

    fn number(&mut self, span: Span) {
        if !span.text(self.text).bytes().all(|b| b.is_ascii_digit()) {
            self.report(
                Diagnostic::new(Code::Lexical, span, "this is neither a number nor a name")
                    .label("numbers are decimal, names begin with a letter"),
            );
        }
        self.push(Tok::Number, span);
    }

    /// Something the language does not have. What C or another herd dialect would mean by it is taken for ours, so that the rest can be checked.
    fn foreign(&mut self, rest: &str, c: char) {
        const SPELLINGS: [(&str, Option<Tok>, &str); 9] = [
            ("&&", Some(Tok::And), "write `/\\`"),
            ("||", Some(Tok::Or), "write `\\/`"),
            ("==", Some(Tok::Equal), "write `=`"),
            ("<>", Some(Tok::NotEqual), "write `!=`"),
            ("->", Some(Tok::Implies), "write `=>`"),
            ("!", Some(Tok::Tilde), "write `~`"),
            ("/*", None, "comments are `(* ... *)` and `// ...`"),
            ("#", None, "comments are `(* ... *)` and `// ...`"),
            ("&", None, "a variable's name is its address: leave out `&`"),
        ];
        let start = self.at;
        for (spelling, tok, help) in SPELLINGS {
            if !rest.starts_with(spelling) {
                continue;
            }
            self.at += match spelling {
                "/*" => rest.find("*/").map_or(rest.len(), |at| at + 2),
                "#" => rest.find('\n').unwrap_or(rest.len()),
                _ => spelling.len(),
            };
            let span = Span::new(start, start + spelling.len());
            self.report(
                Diagnostic::new(
                    Code::Foreign,
                    span,
                    format!("`{spelling}` is not of this language"),
                )
                .help(help),
            );
            if let Some(tok) = tok {
                self.push(tok, span);
            }
            return;
        }
        // One complaint for a run of such characters.
        let span = self.run(|c| !c.is_ascii());
        let span = if span.start == span.end {
            self.at += c.len_utf8();
            Span::new(start, self.at)
        } else {
            span
        };
        let shown: String = span
            .text(self.text)
            .chars()
            .take(8)
            .flat_map(char::escape_debug)
            .collect();
        self.report(
            Diagnostic::new(
                Code::Lexical,
                span,
                format!("`{shown}` has no meaning outside of a comment"),
            )
            .label("remove this"),
        );
    }
}

/// The token that `rest` begins with, and its length.
fn punctuation(rest: &str) -> Option<(Tok, usize)> {
    const LONG: [(&str, Tok); 4] = [
        ("/\\", Tok::And),
        ("\\/", Tok::Or),
        ("=>", Tok::Implies),
        ("!=", Tok::NotEqual),
    ];
    if let Some((text, tok)) = LONG.iter().find(|(text, _)| rest.starts_with(text)) {
        return Some((*tok, text.len()));
    }
    if ["==", "||", "->"]
        .iter()
        .any(|foreign| rest.starts_with(foreign))
    {
        return None;
    }
    let tok = match rest.as_bytes()[0] {
        b'{' => Tok::OpenBrace,
        b'}' => Tok::CloseBrace,
        b'(' => Tok::OpenParen,
        b')' => Tok::CloseParen,
        b'[' => Tok::OpenBracket,
        b']' => Tok::CloseBracket,
        b';' => Tok::Semicolon,
        b',' => Tok::Comma,
        b':' => Tok::Colon,
        b'=' => Tok::Equal,
        b'*' => Tok::Star,
        b'|' => Tok::Bar,
        b'~' => Tok::Tilde,
        b'-' => Tok::Minus,
        _ => return None,
    };
    Some((tok, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toks(text: &str) -> Vec<Tok> {
        lex(text).tokens.iter().map(|t| t.tok).collect()
    }

    #[test]
    fn the_name_of_a_test_may_have_hyphens_and_dots() {
        let lexed = lex("MM odirect-swap.v2+x (* doc *) { }");
        assert_eq!(lexed.tokens[1].tok, Tok::TestName);
        assert_eq!(
            lexed.tokens[1]
                .span
                .text("MM odirect-swap.v2+x (* doc *) { }"),
            "odirect-swap.v2+x"
        );
        assert_eq!(lexed.comments.len(), 1);
    }

    #[test]
    fn comments_nest_and_run_to_the_end_of_the_line() {
        let lexed = lex("a (* b (* c *) d *) e // f\ng");
        assert_eq!(lexed.tokens.len(), 4);
        assert!(lexed.diagnostics.is_empty());
    }

    #[test]
    fn an_open_comment_is_reported_once() {
        let lexed = lex("a (* (* b *)");
        assert_eq!(lexed.diagnostics.len(), 1);
        assert_eq!(lexed.diagnostics[0].code, Code::OpenComment);
    }

    #[test]
    fn foreign_spellings_are_understood_and_reported() {
        let lexed = lex("a && b || c == d");
        assert_eq!(lexed.diagnostics.len(), 3);
        assert_eq!(
            toks("a && b || c == d"),
            [
                Tok::Ident,
                Tok::And,
                Tok::Ident,
                Tok::Or,
                Tok::Ident,
                Tok::Equal,
                Tok::Ident,
                Tok::End
            ]
        );
    }

    #[test]
    fn connectives_and_comparisons_are_one_token_each() {
        assert_eq!(
            toks("/\\ \\/ => != = ~"),
            [
                Tok::And,
                Tok::Or,
                Tok::Implies,
                Tok::NotEqual,
                Tok::Equal,
                Tok::Tilde,
                Tok::End
            ]
        );
    }
}
