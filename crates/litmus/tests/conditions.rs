//! Each activity and atom, and how they may not be written.

mod common;

use common::*;
use cowherd_litmus::ast::*;
use cowherd_litmus::{Code, Colour, parse, render};

#[test]
fn each_activity_becomes_itself() {
    let (x, k) = (
        Address {
            process: A,
            page: X,
        },
        Address {
            process: B,
            page: K,
        },
    );
    for (text, activity) in [
        ("reclaim(x);", Activity::Reclaim { at: x }),
        ("ksm(x, B:k);", Activity::Ksm { pages: vec![x, k] }),
        ("ksm(A:x);", Activity::Ksm { pages: vec![x] }),
        ("migrate(B:k);", Activity::Migrate { at: k }),
        ("numa_scan(x);", Activity::NumaScan { at: x }),
        ("swapoff();", Activity::Swapoff),
        ("lru_add_drain();", Activity::LruAddDrain),
        ("clear_refs(B);", Activity::ClearRefs { process: B }),
        (
            "madvise(B:k, MADV_WILLNEED);",
            Activity::Madvise {
                at: k,
                advice: Advice::WillNeed,
            },
        ),
    ] {
        let test = parse(
            "t",
            &format!("MM t {{ {DECLS} }} kernel {{ {text} }} exists (violates)"),
        )
        .unwrap();
        assert_eq!(test.kernel[0].activities[0].activity, activity, "{text}");
    }
}

#[test]
fn an_activity_that_does_not_fit_is_refused_once() {
    for (text, expected) in [
        ("reclaim(k);", Code::NotInProcess),
        ("reclaim();", Code::Arguments),
        ("reclaim(x[0]);", Code::Arguments),
        ("ksm(x, x);", Code::Arguments),
        ("ksm(x, y, u);", Code::Arguments),
        ("migrate(f);", Code::WrongKind),
        ("numa_scan(D:x);", Code::UnknownProcess),
        ("swapoff(x);", Code::Arguments),
        ("lru_add_drain(x);", Code::Arguments),
        ("clear_refs(P0);", Code::UnknownProcess),
        ("madvise(x, MADV_FREE);", Code::Arguments),
        ("munmap(x);", Code::UnknownCall),
        ("r0 = reclaim(x);", Code::Result),
        ("x = 1;", Code::Result),
        ("reclaim(x) { }", Code::Arguments),
    ] {
        let test = format!("MM t {{ {DECLS} }} kernel {{ {text} }} exists (violates)");
        assert_eq!(code(&test), expected, "{text}");
    }
    let copies = |copies: &str| {
        format!("MM t {{ {DECLS} }} kernel*{copies} {{ swapoff(); }} exists (violates)")
    };
    assert_eq!(parse("t", &copies("2")).unwrap().kernel[0].copies, 2);
    assert_eq!(code(&copies("0")), Code::Limit);
    assert_eq!(code(&copies("9")), Code::Limit);
    assert_eq!(code(&copies("x")), Code::Expected);
}

fn with_prop(prop: &str) -> String {
    format!(
        "MM t {{ {DECLS} }} P0 {{ {BEFORE} fork(D) {{ r1 = x; }} }} kernel {{ reclaim(x); }} exists ({prop})"
    )
}

fn atom(prop: &str) -> AtomKind {
    let text = with_prop(prop);
    match parse("t", &text) {
        Ok(Test {
            condition:
                Condition {
                    prop: Prop::Atom(atom),
                    ..
                },
            ..
        }) => atom.kind,
        Ok(test) => panic!("{}", test.show(&test.condition)),
        Err(diagnostics) => panic!("{}", render(&diagnostics, &text, Colour::Never)),
    }
}

