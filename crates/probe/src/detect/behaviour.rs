//! The profile of a kernel by what it does.
//!
//! Tests of the corpus are run on it, in forced orders of whole calls. What they showed is held against the kernel that it is thought to
//! be, and against every kernel that differs from that in one feature: where only one of the two allows what was seen, the test has decided
//! the feature. What no order of whole calls can show, this cannot tell.

use cowherd_mm::{Feature, FeatureSet};
use cowherd_model::kernels::{Kernels, Profile};

use crate::live::TestResult;
use crate::live::judge::allows;
use crate::side_by_side::side_by_side;

/// Features that are changed at most until what was seen is allowed.
const CHANGES: usize = 8;

/// What a kernel's behaviour tells.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// What it was thought to be, with what had to be changed for what was seen.
    pub profile: Profile,
    /// What was changed, in this order.
    pub changed: Vec<Changed>,
    /// The features that a test has decided, in the order of the data.
    pub shown: Vec<Shown>,
    /// Features that a test asked about, and that none decided.
    pub open: Vec<Feature>,
    /// Tests that showed what this kernel forbids, where no change of one feature allows more than it forbids.
    pub unexplained: Vec<String>,
    /// Tests that ran.
    pub ran: usize,
}

/// A feature that had to be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The feature.
    pub feature: Feature,
    /// Those that would explain as much in its place.
    pub or: Vec<Feature>,
    /// The tests that showed what was forbidden before, and is allowed now.
    pub tests: Vec<String>,
}

/// A feature that a test has decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The feature.
    pub feature: Feature,
    /// Has the kernel got it?
    pub present: bool,
    /// The test: what it showed is forbidden if this is not so.
    pub test: String,
}

/// Tells a kernel by what tests showed on it. `thought`: what it is thought to be.
pub fn behaviour(kernels: &Kernels, thought: &Profile, results: &[TestResult]) -> Behaviour {
    let mut told = Behaviour {
        profile: thought.clone(),
        changed: Vec::new(),
        shown: Vec::new(),
        open: Vec::new(),
        unexplained: Vec::new(),
        ran: 0,
    };
    let mut held = hold(results, thought);
    while told.changed.len() < CHANGES && held.iter().any(|h| !h.allowed) {
        let Some((other, changed)) = mend(kernels, &told.profile, &held) else {
            break;
        };
        told.profile = other;
        told.changed.push(changed);
        held = hold(results, &told.profile);
    }
    told.ran = held.len();
    let forbidden = held.iter().filter(|h| !h.allowed);
    told.unexplained = forbidden.map(|h| h.result.name.clone()).collect();
    let asked: Vec<Feature> = Feature::ALL
        .iter()
        .copied()
        .filter(|f| held.iter().any(|h| h.asked.contains(*f)))
        .collect();
    let decided = side_by_side(&asked, |&feature| {
        let other = neighbour(kernels, &told.profile, feature)?;
        let mut deciding = held.iter().filter(|h| {
            let forbids = || allows(h.result, &other).is_some_and(|(allowed, _)| !allowed);
            h.allowed && h.asked.contains(feature) && forbids()
        });
        deciding.next().map(|h| h.result.name.clone())
    });
    for (feature, test) in asked.into_iter().zip(decided) {
        match test {
            Some(test) => told.shown.push(Shown {
                feature,
                present: told.profile.has(feature),
                test,
            }),
            None => told.open.push(feature),
        }
    }
    told
}

/// A result, held against a kernel.
struct Held<'r> {
    result: &'r TestResult,
    allowed: bool,
    asked: FeatureSet,
}

fn hold<'r>(results: &'r [TestResult], profile: &Profile) -> Vec<Held<'r>> {
    let all = side_by_side(results, |result| allows(result, profile));
    let pairs = results.iter().zip(all);
    pairs
        .filter_map(|(result, held)| {
            held.map(|(allowed, asked)| Held {
                result,
                allowed,
                asked,
            })
        })
        .collect()
}

/// The change of one feature after which the most results are allowed that are not, less those that no longer are.
fn mend(kernels: &Kernels, profile: &Profile, held: &[Held]) -> Option<(Profile, Changed)> {
    let wrong = |f: Feature| held.iter().any(|h| !h.allowed && h.asked.contains(f));
    let suspects: Vec<Feature> = Feature::ALL.iter().copied().filter(|f| wrong(*f)).collect();
    let tried = side_by_side(&suspects, |&feature| {
        let other = neighbour(kernels, profile, feature)?;
        let allowed = |h: &Held| allows(h.result, &other).is_some_and(|(allowed, _)| allowed);
        let asked = || held.iter().filter(|h| h.asked.contains(feature));
        let mended: Vec<String> = asked()
            .filter(|h| !h.allowed && allowed(h))
            .map(|h| h.result.name.clone())
            .collect();
        let broken = match mended.len() {
            0 => 0,
            _ => asked().filter(|h| h.allowed && !allowed(h)).count(),
        };
        (mended.len() > broken).then(|| (mended.len() - broken, other, mended))
    });
    let most = tried.iter().flatten().map(|(gain, ..)| *gain).max()?;
    let mut best: Vec<(Feature, Profile, Vec<String>)> = Vec::new();
    for (feature, tried) in suspects.into_iter().zip(tried) {
        match tried {
            Some((gain, other, tests)) if gain == most => best.push((feature, other, tests)),
            _ => {}
        }
    }
    // What came takes the place of what went: the change is called by what came.
    best.sort_by_key(|(feature, other, _)| !other.has(*feature));
    let mut best = best.into_iter();
    let (feature, other, tests) = best.next()?;
    let or = best.filter(|(_, another, _)| another.features != other.features);
    let or = or.map(|(feature, ..)| feature).collect();
    Some((other, Changed { feature, or, tests }))
}

/// The kernel that differs in one feature, and in what cannot be as it is without that.
fn neighbour(kernels: &Kernels, profile: &Profile, feature: Feature) -> Option<Profile> {
    let sign = if profile.has(feature) { '-' } else { '+' };
    let expression = format!("{}{sign}{}", profile.name, feature.name());
    let composed = kernels.profile(&expression).ok()?;
    (composed.profile.has(feature) != profile.has(feature)).then_some(composed.profile)
}
