//! `cowherd probe --random`: random programs, and the smallest that the model forbids.

use std::collections::HashMap;

use cowherd_litmus::ast::Test;
use cowherd_mm::Task;
use cowherd_model::kernels::Profile;
use cowherd_probe::live::judge::{Judged, Steps, Verdict, judge_reaching};
use cowherd_probe::live::machine::Machine;
use cowherd_probe::live::plan::plan;
use cowherd_probe::live::random::{Generator, Palette, Program};
use cowherd_probe::live::{self, Options, ktap};

use crate::cli::Probe;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// Tries to make a program smaller, at most.
const SHRINKS: usize = 40;

pub fn run(
    programs: u64,
    args: &Probe,
    machine: &Machine,
    profile: &Profile,
    options: Options,
) -> Result<Exit, Failure> {
    let palette = Palette::of(machine);
    // One order each: what is random is the program.
    let options = Options {
        orders: 1,
        runs: 1,
        ..options
    };
    let mut drawn: HashMap<String, Program> = HashMap::new();
    let mut tests = Vec::new();
    let mut n = 0;
    while (tests.len() as u64) < programs && n < programs * 4 {
        let program = Generator::program(args.seed, n, palette);
        n += 1;
        // Some are wrong, or too large for the model: others are drawn.
        if let Some(test) = right(&program)
            && plan(&test, machine).is_ok_and(|plan| runs(&plan.test, profile))
        {
            drawn.insert(test.name.clone(), program);
            tests.push(test);
        }
    }
    if let Some(folder) = &args.write {
        std::fs::create_dir_all(folder).map_err(|e| Failure::file(folder, &e))?;
        for (name, program) in &drawn {
            let file = folder.join(format!("{name}.litmus"));
            std::fs::write(&file, program.text()).map_err(|e| Failure::file(&file, &e))?;
        }
        terminal::print(&format!("{} programs\n", drawn.len()))?;
        return Ok(Exit::Fine);
    }
    let mut reached = Steps::new();
    let mut all: Vec<Judged> = Vec::new();
    live::run_all(&tests, &options, |result| {
        all.push(judge_reaching(
            &result,
            profile,
            &options,
            Some(&mut reached),
        ));
    })
    .map_err(|e| Failure::Machine(e.to_string()))?;
    let forbidden = all.iter().filter(|j| j.verdict == Verdict::Unsound);
    let forbidden: Vec<&Judged> = forbidden.collect();
    for judged in forbidden.iter().take(3) {
        let Some(program) = drawn.get(&judged.name) else {
            continue;
        };
        let (program, judged) = shrink(
            program.clone(),
            (*judged).clone(),
            machine,
            profile,
            &options,
        )?;
        terminal::print(&format!("{}\n", program.text()))?;
        for line in ktap::details(&judged) {
            terminal::print(&format!("# {line}\n"))?;
        }
    }
    terminal::print(&summary(&all, forbidden.len(), &reached, profile))?;
    Ok(if !forbidden.is_empty() {
        Exit::Differs
    } else if all.iter().all(|j| j.runs == 0) {
        Exit::NothingRan
    } else {
        Exit::Fine
    })
}

fn summary(all: &[Judged], forbidden: usize, reached: &Steps, profile: &Profile) -> String {
    let followed = all.iter().filter(|j| j.runs > j.unfollowed).count();
    let none = all.iter().filter(|j| j.runs == 0).count();
    let large = all.iter().filter(|j| j.unfollowed > 0).count();
    format!(
        "{} programs held against {}: {followed} followed to their end, {forbidden} of them forbidden; \
         {large} too large to follow, {none} without a result\n\
         {} of {} steps of the model may have been taken\n",
        all.len(),
        profile.name,
        reached.len(),
        Task::steps().count(),
    )
}

/// The program as a test, if it is one.
fn right(program: &Program) -> Option<Test> {
    cowherd_litmus::parse("random", &program.text()).ok()
}

fn runs(test: &Test, profile: &Profile) -> bool {
    cowherd_model::lower::lower(test, profile, false).is_ok()
}

/// Takes lines away as long as what is left is still forbidden.
fn shrink(
    mut program: Program,
    mut judged: Judged,
    machine: &Machine,
    profile: &Profile,
    options: &Options,
) -> Result<(Program, Judged), Failure> {
    // A shorter program has other orders; the one that matters is found among some.
    let options = Options {
        orders: 12,
        runs: 2,
        ..options.clone()
    };
    for _ in 0..SHRINKS {
        let candidates: Vec<(Program, Test)> = program
            .smaller()
            .into_iter()
            .filter_map(|p| right(&p).map(|test| (p, test)))
            .filter(|(_, test)| plan(test, machine).is_ok_and(|plan| runs(&plan.test, profile)))
            .collect();
        let tests: Vec<Test> = candidates.iter().map(|(_, test)| test.clone()).collect();
        let mut results = Vec::new();
        live::run_all(&tests, &options, |result| {
            results.push(judge_reaching(&result, profile, &options, None));
        })
        .map_err(|e| Failure::Machine(e.to_string()))?;
        let still = results.iter().position(|j| j.verdict == Verdict::Unsound);
        match still {
            Some(at) => {
                program = candidates[at].0.clone();
                judged = results.swap_remove(at);
            }
            None => break,
        }
    }
    Ok((program, judged))
}
