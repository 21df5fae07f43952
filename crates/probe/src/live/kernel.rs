//! The activities of `kernel` blocks: what the controller does to the test's processes from outside.

use std::io;
use std::sync::atomic::Ordering;

use cowherd_litmus::ast::{Activity, ProcessId, Test};

use super::call;
use super::sys;
use super::world::{self, World, address};

/// The `n`th activity of a kernel actor. Actors are counted through all blocks and their copies.
pub fn activity(test: &Test, actor: usize, n: usize) -> Option<&Activity> {
    let blocks = test
        .kernel
        .iter()
        .flat_map(|k| std::iter::repeat_n(k, k.copies as usize));
    let block = blocks.into_iter().nth(actor)?;
    block.activities.get(n).map(|a| &a.activity)
}

/// The process that an activity is about.
pub fn process(activity: &Activity) -> Option<ProcessId> {
    match activity {
        Activity::Madvise { at, .. } => Some(at.process),
        Activity::ClearRefs { process } => Some(*process),
        _ => None,
    }
}

/// Does an activity.
pub fn act(activity: &Activity, world: &World) -> io::Result<()> {
    let pid = |p: ProcessId| world.board.get().pids[p.index()].load(Ordering::SeqCst);
    match activity {
        Activity::Madvise { at, advice } => {
            sys::process_madvise(pid(at.process), address(at.page), call::advice(*advice))
        }
        Activity::ClearRefs { process } => call::clear_refs(pid(*process)),
        Activity::LruAddDrain => world::drain_all(),
        Activity::Swapoff => super::system::swapoff(),
        Activity::Ksm { .. } => super::system::ksm_pass(),
        Activity::Reclaim { .. } | Activity::Migrate { .. } | Activity::NumaScan { .. } => {
            Err(io::Error::from_raw_os_error(libc::ENOSYS))
        }
    }
}
