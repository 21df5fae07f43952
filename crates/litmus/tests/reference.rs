//! The reference in docs/ is true: its examples parse, and nothing of the language is missing from it.

use std::path::Path;

use cowherd_litmus::ast::{
    Advice, Ending, Errno, Failure, FileSystem, Foll, Kind, Prot, Quantifier, UffdMode, Verdict,
};
use cowherd_litmus::{Code, Colour, analyse, format, limits, reference, render};

fn text() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/language.md");
    std::fs::read_to_string(path).expect("the reference")
}

/// The blocks with this info string.
fn blocks<'t>(text: &'t str, info: &str) -> Vec<&'t str> {
    let opening = format!("```{info}\n");
    text.split(opening.as_str())
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

/// The first cells of the table whose first column has this heading, as code.
fn column(text: &str, heading: &str) -> Vec<String> {
    let start = text.find(&format!("\n| {heading} |")).expect("the table") + 1;
    let rows = text[start..]
        .lines()
        .take_while(|line| line.starts_with('|'))
        .skip(2);
    let cells = rows.map(|row| {
        row.strip_prefix("| `")
            .and_then(|row| row.split("` |").next())
    });
    cells
        .map(|cell| cell.expect("an example").replace("\\|", "|"))
        .collect()
}

/// The test must parse, in canonical layout and without a warning unless `warnings` are expected.
fn must_parse(text: &str, warnings: bool) {
    let analysis = analyse("example", text);
    let shown = render(&analysis.diagnostics, text, Colour::Never);
    assert!(analysis.test.is_some(), "{text}\n{shown}");
    assert!(
        warnings || analysis.diagnostics.is_empty(),
        "{text}\n{shown}"
    );
}

#[test]
fn every_whole_test_parses_and_is_laid_out() {
    let text = text();
    let tests = blocks(&text, "litmus");
    assert!(tests.len() >= 2);
    for test in tests {
        must_parse(test, false);
        assert_eq!(format(test).unwrap(), test);
    }
}

#[test]
fn every_declaration_and_attribute_parses() {
    let text = text();
    for example in column(&text, "declaration")
        .iter()
        .chain(&column(&text, "attribute"))
    {
        let declares = |name: &str| {
            ["anon ", "private ", "file ", "pipe ", "process "]
                .iter()
                .any(|keyword| example.starts_with(&format!("{keyword}{name}")))
        };
        let mut decls = String::new();
        for (name, decl) in [
            ("x", "anon x = 1 ksm;"),
            ("y", "anon y;"),
            ("B", "process B = fork(A);"),
            ("f", "file f = { 7, 8 };"),
        ] {
            if !declares(name) {
                decls.push_str(decl);
            }
        }
        let test = format!("MM e {{ {decls} {example} }} P0 {{ }} P1 {{ }} exists (violates)");
        must_parse(&test, true);
    }
}

/// Declarations that the examples of statements, activities and atoms speak of.
const DECLS: &str = "anon x[2] = { 1, 2 }; anon y[2]; anon k[2] = { 1, 2 }; anon u[2] = { 1, 2 } uffd(wp); anon t[2] uffd(rwp); \
     anon n[2] uffd(missing); private m[2] of s uffd(minor); file f = { 7, 8 }; file s on shmem = { 7, 8 }; pipe p; pipe q;";

#[test]
fn every_statement_parses() {
    let text = text();
    let examples = column(&text, "statement");
    for example in &examples {
        let mut before = String::new();
        for (name, make) in [
            ("io0", "io0 = read_submit(f, x[0]);"),
            ("b0", "b0 = register_buffer(x);"),
            ("h0", "h0 = get(x);"),
            ("r0", "r0 = x;"),
        ] {
            if example.contains(name) && !example.starts_with(&format!("{name} =")) {
                before.push_str(make);
            }
        }
        let process = if example.starts_with("fork") {
            ""
        } else {
            "process B = fork(A);"
        };
        must_parse(
            &format!("MM e {{ {process} {DECLS} }} P0 {{ {before} {example} }} exists (violates)"),
            true,
        );
    }
    for (name, _) in reference::CALLS {
        let call = format!("{name}(");
        assert!(
            examples.iter().any(|example| example.contains(&call)),
            "{name} has no example"
        );
    }
}

