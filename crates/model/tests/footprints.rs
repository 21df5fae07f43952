//! What a step says of itself is true: what it records, what the reduction "commute" takes it to touch, how it moves. Held in all
//! states that are met on random runs, of random programs and of the corpus.
//!
//! - What a step changed, it recorded as written: found by comparing the states before and after.
//! - What it read, it recorded: a step of another actor that writes nothing of what was recorded makes no difference. Such
//!   steps come in either order, and everything but the ideal memory is equal after them.
//! - The reduction is told of all that was recorded.
//! - A mover moves: R. J. Lipton's definition, by taking both steps in both orders.

mod common;

use std::collections::BTreeSet;

use common::examine::{parse, profile};
use common::generate::Generator;
use common::random::Random;
use cowherd_explore::{Choice, Mover, System};
use cowherd_mm::*;
use cowherd_model::corpus::Corpus;
use cowherd_model::kernels::Profile;
use cowherd_model::lower::lower;
use cowherd_model::program::Program;
use cowherd_model::state::State;

const KERNELS: [&str; 6] = ["v4.19", "v5.10", "v5.18", "v5.19", "v6.12.107", "v7.2"];

/// Steps of one random run at most.
const LONGEST: usize = 150;

/// A step that was taken: what chose it, where it led, what it touched.
struct Taken {
    next: State,
    touched: Touch,
}

/// Each way to take the next step of an actor.
fn ways(program: &Program, state: &State, actor: usize) -> Vec<Taken> {
    let (mut number, mut fanout) = (0, 1);
    let mut all = Vec::new();
    while number < fanout {
        let mut choice = Choice::number(number);
        let mut next = state.clone();
        let touched = program.traced_step(&mut next, actor, &mut choice);
        fanout = fanout.max(choice.fanout());
        if choice.valid() {
            all.push(Taken { next, touched });
        }
        number += 1;
    }
    all
}

fn enabled(program: &Program, state: &State) -> Vec<usize> {
    let actors = 0..System::actors(program);
    actors.filter(|&a| program.enabled(state, a)).collect()
}

/// Calls `each` in the states of one random run of each program: of random ones and of the corpus.
fn everywhere(rounds: u64, each: impl Fn(&Program, &State, &str)) {
    let kernels = KERNELS.map(profile);
    let run = |text: &str, kernel: &Profile, seed: u64| {
        let Ok(test) = parse(text) else { return };
        let Ok(program) = lower(&test, kernel, true) else {
            return;
        };
        let mut random = Random::new(seed);
        let mut state = random.of(&program.initial);
        for _ in 0..LONGEST {
            let actors = enabled(&program, &state);
            if program.done(&state) || actors.is_empty() {
                break;
            }
            each(&program, &state, text);
            let mut next = ways(&program, &state, random.of(&actors));
            let n = random.below(next.len());
            state = next.swap_remove(n).next;
        }
    };
    let count = common::rounds(rounds);
    for n in 0..count {
        let seed = common::seed().wrapping_mul(1 << 34).wrapping_add(n);
        let text = Generator::new(seed).any().to_string();
        run(&text, &kernels[n as usize % kernels.len()], seed);
    }
    for (n, test) in Corpus::shipped().entries.iter().enumerate() {
        let text = String::from_utf8_lossy(&test.text);
        run(&text, &kernels[n % kernels.len()], n as u64);
    }
}

fn label(program: &Program, state: &State, actor: usize) -> String {
    let step = program.describe(state, actor);
    step.map_or("?".into(), |s| format!("{} ({})", s.label, s.function))
}

/// What differs between two states, as resources. Locks that are held for read are read.
fn changes(a: &State, b: &State) -> u128 {
    let mut bits = 0;
    let (m, n) = (&a.m, &b.m);
    let mut note = |differs: bool, bit: u128| bits |= if differs { bit } else { 0 };
    for mm in (0..MAX_MMS as u8).map(MmId) {
        let lock = |m: &Machine| {
            let mm = m.mms[mm.at()];
            (mm.alive, mm.root, mm.writer)
        };
        let tables = |m: &Machine| {
            let mm = m.mms[mm.at()];
            let flushes = (mm.flush_pending, mm.flush_batched);
            (mm.ptl, mm.has_pinned, mm.wp_seq, flushes)
        };
        note(lock(m) != lock(n), Touch::mm(mm));
        note(tables(m) != tables(n), Touch::ptl(mm));
        for va in (0..MAX_PAGES as u8).map(Va) {
            let vma = |m: &Machine| machine::Vma {
                readers: Count(0),
                ..m.vmas[mm.at()][va.at()]
            };
            note(vma(m) != vma(n), Touch::vma(mm, va));
            let pte = |m: &Machine| m.ptes[mm.at()][va.at()];
            note(pte(m) != pte(n), Touch::pte(mm, va));
        }
    }
    for pfn in (0..MAX_FRAMES as u8).map(Pfn) {
        note(m.frames[pfn.at()] != n.frames[pfn.at()], Touch::page(pfn));
        note(a.frames[pfn.at()] != b.frames[pfn.at()], Touch::data(pfn));
    }
    for slot in (0..MAX_SLOTS as u8).map(Slot) {
        let differs = m.slots[slot.at()] != n.slots[slot.at()];
        let holds = a.slots[slot.at()] != b.slots[slot.at()];
        note(differs || holds, Touch::slot(slot));
    }
    for va in (0..MAX_PAGES as u8).map(Va) {
        let differs = (0..MAX_CPUS).any(|cpu| m.tlbs[cpu][va.at()] != n.tlbs[cpu][va.at()]);
        note(differs, Touch::tlb(va));
    }
    for io in 0..MAX_IOS {
        note(m.ios[io] != n.ios[io], Touch::io(IoId(io as u8)));
    }
    for holder in 0..MAX_HOLDS {
        let differs = m.holders[holder] != n.holders[holder];
        note(differs, Touch::holder(HoldId(holder as u8)));
    }
    for pipe in 0..MAX_PIPES {
        note(
            m.pipes[pipe] != n.pipes[pipe],
            Touch::pipe(PipeId(pipe as u8)),
        );
    }
    for file in 0..MAX_FILES {
        note(
            a.files[file] != b.files[file],
            Touch::file(FileId(file as u8)),
        );
    }
    let device = |m: &Machine| (m.swap_off, m.swap_gone);
    note(device(m) != device(n), Touch::SWAP_DEVICE);
    bits
}

