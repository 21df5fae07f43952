//! The corpus: tests by name, embedded in the binary or read from a folder, and the results that they expect.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cowherd_litmus::Span;
use cowherd_litmus::ast;

use crate::check::Verdict;
use crate::kernels::{Kernels, Profile, Range};

/// The tests of `litmus/` as they were when this was built: path in the folder, text.
const SHIPPED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/corpus.rs"));

/// A test's text and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name of its file, without `.litmus`.
    pub name: String,
    /// The folder that it stands in, seen from the corpus: its theme. Empty at the top.
    pub theme: String,
    /// What people are told: the name, or `THEME/NAME` where another test of the corpus has the same.
    pub title: String,
    /// What diagnostics call it.
    pub source: String,
    /// The file, unless it is embedded.
    pub file: Option<PathBuf>,
    /// The text. Bytes that are no UTF-8 are kept for the parser to complain of.
    pub text: Cow<'static, [u8]>,
}

/// Many tests.
#[derive(Clone, Debug, Default)]
pub struct Corpus {
    /// By path.
    pub entries: Vec<Entry>,
}

/// A name that several tests have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambiguous {
    /// The name.
    pub word: String,
    /// What to write instead; a theme of the same name ends with a slash.
    pub candidates: Vec<String>,
}

impl fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.candidates.join("`, `");
        write!(f, "`{}` may be any of `{all}`", self.word)
    }
}

impl std::error::Error for Ambiguous {}

impl Entry {
    fn new(path: &str, source: String, file: Option<PathBuf>, text: Cow<'static, [u8]>) -> Entry {
        let path = path.strip_suffix(".litmus").unwrap_or(path);
        let (theme, name) = path.rsplit_once('/').unwrap_or(("", path));
        Entry {
            name: name.into(),
            theme: theme.into(),
            title: name.into(),
            source,
            file,
            text,
        }
    }

    /// A test that stands in no file.
    pub fn made(name: &str, source: String, text: Vec<u8>) -> Entry {
        Entry::new(name, source, None, text.into())
    }

    /// Its path in the corpus, without `.litmus`: no other test has it.
    pub fn path(&self) -> String {
        match self.theme.as_str() {
            "" => self.name.clone(),
            theme => format!("{theme}/{}", self.name),
        }
    }

    /// A file by itself.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn file(path: &Path) -> io::Result<Entry> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let source = path.display().to_string();
        let text = fs::read(path)?;
        Ok(Entry::new(&name, source, Some(path.into()), text.into()))
    }
}

impl Corpus {
    /// The corpus that cowherd ships with.
    pub fn shipped() -> Corpus {
        let entry = |&(path, text): &(&str, &'static str)| {
            Entry::new(
                path,
                format!("litmus/{path}"),
                None,
                Cow::Borrowed(text.as_bytes()),
            )
        };
        Corpus::of(SHIPPED.iter().map(entry).collect())
    }

    fn of(mut entries: Vec<Entry>) -> Corpus {
        let mut count: BTreeMap<String, usize> = BTreeMap::new();
        for entry in &entries {
            *count.entry(entry.name.clone()).or_default() += 1;
        }
        for entry in &mut entries {
            if count[&entry.name] > 1 {
                entry.title = entry.path();
            }
        }
        Corpus { entries }
    }

    /// Every `.litmus` file in a folder and the folders below.
    ///
    /// # Errors
    ///
    /// If something in it cannot be read.
    pub fn folder(root: &Path) -> io::Result<Corpus> {
        let mut files = Vec::new();
        find(root, &mut files)?;
        files.sort();
        let mut entries = Vec::new();
        for file in files {
            let path = file.strip_prefix(root).unwrap_or(&file);
            let path = path.to_string_lossy().replace('\\', "/");
            let source = file.display().to_string();
            let text = fs::read(&file)?;
            entries.push(Entry::new(&path, source, Some(file), text.into()));
        }
        Ok(Corpus::of(entries))
    }

