//! The memory of a state as a list of things: page-table entries, TLB entries, frames, swap slots, transfers, pipes, holders and
//! files, each with its fields and with what it points at. A renderer draws it and needs to know nothing of the mm.
//!
//! Ids and names of fields are those of [`Change`](crate::diff::Change), so that what a step changed is found in the picture.

use cowherd_mm::machine::{Dir, Hold, Io, IoState, TlbEntry};
use cowherd_mm::page::Page;
use cowherd_mm::pgtable::Pte;
use cowherd_mm::*;
use serde::{Deserialize, Serialize};

use crate::diff;
use crate::program::Program;
use crate::state::State;

/// A thing of the memory as it is after some step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// Its name: `A:x`, `page 1`, `slot 0`, `CPU 1:x`, `io 0`, `pipe 0`, `holder 0`, `file f`.
    pub id: String,
    /// What it is.
    pub kind: ThingKind,
    /// What people call it: `x[0]` of a transfer, `P1` of a CPU. Empty: its id says it all.
    pub name: String,
    /// Its fields that say something, in the order in which they are shown.
    pub fields: Vec<Field>,
    /// The ids of what it points at.
    pub to: Vec<String>,
    /// Of a frame: who gets to it. Of an entry in a TLB and of a transfer: does the address that it is of still lead to its page?
    pub reach: Reach,
}

/// A field and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// As in [`Change`](crate::diff::Change): `refcount`, `PG_dirty`, `[0]`.
    pub name: String,
    /// `set` for a flag.
    pub value: String,
}

/// The kinds of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThingKind {
    /// A virtual page of a process: its VMA and its PTE.
    Pte,
    /// A translation in a CPU's TLB. There is none where the CPU has none.
    Tlb,
    /// A page frame that is in use.
    Frame,
    /// A swap slot that is in use.
    Slot,
    /// A transfer between a device and a page.
    Io,
    /// A pipe and the pages in it.
    Pipe,
    /// A long-lived holder of a page.
    Holder,
    /// A file.
    File,
}

/// Whether a program can still get to what a frame holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Not asked: it is no frame, or one of the page cache.
    #[default]
    NotAsked,
    /// A page table maps it, or is about to again: a migration entry.
    Mapped,
    /// No page table maps it, but a swap entry finds it in the swap cache.
    SwapCache,
    /// No page table maps it now, but its mapcount is not down yet: somebody is about to write its PTE.
    Changing,
    /// Nobody: what is written into it now is seen by nobody. An entry of a TLB is out of date.
    Nobody,
}

impl Thing {
    fn new(id: impl Into<String>, kind: ThingKind) -> Thing {
        Thing {
            id: id.into(),
            kind,
            name: String::new(),
            fields: Vec::new(),
            to: Vec::new(),
            reach: Reach::NotAsked,
        }
    }

    fn field(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.fields.push(Field {
            name: name.into(),
            value: value.into(),
        });
    }

    fn flags(&mut self, flags: &[(&str, bool)]) {
        for (name, _) in flags.iter().filter(|(_, set)| *set) {
            self.field(*name, "set");
        }
    }

    fn frame(&mut self, pfn: Pfn) {
        self.to.push(format!("page {}", pfn.0));
    }

    /// The value of a field; empty if it has none.
    pub fn get(&self, name: &str) -> &str {
        let field = self.fields.iter().find(|f| f.name == name);
        field.map_or("", |f| &f.value)
    }
}

