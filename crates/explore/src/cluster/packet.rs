//! What goes from worker to worker.

use serde::{Deserialize, Serialize};

use crate::options::Ended;

/// What is in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// Records of successors. All of one parent that go to one shard are in one packet, in order.
    States,
    /// A question with a number: records of states. Is each of them in a level that is complete?
    Ask(u32),
    /// The answer: a byte for each.
    Answer(u32),
    /// JSON: how far a worker is, or what it found.
    Told,
    /// Records of states that others want, each behind its number.
    Path,
}

/// Some bytes on their way to a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Packet {
    /// The step of the search in which it was sent.
    pub(super) step: u64,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) kind: Kind,
    #[serde(with = "serde_bytes")]
    pub(super) body: Vec<u8>,
}

/// What every worker tells all others after a level.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Told {
    /// States that it stored.
    pub(super) fresh: u64,
    pub(super) transitions: u64,
    /// Bytes that the process holds.
    pub(super) bytes: usize,
    /// Flags that it has seen.
    pub(super) flags: u64,
    /// A limit that it has reached.
    pub(super) ended: Option<Ended>,
}
