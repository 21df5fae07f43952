//! What differs between two states, in the kernel's words.

use cowherd_mm::machine::{Dir, Io, IoState};
use cowherd_mm::page::{Page, PageKind};
use cowherd_mm::pgtable::{MigrationKind, Pte};
use cowherd_mm::*;
use serde::{Deserialize, Serialize};

use crate::program::{JUNK, Program};
use crate::state::State;

/// A thing that has another value now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Whose: `A:x`, `page 1`, `slot 0`, `CPU 1`, `mm A`, `io 0`, `pipe 0`, `file 0`.
    pub object: String,
    /// Which field of it: `PTE`, `refcount`, `mapcount`, `PG_dirty`, `TLB`, `[0]`, ...
    pub field: String,
    /// What it was; empty: nothing.
    pub from: String,
    /// What it is; empty: nothing.
    pub to: String,
}

struct Changes<'a> {
    p: &'a Program,
    out: Vec<Change>,
}

impl Changes<'_> {
    fn note(&mut self, object: &str, field: impl Into<String>, from: String, to: String) {
        if from != to {
            self.out.push(Change {
                object: object.into(),
                field: field.into(),
                from,
                to,
            });
        }
    }

    fn flag(&mut self, object: &str, field: &str, from: bool, to: bool) {
        self.note(object, field, on(from), on(to));
    }

    fn count(&mut self, object: &str, field: &str, from: u32, to: u32) {
        self.note(object, field, from.to_string(), to.to_string());
    }
}

fn on(flag: bool) -> String {
    if flag { "set".into() } else { String::new() }
}

/// A value of a cell, for people.
pub fn value(v: u8) -> String {
    if v == JUNK {
        "junk".into()
    } else {
        v.to_string()
    }
}

/// All that differs from `before` to `after`.
pub fn diff(p: &Program, before: &State, after: &State) -> Vec<Change> {
    let mut c = Changes { p, out: Vec::new() };
    let s = p.cfg.sizes;
    for mm in 0..s.mms {
        for va in 0..s.pages {
            let object = format!("{}:{}", p.names.processes[mm], p.names.pages[va]);
            c.note(
                &object,
                "PTE",
                pte(before.m.ptes[mm][va]),
                pte(after.m.ptes[mm][va]),
            );
            let (a, b) = (&before.m.vmas[mm][va], &after.m.vmas[mm][va]);
            c.flag(&object, "VMA", a.mapped, b.mapped);
            c.flag(
                &object,
                "VM_WRITE",
                a.write && a.mapped,
                b.write && b.mapped,
            );
            c.flag(&object, "VM_UFFD_WP", a.uffd_wp, b.uffd_wp);
            c.flag(&object, "VM_SOFTDIRTY", a.soft_dirty, b.soft_dirty);
        }
    }
    for pfn in 1..s.frames {
        frame(&mut c, pfn, before, after);
    }
    for slot in 0..s.slots {
        let object = format!("slot {slot}");
        let (a, b) = (&before.m.slots[slot], &after.m.slots[slot]);
        c.count(&object, "count", u32::from(a.count.0), u32::from(b.count.0));
        c.flag(&object, "SWAP_HAS_CACHE claim", a.claimed, b.claimed);
        let cache = |p: Option<Pfn>| p.map_or(String::new(), |p| format!("page {}", p.0));
        c.note(&object, "swap cache", cache(a.cache), cache(b.cache));
        for cell in 0..s.cells as usize {
            c.note(
                &object,
                format!("[{cell}]"),
                value(before.slots[slot][cell]),
                value(after.slots[slot][cell]),
            );
        }
    }
    for cpu in 0..s.cpus {
        for va in 0..s.pages {
            let name = &p.names.pages[va];
            let entry = |e: Option<machine::TlbEntry>| e.map_or(String::new(), translation);
            let object = format!("CPU {cpu}");
            c.note(
                &object,
                format!("TLB {name}"),
                entry(before.m.tlbs[cpu][va]),
                entry(after.m.tlbs[cpu][va]),
            );
        }
    }
    for mm in 0..s.mms {
        let object = format!("mm {}", p.names.processes[mm]);
        let (a, b) = (&before.m.mms[mm], &after.m.mms[mm]);
        c.flag(&object, "exists", a.alive, b.alive);
        c.flag(&object, "has_pinned", a.has_pinned, b.has_pinned);
        c.count(
            &object,
            "write_protect_seq",
            u32::from(a.wp_seq.0),
            u32::from(b.wp_seq.0),
        );
    }
    for io in 0..s.ios {
        let object = format!("io {io}");
        c.note(
            &object,
            "state",
            io_state(&before.m.ios[io]),
            io_state(&after.m.ios[io]),
        );
        let page = |io: &Io| io.pfn.map_or(String::new(), |p| format!("page {}", p.0));
        c.note(
            &object,
            "page",
            page(&before.m.ios[io]),
            page(&after.m.ios[io]),
        );
    }
    for pipe in 0..s.pipes {
        let show = |bufs: &machine::Pipe| {
            let pages: Vec<String> = bufs
                .iter()
                .flatten()
                .map(|b| format!("page {}", b.pfn.0))
                .collect();
            pages.join(", ")
        };
        c.note(
            &format!("pipe {pipe}"),
            "buffers",
            show(&before.m.pipes[pipe]),
            show(&after.m.pipes[pipe]),
        );
    }
    for holder in 0..s.holders {
        let show = |h: &machine::Holder| h.page.map_or(String::new(), |p| format!("page {}", p.0));
        let object = format!("holder {holder}");
        c.note(
            &object,
            "page",
            show(&before.m.holders[holder]),
            show(&after.m.holders[holder]),
        );
    }
    for file in 0..p.files.len() {
        for cell in 0..s.cells as usize {
            let object = format!("file {}", p.names.files[file]);
            c.note(
                &object,
                format!("[{cell}]"),
                value(before.files[file][cell]),
                value(after.files[file][cell]),
            );
        }
    }
    c.out
}

