//! When a task, and a statement that names a process, may begin: once the fork that makes the process is over, or under way.

use cowherd_mm::MmId;

use crate::program::{Op, Program, Starts};
use crate::state::State;

impl Op {
    /// The processes that the statement names, besides its thread's own.
    pub fn names(&self) -> impl Iterator<Item = MmId> {
        let [first, second] = match *self {
            Op::Remote { mm, .. } | Op::Waitpid { mm } => [Some(mm), None],
            Op::Ksm { first, second } => [Some(first.0), second.map(|(mm, _)| mm)],
            _ => [self.target(), None],
        };
        first.into_iter().chain(second)
    }
}

impl Starts {
    /// Is the time come?
    fn over(self, state: &State) -> bool {
        match self {
            // Of a general program: `Program::started` looks at the process.
            Starts::AtOnce | Starts::Born => true,
            Starts::After { task, stmt } => state.pc[task] as usize > stmt,
        }
    }

    /// Will it never come? A thread that was killed forks no more.
    fn never(self, state: &State) -> bool {
        match self {
            Starts::AtOnce | Starts::Born => false,
            Starts::After { task, .. } => !self.over(state) && state.killed & (1 << task) != 0,
        }
    }
}

impl Program {
    /// Has this task begun to exist?
    pub(crate) fn started(&self, state: &State, task: usize) -> bool {
        match self.tasks[task].starts {
            Starts::Born => self.forked(state, task),
            starts => starts.over(state),
        }
    }

    /// Is, or was, this process there? While it is forked it can be reached already: its mmap_lock keeps out who must wait.
    pub(crate) fn born(&self, state: &State, mm: MmId) -> bool {
        // A general program keeps no record of what was forked: once its process is gone, nobody begins to work on it.
        state.m.mms[mm.at()].alive || self.general.is_none() && self.births[mm.at()].over(state)
    }

    /// Does this task wait for a process that never comes to be?
    pub(crate) fn waits_in_vain(&self, state: &State, task: usize) -> bool {
        let named = self.stmt(state, task).map(|stmt| stmt.op.names());
        self.tasks[task].starts.never(state)
            || named.is_some_and(|mut mms| mms.any(|mm| self.births[mm.at()].never(state)))
    }
}
