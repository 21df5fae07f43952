//! What is promised of one page of one process.

use cowherd_mm::pack::{Pack, Reader, Word, Writer};
use cowherd_mm::world::Trap;
use cowherd_mm::{Cell, Cells, Va};

use super::alarms::Hazards;
use super::cell_sets::CellSets;
use super::worlds::{Room, Seen, World, Worlds};

/// How somebody sees a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// As a load may: through a translation that is perhaps stale.
    Tlb,
    /// By a fresh walk, or by a reference.
    Walk,
}

/// Stores that must not happen unnoticed (S10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Traps(u8);

impl Traps {
    /// None.
    pub const NONE: Traps = Traps(0);
    /// Stores are forbidden.
    pub const FORBIDDEN: Traps = Traps(1);

    /// One trap.
    pub fn by(trap: Trap) -> Traps {
        match trap {
            Trap::Uffd => Traps(2),
            Trap::SoftDirty => Traps(4),
        }
    }

    /// Is any of `these` set?
    pub fn has(self, these: Traps) -> bool {
        self.0 & these.0 != 0
    }

    /// Sets `these`.
    pub fn set(&mut self, these: Traps) {
        self.0 |= these.0;
    }

    /// Lifts `these`.
    pub fn lift(&mut self, these: Traps) {
        self.0 &= !these.0;
    }

    /// Those of `these` that are set.
    pub fn only(self, these: Traps) -> Traps {
        Traps(self.0 & these.0)
    }
}

/// One page of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    /// What it may hold; none: it is not mapped.
    pub worlds: Worlds,
    /// The variable that its VMA was mapped as: that says what a fresh page holds. Differs from the address after a move.
    pub origin: Va,
    /// Zaps under way (S4). While there are any, there is one world, and it only grows.
    pub zaps: u8,
    /// What was written since the first of them began: it may be there afterwards.
    pub written: CellSets,
    /// Was the page, lazily freed, dropped, and is there a TLB that has not been flushed since? That is one of the zaps.
    pub dropping: bool,
    /// Calls of MADV_FREE under way (S8).
    pub frees: u8,
    /// What the page held when MADV_FREE's drop of it was seen: reclaim defers the flush, so a CPU may still read it through its
    /// TLB, until the next call that flushes is over (S8).
    pub stale: CellSets,
    /// Stores that must not happen unnoticed.
    pub traps: Traps,
    /// Cells that a child being forked does not take from its parent any more (S5).
    pub frozen: Cells,
}

/// Windows of one kind on one page at most.
const MAX_WINDOWS: u8 = 7;

impl Page {
    /// No page at this address.
    pub const fn absent(va: Va) -> Page {
        Page {
            worlds: Worlds::NONE,
            origin: va,
            zaps: 0,
            written: CellSets::EMPTY,
            dropping: false,
            frees: 0,
            stale: CellSets::EMPTY,
            traps: Traps::NONE,
            frozen: Cells::NONE,
        }
    }

    /// Is there a page?
    pub fn mapped(&self) -> bool {
        !self.worlds.is_empty()
    }

    /// Somebody whose view is that of the page table sees `value`: worlds that disagree are dropped. Through a TLB it may be the
    /// page of before a drop; that says nothing.
    pub fn see(&mut self, cell: Cell, value: u8, base: &CellSets, by: Through) -> Seen {
        if by == Through::Tlb && self.stale.has(cell, value) {
            return Seen::Fits(Hazards::NONE);
        }
        let before = self.worlds;
        let seen = self.worlds.narrow(cell, value, base);
        if seen != Seen::Never && before.lazy() && !self.worlds.lazy() {
            self.stale = self.stale.union(&before.all(&CellSets::EMPTY));
        }
        seen
    }

    /// A store, or a transfer that lands, takes effect. Base: what a fresh page holds.
    pub fn write(&mut self, cell: Cell, value: u8, base: &CellSets) -> Room {
        if self.zaps > 0 {
            self.written.add(cell, value);
            return self.allow(cell, value);
        }
        let set = |w: &World| {
            let mut w = *w;
            w.cells.put(cell, value);
            w.loose &= !(1 << cell.0);
            w.lazy = false;
            w
        };
        let fresh = |w: &World| World {
            marks: w.marks,
            ..World::of(*base)
        };
        if self.frees > 0 {
            return self.write_while_freed(cell, value, base, set, fresh);
        }
        let (worlds, room) = self.worlds.map(|w, out| {
            out.add(set(w));
            if w.lazy {
                // The page was dropped before.
                out.add(set(&fresh(w)));
            }
        });
        self.worlds = worlds;
        room
    }

