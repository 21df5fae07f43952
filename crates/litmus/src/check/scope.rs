//! The names of a test and what they stand for.

use std::collections::{BTreeMap, BTreeSet};

use crate::Span;
use crate::ast::{
    File, FileId, PageId, PageInit, Pipe, PipeId, Process, ProcessId, Start, ThreadId, has_page,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::limits::{MAX_CELLS, MAX_DIAGNOSTICS, MAX_REGISTERS, MAX_VALUE};
use crate::parse::syntax::{Name, Number};
use crate::suggest::did_you_mean;

/// What a name in the declarations stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Thing {
    Page(PageId),
    File(FileId),
    Pipe(PipeId),
}

impl Thing {
    pub(super) fn noun(self) -> &'static str {
        match self {
            Thing::Page(_) => "variable",
            Thing::File(_) => "file",
            Thing::Pipe(_) => "pipe",
        }
    }
}

/// A thread as far as others need to know of it.
#[derive(Clone, Debug)]
pub(super) struct ThreadHead {
    pub(super) number: Option<u8>,
    pub(super) process: ProcessId,
    pub(super) start: Start,
    pub(super) span: Span,
}

/// Whose memory may be named.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reach {
    /// That of one process.
    Own,
    /// That of any process, as `B:x`.
    Any,
}

