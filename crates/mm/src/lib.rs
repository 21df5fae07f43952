//! The system that keeps a Linux program's anonymous memory right, as values that are stepped.
//!
//! A [`Machine`] is the whole state: page tables, struct pages, swap slots, TLBs, transfers in flight, and what each task is
//! doing. [`Task::step`](task::Task::step) takes one atomic step of one task; [`World`] is the driver, which holds what pages
//! contain and resolves what is left open. Folders carry the names of the kernel's files, files those of its functions.

#![no_std]
#![forbid(unsafe_code)]
// The wide build packs nothing.
#![cfg_attr(feature = "wide", allow(dead_code))]

extern crate alloc;

pub mod access;
pub mod arch;
pub mod clear_refs;
pub mod config;
pub mod direct_io;
pub mod feature;
pub mod feature_set;
pub mod frames;
pub mod gup;
pub mod ids;
pub mod invariants;
pub mod kernel;
pub mod ksm;
pub mod lru;
pub mod machine;
pub mod madvise;
pub mod memory;
pub mod migrate;
pub mod mmu_gather;
pub mod mprotect;
pub mod mremap;
pub mod numa;
pub mod pack;
pub mod page;
pub mod page_ref;
#[cfg_attr(feature = "wide", path = "parts_wide.rs")]
pub mod parts;
pub mod pgtable;
pub mod pipe;
pub mod remote;
pub mod rmap;
#[cfg_attr(feature = "wide", path = "room_wide.rs")]
mod room;
pub mod step;
pub mod swap;
pub mod task;
pub mod tlb;
pub mod touch;
pub mod userfaultfd;
pub mod vmscan;
pub mod world;

pub use config::Config;
pub use feature::Feature;
pub use feature_set::FeatureSet;
pub use frames::Frames;
pub use ids::*;
pub use kernel::{Kernel, View};
pub use machine::{Machine, Sizes};
pub use step::{Step, Wait, Who};
pub use task::{Errno, Task};
pub use touch::Touch;
pub use world::{Access, Broken, Event, World};
