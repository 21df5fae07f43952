//! All programs within a bound that break the specification and are minimal: without any one of their calls they do not.
//!
//! Programs are taken in groups: all that make the same calls, whoever makes them and in whatever order, are one general program with
//! exactly these calls. Only where that breaks something its programs are looked at one by one.

use std::collections::BTreeSet;

use cowherd_explore::{Ended, Options};

use super::programs::group_form;
use super::{
    Bound, Called, Calls, Slot, canonical, contains, general, programs, search, write_test,
};
use crate::check::{Run, Search, check};
use crate::kernels::Profile;
use crate::lower::Refused;
use crate::program::Program;

/// A minimal program.
#[derive(Clone, Debug)]
pub struct Minimal {
    /// Its calls.
    pub calls: Vec<Called>,
    /// Its normal form.
    pub form: String,
    /// What it breaks, as [`crate::spec::Alarms::word`].
    pub broken: u64,
}

/// What came of a search for all.
pub struct All {
    /// The general program that names the entries.
    pub program: Program,
    /// The minimal programs, those with fewer calls first.
    pub found: Vec<Minimal>,
    /// Groups of programs that were searched.
    pub groups: u64,
    /// Searches, of a group or of one program, that were cut short: something may be missing.
    pub unknown: u64,
}

/// Finds all minimal programs within a bound. `told` hears of every program that is found.
pub fn minimal(
    bound: &Bound,
    profile: &Profile,
    options: &Options,
    told: &mut dyn FnMut(&Program, &Minimal),
) -> Result<All, Refused> {
    let program = general(
        bound,
        Calls::Any(bound.calls.into()),
        profile,
        options.reductions,
    )?;
    let menu = slots(&program);
    let mut all = All {
        program,
        found: Vec::new(),
        groups: 0,
        unknown: 0,
    };
    for calls in 1..=bound.calls as usize {
        let known = all.found.len();
        let mut seen = BTreeSet::new();
        for group in multisets(menu.len(), calls) {
            let group: Vec<Slot> = group.iter().map(|&n| menu[n]).collect();
            if !able(&all.program, &group) || !seen.insert(group_form(&all.program, bound, &group))
            {
                continue;
            }
            all.groups += 1;
            let searched = search(bound, Calls::Each(group.clone()), profile, options)?;
            if searched.broken.is_none() {
                all.unknown += u64::from(searched.report.ended != Ended::Complete);
                if searched.report.ended == Ended::Stopped {
                    return Ok(all);
                }
                continue;
            }
            for calls in programs(&all.program, bound, &group) {
                let whole = |m: &Minimal| contains(&all.program, bound, &calls, &m.form);
                if all.found[..known].iter().any(whole) {
                    continue;
                }
                let Some(run) = run(&all.program, bound, &calls, profile, options)? else {
                    continue;
                };
                let broken = run.alarms & bound.counts;
                if broken == 0 {
                    all.unknown += u64::from(run.ended != Ended::Complete);
                    continue;
                }
                let form = canonical(&all.program, bound, &calls);
                let new = Minimal {
                    calls,
                    form,
                    broken,
                };
                told(&all.program, &new);
                all.found.push(new);
            }
        }
    }
    Ok(all)
}

/// Runs this one program, if it is one.
fn run(
    p: &Program,
    bound: &Bound,
    calls: &[Called],
    profile: &Profile,
    options: &Options,
) -> Result<Option<Run>, Refused> {
    let text = write_test(
        p,
        bound,
        calls,
        "candidate",
        "A candidate.",
        "exists (violates)",
    );
    let analysis = cowherd_litmus::analyse("candidate", &text);
    let Some(test) = analysis.test else {
        // What the language refuses (a handle used after its end, say) is no program.
        return Ok(None);
    };
    check(&test, profile, &Search::of_one(options)).map(Some)
}

/// Every call that somebody may make.
pub(super) fn slots(p: &Program) -> Vec<Slot> {
    let mut slots = Vec::new();
    for task in &p.tasks {
        for entry in 0..task.stmts.len() {
            let slot = Slot { mm: task.mm, entry };
            if !slots.contains(&slot) {
                slots.push(slot);
            }
        }
    }
    slots
}

/// Multisets of `size` numbers below `n`, as sorted lists.
pub(super) fn multisets(n: usize, size: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in 0..size {
        all = all
            .iter()
            .flat_map(|set: &Vec<usize>| {
                (set.last().copied().unwrap_or(0)..n).map(move |next| {
                    let mut longer = set.clone();
                    longer.push(next);
                    longer
                })
            })
            .collect();
    }
    all
}

/// May each of these calls begin at all: is a child forked, a handle made? And no process is forked twice.
pub(super) fn able(p: &Program, group: &[Slot]) -> bool {
    use crate::program::Op;
    let op = |slot: &Slot| {
        let task = p.tasks.iter().find(|t| t.mm == slot.mm);
        task.map(|t| t.stmts[slot.entry].op)
    };
    let count =
        |wanted: &dyn Fn(&Op) -> bool| group.iter().filter_map(op).filter(|o| wanted(o)).count();
    group.iter().all(|slot| {
        let forked = slot
            .mm
            .is_none_or(|mm| mm.0 == 0 || count(&|o| *o == Op::Fork { child: mm }) > 0);
        let target = op(slot).and_then(|o| o.target());
        let target = slot.mm.is_some()
            || target.is_none_or(|mm| mm.0 == 0 || count(&|o| *o == Op::Fork { child: mm }) > 0);
        forked
            && target
            && match op(slot) {
                Some(Op::Fork { child }) => count(&|o| *o == Op::Fork { child }) == 1,
                Some(
                    Op::Release { holder }
                    | Op::HeldLoad { holder, .. }
                    | Op::HeldStore { holder, .. },
                ) => count(&|o| matches!(o, Op::Hold { holder: h, .. } if *h == holder)) > 0,
                Some(Op::ReadPipe { .. }) => count(&|o| matches!(o, Op::Vmsplice { .. })) > 0,
                _ => true,
            }
    })
}
