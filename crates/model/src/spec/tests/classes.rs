//! What a broken promise is called.

use super::*;

fn kind_of(mut r: Run, mm: MmId, cell: Cell, value: u8) -> (Kind, Rule) {
    r.load(mm, X, cell, value);
    let alarm = r.alarms.iter().next().expect("something broken");
    (alarm.kind, alarm.rule)
}

#[test]
fn junk_is_a_leak() {
    assert_eq!(kind_of(Run::new(), A, C0, JUNK), (Kind::Leak, Rule::S12));
}

#[test]
fn zero_where_no_zero_was_written_is_zeroed() {
    assert_eq!(kind_of(Run::new(), A, C0, 0), (Kind::Zeroed, Rule::S1));
}

#[test]
fn zero_where_zero_was_written_is_an_older_value() {
    let mut r = Run::new();
    r.spec.starts[0][0] |= value(0);
    r.store(A, X, C0, 3);
    assert_eq!(kind_of(r, A, C0, 0), (Kind::LostWrite, Rule::S1));
}

#[test]
fn a_missing_transfer_breaks_s2() {
    let mut r = Run::new();
    r.begin(IO).land(IO, C0, 7).end(IO);
    assert_eq!(kind_of(r, A, C0, 1), (Kind::LostWrite, Rule::S2));
}

#[test]
fn the_value_of_a_stranger_breaks_s12() {
    let mut r = Run::new();
    r.spec.parents[1] = None;
    assert_eq!(kind_of(r, A, C0, 4), (Kind::Leak, Rule::S12));
}

#[test]
fn a_value_that_a_child_was_born_with_is_older() {
    // The child writes the cell, so what it was born with can come back.
    let mut r = Run::new();
    r.fork().store(B, X, C0, 4);
    assert_eq!(kind_of(r, B, C0, 1), (Kind::LostWrite, Rule::S1));
}

#[test]
fn a_child_that_writes_nothing_can_only_see_what_came_later() {
    let mut r = Run::new();
    r.spec.stores[1][0] = 0;
    r.fork().store(A, X, C0, 3);
    assert_eq!(kind_of(r, B, C0, 3), (Kind::Leak, Rule::S5));
}

#[test]
fn a_page_of_the_same_process_at_the_wrong_address_is_a_lost_write() {
    let mut r = Run::new();
    r.spec.stores[0][1] |= value(6);
    assert_eq!(kind_of(r, A, C0, 6), (Kind::LostWrite, Rule::S1));
}
