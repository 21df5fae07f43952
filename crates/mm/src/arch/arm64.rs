//! arm64, with pages of 4 KiB and 48 bits of physical address.
//!
//! Kernel: `arch/arm64/include/asm/{pgtable,pgtable-prot,pgtable-hwdef}.h`.
//!
//! ```text
//! present         58 uffd-wp (6.10)  56 special  55 dirty  54 UXN  53 PXN  51 write  47..12 pfn  11 nG  10 AF  9..8 SH
//!                 7 read-only  6 user  4..2 memory type  1..0 valid
//! protnone        as present without valid and user: ..6.9 with bit 58, 6.10.. with bit 11 (and UXN)
//! swap, 5.10      57..8 offset  7..2 type  1..0 0          58 0
//! swap, 5.19      57..8 offset  7..3 type  2 exclusive  1..0 0          58 0
//! swap, 6.10      61..12 offset  11 0  10..6 type  3 uffd-wp  2 exclusive  1..0 0
//! ```
//!
//! The hardware dirties a page by clearing read-only in an entry that is writable (bit 51 is its permission to do so):
//! an entry is dirty if the software bit says so, or if it is writable and not read-only. There is no soft-dirty.

use super::swp_entry::SwpEntry;
use super::{DecodeError, EncodeError, Entry, Layout, Present, SwapTypes, bit, low, when};

const VALID: u64 = bit(0);
/// Valid, and no block or table.
const TYPE_PAGE: u64 = 0b11;
const USER: u64 = bit(6);
const RDONLY: u64 = bit(7);
const SHARED: u64 = 0b11 << 8;
const AF: u64 = bit(10);
const NG: u64 = bit(11);
const WRITE: u64 = bit(51);
const PXN: u64 = bit(53);
const UXN: u64 = bit(54);
const DIRTY: u64 = bit(55);
const SPECIAL: u64 = bit(56);
/// uffd-wp from 6.10, PROT_NONE before.
const BIT_58: u64 = bit(58);

const PFN_SHIFT: u32 = 12;
const PFN_BITS: u32 = 36;

pub(super) const SWP_EXCLUSIVE: u64 = bit(2);
const SWP_UFFD_WP: u64 = bit(3);
const SWP_OFFSET_BITS: u32 = 50;

/// The layout of arm64 in some releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arm64 {
    /// The meaning of the swap types.
    pub types: SwapTypes,
    era: Era,
}

/// The three layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Era {
    V5_10,
    V5_19,
    V6_10,
}

impl Arm64 {
    /// 5.10.
    pub const V5_10: Arm64 = Arm64 {
        types: SwapTypes::V5_10,
        era: Era::V5_10,
    };

    /// 6.1.
    pub const V6_1: Arm64 = Arm64 {
        types: SwapTypes::V6_1,
        era: Era::V5_19,
    };

    /// 6.12.
    pub const V6_12: Arm64 = Arm64 {
        types: SwapTypes::V6_12,
        era: Era::V6_10,
    };

    /// From 6.15.
    pub const V6_15: Arm64 = Arm64 {
        types: SwapTypes::V6_15,
        era: Era::V6_10,
    };

    const fn has_uffd_wp(&self) -> bool {
        matches!(self.era, Era::V6_10)
    }

    /// Where the type begins, and its width.
    const fn type_field(&self) -> (u32, u32) {
        match self.era {
            Era::V5_10 => (2, 6),
            Era::V5_19 => (3, 5),
            Era::V6_10 => (6, 5),
        }
    }

    const fn offset_shift(&self) -> u32 {
        match self.era {
            Era::V5_10 | Era::V5_19 => 8,
            Era::V6_10 => 12,
        }
    }

    /// Every bit that a swap entry may have set.
    const fn swp_bits(&self) -> u64 {
        let (shift, width) = self.type_field();
        let fields = low(width) << shift | low(SWP_OFFSET_BITS) << self.offset_shift();
        match self.era {
            Era::V5_10 => fields,
            Era::V5_19 => fields | SWP_EXCLUSIVE,
            Era::V6_10 => fields | SWP_EXCLUSIVE | SWP_UFFD_WP,
        }
    }

