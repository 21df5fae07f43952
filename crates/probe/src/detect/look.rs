//! Looks for clues in a source tree.

use cowherd_model::kernels::{Arch, Clue, Either};

use super::text::{Source, Text};
use super::tree::{File, Tree};

/// What came of looking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is there: the line that shows it.
    Present(Place),
    /// It is not: the line under which it would be, and what is missing there.
    Absent(Place),
    /// That cannot be told: why.
    CannotTell(String),
}

/// A place in a source tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, from the top of the tree.
    pub file: String,
    /// The line, from 1; none: the file as a whole.
    pub line: Option<usize>,
    /// The line's text, or what is to be said of the place.
    pub text: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.text),
            None => write!(f, "{}: {}", self.file, self.text),
        }
    }
}

/// How an absence is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The clues are known to fit such a release.
    Known,
    /// The release is newer than the clues: what a function lacks and its file has may only have moved.
    Newer,
}

/// Whether any of the clues is found. Absent is only what is missing wherever it was looked for; a function that this release does not
/// have says nothing where another clue does.
pub fn any(tree: &Tree, arch: &Arch, trust: Trust, clues: &[Clue]) -> Found {
    let (mut absent, mut unknown, mut nowhere) = (None, None, None);
    for clue in clues.iter().filter(|clue| clue.is_for(arch)) {
        match look(tree, arch, trust, clue) {
            Ok(found @ Found::Present(_)) => return found,
            Ok(found @ Found::Absent(_)) => absent = absent.or(Some(found)),
            Ok(found @ Found::CannotTell(_)) => unknown = unknown.or(Some(found)),
            Err(NoFunction(which)) => nowhere = nowhere.or(Some(Found::CannotTell(which))),
        }
    }
    let nothing = || Found::CannotTell("nothing is known that would show it".into());
    unknown.or(absent).or(nowhere).unwrap_or_else(nothing)
}

/// The files are there and the function is in none of them: which.
struct NoFunction(String);

/// Whether one clue is found, and what it has to be found with.
fn look(tree: &Tree, arch: &Arch, trust: Trust, clue: &Clue) -> Result<Found, NoFunction> {
    let found = alone(tree, arch, trust, clue);
    let Some(with) = &clue.with else {
        return found;
    };
    match (found, look(tree, arch, trust, with)) {
        (Ok(absent @ Found::Absent(_)), _) | (_, Ok(absent @ Found::Absent(_))) => Ok(absent),
        (Err(e), _) | (_, Err(e)) => Err(e),
        (Ok(found @ Found::CannotTell(_)), _) | (_, Ok(found @ Found::CannotTell(_))) => Ok(found),
        (Ok(found), Ok(Found::Present(_))) => Ok(found),
    }
}

/// A text to look into.
struct Within {
    file: String,
    source: std::rc::Rc<Source>,
    text: Text,
    /// What it is, for people.
    what: String,
}

fn alone(tree: &Tree, arch: &Arch, trust: Trust, clue: &Clue) -> Result<Found, NoFunction> {
    let texts = match texts(tree, arch, clue)? {
        Texts::Some(texts) => texts,
        Texts::NoFile(place) => return Ok(Found::Absent(place)),
        Texts::Unknown(why) => return Ok(Found::CannotTell(why)),
    };
    if let Some(lacks) = &clue.lacks {
        for within in &texts {
            if let Some((at, _)) = first_of(&within.text, lacks, 0) {
                return Ok(Found::Absent(within.at(at)));
            }
        }
    }
    if clue.has.is_empty() {
        let lacks = clue.lacks.as_ref().map_or(String::new(), Either::to_string);
        return Ok(Found::Present(texts[0].head(&format!("has no {lacks}"))));
    }
    let mut nearest = None;
    for within in &texts {
        match in_order(&within.text, &clue.has) {
            Ok(at) => return Ok(Found::Present(within.at(at))),
            Err(missing) => {
                nearest.get_or_insert_with(|| within.head(&missing));
            }
        }
    }
    if trust == Trust::Newer
        && let Some(place) = texts.iter().find_map(|within| within.moved(&clue.has))
    {
        let why =
            format!("it may have moved, for the release is newer than all that is known: {place}");
        return Ok(Found::CannotTell(why));
    }
    Ok(Found::Absent(nearest.expect("there is a text")))
}

