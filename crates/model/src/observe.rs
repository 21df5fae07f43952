//! What is looked at in a final state, and what a condition makes of it.

use cowherd_litmus::ast::{self, Address, AtomKind, Comparison, Expected, Location, Prop};
use cowherd_mm::*;

use crate::program::{Program, RegKind, RegName};
use crate::state::{State, Val};

/// Something that is looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Observable {
    /// A register.
    Reg(usize),
    /// What a fresh load would give.
    Cell(MmId, Va, Cell),
    /// What a file holds.
    File(FileId, Cell),
    /// Did a fault kill this thread?
    Killed(usize),
    /// A yes or no.
    Fact(Fact),
}

/// A fact about a final state.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Fact {
    Swapped(MmId, Va),
    Present(MmId, Va),
    Writable(MmId, Va),
    SoftDirty(MmId, Va),
    Copied(MmId, Va),
    Merged(MmId, Va),
    Trapped(MmId, Va),
    Same((MmId, Va), (MmId, Va)),
    Refused(usize),
    /// Any of these bits of [`State::alarms`].
    Alarm(u64),
}

/// The value of an observable: a number, a failed call, a fatal fault, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Seen {
    /// A register's.
    Val(Val),
    /// A load would fault fatally.
    Segv,
}

/// The byte of an outcome for a cell that a load would fault at.
pub const SEGV: u8 = 254;

impl Program {
    /// Writes one byte for each observable.
    pub(crate) fn observe(&self, state: &State, out: &mut Vec<u8>) {
        out.extend(self.observables.iter().map(|o| match *o {
            Observable::Reg(reg) => code(state.regs[reg]),
            Observable::Cell(mm, va, cell) => state.read(mm, va, cell).unwrap_or(SEGV),
            Observable::File(file, cell) => self.file_cell_of(state, file, cell),
            Observable::Killed(task) => u8::from(state.killed >> task & 1 == 1),
            Observable::Fact(fact) => u8::from(self.holds(state, fact)),
        }));
    }

    /// What a file holds: what was written to its page-cache page, if anything ever was, which is never right; else what
    /// transfers left.
    fn file_cell_of(&self, state: &State, file: FileId, cell: Cell) -> u8 {
        let start = self.files[file.at()][cell.at()];
        let cached = self.page_cache[file.at()].map(|pfn| state.frames[pfn.at()][cell.at()]);
        cached
            .filter(|&value| value != start)
            .unwrap_or(state.files[file.at()][cell.at()])
    }

    fn holds(&self, state: &State, fact: Fact) -> bool {
        let pte = |mm: MmId, va: Va| state.m.ptes[mm.at()][va.at()];
        let mapped = |mm: MmId, va: Va| pte(mm, va).present().map(|e| e.pfn);
        match fact {
            Fact::Swapped(mm, va) => pte(mm, va).swap().is_some(),
            Fact::Present(mm, va) => pte(mm, va).present().is_some(),
            Fact::Writable(mm, va) => pte(mm, va).present().is_some_and(|e| e.write),
            Fact::SoftDirty(mm, va) => crate::system::pagemap(&state.m, mm, va),
            Fact::Copied(mm, va) => {
                mapped(mm, va).is_some() && mapped(mm, va) != state.start[mm.at()][va.at()]
            }
            Fact::Merged(mm, va) => {
                mapped(mm, va).is_some_and(|pfn| state.m.frames[pfn.at()].ksm())
            }
            Fact::Trapped(mm, va) => state.trapped >> (mm.0 * 4 + va.0) & 1 == 1,
            Fact::Same(a, b) => mapped(a.0, a.1).is_some() && mapped(a.0, a.1) == mapped(b.0, b.1),
            Fact::Refused(bit) => state.refused >> bit & 1 == 1,
            Fact::Alarm(bits) => state.alarms & bits != 0,
        }
    }

    /// Does the condition's proposition hold of an outcome?
    pub fn satisfies(&self, prop: &Prop, outcome: &[u8]) -> bool {
        let all_known = self.decide(prop, &|at| Some(outcome[at]));
        all_known == Some(true)
    }

