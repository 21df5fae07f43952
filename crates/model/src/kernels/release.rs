//! Releases of Linux and their order.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// A release: v6.1, v5.10.262. Ordered as their numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Release {
    major: u16,
    minor: u16,
    /// 0 for a mainline release, the point release of a stable one.
    point: u16,
}

impl Release {
    /// Before every release that anybody asks about: the `first` of what was always there.
    pub const ALWAYS: Release = Release::new(0, 0, 0);

    /// The release of these numbers; `point` is 0 for mainline.
    pub const fn new(major: u16, minor: u16, point: u16) -> Release {
        Release {
            major,
            minor,
            point,
        }
    }

    /// The mainline release that this one is, or is the stable continuation of.
    #[must_use]
    pub const fn mainline(self) -> Release {
        Release::new(self.major, self.minor, 0)
    }

    /// The point release of a stable branch; 0 for mainline.
    pub const fn point(self) -> u16 {
        self.point
    }

    /// Whether this is a point release of a stable branch.
    pub const fn is_stable(self) -> bool {
        self.point != 0
    }

    /// The mainline release that followed this one.
    #[must_use]
    pub const fn next(self) -> Release {
        match (self.major, self.minor) {
            (4, 20) | (5 | 6, 19) => Release::new(self.major + 1, 0, 0),
            _ => Release::new(self.major, self.minor + 1, 0),
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Release::ALWAYS => f.write_str("always"),
            Release {
                major,
                minor,
                point: 0,
            } => write!(f, "v{major}.{minor}"),
            Release {
                major,
                minor,
                point,
            } => write!(f, "v{major}.{minor}.{point}"),
        }
    }
}

impl fmt::Debug for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotARelease(pub String);

impl fmt::Display for NotARelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no release: one looks like v6.1 or v5.10.262",
            self.0
        )
    }
}

impl std::error::Error for NotARelease {}

impl FromStr for Release {
    type Err = NotARelease;

    /// `v6.1`, `6.1`, `v6.1.0`, `v5.10.262`, `always`.
    fn from_str(text: &str) -> Result<Release, NotARelease> {
        if text == "always" {
            return Ok(Release::ALWAYS);
        }
        let wrong = || NotARelease(text.to_string());
        let numbers = text.strip_prefix('v').unwrap_or(text);
        let mut parts = [0; 3];
        let mut count = 0;
        for part in numbers.split('.') {
            // `parse` alone would accept a sign.
            if count == parts.len() || !part.bytes().all(|b| b.is_ascii_digit()) {
                return Err(wrong());
            }
            parts[count] = part.parse().map_err(|_| wrong())?;
            count += 1;
        }
        if count < 2 {
            return Err(wrong());
        }
        Ok(Release::new(parts[0], parts[1], parts[2]))
    }
}

impl TryFrom<String> for Release {
    type Error = NotARelease;

    fn try_from(text: String) -> Result<Release, NotARelease> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(text: &str) -> Release {
        text.parse().unwrap()
    }

    #[test]
    fn a_release_has_one_spelling_but_reads_several() {
        for text in ["v6.1", "6.1", "v6.1.0", "6.1.0"] {
            assert_eq!(release(text).to_string(), "v6.1");
        }
        assert_eq!(release("5.10.262").to_string(), "v5.10.262");
    }

    #[test]
    fn what_is_no_release_is_refused() {
        for text in [
            "", "v", "6", "v6.", "v6.1.2.3", "v6.x", "6.+1", "6.99999", "v6.1-rc1",
        ] {
            assert!(text.parse::<Release>().is_err(), "{text}");
        }
    }

    #[test]
    fn mainline_goes_from_4_20_to_5_0_to_6_0_to_7_0() {
        assert_eq!(release("v4.19").next(), release("v4.20"));
        assert_eq!(release("v4.20").next(), release("v5.0"));
        assert_eq!(release("v5.19").next(), release("v6.0"));
        assert_eq!(release("v6.19").next(), release("v7.0"));
        assert_eq!(release("v7.0").next(), release("v7.1"));
    }

    #[test]
    fn the_order_is_by_number_not_by_text() {
        assert!(release("v5.9") < release("v5.10"));
        assert!(release("v5.10.262") < release("v5.11"));
        assert!(Release::ALWAYS < release("v2.6.36"));
    }
}
