//! Which process has what, by descent.

use super::{PageId, PageInit, Process, ProcessId};

/// The process at the top of the line of parents among those that are there at the start. They are declared before their children.
pub(crate) fn root(processes: &[Process], process: ProcessId) -> ProcessId {
    let mut at = process;
    while let Some(parent) = processes[at.index()].parent.filter(|parent| *parent < at) {
        at = parent;
    }
    at
}

/// The processes that have a variable of `owner`'s where its declaration names none: those that are there at the start and descend from
/// the same one.
pub(crate) fn family(processes: &[Process], owner: ProcessId) -> Vec<ProcessId> {
    let all = (0..processes.len()).map(|at| ProcessId(at as u8));
    let top = root(processes, owner);
    all.filter(|p| processes[p.index()].from_start && root(processes, *p) == top)
        .collect()
}

/// May `process` have `page` mapped? One that is forked later has what its parent has.
pub(crate) fn has_page(
    processes: &[Process],
    pages: &[PageInit],
    process: ProcessId,
    page: PageId,
) -> bool {
    let mut at = process;
    // Bounded, as the parents in a test that is refused may go round in circles.
    for _ in 0..=processes.len() {
        match processes[at.index()].parent {
            _ if processes[at.index()].from_start => {
                return pages[page.index()].processes.contains(&at);
            }
            Some(parent) => at = parent,
            None => return false,
        }
    }
    true
}
