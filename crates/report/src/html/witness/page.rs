//! The page itself: the schedule as a list that can be read without any script, and beside it what the script draws.

use cowherd_model::why_not::Replay;
use cowherd_model::witness::Trace;
use maud::{Markup, html};

use super::alignment::{pair, single};
use super::data::{Document, GroupData, document, ending, lanes, view};
use crate::html::{Page, json, words};
use crate::style::plural;
use crate::witness::groups;
use crate::witness::story::changes;
use crate::witness::why_not::{Counterproof, rules};

const CSS: &str = include_str!("../assets/witness.css");
/// What draws the memory, and what moves through the schedule.
const SCRIPTS: [&str; 2] = [
    include_str!("../assets/memory.js"),
    include_str!("../assets/witness.js"),
];

/// The page of a witness.
pub fn page(trace: &Trace) -> String {
    let groups = groups(trace);
    let blocks = single(&groups);
    let data = document(
        vec![view(trace, &groups, true)],
        lanes(trace, &[&groups]),
        &[&groups],
        &blocks,
        None,
    );
    let head = html! {
        h1 { (trace.test) span.on { " on " (trace.profile) } }
        p.ending { "It can end with " strong { (ending(trace)) } ". This is the shortest way there." }
    };
    text(trace, &data, head, html! {})
}

/// The page of two kernels on one schedule: `recorded` goes wrong, the replay does not.
pub fn page_of_two(recorded: &Trace, replay: &Replay, proofs: &[Counterproof]) -> String {
    let here = &replay.trace;
    let parting = replay.parting.as_ref();
    let shared = parting.map_or(recorded.steps.len().min(here.steps.len()), |p| p.at);
    let (a, b) = (groups(recorded), groups(here));
    let blocks = pair([recorded, here], [&a, &b], shared);
    let rows = blocks.iter().flat_map(|block| &block.rows);
    let first = parting.and_then(|_| {
        rows.clone().position(|row| {
            row.iter().flatten().any(|&at| at >= shared) || row.iter().any(Option::is_none)
        })
    });
    let views = vec![view(recorded, &a, true), view(here, &b, false)];
    let lanes = lanes(recorded, &[&a, &b]);
    let data = document(views, lanes, &[&a, &b], &blocks, first);
    let head = html! {
        h1 { (here.test) span.on { " on " (recorded.profile) " and on " (here.profile) } }
        p.ending {
            "On " (recorded.profile) " it ends with " strong { (ending(recorded)) } "; the same schedule on "
            (here.profile) " ends with " strong.good { (ending(here)) } "."
        }
    };
    let rules = parting.map_or(Vec::new(), |p| rules(p, &recorded.profile, &here.profile));
    let rule = html! {
        @if first.is_some() {
            section.parting aria-labelledby="parting" {
                h3 id="parting" { "Here the kernels part" }
                @for rule in &rules {
                    p { strong { "The rule: " (rule.name) } ". " (rule.who) ". " (rule.effect) }
                    @for line in &rule.cite { p.cite { (line) } }
                }
                @if rules.is_empty() { p { "They differ in how they begin; no single feature decides." } }
                @for proof in proofs {
                    p.cite { "Counter-proof: on " (proof.profile) " it happens: " (proof.verdict) "." }
                }
            }
        }
    };
    text(recorded, &data, head, rule)
}

