//! What shows in a kernel's source whether it has a feature.

use serde::Deserialize;

use super::Arch;

/// Something to look for. It is found if the text has what it should have and lacks what it should lack.
///
/// The text is C without comments, and what is in strings, with every run of white space as one blank; so a pattern may run over line ends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clue {
    /// The file, from the top of the tree; `a|b` where releases differ: those of them that are there. `{asm}` is the `include/asm` of the
    /// architecture.
    pub file: Either,
    /// The function, where only that counts; `a|b` where releases differ: those of them that are there.
    #[serde(rename = "in")]
    pub function: Option<Either>,
    /// What is there, in this order.
    #[serde(default)]
    pub has: Vec<Either>,
    /// What is not there.
    pub lacks: Option<Either>,
    /// Only on these architectures; nothing: on all.
    pub arch: Option<Either>,
    /// Another clue that has to be found, too.
    pub with: Option<Box<Clue>>,
}

impl Clue {
    /// Whether it says something on this architecture.
    pub fn is_for(&self, arch: &Arch) -> bool {
        self.arch
            .as_ref()
            .is_none_or(|arches| arches.0.contains(&arch.name))
    }
}

/// One of several: `a|b`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Either(pub Vec<String>);

impl From<String> for Either {
    fn from(text: String) -> Either {
        Either(text.split('|').map(str::to_string).collect())
    }
}

impl std::fmt::Display for Either {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(" or "))
    }
}
