//! What README.md and the book show was really run: their sessions are run again here and compared. Their links lead somewhere, and the
//! map of mm/ has every file.
//!
//! Two markers, each an HTML comment on a line of its own, followed by a fenced block:
//!
//! - `<!-- file: NAME -->`: the block is the text of a file, which later commands of the same document find under that name;
//! - `<!-- run: COMMAND -->`: the block is a session: `$ COMMAND`, and what that writes. A shell runs it, in an empty folder.
//!
//! `COWHERD_BLESS=1 cargo test -p cowherd --test readme` writes the sessions anew. Times differ from run to run and are not compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cowherd_mm::Feature;
use cowherd_model::kernels::Kernels;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A line of a document, or a block that a marker speaks of.
enum Part {
    Line(String),
    Block {
        marker: Marker,
        /// ```` ```console ````, as it stands.
        fence: String,
        body: String,
    },
}

enum Marker {
    File(String),
    Run(String),
}

fn marker(line: &str) -> Option<Marker> {
    let comment = line.strip_prefix("<!--")?.strip_suffix("-->")?.trim();
    if let Some(name) = comment.strip_prefix("file:") {
        return Some(Marker::File(name.trim().into()));
    }
    let command = comment.strip_prefix("run:")?;
    Some(Marker::Run(command.trim().into()))
}

fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        parts.push(Part::Line(line.into()));
        let Some(marker) = marker(line) else { continue };
        let fence = lines.next().unwrap_or_default();
        assert!(fence.starts_with("```"), "no block follows: {line}");
        let mut body = String::new();
        for line in lines.by_ref().take_while(|line| *line != "```") {
            body.push_str(line);
            body.push('\n');
        }
        parts.push(Part::Block {
            marker,
            fence: fence.into(),
            body,
        });
    }
    parts
}

/// The session that a command makes. Both its streams are shown, as on a terminal.
fn session(command: &str, folder: &Path) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_cowherd"));
    let mut path = binary.parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .env("PATH", path)
        .current_dir(folder)
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let shown: Vec<&str> = shown.lines().map(str::trim_end).collect();
    format!("$ {command}\n{}\n", shown.join("\n"))
}

/// The text without times: `0.35 s`, `98,000 a second` and, for a run that served for another kernel, `shared`.
fn timeless(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut words: Vec<&str> = line.split(' ').collect();
        for at in 1..words.len() {
            let number = words[at - 1];
            if words[at] == "s" && number.contains('.') && number.parse::<f64>().is_ok() {
                words[at - 1] = "TIME";
                words[at] = "";
            }
            if words[at] == "a" && words.get(at + 1).is_some_and(|w| w.starts_with("second")) {
                words[at - 1] = "TIMES";
            }
        }
        let words: Vec<&str> = words.into_iter().filter(|w| !w.is_empty()).collect();
        out.push_str(&words.join(" ").replace(" shared ", " TIME "));
        out.push('\n');
    }
    out
}

/// The document with its sessions run anew. One that differs in nothing but times stays as it was.
fn rerun(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut out = String::new();
    for part in parts(text) {
        match part {
            Part::Line(line) => out.push_str(&format!("{line}\n")),
            Part::Block {
                marker,
                fence,
                body,
            } => {
                let body = match marker {
                    Marker::File(name) => {
                        fs::write(folder.path().join(name), &body).unwrap();
                        body
                    }
                    Marker::Run(command) => {
                        let new = session(&command, folder.path());
                        if timeless(&new) == timeless(&body) {
                            body
                        } else {
                            new
                        }
                    }
                };
                out.push_str(&format!("{fence}\n{body}```\n"));
            }
        }
    }
    out
}

fn check(document: &str) {
    let path = root().join(document);
    let text = fs::read_to_string(&path).unwrap();
    let new = rerun(&text);
    if new == text {
        return;
    }
    if std::env::var_os("COWHERD_BLESS").is_some() {
        fs::write(&path, new).unwrap();
        return;
    }
    let (line, (old, new)) = text
        .lines()
        .zip(new.lines())
        .enumerate()
        .find(|(_, (old, new))| old != new)
        .map_or((0, ("", "")), |(at, lines)| (at + 1, lines));
    panic!(
        "{document} shows what is no longer so, first in line {line}:\n\
         is:     {old}\n\
         should: {new}\n\
         If that is meant: COWHERD_BLESS=1 cargo test -p cowherd --test readme"
    );
}

#[test]
fn the_readme_shows_what_the_program_writes() {
    check("README.md");
}

#[test]
fn the_tutorial_shows_what_the_program_writes() {
    check("docs/src/tutorial.md");
}

#[test]
fn sessions_of_the_chapter_on_bounds_are_what_the_program_writes() {
    check("docs/src/verify.md");
}