    /// The tests that a word names: `THEME/NAME` is that test, and `THEME/` or `THEME/*` are all of a theme. A bare word is the test of that
    /// name, or, where there is none, the theme. Empty if it names nothing.
    ///
    /// # Errors
    ///
    /// If several tests have this name.
    pub fn find(&self, word: &str) -> Result<Vec<&Entry>, Ambiguous> {
        let theme = word.strip_suffix('*').unwrap_or(word);
        if let Some(theme) = theme.strip_suffix('/') {
            return Ok(self.theme(theme.trim_end_matches('/')));
        }
        let word = word.strip_suffix(".litmus").unwrap_or(word);
        if let Some(entry) = self.entries.iter().find(|e| e.path() == word) {
            return Ok(vec![entry]);
        }
        let named: Vec<&Entry> = self.entries.iter().filter(|e| e.name == word).collect();
        let theme = self.theme(word);
        match named.len() {
            0 => Ok(theme),
            1 => Ok(named),
            _ => {
                let mut candidates: Vec<String> = named.iter().map(|e| e.path()).collect();
                if !theme.is_empty() {
                    candidates.push(format!("{word}/"));
                }
                Err(Ambiguous {
                    word: word.into(),
                    candidates,
                })
            }
        }
    }

    /// The tests of a theme, and of those below it.
    fn theme(&self, word: &str) -> Vec<&Entry> {
        let inside = |e: &&Entry| {
            e.theme == word
                || e.theme
                    .strip_prefix(word)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        self.entries.iter().filter(inside).collect()
    }

    /// Names and themes that may have been meant.
    pub fn suggest(&self, word: &str) -> Vec<String> {
        let names = self.entries.iter().map(|e| e.name.as_str());
        let themes = self.entries.iter().map(|e| e.theme.as_str());
        crate::kernels::suggest(word, names.chain(themes).filter(|name| !name.is_empty()))
    }
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "litmus") {
            files.push(path);
        }
    }
    Ok(())
}

/// What a test's `Result:` lines say.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    /// One for each clause.
    pub clauses: Vec<Expectation>,
}

/// One clause.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// For which kernels.
    pub range: Range,
    /// What is expected.
    pub verdict: Verdict,
    /// The clause as it stands in the test.
    pub text: String,
}

/// A clause that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadClause {
    /// What is wrong with it.
    pub message: String,
    /// Where it stands.
    pub span: Span,
}

impl Expectations {
    /// The clauses of a test, their profiles resolved. `text`: the test's.
    ///
    /// # Errors
    ///
    /// Every clause whose profile is unknown, and every two that contradict each other.
    pub fn of(
        test: &ast::Test,
        text: &str,
        kernels: &Kernels,
    ) -> Result<Expectations, Vec<BadClause>> {
        let mut bad = Vec::new();
        let mut spans = Vec::new();
        let mut clauses: Vec<Expectation> = Vec::new();
        for clause in &test.results {
            let verdict = match clause.verdict {
                ast::Verdict::Never => Verdict::Never,
                ast::Verdict::Sometimes => Verdict::Sometimes,
                ast::Verdict::Always => Verdict::Always,
            };
            let (written, span) = range_text(&clause.range, kernels, clause.span);
            let range = match kernels.range(&written) {
                Ok(range) => range,
                Err(error) => {
                    let message = error.to_string();
                    bad.push(BadClause { message, span });
                    continue;
                }
            };
            let rival = clauses
                .iter()
                .find(|other| other.range.overlaps(&range) && other.verdict != verdict);
            if let Some(rival) = rival {
                let message = format!("this contradicts `{}`", rival.text);
                bad.push(BadClause {
                    message,
                    span: clause.span,
                });
            }
            spans.push(clause.span);
            clauses.push(Expectation {
                range,
                verdict,
                text: clause.span.text(text).to_string(),
            });
        }
        if bad.is_empty() {
            Ok(Expectations { clauses })
        } else {
            Err(bad)
        }
    }

    /// The clause that speaks for a profile.
    pub fn pick(&self, profile: &Profile) -> Option<&Expectation> {
        Range::pick(self.clauses.iter().map(|c| (&c.range, c)), profile)
    }

    /// The kernels that have a clause of their own: architectures, features added or taken away.
    pub fn kernels(&self) -> impl Iterator<Item = &Profile> {
        self.clauses
            .iter()
            .filter_map(|clause| match &clause.range {
                Range::Kernel(profile) => Some(&**profile),
                Range::Mainline { .. } => None,
            })
    }

    /// A release of every architecture that a clause with a range of releases is about: the ends.
    pub fn ends(&self, kernels: &Kernels) -> Vec<Profile> {
        let mut ends: Vec<Profile> = Vec::new();
        for clause in &self.clauses {
            let Range::Mainline { from, to, arch } = &clause.range else {
                continue;
            };
            if *arch == kernels.default_arch().name {
                continue;
            }
            for release in [from, to] {
                if let Ok(composed) = kernels.profile(&format!("{release}/{arch}"))
                    && !ends.iter().any(|e| e.same_kernel(&composed.profile))
                {
                    ends.push(composed.profile);
                }
            }
        }
        ends
    }
}

