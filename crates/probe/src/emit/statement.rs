//! A statement as C: the system call of its name, and where its result goes.

use cowherd_litmus::ast::{
    Activity, Advice, Call, Cells, FilePlace, Mode, PageId, Place, Prot, Stmt, Test, ThreadId,
    Value,
};

use super::substitute::{Refusal, refuse};

/// A name of the test in C. Short ones are taken as they are; longer ones might be C's own.
pub fn c_name(name: &str) -> String {
    if name.len() > 2 || matches!(name, "do" | "if") {
        format!("{name}_")
    } else {
        name.into()
    }
}

/// Who a thread is among the actors.
pub fn actor_name(test: &Test, thread: ThreadId) -> String {
    let name = test.thread_name(thread);
    match test.threads[thread.index()].number {
        Some(_) => name,
        // It goes by the name of its process.
        None => format!("{}_first", c_name(&name)),
    }
}

/// A process among the processes.
pub fn process_name(test: &Test, process: cowherd_litmus::ast::ProcessId) -> String {
    c_name(&test.processes[process.index()].name)
}

/// A statement between its turn and its being done; `None`: the thread ends here.
pub fn statement(test: &Test, thread: ThreadId, stmt: &Stmt) -> Result<Option<String>, Refusal> {
    let s = Scribe { test, thread };
    let call = match &stmt.call {
        Call::Exit => return s.exit().map(|()| None),
        call => s.call(call)?,
    };
    let text = test.show_in(thread, stmt).to_string();
    Ok(Some(match (call, stmt.result) {
        (C::Value(value), Some(reg)) => format!("{} = {value};", s.register(reg.0)),
        (C::Value(value), None) => format!("expect({value}, \"{text}\");"),
        (C::Makes(statement), _) => statement,
    }))
}

/// An activity of a `kernel` block, done by a thread of process A.
pub fn activity(test: &Test, activity: &Activity) -> Result<String, Refusal> {
    let text = test.show(activity).to_string();
    let value = match activity {
        Activity::Madvise { at, advice } => {
            let page = c_name(&test.pages[at.page.index()].name);
            if at.process.index() == 0 {
                format!("result(madvise({page}, PAGE, {advice}))")
            } else {
                let process = process_name(test, at.process);
                format!("remote_madvise(sh->pid[{process}], {page}, {advice})")
            }
        }
        Activity::ClearRefs { process } => {
            format!("clear_refs(sh->pid[{}])", process_name(test, *process))
        }
        Activity::LruAddDrain => return refuse("the LRU batches of all CPUs cannot be drained"),
        Activity::Reclaim { .. } => return refuse("reclaim cannot be asked for"),
        Activity::Ksm { .. } => return refuse("KSM works on the whole machine"),
        Activity::Migrate { .. } => return refuse("migration needs compaction or a second node"),
        Activity::NumaScan { .. } => return refuse("the NUMA hinting scan cannot be asked for"),
        Activity::Swapoff => return refuse("swapoff would take the machine's swap area away"),
    };
    Ok(format!("expect({value}, \"{text}\");"))
}

/// A call in C.
enum C {
    /// An expression: a value, 0, or minus an errno.
    Value(String),
    /// A statement that makes a handle or stores.
    Makes(String),
}

struct Scribe<'t> {
    test: &'t Test,
    thread: ThreadId,
}

