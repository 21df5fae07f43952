//! x86-64.
//!
//! Kernel: `arch/x86/include/asm/{pgtable_types,pgtable_64,pgtable-invert}.h`.
//!
//! ```text
//! present   63 NX  58 saved-dirty  51..12 pfn  11 soft-dirty  10 uffd-wp  9 special  8 G  6 D  5 A  2 U  1 W  0 P
//! protnone  as present, with P=0 and G=1; the pfn is inverted
//! swap      63..59 type  58..9 offset, inverted  8 0  7 0  6..4 0  3 exclusive  2 uffd-wp  1 soft-dirty  0 P=0
//! ```
//!
//! - The offset, and the pfn of a PROT_NONE entry, are inverted so that a speculative access through an entry that is
//!   not present (L1TF) goes to physical memory that does not exist.
//! - Bit 8 must be 0 in a swap entry, else it would be PROT_NONE; bit 7, because `pmd_present` looks at it; bits 5 and 6,
//!   because some processors set them in entries that are not present. `pte_none` ignores these two for that reason.
//! - From 6.6 a written entry that is read-only has its dirty bit in bit 58: W=0 with D=1 would be a shadow stack.

use super::swp_entry::SwpEntry;
use super::{DecodeError, EncodeError, Entry, Layout, Present, SwapTypes, bit, low, when};

const PRESENT: u64 = bit(0);
const RW: u64 = bit(1);
const USER: u64 = bit(2);
const ACCESSED: u64 = bit(5);
const DIRTY: u64 = bit(6);
const PROTNONE: u64 = bit(8);
const SPECIAL: u64 = bit(9);
const UFFD_WP: u64 = bit(10);
const SOFT_DIRTY: u64 = bit(11);
const SAVED_DIRTY: u64 = bit(58);
const NX: u64 = bit(63);

const PFN_SHIFT: u32 = 12;
/// `PTE_PFN_MASK`: the field has its architectural width, whatever the machine has.
const PFN_MASK: u64 = low(52) & !low(PFN_SHIFT);

const SWP_SOFT_DIRTY: u64 = RW;
const SWP_UFFD_WP: u64 = USER;
pub(super) const SWP_EXCLUSIVE: u64 = bit(3);
const SWP_OFFSET_SHIFT: u32 = 9;
const SWP_OFFSET_BITS: u32 = 50;
const SWP_TYPE_SHIFT: u32 = 59;
/// What must be zero in a swap entry: 0, 4 to 8.
const SWP_ZERO: u64 = PRESENT | (low(9) & !low(4));

/// `_PAGE_KNL_ERRATUM_MASK`.
const ERRATUM: u64 = ACCESSED | DIRTY;

/// The layout of x86-64 in some releases, with soft-dirty and userfaultfd configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct X86_64 {
    /// The meaning of the swap types.
    pub types: SwapTypes,
    /// Whether bit 3 of a swap entry is PG_anon_exclusive: from 5.19.
    pub swp_exclusive: bool,
    /// Whether a read-only dirty entry uses bit 58: from 6.6.
    pub saved_dirty: bool,
    /// `MAX_PHYSMEM_BITS`: 46 with four levels of page tables, 52 with five.
    pub physmem_bits: u32,
}

impl X86_64 {
    /// 5.10, four levels.
    pub const V5_10: X86_64 = X86_64 {
        types: SwapTypes::V5_10,
        swp_exclusive: false,
        saved_dirty: false,
        physmem_bits: 46,
    };

    /// 6.1, four levels.
    pub const V6_1: X86_64 = X86_64 {
        types: SwapTypes::V6_1,
        swp_exclusive: true,
        ..X86_64::V5_10
    };

    /// 6.12, four levels.
    pub const V6_12: X86_64 = X86_64 {
        types: SwapTypes::V6_12,
        saved_dirty: true,
        ..X86_64::V6_1
    };

    /// From 6.15, four levels.
    pub const V6_15: X86_64 = X86_64 {
        types: SwapTypes::V6_15,
        ..X86_64::V6_12
    };

    /// The same release on a machine with five levels.
    #[must_use]
    pub const fn five_levels(self) -> X86_64 {
        X86_64 {
            physmem_bits: 52,
            ..self
        }
    }

    const fn pfn_bits(&self) -> u32 {
        self.physmem_bits - PFN_SHIFT
    }

