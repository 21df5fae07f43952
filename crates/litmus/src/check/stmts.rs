//! The statements of a thread, in order: what each needs must be there by then.

use std::collections::BTreeSet;

use super::args::{Operand, bare_register, one_cell, operand, own_process};
use super::calls;
use super::scope::{Reach, Scope, ThreadHead, is_register, register_number};
use super::threads::Programs;
use crate::Span;
use crate::ast::{
    Call, Cell, Handle, HandleId, HandleKind, PageId, ProcessId, Reg, Start, Stmt, Thread, ThreadId,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::limits::{MAX_HANDLES, MAX_STMTS};
use crate::parse::syntax::{Body, Name, RawArgument, RawPlace, RawSource, RawStmt};
use crate::suggest::did_you_mean;

/// A thread while it is checked, and what the condition needs to know of it.
pub(super) struct ThreadScope<'t> {
    pub(super) id: ThreadId,
    pub(super) process: ProcessId,
    head: ThreadHead,
    pub(super) stmts: Vec<Stmt>,
    /// Set so far.
    pub(super) registers: BTreeSet<Reg>,
    pub(super) handles: Vec<HandleScope<'t>>,
    /// Some statement did not parse: what is not set is not reported.
    pub(super) broken: bool,
    /// Handles whose making was refused: their uses are not reported as well.
    lost: BTreeSet<&'t str>,
    /// The `exit` and the statements after it.
    dead: Option<(Span, Span)>,
}

/// A handle while its thread is checked.
pub(super) struct HandleScope<'t> {
    pub(super) name: &'t str,
    pub(super) kind: HandleKind,
    pub(super) page: PageId,
    pub(super) span: Span,
    pub(super) used: bool,
    /// The statement that ended it.
    ended: Option<Span>,
}

impl<'t> ThreadScope<'t> {
    pub(super) fn find_handle(&self, name: &str) -> Option<HandleId> {
        self.handles
            .iter()
            .position(|h| h.name == name)
            .map(|at| HandleId(at as u8))
    }

    /// A handle that was made and not yet ended.
    pub(super) fn live_handle(
        &mut self,
        scope: &mut Scope<'t>,
        name: Name<'t>,
    ) -> Option<HandleId> {
        let Some(id) = self.find_handle(name.text) else {
            return self.no_handle(scope, name);
        };
        let handle = &mut self.handles[id.index()];
        handle.used = true;
        if let Some(ended) = handle.ended {
            return scope.none(
                Diagnostic::new(
                    Code::DeadHandle,
                    name.span,
                    format!("`{}` is used after its end", name.text),
                )
                .note(ended, "it ends here"),
            );
        }
        Some(id)
    }

    /// May a name that is not known here be a handle all the same?
    pub(super) fn may_have(&self, name: &str) -> bool {
        self.broken || self.lost.contains(name)
    }

    fn no_handle<T>(&self, scope: &mut Scope<'t>, name: Name<'t>) -> Option<T> {
        if self.may_have(name.text) {
            return None;
        }
        let known = self.handles.iter().map(|handle| handle.name);
        let help = did_you_mean(name.text, "handle", known)
            .unwrap_or("handles are made by `read_submit`, `write_submit`, `register_buffer`, `get` and `pin`, and belong to one thread".to_owned());
        scope.none(
            Diagnostic::new(
                Code::UnknownName,
                name.span,
                format!("there is no handle `{}`", name.text),
            )
            .label("not made by an earlier statement of this thread")
            .help(help),
        )
    }

    /// A statement was refused: what it would have set or made counts as such, so that its uses are not reported as well.
    fn refused(&mut self, target: Option<&RawPlace<'t>>) {
        let Some(name) = target.map(|target| target.name.text) else {
            return;
        };
        let number = name
            .strip_prefix('r')
            .and_then(|number| number.parse().ok());
        self.registers.extend(number.map(Reg));
        self.lost.insert(name);
    }

    /// `wait`, `unregister`, `release`.
    pub(super) fn end_handle(&mut self, handle: HandleId, span: Span) {
        self.handles[handle.index()].ended = Some(span);
    }

    /// The thread of the checked test.
    pub(super) fn finish(self) -> Thread {
        let handles = self.handles.into_iter().map(|h| Handle {
            name: h.name.to_owned(),
            kind: h.kind,
            page: h.page,
            span: h.span,
        });
        Thread {
            number: self.head.number,
            process: self.process,
            start: self.head.start,
            stmts: self.stmts,
            registers: self.registers.into_iter().collect(),
            handles: handles.collect(),
            span: self.head.span,
        }
    }
}

/// Checks all threads.
pub(super) fn threads<'t>(
    scope: &mut Scope<'t>,
    programs: &Programs<'_, 't>,
) -> Vec<ThreadScope<'t>> {
    let mut threads = Vec::new();
    for (at, body) in programs.bodies.iter().enumerate() {
        let head = scope.threads[at].clone();
        let mut thread = ThreadScope {
            id: ThreadId(at as u8),
            process: head.process,
            head,
            stmts: Vec::new(),
            registers: BTreeSet::new(),
            handles: Vec::new(),
            broken: body.is_some_and(|body| body.broken),
            lost: BTreeSet::new(),
            dead: None,
        };
        if let Some(body) = body {
            statements(scope, &mut thread, programs, body);
        }
        threads.push(thread);
    }
    threads
}

