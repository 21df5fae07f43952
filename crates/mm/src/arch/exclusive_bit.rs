//! Where the other architectures keep PG_anon_exclusive in a swap entry.
//!
//! Kernel: `_PAGE_SWP_EXCLUSIVE` and the comments "Format of swap PTEs" of `arch/*/include/asm/pgtable*.h`.
//!
//! The bit must be none of the type, none of the offset, none that makes `pte_present`, `pte_none` or `pte_protnone`
//! true, and none that hardware writes in an entry that is not present.

/// A field of a word, both ends in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The lowest bit.
    pub from: u32,
    /// The highest bit.
    pub to: u32,
}

impl Field {
    /// The word with the field all ones.
    pub const fn mask(self) -> u64 {
        let width = self.to - self.from + 1;
        (u64::MAX >> (64 - width)) << self.from
    }
}

/// The bit of one architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExclusiveBit {
    /// The architecture, and the variant where its PTEs differ.
    pub arch: &'static str,
    /// The bit.
    pub mask: u64,
    /// The first release that has it.
    pub since: &'static str,
    /// The field of the swap type.
    pub ty: Field,
    /// The field of the offset. One that is split (hexagon, parisc) is given from its upper part on.
    pub offset: Field,
    /// Why nothing else uses the bit in a swap entry.
    pub free: &'static str,
}

const fn row(
    arch: &'static str,
    mask: u64,
    since: &'static str,
    ty: (u32, u32),
    offset: (u32, u32),
    free: &'static str,
) -> ExclusiveBit {
    ExclusiveBit {
        arch,
        mask,
        since,
        ty: Field {
            from: ty.0,
            to: ty.1,
        },
        offset: Field {
            from: offset.0,
            to: offset.1,
        },
        free,
    }
}

const ATTRIBUTE: &str = "an attribute that means nothing in an entry that is not present";
const SPARE: &str = "a spare bit between the fields";

/// Every architecture whose bit is known, as of 6.12. csky has one, too, at a place that was not looked up; ia64 had
/// one from 6.3 until it was removed in 6.7.
#[rustfmt::skip]
pub const EXCLUSIVE_BITS: &[ExclusiveBit] = &[
    row("x86-64", 1 << 3, "v5.19", (59, 63), (9, 58),
        "PWT: hardware ignores bits 1 to 4 when P=0, and 1 and 2 were taken"),
    row("arm64", 1 << 2, "v5.19", (6, 10), (12, 61),
        "hardware ignores everything but bit 0 of an invalid entry"),
    row("s390", 0x800, "v5.19", (2, 6), (12, 63),
        "_PAGE_LARGE: means nothing in an invalid entry"),
    row("ppc64 book3s", 0x20, "v5.19", (0, 4), (12, 56),
        "_PAGE_NON_IDEMPOTENT: a memory attribute; the type had to move below it first"),
    row("x86-32", 1 << 7, "v6.3", (1, 5), (9, 31), "PSE: means nothing in a PTE"),
    row("x86-32 PAE", 1 << 7, "v6.3", (59, 63), (9, 58), "PSE: means nothing in a PTE"),
    row("riscv", 1 << 6, "v6.3", (7, 11), (12, 63), "A: means nothing when V=0"),
    row("arm", 1 << 7, "v6.3", (2, 6), (8, 31), "L_PTE_RDONLY: means nothing when the entry is not present"),
    row("mips32 R3000", 1 << 7, "v6.3", (10, 14), (15, 31), SPARE),
    row("mips32", 1 << 1, "v6.3", (8, 12), (13, 31), SPARE),
    row("mips32 with 36-bit addresses", 1 << 39, "v6.3", (2, 6), (7, 31), "the word without type and offset is spare"),
    row("mips32 XPA", 1 << 57, "v6.3", (4, 8), (9, 31), "the word without type and offset is spare"),
    row("mips64", 1 << 23, "v6.3", (16, 22), (24, 63), SPARE),
    row("loongarch", 1 << 23, "v6.3", (16, 22), (24, 63), SPARE),
    row("sparc32", 1 << 6, "v6.3", (7, 11), (12, 31), ATTRIBUTE),
    row("sparc64", 1 << 20, "v6.3", (13, 19), (21, 63), SPARE),
    row("alpha", 1 << 39, "v6.3", (32, 38), (40, 63), SPARE),
    row("parisc", 0x100, "v6.3", (0, 4), (10, 31), "_PAGE_ACCESSED: software's"),
    row("ppc book3s32", 0x4, "v6.3", (3, 7), (8, 31), "_PAGE_READ: the type moved up to free it"),
    row("ppc nohash32", 0x4, "v6.3", (3, 7), (8, 31), SPARE),
    row("ppc64 nohash", 0x80, "v6.3", (2, 6), (24, 63), SPARE),
    row("m68k motorola", 0x800, "v6.3", (4, 10), (12, 31), SPARE),
    row("m68k sun3", 0x40, "v6.3", (0, 5), (7, 30), SPARE),
    row("m68k coldfire", 0x80, "v6.3", (0, 6), (11, 31), "CF_PAGE_NOCACHE: a memory attribute"),
    row("sh", 0x40, "v6.3", (1, 5), (11, 31), ATTRIBUTE),
    row("openrisc", 0x800, "v6.3", (5, 10), (12, 31), ATTRIBUTE),
    row("arc", 1 << 5, "v6.3", (0, 4), (13, 31), ATTRIBUTE),
    row("microblaze", 0x80, "v6.3", (2, 6), (8, 31), ATTRIBUTE),
    row("hexagon", 1 << 6, "v6.3", (1, 5), (13, 31), SPARE),
    row("nios2", 1 << 31, "v6.3", (26, 30), (0, 19), SPARE),
    row("xtensa", 1 << 1, "v6.3", (6, 10), (11, 31), ATTRIBUTE),
    row("um", 0x400, "v6.3", (5, 9), (11, 31), SPARE),
];

#[cfg(test)]
mod tests {
    use super::super::{arm64, x86_64};
    use super::*;

    #[test]
    fn the_bit_is_one_bit_and_belongs_to_no_field() {
        for row in EXCLUSIVE_BITS {
            assert_eq!(row.mask.count_ones(), 1, "{}", row.arch);
            assert_eq!(row.mask & row.ty.mask(), 0, "{}", row.arch);
            assert_eq!(row.mask & row.offset.mask(), 0, "{}", row.arch);
            assert_eq!(row.ty.mask() & row.offset.mask(), 0, "{}", row.arch);
        }
    }

    #[test]
    fn the_type_has_room_for_32_types() {
        for row in EXCLUSIVE_BITS {
            assert!(row.ty.mask().count_ones() >= 5, "{}", row.arch);
        }
    }

    #[test]
    fn four_architectures_had_it_first() {
        let early = EXCLUSIVE_BITS.iter().filter(|row| row.since == "v5.19");
        assert_eq!(early.count(), 4);
        let all = EXCLUSIVE_BITS.iter();
        assert!(all.clone().all(|row| matches!(row.since, "v5.19" | "v6.3")));
    }

    #[test]
    fn the_table_agrees_with_the_layouts() {
        let mask = |arch: &str| {
            EXCLUSIVE_BITS
                .iter()
                .find(|row| row.arch == arch)
                .map(|row| row.mask)
        };
        assert_eq!(mask("x86-64"), Some(x86_64::SWP_EXCLUSIVE));
        assert_eq!(mask("arm64"), Some(arm64::SWP_EXCLUSIVE));
    }
}
