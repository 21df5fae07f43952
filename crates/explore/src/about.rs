//! What a search is about: enough to tell it from every other.

use serde::{Deserialize, Serialize};

use crate::hash::hash;
use crate::options::Options;

/// What a search is about, in named lines: what is searched and how. Two searches with equal lines are the same search, and what is
/// left of one may be given to the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About(Vec<(String, String)>);

impl About {
    /// Adds a line.
    pub fn line(&mut self, name: &str, value: impl ToString) {
        self.0.push((name.into(), value.to_string()));
    }

    /// Adds a line for what is too long to be kept: its hash stands for it.
    pub fn hashed(&mut self, name: &str, bytes: &[u8]) {
        self.line(name, format_args!("{:016x}", hash(bytes)));
    }

    /// Adds lines for all of the options that change what a complete search finds.
    pub fn options(&mut self, options: &Options) {
        self.line("symmetry", options.reductions.symmetry);
        self.line("movers", options.reductions.movers);
        self.line("commute", options.reductions.commute);
        self.line("values", options.reductions.values);
        self.line("livelock", options.livelock);
        self.line("keep", format_args!("{:?}", options.keep));
        self.line("until", options.until);
    }

    /// The first line in which two differ, for people: what stands here, and what there.
    pub fn difference(&self, other: &About) -> Option<String> {
        let find = |about: &About, name: &str| {
            let mut lines = about.0.iter();
            let found = lines.find(|(known, _)| known == name);
            found.map_or("nothing".into(), |(_, value)| value.clone())
        };
        let names = self.0.iter().chain(&other.0).map(|(name, _)| name);
        names
            .map(|name| (name, find(self, name), find(other, name)))
            .find(|(_, here, there)| here != there)
            .map(|(name, here, there)| format!("{name} is {there} there, and {here} here"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_told() {
        let about = |kernel: &str, text: &[u8]| {
            let mut about = About::default();
            about.line("kernel", kernel);
            about.hashed("test", text);
            about
        };
        let one = about("v6.1", b"x");
        assert_eq!(one.difference(&about("v6.1", b"x")), None);
        let told = one.difference(&about("v5.10", b"y"));
        assert_eq!(
            told.as_deref(),
            Some("kernel is v5.10 there, and v6.1 here")
        );
        assert!(one.difference(&about("v6.1", b"y")).is_some());
        let told = one.difference(&About::default());
        assert_eq!(
            told.as_deref(),
            Some("kernel is nothing there, and v6.1 here")
        );
    }
}
