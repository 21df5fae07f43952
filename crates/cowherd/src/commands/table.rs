//! `cowherd diff --table`: what tells neighbouring kernels apart, and what each feature is good for.

use std::fmt::Write;
use std::fs;

use cowherd_litmus::ast::Test;
use cowherd_model::check::{Shared, Verdict};
use cowherd_model::general::{Compared, Difference, Differs, same_program};
use cowherd_model::kernels::{Kernels, Profile, ProfileError};

use crate::batch::{self, Extras};
use crate::commands::bounds;
use crate::commands::diff::Comparing;
use crate::commands::verify::many;
use crate::exit::{Exit, Failure};
use crate::input::{self, Loaded};
use crate::terminal;

/// The theme of the corpus that holds what was found here.
const SYNTHESISED: &str = "synthesised";

impl Comparing<'_> {
    /// Neighbouring releases, and the newest without each of its features; without those that need it, too. Or only some
    /// of these.
    pub(super) fn table(&self) -> Result<Exit, Failure> {
        let kernels = Kernels::shipped();
        let matrix = kernels.matrix();
        let Some(newest) = matrix.last() else {
            return Err(Failure::Machine("the matrix is empty".into()));
        };
        let known = Known::load()?;
        terminal::print(&format!(
            "{}\n| kernel | and | first difference | test |\n|---|---|---|---|\n",
            bounds::told(&self.bound)
        ))?;
        let only = &self.args.features;
        let everything = only.is_empty() && !self.args.releases;
        let releases = everything || self.args.releases;
        let mut whole = true;
        for pair in matrix.windows(2).filter(|_| releases) {
            whole &= self.lines(&pair[0], &pair[1..], &known)?;
            if terminal::stopped() {
                return Ok(Exit::Undetermined);
            }
        }
        let mut names: Vec<String> = only.clone();
        if everything {
            names.extend(newest.features.iter().map(|f| f.name().to_string()));
        }
        let mut rights: Vec<Profile> = Vec::new();
        for name in names {
            let alone = kernels.profile(&format!("{}-{name}", newest.name));
            // What others need goes with them.
            let composed = match alone {
                Err(ProfileError::NeededBy { with, .. }) => kernels.profile(&with),
                alone => alone,
            };
            rights.push(composed.map_err(|e| Failure::Input(e.to_string()))?.profile);
        }
        whole &= self.lines(newest, &rights, &known)?;
        Ok(if whole {
            Exit::Fine
        } else {
            Exit::Undetermined
        })
    }

    /// Lines of a table in Markdown: a kernel and others. Was nothing cut short?
    fn lines(&self, left: &Profile, rights: &[Profile], known: &Known) -> Result<bool, Failure> {
        let compared = self.compare(left, rights)?;
        for (right, came) in rights.iter().zip(&compared.with) {
            let test = match came.found.first() {
                Some(_) => format!("`{}`", self.shown_by(&compared, came, left, right, known)?),
                None => String::new(),
            };
            let (left, right, what) = (&left.name, &right.name, said(came));
            terminal::print(&format!("| `{left}` | `{right}` | {what} | {test} |\n"))?;
        }
        Ok(compared.with.iter().all(|came| came.cut.is_none()))
    }

    /// A test that shows the difference: one of the corpus that is one of the programs that were found, or the first of them, written.
    fn shown_by(
        &self,
        compared: &Compared,
        came: &Difference,
        left: &Profile,
        right: &Profile,
        known: &Known,
    ) -> Result<String, Failure> {
        let search = batch::search(
            &self.args.search,
            batch::workers(&self.args.search),
            Extras::default(),
        );
        let verdict = |test: &Test, profile: &Profile| {
            let run = Shared::default().check(test, profile, &search);
            run.ok().map(|run| run.verdict)
        };
        let made = |found: &Differs, results: &str| {
            let (name, text) = self.test(&compared.program, found, left, right, results);
            Ok::<_, Failure>((name.clone(), text.clone(), bounds::loaded(&name, text)?))
        };
        for found in &came.found {
            let (_, _, test) = made(found, "")?;
            let form = same_program(&test.test, left).ok().flatten();
            let tells = |test: &Test| verdict(test, left) != verdict(test, right);
            let is = |known: &&Written| Some(&known.form) == form.as_ref();
            if let Some(same) = known
                .0
                .iter()
                .filter(is)
                .find(|known| tells(&known.test.test))
            {
                return Ok(same.name.clone());
            }
        }
        let (_, _, test) = made(&came.found[0], "")?;
        let own = [left, right].map(|profile| (profile, verdict(&test.test, profile)));
        let mut shared = Shared::default();
        let results = results(&own, |profile| {
            let run = shared.check(&test.test, profile, &search);
            run.ok().map(|run| run.verdict)
        });
        let (name, text, _) = made(&came.found[0], &results)?;
        if let Some(folder) = self.args.write.as_deref() {
            let file = folder.join(format!("{name}.litmus"));
            match fs::read_to_string(&file) {
                // The same program, with the same outcome, tells other kernels apart as well.
                Ok(there) => bounds::write(Some(folder), &name, &with_clauses(&there, &own))?,
                Err(_) => bounds::write(Some(folder), &name, &text)?,
            }
        }
        Ok(name)
    }
}

