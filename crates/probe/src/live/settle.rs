//! Has everybody who was let go returned, and if not: does he wait for somebody, or is he just slow?
//!
//! Nobody says that a thread waits. It is seen asleep again and again, for longer than what it does would take. So a busy machine may make one look as if it
//! waited; the longer the kernel may take by itself, the more often somebody looks.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cowherd_litmus::ast::Call;

use super::directed::{NoResult, PATIENCE, Run};
use super::look;
use super::world::{World, reached};

/// Between two looks at a thread that sleeps.
const LOOK: Duration = Duration::from_micros(500);

/// How a thread sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sleep {
    /// `S`: in a pipe, in userfaultfd, in waitpid.
    Interruptible,
    /// `D`: for a lock or a page of the kernel's, or for a disk.
    Disk,
}

impl Run<'_> {
    /// Waits for what needs no other turn.
    pub(super) fn wait_for(
        &self,
        what: &str,
        over: impl Fn(&Self) -> bool,
    ) -> Result<(), NoResult> {
        let begun = Instant::now();
        let mut pause = 20;
        while !over(self) {
            if begun.elapsed() > PATIENCE {
                return Err(NoResult::Hung(what.into()));
            }
            std::thread::sleep(Duration::from_micros(pause));
            pause = (pause * 2).min(1000);
        }
        Ok(())
    }

    /// Waits until everybody who was let go has returned, or waits for somebody who was not.
    pub(super) fn settle(&mut self) -> Result<(), NoResult> {
        let begun = Instant::now();
        let mut still = [0u32; 16];
        loop {
            let mut waiting = true;
            let issued = self.issued;
            for task in (0..self.test.threads.len()).filter(|t| issued >> t & 1 == 1) {
                if self.returned(task) {
                    self.issued &= !(1 << task);
                } else if self.queued(task) {
                    // Its request is with the device.
                } else if let Some(sleep) = self.sleeps(task) {
                    // Who has slept for long waits for somebody else to act.
                    still[task] += 1;
                    waiting &= still[task] > self.looks(task, sleep);
                } else {
                    still[task] = 0;
                    waiting = false;
                }
            }
            if waiting {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(NoResult::Hung(format!(
                    "a call of {}",
                    self.names(self.issued)
                )));
            }
            std::thread::sleep(if still.iter().any(|&n| n > 0) {
                LOOK
            } else {
                Duration::from_micros(30)
            });
        }
    }

    fn names(&self, tasks: u8) -> String {
        let tasks = (0..self.test.threads.len()).filter(|t| tasks >> t & 1 == 1);
        tasks
            .map(|t| self.predictor.program.tasks[t].name.clone())
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn returned(&self, task: usize) -> bool {
        let thread = &self.world.board.get().threads[task];
        let told = thread.told.load(Ordering::SeqCst);
        if thread.life.load(Ordering::SeqCst) == 2 {
            return true;
        }
        if thread.done.load(Ordering::SeqCst) != told {
            return false;
        }
        // The last thread that exits takes the process with it.
        let last = reached(self.test, task).get(told as usize - 1);
        let exits =
            last.is_some_and(|s| matches!(s.call, Call::Exit)) && self.world.others_ended(task);
        !exits || self.pid(self.test.threads[task].process.index()).is_none()
    }

    pub(super) fn has_ended(&self, task: usize) -> bool {
        let thread = &self.world.board.get().threads[task];
        let unborn = thread.life.load(Ordering::SeqCst) == 0;
        !unborn
            && (thread.life.load(Ordering::SeqCst) == 2
                || thread.done.load(Ordering::SeqCst) as usize >= reached(self.test, task).len())
    }

    /// Is everybody who is there and has not ended asleep?
    pub(super) fn all_sleep(&self) -> bool {
        let threads = &self.world.board.get().threads;
        (0..self.test.threads.len())
            .filter(|&t| threads[t].life.load(Ordering::SeqCst) == 1 && !self.has_ended(t))
            .all(|t| self.sleeps(t).is_some())
    }

    /// How often a thread must be seen asleep before it counts as waiting for somebody. To unregister a buffer waits for a grace period of RCU, and
    /// move_pages for all CPUs to drain their LRU batches: nobody of the test can shorten that. A disk may be slow.
    fn looks(&self, task: usize, sleep: Sleep) -> u32 {
        let told = self.world.board.get().threads[task]
            .told
            .load(Ordering::SeqCst);
        let call = &self.test.threads[task].stmts[(told as usize).saturating_sub(1)].call;
        match (call, sleep) {
            (Call::Release { .. } | Call::Unregister { .. } | Call::MovePages { .. }, _) => 2000,
            (_, Sleep::Disk) => 200,
            (_, Sleep::Interruptible) => 15,
        }
    }

    fn queued(&self, task: usize) -> bool {
        let thread = &self.world.board.get().threads[task];
        let statement = (thread.told.load(Ordering::SeqCst) as usize).saturating_sub(1);
        let submits = matches!(
            self.test.threads[task].stmts[statement].call,
            Call::ReadSubmit { .. } | Call::WriteSubmit { .. }
        );
        !submits
            && World::transfer_of(self.test, task, statement).is_some_and(|io| self.in_flight(io))
    }

    fn sleeps(&self, task: usize) -> Option<Sleep> {
        let thread = &self.world.board.get().threads[task];
        let pid = self.world.board.get().pids[self.test.threads[task].process.index()]
            .load(Ordering::SeqCst);
        match look::state(pid, thread.tid.load(Ordering::SeqCst)) {
            Some('S') => Some(Sleep::Interruptible),
            Some('D') => Some(Sleep::Disk),
            _ => None,
        }
    }
}
