//! The features of a kernel: each one upstream change, or one rule that was never absent.
//!
//! Code asks [`crate::Kernel::has`] for a feature and never for a version; which release has which feature is data
//! (`kernels/` in the repository). Names are those of the data files and of `-k v6.12-unshare` on the command line.

macro_rules! features {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// One switchable property of a kernel.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Feature { $($(#[doc = $doc])+ $variant,)+ }

        impl Feature {
            /// Every feature, in the order of declaration.
            pub const ALL: &'static [Feature] = &[$(Feature::$variant,)+];

            /// The name in data files and on the command line.
            pub fn name(self) -> &'static str {
                match self { $(Feature::$variant => $name,)+ }
            }

            /// The feature of this name.
            pub fn from_name(name: &str) -> Option<Feature> {
                match name { $($name => Some(Feature::$variant),)+ _ => None }
            }
        }
    };
}

features! {
    // COW and reuse on a write fault.
    /// `do_wp_page` reuses by mapcount + swapcount (`reuse_swap_page`), whatever the references; before 5.9.
    WpMapcount = "wp_mapcount",
    /// A KSM page with a single user is reused; 5.1 to 5.8.
    ReuseKsm = "reuse_ksm",
    /// Every GUP on a COW mapping breaks COW first; 5.8.
    GupForceCow = "gup_force_cow",
    /// `do_wp_page` reuses iff the reference count is 1; 5.9.
    WpRefcount1 = "wp_refcount1",
    /// `do_wp_page` tries to leave the swap cache before it counts; 5.18.
    WpSwapfree = "wp_swapfree",
    /// `do_wp_page` drains the local LRU batch before it counts; 5.18.
    WpLrudrain = "wp_lrudrain",
    /// A page that waits in a batch to be moved among the LRU lists is off them, PG_lru clear; 6.11 to 6.16.
    BatchClearsLru = "batch_clears_lru",
    /// `do_swap_page` reuses by reference count, and drops the slot count first; 5.18.
    SwapinRefcount = "swapin_refcount",
    /// PG_anon_exclusive; 5.19.
    AnonExclusive = "anon_exclusive",
    /// GUP pins read-only only what is exclusive, by an unshare fault; 5.19.
    Unshare = "unshare",
    /// The swap PTE remembers PG_anon_exclusive; 5.19 on four architectures, 6.3 on all.
    SwpExclusive = "swp_exclusive",
    /// A read-only long-term pin breaks COW on zero page and page cache too; 6.2.
    LongtermCow = "longterm_cow",
    /// FOLL_FORCE accepts a read-only PTE iff its page is exclusive; 6.0.
    ForceExcl = "force_excl",
    /// Barriers between clearing PG_anon_exclusive and GUP-fast; 6.1.
    GupfastBarriers = "gupfast_barriers",

    // fork, GUP, soft-dirty, userfaultfd, mprotect, KSM, migration.
    /// FOLL_PIN counts 1024, so that `maybe_dma_pinned` exists; 5.7.
    PinBias = "pin_bias",
    /// The mm remembers that it ever pinned; 5.9.
    HasPinned = "has_pinned",
    /// fork copies a page that may be pinned; 5.9.
    ForkEarlyCopy = "fork_early_copy",
    /// GUP-fast pins back off from a concurrent fork (write_protect_seq); 5.11.
    ForkWpseq = "fork_wpseq",
    /// Reclaim does not add a page that may be pinned to the swap cache; 5.11.
    NoswapPinned = "noswap_pinned",
    /// Reclaim re-checks pins after the unmap; 6.3.
    ReclaimUnmappedPin = "reclaim_unmapped_pin",
    /// clear_refs holds mmap_lock for write over the walk; 5.11.
    ClearrefsLock = "clearrefs_lock",
    /// clear_refs skips pages that may be pinned; 5.11.
    ClearrefsPinned = "clearrefs_pinned",
    /// `do_wp_page` flushes a pending userfaultfd write-protection; 5.12.
    UffdwpFlush = "uffdwp_flush",
    /// Reclaim discards a lazily freed page only if nobody else refers to it; 5.18.
    MadvfreeRefs = "madvfree_refs",
    /// A lazily freed page with extra references stays lazy; 6.15.
    MadvfreeKeepLazy = "madvfree_keep_lazy",
    /// Adding to the swap cache always dirties; 4.14.
    LazyfreeDirty = "lazyfree_dirty",
    /// No reuse under writeback to a stable-writes device; 4.10.
    StableAnon = "stable_anon",
    /// A new KSM stable page is dirtied; 4.5.
    KsmDirty = "ksm_dirty",
    /// `break_ksm` unshares instead of writing; 6.2.
    KsmUnshare = "ksm_unshare",
    /// `follow_page` does not find what a PROT_NONE PTE maps; 6.1 to 6.4.
    FollowNoProtnone = "follow_no_protnone",
    /// ksmd walks the page table to find pages, and does not ask `follow_page`; 6.18.
    KsmWalkScan = "ksm_walk_scan",
    /// mprotect maps exclusive pages writable at once; 6.0.
    MprotectExcl = "mprotect_excl",
    /// ... clean ones too; 6.2.
    MprotectExclClean = "mprotect_excl_clean",
    /// A NUMA hinting fault restores writability by exclusivity, not by a saved bit; 6.2.
    NumaExcl = "numa_excl",
    /// Migration entries keep young and dirty; 6.1.
    MigYoungDirty = "mig_young_dirty",
    /// Faults under the per-VMA lock; 6.4.
    PerVmaLock = "per_vma_lock",
    /// fork write-locks every VMA of the parent; 6.5.
    ForkVmaLock = "fork_vma_lock",
    /// UFFDIO_MOVE; 6.8.
    UffdMove = "uffd_move",
    /// ... of the zero page too; 6.9.
    UffdMoveZeropage = "uffd_move_zeropage",
    /// UFFDIO_MOVE locks the swap-cache folio and mends its index; 6.14.
    UffdMoveSc1 = "uffd_move_sc1",
    /// UFFDIO_MOVE checks the swap cache again under the PTL; 6.16.
    UffdMoveSc2 = "uffd_move_sc2",
    /// Block, iomap and legacy direct I/O pins instead of gets; 6.5.
    DioPin = "dio_pin",
    /// FUSE direct I/O pins instead of gets.
    FusePin = "fuse_pin",
    /// mprotect, munmap and mremap flush what reclaim deferred; 4.13.
    BatchedFlush = "batched_flush",
    /// mremap flushes before it drops the PTL; 4.20.
    MremapFlush = "mremap_flush",
    /// The writable upgrade of mprotect and NUMA honours soft-dirty; 6.0.
    SoftDirtyMprotect = "soft_dirty_mprotect",

    // Swap.
    /// `do_swap_page` checks swap cache and entry again under the folio lock; 2.6.36.
    SwapinLock = "swapin_lock",
    /// Swap-in from a synchronous device bypasses the swap cache; 4.15 to 6.19.
    SkipCache = "skip_cache",
    /// ... after it claimed the slot; 6.8.
    SkipCacheClaim = "skip_cache_claim",
    /// `do_swap_page` holds a reference to the swap device; 5.14.
    SwapdevRef = "swapdev_ref",
    /// `free_swap_and_cache` holds a reference to the swap device; 6.9.
    FreeSwapoff = "free_swapoff",
    /// A read fault on an exclusive swapped page maps it writable; by 6.12.
    SwapinRoW = "swapin_ro_w",
    /// A synchronous device no longer bypasses the swap cache; 7.0.
    NoBypass = "no_bypass",
    /// ... and swap-in always tries to free the swap cache; 7.0.
    SyncAlwaysFree = "sync_always_free",
    /// The slot count is dropped after the page is mapped; 7.0.
    FreeAfterMap = "free_after_map",
    /// swapoff keeps soft-dirty and uffd-wp bits.
    SwapoffKeepBits = "swapoff_keep_bits",

    // Rules that were never absent (or not since v4.19): switched off, a mutant.
    /// GUP keeps asking for a page that COW broke for it, instead of dropping FOLL_WRITE after the fault; 4.8.3.
    FollCow = "foll_cow",
    /// /proc/pid/mem has FOLL_FORCE: it reaches what its owner may not.
    MemForce = "mem_force",
    /// /proc/pid/mem does not give up mmap_lock to wait for userspace.
    MemKeepsLock = "mem_keeps_lock",
    /// GUP-fast reads the PTE again once it has the reference.
    GupfastRecheck = "gupfast_recheck",
    /// try_to_unmap hands the PTE's dirty bit on to the page, before it looks at the page's own.
    TtuDirty = "ttu_dirty",
    /// try_to_unmap leaves an exclusive page alone that may be pinned; 5.19, with anon_exclusive.
    TtuPinTest = "ttu_pin_test",
    /// Page-out gives up on a page with references that it cannot explain.
    PageoutRefs = "pageout_refs",
    /// Page-out flushes what the unmapping deferred before it submits.
    PageoutFlush = "pageout_flush",
    /// A page is dropped only if its reference count can be frozen at what the cache and the isolation hold.
    FreezeRefs = "freeze_refs",
    /// A page that became dirty again is not dropped.
    FreezeDirty = "freeze_dirty",
    /// A page under writeback is not unmapped again.
    ShrinkWriteback = "shrink_writeback",
    /// A fault takes a page out of the swap cache, and reuses it, only if no swap PTE refers to it.
    ReuseSwapcount = "reuse_swapcount",
    /// fork flushes the parent's TLBs before the parent may go on.
    ForkFlush = "fork_flush",
    /// fork leaves out the page tables of a VMA that has no anon_vma.
    ForkNeedsCopy = "fork_needs_copy",
    /// zap flushes before it drops the page.
    ZapFlush = "zap_flush",
    /// fork clears PG_anon_exclusive of a page that it shares; 5.19, with anon_exclusive.
    ForkClearExclusive = "fork_clear_exclusive",
    /// fork clears the exclusive bit of a swap PTE that it shares; 5.19, with swp_exclusive.
    ForkClearSwpExclusive = "fork_clear_swp_exclusive",
    // KSM, migration, swapoff: rules that were never absent.
    /// ksmd takes a read-only clean PTE for what it seems only if no flush is pending in the mm; 4.14.
    KsmTlbPending = "ksm_tlb_pending",
    /// ksmd clears the PTE before it counts references and pins.
    KsmClearFirst = "ksm_clear_first",
    /// ksmd flushes the PTE that it cleared.
    KsmFlush = "ksm_flush",
    /// ksmd merges no page with references that it cannot explain.
    KsmRefTest = "ksm_ref_test",
    /// ksmd clears PG_anon_exclusive of a page that it merges; 5.19, with anon_exclusive.
    KsmClearExclusive = "ksm_clear_exclusive",
    /// ksmd compares contents again once the page is write-protected.
    KsmCompare = "ksm_compare",
    /// ksmd replaces only the PTE that it left write-protected.
    KsmPteSame = "ksm_pte_same",
    /// ksmd flushes before it drops the page that it replaced.
    KsmReplaceFlush = "ksm_replace_flush",
    /// Migration flushes before it looks at references and copies.
    MigFlush = "mig_flush",
    /// Migration hands the PTE's dirty bit on to the page.
    MigDirty = "mig_dirty",
    /// Migration leaves an exclusive page alone that may be pinned; 5.19, with anon_exclusive.
    MigPinTest = "mig_pin_test",
    /// A migration entry remembers PG_anon_exclusive of a read-only PTE; 5.19, with anon_exclusive.
    MigReadableExclusive = "mig_readable_exclusive",
    /// Migration waits for writeback, or gives up.
    MigWriteback = "mig_writeback",
    /// Migration gives up on a page with references that it cannot explain.
    MigRefTest = "mig_ref_test",
    /// Migration hands PG_dirty on to the new page.
    MigMoveDirty = "mig_move_dirty",
    /// Migration restores a writable PTE only where there was one, and never past a userfaultfd write-protection; the latter 6.2 for shared memory.
    MigWrprotect = "mig_wrprotect",
    /// Once swapoff has begun no slot is handed out.
    SwapoffNoSlots = "swapoff_no_slots",
    /// swapoff waits for writeback before it maps a page.
    SwapoffWriteback = "swapoff_writeback",
    /// swapoff maps a page only where the swap PTE is still there.
    SwapoffPteSame = "swapoff_pte_same",
    /// swapoff restores PG_anon_exclusive from the swap PTE; 5.19, with swp_exclusive.
    SwapoffExclusive = "swapoff_exclusive",

    /// Asynchronous migration (compaction) defers its flushes until the page is unmapped everywhere; 6.3.
    MigBatchFlush = "mig_batch_flush",
    /// MADV_POPULATE_READ, MADV_POPULATE_WRITE; 5.14.
    MadvPopulate = "madv_populate",

    // Protection changes, userfaultfd, MADV_FREE, mremap.
    /// The NUMA hinting scan skips private pages with any other reference, not just other mappings; 5.17 to 6.9.
    NumaSkipRefs = "numa_skip_refs",
    /// The NUMA hinting scan skips private pages that are mapped elsewhere or may be pinned; 6.10.
    NumaSkipPinned = "numa_skip_pinned",
    /// UFFDIO_CONTINUE maps a page-cache page dirty, even read-only in a private mapping; 5.16.
    UffdContinueDirty = "uffd_continue_dirty",
    /// UFFDIO_MOVE keeps a PTE read-only and write-protected that was; posted, in no release.
    UffdMoveWp = "uffd_move_wp",
    /// `tlb_finish_mmu` flushes everything if somebody else has changed PTEs and not flushed yet.
    TlbFlushNested = "tlb_flush_nested",
    /// `change_protection` flushes what it made stricter before its caller returns.
    ProtectFlush = "protect_flush",
    /// `change_protection` makes writable migration entries readable.
    ProtectMigration = "protect_migration",
    /// `can_change_pte_writable` leaves pages alone that are not exclusive; 6.0, with mprotect_excl.
    CanWriteExclusive = "can_write_exclusive",
    /// `can_change_pte_writable` leaves write-protected PTEs alone; 6.0, with mprotect_excl.
    CanWriteUffdWp = "can_write_uffd_wp",
    /// clear_refs flushes before it returns.
    ClearrefsFlush = "clearrefs_flush",
    /// UFFDIO_MOVE takes only exclusive pages and swap entries.
    UffdMoveExclusive = "uffd_move_exclusive",
    /// UFFDIO_MOVE checks both PTEs again under their lock.
    UffdMoveRecheck = "uffd_move_recheck",
    /// UFFDIO_MOVE looks for pins again once the PTE is cleared and flushed.
    UffdMovePinTest = "uffd_move_pin_test",
    /// MADV_FREE cleans only a page that is mapped once.
    MadvfreeMapcount = "madvfree_mapcount",
    /// MADV_FREE flushes before it returns.
    MadvfreeFlush = "madvfree_flush",

    // What would close two windows that the model found; in no release.
    /// Reclaim flushes what it deferred before it drops a page from the swap cache, too.
    RemoveFlush = "remove_flush",
    /// Reclaim takes a page for one that CPUs may still write, if a flush is pending in its mm.
    UnmapFlushPending = "unmap_flush_pending",

    // userfaultfd read-write protection.
    /// UFFDIO_RWPROTECT: traps loads too; a series of 2026, in no release.
    UffdRwp = "uffd_rwp",
    /// fork asks whether a PTE is writable before it gives it the child's protection; with uffd_rwp.
    RwpForkSample = "rwp_fork_sample",
    /// Swap-in leaves a read-write protected page to the next fault, a write or not; with uffd_rwp.
    RwpSwapin = "rwp_swapin",
}
