//! Each declaration, and how it may not be written.

mod common;

use common::*;
use cowherd_litmus::ast::*;
use cowherd_litmus::{Code, Colour, parse, render};

/// The page x of a test with this declaration, among processes A, B = fork(A), C.
fn page(decl: &str) -> PageInit {
    let text = format!(
        "MM t {{ process B = fork(A); process C; {decl} file f = {{ 7, 8 }}; }} P0 {{ }} exists (violates)"
    );
    match parse("t", &text) {
        Ok(test) => test.pages[0].clone(),
        Err(diagnostics) => panic!("{}", render(&diagnostics, &text, Colour::Never)),
    }
}

#[test]
fn a_variable_is_where_its_declaration_says() {
    let c = ProcessId(2);
    for (decl, owner, processes, shared) in [
        ("anon x = 1;", A, vec![A, B], vec![]),
        ("anon x = 1 in B;", B, vec![B], vec![]),
        ("anon x = 1 in B, in A;", B, vec![A, B], vec![]),
        ("anon x = 1 in C;", c, vec![c], vec![]),
        ("anon x = 1 shared(A, B);", A, vec![A, B], vec![B]),
        ("anon x = 1 shared(B, A);", B, vec![A, B], vec![A]),
        (
            "anon x = 1 ksm, shared(A, C), in A, in C;",
            A,
            vec![A, c],
            vec![c],
        ),
    ] {
        let page = page(decl);
        assert_eq!(
            (page.owner, page.processes, page.attributes.shared),
            (owner, processes, shared),
            "{decl}"
        );
    }
}

#[test]
fn a_variable_has_the_cells_and_contents_it_is_given() {
    for (decl, cells, contents) in [
        ("anon x;", 1, Contents::Untouched),
        ("anon x[4];", 4, Contents::Untouched),
        ("anon x[2] zero;", 2, Contents::Zero),
        ("anon x = 3;", 1, Contents::Values(vec![3])),
        ("anon x = { 1, 2, 3, };", 3, Contents::Values(vec![1, 2, 3])),
        (
            "private x of f;",
            2,
            Contents::File {
                file: FileId(0),
                mapped: false,
            },
        ),
        (
            "private x[1] of f mapped;",
            1,
            Contents::File {
                file: FileId(0),
                mapped: true,
            },
        ),
    ] {
        let page = page(decl);
        assert_eq!((page.cells, page.contents), (cells, contents), "{decl}");
    }
}

#[test]
fn a_declaration_that_does_not_fit_is_refused_once() {
    use Code::*;
    for (decl, expected) in [
        ("anon x[0];", Limit),
        ("anon x[5];", Limit),
        ("anon x[2] = 1;", Values),
        ("anon x = { 1, 2, 3, 4, 5 };", Limit),
        ("anon x = 16;", Value),
        ("anon x = {};", Expected),
        ("anon X;", BadName),
        ("anon r0;", BadName),
        ("anon kernel;", BadName),
        ("anon y; anon y;", Twice),
        ("anon f;", Twice),
        ("anon x clean;", Contradiction),
        ("anon x = 1 claen;", UnknownWord),
        ("anon x = 1 clean readonly;", Expected),
        ("anon x = 1 clean, clean;", Twice),
        ("anon x = 1 clean, dirty;", Contradiction),
        ("anon x = 1 mapped;", Contradiction),
        ("anon x = 1 zero;", Contradiction),
        ("anon x = 1 writeback;", Contradiction),
        ("anon x = 1 swapped, batch(P0);", Contradiction),
        ("anon x = 1 batch;", Arguments),
        ("anon x = 1 batch(P7);", UnknownThread),
        ("anon x = 1 in D;", UnknownProcess),
        ("anon x = 1 in P0;", UnknownProcess),
        ("anon x = 1 in E;", Process),
        ("anon x = 1 shared(A);", Arguments),
        ("anon x = 1 shared(A, C);", NotInProcess),
        ("anon x = 1 shared(A, C), in A, in C;", Contradiction),
        ("anon x = 1 shared(A, B), in C, in A, in B;", Contradiction),
        ("anon x = 1 uffd;", Arguments),
        ("anon x = 1 uffd(foo);", UnknownWord),
        ("anon x = 1 uffd(missing, protected);", Contradiction),
        ("anon x = 1 uffd(minor);", Contradiction),
        ("anon x = 1 ksm(y);", Arguments),
        ("anon x = 1 ksm with x;", Contradiction),
        ("anon x = 1 ksm; anon y = 2 ksm with x;", Contradiction),
        ("anon x = 1; anon y = 1 ksm with x;", Contradiction),
        ("private x of g;", UnknownName),
        ("private x[3] of f;", Values),
        ("private x of f dirty;", Contradiction),
        ("private x;", Expected),
        ("file g;", Expected),
        ("file g on ext4 = 1;", UnknownWord),
        ("file g[2] = 1;", Values),
        ("pipe;", Expected),
        ("process x;", BadName),
        ("process P1;", BadName),
        ("process A;", Process),
        ("process B = fork(A);", Process),
        ("process D = fork(F);", UnknownProcess),
        ("process D = clone(A);", Expected),
        ("swap foo;", UnknownWord),
        ("swap sync async;", Contradiction),
        ("swap none slots 2;", Contradiction),
        ("swap sync slots 65;", Limit),
        ("swap sync slots;", Expected),
        ("swap sync; swap async;", Twice),
        ("anon x = 1 swapped; swap none;", Contradiction),
        (
            "anon x = 1 swapped; anon y = 1 cached; swap sync slots 1;",
            Contradiction,
        ),
        ("tlb warm;", Expected),
        ("tlb hot P7;", UnknownThread),
        ("tlb hot P0: x;", UnknownName),
        ("tlb hot P1: f;", Contradiction),
        ("anon x in C; tlb hot P0: x;", NotInProcess),
        ("fail all;", UnknownWord),
        ("frames 0;", Limit),
        ("frames x;", Expected),
        ("frames 2; frames 3;", Twice),
        ("anno x;", Expected),
        ("anon x = 1", Expected),
    ] {
        let text = format!(
            "MM t {{ process B = fork(A); process C; file f = {{ 7, 8 }}; {decl} }} P0 {{ fork(E) {{ }} }} P1 in E {{ }} \
             exists (violates)"
        );
        assert_eq!(code(&text), expected, "{decl}");
    }
}
