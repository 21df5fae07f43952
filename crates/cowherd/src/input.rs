//! What the user names: tests and kernels.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use cowherd_litmus::ast::Test;
use cowherd_litmus::{Code, Colour, Diagnostic, Span};
use cowherd_model::corpus::{Corpus, Entry, Expectations};
use cowherd_model::kernels::{Kernels, Profile, ProfileError};

use crate::exit::{Exit, Failure};
use crate::terminal;

/// A test that is ready to run.
pub struct Loaded {
    /// What people are told that it is called, as of [`Entry`].
    pub title: String,
    /// The test.
    pub test: Arc<Test>,
    /// Its text.
    pub text: String,
    /// What diagnostics call its file.
    pub source: String,
    /// The file, unless it is embedded.
    pub file: Option<std::path::PathBuf>,
    /// What its `Result:` lines say.
    pub expectations: Expectations,
}

/// The corpus: that of a folder, or the embedded one.
pub fn corpus(folder: Option<&Path>) -> Result<Corpus, Failure> {
    match folder {
        Some(folder) => {
            let corpus = Corpus::folder(folder).map_err(|e| Failure::file(folder, &e))?;
            if corpus.entries.is_empty() {
                let folder = folder.display();
                return Err(Failure::Input(format!("{folder} holds no .litmus file")));
            }
            Ok(corpus)
        }
        None => Ok(Corpus::shipped()),
    }
}