/// The texts that a clue speaks of.
enum Texts {
    /// At least one.
    Some(Vec<Within>),
    /// The kernel has none of the files: what they would show it has not.
    NoFile(Place),
    /// They are not in this part of a tree: why.
    Unknown(String),
}

fn texts(tree: &Tree, arch: &Arch, clue: &Clue) -> Result<Texts, NoFunction> {
    let paths = clue.file.0.iter().map(|path| {
        let asm = format!("arch/{}/include/asm", arch.source);
        path.replace("{asm}", &asm)
    });
    let mut texts = Vec::new();
    let mut unknown = None;
    let (mut files, mut absent) = (Vec::new(), Vec::new());
    for path in paths {
        let source = match tree.file(&path) {
            File::Source(source) => source,
            File::Absent => {
                absent.push(path);
                continue;
            }
            File::Unknown(why) => {
                unknown = unknown.or(Some(why));
                continue;
            }
        };
        files.push(path.clone());
        let Some(functions) = &clue.function else {
            texts.push(Within {
                text: source.whole(),
                what: "the file".into(),
                file: path,
                source,
            });
            continue;
        };
        for function in &functions.0 {
            texts.extend(source.function(function).into_iter().map(|text| Within {
                file: path.clone(),
                source: source.clone(),
                text,
                what: format!("{function}()"),
            }));
        }
    }
    match (&clue.function, unknown) {
        _ if !texts.is_empty() => Ok(Texts::Some(texts)),
        (_, Some(why)) => Ok(Texts::Unknown(why)),
        (Some(functions), None) if !files.is_empty() => Err(NoFunction(format!(
            "{} has no function {functions}",
            files.join(", ")
        ))),
        _ => Ok(Texts::NoFile(Place {
            file: absent.join(", "),
            line: None,
            text: "there is no such file".into(),
        })),
    }
}

impl Within {
    /// The line at an offset.
    fn at(&self, offset: usize) -> Place {
        let line = self.text.line(offset);
        Place {
            file: self.file.clone(),
            line: Some(line),
            text: self.source.line(line).to_string(),
        }
    }

    /// Where what a function lacks is elsewhere in its file.
    fn moved(&self, has: &[Either]) -> Option<Place> {
        let whole = self.source.whole();
        let at = in_order(&whole, has).ok()?;
        let line = whole.line(at);
        Some(Place {
            file: self.file.clone(),
            line: Some(line),
            text: self.source.line(line).to_string(),
        })
    }

    /// Something to be said of the whole text.
    fn head(&self, what: &str) -> Place {
        Place {
            file: self.file.clone(),
            line: Some(self.text.first_line()),
            text: format!("{} {what}", self.what),
        }
    }
}

/// Where the last of the patterns that have to come in this order is, which is the one that decides; or what is missing.
fn in_order(text: &Text, has: &[Either]) -> Result<usize, String> {
    let (mut last, mut from) = (0, 0);
    let mut before: Option<&Either> = None;
    for pattern in has {
        let Some((at, end)) = first_of(text, pattern, from) else {
            return Err(match before {
                Some(before) => format!("has no {pattern} after {before}"),
                None => format!("has no {pattern}"),
            });
        };
        (last, from) = (at, end);
        before = Some(pattern);
    }
    Ok(last)
}

/// The earliest place of any of these.
fn first_of(text: &Text, patterns: &Either, from: usize) -> Option<(usize, usize)> {
    let found = patterns.0.iter().filter_map(|p| text.find(p, from));
    found.min()
}
