//! A test on a kernel: every interleaving, its outcomes, its verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use cowherd_explore::{
    Checkpoints, Cluster, Ended, Keep, Options, Progress, Reductions, Report, explore,
};
use cowherd_litmus::ast::{Quantifier, Test};
use cowherd_mm::FeatureSet;

use crate::kernels::Profile;
use crate::lower::{Refused, interface, lower};
use crate::program::Program;

/// How to search.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    /// Worker threads; the result is the same for any number.
    pub workers: usize,
    /// Which reductions are on; none changes a verdict.
    pub reductions: Reductions,
    /// Ends in *Unknown* after so many states.
    pub max_states: Option<u64>,
    /// Ends in *Unknown* at so many bytes.
    pub max_memory: Option<usize>,
    /// Ends in *Unknown* after so long.
    pub timeout: Option<Duration>,
    /// Ends in *Unknown* once set.
    pub stop: Option<&'a AtomicBool>,
    /// Told about once a second.
    pub progress: Option<&'a (dyn Fn(&Progress) + Sync)>,
    /// Look for states from which the program can no longer end.
    pub livelock: bool,
    /// Note every step of the mm that was reached.
    pub coverage: bool,
    /// What is kept of each state; with fingerprints, a *Never* or *Always* has the chance of [`Run::chance`] to be wrong.
    pub keep: Keep,
    /// Where the search is saved.
    pub checkpoints: Option<&'a Checkpoints>,
    /// The processes that search together with this one.
    pub cluster: Option<&'a Cluster>,
}

impl Default for Search<'_> {
    fn default() -> Self {
        Search {
            workers: 1,
            reductions: Reductions::ALL,
            max_states: None,
            max_memory: None,
            timeout: None,
            stop: None,
            progress: None,
            livelock: false,
            coverage: false,
            keep: Keep::States,
            checkpoints: None,
            cluster: None,
        }
    }
}

impl<'a> Search<'a> {
    /// The search of a single test, for one of many programs that are searched with these options: the same limits.
    pub fn of_one(options: &Options<'a>) -> Search<'a> {
        Search {
            workers: options.workers,
            reductions: options.reductions,
            max_states: options.max_states,
            max_memory: options.max_memory,
            timeout: options.timeout,
            stop: options.stop,
            ..Search::default()
        }
    }

    /// The explorer's options.
    pub fn options(&self) -> Options<'a> {
        Options {
            workers: self.workers,
            reductions: self.reductions,
            max_states: self.max_states,
            max_memory: self.max_memory,
            timeout: self.timeout,
            stop: self.stop,
            progress: self.progress,
            livelock: self.livelock,
            until: 0,
            keep: self.keep,
            checkpoints: self.checkpoints,
            cluster: self.cluster,
        }
    }
}

/// How often the condition's proposition holds, over all final states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// In none.
    Never,
    /// In some.
    Sometimes,
    /// In all.
    Always,
    /// The search was cut short: what was seen so far stands, what was not is open. Or no execution comes to an end.
    Unknown,
}

impl Verdict {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Never => "Never",
            Verdict::Sometimes => "Sometimes",
            Verdict::Always => "Always",
            Verdict::Unknown => "Unknown",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// One distinct final state, as far as it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// One byte for each of [`Program::observables`].
    pub bytes: Vec<u8>,
    /// How many states of the machine end so.
    pub states: u64,
    /// Does the condition's proposition hold?
    pub satisfies: bool,
}

/// What came of a test on a kernel.
#[derive(Clone, Debug)]
pub struct Run {
    /// How often the proposition holds.
    pub verdict: Verdict,
    /// Is the condition, with its quantifier, true? None: unknown.
    pub holds: Option<bool>,
    /// The distinct final states.
    pub outcomes: Vec<Outcome>,
    /// The program may stop in a state in which nobody can go on: so many such states.
    pub deadlocks: u64,
    /// States from which the program can no longer end, if looked for.
    pub livelocks: Option<u64>,
    /// Promises broken somewhere, as bits of [`crate::spec`].
    pub alarms: u64,
    /// Why the search ended.
    pub ended: Ended,
    /// Distinct states.
    pub states: u64,
    /// Transitions.
    pub transitions: u64,
    /// States of each level.
    pub levels: Vec<u64>,
    /// Bytes for the states, all told.
    pub bytes: usize,
    /// The chance that some state was taken for another, and so something missed; 0 where states are kept whole.
    pub chance: f64,
    /// How long it took.
    pub elapsed: Duration,
    /// The features that the run asked for. Kernels that agree on them have the same run.
    pub consulted: FeatureSet,
    /// Those among them that the kernel has.
    pub had: FeatureSet,
    /// The steps that were reached, if asked for.
    pub reached: BTreeSet<(&'static str, &'static str)>,
}