/// All things that are there in a state.
pub fn things(p: &Program, state: &State) -> Vec<Thing> {
    let s = p.cfg.sizes;
    let mut out = Vec::new();
    for mm in 0..s.mms {
        if state.m.mms[mm].alive {
            out.extend((0..s.pages).map(|va| virtual_page(p, state, mm, va)));
        }
    }
    for cpu in 0..s.cpus {
        for va in 0..s.pages {
            if let Some(entry) = state.m.tlbs[cpu][va] {
                out.push(translation(p, state, (cpu, va), entry));
            }
        }
    }
    for pfn in 0..s.frames {
        if !state.m.frames[pfn].is_free() && (pfn > 0 || zero_page_matters(p, state)) {
            out.push(frame(p, state, pfn));
        }
    }
    out.extend((0..s.slots).filter_map(|slot| swap_slot(p, state, slot)));
    for io in 0..s.ios {
        let entry = &state.m.ios[io];
        if entry.state != IoState::Idle {
            out.push(transfer(p, state, io, entry));
        }
    }
    for pipe in 0..s.pipes {
        let mut thing = Thing::new(format!("pipe {pipe}"), ThingKind::Pipe);
        thing.name = p.names.pipes.get(pipe).cloned().unwrap_or_default();
        let buffers = state.m.pipes[pipe].iter().flatten();
        buffers.for_each(|b| thing.frame(b.pfn));
        thing.field("buffers", thing.to.join(", "));
        out.push(thing);
    }
    for holder in 0..s.holders {
        let held = &state.m.holders[holder];
        if let Some(pfn) = held.page {
            let mut thing = Thing::new(format!("holder {holder}"), ThingKind::Holder);
            thing.frame(pfn);
            thing.field("page", format!("page {}", pfn.0));
            thing.field("by", hold(held.hold, held.write));
            out.push(thing);
        }
    }
    for file in 0..p.files.len() {
        let mut thing = Thing::new(format!("file {}", p.names.files[file]), ThingKind::File);
        cells(&mut thing, s.cells, &state.files[file]);
        out.push(thing);
    }
    out
}

/// The things that are another one now than in `before`, and the ids of those that are gone.
pub fn changed(before: &[Thing], after: &[Thing]) -> (Vec<Thing>, Vec<String>) {
    let new = after.iter().filter(|t| !before.contains(t)).cloned();
    let there = |id: &str| after.iter().any(|t| t.id == id);
    let gone = before.iter().filter(|t| !there(&t.id));
    (new.collect(), gone.map(|t| t.id.clone()).collect())
}

/// Brings a picture up to date with what [`changed`] found.
pub fn apply(things: &mut Vec<Thing>, new: &[Thing], gone: &[String]) {
    things.retain(|t| !gone.contains(&t.id));
    for thing in new {
        match things.iter_mut().find(|t| t.id == thing.id) {
            Some(old) => *old = thing.clone(),
            None => things.push(thing.clone()),
        }
    }
}

fn virtual_page(p: &Program, state: &State, mm: usize, va: usize) -> Thing {
    let mut thing = Thing::new(address(p, mm, va), ThingKind::Pte);
    let pte = state.m.ptes[mm][va];
    thing.field("PTE", diff::pte(pte));
    let vma = &state.m.vmas[mm][va];
    thing.flags(&[
        ("VMA", vma.mapped),
        ("VM_WRITE", vma.mapped && vma.write),
        ("VM_UFFD_WP", vma.uffd_wp),
        ("VM_SOFTDIRTY", vma.soft_dirty),
    ]);
    match pte {
        Pte::Present { e } => thing.frame(e.pfn),
        Pte::Migration { e } => thing.frame(e.pfn),
        Pte::Swap { e } => thing.to.push(format!("slot {}", e.slot.0)),
        Pte::None | Pte::Marker => {}
    }
    thing
}

fn translation(p: &Program, state: &State, (cpu, va): (usize, usize), entry: TlbEntry) -> Thing {
    let variable = &p.names.pages[va];
    let mut thing = Thing::new(format!("CPU {cpu}:{variable}"), ThingKind::Tlb);
    thing.name = p
        .tasks
        .get(cpu)
        .map_or(String::new(), |task| task.name.clone());
    thing.field(format!("TLB {variable}"), diff::translation(entry));
    thing.frame(entry.pfn);
    if let Some(mm) = p.tasks.get(cpu).and_then(|task| task.mm) {
        let now = state.m.ptes[mm.at()][va].present().map(|e| e.pfn);
        thing.reach = if now == Some(entry.pfn) {
            Reach::Mapped
        } else {
            Reach::Nobody
        };
    }
    thing
}

