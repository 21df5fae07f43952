//! The matrix: tests by kernels, a letter each, which leads to the witness.

use std::collections::BTreeSet;

use cowherd_model::spec;
use maud::{Markup, html};

use super::frame::{self, sign, theme, unexpected, verdict};
use super::{Flips, Site, feature_path};
use crate::checked::Checked;
use crate::style::plural;

const SCRIPT: &str = include_str!("../assets/matrix.js");

/// The page.
pub fn page(site: &Site, flips: &Flips) -> String {
    let kinds = |checked: &Checked| -> BTreeSet<String> {
        let rows = checked.rows.iter().filter_map(|row| row.run());
        let bits = rows.fold(0, |bits, run| bits | run.alarms);
        spec::names(bits & !spec::hazard_bits(None))
            .into_iter()
            .collect()
    };
    let all: Vec<BTreeSet<String>> = site.tests.iter().map(kinds).collect();
    let mut every = BTreeSet::new();
    all.iter().for_each(|kinds| every.extend(kinds.clone()));
    let mut themes: Vec<&str> = site.tests.iter().map(|c| theme(&c.source)).collect();
    themes.dedup();
    let body = html! {
        h1 { "What each kernel allows" }
        p.lead {
            (plural(site.tests.len(), "test")) " on " (plural(site.profiles.len(), "kernel"))
            ". Does the outcome that a test asks for happen: "
            (letter("N", "never", "Never")) " " (letter("S", "sometimes", "Sometimes")) " " (letter("A", "always", "Always")) " "
            (letter("?", "unknown", "not known")) " " (letter("x", "refused", "cannot run"))
            ". A letter leads to the shortest way there."
        }
        form.filters role="search" aria-label="Filter the matrix" {
            label { "Name " input id="name" type="search" autocomplete="off" spellcheck="false"; }
            (select("theme", "Theme", themes.iter().map(|t| (t.to_string(), t.to_string()))))
            (select("kind", "Broken promise", every.iter().map(|k| (k.clone(), k.clone()))))
            (select("feature", "Told apart by", flips.keys().map(|f| (f.name().into(), f.name().into()))))
            (select("kernel", "Kernel", site.profiles.iter().map(|p| (p.name.clone(), p.name.clone()))))
            (select("verdict", "Verdict there", ["never", "sometimes", "always", "unknown", "refused"].map(|v| (v.into(), v.into())).into_iter()))
            button type="reset" { "Reset" }
            output id="shown" aria-live="polite" { (plural(site.tests.len(), "test")) }
        }
        div.scroll tabindex="0" role="region" aria-label="The matrix" {
            table.matrix {
                caption.hidden { "Tests by kernels" }
                thead {
                    tr {
                        th scope="col" { "Test" }
                        @for (n, profile) in site.profiles.iter().enumerate() {
                            th.k scope="col" data-column=(n) { span { (profile.name) } }
                        }
                    }
                }
                @for theme in &themes {
                    tbody data-theme=(theme) {
                        @if !theme.is_empty() {
                            tr.theme { th colspan=(site.profiles.len() + 1) scope="rowgroup" { (theme) } }
                        }
                        @for (at, checked) in site.tests.iter().enumerate().filter(|(_, c)| frame::theme(&c.source) == *theme) {
                            (line(site, at, checked, &all[at], flips))
                        }
                    }
                }
            }
        }
        p.cite {
            "! not as the test's Result: lines say. From real kernels: \u{25CF} does the same, \u{25CB} did not do all of it, "
            "\u{2716} did what the model excludes."
        }
        @let features = flips.keys().map(|f| f.name());
        p.cite {
            "Features that a test tells apart: "
            @for (n, name) in features.enumerate() { @if n > 0 { ", " } a href=(feature_path(name)) { (name) } }
            "."
        }
    };
    frame::page("cowherd: the matrix", "", &[SCRIPT], body)
}

fn letter(letter: &str, class: &str, word: &str) -> Markup {
    html! { span class={ "v " (class) } { (letter) } " " (word) }
}

fn select(id: &str, name: &str, options: impl Iterator<Item = (String, String)>) -> Markup {
    html! {
        label {
            (name) " "
            select id=(id) {
                option value="" { "all" }
                @for (value, text) in options { option value=(value) { (text) } }
            }
        }
    }
}

fn line(
    site: &Site,
    at: usize,
    checked: &Checked,
    kinds: &BTreeSet<String>,
    flips: &Flips,
) -> Markup {
    let name = &checked.test.name;
    let features: Vec<&str> = flips
        .iter()
        .filter(|(_, tests)| tests.contains(&at))
        .map(|(feature, _)| feature.name())
        .collect();
    let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    html! {
        tr data-name=(name) data-kinds=(kinds.join("|")) data-features=(features.join("|")) {
            th scope="row" { a href=(site.test_path(at)) { (name) } }
            @for (column, profile) in site.profiles.iter().enumerate() {
                @let row = checked.rows.iter().position(|r| r.profile.same_kernel(profile));
                td data-column=(column) {
                    @if let Some(row) = row { (cell(site, at, row, checked)) }
                }
            }
        }
    }
}

fn cell(site: &Site, at: usize, number: usize, checked: &Checked) -> Markup {
    let row = &checked.rows[number];
    let name = &checked.test.name;
    let (letter, class, word) = verdict(row);
    let link = match site.witness(at, number) {
        Some(w) => site.witness_path(w),
        None => format!(
            "{}#{}",
            site.test_path(at),
            crate::html::file_name(&row.profile.name)
        ),
    };
    let real = site.real(at, number);
    let signs: Vec<(&str, String)> = real.iter().map(|real| sign(real, row)).collect();
    let mut label = format!("{name} on {}: {word}", row.profile);
    if unexpected(row) {
        label.push_str(", not as expected");
    }
    for (_, text) in &signs {
        label.push_str("; ");
        label.push_str(text);
    }
    html! {
        a class={ "v " (class) } data-verdict=(class) href=(link) title=(label) aria-label=(label) {
            (letter)
            // Drawn by the style: what they say stands in the label.
            @if unexpected(row) { span data-sign="!" {} }
            @for (sign, _) in &signs { sup data-sign=(sign) {} }
        }
    }
}
