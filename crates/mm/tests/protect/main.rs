//! Protection changes, userfaultfd, MADV_FREE, mremap and the invariants: small programs in all interleavings.

mod clear_refs;
mod common;
mod invariants;
mod kernels;
mod madvise;
mod mprotect;
mod mremap;
mod numa;
mod userfaultfd;
mod world;
