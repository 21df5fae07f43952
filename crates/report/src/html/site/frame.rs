//! What the pages of the site share: the head, verdicts, links.

use cowherd_model::check::Verdict;
use maud::{Markup, html};

use crate::checked::{Row, Standing};
use crate::html::Page;
use crate::html::conformance::{Agreement, Real};

const CSS: &str = include_str!("../assets/site.css");

/// A page of the site. `up`: how one gets from its folder to that of the matrix.
pub fn page(title: &str, up: &str, scripts: &[&str], body: Markup) -> String {
    Page {
        title,
        styles: &[CSS],
        scripts,
        data: None,
        allow: "",
        body: html! {
            a.skip href="#main" { "To the content" }
            nav aria-label="Site" {
                a href={ (up) "index.html" } { "Matrix" }
                a href={ (up) "features.html" } { "Features" }
                span.cite { "cowherd " (env!("CARGO_PKG_VERSION")) }
            }
            main id="main" { (body) }
        },
    }
    .text()
}

/// The letter, the class and the word of what came of a row.
pub fn verdict(row: &Row) -> (&'static str, &'static str, &'static str) {
    match (&row.result, row.verdict()) {
        (Some(Err(_)), _) => ("x", "refused", "refused"),
        (_, Verdict::Never) => ("N", "never", "Never"),
        (_, Verdict::Sometimes) => ("S", "sometimes", "Sometimes"),
        (_, Verdict::Always) => ("A", "always", "Always"),
        (_, Verdict::Unknown) => ("?", "unknown", "Unknown"),
    }
}

/// Is it not as the test expects?
pub fn unexpected(row: &Row) -> bool {
    matches!(row.standing(), Standing::Differs | Standing::Wrong)
}

/// The sign of what a real kernel did, and what it means.
pub fn sign(real: &Real, row: &Row) -> (&'static str, String) {
    let (sign, text) = match real.against(row.verdict()) {
        Some(Agreement::Agrees) => ("\u{25CF}", "a real kernel agrees"),
        Some(Agreement::Narrower) => ("\u{25CB}", "a real kernel did not do all of it"),
        Some(Agreement::Contradicts) => ("\u{2716}", "a real kernel did what the model excludes"),
        None => ("\u{25CC}", "a real kernel ran it"),
    };
    let runs = real.runs();
    (
        sign,
        format!("{text}: {}, {:?} in {runs} runs", real.kernel, real.verdict),
    )
}

/// The theme of a test: the folder that it stands in.
pub fn theme(source: &str) -> &str {
    crate::matrix::theme_of(source)
}
