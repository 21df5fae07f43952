//! What is known to be broken is found by searching every program within a bound; what is found is a test that says the same.

use cowherd_explore::{Ended, Options, Reductions};
use cowherd_model::check::{Search, Verdict, check};
use cowherd_model::general::{
    Bound, Called, Calls, Class, Compared, Difference, Grain, Searched, canonical, classify,
    contains, differences, minimal, search, verify, write_test,
};
use cowherd_model::kernels::{Kernels, Profile};
use cowherd_model::lower::Refused;
use cowherd_model::program::Program;
use cowherd_model::spec::{Kind, PROMISES};

fn kernel(name: &str) -> Profile {
    Kernels::shipped().profile(name).unwrap().profile
}

/// One process of two threads, one kernel activity at once, one page of two cells.
fn bound(calls: u8, allowed: &[&'static str]) -> Bound {
    Bound {
        processes: 1,
        threads: 2,
        kernel: 1,
        pages: 1,
        cells: 2,
        calls,
        allowed: allowed.to_vec(),
        swap: "async".into(),
        files: "nfs".into(),
        counts: PROMISES,
        grain: Grain::Step,
    }
}

fn options() -> Options<'static> {
    Options {
        workers: 2,
        ..Options::default()
    }
}

fn shortest(bound: &Bound, kernel: &Profile) -> Searched {
    verify(bound, kernel, &options(), &mut |_, _| {}).unwrap()
}

/// The normal form of what was found, and its kind of broken promise; the test that it makes must say the same.
fn found(bound: &Bound, on: &Profile, searched: &Searched) -> (String, u64) {
    let (calls, broken) = searched.broken.as_ref().expect("something is broken");
    let form = canonical(&searched.program, bound, calls);
    assert_ne!(
        says(&searched.program, bound, calls, on),
        Verdict::Never,
        "{form}"
    );
    (form, broken & PROMISES)
}

fn says(p: &Program, bound: &Bound, calls: &[Called], on: &Profile) -> Verdict {
    let text = write_test(p, bound, calls, "found", "Found.", "exists (violates)");
    let analysis = cowherd_litmus::analyse("found", &text);
    let test = analysis
        .test
        .unwrap_or_else(|| panic!("{:?}\n{text}", analysis.diagnostics));
    check(&test, on, &Search::default()).unwrap().verdict
}

#[test]
fn without_the_swap_ptes_bit_the_program_of_the_mail_is_found() {
    let bound = bound(3, &["pread", "reclaim", "store"]);
    let on = kernel("v5.19-swp_exclusive");
    let (form, broken) = found(&bound, &on, &shortest(&bound, &on));
    // Which sector of the page the store goes to makes no difference; the first that is met is told.
    let mail = |cell| format!("A: pread(f, x[0], O_DIRECT)\nA: x[{cell}] =\nkernel: reclaim(x)");
    assert!(form == mail(0) || form == mail(1), "{form}");
    assert_eq!(broken, u64::from(Kind::LostWrite.bit()));
}

#[test]
fn with_the_swap_ptes_bit_no_such_program_is_broken() {
    let bound = bound(3, &["pread", "reclaim", "store"]);
    assert!(shortest(&bound, &kernel("v5.19")).clean());
}

#[test]
fn on_5_10_the_read_comes_first() {
    let bound = bound(4, &["pread", "reclaim", "load", "store"]);
    let on = kernel("v5.10");
    let all = minimal(&bound, &on, &options(), &mut |_, _| {}).unwrap();
    let forms: Vec<&str> = all.found.iter().map(|m| m.form.as_str()).collect();
    let mail = "A: pread(f, x[0], O_DIRECT)\nA: x[1]; x[1] =\nkernel: reclaim(x)";
    assert!(forms.contains(&mail), "{forms:#?}");
    let write_first = "A: pread(f, x[0], O_DIRECT)\nA: x[1] =\nkernel: reclaim(x)";
    assert!(!forms.contains(&write_first), "{forms:#?}");
    assert_eq!(all.unknown, 0);
    for m in &all.found {
        assert_eq!(
            says(&all.program, &bound, &m.calls, &on),
            Verdict::Sometimes,
            "{}",
            m.form
        );
        for other in all.found.iter().filter(|other| other.form != m.form) {
            assert!(
                !contains(&all.program, &bound, &m.calls, &other.form),
                "{}",
                m.form
            );
        }
    }
}

