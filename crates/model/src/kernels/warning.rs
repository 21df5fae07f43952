//! What should be said about a profile that was made by an expression.

use std::fmt;

use cowherd_mm::Feature;

use super::Profile;

/// A profile and what should be said about how it came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    /// The kernel.
    pub profile: Profile,
    /// What the expression says in vain, or does besides what it says.
    pub warnings: Vec<Warning>,
}

/// Something that an expression says in vain, or does besides what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The feature is added to a kernel that has it.
    AlreadyThere {
        /// The feature.
        feature: Feature,
    },
    /// The feature is taken from a kernel that does not have it.
    NotThere {
        /// The feature.
        feature: Feature,
    },
    /// Both are answers to one question, and the new one is taken.
    Replaces {
        /// The feature that was added.
        feature: Feature,
        /// The feature that went.
        old: Feature,
    },
    /// What went away with a feature that was replaced, because it needed it.
    GoesToo {
        /// What went.
        feature: Feature,
        /// What it needed.
        need: String,
    },
    /// A revert: with the feature gone, what it replaced is back.
    ComesBack {
        /// The feature that was removed.
        removed: Feature,
        /// What is back.
        feature: Feature,
    },
    /// The feature does nothing in this kernel.
    Idle {
        /// The feature.
        feature: Feature,
        /// What it does nothing without.
        need: String,
    },
    /// The commit is only a part of the feature, which is added or removed whole.
    OnlyPart {
        /// The commit as it was written.
        commit: String,
        /// The feature.
        feature: Feature,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::AlreadyThere { feature } => {
                write!(f, "{} is there already", feature.name())
            }
            Warning::NotThere { feature } => write!(f, "{} is not there anyway", feature.name()),
            Warning::Replaces { feature, old } => {
                write!(f, "{} takes the place of {}", feature.name(), old.name())
            }
            Warning::GoesToo { feature, need } => {
                write!(f, "{} goes too: it needs {need}", feature.name())
            }
            Warning::ComesBack { removed, feature } => {
                write!(f, "without {}, {} is back", removed.name(), feature.name())
            }
            Warning::Idle { feature, need } => {
                write!(
                    f,
                    "{} does nothing here: there is no {need}",
                    feature.name()
                )
            }
            Warning::OnlyPart { commit, feature } => {
                write!(
                    f,
                    "{commit} is only a part of {}, which is meant",
                    feature.name()
                )
            }
        }
    }
}
