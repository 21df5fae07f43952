//! From a schedule of the general program to a test of its own.

use std::fmt::Write;

use cowherd_explore::Witness;
use cowherd_mm::HoldId;
use cowherd_mm::machine::Dir;

use super::menu::{Bound, FILES, Layout, declarations};
use crate::program::{Op, Program, TaskProgram};
use crate::system::Actor;

/// A call that a schedule begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Called {
    /// Who.
    pub task: usize,
    /// Which entry of the task's menu.
    pub entry: usize,
    /// What it writes.
    pub value: Option<u8>,
}

/// The calls that a schedule of a general program begins, in this order.
#[cfg(not(feature = "wide"))]
pub fn calls_of(p: &Program, witness: &Witness) -> Vec<Called> {
    let mut calls = Vec::new();
    witness.replay(p, |state, step| {
        if let Actor::Task(task) = p.actor(step.actor)
            && p.rests(state, task)
            && let Some(entry) = p.picked(state, task, step.choice)
        {
            calls.push(Called {
                task,
                entry,
                value: p.would_write(state, task, entry),
            });
        }
    });
    calls
}

/// Writes a test in which each task makes its calls, in their order; `name`, `doc` and `condition` are its own.
pub fn write_test(
    p: &Program,
    bound: &Bound,
    calls: &[Called],
    name: &str,
    doc: &str,
    condition: &str,
) -> String {
    let cast = Cast {
        tasks: &p.tasks,
        processes: &p.names.processes,
    };
    write_laid_out(
        cast,
        bound,
        &Layout::plain(bound),
        calls,
        name,
        doc,
        condition,
    )
}

/// Who takes part.
#[derive(Clone, Copy)]
pub(super) struct Cast<'a> {
    pub tasks: &'a [TaskProgram],
    /// The names of the processes.
    pub processes: &'a [String],
}

/// As [`write_test`], of a program that is laid out in another way.
pub(super) fn write_laid_out(
    cast: Cast,
    bound: &Bound,
    layout: &Layout,
    calls: &[Called],
    name: &str,
    doc: &str,
    condition: &str,
) -> String {
    Writer {
        cast,
        calls,
        landed: Vec::new(),
    }
    .test(bound, layout, name, doc, condition)
}

struct Writer<'a> {
    cast: Cast<'a>,
    calls: &'a [Called],
    /// What transfers land, in the order of the text.
    landed: Vec<u8>,
}

/// The tasks that call anything, threads first: each with the name of its thread, which is that of its process if it stands in the
/// block of the fork.
fn names(p: Cast, calls: &[Called]) -> Vec<(usize, String)> {
    let mut forked = 0u8;
    let mut threads = 0;
    let mut names = Vec::new();
    for task in (0..p.tasks.len()).filter(|t| calls.iter().any(|c| c.task == *t)) {
        let name = match p.tasks[task].mm {
            None => "kernel".into(),
            Some(mm) if mm.0 > 0 && forked >> mm.0 & 1 == 0 => {
                forked |= 1 << mm.0;
                p.processes[mm.at()].clone()
            }
            Some(_) => {
                threads += 1;
                format!("P{}", threads - 1)
            }
        };
        names.push((task, name));
    }
    names
}

/// The threads of a test, and how many registers each sets.
pub(super) fn registers(p: &Program, calls: &[Called]) -> Vec<(String, usize)> {
    let sets = |c: &Called| {
        matches!(
            p.tasks[c.task].stmts[c.entry].op,
            Op::Load { .. } | Op::ReadPipe { .. } | Op::Remote { store: None, .. }
        )
    };
    let cast = Cast {
        tasks: &p.tasks,
        processes: &p.names.processes,
    };
    names(cast, calls)
        .into_iter()
        .map(|(task, name)| {
            (
                name,
                calls.iter().filter(|c| c.task == task && sets(c)).count(),
            )
        })
        .collect()
}