    /// The same where not every byte is known, by Kleene's logic. None: what is known does not decide it.
    pub fn decide(&self, prop: &Prop, byte: &impl Fn(usize) -> Option<u8>) -> Option<bool> {
        let any = |props: &[Prop], wanted: bool| {
            let mut decided = Some(!wanted);
            for prop in props {
                match self.decide(prop, byte) {
                    Some(is) if is == wanted => return Some(wanted),
                    Some(_) => {}
                    None => decided = None,
                }
            }
            decided
        };
        match prop {
            Prop::True => Some(true),
            Prop::False => Some(false),
            Prop::Not(p) => self.decide(p, byte).map(|is| !is),
            Prop::And(ps) => any(ps, false),
            Prop::Or(ps) => any(ps, true),
            Prop::Implies(p, q) => match (self.decide(p, byte), self.decide(q, byte)) {
                (Some(false), _) | (_, Some(true)) => Some(true),
                (Some(true), Some(false)) => Some(false),
                _ => None,
            },
            Prop::Atom(atom) => self.atom(&atom.kind, byte),
        }
    }

    fn atom(&self, atom: &AtomKind, byte: &impl Fn(usize) -> Option<u8>) -> Option<bool> {
        let Some(observable) = self.observable_of(atom) else {
            return Some(false);
        };
        let at = self.observables.iter().position(|&o| o == observable);
        let byte = match at {
            Some(at) => byte(at)?,
            None => 0,
        };
        Some(match atom {
            AtomKind::Compare {
                comparison, value, ..
            } => {
                let equal = match value {
                    Expected::Number(n) => byte == *n,
                    Expected::Errno(errno) => byte == code(Val::Failed(errno_of(*errno))),
                };
                equal == (*comparison == Comparison::Equal)
            }
            AtomKind::Ended { comparison, .. } => (byte == 1) == (*comparison == Comparison::Equal),
            _ => byte == 1,
        })
    }

    /// What an atom looks at.
    pub fn observable_of(&self, atom: &AtomKind) -> Option<Observable> {
        let fact = |f| Some(Observable::Fact(f));
        match atom {
            AtomKind::Compare { location, .. } => self.location(location),
            AtomKind::Ended { thread, .. } => Some(Observable::Killed(thread.index())),
            AtomKind::Swapped(a) => fact(Fact::Swapped(mm(a), va(a))),
            AtomKind::Present(a) => fact(Fact::Present(mm(a), va(a))),
            AtomKind::Writable(a) => fact(Fact::Writable(mm(a), va(a))),
            AtomKind::SoftDirty(a) => fact(Fact::SoftDirty(mm(a), va(a))),
            AtomKind::Copied(a) => fact(Fact::Copied(mm(a), va(a))),
            AtomKind::Merged(a) => fact(Fact::Merged(mm(a), va(a))),
            AtomKind::Trapped(a) => fact(Fact::Trapped(mm(a), va(a))),
            AtomKind::Same(a, b) => fact(Fact::Same((mm(a), va(a)), (mm(b), va(b)))),
            AtomKind::Refused(name) => self
                .refusals
                .iter()
                .position(|n| n == name)
                .and_then(|bit| fact(Fact::Refused(bit))),
            AtomKind::Violates(kind) => fact(Fact::Alarm(crate::spec::kind_bits(*kind))),
            AtomKind::Hazard(n) => fact(Fact::Alarm(crate::spec::hazard_bits(*n))),
        }
    }

    /// What a location is.
    pub fn location(&self, location: &Location) -> Option<Observable> {
        let reg = |thread, what| {
            self.regs
                .iter()
                .position(|r| *r == RegName { thread, what })
                .map(Observable::Reg)
        };
        match *location {
            Location::Reg { thread, reg: r } => reg(thread, RegKind::Reg(r)),
            Location::Handle { thread, handle } => reg(thread, RegKind::Handle(handle)),
            Location::Cell(c) => Some(Observable::Cell(
                MmId(c.process.0),
                Va(c.page.0),
                Cell(c.cell),
            )),
            Location::File { file, cell } => Some(Observable::File(FileId(file.0), Cell(cell))),
        }
    }

    /// What is seen in a state, as `A:x[0]=0`, in the order of [`Program::observables`].
    pub fn outcome_text(&self, state: &State) -> Vec<String> {
        let mut bytes = Vec::new();
        self.observe(state, &mut bytes);
        self.outcome_names(&bytes)
    }

    /// An outcome, as `A:x[0]=0`.
    pub fn outcome_names(&self, bytes: &[u8]) -> Vec<String> {
        self.observables
            .iter()
            .zip(bytes)
            .map(|(&o, &byte)| self.named(o, byte))
            .collect()
    }