fn text(trace: &Trace, data: &Document, head: Markup, parting: Markup) -> String {
    let names: Vec<&str> = data.views.iter().map(|v| v.profile.as_str()).collect();
    let title = format!("{} on {}", trace.test, names.join(" and "));
    let two = data.views.len() > 1;
    let body = html! {
        a.skip href="#now" { "To the step" }
        header.top {
            div.title {
                (head)
                p.size {
                    (plural(data.groups.iter().filter(|g| !g.continued && !g.call.is_empty()).count(), "call")) ", "
                    (plural(data.lanes.len(), "lane")) ", " (plural(data.rows.len(), "step"))
                }
            }
            (controls(data))
        }
        main class=(if two { "two" } else { "one" }) {
            section.schedule aria-label="The schedule" tabindex="0" {
                h2.hidden { "The schedule" }
                (timeline(data, parting))
            }
            div.stage {
                section.now id="now" aria-label="The step" tabindex="-1" {
                    div id="said" aria-live="polite" {}
                }
                div.memories {
                    @for (n, view) in data.views.iter().enumerate() {
                        section.memory id={ "memory" (n) } aria-label={ "The memory on " (view.profile) } {
                            @if two { h2.profile { (view.profile) } } @else { h2.hidden { "The memory" } }
                        }
                    }
                }
                (legend())
            }
        }
        footer {
            details {
                summary { "The test" }
                pre tabindex="0" { code { (trace.source) } }
            }
            details {
                summary { "The words" }
                dl.words {
                    @for (word, meaning) in words::terms() { dt { (word) } dd { (meaning) } }
                }
            }
            p.cite { "cowherd " (env!("CARGO_PKG_VERSION")) ": litmus tests for Linux anonymous memory" }
        }
        noscript { p { "Without scripts the memory is not drawn; the schedule above tells everything that changed." } }
    };
    Page {
        title: &title,
        styles: &[CSS],
        scripts: &SCRIPTS,
        data: Some(json(data)),
        allow: "",
        body,
    }
    .text()
}

/// What moves through the schedule, and what can be hidden.
fn controls(data: &Document) -> Markup {
    let last = data.rows.len();
    let fields = [
        ("functions", "functions and locks"),
        ("counts", "counts"),
        ("flags", "flags"),
        ("tlb", "TLBs"),
        ("swap", "swap"),
        ("io", "transfers, pipes, files"),
    ];
    html! {
        div.controls role="group" aria-label="Step through" {
            button id="first" title="To the start (Home)" aria-label="To the start" { "\u{21E4}" }
            button id="back" title="One step back (\u{2190})" aria-label="One step back" { "\u{2190}" }
            button.go id="next" title="One step on (\u{2192})" aria-label="One step on" { "\u{2192}" }
            button id="last" title="To the end (End)" aria-label="To the end" { "\u{21E5}" }
            button id="play" title="Play (space)" aria-pressed="false" { "Play" }
            input id="slider" type="range" min="0" max=(last) value="0" aria-label="Step";
            output id="count" for="slider" { "0 / " (last) }
            details.show {
                summary { "Show" }
                div.menu {
                    fieldset {
                        legend { "Lanes" }
                        @for (n, lane) in data.lanes.iter().enumerate() {
                            label { input type="checkbox" checked data-lane=(n); (lane.name) }
                        }
                    }
                    fieldset {
                        legend { "Fields" }
                        @for (key, name) in fields {
                            label { input type="checkbox" checked data-field=(key); (name) }
                        }
                    }
                }
            }
            span.keys aria-hidden="true" { kbd { "\u{2190}" } kbd { "\u{2192}" } " step " kbd { "\u{2191}" } kbd { "\u{2193}" } " call" }
        }
    }
}

fn legend() -> Markup {
    html! {
        p.legend {
            span { i.a-pte {} " page table" } span { i.a-tlb {} " TLB" } span { i.a-swap {} " swap" }
            span { i.a-io {} " transfer, pipe, holder" } span { mark { "changed" } " in this step" }
            span { i.a-bad {} strong.bad { " wrong" } ": a page that is no longer mapped there" }
        }
    }
}

