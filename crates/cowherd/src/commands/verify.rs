//! `cowherd verify`

use std::fmt::Write;

use cowherd_explore::{Ended, Options};
use cowherd_model::general::{
    self, Bound, Called, Minimal, Searched, canonical, minimal, verify, write_test,
};
use cowherd_model::kernels::Profile;
use cowherd_model::program::Program;
use cowherd_model::spec;
use cowherd_report::style::{BAD, BOLD, GOOD, WARN, paint};
use cowherd_report::table::{ended_because, missed};
use cowherd_report::witness::story::story;

use crate::batch::{self, Extras};
use crate::cli::{Grain, Verify};
use crate::commands::bounds;
use crate::commands::explain::Finder;
use crate::exit::{Exit, Failure};
use crate::find::Goal;
use crate::input;
use crate::large;
use crate::terminal::{self, Meter};

pub fn run(args: &Verify) -> Result<Exit, Failure> {
    let profile = input::profile(&args.kernel)?;
    let mut bound = bounds::bound(&args.within)?;
    if !args.kind.is_empty() {
        bound.counts = args
            .kind
            .iter()
            .fold(0, |bits, kind| bits | spec::kind_bits(Some(*kind)));
    }
    if args.grain == Grain::Call {
        bound.grain = general::Grain::Call;
    }
    terminal::catch_interrupts();
    let meter = Meter::new(1);
    let what = format!("verifying {}", profile.name);
    let progress = |p: &_| meter.searching(&what, p);
    let search = batch::search(
        &args.search,
        batch::workers(&args.search),
        Extras {
            keep: args.large.keep(),
            ..Extras::default()
        },
    );
    let about = || {
        let mut about = large::about("verify", &profile, &search.options())?;
        about.line("bound", bounds::told(&bound).trim().replace('\n', "; "));
        about.line("grain", format_args!("{:?}", bound.grain));
        about.line("promises", bound.counts);
        Ok(about)
    };
    let checkpoints = args.large.checkpoints(about)?;
    let cluster = args.large.cluster(batch::workers(&args.search), about)?;
    let options = Options {
        progress: Some(&progress),
        checkpoints: checkpoints.as_ref(),
        cluster: cluster.as_ref(),
        ..search.options()
    };
    terminal::print(&format!(
        "{}: {}",
        paint(BOLD, &profile.name),
        bounds::told(&bound)
    ))?;
    let verifying = Verifying {
        args,
        bound,
        profile,
        options,
    };
    if args.all {
        verifying.all()
    } else {
        verifying.shortest()
    }
}

struct Verifying<'a> {
    args: &'a Verify,
    bound: Bound,
    profile: Profile,
    options: Options<'a>,
}

