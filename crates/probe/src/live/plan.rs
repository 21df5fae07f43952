//! From a test to what can run here: what it needs, what stands in for what this machine does not have, and why it cannot run at all.
//!
//! The result is a test again. That one runs, and that one is held against the model: a stand-in never makes the comparison wrong, it only compares
//! something else than the corpus has, and the notes say what.

use cowherd_litmus::ast::{
    Activity, Advice, AtomKind, Attributes, Call, Contents, FileSystem, Foll, Location, Mode,
    PageId, ProcessId, Prop, ShownLocation, SwapDevice, Test, ThreadId, UffdMode,
};
use cowherd_model::kernels::Release;

use super::call::pipe_widths;
use super::machine::{Machine, Swap};
use super::uffd::feature;
use super::world;
use crate::detect::release::leading;

/// A test that can run here.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The test as it runs.
    pub test: Test,
    /// What stands in for what.
    pub notes: Vec<String>,
    /// The swap area that has to be on.
    pub swap: Option<Swap>,
}

/// Slots that the model has at most.
const SLOTS: u8 = cowherd_mm::MAX_SLOTS as u8;
/// Registers that the model follows at most.
const MODEL_REGISTERS: usize = 12;

/// What it takes to run `test` on `machine`; or what is missing.
pub fn plan(test: &Test, machine: &Machine) -> Result<Plan, String> {
    let mut plan = Plan {
        test: test.clone(),
        notes: Vec::new(),
        swap: None,
    };
    files(&mut plan, machine)?;
    kernel(&mut plan, machine)?;
    scanned(&plan.test)?;
    calls(&plan.test, machine)?;
    pages(&plan.test, machine)?;
    swap(&mut plan, machine)?;
    if plan.test.frames.take().is_some() {
        plan.notes.push("frames: as many as the machine has".into());
    }
    if !plan.test.failures.is_empty() {
        plan.notes
            .push("fail: no failure is forced; those that happen are allowed for".into());
    }
    watch(&mut plan.test);
    Ok(plan)
}

/// Direct reads of a block device go through nbd, other direct I/O through FUSE, whatever the file is on; what is mapped or buffered is a real file.
fn files(plan: &mut Plan, machine: &Machine) -> Result<(), String> {
    let test = &plan.test;
    for n in 0..test.files.len() {
        let mapped = is_mapped(test, n);
        let (direct, buffered) = uses(test, n);
        if direct && (mapped || buffered) {
            return Err(format!(
                "{} is read directly, and mapped or buffered as well: no one file does both on demand",
                test.files[n].name
            ));
        }
        if mapped && is_written(test, n) {
            return Err(format!(
                "{} is mapped, and written through the page cache: the model keeps the two apart",
                test.files[n].name
            ));
        }
        let device = machine.nbd && on_block(test, n);
        if direct && !machine.fuse && !device {
            return Err(
                "FUSE (as root, /dev/fuse): nothing else can hold a direct transfer".into(),
            );
        }
    }
    for n in 0..plan.test.files.len() {
        let (direct, _) = uses(&plan.test, n);
        let device = machine.nbd && on_block(&plan.test, n);
        let file = &mut plan.test.files[n];
        let on = match file.on {
            // A read(2) of a device takes the simple path.
            _ if device => FileSystem::BlockSync,
            _ => FileSystem::Fuse,
        };
        if direct && file.on != on {
            plan.notes
                .push(format!("{}: on {on} for {}", file.name, file.on));
            file.on = on;
        }
    }
    Ok(())
}

fn is_mapped(test: &Test, file: usize) -> bool {
    test.pages
        .iter()
        .any(|p| matches!(p.contents, Contents::File { file: f, .. } if f.index() == file))
}

/// Is the file on a block device and only ever read, by read(2)? What is written to one cannot be held.
fn on_block(test: &Test, n: usize) -> bool {
    if !matches!(test.files[n].on, FileSystem::Block | FileSystem::BlockSync) {
        return false;
    }
    let mut stmts = test.threads.iter().flat_map(|t| &t.stmts);
    !stmts.any(|s| {
        matches!(&s.call,
            Call::Pwrite { file, .. }
            | Call::WriteSubmit { file, .. }
            | Call::ReadFixed { file, .. }
            | Call::WriteFixed { file, .. } if file.file.index() == n)
    })
}

/// Is there a buffered write to the file?
fn is_written(test: &Test, n: usize) -> bool {
    let mut stmts = test.threads.iter().flat_map(|t| &t.stmts);
    stmts.any(|s| {
        matches!(&s.call, Call::Pwrite { file, mode: Mode::Buffered, .. } if file.file.index() == n)
    })
}

