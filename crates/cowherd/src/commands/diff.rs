//! `cowherd diff`

use cowherd_explore::Options;
use cowherd_model::check::Verdict;
use cowherd_model::general::{self, Bound, Compared, Differs, differences, looked_at, write_test};
use cowherd_model::kernels::Profile;
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

pub(super) struct Comparing<'a> {
    pub(super) args: &'a Diff,
    pub(super) bound: Bound,
    pub(super) options: Options<'a>,
}

impl Comparing<'_> {
    pub(super) fn compare(&self, left: &Profile, rights: &[Profile]) -> Result<Compared, Failure> {
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
        let (on, off) = if differs.only_on == left.name {
            (left, right)
        } else {
            (right, left)
        };
        let (name, text) = self.test(program, differs, left, right, "");
        let test = bounds::loaded(&name, text)?;
        let finder = Finder::new(&test, &self.args.search);
        // Mostly Sometimes and Never; but an outcome may be the only one there is.
        let mut clauses = Vec::new();
        for kernel in [on, off] {
            let verdict = finder.check(kernel)?.verdict;
            if verdict != Verdict::Unknown {
                clauses.push(format!("{} {verdict}", kernel.name));
            }
        }
        let results = match clauses.is_empty() {
            true => String::new(),
            false => format!("Result: {}", clauses.join("; ")),
        };
        let (name, text) = self.test(program, differs, left, right, &results);
        bounds::write(self.args.write.as_deref(), &name, &text)?;
        terminal::print(&format!(
            "\n{} allows {}:\n\n{text}\n",
            paint(BOLD, &differs.only_on),
            differs.outcome
        ))?;
        if with_story && let Some(trace) = finder.find(on, &Goal::Condition)? {
            terminal::print(&bounds::parting(&finder, &trace, off)?)?;
        }
        Ok(())
    }

    /// The program as a test, with its name; `results`: what its header says of kernels.
    pub(super) fn test(
        &self,
        program: &Program,
        differs: &Differs,
        left: &Profile,
        right: &Profile,
        results: &str,
    ) -> (String, String) {
        let doc = format!(
            "Synthesised: one of the shortest programs on which two kernels differ.\n\
             Source: synthesised by cowherd diff {} {}\n{results}",
            left.name, right.name
        );
        let locations = looked_at(program, &self.bound, &differs.calls);
        let condition = format!("{locations}exists ({})", differs.outcome);
        let calls = &differs.calls;
        let write =
            |name: &str, doc: &str| write_test(program, &self.bound, calls, name, doc, &condition);
        // Tests may hold the same program, and start in other states or ask for other outcomes.
        let name = general::name("differs", &write("", ""));
        let text = write(&name, &doc);
        (name, bounds::formatted(text))
    }
}
