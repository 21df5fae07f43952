//! `cowherd diff`

use cowherd_explore::Options;
use cowherd_model::general::{self, Bound, Difference, Differs, difference, looked_at, write_test};
use cowherd_model::kernels::{Kernels, Profile};
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
    fn compare(&self, left: &Profile, right: &Profile) -> Result<Difference, Failure> {
        difference(&self.bound, left, right, &self.options, &mut |_, _| {})
            .map_err(|r| bounds::refused(&r))
    }

    fn two(&self, left: &Profile, right: &Profile) -> Result<Exit, Failure> {
        terminal::print(&format!(
            "{} and {}: {}",
            paint(BOLD, &left.name),
            paint(BOLD, &right.name),
            bounds::told(&self.bound)
        ))?;
        let came = self.compare(left, right)?;
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
            self.found(&came, differs, left, right, n == 0)?;
        }
        Ok(Exit::Differs)
    }

    /// One program that differs, as a test; the first with its story.
    fn found(
        &self,
        came: &Difference,
        differs: &Differs,
        left: &Profile,
        right: &Profile,
        with_story: bool,
    ) -> Result<(), Failure> {
        let (name, text) = self.test(came, differs, left, right);
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
        came: &Difference,
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
        let locations = looked_at(&came.program, &self.bound, &differs.calls);
        let condition = format!("{locations}exists ({})", differs.outcome);
        let text = write_test(
            &came.program,
            &self.bound,
            &differs.calls,
            &name,
            &doc,
            &condition,
        );
        (name, bounds::formatted(text))
    }

    /// Neighbouring releases, and the newest without each of its features.
    fn table(&self) -> Result<Exit, Failure> {
        let matrix = Kernels::shipped().matrix();
        terminal::print(&format!("{}\n", bounds::told(&self.bound)))?;
        for pair in matrix.windows(2) {
            self.line(&pair[0], &pair[1])?;
        }
        let Some(newest) = matrix.last() else {
            return Err(Failure::Machine("the matrix is empty".into()));
        };
        terminal::print("\n")?;
        for feature in newest.features.iter() {
            let expression = format!("{}-{}", newest.name, feature.name());
            // Some cannot go alone: others need them.
            match Kernels::shipped().profile(&expression) {
                Ok(composed) => self.line(newest, &composed.profile)?,
                Err(error) => {
                    let why = error
                        .to_string()
                        .lines()
                        .next()
                        .unwrap_or_default()
                        .to_string();
                    terminal::print(&format!("| `{expression}` | not alone: {why} |\n"))?;
                }
            }
            if terminal::stopped() {
                return Ok(Exit::Undetermined);
            }
        }
        Ok(Exit::Fine)
    }

    /// A line of a table in Markdown.
    fn line(&self, left: &Profile, right: &Profile) -> Result<(), Failure> {
        let came = self.compare(left, right)?;
        let what = match (came.found.first(), came.cut) {
            (Some(first), _) => {
                let calls = first.form.replace('\n', " ‖ ");
                format!(
                    "{} calls, {} programs: `{calls}`",
                    came.agreed + 1,
                    came.found.len()
                )
            }
            (None, None) => format!("nothing up to {} calls", came.agreed),
            (None, Some(_)) => format!("nothing up to {} calls; cut short", came.agreed),
        };
        Ok(terminal::print(&format!(
            "| `{}`, `{}` | {what} |\n",
            left.name, right.name
        ))?)
    }
}
