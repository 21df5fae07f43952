//! `cowherd fmt`

use std::io::Read;
use std::path::{Path, PathBuf};

use cowherd_model::corpus::Corpus;

use crate::cli::Fmt;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::terminal;

pub fn run(args: &Fmt) -> Result<Exit, Failure> {
    let mut exit = Exit::Fine;
    for file in &args.files {
        if file.as_os_str() == "-" {
            let mut text = Vec::new();
            std::io::stdin()
                .read_to_end(&mut text)
                .map_err(|e| Failure::file(file, &e))?;
            match (formatted("<stdin>", &text), args.check) {
                (None, _) => exit = Exit::BadInput,
                (Some(new), true) if new.as_bytes() != text => exit = worse(exit, Exit::Differs),
                (Some(_), true) => {}
                (Some(new), false) => terminal::print(&new)?,
            }
            continue;
        }
        for file in files(file)? {
            exit = worse(exit, one(&file, args.check)?);
        }
    }
    Ok(exit)
}

/// What is wrong outweighs what is merely not formatted.
fn worse(a: Exit, b: Exit) -> Exit {
    match (a, b) {
        (Exit::BadInput, _) | (_, Exit::BadInput) => Exit::BadInput,
        (Exit::Fine, b) => b,
        (a, _) => a,
    }
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.into()]);
    }
    let corpus = Corpus::folder(path).map_err(|e| Failure::file(path, &e))?;
    Ok(corpus.entries.into_iter().filter_map(|e| e.file).collect())
}

fn one(file: &Path, check: bool) -> Result<Exit, Failure> {
    let old = std::fs::read(file).map_err(|e| Failure::file(file, &e))?;
    let Some(new) = formatted(&file.display().to_string(), &old) else {
        return Ok(Exit::BadInput);
    };
    if new.as_bytes() == old {
        return Ok(Exit::Fine);
    }
    if check {
        terminal::print(&format!("{}: not formatted\n", file.display()))?;
        return Ok(Exit::Differs);
    }
    std::fs::write(file, new).map_err(|e| Failure::file(file, &e))?;
    Ok(Exit::Fine)
}

/// The text in its canonical layout; what is wrong with it is printed.
fn formatted(source: &str, bytes: &[u8]) -> Option<String> {
    let text = match cowherd_litmus::decode(source, bytes) {
        Ok(text) => text,
        Err(diagnostics) => {
            input::show(&diagnostics, "");
            return None;
        }
    };
    match cowherd_litmus::format(text) {
        Ok(new) => Some(new),
        Err(mut diagnostics) => {
            for d in &mut diagnostics {
                d.source = source.into();
            }
            input::show(&diagnostics, text);
            None
        }
    }
}
