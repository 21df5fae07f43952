//! `cowherd bless`

use std::path::{Path, PathBuf};

use cowherd_model::kernels::Kernels;
use cowherd_report::herd;
use cowherd_report::style::{DIM, GOOD, WARN, paint};

use crate::batch::{self, Extras, Job};
use crate::cli::Bless;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::terminal;

pub fn run(args: &Bless) -> Result<Exit, Failure> {
    let folder = args.corpus.clone().unwrap_or_else(|| "litmus".into());
    // Files need no corpus; names do, and the embedded one has no files beside which to write.
    let corpus = if folder.is_dir() {
        input::corpus(Some(&folder))?
    } else if args.corpus.is_some() || args.tests.is_empty() {
        return Err(Failure::Input(format!(
            "there is no folder {}; name files, or the folder with --corpus",
            folder.display()
        )));
    } else {
        cowherd_model::corpus::Corpus::default()
    };
    let tests = input::load(&input::entries(&args.tests, &corpus)?)?;
    terminal::catch_interrupts();
    let profiles = Kernels::shipped().matrix();
    let jobs: Vec<Job> = tests
        .iter()
        .map(|test| Job {
            test,
            profiles: profiles.clone(),
        })
        .collect();
    let mut changed = 0;
    for (test, checked) in tests
        .iter()
        .zip(batch::run(&jobs, &args.search, Extras::default()))
    {
        let Some(file) = &test.file else { continue };
        let unknown = |row: &cowherd_report::Row| {
            row.standing() == cowherd_report::Standing::Undetermined
                || row.verdict() == cowherd_model::check::Verdict::Unknown && row.run().is_some()
        };
        if checked.rows.iter().any(unknown) {
            terminal::complain(&format!(
                "{}: a search was cut short; nothing is blessed",
                file.display()
            ));
            return Ok(Exit::Undetermined);
        }
        changed += usize::from(bless(file, &herd::expected(&checked), args.check)?);
    }
    if tests.is_empty() {
        return Ok(Exit::NothingRan);
    }
    Ok(if args.check && changed > 0 {
        Exit::Differs
    } else {
        Exit::Fine
    })
}

/// Writes what is expected from now on, unless it is only checked. True: it is something else than before.
fn bless(test: &Path, text: &str, check: bool) -> Result<bool, Failure> {
    let file: PathBuf = test.with_extension("expected");
    let old = std::fs::read_to_string(&file).ok();
    let name = file.display();
    let said = match &old {
        Some(old) if old == text => paint(DIM, "unchanged"),
        Some(_) => paint(WARN, "changed"),
        None => paint(GOOD, "new"),
    };
    let changed = old.as_deref() != Some(text);
    if changed {
        terminal::print(&format!("{name}: {said}\n"))?;
        if !check {
            std::fs::write(&file, text).map_err(|e| Failure::file(&file, &e))?;
        }
    }
    Ok(changed)
}
