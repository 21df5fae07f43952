//! The worlds of a page (S0): what it may hold, and which hazards that would take.
//!
//! A [`World`] stands for a product of valuations: every cell has one of a set of values, each on its own. That is how promises
//! come: a fork is no snapshot, a zap clears cell by cell as far as anybody can tell. Only MADV_FREE ties cells together, and
//! hazards do; these make further worlds.

use cowherd_mm::pack::{Pack, Reader, Word, Writer};
use cowherd_mm::{Cell, Cells, MAX_CELLS};

use super::alarms::Hazards;
use super::cell_sets::CellSets;

/// What a page may hold, if the hazards `marks` are granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct World {
    /// The hazards without which this world is impossible.
    pub marks: Hazards,
    /// MADV_FREE was called and nothing was written since: the page may turn into a fresh one at any time (S8). The world in
    /// which it has is implied and not kept.
    pub lazy: bool,
    /// Cells in which a transfer landed in a page that is perhaps just being copied: seeing the landed value does not say that
    /// it will stay (H1). Bit n is cell n.
    pub loose: u8,
    /// The values.
    pub cells: CellSets,
}

/// Worlds of one page at most. The free observer narrows in every state, so two are many.
pub const MAX_WORLDS: usize = 4;

/// A set of worlds in canonical form: sorted, none contained in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Worlds {
    list: [World; MAX_WORLDS],
    len: u8,
}

/// What an observation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It fits, and shows that these hazards were met.
    Fits(Hazards),
    /// It fits no world.
    Never,
}

/// Was there room for a world?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Room {
    /// There was.
    Enough,
    /// Promised worlds were joined: more is allowed than was promised.
    Lacking,
}

impl Room {
    /// Was there room for both?
    pub fn and(self, other: Room) -> Room {
        if self == Room::Enough { other } else { self }
    }
}

impl World {
    const NONE: World = World {
        marks: Hazards::NONE,
        lazy: false,
        loose: 0,
        cells: CellSets::EMPTY,
    };

    /// These values, nothing special.
    pub fn of(cells: CellSets) -> World {
        World {
            cells,
            ..World::NONE
        }
    }

    /// Does it allow everything that `other` allows, for no more hazards?
    fn contains(&self, other: &World) -> bool {
        self.marks.without(other.marks).is_empty()
            && (self.lazy || !other.lazy)
            && other.loose & !self.loose == 0
            && self.cells.contains(&other.cells)
    }

    /// Everything that either allows.
    fn join(self, other: &World) -> World {
        World {
            marks: self.marks.union(other.marks),
            lazy: self.lazy || other.lazy,
            loose: self.loose | other.loose,
            cells: self.cells.union(&other.cells),
        }
    }

    fn normal(mut self) -> World {
        self.loose &= self.cells.open().0;
        self
    }
}

impl Worlds {
    /// Of no page.
    pub const NONE: Worlds = Worlds {
        list: [World::NONE; MAX_WORLDS],
        len: 0,
    };

    /// One world.
    pub fn one(world: World) -> Worlds {
        let mut worlds = Worlds::NONE;
        worlds.list[0] = world.normal();
        worlds.len = 1;
        worlds
    }