/// Is there direct, is there buffered I/O on the file?
fn uses(test: &Test, n: usize) -> (bool, bool) {
    let (mut direct, mut buffered) = (false, false);
    for stmt in test.threads.iter().flat_map(|t| &t.stmts) {
        match &stmt.call {
            Call::Pread { file, mode, .. } | Call::Pwrite { file, mode, .. }
                if file.file.index() == n =>
            {
                match mode {
                    Mode::Direct => direct = true,
                    Mode::Buffered => buffered = true,
                }
            }
            Call::ReadSubmit { file, .. }
            | Call::WriteSubmit { file, .. }
            | Call::ReadFixed { file, .. }
            | Call::WriteFixed { file, .. }
                if file.file.index() == n =>
            {
                direct = true;
            }
            _ => {}
        }
    }
    (direct, buffered)
}

/// Activities: reclaim of one page is MADV_PAGEOUT by somebody else.
fn kernel(plan: &mut Plan, machine: &Machine) -> Result<(), String> {
    for activity in plan.test.kernel.iter_mut().flat_map(|k| &mut k.activities) {
        match &mut activity.activity {
            Activity::Reclaim { at } => {
                let at = *at;
                activity.activity = Activity::Madvise {
                    at,
                    advice: Advice::PageOut,
                };
                let note = "reclaim: process_madvise(MADV_PAGEOUT), which leaves pages alone that several processes map";
                if !plan.notes.iter().any(|n| n == note) {
                    plan.notes.push(note.into());
                }
            }
            Activity::Ksm { .. } if !machine.ksm => {
                return Err("KSM, which scans everybody's memory: only with --system or in a virtual machine".into());
            }
            Activity::Ksm { pages } => {
                let mut sorted = pages.clone();
                sorted.sort_by_key(|p| (p.process, p.page));
                if *pages != sorted {
                    *pages = sorted;
                    plan.notes
                        .push("ksm: ksmd takes pages in the order of their addresses".into());
                }
            }
            Activity::Migrate { .. } => {
                return Err("compaction of one page: no system call asks for it".into());
            }
            Activity::NumaScan { .. } => {
                return Err("NUMA hinting of one page: no system call asks for it".into());
            }
            Activity::Swapoff if machine.own_swap.is_empty() => {
                return Err("a swap area of its own to swap off: only with --system".into());
            }
            Activity::ClearRefs { .. } if !machine.soft_dirty => {
                return Err("soft-dirty tracking (CONFIG_MEM_SOFT_DIRTY)".into());
            }
            _ => {}
        }
    }
    if plan.notes.iter().any(|n| n.starts_with("reclaim")) {
        rename(&mut plan.test.condition.prop);
    }
    Ok(())
}

/// ksmd scans every mergeable mapping: those of a test have to be those that its activity names.
fn scanned(test: &Test) -> Result<(), String> {
    for activity in test.kernel.iter().flat_map(|k| &k.activities) {
        let Activity::Ksm { pages } = &activity.activity else {
            continue;
        };
        for process in (0..test.processes.len()).map(|n| ProcessId(n as u8)) {
            for page in pages.iter().map(|at| at.page) {
                let named = pages
                    .iter()
                    .any(|at| (at.process, at.page) == (process, page));
                if has(test, process, page) && !named {
                    return Err("a ksmd that leaves other mappings of a page alone".into());
                }
            }
        }
    }
    Ok(())
}

/// What the condition asks of `reclaim` it asks of what stands in for it.
fn rename(prop: &mut Prop) {
    match prop {
        Prop::Atom(atom) if atom.kind == AtomKind::Refused("reclaim") => {
            atom.kind = AtomKind::Refused("madvise");
        }
        Prop::Not(p) => rename(p),
        Prop::And(ps) | Prop::Or(ps) => ps.iter_mut().for_each(rename),
        Prop::Implies(p, q) => {
            rename(p);
            rename(q);
        }
        Prop::Atom(_) | Prop::True | Prop::False => {}
    }
}

