//! Page-table entries, as mm/ sees them. Their bits on real hardware are in [`crate::arch`].

use crate::ids::{Pfn, Slot};
use crate::packed;

packed! {
    /// A PTE of one of a process's virtual pages.
    pub enum Pte {
        /// `pte_none`: nothing was ever mapped, or it was zapped.
        None,
        /// `pte_present`.
        Present { e: Present },
        /// A swap entry (`is_swap_pte`, a genuine one).
        Swap { e: SwapPte },
        /// A migration entry: faults sleep until it goes.
        Migration { e: Migration },
        /// A PTE marker that only remembers userfaultfd write-protection.
        Marker,
    }

    /// A present PTE. `pfn` 0 is the zero page, `pte_special`.
    pub struct Present {
        /// The frame.
        pub pfn: Pfn,
        /// Hardware may write.
        pub write: bool,
        /// `pte_dirty`.
        pub dirty: bool,
        /// `pte_soft_dirty`.
        pub soft_dirty: bool,
        /// `pte_uffd_wp`.
        pub uffd_wp: bool,
        /// `pte_protnone`: present for software, faulting for hardware.
        pub protnone: bool,
        /// `pte_savedwrite`: a NUMA hinting PTE that was writable (before 6.2).
        pub saved_write: bool,
    }

    /// A swap PTE. Writability is not remembered: it is worked out anew from VMA and exclusivity.
    pub struct SwapPte {
        /// Where.
        pub slot: Slot,
        /// `pte_swp_exclusive`: the page was PG_anon_exclusive when it was unmapped (5.19).
        pub exclusive: bool,
        /// `pte_swp_soft_dirty`.
        pub soft_dirty: bool,
        /// `pte_swp_uffd_wp`.
        pub uffd_wp: bool,
    }

    /// A migration entry.
    pub struct Migration {
        /// The frame that is being moved.
        pub pfn: Pfn,
        /// What the PTE becomes again.
        pub kind: MigrationKind,
        /// Was dirty (6.1).
        pub dirty: bool,
        /// `pte_swp_soft_dirty`.
        pub soft_dirty: bool,
        /// `pte_swp_uffd_wp`.
        pub uffd_wp: bool,
    }

    /// `SWP_MIGRATION_*`.
    pub enum MigrationKind {
        /// `SWP_MIGRATION_READ`.
        Readable,
        /// `SWP_MIGRATION_READ_EXCLUSIVE` (5.19).
        ReadableExclusive,
        /// `SWP_MIGRATION_WRITE`: exclusive too.
        Writable,
    }
}

impl Pte {
    /// A present, read-only, clean PTE of `pfn`: what `mk_pte` makes of a private VMA's protection.
    pub fn of(pfn: Pfn) -> Present {
        Present {
            pfn,
            write: false,
            dirty: false,
            soft_dirty: false,
            uffd_wp: false,
            protnone: false,
            saved_write: false,
        }
    }

    /// The present entry, if it is one.
    pub fn present(self) -> Option<Present> {
        match self {
            Pte::Present { e } => Some(e),
            _ => None,
        }
    }

    /// The swap entry, if it is one.
    pub fn swap(self) -> Option<SwapPte> {
        match self {
            Pte::Swap { e } => Some(e),
            _ => None,
        }
    }

    /// The migration entry, if it is one.
    pub fn migration(self) -> Option<Migration> {
        match self {
            Pte::Migration { e } => Some(e),
            _ => None,
        }
    }

    /// The frame that a present PTE maps, unless it is the zero page (`vm_normal_page`).
    pub fn normal_page(self) -> Option<Pfn> {
        self.present()
            .map(|e| e.pfn)
            .filter(|&pfn| pfn != Pfn::ZERO)
    }
}

impl Present {
    /// `pte_write`, which is `pte_savedwrite` for a hinting PTE: what the PTE lets its page be used for once it is accessible.
    pub fn writable(self) -> bool {
        self.write || self.saved_write
    }

    /// `pte_wrprotect`: a hinting PTE loses its saved write bit too.
    pub fn wrprotect(self) -> Present {
        Present {
            write: false,
            saved_write: false,
            ..self
        }
    }

    /// As a PTE.
    pub fn pte(self) -> Pte {
        Pte::Present { e: self }
    }
}