/// The files with an ending below a folder.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn links_lead_to_files() {
    let mut documents = files(&root().join("docs"), "md");
    documents.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    let mut dead = Vec::new();
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for (_, rest) in text
            .match_indices("](")
            .map(|(at, _)| text.split_at(at + 2))
        {
            let target = rest.split([')', '#']).next().unwrap();
            let elsewhere = target.is_empty() || target.contains("://") || target.contains(' ');
            if !elsewhere && !document.parent().unwrap().join(target).exists() {
                dead.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

/// The tests of the corpus: their folders and names.
fn corpus() -> Vec<(String, String)> {
    let litmus = root().join("litmus");
    let name = |file: &PathBuf| {
        let path = file.strip_prefix(&litmus).unwrap().with_extension("");
        let (folder, name) = path.to_str().unwrap().split_once('/').unwrap();
        (folder.to_string(), name.to_string())
    };
    files(&litmus, "litmus").iter().map(name).collect()
}

#[test]
fn the_readme_of_a_theme_names_each_of_its_tests() {
    let unnamed = |(folder, name): &(String, String)| {
        let readme = root().join("litmus").join(folder).join("README.md");
        !fs::read_to_string(readme)
            .unwrap()
            .contains(&format!("`{name}`"))
    };
    let missing: Vec<_> = corpus().into_iter().filter(unnamed).collect();
    assert_eq!(missing, []);
}

#[test]
fn the_catalogue_of_the_corpus_names_tests_that_there_are() {
    let text = fs::read_to_string(root().join("litmus/README.md")).unwrap();
    let corpus = corpus();
    let known = |word: &str| {
        let named = |(folder, name): &(String, String)| match word.split_once('/') {
            Some((f, n)) => (f, n) == (folder, name),
            None => word == name,
        };
        corpus.iter().filter(|test| named(test)).count() == 1
    };
    let kernel = |word: &str| word == "part2" || word.contains('+');
    let table = text.lines().filter(|line| line.starts_with("| "));
    let words = table.flat_map(|line| line.split('`').skip(1).step_by(2));
    let theme = |word: &str| corpus.iter().any(|(folder, _)| word == folder);
    let dead: Vec<&str> = words
        .filter(|word| !known(word) && !kernel(word) && !theme(word))
        .collect();
    assert_eq!(dead, [""; 0]);
}

/// The features and the rules that a file of the mm asks for, as two cells of a table.
fn asked_for(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap();
    let code: Vec<&str> = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    let words: Vec<&str> = code
        .split(|c: char| !(c.is_alphanumeric() || c == ':' || c == '_'))
        .collect();
    let asks = |feature: &&Feature| {
        let ends = [format!("F::{feature:?}"), format!("Feature::{feature:?}")];
        words
            .iter()
            .any(|word| ends.iter().any(|end| word.ends_with(end)))
    };
    let rule = |feature: &Feature| Kernels::shipped().feature(*feature).rule.is_some();
    let cell = |rules: bool| {
        let names: Vec<String> = Feature::ALL
            .iter()
            .filter(asks)
            .filter(|feature| rule(feature) == rules)
            .map(|feature| format!("`{}`", feature.name()))
            .collect();
        if names.is_empty() {
            "-".into()
        } else {
            names.join(", ")
        }
    };
    format!("{} | {}", cell(false), cell(true))
}

#[test]
fn the_map_has_every_file_of_the_mm_and_what_it_asks_for() {
    let path = root().join("docs/src/mm-map.md");
    let map = fs::read_to_string(&path).unwrap();
    let source = root().join("crates/mm/src");
    let mut new = map.clone();
    for file in files(&source, "rs") {
        let name = file.strip_prefix(&source).unwrap().to_str().unwrap();
        let listed = format!("`{name}`");
        // lib.rs and the heads of folders need no line; arch/ has one for all.
        let head = name == "lib.rs" || name.ends_with("/mod.rs") || name.starts_with("arch/");
        assert!(
            map.contains(&listed) || head,
            "docs/src/mm-map.md has no line for {name}"
        );
        let row = map
            .lines()
            .find(|line| line.starts_with(&format!("| {listed} |")));
        // Of paths: file, functions, features, rules.
        if let Some([_, first, functions, _, _, _]) =
            row.and_then(|row| <[&str; 6]>::try_from(row.split('|').collect::<Vec<_>>()).ok())
        {
            let now = format!("|{first}|{functions}| {} |", asked_for(&file));
            new = new.replace(row.unwrap(), &now);
        }
    }
    if new != map && std::env::var_os("COWHERD_BLESS").is_some() {
        fs::write(&path, new).unwrap();
    } else {
        assert_eq!(
            map.lines().find(|line| !new.contains(line)),
            None,
            "COWHERD_BLESS=1 cargo test -p cowherd --test readme"
        );
    }
}