/// Everything that is known by name, and the complaints so far.
#[derive(Default)]
pub(super) struct Scope<'t> {
    pub(super) processes: Vec<Process>,
    pub(super) threads: Vec<ThreadHead>,
    pub(super) pages: Vec<PageInit>,
    pub(super) files: Vec<File>,
    pub(super) pipes: Vec<Pipe>,
    pub(super) things: BTreeMap<&'t str, (Thing, Span)>,
    /// Names whose declaration failed: their uses are not reported as well.
    pub(super) broken: BTreeSet<&'t str>,
    /// Names of `things` that something uses.
    used: BTreeSet<String>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl<'t> Scope<'t> {
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() <= MAX_DIAGNOSTICS {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Reports and gives nothing, for use at the end of a lookup.
    pub(super) fn none<T>(&mut self, diagnostic: Diagnostic) -> Option<T> {
        self.report(diagnostic);
        None
    }

    pub(super) fn is_used(&self, name: &str) -> bool {
        self.used.contains(name)
    }

    /// Looks a name up and counts it as used; no complaint where there is none.
    pub(super) fn peek(&mut self, name: &str) -> Option<Thing> {
        let thing = self.things.get(name)?.0;
        self.used.insert(name.to_owned());
        Some(thing)
    }

    pub(super) fn page(&mut self, name: Name<'t>) -> Option<PageId> {
        match self.peek(name.text) {
            Some(Thing::Page(page)) => Some(page),
            other => self.wrong_thing(name, "variable", other),
        }
    }

    pub(super) fn file(&mut self, name: Name<'t>) -> Option<FileId> {
        match self.peek(name.text) {
            Some(Thing::File(file)) => Some(file),
            other => self.wrong_thing(name, "file", other),
        }
    }

    pub(super) fn pipe(&mut self, name: Name<'t>) -> Option<PipeId> {
        match self.peek(name.text) {
            Some(Thing::Pipe(pipe)) => Some(pipe),
            other => self.wrong_thing(name, "pipe", other),
        }
    }

    /// `name` is not the `wanted` thing but another one, or none.
    fn wrong_thing<T>(&mut self, name: Name<'t>, wanted: &str, found: Option<Thing>) -> Option<T> {
        if self.broken.contains(name.text) {
            return None;
        }
        let text = name.text;
        let candidates = self
            .things
            .iter()
            .filter(|(_, (t, _))| t.noun() == wanted)
            .map(|(n, _)| *n);
        let help = did_you_mean(text, wanted, candidates);
        let diagnostic = match found {
            Some(thing) => Diagnostic::new(
                Code::WrongKind,
                name.span,
                format!(
                    "`{text}` is a {}, and a {wanted} is needed here",
                    thing.noun()
                ),
            )
            .label(format!("expected a {wanted}"))
            .note(self.things[text].1, "declared here")
            .maybe_help(help),
            None if is_register(text) => Diagnostic::new(
                Code::WrongKind,
                name.span,
                format!("`{text}` is a register, and a {wanted} is needed here"),
            )
            .label(format!("expected a {wanted}"))
            .maybe_help(help),
            None => {
                let declare = match wanted {
                    "variable" => format!("declare it: `anon {text} = 0;`"),
                    "file" => format!("declare it: `file {text} = 0;`"),
                    _ => format!("declare it: `pipe {text};`"),
                };
                let declarable = text.starts_with(|c: char| c.is_ascii_lowercase());
                let help = help.or(declarable.then_some(declare));
                Diagnostic::new(
                    Code::UnknownName,
                    name.span,
                    format!("there is no {wanted} `{text}`"),
                )
                .label("not declared")
                .maybe_help(help)
            }
        };
        self.none(diagnostic)
    }

    pub(super) fn find_process(&self, name: &str) -> Option<ProcessId> {
        self.processes
            .iter()
            .position(|p| p.name == name)
            .map(|at| ProcessId(at as u8))
    }

    pub(super) fn process(&mut self, name: Name<'t>) -> Option<ProcessId> {
        if let Some(process) = self.find_process(name.text) {
            return Some(process);
        }
        if self.broken.contains(name.text) {
            return None;
        }
        let mut diagnostic = Diagnostic::new(
            Code::UnknownProcess,
            name.span,
            format!("there is no process `{}`", name.text),
        );
        if crate::parse::is_thread_name(name.text) {
            diagnostic = diagnostic.label("a thread, not a process");
        } else {
            diagnostic = diagnostic.label("neither declared nor forked");
        }
        let help = did_you_mean(
            name.text,
            "process",
            self.processes.iter().map(|p| p.name.as_str()),
        )
        .map(|help| help.replace("processs", "processes"));
        self.none(diagnostic.maybe_help(help))
    }

    /// `P0`, `0`, or the name of a process that a `fork` makes: its block.
    pub(super) fn find_thread(&self, name: &str) -> Option<ThreadId> {
        let number = name.strip_prefix('P').unwrap_or(name).parse::<u64>().ok();
        let found = self.threads.iter().position(|thread| match thread.number {
            Some(n) => number == Some(u64::from(n)),
            None => self.processes[thread.process.index()].name == name,
        });
        found.map(|at| ThreadId(at as u8))
    }

    pub(super) fn thread(&mut self, name: Name<'t>) -> Option<ThreadId> {
        if let Some(thread) = self.find_thread(name.text) {
            return Some(thread);
        }
        let names: Vec<String> = (0..self.threads.len())
            .map(|t| self.thread_name(ThreadId(t as u8)))
            .collect();
        let help = did_you_mean(name.text, "thread", names.iter().map(String::as_str));
        let diagnostic = Diagnostic::new(
            Code::UnknownThread,
            name.span,
            format!("there is no thread `{}`", name.text),
        );
        self.none(diagnostic.maybe_help(help))
    }

    /// As written before a register in the condition.
    pub(super) fn thread_name(&self, thread: ThreadId) -> String {
        let head = &self.threads[thread.index()];
        match head.number {
            Some(number) => format!("P{number}"),
            None => self.processes[head.process.index()].name.clone(),
        }
    }

    /// Complains unless the process has the page; `reach` says what else could be written there.
    pub(super) fn must_have(
        &mut self,
        process: ProcessId,
        page: PageId,
        span: Span,
        reach: Reach,
    ) -> Option<()> {
        if has_page(&self.processes, &self.pages, process, page) {
            return Some(());
        }
        let process_name = &self.processes[process.index()].name;
        let init = &self.pages[page.index()];
        let holders: Vec<String> = init
            .processes
            .iter()
            .map(|p| format!("`{}`", self.processes[p.index()].name))
            .collect();
        let diagnostic = Diagnostic::new(
            Code::NotInProcess,
            span,
            format!(
                "process `{process_name}` does not have the variable `{}`",
                init.name
            ),
        )
        .label(format!("`{}` is in {}", init.name, holders.join(", ")))
        .note(init.name_span, "declared here");
        let owner = &self.processes[init.owner.index()].name;
        let help = match reach {
            Reach::Own => format!("add `in {process_name}` to its declaration"),
            Reach::Any => format!("name the process: `{owner}:{}`", init.name),
        };
        self.none(diagnostic.help(help))
    }

    /// The number of a cell of something with `cells` of them.
    pub(super) fn cell(&mut self, number: Number, name: &str, cells: u8) -> Option<u8> {
        if number.value < u64::from(cells) {
            return Some(number.value as u8);
        }
        let has = match cells {
            1 => format!("`{name}` has one cell, `{name}[0]`"),
            _ => format!(
                "`{name}` has {cells} cells, `{name}[0]` to `{name}[{}]`",
                cells - 1
            ),
        };
        self.none(
            Diagnostic::new(
                Code::Cell,
                number.span,
                format!("there is no cell {} of `{name}`", shown(number)),
            )
            .label(has),
        )
    }

    /// A value of a cell or register.
    pub(super) fn value(&mut self, number: Number) -> Option<u8> {
        self.bounded(number, 0, MAX_VALUE, Code::Value, "a value")
    }

    /// The declared number of cells.
    pub(super) fn cells(&mut self, number: Number) -> Option<u8> {
        self.bounded(number, 1, MAX_CELLS, Code::Limit, "the number of cells")
    }

    pub(super) fn bounded(
        &mut self,
        number: Number,
        least: u8,
        most: u8,
        code: Code,
        what: &str,
    ) -> Option<u8> {
        if (u64::from(least)..=u64::from(most)).contains(&number.value) {
            return Some(number.value as u8);
        }
        self.none(
            Diagnostic::new(
                code,
                number.span,
                format!("{what} is from {least} to {most}"),
            )
            .label(format!("{} is out of range", shown(number))),
        )
    }
}

/// A number as a message shows it.
fn shown(number: Number) -> String {
    match number.value {
        u64::MAX => "this".to_owned(),
        value => value.to_string(),
    }
}

/// `r0`, `r17`: has the form of a register's name.
pub(super) fn is_register(name: &str) -> bool {
    name.strip_prefix('r')
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// The number of a register whose name [`is_register`]; complains where it is too large.
pub(super) fn register_number(scope: &mut Scope<'_>, name: Name<'_>) -> Option<u8> {
    let digits = &name.text[1..];
    if let Ok(number) = digits.parse::<u8>()
        && number < MAX_REGISTERS
        && (digits == "0" || !digits.starts_with('0'))
    {
        return Some(number);
    }
    scope.none(
        Diagnostic::new(
            Code::BadName,
            name.span,
            format!("there is no register `{}`", name.text),
        )
        .label(format!("registers are `r0` to `r{}`", MAX_REGISTERS - 1)),
    )
}
