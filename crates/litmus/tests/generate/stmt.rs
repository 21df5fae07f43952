//! Statements at random.

use cowherd_litmus::ast::*;
use cowherd_litmus::limits;

use super::{Maker, SPAN, Source};

impl Maker {
    pub(super) fn stmt(&mut self, s: &mut Source<'_>, id: ThreadId) -> Option<Stmt> {
        let process = self.test.threads[id.index()].process;
        let page = s.of(&self
            .pages(process)
            .into_iter()
            .map(Some)
            .chain([None])
            .collect::<Vec<_>>())?;
        let cells = self.test.pages[page.index()].cells;
        let cell = s.number(cells - 1);
        let registers = self.test.threads[id.index()].registers.clone();
        let value = match registers.first() {
            Some(reg) if s.chance() => Value::Reg(*reg),
            _ => Value::Number(s.number(limits::MAX_VALUE)),
        };
        let pipe = PipeId(s.number(1));
        let (file, place) = self.transfer(s, page);
        let remote = self.anywhere(s)?;
        let remote_cell = AddressCell {
            process: remote.process,
            page: remote.page,
            cell: 0,
        };
        let advice = s.of(Advice::ALL);
        let prot = s.of(&[
            vec![Prot::None],
            vec![Prot::Read],
            vec![Prot::Read, Prot::Write],
            vec![Prot::Write],
        ]);
        let result = s.chance().then(|| Reg(s.number(limits::MAX_REGISTERS - 1)));
        let mode = s.of(&[Mode::Direct, Mode::Buffered]);
        let (call, result) = match s.below(29) {
            0 => (
                Call::Load {
                    from: Cell { page, cell },
                },
                Some(result.unwrap_or(Reg(0))),
            ),
            1 => (
                Call::Store {
                    to: Cell { page, cell },
                    value,
                },
                None,
            ),
            2 => (Call::Exit, None),
            3 => (
                Call::Waitpid {
                    process: remote.process,
                },
                result,
            ),
            4 => (Call::Pread { file, place, mode }, result),
            5 => (Call::Pwrite { file, place, mode }, result),
            6 => (Call::Vmsplice { pipe, place }, result),
            7 => (Call::Read { pipe }, result),
            8 => (
                Call::Tee {
                    from: pipe,
                    to: PipeId(1 - pipe.0),
                },
                result,
            ),
            9 => (
                Call::Splice {
                    from: pipe,
                    to: PipeId(1 - pipe.0),
                },
                result,
            ),
            10 => (Call::Madvise { page, advice }, result),
            11 => (
                Call::ProcessMadvise {
                    at: remote,
                    advice: Advice::PageOut,
                },
                result,
            ),
            12 => (Call::Munmap { page }, result),
            13 => (Call::Mprotect { page, prot }, result),
            14 => (
                Call::ClearRefs {
                    process: remote.process,
                },
                result,
            ),
            15 => (
                Call::MemWrite {
                    to: remote_cell,
                    value,
                },
                result,
            ),
            16 => (Call::MemRead { from: remote_cell }, result),
            17 => (
                Call::ProcessVmWritev {
                    to: remote_cell,
                    value,
                },
                result,
            ),
            18 => (Call::ProcessVmReadv { from: remote_cell }, result),
            19 => (Call::Pagemap { page }, result),
            20 => (Call::Swapoff, result),
            21 => (Call::MovePages { page }, result),
            22 => (Call::LruAddDrain, result),
            23 => self.uffd(s, page, cells).map(|call| (call, result))?,
            24 => self.moving(page).map(|call| (call, result))?,
            _ => self.holding(s, id, page, cell, file, place)?,
        };
        Some(Stmt {
            result,
            call,
            span: SPAN,
        })
    }

    /// Both ends of a transfer.
    fn transfer(&mut self, s: &mut Source<'_>, page: PageId) -> (FilePlace, Place) {
        let file = FileId(s.below(self.test.files.len()) as u8);
        let in_file = self.test.files[file.index()].values.len() as u8;
        let cells = self.test.pages[page.index()].cells;
        let (file_cells, cells) = if s.chance() && cells <= in_file {
            (Cells::All, Cells::All)
        } else {
            (
                Cells::One(s.number(in_file - 1)),
                Cells::One(s.number(cells - 1)),
            )
        };
        (
            FilePlace {
                file,
                cells: file_cells,
            },
            Place { page, cells },
        )
    }

