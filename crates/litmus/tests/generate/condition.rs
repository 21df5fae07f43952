//! Conditions at random.

use cowherd_litmus::ast::*;
use cowherd_litmus::limits;

use super::{Maker, SPAN, Source};

impl Maker {
    pub(super) fn location(&self, s: &mut Source<'_>) -> Option<Location> {
        let thread = ThreadId(s.below(self.test.threads.len()) as u8);
        let known = &self.test.threads[thread.index()];
        match s.below(4) {
            0 if !known.registers.is_empty() => Some(Location::Reg {
                thread,
                reg: s.of(&known.registers),
            }),
            1 if !known.handles.is_empty() => Some(Location::Handle {
                thread,
                handle: HandleId(s.below(known.handles.len()) as u8),
            }),
            2 => {
                let file = s.below(self.test.files.len());
                let cell = s.number(self.test.files[file].values.len() as u8 - 1);
                Some(Location::File {
                    file: FileId(file as u8),
                    cell,
                })
            }
            _ => {
                let Address { process, page } = self.anywhere(s)?;
                let cell = s.number(self.test.pages[page.index()].cells - 1);
                Some(Location::Cell(AddressCell {
                    process,
                    page,
                    cell,
                }))
            }
        }
    }

    pub(super) fn prop(&mut self, s: &mut Source<'_>, depth: usize) -> Prop {
        match s.below(if depth == 0 { 4 } else { 8 }) {
            0 => s.of(&[Prop::True, Prop::False]),
            1..=3 => match self.atom(s) {
                Some(kind) => Prop::Atom(Atom { kind, span: SPAN }),
                None => Prop::True,
            },
            4 => Prop::Not(Box::new(self.prop(s, depth - 1))),
            5 => Prop::Implies(
                Box::new(self.prop(s, depth - 1)),
                Box::new(self.prop(s, depth - 1)),
            ),
            way => {
                // No member of its own kind: such parentheses leave no trace.
                let mut members = Vec::new();
                for _ in 0..2 + s.below(2) {
                    match (way, self.prop(s, depth - 1)) {
                        (6, Prop::And(more)) | (7, Prop::Or(more)) => members.extend(more),
                        (_, other) => members.push(other),
                    }
                }
                if way == 6 {
                    Prop::And(members)
                } else {
                    Prop::Or(members)
                }
            }
        }
    }

    fn atom(&mut self, s: &mut Source<'_>) -> Option<AtomKind> {
        let comparison = s.of(&[Comparison::Equal, Comparison::NotEqual]);
        let at = self.anywhere(s);
        Some(match s.below(14) {
            0 => AtomKind::Ended {
                thread: ThreadId(s.below(self.test.threads.len()) as u8),
                comparison,
                ending: s.of(Ending::ALL),
            },
            1 => AtomKind::Swapped(at?),
            2 => AtomKind::Present(at?),
            3 => AtomKind::Writable(at?),
            4 => AtomKind::SoftDirty(at?),
            5 => AtomKind::Copied(at?),
            6 => AtomKind::Merged(at?),
            7 => AtomKind::Trapped(at?),
            8 => AtomKind::Same(at?, self.anywhere(s)?),
            9 => AtomKind::Violates(s.chance().then(|| s.of(Kind::ALL))),
            10 => AtomKind::Hazard(
                s.chance()
                    .then(|| [1, 2, 4, 6, 7][usize::from(s.number(4))]),
            ),
            11 => {
                let kernel = self.test.kernel.first()?.activities.first()?;
                AtomKind::Refused(kernel.activity.name())
            }
            _ => {
                let location = self.location(s)?;
                let value = match location {
                    Location::Reg { .. } | Location::Handle { .. } if s.chance() => {
                        Expected::Errno(s.of(Errno::ALL))
                    }
                    _ => Expected::Number(s.number(limits::MAX_VALUE)),
                };
                AtomKind::Compare {
                    location,
                    comparison,
                    value,
                }
            }
        })
    }
}
