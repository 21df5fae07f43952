//! What holds for every text: nothing panics, printing and formatting lose nothing, formatting twice changes nothing.

mod generate;

use cowherd_litmus::{
    Code, Colour, Diagnostic, analyse, decode, format, limits, parse, reference, render,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Everything that must hold of a text, be it a test or not.
fn holds(text: &str) {
    let analysis = analyse("any", text);
    let is_test = analysis.test.is_some();
    assert_eq!(
        is_test,
        !analysis.diagnostics.iter().any(Diagnostic::is_error)
    );
    assert!(analysis.diagnostics.len() <= limits::MAX_DIAGNOSTICS);
    render(&analysis.diagnostics, text, Colour::Never);
    render(&analysis.diagnostics, text, Colour::Always);
    let Ok(laid_out) = format(text) else {
        // Indenting may make a text too long that is nearly so.
        let long = text.len() > limits::MAX_TEXT / 2;
        assert!(!is_test || long, "a test that cannot be laid out:\n{text}");
        return;
    };
    assert_eq!(
        format(&laid_out).as_deref(),
        Ok(laid_out.as_str()),
        "formatting twice"
    );
    let again = parse("again", &laid_out);
    assert_eq!(again.is_ok(), is_test, "{laid_out}");
    if let (Some(test), Ok(again)) = (analysis.test, again) {
        assert_eq!(again, test, "formatting changed the test");
        let printed = test.to_string();
        let reparsed = parse("printed", &printed).unwrap_or_else(|diagnostics| {
            panic!(
                "{printed}\n{}",
                render(&diagnostics, &printed, Colour::Never)
            )
        });
        assert_eq!(reparsed.digest(), test.digest());
        assert_eq!(reparsed.to_string(), printed);
    }
}

/// Pieces of the language, and some that are not.
const WORDS: [&str; 86] = [
    "MM",
    "name",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ";",
    ";\n",
    ",",
    ":",
    "=",
    "!=",
    "*",
    "|",
    "~",
    "-",
    "/\\",
    "\\/",
    "=>",
    "anon",
    "private",
    "file",
    "pipe",
    "process",
    "swap",
    "tlb",
    "fail",
    "frames",
    "of",
    "on",
    "in",
    "with",
    "hot",
    "async",
    "slots",
    "x",
    "y",
    "f",
    "p",
    "q",
    "A",
    "B",
    "P0",
    "P1",
    "r0",
    "r1",
    "0",
    "1",
    "2",
    "99999999999999999999",
    "fork",
    "pread",
    "read_submit",
    "wait",
    "io0",
    "h0",
    "pin",
    "FOLL_WRITE",
    "O_DIRECT",
    "madvise",
    "MADV_FREE",
    "kernel",
    "reclaim",
    "ksm",
    "exists",
    "~exists",
    "forall",
    "locations",
    "swapped",
    "same",
    "violates",
    "lost-write",
    "EFAULT",
    "SEGV",
    "// c\n",
    "// Result: .. Never\n",
    "(* a\n b *)",
    "(* c *)",
    "(*",
    "*)",
    "/*",
    "&&",
    "é",
    "\u{feff}",
];

/// Tests of every kind, for mutation.
const TESTS: [&str; 4] = [
    include_str!("tests/odirect-swap.litmus"),
    include_str!("tests/everything.litmus"),
    include_str!("tests/vmsplice.litmus"),
    include_str!("tests/bare.litmus"),
];

/// 400 cases of each; PROPTEST_CASES asks for more.
fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(400),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_bytes_are_taken(bytes in vec(any::<u8>(), 0..400)) {
        if let Ok(text) = decode("any", &bytes) {
            holds(text);
        }
        holds(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_text_is_taken(text in "\\PC{0,200}") {
        holds(&text);
    }

    #[test]
    fn any_soup_of_words_is_taken(
        words in vec(select(WORDS.as_slice()), 0..120),
        gaps in vec(select([" ", "", "\n", "\n\n"].as_slice()), 120),
    ) {
        let soup: String = words.iter().zip(&gaps).flat_map(|(word, gap)| [*word, *gap]).collect();
        holds(&soup);
        holds(&std::format!("MM t {{ anon x[2] = {{ 1, 2 }}; }} P0 {{ {soup} }} exists (violates)"));
        holds(&std::format!("MM t {{ anon x[2]; {soup} }} P0 {{ r0 = x; }} exists ({soup})"));
    }

    #[test]
    fn a_test_with_a_few_changes_is_taken(
        test in select(TESTS.as_slice()),
        changes in vec((any::<prop::sample::Index>(), 0..4usize, select(WORDS.as_slice())), 1..6),
    ) {
        let mut text = test.to_owned();
        for (place, cut, word) in changes {
            let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let at = place.index(ends.len());
            let end = ends[(at + 3 * cut).min(ends.len() - 1)];
            text.replace_range(ends[at]..end, if cut == 3 { "" } else { word });
        }
        holds(&text);
    }

    #[test]
    fn a_made_test_prints_and_parses_back(bytes in vec(any::<u8>(), 0..600)) {
        let test = generate::test(&bytes);
        let printed = test.to_string();
        let parsed = parse("made", &printed);
        let parsed = parsed.unwrap_or_else(|diagnostics| {
            panic!("{printed}\n{}", render(&diagnostics, &printed, Colour::Never))
        });
        prop_assert_eq!(&parsed, &test, "{}", printed);
        prop_assert_eq!(parsed.digest(), test.digest());
        let laid_out = format(&printed).expect("a printed test");
        prop_assert_eq!(laid_out, printed);
    }

    #[test]
    fn layout_and_comments_are_no_part_of_the_test(
        bytes in vec(any::<u8>(), 0..400),
        gaps in vec(select([" ", "\n", "  // c\n", " (* c *) ", "\n\n\n", "\t(* a\n b *)"].as_slice()), 1..40),
    ) {
        let test = generate::test(&bytes);
        let printed = test.to_string();
        let mut gaps = gaps.iter().cycle();
        // Wherever a test has a blank, except in its own comments.
        let body = printed.find("*)\n").map_or(printed.find('\n').unwrap_or(0), |at| at + 3);
        let (head, body) = printed.split_at(body);
        let body: Vec<&str> = body.split(' ').collect();
        let mut text = head.to_owned();
        for (at, part) in body.iter().enumerate() {
            if at > 0 {
                text.push_str(gaps.next().unwrap());
            }
            text.push_str(part);
        }
        holds(&text);
        let parsed = parse("stretched", &text).expect("a test");
        prop_assert_eq!(parsed.digest(), test.digest());
    }
}

/// A made test is of use only if it can be any test.
#[test]
fn the_made_tests_have_everything() {
    let mut seen = std::collections::BTreeSet::new();
    let mut random = 1u64;
    for _ in 0..4000 {
        let bytes: Vec<u8> = (0..600)
            .map(|_| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (random >> 56) as u8
            })
            .collect();
        let test = generate::test(&bytes);
        let calls = test.threads.iter().flat_map(|thread| &thread.stmts);
        seen.extend(calls.map(|stmt| stmt.call.name()));
        let activities = test.kernel.iter().flat_map(|kernel| &kernel.activities);
        seen.extend(activities.map(|stmt| stmt.activity.name()));
    }
    let names = reference::CALLS
        .iter()
        .chain(reference::ACTIVITIES)
        .map(|(name, _)| *name);
    let missing: Vec<&str> = names.filter(|name| !seen.contains(name)).collect();
    // Minor faults need a registered file mapping, which none of them has.
    assert_eq!(missing, ["uffd_continue"]);
}

#[test]
fn what_is_nested_without_end_is_refused() {
    for (open, close) in [("(", ")"), ("~", ""), ("true => ", "")] {
        let text = std::format!(
            "MM t exists {}true{}",
            open.repeat(30_000),
            close.repeat(30_000)
        );
        let diagnostics = parse("deep", &text).unwrap_err();
        assert_eq!(diagnostics[0].code, Code::Limit);
    }
    holds(&std::format!(
        "MM t {} exists (true)",
        "P0 { fork(B) {".repeat(10_000)
    ));
    holds(&std::format!(
        "MM t P0 {{ {} }} exists (true)",
        "fork(B) {".repeat(10_000)
    ));
    holds(&"(*".repeat(60_000));
    holds(&"{".repeat(200_000));
    holds(&std::format!("MM t locations [{}", "x[0];".repeat(40_000)));
}

#[test]
fn what_is_long_is_refused_or_taken_quickly() {
    let long = " ".repeat(limits::MAX_TEXT + 1);
    assert_eq!(parse("long", &long).unwrap_err()[0].code, Code::Limit);
    assert!(format(&long).is_err());
    holds(&std::format!(
        "MM t {{ anon x; }} P0 {{ {} }} exists (true)",
        "x = 1; ".repeat(30_000)
    ));
    holds(&std::format!(
        "MM t {{ anon x; }} exists ({}true)",
        "x=1 /\\ ".repeat(30_000)
    ));
    holds(&std::format!(
        "MM t {{ {} }} exists (true)",
        "anon x; ".repeat(30_000)
    ));
    holds(&"P0 { } ".repeat(30_000));
    holds(&"a ".repeat(100_000));
    holds(&std::format!(
        "MM t {} exists (true)",
        "// c\n".repeat(50_000)
    ));
    holds(&std::format!("MM t P0 {{ {}", "(* c *) ; ".repeat(25_000)));
}
