//! The shortest programs on which two kernels differ.
//!
//! Programs are taken in groups, as in [`minimal`](super::minimal). A run that asked no feature in which the two kernels differ is the
//! same on both: mostly a whole group is settled by one search. Elsewhere the programs of a group are run one by one on both, and
//! what they may end in is compared: every cell, every register, and the promises that were broken.

use std::collections::BTreeSet;

use cowherd_explore::{Ended, Options, explore};

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

/// What came of a comparison.
pub struct Difference {
    /// The general program that names the entries.
    pub program: Program,
    /// The shortest programs that differ; none if none was found.
    pub found: Vec<Differs>,
    /// Every program with so many calls was tried and agrees.
    pub agreed: u8,
    /// Groups that were settled by one search.
    pub settled: u64,
    /// Programs that were run.
    pub ran: u64,
    /// Why it ended early, if it did.
    pub cut: Option<Ended>,
}

/// Compares two kernels on every program within a bound, those with fewer calls first; ends with the number of calls at which
/// the first differ. `told` hears how many calls are tried, and of each program that differs.
pub fn difference(
    bound: &Bound,
    left: &Profile,
    right: &Profile,
    options: &Options,
    told: &mut dyn FnMut(u8, &Difference),
) -> Result<Difference, Refused> {
    let bound = Bound {
        counts: 0,
        ..bound.clone()
    };
    let program = general(&bound, Calls::Any(bound.calls.into()), left, true)?;
    let menu = slots(&program);
    let mut all = Difference {
        program,
        found: Vec::new(),
        agreed: 0,
        settled: 0,
        ran: 0,
        cut: None,
    };
    for calls in 1..=bound.calls {
        let mut seen = BTreeSet::new();
        for group in multisets(menu.len(), calls as usize) {
            let group: Vec<Slot> = group.iter().map(|&n| menu[n]).collect();
            if !able(&all.program, &group) || !seen.insert(group_form(&all.program, &bound, &group))
            {
                continue;
            }
            told(calls, &all);
            match settles(&bound, &group, left, right, options)? {
                Ok(true) => {
                    all.settled += 1;
                    continue;
                }
                Ok(false) => {}
                Err(ended) => {
                    all.cut = Some(ended);
                    return Ok(all);
                }
            }
            for calls in programs(&all.program, &bound, &group) {
                all.ran += 1;
                match differs(&all.program, &bound, &calls, left, right, options)? {
                    Ok(Some(new)) => all.found.push(new),
                    Ok(None) => {}
                    Err(ended) => {
                        all.cut = Some(ended);
                        return Ok(all);
                    }
                }
            }
        }
        if !all.found.is_empty() {
            return Ok(all);
        }
        all.agreed = calls;
    }
    Ok(all)
}

/// Does no program of a group ask a feature in which the kernels differ?
fn settles(
    bound: &Bound,
    group: &[Slot],
    left: &Profile,
    right: &Profile,
    options: &Options,
) -> Result<Result<bool, Ended>, Refused> {
    let program = general(bound, Calls::Each(group.to_vec()), left, true)?;
    let report = explore(&program, options);
    let consulted = program.cfg.consulted();
    let same = consulted.intersection(left.features) == consulted.intersection(right.features);
    Ok(match report.ended {
        // A search that was cut short settles nothing, but its group may still be run one by one.
        Ended::Stopped | Ended::Time => Err(report.ended),
        Ended::Complete => Ok(same),
        _ => Ok(false),
    })
}

/// Runs one program on both kernels.
fn differs(
    p: &Program,
    bound: &Bound,
    calls: &[Called],
    left: &Profile,
    right: &Profile,
    options: &Options,
) -> Result<Result<Option<Differs>, Ended>, Refused> {
    let condition = format!("{}exists (violates)", looked_at(p, bound, calls));
    let text = write_test(p, bound, calls, "candidate", "A candidate.", &condition);
    let Some(test) = cowherd_litmus::analyse("candidate", &text).test else {
        return Ok(Ok(None));
    };
    let search = Search {
        workers: options.workers,
        reductions: options.reductions,
        stop: options.stop,
        ..Search::default()
    };
    let on_left = check(&test, left, &search)?;
    if on_left.ended != Ended::Complete {
        return Ok(Err(on_left.ended));
    }
    if on_left.serves(&right.features) {
        return Ok(Ok(None));
    }
    let on_right = check(&test, right, &search)?;
    if on_right.ended != Ended::Complete {
        return Ok(Err(on_right.ended));
    }
    let only = |a: &Run, b: &Run| {
        let theirs: BTreeSet<_> = b.outcomes.iter().map(|o| &o.bytes).collect();
        a.outcomes
            .iter()
            .find(|o| !theirs.contains(&o.bytes))
            .map(|o| o.bytes.clone())
    };
    let found = only(&on_left, &on_right)
        .map(|bytes| (left, bytes))
        .or_else(|| only(&on_right, &on_left).map(|bytes| (right, bytes)));
    let Some((profile, bytes)) = found else {
        return Ok(Ok(None));
    };
    let names = lower(&test, profile, true)?.outcome_names(&bytes);
    Ok(Ok(Some(Differs {
        calls: calls.to_vec(),
        form: canonical(p, bound, calls),
        only_on: profile.name.clone(),
        // What nobody wrote, and registers that nothing set, have no name in a condition.
        outcome: names
            .into_iter()
            .filter(|name| !name.contains('?') && !name.contains("junk"))
            .collect::<Vec<_>>()
            .join(" /\\ "),
    })))
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
            for page in 0..bound.pages {
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
