//! The language of cowherd's litmus tests: text to a checked program.

pub mod ast;
pub mod limits;
mod span;

pub use span::Span;
