//! Swap: slots (`mm/swapfile.c`), the swap cache (`mm/swap_state.c`), writeback (`mm/page_io.c`) and swapoff.

pub mod cache;
pub mod free_swap_and_cache;
pub mod read_swap_cache;
pub mod slots;
pub mod swapoff;
pub mod writeback;
