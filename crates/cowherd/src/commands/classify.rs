//! `cowherd classify`

use cowherd_model::general::{Class, classify};
use cowherd_report::style::{BOLD, GOOD, WARN, paint};

use crate::batch::{self, Extras};
use crate::cli::Classify;
use crate::commands::explain::Finder;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::terminal;

pub fn run(args: &Classify) -> Result<Exit, Failure> {
    let corpus = input::corpus(args.from.corpus.as_deref())?;
    let words = std::slice::from_ref(&args.test);
    let mut tests = input::load(&input::entries(words, &corpus)?)?;
    let (Some(test), true) = (tests.pop(), tests.is_empty()) else {
        return Err(Failure::Input(format!(
            "`{}` is not one test but a theme",
            args.test
        )));
    };
    terminal::catch_interrupts();
    let finder = Finder::new(&test, &args.search);
    let profile = match &args.kernel {
        Some(word) => input::profile(word)?,
        None => finder.newest_bad()?,
    };
    let search = batch::search(
        &args.search,
        batch::workers(&args.search),
        Extras::default(),
    );
    let head = format!(
        "{} on {}",
        paint(BOLD, &test.title),
        paint(BOLD, &profile.name)
    );
    let (text, exit) = match classify(&test.text, &profile, &search) {
        Class::Minimal { dropped } => (
            format!(
                "{head}: {}\nwithout any one of its {dropped} statements it breaks nothing\n",
                paint(GOOD, "minimal")
            ),
            Exit::Fine,
        ),
        Class::Reducible { to, left_out } => (
            format!(
                "{head}: {} to\n\n{to}\nleft out: {}\n",
                paint(WARN, "reducible"),
                left_out.join(" ")
            ),
            Exit::Differs,
        ),
        Class::Nothing => (
            format!("{head}: it breaks no promise there, so there is nothing to reduce\n"),
            Exit::Differs,
        ),
        Class::Beyond => (
            format!(
                "{head}: {}: a search was cut short\n",
                paint(WARN, "beyond the bound")
            ),
            Exit::Undetermined,
        ),
        Class::Refused(why) => return Err(Failure::Input(format!("{}: {why}", args.test))),
    };
    terminal::print(&text)?;
    Ok(exit)
}