    /// While MADV_FREE is under way, which may come after the store as well. And once the page was dropped, the store may go to
    /// where it was, through a TLB that is not flushed yet.
    fn write_while_freed(
        &mut self,
        cell: Cell,
        value: u8,
        base: &CellSets,
        set: impl Fn(&World) -> World,
        fresh: impl Fn(&World) -> World,
    ) -> Room {
        let may_set = |w: &World| {
            let mut w = *w;
            w.cells.add(cell, value);
            w.lazy = true;
            w
        };
        let dropped = !self.stale.is_empty();
        self.stale = self.stale.union(&self.worlds.all(base));
        self.stale.add(cell, value);
        let (worlds, room) = self.worlds.map(|w, out| {
            if dropped {
                out.add(may_set(w));
            } else {
                out.add(World {
                    lazy: true,
                    ..set(w)
                });
            }
            if w.lazy {
                out.add(may_set(&fresh(w)));
            }
        });
        self.worlds = worlds;
        room
    }

    /// `cell` may hold `value` too.
    pub fn allow(&mut self, cell: Cell, value: u8) -> Room {
        let free = self.frees > 0;
        let (worlds, room) = self.worlds.map(|w, out| {
            let mut w = *w;
            w.cells.add(cell, value);
            w.lazy |= free;
            out.add(w);
        });
        self.worlds = worlds;
        room
    }

    /// The worlds `before` are possible too, with or without `value` in `cell`, if these hazards are granted. Loose: seeing the
    /// value does not say that it will stay.
    pub fn hazard(
        &mut self,
        before: &Worlds,
        cell: Cell,
        value: u8,
        hazards: Hazards,
        loose: bool,
    ) -> Room {
        let mut room = Room::Enough;
        for w in before.iter() {
            let mut w = *w;
            w.cells.add(cell, value);
            w.marks = w.marks.union(hazards);
            w.lazy |= self.frees > 0;
            if loose {
                w.loose |= 1 << cell.0;
            }
            room = room.and(self.worlds.add(w));
        }
        room
    }

    /// A zap begins.
    pub fn zap_begin(&mut self, base: &CellSets) {
        if !self.mapped() {
            return;
        }
        self.traps.lift(Traps::by(Trap::Uffd));
        self.traps.lift(Traps::by(Trap::SoftDirty));
        if self.zaps == 0 {
            self.written = CellSets::EMPTY;
            let lazy = self.worlds.lazy();
            let cells = self.worlds.all(base).union(base).union(&self.stale);
            self.worlds = Worlds::one(World {
                lazy,
                ..World::of(cells)
            });
        }
        self.zaps = (self.zaps + 1).min(MAX_WINDOWS);
    }

    /// A zap's flush is over. Those that overlap close together.
    pub fn zap_end(&mut self, base: &CellSets) {
        if self.zaps == 0 {
            return;
        }
        self.zaps -= 1;
        if self.zaps == 0 {
            // What was written may have been freed again: nobody knows in which order.
            let lazy = self.worlds.lazy() && !self.written.is_empty();
            self.worlds = Worlds::one(World {
                lazy,
                ..World::of(base.union(&self.written))
            });
            self.written = CellSets::EMPTY;
        }
        self.stale = CellSets::EMPTY;
    }

    /// Reclaim dropped the page. One that was not lazily freed is lost, and no window excuses that.
    pub fn drop_begin(&mut self, base: &CellSets) {
        if self.zaps == 0 && self.worlds.lazy() {
            self.zap_begin(base);
            self.dropping = true;
        }
    }

    /// Nobody sees any more what it held.
    pub fn drop_end(&mut self, base: &CellSets) {
        if self.dropping {
            self.dropping = false;
            self.zap_end(base);
        }
    }

