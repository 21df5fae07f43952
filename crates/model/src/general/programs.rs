//! Programs: who makes which calls in which order; when two are the same; and all that can be made of some calls.

use std::collections::BTreeSet;

use super::menu::Bound;
use super::{Called, Slot};
use crate::program::{Op, Program, Stmt};
use crate::spec::value;

/// The calls of a program in a normal form that is the same for programs which differ only in the names of threads, cells, pages,
/// files, handles, registers and values.
///
/// A line an actor, sorted; of the forms that all orders of cells and pages give, the least.
pub fn canonical(p: &Program, bound: &Bound, calls: &[Called]) -> String {
    let actors: Vec<(usize, Vec<usize>)> = (0..p.tasks.len())
        .map(|task| {
            let mine = calls.iter().filter(|c| c.task == task);
            (task, mine.map(|c| c.entry).collect())
        })
        .collect();
    normal(p, bound.pages, bound.cells, &actors)
}

/// The normal form of calls of which nobody says who makes them: the same for groups that differ only in names.
pub(super) fn group_form(p: &Program, bound: &Bound, group: &[Slot]) -> String {
    let like = |slot: &Slot| p.tasks.iter().position(|t| t.mm == slot.mm).unwrap_or(0);
    let actors: Vec<_> = group
        .iter()
        .map(|slot| (like(slot), vec![slot.entry]))
        .collect();
    normal(p, bound.pages, bound.cells, &actors)
}

/// Actors: a task of their like, and the entries of its menu that they begin.
pub(super) fn normal(
    p: &Program,
    pages: usize,
    cells: usize,
    actors: &[(usize, Vec<usize>)],
) -> String {
    let orders = |n: usize| -> &[&[usize]] {
        if n == 2 {
            &[&[0, 1], &[1, 0]]
        } else {
            &[&[0, 1]]
        }
    };
    let (cells, pages) = (orders(cells), orders(pages));
    let mut least: Option<String> = None;
    for cells in cells {
        for pages in pages {
            let mut lines: Vec<String> = Vec::new();
            for (task, entries) in actors.iter().filter(|(_, entries)| !entries.is_empty()) {
                let task = &p.tasks[*task];
                let keys = entries
                    .iter()
                    .map(|&entry| key(p, &task.stmts[entry], cells, pages));
                let who = task.mm.map_or("kernel", |mm| Bound::process(mm.at()));
                lines.push(format!("{who}: {}", keys.collect::<Vec<_>>().join("; ")));
            }
            lines.sort();
            let form = lines.join("\n");
            if least.as_ref().is_none_or(|least| form < *least) {
                least = Some(form);
            }
        }
    }
    least.unwrap_or_default()
}

/// A statement without the names that do not matter: those of values, registers, handles and files; cells and pages renamed.
fn key(p: &Program, stmt: &Stmt, cells: &[usize], pages: &[usize]) -> String {
    let text = stmt.text.trim_end_matches(';');
    let halves = || text.split_once('=').map(|(a, b)| (a.trim(), b.trim()));
    let gives = matches!(
        stmt.op,
        Op::Load { .. } | Op::HeldLoad { .. } | Op::ReadPipe { .. } | Op::Hold { .. }
    ) || matches!(stmt.op, Op::Remote { store: None, .. });
    let stores = matches!(stmt.op, Op::Store { .. } | Op::HeldStore { .. });
    let text = match halves() {
        Some((_, call)) if gives || !stores => call,
        Some((place, _)) => place,
        None => text,
    };
    // The value that it writes stands last.
    let writes = matches!(
        stmt.op,
        Op::Remote { store: Some(_), .. } | Op::UffdCopy { .. }
    );
    let text = match text.rsplit_once(',') {
        Some((place, _)) if writes => format!("{place})"),
        _ => text.to_string(),
    };
    let mut key = String::new();
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let word = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        if word == 0 {
            key.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (name, behind) = rest.split_at(word);
        let digit = behind
            .strip_prefix('[')
            .and_then(|d| d.chars().next()?.to_digit(10));
        let at = |names: &[String]| names.iter().position(|n| n == name);
        rest = behind;
        let handle = || p.names.handles.iter().flatten().any(|n| n == name);
        let page = at(&p.names.pages);
        if page.is_some() || handle() {
            key.push_str(&page.map_or("h".into(), |n| {
                Bound::page(pages.get(n).copied().unwrap_or(n))
            }));
            if let Some(cell) = digit.map(|d| d as usize) {
                key.push_str(&format!("[{}]", cells.get(cell).copied().unwrap_or(cell)));
                rest = &behind[behind.find(']').map_or(0, |end| end + 1)..];
            }
        } else if at(&p.names.files).is_some() {
            key.push('f');
            if digit.is_some() {
                rest = &behind[behind.find(']').map_or(0, |end| end + 1)..];
            }
        } else if let Some(process) = at(&p.names.processes) {
            key.push_str(Bound::process(process));
        } else if let Some(pipe) = at(&p.names.pipes) {
            key.push_str(["p", "q", "s", "t"][pipe]);
        } else {
            key.push_str(name);
        }
    }
    if stores {
        key.push_str(" =");
    }
    key
}

