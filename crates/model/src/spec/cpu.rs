//! CPUs and the free observer (S0, S1, S10).

use cowherd_mm::world::Trap;
use cowherd_mm::{Cell, Cells, MmId, Va};

use super::alarms::{Alarm, Alarms, Kind, Rule};
use super::cell_sets::CellSets;
use super::classify::Eye;
use super::ideal::{Ideal, Proc};
use super::page::{Through, Traps};
use super::promises::Spec;
use super::worlds::{Room, Seen};

impl Spec {
    /// A CPU of the process loads (S1).
    pub fn load(
        &self,
        ideal: &mut Ideal,
        alarms: &mut Alarms,
        mm: MmId,
        va: Va,
        cell: Cell,
        value: u8,
    ) {
        let va = self.settled(ideal, mm, va);
        if !ideal.page(mm, va).mapped() {
            return Spec::forbidden(alarms, Rule::S4, (mm, va, cell), value);
        }
        self.look(ideal, alarms, Eye::Cpu, (mm, va, cell), value);
    }

    /// A CPU of the process stores, or the kernel does through the process's page table: a buffered read (S1, S10).
    pub fn store(
        &self,
        ideal: &mut Ideal,
        alarms: &mut Alarms,
        mm: MmId,
        va: Va,
        cell: Cell,
        value: u8,
    ) {
        let va = self.settled(ideal, mm, va);
        let page = ideal.page(mm, va);
        let place = (mm, va, cell);
        if !page.mapped() {
            return Spec::forbidden(alarms, Rule::S4, place, value);
        }
        if page.traps.has(Traps::FORBIDDEN) {
            Spec::forbidden(alarms, Rule::S10, place, value);
        }
        if [Trap::Uffd, Trap::SoftDirty]
            .into_iter()
            .any(|trap| page.traps.has(Traps::by(trap)))
        {
            alarms.raise(Alarm {
                kind: Kind::MissedWp,
                rule: Rule::S10,
                place: Some(place),
                value: Some(value),
            });
        }
        self.write(ideal, alarms, mm, va, cell, value);
    }

    /// UFFDIO_COPY fills an empty page: no store of the process, and its protection is not asked.
    pub fn fill(
        &self,
        ideal: &mut Ideal,
        alarms: &mut Alarms,
        mm: MmId,
        va: Va,
        cell: Cell,
        value: u8,
    ) {
        let va = self.settled(ideal, mm, va);
        if !ideal.page(mm, va).mapped() {
            return Spec::forbidden(alarms, Rule::S4, (mm, va, cell), value);
        }
        self.write(ideal, alarms, mm, va, cell, value);
    }

    /// The free observer: what a load would show, in a state in which the PTL is free. It sees nothing of a child whose fork is
    /// not over, nor of a page that is not mapped.
    pub fn observe(
        &self,
        ideal: &mut Ideal,
        alarms: &mut Alarms,
        mm: MmId,
        va: Va,
        cell: Cell,
        value: u8,
    ) {
        let born = ideal.procs[mm.at()] == Proc::Alive;
        if born && ideal.moving[mm.at()].is_none() && ideal.page(mm, va).mapped() {
            self.look(ideal, alarms, Eye::Observer, (mm, va, cell), value);
        }
    }

    /// A frame of the page cache was written through a private mapping (S11).
    pub fn file_written(&self, _ideal: &mut Ideal, alarms: &mut Alarms) {
        alarms.raise(Alarm {
            kind: Kind::FileModified,
            rule: Rule::S11,
            place: None,
            value: None,
        });
    }

    /// Somebody whose view is that of the page table sees `value`: worlds that disagree are dropped.
    pub(super) fn look(
        &self,
        ideal: &mut Ideal,
        alarms: &mut Alarms,
        eye: Eye,
        place: (MmId, Va, Cell),
        value: u8,
    ) {
        let (mm, va, cell) = place;
        let open = ideal.procs[mm.at()] == Proc::Forking;
        let page = ideal.page_mut(mm, va);
        let base = &self.base[page.origin.at()];
        if open || page.zaps > 0 {
            // What is seen may change before the window closes: nothing is learnt.
            if page.worlds.may_show(cell, value, base) {
                return;
            }
            let expected = page.worlds.all(base);
            self.surprise(ideal, alarms, eye, place, value, &expected);
            let room = ideal.page_mut(mm, va).allow(cell, value);
            return note(alarms, room);
        }
        let expected = page.worlds;
        let by = if eye == Eye::Cpu {
            Through::Tlb
        } else {
            Through::Walk
        };
        match page.see(cell, value, base, by) {
            Seen::Fits(met) => alarms.meet(met),
            Seen::Never => {
                self.surprise(ideal, alarms, eye, place, value, &expected.all(base));
                let room = ideal.page_mut(mm, va).worlds.resync(cell, value);
                note(alarms, room);
                self.changed(ideal, alarms, mm, va);
            }
        }
    }

    /// A value takes the place of whatever was there.
    pub(super) fn write(
        &self,
        ideal: &mut Ideal,
        alarms: &mut Alarms,
        mm: MmId,
        va: Va,
        cell: Cell,
        value: u8,
    ) {
        let forking = ideal.procs[mm.at()] == Proc::Forking;
        let page = ideal.page_mut(mm, va);
        if forking {
            // The child has a page of its own now: what the parent does later does not reach it.
            page.frozen = Cells(page.frozen.0 | Cells::one(cell).0);
        }
        let room = page.write(cell, value, &self.base[page.origin.at()]);
        note(alarms, room);
        self.changed(ideal, alarms, mm, va);
    }

    /// What a page may hold has changed: children being forked, and whoever reads by reference, may see it.
    pub(super) fn changed(&self, ideal: &mut Ideal, alarms: &mut Alarms, mm: MmId, va: Va) {
        let page = *ideal.page(mm, va);
        for child in ideal.mms() {
            if ideal.procs[child.at()] == Proc::Forking && self.parents[child.at()] == Some(mm) {
                let theirs = ideal.page_mut(child, va);
                if theirs.mapped() {
                    let room = theirs.inherit(&page);
                    note(alarms, room);
                }
            }
        }
        self.seen_by_reference(
            ideal,
            mm,
            va,
            &page.worlds.all(&self.base[page.origin.at()]),
        );
    }

    /// While a page moves, both of its addresses are the old one: unless TLBs may still know what was at the new one.
    pub(super) fn settled(&self, ideal: &Ideal, mm: MmId, va: Va) -> Va {
        let there = ideal.page(mm, va);
        let flushed = there.zaps == 0 && there.frees == 0 && there.stale.is_empty();
        match ideal.moving[mm.at()] {
            Some(moving) if moving.to == va && flushed => moving.from,
            _ => va,
        }
    }

    /// What a page may hold now.
    pub(super) fn possible(&self, ideal: &Ideal, mm: MmId, va: Va) -> CellSets {
        let page = ideal.page(mm, va);
        page.worlds.all(&self.base[page.origin.at()])
    }

    fn forbidden(alarms: &mut Alarms, rule: Rule, place: (MmId, Va, Cell), value: u8) {
        alarms.raise(Alarm {
            kind: Kind::WrongPermission,
            rule,
            place: Some(place),
            value: Some(value),
        });
    }
}

pub(super) fn note(alarms: &mut Alarms, room: Room) {
    if room == Room::Lacking {
        alarms.give_up();
    }
}