#[test]
fn every_activity_parses() {
    let text = text();
    let examples = column(&text, "activity");
    for example in &examples {
        must_parse(
            &format!(
                "MM e {{ process B = fork(A); {DECLS} }} kernel {{ {example} }} exists (violates)"
            ),
            true,
        );
    }
    for (name, _) in reference::ACTIVITIES {
        let call = format!("{name}(");
        assert!(
            examples.iter().any(|example| example.starts_with(&call)),
            "{name} has no example"
        );
    }
}

#[test]
fn every_atom_parses() {
    let text = text();
    let examples = column(&text, "atom");
    for example in &examples {
        must_parse(
            &format!(
                "MM e {{ {DECLS} }} P0 {{ r1 = x; h0 = get(x); fork(B) {{ r0 = x; }} }} kernel {{ reclaim(x); }} \
                 exists ({example})"
            ),
            true,
        );
    }
    for (name, _) in reference::ATOMS {
        assert!(
            examples.iter().any(|example| example.starts_with(name)),
            "{name} has no example"
        );
    }
}

#[test]
fn every_range_parses() {
    for range in column(&text(), "range") {
        let test = format!("MM e (* Result: {range} Never *) {{ anon x; }} exists (x=1)");
        must_parse(&test, false);
    }
}

#[test]
fn nothing_of_the_vocabulary_is_missing() {
    let text = text();
    let mut words: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    words.extend(Advice::ALL.iter().map(|word| word.word()));
    words.extend(Ending::ALL.iter().map(|word| word.word()));
    words.extend(Errno::ALL.iter().map(|word| word.word()));
    words.extend(Failure::ALL.iter().map(|word| word.word()));
    words.extend(FileSystem::ALL.iter().map(|word| word.word()));
    words.extend(Foll::ALL.iter().map(|word| word.word()));
    words.extend(Kind::ALL.iter().map(|word| word.word()));
    words.extend(Prot::ALL.iter().map(|word| word.word()));
    words.extend(Quantifier::ALL.iter().map(|word| word.word()));
    words.extend(UffdMode::ALL.iter().map(|word| word.word()));
    words.extend(Verdict::ALL.iter().map(|word| word.word()));
    for word in words {
        assert!(text.contains(word), "{word} is not in the reference");
    }
}

#[test]
fn the_limits_are_those_of_the_code() {
    let text = text();
    let limits: [(&str, usize); 18] = [
        ("bytes of text", limits::MAX_TEXT),
        ("processes", limits::MAX_PROCESSES),
        ("threads, blocks of `fork` counted", limits::MAX_THREADS),
        ("number of a thread", limits::MAX_THREAD_NUMBER.into()),
        (
            "statements of a thread or `kernel` block",
            limits::MAX_STMTS,
        ),
        ("variables", limits::MAX_PAGES),
        ("cells of a page or file", limits::MAX_CELLS.into()),
        ("value", limits::MAX_VALUE.into()),
        ("files", limits::MAX_FILES),
        ("pipes", limits::MAX_PIPES),
        ("handles of a thread", limits::MAX_HANDLES),
        ("registers of a thread", limits::MAX_REGISTERS.into()),
        ("actors in `kernel` blocks", limits::MAX_KERNEL),
        ("slots of the swap device", limits::MAX_SLOTS.into()),
        ("frames", limits::MAX_FRAMES.into()),
        ("nesting of a condition", limits::MAX_DEPTH),
        ("characters of a name", limits::MAX_NAME),
        ("diagnostics of one run", limits::MAX_DIAGNOSTICS),
    ];
    for (name, value) in limits {
        assert!(
            text.contains(&format!("\n| {name} | {value} |")),
            "{name} is {value}"
        );
    }
}
