//! The tables of the book are those of the data.
//!
//! When the data changed on purpose: `COWHERD_BLESS=1 cargo test -p cowherd-model --test kernels_book`.

use std::fs;
use std::path::Path;

use cowherd_model::kernels::{Kernels, Release, Status};

const CHAPTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/profiles.md");

/// Lines of cells as a table; the first is the head.
fn table(lines: &[Vec<String>]) -> String {
    let mut out = String::new();
    for (i, cells) in lines.iter().enumerate() {
        out += &format!("| {} |\n", cells.join(" | "));
        if i == 0 {
            out += &format!("|{}\n", "---|".repeat(cells.len()));
        }
    }
    out
}

fn since(release: Option<Release>) -> String {
    release.map_or("never".to_string(), |release| release.to_string())
}

fn architectures() -> String {
    let head = [
        "architecture",
        "exclusive bit",
        "soft-dirty",
        "uffd-wp",
        "GUP-fast",
        "deferred flush",
    ];
    let mut lines = vec![head.map(str::to_string).to_vec()];
    for arch in Kernels::shipped().arches() {
        lines.push(vec![
            format!("`{}`", arch.name),
            arch.swp_exclusive.to_string(),
            since(arch.soft_dirty),
            since(arch.uffd_wp),
            since(arch.gup_fast),
            since(arch.batched_unmap),
        ]);
    }
    table(&lines)
}

fn matrix() -> String {
    let kernels = Kernels::shipped();
    let profiles = kernels.matrix();
    let mut head = vec![
        "feature".to_string(),
        "first".to_string(),
        "last".to_string(),
    ];
    head.extend(
        profiles
            .iter()
            .map(|profile| profile.name.trim_start_matches('v').to_string()),
    );
    let mut lines = vec![head];
    for info in kernels.features().iter().filter(|info| info.rule.is_none()) {
        let Some(feature) = info.feature() else {
            continue;
        };
        let last = info.until.map_or(String::new(), |until| until.to_string());
        let mut line = vec![format!("`{}`", info.name), info.first.to_string(), last];
        let cell = |has| if has { "x" } else { "" }.to_string();
        line.extend(profiles.iter().map(|profile| cell(profile.has(feature))));
        lines.push(line);
    }
    table(&lines)
}

fn unmodelled() -> String {
    let mut lines = vec![["feature", "first", "why"].map(str::to_string).to_vec()];
    for info in Kernels::shipped().features() {
        if let Status::Unmodelled { why } = &info.status {
            lines.push(vec![
                format!("`{}`", info.name),
                info.first.to_string(),
                why.clone(),
            ]);
        }
    }
    table(&lines)
}

/// The chapter with `new` between the marks of `name`.
fn with(chapter: &str, name: &str, new: &str) -> String {
    let open = format!("<!-- {name} -->\n");
    let start = chapter.find(&open).expect("the chapter has the mark") + open.len();
    let end = start
        + chapter[start..]
            .find("<!-- end -->")
            .expect("the chapter has the end mark");
    format!("{}\n{new}\n{}", &chapter[..start], &chapter[end..])
}

#[test]
fn the_tables_of_the_book_are_those_of_the_data() {
    let path = Path::new(CHAPTER);
    let chapter = fs::read_to_string(path).expect("the chapter is there");
    let mut expected = with(&chapter, "architectures", &architectures());
    expected = with(&expected, "matrix", &matrix());
    expected = with(&expected, "unmodelled", &unmodelled());
    if std::env::var_os("COWHERD_BLESS").is_some() {
        fs::write(path, expected).expect("the chapter can be written");
    } else {
        assert!(
            chapter == expected,
            "docs/src/profiles.md is out of date: see the head of this file"
        );
    }
}
