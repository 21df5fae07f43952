//! What the commands that search every program within a bound share.

use std::path::Path;

use cowherd_model::corpus::Entry;
use cowherd_model::general::{Bound, Grain, MENU};
use cowherd_model::kernels::Profile;
use cowherd_model::lower::{Refused, lower};
use cowherd_model::spec::PROMISES;
use cowherd_model::witness::Trace;
use cowherd_report::style::grouped;
use cowherd_report::witness::story::story;
use cowherd_report::witness::why_not::why_not;

use crate::cli::{Menu, Within};
use crate::commands::explain::{self, Finder};
use crate::exit::Failure;
use crate::find::names;
use crate::input::{self, Loaded};

/// The bound that the command line names.
pub fn bound(within: &Within) -> Result<Bound, Failure> {
    let mut bound = Bound {
        processes: within.processes as usize,
        threads: within.threads as usize,
        kernel: within.activities as usize,
        pages: within.pages as usize,
        cells: within.cells as usize,
        calls: within.calls,
        ..menu(&within.menu)?
    };
    if !bound.kernel_acts() {
        bound.kernel = 0;
    }
    Ok(bound)
}

/// What may be called, of a bound that has the least of everything.
pub fn menu(menu: &Menu) -> Result<Bound, Failure> {
    let mut allowed = Vec::new();
    for word in &menu.allow {
        match MENU.iter().find(|w| w.name == word) {
            Some(known) if !allowed.contains(&known.name) => allowed.push(known.name),
            Some(_) => {}
            None => return Err(unknown(word)),
        }
    }
    if allowed.is_empty() {
        allowed.extend(MENU.iter().filter(|w| w.usual).map(|w| w.name));
    }
    if ["uffd_wp", "uffd_rwp"]
        .iter()
        .all(|word| allowed.contains(word))
    {
        let why = "a page is registered for uffd_wp or for uffd_rwp, not for both";
        return Err(Failure::Input(why.into()));
    }
    Ok(Bound {
        processes: 1,
        threads: 1,
        kernel: 0,
        pages: 1,
        cells: 2,
        calls: 1,
        allowed,
        swap: menu.swap.clone(),
        files: menu.files.clone(),
        counts: PROMISES,
        grain: Grain::Step,
    })
}

fn unknown(word: &str) -> Failure {
    let mut text = if word == "help" {
        "what may be allowed; * if nothing is named:".to_string()
    } else {
        format!("nothing called `{word}` may be allowed; there are, and * if nothing is named:")
    };
    for known in MENU {
        let usual = if known.usual { '*' } else { ' ' };
        text += &format!("\n  {usual} {:<12} {}", known.name, known.about);
    }
    Failure::Input(text)
}

/// The bound, for people.
pub fn told(bound: &Bound) -> String {
    let many = |n: usize, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
    format!(
        "programs of up to {}\nby {} of {} and {} at once, on {} of {}\nswap {}, files on {}; allowed: {}\n",
        many(bound.calls as usize, "call", "calls"),
        many(bound.processes, "process", "processes"),
        many(bound.threads, "thread", "threads"),
        many(bound.kernel, "kernel activity", "kernel activities"),
        many(bound.pages, "page", "pages"),
        many(bound.cells, "cell", "cells"),
        bound.swap,
        bound.files,
        bound.allowed.join(", "),
    )
}

/// What a bound of this kind leaves out, whatever it allows.
pub fn left_out(bound: &Bound) -> String {
    let mut text =
        String::from("not within it: failures, other initial states (pages are present and dirty)");
    if bound.allows("pread") || bound.allows("pwrite") {
        text += ", transfers of another cell than the first";
    }
    text + "\n"
}

/// A number of states.
pub fn states(n: u64) -> String {
    format!("{} states", grouped(n))
}

/// A test that was made, as if it had been read.
pub fn loaded(name: &str, text: String) -> Result<Loaded, Failure> {
    let entry = Entry::made(name, format!("{name}.litmus"), text.into_bytes());
    let mut tests = input::load(&[entry])?;
    Ok(tests.pop().expect("one test was given"))
}

/// Writes a test that was found where the user wants it.
pub fn write(folder: Option<&Path>, name: &str, text: &str) -> Result<(), Failure> {
    let Some(folder) = folder else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(|e| Failure::file(folder, &e))?;
    let file = folder.join(format!("{name}.litmus"));
    std::fs::write(&file, text).map_err(|e| Failure::file(&file, &e))
}

/// The menu cannot be run.
pub fn refused(refused: &Refused) -> Failure {
    Failure::Input(format!("this bound cannot be searched: {refused}"))
}

/// A witness, and where another kernel parts from it.
pub fn parting(finder: &Finder, recorded: &Trace, other: &Profile) -> Result<String, Failure> {
    let program = lower(&finder.test.test, other, true)
        .map_err(|refused| explain::refuse(finder.test, &refused))?;
    let replay = program.replay(recorded, &names(finder.test, other));
    Ok(format!(
        "{}\n{}",
        story(recorded),
        why_not(recorded, &replay, &[])
    ))
}

/// A test in its canonical layout.
pub fn formatted(text: String) -> String {
    cowherd_litmus::format(&text).unwrap_or(text)
}