    /// Each world.
    pub fn iter(&self) -> impl Iterator<Item = &World> {
        self.list[..self.len as usize].iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// None: there is no page.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The only world, if it is plain: one value a cell and no mark.
    #[inline]
    pub fn plain(&self) -> Option<&CellSets> {
        let world = &self.list[0];
        let unmarked = world.marks.is_empty() && !world.lazy && world.loose == 0;
        (self.len == 1 && unmarked && world.cells.open().is_empty()).then_some(&world.cells)
    }

    /// Is the only world [plain](Worlds::plain), with these values in the first `cells` cells?
    #[inline]
    pub fn are(&self, values: &[u8; MAX_CELLS], cells: u8) -> bool {
        let world = &self.list[0];
        let unmarked = world.marks.is_empty() && !world.lazy && world.loose == 0;
        self.len == 1 && unmarked && world.cells.are(values, cells)
    }

    /// Adds a world.
    pub fn add(&mut self, world: World) -> Room {
        let world = world.normal();
        if self.iter().any(|w| w.contains(&world)) {
            return Room::Enough;
        }
        self.keep(|w| !world.contains(w));
        // Hazards are coarse: one world for each set of them is enough.
        let same = self.iter().position(|w| w.marks == world.marks);
        if let Some(same) = same.filter(|_| !world.marks.is_empty()) {
            return self.rejoin(same, world);
        }
        if self.len() < MAX_WORLDS {
            self.list[self.len()] = world;
            self.len += 1;
            self.list[..self.len as usize].sort_unstable();
            return Room::Enough;
        }
        // Worlds are sorted by their marks, so the last ones take the most hazards.
        let last = MAX_WORLDS - 1;
        if !self.list[last].marks.is_empty() && !world.marks.is_empty() {
            self.rejoin(last, world)
        } else if !self.list[last - 1].marks.is_empty() {
            let both = self.list[last - 1].join(&self.list[last]);
            self.len -= 2;
            self.list[last - 1..].fill(World::NONE);
            let room = self.add(both);
            room.and(self.add(world))
        } else {
            let _ = self.rejoin(0, world);
            Room::Lacking
        }
    }

    /// Joins `world` into the one at `at`.
    fn rejoin(&mut self, at: usize, world: World) -> Room {
        let joined = self.list[at].join(&world);
        let mut n = 0;
        self.keep(|_| {
            n += 1;
            n - 1 != at
        });
        self.add(joined)
    }

    fn keep(&mut self, mut wanted: impl FnMut(&World) -> bool) {
        let old = *self;
        *self = Worlds::NONE;
        for world in old.iter().filter(|&w| wanted(w)) {
            self.list[self.len as usize] = *world;
            self.len += 1;
        }
    }

    /// Every world, changed: a new set of them.
    pub fn map(&self, mut change: impl FnMut(&World, &mut Builder)) -> (Worlds, Room) {
        let mut builder = Builder {
            worlds: Worlds::NONE,
            room: Room::Enough,
        };
        for world in self.iter() {
            change(world, &mut builder);
        }
        (builder.worlds, builder.room)
    }

    /// The same worlds with other values, of which each has as many.
    pub(super) fn with_cells(&self, change: impl Fn(&CellSets) -> CellSets) -> Worlds {
        let mut worlds = *self;
        let list = &mut worlds.list[..self.len as usize];
        list.iter_mut().for_each(|w| w.cells = change(&w.cells));
        list.sort_unstable();
        worlds
    }

    /// All values that the cells may have, in any world.
    pub fn all(&self, base: &CellSets) -> CellSets {
        self.iter().fold(CellSets::EMPTY, |all, w| {
            let all = all.union(&w.cells);
            if w.lazy { all.union(base) } else { all }
        })
    }

    /// Is any world lazy?
    pub fn lazy(&self) -> bool {
        self.iter().any(|w| w.lazy)
    }

    /// May `cell` show `value`? Base: what a fresh page holds.
    pub fn may_show(&self, cell: Cell, value: u8, base: &CellSets) -> bool {
        self.iter()
            .any(|w| w.cells.has(cell, value) || w.lazy && base.has(cell, value))
    }

    /// Somebody sees `value` in `cell`: worlds that disagree are dropped.
    pub fn narrow(&mut self, cell: Cell, value: u8, base: &CellSets) -> Seen {
        if let Some(cells) = self.plain() {
            return if cells.has(cell, value) {
                Seen::Fits(Hazards::NONE)
            } else {
                Seen::Never
            };
        }
        if self.tells_nothing(cell, value) {
            debug_assert_eq!(
                self.without_others(cell, value, base),
                Some((*self, Hazards::NONE))
            );
            return Seen::Fits(Hazards::NONE);
        }
        match self.without_others(cell, value, base) {
            None => Seen::Never,
            Some((left, met)) => {
                *self = left;
                Seen::Fits(met)
            }
        }
    }

    /// The worlds that agree with `value` in `cell`, if any do, and the hazards that were met if they are what is left.
    fn without_others(&self, cell: Cell, value: u8, base: &CellSets) -> Option<(Worlds, Hazards)> {
        let (mut left, _) = self.map(|w, out| {
            if w.cells.has(cell, value) {
                let mut w = *w;
                if w.loose & (1 << cell.0) == 0 {
                    w.cells.put(cell, value);
                }
                out.add(w);
            } else if w.lazy && base.has(cell, value) {
                // A cell of a fresh page: the whole page is fresh.
                out.add(World {
                    marks: w.marks,
                    ..World::of(*base)
                });
            }
        });
        if left.is_empty() {
            return None;
        }
        // A hazard that all worlds take was met. It is told once: from now on these worlds are plain.
        let met = left
            .iter()
            .fold(left.list[0].marks, |all, w| all.common(w.marks));
        if !met.is_empty() {
            (left, _) = left.map(|w, out| {
                out.add(World {
                    marks: w.marks.without(met),
                    ..*w
                });
            });
        }
        Some((left, met))
    }

    /// Does `cell` hold just `value` in every world (or may do so, whatever is seen), and do the worlds share no hazard? Then to
    /// see it is to learn nothing.
    fn tells_nothing(&self, cell: Cell, value: u8) -> bool {
        let loose = |w: &World| w.loose & (1 << cell.0) != 0 && w.cells.has(cell, value);
        let known = |w: &World| w.cells.only(cell) == Some(value) || loose(w);
        let common = |all: Hazards, w: &World| all.common(w.marks);
        !self.is_empty()
            && self.iter().all(known)
            && self.iter().fold(self.list[0].marks, common).is_empty()
    }

    /// Nothing explained it: from now on `cell` holds `value`.
    pub fn resync(&mut self, cell: Cell, value: u8) -> Room {
        let (worlds, room) = self.map(|w, out| {
            let mut w = *w;
            w.cells.put(cell, value);
            w.loose &= !(1 << cell.0);
            out.add(w);
        });
        *self = worlds;
        room
    }

    /// Packs them; `cells` is how many cells there are.
    pub fn pack(&self, cells: u8, w: &mut Writer) {
        w.bits(u32::from(self.len) - 1, 2);
        for world in self.iter() {
            let odd = !world.marks.is_empty() || world.loose != 0;
            let mut word = Word::EMPTY.and(u32::from(odd), 1);
            if odd {
                word = word.and(u32::from(world.marks.bits()), 7);
                word = word.and(u32::from(world.loose), 4);
            }
            w.word(word.and(u32::from(world.lazy), 1));
            world.cells.pack(cells, w);
        }
    }

    /// The inverse of [`pack`](Worlds::pack).
    pub fn unpack(cells: u8, r: &mut Reader) -> Worlds {
        let mut worlds = Worlds::NONE;
        worlds.len = r.bits(2) as u8 + 1;
        for world in &mut worlds.list[..worlds.len as usize] {
            if bool::unpack(r) {
                world.marks = Hazards::from_bits(r.bits(7) as u8);
                world.loose = Cells::unpack(r).0;
            }
            world.lazy = bool::unpack(r);
            world.cells = CellSets::unpack(cells, r);
        }
        worlds
    }
}

/// Collects worlds.
pub struct Builder {
    worlds: Worlds,
    room: Room,
}

impl Builder {
    /// Adds a world.
    pub fn add(&mut self, world: World) {
        self.room = self.room.and(self.worlds.add(world));
    }
}