    fn named(&self, o: Observable, byte: u8) -> String {
        let n = &self.names;
        let at = |mm: MmId, va: Va| format!("{}:{}", n.processes[mm.at()], n.pages[va.at()]);
        let value = match self.seen(o, byte) {
            Seen::Segv => "SEGV".into(),
            Seen::Val(Val::Unset) => "?".into(),
            Seen::Val(Val::Number(v)) => crate::diff::value(v),
            Seen::Val(Val::Failed(errno)) => errno_name(errno).into(),
        };
        let fact = |name: String| if byte == 1 { name } else { format!("~{name}") };
        match o {
            Observable::Reg(reg) => {
                let RegName { thread, what } = self.regs[reg];
                let task = &self.tasks[thread.index()].name;
                match what {
                    RegKind::Reg(r) => format!("{task}:r{}={value}", r.0),
                    RegKind::Handle(h) => {
                        format!("{task}:{}={value}", n.handles[thread.index()][h.index()])
                    }
                }
            }
            Observable::Cell(mm, va, cell) => format!("{}[{}]={value}", at(mm, va), cell.0),
            Observable::File(file, cell) => format!("{}[{}]={value}", n.files[file.at()], cell.0),
            Observable::Killed(task) => {
                let name = &self.tasks[task].name;
                if byte == 1 {
                    format!("{name}=SEGV")
                } else {
                    format!("{name}!=SEGV")
                }
            }
            Observable::Fact(f) => fact(match f {
                Fact::Swapped(mm, va) => format!("swapped({})", at(mm, va)),
                Fact::Present(mm, va) => format!("present({})", at(mm, va)),
                Fact::Writable(mm, va) => format!("writable({})", at(mm, va)),
                Fact::SoftDirty(mm, va) => format!("softdirty({})", at(mm, va)),
                Fact::Copied(mm, va) => format!("copied({})", at(mm, va)),
                Fact::Merged(mm, va) => format!("merged({})", at(mm, va)),
                Fact::Trapped(mm, va) => format!("trapped({})", at(mm, va)),
                Fact::Same(a, b) => format!("same({}, {})", at(a.0, a.1), at(b.0, b.1)),
                Fact::Refused(bit) => format!("refused({})", self.refusals[bit]),
                Fact::Alarm(bits) => crate::spec::describe_bits(bits),
            }),
        }
    }

    /// What one byte of an outcome says.
    pub fn seen(&self, observable: Observable, byte: u8) -> Seen {
        match observable {
            Observable::Cell(..) if byte == SEGV => Seen::Segv,
            Observable::Reg(_) => Seen::Val(decode(byte)),
            _ => Seen::Val(Val::Number(byte)),
        }
    }
}

fn mm(a: &Address) -> MmId {
    MmId(a.process.0)
}

fn va(a: &Address) -> Va {
    Va(a.page.0)
}

const ERRNOS: [(ast::Errno, Errno); 9] = [
    (ast::Errno::Efault, Errno::Efault),
    (ast::Errno::Enomem, Errno::Enomem),
    (ast::Errno::Ebusy, Errno::Ebusy),
    (ast::Errno::Eagain, Errno::Eagain),
    (ast::Errno::Einval, Errno::Einval),
    (ast::Errno::Ebadf, Errno::Ebadf),
    (ast::Errno::Eexist, Errno::Eexist),
    (ast::Errno::Enoent, Errno::Enoent),
    (ast::Errno::Eio, Errno::Eio),
];

/// The mm's error of this name. One that the mm never gives equals none.
fn errno_of(errno: ast::Errno) -> Errno {
    ERRNOS
        .iter()
        .find(|(a, _)| *a == errno)
        .map_or(Errno::Segv, |&(_, e)| e)
}

/// The name of an error.
pub fn errno_name(errno: Errno) -> &'static str {
    ERRNOS
        .iter()
        .find(|(_, e)| *e == errno)
        .map_or("SEGV", |(a, _)| a.word())
}

/// A register's value as a byte of an outcome.
pub fn code(val: Val) -> u8 {
    match val {
        Val::Unset => 255,
        Val::Number(n) => n,
        Val::Failed(errno) => 100 + errno as u8,
    }
}

fn decode(byte: u8) -> Val {
    match byte {
        255 => Val::Unset,
        0..=99 => Val::Number(byte),
        _ => {
            let errno = ERRNOS
                .iter()
                .map(|&(_, e)| e)
                .find(|&e| 100 + e as u8 == byte);
            Val::Failed(errno.unwrap_or(Errno::Segv))
        }
    }
}
