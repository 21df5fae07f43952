//! Transfers that land in memory (S2), and holders of long-lived references (S7).

use cowherd_mm::machine::Dir;
use cowherd_mm::{Cell, HoldId, IoId, MmId, Va};

use super::alarms::{Alarms, Hazard, Hazards};
use super::cell_sets::CellSets;
use super::classify::Eye;
use super::cpu::note;
use super::ideal::{Ideal, Phase, Places, Proc, Procs};
use super::promises::{By, Promise, Spec};

impl Spec {
    /// A transfer lands in one cell (S2): that is when it takes effect, whenever it was submitted.
    pub fn land(&self, ideal: &mut Ideal, alarms: &mut Alarms, io: IoId, cell: Cell, value: u8) {
        let used = self.ios[io.at()];
        let transfer = *ideal.io(io);
        let Some(at) = transfer.at else { return };
        if self.another_lands(ideal, io, at, cell) {
            alarms.meet(Hazards::one(Hazard::H6));
        }
        // A pinned page does not move: GUP came after the move, and found what was at the address then.
        let at = if used.by == By::Pin && ideal.page(used.mm, used.va).mapped() {
            Places::one(used.va)
        } else {
            at
        };
        let hazards = hazards(transfer.shared, transfer.zapped);
        self.arrive(ideal, alarms, used.mm, at, cell, value, hazards);
        let at = self.ever_at(ideal, used.mm, used.va, at);
        self.arrive_in_children(ideal, alarms, transfer.shared, at, cell, value);
    }

    /// Is another transfer under way into the same bytes?
    fn another_lands(&self, ideal: &Ideal, io: IoId, at: Places, cell: Cell) -> bool {
        let used = self.ios[io.at()];
        (0..ideal.ios.len()).any(|other| {
            let theirs = self.ios[other];
            other != io.at()
                && theirs.dir == Dir::ToMemory
                && theirs.mm == used.mm
                && self.uses(other, cell)
                && ideal.ios[other]
                    .at
                    .is_some_and(|places| places.iter().any(|va| at.has(va)))
        })
    }

