//! A test as text: canonical, so that equal tests print alike, and every test that prints parses back to itself.

mod decl;
mod prop;
mod stmt;

use std::fmt;

use crate::ast::{
    Cells, Clause, FileId, FilePlace, HandleId, KernelStmt, PageId, PipeId, Place, ProcessId,
    Profile, Range, Start, Stmt, Test, Thread, ThreadId,
};

/// Something of a test, to be printed with the test's names. Made by [`Test::show`] and [`Test::show_in`].
#[derive(Clone, Copy, Debug)]
pub struct Shown<'t, T> {
    test: &'t Test,
    /// In whose names; matters for statements.
    thread: Option<ThreadId>,
    item: &'t T,
}

impl Test {
    /// Prints an [`Atom`](crate::ast::Atom), [`Prop`](crate::ast::Prop), [`Condition`](crate::ast::Condition),
    /// [`Location`](crate::ast::Location), [`Activity`](crate::ast::Activity), [`Address`](crate::ast::Address) or declaration.
    pub fn show<'t, T>(&'t self, item: &'t T) -> Shown<'t, T> {
        Shown {
            test: self,
            thread: None,
            item,
        }
    }

    /// Prints a [`Stmt`] or [`Call`](crate::ast::Call) of a thread. Of a `fork` only the head is printed, without its block.
    pub fn show_in<'t, T>(&'t self, thread: ThreadId, item: &'t T) -> Shown<'t, T> {
        Shown {
            test: self,
            thread: Some(thread),
            item,
        }
    }

    /// `P0`; of the block of a `fork`, the name of its process.
    pub fn thread_name(&self, thread: ThreadId) -> String {
        let thread = &self.threads[thread.index()];
        match thread.number {
            Some(number) => format!("P{number}"),
            None => self.processes[thread.process.index()].name.clone(),
        }
    }

    /// The thread with this name, as [`thread_name`](Test::thread_name) gives it.
    pub fn find_thread(&self, name: &str) -> Option<ThreadId> {
        (0..self.threads.len())
            .map(|at| ThreadId(at as u8))
            .find(|id| self.thread_name(*id) == name)
    }

    /// May the process have the page mapped? A process that is forked later has what its parent has.
    pub fn has_page(&self, process: ProcessId, page: PageId) -> bool {
        crate::ast::has_page(&self.processes, &self.pages, process, page)
    }

    /// A number that stays the same while the test does, whatever its name, comments and layout: for herd's `Hash`.
    pub fn digest(&self) -> u128 {
        // FNV-1a, 128 bits.
        const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        let nameless = Test {
            name: String::new(),
            doc: String::new(),
            results: Vec::new(),
            ..self.clone()
        };
        nameless.rough().bytes().fold(BASIS, |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(PRIME)
        })
    }

    /// The test in one item a line, which the formatter then lays out.
    fn rough(&self) -> String {
        let mut out = format!("MM {}\n\n", self.name);
        self.head(&mut out);
        self.init(&mut out);
        for (at, thread) in self.threads.iter().enumerate() {
            if !matches!(thread.start, Start::Fork { .. }) {
                self.thread(&mut out, ThreadId(at as u8), thread);
            }
        }
        for kernel in &self.kernel {
            let copies = if kernel.copies == 1 {
                String::new()
            } else {
                format!("*{}", kernel.copies)
            };
            let activities: Vec<String> = kernel
                .activities
                .iter()
                .map(|KernelStmt { activity, .. }| format!("{};", self.show(activity)))
                .collect();
            out.push_str(&format!("kernel{copies} "));
            block(&mut out, &activities);
            out.push('\n');
        }
        if !self.locations.is_empty() {
            let locations: Vec<String> = self
                .locations
                .iter()
                .map(|shown| self.show(&shown.location).to_string())
                .collect();
            out.push_str(&format!("locations [{}]\n\n", locations.join("; ")));
        }
        out.push_str(&format!("{}\n", self.show(&self.condition)));
        out
    }

    /// The comment with documentation and results.
    fn head(&self, out: &mut String) {
        if self.doc.is_empty() && self.results.is_empty() {
            return;
        }
        out.push_str("(*\n");
        for line in self.doc.lines() {
            // Within the comment, its own delimiters would end or nest it.
            let line = line.replace("*)", "* )").replace("(*", "( *");
            out.push_str(&format!(" * {line}\n"));
        }
        if !self.results.is_empty() {
            let clauses: Vec<String> = self.results.iter().map(Clause::to_string).collect();
            out.push_str(&format!(" * Result: {}\n", clauses.join("; ")));
        }
        out.push_str(" *)\n\n");
    }

    fn thread(&self, out: &mut String, id: ThreadId, thread: &Thread) {
        let process = &self.processes[thread.process.index()].name;
        out.push_str(&format!("{} in {process} ", self.thread_name(id)));
        block(out, &self.body(id, thread));
        out.push('\n');
    }

    /// The statements of a thread, those of `fork` with their blocks.
    fn body(&self, id: ThreadId, thread: &Thread) -> Vec<String> {
        let stmts = thread.stmts.iter().map(|stmt| match &stmt.call {
            crate::ast::Call::Fork { thread, .. } => {
                let mut text = format!("{} ", self.show_in(id, stmt));
                block(
                    &mut text,
                    &self.body(*thread, &self.threads[thread.index()]),
                );
                text.trim_end().to_owned()
            }
            _ => format!("{};", self.show_in(id, stmt)),
        });
        stmts.collect()
    }
}