fn calls(test: &Test, machine: &Machine) -> Result<(), String> {
    for stmt in test.threads.iter().flat_map(|t| &t.stmts) {
        match &stmt.call {
            Call::Get { flags, .. } if !flags.is_empty() => {
                return Err(
                    "a holder of FOLL_GET|FOLL_WRITE that keeps the page: needs gup_test".into(),
                );
            }
            Call::Pin { flags, .. } if *flags != [Foll::Write, Foll::LongTerm] => {
                return Err("a holder with these flags of pin: needs gup_test (io_uring pins FOLL_WRITE, FOLL_LONGTERM)".into());
            }
            Call::Pin { .. } | Call::RegisterBuffer { .. } if !machine.io_uring => {
                return Err("io_uring".into());
            }
            Call::UffdRwprotect { .. } => {
                return Err("read-write protection by userfaultfd: in no release".into());
            }
            Call::UffdMove { .. } if machine.uffd.is_none_or(|f| f & feature::MOVE == 0) => {
                return Err("UFFDIO_MOVE".into());
            }
            Call::MovePages { .. } if machine.nodes < 2 => {
                return Err("a second NUMA node to move pages to".into());
            }
            Call::Swapoff if machine.own_swap.is_empty() => {
                return Err("a swap area of its own to swap off: only with --system".into());
            }
            Call::Swapoff => return Err("swapoff by a thread of the test".into()),
            Call::ProcessMadvise {
                advice: Advice::WillNeed,
                ..
            } if older(machine, Release::new(5, 16, 0)) => {
                return Err("process_madvise(MADV_WILLNEED), which came with 5.16".into());
            }
            Call::ClearRefs { .. } | Call::Pagemap { .. } if !machine.soft_dirty => {
                return Err("soft-dirty tracking (CONFIG_MEM_SOFT_DIRTY)".into());
            }
            _ => {}
        }
    }
    if pipe_widths(test).len() > 1 {
        return Err("pipe buffers of one size: read(2) does not stop at the end of one".into());
    }
    Ok(())
}

/// Is the kernel older than this release?
fn older(machine: &Machine, than: Release) -> bool {
    leading(&machine.release).is_some_and(|release| release < than)
}

