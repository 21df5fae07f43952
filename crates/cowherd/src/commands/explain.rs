//! `cowherd explain`

use cowherd_litmus::ast::{Kind, Quantifier};
use cowherd_litmus::{Code, Diagnostic};
use cowherd_model::check::{Run, Search, Shared, Verdict, check};
use cowherd_model::kernels::{Kernels, Profile, Range};
use cowherd_model::lower::Refused;
use cowherd_model::spec;
use cowherd_model::witness::Trace;
use cowherd_report::html;
use cowherd_report::style::{BOLD, GOOD, WARN, paint};
use cowherd_report::witness::{columns, dot, itf, mermaid, perfetto, story};

use crate::batch::{self, Extras};
use crate::cli::{Explain, Telling};
use crate::commands::list::pretty;
use crate::commands::why_not;
use crate::exit::{Exit, Failure};
use crate::find::{self, Found, Goal};
use crate::input::{self, Loaded};
use crate::terminal::{self, Meter};

pub fn run(args: &Explain) -> Result<Exit, Failure> {
    let corpus = input::corpus(args.from.corpus.as_deref())?;
    let words = std::slice::from_ref(&args.test);
    let mut tests = input::load(&input::entries(words, &corpus)?)?;
    let (Some(test), true) = (tests.pop(), tests.is_empty()) else {
        return Err(Failure::Input(format!(
            "`{}` is not one test but a theme; `cowherd list {}` shows its tests",
            args.test, args.test
        )));
    };
    let limit = if args.why_not { 2 } else { 1 };
    if args.kernels.len() > limit {
        return Err(Failure::Input(format!(
            "too many kernels: {}",
            args.kernels.join(", ")
        )));
    }
    terminal::catch_interrupts();
    let finder = Finder::new(&test, &args.search);
    let asked = goal_of(args.kind)?;
    if args.why_not {
        return why_not::run(args, &finder, asked);
    }
    let profile = match args.kernels.first() {
        Some(word) => input::profile(word)?,
        None => finder.newest_bad()?,
    };
    let run = finder.check(&profile)?;
    let goal = match (args.outcome, asked) {
        (Some(n), _) => nth(&run, n)?,
        (None, Some(goal)) => goal,
        (None, None) => match finder.goal(&run) {
            Some(goal) => goal,
            None => return nothing(&finder, &profile, &run, args.format),
        },
    };
    match finder.find(&profile, &goal)? {
        Some(trace) => terminal::print(&tell(&trace, args.format)?)?,
        None => return nothing(&finder, &profile, &run, args.format),
    }
    Ok(Exit::Fine)
}

fn goal_of(kind: Option<Kind>) -> Result<Option<Goal>, Failure> {
    match kind {
        None => Ok(None),
        Some(Kind::Deadlock) => Ok(Some(Goal::Deadlock)),
        Some(Kind::Livelock) => Err(Failure::Input(
            "a livelock is no schedule; `cowherd check --livelock` looks for one".into(),
        )),
        Some(kind) => Ok(Some(Goal::Broken(spec::kind_bits(Some(kind))))),
    }
}

fn nth(run: &Run, n: usize) -> Result<Goal, Failure> {
    match n.checked_sub(1).and_then(|at| run.outcomes.get(at)) {
        Some(outcome) => Ok(Goal::Outcome(outcome.bytes.clone())),
        None => Err(Failure::Input(format!(
            "there are {} final states, numbered from 1",
            run.outcomes.len()
        ))),
    }
}

/// It does not happen, which is an answer, too.
fn nothing(
    finder: &Finder,
    profile: &Profile,
    run: &Run,
    format: Telling,
) -> Result<Exit, Failure> {
    let unknown = run.verdict == Verdict::Unknown;
    if format == Telling::Json {
        terminal::print("null\n")?;
    } else {
        let head = format!(
            "{} on {}",
            paint(BOLD, &finder.test.title),
            paint(BOLD, &profile.name)
        );
        let text = if unknown {
            let how = cowherd_report::table::ended(run);
            format!(
                "{head}: {}, {how}\n",
                paint(WARN, "not found in what was searched")
            )
        } else {
            format!(
                "{head}: {}. {} states, every interleaving.\n`--why-not` tells what keeps it from happening.\n",
                paint(GOOD, "it does not happen"),
                cowherd_report::style::grouped(run.states)
            )
        };
        match format {
            Telling::Story | Telling::Columns | Telling::Mermaid => terminal::print(&text)?,
            // What is not for people to read stays empty.
            _ => terminal::tell(&text),
        }
    }
    Ok(if unknown {
        Exit::Undetermined
    } else {
        Exit::Fine
    })
}

