//! The site that `cowherd report` writes: the matrix, a page for each test, for each feature, for each witness.

mod feature;
mod frame;
mod matrix;
mod test;

use std::collections::{BTreeMap, BTreeSet};

use cowherd_mm::Feature;
use cowherd_model::kernels::{Kernels, Profile};
use cowherd_model::why_not::Replay;
use cowherd_model::witness::Trace;

use crate::checked::Checked;
use crate::coverage::Coverage;
use crate::html::conformance::{Conformance, Real};
use crate::html::{file_name, witness};

/// All that the site is made of.
pub struct Site<'a> {
    /// What came of the tests.
    pub tests: &'a [Checked],
    /// Their texts, in the same order.
    pub texts: &'a [String],
    /// The kernels of the matrix.
    pub profiles: &'a [Profile],
    /// Which test tells which feature apart, besides what the results show by themselves.
    pub coverage: &'a Coverage,
    /// The witnesses.
    pub witnesses: &'a [Witness],
    /// What real kernels did.
    pub conformance: &'a Conformance,
}

/// A witness of one test, for all kernels that share a run.
pub struct Witness {
    /// The test's number.
    pub test: usize,
    /// The numbers of the test's rows that it speaks for.
    pub rows: Vec<usize>,
    /// What happens.
    pub trace: Trace,
    /// The same schedule on a kernel that is safe, if the test has one.
    pub safe: Option<Replay>,
}

/// A file of the site: its path in it, and its text.
pub type File = (String, String);

impl Site<'_> {
    /// All files.
    pub fn files(&self) -> Vec<File> {
        let flips = self.flips();
        let mut files = vec![
            ("index.html".into(), matrix::page(self, &flips)),
            ("features.html".into(), feature::index(self, &flips)),
        ];
        for at in 0..self.tests.len() {
            let page = test::page(self, at, &flips);
            files.push((self.test_path(at), page));
        }
        for info in Kernels::shipped().features() {
            files.push((feature_path(&info.name), feature::page(self, info, &flips)));
        }
        for w in self.witnesses {
            files.push((self.witness_path(w), witness::page(&w.trace)));
            if let Some(safe) = &w.safe {
                let page = witness::page_of_two(&w.trace, safe, &[]);
                files.push((self.comparison_path(w), page));
            }
        }
        files
    }

    /// For each feature, the tests that tell it apart, by number.
    fn flips(&self) -> Flips {
        let mut flips = Flips::new();
        for (at, checked) in self.tests.iter().enumerate() {
            for feature in Coverage::of(std::slice::from_ref(checked)).flips.keys() {
                flips.entry(*feature).or_default().insert(at);
            }
        }
        for (feature, name) in &self.coverage.flips {
            if let Some(at) = self.tests.iter().position(|c| c.title == *name) {
                flips.entry(*feature).or_default().insert(at);
            }
        }
        flips
    }

    /// What a test's pages are called: its name, with its theme where another has the same.
    fn id(&self, at: usize) -> String {
        let test = &self.tests[at];
        let same = |other: &&Checked| other.test.name == test.test.name;
        if self.tests.iter().filter(same).count() == 1 {
            return test.test.name.clone();
        }
        let theme = frame::theme(&test.source);
        let twin = |n: &usize| {
            let other = &self.tests[*n];
            other.test.name == test.test.name && frame::theme(&other.source) == theme
        };
        // Files from anywhere may be called alike.
        match (0..at).filter(twin).count() {
            0 => format!("{theme}/{}", test.test.name),
            n => format!("{theme}/{}/{}", test.test.name, n + 1),
        }
    }

    /// What real kernels did with a row of a test.
    fn real(&self, test: usize, row: usize) -> Vec<&Real> {
        let checked = &self.tests[test];
        let theme = frame::theme(&checked.source);
        let names = [self.id(test), format!("{theme}/{}", checked.test.name)];
        self.conformance.of(&names, &checked.rows[row].profile)
    }

    fn test_path(&self, at: usize) -> String {
        format!("tests/{}.html", self.file(at))
    }

    fn file(&self, at: usize) -> String {
        file_name(&self.id(at).replace('/', "."))
    }

    fn witness_path(&self, w: &Witness) -> String {
        let kernel = file_name(&w.trace.profile);
        format!("witnesses/{}~on~{kernel}.html", self.file(w.test))
    }

    fn comparison_path(&self, w: &Witness) -> String {
        let kernel = file_name(&w.trace.profile);
        format!("witnesses/{}~on~{kernel}~why-not.html", self.file(w.test))
    }

    /// The witness of a row of a test.
    fn witness(&self, test: usize, row: usize) -> Option<&Witness> {
        let mine = |w: &&Witness| w.test == test && w.rows.contains(&row);
        self.witnesses.iter().find(mine)
    }
}

/// For each feature, the tests that tell it apart.
type Flips = BTreeMap<Feature, BTreeSet<usize>>;

fn feature_path(name: &str) -> String {
    format!("features/{}.html", file_name(name))
}
