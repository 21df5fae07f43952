//! The shortest programs on which two kernels differ.
//!
//! Programs are taken in groups, as in [`minimal`](super::minimal). A run that asked no feature in which the two kernels differ is the
//! same on both: mostly a whole group is settled by one search. Elsewhere the programs of a group are run one by one on both, and
//! what they may end in is compared: every cell, every register, and the promises that were broken.

use std::collections::BTreeSet;

use cowherd_explore::{Ended, Options, explore};
use cowherd_litmus::ast;
use cowherd_mm::FeatureSet;

use super::minimal::{able, multisets, slots};
use super::programs::group_form;
use super::{Bound, Called, Calls, Slot, canonical, general, programs, write_test};
use crate::check::{Run, Search, check};
use crate::kernels::Profile;
use crate::lower::{Refused, lower};
use crate::program::{Op, Program};

/// A program on which the kernels differ.
#[derive(Clone, Debug)]
pub struct Differs {
    /// Its calls.
    pub calls: Vec<Called>,
    /// Its normal form.
    pub form: String,
    /// The kernel that allows more: its name.
    pub only_on: String,
    /// A proposition that holds of an outcome which only that kernel allows.
    pub outcome: String,
}

/// What came of a comparison with one other kernel.
#[derive(Clone, Debug, Default)]
pub struct Difference {
    /// The shortest programs that differ; none if none was found.
    pub found: Vec<Differs>,
    /// Every program with so many calls was tried and agrees.
    pub agreed: u8,
    /// Groups that were settled by one search.
    pub settled: u64,
    /// Programs that were run on both.
    pub ran: u64,
    /// Why it ended early, if it did.
    pub cut: Option<Ended>,
}

/// One kernel compared with others.
pub struct Compared {
    /// The general program that names the entries.
    pub program: Program,
    /// What came of each of the others.
    pub with: Vec<Difference>,
}

/// Compares a kernel with others on every program within a bound, those with fewer calls first; ends for each of the others with the
/// number of calls at which the first programs differ.
pub fn differences(
    bound: &Bound,
    left: &Profile,
    rights: &[Profile],
    options: &Options,
) -> Result<Compared, Refused> {
    let bound = Bound {
        counts: 0,
        ..bound.clone()
    };
    let mut all = Compared {
        program: general(
            &bound,
            Calls::Any(bound.calls.into()),
            left,
            options.reductions,
        )?,
        with: vec![Difference::default(); rights.len()],
    };
    let menu = slots(&all.program);
    for calls in 1..=bound.calls {
        let open: Vec<usize> = (0..rights.len())
            .filter(|&n| all.with[n].found.is_empty() && all.with[n].cut.is_none())
            .collect();
        if open.is_empty() {
            break;
        }
        let mut seen = BTreeSet::new();
        for group in multisets(menu.len(), calls as usize) {
            let group: Vec<Slot> = group.iter().map(|&n| menu[n]).collect();
            if able(&all.program, &group) && seen.insert(group_form(&all.program, &bound, &group)) {
                let cut = all.group(&bound, &group, left, rights, &open, options)?;
                if cut.is_some() {
                    open.iter().for_each(|&n| all.with[n].cut = cut);
                    return Ok(all);
                }
            }
        }
        for n in open {
            if all.with[n].found.is_empty() && all.with[n].cut.is_none() {
                all.with[n].agreed = calls;
            }
        }
    }
    Ok(all)
}

impl Compared {
    /// Compares the programs of a group. Says why it was stopped, if it was.
    fn group(
        &mut self,
        bound: &Bound,
        group: &[Slot],
        left: &Profile,
        rights: &[Profile],
        open: &[usize],
        options: &Options,
    ) -> Result<Option<Ended>, Refused> {
        let asks = asks(bound, group, left, options)?;
        let asks = match asks {
            Err(ended @ (Ended::Stopped | Ended::Time)) => return Ok(Some(ended)),
            // A search that was cut short settles nothing, but its programs may still be run one by one.
            Err(_) => None,
            Ok(asks) => Some(asks),
        };
        let differs = |n: usize| asks.is_none_or(|asks| !asks.same(left, &rights[n]));
        let (open, settled): (Vec<usize>, Vec<usize>) = open.iter().partition(|&&n| differs(n));
        settled.iter().for_each(|&n| self.with[n].settled += 1);
        if open.is_empty() {
            return Ok(None);
        }
        for calls in programs(&self.program, bound, group) {
            let Some(test) = candidate(&self.program, bound, &calls) else {
                continue;
            };
            let search = Search::of_one(options);
            let here = check(&test, left, &search)?;
            for &n in &open {
                let right = &rights[n];
                self.with[n].ran += 1;
                if here.ended == Ended::Complete && here.serves(&right.features) {
                    continue;
                }
                let there = check(&test, right, &search)?;
                if let Some(cut) = [here.ended, there.ended]
                    .into_iter()
                    .find(|e| *e != Ended::Complete)
                {
                    self.with[n].cut = Some(cut);
                    continue;
                }
                if let Some((profile, outcome)) = only(&test, (left, &here), (right, &there))? {
                    self.with[n].found.push(Differs {
                        calls: calls.clone(),
                        form: canonical(&self.program, bound, &calls),
                        only_on: profile,
                        outcome,
                    });
                }
            }
        }
        Ok(None)
    }
}