fn statements<'t>(
    scope: &mut Scope<'t>,
    thread: &mut ThreadScope<'t>,
    programs: &Programs<'_, 't>,
    body: &Body<'t>,
) {
    let mut exited: Option<Span> = None;
    for (at, raw) in body.stmts.iter().enumerate() {
        if at >= MAX_STMTS {
            scope.report(
                Diagnostic::new(Code::Limit, raw.span, "too many statements")
                    .label(format!("a thread has at most {MAX_STMTS}")),
            );
            break;
        }
        if let Some(exit) = exited {
            let first = thread.dead.map_or(raw.span, |(_, dead)| dead);
            thread.dead = Some((exit, first.to(raw.span)));
        }
        match statement(scope, thread, programs, raw) {
            Some(stmt) => {
                if stmt.call == Call::Exit {
                    exited = exited.or(Some(raw.span));
                }
                thread.stmts.push(stmt);
            }
            None => thread.refused(raw.target.as_ref()),
        }
    }
}

fn statement<'t>(
    scope: &mut Scope<'t>,
    thread: &mut ThreadScope<'t>,
    programs: &Programs<'_, 't>,
    raw: &RawStmt<'t>,
) -> Option<Stmt> {
    let span = raw.span;
    let (result, call) = match (&raw.target, &raw.source) {
        (target, RawSource::Call(call)) => {
            calls::call(scope, thread, programs, target.as_ref(), call, span)?
        }
        (Some(target), RawSource::Operand(source)) => access(scope, thread, target, source)?,
        (None, RawSource::Operand(_)) => return None,
    };
    if let Some(reg) = result {
        thread.registers.insert(reg);
    }
    Some(Stmt { result, call, span })
}

/// `r0 = x;`, `x = 1;`, and the same through a handle.
fn access<'t>(
    scope: &mut Scope<'t>,
    thread: &mut ThreadScope<'t>,
    target: &RawPlace<'t>,
    source: &RawArgument<'t>,
) -> Option<(Option<Reg>, Call)> {
    if bare_register(target) {
        let reg = Reg(register_number(scope, target.name)?);
        return Some((Some(reg), load(scope, thread, source)?));
    }
    let value = match operand(scope, thread, source) {
        Operand::Value(value) => value?,
        Operand::Other => return scope.none(memory_to_memory(source.span())),
    };
    match memory(scope, thread, target)? {
        Memory::Cell(to) => Some((None, Call::Store { to, value })),
        Memory::Handle(handle, cell) => Some((
            None,
            Call::HandleStore {
                handle,
                cell,
                value,
            },
        )),
    }
}

fn memory_to_memory(span: Span) -> Diagnostic {
    Diagnostic::new(Code::Expected, span, "a store takes a number or a register")
        .label("neither a number nor a register")
        .help("load it first: `r0 = x; y = r0;`")
}

fn load<'t>(
    scope: &mut Scope<'t>,
    thread: &mut ThreadScope<'t>,
    source: &RawArgument<'t>,
) -> Option<Call> {
    let RawArgument::Place(place) = source else {
        return scope.none(
            Diagnostic::new(
                Code::Expected,
                source.span(),
                "a register is set by a load or a call",
            )
            .label("expected a variable")
            .help("a number can be stored as it is: `x = 1;`"),
        );
    };
    if bare_register(place) {
        return scope.none(
            Diagnostic::new(
                Code::WrongKind,
                place.span,
                "a register is set by a load or a call",
            )
            .label("this is a register")
            .help(format!("use `{}` itself", place.name.text)),
        );
    }
    match memory(scope, thread, place)? {
        Memory::Cell(from) => Some(Call::Load { from }),
        Memory::Handle(handle, cell) => Some(Call::HandleLoad { handle, cell }),
    }
}

/// What a load or store touches.
enum Memory {
    Cell(Cell),
    Handle(HandleId, u8),
}

fn memory<'t>(
    scope: &mut Scope<'t>,
    thread: &mut ThreadScope<'t>,
    place: &RawPlace<'t>,
) -> Option<Memory> {
    own_process(scope, place)?;
    let name = place.name;
    if let Some(found) = thread.find_handle(name.text) {
        let known = &thread.handles[found.index()];
        if known.kind != HandleKind::Holder {
            let span = known.span;
            return scope.none(
                Diagnostic::new(
                    Code::WrongKind,
                    place.span,
                    format!("memory cannot be accessed through `{}`", name.text),
                )
                .note(span, "made here")
                .help("only the handles of `get` and `pin` stand for memory"),
            );
        }
        let page = known.page;
        thread.live_handle(scope, name)?;
        let cell = one_cell(scope, page, name.text, place.cell)?;
        return Some(Memory::Handle(found, cell));
    }
    let unknown = !scope.things.contains_key(name.text) && !is_register(name.text);
    if unknown && thread.may_have(name.text) {
        return None;
    }
    let page = scope.page(name)?;
    scope.must_have(thread.process, page, place.span, Reach::Own)?;
    let cell = one_cell(scope, page, name.text, place.cell)?;
    Some(Memory::Cell(Cell { page, cell }))
}

