//! The page of `cowherd serve`: an editor, kernels to tick, verdicts as they come, the witness page inline.

use maud::html;
use serde::Serialize;

use super::{Page, json};

const CSS: &str = include_str!("assets/playground.css");
const SCRIPT: &str = include_str!("assets/playground.js");

/// What the page starts with.
#[derive(Debug, Serialize)]
pub struct Start {
    /// The test in the editor.
    pub text: String,
    /// The kernels of the matrix, and whether they are ticked.
    pub kernels: Vec<(String, bool)>,
    /// Tests to start from, by theme.
    pub corpus: Vec<(String, Vec<String>)>,
}

/// The page.
pub fn page(start: &Start) -> String {
    let body = html! {
        header.bar {
            h1 { "cowherd" span.on { " playground" } }
            label { "Start from " select id="corpus" {
                option value="" { "a test of the corpus" }
                @for (theme, names) in &start.corpus {
                    optgroup label=(theme) { @for name in names { option value=(name) { (name) } } }
                }
            } }
            button.go id="run" title="Ctrl+Enter" { "Run" }
            button id="stop" disabled { "Stop" }
            button id="link" { "Copy link" }
            output id="status" role="status" {}
        }
        main {
            section.edit aria-label="The test" {
                div.editor {
                    pre.lines id="lines" aria-hidden="true" {}
                    div.text {
                        pre.marks id="marks" aria-hidden="true" {}
                        textarea id="text" aria-label="The test" aria-describedby="diagnostics" spellcheck="false" autocomplete="off" wrap="off" { (start.text) }
                    }
                }
                div.diagnostics id="diagnostics" role="region" aria-label="What is wrong with the test" aria-live="polite" tabindex="0" {}
            }
            section.results aria-label="Results" {
                fieldset.kernels id="kernels" {
                    legend { "Kernels" }
                    @for (name, ticked) in &start.kernels {
                        label { input type="checkbox" value=(name) checked[*ticked]; (name) }
                    }
                    label.own { "and " input id="own" type="text" placeholder="v5.18+swp_exclusive v5.19/riscv" spellcheck="false" autocomplete="off"; }
                }
                div id="verdicts" aria-live="polite" {}
                iframe id="witness" title="The witness" hidden sandbox="allow-scripts" {}
            }
        }
    };
    Page {
        title: "cowherd playground",
        styles: &[CSS],
        scripts: &[SCRIPT],
        data: Some(json(start)),
        allow: "connect-src 'self'; frame-src 'self'; ",
        body,
    }
    .text()
}