impl Verifying<'_> {
    fn shortest(&self) -> Result<Exit, Failure> {
        let mut error = Ok(());
        // Each of the searches may have missed something.
        let mut chance = 0.0;
        let mut told = |bound: &Bound, searched: &Searched| {
            chance += searched.report.chance();
            large::tell(self.options.checkpoints);
            large::lost(self.options.cluster);
            let line = searched_line(bound, searched);
            error = std::mem::replace(&mut error, Ok(())).and_then(|()| terminal::print(&line));
        };
        let last = verify(&self.bound, &self.profile, &self.options, &mut told)
            .map_err(|r| bounds::refused(&r))?;
        error?;
        let Some((calls, broken)) = &last.broken else {
            return self.nothing(&last, chance);
        };
        let (name, text) = self.test(&last.program, calls, *broken)?;
        terminal::print(&format!(
            "\n{}: {}\n\n{text}\n",
            paint(BAD, "the shortest program that breaks it"),
            spec::names(*broken & self.bound.counts).join(", ")
        ))?;
        bounds::write(self.args.write.as_deref(), &name, &text)?;
        let test = bounds::loaded(&name, text)?;
        let finder = Finder::new(&test, &self.args.search);
        let goal = Goal::Broken(*broken & self.bound.counts);
        if let Some(trace) = finder.find(&self.profile, &goal)? {
            terminal::print(&story(&trace))?;
        }
        Ok(Exit::Differs)
    }

    fn nothing(&self, last: &Searched, chance: f64) -> Result<Exit, Failure> {
        let atomic = self.bound.grain == general::Grain::Call;
        if last.clean() && !atomic {
            let calls = self.bound.calls;
            terminal::print(&format!(
                "\n{} with up to {} breaks the specification on {}\n{}",
                paint(GOOD, "no program within this bound"),
                many(calls as usize, "call"),
                self.profile.name,
                bounds::left_out(&self.bound)
            ))?;
            if chance > 0.0 {
                terminal::print(&format!("{}\n", missed(chance)))?;
            }
            return Ok(Exit::Fine);
        }
        let why = if atomic && last.clean() {
            "calls were taken for atomic, which shows nothing of the other schedules".into()
        } else {
            ended_because(last.report.ended).to_string()
        };
        terminal::print(&format!("\n{}: {why}\n", paint(WARN, "undetermined")))?;
        Ok(Exit::Undetermined)
    }

    fn all(&self) -> Result<Exit, Failure> {
        let mut error = Ok(());
        let mut told = |p: &Program, found: &Minimal| {
            let told = self.one_of_all(p, found);
            error = std::mem::replace(&mut error, Ok(())).and(told);
        };
        let all = minimal(&self.bound, &self.profile, &self.options, &mut told)
            .map_err(|r| bounds::refused(&r))?;
        error?;
        let n = all.found.len();
        terminal::print(&format!(
            "\n{n} minimal {} in {} groups of calls\n",
            if n == 1 { "program" } else { "programs" },
            all.groups
        ))?;
        if all.unknown > 0 || terminal::stopped() {
            let text = format!(
                "searches that were cut short: {}; there may be more\n",
                all.unknown
            );
            terminal::print(&paint(WARN, &text))?;
            return Ok(Exit::Undetermined);
        }
        Ok(if n == 0 { Exit::Fine } else { Exit::Differs })
    }

    fn one_of_all(&self, p: &Program, found: &Minimal) -> Result<(), Failure> {
        let (name, text) = self.test(p, &found.calls, found.broken)?;
        bounds::write(self.args.write.as_deref(), &name, &text)?;
        let calls = found.calls.len();
        let mut out = format!(
            "\n{}  {calls} calls: {}\n",
            paint(BOLD, &name),
            spec::names(found.broken).join(", ")
        );
        for line in found.form.lines() {
            let _ = writeln!(out, "    {line}");
        }
        Ok(terminal::print(&out)?)
    }

    /// The program as a test, with its name.
    fn test(
        &self,
        p: &Program,
        calls: &[Called],
        broken: u64,
    ) -> Result<(String, String), Failure> {
        let form = canonical(p, &self.bound, calls);
        let kinds = spec::names(broken & self.bound.counts & spec::PROMISES);
        let kind = kinds.first().map_or("violates", |kind| kind.as_str());
        let name = general::name(kind, &form);
        let condition = format!("exists (violates({kind}))");
        let write = |doc: &str| {
            bounds::formatted(write_test(p, &self.bound, calls, &name, doc, &condition))
        };
        let source = format!(
            "Synthesised: no program with fewer calls breaks as much.\n\
             Source: cowherd verify -k {}",
            self.profile.name
        );
        // Most broken programs are so sometimes, a few always.
        let test = bounds::loaded(&name, write(&source))?;
        let run = Finder::new(&test, &self.args.search).check(&self.profile)?;
        let result = format!("\nResult: {} {}", self.profile.name, run.verdict);
        Ok((name.clone(), write(&(source + &result))))
    }
}

pub(super) fn many(n: usize, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

fn searched_line(bound: &Bound, searched: &Searched) -> String {
    let came_of_it = match (&searched.broken, searched.report.ended) {
        (Some(_), _) => paint(BAD, "broken"),
        (None, Ended::Complete) => paint(GOOD, "nothing"),
        (None, ended) => paint(WARN, ended_because(ended)),
    };
    format!(
        "  {:<8} {:<10} {:<13} {:>22} {:>8.2} s  {came_of_it}\n",
        many(bound.calls as usize, "call"),
        many(bound.threads, "thread"),
        format!("{} in kernel", bound.kernel),
        bounds::states(searched.report.states),
        searched.report.elapsed.as_secs_f64(),
    )
}
