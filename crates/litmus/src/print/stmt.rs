//! Calls and activities as text.

use std::fmt;

use super::Shown;
use crate::ast::{Activity, Call, Cells, Mode, Value};

impl Shown<'_, Call> {
    fn value(&self, value: Value) -> String {
        match value {
            Value::Number(number) => number.to_string(),
            Value::Reg(reg) => format!("r{}", reg.0),
        }
    }

    fn values(&self, values: &[Value]) -> String {
        match values {
            [first, rest @ ..] if rest.iter().all(|value| value == first) => self.value(*first),
            _ => {
                let values: Vec<String> = values.iter().map(|value| self.value(*value)).collect();
                format!("{{ {} }}", values.join(", "))
            }
        }
    }

    /// Memory as the holder of a `get` or `pin` sees it.
    fn held(&self, handle: crate::ast::HandleId, cell: u8) -> String {
        format!("{}[{cell}]", self.handle(handle))
    }

    fn buffer(&self, handle: crate::ast::HandleId, cells: Cells) -> String {
        match cells {
            Cells::One(cell) => self.held(handle, cell),
            Cells::All => self.handle(handle).to_owned(),
        }
    }
}

/// `io0 = `, or nothing.
fn made(name: Option<&str>) -> String {
    name.map_or(String::new(), |name| format!("{name} = "))
}

/// `, FLAG` for each flag.
fn flags<T: fmt::Display>(flags: &[T]) -> String {
    flags.iter().map(|flag| format!(", {flag}")).collect()
}

impl fmt::Display for Shown<'_, Call> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.item.name();
        match self.item {
            Call::Load { from } => f.write_str(&self.cell(from.page, from.cell)),
            Call::Store { to, value } => {
                write!(
                    f,
                    "{} = {}",
                    self.cell(to.page, to.cell),
                    self.value(*value)
                )
            }
            Call::HandleLoad { handle, cell } => f.write_str(&self.held(*handle, *cell)),
            Call::HandleStore {
                handle,
                cell,
                value,
            } => {
                write!(f, "{} = {}", self.held(*handle, *cell), self.value(*value))
            }
            Call::Fork { child, .. } => write!(f, "fork({})", self.process(*child)),
            Call::Exit | Call::Swapoff | Call::LruAddDrain => write!(f, "{name}()"),
            Call::Waitpid { process } | Call::ClearRefs { process } => {
                write!(f, "{name}({})", self.process(*process))
            }
            Call::Pread { file, place, mode } | Call::Pwrite { file, place, mode } => {
                let direct = if *mode == Mode::Direct {
                    ", O_DIRECT"
                } else {
                    ""
                };
                let file = self.file_place(*file, place.cells);
                write!(f, "{name}({file}, {}{direct})", self.place(*place))
            }
            Call::ReadSubmit {
                handle,
                file,
                place,
            }
            | Call::WriteSubmit {
                handle,
                file,
                place,
            } => {
                let made = made(handle.map(|handle| self.handle(handle)));
                let file = self.file_place(*file, place.cells);
                write!(f, "{made}{name}({file}, {})", self.place(*place))
            }
            Call::Wait { handle } | Call::Release { handle } => {
                write!(f, "{name}({})", self.handle(*handle))
            }
            Call::Unregister { buffer } => write!(f, "{name}({})", self.handle(*buffer)),
            Call::Vmsplice { pipe, place } => {
                write!(f, "{name}({}, {})", self.pipe(*pipe), self.place(*place))
            }
            Call::Read { pipe } => write!(f, "{name}({})", self.pipe(*pipe)),
            Call::Tee { from, to } | Call::Splice { from, to } => {
                write!(f, "{name}({}, {})", self.pipe(*from), self.pipe(*to))
            }
            Call::RegisterBuffer { handle, page } => {
                let made = made(handle.map(|handle| self.handle(handle)));
                write!(f, "{made}{name}({})", self.page(*page))
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
                let file = self.file_place(*file, *cells);
                write!(f, "{name}({file}, {})", self.buffer(*buffer, *cells))
            }
            Call::Get {
                handle,
                page,
                flags: given,
            }
            | Call::Pin {
                handle,
                page,
                flags: given,
            } => {
                let made = made(handle.map(|handle| self.handle(handle)));
                write!(f, "{made}{name}({}{})", self.page(*page), flags(given))
            }
            Call::Madvise { page, advice } => write!(f, "{name}({}, {advice})", self.page(*page)),
            Call::ProcessMadvise { at, advice } => {
                write!(
                    f,
                    "{name}({}, {advice})",
                    self.address(at.process, self.page(at.page))
                )
            }
            Call::Mremap { from, to } => {
                write!(f, "{name}({}, {})", self.page(*from), self.page(*to))
            }
            Call::UffdMove { to, from } => {
                write!(f, "{name}({}, {})", self.page(*to), self.page(*from))
            }
            Call::Mprotect { page, prot } => {
                write!(f, "{name}({}{})", self.page(*page), flags(prot))
            }
            Call::MemWrite { to, value } | Call::ProcessVmWritev { to, value } => {
                let cell = self.address(to.process, &self.cell(to.page, to.cell));
                write!(f, "{name}({cell}, {})", self.value(*value))
            }
            Call::MemRead { from } | Call::ProcessVmReadv { from } => {
                write!(
                    f,
                    "{name}({})",
                    self.address(from.process, &self.cell(from.page, from.cell))
                )
            }
            Call::UffdCopy { page, values } => {
                write!(f, "{name}({}, {})", self.page(*page), self.values(values))
            }
            Call::Munmap { page }
            | Call::UffdWriteprotect { page }
            | Call::UffdUnprotect { page }
            | Call::UffdRwprotect { page }
            | Call::UffdZeropage { page }
            | Call::UffdContinue { page }
            | Call::Pagemap { page }
            | Call::MovePages { page } => write!(f, "{name}({})", self.page(*page)),
        }
    }
}

impl fmt::Display for Shown<'_, Activity> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.item.name();
        match self.item {
            Activity::Reclaim { at } | Activity::Migrate { at } | Activity::NumaScan { at } => {
                write!(
                    f,
                    "{name}({})",
                    self.address(at.process, self.page(at.page))
                )
            }
            Activity::Ksm { pages } => {
                let pages: Vec<String> = pages
                    .iter()
                    .map(|at| self.address(at.process, self.page(at.page)))
                    .collect();
                write!(f, "{name}({})", pages.join(", "))
            }
            Activity::Swapoff | Activity::LruAddDrain => write!(f, "{name}()"),
            Activity::ClearRefs { process } => write!(f, "{name}({})", self.process(*process)),
            Activity::Madvise { at, advice } => {
                write!(
                    f,
                    "{name}({}, {advice})",
                    self.address(at.process, self.page(at.page))
                )
            }
        }
    }
}
