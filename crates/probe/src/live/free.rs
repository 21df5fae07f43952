//! Free runs: threads on CPUs of their own, with random delays, for races inside the kernel.
//!
//! A thread stays on its CPU, as every task of the model does: one that moved would leave pages behind in an LRU batch that its own drains no longer
//! reach.

/// What keeps the threads of a free run apart.
#[derive(Clone, Debug)]
pub struct Free {
    /// The CPUs that there are. The controller is on the first.
    pub cpus: &'static [usize],
    /// Which of them the first thread is on: another one from run to run, so that each meets the controller's activities.
    pub first: usize,
    /// Spins between two statements at most.
    pub delays: u64,
}

impl Free {
    /// The CPU of a thread: neighbours are on different ones, where there are several.
    pub fn cpu_of(&self, thread: usize) -> usize {
        self.cpus[(self.first + thread) % self.cpus.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_on_different_cpus_and_each_is_with_the_controller_in_some_run() {
        let free = |first| Free {
            cpus: &[3, 5, 8],
            first,
            delays: 0,
        };
        let together = |first: usize| (0..2).filter(move |&t| free(first).cpu_of(t) == 3);
        for first in 0..3 {
            assert_ne!(free(first).cpu_of(0), free(first).cpu_of(1));
        }
        let met: Vec<usize> = (0..3).flat_map(together).collect();
        assert_eq!(met, [0, 1]);
    }
}
