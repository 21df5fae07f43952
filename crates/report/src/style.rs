//! Colours, and other habits of text for people.

use std::fmt::Display;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use cowherd_model::check::Verdict;

/// No line of text for people is wider.
pub const WIDTH: usize = 100;

/// Headings and names.
pub const BOLD: Style = Style::new().bold();
/// What matters less.
pub const DIM: Style = Style::new().dimmed();
/// What is as it should be.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What is not.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What is open.
pub const WARN: Style = AnsiColor::Yellow.on_default();
/// Actors and places.
pub const NAME: Style = AnsiColor::Cyan.on_default();

/// Text in a style.
pub fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// The colour of a verdict. Whether it is good depends on the test, so the colours only tell them apart.
pub fn verdict(v: Verdict) -> Style {
    match v {
        Verdict::Never => AnsiColor::Green.on_default(),
        Verdict::Sometimes => AnsiColor::Yellow.on_default(),
        Verdict::Always => AnsiColor::Magenta.on_default(),
        Verdict::Unknown => AnsiColor::Red.on_default(),
    }
}

/// `31,316`
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `0.18 s`
pub fn seconds(d: Duration) -> String {
    format!("{:.2} s", d.as_secs_f64())
}

/// `2 states`
pub fn plural(n: usize, one: &str) -> String {
    if n == 1 {
        format!("1 {one}")
    } else {
        format!("{n} {one}s")
    }
}

/// Breaks text at blanks, lines of at most `width`, every line but the first after `indent` blanks.
pub fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

/// Breaks text at blanks, lines of at most `width`, for a place that is `indent` columns from the left.
pub fn hang(text: &str, width: usize, indent: usize) -> String {
    wrap(text, width, 0).replace('\n', &format!("\n{}", " ".repeat(indent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(1234567), "1,234,567");
    }

    #[test]
    fn text_is_broken_at_blanks() {
        assert_eq!(wrap("aa bb cc dd", 5, 2), "aa bb\n  cc\n  dd");
        assert_eq!(wrap("", 5, 2), "");
        assert_eq!(hang("aa bb cc dd", 5, 2), "aa bb\n  cc dd");
    }
}
