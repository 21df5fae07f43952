//! What can be wrong with a profile expression or a range.

use std::fmt;

use super::Release;

/// Why a text is no profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileError {
    /// It does not look like an expression.
    Syntax {
        /// The whole text.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// No release and no named kernel is called this.
    UnknownProfile {
        /// The name.
        name: String,
        /// Names that may be meant.
        suggestions: Vec<String>,
    },
    /// A mainline release outside the known ones.
    OutOfRange {
        /// The release.
        release: Release,
        /// The oldest that is known.
        oldest: Release,
        /// The newest that is known.
        newest: Release,
    },
    /// A point release whose backports are not known.
    UnknownStable {
        /// The release.
        release: Release,
        /// The point releases that are known.
        known: Vec<Release>,
    },
    /// No architecture is called this.
    UnknownArch {
        /// The name.
        name: String,
        /// The architectures.
        known: Vec<String>,
    },
    /// The release is older than the architecture.
    ArchTooNew {
        /// The release.
        release: Release,
        /// The architecture.
        arch: String,
        /// Its first release.
        since: Release,
    },
    /// No feature is called this, and no commit begins so.
    UnknownFeature {
        /// The name or commit id.
        name: String,
        /// Names that may be meant.
        suggestions: Vec<String>,
    },
    /// Commits of several features begin so.
    AmbiguousCommit {
        /// The beginning of a commit id.
        prefix: String,
        /// The features.
        features: Vec<String>,
    },
    /// The model has no such feature, so that an answer would be a guess.
    Unmodelled {
        /// The feature.
        name: String,
        /// Why the model does not have it.
        why: String,
    },
    /// A feature was added without what it needs.
    Needs {
        /// The feature, and what is missing for it, as many as there are.
        missing: Vec<(String, String)>,
        /// The expression with what is missing added.
        with: String,
    },
    /// A feature was removed that others need.
    NeededBy {
        /// The feature that stays and what it misses.
        missing: Vec<(String, String)>,
        /// The expression with the features that need it removed, too.
        with: String,
    },
    /// A question that every kernel answers has no answer left.
    NoRule {
        /// The question.
        group: String,
        /// The answers there are.
        choices: Vec<String>,
    },
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProfileError::Syntax { text, why } => {
                write!(f, "`{text}` is no profile: {why}")
            }
            ProfileError::UnknownProfile { name, suggestions } => {
                write!(f, "unknown profile `{name}`")?;
                did_you_mean(f, suggestions)
            }
            ProfileError::OutOfRange {
                release,
                oldest,
                newest,
            } => write!(f, "{release} is not known: {oldest} to {newest} are"),
            ProfileError::UnknownStable { release, known } => {
                let mainline = release.mainline();
                write!(f, "what was backported to {release} is not known")?;
                if !known.is_empty() {
                    let known: Vec<String> = known.iter().map(Release::to_string).collect();
                    write!(f, ", as it is of {}", known.join(", "))?;
                }
                write!(
                    f,
                    "; `{mainline}` is the mainline release, and +FEATURE adds to it"
                )
            }
            ProfileError::UnknownArch { name, known } => {
                write!(
                    f,
                    "unknown architecture `{name}`: there are {}",
                    known.join(", ")
                )
            }
            ProfileError::ArchTooNew {
                release,
                arch,
                since,
            } => write!(f, "{release} had no {arch}: it came with {since}"),
            ProfileError::UnknownFeature { name, suggestions } => {
                write!(f, "unknown feature `{name}`")?;
                did_you_mean(f, suggestions)
            }
            ProfileError::AmbiguousCommit { prefix, features } => {
                write!(
                    f,
                    "`{prefix}` begins commits of several features: {}",
                    features.join(", ")
                )
            }
            ProfileError::Unmodelled { name, why } => {
                write!(f, "`{name}` is not modelled: {why}")
            }
            ProfileError::Needs { missing, with } => {
                write!(f, "{}: try `{with}`", needs(missing, "is not there"))
            }
            ProfileError::NeededBy { missing, with } => {
                write!(f, "{}: try `{with}`", needs(missing, "would be gone"))
            }
            ProfileError::NoRule { group, choices } => {
                write!(f, "no {group} is left: add one of {}", choices.join(", "))
            }
        }
    }
}

impl std::error::Error for ProfileError {}

/// `a needs b, which is not there; c needs d, which is not there`
fn needs(missing: &[(String, String)], state: &str) -> String {
    let clause =
        |(feature, need): &(String, String)| format!("{feature} needs {need}, which {state}");
    missing.iter().map(clause).collect::<Vec<_>>().join("; ")
}

fn did_you_mean(f: &mut fmt::Formatter<'_>, suggestions: &[String]) -> fmt::Result {
    match suggestions {
        [] => Ok(()),
        [one] => write!(f, "; did you mean `{one}`?"),
        several => write!(f, "; did you mean one of `{}`?", several.join("`, `")),
    }
}

/// Why a text is no range of profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeError {
    /// An end or the single profile is none.
    Profile(ProfileError),
    /// An end is not a mainline release as published.
    NotMainline(String),
    /// The ends are of different architectures.
    TwoArches(String),
    /// The range ends before it begins.
    Empty(String),
}

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RangeError::Profile(error) => error.fmt(f),
            RangeError::NotMainline(end) => {
                write!(
                    f,
                    "a range runs over mainline releases: give `{end}` a clause of its own"
                )
            }
            RangeError::TwoArches(text) => {
                write!(f, "the ends of `{text}` are of different architectures")
            }
            RangeError::Empty(text) => write!(f, "`{text}` ends before it begins"),
        }
    }
}

impl std::error::Error for RangeError {}

impl From<ProfileError> for RangeError {
    fn from(error: ProfileError) -> RangeError {
        RangeError::Profile(error)
    }
}
