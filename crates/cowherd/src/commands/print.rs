//! `cowherd completions`, `cowherd man`

use clap::CommandFactory;

use crate::cli::{Cli, Completions, Man};
use crate::exit::{Exit, Failure};
use crate::terminal;

pub fn completions(args: &Completions) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "cowherd", &mut text);
    terminal::print(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Fine)
}

pub fn man(args: &Man) -> Result<Exit, Failure> {
    if let Some(dir) = &args.dir {
        std::fs::create_dir_all(dir).map_err(|e| Failure::file(dir, &e))?;
        clap_mangen::generate_to(Cli::command(), dir).map_err(|e| Failure::file(dir, &e))?;
        return Ok(Exit::Fine);
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut text)
        .map_err(|e| Failure::Machine(e.to_string()))?;
    terminal::print(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Fine)
}
