//! Ranges of profiles, as `Result:` lines name them.
//!
//! A range runs over *mainline releases as published*, on one architecture (x86-64 unless its ends name another).
//! Which profile it speaks for:
//!
//! - A mainline release as published: if it lies in the range.
//! - A stable release: if its mainline release lies in the range, unless another clause names the stable release
//!   itself. So `v5.9..v5.18` speaks for v5.10.262, and one more clause `v5.10.262 Never` takes precedence.
//! - Anything else, a kernel changed by features or one with a name of its own (`part2`, `v6.1-unshare`): never.
//!   Where it would lie between the releases is nobody's guess; it needs a clause that names it.
//! - Another architecture: never, unless the ends name it (`v5.19/riscv..v6.2/riscv`).

use super::{Kernels, Profile, ProfileError, RangeError, Release};

/// A clause's set of profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// Consecutive mainline releases, and the stable ones that continue them.
    Mainline {
        /// The first.
        from: Release,
        /// The last.
        to: Release,
        /// The architecture's name.
        arch: String,
    },
    /// One kernel that is not a mainline release as published.
    Kernel(Box<Profile>),
}

/// How well a range fits a profile. Of two clauses that fit, the greater rank decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// A stable release, through its mainline release.
    Branch,
    /// The profile itself.
    Itself,
}

impl Range {
    /// Whether and how well the range speaks for `profile`.
    pub fn rank(&self, profile: &Profile) -> Option<Rank> {
        match self {
            Range::Kernel(kernel) => kernel.same_kernel(profile).then_some(Rank::Itself),
            Range::Mainline { from, to, arch } => {
                let mainline = profile.release.mainline();
                let fits = profile.published
                    && profile.arch.name == *arch
                    && (*from..=*to).contains(&mainline);
                let rank = if profile.release.is_stable() {
                    Rank::Branch
                } else {
                    Rank::Itself
                };
                fits.then_some(rank)
            }
        }
    }

    /// Whether the range speaks for `profile`, if no clause does so better.
    pub fn contains(&self, profile: &Profile) -> bool {
        self.rank(profile).is_some()
    }

    /// Whether some profile fits both equally well, so that clauses of these ranges contradict each other.
    pub fn overlaps(&self, other: &Range) -> bool {
        match (self, other) {
            (Range::Kernel(a), Range::Kernel(b)) => a.same_kernel(b),
            (
                Range::Mainline { from, to, arch },
                Range::Mainline {
                    from: other_from,
                    to: other_to,
                    arch: other_arch,
                },
            ) => arch == other_arch && from <= other_to && other_from <= to,
            _ => false,
        }
    }

    /// What the clause that speaks best for `profile` says.
    pub fn pick<'a, T>(
        clauses: impl IntoIterator<Item = (&'a Range, T)>,
        profile: &Profile,
    ) -> Option<T> {
        let ranked = clauses
            .into_iter()
            .filter_map(|(range, says)| Some((range.rank(profile)?, says)));
        ranked.max_by_key(|(rank, _)| *rank).map(|(_, says)| says)
    }
}

impl Kernels {
    /// The range that `text` describes: `PROFILE`, `FROM..TO`, `FROM..` or `..TO`. Both ends belong to it.
    ///
    /// # Errors
    ///
    /// If an end is no profile, or no mainline release, or the range is empty.
    pub fn range(&self, text: &str) -> Result<Range, RangeError> {
        let text = text.trim();
        let Some((from, to)) = text.split_once("..") else {
            let profile = self.profile(text)?.profile;
            if !profile.published || profile.release.is_stable() {
                return Ok(Range::Kernel(Box::new(profile)));
            }
            return Ok(Range::Mainline {
                from: profile.release,
                to: profile.release,
                arch: profile.arch.name.clone(),
            });
        };
        let (from, to) = (self.end(from)?, self.end(to)?);
        let arch = match (&from, &to) {
            (Some(from), Some(to)) if from.arch != to.arch => {
                return Err(RangeError::TwoArches(text.to_string()));
            }
            (Some(end), _) | (None, Some(end)) => &end.arch,
            (None, None) => {
                return Err(RangeError::Profile(ProfileError::Syntax {
                    text: text.to_string(),
                    why: "it names no release".to_string(),
                }));
            }
        };
        let from = from.as_ref().map_or(self.oldest, |end| end.release);
        let to = to.as_ref().map_or(self.newest, |end| end.release);
        if to < from {
            return Err(RangeError::Empty(text.to_string()));
        }
        Ok(Range::Mainline {
            from,
            to,
            arch: arch.name.clone(),
        })
    }

    /// One end of a range; `None` for an open one.
    fn end(&self, text: &str) -> Result<Option<Profile>, RangeError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let profile = self.profile(text)?.profile;
        if !profile.published || profile.release.is_stable() {
            return Err(RangeError::NotMainline(text.to_string()));
        }
        Ok(Some(profile))
    }
}
