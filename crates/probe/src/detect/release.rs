//! From what a kernel calls itself to a profile: distributions' and stable releases included.

use std::sync::Arc;

use cowherd_model::kernels::{
    Arch, Backport, Composed, FeatureInfo, Kernels, ProfileError, Release,
};

/// What a kernel says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Banner {
    /// `uname -r`: `6.1.0-31-amd64`.
    pub release: String,
    /// `uname -v`: `#1 SMP PREEMPT_DYNAMIC Debian 6.1.128-1 (2025-02-07)`.
    pub version: String,
    /// Ubuntu's `/proc/version_signature`: `Ubuntu 6.8.0-50.51-generic 6.8.12`.
    pub signature: Option<String>,
}

/// The profile that a banner stands for.
#[derive(Clone, Debug)]
pub struct Mapped {
    /// The upstream release.
    pub release: Release,
    /// Where that was read.
    pub from: String,
    /// The expression; or why there is none.
    pub expression: Result<Composed, ProfileError>,
    /// What is not certain about it.
    pub doubts: Vec<String>,
}

/// The upstream release that a banner speaks of, and where it says so; none: it does not.
pub fn upstream(banner: &Banner) -> Option<(Release, String)> {
    if let Some(signature) = &banner.signature
        && let Some(release) = signature.split_whitespace().nth(2).and_then(leading)
    {
        return Some((release, format!("Ubuntu's signature: {signature}")));
    }
    let mut words = banner.version.split_whitespace();
    if words.any(|word| word == "Debian")
        && let Some(release) = words.next().and_then(leading)
    {
        return Some((release, format!("Debian's version: {}", banner.version)));
    }
    let release = leading(&banner.release)?;
    Some((release, format!("the release's name: {}", banner.release)))
}

/// `6.1.128` of `6.1.128-1`.
pub(crate) fn leading(text: &str) -> Option<Release> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let end = text.find(|c: char| c != '.' && !c.is_ascii_digit());
    text[..end.unwrap_or(text.len())]
        .trim_end_matches('.')
        .parse()
        .ok()
}

/// Distributions that put back years of mm/ into old releases: the name of the release says little.
fn reworked(release: &str) -> Option<&'static str> {
    let marks = [
        (".el", "Red Hat and its rebuilds"),
        (".amzn", "Amazon"),
        ("-default", "SUSE"),
        (".uek", "Oracle"),
    ];
    marks
        .iter()
        .find(|(mark, _)| release.contains(mark))
        .map(|(_, who)| *who)
}

/// The profile of what a banner says; none: it names no release.
pub fn map(kernels: &Kernels, banner: &Banner, arch: &Arc<Arch>) -> Option<Mapped> {
    let (release, from) = upstream(banner)?;
    let mut doubts = Vec::new();
    if let Some(who) = reworked(&banner.release) {
        doubts.push(format!(
            "{who} backport much of mm/: `cowherd detect --source` of the package's source tells what is in it"
        ));
    }
    if banner.release.contains("-rc") {
        doubts.push("a release candidate may lack what its release has".into());
    }
    let ubuntu = banner.version.contains("-Ubuntu") && banner.signature.is_none();
    if ubuntu {
        doubts.push("Ubuntu's name does not tell the stable release it contains".into());
    }
    let base = nearest_release(kernels, release, &mut doubts);
    let text = if arch.name == kernels.default_arch().name {
        base.to_string()
    } else {
        format!("{base}/{}", arch.name)
    };
    let expression = if base.is_stable() && !kernels.stable().iter().any(|s| s.release == base) {
        doubts.extend(undated(kernels, base));
        let mainline = text.replacen(&base.to_string(), &base.mainline().to_string(), 1);
        kernels.profile(&mainline).and_then(|mainline| {
            kernels.expression(&mainline.profile, kernels.derive(base, arch).features)
        })
    } else {
        kernels.profile(&text)
    };
    Some(Mapped {
        release,
        from,
        expression,
        doubts,
    })
}