/// A name for a program: a hash of its normal form.
pub fn name(kind: &str, canonical: &str) -> String {
    // FNV-1a: stable, and short enough to be read aloud.
    let hash = canonical
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("{kind}-{:08x}", (hash >> 32) as u32 ^ hash as u32)
}

/// Every program that makes exactly these calls, each one once, up to renaming.
pub fn programs(p: &Program, bound: &Bound, slots: &[Slot]) -> Vec<Vec<Called>> {
    let mut partial: Vec<Vec<Vec<usize>>> = vec![vec![Vec::new(); p.tasks.len()]];
    for slot in slots {
        let mut longer = Vec::new();
        let mut seen = BTreeSet::new();
        for tasks in &partial {
            for task in (0..p.tasks.len()).filter(|&t| p.tasks[t].mm == slot.mm) {
                for at in 0..=tasks[task].len() {
                    let mut next = tasks.clone();
                    next[task].insert(at, slot.entry);
                    if seen.insert(canonical(p, bound, &called(p, &next))) {
                        longer.push(next);
                    }
                }
            }
        }
        partial = longer;
    }
    partial
        .iter()
        .map(|tasks| called(p, tasks))
        .filter(|calls| sensible(p, calls))
        .collect()
}

/// Calls with values that are all different: of those that a general program of this bound would take, as long as they last.
fn called(p: &Program, tasks: &[Vec<usize>]) -> Vec<Called> {
    let starts = p.spec.starts.iter().flatten().fold(1, |all, v| all | v);
    let mut free = (0..16u8).filter(|&v| starts & value(v) == 0).cycle();
    let mut calls = Vec::new();
    for (task, entries) in tasks.iter().enumerate() {
        for &entry in entries {
            let value = p.writes(task, entry).then(|| free.next().unwrap_or(15));
            calls.push(Called { task, entry, value });
        }
    }
    calls
}

/// Can each call do something: is its process forked, its handle made before it is used, the pipe filled by somebody? Where not,
/// the program without the call does the same.
fn sensible(p: &Program, calls: &[Called]) -> bool {
    let op = |c: &Called| p.tasks[c.task].stmts[c.entry].op;
    calls.iter().enumerate().all(|(n, call)| {
        let before = || calls[..n].iter().filter(|c| c.task == call.task);
        let made = |holder| {
            let last = before()
                .rev()
                .find(|c| matches!(op(c), Op::Hold { holder: h, .. } | Op::Release { holder: h } if h == holder));
            last.is_some_and(|c| matches!(op(c), Op::Hold { .. }))
        };
        let forked = p.tasks[call.task].mm.is_none_or(|mm| {
            mm.0 == 0 || calls.iter().any(|c| op(c) == Op::Fork { child: mm })
        });
        let sensible = match op(call) {
            Op::Release { holder } | Op::HeldLoad { holder, .. } | Op::HeldStore { holder, .. } => {
                made(holder)
            }
            Op::ReadPipe { .. } => calls.iter().any(|c| matches!(op(c), Op::Vmsplice { .. })),
            Op::Hold { holder, .. } => {
                !calls
                    .iter()
                    .any(|c| c.task != call.task && matches!(op(c), Op::Hold { holder: h, .. } if h == holder))
                    && !made(holder)
            }
            Op::Fork { child } => {
                calls.iter().filter(|c| op(c) == Op::Fork { child }).count() == 1
            }
            _ => true,
        };
        forked && sensible
    })
}

/// Is `part` what is left of `whole` when some calls are dropped?
pub fn contains(p: &Program, bound: &Bound, whole: &[Called], part: &str) -> bool {
    let wanted = part.matches(['\n', ';']).count() + 1;
    if wanted > whole.len() || part.is_empty() {
        return part.is_empty();
    }
    if wanted == whole.len() {
        return canonical(p, bound, whole) == part;
    }
    (0..whole.len()).any(|n| {
        let mut less = whole.to_vec();
        less.remove(n);
        contains(p, bound, &less, part)
    })
}
