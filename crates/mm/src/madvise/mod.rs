//! madvise and process_madvise: `mm/madvise.c`. MADV_DONTNEED is in [`crate::memory::zap_pte_range`], MADV_PAGEOUT in
//! [`crate::vmscan`], MADV_MERGEABLE in [`crate::ksm`].

pub mod cold;
pub mod flags;
pub mod free;
pub mod populate;
pub mod willneed;
