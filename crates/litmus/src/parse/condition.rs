//! The condition and `locations`.

use super::cursor::{Cursor, Failed, Parsed};
use super::stmt::place;
use super::syntax::{Name, Number, RawAtom, RawCondition, RawExpected, RawPlace, RawProp};
use crate::ast::{Comparison, Quantifier};
use crate::diagnostic::{Code, Diagnostic};
use crate::lex::Tok;
use crate::limits::MAX_DEPTH;

/// `exists (...)`; reports and skips to the end of what belongs to it where it fails.
pub(super) fn condition<'t>(cursor: &mut Cursor<'t, '_>) -> Option<RawCondition<'t>> {
    let start = cursor.span();
    let parsed = quantified(cursor);
    match parsed {
        Ok((quantifier, prop)) => Some(RawCondition {
            quantifier,
            prop,
            span: cursor.since(start),
        }),
        Err(Failed) => {
            while !matches!(cursor.tok(), Tok::End | Tok::Semicolon | Tok::CloseBrace)
                && !cursor.at_part()
            {
                cursor.bump();
            }
            cursor.eat(Tok::Semicolon);
            // Known to be there, if not what it says: that it is missing is not reported.
            Some(RawCondition {
                quantifier: Quantifier::Exists,
                prop: RawProp::True,
                span: cursor.since(start),
            })
        }
    }
}

fn quantified<'t>(cursor: &mut Cursor<'t, '_>) -> Parsed<(Quantifier, RawProp<'t>)> {
    let negated = cursor.eat(Tok::Tilde).is_some();
    let quantifier = match (cursor.word(), negated) {
        (Some("exists"), false) => Quantifier::Exists,
        (Some("exists"), true) => Quantifier::NotExists,
        (Some("forall"), false) => Quantifier::Forall,
        _ => {
            let diagnostic = cursor.unexpected("`exists` after `~`");
            return cursor.fail(diagnostic);
        }
    };
    cursor.bump();
    if cursor.tok() == Tok::End {
        let diagnostic = cursor
            .unexpected("`(` and a proposition")
            .help("as in `exists (P0:r0=1)`");
        return cursor.fail(diagnostic);
    }
    let prop = implication(cursor, 0)?;
    cursor.eat(Tok::Semicolon);
    Ok((quantifier, prop))
}

/// Refuses what is nested so deep that walking it could exhaust the stack.
fn deeper(cursor: &mut Cursor<'_, '_>, depth: usize) -> Parsed<usize> {
    if depth < MAX_DEPTH {
        return Ok(depth + 1);
    }
    let span = cursor.span();
    cursor.fail(
        Diagnostic::new(Code::Limit, span, "the condition is nested too deep").help(format!(
            "at most {MAX_DEPTH} levels of parentheses, `~` and `=>`"
        )),
    )
}

/// `p => q => r`, to the right.
fn implication<'t>(cursor: &mut Cursor<'t, '_>, depth: usize) -> Parsed<RawProp<'t>> {
    let left = disjunction(cursor, depth)?;
    if cursor.eat(Tok::Implies).is_none() {
        return Ok(left);
    }
    let depth = deeper(cursor, depth)?;
    let right = implication(cursor, depth)?;
    Ok(RawProp::Implies(Box::new(left), Box::new(right)))
}

fn disjunction<'t>(cursor: &mut Cursor<'t, '_>, depth: usize) -> Parsed<RawProp<'t>> {
    let mut props = Vec::new();
    loop {
        match conjunction(cursor, depth)? {
            RawProp::Or(more) => props.extend(more),
            prop => props.push(prop),
        }
        if cursor.eat(Tok::Or).is_none() {
            break;
        }
    }
    Ok(if props.len() == 1 {
        props.remove(0)
    } else {
        RawProp::Or(props)
    })
}

fn conjunction<'t>(cursor: &mut Cursor<'t, '_>, depth: usize) -> Parsed<RawProp<'t>> {
    let mut props = Vec::new();
    loop {
        match negation(cursor, depth)? {
            RawProp::And(more) => props.extend(more),
            prop => props.push(prop),
        }
        if cursor.eat(Tok::And).is_none() {
            break;
        }
    }
    Ok(if props.len() == 1 {
        props.remove(0)
    } else {
        RawProp::And(props)
    })
}

fn negation<'t>(cursor: &mut Cursor<'t, '_>, depth: usize) -> Parsed<RawProp<'t>> {
    if cursor.tok() == Tok::Tilde || cursor.at_word("not") {
        cursor.bump();
        let depth = deeper(cursor, depth)?;
        return Ok(RawProp::Not(Box::new(negation(cursor, depth)?)));
    }
    if cursor.tok() == Tok::OpenParen {
        let open = cursor.bump();
        let depth = deeper(cursor, depth)?;
        let prop = implication(cursor, depth)?;
        if cursor.eat(Tok::CloseParen).is_none() {
            let diagnostic = cursor
                .unexpected("`)`, `/\\`, `\\/` or `=>`")
                .note(open, "the parenthesis that is open");
            return cursor.fail(diagnostic);
        }
        return Ok(prop);
    }
    match cursor.word() {
        Some("true") if cursor.tok_ahead(1) != Tok::Colon => {
            cursor.bump();
            Ok(RawProp::True)
        }
        Some("false") if cursor.tok_ahead(1) != Tok::Colon => {
            cursor.bump();
            Ok(RawProp::False)
        }
        _ => Ok(RawProp::Atom(atom(cursor)?)),
    }
}