    fn present(&self, page: Present) -> Result<u64, EncodeError> {
        if page.pfn > low(self.pfn_bits()) {
            return Err(EncodeError::Pfn);
        }
        let dirty = if self.saved_dirty && !page.write {
            SAVED_DIRTY
        } else {
            DIRTY
        };
        let flags = when(page.write, RW)
            | when(page.dirty, dirty)
            | when(page.young, ACCESSED)
            | when(page.soft_dirty, SOFT_DIRTY)
            | when(page.uffd_wp, UFFD_WP)
            | when(page.special, SPECIAL);
        let pfn = page.pfn << PFN_SHIFT;
        Ok(if page.protnone {
            flags | PROTNONE | (!pfn & PFN_MASK)
        } else {
            flags | PRESENT | USER | NX | pfn
        })
    }

    fn decode_present(&self, pte: u64) -> Result<Entry, DecodeError> {
        let protnone = self.pte_protnone(pte);
        let field = if protnone { !pte } else { pte } & PFN_MASK;
        let pfn = field >> PFN_SHIFT;
        if pfn > low(self.pfn_bits()) {
            return Err(DecodeError(pte));
        }
        let dirty = DIRTY | when(self.saved_dirty, SAVED_DIRTY);
        Ok(Entry::Present(Present {
            pfn,
            write: pte & RW != 0,
            dirty: pte & dirty != 0,
            young: pte & ACCESSED != 0,
            soft_dirty: pte & SOFT_DIRTY != 0,
            uffd_wp: pte & UFFD_WP != 0,
            special: pte & SPECIAL != 0,
            protnone,
        }))
    }

    fn swp(&self, swp: SwpEntry) -> Result<u64, EncodeError> {
        // The largest offset is all ones, and inverted all zeros: with type 0 it would be none.
        if swp.offset >= low(SWP_OFFSET_BITS) {
            return Err(EncodeError::Offset);
        }
        if swp.exclusive && !self.swp_exclusive {
            return Err(EncodeError::Exclusive);
        }
        Ok(u64::from(swp.ty) << SWP_TYPE_SHIFT
            | (!swp.offset & low(SWP_OFFSET_BITS)) << SWP_OFFSET_SHIFT
            | when(swp.exclusive, SWP_EXCLUSIVE)
            | when(swp.uffd_wp, SWP_UFFD_WP)
            | when(swp.soft_dirty, SWP_SOFT_DIRTY))
    }

    fn decode_swp(&self, pte: u64) -> Result<Entry, DecodeError> {
        let zero = SWP_ZERO | when(!self.swp_exclusive, SWP_EXCLUSIVE);
        let offset = !(pte >> SWP_OFFSET_SHIFT) & low(SWP_OFFSET_BITS);
        if pte & zero != 0 || offset == low(SWP_OFFSET_BITS) {
            return Err(DecodeError(pte));
        }
        let swp = SwpEntry {
            ty: (pte >> SWP_TYPE_SHIFT) as u8,
            offset,
            exclusive: pte & SWP_EXCLUSIVE != 0,
            soft_dirty: pte & SWP_SOFT_DIRTY != 0,
            uffd_wp: pte & SWP_UFFD_WP != 0,
        };
        swp.entry(&self.types, self.pfn_bits(), pte)
    }
}

