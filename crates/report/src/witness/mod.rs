//! A witness as text: grouped by call, each group with a headline in the kernel's words.

pub mod columns;
mod generic;
mod groups;
mod memory;
pub mod mermaid;
mod phrases;
pub mod story;
pub mod why_not;

pub use groups::{Group, groups};
