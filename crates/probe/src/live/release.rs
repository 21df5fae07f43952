//! From what `uname` says to a profile of the model: [`crate::detect::release`] as runs on live kernels need it.

use cowherd_model::kernels::Kernels;

use crate::detect::release::{Banner, map};

/// The profile that a release is taken for, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// A profile expression.
    pub profile: String,
    /// How it was found, and what is not certain about it.
    pub why: String,
}

/// Maps `uname -r` (`6.1.0-44-cloud-amd64`), `uname -v`, where Debian says which stable release it is, and `uname -m`.
pub fn profile(release: &str, version: &str, machine: &str) -> Option<Mapped> {
    let kernels = Kernels::shipped();
    let arch = match machine {
        "" | "x86_64" => kernels.default_arch().clone(),
        machine => kernels.arch(family(machine)).ok()?,
    };
    let banner = Banner {
        release: release.into(),
        version: version.into(),
        signature: None,
    };
    let mapped = map(kernels, &banner, &arch)?;
    let profile = mapped.expression.ok()?.profile.name;
    let doubts = mapped.doubts.iter().map(|doubt| format!("; {doubt}"));
    Some(Mapped {
        profile,
        why: mapped.from + &doubts.collect::<String>(),
    })
}

/// What the kernel's tree calls a machine.
fn family(machine: &str) -> &str {
    match machine {
        "aarch64" => "arm64",
        "riscv64" => "riscv",
        "s390x" => "s390",
        "ppc64" | "ppc64le" => "powerpc",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(release: &str, version: &str) -> Option<String> {
        profile(release, version, "x86_64").map(|m| m.profile)
    }

    #[test]
    fn a_stable_release_that_was_read_maps_to_itself_and_a_later_one_to_it() {
        assert_eq!(mapped("6.1.176", "#1 SMP"), Some("v6.1.176".into()));
        assert_eq!(mapped("6.1.192", "#1 SMP"), Some("v6.1.176".into()));
    }

    #[test]
    fn an_earlier_one_has_what_was_backported_by_then() {
        let profile = mapped("5.10.223", "#1 SMP").unwrap();
        assert!(profile.starts_with("v5.10+"), "{profile}");
        assert!(profile.contains("+clearrefs_pinned"), "{profile}");
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
    fn what_is_no_release_maps_to_nothing() {
        assert_eq!(mapped("custom", ""), None);
    }
}