/// A range as [`Kernels::range`] reads it, and where it stands.
fn range_text(range: &ast::Range, kernels: &Kernels, clause: Span) -> (String, Span) {
    let join = |a: Span, b: Span| Span::new(a.start, b.end);
    match range {
        ast::Range::All => {
            let mut releases = kernels.releases();
            let first = releases.next().map_or(String::new(), |r| r.to_string());
            (format!("{first}.."), clause)
        }
        ast::Range::One(p) => (p.text.clone(), p.span),
        ast::Range::FromTo(a, b) => (format!("{}..{}", a.text, b.text), join(a.span, b.span)),
        ast::Range::From(a) => (format!("{}..", a.text), a.span),
        ast::Range::To(b) => (format!("..{}", b.text), b.span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(result: &str) -> (String, ast::Test) {
        let text = format!(
            "MM t\n(* Result: {result} *)\n{{ anon x; }}\nP0 {{ x = 1; }}\nexists (A:x=1)\n"
        );
        let test = cowherd_litmus::parse("t", &text).unwrap();
        (text, test)
    }

    fn expectations(result: &str) -> Result<Expectations, Vec<BadClause>> {
        let (text, test) = test(result);
        Expectations::of(&test, &text, Kernels::shipped())
    }

    #[test]
    fn the_embedded_corpus_parses() {
        for entry in Corpus::shipped().entries {
            let text = std::str::from_utf8(&entry.text).unwrap();
            let test = cowherd_litmus::parse(&entry.source, text).unwrap();
            assert_eq!(test.name, entry.name, "{}", entry.source);
        }
    }

    #[test]
    fn a_test_is_found_by_name_and_by_theme() {
        let corpus = Corpus::shipped();
        let found = |word: &str| -> Vec<String> {
            let found = corpus.find(word).unwrap();
            found.iter().map(|e| e.path()).collect()
        };
        assert_eq!(found("odirect-swap"), ["direct-io/odirect-swap"]);
        assert_eq!(found("direct-io/odirect-swap"), ["direct-io/odirect-swap"]);
        for theme in ["direct-io", "direct-io/", "direct-io/*"] {
            let all = found(theme);
            assert!(all.len() >= 2, "{theme}");
            assert!(all.iter().all(|path| path.starts_with("direct-io/")));
        }
        for nothing in ["direct", "direct/", "fork/odirect-swap", "*"] {
            assert!(found(nothing).is_empty(), "{nothing}");
        }
        assert_eq!(corpus.suggest("odirect-swpa")[0], "odirect-swap");
    }

    #[test]
    fn a_name_that_several_tests_have_is_ambiguous_and_each_has_a_title_of_its_own() {
        let corpus = Corpus::shipped();
        let candidates = corpus.find("fork").unwrap_err().candidates;
        assert_eq!(candidates, ["migration/fork", "swapoff/fork", "fork/"]);
        let mut titles = std::collections::BTreeSet::new();
        for entry in &corpus.entries {
            assert!(titles.insert(&entry.title), "{}", entry.title);
            assert_eq!(corpus.find(&entry.title), Ok(vec![entry]));
            assert_eq!(corpus.find(&entry.path()), Ok(vec![entry]));
        }
    }

    #[test]
    fn the_best_clause_speaks_for_a_profile() {
        let e = expectations("v5.8 Never; v5.9..v5.18 Sometimes; v5.10.262 Never").unwrap();
        let at = |k: &str| {
            let profile = Kernels::shipped().profile(k).unwrap().profile;
            e.pick(&profile).map(|c| c.verdict)
        };
        assert_eq!(at("v5.8"), Some(Verdict::Never));
        assert_eq!(at("v5.10"), Some(Verdict::Sometimes));
        assert_eq!(at("v5.10.262"), Some(Verdict::Never));
        assert_eq!(at("v5.19"), None);
    }

    #[test]
    fn an_unknown_profile_and_a_contradiction_are_errors() {
        let bad = expectations("v5.88 Never").unwrap_err();
        assert!(bad[0].message.contains("v5.88"), "{bad:?}");
        let bad = expectations("v5.8..v5.10 Never; v5.10 Always").unwrap_err();
        assert!(bad[0].message.contains("contradicts"), "{bad:?}");
    }

    #[test]
    fn a_clause_without_a_range_is_about_every_release() {
        let e = expectations("Never").unwrap();
        for profile in Kernels::shipped().mainline() {
            assert_eq!(e.pick(&profile).unwrap().verdict, Verdict::Never);
        }
    }
}
