//! What all architectures share: an entry that is not present is a type, an offset and a few flags.
//!
//! Kernel: `swp_entry_t`, `make_migration_entry_*`, `make_pte_marker`.
//!
//! Migration entries and markers use the types above those of the swap devices; a migration entry has its pfn, and
//! from 6.1 young and dirty above it, in place of the offset.

use super::{DecodeError, EncodeError, Entry, Marker, Migration, MigrationKind, Swap};
use super::{bit, low, when};

/// The meaning of the 32 types, with every option that takes some switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwapTypes {
    /// How many swap devices there may be (`MAX_SWAPFILES`): the types below it are theirs.
    pub usable: u8,
    /// `SWP_MIGRATION_READ`.
    pub migration_read: u8,
    /// `SWP_MIGRATION_READ_EXCLUSIVE`, from 5.19.
    pub migration_read_exclusive: Option<u8>,
    /// `SWP_MIGRATION_WRITE`.
    pub migration_write: u8,
    /// `SWP_PTE_MARKER`, from 5.19.
    pub marker: Option<u8>,
    /// The kinds of markers that exist, as bits of the offset.
    pub markers: u64,
    /// Whether migration entries keep young and dirty, from 6.1.
    pub young_dirty: bool,
}

const MARKER_UFFD_WP: u64 = 1 << 0;
const MARKER_POISONED: u64 = 1 << 1;
const MARKER_GUARD: u64 = 1 << 2;

impl SwapTypes {
    /// 5.10: hwpoison 27, migration 28 and 29, device-private 30 and 31.
    pub const V5_10: SwapTypes = SwapTypes {
        usable: 27,
        migration_read: 28,
        migration_read_exclusive: None,
        migration_write: 29,
        marker: None,
        markers: 0,
        young_dirty: false,
    };

    /// 6.1: hwpoison 22, migration 23 to 25, devices 26 to 29, marker 30, swap-in error 31.
    pub const V6_1: SwapTypes = SwapTypes {
        usable: 22,
        migration_read: 23,
        migration_read_exclusive: Some(24),
        migration_write: 25,
        marker: Some(30),
        markers: MARKER_UFFD_WP,
        young_dirty: true,
    };

    /// 6.12: hwpoison 23, migration 24 to 26, devices 27 to 30, marker 31. The swap-in error became a marker.
    pub const V6_12: SwapTypes = SwapTypes {
        usable: 23,
        migration_read: 24,
        migration_read_exclusive: Some(25),
        migration_write: 26,
        marker: Some(31),
        markers: MARKER_UFFD_WP | MARKER_POISONED,
        young_dirty: true,
    };

    /// From 6.15: there is one device-exclusive type instead of two, so all but the marker move up by one.
    pub const V6_15: SwapTypes = SwapTypes {
        usable: 24,
        migration_read: 25,
        migration_read_exclusive: Some(26),
        migration_write: 27,
        marker: Some(31),
        markers: MARKER_UFFD_WP | MARKER_POISONED | MARKER_GUARD,
        young_dirty: true,
    };

    fn migration(&self, kind: MigrationKind) -> Option<u8> {
        match kind {
            MigrationKind::Readable => Some(self.migration_read),
            MigrationKind::ReadableExclusive => self.migration_read_exclusive,
            MigrationKind::Writable => Some(self.migration_write),
        }
    }

    fn migration_kind(&self, ty: u8) -> Option<MigrationKind> {
        use MigrationKind::{Readable, ReadableExclusive, Writable};
        [Readable, ReadableExclusive, Writable]
            .into_iter()
            .find(|kind| self.migration(*kind) == Some(ty))
    }
}

/// A non-present entry before the architecture writes it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SwpEntry {
    pub ty: u8,
    pub offset: u64,
    pub exclusive: bool,
    pub soft_dirty: bool,
    pub uffd_wp: bool,
}

impl SwpEntry {
    /// Of a swap entry.
    pub fn of_swap(swap: Swap, types: &SwapTypes) -> Result<SwpEntry, EncodeError> {
        if swap.ty >= types.usable {
            return Err(EncodeError::Type);
        }
        if swap.offset == 0 {
            return Err(EncodeError::Offset);
        }
        Ok(SwpEntry {
            ty: swap.ty,
            offset: swap.offset,
            exclusive: swap.exclusive,
            soft_dirty: swap.soft_dirty,
            uffd_wp: swap.uffd_wp,
        })
    }

    /// Of a migration entry, on a machine with pfns of `pfn_bits` (`SWP_PFN_BITS`).
    pub fn of_migration(
        migration: Migration,
        types: &SwapTypes,
        pfn_bits: u32,
    ) -> Result<SwpEntry, EncodeError> {
        if migration.pfn > low(pfn_bits) {
            return Err(EncodeError::Pfn);
        }
        if (migration.young || migration.dirty) && !types.young_dirty {
            return Err(EncodeError::YoungDirty);
        }
        Ok(SwpEntry {
            ty: types
                .migration(migration.kind)
                .ok_or(EncodeError::Exclusive)?,
            offset: migration.pfn
                | when(migration.young, bit(pfn_bits))
                | when(migration.dirty, bit(pfn_bits + 1)),
            exclusive: false,
            soft_dirty: migration.soft_dirty,
            uffd_wp: migration.uffd_wp,
        })
    }

    /// Of a marker.
    pub fn of_marker(marker: Marker, types: &SwapTypes) -> Result<SwpEntry, EncodeError> {
        let offset = when(marker.uffd_wp, MARKER_UFFD_WP)
            | when(marker.poisoned, MARKER_POISONED)
            | when(marker.guard, MARKER_GUARD);
        let ty = types.marker.ok_or(EncodeError::Marker)?;
        if offset == 0 || offset & !types.markers != 0 {
            return Err(EncodeError::Marker);
        }
        Ok(SwpEntry {
            ty,
            offset,
            exclusive: false,
            soft_dirty: false,
            uffd_wp: false,
        })
    }

    /// What the type says it is; `pte` is for the error.
    pub fn entry(self, types: &SwapTypes, pfn_bits: u32, pte: u64) -> Result<Entry, DecodeError> {
        let wrong = Err(DecodeError(pte));
        if self.ty < types.usable {
            if self.offset == 0 {
                return wrong;
            }
            return Ok(Entry::Swap(Swap {
                ty: self.ty,
                offset: self.offset,
                exclusive: self.exclusive,
                soft_dirty: self.soft_dirty,
                uffd_wp: self.uffd_wp,
            }));
        }
        if self.exclusive {
            return wrong;
        }
        if let Some(kind) = types.migration_kind(self.ty) {
            let flags = self.offset >> pfn_bits;
            if flags > when(types.young_dirty, 0b11) {
                return wrong;
            }
            return Ok(Entry::Migration(Migration {
                pfn: self.offset & low(pfn_bits),
                kind,
                young: flags & 0b01 != 0,
                dirty: flags & 0b10 != 0,
                soft_dirty: self.soft_dirty,
                uffd_wp: self.uffd_wp,
            }));
        }
        let is_marker = types.marker == Some(self.ty)
            && self.offset != 0
            && self.offset & !types.markers == 0
            && !self.soft_dirty
            && !self.uffd_wp;
        if is_marker {
            return Ok(Entry::Marker(Marker {
                uffd_wp: self.offset & MARKER_UFFD_WP != 0,
                poisoned: self.offset & MARKER_POISONED != 0,
                guard: self.offset & MARKER_GUARD != 0,
            }));
        }
        wrong
    }
}
