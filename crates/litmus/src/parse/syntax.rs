//! The shape of a test as written: names are text, nothing is checked. Private to the crate; see [`crate::ast`] for what comes out.

use crate::Span;
use crate::ast::{Comparison, Heat, Quantifier};

/// A name or word where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'t> {
    pub(crate) text: &'t str,
    pub(crate) span: Span,
}

/// A number where it stands; one too large for the type is the largest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number {
    pub(crate) value: u64,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) struct RawTest<'t> {
    pub(crate) name: Name<'t>,
    pub(crate) decls: Vec<Decl<'t>>,
    pub(crate) blocks: Vec<Block<'t>>,
    pub(crate) locations: Vec<RawAtom<'t>>,
    pub(crate) condition: Option<RawCondition<'t>>,
    /// Where the comments with the documentation end: the first `{` or thread.
    pub(crate) head_end: usize,
}

#[derive(Debug)]
pub(crate) struct Decl<'t> {
    pub(crate) kind: DeclKind<'t>,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum DeclKind<'t> {
    /// `anon x[2] = { 1, 2 } clean;` or, with `of`, `private m[2] of f mapped;`
    Page {
        name: Name<'t>,
        cells: Option<Number>,
        of: Option<Name<'t>>,
        values: Option<Values>,
        attributes: Vec<RawAttribute<'t>>,
    },
    File {
        name: Name<'t>,
        cells: Option<Number>,
        on: Option<Name<'t>>,
        values: Values,
    },
    Pipe {
        name: Name<'t>,
    },
    Process {
        name: Name<'t>,
        parent: Option<Name<'t>>,
    },
    Swap {
        words: Vec<SwapWord<'t>>,
    },
    Tlb {
        heat: Heat,
        thread: Option<Name<'t>>,
        pages: Vec<Name<'t>>,
    },
    Fail {
        words: Vec<Name<'t>>,
    },
    Frames {
        number: Number,
    },
    /// Did not parse; the name, where that much was read, so that its uses are not reported as well.
    Broken {
        name: Option<Name<'t>>,
    },
}

/// `{ 1, 2 }`, or `1` alone.
#[derive(Debug)]
pub(crate) struct Values {
    pub(crate) numbers: Vec<Number>,
    pub(crate) span: Span,
}

/// `clean`, `batch(P0)`, `in B`, `ksm with y`
#[derive(Debug)]
pub(crate) struct RawAttribute<'t> {
    pub(crate) word: Name<'t>,
    pub(crate) arguments: Vec<Name<'t>>,
    pub(crate) span: Span,
}

/// `async`, `slots 2`
#[derive(Debug)]
pub(crate) struct SwapWord<'t> {
    pub(crate) word: Name<'t>,
    pub(crate) number: Option<Number>,
}

#[derive(Debug)]
pub(crate) struct Block<'t> {
    pub(crate) head: Head<'t>,
    /// The head alone: `P1 in B`, `kernel*2`.
    pub(crate) span: Span,
    pub(crate) body: Body<'t>,
}

#[derive(Debug)]
pub(crate) enum Head<'t> {
    Thread {
        name: Name<'t>,
        process: Option<Name<'t>>,
    },
    Kernel {
        copies: Option<Number>,
    },
}

/// `{ stmt; stmt; }`
#[derive(Debug, Default)]
pub(crate) struct Body<'t> {
    pub(crate) stmts: Vec<RawStmt<'t>>,
    /// With the braces.
    pub(crate) span: Span,
    /// Did some statement not parse? Then what is used and never set is not reported.
    pub(crate) broken: bool,
}

/// `CALL`, `TARGET = CALL`, `TARGET = OPERAND`
#[derive(Debug)]
pub(crate) struct RawStmt<'t> {
    pub(crate) target: Option<RawPlace<'t>>,
    pub(crate) source: RawSource<'t>,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum RawSource<'t> {
    Call(RawCall<'t>),
    Operand(RawArgument<'t>),
}

#[derive(Debug)]
pub(crate) struct RawCall<'t> {
    pub(crate) name: Name<'t>,
    pub(crate) arguments: Vec<RawArgument<'t>>,
    /// The closing parenthesis, where a missing argument should stand.
    pub(crate) end: Span,
    /// Of a `fork`.
    pub(crate) body: Option<Body<'t>>,
    pub(crate) span: Span,
}

/// `x`, `x[1]`, `B:x`, `B:x[1]`
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawPlace<'t> {
    pub(crate) process: Option<Name<'t>>,
    pub(crate) name: Name<'t>,
    pub(crate) cell: Option<Number>,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum RawArgument<'t> {
    Place(RawPlace<'t>),
    Number(Number),
    /// `{ 3, r0 }`
    List {
        items: Vec<RawArgument<'t>>,
        span: Span,
    },
}

impl RawArgument<'_> {
    pub(crate) fn span(&self) -> Span {
        match self {
            RawArgument::Place(place) => place.span,
            RawArgument::Number(number) => number.span,
            RawArgument::List { span, .. } => *span,
        }
    }
}

#[derive(Debug)]
pub(crate) struct RawCondition<'t> {
    pub(crate) quantifier: Quantifier,
    pub(crate) prop: RawProp<'t>,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum RawProp<'t> {
    True,
    False,
    Atom(RawAtom<'t>),
    Not(Box<RawProp<'t>>),
    And(Vec<RawProp<'t>>),
    Or(Vec<RawProp<'t>>),
    Implies(Box<RawProp<'t>>, Box<RawProp<'t>>),
}

/// `P0:r1=5`, `A:x[0]!=0`, `P0=SEGV`, `same(A:x, B:x)`, `violates(lost-write)`; in `locations`, without the comparison.
#[derive(Debug)]
pub(crate) struct RawAtom<'t> {
    /// `P0:`, `0:`, `A:`
    pub(crate) owner: Option<Name<'t>>,
    pub(crate) name: Name<'t>,
    pub(crate) cell: Option<Number>,
    pub(crate) arguments: Option<Vec<RawPlace<'t>>>,
    pub(crate) comparison: Option<(Comparison, RawExpected<'t>)>,
    pub(crate) span: Span,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum RawExpected<'t> {
    Number(Number),
    Word(Name<'t>),
}
