//! A witness as text: grouped by call, each group with a headline in the kernel's words.

pub mod columns;
pub mod dot;
mod generic;
mod groups;
pub mod itf;
mod memory;
pub mod mermaid;
pub mod perfetto;
mod phrases;
pub mod story;
pub mod why_not;

pub use groups::{Group, groups};
