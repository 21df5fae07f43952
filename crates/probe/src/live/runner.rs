//! Runs tests, one after the other, in the process that the supervisor made for that.

use std::collections::HashMap;
use std::hash::Hash;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cowherd_litmus::ast::{FileSystem, Test};
use cowherd_model::kernels::Kernels;
use cowherd_model::predict::Predictor;

use super::chosen::choose;
use super::directed::file_of;
use super::directed::{NoResult, Run};
use super::free::Free;
use super::held::Held;
use super::machine::Machine;
use super::plan::{Plan, plan};
use super::{Options, Reach, TestResult, sys, system, world};

/// States of one turn at most, when turns are predicted.
pub const LIMIT: usize = 200_000;
/// Spins between two statements of a free run at most.
const DELAYS: u64 = 20_000;
/// A run whose start failed is tried so often.
const TRIES: u32 = 5;

/// What tests run with.
pub struct Runner {
    options: Options,
    machine: Machine,
    folder: PathBuf,
    /// Files that hold transfers: on FUSE, and block devices.
    fuses: Vec<Held>,
    nbds: Vec<Held>,
    deadline: Instant,
}

impl Runner {
    /// Looks around, and settles on a CPU. `folder` is for mount points.
    pub fn new(options: &Options, folder: &Path) -> io::Result<Runner> {
        let machine = Machine::look(options.reach);
        if options.reach == Reach::System {
            system::settings()?;
        }
        // Who drains LRU batches drains those of one CPU: so everybody is on one, but for the threads of free runs.
        let first = sys::cpus().first();
        sys::pin_to_cpu(*first.ok_or_else(|| io::Error::other("no CPU to be on"))?)?;
        sys::map(world::scratch(), None)?;
        world::write(world::scratch(), 1);
        Ok(Runner {
            options: options.clone(),
            machine,
            folder: folder.into(),
            fuses: Vec::new(),
            nbds: Vec::new(),
            deadline: Instant::now() + Duration::from_secs(options.seconds),
        })
    }

    /// Runs a test, or says why it cannot.
    pub fn run(&mut self, test: &Test) -> TestResult {
        let skipped = |why: String| TestResult {
            name: test.name.clone(),
            skipped: Some(why),
            ..TestResult::default()
        };
        let over = format!("the {} s are over", self.options.seconds);
        let late = || TestResult {
            late: true,
            ..skipped(over.clone())
        };
        if self.is_late() {
            return late();
        }
        let plan = match plan(test, &self.machine) {
            Ok(plan) => plan,
            Err(why) => return skipped(why),
        };
        // What orders there are does not depend on the kernel.
        let profile = match Kernels::shipped().profile(&self.options.profile) {
            Ok(composed) => composed.profile,
            Err(error) => return skipped(error.to_string()),
        };
        let predictor = match Predictor::new(&plan.test, &profile, LIMIT) {
            Ok(predictor) => predictor,
            Err(refused) => return skipped(format!("the model does not run it: {refused}")),
        };
        match self.measure(&plan, &predictor) {
            Ok(result) if result.late && result.is_empty() => late(),
            Ok(mut result) => {
                result.name = test.name.clone();
                result.ran = plan.test.to_string();
                result.notes = plan.notes;
                if result.late {
                    result.notes.push(format!("only some runs: {over}"));
                }
                result
            }
            Err(error) => skipped(error.to_string()),
        }
    }

    fn is_late(&self) -> bool {
        Instant::now() > self.deadline
    }

    fn measure(&mut self, plan: &Plan, predictor: &Predictor) -> io::Result<TestResult> {
        // Which transfers are with block devices.
        let files = file_of(&plan.test).into_iter();
        let block: Vec<bool> = files
            .map(|n| plan.test.files[n].on == FileSystem::BlockSync)
            .collect();
        let (devices, others) = (block.iter().filter(|b| **b).count(), block.len());
        while self.fuses.len() < others - devices {
            let folder = self.folder.join(format!("fuse{}", self.fuses.len()));
            self.fuses
                .push(Held::fuse(&folder).map_err(|e| because("FUSE", e))?);
        }
        while self.nbds.len() < devices {
            self.nbds.push(Held::nbd().map_err(|e| because("nbd", e))?);
        }
        let (mut fuses, mut nbds) = (self.fuses.iter(), self.nbds.iter());
        let held = block.iter().filter_map(|block| match block {
            true => nbds.next(),
            false => fuses.next(),
        });
        let held: Vec<&Held> = held.collect();
        let orders = choose(&plan.test, predictor, &self.options);
        let mut traces = Counted::default();
        let mut no_result = Counted::default();
        let (mut forced, mut late) = (0, false);
        'directed: for order in &orders.orders {
            for run in 0..self.options.runs {
                if self.is_late() {
                    late = true;
                    break 'directed;
                }
                forced += usize::from(run == 0);
                let trace =
                    self.attempt(plan, predictor, &held, None, |run| run.directed(order))?;
                match trace {
                    Ok(trace) => traces.add(trace),
                    Err(why) => no_result.add(why.to_string()),
                }
            }
        }
        let mut free = Counted::default();
        for n in 0..self.options.free {
            if self.is_late() {
                late = true;
                break;
            }
            let seed = self
                .options
                .seed
                .wrapping_mul(0x9e37_79b9)
                .wrapping_add(u64::from(n));
            let apart = Free {
                cpus: sys::cpus(),
                first: n as usize,
                delays: DELAYS,
            };
            match self.attempt(plan, predictor, &held, Some(&apart), |run| run.free(seed))? {
                Ok(outcome) => free.add(outcome),
                Err(why) => no_result.add(why.to_string()),
            }
        }
        Ok(TestResult {
            late,
            orders: forced,
            sampled: orders.sampled || forced < orders.orders.len(),
            traces: traces.0,
            free: free.0,
            no_result: no_result.0,
            ..TestResult::default()
        })
    }

    /// One run. A start that failed is tried again: a page may have been in use for a moment.
    fn attempt<T>(
        &self,
        plan: &Plan,
        predictor: &Predictor,
        held: &[&Held],
        free: Option<&Free>,
        go: impl Fn(Run) -> Result<T, NoResult>,
    ) -> io::Result<Result<T, NoResult>> {
        let mut tries = 0;
        loop {
            if let Some(swap) = plan.swap
                && self.machine.own_swap.contains(&swap)
            {
                system::swap_on(swap, &self.folder).map_err(|e| because("a swap area", e))?;
            }
            tries += 1;
            match Run::prepare(plan, predictor, held, free).and_then(&go) {
                Err(NoResult::Start(_)) if tries < TRIES => {}
                result => return Ok(result),
            }
        }
    }
}

/// An error, with what was tried.
pub(super) fn because(what: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// Things and how often they came, in the order in which they came first.
struct Counted<T>(Vec<(T, u32)>, HashMap<T, usize>);

impl<T> Default for Counted<T> {
    fn default() -> Self {
        Counted(Vec::new(), HashMap::new())
    }
}

impl<T: Hash + Eq + Clone> Counted<T> {
    fn add(&mut self, thing: T) {
        let at = *self.1.entry(thing.clone()).or_insert(self.0.len());
        if at == self.0.len() {
            self.0.push((thing, 0));
        }
        self.0[at].1 += 1;
    }
}
