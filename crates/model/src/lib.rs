//! A litmus test run by the mm, in every interleaving, against the ideal memory.

#![forbid(unsafe_code)]

pub mod kernels;

mod calls;
pub mod check;
mod commute;
pub mod corpus;
pub mod diff;
pub mod driver;
pub mod general;
pub mod lower;
pub mod memory;
pub mod observe;
pub mod predict;
pub mod program;
mod settle;
pub mod spec;
mod starts;
pub mod state;
pub mod system;
pub mod tidy;
pub mod why_not;
pub mod witness;
