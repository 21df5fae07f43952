//! The arguments of a call, taken one by one as what the call needs.

use super::scope::{Reach, Scope, is_register, register_number};
use super::stmts::ThreadScope;
use crate::Span;
use crate::ast::{
    Address, AddressCell, Cells, FilePlace, HandleId, HandleKind, PageId, Place, ProcessId, Reg,
    Value,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::parse::syntax::{Name, Number, RawArgument, RawCall, RawPlace};

/// What is left of the arguments of a call.
pub(super) struct Args<'r, 't> {
    call: &'r RawCall<'t>,
    usage: &'static str,
    next: usize,
}

impl<'r, 't> Args<'r, 't> {
    /// `usage` is an example of the call.
    pub(super) fn new(call: &'r RawCall<'t>, usage: &'static str) -> Args<'r, 't> {
        Args {
            call,
            usage,
            next: 0,
        }
    }

    pub(super) fn more(&self) -> bool {
        self.next < self.call.arguments.len()
    }

    /// Where the argument with this number stands, or where it is missing.
    pub(super) fn span(&self, number: usize) -> Span {
        self.call
            .arguments
            .get(number)
            .map_or(self.call.end, |argument| argument.span())
    }

    fn usage_help(&self) -> String {
        format!("as in `{}`", self.usage)
    }

    /// The next argument, which must be there.
    fn take(&mut self, scope: &mut Scope<'t>, what: &str) -> Option<&'r RawArgument<'t>> {
        let Some(argument) = self.call.arguments.get(self.next) else {
            let name = self.call.name.text;
            return scope.none(
                Diagnostic::new(
                    Code::Arguments,
                    self.call.end,
                    format!("`{name}` needs {what} here"),
                )
                .label(format!("expected {what}"))
                .help(self.usage_help()),
            );
        };
        self.next += 1;
        Some(argument)
    }

    fn wrong<T>(&self, scope: &mut Scope<'t>, span: Span, what: &str) -> Option<T> {
        let name = self.call.name.text;
        scope.none(
            Diagnostic::new(Code::Arguments, span, format!("`{name}` needs {what} here"))
                .label(format!("expected {what}"))
                .help(self.usage_help()),
        )
    }

    /// Complains about arguments that are left over.
    pub(super) fn finish(&self, scope: &mut Scope<'t>) -> Option<()> {
        let Some(extra) = self.call.arguments.get(self.next) else {
            return Some(());
        };
        scope.none(
            Diagnostic::new(
                Code::Arguments,
                extra.span(),
                format!("`{}` takes no further argument", self.call.name.text),
            )
            .label("remove this")
            .help(self.usage_help()),
        )
    }

    fn place(&mut self, scope: &mut Scope<'t>, what: &str) -> Option<RawPlace<'t>> {
        match self.take(scope, what)? {
            RawArgument::Place(place) => Some(*place),
            other => self.wrong(scope, other.span(), what),
        }
    }

    /// A name without process and cell.
    pub(super) fn bare(&mut self, scope: &mut Scope<'t>, what: &str) -> Option<Name<'t>> {
        let place = self.place(scope, what)?;
        if place.process.is_some() || place.cell.is_some() {
            return self.wrong(scope, place.span, what);
        }
        Some(place.name)
    }

    /// A whole page of the thread's own process.
    pub(super) fn page(
        &mut self,
        scope: &mut Scope<'t>,
        thread: &ThreadScope<'t>,
    ) -> Option<PageId> {
        let place = self.place(scope, "a variable")?;
        own_process(scope, &place)?;
        let page = scope.page(place.name)?;
        scope.must_have(thread.process, page, place.span, Reach::Own)?;
        self.no_cell(scope, &place)?;
        Some(page)
    }

    /// Refuses `x[1]` where the whole page is meant.
    fn no_cell(&self, scope: &mut Scope<'t>, place: &RawPlace<'t>) -> Option<()> {
        let Some(cell) = place.cell else {
            return Some(());
        };
        let name = self.call.name.text;
        scope.none(
            Diagnostic::new(
                Code::Arguments,
                cell.span,
                format!("`{name}` works on whole pages"),
            )
            .label("a single cell")
            .help(format!("write `{}`", place.name.text)),
        )
    }

    /// The memory end of a transfer.
    pub(super) fn transfer(
        &mut self,
        scope: &mut Scope<'t>,
        thread: &ThreadScope<'t>,
    ) -> Option<Place> {
        let place = self.place(scope, "a variable")?;
        own_process(scope, &place)?;
        let page = scope.page(place.name)?;
        scope.must_have(thread.process, page, place.span, Reach::Own)?;
        let cells = cells(scope, page, place.name.text, place.cell)?;
        Some(Place { page, cells })
    }

    /// The file end of a transfer; what it moves follows from the memory end, see [`file_place`].
    pub(super) fn file(&mut self, scope: &mut Scope<'t>) -> Option<RawPlace<'t>> {
        let place = self.place(scope, "a file")?;
        if place.process.is_some() {
            return self.wrong(scope, place.span, "a file");
        }
        scope.file(place.name)?;
        Some(place)
    }

    /// `x`, `B:x`: a page of some process.
    pub(super) fn address(&mut self, scope: &mut Scope<'t>, default: ProcessId) -> Option<Address> {
        let place = self.place(scope, "a variable")?;
        let address = address(scope, &place, default)?;
        self.no_cell(scope, &place)?;
        Some(address)
    }

    /// `B:x[0]`: a cell of some process.
    pub(super) fn remote_cell(
        &mut self,
        scope: &mut Scope<'t>,
        default: ProcessId,
    ) -> Option<AddressCell> {
        let place = self.place(scope, "a variable of a process")?;
        let Address { process, page } = address(scope, &place, default)?;
        let cell = one_cell(scope, page, place.name.text, place.cell)?;
        Some(AddressCell {
            process,
            page,
            cell,
        })
    }

    /// A number or a register.
    pub(super) fn value(
        &mut self,
        scope: &mut Scope<'t>,
        thread: &ThreadScope<'t>,
    ) -> Option<Value> {
        let what = "a number or a register";
        let argument = self.take(scope, what)?;
        match operand(scope, thread, argument) {
            Operand::Value(value) => value,
            Operand::Other => self.wrong(scope, argument.span(), what),
        }
    }

    /// One value for every cell, or `{ ... }` with one for each.
    pub(super) fn page_values(
        &mut self,
        scope: &mut Scope<'t>,
        thread: &ThreadScope<'t>,
        page: PageId,
    ) -> Option<Vec<Value>> {
        let cells = usize::from(scope.pages[page.index()].cells);
        let Some(RawArgument::List { items, span }) = self.call.arguments.get(self.next) else {
            return Some(vec![self.value(scope, thread)?; cells]);
        };
        self.next += 1;
        if items.len() != cells {
            let name = &scope.pages[page.index()].name;
            let message = format!(
                "`{name}` has {cells} cells and is given {} values",
                items.len()
            );
            return scope.none(
                Diagnostic::new(Code::Values, *span, message).label("one value for each cell"),
            );
        }
        items
            .iter()
            .map(|item| match operand(scope, thread, item) {
                Operand::Value(value) => value,
                Operand::Other => self.wrong(scope, item.span(), "a number or a register"),
            })
            .collect()
    }

    /// A live handle of this kind.
    pub(super) fn handle(
        &mut self,
        scope: &mut Scope<'t>,
        thread: &mut ThreadScope<'t>,
        kind: HandleKind,
    ) -> Option<HandleId> {
        let (handle, place) = self.handle_place(scope, thread, kind)?;
        if place.cell.is_some() {
            return self.wrong(scope, place.span, "a handle");
        }
        Some(handle)
    }

    /// `b0[0]`, or `b0` for the whole page.
    pub(super) fn buffer(
        &mut self,
        scope: &mut Scope<'t>,
        thread: &mut ThreadScope<'t>,
    ) -> Option<(HandleId, PageId, Cells)> {
        let (handle, place) = self.handle_place(scope, thread, HandleKind::Buffer)?;
        let page = thread.handles[handle.index()].page;
        let cells = cells(scope, page, place.name.text, place.cell)?;
        Some((handle, page, cells))
    }

    fn handle_place(
        &mut self,
        scope: &mut Scope<'t>,
        thread: &mut ThreadScope<'t>,
        kind: HandleKind,
    ) -> Option<(HandleId, RawPlace<'t>)> {
        let what = match kind {
            HandleKind::Io => "the handle of a submitted transfer",
            HandleKind::Buffer => "the handle of a registered buffer",
            HandleKind::Holder => "the handle of a `get` or `pin`",
        };
        let place = self.place(scope, what)?;
        if place.process.is_some() {
            return self.wrong(scope, place.span, what);
        }
        let handle = thread.live_handle(scope, place.name)?;
        let known = &thread.handles[handle.index()];
        if known.kind != kind {
            let diagnostic = Diagnostic::new(
                Code::WrongKind,
                place.span,
                format!("`{}` is not {what}", place.name.text),
            )
            .note(known.span, "made here")
            .help(self.usage_help());
            return scope.none(diagnostic);
        }
        Some((handle, place))
    }
}

/// Something that may be stored, or not.
pub(super) enum Operand {
    /// It may; `None` where a complaint was made.
    Value(Option<Value>),
    /// It is neither a number nor a register.
    Other,
}

pub(super) fn operand<'t>(
    scope: &mut Scope<'t>,
    thread: &ThreadScope<'t>,
    argument: &RawArgument<'t>,
) -> Operand {
    match argument {
        RawArgument::Number(number) => Operand::Value(scope.value(*number).map(Value::Number)),
        RawArgument::Place(place) if bare_register(place) => {
            let reg = set_register(scope, thread, place.name);
            Operand::Value(reg.map(Value::Reg))
        }
        _ => Operand::Other,
    }
}

/// `r0`, and nothing around it.
pub(super) fn bare_register(place: &RawPlace<'_>) -> bool {
    place.process.is_none() && place.cell.is_none() && is_register(place.name.text)
}

/// A register that is set by now.
fn set_register<'t>(
    scope: &mut Scope<'t>,
    thread: &ThreadScope<'t>,
    name: Name<'t>,
) -> Option<Reg> {
    let reg = Reg(register_number(scope, name)?);
    if thread.registers.contains(&reg) || thread.broken {
        return Some(reg);
    }
    scope.none(
        Diagnostic::new(
            Code::Unset,
            name.span,
            format!("`{}` is used and nothing has set it", name.text),
        )
        .label("not set by an earlier statement of this thread"),
    )
}

/// Refuses `B:x` in an access.
pub(super) fn own_process<'t>(scope: &mut Scope<'t>, place: &RawPlace<'t>) -> Option<()> {
    let Some(process) = place.process else {
        return Some(());
    };
    scope.none(
        Diagnostic::new(Code::Arguments, process.span, "a thread names the memory of its own process only")
            .label(format!("write `{}`", place.name.text))
            .help("another process's memory is reached by `mem_read`, `mem_write`, `process_vm_readv`, `process_vm_writev` and `process_madvise`"),
    )
}

fn address<'t>(scope: &mut Scope<'t>, place: &RawPlace<'t>, default: ProcessId) -> Option<Address> {
    let process = match place.process {
        Some(name) => scope.process(name)?,
        None => default,
    };
    let page = scope.page(place.name)?;
    scope.must_have(process, page, place.span, Reach::Any)?;
    Some(Address { process, page })
}

