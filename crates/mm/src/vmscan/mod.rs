//! Reclaim: `mm/vmscan.c`, and `mm/madvise.c` for MADV_PAGEOUT.

pub mod shrink_folio_list;
