//! The condition of a test as a C expression over what can be seen.

use cowherd_litmus::ast::{
    Address, AtomKind, Comparison, Ending, Expected, Location, Prop, Test, ThreadId,
};

use super::statement::actor_name;
use super::substitute::{Refusal, refuse};

/// A proposition in C.
pub fn prop(test: &Test, p: &Prop) -> Result<String, Refusal> {
    let all = |ps: &[Prop], with: &str| -> Result<String, Refusal> {
        let parts: Result<Vec<String>, Refusal> = ps.iter().map(|p| prop(test, p)).collect();
        Ok(format!("({})", parts?.join(with)))
    };
    Ok(match p {
        Prop::True => "1".into(),
        Prop::False => "0".into(),
        Prop::Atom(a) => atom(test, &a.kind)?,
        Prop::Not(p) => format!("!({})", prop(test, p)?),
        Prop::And(ps) => all(ps, " && ")?,
        Prop::Or(ps) => all(ps, " || ")?,
        Prop::Implies(p, q) => format!("(!({}) || {})", prop(test, p)?, prop(test, q)?),
    })
}

fn atom(test: &Test, kind: &AtomKind) -> Result<String, Refusal> {
    let is = |comparison: &Comparison| match comparison {
        Comparison::Equal => "==",
        Comparison::NotEqual => "!=",
    };
    Ok(match kind {
        AtomKind::Compare {
            location: what,
            comparison,
            value,
        } => {
            let value = match value {
                Expected::Number(n) => n.to_string(),
                Expected::Errno(errno) => format!("-{errno}"),
            };
            format!("{} {} {value}", location(test, what), is(comparison))
        }
        AtomKind::Ended {
            thread,
            comparison,
            ending,
        } => {
            let signal = match ending {
                Ending::Segv => "SIGSEGV",
                Ending::Bus => "SIGBUS",
                Ending::Oom => return refuse("running out of memory cannot be provoked"),
            };
            format!(
                "sh->died[{}] {} {signal}",
                actor_name(test, *thread),
                is(comparison)
            )
        }
        AtomKind::Swapped(at) => seen(test, "swapped", at),
        AtomKind::Present(at) => seen(test, "present", at),
        AtomKind::SoftDirty(at) => seen(test, "soft_dirty", at),
        AtomKind::Same(a, b) => format!("{} == {}", seen(test, "pfn", a), seen(test, "pfn", b)),
        AtomKind::Copied(at) => {
            format!("{} != sh->first[{}]", seen(test, "pfn", at), at.page.0)
        }
        // Said of the model's run, not of what is seen.
        AtomKind::Hazard(_) => "1 /* a documented hazard */".into(),
        AtomKind::Writable(_) => return refuse("whether a PTE is writable cannot be seen"),
        AtomKind::Merged(_) => return refuse("KSM is not run"),
        AtomKind::Trapped(_) => return refuse("faults that userfaultfd delivers are not read"),
        AtomKind::Refused(name) => return refuse(format!("whether {name} gave up cannot be seen")),
        AtomKind::Violates(_) => return refuse("a broken promise as such cannot be seen"),
    })
}

fn seen(test: &Test, how: &str, at: &Address) -> String {
    let process = &test.processes[at.process.index()].name;
    let page = &test.pages[at.page.index()].name;
    format!("{how}(sh->pid[{process}], {page})")
}

/// The expression for a location's value.
pub fn location(test: &Test, location: &Location) -> String {
    let thread = |thread: ThreadId| test.thread_name(thread);
    match location {
        Location::Reg { thread: t, reg } => format!("sh->{}_r{}", thread(*t), reg.0),
        Location::Handle { thread: t, handle } => {
            let name = &test.threads[t.index()].handles[handle.index()].name;
            format!("sh->{}_{name}", thread(*t))
        }
        Location::Cell(at) => {
            let process = &test.processes[at.process.index()].name;
            let page = &test.pages[at.page.index()].name;
            format!("peek(sh->pid[{process}], {page} + {} * SECTOR)", at.cell)
        }
        Location::File { file, cell } => format!("sh->file[{}][{cell} * SECTOR]", file.0),
    }
}

/// Does the condition ask whether a page was copied?
pub fn asks_copied(test: &Test) -> bool {
    let mut asks = false;
    test.condition
        .prop
        .atoms(&mut |atom| asks |= matches!(atom.kind, AtomKind::Copied(_)));
    asks
}

/// The locations that the condition names, and those that are shown.
pub fn locations(test: &Test) -> Vec<Location> {
    let mut all: Vec<Location> = Vec::new();
    test.condition.prop.atoms(&mut |atom| {
        if let AtomKind::Compare { location, .. } = atom.kind {
            all.push(location);
        }
    });
    all.extend(test.locations.iter().map(|shown| shown.location));
    let mut unique = Vec::new();
    for location in all {
        if !unique.contains(&location) {
            unique.push(location);
        }
    }
    unique
}