    fn present(&self, page: Present) -> Result<u64, EncodeError> {
        if page.pfn > low(PFN_BITS) {
            return Err(EncodeError::Pfn);
        }
        if page.soft_dirty {
            return Err(EncodeError::SoftDirty);
        }
        if page.uffd_wp && !self.has_uffd_wp() {
            return Err(EncodeError::UffdWp);
        }
        let access = match (page.protnone, self.era) {
            (false, _) => TYPE_PAGE | USER,
            // PAGE_NONE clears the valid bit only, so bit 1 stays.
            (true, Era::V6_10) => TYPE_PAGE & !VALID,
            (true, Era::V5_10 | Era::V5_19) => TYPE_PAGE & !VALID | BIT_58,
        };
        Ok(access
            | SHARED
            | NG
            | PXN
            | UXN
            | page.pfn << PFN_SHIFT
            | when(page.young, AF)
            | when(page.write, WRITE)
            | when(page.dirty, DIRTY)
            | when(!(page.write && page.dirty), RDONLY)
            | when(page.special, SPECIAL)
            | when(page.uffd_wp, BIT_58))
    }

    fn decode_present(&self, pte: u64) -> Result<Entry, DecodeError> {
        let protnone = self.pte_protnone(pte);
        if pte & VALID == 0 && !protnone {
            // An entry made invalid while it is split; not of a base page.
            return Err(DecodeError(pte));
        }
        let write = pte & WRITE != 0;
        Ok(Entry::Present(Present {
            pfn: (pte >> PFN_SHIFT) & low(PFN_BITS),
            write,
            dirty: pte & DIRTY != 0 || write && pte & RDONLY == 0,
            young: pte & AF != 0,
            soft_dirty: false,
            uffd_wp: self.has_uffd_wp() && pte & BIT_58 != 0,
            special: pte & SPECIAL != 0,
            protnone,
        }))
    }

    fn swp(&self, swp: SwpEntry) -> Result<u64, EncodeError> {
        if swp.offset > low(SWP_OFFSET_BITS) {
            return Err(EncodeError::Offset);
        }
        if swp.exclusive && self.era == Era::V5_10 {
            return Err(EncodeError::Exclusive);
        }
        if swp.soft_dirty {
            return Err(EncodeError::SoftDirty);
        }
        if swp.uffd_wp && !self.has_uffd_wp() {
            return Err(EncodeError::UffdWp);
        }
        Ok(u64::from(swp.ty) << self.type_field().0
            | swp.offset << self.offset_shift()
            | when(swp.exclusive, SWP_EXCLUSIVE)
            | when(swp.uffd_wp, SWP_UFFD_WP))
    }

    fn decode_swp(&self, pte: u64) -> Result<Entry, DecodeError> {
        if pte & !self.swp_bits() != 0 {
            return Err(DecodeError(pte));
        }
        let (shift, width) = self.type_field();
        let swp = SwpEntry {
            ty: (pte >> shift & low(width)) as u8,
            offset: pte >> self.offset_shift() & low(SWP_OFFSET_BITS),
            exclusive: self.era != Era::V5_10 && pte & SWP_EXCLUSIVE != 0,
            soft_dirty: false,
            uffd_wp: self.has_uffd_wp() && pte & SWP_UFFD_WP != 0,
        };
        swp.entry(&self.types, PFN_BITS, pte)
    }
}

impl Layout for Arm64 {
    fn encode(&self, entry: Entry) -> Result<u64, EncodeError> {
        match entry {
            Entry::None => Ok(0),
            Entry::Present(page) => self.present(page),
            Entry::Swap(swap) => self.swp(SwpEntry::of_swap(swap, &self.types)?),
            Entry::Migration(migration) => {
                self.swp(SwpEntry::of_migration(migration, &self.types, PFN_BITS)?)
            }
            Entry::Marker(marker) => self.swp(SwpEntry::of_marker(marker, &self.types)?),
        }
    }

    fn decode(&self, pte: u64) -> Result<Entry, DecodeError> {
        if self.pte_none(pte) {
            Ok(Entry::None)
        } else if self.pte_present(pte) {
            self.decode_present(pte)
        } else {
            self.decode_swp(pte)
        }
    }

    fn pte_none(&self, pte: u64) -> bool {
        pte == 0
    }

    fn pte_present(&self, pte: u64) -> bool {
        let invalid = match self.era {
            Era::V5_10 | Era::V5_19 => BIT_58,
            Era::V6_10 => NG,
        };
        pte & (VALID | invalid) != 0
    }