/// A witness in the form that was asked for.
pub fn tell(trace: &Trace, format: Telling) -> Result<String, Failure> {
    Ok(match format {
        Telling::Story => story::story(trace),
        Telling::Columns => columns::columns(trace),
        Telling::Mermaid => mermaid::mermaid(trace),
        Telling::Html => html::witness::page(trace),
        Telling::Perfetto => pretty(&perfetto::perfetto(trace))?,
        Telling::Itf => pretty(&itf::itf(trace))?,
        Telling::Dot => dot::dot(trace),
        Telling::Json => {
            let text =
                serde_json::to_string_pretty(trace).map_err(|e| Failure::Machine(e.to_string()))?;
            format!("{text}\n")
        }
    })
}

/// Searches for one test.
pub struct Finder<'a> {
    /// The test.
    pub test: &'a Loaded,
    search: Search<'static>,
}

impl<'a> Finder<'a> {
    /// With the limits of the command line.
    pub fn new(test: &'a Loaded, args: &crate::cli::Search) -> Finder<'a> {
        Finder {
            test,
            search: batch::search(args, batch::workers(args), Extras::default()),
        }
    }

    /// All that comes of the test on a kernel.
    pub fn check(&self, profile: &Profile) -> Result<Run, Failure> {
        let meter = Meter::new(1);
        let what = format!("{} on {profile}", self.test.title);
        let progress = |p: &_| meter.searching(&what, p);
        let search = Search {
            progress: Some(&progress),
            ..self.search
        };
        check(&self.test.test, profile, &search).map_err(|r| self.refused(&r))
    }

    fn refused(&self, refused: &Refused) -> Failure {
        refuse(self.test, refused)
    }

    /// Does the bad thing happen?
    pub fn is_bad(&self, run: &Run) -> bool {
        find::is_bad(&self.test.test, run)
    }

    /// What there is to explain in a run, if anything.
    pub fn goal(&self, run: &Run) -> Option<Goal> {
        find::goal(&self.test.test, run)
    }

    /// The newest kernel of the matrix on which there is something to explain; else one that the test's `Result:` lines name, such
    /// as a kernel without the rule that keeps it away; the newest of all if there is none.
    pub fn newest_bad(&self) -> Result<Profile, Failure> {
        let matrix = Kernels::shipped().matrix();
        let mut shared = Shared::default();
        let named = self.test.expectations.clauses.iter().filter_map(|clause| {
            let good = match self.test.test.condition.quantifier {
                Quantifier::Forall => Verdict::Always,
                _ => Verdict::Never,
            };
            match &clause.range {
                Range::Kernel(profile) if clause.verdict != good => Some(&**profile),
                _ => None,
            }
        });
        for profile in matrix.iter().rev().chain(named) {
            if let Ok(run) = shared.check(&self.test.test, profile, &self.search)
                && self.goal(&run).is_some()
            {
                return Ok(profile.clone());
            }
        }
        let newest = matrix.last().cloned();
        newest.ok_or_else(|| Failure::Machine("the matrix is empty".into()))
    }

    /// The shortest schedule to the goal.
    pub fn find(&self, profile: &Profile, goal: &Goal) -> Result<Option<Trace>, Failure> {
        let meter = Meter::new(1);
        let what = format!("{} on {profile}, the shortest", self.test.title);
        let progress = |p: &_| meter.searching(&what, p);
        let search = Search {
            progress: Some(&progress),
            ..self.search
        };
        match find::witness(self.test, profile, goal, &search) {
            Ok(Found::Trace(trace)) => Ok(Some(*trace)),
            Ok(Found::Nothing) => Ok(None),
            Ok(Found::CutShort) => {
                terminal::complain("the search for the shortest schedule was cut short");
                Err(Failure::Told(Exit::Undetermined))
            }
            Err(refused) => Err(self.refused(&refused)),
        }
    }
}

/// The model cannot run the test: prints where, and why.
pub fn refuse(test: &Loaded, refused: &Refused) -> Failure {
    show_refused(test, refused);
    Failure::Told(Exit::BadInput)
}

/// Prints where the test asks for what the model cannot run, and what to write instead.
pub fn show_refused(test: &Loaded, refused: &Refused) {
    let mut diagnostic: Diagnostic = input::diagnostic(
        Code::Limit,
        refused.message.clone(),
        refused.span,
        &test.source,
        &test.text,
    );
    if refused.message.contains("at most") {
        diagnostic.help = vec![
            "leave out what the question does not need; the chapter on the language has the limits"
                .into(),
        ];
    }
    input::show(&[diagnostic], &test.text);
}
