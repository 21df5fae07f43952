//! A test as checked data: every name is an index, every cell is in range.

mod family;
mod init;
mod names;
mod prop;
mod stmt;
mod words;

pub(crate) use family::{family, has_page, root};
pub use init::{
    Attributes, Contents, File, Heat, Ksm, PageInit, Pipe, Process, Swap, SwapDevice, Tlb, Uffd,
};
pub use prop::{Atom, AtomKind, Comparison, Condition, Expected, Location, Prop, ShownLocation};
pub use stmt::{
    Activity, Address, AddressCell, Call, Cell, Cells, FilePlace, Kernel, KernelStmt, Mode, Place,
    Stmt, Value,
};
pub use words::{
    Advice, Ending, Errno, Failure, FileSystem, Foll, Kind, Prot, Quantifier, UffdMode, Verdict,
};

use crate::Span;

macro_rules! ids {
    ($($(#[$meta:meta])+ $name:ident;)+) => {$(
        $(#[$meta])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u8);

        impl $name {
            /// As an index.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    )+};
}

ids! {
    /// An index into [`Test::processes`]. Process 0 is the default process, `A`.
    ProcessId;
    /// An index into [`Test::threads`].
    ThreadId;
    /// An index into [`Test::pages`].
    PageId;
    /// An index into [`Test::files`].
    FileId;
    /// An index into [`Test::pipes`].
    PipeId;
    /// An index into [`Thread::handles`] of the thread that names it.
    HandleId;
    /// The number of a register: `r3` is `Reg(3)`.
    Reg;
}

/// A litmus test.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Test {
    /// The name, after `MM`.
    pub name: String,
    /// The comments after the name, without `Result:` lines and without decoration.
    pub doc: String,
    /// The expected results.
    pub results: Vec<Clause>,
    /// The processes, those that a `fork` makes among them. At least one: the default process.
    pub processes: Vec<Process>,
    /// The variables.
    pub pages: Vec<PageInit>,
    /// The files.
    pub files: Vec<File>,
    /// The pipes.
    pub pipes: Vec<Pipe>,
    /// The swap device.
    pub swap: Swap,
    /// What TLBs hold at the start.
    pub tlb: Vec<Tlb>,
    /// The failures that may happen, in ascending order, each once.
    pub failures: Vec<Failure>,
    /// Number of frames beyond which an allocation fails; `None`: enough.
    pub frames: Option<u8>,
    /// The threads: `P0`, `P1`, ... as they stand in the text, then the blocks of `fork`.
    pub threads: Vec<Thread>,
    /// The `kernel` blocks.
    pub kernel: Vec<Kernel>,
    /// What is shown with each final state, besides what the condition names.
    pub locations: Vec<ShownLocation>,
    /// The condition.
    pub condition: Condition,
}

/// A sequence of statements with a CPU of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Thread {
    /// The number of `P0`; `None` for the block of a `fork`, which goes by the name of its process.
    pub number: Option<u8>,
    /// Whose address space it runs in.
    pub process: ProcessId,
    /// When it starts.
    pub start: Start,
    /// What it does.
    pub stmts: Vec<Stmt>,
    /// The registers that it sets, in ascending order.
    pub registers: Vec<Reg>,
    /// The handles that it makes, in the order of making.
    pub handles: Vec<Handle>,
    /// The head of the thread.
    pub span: Span,
}

/// When a thread starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Start {
    /// At once: its process exists from the start.
    AtOnce,
    /// It is the block of a `fork`.
    Fork {
        /// The thread that forks.
        by: ThreadId,
        /// The `fork` among the forking thread's statements.
        stmt: usize,
    },
    /// `P2 in B { ... }`, B made by a `fork`: as soon as B exists.
    WithProcess,
}

/// What an asynchronous or holding call gives; it belongs to one thread.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Handle {
    /// The name.
    pub name: String,
    /// What made it.
    pub kind: HandleKind,
    /// The page that it is about.
    pub page: PageId,
    /// The name where it is made.
    pub span: Span,
}

/// What a handle is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HandleKind {
    /// `read_submit`, `write_submit`: to wait for.
    Io,
    /// `register_buffer`: to do fixed I/O with.
    Buffer,
    /// `get`, `pin`: to access memory through.
    Holder,
}

/// One clause of the `Result:` lines.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Clause {
    /// For which kernels.
    pub range: Range,
    /// What is expected.
    pub verdict: Verdict,
    /// The clause.
    pub span: Span,
}

/// Which kernels a clause speaks of. What a profile's text means is the model's business; both ends are included.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Range {
    /// Every mainline release: `..`, or nothing.
    All,
    /// `v5.18+swp_exclusive`
    One(Profile),
    /// `v5.9..v5.18`
    FromTo(Profile, Profile),
    /// `v5.19..`
    From(Profile),
    /// `..v5.8`
    To(Profile),
}

/// A profile expression, as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Profile {
    /// The text.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}