    fn uffd(&mut self, s: &mut Source<'_>, page: PageId, cells: u8) -> Option<Call> {
        let mode = self.test.pages[page.index()].attributes.uffd?.mode;
        Some(match s.below(3) {
            0 if mode == UffdMode::Wp => Call::UffdWriteprotect { page },
            0 if mode == UffdMode::Rwp => Call::UffdRwprotect { page },
            1 if mode != UffdMode::Missing => Call::UffdUnprotect { page },
            1 => Call::UffdZeropage { page },
            _ => {
                let values = (0..cells).map(|_| Value::Number(s.number(limits::MAX_VALUE)));
                Call::UffdCopy {
                    page,
                    values: values.collect(),
                }
            }
        })
    }

    fn moving(&mut self, from: PageId) -> Option<Call> {
        let source = &self.test.pages[from.index()];
        let to = self.test.pages.iter().position(|target| {
            target.name != source.name
                && target.contents == Contents::Untouched
                && target.cells == source.cells
                && target.processes == source.processes
        })?;
        let to = PageId(to as u8);
        Some(if from.0.is_multiple_of(2) {
            Call::Mremap { from, to }
        } else {
            Call::UffdMove { to, from }
        })
    }

    /// Calls that make, use or end a handle.
    fn holding(
        &mut self,
        s: &mut Source<'_>,
        id: ThreadId,
        page: PageId,
        cell: u8,
        file: FilePlace,
        place: Place,
    ) -> Option<(Call, Option<Reg>)> {
        let thread = &mut self.test.threads[id.index()];
        let kind = s.of(&[HandleKind::Io, HandleKind::Buffer, HandleKind::Holder]);
        let handle = HandleId(thread.handles.len() as u8);
        let keep = s.chance() && thread.handles.len() < limits::MAX_HANDLES;
        if keep {
            let name = format!("h{}", handle.0);
            thread.handles.push(Handle {
                name,
                kind,
                page,
                span: SPAN,
            });
        }
        let kept = keep.then_some(handle);
        let flags = s.some(&[Foll::Write, Foll::Force]);
        if keep || s.chance() {
            let call = match kind {
                HandleKind::Io if s.chance() => Call::ReadSubmit {
                    handle: kept,
                    file,
                    place,
                },
                HandleKind::Io => Call::WriteSubmit {
                    handle: kept,
                    file,
                    place,
                },
                HandleKind::Buffer => Call::RegisterBuffer { handle: kept, page },
                HandleKind::Holder if s.chance() => Call::Get {
                    handle: kept,
                    page,
                    flags,
                },
                HandleKind::Holder => Call::Pin {
                    handle: kept,
                    page,
                    flags,
                },
            };
            return Some((call, None));
        }
        // The last handle, unless it was ended.
        let (last, known) = thread.handles.iter().enumerate().next_back()?;
        let (last, of) = (HandleId(last as u8), known.page);
        let ended = thread.stmts.iter().any(|stmt| match stmt.call {
            Call::Wait { handle }
            | Call::Release { handle }
            | Call::Unregister { buffer: handle } => handle == last,
            _ => false,
        });
        if ended {
            return None;
        }
        let cells = self.test.pages[of.index()].cells;
        let cell = cell.min(cells - 1);
        Some(match (known_kind(&self.test, id, last), s.below(3)) {
            (HandleKind::Io, _) => (Call::Wait { handle: last }, Some(Reg(2))),
            (HandleKind::Buffer, 0) => (Call::Unregister { buffer: last }, None),
            (HandleKind::Buffer, way) => {
                let file = FilePlace {
                    file: file.file,
                    cells: Cells::One(0),
                };
                let cells = Cells::One(cell);
                match way {
                    1 => (
                        Call::ReadFixed {
                            file,
                            buffer: last,
                            cells,
                        },
                        Some(Reg(3)),
                    ),
                    _ => (
                        Call::WriteFixed {
                            file,
                            buffer: last,
                            cells,
                        },
                        None,
                    ),
                }
            }
            (HandleKind::Holder, 0) => (Call::Release { handle: last }, None),
            (HandleKind::Holder, 1) => (Call::HandleLoad { handle: last, cell }, Some(Reg(1))),
            (HandleKind::Holder, _) => (
                Call::HandleStore {
                    handle: last,
                    cell,
                    value: Value::Number(3),
                },
                None,
            ),
        })
    }
}

fn known_kind(test: &Test, thread: ThreadId, handle: HandleId) -> HandleKind {
    test.threads[thread.index()].handles[handle.index()].kind
}