#[test]
fn each_atom_becomes_itself() {
    let x = Address {
        process: A,
        page: X,
    };
    let k = Address {
        process: B,
        page: K,
    };
    let (p0, d) = (ThreadId(0), ThreadId(1));
    let is = |location, comparison, value| AtomKind::Compare {
        location,
        comparison,
        value,
    };
    let (eq, ne) = (Comparison::Equal, Comparison::NotEqual);
    let five = Expected::Number(5);
    let r0 = Location::Reg {
        thread: p0,
        reg: Reg(0),
    };
    for (text, kind) in [
        ("P0:r0=5", is(r0, eq, five)),
        ("0:r0 != 5", is(r0, ne, five)),
        (
            "D:r1=5",
            is(
                Location::Reg {
                    thread: d,
                    reg: Reg(1),
                },
                eq,
                five,
            ),
        ),
        (
            "P0:h0=EFAULT",
            is(
                Location::Handle {
                    thread: p0,
                    handle: HandleId(2),
                },
                eq,
                Expected::Errno(Errno::Efault),
            ),
        ),
        (
            "x=5",
            is(
                Location::Cell(AddressCell {
                    process: A,
                    page: X,
                    cell: 0,
                }),
                eq,
                five,
            ),
        ),
        (
            "D:x[1]=5",
            is(
                Location::Cell(AddressCell {
                    process: ProcessId(2),
                    page: X,
                    cell: 1,
                }),
                eq,
                five,
            ),
        ),
        (
            "f[2]=5",
            is(
                Location::File {
                    file: FileId(0),
                    cell: 2,
                },
                eq,
                five,
            ),
        ),
        (
            "P0=SEGV",
            AtomKind::Ended {
                thread: p0,
                comparison: eq,
                ending: Ending::Segv,
            },
        ),
        (
            "D!=OOM",
            AtomKind::Ended {
                thread: d,
                comparison: ne,
                ending: Ending::Oom,
            },
        ),
        ("swapped(x)", AtomKind::Swapped(x)),
        ("present(B:k)", AtomKind::Present(k)),
        ("writable(x)", AtomKind::Writable(x)),
        ("softdirty(x)", AtomKind::SoftDirty(x)),
        ("copied(x)", AtomKind::Copied(x)),
        ("merged(x)", AtomKind::Merged(x)),
        ("trapped(x)", AtomKind::Trapped(x)),
        ("same(x, B:k)", AtomKind::Same(x, k)),
        ("refused(reclaim)", AtomKind::Refused("reclaim")),
        ("refused(read_submit)", AtomKind::Refused("read_submit")),
        ("violates", AtomKind::Violates(None)),
        (
            "violates(use-after-free)",
            AtomKind::Violates(Some(Kind::UseAfterFree)),
        ),
        ("hazard", AtomKind::Hazard(None)),
        ("hazard(H7)", AtomKind::Hazard(Some(7))),
    ] {
        assert_eq!(atom(text), kind, "{text}");
    }
}

#[test]
fn an_atom_that_does_not_fit_is_refused_once() {
    use Code::*;
    for (text, expected) in [
        ("P0:r9=5", Unset),
        ("P1:r0=5", UnknownThread),
        ("B:r0=5", WrongKind),
        ("r0=5", WrongKind),
        ("P0:x=5", UnknownName),
        ("P0:r0[0]=5", Expected),
        ("P0:r0=16", Value),
        ("P0:r0=EFOLT", UnknownWord),
        ("P0:r0=SEGV", UnknownWord),
        ("P0:r0=x", UnknownWord),
        ("P0:r0", Expected),
        ("P0:r0=", Expected),
        ("x=EFAULT", Value),
        ("x[2]=1", Cell),
        ("zz=1", UnknownName),
        ("k=1", NotInProcess),
        ("E:x=1", UnknownProcess),
        ("p=1", WrongKind),
        ("f[3]=1", Cell),
        ("P0=1", Value),
        ("P0=EFAULT", UnknownWord),
        ("swapped", Arguments),
        ("swapped()", Arguments),
        ("swapped(x)=1", Expected),
        ("swapped(x[0])", Arguments),
        ("swapped(x, y)", Arguments),
        ("same(x)", Arguments),
        ("swaped(x)", UnknownCall),
        ("refused(migrate)", Nothing),
        ("refused(foo)", UnknownCall),
        ("violates(lost)", UnknownWord),
        ("violates(A:x)", Arguments),
        ("hazard(H3)", UnknownWord),
        ("hazard(H5)", UnknownWord),
        ("hazard(H9)", UnknownWord),
        ("hazard(H0)", UnknownWord),
        ("x=1 y=1", Expected),
        ("x=1 /\\", Expected),
        ("(x=1", Expected),
    ] {
        assert_eq!(code(&with_prop(text)), expected, "{text}");
    }
}

#[test]
fn connectives_bind_as_in_herd() {
    let shown = |prop: &str| {
        let test = parse("t", &with_prop(prop)).unwrap();
        test.show(&test.condition.prop).to_string()
    };
    for (text, printed) in [
        (
            "x=1 /\\ (x=2 /\\ x=3)",
            "A:x[0]=1 /\\ A:x[0]=2 /\\ A:x[0]=3",
        ),
        ("x=1 \\/ x=2 /\\ x=3", "A:x[0]=1 \\/ A:x[0]=2 /\\ A:x[0]=3"),
        (
            "(x=1 \\/ x=2) /\\ x=3",
            "(A:x[0]=1 \\/ A:x[0]=2) /\\ A:x[0]=3",
        ),
        ("not swapped(x) /\\ true", "~swapped(A:x) /\\ true"),
        ("~(swapped(x) /\\ false)", "~(swapped(A:x) /\\ false)"),
        ("~x=1", "~(A:x[0]=1)"),
        ("true => false => true", "true => false => true"),
        ("(true => false) => true", "(true => false) => true"),
        ("true \\/ (false => true)", "true \\/ (false => true)"),
    ] {
        assert_eq!(shown(text), printed, "{text}");
    }
}