/// The schedule: lanes to the left, time downwards.
fn timeline(data: &Document, parting: Markup) -> Markup {
    let n = data.lanes.len();
    let ends: Vec<(usize, usize)> = data
        .lanes
        .iter()
        .enumerate()
        .map(|(lane, _)| {
            let of = |row: &&super::data::RowData| data.groups[row.group].lane == lane;
            let first = data.rows.iter().position(|row| of(&row));
            let last = data.rows.iter().rposition(|row| of(&row));
            (first.unwrap_or(0), last.unwrap_or(0))
        })
        .collect();
    html! {
        div class={ "lanes n" (n) } aria-hidden="true" {
            @for (lane, l) in data.lanes.iter().enumerate() {
                b class={ (l.kind) " c" (lane) } title=(l.name) { (l.name) }
            }
        }
        ol class={ "groups n" (n) } {
            @for (number, group) in data.groups.iter().enumerate() {
                @let rows = data.rows.iter().enumerate().filter(|(_, row)| row.group == number);
                @if data.parting.is_some_and(|p| data.rows[p].group == number && rows.clone().next().is_some_and(|(at, _)| at == p)) {
                    li.part { (parting) }
                }
                li data-lane=(group.lane) {
                    div.call {
                        @let first = rows.clone().next().map_or(0, |(at, _)| at);
                        (rails(data, first, None, &ends))
                        div { (heading(data, number, group)) }
                    }
                    ol.steps {
                        @for (at, row) in rows {
                            @if data.parting == Some(at) && at > 0 && data.rows[at - 1].group == number {
                                li.part { (parting) }
                            }
                            li id={ "s" (at + 1) } data-row=(at + 1) {
                                (rails(data, at, Some(group.lane), &ends))
                                (step(data, at, &row.at))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn heading(data: &Document, number: usize, group: &GroupData) -> Markup {
    let lane = &data.lanes[group.lane];
    let said: Vec<(usize, &str)> = group
        .said
        .iter()
        .enumerate()
        .filter_map(|(n, said)| Some((n, said.as_deref()?)))
        .filter(|(_, said)| !said.is_empty())
        .collect();
    let same = said.len() < 2 || said[0].1 == said[1].1;
    let alone = data.views.len() > 1 && group.said.iter().flatten().count() < 2;
    html! {
            h3 {
                span.n { (number + 1) } " "
                b class={ "who c" (group.lane) } { (lane.name) }
                @if group.continued && !group.call.is_empty() { span.again { " goes on:" } }
                @if !group.call.is_empty() { " " code { (group.call) } }
            }
            @if same && !alone {
                @if let Some((_, said)) = said.first() { p { (said) } }
            } @else {
                @for (n, said) in &said { p { b.profile { (data.views[*n].profile) } " " (said) } }
            }
    }
}

/// One mark a lane: the step's own, and a line through those that are not done yet.
fn rails(data: &Document, at: usize, own: Option<usize>, ends: &[(usize, usize)]) -> Markup {
    html! {
        span.rails aria-hidden="true" {
            @for lane in 0..data.lanes.len() {
                @let (first, last) = ends[lane];
                @let alive = (first..=last).contains(&at);
                i class={ "c" (lane) (if Some(lane) == own { " own" } else if alive { " on" } else { "" }) } {}
            }
        }
    }
}

/// A step: what it does, the kernel function, its lock, what it changes.
fn step(data: &Document, at: usize, sides: &[Option<usize>]) -> Markup {
    let two = data.views.len() > 1;
    let of = |side: usize| sides[side].map(|n| &data.views[side].steps[n]);
    let both = two
        && matches!((of(0), of(1)), (Some(a), Some(b)) if a.changes == b.changes && a.function == b.function);
    html! {
        a href={ "#" (at + 1) } {
            span.num { (at + 1) }
            @for side in 0..sides.len() {
                @if let Some(s) = of(side).filter(|_| !(both && side == 1)) {
                    span.what {
                        @if two && !both { b.profile { (data.views[side].profile) } " " }
                        span.fn { (s.function) }
                        @if !s.lock.is_empty() { " " span.lock title="covered by" { (s.lock) } }
                        @if !s.changes.is_empty() { span.ch { (changes(&s.changes).replace("->", "\u{2192}")) } }
                        @for (kind, _) in &s.broken { " " strong.broken { "\u{26A0}\u{FE0E} " (kind) } }
                    }
                }
            }
        }
    }
}
