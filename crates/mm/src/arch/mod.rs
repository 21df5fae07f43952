//! Page-table entries as the real bits of an architecture.
//!
//! Kernel: `arch/*/include/asm/pgtable.h`, `include/linux/swapops.h`.
//!
//! [`Entry`] is an entry with its fields at full width: pfns and offsets as large as the machine has them. A layout
//! ([`X86_64`], [`Arm64`]) writes one into a word and reads it back. The layouts changed over the releases, so each
//! is a value; its constants are named after the first release that has it.
//!
//! What a layout cannot write it refuses. The kernel silently drops a flag that the architecture has no bit for; here
//! that is an error, so that nobody believes the flag was kept.

mod arm64;
mod exclusive_bit;
mod swp_entry;
#[cfg(all(test, not(feature = "wide")))]
mod tests;
mod x86_64;

use core::fmt;

pub use arm64::Arm64;
pub use exclusive_bit::{EXCLUSIVE_BITS, ExclusiveBit, Field};
pub use swp_entry::SwapTypes;
pub use x86_64::X86_64;

/// A page-table entry of the lowest level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// Nothing is there.
    None,
    /// A page.
    Present(Present),
    /// A page that was swapped out.
    Swap(Swap),
    /// A page on its way to another frame.
    Migration(Migration),
    /// No page, but something to remember.
    Marker(Marker),
}

/// An entry that maps a page, for software at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Present {
    /// The frame.
    pub pfn: u64,
    /// The hardware lets user space write.
    pub write: bool,
    /// Written since the flag was cleared.
    pub dirty: bool,
    /// Accessed since the flag was cleared.
    pub young: bool,
    /// Written since soft-dirty was cleared.
    pub soft_dirty: bool,
    /// Write-protected by userfaultfd.
    pub uffd_wp: bool,
    /// A page that is not reference-counted by its mappings, as the zero page.
    pub special: bool,
    /// Present for software, faulting for hardware: PROT_NONE or a NUMA hint.
    pub protnone: bool,
}

/// An entry of a swapped page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Swap {
    /// The swap device; below [`SwapTypes::usable`].
    pub ty: u8,
    /// The slot. Never 0: that is the header of the swap device.
    pub offset: u64,
    /// PG_anon_exclusive when the page was unmapped.
    pub exclusive: bool,
    /// As of the present entry.
    pub soft_dirty: bool,
    /// As of the present entry.
    pub uffd_wp: bool,
}

/// An entry of a page that is being migrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Migration {
    /// The frame that the page leaves.
    pub pfn: u64,
    /// What the present entry may become.
    pub kind: MigrationKind,
    /// As of the present entry.
    pub young: bool,
    /// As of the present entry.
    pub dirty: bool,
    /// As of the present entry.
    pub soft_dirty: bool,
    /// As of the present entry.
    pub uffd_wp: bool,
}

/// What a migration entry says about writing and sharing; exclusivity is in the type, not in a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MigrationKind {
    /// `SWP_MIGRATION_READ`: read-only, and for an anonymous page possibly shared.
    Readable,
    /// `SWP_MIGRATION_READ_EXCLUSIVE`: read-only and exclusive.
    ReadableExclusive,
    /// `SWP_MIGRATION_WRITE`: writable, so an anonymous page is exclusive.
    Writable,
}

/// A marker: what to remember where there is no page. At least one is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Marker {
    /// `PTE_MARKER_UFFD_WP`: write-protected by userfaultfd.
    pub uffd_wp: bool,
    /// `PTE_MARKER_POISONED`: an access is fatal.
    pub poisoned: bool,
    /// `PTE_MARKER_GUARD`: a guard region.
    pub guard: bool,
}

/// Why a layout has no word for an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// The pfn is larger than the machine's physical memory.
    Pfn,
    /// The swap type is none of a swap device.
    Type,
    /// The offset is 0, or larger than the field, or would make the entry none.
    Offset,
    /// No bit for PG_anon_exclusive, in a swap or a migration entry.
    Exclusive,
    /// No bit for soft-dirty.
    SoftDirty,
    /// No bit for userfaultfd's write-protection.
    UffdWp,
    /// No room for young and dirty in a migration entry.
    YoungDirty,
    /// The release has no such marker, or no markers at all.
    Marker,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EncodeError::Pfn => "the pfn is beyond physical memory",
            EncodeError::Type => "the type is not that of a swap device",
            EncodeError::Offset => "the offset does not fit or is that of the swap header",
            EncodeError::Exclusive => "the layout cannot remember PG_anon_exclusive",
            EncodeError::SoftDirty => "the layout cannot remember soft-dirty",
            EncodeError::UffdWp => "the layout cannot remember uffd-wp",
            EncodeError::YoungDirty => "the layout has no room for young and dirty",
            EncodeError::Marker => "the layout has no such marker",
        })
    }
}

impl core::error::Error for EncodeError {}

/// The word is no entry that is described here: of a device or a poisoned page, or with reserved bits set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError(pub u64);

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#018x} is no entry of this layout", self.0)
    }
}

impl core::error::Error for DecodeError {}

/// How an architecture writes an entry, in some releases.
pub trait Layout {
    /// The word for an entry, as the kernel builds it for user memory without the right to execute.
    ///
    /// # Errors
    ///
    /// If a field does not fit or has no bit.
    fn encode(&self, entry: Entry) -> Result<u64, EncodeError>;

    /// The entry that a word stands for.
    ///
    /// # Errors
    ///
    /// If it stands for none that [`Entry`] describes.
    fn decode(&self, pte: u64) -> Result<Entry, DecodeError>;

    /// `pte_none`.
    fn pte_none(&self, pte: u64) -> bool;

    /// `pte_present`: true for a PROT_NONE entry, too.
    fn pte_present(&self, pte: u64) -> bool;

    /// `pte_protnone`.
    fn pte_protnone(&self, pte: u64) -> bool;
}

/// A word with one bit set.
const fn bit(n: u32) -> u64 {
    1 << n
}

/// A word with the lowest `n` bits set.
const fn low(n: u32) -> u64 {
    (1 << n) - 1
}

/// `mask` if `on`, else nothing.
const fn when(on: bool, mask: u64) -> u64 {
    if on { mask } else { 0 }
}
