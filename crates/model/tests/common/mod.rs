//! What the randomised tests share: programs, what is looked at in a run, and how a program that fails is made smaller.
#![allow(dead_code)]

pub mod draft;
pub mod examine;
pub mod generate;
pub mod minimise;
pub mod random;

/// How many rounds a test makes: `here`, or what `COWHERD_LONG` says.
pub fn rounds(here: u64) -> u64 {
    setting("COWHERD_LONG").unwrap_or(here)
}

/// Where the random numbers start: 1, or what `COWHERD_SEED` says.
pub fn seed() -> u64 {
    setting("COWHERD_SEED").unwrap_or(1)
}

/// A number that the environment gives.
pub fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|n| n.parse().ok())
}