    /// MADV_FREE was entered.
    pub fn free_begin(&mut self) -> Room {
        if !self.mapped() {
            return Room::Enough;
        }
        // A dropped page has no PTE that could remember the protection.
        self.traps.lift(Traps::by(Trap::Uffd));
        self.frees = (self.frees + 1).min(MAX_WINDOWS);
        let (worlds, room) = self
            .worlds
            .map(|w, out| out.add(World { lazy: true, ..*w }));
        self.worlds = worlds;
        room
    }

    /// It returned, and has flushed.
    pub fn free_end(&mut self) {
        self.stale = CellSets::EMPTY;
        self.frees = self.frees.saturating_sub(1);
    }

    /// Takes in what the parent's page may hold: the child's copy may hold it too, save in cells that are frozen (S5).
    pub fn inherit(&mut self, parent: &Page) -> Room {
        let mut room = Room::Enough;
        for theirs in parent.worlds.iter() {
            let alike = |w: &World| w.marks == theirs.marks && w.lazy == theirs.lazy;
            if self.worlds.iter().any(alike) {
                let (worlds, r) = self.worlds.map(|w, out| {
                    let mut w = *w;
                    if alike(&w) {
                        w.cells = w.cells.over(self.frozen, &w.cells.union(&theirs.cells));
                        w.loose |= theirs.loose;
                    }
                    out.add(w);
                });
                self.worlds = worlds;
                room = room.and(r);
            } else {
                let mut new = *theirs;
                if let Some(mine) = self.worlds.iter().next() {
                    new.cells = mine.cells.over(self.frozen, &new.cells);
                }
                room = room.and(self.worlds.add(new));
            }
        }
        room
    }

    /// Is the page in no window of any kind, at home, and not protected?
    fn calm(&self, va: Va) -> bool {
        self.zaps == 0
            && self.frees == 0
            && self.traps == Traps::NONE
            && self.frozen.is_empty()
            && self.origin == va
            && self.stale.is_empty()
    }

    /// Packs it; `cells` is how many cells there are. Most pages of most states are calm and hold one value a cell.
    pub fn pack(&self, va: Va, cells: u8, w: &mut Writer) {
        let calm = self.calm(va);
        if calm
            && let Some(plain) = self.worlds.plain()
            && let Some(word) = plain.put_values(cells, Word::EMPTY.and(1, 1))
        {
            return w.word(word);
        }
        if !self.mapped() {
            return w.bits(0b00, 2);
        }
        w.word(Word::EMPTY.and(0b10, 2).and(u32::from(calm), 1));
        self.worlds.pack(cells, w);
        if calm {
            return;
        }
        let word = Word::EMPTY.and(u32::from(self.zaps), 3);
        let word = word.and(u32::from(self.dropping), 1);
        let word = word.and(u32::from(self.frees), 3);
        let word = word.and(u32::from(self.traps.0), 3);
        let word = word.and(u32::from(self.frozen.0), 4);
        let word = word.and(u32::from(self.origin.0), 2);
        w.word(word.and(u32::from(!self.stale.is_empty()), 1));
        if self.zaps > 0 {
            self.written.pack(cells, w);
        }
        if !self.stale.is_empty() {
            self.stale.pack(cells, w);
        }
    }

    /// The inverse of [`pack`](Page::pack), into an absent page.
    pub fn unpack(&mut self, cells: u8, r: &mut Reader) {
        if bool::unpack(r) {
            self.worlds = Worlds::one(World::of(CellSets::unpack_values(cells, r)));
            return;
        }
        if !bool::unpack(r) {
            return;
        }
        let calm = bool::unpack(r);
        self.worlds = Worlds::unpack(cells, r);
        if calm {
            return;
        }
        self.zaps = r.bits(3) as u8;
        self.dropping = bool::unpack(r);
        self.frees = r.bits(3) as u8;
        self.traps = Traps(r.bits(3) as u8);
        self.frozen = Cells::unpack(r);
        self.origin = Va::unpack(r);
        let stale = bool::unpack(r);
        if self.zaps > 0 {
            self.written = CellSets::unpack(cells, r);
        }
        if stale {
            self.stale = CellSets::unpack(cells, r);
        }
    }
}