/// The zero page is shown only while something maps it.
fn zero_page_matters(p: &Program, state: &State) -> bool {
    let s = p.cfg.sizes;
    let maps = |pte: &Pte| pte.present().is_some_and(|e| e.pfn.is_zero());
    let translates = |e: &Option<TlbEntry>| e.is_some_and(|e| e.pfn.is_zero());
    (0..s.mms).any(|mm| state.m.ptes[mm][..s.pages].iter().any(maps))
        || (0..s.cpus).any(|cpu| state.m.tlbs[cpu][..s.pages].iter().any(translates))
}

fn frame(p: &Program, state: &State, pfn: usize) -> Thing {
    let mut thing = Thing::new(format!("page {pfn}"), ThingKind::Frame);
    let page: &Page = &state.m.frames[pfn];
    if let Some(home) = page.home {
        thing.name = p.names.pages[home.index.at()].clone();
    }
    thing.field("", diff::kind(page));
    if pfn > 0 {
        let refs = if page.frozen { 0 } else { page.refs.0 };
        thing.field("refcount", refs.to_string());
        thing.field("mapcount", page.mapcount.0.to_string());
        thing.field("pins", page.pins.0.to_string());
    }
    thing.flags(&[
        ("PG_anon_exclusive", page.exclusive),
        ("PG_dirty", page.dirty),
        ("PG_writeback", page.writeback),
        ("PG_locked", page.locked),
        ("PG_lru", page.lru),
        ("PG_swapbacked", page.swapbacked),
        ("PG_uptodate", page.uptodate),
    ]);
    if let Some(slot) = page.swap {
        thing.field("PG_swapcache", format!("slot {}", slot.0));
    }
    cells(&mut thing, p.cfg.sizes.cells, &state.frames[pfn]);
    if page.anon() {
        let s = p.cfg.sizes;
        let alive = (0..s.mms).filter(|&mm| state.m.mms[mm].alive);
        let ptes = alive.flat_map(|mm| state.m.ptes[mm][..s.pages].iter());
        thing.reach = reach(state, ptes, Pfn(pfn as u8));
    }
    thing
}

/// Do any of these PTEs lead to a frame?
fn reach<'a>(state: &State, mut ptes: impl Iterator<Item = &'a Pte>, pfn: Pfn) -> Reach {
    let cached = |slot: Slot| state.m.slots[slot.at()].cache == Some(pfn);
    let (mut in_swap, mut in_change) = (false, false);
    let mapped = ptes.any(|pte| {
        in_swap |= pte.swap().is_some_and(|e| cached(e.slot));
        in_change |= *pte == Pte::None;
        pte.present().is_some_and(|e| e.pfn == pfn) || pte.migration().is_some_and(|e| e.pfn == pfn)
    });
    if mapped {
        Reach::Mapped
    } else if in_swap {
        Reach::SwapCache
    } else if in_change && state.m.frames[pfn.at()].mapcount.0 > 0 {
        Reach::Changing
    } else {
        Reach::Nobody
    }
}

fn swap_slot(p: &Program, state: &State, slot: usize) -> Option<Thing> {
    let entry = &state.m.slots[slot];
    if entry.count.0 == 0 && entry.cache.is_none() && !entry.claimed {
        return None;
    }
    let mut thing = Thing::new(format!("slot {slot}"), ThingKind::Slot);
    thing.field("count", entry.count.0.to_string());
    thing.flags(&[("SWAP_HAS_CACHE claim", entry.claimed)]);
    if let Some(pfn) = entry.cache {
        thing.field("swap cache", format!("page {}", pfn.0));
        thing.frame(pfn);
    }
    cells(&mut thing, p.cfg.sizes.cells, &state.slots[slot]);
    Some(thing)
}

