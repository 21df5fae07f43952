//! Runs a program and says whether anything about it is wrong.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cowherd_explore::{Ended, Options, Reductions, Report, System, Witness, explore};
use cowherd_litmus::ast::Test;
use cowherd_mm::machine::{Hold, IoState, Machine};
use cowherd_mm::page::PageKind;
use cowherd_mm::{Count, MAX_FRAMES, Wait};
use cowherd_model::kernels::{Kernels, Profile};
use cowherd_model::lower::lower;
use cowherd_model::program::Program;
use cowherd_model::spec::{self, GAVE_UP_BIT, PROMISES};
use cowherd_model::state::State;

/// What came of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is no program, and why.
    Rejected(String),
    /// The model does not run it.
    Refused(String),
    /// All is well; so many states.
    Fine(u64),
    /// As far as was looked, all is well.
    Cut(u64),
    /// What is wrong.
    Wrong(BTreeSet<String>),
}

/// A kernel that ships.
pub fn profile(name: &str) -> Profile {
    Kernels::shipped()
        .profile(name)
        .expect("a kernel that ships")
        .profile
}

/// The test that a text is, or the first thing that is wrong with it.
pub fn parse(text: &str) -> Result<Test, String> {
    cowherd_litmus::parse("random", text).map_err(|d| d[0].message.clone())
}

/// Runs `text` on `profile` and looks for whatever no kernel that is right may show.
pub fn examine(text: &str, profile: &Profile, most: u64) -> Finding {
    let test = match parse(text) {
        Ok(test) => test,
        Err(why) => return Finding::Rejected(why),
    };
    let run = || {
        let program = match lower(&test, profile, true) {
            Ok(program) => program,
            Err(why) => return Finding::Refused(why.message),
        };
        let options = Options {
            max_states: Some(most),
            livelock: true,
            ..Options::default()
        };
        let report = explore(&program, &options);
        let wrong = wrong(&program, &report);
        if !wrong.is_empty() {
            Finding::Wrong(wrong)
        } else if report.ended == Ended::Complete {
            Finding::Fine(report.states)
        } else {
            Finding::Cut(report.states)
        }
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()));
        Finding::Wrong(BTreeSet::from([format!(
            "panic: {}",
            text.unwrap_or_default()
        )]))
    })
}

/// The flags of a run.
pub fn flags(report: &Report) -> u64 {
    report.flags.keys().fold(0, |bits, &bit| bits | 1 << bit)
}

fn wrong(program: &Program, report: &Report) -> BTreeSet<String> {
    let bad = PROMISES | 1 << GAVE_UP_BIT | u64::MAX << spec::INVARIANT_SHIFT;
    let mut wrong: BTreeSet<String> = spec::names(flags(report) & bad).into_iter().collect();
    if report.livelocks.is_some_and(|l| l.states > 0) {
        wrong.insert("livelock".into());
    }
    if !wrong.is_empty() {
        return wrong;
    }
    for (_, packed) in report.packed_states() {
        let state = program.unpack(packed);
        if program.done(&state) {
            wrong.extend(leaks(program, &state));
        } else if report.deadlocks.states > 0 {
            wrong.extend(deadlock(program, &state));
        }
    }
    wrong
}

/// Why nobody can go on, unless the program itself waits for what never comes.
fn deadlock(program: &Program, state: &State) -> Option<String> {
    if (0..System::actors(program)).any(|actor| program.enabled(state, actor)) {
        return None;
    }
    let mut waits = Vec::new();
    for task in 0..program.tasks.len() {
        if let Some(step) = program.next_step(state, task) {
            match step.wait {
                Wait::PipeFull(_) | Wait::PipeRoom(_) | Wait::Uffd(..) => {}
                wait => waits.push(format!("{} {wait:?}", step.label)),
            }
        }
    }
    (!waits.is_empty()).then(|| format!("deadlock: {}", waits.join(", ")))
}

