//! `cowherd serve`

use crate::cli::Serve;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::serve;
use crate::terminal;

pub fn run(args: &Serve) -> Result<Exit, Failure> {
    let corpus = input::corpus(args.from.corpus.as_deref())?;
    terminal::catch_interrupts();
    serve::serve(args.port, corpus)?;
    Ok(Exit::Fine)
}
