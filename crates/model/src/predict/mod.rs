//! What a test may show when somebody steps it: one call at a time, in a given order, looking at every page in between.
//!
//! That is how a test runs on a live kernel. A *turn* lets one task make its next call, or one device finish its transfer; it ends when everybody who was
//! let go has returned or waits for somebody who was not. Calls of a given order do not interleave, but the kernel keeps its own choices: LRU
//! batches drain and swap writes end whenever they like, and tasks that a turn has woken run beside each other.
//!
//! [`Predictor::turn`] takes a [`Belief`], the set of states that the machine may be in, through a turn. What was seen on a real machine cuts the
//! set down ([`Belief::keep`]); a set that becomes empty is a machine that did what the model forbids.

mod belief;
mod order;
mod view;
mod way;

pub use belief::{Belief, Predictor, TooMany};
pub use order::{Orders, orders};
pub use view::{Frame, Page, Told, View};

use serde::{Deserialize, Serialize};

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Turn {
    /// This task makes its next call, or does its next activity.
    Task(usize),
    /// The device finishes this transfer: its number among the test's transfers.
    Complete(usize),
}
