//! The most general program: every program within a bound, as one system.
//!
//! A task has no statements of its own but a menu. As long as calls are left, whoever rests may begin any entry of it: a thread a
//! call on any page of its process, the kernel an activity. What was called before is not kept, only what it led to; so all
//! programs within the bound and all their interleavings are one search, and programs that come to the same state share all that
//! follows. Nobody looks at registers: the specification's free observer sees more than any load.
//!
//! A store writes, and a transfer lands, a value that nobody has yet: what is lost or leaks then shows. Values that nobody can see
//! any more are used again, so that the sixteen that there are go a long way, and states differ less in mere names.

#[cfg(not(feature = "wide"))]
mod classify;
mod crew;
#[cfg(not(feature = "wide"))]
mod difference;
mod emit;
mod menu;
#[cfg(not(feature = "wide"))]
mod minimal;
mod pick;
#[cfg(not(feature = "wide"))]
mod programs;
#[cfg(not(feature = "wide"))]
mod same;
#[cfg(feature = "wide")]
mod simulate;
#[cfg(not(feature = "wide"))]
pub(crate) mod values;
#[cfg(not(feature = "wide"))]
mod verify;

#[cfg(not(feature = "wide"))]
pub use classify::{Class, classify};
pub use crew::Crew;
#[cfg(not(feature = "wide"))]
pub use difference::{Compared, Difference, Differs, differences, looked_at};
#[cfg(not(feature = "wide"))]
pub use emit::calls_of;
pub use emit::{Called, write_test};
pub use menu::{Bound, Layout, MENU, Word, menu_text};
#[cfg(not(feature = "wide"))]
pub use minimal::{Minimal, minimal};
#[cfg(not(feature = "wide"))]
pub use programs::{canonical, contains, name, programs};
#[cfg(not(feature = "wide"))]
pub use same::same_program;
#[cfg(feature = "wide")]
pub use simulate::{Broken, MAX_TASKS, Simulated, simulate};
#[cfg(not(feature = "wide"))]
pub use verify::{Searched, search, verify};

use cowherd_explore::Reductions;
use cowherd_mm::machine::Dir;
use cowherd_mm::{Cells, FileId, IoId, MAX_MMS, MmId};

use crate::kernels::Profile;
use crate::lower::{Refused, lower_menu};
use crate::program::Program;
use crate::spec::Values;

/// Entries of a menu at most. What walks at random does not keep them in one word.
pub const MAX_MENU: usize = if cfg!(feature = "wide") { 4096 } else { 62 };

/// Which calls may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Calls {
    /// So many, whichever.
    Any(u16),
    /// Each of these once.
    Each(Vec<Slot>),
}

/// One call of a program, whoever of its like makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    /// The process; none: the kernel.
    pub mm: Option<MmId>,
    /// The entry of the menu.
    pub entry: usize,
}

impl Calls {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Calls::Any(n) => *n as usize,
            Calls::Each(slots) => slots.len(),
        }
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// [`State::calls`](crate::state::State::calls) at the start: how many are left, or one bit for each that is.
    pub fn start(&self) -> u16 {
        match self {
            Calls::Any(n) => *n,
            Calls::Each(slots) => (1 << slots.len()) - 1,
        }
    }

    /// How many are left?
    pub fn left(&self, state: u16) -> u32 {
        match self {
            Calls::Any(_) => u32::from(state),
            Calls::Each(_) => state.count_ones(),
        }
    }

    /// What is left once this call has begun; none if it may not.
    pub fn without(&self, state: u16, call: Slot) -> Option<u16> {
        match self {
            Calls::Any(_) => state.checked_sub(1),
            Calls::Each(slots) => {
                let mut left = (0..slots.len()).filter(|n| state >> n & 1 == 1);
                let at = left.find(|n| slots[*n] == call)?;
                Some(state & !(1 << at))
            }
        }
    }
}

/// How finely calls interleave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// Step by step.
    Step,
    /// A call that has begun goes on until it is over or has to wait; only devices and LRU batches come in between. That leaves out
    /// most schedules: what is found is there, what is not found may be there all the same.
    Call,
}

/// What is general about a program.
#[derive(Clone, Debug)]
pub struct General {
    /// Which calls may begin.
    pub calls: Calls,
    /// Broken promises that count, as bits of [`crate::spec::Alarms::word`]; others are passed over.
    pub counts: u64,
    /// How finely calls interleave.
    pub grain: Grain,
    /// Are states that differ only in the names of values one state? See `values.rs`.
    pub renames: bool,
    /// For each process, the values that stores to it may take.
    pub stores: [Values; MAX_MMS],
    /// For each process, the values that may land in it.
    pub lands: [Values; MAX_MMS],
    /// The transfers that the menu has: each with its direction, and the cells of memory that go with those of a file.
    pub transfers: Vec<(IoId, Dir, FileId, Cells)>,
}

/// Lowers the general program of a bound, with these calls.
///
/// # Panics
///
/// If the menu is no test: a bug.
pub fn general(
    bound: &Bound,
    calls: Calls,
    profile: &Profile,
    reductions: Reductions,
) -> Result<Program, Refused> {
    general_as(bound, &Layout::plain(bound), calls, profile, reductions)
}

/// As [`general`], laid out in another way.
pub(crate) fn general_as(
    bound: &Bound,
    layout: &Layout,
    calls: Calls,
    profile: &Profile,
    reductions: Reductions,
) -> Result<Program, Refused> {
    let text = menu_text(bound, layout);
    let analysis = cowherd_litmus::analyse("menu", &text);
    let test = analysis
        .test
        .unwrap_or_else(|| panic!("the menu is a test: {:?}\n{text}", analysis.diagnostics));
    let crew = Crew {
        threads: bound.threads,
        kernel: bound.kernel,
        calls,
        counts: bound.counts,
        grain: bound.grain,
        renames: reductions.values,
    };
    lower_menu(&test, profile, reductions.symmetry, &crew)
}
