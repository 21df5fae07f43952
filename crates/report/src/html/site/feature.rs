//! The page of a feature: which commit, since when, which tests tell it apart, and the shortest program that shows it.

use cowherd_model::kernels::{FeatureInfo, Kernels, Role, Status};
use maud::{Markup, html};

use super::frame;
use super::{Flips, Site, feature_path};
use crate::style::plural;

/// The list of all.
pub fn index(site: &Site, flips: &Flips) -> String {
    type Belongs = fn(&FeatureInfo) -> bool;
    let parts: [(&str, Belongs); 3] = [
        ("Upstream changes", |i| {
            i.feature().is_some() && i.rule.is_none()
        }),
        ("Rules that were always there", |i| {
            i.feature().is_some() && i.rule.is_some()
        }),
        ("Not modelled", |i| i.feature().is_none()),
    ];
    let body = html! {
        h1 { "Features" }
        p.lead { "What kernels differ in. " (site.tests.len()) " tests; a feature that none tells apart has no number." }
        @for (title, belongs) in parts {
            h2 { (title) }
            table.features {
                thead { tr { th scope="col" { "Feature" } th scope="col" { "First" } th scope="col" { "Tests" } th scope="col" { "Effect" } } }
                tbody {
                    @for info in Kernels::shipped().features().iter().filter(|i| belongs(i)) {
                        tr {
                            th scope="row" { a href=(feature_path(&info.name)) { (info.name) } }
                            td { (since(info)) }
                            td.number { @if let Some(tests) = tests(info, flips) { (tests.len()) } }
                            td { (info.effect) }
                        }
                    }
                }
            }
        }
    };
    frame::page("cowherd: features", "", &[], body)
}

fn since(info: &FeatureInfo) -> String {
    match (&info.rule, info.until) {
        (Some(_), _) => "always".into(),
        (None, Some(until)) => format!("{}\u{2013}{until}", info.first),
        (None, None) => info.first.to_string(),
    }
}

fn tests<'a>(
    info: &FeatureInfo,
    flips: &'a Flips,
) -> Option<&'a std::collections::BTreeSet<usize>> {
    info.feature().and_then(|feature| flips.get(&feature))
}

/// The page of one.
pub fn page(site: &Site, info: &FeatureInfo, flips: &Flips) -> String {
    let flipping: Vec<usize> =
        tests(info, flips).map_or(Vec::new(), |t| t.iter().copied().collect());
    let body = html! {
        p.cite { @if info.rule.is_some() { "A rule that was never absent" } @else { "An upstream change" } }
        h1 { (info.name) }
        p.lead { (info.effect) }
        dl.facts { (facts(info)) }
        h2 { "Told apart by" }
        @if flipping.is_empty() { p { "No test of this run." } }
        ul.list {
            @for &at in &flipping {
                @let name = &site.tests[at].test.name;
                li { a href={ "../" (site.test_path(at)) } { (name) } }
            }
        }
        @if let Some(at) = flipping.iter().copied().min_by_key(|&at| size(site, at)) {
            h2 { "The shortest program that shows it: " (site.tests[at].test.name) }
            p.cite { (plural(size(site, at).0, "statement")) }
            pre tabindex="0" { code { (site.texts[at]) } }
        }
    };
    frame::page(&format!("cowherd: {}", info.name), "../", &[], body)
}

/// Statements and activities, then letters.
fn size(site: &Site, at: usize) -> (usize, usize) {
    let test = &site.tests[at].test;
    let statements = test.threads.iter().map(|t| t.stmts.len()).sum::<usize>() + test.kernel.len();
    (statements, site.texts[at].len())
}

fn facts(info: &FeatureInfo) -> Markup {
    let needs: Vec<String> = info.needs.iter().map(ToString::to_string).collect();
    let backports: Vec<String> = info.backports.iter().map(ToString::to_string).collect();
    let reverts: Vec<String> = info.reverts.iter().map(ToString::to_string).collect();
    html! {
        @for commit in &info.commits {
            dt { @match commit.role { Role::Introduction => "Commit", Role::Removal => "Removed by" } }
            dd {
                @if let Some(id) = &commit.id { code { (id) } " " }
                (commit.subject)
                @if !commit.confirmed { span.cite { " (not confirmed)" } }
            }
        }
        @match &info.rule {
            Some(rule) => {
                dt { "In" } dd { code { (rule.function) } }
                dt { "Without it" } dd { (rule.mutant) }
            }
            None => {
                dt { "First in" } dd { (info.first) }
                @if let Some(until) = info.until { dt { "Last in" } dd { (until) } }
            }
        }
        @if !backports.is_empty() { dt { "Backports" } dd { (backports.join(", ")) } }
        @if !reverts.is_empty() { dt { "Reverted in" } dd { (reverts.join(", ")) } }
        @if !info.arches.is_empty() {
            dt { "Architectures" }
            dd { (info.arches.join(", ")) @if let Some(release) = info.elsewhere { "; elsewhere since " (release) } }
        }
        @if !needs.is_empty() { dt { "Needs" } dd { (needs.join(", ")) } }
        @if let Status::Unmodelled { why } = &info.status { dt { "Not modelled" } dd { (why) } }
        @if let Some(note) = &info.note { dt { "Not certain" } dd { (note) } }
    }
}
