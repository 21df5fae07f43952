//! Every interleaving of any [`System`]: search, reductions, workers, limits.
//!
//! A system is some *actors* and a state. The explorer lets any enabled actor take its next step, in every order, and stores
//! each state that comes of it. It is exact: states are stored whole, so what it did not find does not exist. It knows nothing of
//! what the system is about.
//!
//! # A first system
//!
//! Two actors count up a shared number, without a lock: each loads it and stores what it loaded plus one.
//!
//! ```
//! use cowherd_explore::{Choice, Options, Reductions, System, explore};
//!
//! struct Counting;
//!
//! #[derive(Clone, Copy)]
//! struct State {
//!     /// Steps that each actor has taken: 0, 1 or 2.
//!     taken: [u8; 2],
//!     /// What each actor loaded; 0 before it does and once it is stored. A dead value left here would only split states.
//!     loaded: [u8; 2],
//!     number: u8,
//! }
//!
//! impl System for Counting {
//!     type State = State;
//!
//!     fn initial(&self, each: &mut dyn FnMut(State)) {
//!         each(State { taken: [0; 2], loaded: [0; 2], number: 0 });
//!     }
//!
//!     fn actors(&self) -> usize {
//!         2
//!     }
//!
//!     fn enabled(&self, state: &State, actor: usize) -> bool {
//!         state.taken[actor] < 2
//!     }
//!
//!     fn step(&self, state: &mut State, actor: usize, _: &mut Choice) {
//!         if state.taken[actor] == 0 {
//!             state.loaded[actor] = state.number;
//!         } else {
//!             state.number = std::mem::take(&mut state.loaded[actor]) + 1;
//!         }
//!         state.taken[actor] += 1;
//!     }
//!
//!     fn done(&self, state: &State) -> bool {
//!         state.taken == [2, 2]
//!     }
//!
//!     fn outcome(&self, state: &State, out: &mut Vec<u8>) {
//!         out.push(state.number);
//!     }
//!
//!     fn pack(&self, state: &State, out: &mut Vec<u8>) {
//!         out.extend([state.taken[0], state.taken[1], state.loaded[0], state.loaded[1], state.number]);
//!     }
//!
//!     fn unpack(&self, bytes: &[u8]) -> State {
//!         State { taken: [bytes[0], bytes[1]], loaded: [bytes[2], bytes[3]], number: bytes[4] }
//!     }
//!
//!     // The actors run the same program, so it does not matter which of them is where.
//!     fn canonical(&self, state: &mut State) {
//!         if (state.taken[1], state.loaded[1]) < (state.taken[0], state.loaded[0]) {
//!             state.taken.swap(0, 1);
//!             state.loaded.swap(0, 1);
//!         }
//!     }
//! }
//!
//! let all = explore(&Counting, &Options { reductions: Reductions::NONE, ..Options::default() });
//! assert_eq!((all.states, all.transitions), (12, 14));
//! assert_eq!(all.levels, [1, 2, 3, 4, 2]);
//!
//! // Two outcomes: both counted, or one count is lost.
//! assert!(all.outcomes.keys().eq([&[1], &[2]]));
//!
//! // With the reductions there are fewer states, and the same outcomes.
//! let report = explore(&Counting, &Options::default());
//! assert_eq!(report.states, 8);
//! assert!(report.outcomes.keys().eq(all.outcomes.keys()));
//!
//! // How is a count lost? Both load before either stores.
//! let witness = report.witness(&Counting, report.outcomes[&[1][..]].first);
//! let actors: Vec<usize> = witness.steps.iter().map(|step| step.actor).collect();
//! assert_eq!(actors.len(), 4);
//! assert_ne!(actors[0], actors[1]);
//! assert_eq!(witness.replay(&Counting, |_, _| {}).number, 1);
//! ```
//!
//! A step that may go more than one way asks its [`Choice`]; the explorer tries every answer. [`System::flags`] tells of
//! states that are bad in themselves. A state that is not [`done`](System::done) and in which no actor is enabled is a
//! deadlock; one from which no end can be reached is a livelock ([`Options::livelock`]).
//!
//! # Reductions
//!
//! Three, each with its switch in [`Reductions`], and none changes whether an outcome, a flag, a deadlock or a livelock exists;
//! how many *states* show it does change.
//!
//! - **symmetry**: states that differ only in names are stored as one, their [canonical form](System::canonical). Sound
//!   if renaming is an automorphism: it must map steps to steps, and leave flags, `done` and outcomes alone. Two states are
//!   then equivalent exactly if their forms are equal; a form that is canonical only sometimes costs states, not verdicts.
//! - **movers**: after a step that can be moved later past everyone else's (a [right mover](Mover::Right), such as taking a
//!   lock), and before one that can be moved earlier (a [left mover](Mover::Left), such as dropping it), nobody needs to
//!   come between: the steps are fused to one transition. A step that can be [blocked](System::blocks) is
//!   not fused to a right mover before it, or a deadlock between the two would be lost.
//! - **commute**: an actor whose next step shows to nobody and that no other can ever conflict with, by
//!   [footprint](System::footprint) and [future](System::future), is expanded alone, unless all that comes of it is old.
//!
//! Each rests on what the system says of itself. A system that says too much loses verdicts: check with
//! [`oracle`], as this crate's own tests do.
//!
//! # Witnesses
//!
//! A [`Witness`] is a schedule of single steps from an initial state, with the system's own names, whatever the reductions
//! were. [`Report::witness`] tells how the search came to a state; [`shortest`] finds the cheapest schedule that there is.
//!
//! # Limits
//!
//! | [`Options`] | default | what it cuts off |
//! |---|---|---|
//! | `max_states` | none | states beyond so many: [`Ended::States`] |
//! | `max_memory` | none | states beyond so many bytes: [`Ended::Memory`] |
//! | `timeout` | none | what would take longer: [`Ended::Time`] |
//! | `stop` | none | what comes after it is set: [`Ended::Stopped`] |
//!
//! With [`Options::checkpoints`] a search is saved as it goes, and when a limit ends it; [`Checkpoints::resume`] goes on with it, and
//! it ends as it would have without.
//!
//! With [`Options::cluster`] (feature `cluster`) several processes search together, and find what one would.
//!
//! What the states take is told by [`Report::bytes`]: the packed form, six bytes more (seven beyond 127), and 11 to 16 bytes of
//! table. Where that is too much, [`Keep::Fingerprints`] keeps 19 to 20 bytes of each state, and those of two levels whole; and
//! [`Report::chance`] tells the chance that something was missed.
//!
//! Three limits are built in, and end in a panic: 64 actors, 32767 bytes for a packed state, 16 GiB or 2^26 fingerprints for each of
//! the 64 shards. A transition of fused steps is cut after 64 steps, or once its choices multiply to more than 64, which
//! only stores more states.
//!
//! # The same for any number of workers
//!
//! The search goes level by level. Which states there are, the order in which they are met, hence every count, first
//! witness and number in a [`Report`], do not depend on [`Options::workers`], nor on the machine; only a search ended by time or by
//! the stop flag ends where it happens to be.

mod about;
mod arena;
mod barrier;
mod buffer;
mod checkpoint;
mod claims;
mod cluster;
mod expand;
mod found;
mod graph;
mod hash;
mod livelock;
mod narrow;
mod options;
pub mod oracle;
mod record;
mod report;
mod search;
mod shard;
mod shortest;
mod store;
mod system;
mod table;
mod witness;
mod worker;

pub use about::About;
pub use checkpoint::{Checkpoints, Refused};
pub use cluster::Cluster;
#[cfg(feature = "cluster")]
pub use cluster::NoCluster;
pub use expand::Step;
pub use found::{Bad, Flag, Outcome, Sighting};
pub use graph::{Edge, Graph, Kind, Node};
pub use options::{Ended, Keep, Options, Progress, Reductions};
pub use report::Report;
pub use search::explore;
pub use shortest::{Shortest, shortest};
pub use store::StateId;
pub use system::{Choice, Footprint, Mover, Next, System};
pub use witness::Witness;
