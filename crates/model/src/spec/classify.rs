//! What a broken promise is called: its kind and the rule.
//!
//! The state does not say where a value came from, so this is told from who may ever write which value:
//!
//! 1. junk is a `leak`: it was left in a freed frame or slot;
//! 2. 0 at an address where nothing ever puts 0 is `zeroed`;
//! 3. what the process itself ever puts anywhere in its memory, or starts with, is an older value: `lost-write` for its CPUs
//!    and the free observer, `stale-read` for a device, a pin, a pipe or another process;
//! 4. what a child may have been born with is an older value too, if its ancestors had it at the start and never write it, or if
//!    the cell was promised to hold what was written in the child itself; else the child still has the value that it was born
//!    with, and this one came later: `leak`;
//! 5. anything else only others can have written: `leak`.
//!
//! The rule is that of the promise of which the seen value falls short: of the transfer that is missing, the store, the fork.

use cowherd_mm::{Cell, MmId, Va};

use super::alarms::{Alarm, Alarms, Kind, Rule};
use super::cell_sets::{CellSets, MAX_VALUE};
use super::ideal::Ideal;
use super::promises::{Spec, Values, value as bit};

/// Who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eye {
    /// A CPU of the process, or the free observer.
    Cpu,
    /// A device, a pipe or another process, by reference.
    Reference,
    /// A reference that stays in sync.
    Pin,
}

impl Spec {
    /// `value` was seen where only `expected` may be.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn surprise(
        &self,
        ideal: &Ideal,
        alarms: &mut Alarms,
        eye: Eye,
        (mm, va, cell): (MmId, Va, Cell),
        value: u8,
        expected: &CellSets,
    ) {
        let kind = self.kind(ideal, eye, (mm, va, cell), value, expected);
        alarms.raise(Alarm {
            kind,
            rule: self.rule(kind, eye, mm, va, value, expected.values(cell)),
            place: Some((mm, va, cell)),
            value: Some(value),
        });
    }

    fn kind(
        &self,
        ideal: &Ideal,
        eye: Eye,
        (mm, va, cell): (MmId, Va, Cell),
        value: u8,
        expected: &CellSets,
    ) -> Kind {
        if value > MAX_VALUE {
            return Kind::Leak;
        }
        let value = bit(value);
        let origin = ideal.page(mm, va).origin;
        if value == 1 && (self.ever(mm, va) | self.ever(mm, origin)) & 1 == 0 {
            return Kind::Zeroed;
        }
        let written = self.stores[mm.at()][va.at()] | self.lands[mm.at()][va.at()];
        let born_with = self.inherited(mm) & value != 0
            && (expected.values(cell) & written != 0 || self.ancient(mm) & value != 0);
        match eye {
            _ if self.own(mm) & value == 0 && !born_with => Kind::Leak,
            Eye::Cpu => Kind::LostWrite,
            Eye::Reference | Eye::Pin => Kind::StaleRead,
        }
    }

    /// Can `mm` never have had this value in any of its pages? All that is asked of a page that it gave away while somebody holds it.
    pub(super) fn foreign(&self, mm: MmId, value: u8) -> bool {
        value > MAX_VALUE || value != 0 && (self.own(mm) | self.inherited(mm)) & bit(value) == 0
    }

    fn rule(&self, kind: Kind, eye: Eye, mm: MmId, va: Va, value: u8, expected: Values) -> Rule {
        match eye {
            Eye::Reference => return Rule::S6,
            Eye::Pin => return Rule::S7,
            Eye::Cpu => {}
        }
        if kind == Kind::Leak {
            let family = |other: MmId| self.root(other) == self.root(mm);
            let relative = (0..self.mms)
                .map(MmId)
                .any(|other| family(other) && self.own(other) & bit(value) != 0);
            return if relative { Rule::S5 } else { Rule::S12 };
        }
        if kind == Kind::Zeroed && self.freed[mm.at()][va.at()] {
            return Rule::S8;
        }
        let (lands, stores) = (self.lands[mm.at()][va.at()], self.stores[mm.at()][va.at()]);
        if expected & lands != 0 && expected & stores == 0 {
            Rule::S2
        } else if expected & stores == 0 && expected & self.inherited(mm) != 0 {
            Rule::S5
        } else {
            Rule::S1
        }
    }
}
