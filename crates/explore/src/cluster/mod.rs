//! One search by several processes, on one machine or on several, over timely dataflow.
//!
//! Every worker of every process owns some of the shards: it alone stores their states and expands them. Successors go to the owners of
//! theirs through a dataflow whose time is the step of the search; when it says that a step is complete, everybody has all
//! that was sent in it. What a level brings is then stored in the order in which a single process would have met it: by parent, then by
//! number among its successors. So every state, number, count and witness is the same.
//!
//! Nothing else of the crate knows of timely.

#[cfg(feature = "cluster")]
mod arrivals;
#[cfg(feature = "cluster")]
mod line;
#[cfg(feature = "cluster")]
mod mesh;
#[cfg(feature = "cluster")]
mod packet;
#[cfg(feature = "cluster")]
mod search;
#[cfg(feature = "cluster")]
mod wire;

#[cfg(feature = "cluster")]
pub use mesh::{Cluster, NoCluster};
#[cfg(feature = "cluster")]
pub(crate) use search::explore;

/// The processes of a cluster; without the feature `cluster` there are none.
#[cfg(not(feature = "cluster"))]
pub enum Cluster {}