    /// A value arrives by reference, at one of several addresses if the page moved meanwhile. Granted these hazards it may as
    /// well be lost.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn arrive(
        &self,
        ideal: &mut Ideal,
        alarms: &mut Alarms,
        mm: MmId,
        at: Places,
        cell: Cell,
        value: u8,
        hazards: Hazards,
    ) {
        let mapped = |ideal: &Ideal, va: Va| ideal.page(mm, va).mapped();
        let sole = at.iter().filter(|&va| mapped(ideal, va)).count() == 1;
        for va in at.iter() {
            if !mapped(ideal, va) {
                // It goes to a page without an address, where only other references can see it.
                let mut seen = CellSets::EMPTY;
                seen.add(cell, value);
                self.seen_by_reference(ideal, mm, va, &seen);
                continue;
            }
            let before = ideal.page(mm, va).worlds;
            let zapping = ideal.page(mm, va).zaps > 0;
            if sole || zapping {
                self.write(ideal, alarms, mm, va, cell, value);
            } else {
                let room = ideal.page_mut(mm, va).allow(cell, value);
                note(alarms, room);
            }
            if !hazards.is_empty() && !zapping {
                let loose = hazards.has(Hazard::H1);
                let page = ideal.page_mut(mm, va);
                let room = page.hazard(&before, cell, value, hazards, loose);
                note(alarms, room);
            }
            self.changed(ideal, alarms, mm, va);
        }
    }

    /// Where the page of a reference has been: a child may have it at any of these addresses.
    fn ever_at(&self, ideal: &Ideal, mm: MmId, va: Va, now: Places) -> Places {
        let mut at = now;
        at.add(va);
        for va in now.iter() {
            at.add(ideal.page(mm, va).origin);
        }
        at
    }

    /// Children that share the page may see it too (H1), wherever they moved it.
    fn arrive_in_children(
        &self,
        ideal: &mut Ideal,
        alarms: &mut Alarms,
        children: Procs,
        at: Places,
        cell: Cell,
        value: u8,
    ) {
        for child in children.iter() {
            // A child whose fork is not over takes it from its parent.
            if ideal.procs[child.at()] != Proc::Alive {
                continue;
            }
            for va in ideal.vas() {
                let page = ideal.page_mut(child, va);
                if !page.mapped() || !(at.has(va) || at.has(page.origin)) {
                    continue;
                }
                let before = page.worlds;
                let room = if page.zaps > 0 {
                    page.allow(cell, value)
                } else {
                    page.hazard(&before, cell, value, Hazards::one(Hazard::H1), true)
                };
                note(alarms, room);
                self.changed(ideal, alarms, child, va);
            }
        }
    }

    /// The device behind a holder writes the page it holds: a transfer that lands (S2, S7).
    pub fn held_store(
        &self,
        ideal: &mut Ideal,
        alarms: &mut Alarms,
        holder: HoldId,
        cell: Cell,
        value: u8,
    ) {
        let (used, held) = (self.holders[holder.at()], *ideal.holder(holder));
        let hazards = hazards(held.shared, held.orphan);
        self.arrive(ideal, alarms, used.mm, held.at, cell, value, hazards);
        let at = self.ever_at(ideal, used.mm, used.va, held.at);
        self.arrive_in_children(ideal, alarms, held.shared, at, cell, value);
    }

    /// The device behind a holder reads the page it holds (S7, S6).
    pub fn held_load(
        &self,
        ideal: &mut Ideal,
        alarms: &mut Alarms,
        holder: HoldId,
        cell: Cell,
        value: u8,
    ) {
        let used = self.holders[holder.at()];
        let held = *ideal.holder(holder);
        if held.phase != Phase::Holding {
            return;
        }
        let va = held.at.first();
        let place = (used.mm, va, cell);
        let now = self.possible(ideal, used.mm, va);
        if used.promise == Promise::Snapshot {
            if held.since.has(cell, value) {
                if !now.has(cell, value) {
                    alarms.meet(Hazards::one(Hazard::H2));
                }
            } else if !held.orphan || self.foreign(used.mm, value) {
                self.surprise(ideal, alarms, Eye::Reference, place, value, &held.since);
                ideal.holder(holder).since.add(cell, value);
            }
            return;
        }
        let excused = hazards(held.shared, held.orphan);
        let strict = excused.is_empty() && !held.told && !self.in_window(ideal, used.mm, va);
        if now.has(cell, value) {
            // In sync as promised: so what it sees is what there is.
            if strict {
                self.look(ideal, alarms, Eye::Pin, place, value);
            }
        } else if strict || self.foreign(used.mm, value) {
            self.surprise(ideal, alarms, Eye::Pin, place, value, &now);
            ideal.holder(holder).told = true;
        } else {
            alarms.meet(excused);
        }
    }

    /// The free observer of a pin: what its device would see, in a state in which the PTL is free (S7).
    pub fn observe_held(
        &self,
        ideal: &mut Ideal,
        alarms: &mut Alarms,
        holder: HoldId,
        cell: Cell,
        value: u8,
    ) {
        let held = *ideal.holder(holder);
        let mm = self.holders[holder.at()].mm;
        if self.holders[holder.at()].promise != Promise::Snapshot
            && held.phase == Phase::Holding
            && hazards(held.shared, held.orphan).is_empty()
            && !held.told
            && !self.in_window(ideal, mm, held.at.first())
        {
            self.held_load(ideal, alarms, holder, cell, value);
        }
    }

    /// Is what the page table shows in flux, so that a pin may differ from it?
    fn in_window(&self, ideal: &Ideal, mm: MmId, va: Va) -> bool {
        let forking = ideal.mms().any(|child| {
            ideal.procs[child.at()] == Proc::Forking && self.parents[child.at()] == Some(mm)
        });
        forking || ideal.page(mm, va).zaps > 0 || ideal.moving[mm.at()].is_some()
    }
}

/// What excuses a transfer that gets lost.
fn hazards(shared: Procs, zapped: bool) -> Hazards {
    let mut hazards = Hazards::NONE;
    if !shared.is_empty() {
        hazards = hazards.union(Hazards::one(Hazard::H1));
    }
    if zapped {
        hazards = hazards.union(Hazards::one(Hazard::H4));
    }
    hazards
}