fn pages(test: &Test, machine: &Machine) -> Result<(), String> {
    let cleared = |a: &Attributes| a.tracked || a.wrprotected;
    let asks = test
        .threads
        .iter()
        .flat_map(|t| &t.stmts)
        .any(|s| matches!(s.call, Call::Pagemap { .. }));
    for page in &test.pages {
        let a: &Attributes = &page.attributes;
        if asks
            && (a.wrprotected || !a.tracked && test.pages.iter().any(|p| cleared(&p.attributes)))
        {
            return Err(format!(
                "{}: clear_refs, which is about every page of a process, and leaves none soft-dirty",
                page.name
            ));
        }
        let cannot = |what: &str| Err(format!("{}: {what}", page.name));
        if a.nonexclusive && !a.dirty {
            return cannot("a clean page comes from swap, and is exclusive then");
        }
        if a.protnone {
            return cannot("no system call makes a NUMA hinting entry on demand");
        }
        if a.crowded {
            return cannot("a thousand references take a thousand processes");
        }
        if a.writeback {
            return cannot("a swap write cannot be held");
        }
        if a.ksm.is_some() {
            return cannot("a KSM page to start from is not brought about yet");
        }
        if (a.tracked || a.wrprotected) && !machine.soft_dirty {
            return cannot("soft-dirty tracking (CONFIG_MEM_SOFT_DIRTY)");
        }
        if a.cached && !a.swapped {
            return cannot(
                "whether a mapped page is in the swap cache and writable cannot be chosen",
            );
        }
        let Some(uffd) = a.uffd else { continue };
        let wanted = match uffd.mode {
            UffdMode::Missing => 0,
            UffdMode::Wp => feature::WP,
            UffdMode::Minor => feature::MINOR_SHMEM,
            UffdMode::Rwp => return cannot("read-write protection by userfaultfd: in no release"),
        };
        match machine.uffd {
            None => return cannot("userfaultfd"),
            Some(features) if features & wanted != wanted => {
                return cannot("this mode of userfaultfd");
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// The swap device: the one that the test has, or one that stands in for it.
fn swap(plan: &mut Plan, machine: &Machine) -> Result<(), String> {
    if !needs_swap(&plan.test) {
        if plan.test.swap.device == SwapDevice::None && machine.swap.is_some() {
            return Err("a machine without swap".into());
        }
        return Ok(());
    }
    let wanted = plan.test.swap;
    if wanted.device == SwapDevice::None {
        // An area of cowherd's own is on for all tests of a run.
        return match (machine.swap, machine.own_swap.is_empty()) {
            (None, true) => Ok(()),
            _ => Err("a machine without swap".into()),
        };
    }
    // Where a page is to be swapped out and in no cache, only a device that is done in the call leaves it so.
    let uncached = plan.test.pages.iter().any(|p| {
        let a = &p.attributes;
        (a.swapped && !a.cached) || (!a.dirty && a.dirty_by_default(&p.contents))
    });
    let cached = plan.test.pages.iter().any(|p| p.attributes.cached);
    let synchronous = (wanted.device == SwapDevice::Sync || uncached) && !cached;
    let fits = |swap: &&Swap| (!uncached || swap.synchronous) && (!cached || !swap.synchronous);
    let best = |swap: &&Swap| fits(swap) && swap.synchronous == synchronous;
    let candidates: Vec<Swap> = if machine.own_swap.is_empty() {
        machine.swap.into_iter().collect()
    } else {
        machine.own_swap.clone()
    };
    let Some(swap) = candidates
        .iter()
        .find(best)
        .or(candidates.iter().find(fits))
    else {
        return Err(if candidates.is_empty() {
            "swap; --system makes an area of its own".into()
        } else {
            "a swap device that leaves a swapped page in, or out of, the swap cache as the test has it".into()
        });
    };
    let declared = Swap {
        synchronous: wanted.device == SwapDevice::Sync,
        stable: wanted.stable,
    };
    if declared != *swap {
        plan.notes
            .push(format!("swap: {} for {}", swap.text(), declared.text()));
    }
    plan.test.swap.device = if swap.synchronous {
        SwapDevice::Sync
    } else {
        SwapDevice::Async
    };
    plan.test.swap.stable = swap.stable;
    // A real area has room: as many slots as the model has.
    plan.test.swap.slots = SLOTS;
    plan.swap = Some(*swap);
    Ok(())
}

/// Does anything of the test go to swap?
fn needs_swap(test: &Test) -> bool {
    let advice = |a: &Advice| *a == Advice::PageOut;
    test.pages.iter().any(|p| {
        let a = &p.attributes;
        a.swapped || a.cached || (!a.dirty && a.dirty_by_default(&p.contents))
    }) || test
        .threads
        .iter()
        .flat_map(|t| &t.stmts)
        .any(|s| match &s.call {
            Call::Madvise { advice: a, .. } | Call::ProcessMadvise { advice: a, .. } => advice(a),
            Call::Swapoff => true,
            _ => false,
        })
        || test
            .kernel
            .iter()
            .flat_map(|k| &k.activities)
            .any(|k| match &k.activity {
                Activity::Madvise { advice: a, .. } => advice(a),
                Activity::Swapoff => true,
                _ => false,
            })
}

/// Adds to what is shown of a final state all that can be seen from outside: registers, as many as the model follows, cells and files.
fn watch(test: &mut Test) {
    let mut registers: Vec<(ThreadId, cowherd_litmus::ast::Reg)> = Vec::new();
    let mut other = 0;
    let mut count = |location: &Location| match *location {
        Location::Reg { thread, reg } if !registers.contains(&(thread, reg)) => {
            registers.push((thread, reg))
        }
        Location::Handle { .. } => other += 1,
        _ => {}
    };
    test.locations.iter().for_each(|l| count(&l.location));
    test.condition.prop.atoms(&mut |atom| {
        if let AtomKind::Compare { location, .. } = &atom.kind {
            count(location);
        }
    });
    let sources: usize = test.threads.iter().map(|t| t.stmts.len()).sum();
    let mut shown: Vec<Location> = Vec::new();
    // Stored registers count as well; that many statements are few enough to leave room for all of them.
    let room = MODEL_REGISTERS.saturating_sub(registers.len() + other + sources / 3);
    let all = (0..test.threads.len()).flat_map(|t| {
        let stmts = world::reached(test, t);
        stmts
            .iter()
            .filter_map(move |s| s.result)
            .map(move |reg| (ThreadId(t as u8), reg))
    });
    let more: Vec<_> = all.filter(|r| !registers.contains(r)).take(room).collect();
    shown.extend(
        more.into_iter()
            .map(|(thread, reg)| Location::Reg { thread, reg }),
    );
    for process in (0..test.processes.len()).map(|n| ProcessId(n as u8)) {
        for (n, page) in test.pages.iter().enumerate() {
            if has(test, process, PageId(n as u8)) {
                shown.extend((0..page.cells).map(|cell| {
                    Location::Cell(cowherd_litmus::ast::AddressCell {
                        process,
                        page: PageId(n as u8),
                        cell,
                    })
                }));
            }
        }
    }
    for (n, file) in test.files.iter().enumerate() {
        shown.extend((0..file.values.len() as u8).map(|cell| Location::File {
            file: cowherd_litmus::ast::FileId(n as u8),
            cell,
        }));
    }
    for location in shown {
        if !test.locations.iter().any(|l| l.location == location) {
            test.locations.push(ShownLocation {
                location,
                span: test.condition.span,
            });
        }
    }
}

/// Has a process the variable: at the start, or from the parent that forks it?
fn has(test: &Test, process: ProcessId, page: PageId) -> bool {
    let mut at = process;
    loop {
        let p = &test.processes[at.index()];
        if p.from_start {
            return test.pages[page.index()].processes.contains(&at);
        }
        match p.parent {
            Some(parent) => at = parent,
            None => return false,
        }
    }
}

/// Is the file a real one, in the page cache? Otherwise a server has it.
pub fn is_real(test: &Test, file: usize) -> bool {
    is_mapped(test, file) || uses(test, file).1
}
