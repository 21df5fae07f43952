//! Tests as a whole: their parts, processes and threads, results, warnings.

mod common;

use common::code;
use cowherd_litmus::ast::*;
use cowherd_litmus::{Code, Colour, analyse, parse, render};

#[test]
fn a_fork_makes_a_process_and_a_thread() {
    let text = "MM t { anon x; } P3 { fork(B) { r0 = x; fork(C) { x = 1; } } } P1 in C { x = 2; } \
                exists (B:r0=1 /\\ C=SEGV)";
    let test = parse("t", text).unwrap();
    let names: Vec<&str> = test
        .processes
        .iter()
        .map(|process| process.name.as_str())
        .collect();
    assert_eq!(names, ["A", "B", "C"]);
    assert_eq!(test.processes[2].parent, Some(ProcessId(1)));
    let threads: Vec<(Option<u8>, u8, Start)> = test
        .threads
        .iter()
        .map(|thread| (thread.number, thread.process.0, thread.start))
        .collect();
    assert_eq!(
        threads,
        [
            (Some(3), 0, Start::AtOnce),
            (Some(1), 2, Start::WithProcess),
            (
                None,
                1,
                Start::Fork {
                    by: ThreadId(0),
                    stmt: 0
                }
            ),
            (
                None,
                2,
                Start::Fork {
                    by: ThreadId(2),
                    stmt: 1
                }
            ),
        ]
    );
    assert!(test.has_page(ProcessId(2), PageId(0)));
    assert_eq!(test.find_thread("B"), Some(ThreadId(2)));
}

#[test]
fn a_process_that_only_its_own_threads_fork_is_refused() {
    let text = "MM t P0 in B { fork(C) { } } P1 in C { fork(B) { } } exists (true)";
    let codes: Vec<Code> = parse("t", text)
        .unwrap_err()
        .iter()
        .map(|d| d.code)
        .collect();
    assert_eq!(codes, [Code::Process, Code::Process]);
}

#[test]
fn result_lines_are_clauses_with_ranges() {
    let text = "MM t\n(* A\n * b\n * Result: v5.8 Never; v5.9..v5.18+x Sometimes;\n * Result: v5.19.. Never *)\n\
                // Result: ..v4.19/riscv Always\n// Result: Never\nexists (true)";
    let test = parse("t", text).unwrap();
    let clauses: Vec<String> = test.results.iter().map(Clause::to_string).collect();
    assert_eq!(
        clauses,
        [
            "v5.8 Never",
            "v5.9..v5.18+x Sometimes",
            "v5.19.. Never",
            "..v4.19/riscv Always",
            ".. Never"
        ]
    );
    assert_eq!(test.doc, "A\nb");
    let from = match &test.results[1].range {
        Range::FromTo(from, _) => from.span,
        other => panic!("{other}"),
    };
    assert_eq!(from.text(text), "v5.9");
}

#[test]
fn a_result_line_that_cannot_be_read_is_refused() {
    for line in [
        "",
        "v5.8",
        "v5.8 never mind",
        "v5.8 v5.9 Never",
        "v5..v6..v7 Never",
        "v5,9 Never",
        ";",
    ] {
        let text = format!("MM t (* Result: {line} *) exists (true)");
        assert_eq!(code(&text), Code::ResultLine, "{line}");
    }
}

#[test]
fn a_test_without_its_parts_is_refused() {
    for (text, expected) in [
        ("", Code::Expected),
        ("MM", Code::Expected),
        ("MM t", Code::Missing),
        ("MM t exists (true) forall (true)", Code::Missing),
        ("C t { } exists (true)", Code::Expected),
        ("MM t { } { } exists (true)", Code::Expected),
        ("MM t P0 { x = 1", Code::OpenBracket),
        ("MM t { anon x;", Code::OpenBracket),
        ("MM t P0 { } } exists (true)", Code::OpenBracket),
        ("MM t P0 { } P0 { } exists (true)", Code::Twice),
        ("MM t P100 { } exists (true)", Code::Limit),
        ("MM t anon x; exists (true)", Code::Expected),
        ("MM t kernal { } exists (true)", Code::Expected),
        ("MM t (* exists (true)", Code::OpenComment),
        ("MM t locations [x=1] exists (true)", Code::Expected),
        ("MM t exists (true) & exists", Code::Foreign),
        ("MM t exists (true) §", Code::Lexical),
    ] {
        let diagnostics = parse("t", text).unwrap_err();
        assert!(
            diagnostics.iter().any(|d| d.code == expected),
            "{}",
            render(&diagnostics, text, Colour::Never)
        );
    }
}

#[test]
fn what_has_no_effect_is_warned_of() {
    for (text, expected) in [
        ("MM t { anon x; } exists (true)", Code::Unused),
        (
            "MM t { file f = 1; pipe p; } P0 { read(p); } exists (true)",
            Code::Unused,
        ),
        (
            "MM t { anon x; } P0 { h0 = pin(x); } exists (true)",
            Code::UnusedHandle,
        ),
        (
            "MM t { anon x; } P0 { x = 1; exit(); x = 2; x = 3; } exists (true)",
            Code::NeverRuns,
        ),
        ("MM t P0 { } exists (true)", Code::NeverRuns),
        ("MM t kernel { } exists (true)", Code::NeverRuns),
    ] {
        let analysis = analyse("t", text);
        assert!(analysis.test.is_some());
        let codes: Vec<Code> = analysis.diagnostics.iter().map(|d| d.code).collect();
        assert_eq!(codes, [expected], "{text}");
    }
    let text = "MM t { anon x; } P0 { exit(); fork(B) { } } P1 in B { x = 1; } exists (true)";
    let never: Vec<_> = analyse("t", text)
        .diagnostics
        .iter()
        .map(|d| d.span.text(text))
        .collect();
    assert_eq!(never, ["fork(B) { }", "P1 in B"]);
}

#[test]
fn a_digest_stays_with_layout_and_comments_and_goes_with_the_program() {
    let digest = |text: &str| parse("t", text).unwrap().digest();
    let first = digest("MM a (* doc *) { anon x; } P0 { r0 = x; } exists (P0:r0=1)");
    assert_eq!(
        first,
        digest("MM b { anon x[1]; } P0 in A { r0 = x[0]; } // c\n exists ((0:r0=1))")
    );
    assert_ne!(
        first,
        digest("MM a { anon x; } P0 { r0 = x; } exists (P0:r0=2)")
    );
    assert_ne!(
        first,
        digest("MM a { anon x; } P0 { r1 = x; } exists (P0:r1=1)")
    );
}

/// One small test for each bug, question and hazard that the corpus is about: the language can say them all.
#[test]
fn the_catalogue_can_be_written() {
    let catalogue = include_str!("catalogue.litmus");
    let tests: Vec<String> = catalogue
        .split("\nMM ")
        .map(|test| format!("MM {}", test.trim_start_matches("MM ")))
        .collect();
    assert!(tests.len() > 40);
    for text in tests {
        let analysis = analyse("catalogue", &text);
        let shown = render(&analysis.diagnostics, &text, Colour::Never);
        assert!(analysis.diagnostics.is_empty(), "{shown}");
    }
}
