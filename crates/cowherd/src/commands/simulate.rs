//! `cowherd simulate`

use std::time::Instant;

use cowherd_litmus::analyse;
use cowherd_model::check::{Search, Verdict, check};
use cowherd_model::general::{self, Class, classify};
use cowherd_model::kernels::Profile;
use cowherd_model::spec;
use cowherd_model_wide::general::{Bound, Broken, Grain, MAX_TASKS, Simulated, simulate};
use cowherd_model_wide::kernels::Kernels;
use cowherd_report::style::{BAD, BOLD, GOOD, WARN, grouped, paint};

use crate::batch::{self, Extras};
use crate::cli::Simulate;
use crate::commands::bounds;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::terminal::{self, Meter};

/// Calls that need pages of their own: an empty place, or such as are registered with userfaultfd.
const NOT_WALKED: [&str; 5] = ["mremap", "uffd_wp", "uffd_rwp", "uffd_move", "uffd_copy"];

/// A search for what else a test can do without ends here: a small test that is not known to be minimal is better than none.
const MOST_STATES: u64 = 2_000_000;

pub fn run(args: &Simulate) -> Result<Exit, Failure> {
    let profile = input::profile(&args.kernel)?;
    // The same kernel, as the model with more room knows it.
    let walked = Kernels::shipped().profile(&args.kernel);
    let walked = walked.map_err(|e| Failure::Input(e.to_string()))?.profile;
    let bound = bound(args)?;
    terminal::catch_interrupts();
    let began = Instant::now();
    let over = || {
        args.search
            .timeout
            .is_some_and(|most| began.elapsed() >= most)
    };
    let meter = Meter::new(args.walks as usize);
    let mut took = began.elapsed();
    let mut told = |all: &Simulated| {
        took = began.elapsed();
        let (calls, steps) = (grouped(all.calls), grouped(all.steps));
        meter.done(&format!(
            "walks on {}: {calls} calls, {steps} steps",
            profile.name
        ));
    };
    let (seed, walks) = (args.seed, args.walks);
    let came = simulate(
        &bound,
        args.calls,
        &walked,
        (seed, walks),
        (&over, &terminal::stopped),
        &mut told,
    )
    .map_err(|r| Failure::Input(format!("this cannot be walked: {r}")))?;
    drop(meter);
    let took = took.as_secs_f64();
    terminal::print(&format!(
        "{}: {} {} from seed {seed}, {} calls\n{} steps in {took:.2} s ({} a second)\n",
        paint(BOLD, &profile.name),
        grouped(came.walks),
        if came.walks == 1 { "walk" } else { "walks" },
        grouped(came.calls),
        grouped(came.steps),
        grouped((came.steps as f64 / took) as u64)
    ))?;
    if let Some(found) = came.found {
        return broken(args, &profile, found);
    }
    if terminal::stopped() || over() {
        let why = if terminal::stopped() {
            "interrupted"
        } else {
            "out of time"
        };
        terminal::print(&format!(
            "{}: nothing was broken so far\n",
            paint(WARN, why)
        ))?;
        return Ok(Exit::Undetermined);
    }
    terminal::print(&format!("{}\n", paint(GOOD, "nothing was broken")))?;
    Ok(Exit::Fine)
}

/// What the command line names, if there is room for it.
fn bound(args: &Simulate) -> Result<Bound, Failure> {
    let menu = bounds::menu(&args.menu)?;
    let kinds = args.kind.iter().map(|kind| spec::kind_bits(Some(*kind)));
    let bound = Bound {
        processes: args.processes as usize,
        threads: args.threads as usize,
        kernel: args.activities as usize,
        pages: args.pages as usize,
        cells: menu.cells,
        calls: 0,
        allowed: menu.allowed,
        swap: menu.swap,
        files: menu.files,
        counts: kinds.reduce(|all, bits| all | bits).unwrap_or(menu.counts),
        grain: Grain::Step,
    };
    if let Some(word) = bound.allowed.iter().find(|word| NOT_WALKED.contains(*word)) {
        return Err(Failure::Input(format!("random walks do not know `{word}`")));
    }
    let tasks = bound.processes * bound.threads + bound.kernel;
    if tasks > MAX_TASKS {
        return Err(Failure::Input(format!(
            "{} processes of {} threads and {} kernel activities are {tasks} at once; there is room for {}",
            bound.processes, bound.threads, bound.kernel, MAX_TASKS
        )));
    }
    Ok(bound)
}

/// Tells of a walk that broke a promise, and of the test that was made of it.
fn broken(args: &Simulate, profile: &Profile, found: Broken) -> Result<Exit, Failure> {
    terminal::print(&format!(
        "the walk of seed {} {} in its call {}: {}\n",
        found.seed,
        paint(BAD, "breaks a promise"),
        grouped(found.calls as u64),
        spec::names(found.broken).join(", ")
    ))?;
    let Some(text) = found.test else {
        let calls = found.needed.join("\n    ");
        terminal::print(&format!(
            "these calls do, which no test can make: a process is forked twice\n    {calls}\n"
        ))?;
        return Ok(Exit::Differs);
    };
    let mut search = batch::search(
        &args.search,
        batch::workers(&args.search),
        Extras::default(),
    );
    search.max_states = search.max_states.or(Some(MOST_STATES));
    search.timeout = None;
    let (text, what) = match classify(&text, profile, &search) {
        Class::Minimal { .. } => (text, "a test that needs each of its statements:".into()),
        Class::Reducible { to, .. } => (to, "a test that needs each of its statements:".into()),
        Class::Beyond => (
            text,
            "a test, perhaps not the smallest: its states are too many to say".into(),
        ),
        Class::Nothing => (
            text,
            "a test; by itself it breaks nothing, so what went before it in the walk matters:"
                .into(),
        ),
        Class::Refused(why) => (
            text,
            format!("a test that `cowherd check` cannot search: {why}"),
        ),
    };
    let (name, text) = named(args, profile, &text, &search);
    terminal::print(&format!("\n{what}\n\n{text}"))?;
    bounds::write(args.write.as_deref(), &name, &text)?;
    Ok(Exit::Differs)
}

/// The test with a name, and what is expected of it as far as that can be found out.
fn named(args: &Simulate, profile: &Profile, text: &str, search: &Search) -> (String, String) {
    let name = general::name("simulated", text);
    let source = format!("cowherd simulate -k {} --seed {}", profile.name, args.seed);
    let body = text.find('{').map_or(text, |at| &text[at..]);
    let test = |result: &str, condition: &str| {
        let head = format!(
            "MM {name}\n\n(*\n * Found by random walks.\n * Source: {source}\n{result} *)\n\n"
        );
        bounds::formatted(head + &body.replace("exists (violates)", condition))
    };
    let plain = test("", "exists (violates)");
    let loaded = analyse(&name, &plain).test;
    let run = loaded.and_then(|test| check(&test, profile, search).ok());
    let Some(run) = run.filter(|run| run.verdict != Verdict::Unknown) else {
        return (name.clone(), plain);
    };
    let result = format!(" * Result: {} {}\n", profile.name, run.verdict);
    let kinds = spec::names(run.alarms & spec::PROMISES);
    let kind = kinds
        .first()
        .map(|kind| format!("exists (violates({kind}))"));
    let condition = kind.unwrap_or_else(|| "exists (violates)".into());
    (name.clone(), test(&result, &condition))
}