#[test]
fn on_5_10_clear_refs_and_mprotect_do_the_same() {
    let bound = bound(4, &["pread", "store", "clear_refs", "mprotect"]);
    let all = minimal(&bound, &kernel("v5.10"), &options(), &mut |_, _| {}).unwrap();
    let forms: Vec<&str> = all.found.iter().map(|m| m.form.as_str()).collect();
    for relative in [
        "A: pread(f, x[0], O_DIRECT)\nA: x[1] =\nkernel: clear_refs(A)",
        "A: mprotect(x, PROT_READ); mprotect(x, PROT_READ, PROT_WRITE); x[0] =\nA: pread(f, x[0], O_DIRECT)",
    ] {
        assert!(forms.contains(&relative), "{forms:#?}");
    }
}

#[test]
fn on_5_8_a_pinned_page_is_shared_by_fork() {
    let bound = Bound {
        processes: 2,
        threads: 1,
        ..bound(3, &["fork", "pin", "store"])
    };
    let on = kernel("v5.8");
    let (form, _) = found(&bound, &on, &shortest(&bound, &on));
    assert!(form.contains("fork(B)") && form.contains("pin("), "{form}");
}

#[test]
fn on_5_10_262_a_synchronous_swap_device_loses_a_store() {
    // CVE-2024-26759: two threads swap in past the cache.
    let bound = Bound {
        cells: 1,
        swap: "sync".into(),
        ..bound(4, &["store", "reclaim"])
    };
    let on = kernel("v5.10.262");
    let (form, broken) = found(&bound, &on, &shortest(&bound, &on));
    assert_eq!(form, "A: x =\nA: x =\nkernel: reclaim(x); reclaim(x)");
    assert_eq!(broken, u64::from(Kind::LostWrite.bit()));
    assert!(shortest(&bound, &kernel("v6.12")).clean());
}

#[test]
fn on_5_10_a_pipe_leaks_what_was_swapped_out() {
    // B14b. Fewer calls are not searched here: that is a minute's work.
    let bound = Bound {
        processes: 2,
        threads: 1,
        cells: 1,
        ..bound(6, &["store", "fork", "vmsplice", "dontneed", "reclaim"])
    };
    let on = kernel("v5.10");
    let searched = search(&bound, Calls::Any(6), &on, &options()).unwrap();
    let (form, broken) = found(&bound, &on, &searched);
    assert_eq!(broken, u64::from(Kind::Leak.bit()), "{form}");
    assert!(
        form.contains("vmsplice") && form.contains("reclaim"),
        "{form}"
    );
}

#[test]
fn reductions_and_workers_change_no_answer() {
    for (name, calls) in [("v5.19-swp_exclusive", 3), ("v5.19", 2)] {
        let bound = Bound {
            cells: 1,
            ..bound(calls, &["pread", "reclaim", "store"])
        };
        let on = kernel(name);
        let all = |reductions, workers| {
            let options = Options {
                workers,
                reductions,
                ..Options::default()
            };
            search(&bound, Calls::Any(calls.into()), &on, &options).unwrap()
        };
        let one = all(Reductions::ALL, 1);
        let two = all(Reductions::ALL, 2);
        assert_eq!(one.report.states, two.report.states);
        assert_eq!(one.broken, two.broken);
        let none = all(Reductions::NONE, 2);
        assert_eq!(one.broken.is_some(), none.broken.is_some());
        assert_eq!(
            one.report.ended == Ended::Complete,
            none.report.ended == Ended::Complete
        );
    }
}

#[test]
fn calls_taken_for_atomic_find_a_subset() {
    // The race of two faults needs them to overlap.
    let race = Bound {
        cells: 1,
        swap: "sync".into(),
        ..bound(4, &["store", "reclaim"])
    };
    let atomic = Bound {
        grain: Grain::Call,
        ..race.clone()
    };
    let on = kernel("v5.10.262");
    let searched = search(&atomic, Calls::Any(4), &on, &options()).unwrap();
    assert!(searched.broken.is_none());
    let fine = search(&race, Calls::Any(4), &on, &options()).unwrap();
    assert!(fine.broken.is_some());
}

fn one(compared: Result<Compared, Refused>) -> Difference {
    compared.unwrap().with.swap_remove(0)
}

