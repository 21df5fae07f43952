//! Tokens to the shape of a test. Errors do not end it: it goes on after the next `;` or `}`.

mod condition;
mod cursor;
mod decl;
mod stmt;
pub(crate) mod syntax;

use crate::Span;
use crate::diagnostic::{Code, Diagnostic};
use crate::lex::{Lexed, Tok};
use cursor::{Cursor, Parsed};
use syntax::{Block, Head, Name, RawTest};

/// The shape of a test and everything that is wrong with it so far. Without any diagnostic the shape is complete.
pub(crate) fn parse<'t>(text: &'t str, lexed: &Lexed) -> (RawTest<'t>, Vec<Diagnostic>) {
    let mut cursor = Cursor::new(text, &lexed.tokens);
    let test = parse_test(&mut cursor);
    (test, cursor.diagnostics)
}

const SKELETON: &str =
    "a test is `MM name`, `{ declarations }`, threads `P0 { ... }` and a condition `exists (...)`";

fn parse_test<'t>(cursor: &mut Cursor<'t, '_>) -> RawTest<'t> {
    let name = test_name(cursor);
    let mut test = RawTest {
        name,
        decls: Vec::new(),
        blocks: Vec::new(),
        locations: Vec::new(),
        condition: None,
        head_end: cursor.span().start,
    };
    if cursor.tok() == Tok::OpenBrace {
        decl::init(cursor, &mut test.decls);
    }
    loop {
        match cursor.tok() {
            Tok::End => break,
            Tok::OpenBrace => {
                let diagnostic = cursor
                    .unexpected("a thread, a `kernel` block or the condition")
                    .help("declarations stand in one block, before the first thread");
                cursor.report(diagnostic);
                let mut ignored = Vec::new();
                decl::init(cursor, &mut ignored);
            }
            Tok::Tilde => condition(cursor, &mut test),
            Tok::Ident => match cursor.span().text(cursor.text) {
                "exists" | "forall" => condition(cursor, &mut test),
                "locations" => condition::locations(cursor, &mut test.locations),
                "kernel" => kernel(cursor, &mut test.blocks),
                word if is_thread_name(word) => thread(cursor, &mut test.blocks),
                _ => stray(cursor),
            },
            _ => stray(cursor),
        }
    }
    if test.condition.is_none()
        && !cursor
            .diagnostics
            .iter()
            .any(|d| d.code == Code::OpenBracket)
    {
        cursor.report(
            Diagnostic::new(Code::Missing, cursor.span(), "the test has no condition")
                .label("expected `exists (...)`, `~exists (...)` or `forall (...)`")
                .help("a test that asks for nothing in particular ends with `exists (violates)`"),
        );
    }
    test
}

/// `MM odirect-swap`
fn test_name<'t>(cursor: &mut Cursor<'t, '_>) -> Name<'t> {
    if cursor.eat_word("MM").is_none() {
        let diagnostic = cursor
            .unexpected("`MM` and the name of the test")
            .help(SKELETON);
        cursor.report(diagnostic);
        // A test for another simulator begins with another word, but a name follows as well.
        let foreign_head = cursor.tok() == Tok::Ident && cursor.tok_ahead(1) == Tok::Ident;
        if foreign_head && cursor.word().is_some_and(|word| !is_thread_name(word)) {
            cursor.bump();
            return cursor.take_name();
        }
    } else if cursor.tok() == Tok::TestName {
        return cursor.take_name();
    } else {
        let diagnostic = cursor
            .unexpected("the name of the test after `MM`")
            .help(SKELETON);
        cursor.report(diagnostic);
    }
    Name {
        text: "",
        span: Span::new(cursor.span().start, cursor.span().start),
    }
}

/// `P0`, `P17`
pub(crate) fn is_thread_name(word: &str) -> bool {
    word.strip_prefix('P')
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn condition<'t>(cursor: &mut Cursor<'t, '_>, test: &mut RawTest<'t>) {
    let parsed = condition::condition(cursor);
    if let (Some(first), Some(second)) = (&test.condition, &parsed) {
        cursor.report(
            Diagnostic::new(Code::Missing, second.span, "a test has one condition")
                .label("this is a second one")
                .note(first.span, "the first")
                .help("join them with `/\\` or `\\/`"),
        );
    }
    test.condition = test.condition.take().or(parsed);
}

