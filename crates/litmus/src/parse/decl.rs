//! `{ ... }` after the test's name: what there is before the first step.

use super::cursor::{Cursor, Parsed};
use super::syntax::{Decl, DeclKind, Name, Number, RawAttribute, SwapWord, Values};
use crate::ast::Heat;
use crate::diagnostic::{Code, Diagnostic};
use crate::lex::Tok;
use crate::suggest::did_you_mean;

const KEYWORDS: [&str; 9] = [
    "anon", "private", "file", "pipe", "process", "swap", "tlb", "fail", "frames",
];

/// The block, from its `{`.
pub(super) fn init<'t>(cursor: &mut Cursor<'t, '_>, decls: &mut Vec<Decl<'t>>) {
    let open = cursor.bump();
    loop {
        match cursor.tok() {
            Tok::CloseBrace => {
                cursor.bump();
                return;
            }
            _ if cursor.tok() == Tok::End || cursor.at_part() => {
                cursor.report(
                    Diagnostic::new(Code::OpenBracket, open, "the declarations have no end")
                        .label("this `{` is never closed"),
                );
                return;
            }
            Tok::Semicolon => {
                cursor.bump();
            }
            _ => {
                let start = cursor.span();
                let mut name = None;
                let kind = decl(cursor, &mut name);
                let kind = kind.and_then(|kind| {
                    cursor.end_of_statement("each declaration ends with `;`")?;
                    Ok(kind)
                });
                let kind = kind.unwrap_or_else(|_| {
                    cursor.recover();
                    DeclKind::Broken { name }
                });
                let mut span = cursor.since(start);
                if span.text(cursor.text).ends_with(';') {
                    span.end -= 1;
                }
                decls.push(Decl { kind, span });
            }
        }
    }
}

/// One declaration without its `;`. Leaves in `named` the name that it declares, as soon as it is known.
fn decl<'t>(cursor: &mut Cursor<'t, '_>, named: &mut Option<Name<'t>>) -> Parsed<DeclKind<'t>> {
    let keyword = match cursor.word() {
        Some(word) if KEYWORDS.contains(&word) => cursor.take_name(),
        word => {
            let mut diagnostic = cursor.unexpected("a declaration");
            // `anno x = 1;` declares x all the same.
            if cursor.tok_ahead(1) == Tok::Ident {
                diagnostic = diagnostic.maybe_help(did_you_mean(
                    word.unwrap_or(""),
                    "declaration",
                    KEYWORDS,
                ));
                cursor.bump();
                *named = Some(cursor.take_name());
            } else {
                let help = "a declaration begins with `anon`, `private`, `file`, `pipe`, `process`, `swap`, `tlb`, `fail` or `frames`";
                diagnostic = diagnostic.help(help);
            }
            return cursor.fail(diagnostic);
        }
    };
    match keyword.text {
        "anon" => page(cursor, named, PageKind::Anon),
        "private" => page(cursor, named, PageKind::Private),
        "file" => file(cursor, named),
        "pipe" => {
            let name = cursor.expect_name("the pipe's name", "as in `pipe p;`")?;
            *named = Some(name);
            Ok(DeclKind::Pipe { name })
        }
        "process" => process(cursor, named),
        "swap" => swap(cursor),
        "tlb" => tlb(cursor),
        "fail" => {
            let help = "as in `fail swap_full, oom;`";
            let mut words = vec![cursor.expect_name("a failure", help)?];
            while cursor.eat(Tok::Comma).is_some() {
                words.push(cursor.expect_name("a failure", help)?);
            }
            Ok(DeclKind::Fail { words })
        }
        _ => {
            let number = cursor.expect_number("the number of frames", "as in `frames 4;`")?;
            Ok(DeclKind::Frames { number })
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum PageKind {
    Anon,
    Private,
}

fn page<'t>(
    cursor: &mut Cursor<'t, '_>,
    named: &mut Option<Name<'t>>,
    kind: PageKind,
) -> Parsed<DeclKind<'t>> {
    let help = match kind {
        PageKind::Anon => "as in `anon x[2] = { 1, 2 };`",
        PageKind::Private => "as in `private m[2] of f;`",
    };
    let name = cursor.expect_name("the variable's name", help)?;
    *named = Some(name);
    let cells = cells(cursor)?;
    let mut of = None;
    let mut values_of = None;
    if kind == PageKind::Private {
        if cursor.eat_word("of").is_none() {
            let diagnostic = cursor.unexpected("`of` and a file").help(help);
            return cursor.fail(diagnostic);
        }
        of = Some(cursor.expect_name("the file's name", help)?);
    } else if cursor.eat(Tok::Equal).is_some() {
        values_of = Some(values(cursor)?);
    }
    let attributes = attributes(cursor)?;
    Ok(DeclKind::Page {
        name,
        cells,
        of,
        values: values_of,
        attributes,
    })
}