/// One fact; whether it has all its parts is checked later.
fn atom<'t>(cursor: &mut Cursor<'t, '_>) -> Parsed<RawAtom<'t>> {
    let start = cursor.span();
    let (owner, name) = owned_name(cursor)?;
    let mut arguments = None;
    let mut cell = None;
    if cursor.tok() == Tok::OpenParen && owner.is_none() {
        arguments = Some(atom_arguments(cursor)?);
    } else {
        cell = index(cursor)?;
    }
    let comparison = match cursor.tok() {
        Tok::Equal => Some(Comparison::Equal),
        Tok::NotEqual => Some(Comparison::NotEqual),
        _ => None,
    };
    let comparison = match comparison {
        Some(comparison) => {
            cursor.bump();
            Some((comparison, expected(cursor)?))
        }
        None => None,
    };
    Ok(RawAtom {
        owner,
        name,
        cell,
        arguments,
        comparison,
        span: cursor.since(start),
    })
}

/// `r0`, `P0:r0`, `0:r0`, `A:x`
fn owned_name<'t>(cursor: &mut Cursor<'t, '_>) -> Parsed<(Option<Name<'t>>, Name<'t>)> {
    if cursor.tok() == Tok::Number || cursor.tok_ahead(1) == Tok::Colon {
        if !matches!(cursor.tok(), Tok::Number | Tok::Ident) {
            let diagnostic = cursor.unexpected("a thread or process before `:`");
            return cursor.fail(diagnostic);
        }
        let owner = cursor.take_name();
        cursor.expect(Tok::Colon, "registers are written `P0:r0` or `0:r0`")?;
        let name = cursor.expect_name("a register or variable after `:`", "as in `P0:r0=1`")?;
        return Ok((Some(owner), name));
    }
    let help = "as in `P0:r0=1`, `x[0]=0`, `swapped(x)` or `violates(lost-write)`";
    Ok((None, cursor.expect_name("an atom", help)?))
}

/// `(A:x, B:x)`, `(lost-write)`
fn atom_arguments<'t>(cursor: &mut Cursor<'t, '_>) -> Parsed<Vec<RawPlace<'t>>> {
    cursor.bump();
    let mut arguments = Vec::new();
    while cursor.tok() != Tok::CloseParen {
        let mut argument = place(cursor)?;
        if argument.process.is_none() && argument.cell.is_none() {
            argument.name = cursor.hyphens(argument.name);
            argument.span = argument.name.span;
        }
        arguments.push(argument);
        if cursor.eat(Tok::Comma).is_none() && cursor.tok() != Tok::CloseParen {
            let diagnostic = cursor.unexpected("`,` or `)`");
            return cursor.fail(diagnostic);
        }
    }
    cursor.bump();
    Ok(arguments)
}

fn expected<'t>(cursor: &mut Cursor<'t, '_>) -> Parsed<RawExpected<'t>> {
    if cursor.tok() == Tok::Ident {
        return Ok(RawExpected::Word(cursor.take_name()));
    }
    let help = "compare with a number, an errno such as `EFAULT`, or `SEGV`";
    Ok(RawExpected::Number(cursor.expect_number("a value", help)?))
}

/// `[1]`, or nothing.
pub(super) fn index(cursor: &mut Cursor<'_, '_>) -> Parsed<Option<Number>> {
    if cursor.eat(Tok::OpenBracket).is_none() {
        return Ok(None);
    }
    let number =
        cursor.expect_number("the number of a cell", "as in `x[1]`; cells count from 0")?;
    cursor.expect(Tok::CloseBracket, "")?;
    Ok(Some(number))
}

/// `locations [A:x[0]; P0:r0;]`
pub(super) fn locations<'t>(cursor: &mut Cursor<'t, '_>, shown: &mut Vec<RawAtom<'t>>) {
    cursor.bump();
    let help = "as in `locations [x[0]; P0:r0]`";
    if cursor.expect(Tok::OpenBracket, help).is_err() {
        return;
    }
    loop {
        match cursor.tok() {
            Tok::CloseBracket => {
                cursor.bump();
                return;
            }
            Tok::Semicolon => {
                cursor.bump();
            }
            _ => {
                let parsed = atom(cursor).and_then(|atom| {
                    if matches!(cursor.tok(), Tok::Semicolon | Tok::CloseBracket) {
                        return Ok(atom);
                    }
                    let diagnostic = cursor.unexpected("`;` or `]`").help(help);
                    cursor.fail(diagnostic)
                });
                match parsed {
                    Ok(atom) => shown.push(atom),
                    Err(Failed) => {
                        while !matches!(cursor.tok(), Tok::CloseBracket | Tok::Semicolon | Tok::End)
                            && !cursor.at_part()
                        {
                            cursor.bump();
                        }
                        if cursor.tok() == Tok::End || cursor.at_part() {
                            return;
                        }
                    }
                }
            }
        }
    }
}
