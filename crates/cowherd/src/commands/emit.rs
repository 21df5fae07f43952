//! `cowherd emit`

use cowherd_model::kernels::{Kernels, Profile};
use cowherd_probe::emit::emit;

use crate::batch::{self, Extras};
use crate::cli::Emit;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::terminal;

pub fn run(args: &Emit) -> Result<Exit, Failure> {
    let corpus = input::corpus(args.from.corpus.as_deref())?;
    let words = std::slice::from_ref(&args.test);
    let mut tests = input::load(&input::entries(words, &corpus)?)?;
    let (Some(test), true) = (tests.pop(), tests.is_empty()) else {
        return Err(Failure::Input(format!(
            "`{}` is not one test but a theme; `cowherd list {}` shows its tests",
            args.test, args.test
        )));
    };
    terminal::catch_interrupts();
    let kernels: Vec<Profile> = match &args.kernel {
        Some(word) => vec![input::profile(word)?],
        // Releases only: a report is about kernels that people run.
        None => Kernels::shipped()
            .matrix()
            .into_iter()
            .rev()
            .filter(|kernel| kernel.published)
            .collect(),
    };
    let search = batch::search(
        &args.search,
        batch::workers(&args.search),
        Extras::default(),
    );
    let emitted = emit(&test.test, &test.text, &kernels, &search).map_err(|refusal| {
        Failure::Input(format!(
            "{} cannot be written as a program: {refusal}",
            test.title
        ))
    })?;
    if emitted.kernel.is_none() {
        terminal::warn(&format!(
            "{} happens on no kernel of the matrix in an order that a program can force; the program shows that it does not",
            test.title
        ));
    }
    terminal::print(&emitted.text)?;
    Ok(Exit::Fine)
}