/// `x[1]`, or `x` for its first cell.
pub(super) fn one_cell<'t>(
    scope: &mut Scope<'t>,
    page: PageId,
    name: &str,
    cell: Option<Number>,
) -> Option<u8> {
    match cell {
        Some(number) => scope.cell(number, name, scope.pages[page.index()].cells),
        None => Some(0),
    }
}

/// `x[1]`, or `x` for all cells.
fn cells<'t>(
    scope: &mut Scope<'t>,
    page: PageId,
    name: &str,
    cell: Option<Number>,
) -> Option<Cells> {
    match cell {
        Some(_) => one_cell(scope, page, name, cell).map(Cells::One),
        None => Some(Cells::All),
    }
}

/// The file end of a transfer whose memory end is `cells` of `page`. Returns both ends: a whole page against one cell of a file means the
/// only cell of that page.
pub(super) fn file_place<'t>(
    scope: &mut Scope<'t>,
    raw: &RawPlace<'t>,
    page: PageId,
    cells: Cells,
) -> Option<(FilePlace, Cells)> {
    let file = scope.file(raw.name)?;
    let in_file = scope.files[file.index()].values.len() as u8;
    let in_page = scope.pages[page.index()].cells;
    let page_name = scope.pages[page.index()].name.clone();
    let name = raw.name.text;
    match (raw.cell, cells) {
        (Some(number), Cells::One(_)) => {
            let cell = scope.cell(number, name, in_file)?;
            Some((
                FilePlace {
                    file,
                    cells: Cells::One(cell),
                },
                cells,
            ))
        }
        (Some(number), Cells::All) if in_page == 1 => {
            let cell = scope.cell(number, name, in_file)?;
            Some((
                FilePlace {
                    file,
                    cells: Cells::One(cell),
                },
                Cells::One(0),
            ))
        }
        (Some(number), Cells::All) => scope.none(
            Diagnostic::new(
                Code::Values,
                number.span,
                format!(
                    "one cell of `{name}` is moved to or from {in_page} cells of `{page_name}`"
                ),
            )
            .help(format!("name the cell: `{page_name}[0]`")),
        ),
        (None, Cells::One(cell)) if cell < in_file => Some((
            FilePlace {
                file,
                cells: Cells::One(cell),
            },
            cells,
        )),
        (None, Cells::One(cell)) => scope.none(
            Diagnostic::new(
                Code::Cell,
                raw.span,
                format!("there is no cell {cell} of `{name}`"),
            )
            .label(format!("the file's cells are 0 to {}", in_file - 1))
            .help(format!("name the cell of the file: `{name}[0]`")),
        ),
        (None, Cells::All) if in_page <= in_file => Some((
            FilePlace {
                file,
                cells: Cells::All,
            },
            cells,
        )),
        (None, Cells::All) => scope.none(
            Diagnostic::new(
                Code::Values,
                raw.span,
                format!("`{name}` has {in_file} cells and `{page_name}` {in_page}"),
            )
            .label("a whole page is moved")
            .help(format!("name one cell: `{page_name}[0]`")),
        ),
    }
}
