//! KSM, migration, swapoff, MADV_WILLNEED, MADV_POPULATE: single scripted interleavings, and many random ones.

mod common;
mod gup;
mod ksm;
mod madvise;
mod migrate;
mod stress;
mod swapoff;
