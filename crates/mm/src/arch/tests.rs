//! What must hold of every layout, over flag combinations exhaustively and over numbers at random.

extern crate std;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// Every layout there is, what to call it, and what it can remember.
struct Case {
    name: &'static str,
    layout: &'static dyn Layout,
    types: SwapTypes,
    pfn_bits: u32,
    /// Bits that no swap entry may have set.
    zero: u64,
    swp_exclusive: bool,
    soft_dirty: bool,
    uffd_wp: bool,
}

const X86_ZERO: u64 = 0x1f1;
const X86_5_LEVELS: X86_64 = X86_64::V6_12.five_levels();

fn x86(name: &'static str, layout: &'static X86_64) -> Case {
    Case {
        name,
        layout,
        types: layout.types,
        pfn_bits: layout.physmem_bits - 12,
        zero: X86_ZERO,
        swp_exclusive: layout.swp_exclusive,
        soft_dirty: true,
        uffd_wp: true,
    }
}

fn arm64(name: &'static str, layout: &'static Arm64, zero: u64, has: (bool, bool)) -> Case {
    Case {
        name,
        layout,
        types: layout.types,
        pfn_bits: 36,
        zero,
        swp_exclusive: has.0,
        soft_dirty: false,
        uffd_wp: has.1,
    }
}

fn cases() -> Vec<Case> {
    // Below 6.10: bits 0 and 1 and from 58; from 6.10: bits 0, 1, 4, 5, 11 and from 62.
    let (old, new) = (0b11 | !low(58), 0x833 | !low(62));
    Vec::from([
        x86("x86-64 5.10", &X86_64::V5_10),
        x86("x86-64 6.1", &X86_64::V6_1),
        x86("x86-64 6.12", &X86_64::V6_12),
        x86("x86-64 6.12, five levels", &X86_5_LEVELS),
        x86("x86-64 6.15", &X86_64::V6_15),
        arm64("arm64 5.10", &Arm64::V5_10, old, (false, false)),
        arm64("arm64 6.1", &Arm64::V6_1, old, (true, false)),
        arm64("arm64 6.12", &Arm64::V6_12, new, (true, true)),
        arm64("arm64 6.15", &Arm64::V6_15, new, (true, true)),
    ])
}

fn bools<const N: usize>() -> impl Iterator<Item = [bool; N]> {
    (0..1_u32 << N).map(|word| core::array::from_fn(|i| word >> i & 1 != 0))
}

impl Case {
    /// Every combination of flags that a present entry of this layout can have.
    fn pages(&self, pfn: u64) -> impl Iterator<Item = Present> {
        let (soft, wp) = (self.soft_dirty, self.uffd_wp);
        bools().map(
            move |[write, dirty, young, soft_dirty, uffd_wp, special, protnone]| Present {
                pfn,
                write,
                dirty,
                young,
                soft_dirty: soft_dirty && soft,
                uffd_wp: uffd_wp && wp,
                special,
                protnone,
            },
        )
    }

    /// Every combination of flags that a swap entry can have.
    fn swaps(&self, ty: u8, offset: u64) -> impl Iterator<Item = Swap> {
        let (excl, soft, wp) = (self.swp_exclusive, self.soft_dirty, self.uffd_wp);
        bools().map(move |[exclusive, soft_dirty, uffd_wp]| Swap {
            ty,
            offset,
            exclusive: exclusive && excl,
            soft_dirty: soft_dirty && soft,
            uffd_wp: uffd_wp && wp,
        })
    }

    /// Every combination of kind and flags that a migration entry can have.
    fn migrations(&self, pfn: u64) -> impl Iterator<Item = Migration> {
        use MigrationKind::{Readable, ReadableExclusive, Writable};
        let (soft, wp, ad) = (self.soft_dirty, self.uffd_wp, self.types.young_dirty);
        let exclusive = self
            .types
            .migration_read_exclusive
            .map(|_| ReadableExclusive);
        let kinds = [Some(Readable), exclusive, Some(Writable)];
        kinds.into_iter().flatten().flat_map(move |kind| {
            bools().map(move |[young, dirty, soft_dirty, uffd_wp]| Migration {
                pfn,
                kind,
                young: young && ad,
                dirty: dirty && ad,
                soft_dirty: soft_dirty && soft,
                uffd_wp: uffd_wp && wp,
            })
        })
    }

