//! The ideal memory, packed.

use cowherd_mm::machine::bits;
use cowherd_mm::pack::{Pack, Reader, Writer};
use cowherd_mm::{MAX_HOLDS, MAX_IOS, MAX_MMS, MAX_PAGES, MmId, PageBits, Va};

use super::{
    CellSets, Holder, Ideal, MAX_WATCHES, Moving, Page, Phase, Places, Proc, Procs, Watch,
};

fn flag(set: bool, w: &mut Writer) {
    w.bits(u32::from(set), 1);
}

fn pack_sets(sets: &CellSets, cells: u8, w: &mut Writer) {
    flag(!sets.is_empty(), w);
    if !sets.is_empty() {
        sets.pack(cells, w);
    }
}

fn unpack_sets(cells: u8, r: &mut Reader) -> CellSets {
    if bool::unpack(r) {
        CellSets::unpack(cells, r)
    } else {
        CellSets::EMPTY
    }
}

fn pack_at(at: Places, w: &mut Writer) {
    w.bits(u32::from(at.0), MAX_PAGES as u32);
}

fn unpack_at(r: &mut Reader) -> Places {
    Places(r.bits(MAX_PAGES as u32) as PageBits)
}

fn pack_hazards(zapped: bool, shared: Procs, w: &mut Writer) {
    let any = zapped || !shared.is_empty();
    if any {
        w.bits(1 | u32::from(zapped) << 1 | u32::from(shared.0) << 2, 6);
    } else {
        w.bits(0, 1);
    }
}

fn unpack_hazards(r: &mut Reader) -> (bool, Procs) {
    if bool::unpack(r) {
        (bool::unpack(r), Procs(r.bits(4) as u8))
    } else {
        (false, Procs::NONE)
    }
}

impl Ideal {
    /// Packs it. Its sizes are those of its test.
    pub fn pack(&self, w: &mut Writer) {
        let cells = self.cells();
        for mm in self.mms() {
            let proc = self.procs[mm.at()];
            w.bits(proc as u32, 2);
            if proc != Proc::Absent {
                for va in self.vas() {
                    self.page(mm, va).pack(va, cells, w);
                }
            }
        }
        let calls = self.calls();
        if calls == 0 {
            return w.bits(0, 1);
        }
        w.bits(1 | calls << 1, 1 + CALL_BITS);
        self.pack_calls(cells, w);
    }

    /// What calls are under way: transfers, holders, watches and moves, one bit each.
    fn calls(&self) -> u32 {
        let (mut calls, mut n) = (0, 0);
        let mut next = |under_way: bool| {
            calls |= u32::from(under_way) << n;
            n += 1;
        };
        self.ios.iter().for_each(|io| next(io.at.is_some()));
        let busy = |holder: &Holder| holder.phase != Phase::Idle;
        self.holders.iter().for_each(|holder| next(busy(holder)));
        self.watches.iter().for_each(|watch| next(watch.is_some()));
        self.moving.iter().for_each(|moving| next(moving.is_some()));
        calls
    }

    /// The inverse of [`pack`](Ideal::pack), into a memory of the same size.
    pub fn unpack(&mut self, r: &mut Reader) {
        let cells = self.cells();
        // What was there before goes; there is seldom a call.
        if self.calls() != 0 {
            self.moving = Ideal::EMPTY.moving;
            self.ios = Ideal::EMPTY.ios;
            self.holders = Ideal::EMPTY.holders;
            self.watches = Ideal::EMPTY.watches;
        }
        for mm in self.mms() {
            self.procs[mm.at()] = match r.bits(2) {
                0 => Proc::Absent,
                1 => Proc::Forking,
                _ => Proc::Alive,
            };
            for va in self.vas() {
                *self.page_mut(mm, va) = Page::absent(va);
                if self.procs[mm.at()] != Proc::Absent {
                    self.page_mut(mm, va).unpack(cells, r);
                }
            }
        }
        if r.bits(1) == 1 {
            let calls = r.bits(CALL_BITS);
            self.unpack_calls(calls, cells, r);
        }
    }
}

/// Bits of [`Ideal::calls`].
const CALL_BITS: u32 = (MAX_IOS + MAX_HOLDS + MAX_WATCHES + MAX_MMS) as u32;

impl Ideal {
    fn pack_calls(&self, cells: u8, w: &mut Writer) {
        for io in &self.ios {
            if let Some(at) = io.at {
                pack_at(at, w);
                pack_hazards(io.zapped, io.shared, w);
                pack_sets(&io.since, cells, w);
            }
        }
        for holder in self.holders.iter().filter(|h| h.phase != Phase::Idle) {
            flag(holder.phase == Phase::Holding, w);
            pack_at(holder.at, w);
            pack_hazards(holder.orphan, holder.shared, w);
            flag(holder.told, w);
            pack_sets(&holder.since, cells, w);
        }
        for watch in self.watches.iter().flatten() {
            w.bits(u32::from(watch.mm.0) | u32::from(watch.va.0) << 2, 4);
            pack_at(watch.at, w);
            flag(watch.zapped, w);
            watch.entry.pack(cells, w);
            pack_sets(&watch.later, cells, w);
        }
        for Moving { from, to } in self.moving.iter().flatten() {
            w.bits(u32::from(from.0) | u32::from(to.0) << 2, 4);
        }
    }

    fn unpack_calls(&mut self, calls: u32, cells: u8, r: &mut Reader) {
        const HOLDERS: usize = MAX_IOS;
        const WATCHES: usize = HOLDERS + MAX_HOLDS;
        const MOVING: usize = WATCHES + MAX_WATCHES;
        for n in bits(calls).map(usize::from) {
            match n {
                0..HOLDERS => {
                    let io = &mut self.ios[n];
                    io.at = Some(unpack_at(r));
                    (io.zapped, io.shared) = unpack_hazards(r);
                    io.since = unpack_sets(cells, r);
                }
                HOLDERS..WATCHES => {
                    let holder = &mut self.holders[n - HOLDERS];
                    holder.phase = if bool::unpack(r) {
                        Phase::Holding
                    } else {
                        Phase::Entering
                    };
                    holder.at = unpack_at(r);
                    (holder.orphan, holder.shared) = unpack_hazards(r);
                    holder.told = bool::unpack(r);
                    holder.since = unpack_sets(cells, r);
                }
                WATCHES..MOVING => {
                    self.watches[n - WATCHES] = Some(Watch {
                        mm: MmId::unpack(r),
                        va: Va::unpack(r),
                        at: unpack_at(r),
                        zapped: bool::unpack(r),
                        entry: CellSets::unpack(cells, r),
                        later: unpack_sets(cells, r),
                    });
                }
                _ => self.moving[n - MOVING] = Some(Pack::unpack(r)),
            }
        }
    }
}
