//! Many tests on many kernels: one letter each.

use std::fmt::Write as _;

use cowherd_model::check::Verdict;
use cowherd_model::kernels::Profile;

use crate::checked::{Checked, Row, Standing};
use crate::style::{self, BAD, BOLD, DIM, WARN, paint, plural};

/// The matrix: a line a test, a column a kernel.
pub fn matrix(tests: &[Checked], profiles: &[Profile]) -> String {
    let mut out = String::new();
    let longest = tests.iter().map(|t| t.test.name.chars().count()).max();
    // Kernels take two columns each; names are cut where that leaves too little.
    let room = style::WIDTH.saturating_sub(2 * profiles.len() + 2);
    let width = longest.unwrap_or(0).max(8).min(room);
    for (at, profile) in profiles.iter().enumerate() {
        let bars = "| ".repeat(at);
        let head = format!("{}{bars}{profile}", " ".repeat(width + 2));
        let _ = writeln!(out, "{}", paint(DIM, head));
    }
    let mut theme = None;
    for checked in tests {
        let this = theme_of(&checked.source);
        if theme != Some(this) && !this.is_empty() {
            let _ = writeln!(out, "{}", paint(BOLD, this));
        }
        theme = Some(this);
        let name: String = checked.test.name.chars().take(width).collect();
        let _ = write!(out, "{name:<width$}  ");
        for profile in profiles {
            let row = checked.rows.iter().find(|r| r.profile.same_kernel(profile));
            let _ = write!(out, "{}", row.map_or("  ".into(), cell));
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    let _ = writeln!(
        out,
        "{}",
        paint(
            DIM,
            "N Never  S Sometimes  A Always  ? unknown  x refused  ! not as expected"
        )
    );
    out
}

/// The theme of a test: the folder that it stands in.
pub fn theme_of(source: &str) -> &str {
    let folder = source.rsplit_once('/').map_or("", |(folder, _)| folder);
    folder.rsplit_once('/').map_or(folder, |(_, last)| last)
}

fn cell(row: &Row) -> String {
    let letter = match (&row.result, row.verdict()) {
        (Some(Err(_)), _) => "x",
        (_, Verdict::Never) => "N",
        (_, Verdict::Sometimes) => "S",
        (_, Verdict::Always) => "A",
        (_, Verdict::Unknown) => "?",
    };
    match row.standing() {
        Standing::Differs | Standing::Wrong => paint(BAD, format!("{letter}!")),
        Standing::Undetermined => paint(WARN, format!("{letter} ")),
        Standing::Expected | Standing::Open => {
            format!("{} ", paint(style::verdict(row.verdict()), letter))
        }
    }
}

/// What is not as expected, a line each; empty if all is.
pub fn differences(tests: &[Checked]) -> String {
    let mut out = String::new();
    for checked in tests {
        for row in &checked.rows {
            let name = &checked.title;
            match (&row.result, row.standing()) {
                (Some(Err(refused)), _) => {
                    let _ = writeln!(
                        out,
                        "  {name} on {}: {} {refused}",
                        row.profile,
                        paint(BAD, "refused:")
                    );
                }
                (_, Standing::Wrong) => {
                    let _ = writeln!(
                        out,
                        "  {name} on {}: {}",
                        row.profile,
                        paint(BAD, "no execution ends")
                    );
                }
                (_, Standing::Differs) => {
                    let expected = row
                        .expected
                        .as_ref()
                        .map_or(String::new(), |e| e.text.clone());
                    let _ = writeln!(
                        out,
                        "  {name} on {}: {}, expected `{expected}`",
                        row.profile,
                        paint(BAD, row.verdict())
                    );
                }
                _ => {}
            }
        }
    }
    out
}

/// One line that sums up.
pub fn summary(tests: &[Checked], profiles: &[Profile]) -> String {
    let rows = || tests.iter().flat_map(|t| &t.rows);
    let count = |standing| rows().filter(|r| r.standing() == standing).count();
    let mut parts = vec![paint(
        style::GOOD,
        format!("{} as expected", count(Standing::Expected)),
    )];
    let mut more = |standing, text: &str, style| {
        let n = count(standing);
        if n > 0 {
            parts.push(paint(style, format!("{n} {text}")));
        }
    };
    more(Standing::Differs, "not as expected", BAD);
    more(Standing::Wrong, "wrong", BAD);
    more(Standing::Undetermined, "undetermined", WARN);
    more(Standing::Open, "of which nothing is expected", DIM);
    let beside = rows().filter(|r| !profiles.iter().any(|p| p.same_kernel(&r.profile)));
    let beside = match beside.count() {
        0 => String::new(),
        n => format!(", {n} of them on kernels that only a test names"),
    };
    format!(
        "{}, {}{beside}: {}",
        plural(tests.len(), "test"),
        plural(rows().count(), "verdict"),
        parts.join(", ")
    )
}