/// `[2]`, or nothing.
fn cells(cursor: &mut Cursor<'_, '_>) -> Parsed<Option<Number>> {
    if cursor.eat(Tok::OpenBracket).is_none() {
        return Ok(None);
    }
    let number = cursor.expect_number("the number of cells", "as in `anon x[2];`")?;
    cursor.expect(Tok::CloseBracket, "")?;
    Ok(Some(number))
}

/// `{ 1, 2 }`, or `1`.
fn values(cursor: &mut Cursor<'_, '_>) -> Parsed<Values> {
    let help = "one value for each cell, as in `{ 1, 2 }`";
    let start = cursor.span();
    if cursor.tok() == Tok::Number {
        let number = cursor.expect_number("a value", help)?;
        return Ok(Values {
            numbers: vec![number],
            span: number.span,
        });
    }
    cursor.expect(Tok::OpenBrace, help)?;
    let numbers = numbers(cursor, help);
    let numbers = cursor.leave_list(numbers)?;
    Ok(Values {
        numbers,
        span: cursor.since(start),
    })
}

/// `1, 2 }`
fn numbers(cursor: &mut Cursor<'_, '_>, help: &str) -> Parsed<Vec<Number>> {
    let mut numbers = vec![cursor.expect_number("a value", help)?];
    while cursor.eat(Tok::Comma).is_some() {
        if cursor.tok() == Tok::CloseBrace {
            break;
        }
        numbers.push(cursor.expect_number("a value", help)?);
    }
    if cursor.eat(Tok::CloseBrace).is_none() {
        let diagnostic = cursor.unexpected("`,` or `}`").help(help);
        return cursor.fail(diagnostic);
    }
    Ok(numbers)
}

/// `clean, batch(P0), in B`, up to the `;`.
fn attributes<'t>(cursor: &mut Cursor<'t, '_>) -> Parsed<Vec<RawAttribute<'t>>> {
    let mut attributes = Vec::new();
    let at_next_decl =
        |cursor: &Cursor<'_, '_>| cursor.word().is_some_and(|word| KEYWORDS.contains(&word));
    if cursor.tok() != Tok::Ident || at_next_decl(cursor) {
        return Ok(attributes);
    }
    loop {
        attributes.push(attribute(cursor)?);
        if cursor.eat(Tok::Comma).is_none() {
            // Two attributes side by side read as if the comma were there.
            if cursor.tok() == Tok::Ident && !at_next_decl(cursor) {
                let diagnostic = cursor
                    .unexpected("`,`")
                    .help("attributes are separated by commas");
                cursor.report(diagnostic);
                continue;
            }
            return Ok(attributes);
        }
    }
}

