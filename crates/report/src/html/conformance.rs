//! What real kernels did, as a JSON that whoever runs tests on them writes. The schema is described in the book ("Output").

use cowherd_model::check::Verdict;
use cowherd_model::kernels::{Kernels, Profile};
use serde::{Deserialize, Serialize};

/// The version of the schema.
pub const SCHEMA: u32 = 1;

/// All results.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conformance {
    /// [`SCHEMA`].
    pub schema: u32,
    /// One for each test and kernel.
    pub results: Vec<Real>,
}

/// A test on a real kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Real {
    /// The test's name; with its theme, `swapoff/fork`, or without, where no other has the same.
    pub test: String,
    /// The release that the kernel says it is: `5.10.0-28-amd64`.
    pub kernel: String,
    /// The profile that it was held against.
    pub profile: String,
    /// How often the proposition held, over all runs: `Never`, `Sometimes` or `Always`.
    pub verdict: Seen,
    /// Is all that was seen allowed by the model? Who ran the test may know more of each run than its final state.
    #[serde(default = "sound")]
    pub sound: bool,
    /// The final states and how often each was seen.
    pub histogram: Vec<Bar>,
}

fn sound() -> bool {
    true
}

/// How often the proposition held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seen {
    /// In no run.
    Never,
    /// In some.
    Sometimes,
    /// In all.
    Always,
}

/// A final state and how often it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// What was seen: `A:x[0]=0`.
    pub values: Vec<String>,
    /// In so many runs.
    pub runs: u64,
}

/// How what a kernel did stands to what the model says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// It did what the model says it may do, and the model's verdict is what was seen.
    Agrees,
    /// It did nothing that the model forbids, but not all that it allows.
    Narrower,
    /// It did what the model says that it never does.
    Contradicts,
}

impl Real {
    /// Held against the model's verdict; none: that is unknown.
    pub fn against(&self, model: Verdict) -> Option<Agreement> {
        Some(match (model, self.verdict) {
            _ if !self.sound => Agreement::Contradicts,
            (Verdict::Unknown, _) => return None,
            (Verdict::Never, Seen::Never)
            | (Verdict::Always, Seen::Always)
            | (Verdict::Sometimes, Seen::Sometimes) => Agreement::Agrees,
            (Verdict::Sometimes, _) => Agreement::Narrower,
            (Verdict::Never | Verdict::Always, _) => Agreement::Contradicts,
        })
    }

    /// Runs, all told.
    pub fn runs(&self) -> u64 {
        self.histogram.iter().map(|bar| bar.runs).sum()
    }
}

impl Conformance {
    /// Reads the JSON.
    ///
    /// # Errors
    ///
    /// If it is not JSON of this schema.
    pub fn parse(text: &str) -> Result<Conformance, String> {
        let all: Conformance = serde_json::from_str(text).map_err(|e| e.to_string())?;
        if all.schema != SCHEMA {
            return Err(format!("this is schema {}, not {SCHEMA}", all.schema));
        }
        Ok(all)
    }

    /// What was seen of a test, which may go by any of these names, on a kernel of this profile, whatever that is called.
    pub fn of(&self, names: &[String], profile: &Profile) -> Vec<&Real> {
        let same = |name: &str| {
            let other = Kernels::shipped().profile(name);
            name == profile.name || other.is_ok_and(|o| o.profile.same_kernel(profile))
        };
        let mine = |r: &&Real| names.contains(&r.test) && same(&r.profile);
        self.results.iter().filter(mine).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{ "schema": 1, "results": [ { "test": "t", "kernel": "5.18.19", "profile": "v5.18", "verdict": "Sometimes",
        "histogram": [ { "values": ["A:x[0]=0"], "runs": 3 }, { "values": ["A:x[0]=7"], "runs": 97 } ] } ] }"#;

    #[test]
    fn results_are_found_by_test_and_profile() {
        let all = Conformance::parse(ONE).unwrap();
        let of = |test: &str, profile: &str| {
            let profile = Kernels::shipped().profile(profile).unwrap().profile;
            let found = all.of(&[test.to_string()], &profile);
            found.iter().map(|real| real.runs()).sum::<u64>()
        };
        assert_eq!(
            (of("t", "v5.18"), of("t", "v5.19"), of("u", "v5.18")),
            (100, 0, 0)
        );
        assert!(Conformance::parse(&ONE.replace(": 1,", ": 2,")).is_err());
    }

    #[test]
    fn only_what_the_model_excludes_contradicts_it() {
        let real = &Conformance::parse(ONE).unwrap().results[0];
        assert_eq!(real.against(Verdict::Sometimes), Some(Agreement::Agrees));
        assert_eq!(real.against(Verdict::Never), Some(Agreement::Contradicts));
        assert_eq!(real.against(Verdict::Always), Some(Agreement::Contradicts));
        assert_eq!(real.against(Verdict::Unknown), None);
        let never = Real {
            verdict: Seen::Never,
            ..real.clone()
        };
        let unsound = Real {
            sound: false,
            ..real.clone()
        };
        assert_eq!(
            unsound.against(Verdict::Sometimes),
            Some(Agreement::Contradicts)
        );
        assert_eq!(never.against(Verdict::Sometimes), Some(Agreement::Narrower));
    }
}
