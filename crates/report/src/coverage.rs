//! What a corpus leaves untested: features that no test tells apart, steps of the model that no test reached.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use cowherd_mm::memory::fault::Fault;
use cowherd_mm::task::Call;
use cowherd_mm::{Feature, FeatureSet};
use cowherd_model::check::{Run, Verdict};

use crate::checked::Checked;
use crate::style::{DIM, GOOD, WARN, paint, wrap};

/// A path of the model and one of its steps.
pub type StepName = (&'static str, &'static str);

/// What a corpus tests.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// For each feature that some test tells apart: the test.
    pub flips: BTreeMap<Feature, String>,
    /// The steps that some test reached.
    pub reached: BTreeSet<StepName>,
}

impl Coverage {
    /// What these results show by themselves.
    ///
    /// A feature flips where two kernels come to different verdicts of a test and it is all that they answered differently: then
    /// it is where the runs part.
    pub fn of(tests: &[Checked]) -> Coverage {
        let mut coverage = Coverage::default();
        for checked in tests {
            let runs: Vec<&Run> = checked.rows.iter().filter_map(|row| row.run()).collect();
            for (at, a) in runs.iter().enumerate() {
                coverage.reached.extend(&a.reached);
                for b in &runs[..at] {
                    if let Some(feature) = decisive(a, b) {
                        coverage.flip(feature, &checked.title);
                    }
                }
            }
        }
        coverage
    }

    /// This test tells kernels with and without the feature apart.
    pub fn flip(&mut self, feature: Feature, test: &str) {
        self.flips
            .entry(feature)
            .or_insert_with(|| test.to_string());
    }

    /// Features that no test tells apart.
    pub fn unflipped(&self) -> FeatureSet {
        Feature::ALL
            .iter()
            .copied()
            .filter(|f| !self.flips.contains_key(f))
            .collect()
    }

    /// Steps that no test reached.
    pub fn unreached(&self) -> Vec<StepName> {
        Call::steps()
            .chain(Fault::steps())
            .filter(|step| !self.reached.contains(step))
            .collect()
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let all = Feature::ALL.len();
        let open = self.unflipped();
        let names: Vec<&str> = open.iter().map(Feature::name).collect();
        let head = format!(
            "{} of {all} features and rules are told apart by a test",
            all - names.len()
        );
        let _ = writeln!(out, "{}", paint(colour(names.is_empty()), head));
        if !names.is_empty() {
            let list = wrap(&format!("not: {}", names.join(" ")), 96, 2);
            let _ = writeln!(out, "  {}", list.replace('\n', "\n  "));
        }
        let steps = Call::steps().chain(Fault::steps()).count();
        let mut by_path: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let unreached = self.unreached();
        for (path, step) in &unreached {
            by_path.entry(path).or_default().push(step);
        }
        let head = format!(
            "{} of {steps} steps of the model were reached by a test",
            steps - unreached.len()
        );
        let _ = writeln!(out, "{}", paint(colour(unreached.is_empty()), head));
        for (path, steps) in by_path {
            let path = paint(DIM, format!("{path}:"));
            let list = wrap(&format!("{path} {}", steps.join(" ")), 96, 2);
            let _ = writeln!(out, "  {}", list.replace('\n', "\n  "));
        }
        out
    }
}

fn colour(complete: bool) -> anstyle::Style {
    if complete { GOOD } else { WARN }
}

/// The feature that alone leads two runs of different verdicts apart.
fn decisive(a: &Run, b: &Run) -> Option<Feature> {
    let known = a.verdict != Verdict::Unknown && b.verdict != Verdict::Unknown;
    if !known || a.verdict == b.verdict {
        return None;
    }
    let both = a.consulted.intersection(b.consulted);
    let (in_a, in_b) = (a.had.intersection(both), b.had.intersection(both));
    let mut apart = in_a.difference(in_b).union(in_b.difference(in_a)).iter();
    let first = apart.next()?;
    apart.next().is_none().then_some(first)
}
