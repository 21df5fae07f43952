//! What the user sees of everything that is wrong. Each file of `bad/` has its picture beside the snapshots.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cowherd_litmus::{Code, Colour, Diagnostic, analyse, decode, limits, parse, render};

/// Name and text of each file, by name.
fn bad() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn each_bad_test_has_its_picture() {
    for (name, text) in bad() {
        let analysis = analyse(&name, &text);
        let shown = render(&analysis.diagnostics, &text, Colour::Never);
        insta::assert_snapshot!(name.trim_end_matches(".litmus"), shown);
    }
}

#[test]
fn colours_change_nothing_but_the_colours() {
    for (name, text) in bad() {
        let diagnostics = analyse(&name, &text).diagnostics;
        let coloured = render(&diagnostics, &text, Colour::Always);
        assert!(coloured.contains("\u{1b}["), "{name}");
        let mut plain = String::new();
        for (at, part) in coloured.split("\u{1b}[").enumerate() {
            plain.push_str(if at == 0 {
                part
            } else {
                part.split_once('m').unwrap().1
            });
        }
        assert_eq!(plain, render(&diagnostics, &text, Colour::Never), "{name}");
    }
}

#[test]
fn one_line_says_file_line_and_column() {
    let diagnostics = parse(
        "dir/t.litmus",
        "MM t\n{ anon x; }\nP0 { x = é; }\nexists (x=1)",
    )
    .unwrap_err();
    let line = diagnostics[0].to_string();
    assert_eq!(
        line,
        "dir/t.litmus:3:10: error[E002]: `é` has no meaning outside of a comment"
    );
}

#[test]
fn every_code_is_met() {
    let mut met: BTreeSet<Code> = BTreeSet::new();
    let mut meet = |diagnostics: &[Diagnostic]| met.extend(diagnostics.iter().map(|d| d.code));
    for (name, text) in bad() {
        meet(&analyse(&name, &text).diagnostics);
    }
    meet(&decode("t", b"MM \xff").unwrap_err());
    meet(&parse("t", &" ".repeat(limits::MAX_TEXT + 1)).unwrap_err());
    let missing: Vec<&Code> = Code::ALL
        .iter()
        .filter(|code| !met.contains(code))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_flood_of_errors_is_cut_off_and_says_so() {
    let stores: String = (0..60).map(|n| format!("x{n} = 1; ")).collect();
    let text = format!("MM t P0 {{ {stores} }} exists (true)");
    let diagnostics = parse("t", &text).unwrap_err();
    assert_eq!(diagnostics.len(), limits::MAX_DIAGNOSTICS);
    assert_eq!(
        diagnostics.last().unwrap().help.last().unwrap(),
        "there is more; mend these first"
    );
}