    fn pte_protnone(&self, pte: u64) -> bool {
        match self.era {
            Era::V5_10 | Era::V5_19 => pte & (VALID | BIT_58) == BIT_58,
            // The split of a huge page invalidates entries in the same way; PROT_NONE is the one without user access.
            Era::V6_10 => pte & (VALID | NG | USER | UXN) == NG | UXN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Migration, MigrationKind, Swap};
    use super::*;

    const PAGE: Present = Present {
        pfn: 0x1234,
        write: true,
        dirty: true,
        young: true,
        soft_dirty: false,
        uffd_wp: false,
        special: false,
        protnone: false,
    };

    #[test]
    fn a_writable_dirty_page_is_not_read_only() {
        // 3 page + 0x40 user + 0x300 SH + 0x400 AF + 0x800 nG = 0xf43; WRITE 51, PXN 53, UXN 54, DIRTY 55.
        let pte = Arm64::V6_12.encode(Entry::Present(PAGE)).unwrap();
        assert_eq!(pte, 0x00e8_0000_0123_4f43);
    }

    #[test]
    fn a_writable_clean_page_is_read_only_until_the_hardware_dirties_it() {
        let clean = Present {
            dirty: false,
            ..PAGE
        };
        let pte = Arm64::V6_12.encode(Entry::Present(clean)).unwrap();
        assert_eq!(pte, 0x0068_0000_0123_4fc3);
        let dirtied = pte & !RDONLY;
        assert_eq!(Arm64::V6_12.decode(dirtied), Ok(Entry::Present(PAGE)));
    }

    #[test]
    fn prot_none_moved_from_bit_58_to_bit_11() {
        let none = Entry::Present(Present {
            write: false,
            dirty: false,
            protnone: true,
            ..PAGE
        });
        assert_eq!(Arm64::V6_1.encode(none).unwrap(), 0x0460_0000_0123_4f82);
        assert_eq!(Arm64::V6_12.encode(none).unwrap(), 0x0060_0000_0123_4f82);
    }

    #[test]
    fn an_exclusive_swap_entry_has_bit_2() {
        let swap = Swap {
            ty: 2,
            offset: 0x10,
            exclusive: true,
            ..Swap::default()
        };
        // 6.1: 0x10 << 8 | 2 << 3 | 4; 6.12: 0x10 << 12 | 2 << 6 | 4.
        assert_eq!(Arm64::V6_1.encode(Entry::Swap(swap)).unwrap(), 0x1014);
        assert_eq!(Arm64::V6_12.encode(Entry::Swap(swap)).unwrap(), 0x1_0084);
        assert_eq!(
            Arm64::V5_10.encode(Entry::Swap(swap)),
            Err(EncodeError::Exclusive)
        );
        let shared = Swap {
            exclusive: false,
            ..swap
        };
        assert_eq!(Arm64::V5_10.encode(Entry::Swap(shared)).unwrap(), 0x1008);
    }

    #[test]
    fn uffd_wp_came_with_6_10() {
        let swap = Entry::Swap(Swap {
            offset: 1,
            uffd_wp: true,
            ..Swap::default()
        });
        assert_eq!(Arm64::V6_12.encode(swap).unwrap(), 0x1008);
        assert_eq!(Arm64::V6_1.encode(swap), Err(EncodeError::UffdWp));
        let page = Entry::Present(Present {
            uffd_wp: true,
            ..PAGE
        });
        assert_eq!(
            Arm64::V6_12.encode(page).unwrap(),
            0x00e8_0000_0123_4f43 | 1 << 58
        );
        assert_eq!(Arm64::V6_1.encode(page), Err(EncodeError::UffdWp));
    }

    #[test]
    fn there_is_no_soft_dirty() {
        let page = Entry::Present(Present {
            soft_dirty: true,
            ..PAGE
        });
        assert_eq!(Arm64::V6_12.encode(page), Err(EncodeError::SoftDirty));
    }

    #[test]
    fn a_migration_entry_has_young_and_dirty_above_the_pfn() {
        let migration = Migration {
            pfn: 5,
            kind: MigrationKind::Writable,
            young: true,
            dirty: true,
            soft_dirty: false,
            uffd_wp: false,
        };
        // Type 26 << 6 = 0x680; (5 | 3 << 36) << 12.
        let pte = Arm64::V6_12.encode(Entry::Migration(migration)).unwrap();
        assert_eq!(pte, 0x0003_0000_0000_5680);
    }

    #[test]
    fn an_invalidated_entry_of_a_split_is_not_prot_none() {
        // Present-invalid, but user-accessible.
        let pte = Arm64::V6_12.encode(Entry::Present(PAGE)).unwrap() & !VALID;
        assert!(Arm64::V6_12.pte_present(pte) && !Arm64::V6_12.pte_protnone(pte));
        assert_eq!(Arm64::V6_12.decode(pte), Err(DecodeError(pte)));
    }
}