#[test]
fn what_a_step_changed_it_recorded() {
    everywhere(1500, |program, state, text| {
        for actor in enabled(program, state) {
            for Taken { next, touched } in ways(program, state, actor) {
                let missing = changes(state, &next) & !touched.writes;
                let label = label(program, state, actor);
                assert_eq!(missing, 0, "{label} did not record {missing:x}\n{text}");
            }
        }
    });
}

/// A state without what the specification and the checks after a step make of it, and without places in programs.
fn plain(state: &State) -> State {
    State {
        ideal: Default::default(),
        alarms: 0,
        ..state.clone()
    }
}

fn conflict(a: Touch, b: Touch) -> bool {
    a.writes & b.any != 0 || a.any & b.writes != 0
}

#[test]
fn steps_that_recorded_nothing_in_common_come_in_either_order() {
    everywhere(400, |program, state, text| {
        let actors = enabled(program, state);
        for &a in &actors {
            for &b in actors.iter().filter(|&&b| b > a) {
                let (firsts, seconds) = (ways(program, state, a), ways(program, state, b));
                let disjoint = |x: &Taken| seconds.iter().all(|y| !conflict(x.touched, y.touched));
                if !firsts.iter().all(disjoint) || firsts.iter().any(|x| program.done(&x.next)) {
                    continue;
                }
                let names = || {
                    let (a, b) = (label(program, state, a), label(program, state, b));
                    format!("{a} and {b}\n{text}")
                };
                for (i, first) in firsts.iter().enumerate() {
                    assert!(program.enabled(&first.next, b), "not enabled: {}", names());
                    let then = ways(program, &first.next, b);
                    assert_eq!(then.len(), seconds.len(), "other choices: {}", names());
                    for (j, one) in then.iter().enumerate() {
                        let other = ways(program, &seconds[j].next, a);
                        assert_eq!(other.len(), firsts.len(), "other choices: {}", names());
                        let (one, other) = (plain(&one.next), plain(&other[i].next));
                        assert!(one == other, "{}\n{one:?}\n{other:?}", names());
                    }
                }
            }
        }
    });
}

#[test]
fn the_reduction_is_told_of_all_that_a_step_touches() {
    everywhere(1500, |program, state, text| {
        for actor in enabled(program, state) {
            let (label, told) = program.told(state, actor);
            let future = program.actor_future(state, actor);
            for Taken { next, touched } in ways(program, state, actor) {
                let did = program.coarse(state, touched);
                assert!(told.covers(did), "{label}: {told:x?} {did:x?}\n{text}");
                assert!(future.covers(did), "{label}: {future:x?} {did:x?}\n{text}");
                let later = program.actor_future(&next, actor);
                assert!(future.covers(later), "{label}: the future grows\n{text}");
            }
        }
    });
}

/// The canonical forms of all states that one step of each of two actors leads to, in this order.
fn after_both(program: &Program, state: &State, first: usize, second: usize) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    for Taken { next, .. } in ways(program, state, first) {
        if program.done(&next) || !program.enabled(&next, second) {
            continue;
        }
        for Taken { next, .. } in ways(program, &next, second) {
            let mut packed = Vec::new();
            program.pack(&next, &mut packed);
            all.insert(packed);
        }
    }
    all
}

#[test]
fn a_mover_moves() {
    everywhere(1500, |program, state, text| {
        let actors = enabled(program, state);
        for &a in &actors {
            let name = |actor| label(program, state, actor);
            // Right: whatever comes after it may come before it.
            if matches!(program.mover(state, a), Mover::Right | Mover::Both) {
                for b in (0..System::actors(program)).filter(|&b| b != a) {
                    let then = after_both(program, state, a, b);
                    let before = || after_both(program, state, b, a);
                    let moves =
                        then.is_empty() || program.enabled(state, b) && then.is_subset(&before());
                    let next = || label(program, &ways(program, state, a)[0].next, b);
                    assert!(moves, "{} moves not right past {}\n{text}", name(a), next());
                }
            }
            // Left: what came before it may come after it. `a` is that.
            for b in (0..System::actors(program)).filter(|&b| b != a) {
                let left = ways(program, state, a).iter().any(|Taken { next, .. }| {
                    let mover = || program.mover(next, b);
                    !program.done(next)
                        && program.enabled(next, b)
                        && matches!(mover(), Mover::Left | Mover::Both)
                });
                if left {
                    let then = after_both(program, state, a, b);
                    let moves = program.enabled(state, b)
                        && then.is_subset(&after_both(program, state, b, a));
                    assert!(moves, "{} moves not left past {}\n{text}", name(b), name(a));
                }
            }
        }
    });
}
