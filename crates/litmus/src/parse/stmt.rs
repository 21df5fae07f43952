//! The bodies of threads, of `fork` and of `kernel`. All calls have one shape here; what they take is checked later.

use super::cursor::{Cursor, Parsed};
use super::syntax::{Body, Name, RawArgument, RawCall, RawPlace, RawSource, RawStmt};
use crate::diagnostic::{Code, Diagnostic};
use crate::lex::Tok;
use crate::limits::MAX_PROCESSES;

/// `{ stmt; stmt; }`
pub(super) fn body<'t>(cursor: &mut Cursor<'t, '_>) -> Body<'t> {
    nested(cursor, 0)
}

/// A body inside of `depth` others.
fn nested<'t>(cursor: &mut Cursor<'t, '_>, depth: usize) -> Body<'t> {
    let mut body = Body::default();
    let open = cursor.bump();
    loop {
        match cursor.tok() {
            Tok::CloseBrace => {
                cursor.bump();
                body.span = cursor.since(open);
                return body;
            }
            _ if cursor.tok() == Tok::End || cursor.at_part() => {
                cursor.report(
                    Diagnostic::new(Code::OpenBracket, open, "this block has no end")
                        .label("this `{` is never closed"),
                );
                body.span = cursor.since(open);
                body.broken = true;
                return body;
            }
            Tok::Semicolon => {
                cursor.bump();
            }
            _ => match stmt(cursor, depth) {
                Ok(stmt) => body.stmts.push(stmt),
                Err(_) => {
                    body.broken = true;
                    cursor.recover();
                }
            },
        }
    }
}

/// One statement and its `;`, which may be missing after a block.
fn stmt<'t>(cursor: &mut Cursor<'t, '_>, depth: usize) -> Parsed<RawStmt<'t>> {
    let start = cursor.span();
    if cursor.tok() != Tok::Ident {
        let diagnostic = cursor
            .unexpected("a statement")
            .help("as in `r0 = x[1];`, `x[1] = 1;` or `madvise(x, MADV_DONTNEED);`");
        return cursor.fail(diagnostic);
    }
    let mut target = None;
    let source = if cursor.tok_ahead(1) == Tok::OpenParen {
        let name = cursor.take_name();
        RawSource::Call(call(cursor, name, depth)?)
    } else {
        target = Some(place(cursor)?);
        if cursor.tok() != Tok::Equal {
            let diagnostic = cursor
                .unexpected("`=` or `(`")
                .help("a statement is a load `r0 = x;`, a store `x = 1;` or a call `exit();`");
            return cursor.fail(diagnostic);
        }
        cursor.bump();
        if cursor.tok() == Tok::Ident && cursor.tok_ahead(1) == Tok::OpenParen {
            let name = cursor.take_name();
            RawSource::Call(call(cursor, name, depth)?)
        } else {
            RawSource::Operand(argument(cursor, "a value, a variable or a call")?)
        }
    };
    let span = cursor.since(start);
    let has_block = matches!(&source, RawSource::Call(RawCall { body: Some(_), .. }));
    if has_block {
        cursor.eat(Tok::Semicolon);
    } else {
        cursor.end_of_statement("")?;
    }
    Ok(RawStmt {
        target,
        source,
        span,
    })
}

