//! Tokens side by side: what stands between them, and where a long line may be broken.

use crate::lex::Tok;

/// No line is longer, where it can be helped.
pub(super) const WIDTH: usize = 100;

/// How a part of a test is spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Declarations and statements: `x[1] = 1;`
    Body,
    /// `tlb hot P1: x, y;`
    Tlb,
    /// The condition and `locations`: `P0:r1=5`
    Condition,
}

/// A token or a comment in one line.
#[derive(Clone)]
pub(super) struct Piece<'t> {
    /// `None` for a comment.
    tok: Option<Tok>,
    text: &'t str,
}

/// What will become one line, or several where it is too long.
#[derive(Clone)]
pub(super) struct Pieces<'t> {
    mode: Mode,
    pieces: Vec<Piece<'t>>,
}

impl<'t> Pieces<'t> {
    pub(super) fn new(mode: Mode) -> Pieces<'t> {
        Pieces {
            mode,
            pieces: Vec::new(),
        }
    }

    pub(super) fn token(&mut self, tok: Tok, text: &'t str) {
        self.pieces.push(Piece {
            tok: Some(tok),
            text,
        });
    }

    pub(super) fn comment(&mut self, text: &'t str) {
        self.pieces.push(Piece { tok: None, text });
    }

    pub(super) fn last_tok(&self) -> Option<Tok> {
        self.pieces.last().and_then(|piece| piece.tok)
    }

    /// Takes away the last piece where it is this token.
    pub(super) fn drop_last(&mut self, tok: Tok) {
        if self.last_tok() == Some(tok) {
            self.pieces.pop();
        }
    }

    /// All in one line.
    pub(super) fn flat(&self) -> String {
        let mut out = String::new();
        for at in 0..self.pieces.len() {
            if self.space_before(at) {
                out.push(' ');
            }
            out.push_str(self.pieces[at].text);
        }
        out
    }

    /// Broken so that no line is longer than [`WIDTH`], where it can be. Lines after the first are indented to the innermost open parenthesis
    /// in a condition, by four more than `indent` elsewhere. The first line comes without its indent.
    pub(super) fn filled(&self, indent: usize) -> String {
        let mut out = String::new();
        let mut column = indent;
        let mut open = Vec::new();
        let mut at = 0;
        while at < self.pieces.len() {
            let end = (at + 1..self.pieces.len()).find(|at| self.may_break_before(*at));
            let end = end.unwrap_or(self.pieces.len());
            let hang = open.last().copied().unwrap_or(indent + 4);
            let space = usize::from(self.space_before(at));
            if at > 0 && column > hang && column + space + self.width(at, end) > WIDTH {
                out.push('\n');
                out.push_str(&" ".repeat(hang));
                column = hang;
            } else if space == 1 {
                out.push(' ');
                column += 1;
            }
            let start = at;
            while at < end {
                if at > start && self.space_before(at) {
                    out.push(' ');
                    column += 1;
                }
                let piece = &self.pieces[at];
                out.push_str(piece.text);
                column += piece.text.chars().count();
                match piece.tok {
                    Some(Tok::OpenParen) if self.mode == Mode::Condition => open.push(column),
                    Some(Tok::CloseParen) => drop(open.pop()),
                    _ => {}
                }
                at += 1;
            }
        }
        out
    }

    /// The width of some pieces with what stands between them.
    fn width(&self, start: usize, end: usize) -> usize {
        let spaces = (start + 1..end).filter(|at| self.space_before(*at)).count();
        let texts: usize = self.pieces[start..end]
            .iter()
            .map(|piece| piece.text.chars().count())
            .sum();
        spaces + texts
    }

    fn may_break_before(&self, at: usize) -> bool {
        match self.pieces[at - 1].tok {
            Some(Tok::Comma | Tok::And | Tok::Or | Tok::Implies | Tok::Bar) => true,
            Some(Tok::Semicolon) => self.mode == Mode::Condition,
            _ => false,
        }
    }

    fn space_before(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else {
            return false;
        };
        let (before, this) = (&self.pieces[before], &self.pieces[at]);
        let (Some(left), Some(right)) = (before.tok, this.tok) else {
            // Beside a comment.
            let opened = matches!(
                before.tok,
                Some(Tok::OpenParen | Tok::OpenBracket | Tok::Tilde)
            );
            let closing = matches!(
                this.tok,
                Some(Tok::Semicolon | Tok::Comma | Tok::CloseParen | Tok::CloseBracket)
            );
            return !opened && !closing;
        };
        let condition = self.mode == Mode::Condition;
        match (left, right) {
            (_, Tok::Semicolon | Tok::Comma | Tok::CloseParen | Tok::CloseBracket) => false,
            (Tok::OpenParen | Tok::OpenBracket | Tok::Tilde, _) => false,
            (_, Tok::OpenBracket) => before.text == "locations",
            (Tok::Ident, Tok::OpenParen) => {
                condition && matches!(before.text, "exists" | "forall" | "not")
            }
            (_, Tok::Colon) => false,
            (Tok::Colon, _) => self.mode == Mode::Tlb,
            (Tok::Star | Tok::Minus, _) | (_, Tok::Star | Tok::Minus) => false,
            (Tok::Equal | Tok::NotEqual, _) | (_, Tok::Equal | Tok::NotEqual) => !condition,
            _ => true,
        }
    }
}
