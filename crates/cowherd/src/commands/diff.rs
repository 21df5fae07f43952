//! `cowherd diff`

use cowherd_explore::Options;
use cowherd_model::general::{
    self, Bound, Compared, Difference, Differs, differences, looked_at, write_test,
};
use cowherd_model::kernels::{Kernels, Profile, ProfileError};
use cowherd_model::program::Program;
use cowherd_report::style::{BAD, BOLD, GOOD, WARN, paint};
use cowherd_report::table::ended_because;

use crate::batch::{self, Extras};
use crate::cli::Diff;
use crate::commands::bounds;
use crate::commands::explain::Finder;
use crate::exit::{Exit, Failure};
use crate::find::Goal;
use crate::input;
use crate::terminal;

pub fn run(args: &Diff) -> Result<Exit, Failure> {
    let bound = bounds::bound(&args.within)?;
    terminal::catch_interrupts();
    let search = batch::search(
        &args.search,
        batch::workers(&args.search),
        Extras::default(),
    );
    let comparing = Comparing {
        args,
        bound,
        options: search.options(),
    };
    match (&args.left, &args.right) {
        (Some(left), Some(right)) => comparing.two(&input::profile(left)?, &input::profile(right)?),
        _ => comparing.table(),
    }
}

struct Comparing<'a> {
    args: &'a Diff,
    bound: Bound,
    options: Options<'a>,
}

impl Comparing<'_> {
    fn compare(&self, left: &Profile, rights: &[Profile]) -> Result<Compared, Failure> {
        differences(&self.bound, left, rights, &self.options).map_err(|r| bounds::refused(&r))
    }

    fn two(&self, left: &Profile, right: &Profile) -> Result<Exit, Failure> {
        terminal::print(&format!(
            "{} and {}: {}",
            paint(BOLD, &left.name),
            paint(BOLD, &right.name),
            bounds::told(&self.bound)
        ))?;
        let compared = self.compare(left, std::slice::from_ref(right))?;
        let came = &compared.with[0];
        terminal::print(&format!(
            "{} groups of programs asked nothing in which they differ; {} programs were run on both\n",
            came.settled, came.ran
        ))?;
        if let Some(ended) = came.cut {
            let why = ended_because(ended);
            terminal::print(&format!("{}: {why}\n", paint(WARN, "undetermined")))?;
        }
        if came.found.is_empty() {
            let text = format!(
                "every program with up to {} calls was tried and agrees\n",
                came.agreed
            );
            terminal::print(&if came.cut.is_some() {
                text
            } else {
                paint(GOOD, &text)
            })?;
            return Ok(if came.cut.is_some() {
                Exit::Undetermined
            } else {
                Exit::Fine
            });
        }
        let k = came.agreed + 1;
        terminal::print(&format!(
            "{}; every shorter program was tried and agrees\n",
            paint(
                BAD,
                format!(
                    "the first difference has {k} {}",
                    if k == 1 { "call" } else { "calls" }
                )
            )
        ))?;
        for (n, differs) in came.found.iter().enumerate() {
            self.found(&compared.program, differs, left, right, n == 0)?;
        }
        Ok(Exit::Differs)
    }

    /// One program that differs, as a test; the first with its story.
    fn found(
        &self,
        program: &Program,
        differs: &Differs,
        left: &Profile,
        right: &Profile,
        with_story: bool,
    ) -> Result<(), Failure> {
        let (name, text) = self.test(program, differs, left, right);
        bounds::write(self.args.write.as_deref(), &name, &text)?;
        terminal::print(&format!(
            "\n{} allows {}:\n\n{text}\n",
            paint(BOLD, &differs.only_on),
            differs.outcome
        ))?;
        if !with_story {
            return Ok(());
        }
        let (on, off) = if differs.only_on == left.name {
            (left, right)
        } else {
            (right, left)
        };
        let test = bounds::loaded(&name, text)?;
        let finder = Finder::new(&test, &self.args.search);
        if let Some(trace) = finder.find(on, &Goal::Condition)? {
            terminal::print(&bounds::parting(&finder, &trace, off)?)?;
        }
        Ok(())
    }

    fn test(
        &self,
        program: &Program,
        differs: &Differs,
        left: &Profile,
        right: &Profile,
    ) -> (String, String) {
        let other = if differs.only_on == left.name {
            right
        } else {
            left
        };
        let name = general::name("differs", &differs.form);
        let doc = format!(
            "Synthesised: one of the shortest programs on which two kernels differ.\n\
             Source: cowherd diff {} {}\n\
             Result: {} Sometimes; {} Never",
            left.name, right.name, differs.only_on, other.name
        );
        let locations = looked_at(program, &self.bound, &differs.calls);
        let condition = format!("{locations}exists ({})", differs.outcome);
        let text = write_test(
            program,
            &self.bound,
            &differs.calls,
            &name,
            &doc,
            &condition,
        );
        (name, bounds::formatted(text))
    }

    /// Neighbouring releases, and the newest without each of its features; without those that need it, too.
    fn table(&self) -> Result<Exit, Failure> {
        let kernels = Kernels::shipped();
        let matrix = kernels.matrix();
        let Some(newest) = matrix.last() else {
            return Err(Failure::Machine("the matrix is empty".into()));
        };
        terminal::print(&format!(
            "{}\n| kernel | and | first difference |\n|---|---|---|\n",
            bounds::told(&self.bound)
        ))?;
        for pair in matrix.windows(2) {
            self.lines(&pair[0], &pair[1..])?;
            if terminal::stopped() {
                return Ok(Exit::Undetermined);
            }
        }
        let mut rights = Vec::new();
        for feature in newest.features.iter() {
            let alone = kernels.profile(&format!("{}-{}", newest.name, feature.name()));
            // What others need goes with them.
            let composed = match alone {
                Err(ProfileError::NeededBy { with, .. }) => kernels.profile(&with),
                alone => alone,
            };
            rights.push(composed.map_err(|e| Failure::Input(e.to_string()))?.profile);
        }
        self.lines(newest, &rights)?;
        Ok(if terminal::stopped() {
            Exit::Undetermined
        } else {
            Exit::Fine
        })
    }

    /// Lines of a table in Markdown: a kernel and others.
    fn lines(&self, left: &Profile, rights: &[Profile]) -> Result<(), Failure> {
        let compared = self.compare(left, rights)?;
        for (right, came) in rights.iter().zip(&compared.with) {
            if let Some(first) = came.found.first() {
                let (name, text) = self.test(&compared.program, first, left, right);
                bounds::write(self.args.write.as_deref(), &name, &text)?;
            }
            let (left, right, what) = (&left.name, &right.name, said(came));
            terminal::print(&format!("| `{left}` | `{right}` | {what} |\n"))?;
        }
        Ok(())
    }
}

/// What came of a comparison, in a cell of a table.
fn said(came: &Difference) -> String {
    match (came.found.first(), came.cut) {
        (Some(first), _) => {
            let calls = first.form.replace('\n', " ‖ ");
            let (k, n) = (came.agreed + 1, came.found.len());
            format!(
                "{k} calls, {n} programs; only on {}: `{calls}`",
                first.only_on
            )
        }
        (None, None) => format!("nothing up to {} calls", came.agreed),
        (None, Some(_)) => format!("nothing up to {} calls; cut short", came.agreed),
    }
}