#[test]
fn part_3_differs_first_where_a_transfer_meets_reclaim() {
    let bound = bound(3, &["pread", "reclaim", "store"]);
    let (left, right) = (kernel("part2"), kernel("v5.19"));
    let came = one(differences(
        &bound,
        &left,
        std::slice::from_ref(&right),
        &options(),
    ));
    assert_eq!(came.agreed, 2);
    assert!(came.cut.is_none());
    let forms: Vec<&str> = came.found.iter().map(|d| d.form.as_str()).collect();
    assert!(
        forms.contains(&"A: pread(f, x[0], O_DIRECT)\nA: x[1] =\nkernel: reclaim(x)"),
        "{forms:#?}"
    );
    assert!(came.found.iter().all(|d| d.only_on == left.name));
    // And a kernel does not differ from itself.
    let same = one(differences(
        &bound,
        &right,
        std::slice::from_ref(&right),
        &options(),
    ));
    assert_eq!((same.agreed, same.ran), (3, 0));
    // Both at once come to the same.
    let both = differences(&bound, &right, &[left, right.clone()], &options()).unwrap();
    let forms_of = |d: &Difference| d.found.iter().map(|d| d.form.clone()).collect::<Vec<_>>();
    assert_eq!(forms_of(&both.with[0]), forms_of(&came));
    assert!(both.with[1].found.is_empty());
}

#[test]
fn the_mails_test_is_minimal_and_one_with_more_is_not() {
    let corpus = cowherd_model::corpus::Corpus::shipped();
    let entry = corpus.find("odirect-swap").unwrap()[0];
    let text = String::from_utf8(entry.text.to_vec()).unwrap();
    let on = kernel("v5.10");
    let search = Search::default();
    assert_eq!(classify(&text, &on, &search), Class::Minimal { dropped: 4 });
    assert_eq!(classify(&text, &kernel("v6.12"), &search), Class::Nothing);
    let longer = text.replace("r0 = x[1];", "r0 = x[1]; lru_add_drain();");
    assert_ne!(longer, text);
    match classify(&longer, &on, &search) {
        Class::Reducible { left_out, .. } => assert_eq!(left_out, ["lru_add_drain();"]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_left_of_a_reducible_test_has_nothing_that_is_idle() {
    let text = "MM idle { anon x[2] = { 0, 0 }; file f on nfs = { 7 }; file g on nfs = { 8 }; pipe p; swap async; } \
                P0 in A { pread(f[0], x[0], O_DIRECT); } P1 in A { x[1] = 1; } P2 in A { lru_add_drain(); } \
                kernel { reclaim(x); } kernel { lru_add_drain(); } exists (x[0]=0)";
    let on = kernel("v5.19-swp_exclusive");
    let class = classify(text, &on, &Search::default());
    let Class::Reducible { to, left_out } = class else {
        panic!("{class:?}");
    };
    assert_eq!(left_out.len(), 2, "{left_out:?}");
    assert!(
        !to.contains('g') && !to.contains("pipe") && !to.contains("{ }"),
        "{to}"
    );
    assert_eq!(to.matches("kernel {").count(), 1, "{to}");
    let Class::Minimal { dropped } = classify(&to, &on, &Search::default()) else {
        panic!("{to}");
    };
    assert_eq!(dropped, 3);
}

#[test]
fn a_test_whose_search_was_cut_short_is_not_said_to_break_nothing() {
    // Both final values are seen long before the search is over, so its verdict is known, and what it breaks is not.
    let text = "MM early { anon x = 1; swap async; } P0 in A { x = 2; r0 = x; } P1 in A { x = 3; } \
                kernel*2 { reclaim(x); reclaim(x); } exists (x=2)";
    let search = Search {
        max_states: Some(100_000),
        ..Search::default()
    };
    let on = kernel("v7.2");
    let test = cowherd_litmus::analyse("early", text).test.unwrap();
    let run = check(&test, &on, &search).unwrap();
    assert_eq!(
        (run.verdict, run.ended),
        (Verdict::Sometimes, Ended::States)
    );
    assert_eq!(classify(text, &on, &search), Class::Beyond);
}

/// What current kernels are said to be clean of in four calls, in three: what docs/src/verify.md tells of four takes minutes.
#[test]
fn on_current_kernels_nothing_is_broken_in_three_calls() {
    let two = |processes, threads| Bound {
        processes,
        threads,
        kernel: 2,
        ..bound(
            3,
            &[
                "store", "fork", "pread", "pin", "dontneed", "mprotect", "reclaim", "migrate",
            ],
        )
    };
    for name in ["v6.12", "v7.2"] {
        for bound in [two(1, 2), two(2, 1)] {
            let last = shortest(&bound, &kernel(name));
            assert!(last.clean(), "{name}: {:?}", last.broken);
            assert!(last.report.states > 100_000, "{}", last.report.states);
        }
    }
}

#[test]
fn nobody_begins_a_call_in_a_process_that_is_ending() {
    let bound = Bound {
        processes: 2,
        cells: 1,
        ..bound(4, &["fork", "exit", "load", "dontneed"])
    };
    let searched = search(&bound, Calls::Any(4), &kernel("v7.2"), &options()).unwrap();
    assert!(searched.clean());
}
