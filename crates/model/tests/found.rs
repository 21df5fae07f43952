//! Programs that once raised a false alarm, or ran into a mistake of the mm: made as small as they get.

mod common;

use common::examine::{Finding, examine, profile};

/// All is well with this program on these kernels.
#[track_caller]
fn fine(kernels: &[&str], declarations: &str, rest: &str) {
    for kernel in kernels {
        let text = format!("MM found {{ {declarations} }} {rest} exists (violates)");
        let finding = examine(&text, &profile(kernel), 400_000);
        assert!(
            matches!(finding, Finding::Fine(_)),
            "{kernel}: {finding:?}\n{text}"
        );
    }
}

const NEW: &[&str] = &["v6.1.176", "v6.12.107", "v7.2"];

#[test]
fn a_zap_while_a_pin_is_taken_orphans_the_pin() {
    fine(
        NEW,
        "anon x[2] = { 1, 2 };",
        "P0 in A { pin(x, FOLL_LONGTERM); } P1 in A { munmap(x); }",
    );
}

#[test]
fn a_remote_read_may_show_what_was_there_when_it_was_called() {
    fine(
        NEW,
        "file f on block-sync = 3; anon x;",
        "P0 in A { pread(f, x[0], O_DIRECT); } P1 in A { r0 = mem_read(A:x[0]); }",
    );
}

#[test]
fn nobody_looks_into_a_cached_page_while_migration_fills_it() {
    fine(
        NEW,
        "anon x = 1;",
        "P0 in A { } kernel { reclaim(A:x); migrate(A:x); } kernel { swapoff(); }",
    );
}

#[test]
fn the_new_place_of_a_page_is_not_looked_at_before_it_is_there() {
    fine(
        NEW,
        "anon z; file s = 1; private x of s;",
        "P0 in A { mremap(x, z); r0 = z; }",
    );
}

#[test]
fn a_pin_is_in_sync_while_its_page_moves() {
    fine(
        NEW,
        "anon z[2]; anon x[2] = { 1, 2 };",
        "P0 in A { pin(x, FOLL_WRITE, FOLL_LONGTERM); } P1 in A { mremap(x, z); }",
    );
}

#[test]
fn a_device_is_taken_away_once() {
    fine(
        NEW,
        "anon x = 1 swapped;",
        "P0 in A { swapoff(); get(x); } kernel { swapoff(); }",
    );
}

#[test]
fn a_pinned_transfer_goes_along_with_its_page() {
    fine(
        NEW,
        "file f on fuse = 3; anon z; anon x = 1;",
        "P0 in A { read_submit(f, x[0]); } P1 in A { mremap(x, z); }",
    );
}

#[test]
fn ksmd_does_not_find_the_old_page_once_it_was_migrated() {
    fine(
        NEW,
        "process B = fork(A); file g on nfs = { 3, 4 }; anon y[2] = { 1, 2 }; anon x[2] = { 1, 2 } ksm;",
        "P0 in A { pwrite(g, x[1], O_DIRECT); } kernel { migrate(A:x); } kernel { ksm(B:x, A:y); }",
    );
}

#[test]
fn a_translation_may_outlive_a_page_that_was_lazily_freed() {
    fine(
        NEW,
        "anon x = 1 lazy;",
        "P0 in A { r0 = x; x = 5; } P1 in A { r0 = x; } kernel { reclaim(A:x); }",
    );
}

#[test]
fn a_fork_that_fails_promises_its_child_nothing() {
    fine(
        NEW,
        "fail oom; anon x = 1;",
        "P0 in A { fork(C) { } } P1 in A { h0 = pin(x, FOLL_WRITE); }",
    );
}

#[test]
fn a_process_is_not_taken_down_while_somebody_accesses_its_memory() {
    fine(
        NEW,
        "process B = fork(A); anon x = 1;",
        "P0 in A { mem_write(B:x[0], 5); } P1 in B { exit(); }",
    );
    fine(
        NEW,
        "process B = fork(A); anon x uffd(missing);",
        "P0 in A { process_vm_writev(B:x[0], 5); } P1 in B { exit(); }",
    );
    fine(
        NEW,
        "process B = fork(A); file s = 1; private x of s;",
        "P0 in A { r0 = process_vm_readv(B:x[0]); } P1 in B { exit(); }",
    );
}

#[test]
fn a_page_may_be_filled_whatever_its_protection() {
    fine(
        NEW,
        "anon x uffd(missing);",
        "P0 in A { uffd_copy(x, 5); } P1 in A { mprotect(x, PROT_READ); }",
    );
    fine(
        NEW,
        "anon x uffd(missing);",
        "P0 in A { uffd_copy(x, 5); } P1 in A { clear_refs(A); }",
    );
}