/// The tests that words name: files; names, `THEME/NAME` and themes of the corpus; other folders. All of the corpus if there are no words.
pub fn entries(words: &[String], corpus: &Corpus) -> Result<Vec<Entry>, Failure> {
    if words.is_empty() {
        return Ok(corpus.entries.clone());
    }
    let mut entries: Vec<Entry> = Vec::new();
    for word in words {
        let path = Path::new(word);
        let found = if word == "-" {
            vec![stdin()?]
        } else if path.is_file() {
            vec![Entry::file(path).map_err(|e| Failure::file(path, &e))?]
        } else {
            let named = corpus
                .find(word)
                .map_err(|e| Failure::Input(e.to_string()))?;
            if named.is_empty() && path.is_dir() {
                let folder = Corpus::folder(path).map_err(|e| Failure::file(path, &e))?;
                if folder.entries.is_empty() {
                    terminal::warn(&format!("{word} holds no .litmus file"));
                }
                folder.entries
            } else if named.is_empty() {
                return Err(Failure::Input(unknown(word, corpus)));
            } else {
                named.into_iter().cloned().collect()
            }
        };
        for entry in found {
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
    }
    Ok(entries)
}

/// The test on standard input.
fn stdin() -> Result<Entry, Failure> {
    let mut text = Vec::new();
    std::io::stdin()
        .read_to_end(&mut text)
        .map_err(|e| Failure::Machine(format!("standard input: {e}")))?;
    Ok(Entry {
        name: "-".into(),
        title: "-".into(),
        theme: String::new(),
        source: "standard input".into(),
        file: None,
        text: text.into(),
    })
}

fn unknown(word: &str, corpus: &Corpus) -> String {
    let mut message = format!("there is no file, test or theme `{word}`");
    match corpus.suggest(word).as_slice() {
        [] => message.push_str("; `cowherd list` shows the tests"),
        [one] => message.push_str(&format!("; did you mean `{one}`?")),
        several => message.push_str(&format!(
            "; did you mean one of `{}`?",
            several.join("`, `")
        )),
    }
    message
}

/// Parses tests. Everything that is wrong with any of them is printed.
pub fn load(entries: &[Entry]) -> Result<Vec<Loaded>, Failure> {
    load_or(entries, |_| Ok(()))
}

/// The same; `wrong` is given all errors, where there are some.
pub fn load_or(
    entries: &[Entry],
    wrong: impl FnOnce(&[Diagnostic]) -> Result<(), Failure>,
) -> Result<Vec<Loaded>, Failure> {
    let mut loaded = Vec::new();
    let mut errors = Vec::new();
    for entry in entries {
        let read = read(entry);
        let text = std::str::from_utf8(&entry.text).unwrap_or_default();
        // Warnings are for whoever writes the test.
        if read.test.is_none() || entry.file.is_some() {
            show(&read.diagnostics, text);
        }
        match read.test {
            Some(test) => loaded.push(test),
            None => errors.extend(read.diagnostics),
        }
    }
    if !errors.is_empty() {
        wrong(&errors)?;
        return Err(Failure::Told(Exit::BadInput));
    }
    Ok(loaded)
}

/// What came of reading a test.
pub struct Read {
    /// The test, unless something is wrong with it.
    pub test: Option<Loaded>,
    /// What is to be said about it: errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses and checks a test; prints nothing.
pub fn read(entry: &Entry) -> Read {
    let wrong = |diagnostics| Read {
        test: None,
        diagnostics,
    };
    let text = match cowherd_litmus::decode(&entry.source, &entry.text) {
        Ok(text) => text,
        Err(diagnostics) => return wrong(diagnostics),
    };
    let analysis = cowherd_litmus::analyse(&entry.source, text);
    let Some(test) = analysis.test else {
        return wrong(analysis.diagnostics);
    };
    match Expectations::of(&test, text, Kernels::shipped()) {
        Ok(expectations) => Read {
            test: Some(Loaded {
                // A test has the name that it gives itself, and the theme too where that is needed to tell it.
                title: if entry.title.contains('/') {
                    entry.title.clone()
                } else {
                    test.name.clone()
                },
                test: Arc::new(test),
                text: text.into(),
                source: entry.source.clone(),
                file: entry.file.clone(),
                expectations,
            }),
            diagnostics: analysis.diagnostics,
        },
        Err(bad) => {
            let line = |b: cowherd_model::corpus::BadClause| {
                diagnostic(Code::ResultLine, b.message, b.span, &entry.source, text)
            };
            wrong(bad.into_iter().map(line).collect())
        }
    }
}

/// A diagnostic of something that the language allows and the model does not.
pub fn diagnostic(code: Code, message: String, span: Span, source: &str, text: &str) -> Diagnostic {
    let before = text.get(..span.start).unwrap_or_default();
    Diagnostic {
        code,
        message,
        span,
        label: String::new(),
        notes: Vec::new(),
        help: Vec::new(),
        source: source.into(),
        line: before.matches('\n').count() + 1,
        column: before.chars().rev().take_while(|c| *c != '\n').count() + 1,
    }
}

/// Prints diagnostics.
pub fn show(diagnostics: &[Diagnostic], text: &str) {
    if !diagnostics.is_empty() {
        // Colours are stripped where they do not belong.
        let drawn = cowherd_litmus::render(diagnostics, text, Colour::Always);
        terminal::tell(&format!("{drawn}\n"));
    }
}

/// A kernel; what is to be said about the expression is printed.
pub fn profile(word: &str) -> Result<Profile, Failure> {
    let composed = Kernels::shipped().profile(word).map_err(|error| {
        let newest = Kernels::shipped().releases().last();
        Failure::Input(match (&error, newest) {
            (ProfileError::UnknownProfile { suggestions, .. }, Some(newest))
                if suggestions.is_empty() =>
            {
                format!("{error}: `cowherd kernels` shows all there are, up to {newest}")
            }
            _ => error.to_string(),
        })
    })?;
    for warning in &composed.warnings {
        terminal::warn(&format!("{word}: {warning}"));
    }
    Ok(composed.profile)
}

/// The kernels that the user names, or those of the matrix.
pub fn profiles(words: &[String]) -> Result<Vec<Profile>, Failure> {
    if words.is_empty() {
        return Ok(Kernels::shipped().matrix());
    }
    let mut profiles: Vec<Profile> = Vec::new();
    for word in words {
        let profile = profile(word)?;
        // Named twice, it runs once.
        if !profiles.iter().any(|p| p.name == profile.name) {
            profiles.push(profile);
        }
    }
    Ok(profiles)
}
