//! `--random`, of `cowherd probe` and `cowherd vm`: random programs, and the smallest that the model forbids.
//!
//! What the model forbids is run again, for a machine does other things meanwhile: DAMON pages out what a test is about, a busy disk makes a call wait for so
//! long that it looks as if it waited for somebody. What does not come again is named and counted, and is neither a mismatch nor fine.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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

/// Runs of a program that the model forbids, before it is said that this does not come again.
const AGAIN: u32 = 5;

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
    // Those that did not come again.
    let mut once = BTreeSet::new();
    for (n, (test, tested)) in tests.iter().zip(&all).enumerate() {
        let program = &drawn[&test.name];
        match tested {
            Tested::Judged { judged, .. } if judged.verdict == Verdict::Unsound => {
                let mut found = (program.clone(), (**judged).clone());
                // Who interrupts it wants to see what there is.
                if !terminal::stopped() {
                    let again = ground.comes_again(test, &options)?;
                    if !again && !terminal::stopped() {
                        once.insert(n);
                    } else if shrunk < SHRUNK && !terminal::stopped() {
                        shrunk += 1;
                        found = ground.shrink(found.0, found.1, &options)?;
                    }
                }
                let details = ktap::details(&found.1);
                let note = format!("not reproduced: seen once, and not in {AGAIN} more runs");
                let note = once.contains(&n).then_some(note.as_str());
                tell(&found.0, details.iter().map(String::as_str).chain(note))?;
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
    terminal::print(&summary(&all, &once, &ground.profile))?;
    let rest = all.iter().enumerate().filter(|(n, _)| !once.contains(n));
    Ok(match exit(rest.map(|(_, tested)| tested)) {
        Exit::Fine | Exit::NothingRan if !once.is_empty() => Exit::Undetermined,
        exit => exit,
    })
}

/// A program, and what is to be said of it.
fn tell<'a>(program: &Program, lines: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let mut text = program.text();
    for line in lines {
        text.push_str(&format!("# {line}\n"));
    }
    Ok(terminal::print(&format!("{text}\n"))?)
}

fn summary(all: &[Tested], once: &BTreeSet<usize>, profile: &Profile) -> String {
    let judged = all.iter().filter_map(|tested| match tested {
        Tested::Judged { judged, .. } => Some(&**judged),
        Tested::Died { .. } | Tested::NotRun => None,
    });
    let count = |of: &dyn Fn(&Judged) -> bool| judged.clone().filter(|j| of(j)).count();
    let died = |tested: &&Tested| matches!(tested, Tested::Died { .. });
    let steps: Steps = judged.clone().flat_map(|j| j.steps.clone()).collect();
    let left = |tested: &&Tested| matches!(tested, Tested::NotRun);
    let left = all.iter().filter(left).count();
    let mut text = match left {
        0 => String::new(),
        _ => format!("Not all of {} programs ran.\n", all.len()),
    };
    text.push_str(&format!(
        "{} programs held against {}: {} followed to their end, {} of them forbidden; \
         {} too large to follow, {} without a result",
        all.len() - left,
        profile.name,
        count(&|j| j.runs > j.unfollowed),
        count(&|j| j.verdict == Verdict::Unsound) - once.len(),
        count(&|j| j.unfollowed > 0),
        count(&|j| j.runs == 0),
    ));
    if !once.is_empty() {
        let names = once.iter().filter_map(|&n| match &all[n] {
            Tested::Judged { judged, .. } => Some(judged.name.as_str()),
            Tested::Died { .. } | Tested::NotRun => None,
        });
        let names: Vec<&str> = names.collect();
        text.push_str(&format!(
            "; {} forbidden once and not reproduced: {}",
            once.len(),
            names.join(", ")
        ));
    }
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

    /// Is what the model forbids seen in any of some more runs of the same order? So it is if there is no time left for them.
    fn comes_again(&mut self, test: &Test, options: &Options) -> Result<bool, Failure> {
        let options = Options {
            runs: AGAIN,
            ..options.clone()
        };
        let all = (self.run)(std::slice::from_ref(test), &options)?;
        Ok(all.iter().any(|tested| match tested {
            Tested::NotRun => true,
            tested => tested.verdict() == Some(Verdict::Unsound),
        }))
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

#[cfg(test)]
mod tests {
    use cowherd_model::kernels::Kernels;
    use cowherd_probe::live::TestResult;
    use cowherd_probe::live::judge::judge;

    use super::*;

    /// A run in which nothing was to be seen, or what the model forbids.
    fn tested(test: &Test, verdict: Verdict, profile: &Profile, options: &Options) -> Tested {
        let result = TestResult {
            name: test.name.clone(),
            ran: test.to_string(),
            ..TestResult::default()
        };
        let mut judged = judge(&result, profile, options);
        (judged.verdict, judged.runs) = (verdict, 1);
        Tested::judged(judged)
    }

    /// So many programs, of which the first shows what the model forbids in the first run, and in later ones if it does so `again`.
    fn ends(again: bool) -> (Exit, u32) {
        let profile = Kernels::shipped().profile("v6.12").expect("a kernel");
        let profile = profile.profile;
        let mut calls = 0;
        let mut later = 0;
        let mut run = |tests: &[Test], options: &Options| {
            calls += 1;
            later += u32::from(calls > 1 && options.runs == AGAIN);
            let verdict = |n| match n {
                0 if calls == 1 || again => Verdict::Unsound,
                _ => Verdict::Sound,
            };
            let tests = tests.iter().enumerate();
            let all = tests.map(|(n, t)| tested(t, verdict(n), &profile, options));
            Ok(all.collect())
        };
        let ground = Ground {
            machine: Machine::default(),
            profile: profile.clone(),
            run: &mut run,
        };
        let options = Options::default();
        let exit = super::run(3, &options, ground).expect("it runs");
        (exit, later)
    }

    #[test]
    fn what_comes_again_is_a_mismatch_and_what_does_not_is_undetermined() {
        assert_eq!(ends(true), (Exit::Differs, 1));
        assert_eq!(ends(false), (Exit::Undetermined, 1));
    }

    #[test]
    fn the_summary_counts_what_ran_and_names_what_did_not_come_again() {
        let profile = Kernels::shipped().profile("v6.12").expect("a kernel");
        let profile = profile.profile;
        let test =
            cowherd_litmus::parse("t", "MM t\n{ anon x; }\nP0 in A { x = 1; }\nexists (true)")
                .expect("a test");
        let seen = |verdict| tested(&test, verdict, &profile, &Options::default());
        let all = [
            seen(Verdict::Unsound),
            seen(Verdict::Unsound),
            seen(Verdict::Sound),
            Tested::NotRun,
        ];
        let text = summary(&all, &BTreeSet::from([1]), &profile);
        let head: Vec<&str> = text.lines().take(2).collect();
        assert_eq!(
            head,
            [
                "Not all of 4 programs ran.",
                "3 programs held against v6.12: 3 followed to their end, 1 of them forbidden; \
                 0 too large to follow, 0 without a result; 1 forbidden once and not reproduced: t",
            ]
        );
    }
}