/// The features that a group of programs asks for.
#[derive(Clone, Copy)]
struct Asks(FeatureSet);

impl Asks {
    /// Does it find the same answers on both?
    fn same(&self, left: &Profile, right: &Profile) -> bool {
        self.0.intersection(left.features) == self.0.intersection(right.features)
    }
}

/// What the programs of a group ask for, all of them together.
fn asks(
    bound: &Bound,
    group: &[Slot],
    left: &Profile,
    options: &Options,
) -> Result<Result<Asks, Ended>, Refused> {
    let program = general(bound, Calls::Each(group.to_vec()), left, options.reductions)?;
    let report = explore(&program, options);
    Ok(match report.ended {
        Ended::Complete => Ok(Asks(program.cfg.consulted())),
        ended => Err(ended),
    })
}

/// A program as a test that looks at everything.
fn candidate(p: &Program, bound: &Bound, calls: &[Called]) -> Option<ast::Test> {
    let condition = format!("{}exists (violates)", looked_at(p, bound, calls));
    let text = write_test(p, bound, calls, "candidate", "A candidate.", &condition);
    cowherd_litmus::analyse("candidate", &text).test
}

/// An outcome that only one of two kernels allows, as a proposition, and that kernel's name.
fn only(
    test: &ast::Test,
    left: (&Profile, &Run),
    right: (&Profile, &Run),
) -> Result<Option<(String, String)>, Refused> {
    for ((profile, here), (other, there)) in [(left, right), (right, left)] {
        let theirs: BTreeSet<_> = there.outcomes.iter().map(|o| &o.bytes).collect();
        let mut new = here
            .outcomes
            .iter()
            .filter(|o| !theirs.contains(&o.bytes))
            .peekable();
        if new.peek().is_none() {
            continue;
        }
        let (p, q) = (lower(test, profile, true)?, lower(test, other, true)?);
        // What nobody wrote, registers that nothing set and memory that is not there have no name in a condition.
        let named = |name: &String| !["?", "junk", "SEGV"].iter().any(|no| name.contains(no));
        let says = |names: Vec<String>| names.into_iter().filter(named).collect::<Vec<_>>();
        let theirs: Vec<Vec<String>> = (there.outcomes.iter())
            .map(|o| q.outcome_names(&o.bytes))
            .collect();
        let new: Vec<Vec<String>> = new.map(|o| says(p.outcome_names(&o.bytes))).collect();
        // What is left must not be true of an outcome of the other, if that can be had.
        let tells = |new: &&Vec<String>| {
            !theirs
                .iter()
                .any(|names| new.iter().all(|name| names.contains(name)))
        };
        let best = new.iter().find(tells).or(new.first());
        return Ok(best.map(|best| (profile.name.clone(), best.join(" /\\ "))));
    }
    Ok(None)
}

/// Every cell of every process, and what loads and pipes gave.
pub fn looked_at(p: &Program, bound: &Bound, calls: &[Called]) -> String {
    let op = |c: &Called| p.tasks[c.task].stmts[c.entry].op;
    let mut seen = Vec::new();
    for process in 0..bound.processes {
        let there = process == 0
            || calls
                .iter()
                .any(|c| matches!(op(c), Op::Fork { child } if child.at() == process));
        if there {
            for page in 0..bound.places() {
                for cell in 0..bound.cells {
                    let (process, page) = (Bound::process(process), Bound::page(page));
                    seen.push(format!("{process}:{page}[{cell}];"));
                }
            }
        }
    }
    for (thread, registers) in super::emit::registers(p, calls) {
        seen.extend((0..registers).map(|r| format!("{thread}:r{r};")));
    }
    format!("locations [{}]\n\n", seen.join(" "))
}
