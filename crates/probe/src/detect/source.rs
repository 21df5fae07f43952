//! The profile of a source tree: every feature looked for, and the known kernel that comes nearest.

use std::sync::Arc;

use cowherd_mm::{Feature, FeatureSet};
use cowherd_model::kernels::{Arch, Composed, Kernels, Profile, ProfileError, Release};

use super::look::{Found, Place, Trust, any};
use super::tree::Tree;

/// A source tree's features, and what kernel that makes it.
#[derive(Clone, Debug)]
pub struct Detected {
    /// What the Makefile says.
    pub version: Option<String>,
    /// The architecture that was asked for.
    pub arch: Arc<Arch>,
    /// Every modelled feature and rule, in the order of the data.
    pub looked: Vec<Looked>,
    /// The known kernel that differs least.
    pub nearest: Profile,
    /// The expression for the tree: the nearest with what is changed; or why there is none.
    pub expression: Result<Composed, ProfileError>,
    /// What the tree's kernel has. Of what cannot be told, what the nearest has.
    pub features: FeatureSet,
}

/// A feature, and what came of looking for it.
#[derive(Clone, Debug)]
pub struct Looked {
    /// The feature.
    pub feature: Feature,
    /// Is it there, and which line decided?
    pub found: Found,
}

impl Detected {
    /// What the tree has and the nearest has not, or the other way round.
    pub fn differs(&self) -> impl Iterator<Item = &Looked> {
        self.looked.iter().filter(|l| match l.found {
            Found::Present(_) => !self.nearest.has(l.feature),
            Found::Absent(_) => self.nearest.has(l.feature),
            Found::CannotTell(_) => false,
        })
    }

    /// What could not be told.
    pub fn unknown(&self) -> impl Iterator<Item = &Looked> {
        let unknown = |l: &&Looked| matches!(l.found, Found::CannotTell(_));
        self.looked.iter().filter(unknown)
    }
}

/// Looks for every feature in a tree.
pub fn detect(kernels: &Kernels, tree: &Tree, arch: &Arc<Arch>) -> Detected {
    let newest = kernels.releases().last();
    let newer = tree
        .release()
        .is_some_and(|release| Some(release.mainline()) > newest);
    let trust = if newer { Trust::Newer } else { Trust::Known };
    let mut looked: Vec<Looked> = kernels
        .features()
        .iter()
        .filter_map(|info| {
            Some(Looked {
                feature: info.feature()?,
                found: any(tree, arch, trust, &info.look),
            })
        })
        .collect();
    settle_by_need(kernels, &mut looked);
    let nearest = nearest(kernels, arch, tree.release(), &looked);
    let features = features(&nearest, &looked);
    Detected {
        version: tree.version.clone(),
        arch: Arc::clone(arch),
        expression: kernels.expression(&nearest, features),
        looked,
        nearest,
        features,
    }
}

/// What needs settles. A rule that has nothing to do is no rule that is missing; and a feature whose place is not there is absent if
/// what it needs is: UFFDIO_MOVE's fixes, in a kernel without UFFDIO_MOVE.
fn settle_by_need(kernels: &Kernels, looked: &mut [Looked]) {
    let mut settled = FeatureSet::EMPTY;
    loop {
        let absent = |name: &String| {
            let is = |l: &Looked| l.feature.name() == name.as_str();
            looked
                .iter()
                .any(|l| is(l) && matches!(l.found, Found::Absent(_)))
        };
        let next = looked.iter().enumerate().find_map(|(at, l)| {
            let rule = kernels.feature(l.feature).rule.is_some();
            let open =
                rule && !settled.contains(l.feature) || matches!(l.found, Found::CannotTell(_));
            let need = open.then(|| unmet(kernels, l.feature, &absent)).flatten()?;
            Some((at, rule, need))
        });
        let Some((at, rule, need)) = next else { return };
        settled.insert(looked[at].feature);
        looked[at].found = if rule {
            Found::Present(nowhere(&format!("has nothing to do without {need}")))
        } else {
            Found::Absent(nowhere(&format!("needs {need}, which is absent")))
        };
    }
}

fn nowhere(text: &str) -> Place {
    Place {
        file: "-".into(),
        line: None,
        text: text.into(),
    }
}

/// What a feature needs, or does nothing without, and is absent.
fn unmet(kernels: &Kernels, feature: Feature, absent: &dyn Fn(&String) -> bool) -> Option<String> {
    let info = kernels.feature(feature);
    let needs = info.needs.iter().chain(&info.idle_without);
    let mut unmet = needs.filter(|need| need.0.iter().all(absent));
    unmet.next().map(ToString::to_string)
}

/// The known kernel with the fewest differences; of several, the one that the tree says it is, else the nearest to that.
fn nearest(
    kernels: &Kernels,
    arch: &Arc<Arch>,
    release: Option<Release>,
    looked: &[Looked],
) -> Profile {
    let differences = |profile: &Profile| {
        let differs = looked.iter().filter(|l| match l.found {
            Found::Present(_) => !profile.has(l.feature),
            Found::Absent(_) => profile.has(l.feature),
            Found::CannotTell(_) => false,
        });
        differs.count()
    };
    let away = |profile: &Profile| match release {
        None => (0, 0),
        Some(release) => kernels.distance(profile.release, release),
    };
    let known = kernels.known(arch);
    let best = known.into_iter().min_by_key(|p| (differences(p), away(p)));
    best.expect("some kernels are known")
}

/// What was found, on top of what the nearest has where nothing could be told.
fn features(nearest: &Profile, looked: &[Looked]) -> FeatureSet {
    let mut features = nearest.features;
    for l in looked {
        match l.found {
            Found::Present(_) => {
                features.insert(l.feature);
            }
            Found::Absent(_) => {
                features.remove(l.feature);
            }
            Found::CannotTell(_) => {}
        }
    }
    features
}
