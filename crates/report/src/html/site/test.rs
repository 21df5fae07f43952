//! The page of a test: its text, and what came of it. Kernels that come to the same share a block.

use cowherd_model::spec;
use maud::{Markup, html};

use super::frame::{self, sign, theme, unexpected, verdict};
use super::{Flips, Site, Witness, feature_path};
use crate::checked::{Checked, Row};
use crate::html::file_name;
use crate::style::{grouped, plural};
use crate::table::ended;

/// The page.
pub fn page(site: &Site, at: usize, flips: &Flips) -> String {
    let checked = &site.tests[at];
    let test = &checked.test;
    let features: Vec<&str> = flips
        .iter()
        .filter(|(_, tests)| tests.contains(&at))
        .map(|(feature, _)| feature.name())
        .collect();
    let body = html! {
        p.cite { (theme(&checked.source)) }
        h1 { (test.name) }
        p.condition { code { (test.show(&test.condition)) } }
        @if !features.is_empty() {
            p { "Tells apart: " @for (n, name) in features.iter().enumerate() {
                @if n > 0 { ", " } a href={ "../" (feature_path(name)) } { (name) }
            } }
        }
        div.split {
            section aria-labelledby="text" {
                h2 id="text" { "The test" }
                pre tabindex="0" { code { (site.texts[at]) } }
            }
            section aria-labelledby="results" {
                h2 id="results" { "What comes of it" }
                @for rows in alike(checked) { (run(site, at, checked, &rows)) }
            }
        }
    };
    frame::page(&format!("cowherd: {}", test.name), "../", &[], body)
}

/// The rows, those that come to the same together.
fn alike(checked: &Checked) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = Vec::new();
    for (at, row) in checked.rows.iter().enumerate() {
        let same = |other: &Row| match (row.run(), other.run()) {
            (Some(a), Some(b)) => {
                row.standing() == other.standing()
                    && row.outcomes == other.outcomes
                    && (
                        a.verdict,
                        &a.outcomes,
                        a.states,
                        a.alarms,
                        a.deadlocks,
                        a.ended,
                    ) == (
                        b.verdict,
                        &b.outcomes,
                        b.states,
                        b.alarms,
                        b.deadlocks,
                        b.ended,
                    )
            }
            _ => false,
        };
        match all.iter_mut().find(|rows| same(&checked.rows[rows[0]])) {
            Some(rows) => rows.push(at),
            None => all.push(vec![at]),
        }
    }
    all
}

fn run(site: &Site, at: usize, checked: &Checked, rows: &[usize]) -> Markup {
    let row = &checked.rows[rows[0]];
    let (letter, class, word) = verdict(row);
    let mut witnesses: Vec<&Witness> = Vec::new();
    for w in rows.iter().filter_map(|&n| site.witness(at, n)) {
        if !witnesses.iter().any(|other| std::ptr::eq(*other, w)) {
            witnesses.push(w);
        }
    }
    html! {
        article.run {
            h3 {
                span class={ "v " (class) } { (letter) } " " (word) " on "
                @for (n, &row) in rows.iter().enumerate() {
                    @let row = &checked.rows[row];
                    @if n > 0 { ", " }
                    span.kernel id=(file_name(&row.profile.name)) {
                        (row.profile.name)
                        @if unexpected(row) { strong.bad title="not as expected" { " !" } }
                    }
                }
            }
            @if let Some(Err(refused)) = &row.result { p { (refused) } }
            @if let Some(run) = row.run() {
                @let broken = spec::names(run.alarms);
                p.cite {
                    (grouped(run.states)) " states"
                    @if !ended(run).is_empty() { ", " (ended(run)) }
                    @if run.deadlocks > 0 { ", " (plural(run.deadlocks as usize, "deadlock")) }
                    @if !broken.is_empty() { "; broken: " strong { (broken.join(", ")) } }
                }
                @if !run.outcomes.is_empty() {
                    table.outcomes {
                        thead { tr { th scope="col" { "Final state" } th scope="col" { "States" } th scope="col" { "Asked for" } } }
                        tbody {
                            @for (outcome, values) in run.outcomes.iter().zip(&row.outcomes) {
                                tr {
                                    td { code { (values.join("; ")) } }
                                    td.number { (grouped(outcome.states)) }
                                    td { @if outcome.satisfies { "yes" } }
                                }
                            }
                        }
                    }
                }
            }
            (real(site, at, checked, rows))
            @if !witnesses.is_empty() {
                p {
                    "How it happens: "
                    @for (n, w) in witnesses.iter().enumerate() {
                        @if n > 0 { ", " }
                        a href={ "../" (site.witness_path(w)) } { "on " (w.trace.profile) }
                        @if let Some(safe) = &w.safe {
                            ", " a href={ "../" (site.comparison_path(w)) } { "and why not on " (safe.trace.profile) }
                        }
                    }
                }
            }
        }
    }
}

/// What real kernels did.
fn real(site: &Site, at: usize, checked: &Checked, rows: &[usize]) -> Markup {
    html! {
        @for &n in rows {
            @let row = &checked.rows[n];
            @for real in site.real(at, n) {
                @let (sign, text) = sign(real, row);
                details.real {
                    summary { (sign) " " (text) }
                    ul { @for bar in &real.histogram { li { (grouped(bar.runs)) " \u{00D7} " code { (bar.values.join("; ")) } } } }
                }
            }
        }
    }
}