    /// Every marker of this release.
    fn markers(&self) -> impl Iterator<Item = Marker> {
        let known = self.types.markers;
        let has = self.types.marker.is_some();
        bools().filter_map(move |[uffd_wp, poisoned, guard]| {
            let bits = when(uffd_wp, 1) | when(poisoned, 2) | when(guard, 4);
            (has && bits != 0 && bits & !known == 0).then_some(Marker {
                uffd_wp,
                poisoned,
                guard,
            })
        })
    }

    /// The word of an entry, which decodes to the entry again.
    fn round_trip(&self, entry: Entry) -> u64 {
        let name = self.name;
        let pte = match self.layout.encode(entry) {
            Ok(pte) => pte,
            Err(error) => panic!("{name}: {entry:?}: {error}"),
        };
        assert_eq!(self.layout.decode(pte), Ok(entry), "{name}: {pte:#018x}");
        pte
    }

    fn check_present(&self, page: Present) {
        let pte = self.round_trip(Entry::Present(page));
        assert!(self.layout.pte_present(pte), "{}: {page:?}", self.name);
        assert!(!self.layout.pte_none(pte), "{}: {page:?}", self.name);
        assert_eq!(
            self.layout.pte_protnone(pte),
            page.protnone,
            "{}: {page:?}",
            self.name
        );
    }

    fn check_not_present(&self, entry: Entry) {
        let pte = self.round_trip(entry);
        assert!(!self.layout.pte_present(pte), "{}: {entry:?}", self.name);
        assert!(!self.layout.pte_none(pte), "{}: {entry:?}", self.name);
        assert!(!self.layout.pte_protnone(pte), "{}: {entry:?}", self.name);
        assert_eq!(
            pte & self.zero,
            0,
            "{}: {entry:?} is {pte:#018x}",
            self.name
        );
    }
}

const EDGES: [u64; 4] = [1, 2, 0x5555, 0xf_ffff];

#[test]
fn none_is_zero_and_nothing_else_is_zero() {
    for case in cases() {
        assert_eq!(case.round_trip(Entry::None), 0);
        assert!(case.layout.pte_none(0) && !case.layout.pte_present(0));
    }
}

#[test]
fn present_entries_round_trip_with_every_combination_of_flags() {
    for case in cases() {
        for pfn in [0, low(case.pfn_bits)].into_iter().chain(EDGES) {
            case.pages(pfn).for_each(|page| case.check_present(page));
        }
    }
}

#[test]
fn swap_entries_round_trip_with_every_type_and_combination_of_flags() {
    for case in cases() {
        for ty in 0..case.types.usable {
            for offset in [low(50) - 1].into_iter().chain(EDGES) {
                for swap in case.swaps(ty, offset) {
                    case.check_not_present(Entry::Swap(swap));
                }
            }
        }
    }
}

#[test]
fn migration_entries_round_trip_with_every_kind_and_combination_of_flags() {
    for case in cases() {
        for pfn in [0, low(case.pfn_bits)].into_iter().chain(EDGES) {
            for migration in case.migrations(pfn) {
                case.check_not_present(Entry::Migration(migration));
            }
        }
    }
}

#[test]
fn markers_round_trip() {
    for case in cases() {
        for marker in case.markers() {
            case.check_not_present(Entry::Marker(marker));
        }
    }
}

