//! A program as its lines, which may be taken away one by one.

use std::fmt;

/// A test that is being made, or made smaller.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// Declarations.
    pub decls: Vec<String>,
    /// Attributes of the variable `x`.
    pub attributes: Vec<String>,
    /// What declares `x`, without its attributes.
    pub x: String,
    /// The threads: what each begins with (`P0 in A`), and its statements.
    pub threads: Vec<(String, Vec<Line>)>,
    /// The kernel's actors.
    pub kernel: Vec<Vec<Line>>,
    /// What is looked at, and the condition.
    pub condition: String,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// Without its `;`.
    Plain(String),
    /// A fork: the child, and its statements.
    Fork(String, Vec<Line>),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Plain(text) => write!(f, "{text}; "),
            Line::Fork(child, body) => {
                write!(f, "fork({child}) {{ ")?;
                body.iter().try_for_each(|line| line.fmt(f))?;
                f.write_str("} ")
            }
        }
    }
}

impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "MM random\n{{")?;
        for decl in &self.decls {
            writeln!(f, "    {decl};")?;
        }
        writeln!(f, "    {} {};\n}}", self.x, self.attributes.join(", "))?;
        for (head, lines) in &self.threads {
            write!(f, "{head} {{ ")?;
            lines.iter().try_for_each(|line| line.fmt(f))?;
            writeln!(f, "}}")?;
        }
        for lines in &self.kernel {
            write!(f, "kernel {{ ")?;
            lines.iter().try_for_each(|line| line.fmt(f))?;
            writeln!(f, "}}")?;
        }
        writeln!(f, "{}", self.condition)
    }
}