fn attribute<'t>(cursor: &mut Cursor<'t, '_>) -> Parsed<RawAttribute<'t>> {
    let help = "as in `anon x = 1 clean, batch(P0);`";
    let word = cursor.expect_name("an attribute", help)?;
    let mut arguments = Vec::new();
    let takes_name = word.text == "in" || (word.text == "ksm" && cursor.eat_word("with").is_some());
    if takes_name {
        let what = if word.text == "in" {
            "a process"
        } else {
            "a variable"
        };
        arguments.push(cursor.expect_name(what, "as in `in B` and `ksm with y`")?);
    } else if cursor.eat(Tok::OpenParen).is_some() {
        arguments.push(cursor.expect_name("a name", "as in `batch(P0)`")?);
        while cursor.eat(Tok::Comma).is_some() {
            arguments.push(cursor.expect_name("a name", "as in `shared(A, B)`")?);
        }
        cursor.expect(Tok::CloseParen, "")?;
    }
    Ok(RawAttribute {
        word,
        arguments,
        span: cursor.since(word.span),
    })
}

/// `file f on nfs = { 7, 8 };`
fn file<'t>(cursor: &mut Cursor<'t, '_>, named: &mut Option<Name<'t>>) -> Parsed<DeclKind<'t>> {
    let help = "as in `file f on nfs = { 7, 8 };`";
    let name = cursor.expect_name("the file's name", help)?;
    *named = Some(name);
    let cells = cells(cursor)?;
    let mut on = None;
    if cursor.eat_word("on").is_some() {
        on = Some(cursor.expect_hyphenated("a file system", help)?);
    }
    cursor.expect(Tok::Equal, help)?;
    let values = values(cursor)?;
    Ok(DeclKind::File {
        name,
        cells,
        on,
        values,
    })
}

/// `process B = fork(A);`, `process C;`
fn process<'t>(cursor: &mut Cursor<'t, '_>, named: &mut Option<Name<'t>>) -> Parsed<DeclKind<'t>> {
    let help = "as in `process B = fork(A);`";
    let name = cursor.expect_name("the process's name", help)?;
    *named = Some(name);
    let mut parent = None;
    if cursor.eat(Tok::Equal).is_some() {
        if cursor.eat_word("fork").is_none() {
            let diagnostic = cursor.unexpected("`fork`").help(help);
            return cursor.fail(diagnostic);
        }
        cursor.expect(Tok::OpenParen, help)?;
        parent = Some(cursor.expect_name("the parent process", help)?);
        cursor.expect(Tok::CloseParen, help)?;
    }
    Ok(DeclKind::Process { name, parent })
}

/// `swap sync stable slots 1;`
fn swap<'t>(cursor: &mut Cursor<'t, '_>) -> Parsed<DeclKind<'t>> {
    let help = "as in `swap sync stable slots 1;` or `swap none;`";
    let mut words = Vec::new();
    loop {
        let word = cursor.expect_name("a kind of swap device", help)?;
        let mut number = None;
        if word.text == "slots" {
            number = Some(cursor.expect_number("the number of slots", help)?);
        }
        words.push(SwapWord { word, number });
        cursor.eat(Tok::Comma);
        if cursor.tok() != Tok::Ident {
            return Ok(DeclKind::Swap { words });
        }
    }
}

/// `tlb hot P1: x, y;`, `tlb hot P1;`, `tlb any;`
fn tlb<'t>(cursor: &mut Cursor<'t, '_>) -> Parsed<DeclKind<'t>> {
    let help = "as in `tlb hot P1: x, y;` or `tlb any;`";
    let heat = match cursor.word() {
        Some("hot") => Heat::Hot,
        Some("cold") => Heat::Cold,
        Some("any") => Heat::Any,
        _ => {
            let diagnostic = cursor.unexpected("`hot`, `cold` or `any`").help(help);
            return cursor.fail(diagnostic);
        }
    };
    cursor.bump();
    let mut thread = None;
    let mut pages = Vec::new();
    if cursor.tok() == Tok::Ident {
        thread = Some(cursor.take_name());
        if cursor.eat(Tok::Colon).is_some() {
            pages.push(cursor.expect_name("a variable", help)?);
            while cursor.eat(Tok::Comma).is_some() {
                pages.push(cursor.expect_name("a variable", help)?);
            }
        }
    }
    Ok(DeclKind::Tlb {
        heat,
        thread,
        pages,
    })
}