#[test]
fn different_entries_are_different_words() {
    for case in cases() {
        let mut words: Vec<u64> = Vec::new();
        let mut entries: Vec<Entry> = Vec::from([Entry::None]);
        for n in EDGES {
            entries.extend(case.pages(n).map(Entry::Present));
            entries.extend(case.swaps(3, n).map(Entry::Swap));
            entries.extend(case.migrations(n).map(Entry::Migration));
        }
        entries.extend(case.markers().map(Entry::Marker));
        // A layout without some flag has repeated entries; those are equal.
        entries.sort_by_key(|entry| std::format!("{entry:?}"));
        entries.dedup();
        words.extend(entries.iter().map(|entry| case.round_trip(*entry)));
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), entries.len(), "{}", case.name);
    }
}

#[test]
fn one_bit_of_a_swap_entry_is_the_exclusive_one() {
    for case in cases().iter().filter(|case| case.swp_exclusive) {
        for swap in case.swaps(1, 0x1234) {
            let word = |exclusive| case.round_trip(Entry::Swap(Swap { exclusive, ..swap }));
            let bit = word(true) ^ word(false);
            assert_eq!(bit.count_ones(), 1, "{}", case.name);
            assert_eq!(word(true) & bit, bit, "{}", case.name);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    for case in cases() {
        let swap = |ty, offset| {
            case.layout.encode(Entry::Swap(Swap {
                ty,
                offset,
                ..Swap::default()
            }))
        };
        assert_eq!(swap(case.types.usable, 1), Err(EncodeError::Type));
        assert_eq!(swap(0, 0), Err(EncodeError::Offset));
        assert_eq!(swap(0, low(50) + 1), Err(EncodeError::Offset));
        assert_eq!(swap(0, u64::MAX), Err(EncodeError::Offset));
        let page = case.layout.encode(Entry::Present(Present {
            pfn: low(case.pfn_bits) + 1,
            ..Present::default()
        }));
        assert_eq!(page, Err(EncodeError::Pfn));
        let marker = case.layout.encode(Entry::Marker(Marker::default()));
        assert_eq!(marker, Err(EncodeError::Marker));
    }
}

proptest! {
    #[test]
    fn any_present_entry_round_trips(pfn: u64) {
        for case in cases() {
            case.pages(pfn & low(case.pfn_bits)).for_each(|page| case.check_present(page));
        }
    }

    #[test]
    fn any_swap_entry_round_trips(ty: u8, offset in 1..low(50)) {
        for case in cases() {
            for swap in case.swaps(ty % case.types.usable, offset) {
                case.check_not_present(Entry::Swap(swap));
            }
        }
    }

    #[test]
    fn any_migration_entry_round_trips(pfn: u64) {
        for case in cases() {
            for migration in case.migrations(pfn & low(case.pfn_bits)) {
                case.check_not_present(Entry::Migration(migration));
            }
        }
    }

    /// What the hardware or a newer kernel wrote beside the known fields does not change what the entry is.
    #[test]
    fn any_word_is_refused_or_means_an_entry_that_can_be_written(pte: u64) {
        for case in cases() {
            if let Ok(entry) = case.layout.decode(pte) {
                case.round_trip(entry);
            }
        }
    }

    /// The same with words that are mostly zero, where random ones are all present.
    #[test]
    fn any_sparse_word_is_refused_or_means_an_entry_that_can_be_written(a: u64, b: u64, c: u64) {
        for case in cases() {
            for pte in [a & b & c & !1, !(a & b & c) & !0x1f1, a << 9, (a << 9) & b] {
                if let Ok(entry) = case.layout.decode(pte) {
                    case.round_trip(entry);
                }
            }
        }
    }

    #[test]
    fn flags_of_a_swap_entry_do_not_touch_type_and_offset(ty in 0_u8..20, offset in 1..low(50)) {
        for case in cases() {
            let words: Vec<u64> =
                case.swaps(ty, offset).map(|swap| case.round_trip(Entry::Swap(swap))).collect();
            let flags = words.iter().fold(0, |flags, word| flags | (word ^ words[0]));
            prop_assert!(words.iter().all(|word| word & !flags == words[0] & !flags));
            prop_assert!(flags.count_ones() <= 3);
            // Below the type and offset on both machines: the fields are elsewhere.
            prop_assert_eq!(flags & !0xe, 0);
        }
    }
}