/// Locks and references that are left when all is done.
fn leaks(program: &Program, state: &State) -> Vec<String> {
    let m = &state.m;
    let sizes = &program.cfg.sizes;
    let mut leaks = Vec::new();
    // A thread that waits for userfaultfd may hold a reference.
    if m.tasks[..sizes.cpus].iter().any(|task| task.busy()) {
        return leaks;
    }
    for (n, mm) in m.mms[..sizes.mms].iter().enumerate() {
        if mm.readers != Count(0) || mm.writer {
            leaks.push("mmap_lock is held at the end".into());
        }
        if mm.ptl {
            leaks.push("a page-table lock is held at the end".into());
        }
        if mm.flush_pending != Count(0) {
            leaks.push("tlb_flush_pending at the end".into());
        }
        if mm.wp_seq.0 % 2 == 1 {
            leaks.push("write_protect_seq is odd at the end".into());
        }
        for vma in &m.vmas[n][..sizes.pages] {
            if mm.alive && (vma.readers != Count(0) || vma.writer) {
                leaks.push("a VMA lock is held at the end".into());
            }
        }
    }
    for slot in &m.slots[..sizes.slots] {
        if slot.claimed {
            leaks.push("a slot is claimed at the end".into());
        }
    }
    let (refs, mut pins) = explained(m);
    // The references of a page that is crowded are nobody's, and stay. Frames may have been renamed.
    let mut crowds: u8 = program.base().frames.iter().map(|page| page.pins.0).sum();
    for (at, page) in m.frames[..sizes.frames].iter().enumerate().skip(1) {
        if page.kind == PageKind::Free {
            continue;
        }
        if page.locked {
            leaks.push("a page is locked at the end".into());
        }
        if page.frozen {
            leaks.push("a page is frozen at the end".into());
        }
        if crowds > 0 && page.pins.0 > pins[at] {
            crowds -= 1;
            pins[at] += 1;
        }
        if page.refs.0 != refs[at] || page.pins.0 != pins[at] {
            let kind = page.kind;
            let (r, p) = (page.refs.0, page.pins.0);
            let (er, ep) = (refs[at], pins[at]);
            leaks.push(format!(
                "{kind:?} page with {r} references and {p} pins, of which {er} and {ep} are explained"
            ));
        }
        if page.anon() && !page.lru && !page.batched() {
            leaks.push("a page is neither on the LRU nor in a batch at the end".into());
        }
    }
    if crowds > 0 {
        leaks.push("the references of a crowded page are gone at the end".into());
    }
    leaks
}

/// The references to each frame that somebody has.
fn explained(m: &Machine) -> ([u8; MAX_FRAMES], [u8; MAX_FRAMES]) {
    let (mut refs, mut pins) = ([0; MAX_FRAMES], [0; MAX_FRAMES]);
    for (at, page) in m.frames.iter().enumerate() {
        refs[at] = page.mapcount.0
            + u8::from(page.swap.is_some())
            + u8::from(page.batch.is_some())
            + u8::from(page.lazy_batch.is_some())
            + u8::from(page.moving.is_some())
            + u8::from(page.kind == PageKind::File);
    }
    let mut hold = |pfn: Option<cowherd_mm::Pfn>, hold: Hold| {
        if let Some(pfn) = pfn.filter(|pfn| !pfn.is_zero()) {
            match hold {
                Hold::Get => refs[pfn.at()] += 1,
                Hold::Pin => pins[pfn.at()] += 1,
                Hold::Borrowed => {}
            }
        }
    };
    for holder in &m.holders {
        hold(holder.page, holder.hold);
    }
    for io in m.ios.iter().filter(|io| io.state != IoState::Idle) {
        hold(io.pfn, io.hold);
    }
    for buf in m.pipes.iter().flatten().flatten() {
        hold(Some(buf.pfn), Hold::Get);
    }
    (refs, pins)
}

/// How many states of each kind, for comparisons.
pub fn run(
    test: &Test,
    profile: &Profile,
    reductions: Reductions,
    workers: usize,
    most: u64,
) -> Option<(Program, Report)> {
    let program = lower(test, profile, reductions.symmetry).ok()?;
    let options = Options {
        workers,
        reductions,
        max_states: Some(most),
        livelock: true,
        ..Options::default()
    };
    let report = explore(&program, &options);
    (report.ended == Ended::Complete).then_some((program, report))
}

/// Prints how the first of each thing that is wrong comes about.
pub fn explain(text: &str, profile: &Profile) {
    let Ok(test) = parse(text) else { return };
    let Ok(program) = lower(&test, profile, true) else {
        return;
    };
    let options = Options {
        max_states: Some(400_000),
        ..Options::default()
    };
    let report = explore(&program, &options);
    println!("{} states", report.states);
    let tell = |witness: &Witness| {
        witness.replay(&program, |state, taken| {
            let next = program.take(state, taken).expect("a schedule of it");
            let step = program.tell(state, &next, taken);
            let (who, call) = (program.actor_name(taken.actor), &step.call);
            println!(
                "{who:>8} {call:<12} {:<9} {:<26} {:?} {:?}",
                step.label, step.function, step.changes, step.broken
            );
        });
    };
    for (bit, flag) in &report.flags {
        let hazard = (spec::HAZARD_SHIFT..GAVE_UP_BIT).contains(bit);
        if !hazard && *bit < spec::INVARIANT_SHIFT {
            println!("--- {:?}", spec::names(1 << bit));
            let witness = report.flag_witness(&program, *bit, flag.best);
            tell(&program.tidy(&witness, &|state| state.alarms >> bit & 1 == 1));
        }
    }
    let mut told = BTreeSet::new();
    for (id, packed) in report.packed_states() {
        let state = program.unpack(packed);
        let wrong = if program.done(&state) {
            leaks(&program, &state)
        } else {
            deadlock(&program, &state).into_iter().collect()
        };
        if wrong.iter().any(|wrong| told.insert(wrong.clone())) {
            println!("--- {wrong:?}");
            tell(&report.witness(&program, id));
        }
    }
}
