//! Faults, fork and zap: `mm/memory.c`.

pub mod copy_page_range;
pub mod do_anonymous_page;
pub mod do_swap_page;
pub mod do_wp_page;
pub mod fault;
pub mod wp_page_copy;
pub mod zap_pte_range;