impl Run {
    /// Would a kernel with these features have the same run?
    pub fn serves(&self, features: &FeatureSet) -> bool {
        self.consulted.intersection(*features) == self.had
    }
}

/// Runs `test` on `profile`.
pub fn check(test: &Test, profile: &Profile, search: &Search) -> Result<Run, Refused> {
    let program = lower(test, profile, search.reductions.symmetry)?;
    let report = explore(&program, &search.options());
    Ok(judge(test, &program, &report, search))
}

/// What a finished search says of the test.
pub fn judge(test: &Test, program: &Program, report: &Report, search: &Search) -> Run {
    let prop = &test.condition.prop;
    let outcomes: Vec<Outcome> = report
        .outcomes
        .iter()
        .map(|(bytes, o)| Outcome {
            bytes: bytes.clone(),
            states: o.states,
            satisfies: program.satisfies(prop, bytes),
        })
        .collect();
    let yes = outcomes.iter().any(|o| o.satisfies);
    let no = outcomes.iter().any(|o| !o.satisfies);
    let complete = report.ended == Ended::Complete;
    let verdict = match (yes, no) {
        (true, true) => Verdict::Sometimes,
        _ if !complete => Verdict::Unknown,
        (true, false) => Verdict::Always,
        (false, true) => Verdict::Never,
        // Where no execution ends, nothing is said of how it ends.
        (false, false) => Verdict::Unknown,
    };
    let holds = match test.condition.quantifier {
        Quantifier::Exists if yes => Some(true),
        Quantifier::NotExists if yes => Some(false),
        Quantifier::Forall if no => Some(false),
        _ if !complete || !(yes || no) => None,
        Quantifier::Exists => Some(false),
        Quantifier::NotExists | Quantifier::Forall => Some(true),
    };
    let consulted = program.cfg.consulted();
    Run {
        verdict,
        holds,
        outcomes,
        deadlocks: report.deadlocks.states,
        livelocks: report.livelocks.map(|l| l.states),
        alarms: report.flags.keys().fold(0, |bits, &bit| bits | 1u64 << bit),
        ended: report.ended,
        states: report.states,
        transitions: report.transitions,
        levels: report.levels.clone(),
        bytes: report.bytes,
        chance: report.chance(),
        elapsed: report.elapsed,
        consulted,
        had: consulted.intersection(*program.cfg.features()),
        reached: if search.coverage {
            program.taken.names()
        } else {
            BTreeSet::new()
        },
    }
}

/// Runs of one test, shared between kernels that agree on all that a run asked for.
#[derive(Default)]
pub struct Shared {
    runs: Vec<std::sync::Arc<Run>>,
    refused: BTreeMap<String, Refused>,
}

impl Shared {
    /// The run of `test` on `profile`: one that serves, or a new one.
    pub fn check(
        &mut self,
        test: &Test,
        profile: &Profile,
        search: &Search,
    ) -> Result<std::sync::Arc<Run>, Refused> {
        // Kernels of several architectures may agree on the features that a run asked for.
        interface::there(test, profile)?;
        if let Some(run) = self
            .runs
            .iter()
            .find(|run| run.ended == Ended::Complete && run.serves(&profile.features))
        {
            return Ok(run.clone());
        }
        if let Some(refused) = self.refused.get(&profile.name) {
            return Err(refused.clone());
        }
        match check(test, profile, search) {
            Ok(run) => {
                let run = std::sync::Arc::new(run);
                self.runs.push(run.clone());
                Ok(run)
            }
            Err(refused) => {
                self.refused.insert(profile.name.clone(), refused.clone());
                Err(refused)
            }
        }
    }
}
