//! What an architecture lacks, and a test asks for.

use cowherd_litmus::Span;
use cowherd_litmus::ast::{Activity, AtomKind, Call, Test, UffdMode};

use super::{Refused, refuse};
use crate::kernels::{Profile, Release};

/// The release that userfaultfd's write-protection came with, on the first architecture that has it. Older kernels run a test of it as if they had it.
const UFFD_WP: Release = Release::new(5, 7, 0);

/// Refuses a test that asks for soft-dirty tracking or userfaultfd's write-protection where the architecture has none.
pub(crate) fn there(test: &Test, profile: &Profile) -> Result<(), Refused> {
    let lacks = |what: &str| {
        let (release, arch) = (profile.release, &profile.arch.name);
        format!("{release} has no {what} on {arch}")
    };
    if !profile.has_soft_dirty()
        && let Some(span) = soft_dirty(test)
    {
        return refuse(span, lacks("soft-dirty tracking"));
    }
    if !profile.has_uffd_wp()
        && profile.release >= UFFD_WP
        && let Some(span) = uffd_wp(test)
    {
        return refuse(span, lacks("write-protection by userfaultfd"));
    }
    Ok(())
}

/// Where a test asks for soft-dirty tracking.
fn soft_dirty(test: &Test) -> Option<Span> {
    let call = |call: &Call| matches!(call, Call::ClearRefs { .. });
    let activity = |activity: &Activity| matches!(activity, Activity::ClearRefs { .. });
    let tracked = test.pages.iter().find(|page| page.attributes.tracked);
    let mut asked = None;
    test.condition.prop.atoms(&mut |atom| {
        if matches!(atom.kind, AtomKind::SoftDirty(_)) {
            asked = Some(atom.span);
        }
    });
    tracked
        .map(|page| page.span)
        .or_else(|| statement(test, call, activity))
        .or(asked)
}

/// Where a test asks for write-protection by userfaultfd.
fn uffd_wp(test: &Test) -> Option<Span> {
    let call = |call: &Call| {
        matches!(
            call,
            Call::UffdWriteprotect { .. } | Call::UffdUnprotect { .. } | Call::UffdRwprotect { .. }
        )
    };
    let registered = test.pages.iter().find(|page| {
        let mode = page.attributes.uffd.map(|uffd| uffd.mode);
        matches!(mode, Some(UffdMode::Wp | UffdMode::Rwp))
    });
    registered
        .map(|page| page.span)
        .or_else(|| statement(test, call, |_| false))
}

/// The first statement of this kind.
fn statement(
    test: &Test,
    call: impl Fn(&Call) -> bool,
    activity: impl Fn(&Activity) -> bool,
) -> Option<Span> {
    let stmts = test.threads.iter().flat_map(|thread| &thread.stmts);
    let calls = stmts.filter(|stmt| call(&stmt.call)).map(|stmt| stmt.span);
    let stmts = test.kernel.iter().flat_map(|kernel| &kernel.activities);
    let activities = stmts
        .filter(|stmt| activity(&stmt.activity))
        .map(|stmt| stmt.span);
    calls.chain(activities).next()
}

#[cfg(test)]
mod tests {
    use crate::kernels::Kernels;
    use crate::lower::lower;

    fn runs(kernel: &str, page: &str, line: &str) -> Result<(), String> {
        let text = format!("MM t\n{{ anon x = 1{page}; }}\nP0 in A {{ {line} }}\nexists (true)\n");
        let test = cowherd_litmus::parse("t", &text).expect("a test");
        let profile = Kernels::shipped()
            .profile(kernel)
            .expect("a kernel")
            .profile;
        match lower(&test, &profile, true) {
            Ok(_) => Ok(()),
            Err(refused) => Err(refused.message),
        }
    }

    #[test]
    fn a_test_of_soft_dirty_needs_an_architecture_that_has_it() {
        for kernel in ["v5.18", "v5.18/s390", "v6.18/riscv"] {
            assert_eq!(runs(kernel, "", "clear_refs(A);"), Ok(()), "{kernel}");
        }
        for (page, line) in [("", "clear_refs(A);"), (" tracked", "x = 2;")] {
            let refused = Err("v5.18 has no soft-dirty tracking on arm64".into());
            assert_eq!(runs("v5.18/arm64", page, line), refused);
        }
        assert_eq!(runs("v5.18/arm64", "", "x = 2;"), Ok(()));
    }

    #[test]
    fn a_test_of_uffd_wp_needs_an_architecture_that_has_it() {
        for kernel in ["v5.8", "v6.12/arm64", "v4.19"] {
            assert_eq!(runs(kernel, " uffd(wp)", "x = 2;"), Ok(()), "{kernel}");
        }
        let refused = Err("v6.6 has no write-protection by userfaultfd on arm64".into());
        assert_eq!(runs("v6.6/arm64", " uffd(wp)", "x = 2;"), refused);
        assert_eq!(runs("v6.6/arm64", " uffd(missing)", "x = 2;"), Ok(()));
    }
}