/// `{ ... }`: in one line where it holds one statement at most.
fn block(out: &mut String, items: &[String]) {
    match items {
        [] => out.push_str("{ }\n"),
        [one] if !one.contains('\n') => out.push_str(&format!("{{ {one} }}\n")),
        several => out.push_str(&format!("{{\n{}\n}}\n", several.join("\n"))),
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rough = self.rough();
        // A test that was made by hand and breaks a rule of the grammar is printed as it is.
        f.write_str(&crate::format(&rough).unwrap_or(rough))
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.range, self.verdict)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Range::All => f.write_str(".."),
            Range::One(profile) => write!(f, "{profile}"),
            Range::FromTo(from, to) => write!(f, "{from}..{to}"),
            Range::From(from) => write!(f, "{from}.."),
            Range::To(to) => write!(f, "..{to}"),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Names, for the printers of this module.
impl<T> Shown<'_, T> {
    fn process(&self, id: ProcessId) -> &str {
        &self.test.processes[id.index()].name
    }

    fn page(&self, id: PageId) -> &str {
        &self.test.pages[id.index()].name
    }

    fn file(&self, id: FileId) -> &str {
        &self.test.files[id.index()].name
    }

    fn pipe(&self, id: PipeId) -> &str {
        &self.test.pipes[id.index()].name
    }

    fn handle(&self, id: HandleId) -> &str {
        let thread = self
            .thread
            .and_then(|thread| self.test.threads.get(thread.index()));
        thread
            .and_then(|thread| thread.handles.get(id.index()))
            .map_or("?", |handle| &handle.name)
    }

    /// `x[1]`, or `x` where there is only that.
    fn cell(&self, page: PageId, cell: u8) -> String {
        let init = &self.test.pages[page.index()];
        if init.cells == 1 {
            init.name.clone()
        } else {
            format!("{}[{cell}]", init.name)
        }
    }

    /// `x[1]`, or `x` for the whole page.
    fn place(&self, place: Place) -> String {
        match place.cells {
            Cells::One(cell) => format!("{}[{cell}]", self.page(place.page)),
            Cells::All => self.page(place.page).to_owned(),
        }
    }

    /// The file end of a transfer; the cell is left out where it is that of the memory end.
    fn file_place(&self, file: FilePlace, memory: Cells) -> String {
        match file.cells {
            Cells::One(cell) if file.cells != memory => format!("{}[{cell}]", self.file(file.file)),
            _ => self.file(file.file).to_owned(),
        }
    }

    /// The page in its process; the process is left out where there is only one, or where it is the thread's own.
    fn address(&self, process: ProcessId, page: &str) -> String {
        let own = self
            .thread
            .map(|thread| self.test.threads[thread.index()].process);
        if self.test.processes.len() == 1 || own == Some(process) {
            page.to_owned()
        } else {
            format!("{}:{page}", self.process(process))
        }
    }
}

impl fmt::Display for Shown<'_, Stmt> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reg) = self.item.result {
            write!(f, "r{} = ", reg.0)?;
        }
        let call = Shown {
            test: self.test,
            thread: self.thread,
            item: &self.item.call,
        };
        write!(f, "{call}")
    }
}