/// `(arguments)`, and the block of a `fork`.
fn call<'t>(cursor: &mut Cursor<'t, '_>, name: Name<'t>, depth: usize) -> Parsed<RawCall<'t>> {
    cursor.bump();
    let mut arguments = Vec::new();
    if cursor.tok() != Tok::CloseParen {
        arguments.push(argument(cursor, "an argument")?);
        loop {
            match cursor.tok() {
                Tok::Comma => {
                    cursor.bump();
                }
                // Flags are joined as in C: FOLL_WRITE | FOLL_LONGTERM.
                Tok::Bar if arguments.last().is_some_and(is_flag) => {
                    cursor.bump();
                }
                Tok::CloseParen => break,
                _ => {
                    let diagnostic = cursor.unexpected("`,` or `)`");
                    return cursor.fail(diagnostic);
                }
            }
            arguments.push(argument(cursor, "an argument")?);
        }
    }
    let end = cursor.expect(Tok::CloseParen, "")?;
    let span = cursor.since(name.span);
    let mut body = None;
    if cursor.tok() == Tok::OpenBrace {
        if depth >= MAX_PROCESSES {
            let open = cursor.span();
            return cursor.fail(
                Diagnostic::new(Code::Limit, open, "blocks are nested too deep")
                    .help(format!("a test has at most {MAX_PROCESSES} processes")),
            );
        }
        body = Some(nested(cursor, depth + 1));
    }
    Ok(RawCall {
        name,
        arguments,
        end,
        body,
        span,
    })
}

fn is_flag(argument: &RawArgument<'_>) -> bool {
    match argument {
        RawArgument::Place(place) => {
            place.process.is_none()
                && place.cell.is_none()
                && place.name.text.contains('_')
                && !place.name.text.contains(|c: char| c.is_ascii_lowercase())
        }
        _ => false,
    }
}

/// A place, a number, or `{ ... }`.
fn argument<'t>(cursor: &mut Cursor<'t, '_>, what: &str) -> Parsed<RawArgument<'t>> {
    match cursor.tok() {
        Tok::Number => Ok(RawArgument::Number(cursor.expect_number(what, "")?)),
        Tok::OpenBrace => {
            let start = cursor.bump();
            let items = items(cursor);
            let items = cursor.leave_list(items)?;
            Ok(RawArgument::List {
                items,
                span: cursor.since(start),
            })
        }
        Tok::Ident => Ok(RawArgument::Place(place(cursor)?)),
        Tok::Minus if cursor.tok_ahead(1) == Tok::Number => {
            let span = cursor.span();
            cursor.fail(
                Diagnostic::new(Code::Value, span, "there are no negative values")
                    .help("what a failed call gives is compared with the errno's name, as in `P0:r0=EFAULT`"),
            )
        }
        _ => {
            let diagnostic = cursor.unexpected(what);
            cursor.fail(diagnostic)
        }
    }
}

/// `3, r0 }`
fn items<'t>(cursor: &mut Cursor<'t, '_>) -> Parsed<Vec<RawArgument<'t>>> {
    let mut items = Vec::new();
    while cursor.eat(Tok::CloseBrace).is_none() {
        items.push(item(cursor)?);
        if cursor.eat(Tok::Comma).is_none() && cursor.tok() != Tok::CloseBrace {
            let diagnostic = cursor.unexpected("`,` or `}`");
            return cursor.fail(diagnostic);
        }
    }
    Ok(items)
}

/// A place or a number: lists do not nest.
fn item<'t>(cursor: &mut Cursor<'t, '_>) -> Parsed<RawArgument<'t>> {
    match cursor.tok() {
        Tok::Number => Ok(RawArgument::Number(cursor.expect_number("a value", "")?)),
        Tok::Ident => Ok(RawArgument::Place(place(cursor)?)),
        _ => {
            let diagnostic = cursor
                .unexpected("a value")
                .help("one for each cell, as in `{ 1, 2 }`");
            cursor.fail(diagnostic)
        }
    }
}

/// `x`, `x[1]`, `B:x[1]`
pub(super) fn place<'t>(cursor: &mut Cursor<'t, '_>) -> Parsed<RawPlace<'t>> {
    let mut name = cursor.expect_name("a name", "")?;
    let start = name.span;
    let mut process = None;
    if cursor.eat(Tok::Colon).is_some() {
        process = Some(name);
        name = cursor.expect_name("a variable after `:`", "as in `B:x[0]`")?;
    }
    let cell = super::condition::index(cursor)?;
    Ok(RawPlace {
        process,
        name,
        cell,
        span: cursor.since(start),
    })
}
