//! Statements and activities.

use cowherd_litmus::Span;
use cowherd_litmus::ast::{
    self, Activity, Address, Advice, Call, Foll, Kernel, Mode, Place, Start, Thread,
};
use cowherd_mm::gup::Want;
use cowherd_mm::machine::{Dir, Hold};
use cowherd_mm::madvise::flags::ForkAdvice;
use cowherd_mm::mprotect::Prot;
use cowherd_mm::remote::Door;
use cowherd_mm::*;

use super::{HandleOf, Lowering, Refused, refuse};
use crate::program::{Op, RegKind, Source, Starts, Stmt, TaskProgram};

/// The register that a call stores, if it stores one.
pub(super) fn source_reg(call: &Call) -> Option<ast::Reg> {
    let (Call::Store { value, .. }
    | Call::HandleStore { value, .. }
    | Call::MemWrite { value, .. }
    | Call::ProcessVmWritev { value, .. }) = call
    else {
        return None;
    };
    match value {
        ast::Value::Reg(reg) => Some(*reg),
        ast::Value::Number(_) => None,
    }
}

/// Where a statement's result goes: to a register, or to the handle that it makes, which the condition may ask for an errno.
fn target(stmt: &ast::Stmt) -> Option<RegKind> {
    let made = match stmt.call {
        Call::ReadSubmit { handle, .. }
        | Call::WriteSubmit { handle, .. }
        | Call::RegisterBuffer { handle, .. }
        | Call::Get { handle, .. }
        | Call::Pin { handle, .. } => handle,
        _ => None,
    };
    stmt.result.map(RegKind::Reg).or(made.map(RegKind::Handle))
}

