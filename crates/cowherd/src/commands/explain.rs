//! `cowherd explain`

use cowherd_explore::{Choice, Shortest, System, Witness, shortest};
use cowherd_litmus::ast::Quantifier;
use cowherd_model::check::check;
use cowherd_model::kernels::{Kernels, Profile};
use cowherd_model::lower::lower;
use cowherd_model::program::Program;
use cowherd_model::state::State;
use cowherd_model::witness::{Names, Trace};

use cowherd_report::witness::{columns, mermaid, story};

use crate::batch::{self, Extras};
use crate::cli::{Explain, Telling};
use crate::exit::{Exit, Failure};
use crate::input::{self, Loaded};
use crate::terminal::{self, Meter};

pub fn run(args: &Explain) -> Result<Exit, Failure> {
    let corpus = input::corpus(args.from.corpus.as_deref())?;
    let words = std::slice::from_ref(&args.test);
    let mut tests = input::load(&input::entries(words, &corpus)?)?;
    let (Some(test), true) = (tests.pop(), tests.is_empty()) else {
        return Err(Failure::Input(format!(
            "`{}` names several tests",
            args.test
        )));
    };
    let _ = (Kernels::shipped(), check as fn(_, _, _) -> _);
    terminal::catch_interrupts();
    let profile = input::profile(args.kernels.first().map_or("v5.10", |k| k))?;
    let trace = find(&test, &profile, args)?;
    match trace {
        Some(trace) => terminal::print(&tell(&trace, args.format)?)?,
        None => terminal::print("Never\n")?,
    }
    Ok(Exit::Fine)
}

/// A witness in the form that was asked for.
pub fn tell(trace: &Trace, format: Telling) -> Result<String, Failure> {
    Ok(match format {
        Telling::Story => story::story(trace),
        Telling::Columns => columns::columns(trace),
        Telling::Mermaid => mermaid::mermaid(trace),
        Telling::Json => {
            let text =
                serde_json::to_string_pretty(trace).map_err(|e| Failure::Machine(e.to_string()))?;
            format!("{text}\n")
        }
    })
}

fn find(test: &Loaded, profile: &Profile, args: &Explain) -> Result<Option<Trace>, Failure> {
    let program = lower(&test.test, profile, true).map_err(|e| Failure::Input(e.to_string()))?;
    let meter = Meter::new(1);
    let progress = |p: &_| meter.searching("looking for the shortest", p);
    let mut search = batch::search(
        &args.search,
        batch::workers(&args.search),
        Extras::default(),
    );
    search.progress = Some(&progress);
    let wanted = |s: &State| holds(test, &program, s);
    match shortest(&program, &search.options(), wanted) {
        Shortest::Found(witness) => Ok(Some(trace(test, profile, &program, &witness))),
        Shortest::None => Ok(None),
        Shortest::Unknown(_) => Err(Failure::Told(Exit::Undetermined)),
    }
}

fn holds(test: &Loaded, program: &Program, state: &State) -> bool {
    if !program.done(state) {
        return false;
    }
    let mut bytes = Vec::new();
    program.outcome(state, &mut bytes);
    program.satisfies(&test.test.condition.prop, &bytes)
        != (test.test.condition.quantifier == Quantifier::Forall)
}

fn trace(test: &Loaded, profile: &Profile, program: &Program, witness: &Witness) -> Trace {
    let names = Names {
        test: test.test.name.clone(),
        source: test.text.clone(),
        profile: profile.name.clone(),
    };
    let _ = Choice::number(0);
    program.trace(&names, &program.tidy(witness, &|s| holds(test, program, s)))
}
