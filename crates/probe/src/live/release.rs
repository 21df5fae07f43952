//! From a kernel's release to a profile of the model.

use cowherd_model::kernels::Kernels;

/// The profile that a release is taken for, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// A profile expression.
    pub profile: String,
    /// How it was found.
    pub why: String,
}

/// Maps `uname -r` and `uname -m`: `6.1.176`, `6.1.0-44-cloud-amd64` (whose version text names the stable release), `6.8.0-45-generic`,
/// `7.2.12-rc1`.
///
/// `version` is `uname -v`, where Debian says which stable release it is.
pub fn profile(release: &str, version: &str, arch: &str) -> Option<Mapped> {
    let debian = version
        .split_whitespace()
        .skip_while(|word| *word != "Debian")
        .nth(1)
        .map(|word| word.split(['-', '+', '~']).next().unwrap_or(word));
    let text = debian.unwrap_or(release);
    let mut numbers = text
        .split(|c: char| !c.is_ascii_digit())
        .take(3)
        .map(|n| n.parse::<u16>().ok());
    let (major, minor) = (numbers.next()??, numbers.next()??);
    let patch = numbers.next().flatten().unwrap_or(0);
    let arch = match arch {
        "x86_64" | "" => "",
        "aarch64" => "/arm64",
        "riscv64" => "/riscv",
        "s390x" => "/s390",
        "ppc64le" | "ppc64" => "/powerpc",
        other => {
            let found = Kernels::shipped()
                .profile(&format!("v6.12/{other}"))
                .is_ok();
            return found.then(|| Mapped {
                profile: format!("v{major}.{minor}/{other}"),
                why: format!("release {release}"),
            });
        }
    };
    let known = |text: &str| Kernels::shipped().profile(text).is_ok();
    // Ubuntu numbers 5.15.0-91 whatever stable release it took; everybody else's third number is the stable release.
    let stable = if debian.is_some() || !release.contains("-generic") {
        patch
    } else {
        0
    };
    let exact = format!("v{major}.{minor}.{stable}{arch}");
    if stable > 0 && known(&exact) {
        return Some(Mapped {
            profile: exact,
            why: format!("stable release {major}.{minor}.{stable}"),
        });
    }
    let mainline = format!("v{major}.{minor}{arch}");
    known(&mainline).then(|| Mapped {
        profile: mainline,
        why: format!("mainline {major}.{minor}; what was backported to {release} is not known"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(release: &str, version: &str) -> Option<String> {
        profile(release, version, "x86_64").map(|m| m.profile)
    }

    #[test]
    fn stable_releases_map_to_themselves() {
        assert_eq!(mapped("6.1.176", "#1 SMP"), Some("v6.1.176".into()));
        assert_eq!(mapped("5.10.223", "#1 SMP"), Some("v5.10.223".into()));
    }

    #[test]
    fn debians_version_text_names_the_stable_release() {
        let text = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-10-01)";
        assert_eq!(
            mapped("6.1.0-44-cloud-amd64", text),
            Some("v6.1.176".into())
        );
    }

    #[test]
    fn ubuntus_numbers_are_not_taken_for_stable_releases() {
        let text = "#101-Ubuntu SMP Tue Nov 14";
        assert_eq!(mapped("5.15.0-91-generic", text), Some("v5.15".into()));
    }

    #[test]
    fn what_is_no_release_maps_to_nothing() {
        assert_eq!(mapped("custom", ""), None);
        assert_eq!(mapped("99.1.0", ""), None);
    }
}
