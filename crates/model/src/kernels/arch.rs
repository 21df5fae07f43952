//! The architecture axis: what a kernel can do depends on the machine, too.

use serde::Deserialize;

use super::Release;

/// An architecture, as far as a verdict may depend on it. Each capability is the first release that has it; `None`
/// if no release has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arch {
    /// The name in expressions: `v5.19/riscv`.
    pub name: String,
    /// Other names that are understood.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Where the kernel's source has it: the folder in `arch/`.
    pub source: String,
    /// The first release of the architecture itself.
    #[serde(default = "always")]
    pub since: Release,
    /// Swap PTEs have a bit for PG_anon_exclusive.
    pub swp_exclusive: Release,
    /// Soft-dirty tracking.
    pub soft_dirty: Option<Release>,
    /// userfaultfd write-protection of anonymous memory.
    pub uffd_wp: Option<Release>,
    /// The lockless GUP-fast.
    pub gup_fast: Option<Release>,
    /// Reclaim defers the TLB flush of an unmap to the end of its batch.
    pub batched_unmap: Option<Release>,
    /// What is not certain.
    pub note: Option<String>,
}

fn always() -> Release {
    Release::ALWAYS
}

impl Arch {
    /// Whether `name` is the architecture's name or one of its aliases.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// Every name of the architecture.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }
}
