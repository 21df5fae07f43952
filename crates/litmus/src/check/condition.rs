//! The condition and `locations`: everything they ask for must exist.

use std::collections::BTreeSet;

use super::args::one_cell;
use super::init::unknown_word;
use super::scope::{Reach, Scope, Thing, is_register, register_number};
use super::stmts::ThreadScope;
use crate::ast::{
    Address, AddressCell, Atom, AtomKind, Comparison, Condition, Ending, Errno, Expected, Kind,
    Location, ProcessId, Prop, Reg, ShownLocation, ThreadId,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::parse::syntax::{
    Body, Name, RawAtom, RawExpected, RawPlace, RawProp, RawSource, RawTest,
};
use crate::reference::{ACTIVITIES, ATOMS, CALLS, HAZARDS};
use crate::suggest::{did_you_mean, nearest};

/// Checks both; nothing where the test has no condition.
pub(super) fn check<'t>(
    scope: &mut Scope<'t>,
    threads: &mut [ThreadScope<'t>],
    raw: &RawTest<'t>,
) -> Option<(Condition, Vec<ShownLocation>)> {
    let mut named = BTreeSet::new();
    let mut broken = false;
    for block in &raw.blocks {
        broken |= names(&block.body, &mut named);
    }
    let mut checker = Checker {
        scope,
        threads,
        named,
        broken,
    };
    let mut locations = Vec::new();
    for shown in &raw.locations {
        if let Some(location) = checker.shown(shown) {
            locations.push(ShownLocation {
                location,
                span: shown.span,
            });
        }
    }
    let raw = raw.condition.as_ref()?;
    let prop = checker.prop(&raw.prop);
    Some((
        Condition {
            quantifier: raw.quantifier,
            prop,
            span: raw.span,
        },
        locations,
    ))
}

/// Collects the names of calls; was some statement not parsed?
fn names<'t>(body: &Body<'t>, named: &mut BTreeSet<&'t str>) -> bool {
    let mut broken = body.broken;
    for stmt in &body.stmts {
        let RawSource::Call(call) = &stmt.source else {
            continue;
        };
        named.insert(call.name.text);
        broken |= call.body.as_ref().is_some_and(|body| names(body, named));
    }
    broken
}

struct Checker<'c, 't> {
    scope: &'c mut Scope<'t>,
    threads: &'c mut [ThreadScope<'t>],
    /// The calls and activities of the test, those that were refused among them.
    named: BTreeSet<&'t str>,
    /// Some statement did not parse, so `named` may lack something.
    broken: bool,
}

