//! The specification is sharp: each rule has a mutant of the kernel that it catches, and no other rule does.
//!
//! Mutants are those that the corpus names: a kernel with a rule or a mend taken away. S0 says what a rule is, S3 is kept by S2,
//! S9 by S1 to S7, S13 by S4: no alarm has their names.

mod common;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use common::examine::parse;
use cowherd_explore::{Choice, System};
use cowherd_model::corpus::Corpus;
use cowherd_model::kernels::{Kernels, Profile};
use cowherd_model::lower::lower;
use cowherd_model::spec::{Kind, Rule};

/// States of one run at most.
const MOST: usize = 6_000;

/// What no test of the corpus shows by itself: a page is read where it was unmapped, and holds what it may.
const UNMAPPED: (&str, &str) = (
    "MM unmapped { tlb hot; anon x zero; } \
     P0 in A { munmap(x); } P1 in A { r0 = x; } exists (violates)",
    "v7.2-zap_flush",
);

/// The rules that some run breaks.
fn broken(text: &str, profile: &Profile) -> BTreeSet<Rule> {
    let mut rules = BTreeSet::new();
    let Ok(test) = parse(text) else { return rules };
    let Ok(program) = lower(&test, profile, true) else {
        return rules;
    };
    let mut known = HashSet::new();
    let mut queue = program.initial.clone();
    while let Some(state) = queue.pop() {
        let mut packed = Vec::new();
        program.pack(&state, &mut packed);
        if known.len() == MOST || !known.insert(packed) || program.done(&state) {
            continue;
        }
        for actor in (0..System::actors(&program)).filter(|&a| program.enabled(&state, a)) {
            let (mut number, mut fanout) = (0, 1);
            while number < fanout {
                let mut choice = Choice::number(number);
                let mut next = state.clone();
                let alarms = program.judged_step(&mut next, actor, &mut choice);
                fanout = fanout.max(choice.fanout());
                if choice.valid() {
                    // What the kernel checks itself is no promise to anybody.
                    let promises = alarms.iter().filter(|a| a.kind != Kind::BadPageState);
                    rules.extend(promises.map(|alarm| alarm.rule));
                    queue.push(next);
                }
                number += 1;
            }
        }
    }
    rules
}

#[test]
fn each_rule_has_a_mutant_that_only_it_catches() {
    let kernels = Kernels::shipped();
    let mut caught: BTreeMap<Rule, Vec<String>> = BTreeMap::new();
    let mut hold = |name: &str, text: &str, mutant: &str| {
        let Ok(found) = kernels.profile(mutant) else {
            return;
        };
        let rules = broken(text, &found.profile);
        if let (Some(&rule), 1) = (rules.first(), rules.len()) {
            let by = format!("{name} on {mutant}");
            caught.entry(rule).or_default().push(by);
        }
    };
    hold("unmapped", UNMAPPED.0, UNMAPPED.1);
    for entry in Corpus::shipped().entries {
        let text = String::from_utf8_lossy(&entry.text);
        let words = text.split(|c: char| c.is_whitespace() || c == ';' || c == ',');
        let mutants: BTreeSet<&str> = words
            .filter(|w| w.starts_with('v') && w.contains('-'))
            .collect();
        for mutant in mutants {
            hold(&entry.name, &text, mutant);
        }
    }
    for (rule, by) in &caught {
        println!("{}: {}", rule.name(), by.join(", "));
    }
    use Rule::*;
    for rule in [S1, S2, S4, S5, S6, S7, S8, S10, S11, S12] {
        assert!(
            caught.contains_key(&rule),
            "{} catches no mutant alone",
            rule.name()
        );
    }
}
