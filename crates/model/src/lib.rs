//! A litmus test run by the mm, in every interleaving, against the ideal memory.

#![forbid(unsafe_code)]
// The wide build walks. What only a search needs is not in it, or lies idle.
#![cfg_attr(feature = "wide", allow(dead_code, unused_imports))]

pub mod kernels;

mod calls;
#[cfg(not(feature = "wide"))]
pub mod check;
#[cfg(not(feature = "wide"))]
mod commute;
#[cfg(not(feature = "wide"))]
pub mod corpus;
pub mod diff;
pub mod driver;
pub mod general;
pub mod lower;
#[cfg(not(feature = "wide"))]
pub mod memory;
pub mod observe;
#[cfg(not(feature = "wide"))]
pub mod predict;
pub mod program;
mod settle;
pub mod spec;
mod starts;
pub mod state;
pub mod system;
#[cfg(not(feature = "wide"))]
pub mod tidy;
#[cfg(not(feature = "wide"))]
pub mod why_not;
#[cfg(not(feature = "wide"))]
pub mod witness;
