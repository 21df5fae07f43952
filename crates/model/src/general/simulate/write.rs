//! Calls of a walk, for people.

use std::collections::BTreeSet;

use cowherd_mm::{MmId, Va};

use super::walk::page_of;
use crate::general::emit::{Cast, write_laid_out};
use crate::general::{Bound, Called, Layout};
use crate::program::{Op, Program};

/// A call, and who makes it.
pub(super) fn line(p: &Program, called: &Called) -> String {
    let task = &p.tasks[called.task];
    let who = task
        .mm
        .map_or("kernel", |mm| p.names.processes[mm.at()].as_str());
    let text = task.stmts[called.entry].text.trim_end_matches(';');
    match called.value {
        Some(value) => format!("{who}: {text} (value {value})"),
        None => format!("{who}: {text}"),
    }
}

/// The test of these calls, with the pages and processes that it needs, by the first names that there are. Of `merged` children the
/// parents make the calls. None, if a process is forked twice.
pub(super) fn test(
    p: &Program,
    bound: &Bound,
    layout: &Layout,
    calls: &[Called],
    merged: &[MmId],
) -> Option<String> {
    let op = |c: &Called| p.tasks[c.task].stmts[c.entry].op;
    let taken_for = |mut mm: MmId| {
        while let Some(parent) = p.spec.parents[mm.at()].filter(|_| merged.contains(&mm)) {
            mm = parent;
        }
        mm
    };
    let mut forked = BTreeSet::new();
    for call in calls {
        if let Op::Fork { child } = op(call)
            && !forked.insert(child)
        {
            return None;
        }
    }
    let merges = |c: &Called| matches!(op(c), Op::Fork { child } if merged.contains(&child));
    let mut held = BTreeSet::new();
    let mut makes_sense = |c: &&Called| match op(c) {
        Op::Hold { holder, .. } => held.insert((c.task, holder)),
        // In a test a handle is its thread's own.
        Op::HeldLoad { holder, .. } | Op::HeldStore { holder, .. } => {
            held.contains(&(c.task, holder))
        }
        Op::Release { holder } => held.remove(&(c.task, holder)),
        _ => true,
    };
    let calls = calls.iter().filter(|c| !merges(c) && makes_sense(c));
    let calls: Vec<Called> = calls.copied().collect();
    let mut tasks = p.tasks.clone();
    for task in &mut tasks {
        task.mm = task.mm.map(taken_for);
    }
    let pages: BTreeSet<Va> = calls.iter().flat_map(|c| pages_of(p, &op(c))).collect();
    let who = |mm: &MmId| *mm == MmId(0) || forked.contains(mm) && !merged.contains(mm);
    let processes: Vec<MmId> = (0..bound.processes as u8).map(MmId).filter(who).collect();
    let name = |mm: MmId| {
        let nth = processes.iter().position(|known| *known == taken_for(mm));
        Bound::process(nth.unwrap_or(mm.at())).to_string()
    };
    let mut names: Vec<(String, String)> = Vec::new();
    for (n, va) in pages.iter().enumerate() {
        names.push((Bound::page(va.at()), Bound::page(n)));
    }
    for (n, old) in p.names.processes.iter().enumerate() {
        names.push((old.clone(), name(MmId(n as u8))));
    }
    let small = Layout {
        pages: pages
            .iter()
            .map(|va| layout.pages[va.at()].clone())
            .collect(),
        slots: (pages.len() > 2).then_some(4),
        ..layout.clone()
    };
    let cast = Cast {
        tasks: &tasks,
        processes: &p.names.processes,
    };
    let text = write_laid_out(
        cast,
        bound,
        &small,
        &calls,
        "simulated",
        "",
        "exists (violates)",
    );
    Some(renamed(&text, &names))
}

fn pages_of(p: &Program, op: &Op) -> Vec<Va> {
    let second = match *op {
        Op::Ksm { second, .. } => second.map(|(_, va)| va),
        _ => None,
    };
    page_of(p, op).into_iter().chain(second).collect()
}

/// Whole words, exchanged for others.
fn renamed(text: &str, names: &[(String, String)]) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        let new = names.iter().find(|(old, _)| *old == word);
        out += new.map_or(&word, |(_, new)| new);
        word.clear();
        out.push(c);
    }
    out.pop();
    out
}
