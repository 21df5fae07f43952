//! The condition: what is asked of the final states.

use super::stmt::{Address, AddressCell};
use super::words::{Ending, Errno, Kind, Quantifier};
use super::{FileId, HandleId, Reg, ThreadId};
use crate::Span;

/// `exists (...)`, `~exists (...)` or `forall (...)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Condition {
    /// Which of them.
    pub quantifier: Quantifier,
    /// What is asked of a state.
    pub prop: Prop,
    /// The whole condition.
    pub span: Span,
}

/// A proposition about one final state.
///
/// As parsed, `And` and `Or` have at least two members and none of their own kind: parentheses that change nothing leave no trace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Prop {
    /// Always holds.
    True,
    /// Never holds.
    False,
    /// One fact.
    Atom(Atom),
    /// `~p`
    Not(Box<Prop>),
    /// `p /\ q`
    And(Vec<Prop>),
    /// `p \/ q`
    Or(Vec<Prop>),
    /// `p => q`, to the right: `p => (q => r)`
    Implies(Box<Prop>, Box<Prop>),
}

impl Prop {
    /// Calls `each` with every atom, from left to right.
    pub fn atoms<'p>(&'p self, each: &mut impl FnMut(&'p Atom)) {
        match self {
            Prop::True | Prop::False => {}
            Prop::Atom(atom) => each(atom),
            Prop::Not(p) => p.atoms(each),
            Prop::And(ps) | Prop::Or(ps) => ps.iter().for_each(|p| p.atoms(each)),
            Prop::Implies(p, q) => {
                p.atoms(each);
                q.atoms(each);
            }
        }
    }
}

/// One fact about a final state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Atom {
    /// The fact.
    pub kind: AtomKind,
    /// Where it is asked for.
    pub span: Span,
}

/// The facts that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AtomKind {
    /// `P0:r1=5`, `A:x[0]!=0`, `f[0]=7`
    Compare {
        /// What is looked at.
        location: Location,
        /// `=` or `!=`.
        comparison: Comparison,
        /// What it is compared with.
        value: Expected,
    },
    /// `P0=SEGV`: a fault ended the thread so; `P0!=SEGV`: it did not.
    Ended {
        /// The thread.
        thread: ThreadId,
        /// `=` or `!=`.
        comparison: Comparison,
        /// How.
        ending: Ending,
    },
    /// `swapped(A:x)`: the PTE is a swap entry.
    Swapped(Address),
    /// `present(A:x)`: the PTE is present.
    Present(Address),
    /// `writable(A:x)`: the PTE is present and writable.
    Writable(Address),
    /// `softdirty(A:x)`: pagemap says soft-dirty.
    SoftDirty(Address),
    /// `copied(A:x)`: not the frame of the start.
    Copied(Address),
    /// `merged(A:x)`: a KSM page.
    Merged(Address),
    /// `trapped(A:x)`: a userfaultfd fault was delivered.
    Trapped(Address),
    /// `same(A:x, B:x)`: one frame, present in both.
    Same(Address, Address),
    /// `refused(reclaim)`: some activity or call of this name gave up. The name is that of [`Call::name`](super::Call::name) or
    /// [`Activity::name`](super::Activity::name), and the test has such a one.
    Refused(&'static str),
    /// `violates(lost-write)`: the specification was broken in this kind; `violates`: in any.
    Violates(Option<Kind>),
    /// `hazard(H1)`: this documented hazard was met; `hazard`: any was. From 1.
    Hazard(Option<u8>),
}

/// Something that has a value in a final state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// `P0:r1`
    Reg {
        /// The thread.
        thread: ThreadId,
        /// The register.
        reg: Reg,
    },
    /// `P0:h0`: the result of the call that made the handle.
    Handle {
        /// The thread.
        thread: ThreadId,
        /// The handle.
        handle: HandleId,
    },
    /// `A:x[0]`: what a fresh load would give once all is done.
    Cell(AddressCell),
    /// `f[0]`: what the file holds.
    File {
        /// The file.
        file: FileId,
        /// The cell.
        cell: u8,
    },
}

/// How a location is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
}

/// What a location is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expected {
    /// A number.
    Number(u8),
    /// The call failed so.
    Errno(Errno),
}

/// An entry of `locations [...]`: shown with each final state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ShownLocation {
    /// What is shown.
    pub location: Location,
    /// Where it is asked for.
    pub span: Span,
}
