//! A Linux source tree, whole or in part.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use cowherd_model::kernels::{Arch, Release};

use super::text::Source;

/// A source tree.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    /// What its Makefile calls it: `6.1.176`, `6.12.0-rc3`; none in a tree without.
    pub version: Option<String>,
    files: RefCell<HashMap<String, File>>,
}

/// What there is of a file.
#[derive(Clone, Debug)]
pub enum File {
    /// It is there.
    Source(Rc<Source>),
    /// The kernel has no such file: its folder is there without it.
    Absent,
    /// It is not in this part of a tree, or cannot be read: why.
    Unknown(String),
}

/// The folder is no source tree.
#[derive(Debug)]
pub struct NoTree(String);

impl fmt::Display for NoTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoTree {}

impl Tree {
    /// The tree in a folder.
    ///
    /// # Errors
    ///
    /// If the folder is none, or cannot be read.
    pub fn open(root: &Path) -> Result<Tree, NoTree> {
        let shown = root.display();
        let no = |why: String| NoTree(format!("{shown}: {why}"));
        let entries = std::fs::read_dir(root).map_err(|e| no(e.to_string()))?;
        if !root.join("mm").is_dir() {
            return Err(no(why_not(root, entries)));
        }
        let version = match std::fs::read_to_string(root.join("Makefile")) {
            Ok(makefile) => version_of(&makefile),
            Err(_) => None,
        };
        Ok(Tree {
            root: root.to_path_buf(),
            version,
            files: RefCell::default(),
        })
    }

    /// The release, if the Makefile tells.
    pub fn release(&self) -> Option<Release> {
        let version = self.version.as_ref()?;
        let numbers = version.split('-').next()?;
        numbers.parse().ok()
    }

    /// Does the tree's kernel run on an architecture, as far as one sees? Not if it has others and not this one.
    pub fn runs_on(&self, arch: &Arch) -> bool {
        let all = self.root.join("arch");
        let some = std::fs::read_dir(&all).is_ok_and(|mut entries| entries.next().is_some());
        !some || all.join(&arch.source).is_dir()
    }

    /// A file, by its path from the top.
    pub fn file(&self, path: &str) -> File {
        let known = self.files.borrow().get(path).cloned();
        known.unwrap_or_else(|| {
            let file = self.read(path);
            self.files.borrow_mut().insert(path.into(), file.clone());
            file
        })
    }

    fn read(&self, path: &str) -> File {
        let full = self.root.join(path);
        match std::fs::read(&full) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                File::Source(Rc::new(Source::new(text)))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => self.missing(path),
            Err(e) => File::Unknown(format!("{path}: {e}")),
        }
    }

    /// Is a file that is not there one that this kernel does not have? A folder's Makefile names what is built of it.
    fn missing(&self, path: &str) -> File {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if !self.root.join(folder).is_dir() {
            return File::Unknown(format!("{folder}/ is not in this tree"));
        }
        let Some(stem) = name.strip_suffix(".c") else {
            return File::Absent;
        };
        match std::fs::read_to_string(self.root.join(folder).join("Makefile")) {
            Ok(makefile) => {
                let object = format!("{stem}.o");
                if makefile.split_whitespace().any(|word| word == object) {
                    File::Unknown(format!("{path} is not in this tree, which builds {object}"))
                } else {
                    File::Absent
                }
            }
            Err(_) => File::Unknown(format!("{path} is not in this tree")),
        }
    }
}

/// What the folder is instead, where that can be guessed.
fn why_not(root: &Path, entries: std::fs::ReadDir) -> String {
    let none = "this is no Linux source tree: there is no folder mm in it".to_string();
    if root.join("HEAD").is_file() && root.join("objects").is_dir() {
        return format!(
            "{none}; it is a git repository without a work tree: `git worktree add` makes one"
        );
    }
    if root.join(".git").exists() && entries.count() == 1 {
        return format!("{none}, and nothing else beside .git: `git checkout` a release first");
    }
    let within = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut inner = within
        .map(|e| e.path())
        .filter(|p| p.join("mm/memory.c").is_file());
    match (inner.next(), inner.next()) {
        (Some(one), None) => format!("{none}; did you mean {}?", one.display()),
        _ => none,
    }
}

/// `VERSION = 6`, `PATCHLEVEL = 1`, `SUBLEVEL = 176`, `EXTRAVERSION = -rc3`.
fn version_of(makefile: &str) -> Option<String> {
    let value = |name: &str| {
        let line = makefile.lines().find_map(|line| {
            let (left, right) = line.split_once('=')?;
            (left.trim() == name).then(|| right.trim().to_string())
        });
        line.filter(|value| !value.is_empty())
    };
    let version = value("VERSION")?;
    let patch = value("PATCHLEVEL")?;
    let sub = value("SUBLEVEL").unwrap_or_else(|| "0".into());
    let extra = value("EXTRAVERSION").unwrap_or_default();
    Some(format!("{version}.{patch}.{sub}{extra}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_makefile_tells_the_version() {
        let makefile =
            "VERSION = 6\nPATCHLEVEL = 13\nSUBLEVEL = 0\nEXTRAVERSION = -rc3\nNAME = x\n";
        assert_eq!(version_of(makefile).unwrap(), "6.13.0-rc3");
        assert_eq!(version_of("all:\n\techo\n"), None);
    }
}
