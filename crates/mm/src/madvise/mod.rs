//! madvise: `mm/madvise.c`.

pub mod populate;
pub mod willneed;
