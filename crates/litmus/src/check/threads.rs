//! Who runs: the threads of the test and the blocks of its `fork`s, and the processes that those make.

use std::collections::HashMap;

use super::init::new_process_name;
use super::scope::{Scope, ThreadHead};
use crate::Span;
use crate::ast::{Process, ProcessId, Start, ThreadId};
use crate::diagnostic::{Code, Diagnostic};
use crate::limits::{MAX_THREAD_NUMBER, MAX_THREADS};
use crate::parse::syntax::{Block, Body, Head, Name, RawArgument, RawCall, RawSource};

/// The body of each thread, in the order of the scope's threads, and which thread a `fork` starts.
pub(super) struct Programs<'r, 't> {
    pub(super) bodies: Vec<Option<&'r Body<'t>>>,
    /// By the place of the `fork` in the text.
    pub(super) forked: HashMap<usize, (ProcessId, ThreadId)>,
}

/// A `fork` with a child that can be named.
struct Fork<'r, 't> {
    call: &'r RawCall<'t>,
    child: Name<'t>,
    by: ThreadId,
    stmt: usize,
}

pub(super) fn collect<'r, 't>(scope: &mut Scope<'t>, blocks: &'r [Block<'t>]) -> Programs<'r, 't> {
    let mut programs = Programs {
        bodies: Vec::new(),
        forked: HashMap::new(),
    };
    // Processes first: a thread may run in one that is forked further down.
    for block in blocks {
        if let Head::Thread { .. } = block.head {
            name_children(scope, &block.body);
        }
    }
    for block in blocks {
        if let Head::Thread { name, process } = &block.head {
            top_level(scope, &mut programs, *name, *process, block);
        }
    }
    let mut at = 0;
    while at < programs.bodies.len() {
        if let Some(body) = programs.bodies[at] {
            for fork in forks(body, ThreadId(at as u8)) {
                child(scope, &mut programs, &fork);
            }
        }
        at += 1;
    }
    adopt(scope);
    programs
}

fn fork_child<'t>(call: &RawCall<'t>) -> Option<Name<'t>> {
    match (call.name.text, call.arguments.as_slice()) {
        ("fork", [RawArgument::Place(place)])
            if place.process.is_none() && place.cell.is_none() =>
        {
            Some(place.name)
        }
        _ => None,
    }
}

fn forks<'r, 't>(body: &'r Body<'t>, by: ThreadId) -> Vec<Fork<'r, 't>> {
    let calls = body
        .stmts
        .iter()
        .enumerate()
        .filter_map(|(at, stmt)| match &stmt.source {
            RawSource::Call(call) => Some((at, call)),
            RawSource::Operand(_) => None,
        });
    calls
        .filter_map(|(stmt, call)| {
            Some(Fork {
                call,
                child: fork_child(call)?,
                by,
                stmt,
            })
        })
        .collect()
}

/// Makes a process for each `fork`; who its parent is comes out later.
fn name_children<'t>(scope: &mut Scope<'t>, body: &Body<'t>) {
    for stmt in &body.stmts {
        let RawSource::Call(call) = &stmt.source else {
            continue;
        };
        if let Some(name) = fork_child(call) {
            if new_process_name(scope, name) {
                let process = Process {
                    name: name.text.to_owned(),
                    parent: None,
                    from_start: false,
                    span: name.span,
                };
                scope.processes.push(process);
            } else {
                scope.broken.insert(name.text);
            }
        }
        if let Some(body) = &call.body {
            name_children(scope, body);
        }
    }
}

fn top_level<'r, 't>(
    scope: &mut Scope<'t>,
    programs: &mut Programs<'r, 't>,
    name: Name<'t>,
    process: Option<Name<'t>>,
    block: &'r Block<'t>,
) {
    let number = name.text[1..]
        .parse::<u8>()
        .ok()
        .filter(|n| *n <= MAX_THREAD_NUMBER);
    let Some(number) = number else {
        scope.report(
            Diagnostic::new(Code::Limit, name.span, "the thread's number is too large")
                .label(format!("threads are `P0` to `P{MAX_THREAD_NUMBER}`")),
        );
        return;
    };
    if let Some(first) = scope
        .threads
        .iter()
        .find(|thread| thread.number == Some(number))
    {
        let first = first.span;
        scope.report(
            Diagnostic::new(
                Code::Twice,
                name.span,
                format!("there are two threads `P{number}`"),
            )
            .note(first, "the first")
            .help("give this one the next free number"),
        );
        return;
    }
    let process = process
        .and_then(|name| scope.process(name))
        .unwrap_or(ProcessId(0));
    let start = match scope.processes[process.index()].from_start {
        true => Start::AtOnce,
        false => Start::WithProcess,
    };
    let head = ThreadHead {
        number: Some(number),
        process,
        start,
        span: block.span,
    };
    add(scope, programs, head, Some(&block.body));
}

fn child<'r, 't>(scope: &mut Scope<'t>, programs: &mut Programs<'r, 't>, fork: &Fork<'r, 't>) {
    let Some(process) = scope.find_process(fork.child.text) else {
        return;
    };
    // A second `fork` of one name was reported; it starts nothing.
    if scope.processes[process.index()].span.start != fork.child.span.start {
        return;
    }
    scope.processes[process.index()].parent = Some(scope.threads[fork.by.index()].process);
    let start = Start::Fork {
        by: fork.by,
        stmt: fork.stmt,
    };
    let head = ThreadHead {
        number: None,
        process,
        start,
        span: fork.call.span,
    };
    if let Some(thread) = add(scope, programs, head, fork.call.body.as_ref()) {
        programs
            .forked
            .insert(fork.call.span.start, (process, thread));
    }
}

fn add<'r, 't>(
    scope: &mut Scope<'t>,
    programs: &mut Programs<'r, 't>,
    head: ThreadHead,
    body: Option<&'r Body<'t>>,
) -> Option<ThreadId> {
    if scope.threads.len() >= MAX_THREADS {
        return scope.none(
            Diagnostic::new(Code::Limit, head.span, "too many threads").label(format!(
                "a test has at most {MAX_THREADS}, blocks of `fork` counted"
            )),
        );
    }
    scope.threads.push(head);
    programs.bodies.push(body);
    Some(ThreadId((scope.threads.len() - 1) as u8))
}

/// Reports processes whose line of parents never reaches one that is there at the start.
fn adopt(scope: &mut Scope<'_>) {
    let mut begins: Vec<bool> = scope.processes.iter().map(|p| p.from_start).collect();
    for _ in 0..scope.processes.len() {
        for (at, process) in scope.processes.iter().enumerate() {
            begins[at] |= process.parent.is_some_and(|parent| begins[parent.index()]);
        }
    }
    let known: Vec<(Span, String)> = scope
        .processes
        .iter()
        .zip(&begins)
        .filter(|(p, begins)| !**begins && p.parent.is_some())
        .map(|(p, _)| (p.span, p.name.clone()))
        .collect();
    for (span, name) in known {
        scope.report(
            Diagnostic::new(
                Code::Process,
                span,
                format!("process `{name}` never begins"),
            )
            .label("forked only by threads of its own or of its children"),
        );
    }
}
