//! On a kernel that is right no program breaks a promise, panics, hangs or leaves a lock or a reference behind.
//!
//! `COWHERD_LONG=N` runs N random programs, `COWHERD_SEED` others; `COWHERD_TEST=FILE` runs one and tells how it goes wrong.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::draft::Draft;
use common::examine::{Finding, examine, explain, profile};
use common::generate::{ACTIVITIES, CALLS, Generator, STARTS};
use common::minimise::minimise;
use cowherd_model::kernels::Profile;

/// States of one program at most.
const MOST: u64 = 60_000;

/// What is wrong and known to be.
///
/// - replace_page() of KSM drops the uffd-wp mark of a PTE, in every release: a store after it is missed. That is true.
/// - A slot that cannot be read keeps its swap PTE here, where kernels from 6.0 on poison the PTE: swapoff never ends.
/// - open-questions/free-window-store, tlb/reclaim-stale-load: reclaim and a translation that is yet to be flushed. With both windows
///   closed nothing is lost, or it was something else.
fn known(wrong: &BTreeSet<String>, text: &str, kernel: &Profile) -> bool {
    let only = |kind: &str| wrong.len() == 1 && wrong.contains(kind);
    only("missed-wp") && text.contains("ksm") && text.contains("uffd(wp")
        || only("livelock") && text.contains("fail io_error") && text.contains("swapoff")
        || only("lost-write") && {
            let closed = format!("{}+remove_flush+unmap_flush_pending", kernel.name);
            matches!(
                examine(text, &profile(&closed), 100 * MOST),
                Finding::Fine(_)
            )
        }
}

/// A test of the corpus, and whether its lost write is one of the known ones.
fn is_known(path: &str, kernel: &str) -> bool {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../litmus/");
    let text = std::fs::read_to_string(format!("{root}{path}.litmus")).unwrap();
    let kernel = profile(kernel);
    match examine(&text, &kernel, 100 * MOST) {
        Finding::Wrong(wrong) => known(&wrong, &text, &kernel),
        other => panic!("{path}: {other:?}"),
    }
}

#[test]
fn what_is_passed_over_is_what_was_found_and_no_other_lost_write() {
    assert!(is_known("open-questions/free-window-store", "v7.2"));
    assert!(is_known("tlb/reclaim-stale-load", "v7.2"));
    assert!(!is_known("direct-io/odirect-two-sectors", "v5.18"));
    assert!(!is_known("madvise/free-flush", "v7.2-madvfree_flush"));
}

/// What came of many programs.
#[derive(Default)]
struct Tally {
    fine: u64,
    cut: u64,
    known: u64,
    rejected: BTreeMap<String, u64>,
    refused: BTreeMap<String, u64>,
    states: u64,
    wrong: BTreeMap<String, (String, u64)>,
}

/// Runs the drafts that `make` makes, on all CPUs.
fn all(count: u64, kernels: &[Profile], make: impl Fn(u64) -> Draft + Sync) -> Tally {
    let next = AtomicUsize::new(0);
    let tally = Mutex::new(Tally::default());
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed) as u64;
                    if n >= count {
                        break;
                    }
                    let draft = make(n);
                    let kernel = &kernels[n as usize % kernels.len()];
                    let finding = examine(&draft.to_string(), kernel, MOST);
                    note(&tally, &draft, kernel, finding);
                }
            });
        }
    });
    tally.into_inner().unwrap()
}

fn note(tally: &Mutex<Tally>, draft: &Draft, kernel: &Profile, finding: Finding) {
    let count = |map: &mut BTreeMap<String, u64>, why: String| *map.entry(why).or_default() += 1;
    let wrong = {
        let mut tally = tally.lock().unwrap();
        match finding {
            Finding::Rejected(why) => return count(&mut tally.rejected, why),
            Finding::Refused(why) => return count(&mut tally.refused, why),
            Finding::Fine(states) => {
                tally.fine += 1;
                tally.states += states;
                return;
            }
            Finding::Cut(states) => {
                tally.cut += 1;
                tally.states += states;
                return;
            }
            Finding::Wrong(wrong) => wrong,
        }
    };
    if known(&wrong, &draft.to_string(), kernel) {
        tally.lock().unwrap().known += 1;
        return;
    }
    let small = minimise(
        draft,
        |d| matches!(examine(&d.to_string(), kernel, MOST), Finding::Wrong(w) if w == wrong),
    );
    let key = format!("{wrong:?} on {}", kernel.name);
    let mut tally = tally.lock().unwrap();
    // One example a kind of wrong and of program.
    let key = format!("{key}\n{small}");
    println!("WRONG {key}");
    tally.wrong.entry(key).or_insert((small.to_string(), 0)).1 += 1;
}

fn report(what: &str, tally: &Tally) {
    let sum = |map: &BTreeMap<String, u64>| map.values().sum::<u64>();
    println!(
        "{what}: {} fine, {} cut short, {} states, {} rejected, {} refused, {} known, {} wrong",
        tally.fine,
        tally.cut,
        tally.states,
        sum(&tally.rejected),
        sum(&tally.refused),
        tally.known,
        tally.wrong.len()
    );
    if std::env::var("COWHERD_VERBOSE").is_ok() {
        println!("{:#?}\n{:#?}", tally.rejected, tally.refused);
    }
    assert!(
        tally.wrong.is_empty(),
        "{} kinds of wrong",
        tally.wrong.len()
    );
}

fn kernels() -> Vec<Profile> {
    match std::env::var("COWHERD_KERNELS") {
        Ok(names) => names.split(',').map(profile).collect(),
        Err(_) => ["v7.2", "v6.12.107"].map(profile).to_vec(),
    }
}

#[test]
fn one_program() {
    let Ok(path) = std::env::var("COWHERD_TEST") else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    for kernel in kernels() {
        println!("{}: {:?}", kernel.name, examine(&text, &kernel, 400_000));
        explain(&text, &kernel);
    }
}

#[test]
fn random_programs_break_no_promise() {
    let seed = common::seed();
    let tally = all(common::rounds(1000), &kernels(), |n| {
        Generator::new(seed.wrapping_mul(1 << 32).wrapping_add(n)).any()
    });
    report("random programs", &tally);
}

/// The nth pair of things that may happen to one page, in the nth state.
fn pair(n: u64) -> Draft {
    let all = CALLS.len() + ACTIVITIES.len();
    let starts = STARTS.len();
    let n = n as usize;
    let (a, b, start) = (n / starts / all % all, n / starts % all, n % starts);
    let mut generator = Generator::new(n as u64);
    let (mut threads, mut kernel): (Vec<&[&str]>, Vec<&[&str]>) = (Vec::new(), Vec::new());
    for at in [a, b] {
        match CALLS.get(at..at + 1) {
            Some(call) => threads.push(call),
            None => kernel.push(&ACTIVITIES[at - CALLS.len()..=at - CALLS.len()]),
        }
    }
    generator.draft(STARTS[start], &threads, &kernel, &["x"])
}

#[test]
fn pairs_of_calls_break_no_promise() {
    let all_pairs = (CALLS.len() + ACTIVITIES.len()).pow(2) * STARTS.len();
    let count = common::rounds(1000).min(all_pairs as u64);
    // Evenly over all of them, each pair in some state.
    let step = all_pairs as u64 / count;
    let step = (step..).find(|s| gcd(*s, all_pairs as u64) == 1).unwrap();
    let tally = all(count, &kernels(), |n| {
        pair((n + common::seed()) * step % all_pairs as u64)
    });
    report("pairs", &tally);
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