impl Writer<'_> {
    fn test(
        mut self,
        bound: &Bound,
        layout: &Layout,
        name: &str,
        doc: &str,
        condition: &str,
    ) -> String {
        let mut body = String::new();
        let names = names(self.cast, self.calls);
        let tasks: Vec<usize> = names.iter().map(|(task, _)| *task).collect();
        for (task, name) in &names {
            let Some(mm) = self.cast.tasks[*task].mm else {
                continue;
            };
            // The first thread of a child stands in its fork.
            let process = &self.cast.processes[mm.at()];
            if name != process {
                let _ = writeln!(body, "{name} in {process} {{");
                self.block(*task, 1, &tasks, &mut body);
                body.push_str("}\n\n");
            }
        }
        for &task in tasks.iter().filter(|&&t| self.cast.tasks[t].mm.is_none()) {
            body.push_str("kernel {\n");
            self.block(task, 1, &tasks, &mut body);
            body.push_str("}\n\n");
        }
        let used = |pipe: &&str| {
            let tail = [
                format!("({pipe})"),
                format!("({pipe},"),
                format!(" {pipe})"),
            ];
            tail.iter().any(|tail| body.contains(tail))
        };
        let pipes: Vec<&str> = ["p", "q"].into_iter().filter(used).collect();
        let mut text = format!("MM {name}\n\n(*\n");
        for line in doc.lines() {
            let _ = writeln!(text, " * {line}");
        }
        let _ = write!(
            text,
            " *)\n\n{{\n{}}}\n\n",
            declarations(bound, layout, &self.landed, &pipes)
        );
        text.push_str(&body);
        let _ = writeln!(text, "{condition}");
        text
    }

    fn block(&mut self, task: usize, depth: usize, tasks: &[usize], out: &mut String) {
        let mut registers = 0;
        // The handles that the thread has made, by the menu's holders.
        let mut handles: Vec<HoldId> = Vec::new();
        let calls: Vec<Called> = self
            .calls
            .iter()
            .filter(|c| c.task == task)
            .copied()
            .collect();
        for call in calls {
            let stmt = &self.cast.tasks[task].stmts[call.entry];
            let indent = "    ".repeat(depth);
            let number = call.value.unwrap_or(0).to_string();
            let text = stmt.text.trim_end_matches(';');
            let text = match stmt.op {
                Op::Fork { child } => {
                    let name = &self.cast.processes[child.at()];
                    let first = tasks
                        .iter()
                        .find(|&&t| self.cast.tasks[t].mm == Some(child));
                    let _ = write!(out, "{indent}fork({name}) {{");
                    if let Some(&first) = first {
                        out.push('\n');
                        self.block(first, depth + 1, tasks, out);
                        out.push_str(&indent);
                    }
                    out.push_str("}\n");
                    continue;
                }
                Op::Store { .. } => {
                    let place = text.split('=').next().unwrap_or(text).trim();
                    format!("{place} = {number}")
                }
                Op::HeldStore { holder, .. } => {
                    let place = text.split('=').next().unwrap_or(text).trim();
                    format!("{} = {number}", handle(place, &handles, holder))
                }
                Op::Remote { store: Some(_), .. } | Op::UffdCopy { .. } => {
                    let place = text.rsplit_once(',').map_or(text, |(place, _)| place);
                    format!("{place}, {number})")
                }
                Op::Transfer { dir, .. } => {
                    let at = self.landed.len();
                    self.landed.push(if dir == Dir::ToMemory {
                        call.value.unwrap_or(0)
                    } else {
                        0
                    });
                    let file = FILES[(at / 4).min(FILES.len() - 1)];
                    let (name, rest) = text.split_once('(').unwrap_or((text, ""));
                    let rest = rest.split_once(',').map_or("", |(_, rest)| rest);
                    format!("{name}({file}[{}],{rest}", at % 4)
                }
                Op::Hold { holder, .. } => {
                    handles.push(holder);
                    let call = text.split_once('=').map_or(text, |(_, call)| call.trim());
                    format!("h{} = {call}", handles.len() - 1)
                }
                Op::Release { holder } => handle(text, &handles, holder),
                Op::Load { .. } | Op::ReadPipe { .. } | Op::Remote { store: None, .. } => {
                    let from = text.split_once('=').map_or(text, |(_, from)| from.trim());
                    registers += 1;
                    format!("r{} = {from}", registers - 1)
                }
                _ => text.to_string(),
            };
            let _ = writeln!(out, "{indent}{text};");
        }
    }
}

/// The handle that the thread made of a holder last takes the place of the menu's.
fn handle(text: &str, made: &[HoldId], holder: HoldId) -> String {
    let made = made.iter().rposition(|h| *h == holder).unwrap_or(0);
    let Some(at) = text.find('h') else {
        return text.into();
    };
    let digits = text[at + 1..]
        .chars()
        .take_while(char::is_ascii_digit)
        .count();
    if digits == 0 {
        return text.into();
    }
    format!("{}h{}{}", &text[..at], made, &text[at + 1 + digits..])
}
