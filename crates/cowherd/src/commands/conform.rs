//! `cowherd conform`

use std::path::{Path, PathBuf};
use std::{fs, io};

use cowherd_model::corpus::Entry;
use cowherd_probe::live::Options;
use cowherd_probe::live::judge::Verdict;
use cowherd_probe::live::machine::Machine;
use cowherd_probe::vm::held::{Held, Tested};
use cowherd_probe::vm::{self, table};
use cowherd_report::html::conformance::{Bar, Conformance, Real, SCHEMA, Seen};

use crate::cli::Conform;
use crate::commands::{probe, vm as guest};
use crate::exit::{Exit, Failure};
use crate::input::{self, Loaded};
use crate::terminal;

pub fn run(args: &Conform) -> Result<Exit, Failure> {
    let corpus = input::corpus(args.from.corpus.as_deref())?;
    let entries = input::entries(&args.tests, &corpus)?;
    let tests = input::load(&entries)?;
    let names: Vec<String> = entries.iter().map(Entry::path).collect();
    if args.live {
        probe::reach(args.system)?;
    }
    let folders = folders(&args.kernels).map_err(|e| Failure::file(&args.kernels, &e))?;
    if folders.is_empty() && !args.live {
        return Err(Failure::Input(format!(
            "{} has no folder with a vmlinuz; scripts/fetch-kernels makes such folders",
            args.kernels.display()
        )));
    }
    if tests.is_empty() {
        return Ok(Exit::NothingRan);
    }
    for file in args.write.iter().chain(&args.json) {
        writable(file).map_err(|e| Failure::file(file, &e))?;
    }
    let mut kernels = Vec::new();
    terminal::catch_interrupts();
    if args.live {
        kernels.push(here(args, &tests)?);
    }
    let sources: Vec<_> = tests.iter().map(guest::source).collect();
    let mut accelerator = vm::first_choice();
    for (at, folder) in folders.iter().enumerate() {
        if terminal::stopped() {
            break;
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let opened = guest::open(&folder.join("vmlinuz"), None, &args.machine)
            .and_then(|machine| Ok((guest::profile(&machine, None)?, machine)));
        let held = match opened {
            Ok(((profile, why), machine)) => {
                let options = guest::options(&args.runs, &profile);
                let session = guest::boot(&machine, &mut accelerator, &sources, &options)?;
                let held = guest::hold(&machine, &session, &tests, &profile, why, &options);
                Held {
                    name: name.into(),
                    ..held
                }
            }
            // The others can be booted.
            Err(Failure::Input(fault)) => Held::not_booted(name.into(), fault, tests.len()),
            Err(failure) => return Err(failure),
        };
        // In the order of the releases, and the live one last.
        kernels.insert(at, held);
    }
    terminal::print(&table::text(&names, &kernels))?;
    if let Some(file) = &args.write {
        let text = table::markdown(&command(args), &names, &kernels);
        fs::write(file, text).map_err(|e| Failure::file(file, &e))?;
    }
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&conformance(&names, &kernels))
            .map_err(|e| Failure::Machine(e.to_string()))?;
        fs::write(file, text + "\n").map_err(|e| Failure::file(file, &e))?;
    }
    if terminal::stopped() {
        return Ok(Exit::Undetermined);
    }
    let none = |kernel: &Held| kernel.tests.iter().all(|t| matches!(t, Tested::NotRun));
    if kernels.iter().all(none) {
        return Ok(Exit::NothingRan);
    }
    Ok(guest::exit(kernels.iter().flat_map(|kernel| &kernel.tests)))
}

/// What was seen, for the cells of the matrix. Tests that gave no result are left out, and so are conditions that cannot be told from
/// outside.
fn conformance(names: &[String], kernels: &[Held]) -> Conformance {
    let mut results = Vec::new();
    for kernel in kernels {
        for (name, tested) in names.iter().zip(&kernel.tests) {
            let Tested::Judged { judged, .. } = tested else {
                continue;
            };
            let verdict = match judged.observed.as_str() {
                "Never" => Seen::Never,
                "Sometimes" => Seen::Sometimes,
                "Always" => Seen::Always,
                _ => continue,
            };
            let bars = judged.states.iter().map(|seen| Bar {
                values: vec![seen.state.trim_end_matches(';').into()],
                runs: seen.times.into(),
            });
            results.push(Real {
                test: name.clone(),
                kernel: kernel.release.clone(),
                profile: kernel.profile.clone(),
                verdict,
                sound: judged.verdict != Verdict::Unsound,
                histogram: bars.collect(),
            });
        }
    }
    Conformance {
        schema: SCHEMA,
        results,
    }
}

/// Can a file be written? It is not touched if it is there.
fn writable(file: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true).open(file).map(drop)
}

/// Folders with a kernel, in the order of their names as releases: 5.10 is before 6.1, and 6.1 before 6.12.
fn folders(kernels: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(kernels)? {
        let folder = entry?.path();
        if folder.join("vmlinuz").is_file() {
            folders.push(folder);
        }
    }
    let numbers = |folder: &PathBuf| -> (Vec<u32>, PathBuf) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let parts = name.split(|c: char| !c.is_ascii_digit());
        (
            parts.filter_map(|n| n.parse().ok()).collect(),
            folder.clone(),
        )
    };
    folders.sort_by_key(numbers);
    Ok(folders)
}

/// The command, for whoever wants the same again.
fn command(args: &Conform) -> String {
    let mut command = format!("cowherd conform --kernels {}", args.kernels.display());
    for (asked, option) in [(args.live, "live"), (args.system, "system")] {
        if asked {
            command.push_str(&format!(" --{option}"));
        }
    }
    for test in &args.tests {
        command.push_str(&format!(" {test}"));
    }
    command
}

/// The kernel of this machine.
fn here(args: &Conform, tests: &[Loaded]) -> Result<Held, Failure> {
    let reach = probe::reach(args.system)?;
    let machine = Machine::look(reach);
    let (profile, why) = probe::kernel(None, &machine)?;
    let options = Options {
        reach,
        ..guest::options(&args.runs, &profile)
    };
    let tests: Vec<_> = tests.iter().map(|test| (*test.test).clone()).collect();
    let held = probe::hold(&tests, &profile, &options)?;
    Ok(Held {
        name: "here".into(),
        release: machine.release,
        version: machine.version,
        profile: profile.name.clone(),
        why,
        notes: Vec::new(),
        fault: None,
        tests: held,
    })
}