impl Lowering<'_> {
    pub(super) fn thread(&mut self, n: usize, thread: &Thread) -> Result<TaskProgram, Refused> {
        let mut stmts = Vec::new();
        let exit = |stmt: &ast::Stmt| matches!(stmt.call, Call::Exit);
        let reached = thread.stmts.iter().position(exit);
        let (reached, dead) = thread
            .stmts
            .split_at(reached.map_or(thread.stmts.len(), |exit| exit + 1));
        if let Some(fork) = dead
            .iter()
            .find(|stmt| matches!(stmt.call, Call::Fork { .. }))
        {
            return refuse(fork.span, "this fork is never reached: the thread exits");
        }
        for stmt in reached {
            for op in self.call(n, thread, &stmt.call, stmt.span)? {
                stmts.push(Stmt {
                    op,
                    result: target(stmt).and_then(|kind| self.reg(n, kind)),
                    refusal: self.refusals.iter().position(|&r| r == stmt.call.name()),
                    text: self.test.show_in(ast::ThreadId(n as u8), stmt).to_string(),
                    name: stmt.call.name(),
                });
            }
        }
        let starts = match thread.start {
            Start::AtOnce => Starts::AtOnce,
            Start::Fork { by, stmt } => Starts::After {
                task: by.index(),
                stmt: self.op_index(by.index(), stmt)?,
            },
            Start::WithProcess => self.birth(thread.process)?,
        };
        let name = match thread.number {
            Some(number) => format!("P{number}"),
            None => self.test.processes[thread.process.index()].name.clone(),
        };
        Ok(TaskProgram {
            name,
            mm: Some(MmId(thread.process.0)),
            starts,
            stmts,
        })
    }

    /// When each process comes to be.
    pub(super) fn births(&mut self) -> Result<Vec<Starts>, Refused> {
        let processes = 0..self.test.processes.len() as u8;
        processes.map(|n| self.birth(ast::ProcessId(n))).collect()
    }

    /// A process is there from the start, or after the fork that makes it.
    fn birth(&mut self, child: ast::ProcessId) -> Result<Starts, Refused> {
        let makes = |s: &ast::Stmt| matches!(s.call, Call::Fork { child: c, .. } if c == child);
        for (task, thread) in self.test.threads.iter().enumerate() {
            if let Some(stmt) = thread.stmts.iter().position(makes) {
                let stmt = self.op_index(task, stmt)?;
                return Ok(Starts::After { task, stmt });
            }
        }
        Ok(Starts::AtOnce)
    }

    /// The index of a statement's (last) operation: a statement may become several.
    fn op_index(&mut self, thread: usize, stmt: usize) -> Result<usize, Refused> {
        let before = &self.test.threads[thread].stmts[..stmt];
        let ops: usize = before.iter().map(|s| self.width(&s.call)).sum();
        Ok(ops)
    }

    /// How many operations a call becomes.
    fn width(&self, call: &Call) -> usize {
        match call {
            Call::Pread {
                place,
                mode: Mode::Buffered,
                ..
            }
            | Call::Pwrite {
                place,
                mode: Mode::Buffered,
                ..
            } => self.cells(place.page.index(), place.cells).len() as usize,
            _ => 1,
        }
    }

    fn cells(&self, page: usize, cells: ast::Cells) -> Cells {
        match cells {
            ast::Cells::One(cell) => Cells::one(Cell(cell)),
            ast::Cells::All => Cells::first(self.test.pages[page].cells),
        }
    }

    fn shift(place: ast::Cells, file: ast::Cells) -> i8 {
        match (place, file) {
            (ast::Cells::One(m), ast::Cells::One(f)) => f as i8 - m as i8,
            _ => 0,
        }
    }

    fn io(&mut self, shift: i8) -> IoId {
        self.shifts.push(shift);
        IoId((self.shifts.len() - 1) as u8)
    }

    fn value(&self, thread: usize, value: ast::Value) -> Source {
        match value {
            ast::Value::Number(n) => Source::Value(n),
            ast::Value::Reg(r) => self
                .reg(thread, RegKind::Reg(r))
                .map_or(Source::Value(0), Source::Reg),
        }
    }

    fn holder(
        &mut self,
        thread: usize,
        handle: Option<ast::HandleId>,
        va: Va,
        span: Span,
    ) -> Result<HoldId, Refused> {
        if self.holders == MAX_HOLDS {
            return refuse(
                span,
                format!("the model has room for at most {MAX_HOLDS} long-lived holders"),
            );
        }
        let holder = HoldId(self.holders as u8);
        self.holders += 1;
        if let Some(handle) = handle {
            self.handles
                .push(((thread, handle.index()), HandleOf::Holder(holder, va)));
        }
        Ok(holder)
    }

    fn holder_of(&self, thread: usize, handle: ast::HandleId) -> (HoldId, Va) {
        match self
            .handles
            .iter()
            .find(|(key, _)| *key == (thread, handle.index()))
        {
            Some((_, HandleOf::Holder(holder, va))) => (*holder, *va),
            _ => {
                unreachable!("the checker lets handles be used only after they were made, by type")
            }
        }
    }

    fn transfer(
        &mut self,
        t: usize,
        dir: Dir,
        place: &Place,
        file: &ast::FilePlace,
        handle: Option<Option<ast::HandleId>>,
    ) -> Op {
        let io = self.io(Self::shift(place.cells, file.cells));
        if let Some(Some(handle)) = handle {
            self.handles.push(((t, handle.index()), HandleOf::Io(io)));
        }
        Op::Transfer {
            io,
            dir,
            va: Va(place.page.0),
            cells: self.cells(place.page.index(), place.cells),
            file: FileId(file.file.0),
            wait: handle.is_none(),
        }
    }

    fn call(
        &mut self,
        t: usize,
        thread: &Thread,
        call: &Call,
        span: Span,
    ) -> Result<Vec<Op>, Refused> {
        let mm = MmId(thread.process.0);
        let hold = |page: ast::PageId, hold, flags: &[Foll]| Want {
            mm,
            va: Va(page.0),
            write: flags.contains(&Foll::Write),
            hold,
            longterm: flags.contains(&Foll::LongTerm),
            force: flags.contains(&Foll::Force),
        };
        let op = match call {
            Call::Load { from } => Op::Load {
                va: Va(from.page.0),
                cell: Cell(from.cell),
            },
            Call::Store { to, value } => Op::Store {
                va: Va(to.page.0),
                cell: Cell(to.cell),
                value: self.value(t, *value),
            },
            Call::HandleLoad { handle, cell } => Op::HeldLoad {
                holder: self.holder_of(t, *handle).0,
                cell: Cell(*cell),
            },
            Call::HandleStore {
                handle,
                cell,
                value,
            } => Op::HeldStore {
                holder: self.holder_of(t, *handle).0,
                cell: Cell(*cell),
                value: self.value(t, *value),
            },
            Call::Fork { child, .. } => Op::Fork {
                child: MmId(child.0),
            },
            Call::Exit => Op::Exit,
            Call::Waitpid { process } => Op::Waitpid {
                mm: MmId(process.0),
            },
            Call::Pread {
                file,
                place,
                mode: Mode::Direct,
            } => self.transfer(t, Dir::ToMemory, place, file, None),
            Call::Pwrite {
                file,
                place,
                mode: Mode::Direct,
            } => self.transfer(t, Dir::ToDevice, place, file, None),
            Call::Pread {
                file,
                place,
                mode: Mode::Buffered,
            }
            | Call::Pwrite {
                file,
                place,
                mode: Mode::Buffered,
            } => {
                let reads = matches!(call, Call::Pread { .. });
                let (va, shift) = (Va(place.page.0), Self::shift(place.cells, file.cells));
                let file = FileId(file.file.0);
                return Ok(self
                    .cells(place.page.index(), place.cells)
                    .iter()
                    .map(|cell| {
                        let file_cell = Cell((cell.0 as i8 + shift) as u8);
                        if reads {
                            Op::Store {
                                va,
                                cell,
                                value: Source::File(file, file_cell),
                            }
                        } else {
                            Op::LoadToFile {
                                va,
                                cell,
                                file,
                                file_cell,
                            }
                        }
                    })
                    .collect());
            }
            Call::ReadSubmit {
                handle,
                file,
                place,
            } => self.transfer(t, Dir::ToMemory, place, file, Some(*handle)),
            Call::WriteSubmit {
                handle,
                file,
                place,
            } => self.transfer(t, Dir::ToDevice, place, file, Some(*handle)),
            Call::Wait { handle } => match self
                .handles
                .iter()
                .find(|(key, _)| *key == (t, handle.index()))
            {
                Some((_, HandleOf::Io(io))) => Op::WaitIo { io: *io },
                _ => unreachable!(
                    "the checker lets handles be used only after they were made, by type"
                ),
            },
            Call::Vmsplice { pipe, place } => Op::Vmsplice {
                pipe: PipeId(pipe.0),
                va: Va(place.page.0),
                cells: self.cells(place.page.index(), place.cells),
            },
            Call::Read { pipe } => Op::ReadPipe {
                pipe: PipeId(pipe.0),
            },
            Call::Tee { from, to } => Op::Tee {
                from: PipeId(from.0),
                to: PipeId(to.0),
            },
            Call::Splice { from, to } => Op::Splice {
                from: PipeId(from.0),
                to: PipeId(to.0),
            },
            Call::RegisterBuffer { handle, page } => {
                let holder = self.holder(t, *handle, Va(page.0), span)?;
                let want = hold(*page, Hold::Pin, &[Foll::Write, Foll::LongTerm]);
                Op::Hold {
                    holder,
                    want,
                    fast: false,
                }
            }
            Call::Get {
                handle,
                page,
                flags,
            } => {
                let holder = self.holder(t, *handle, Va(page.0), span)?;
                Op::Hold {
                    holder,
                    want: hold(*page, Hold::Get, flags),
                    fast: !flags.contains(&Foll::Force),
                }
            }
            Call::Pin {
                handle,
                page,
                flags,
            } => {
                let holder = self.holder(t, *handle, Va(page.0), span)?;
                Op::Hold {
                    holder,
                    want: hold(*page, Hold::Pin, flags),
                    fast: !flags.contains(&Foll::Force),
                }
            }
            Call::ReadFixed {
                file,
                buffer,
                cells,
            }
            | Call::WriteFixed {
                file,
                buffer,
                cells,
            } => {
                let dir = if matches!(call, Call::ReadFixed { .. }) {
                    Dir::ToMemory
                } else {
                    Dir::ToDevice
                };
                let (holder, va) = self.holder_of(t, *buffer);
                let io = self.io(Self::shift(*cells, file.cells));
                let cells = self.cells(va.at(), *cells);
                Op::Fixed {
                    io,
                    dir,
                    holder,
                    mm,
                    va,
                    cells,
                    file: FileId(file.file.0),
                }
            }
            Call::Unregister { buffer } => Op::Release {
                holder: self.holder_of(t, *buffer).0,
            },
            Call::Release { handle } => Op::Release {
                holder: self.holder_of(t, *handle).0,
            },
            Call::MemWrite { to, value } => self.remote(t, *to, Door::ProcMem, Some(*value)),
            Call::MemRead { from } => self.remote(t, *from, Door::ProcMem, None),
            Call::ProcessVmWritev { to, value } => {
                self.remote(t, *to, Door::ProcessVm, Some(*value))
            }
            Call::ProcessVmReadv { from } => self.remote(t, *from, Door::ProcessVm, None),
            Call::Munmap { page } => Op::Munmap { va: Va(page.0) },
            Call::Madvise { page, advice } => advise(
                Address {
                    process: thread.process,
                    page: *page,
                },
                *advice,
            ),
            Call::ProcessMadvise { at, advice } => advise(*at, *advice),
            Call::Pagemap { page } => Op::Pagemap { va: Va(page.0) },
            Call::LruAddDrain => Op::Drain,
            Call::Mremap { from, to } => Op::Mremap {
                from: Va(from.0),
                to: Va(to.0),
            },
            Call::Mprotect { page, prot } => Op::Mprotect {
                va: Va(page.0),
                prot: protection(prot),
            },
            Call::ClearRefs { process } => Op::ClearRefs {
                mm: MmId(process.0),
            },
            Call::UffdWriteprotect { page } => Op::UffdWp { va: Va(page.0) },
            Call::UffdUnprotect { page } => Op::UffdUnwp { va: Va(page.0) },
            Call::UffdMove { to, from } => Op::UffdMove {
                to: Va(to.0),
                from: Va(from.0),
            },
            Call::UffdCopy { page, values } => {
                let value = |n: usize| {
                    values
                        .get(n)
                        .map_or(Source::Value(0), |&v| self.value(t, v))
                };
                Op::UffdCopy {
                    va: Va(page.0),
                    values: std::array::from_fn(value),
                }
            }
            Call::UffdZeropage { page } => Op::UffdZeropage { va: Va(page.0) },
            Call::UffdContinue { page } => Op::UffdContinue { va: Va(page.0) },
            Call::Swapoff => Op::Swapoff,
            Call::MovePages { page } => Op::MovePages { mm, va: Va(page.0) },
            Call::UffdRwprotect { page } => Op::UffdRwp { va: Va(page.0) },
        };
        Ok(vec![op])
    }

    fn remote(&self, t: usize, at: ast::AddressCell, door: Door, store: Option<ast::Value>) -> Op {
        Op::Remote {
            mm: MmId(at.process.0),
            va: Va(at.page.0),
            cell: Cell(at.cell),
            door,
            store: store.map(|v| self.value(t, v)),
        }
    }

    pub(super) fn kernel(&mut self, kernel: &Kernel) -> Result<Vec<Stmt>, Refused> {
        kernel
            .activities
            .iter()
            .map(|stmt| {
                let op = match &stmt.activity {
                    Activity::Reclaim { at } => Op::Reclaim {
                        mm: MmId(at.process.0),
                        va: Va(at.page.0),
                    },
                    Activity::LruAddDrain => Op::DrainAll,
                    Activity::Madvise { at, advice } => advise(*at, *advice),
                    Activity::Ksm { pages } => {
                        let at = |a: &Address| (MmId(a.process.0), Va(a.page.0));
                        Op::Ksm {
                            first: at(&pages[0]),
                            second: pages.get(1).map(at),
                        }
                    }
                    Activity::Migrate { at } => Op::Compact {
                        mm: MmId(at.process.0),
                        va: Va(at.page.0),
                    },
                    Activity::NumaScan { at } => Op::NumaScan {
                        mm: MmId(at.process.0),
                        va: Va(at.page.0),
                    },
                    Activity::Swapoff => Op::Swapoff,
                    Activity::ClearRefs { process } => Op::ClearRefs {
                        mm: MmId(process.0),
                    },
                };
                Ok(Stmt {
                    op,
                    result: None,
                    refusal: self
                        .refusals
                        .iter()
                        .position(|&r| r == stmt.activity.name()),
                    text: self.test.show(&stmt.activity).to_string(),
                    name: stmt.activity.name(),
                })
            })
            .collect()
    }
}

