//! Windows open and close (S2 to S10).

use cowherd_mm::machine::Dir;
use cowherd_mm::{Cells, Event, HoldId, IoId, MmId, Va};

use super::alarms::Alarms;
use super::cell_sets::CellSets;
use super::cpu::note;
use super::ideal::{Holder, Ideal, Moving, Phase, Places, Proc, Procs, Transfer};
use super::page::{Page, Traps};
use super::promises::{By, HoldUse, Promise, Spec};
use super::worlds::{World, Worlds};

impl Spec {
    /// Something happened in the mm.
    pub fn event(&self, ideal: &mut Ideal, alarms: &mut Alarms, event: Event) {
        match event {
            Event::ZapBegin { mm, va } => {
                self.overlaps(ideal, mm, va);
                let page = ideal.page_mut(mm, va);
                page.zap_begin(&self.base[page.origin.at()]);
                self.changed(ideal, alarms, mm, va);
            }
            Event::ZapEnd { mm, va } => {
                let page = ideal.page_mut(mm, va);
                page.zap_end(&self.base[page.origin.at()]);
                self.changed(ideal, alarms, mm, va);
            }
            Event::Dropped { mm, va } => {
                let page = ideal.page_mut(mm, va);
                page.drop_begin(&self.base[page.origin.at()]);
                self.changed(ideal, alarms, mm, va);
            }
            Event::Unmapped { mm, va } => *ideal.page_mut(mm, va) = Page::absent(va),
            Event::FreeBegin { mm, va } => {
                self.overlaps(ideal, mm, va);
                let room = ideal.page_mut(mm, va).free_begin();
                note(alarms, room);
                self.changed(ideal, alarms, mm, va);
            }
            Event::FreeEnd { mm, va } => ideal.page_mut(mm, va).free_end(),
            Event::ForkBegin { parent, child } => self.fork_begin(ideal, alarms, parent, child),
            Event::ForkWithout { child, va } => self.fork_without(ideal, child, va),
            Event::ForkEnd { parent, child } => fork_end(ideal, parent, child),
            Event::ForkFailed { child, .. } => fork_failed(ideal, child),
            Event::TransferBegin { io } => self.transfer_begin(ideal, io),
            Event::TransferEnd { io } => *ideal.io(io) = Transfer::IDLE,
            Event::SpliceBegin { mm, va } | Event::RemoteBegin { mm, va } => {
                self.watch(ideal, alarms, mm, va);
            }
            Event::HoldBegin { holder, mm, va } => self.hold_begin(ideal, holder, mm, va),
            Event::Held { holder, mm, va } => {
                if ideal.holder(holder).phase == Phase::Idle {
                    self.hold_begin(ideal, holder, mm, va);
                }
                ideal.holder(holder).phase = Phase::Holding;
            }
            Event::Released { holder } => *ideal.holder(holder) = Holder::IDLE,
            Event::MoveBegin { mm, from, to } => {
                ideal.moving[mm.at()] = Some(Moving { from, to });
            }
            Event::Moved { mm, from, to } => self.moved(ideal, alarms, mm, from, to),
            Event::WriteForbidden { mm, va } => {
                if ideal.page(mm, va).mapped() {
                    ideal.page_mut(mm, va).traps.set(Traps::FORBIDDEN);
                }
            }
            Event::WriteAllowed { mm, va } => {
                ideal.page_mut(mm, va).traps.lift(Traps::FORBIDDEN);
            }
            Event::WriteTrapped { mm, va, by } => {
                if ideal.page(mm, va).mapped() {
                    ideal.page_mut(mm, va).traps.set(Traps::by(by));
                }
            }
            Event::TrapLifted { mm, va, by } => {
                ideal.page_mut(mm, va).traps.lift(Traps::by(by));
            }
        }
    }

    /// A zap or MADV_FREE overlaps whatever goes by a reference to the page (H4).
    fn overlaps(&self, ideal: &mut Ideal, mm: MmId, va: Va) {
        for (io, used) in ideal.ios.iter_mut().zip(&self.ios) {
            io.zapped |= used.mm == mm && io.at.is_some_and(|at| at.has(va));
        }
        for (holder, used) in ideal.holders.iter_mut().zip(&self.holders) {
            holder.orphan |= used.mm == mm && holder.at.has(va);
        }
        for watch in ideal.watches.iter_mut().flatten() {
            watch.zapped |= watch.mm == mm && watch.at.has(va);
        }
    }