/// `P1 in B { ... }`
fn thread<'t>(cursor: &mut Cursor<'t, '_>, blocks: &mut Vec<Block<'t>>) {
    let parsed = thread_head(cursor);
    block(cursor, parsed, blocks);
}

fn thread_head<'t>(cursor: &mut Cursor<'t, '_>) -> Parsed<Head<'t>> {
    let name = cursor.take_name();
    let mut process = None;
    if cursor.eat_word("in").is_some() {
        process = Some(cursor.expect_name("a process", "as in `P1 in B { ... }`")?);
    }
    Ok(Head::Thread { name, process })
}

/// `kernel { ... }`, `kernel*2 { ... }`
fn kernel<'t>(cursor: &mut Cursor<'t, '_>, blocks: &mut Vec<Block<'t>>) {
    cursor.bump();
    let mut copies = None;
    if cursor.eat(Tok::Star).is_some() {
        match cursor.expect_number("the number of copies", "as in `kernel*2 { ... }`") {
            Ok(number) => copies = Some(number),
            Err(failed) => return block(cursor, Err(failed), blocks),
        }
    }
    block(cursor, Ok(Head::Kernel { copies }), blocks);
}

/// The body after a head; a head that failed is skipped up to its body.
fn block<'t>(cursor: &mut Cursor<'t, '_>, head: Parsed<Head<'t>>, blocks: &mut Vec<Block<'t>>) {
    let (start, failed) = match &head {
        Ok(Head::Thread { name, .. }) => (name.span, false),
        _ => (cursor.last_span(), head.is_err()),
    };
    let span = cursor.since(start);
    if cursor.tok() != Tok::OpenBrace && !failed {
        let diagnostic = cursor.unexpected("`{`").help("as in `P0 { r0 = x; }`");
        cursor.report(diagnostic);
    }
    while !matches!(
        cursor.tok(),
        Tok::OpenBrace | Tok::CloseBrace | Tok::Semicolon | Tok::End
    ) {
        if cursor.at_part() {
            return;
        }
        cursor.bump();
    }
    if cursor.tok() != Tok::OpenBrace {
        return;
    }
    let body = stmt::body(cursor);
    if let Ok(head) = head {
        blocks.push(Block { head, span, body });
    }
}

/// Something that begins no part of a test: one complaint, and on to the next part.
fn stray(cursor: &mut Cursor<'_, '_>) {
    let mut diagnostic =
        cursor.unexpected("a thread, a `kernel` block, `locations` or the condition");
    if cursor.tok() == Tok::CloseBrace {
        diagnostic = Diagnostic::new(Code::OpenBracket, cursor.span(), "this `}` closes nothing");
    } else if let Some(word) = cursor.word() {
        let parts = ["kernel", "locations", "exists", "forall"];
        let near = crate::suggest::nearest(word, parts);
        diagnostic = diagnostic.maybe_help(near.map(|near| format!("did you mean `{near}`?")));
        if let "anon" | "private" | "file" | "pipe" | "process" | "swap" | "tlb" | "fail"
        | "frames" = word
        {
            diagnostic = diagnostic.help("declarations stand in `{ ... }` after the test's name");
        } else if near.is_none() {
            diagnostic = diagnostic.help(SKELETON);
        }
    } else {
        diagnostic = diagnostic.help(SKELETON);
    }
    cursor.report(diagnostic);
    cursor.bump();
    let mut depth = 0usize;
    loop {
        match cursor.tok() {
            Tok::End => return,
            Tok::OpenBrace => depth += 1,
            Tok::CloseBrace if depth <= 1 => {
                cursor.bump();
                return;
            }
            Tok::CloseBrace => depth -= 1,
            Tok::Semicolon if depth == 0 => {
                cursor.bump();
                return;
            }
            _ if cursor.at_part() => return,
            _ => {}
        }
        cursor.bump();
    }
}