/// The release that the data can speak of: a point release after the one that was read is taken for that one.
fn nearest_release(kernels: &Kernels, release: Release, doubts: &mut Vec<String>) -> Release {
    let newest = kernels.releases().last().unwrap_or(release);
    if release.mainline() > newest {
        doubts.push(format!(
            "{release} is newer than all that is known; taken for {newest}"
        ));
        return newest;
    }
    let branch = kernels.stable().iter().map(|s| s.release);
    let same = branch.filter(|known| known.mainline() == release.mainline());
    match same.filter(|known| *known <= release).max() {
        Some(known) => {
            if known != release {
                doubts.push(format!(
                    "what was put into {release} since {known} is not known"
                ));
            }
            known
        }
        None => release,
    }
}

/// The features of which is not known since which point release of the branch they are there.
fn undated(kernels: &Kernels, release: Release) -> Option<String> {
    let branch = release.mainline();
    let read = |known: Release| kernels.stable().iter().any(|s| s.release == known);
    let open = |info: &&FeatureInfo| {
        info.backports.iter().any(|backport| match backport {
            Backport::Somewhere(of) => *of == branch,
            // It was seen there, which says nothing of the releases before.
            Backport::From(from) => from.mainline() == branch && read(*from) && *from > release,
        })
    };
    let names: Vec<&str> = kernels
        .features()
        .iter()
        .filter(open)
        .map(|info| info.name.as_str())
        .collect();
    let listed = kernels
        .stable()
        .iter()
        .any(|s| s.release.mainline() == branch);
    if !names.is_empty() {
        Some(format!(
            "{branch}.y got these at a point release that is not known, taken as absent: {}",
            names.join(", ")
        ))
    } else if !listed {
        Some(format!(
            "what was put into {branch}.y by {release} is known in part only"
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banner(release: &str, version: &str) -> Banner {
        Banner {
            release: release.into(),
            version: version.into(),
            signature: None,
        }
    }

    fn mapped(banner: &Banner) -> (String, Vec<String>) {
        let kernels = Kernels::shipped();
        let mapped = map(kernels, banner, kernels.default_arch()).unwrap();
        (mapped.expression.unwrap().profile.name, mapped.doubts)
    }

    #[test]
    fn debian_names_the_stable_release_in_its_version() {
        let debian = banner(
            "6.1.0-50-amd64",
            "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-06-01)",
        );
        assert_eq!(mapped(&debian), ("v6.1.176".into(), vec![]));
    }

    #[test]
    fn ubuntu_names_it_in_its_signature() {
        let mut ubuntu = banner("6.12.0-50-generic", "#51-Ubuntu SMP PREEMPT_DYNAMIC");
        assert!(!mapped(&ubuntu).1.is_empty());
        ubuntu.signature = Some("Ubuntu 6.12.0-50.51-generic 6.12.107".into());
        assert_eq!(mapped(&ubuntu), ("v6.12.107".into(), vec![]));
    }

    #[test]
    fn a_later_point_release_is_the_one_that_was_read_with_a_doubt() {
        let (name, doubts) = mapped(&banner("6.1.192", "#1 SMP"));
        assert_eq!(name, "v6.1.176");
        assert_eq!(
            doubts,
            ["what was put into v6.1.192 since v6.1.176 is not known"]
        );
    }

    #[test]
    fn an_earlier_point_release_has_what_is_dated_before_it() {
        let (name, _) = mapped(&banner("5.10.9", "#1 SMP"));
        assert_eq!(
            name,
            "v5.10+fork_wpseq+noswap_pinned+clearrefs_lock+clearrefs_pinned"
        );
    }

    #[test]
    fn a_kernel_newer_than_all_is_taken_for_the_newest() {
        let (name, doubts) = mapped(&banner("9.1.3", "#1 SMP"));
        assert_eq!(
            name,
            Kernels::shipped().releases().last().unwrap().to_string()
        );
        assert!(doubts[0].contains("newer than all"));
    }

    #[test]
    fn a_reworked_kernel_is_doubted() {
        let (name, doubts) = mapped(&banner("5.14.0-427.13.1.el9_4.x86_64", "#1 SMP"));
        assert_eq!(name, "v5.14");
        assert!(doubts[0].contains("--source"));
    }

    #[test]
    fn what_names_no_release_is_not_mapped() {
        assert!(upstream(&banner("custom", "#1")).is_none());
    }
}