fn transfer(p: &Program, state: &State, io: usize, entry: &Io) -> Thing {
    let mut thing = Thing::new(format!("io {io}"), ThingKind::Io);
    let file = p.names.files.get(entry.file.at());
    thing.name = match (entry.dir, file) {
        (Dir::ToMemory, Some(file)) => format!("file {file} to memory"),
        (Dir::ToDevice, Some(file)) => format!("memory to file {file}"),
        (Dir::ToMemory, None) => "device to memory".into(),
        (Dir::ToDevice, None) => "memory to device".into(),
    };
    thing.field("state", diff::io_state(entry));
    if let Some(pfn) = entry.pfn {
        thing.field("page", format!("page {}", pfn.0));
        let write = entry.dir == Dir::ToMemory;
        thing.field("by", hold(entry.hold, write));
        thing.field("for", address(p, entry.mm.at(), entry.va.at()));
        thing.frame(pfn);
        let pte = state.m.ptes[entry.mm.at()][entry.va.at()];
        thing.reach = reach(state, std::iter::once(&pte), pfn);
    }
    thing
}

fn address(p: &Program, mm: usize, va: usize) -> String {
    format!("{}:{}", p.names.processes[mm], p.names.pages[va])
}

fn hold(hold: Hold, write: bool) -> String {
    let flag = match hold {
        Hold::Get => "FOLL_GET",
        Hold::Pin => "FOLL_PIN",
        Hold::Borrowed => return "registered buffer".into(),
    };
    format!("{flag}{}", if write { "|FOLL_WRITE" } else { "" })
}

fn cells(thing: &mut Thing, n: u8, values: &[u8; MAX_CELLS]) {
    for (cell, &value) in values.iter().enumerate().take(n as usize) {
        thing.field(format!("[{cell}]"), diff::value(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Kernels;
    use crate::lower::lower;

    /// The memory of a small test at its start.
    fn at_the_start(text: &str) -> Vec<Thing> {
        let test = cowherd_litmus::parse("t", text).unwrap();
        let profile = Kernels::shipped().profile("v5.18").unwrap().profile;
        let program = lower(&test, &profile, true).unwrap();
        things(&program, &program.initial[0])
    }

    fn find<'a>(things: &'a [Thing], id: &str) -> &'a Thing {
        things.iter().find(|t| t.id == id).unwrap()
    }

    const STORE: &str =
        "MM t\n{ anon x[2] = { 3, 4 }; }\nP0 in A { x[0] = 1; }\nexists (A:x[0]=1)\n";

    #[test]
    fn a_mapped_page_and_its_pte_point_at_each_other() {
        let things = at_the_start(STORE);
        let pte = find(&things, "A:x");
        assert_eq!(pte.to, ["page 1"]);
        let page = find(&things, "page 1");
        assert_eq!(page.reach, Reach::Mapped);
        assert_eq!(
            (page.get("refcount"), page.get("[1]"), &*page.name),
            ("1", "4", "x")
        );
    }

    #[test]
    fn a_swapped_page_is_a_slot_and_no_frame() {
        let swapped = STORE.replace("{ 3, 4 }", "{ 3, 4 } swapped");
        let things = at_the_start(&swapped);
        assert_eq!(find(&things, "A:x").to, ["slot 0"]);
        assert_eq!(find(&things, "slot 0").get("count"), "1");
        assert!(things.iter().all(|t| t.kind != ThingKind::Frame));
    }

    #[test]
    fn applying_what_changed_gives_the_new_picture() {
        let before = at_the_start(STORE);
        let mut after = before.clone();
        after.retain(|t| t.id != "page 1");
        after[0].fields[0].value = "other".into();
        after.push(Thing::new("page 2", ThingKind::Frame));
        let (new, gone) = changed(&before, &after);
        assert_eq!(gone, ["page 1"]);
        assert_eq!(new.len(), 2);
        let mut rebuilt = before;
        apply(&mut rebuilt, &new, &gone);
        assert_eq!(rebuilt, after);
    }
}