/// The register that takes a call's result.
pub(super) fn result_register<'t>(
    scope: &mut Scope<'t>,
    target: Option<&RawPlace<'t>>,
) -> Option<Option<Reg>> {
    let Some(target) = target else {
        return Some(None);
    };
    if bare_register(target) {
        return register_number(scope, target.name).map(|number| Some(Reg(number)));
    }
    let text = target.name.text;
    let diagnostic = Diagnostic::new(Code::Result, target.span, "a result goes into a register");
    let diagnostic = if scope.things.contains_key(text) {
        diagnostic
            .label("not memory")
            .help(format!("write `r0 = ...; {text} = r0;`"))
    } else {
        diagnostic.label("registers are `r0`, `r1`, ...")
    };
    scope.none(diagnostic)
}

/// The handle that a call makes; `Some(None)` where it is not kept.
pub(super) fn new_handle<'t>(
    scope: &mut Scope<'t>,
    thread: &mut ThreadScope<'t>,
    target: Option<&RawPlace<'t>>,
    kind: HandleKind,
    page: PageId,
) -> Option<Option<HandleId>> {
    let Some(target) = target else {
        return Some(None);
    };
    let name = target.name;
    let text = name.text;
    let proper = text.starts_with(|c: char| c.is_ascii_lowercase());
    if target.process.is_some() || target.cell.is_some() || !proper || is_register(text) {
        let (noun, example) = match kind {
            HandleKind::Io => ("the handle of a transfer", "io0"),
            HandleKind::Buffer => ("the handle of a buffer", "b0"),
            HandleKind::Holder => ("a handle", "h0"),
        };
        return scope.none(
            Diagnostic::new(
                Code::Result,
                target.span,
                format!("this call gives {noun}, not a value"),
            )
            .label(format!("write `{example} = ...`")),
        );
    }
    let first = thread
        .find_handle(text)
        .map(|known| thread.handles[known.index()].span);
    if let Some(first) = first.or(scope.things.get(text).map(|(_, span)| *span)) {
        return scope.none(
            Diagnostic::new(
                Code::Twice,
                name.span,
                format!("the name `{text}` is given twice"),
            )
            .note(first, "first given here")
            .help("each handle has a name of its own"),
        );
    }
    if thread.handles.len() >= MAX_HANDLES {
        return scope.none(
            Diagnostic::new(Code::Limit, name.span, "too many handles")
                .label(format!("a thread has at most {MAX_HANDLES}")),
        );
    }
    let id = HandleId(thread.handles.len() as u8);
    thread.handles.push(HandleScope {
        name: text,
        kind,
        page,
        span: name.span,
        used: false,
        ended: None,
    });
    Some(Some(id))
}

/// Warns of what has no effect.
pub(super) fn warnings(scope: &mut Scope<'_>, threads: &[ThreadScope<'_>]) {
    let runs = running(scope, threads);
    for (at, thread) in threads.iter().enumerate() {
        let name = scope.thread_name(thread.id);
        for handle in thread.handles.iter().filter(|handle| !handle.used) {
            scope.report(
                Diagnostic::new(
                    Code::UnusedHandle,
                    handle.span,
                    format!("the handle `{}` is never used", handle.name),
                )
                .help("leave the name out where nothing waits for it or ends it"),
            );
        }
        if let Some((exit, dead)) = thread.dead {
            scope.report(
                Diagnostic::new(Code::NeverRuns, dead, "this never runs")
                    .note(exit, "the thread ends here"),
            );
        }
        let forked = matches!(thread.head.start, Start::Fork { .. });
        if !runs[at] && !forked {
            scope.report(
                Diagnostic::new(
                    Code::NeverRuns,
                    thread.head.span,
                    format!("`{name}` never runs"),
                )
                .label("its process is forked after the end of a thread"),
            );
        } else if thread.stmts.is_empty() && !forked {
            scope.report(Diagnostic::new(
                Code::NeverRuns,
                thread.head.span,
                format!("`{name}` does nothing"),
            ));
        }
    }
}

/// Which threads run at all: a `fork` after an `exit` starts nothing.
fn running(scope: &Scope<'_>, threads: &[ThreadScope<'_>]) -> Vec<bool> {
    let mut begun: Vec<bool> = scope
        .processes
        .iter()
        .map(|process| process.from_start)
        .collect();
    let mut runs = vec![false; threads.len()];
    for _ in 0..=threads.len() {
        for (at, thread) in threads.iter().enumerate() {
            runs[at] = begun[thread.process.index()];
            let before = thread
                .stmts
                .iter()
                .take_while(|stmt| runs[at] && stmt.call != Call::Exit);
            for stmt in before {
                if let Call::Fork { child, .. } = stmt.call {
                    begun[child.index()] = true;
                }
            }
        }
    }
    runs
}
