//! Readers that go by a reference and not by the page table (S6): transfers to a device, pipes, other processes.

use cowherd_mm::machine::Dir;
use cowherd_mm::{Cell, IoId, MmId, Va};

use super::alarms::{Alarms, Hazard, Hazards};
use super::cell_sets::CellSets;
use super::classify::Eye;
use super::cpu::note;
use super::ideal::{Ideal, MAX_WATCHES, Phase, Places, Watch};
use super::promises::{By, Promise, Spec};

impl Spec {
    /// A device reads one cell of memory (S6).
    pub fn sample(&self, ideal: &mut Ideal, alarms: &mut Alarms, io: IoId, cell: Cell, value: u8) {
        let used = self.ios[io.at()];
        let Some(at) = ideal.io(io).at else { return };
        let since = ideal.io(io).since;
        let now = at.iter().fold(CellSets::EMPTY, |now, va| {
            now.union(&self.possible(ideal, used.mm, va))
        });
        let known = since.has(cell, value);
        if known && !now.has(cell, value) {
            alarms.meet(Hazards::one(Hazard::H2));
        }
        if known {
            return;
        }
        // A buffer that was zapped shows its old page, and what others still transfer into that.
        let place = (used.mm, used.va, cell);
        if matches!(used.by, By::Buffer(_)) && ideal.io(io).zapped && !self.foreign(used.mm, value)
        {
            return alarms.meet(Hazards::one(Hazard::H4));
        }
        self.surprise(ideal, alarms, Eye::Reference, place, value, &since);
        ideal.io(io).since.add(cell, value);
    }

    /// A pipe shows one cell of a page that vmsplice put into it, as `mm` named it (S6).
    #[allow(clippy::too_many_arguments)]
    pub fn pipe_read(
        &self,
        ideal: &mut Ideal,
        alarms: &mut Alarms,
        mm: MmId,
        va: Va,
        cell: Cell,
        value: u8,
        _reader: MmId,
    ) {
        let Some(known) = self.watched(ideal, alarms, mm, va, cell, value) else {
            return;
        };
        if !known.has(cell, value) {
            alarms.meet(Hazards::one(Hazard::H7));
        }
    }

    /// Another process loads by reference: /proc/pid/mem, process_vm_readv. As if at some moment of the call (S6).
    pub fn remote_load(
        &self,
        ideal: &mut Ideal,
        alarms: &mut Alarms,
        mm: MmId,
        va: Va,
        cell: Cell,
        value: u8,
    ) {
        self.watched(ideal, alarms, mm, va, cell, value);
    }

    /// Another process stores by reference: a store of the target, of whose page it may have lost sight (S11).
    pub fn remote_store(
        &self,
        ideal: &mut Ideal,
        alarms: &mut Alarms,
        mm: MmId,
        va: Va,
        cell: Cell,
        value: u8,
    ) {
        let (at, zapped) = match ideal.watch(mm, va) {
            Some(watch) => (watch.at, watch.zapped),
            None => (Places::one(va), false),
        };
        let hazards = if zapped {
            Hazards::one(Hazard::H4)
        } else {
            Hazards::NONE
        };
        self.arrive(ideal, alarms, mm, at, cell, value, hazards);
    }

    /// Is `value` among what the address held since the first reader by reference entered? Says what it held at entry.
    fn watched(
        &self,
        ideal: &mut Ideal,
        alarms: &mut Alarms,
        mm: MmId,
        va: Va,
        cell: Cell,
        value: u8,
    ) -> Option<CellSets> {
        let (entry, later) = match ideal.watch(mm, va) {
            Some(watch) => (watch.entry, watch.later),
            None => (self.possible(ideal, mm, va), CellSets::EMPTY),
        };
        let allowed = entry.union(&later);
        if allowed.has(cell, value) {
            return Some(entry);
        }
        self.surprise(
            ideal,
            alarms,
            Eye::Reference,
            (mm, va, cell),
            value,
            &allowed,
        );
        if let Some(watch) = ideal.watch(mm, va) {
            watch.later.add(cell, value);
        }
        None
    }

    /// A reader by reference enters: what the address holds from now on is remembered.
    pub(super) fn watch(&self, ideal: &mut Ideal, alarms: &mut Alarms, mm: MmId, va: Va) {
        let now = self.possible(ideal, mm, va);
        let page = ideal.page(mm, va);
        let zapped = page.zaps > 0 || page.frees > 0;
        if let Some(watch) = ideal.watch(mm, va) {
            watch.at.add(va);
            watch.zapped |= zapped;
            watch.entry = watch.entry.union(&now);
            watch.later = watch.later.without(&watch.entry);
            return;
        }
        let new = Watch {
            mm,
            va,
            at: Places::one(va),
            zapped,
            entry: now,
            later: CellSets::EMPTY,
        };
        match ideal.watches.iter_mut().find(|w| w.is_none()) {
            Some(free) => *free = Some(new),
            None => note(alarms, super::worlds::Room::Lacking),
        }
        ideal.sort_watches();
    }

    /// Forgets what addresses held that nobody reads by reference any more. `read(mm, va)`: does a pipe hold a page of this address,
    /// or is a call under way that will, or one that accesses this memory from outside?
    pub fn forget(&self, ideal: &mut Ideal, mut read: impl FnMut(MmId, Va) -> bool) {
        if ideal.watches[0].is_none() {
            return;
        }
        for n in 0..MAX_WATCHES {
            if let Some(watch) = ideal.watches[n]
                && !read(watch.mm, watch.va)
            {
                ideal.watches[n] = None;
            }
        }
        ideal.sort_watches();
    }

    /// A page may hold `now`: so may what reads it by reference.
    pub(super) fn seen_by_reference(&self, ideal: &mut Ideal, mm: MmId, va: Va, now: &CellSets) {
        for (io, used) in ideal.ios.iter_mut().zip(&self.ios) {
            if used.dir == Dir::ToDevice && used.mm == mm && io.at.is_some_and(|at| at.has(va)) {
                io.since = io.since.union(now);
            }
        }
        for (holder, used) in ideal.holders.iter_mut().zip(&self.holders) {
            if used.promise == Promise::Snapshot
                && used.mm == mm
                && holder.phase != Phase::Idle
                && holder.at.has(va)
            {
                holder.since = holder.since.union(now);
            }
        }
        for watch in ideal.watches.iter_mut().flatten() {
            if watch.mm == mm && watch.at.has(va) {
                watch.later = watch.later.union(now).without(&watch.entry);
            }
        }
    }
}
