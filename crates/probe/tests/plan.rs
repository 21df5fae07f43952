//! What a machine lacks is named, one thing after the other. The machine is data: no kernel is asked.

use std::path::Path;

use cowherd_litmus::ast::Test;
use cowherd_probe::live::Machine;
use cowherd_probe::live::machine::Swap;
use cowherd_probe::live::plan::{Plan, plan};

/// A machine that has all that tests ask for.
fn all() -> Machine {
    Machine {
        release: "6.12.0".into(),
        arch: "x86_64".into(),
        root: true,
        frames: true,
        fuse: true,
        nbd: true,
        own_swap: vec![
            Swap::ZRAM,
            Swap {
                synchronous: false,
                stable: false,
            },
        ],
        ksm: true,
        soft_dirty: true,
        uffd: Some(u64::MAX),
        io_uring: true,
        nodes: 2,
        ..Machine::default()
    }
}

/// A test of the corpus: `theme/name`.
fn test(name: &str) -> Test {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../litmus");
    let text = std::fs::read_to_string(folder.join(format!("{name}.litmus"))).expect(name);
    cowherd_litmus::parse(name, &text).expect(name)
}

/// The test runs on a machine that has everything, and not on this one, for this reason.
#[track_caller]
fn lacks(name: &str, machine: Machine, reason: &str) {
    let test = test(name);
    planned(&test, &all());
    let why = plan(&test, &machine).err();
    assert!(
        why.as_ref().is_some_and(|why| why.contains(reason)),
        "{name}: {why:?}"
    );
}

#[track_caller]
fn planned(test: &Test, machine: &Machine) -> Plan {
    let plan = plan(test, machine);
    plan.unwrap_or_else(|why| panic!("{}: {why}", test.name))
}

#[test]
fn without_swap() {
    let machine = Machine {
        own_swap: Vec::new(),
        ..all()
    };
    lacks("swap/swap-roundtrip", machine.clone(), "--system makes");
    lacks("swapoff/fault", machine.clone(), "to swap off");
    // Swap that somebody else has turned on will do, but not to swap it off.
    let theirs = Machine {
        swap: Some(Swap::ZRAM),
        ..machine
    };
    planned(&test("swap/swap-roundtrip-sync"), &theirs);
    lacks("swapoff/fault", theirs, "to swap off");
}

#[test]
fn without_zram() {
    let machine = Machine {
        own_swap: all().own_swap[1..].to_vec(),
        ..all()
    };
    lacks(
        "swap/swapin-bypass",
        machine,
        "swap cache as the test has it",
    );
}

#[test]
fn without_fuse() {
    let machine = Machine {
        fuse: false,
        ..all()
    };
    lacks("direct-io/odirect-swap", machine.clone(), "/dev/fuse");
    lacks("direct-io/odirect-swap-write", machine.clone(), "/dev/fuse");
    // A block device that is only read needs none.
    planned(&test("direct-io/odirect-swap-block"), &machine);
}

#[test]
fn without_nbd() {
    let block = test("direct-io/odirect-swap-block");
    let notes = planned(&block, &all()).notes;
    assert!(notes.iter().all(|n| !n.contains("fuse")), "{notes:?}");
    let machine = Machine {
        nbd: false,
        ..all()
    };
    let notes = planned(&block, &machine).notes;
    assert!(
        notes.iter().any(|n| n == "f: on fuse for block-sync"),
        "{notes:?}"
    );
    let neither = Machine {
        fuse: false,
        ..machine
    };
    lacks("direct-io/odirect-swap-block", neither, "/dev/fuse");
}

#[test]
fn without_io_uring() {
    let machine = Machine {
        io_uring: false,
        ..all()
    };
    lacks("pins/fixed-buffer-swap", machine.clone(), "io_uring");
    lacks("pins/pin-swap-fork", machine, "io_uring");
}

#[test]
fn without_ksm() {
    let machine = Machine {
        ksm: false,
        ..all()
    };
    lacks(
        "ksm/merge-store",
        machine,
        "KSM, which scans everybody's memory",
    );
}

#[test]
fn without_soft_dirty_tracking() {
    let machine = Machine {
        soft_dirty: false,
        ..all()
    };
    let missing = "CONFIG_MEM_SOFT_DIRTY";
    lacks("protection/clear-refs-odirect", machine.clone(), missing);
    lacks("protection/mprotect-softdirty", machine, missing);
}

#[test]
fn without_userfaultfd_or_a_part_of_it() {
    let with = |uffd| Machine { uffd, ..all() };
    lacks("userfaultfd/wp-store", with(None), "userfaultfd");
    lacks("userfaultfd/missing-copy", with(None), "userfaultfd");
    lacks(
        "userfaultfd/wp-store",
        with(Some(0)),
        "this mode of userfaultfd",
    );
    planned(&test("userfaultfd/missing-copy"), &with(Some(0)));
    lacks("userfaultfd/move", with(Some(1)), "UFFDIO_MOVE");
}

#[test]
fn with_an_older_kernel_or_one_node() {
    let one = Machine { nodes: 1, ..all() };
    lacks("migration/dirty-page", one, "a second NUMA node");
    let old = Machine {
        release: "5.10.0-1".into(),
        ..all()
    };
    let text = "
MM willneed
{ anon x = 1 swapped; swap sync; }
P0 in A { fork(B) { r0 = x; } }
P1 in B { process_madvise(A:x, MADV_WILLNEED); }
exists (true)
";
    let willneed = cowherd_litmus::parse("willneed", text).expect("a test");
    planned(&willneed, &all());
    assert!(plan(&willneed, &old).is_err_and(|why| why.contains("5.16")));
}

#[test]
fn who_is_not_root_runs_what_needs_nothing_and_is_told_of_the_rest() {
    // What `Machine::look` finds then, where userfaultfd is for root.
    let machine = Machine {
        root: false,
        frames: false,
        fuse: false,
        nbd: false,
        own_swap: Vec::new(),
        ksm: false,
        uffd: None,
        nodes: 1,
        ..all()
    };
    planned(&test("basics/store-load"), &machine);
    planned(&test("fork/fork-parent-store"), &machine);
    lacks("direct-io/odirect-swap", machine.clone(), "as root");
    lacks("swap/swap-roundtrip", machine.clone(), "--system");
    lacks("ksm/merge-store", machine, "--system");
}