impl<'t> Checker<'_, 't> {
    /// An atom that was refused becomes `true`; the test is refused anyway.
    fn prop(&mut self, raw: &RawProp<'t>) -> Prop {
        match raw {
            RawProp::True => Prop::True,
            RawProp::False => Prop::False,
            RawProp::Atom(raw) => match self.atom(raw) {
                Some(kind) => Prop::Atom(Atom {
                    kind,
                    span: raw.span,
                }),
                None => Prop::True,
            },
            RawProp::Not(p) => Prop::Not(Box::new(self.prop(p))),
            RawProp::And(ps) => Prop::And(ps.iter().map(|p| self.prop(p)).collect()),
            RawProp::Or(ps) => Prop::Or(ps.iter().map(|p| self.prop(p)).collect()),
            RawProp::Implies(p, q) => Prop::Implies(Box::new(self.prop(p)), Box::new(self.prop(q))),
        }
    }

    fn atom(&mut self, raw: &RawAtom<'t>) -> Option<AtomKind> {
        let bare_word = matches!(raw.name.text, "violates" | "hazard") && raw.comparison.is_none();
        if let (true, None) = (bare_word, &raw.arguments) {
            return Some(match raw.name.text {
                "violates" => AtomKind::Violates(None),
                _ => AtomKind::Hazard(None),
            });
        }
        if let Some(arguments) = &raw.arguments {
            if let Some((comparison, _)) = &raw.comparison {
                let diagnostic = Diagnostic::new(
                    Code::Expected,
                    raw.span,
                    format!("`{}` holds or does not; it has no value", raw.name.text),
                );
                let negated = if *comparison == Comparison::Equal {
                    ""
                } else {
                    "~"
                };
                let text = raw.name.text;
                return self
                    .scope
                    .none(diagnostic.help(format!("write `{negated}{text}(...)`")));
            }
            return self.call_like(raw, arguments);
        }
        let Some((comparison, expected)) = &raw.comparison else {
            return self.no_comparison(raw);
        };
        if let Some(thread) = self.whole_thread(raw) {
            return self.ended(thread, *comparison, expected);
        }
        let location = self.location(raw)?;
        let value = self.expected(location, expected)?;
        Some(AtomKind::Compare {
            location,
            comparison: *comparison,
            value,
        })
    }

    fn no_comparison<T>(&mut self, raw: &RawAtom<'t>) -> Option<T> {
        let text = raw.name.text;
        let diagnostic = match ATOMS.iter().find(|(atom, _)| *atom == text) {
            Some((_, usage)) => {
                Diagnostic::new(Code::Arguments, raw.span, format!("`{text}` of what?"))
                    .help(format!("as in `{usage}`"))
            }
            None => {
                let mut diagnostic = Diagnostic::new(
                    Code::Expected,
                    raw.span,
                    "expected `=` or `!=` and a value after this",
                );
                if let Some(near) = nearest(text, ["violates", "hazard"]) {
                    diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
                }
                diagnostic
            }
        };
        self.scope.none(diagnostic)
    }

    /// `P0` of `P0=SEGV`, `B` of `B=SEGV`.
    fn whole_thread(&self, raw: &RawAtom<'t>) -> Option<Name<'t>> {
        let capital = raw.name.text.starts_with(|c: char| c.is_ascii_uppercase());
        (raw.owner.is_none() && raw.cell.is_none() && capital).then_some(raw.name)
    }

    fn ended(
        &mut self,
        name: Name<'t>,
        comparison: Comparison,
        expected: &RawExpected<'t>,
    ) -> Option<AtomKind> {
        let thread = self.thread(name)?;
        let words = Ending::ALL.iter().map(|ending| ending.word());
        match expected {
            RawExpected::Word(word) => match Ending::from_word(word.text) {
                Some(ending) => Some(AtomKind::Ended {
                    thread,
                    comparison,
                    ending,
                }),
                None => self
                    .scope
                    .none(unknown_word(*word, "ending of a thread", words)),
            },
            RawExpected::Number(number) => self.scope.none(
                Diagnostic::new(Code::Value, number.span, "a thread has no value").help(format!(
                    "`{0}=SEGV` asks how it ended, `{0}:r0=1` for a register",
                    name.text
                )),
            ),
        }
    }

    fn expected(&mut self, location: Location, expected: &RawExpected<'t>) -> Option<Expected> {
        let word = match expected {
            RawExpected::Number(number) => return self.scope.value(*number).map(Expected::Number),
            RawExpected::Word(word) => word,
        };
        let Some(errno) = Errno::from_word(word.text) else {
            let mut diagnostic = unknown_word(*word, "value", []);
            if Ending::from_word(word.text).is_some() {
                diagnostic = diagnostic.help(format!("a thread ends so: `P0={}`", word.text));
            } else if is_register(word.text) || self.scope.things.contains_key(word.text) {
                diagnostic = diagnostic.help("compare with a number");
            } else {
                let words = Errno::ALL.iter().map(|errno| errno.word());
                diagnostic = diagnostic.maybe_help(did_you_mean(word.text, "errno", words));
            }
            return self.scope.none(diagnostic);
        };
        if matches!(location, Location::Cell(_) | Location::File { .. }) {
            return self.scope.none(
                Diagnostic::new(Code::Value, word.span, "memory and files hold numbers only")
                    .label("an errno is the result of a call, in a register"),
            );
        }
        Some(Expected::Errno(errno))
    }

    /// An entry of `locations`.
    fn shown(&mut self, raw: &RawAtom<'t>) -> Option<Location> {
        if raw.arguments.is_some() || raw.comparison.is_some() {
            return self.scope.none(
                Diagnostic::new(
                    Code::Expected,
                    raw.span,
                    "a location is a register, a cell or a file",
                )
                .help("as in `locations [x[0]; P0:r0]`"),
            );
        }
        self.location(raw)
    }

    /// `P0:r0`, `P0:h0`, `A:x[0]`, `x[0]`, `f[0]`
    fn location(&mut self, raw: &RawAtom<'t>) -> Option<Location> {
        let name = raw.name;
        let Some(owner) = raw.owner else {
            return self.unowned(raw);
        };
        let digits = owner.text.bytes().all(|b| b.is_ascii_digit());
        if digits || crate::parse::is_thread_name(owner.text) {
            let thread = self.thread(owner)?;
            return self.of_thread(thread, raw);
        }
        let process = self.scope.process(owner)?;
        // The name of a process that a fork makes stands for its block too.
        let block = self.scope.find_thread(owner.text);
        match block {
            Some(thread) if is_register(name.text) => self.of_thread(thread, raw),
            Some(thread)
                if self.threads[thread.index()]
                    .find_handle(name.text)
                    .is_some() =>
            {
                self.of_thread(thread, raw)
            }
            None if is_register(name.text) => {
                let threads = self
                    .scope
                    .threads
                    .iter()
                    .position(|thread| thread.process == process);
                let example = threads.map_or("P0".to_owned(), |at| {
                    self.scope.thread_name(ThreadId(at as u8))
                });
                self.scope.none(
                    Diagnostic::new(Code::WrongKind, owner.span, "registers belong to threads")
                        .label(format!("`{}` is a process", owner.text))
                        .help(format!("write `{example}:{}`", name.text)),
                )
            }
            _ => {
                let page = self.scope.page(name)?;
                self.scope.must_have(process, page, raw.span, Reach::Any)?;
                let cell = one_cell(self.scope, page, name.text, raw.cell)?;
                Some(Location::Cell(AddressCell {
                    process,
                    page,
                    cell,
                }))
            }
        }
    }

    /// A register or handle of a thread.
    fn of_thread(&mut self, id: ThreadId, raw: &RawAtom<'t>) -> Option<Location> {
        let name = raw.name;
        let thread = &mut self.threads[id.index()];
        if let Some(number) = raw.cell {
            return self.scope.none(
                Diagnostic::new(
                    Code::Expected,
                    number.span,
                    "registers and handles have no cells",
                )
                .help("a variable belongs to a process, as in `A:x[0]=1`"),
            );
        }
        if let Some(handle) = thread.find_handle(name.text) {
            thread.handles[handle.index()].used = true;
            return Some(Location::Handle { thread: id, handle });
        }
        let owner = self.scope.thread_name(id);
        if !is_register(name.text) {
            let process = thread.process;
            if thread.may_have(name.text) {
                return None;
            }
            let mut diagnostic = Diagnostic::new(
                Code::UnknownName,
                name.span,
                format!("`{owner}` has no register or handle `{}`", name.text),
            );
            if self.scope.things.contains_key(name.text) {
                let process = &self.scope.processes[process.index()].name;
                diagnostic = diagnostic
                    .label("a variable belongs to a process")
                    .help(format!("write `{process}:{}`", name.text));
            }
            return self.scope.none(diagnostic);
        }
        let reg = Reg(register_number(self.scope, name)?);
        if thread.registers.contains(&reg) || thread.broken {
            return Some(Location::Reg { thread: id, reg });
        }
        let set: Vec<String> = thread
            .registers
            .iter()
            .map(|reg| format!("`r{}`", reg.0))
            .collect();
        let help = (!set.is_empty()).then(|| format!("it sets {}", set.join(", ")));
        self.scope.none(
            Diagnostic::new(
                Code::Unset,
                name.span,
                format!("`{owner}` never sets `{}`", name.text),
            )
            .label("holds nothing")
            .maybe_help(help),
        )
    }

    /// A variable in the default process, or a file.
    fn unowned(&mut self, raw: &RawAtom<'t>) -> Option<Location> {
        let name = raw.name;
        match self.scope.peek(name.text) {
            Some(Thing::File(file)) => {
                let cells = self.scope.files[file.index()].values.len() as u8;
                let cell = match raw.cell {
                    Some(number) => self.scope.cell(number, name.text, cells)?,
                    None => 0,
                };
                Some(Location::File { file, cell })
            }
            _ if is_register(name.text) => {
                let mut owners = (0..self.threads.len()).filter(|at| {
                    let registers = &self.threads[*at].registers;
                    registers
                        .iter()
                        .any(|reg| name.text[1..] == reg.0.to_string())
                });
                let owner = owners.next().unwrap_or(0);
                let owner = match self.threads.is_empty() {
                    true => "P0".to_owned(),
                    false => self.scope.thread_name(ThreadId(owner as u8)),
                };
                self.scope.none(
                    Diagnostic::new(Code::WrongKind, name.span, "registers belong to threads")
                        .label("of which thread?")
                        .help(format!("write `{owner}:{}`", name.text)),
                )
            }
            _ => {
                let page = self.scope.page(name)?;
                let process = ProcessId(0);
                self.scope.must_have(process, page, raw.span, Reach::Any)?;
                let cell = one_cell(self.scope, page, name.text, raw.cell)?;
                Some(Location::Cell(AddressCell {
                    process,
                    page,
                    cell,
                }))
            }
        }
    }

    fn thread(&mut self, name: Name<'t>) -> Option<ThreadId> {
        let thread = self.scope.thread(name)?;
        // Threads beyond the limit were reported and not checked.
        (thread.index() < self.threads.len()).then_some(thread)
    }

    fn call_like(&mut self, raw: &RawAtom<'t>, arguments: &[RawPlace<'t>]) -> Option<AtomKind> {
        let text = raw.name.text;
        let Some((_, usage)) = ATOMS.iter().find(|(atom, _)| *atom == text) else {
            let near = nearest(text, ATOMS.iter().map(|(atom, _)| *atom));
            let near = near.and_then(|near| ATOMS.iter().find(|(atom, _)| *atom == near));
            let help = match near {
                Some((_, usage)) => format!("did you mean `{usage}`?"),
                None => {
                    let names: Vec<String> =
                        ATOMS.iter().map(|(name, _)| format!("`{name}`")).collect();
                    format!("atoms are {}", names.join(", "))
                }
            };
            return self.scope.none(
                Diagnostic::new(
                    Code::UnknownCall,
                    raw.name.span,
                    format!("there is no atom `{text}`"),
                )
                .help(help),
            );
        };
        let wanted = if text == "same" { 2 } else { 1 };
        if arguments.len() != wanted {
            let noun = if wanted == 1 {
                "one argument"
            } else {
                "two arguments"
            };
            return self.scope.none(
                Diagnostic::new(Code::Arguments, raw.span, format!("`{text}` takes {noun}"))
                    .help(format!("as in `{usage}`")),
            );
        }
        let first = &arguments[0];
        match text {
            "refused" => self.refused(first),
            "violates" => {
                let word = bare(self.scope, first, usage)?;
                match Kind::from_word(word.text) {
                    Some(kind) => Some(AtomKind::Violates(Some(kind))),
                    None => {
                        let words = Kind::ALL.iter().map(|kind| kind.word());
                        self.scope
                            .none(unknown_word(word, "kind of violation", words))
                    }
                }
            }
            "hazard" => {
                let word = bare(self.scope, first, usage)?;
                let number = word
                    .text
                    .strip_prefix('H')
                    .and_then(|n| n.parse::<u8>().ok());
                match number.filter(|n| HAZARDS.contains(n) && word.text.len() == 2) {
                    Some(number) => Some(AtomKind::Hazard(Some(number))),
                    None => {
                        let said = match word.text {
                            "H3" => "hazard `H3` is met with hugetlb pages only".into(),
                            "H5" => "hazard `H5` costs copies, and is not met as a loss".into(),
                            other => format!("there is no hazard `{other}`"),
                        };
                        let all = HAZARDS.map(|n| format!("`H{n}`")).join(", ");
                        self.scope.none(
                            Diagnostic::new(Code::UnknownWord, word.span, said)
                                .label(format!("a condition may ask for {all}")),
                        )
                    }
                }
            }
            _ => {
                let address = self.address(first)?;
                Some(match text {
                    "swapped" => AtomKind::Swapped(address),
                    "present" => AtomKind::Present(address),
                    "writable" => AtomKind::Writable(address),
                    "softdirty" => AtomKind::SoftDirty(address),
                    "copied" => AtomKind::Copied(address),
                    "merged" => AtomKind::Merged(address),
                    "trapped" => AtomKind::Trapped(address),
                    _ => AtomKind::Same(address, self.address(&arguments[1])?),
                })
            }
        }
    }

    fn address(&mut self, place: &RawPlace<'t>) -> Option<Address> {
        let process = match place.process {
            Some(name) => self.scope.process(name)?,
            None => ProcessId(0),
        };
        let page = self.scope.page(place.name)?;
        self.scope
            .must_have(process, page, place.span, Reach::Any)?;
        if let Some(number) = place.cell {
            return self.scope.none(
                Diagnostic::new(Code::Arguments, number.span, "this is asked of whole pages")
                    .label("remove the cell"),
            );
        }
        Some(Address { process, page })
    }

    fn refused(&mut self, place: &RawPlace<'t>) -> Option<AtomKind> {
        let word = bare(self.scope, place, "refused(reclaim)")?;
        let known = CALLS
            .iter()
            .chain(ACTIVITIES)
            .find(|(name, _)| *name == word.text);
        let Some((name, _)) = known else {
            let names = CALLS.iter().chain(ACTIVITIES).map(|(name, _)| *name);
            return self.scope.none(
                Diagnostic::new(
                    Code::UnknownCall,
                    word.span,
                    format!("there is no call or activity `{}`", word.text),
                )
                .maybe_help(
                    nearest(word.text, names).map(|near| format!("did you mean `{near}`?")),
                ),
            );
        };
        if self.broken || self.named.contains(name) {
            return Some(AtomKind::Refused(name));
        }
        self.scope.none(
            Diagnostic::new(
                Code::Nothing,
                word.span,
                format!("the test has no `{name}` that could give up"),
            )
            .label("no thread calls it and no `kernel` block does it"),
        )
    }
}

/// An argument that is a word.
fn bare<'t>(scope: &mut Scope<'t>, place: &RawPlace<'t>, usage: &str) -> Option<Name<'t>> {
    if place.process.is_none() && place.cell.is_none() {
        return Some(place.name);
    }
    scope.none(
        Diagnostic::new(Code::Arguments, place.span, "a word is expected here")
            .help(format!("as in `{usage}`")),
    )
}