impl Scribe<'_> {
    fn call(&self, call: &Call) -> Result<C, Refusal> {
        let value = |text: String| Ok(C::Value(text));
        let page = |page: &PageId| c_name(&self.test.pages[page.index()].name);
        let cell = |page: PageId, cell: u8| self.cell(page, cell);
        match call {
            Call::Load { from } => value(format!("load({})", cell(from.page, from.cell))),
            Call::Store { to, value } => Ok(C::Makes(format!(
                "store({}, {});",
                cell(to.page, to.cell),
                self.value(*value)
            ))),
            Call::Fork { child, .. } => {
                let child = process_name(self.test, *child);
                value(format!("fork_process({child}, process_{child})"))
            }
            Call::Waitpid { process } => {
                let process = process_name(self.test, *process);
                value(format!("(wait_gone(sh->pid[{process}]), 0)"))
            }
            Call::Pread { file, place, mode } => self.direct("pread", file, place, *mode),
            Call::Pwrite { file, place, mode } => self.direct("pwrite", file, place, *mode),
            Call::ReadSubmit {
                handle,
                file,
                place,
            } => Ok(C::Makes(self.submit(0, *handle, file, place))),
            Call::WriteSubmit {
                handle,
                file,
                place,
            } => Ok(C::Makes(self.submit(1, *handle, file, place))),
            Call::Wait { handle } => value(format!("wait_for({})", self.handle(handle.index()))),
            Call::Vmsplice { pipe, place } => {
                let cells = match place.cells {
                    Cells::One(_) => 1,
                    Cells::All => self.test.pages[place.page.index()].cells,
                };
                let pipe = self.pipe(pipe.index());
                value(format!(
                    "into_pipe({pipe}, {}, {cells} * SECTOR)",
                    self.place(place)
                ))
            }
            Call::Read { pipe } => value(format!("out_of_pipe({})", self.pipe(pipe.index()))),
            Call::Tee { from, to } => value(format!(
                "pipe_to_pipe({}, {}, 1)",
                self.pipe(from.index()),
                self.pipe(to.index())
            )),
            Call::Splice { from, to } => value(format!(
                "pipe_to_pipe({}, {}, 0)",
                self.pipe(from.index()),
                self.pipe(to.index())
            )),
            Call::RegisterBuffer { handle, page: at } => {
                let make = format!("register_buffer({});", page(at));
                Ok(C::Makes(match handle {
                    Some(handle) => format!("{} = {make}", self.handle(handle.index())),
                    None => make,
                }))
            }
            Call::ReadFixed {
                file,
                buffer,
                cells,
            } => value(self.fixed(0, file, buffer.index(), *cells)),
            Call::WriteFixed {
                file,
                buffer,
                cells,
            } => value(self.fixed(1, file, buffer.index(), *cells)),
            Call::Unregister { buffer } => {
                value(format!("unregister({})", self.handle(buffer.index())))
            }
            Call::Madvise { page: at, advice } => match advice {
                Advice::Mergeable | Advice::Unmergeable => refuse("KSM works on the whole machine"),
                _ => value(format!("result(madvise({}, PAGE, {advice}))", page(at))),
            },
            Call::ProcessMadvise { at, advice } => value(format!(
                "remote_madvise(sh->pid[{}], {}, {advice})",
                process_name(self.test, at.process),
                page(&at.page)
            )),
            Call::Munmap { page: at } => value(format!("result(munmap({}, PAGE))", page(at))),
            Call::Mremap { from, to } => value(format!(
                "result((long)mremap({}, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, {}))",
                page(from),
                page(to)
            )),
            Call::Mprotect { page: at, prot } => {
                let words: Vec<&str> = prot.iter().map(|prot: &Prot| prot.word()).collect();
                value(format!(
                    "result(mprotect({}, PAGE, {}))",
                    page(at),
                    words.join(" | ")
                ))
            }
            Call::ClearRefs { process } => value(format!(
                "clear_refs(sh->pid[{}])",
                process_name(self.test, *process)
            )),
            Call::MemWrite { to, value: what } => value(format!(
                "mem_write(sh->pid[{}], {}, {})",
                process_name(self.test, to.process),
                cell(to.page, to.cell),
                self.value(*what)
            )),
            Call::MemRead { from } => value(format!(
                "mem_read(sh->pid[{}], {})",
                process_name(self.test, from.process),
                cell(from.page, from.cell)
            )),
            Call::ProcessVmWritev { to, value: what } => value(format!(
                "vm_write(sh->pid[{}], {}, {})",
                process_name(self.test, to.process),
                cell(to.page, to.cell),
                self.value(*what)
            )),
            Call::ProcessVmReadv { from } => value(format!(
                "peek(sh->pid[{}], {})",
                process_name(self.test, from.process),
                cell(from.page, from.cell)
            )),
            Call::UffdWriteprotect { page: at } => {
                value(format!("uffd_protect(uffd, {}, 1)", page(at)))
            }
            Call::UffdUnprotect { page: at } => {
                value(format!("uffd_protect(uffd, {}, 0)", page(at)))
            }
            Call::UffdMove { to, from } => {
                value(format!("uffd_move(uffd, {}, {})", page(to), page(from)))
            }
            Call::UffdCopy { page: at, values } => {
                let list: Vec<String> = values.iter().map(|v| self.value(*v)).collect();
                value(format!(
                    "uffd_copy(uffd, {}, (unsigned char[]){{ {} }}, {})",
                    page(at),
                    list.join(", "),
                    values.len()
                ))
            }
            Call::UffdZeropage { page: at } => value(format!("uffd_zeropage(uffd, {})", page(at))),
            Call::Pagemap { page: at } => value(format!("soft_dirty(getpid(), {})", page(at))),
            Call::LruAddDrain => value("(drain(), 0)".into()),
            Call::Exit => refuse("exit() stands alone"),
            Call::UffdContinue { .. } => refuse("uffd_continue() needs a mapping of shmem"),
            Call::UffdRwprotect { .. } => refuse("uffd_rwprotect() is in no release"),
            Call::Swapoff => refuse("swapoff would take the machine's swap area away"),
            Call::MovePages { .. } => refuse("move_pages() needs a second NUMA node"),
            Call::Get { .. }
            | Call::Pin { .. }
            | Call::Release { .. }
            | Call::HandleLoad { .. }
            | Call::HandleStore { .. } => refuse(
                "get(), and pin() without FOLL_WRITE and FOLL_LONGTERM, are no system calls: say who holds the page, as by read_submit, vmsplice or register_buffer",
            ),
        }
    }

    /// A thread may end only with its process: then the process is gone when the turn is over.
    fn exit(&self) -> Result<(), Refusal> {
        let process = self.test.threads[self.thread.index()].process;
        let threads = self.test.threads.iter().filter(|t| t.process == process);
        if threads.count() > 1 || process.index() == 0 {
            return refuse("exit() of one thread among others, or of the first process");
        }
        Ok(())
    }

    fn register(&self, number: u8) -> String {
        format!("sh->{}_r{number}", self.test.thread_name(self.thread))
    }

    fn handle(&self, handle: usize) -> String {
        let name = &self.test.threads[self.thread.index()].handles[handle].name;
        format!("{}_{name}", self.test.thread_name(self.thread))
    }

    fn pipe(&self, pipe: usize) -> String {
        c_name(&self.test.pipes[pipe].name)
    }

    fn value(&self, value: Value) -> String {
        match value {
            Value::Number(n) => n.to_string(),
            Value::Reg(reg) => self.register(reg.0),
        }
    }

    fn cell(&self, page: PageId, cell: u8) -> String {
        at(&c_name(&self.test.pages[page.index()].name), cell)
    }

    fn place(&self, place: &Place) -> String {
        match place.cells {
            Cells::One(cell) => self.cell(place.page, cell),
            Cells::All => self.cell(place.page, 0),
        }
    }

    /// `f, x + 1 * SECTOR, SECTOR, 0` without the file: address, size, offset.
    fn span(&self, file: &FilePlace, place: &Place) -> String {
        let size = match place.cells {
            Cells::One(_) => "SECTOR",
            Cells::All => "PAGE",
        };
        format!("{}, {size}, {}", self.place(place), offset(file))
    }

    fn file(&self, file: &FilePlace) -> String {
        c_name(&self.test.files[file.file.index()].name)
    }

    fn direct(
        &self,
        name: &str,
        file: &FilePlace,
        place: &Place,
        mode: Mode,
    ) -> Result<C, Refusal> {
        if mode == Mode::Buffered {
            return refuse("the files of the program have direct I/O only");
        }
        let (f, span) = (self.file(file), self.span(file, place));
        Ok(C::Value(format!("result({name}({f}, {span}))")))
    }

    fn submit(
        &self,
        write: u8,
        handle: Option<cowherd_litmus::ast::HandleId>,
        file: &FilePlace,
        place: &Place,
    ) -> String {
        let make = format!(
            "submit({}, {write}, {});",
            self.file(file),
            self.span(file, place)
        );
        match handle {
            Some(handle) => format!("{} = {make}", self.handle(handle.index())),
            None => make,
        }
    }

    fn fixed(&self, write: u8, file: &FilePlace, buffer: usize, cells: Cells) -> String {
        let handle = self.handle(buffer);
        let (cell, size) = match cells {
            Cells::One(cell) => (cell, "SECTOR"),
            Cells::All => (0, "PAGE"),
        };
        format!(
            "fixed({handle}, {}, {write}, {}, {size}, {})",
            self.file(file),
            at(&format!("{handle}->buffer"), cell),
            offset(file)
        )
    }
}

/// `x` or `x + 1 * SECTOR`
fn at(page: &str, cell: u8) -> String {
    match cell {
        0 => page.into(),
        cell => format!("{page} + {cell} * SECTOR"),
    }
}

fn offset(file: &FilePlace) -> String {
    match file.cells {
        Cells::One(0) | Cells::All => "0".into(),
        Cells::One(cell) => format!("{cell} * SECTOR"),
    }
}