/// A test that somebody wrote.
struct Written {
    /// Its theme and its name.
    name: String,
    /// The normal form of its program.
    form: String,
    test: Loaded,
}

/// The tests of the corpus whose programs may be within a bound.
struct Known(Vec<Written>);

impl Known {
    fn load() -> Result<Known, Failure> {
        let matrix = Kernels::shipped().matrix();
        let mut known = Vec::new();
        let entries = input::corpus(None)?.entries;
        for entry in entries.iter().filter(|entry| entry.theme != SYNTHESISED) {
            for test in input::load(std::slice::from_ref(entry))? {
                let newest = matrix.last();
                let form = newest.and_then(|newest| same_program(&test.test, newest).ok()?);
                known.extend(form.map(|form| Written {
                    name: entry.path(),
                    form,
                    test,
                }));
            }
        }
        Ok(Known(known))
    }
}

/// `Result:` lines: of the mainline releases in ranges, of the other kernels of the matrix where they differ, and of the two that
/// were compared.
fn results(
    own: &[(&Profile, Option<Verdict>)],
    mut verdict: impl FnMut(&Profile) -> Option<Verdict>,
) -> String {
    let kernels = Kernels::shipped();
    let mainline = kernels.mainline();
    let verdicts: Vec<Option<Verdict>> = mainline.iter().map(&mut verdict).collect();
    let mut clauses = Vec::new();
    let mut at = 0;
    while at < mainline.len() {
        let same = verdicts[at..].iter().take_while(|v| **v == verdicts[at]);
        let end = at + same.count();
        let from = if at == 0 { "" } else { &mainline[at].name };
        let to = if end == mainline.len() {
            ""
        } else {
            &mainline[end - 1].name
        };
        if let Some(verdict) = verdicts[at] {
            let range = if from == to && !from.is_empty() {
                from.to_string()
            } else {
                format!("{from}..{to}")
            };
            clauses.push(format!("{range} {verdict}"));
        }
        at = end;
    }
    for profile in kernels.matrix() {
        let branch = profile.release.mainline();
        let of_branch = mainline.iter().position(|p| p.release == branch);
        let usual = of_branch
            .filter(|_| profile.published)
            .and_then(|n| verdicts[n]);
        if let Some(verdict) = verdict(&profile)
            && usual != Some(verdict)
        {
            clauses.push(format!("{} {verdict}", profile.name));
        }
    }
    let mut text = format!("Result: {}", clauses.join("; "));
    for clause in own_clauses(own) {
        if !clauses.contains(&clause) {
            let _ = write!(text, "\nResult: {clause}");
        }
    }
    text
}

/// Clauses for what is no published release: no other clause speaks of it.
fn own_clauses<'a>(
    own: &'a [(&Profile, Option<Verdict>)],
) -> impl Iterator<Item = String> + use<'a> {
    let unpublished = own.iter().filter(|(profile, _)| !profile.published);
    unpublished.filter_map(|(profile, verdict)| Some(format!("{} {}", profile.name, (*verdict)?)))
}

/// A test with the clauses of two more kernels.
fn with_clauses(text: &str, own: &[(&Profile, Option<Verdict>)]) -> String {
    let mut text = text.to_string();
    for clause in own_clauses(own) {
        if !text.contains(&clause)
            && let Some(end) = text.find("\n *)")
        {
            text.insert_str(end, &format!("\n * Result: {clause}"));
        }
    }
    text
}

/// What came of a comparison, in a cell of a table.
fn said(came: &Difference) -> String {
    match (came.found.first(), came.cut) {
        (Some(first), _) => {
            let calls = first.form.replace('\n', " ‖ ");
            let (k, n) = (came.agreed + 1, came.found.len());
            format!(
                "{}, {}; only on {}: `{calls}`",
                many(k as usize, "call"),
                many(n, "program"),
                first.only_on
            )
        }
        (None, None) => format!("nothing up to {}", many(came.agreed as usize, "call")),
        (None, Some(_)) => format!(
            "nothing up to {}; cut short",
            many(came.agreed as usize, "call")
        ),
    }
}
