//! S5.

use super::*;

#[test]
fn a_child_has_what_its_parent_had() {
    let mut r = Run::new();
    r.fork();
    r.allows(B, X, C0, &[1]).allows(B, X, C1, &[2]);
    r.store(A, X, C0, 9).store(B, X, C1, 4);
    r.allows(A, X, C0, &[9]).allows(A, X, C1, &[2]);
    r.allows(B, X, C0, &[1]).allows(B, X, C1, &[4]).fine();
}

#[test]
fn a_store_after_the_fork_seen_by_the_child_is_a_leak() {
    let mut r = Run::new();
    r.fork().store(A, X, C0, 9);
    r.load(B, X, C0, 9).broken(Kind::Leak, Rule::S5);
    r.store(B, X, C1, 4);
    r.load(A, X, C1, 4).broken(Kind::Leak, Rule::S5);
}

#[test]
fn a_fork_is_no_snapshot() {
    let mut r = Run::new();
    r.fork_begin().store(A, X, C0, 3).store(A, X, C1, 9);
    r.fork_end();
    // Each cell on its own: the later store without the earlier one.
    r.allows(B, X, C0, &[1, 3]).allows(B, X, C1, &[2, 9]);
    r.load(B, X, C1, 9).load(B, X, C0, 1).fine();
    r.allows(B, X, C0, &[1]).allows(B, X, C1, &[9]);
}

#[test]
fn a_store_through_a_stale_tlb_is_never_lost_to_the_parent() {
    // B37.
    let mut r = Run::new();
    r.fork_begin().store(A, X, C0, 3).load(A, X, C0, 3).fine();
    r.load(A, X, C0, 1).broken(Kind::LostWrite, Rule::S1);
}

#[test]
fn the_window_closes_at_the_flush() {
    let mut r = Run::new();
    r.fork_begin().fork_end().store(A, X, C0, 3);
    r.allows(B, X, C0, &[1]).fine();
}

#[test]
fn nobody_looks_at_a_child_whose_fork_is_not_over() {
    let mut r = Run::new();
    r.fork_begin();
    // Its PTE is not there yet.
    r.spec.observe(&mut r.ideal, &mut r.alarms, B, X, C0, 0);
    r.fine();
    // Another process may; what it sees says nothing of what will be.
    r.load(B, X, C0, 1)
        .store(A, X, C0, 3)
        .load(B, X, C0, 3)
        .fine();
    r.load(B, X, C0, 1).fork_end();
    r.allows(B, X, C0, &[1, 3]).fine();
}

#[test]
fn a_store_to_a_child_whose_fork_is_not_over_stays() {
    let mut r = Run::new();
    r.fork_begin();
    r.spec
        .remote_store(&mut r.ideal, &mut r.alarms, B, X, C0, 4);
    r.store(A, X, C0, 3).store(A, X, C1, 9).fork_end();
    r.allows(B, X, C0, &[4]).allows(B, X, C1, &[2, 9]).fine();
}

#[test]
fn a_page_that_fork_leaves_out_is_fresh_in_the_child() {
    let mut r = Run::new();
    r.fork_begin();
    r.event(Event::ForkWithout { child: B, va: X });
    r.store(A, X, C0, 3).fork_end();
    r.allows(B, X, C0, &[0]).allows(B, X, C1, &[0]).fine();
}

#[test]
fn a_failed_fork_leaves_no_child() {
    let mut r = Run::new();
    let before = r.ideal.clone();
    r.begin(IO).fork_begin();
    r.event(Event::ForkFailed {
        parent: A,
        child: B,
    });
    r.spec.observe(&mut r.ideal, &mut r.alarms, B, X, C0, 0);
    r.end(IO).fine();
    assert_eq!(r.ideal, before);
}

#[test]
fn a_page_unmapped_in_the_parent_is_unmapped_in_the_child() {
    let mut r = Run::new();
    r.zap_begin().zap_end();
    r.event(Event::Unmapped { mm: A, va: X });
    r.fork().fine();
    r.load(B, X, C0, 0).broken(Kind::WrongPermission, Rule::S4);
}