fn frame(c: &mut Changes, pfn: usize, before: &State, after: &State) {
    let object = format!("page {pfn}");
    let (a, b): (&Page, &Page) = (&before.m.frames[pfn], &after.m.frames[pfn]);
    c.note(&object, "", kind(a), kind(b));
    if !a.is_free() && b.is_free() {
        return;
    }
    let refs = |p: &Page| if p.frozen { 0 } else { u32::from(p.refs.0) };
    c.count(&object, "refcount", refs(a), refs(b));
    c.count(&object, "pins", u32::from(a.pins.0), u32::from(b.pins.0));
    c.count(
        &object,
        "mapcount",
        u32::from(a.mapcount.0),
        u32::from(b.mapcount.0),
    );
    c.flag(&object, "PG_anon_exclusive", a.exclusive, b.exclusive);
    c.flag(&object, "PG_dirty", a.dirty, b.dirty);
    c.flag(&object, "PG_writeback", a.writeback, b.writeback);
    c.flag(&object, "PG_locked", a.locked, b.locked);
    c.flag(&object, "PG_lru", a.lru, b.lru);
    c.flag(&object, "PG_swapbacked", a.swapbacked, b.swapbacked);
    c.flag(&object, "PG_uptodate", a.uptodate, b.uptodate);
    let swap = |p: &Page| p.swap.map_or(String::new(), |s| format!("slot {}", s.0));
    c.note(&object, "PG_swapcache", swap(a), swap(b));
    for cell in 0..c.p.cfg.sizes.cells as usize {
        if !b.is_free() {
            let old = if a.is_free() {
                String::new()
            } else {
                value(before.frames[pfn][cell])
            };
            c.note(
                &object,
                format!("[{cell}]"),
                old,
                value(after.frames[pfn][cell]),
            );
        }
    }
}

/// What a frame is used for.
pub fn kind(p: &Page) -> String {
    match p.kind {
        PageKind::Free => "free",
        PageKind::Anon => "anonymous",
        PageKind::Ksm => "KSM",
        PageKind::File => "page cache",
        PageKind::Zero => "zero page",
    }
    .into()
}

/// A PTE, for people.
pub fn pte(pte: Pte) -> String {
    let flags = |list: &[(bool, &str)]| {
        list.iter()
            .filter(|(set, _)| *set)
            .map(|(_, name)| format!(" {name}"))
            .collect::<String>()
    };
    match pte {
        Pte::None => String::new(),
        Pte::Marker => "uffd-wp marker".into(),
        Pte::Present { e } => {
            let page = if e.pfn.is_zero() {
                "zero page".into()
            } else {
                format!("page {}", e.pfn.0)
            };
            let access = if e.protnone {
                " PROT_NONE"
            } else if e.write {
                " W"
            } else {
                " R/O"
            };
            page + access + &flags(&[(e.dirty, "dirty"), (e.uffd_wp, "uffd-wp")])
        }
        Pte::Swap { e } => {
            format!("swap slot {}", e.slot.0)
                + &flags(&[(e.exclusive, "exclusive"), (e.uffd_wp, "uffd-wp")])
        }
        Pte::Migration { e } => {
            let kind = match e.kind {
                MigrationKind::Readable => "readable",
                MigrationKind::ReadableExclusive => "readable exclusive",
                MigrationKind::Writable => "writable",
            };
            format!("migration entry {kind} (page {})", e.pfn.0)
        }
    }
}

/// An entry of a TLB, for people.
pub fn translation(e: machine::TlbEntry) -> String {
    format!(
        "page {}{}{}",
        e.pfn.0,
        if e.write { " W" } else { "" },
        if e.dirty { " dirty" } else { "" }
    )
}

/// How far a transfer is; empty: there is none.
pub fn io_state(io: &Io) -> String {
    match io.state {
        IoState::Idle => "",
        IoState::Entered => "entered",
        IoState::InFlight if io.dir == Dir::ToMemory => "in flight to memory",
        IoState::InFlight => "in flight to device",
        IoState::Completing => "transferred",
        IoState::Dirtying | IoState::Releasing => "completing",
        IoState::Done => "complete",
        IoState::DoneDirtying | IoState::DoneReleasing => "complete, dirtying deferred",
        IoState::Failed => "failed",
    }
    .into()
}
