//! Where workers wait for each other.
//!
//! The phases of a batch take less than a millisecond, and to sleep and be woken takes a good part of that: who waits looks for a while
//! before it sleeps. It does sleep, because the others may have no core to run on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// Looks before a worker sleeps: some tens of microseconds.
const LOOKS: usize = 1 << 10;

/// A barrier for a fixed number of workers, used again and again.
pub(crate) struct Barrier {
    workers: usize,
    arrived: AtomicUsize,
    /// How often all have arrived.
    rounds: AtomicUsize,
    asleep: Mutex<()>,
    wake: Condvar,
}

impl Barrier {
    pub(crate) fn new(workers: usize) -> Barrier {
        Barrier {
            workers,
            arrived: AtomicUsize::new(0),
            rounds: AtomicUsize::new(0),
            asleep: Mutex::new(()),
            wake: Condvar::new(),
        }
    }

    /// Waits until all have arrived. What each did before, all see after.
    pub(crate) fn wait(&self) {
        let round = self.rounds.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.workers {
            // Before the round is over: who leaves may arrive again at once.
            self.arrived.store(0, Ordering::Relaxed);
            // With the lock, so that nobody has looked and not yet slept when it is told to wake.
            let asleep = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
            self.rounds.store(round.wrapping_add(1), Ordering::Release);
            drop(asleep);
            self.wake.notify_all();
            return;
        }
        let waits = || self.rounds.load(Ordering::Acquire) == round;
        for _ in 0..LOOKS {
            if !waits() {
                return;
            }
            std::hint::spin_loop();
        }
        let mut asleep = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        while waits() {
            asleep = self
                .wake
                .wait(asleep)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_leaves_before_all_have_arrived() {
        const WORKERS: usize = 3;
        let barrier = Barrier::new(WORKERS);
        let counter = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    for round in 0..2000 {
                        counter.fetch_add(1, Ordering::Relaxed);
                        barrier.wait();
                        assert_eq!(counter.load(Ordering::Relaxed), (round + 1) * WORKERS);
                        barrier.wait();
                    }
                });
            }
        });
    }
}
