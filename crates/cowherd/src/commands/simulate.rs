//! `cowherd simulate`

use cowherd_model::general::{self, Bound, Simulated, simulate};
use cowherd_model::spec;
use cowherd_report::style::{BAD, BOLD, GOOD, WARN, grouped, paint};

use crate::batch::{self, Extras};
use crate::cli::Simulate;
use crate::commands::bounds;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::terminal::{self, Meter, STOP};

/// A reduction of what was found ends here: a smaller test that is not known to be minimal is better than none.
const MOST_STATES: u64 = 2_000_000;

pub fn run(args: &Simulate) -> Result<Exit, Failure> {
    let profile = input::profile(&args.kernel)?;
    let mut bound = Bound {
        processes: args.processes as usize,
        threads: args.threads as usize,
        kernel: args.activities as usize,
        pages: args.pages as usize,
        ..bounds::menu(&args.menu)?
    };
    if !args.kind.is_empty() {
        bound.counts = args
            .kind
            .iter()
            .fold(0, |bits, kind| bits | spec::kind_bits(Some(*kind)));
    }
    terminal::catch_interrupts();
    let meter = Meter::new(args.walks as usize);
    let mut search = batch::search(
        &args.search,
        batch::workers(&args.search),
        Extras::default(),
    );
    search.max_states = search.max_states.or(Some(MOST_STATES));
    let mut told = |_: &Simulated| meter.done(&format!("walks on {}", profile.name));
    let came = simulate(
        &bound,
        args.calls,
        &profile,
        (args.seed, args.walks),
        &STOP,
        &search,
        &mut told,
    )
    .map_err(|r| bounds::refused(&r))?;
    drop(meter);
    terminal::print(&format!(
        "{}: {} walks from seed {}, {} calls, {} steps\n",
        paint(BOLD, &profile.name),
        came.walks,
        args.seed,
        grouped(came.calls),
        grouped(came.steps)
    ))?;
    let Some(found) = came.found else {
        if terminal::stopped() {
            terminal::print(&format!(
                "{}: nothing was broken so far\n",
                paint(WARN, "interrupted")
            ))?;
            return Ok(Exit::Undetermined);
        }
        terminal::print(&format!("{}\n", paint(GOOD, "nothing was broken")))?;
        return Ok(Exit::Fine);
    };
    terminal::print(&format!(
        "the walk of seed {} {} in its call {}: {}\n",
        found.seed,
        paint(BAD, "breaks a promise"),
        found.calls.len(),
        spec::names(found.broken).join(", ")
    ))?;
    match found.test {
        Some(text) => {
            let text = bounds::formatted(text);
            terminal::print(&format!("\n{text}"))?;
            bounds::write(
                args.write.as_deref(),
                &general::name("simulated", &text),
                &text,
            )?;
        }
        None => terminal::print("no few of its last calls break the same by themselves\n")?,
    }
    Ok(Exit::Differs)
}