    /// Is a zap or a MADV_FREE of the page under way?
    fn overlapped(ideal: &Ideal, mm: MmId, va: Va) -> bool {
        let page = ideal.page(mm, va);
        page.zaps > 0 || page.frees > 0
    }

    /// The children being forked that take this page from their parent.
    fn forking(&self, ideal: &Ideal, mm: MmId, va: Va) -> Procs {
        let mut children = Procs::NONE;
        for child in ideal.mms() {
            if ideal.procs[child.at()] == Proc::Forking
                && self.parents[child.at()] == Some(mm)
                && ideal.page(child, va).frozen != ALL
            {
                children.add(child);
            }
        }
        children
    }

    fn transfer_begin(&self, ideal: &mut Ideal, io: IoId) {
        let used = self.ios[io.at()];
        let (mm, va) = (used.mm, used.va);
        let mut at = Places::one(va);
        let mut transfer = Transfer {
            zapped: Spec::overlapped(ideal, mm, va),
            ..Transfer::IDLE
        };
        match used.by {
            By::Pin => {}
            By::Get => transfer.shared = self.forking(ideal, mm, va),
            // It has had its reference since it was registered.
            By::Buffer(holder) => {
                let held = *ideal.holder(holder);
                at = held.at;
                transfer.zapped = held.orphan;
                transfer.shared = held.shared;
            }
        }
        transfer.at = Some(at);
        if used.dir == Dir::ToDevice {
            transfer.since = at.iter().fold(CellSets::EMPTY, |since, va| {
                since.union(&self.possible(ideal, mm, va))
            });
            // What it reads may be old; that is not lost on anybody.
            transfer.shared = Procs::NONE;
        }
        *ideal.io(io) = transfer;
    }

    fn hold_begin(&self, ideal: &mut Ideal, holder: HoldId, mm: MmId, va: Va) {
        let HoldUse { promise, .. } = self.holders[holder.at()];
        let shared = if promise == Promise::InSyncUnlessForked {
            self.forking(ideal, mm, va)
        } else {
            Procs::NONE
        };
        let since = if promise == Promise::Snapshot {
            self.possible(ideal, mm, va)
        } else {
            Default::default()
        };
        *ideal.holder(holder) = Holder {
            phase: Phase::Entering,
            at: Places::one(va),
            orphan: Spec::overlapped(ideal, mm, va),
            told: false,
            shared,
            since,
        };
    }

    /// A page moved, and what goes by a reference to it went along (S9).
    fn moved(&self, ideal: &mut Ideal, alarms: &mut Alarms, mm: MmId, from: Va, to: Va) {
        ideal.moving[mm.at()] = None;
        let old = *ideal.page(mm, from);
        let there = *ideal.page(mm, to);
        if !old.mapped() || from == to {
            return;
        }
        let base = self.base[old.origin.at()];
        let mut new = Page {
            origin: old.origin,
            worlds: old.worlds,
            traps: old.traps,
            zaps: 0,
            frees: 0,
            ..there
        };
        if there.mapped() {
            (new.zaps, new.frees) = (there.zaps, there.frees);
            if there.zaps > 0 {
                // What moves in may be zapped or not.
                let arrived = old.worlds.all(&base);
                new.written = there.written.union(&arrived);
                new.worlds = Worlds::one(World {
                    lazy: there.frees > 0 || there.worlds.lazy() || old.worlds.lazy(),
                    ..World::of(arrived.union(&there.worlds.all(&base)))
                });
            } else if there.frees > 0 {
                let (worlds, room) = new.worlds.map(|w, out| out.add(World { lazy: true, ..*w }));
                note(alarms, room);
                new.worlds = worlds;
            }
        }
        *ideal.page_mut(mm, to) = new;
        let left = ideal.page_mut(mm, from);
        left.traps = left.traps.only(Traps::FORBIDDEN);
        left.stale = CellSets::EMPTY;
        if left.zaps == 0 {
            left.worlds = Worlds::one(World {
                lazy: left.frees > 0,
                ..World::of(base)
            });
        }
        for (io, used) in ideal.ios.iter_mut().zip(&self.ios) {
            if let Some(at) = &mut io.at
                && used.mm == mm
                && at.has(from)
            {
                at.add(to);
            }
        }
        for (holder, used) in ideal.holders.iter_mut().zip(&self.holders) {
            if used.mm != mm || !holder.at.has(from) {
                continue;
            }
            if holder.at == Places::one(from) && holder.phase == Phase::Holding {
                holder.at = Places::one(to);
            } else {
                // GUP finds the page before or after it moved.
                holder.at.add(to);
                holder.orphan = true;
            }
        }
        for watch in ideal.watches.iter_mut().flatten() {
            if watch.mm == mm && watch.at.has(from) {
                watch.at.add(to);
            }
        }
        if Spec::overlapped(ideal, mm, to) {
            self.overlaps(ideal, mm, to);
        }
        self.changed(ideal, alarms, mm, from);
        self.changed(ideal, alarms, mm, to);
    }