impl Layout for X86_64 {
    fn encode(&self, entry: Entry) -> Result<u64, EncodeError> {
        match entry {
            Entry::None => Ok(0),
            Entry::Present(page) => self.present(page),
            Entry::Swap(swap) => self.swp(SwpEntry::of_swap(swap, &self.types)?),
            Entry::Migration(migration) => self.swp(SwpEntry::of_migration(
                migration,
                &self.types,
                self.pfn_bits(),
            )?),
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
        pte & !ERRATUM == 0
    }

    fn pte_present(&self, pte: u64) -> bool {
        pte & (PRESENT | PROTNONE) != 0
    }

    fn pte_protnone(&self, pte: u64) -> bool {
        pte & (PRESENT | PROTNONE) == PROTNONE
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Marker, Migration, MigrationKind, Swap};
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
    fn a_writable_dirty_page_is_p_w_u_a_d_and_nx() {
        // 1 P + 2 W + 4 U + 0x20 A + 0x40 D = 0x67, pfn 0x1234 from bit 12, NX at the top.
        let pte = X86_64::V6_12.encode(Entry::Present(PAGE)).unwrap();
        assert_eq!(pte, 0x8000_0000_0123_4067);
    }

    #[test]
    fn a_read_only_dirty_page_keeps_its_dirty_bit_elsewhere_from_6_6() {
        let entry = Entry::Present(Present {
            write: false,
            ..PAGE
        });
        assert_eq!(X86_64::V6_1.encode(entry).unwrap(), 0x8000_0000_0123_4065);
        assert_eq!(X86_64::V6_12.encode(entry).unwrap(), 0x8400_0000_0123_4025);
    }

    #[test]
    fn the_software_bits_are_9_to_11() {
        let entry = Entry::Present(Present {
            pfn: 0,
            write: false,
            dirty: false,
            young: false,
            soft_dirty: true,
            uffd_wp: true,
            special: true,
            protnone: false,
        });
        assert_eq!(X86_64::V6_12.encode(entry).unwrap(), 0x8000_0000_0000_0e05);
    }

    #[test]
    fn a_prot_none_page_points_to_memory_that_does_not_exist() {
        // G 0x100 + A 0x20; !0x1234 in bits 51..12.
        let pte = X86_64::V6_12.encode(Entry::Present(Present {
            write: false,
            dirty: false,
            protnone: true,
            ..PAGE
        }));
        assert_eq!(pte.unwrap(), 0x000f_ffff_fedc_b120);
    }

    #[test]
    fn an_exclusive_swap_entry_has_bit_3() {
        // Type 2: 2 << 59 = 0x10...; !0x10 in 50 bits from bit 9: (2^50 - 1 - 16) << 9 = 0x07ff_ffff_ffff_de00.
        let swap = Swap {
            ty: 2,
            offset: 0x10,
            exclusive: true,
            ..Swap::default()
        };
        let pte = X86_64::V6_1.encode(Entry::Swap(swap)).unwrap();
        assert_eq!(pte, 0x17ff_ffff_ffff_de08);
        assert_eq!(
            X86_64::V5_10.encode(Entry::Swap(swap)),
            Err(EncodeError::Exclusive)
        );
    }

    #[test]
    fn a_migration_entry_has_young_and_dirty_above_the_pfn() {
        // Type 24 readable in 6.12: 0xc000...; offset 0x5 | 1 << 34, inverted in 50 bits.
        let migration = Migration {
            pfn: 5,
            kind: MigrationKind::Readable,
            young: true,
            dirty: false,
            soft_dirty: true,
            uffd_wp: false,
        };
        let pte = X86_64::V6_12.encode(Entry::Migration(migration)).unwrap();
        let offset = !0x4_0000_0005_u64 & 0x3_ffff_ffff_ffff;
        assert_eq!(pte, 0xc000_0000_0000_0000 | offset << 9 | 2);
        assert_eq!(pte, 0xc7ff_f7ff_ffff_f402);
        assert_eq!(
            X86_64::V5_10.encode(Entry::Migration(migration)),
            Err(EncodeError::YoungDirty)
        );
    }

    #[test]
    fn a_guard_marker_is_type_31() {
        let marker = Entry::Marker(Marker {
            guard: true,
            ..Marker::default()
        });
        // 31 << 59 = 0xf800...; !4 in 50 bits << 9.
        let pte = X86_64::V6_15.encode(marker).unwrap();
        assert_eq!(pte, 0xffff_ffff_ffff_f600);
        assert_eq!(X86_64::V6_12.encode(marker), Err(EncodeError::Marker));
        assert_eq!(X86_64::V5_10.encode(marker), Err(EncodeError::Marker));
    }

    #[test]
    fn an_entry_that_only_an_erratum_wrote_to_is_none() {
        assert_eq!(X86_64::V6_12.decode(0x60), Ok(Entry::None));
    }

    #[test]
    fn the_largest_offset_is_refused_because_it_would_be_none() {
        let swap = Swap {
            offset: low(50),
            ..Swap::default()
        };
        assert_eq!(
            X86_64::V6_12.encode(Entry::Swap(swap)),
            Err(EncodeError::Offset)
        );
    }

    #[test]
    fn the_offset_of_a_swap_entry_points_to_memory_that_does_not_exist() {
        // Offsets below 2^34 leave the physical address bits 45..36 and up all ones: the top of memory.
        for offset in [1, 0x1000, low(32)] {
            let swap = Swap {
                offset,
                ..Swap::default()
            };
            let pte = X86_64::V6_12.encode(Entry::Swap(swap)).unwrap();
            let top = PFN_MASK & !low(45);
            assert_eq!(pte & top, top, "{offset:#x}");
        }
    }
}
