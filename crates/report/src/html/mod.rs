//! Pages for a browser. Each is one file that fetches nothing: styles, scripts and data stand in it, and a Content-Security-Policy allows
//! exactly those, by their hashes. Text gets in by way of maud, which escapes it, or as JSON that cannot end its element.

pub mod conformance;
pub mod playground;
pub mod site;
pub mod witness;
mod words;

use base64::Engine as _;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// What every page looks like.
const BASE_CSS: &str = include_str!("assets/base.css");

/// A page: what goes into its head, and its body.
pub struct Page<'a> {
    /// The title.
    pub title: &'a str,
    /// Styles beside those that every page has.
    pub styles: &'a [&'a str],
    /// Scripts, run in this order after the body.
    pub scripts: &'a [&'a str],
    /// Data for the scripts, as JSON: see [`json`].
    pub data: Option<String>,
    /// What the policy allows besides, such as `connect-src 'self'`. Empty: nothing.
    pub allow: &'a str,
    /// What is in it.
    pub body: Markup,
}

impl Page<'_> {
    /// The text of the file.
    pub fn text(&self) -> String {
        let mut styles = vec![BASE_CSS];
        styles.extend(self.styles);
        let hashes = |all: &[&str]| {
            let quoted: Vec<String> = all.iter().map(|text| hash(text)).collect();
            if quoted.is_empty() {
                "'none'".into()
            } else {
                quoted.join(" ")
            }
        };
        let policy = format!(
            "default-src 'none'; style-src {}; script-src {}; {}base-uri 'none'; form-action 'none'",
            hashes(&styles),
            hashes(self.scripts),
            self.allow
        );
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="referrer" content="no-referrer";
                    title { (self.title) }
                    @for style in &styles { style { (PreEscaped(style)) } }
                }
                body {
                    (self.body)
                    @if let Some(data) = &self.data {
                        script type="application/json" id="data" { (PreEscaped(data)) }
                    }
                    @for script in self.scripts { script { (PreEscaped(script)) } }
                }
            }
        };
        page.into_string()
    }
}

/// The source expression of an inline style or script.
fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let digest = base64::engine::general_purpose::STANDARD.encode(digest);
    format!("'sha256-{digest}'")
}

/// JSON that may stand in a `script` element: no `<` in it, so nothing in it ends the element or opens a comment.
pub fn json(value: &impl Serialize) -> String {
    let text =
        serde_json::to_string(value).expect("plain data has no maps with other keys than strings");
    text.replace('<', "\\u003c")
}

/// A text as the name of a file: letters, digits, `-`, `.` and `_` stay, everything else becomes its number. Different texts give different
/// names.
pub fn file_name(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => out.push(c),
            '.' if !out.is_empty() => out.push(c),
            _ => out.push_str(&format!("~{:x}~", u32::from(c))),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_the_element_that_it_stands_in() {
        let hostile = "</script><script>alert(1)</script><!--";
        let page = Page {
            title: hostile,
            styles: &[],
            scripts: &["void 0;"],
            data: Some(json(&hostile)),
            allow: "",
            body: html! { p title=(hostile) { (hostile) } },
        };
        let text = page.text();
        assert_eq!(text.matches("</script>").count(), 2, "{text}");
        assert!(!text.contains("<script>alert"));
        assert!(!text.contains("<!--"));
        let data = json(&hostile);
        assert_eq!(serde_json::from_str::<String>(&data).unwrap(), hostile);
    }

    #[test]
    fn the_policy_names_what_is_in_the_page_and_nothing_else() {
        let page = Page {
            title: "t",
            styles: &["p { color: red }"],
            scripts: &[],
            data: None,
            allow: "",
            body: html! {},
        };
        let text = page.text();
        assert!(text.contains("script-src &apos;none&apos;") || text.contains("script-src 'none'"));
        assert!(text.contains(&hash("p { color: red }")));
        // The digest of an empty text, as everybody knows it.
        assert_eq!(
            hash(""),
            "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
        );
    }

    #[test]
    fn names_of_files_stay_apart_and_in_their_folder() {
        assert_eq!(file_name("v5.18+swp_exclusive"), "v5.18~2b~swp_exclusive");
        assert_eq!(file_name("../x"), "~2e~.~2f~x");
        assert_ne!(file_name("a/b"), file_name("a~2f~b"));
    }
}
