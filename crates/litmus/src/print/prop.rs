//! Conditions as text.

use std::fmt;

use super::Shown;
use crate::ast::{
    Address, Atom, AtomKind, Comparison, Condition, Expected, Location, Prop, ShownLocation,
};

impl fmt::Display for Shown<'_, Condition> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({})",
            self.item.quantifier,
            self.test.show(&self.item.prop)
        )
    }
}

/// How tightly a connective binds.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Level {
    Implies,
    Or,
    And,
    Not,
}

fn level(prop: &Prop) -> Level {
    match prop {
        Prop::Implies(..) => Level::Implies,
        Prop::Or(_) => Level::Or,
        Prop::And(_) => Level::And,
        Prop::True | Prop::False | Prop::Atom(_) | Prop::Not(_) => Level::Not,
    }
}

impl Shown<'_, Prop> {
    /// In parentheses where it binds less tightly than `least`.
    fn at_least(&self, f: &mut fmt::Formatter<'_>, prop: &Prop, least: Level) -> fmt::Result {
        let shown = self.test.show(prop);
        if level(prop) < least {
            write!(f, "({shown})")
        } else {
            write!(f, "{shown}")
        }
    }

    fn joined(
        &self,
        f: &mut fmt::Formatter<'_>,
        props: &[Prop],
        connective: &str,
        least: Level,
    ) -> fmt::Result {
        for (at, prop) in props.iter().enumerate() {
            if at > 0 {
                write!(f, " {connective} ")?;
            }
            self.at_least(f, prop, least)?;
        }
        Ok(())
    }
}

impl fmt::Display for Shown<'_, Prop> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.item {
            Prop::True => f.write_str("true"),
            Prop::False => f.write_str("false"),
            Prop::Atom(atom) => write!(f, "{}", self.test.show(atom)),
            Prop::Not(p) => {
                f.write_str("~")?;
                match **p {
                    // Parentheses that change nothing, and keep `~P0:r0=1` from being read as `(~P0:r0)=1`.
                    Prop::Atom(Atom {
                        kind: AtomKind::Compare { .. } | AtomKind::Ended { .. },
                        ..
                    }) => {
                        write!(f, "({})", self.test.show(&**p))
                    }
                    _ => self.at_least(f, p, Level::Not),
                }
            }
            Prop::And(ps) => self.joined(f, ps, "/\\", Level::Not),
            Prop::Or(ps) => self.joined(f, ps, "\\/", Level::And),
            Prop::Implies(p, q) => {
                self.at_least(f, p, Level::Or)?;
                f.write_str(" => ")?;
                self.at_least(f, q, Level::Implies)
            }
        }
    }
}

impl fmt::Display for Shown<'_, Atom> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |address: &Address| self.test.show(address).to_string();
        match &self.item.kind {
            AtomKind::Compare {
                location,
                comparison,
                value,
            } => {
                write!(f, "{}{comparison}{value}", self.test.show(location))
            }
            AtomKind::Ended {
                thread,
                comparison,
                ending,
            } => {
                write!(f, "{}{comparison}{ending}", self.test.thread_name(*thread))
            }
            AtomKind::Swapped(address) => write!(f, "swapped({})", at(address)),
            AtomKind::Present(address) => write!(f, "present({})", at(address)),
            AtomKind::Writable(address) => write!(f, "writable({})", at(address)),
            AtomKind::SoftDirty(address) => write!(f, "softdirty({})", at(address)),
            AtomKind::Copied(address) => write!(f, "copied({})", at(address)),
            AtomKind::Merged(address) => write!(f, "merged({})", at(address)),
            AtomKind::Trapped(address) => write!(f, "trapped({})", at(address)),
            AtomKind::Same(first, second) => write!(f, "same({}, {})", at(first), at(second)),
            AtomKind::Refused(name) => write!(f, "refused({name})"),
            AtomKind::Violates(None) => f.write_str("violates"),
            AtomKind::Violates(Some(kind)) => write!(f, "violates({kind})"),
            AtomKind::Hazard(None) => f.write_str("hazard"),
            AtomKind::Hazard(Some(number)) => write!(f, "hazard(H{number})"),
        }
    }
}

impl fmt::Display for Shown<'_, Address> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address(self.item.process, self.page(self.item.page)))
    }
}

impl fmt::Display for Shown<'_, ShownLocation> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.test.show(&self.item.location))
    }
}

impl fmt::Display for Shown<'_, Location> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.item {
            Location::Reg { thread, reg } => {
                write!(f, "{}:r{}", self.test.thread_name(*thread), reg.0)
            }
            Location::Handle { thread, handle } => {
                let name = &self.test.threads[thread.index()].handles[handle.index()].name;
                write!(f, "{}:{name}", self.test.thread_name(*thread))
            }
            Location::Cell(at) => {
                f.write_str(&self.address(at.process, &self.cell(at.page, at.cell)))
            }
            Location::File { file, cell } => {
                let declared = &self.test.files[file.index()];
                match declared.values.len() {
                    1 => f.write_str(&declared.name),
                    _ => write!(f, "{}[{cell}]", declared.name),
                }
            }
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "!=",
        })
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Number(number) => write!(f, "{number}"),
            Expected::Errno(errno) => write!(f, "{errno}"),
        }
    }
}
