//! `--random`, of `cowherd probe` and `cowherd vm`: random programs, and the smallest that the model forbids.

use std::collections::{BTreeMap, HashMap};

use cowherd_litmus::ast::Test;
use cowherd_mm::Task;
use cowherd_model::kernels::Profile;
use cowherd_probe::live::judge::{Judged, Steps, Verdict};
use cowherd_probe::live::machine::Machine;
use cowherd_probe::live::plan::plan;
use cowherd_probe::live::random::{Palette, Program};
use cowherd_probe::live::{Options, ktap};
use cowherd_probe::vm::held::Tested;

use super::vm::exit;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// Programs that are made smaller, at most, and tries to make one smaller.
const SHRUNK: usize = 3;
const SHRINKS: usize = 40;

/// Runs tests somewhere, and holds each against the model.
type Run<'a> = &'a mut dyn FnMut(&[Test], &Options) -> Result<Vec<Tested>, Failure>;

/// Where programs run, and the kernel of the model that they are held against.
pub struct Ground<'a> {
    /// What is there.
    pub machine: Machine,
    /// The kernel of the model.
    pub profile: Profile,
    /// Runs tests there.
    pub run: Run<'a>,
}

/// Draws so many programs, runs them, and tells which of them the model forbids.
pub fn run(programs: u64, options: &Options, mut ground: Ground) -> Result<Exit, Failure> {
    // One order each: what is random is the program.
    let options = Options {
        orders: 1,
        runs: 1,
        ..options.clone()
    };
    let (drawn, tests) = ground.draw(programs, options.seed);
    let all = (ground.run)(&tests, &options)?;
    let mut shrunk = 0;
    for (test, tested) in tests.iter().zip(&all) {
        let program = &drawn[&test.name];
        match tested {
            Tested::Judged { judged, .. } if judged.verdict == Verdict::Unsound => {
                shrunk += 1;
                let (program, judged) = if shrunk <= SHRUNK {
                    ground.shrink(program.clone(), (**judged).clone(), &options)?
                } else {
                    (program.clone(), (**judged).clone())
                };
                tell(&program, ktap::details(&judged).iter().map(String::as_str))?;
            }
            Tested::Died { .. } => tell(program, tested.ktap(1, &test.name).lines())?,
            Tested::Judged { complaint, .. } => {
                if let Some(complaint) = complaint {
                    tell(program, complaint.text.lines())?;
                }
            }
            Tested::NotRun => {}
        }
    }
    terminal::print(&summary(&all, &ground.profile))?;
    Ok(exit(&all))
}

/// A program, and what is to be said of it.
fn tell<'a>(program: &Program, lines: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let mut text = program.text();
    for line in lines {
        text.push_str(&format!("# {line}\n"));
    }
    Ok(terminal::print(&format!("{text}\n"))?)
}

fn summary(all: &[Tested], profile: &Profile) -> String {
    let judged = all.iter().filter_map(|tested| match tested {
        Tested::Judged { judged, .. } => Some(&**judged),
        Tested::Died { .. } | Tested::NotRun => None,
    });
    let count = |of: &dyn Fn(&Judged) -> bool| judged.clone().filter(|j| of(j)).count();
    let died = |tested: &&Tested| matches!(tested, Tested::Died { .. });
    let steps: Steps = judged.clone().flat_map(|j| j.steps.clone()).collect();
    let mut text = format!(
        "{} programs held against {}: {} followed to their end, {} of them forbidden; \
         {} too large to follow, {} without a result",
        all.len(),
        profile.name,
        count(&|j| j.runs > j.unfollowed),
        count(&|j| j.verdict == Verdict::Unsound),
        count(&|j| j.unfollowed > 0),
        count(&|j| j.runs == 0),
    );
    match all.iter().filter(died).count() {
        0 => {}
        n => text.push_str(&format!("; {n} of which the guest died")),
    }
    let whys = judged.clone().flat_map(|j| &j.no_result);
    let mut reasons: HashMap<&str, u32> = HashMap::new();
    for (why, times) in whys {
        *reasons.entry(why).or_default() += times;
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|&(why, times)| (std::cmp::Reverse(times), why));
    for (why, times) in reasons.iter().take(8) {
        text.push_str(&format!("\n    {times} without a result: {why}"));
    }
    text.push_str(&format!(
        "\n{} of {} steps of the model may have been taken; not taken:\n",
        steps.len(),
        Task::steps().count(),
    ));
    let mut paths: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, step) in Task::steps().filter(|step| !steps.contains(step)) {
        paths.entry(path).or_default().push(step);
    }
    for (path, steps) in paths {
        text.push_str(&format!("    {path}: {}\n", steps.join(", ")));
    }
    text
}

impl Ground<'_> {
    /// Programs that can run here. Some are wrong, or too large for the model: others are drawn.
    fn draw(&self, programs: u64, seed: u64) -> (HashMap<String, Program>, Vec<Test>) {
        let palette = Palette::of(&self.machine);
        let mut drawn = HashMap::new();
        let mut tests = Vec::new();
        for n in 0..programs * 4 {
            if tests.len() as u64 == programs {
                break;
            }
            let program = Program::draw(seed, n, palette);
            if let Some(test) = self.test(&program) {
                drawn.insert(test.name.clone(), program);
                tests.push(test);
            }
        }
        (drawn, tests)
    }

    /// The program as a test, if it is one that can run here and that the model runs.
    fn test(&self, program: &Program) -> Option<Test> {
        let test = cowherd_litmus::parse("random", &program.text()).ok()?;
        let planned = plan(&test, &self.machine).ok()?.test;
        let lowered = cowherd_model::lower::lower(&planned, &self.profile, false);
        lowered.is_ok().then_some(test)
    }

    /// Takes lines away as long as what is left is still forbidden.
    fn shrink(
        &mut self,
        mut program: Program,
        mut judged: Judged,
        options: &Options,
    ) -> Result<(Program, Judged), Failure> {
        // A shorter program has other orders; the one that matters is found among some.
        let options = Options {
            orders: 12,
            runs: 2,
            ..options.clone()
        };
        for _ in 0..SHRINKS {
            let smaller = program.smaller().into_iter();
            let (programs, tests): (Vec<Program>, Vec<Test>) = smaller
                .filter_map(|p| self.test(&p).map(|test| (p, test)))
                .unzip();
            let all = (self.run)(&tests, &options)?;
            let still = programs
                .into_iter()
                .zip(all)
                .find_map(|(p, tested)| match tested {
                    Tested::Judged { judged, .. } if judged.verdict == Verdict::Unsound => {
                        Some((p, *judged))
                    }
                    _ => None,
                });
            match still {
                Some(found) => (program, judged) = found,
                None => break,
            }
        }
        Ok((program, judged))
    }
}