    fn fork_begin(&self, ideal: &mut Ideal, alarms: &mut Alarms, parent: MmId, child: MmId) {
        debug_assert_eq!(self.parents[child.at()], Some(parent));
        ideal.procs[child.at()] = Proc::Forking;
        for va in ideal.vas() {
            let theirs = *ideal.page(parent, va);
            let page = ideal.page_mut(child, va);
            *page = Page {
                origin: theirs.origin,
                worlds: theirs.worlds,
                traps: theirs.traps.only(Traps::FORBIDDEN),
                ..Page::absent(va)
            };
            self.changed(ideal, alarms, parent, va);
        }
        for (io, used) in ideal.ios.iter_mut().zip(&self.ios) {
            let unpinned = used.by == By::Get || !io.shared.is_empty();
            let mine = used.mm == parent && unpinned || io.shared.has(parent);
            if mine && io.at.is_some() && used.dir == Dir::ToMemory {
                io.shared.add(child);
            }
        }
        for (holder, used) in ideal.holders.iter_mut().zip(&self.holders) {
            let mine = used.mm == parent || holder.shared.has(parent);
            if mine && holder.phase != Phase::Idle && used.promise == Promise::InSyncUnlessForked {
                holder.shared.add(child);
            }
        }
    }

    /// MADV_DONTFORK or MADV_WIPEONFORK: the child has nothing of its parent's there, and the parent shares nothing.
    fn fork_without(&self, ideal: &mut Ideal, child: MmId, va: Va) {
        let parent = self.parents[child.at()];
        let page = ideal.page_mut(child, va);
        if page.mapped() {
            page.worlds = Worlds::one(World::of(self.base[page.origin.at()]));
            page.frozen = ALL;
        }
        for (io, used) in ideal.ios.iter_mut().zip(&self.ios) {
            if Some(used.mm) == parent && io.at == Some(Places::one(va)) {
                io.shared.remove(child);
            }
        }
        for (holder, used) in ideal.holders.iter_mut().zip(&self.holders) {
            if Some(used.mm) == parent && holder.at == Places::one(va) {
                holder.shared.remove(child);
            }
        }
    }
}

/// Every cell that there can be.
const ALL: Cells = Cells(0b1111);

fn fork_end(ideal: &mut Ideal, parent: MmId, child: MmId) {
    for page in &mut ideal.pages[parent.at()] {
        page.stale = CellSets::EMPTY;
    }
    if ideal.procs[child.at()] == Proc::Forking {
        ideal.procs[child.at()] = Proc::Alive;
        for page in &mut ideal.pages[child.at()] {
            page.frozen = Cells::NONE;
        }
    }
}

fn fork_failed(ideal: &mut Ideal, child: MmId) {
    ideal.procs[child.at()] = Proc::Absent;
    ideal.pages[child.at()] = Ideal::NO_PAGES;
    for io in &mut ideal.ios {
        io.shared.remove(child);
    }
    for holder in &mut ideal.holders {
        holder.shared.remove(child);
    }
}