fn advise(at: Address, advice: Advice) -> Op {
    let (mm, va) = (MmId(at.process.0), Va(at.page.0));
    match advice {
        Advice::DontNeed => Op::Dontneed { va },
        Advice::Free => Op::Free { va },
        Advice::PageOut => Op::Pageout { mm, va },
        Advice::Cold => Op::Cold { mm, va },
        Advice::WillNeed => Op::Willneed { mm, va },
        Advice::PopulateRead => Op::Populate { va, write: false },
        Advice::PopulateWrite => Op::Populate { va, write: true },
        Advice::Mergeable => Op::Mergeable { va },
        Advice::Unmergeable => Op::Unmergeable { va },
        Advice::DontFork => Op::ForkAdvice {
            va,
            advice: ForkAdvice::DontFork,
        },
        Advice::DoFork => Op::ForkAdvice {
            va,
            advice: ForkAdvice::DoFork,
        },
        Advice::WipeOnFork => Op::ForkAdvice {
            va,
            advice: ForkAdvice::WipeOnFork,
        },
        Advice::KeepOnFork => Op::ForkAdvice {
            va,
            advice: ForkAdvice::KeepOnFork,
        },
    }
}

fn protection(prot: &[ast::Prot]) -> Prot {
    if prot.contains(&ast::Prot::Write) {
        Prot::ReadWrite
    } else if prot.contains(&ast::Prot::Read) {
        Prot::Read
    } else {
        Prot::None
    }
}
