//! S4, S8, S13.

use super::packing::survives;
use super::*;

#[test]
fn after_a_zap_there_is_nothing() {
    let mut r = Run::new();
    r.zap_begin().zap_end();
    r.allows(A, X, C0, &[0]).allows(A, X, C1, &[0]);
    r.load(A, X, C0, 0).fine();
    r.load(A, X, C1, 2).broken(Kind::LostWrite, Rule::S1);
}

#[test]
fn while_a_zap_is_under_way_both_are_seen() {
    let mut r = Run::new();
    r.zap_begin().allows(A, X, C0, &[0, 1]);
    // One CPU still has the translation, another has not: nothing is learnt.
    r.load(A, X, C0, 0).load(A, X, C0, 1).load(A, X, C0, 0);
    r.fine().zap_end().allows(A, X, C0, &[0]);
}

#[test]
fn a_store_while_a_zap_is_under_way_is_kept_or_lost() {
    let mut r = Run::new();
    r.zap_begin().store(A, X, C0, 3);
    r.load(A, X, C0, 3).load(A, X, C0, 0).fine();
    r.zap_end().allows(A, X, C0, &[0, 3]).allows(A, X, C1, &[0]);
}

#[test]
fn a_store_to_the_new_page_outlives_a_later_one_to_the_old() {
    // CPU 1 stores 3 to the page that it faulted in; CPU 2 stores 9 through its stale TLB. After the flush, 3 is there.
    let mut r = Run::new();
    r.zap_begin().store(A, X, C0, 3).store(A, X, C0, 9);
    r.load(A, X, C0, 3).fine();
    r.zap_end().load(A, X, C0, 3).fine();
    r.load(A, X, C0, 9).broken(Kind::LostWrite, Rule::S1);
}

#[test]
fn zaps_that_overlap_close_together() {
    let mut r = Run::new();
    r.zap_begin().store(A, X, C0, 3).zap_begin().zap_end();
    r.allows(A, X, C0, &[0, 1, 3]);
    r.zap_end().allows(A, X, C0, &[0, 3]);
}

#[test]
fn an_access_after_munmap_takes_no_effect() {
    let mut r = Run::new();
    r.zap_begin().zap_end();
    r.event(Event::Unmapped { mm: A, va: X }).fine();
    r.load(A, X, C0, 1).broken(Kind::WrongPermission, Rule::S4);
    r.store(A, X, C0, 3).broken(Kind::WrongPermission, Rule::S4);
    r.spec.observe(&mut r.ideal, &mut r.alarms, A, X, C0, 1);
    r.fine();
}

#[test]
fn a_transfer_in_flight_at_exit_becomes_visible_to_nobody() {
    let mut r = Run::new();
    r.fork().begin(IO);
    for va in [X, Y] {
        r.event(Event::ZapBegin { mm: A, va });
        r.event(Event::ZapEnd { mm: A, va });
        r.event(Event::Unmapped { mm: A, va });
    }
    r.land(IO, C0, 7).end(IO).allows(B, X, C0, &[1]).fine();
}

#[test]
fn a_private_file_page_is_the_file_again_after_a_zap() {
    let mut r = Run::new();
    r.spec.base[0] = CellSets::just(&[5, 6, 0, 0], 2);
    r.zap_begin().zap_end();
    r.allows(A, X, C0, &[5]).allows(A, X, C1, &[6]);
}

#[test]
fn a_freed_page_may_be_dropped_as_a_whole() {
    let mut r = Run::new();
    r.free_begin().free_end();
    r.allows(A, X, C0, &[0, 1]);
    // Old: that does not say that it stays so.
    r.load(A, X, C0, 1).allows(A, X, C1, &[0, 2]).fine();
    // Zero: now the whole page is.
    r.load(A, X, C1, 0).fine();
    r.allows(A, X, C0, &[0]).allows(A, X, C1, &[0]);
    r.free_begin().free_end();
    r.load(A, X, C0, 1).broken(Kind::LostWrite, Rule::S1);
}

#[test]
fn a_dropped_page_may_still_be_read_through_a_stale_tlb() {
    let mut r = Run::new();
    r.free_begin().free_end();
    let observe = |r: &mut Run, v| {
        r.spec.observe(&mut r.ideal, &mut r.alarms, A, X, C0, v);
    };
    observe(&mut r, 0);
    r.store(A, X, C1, 3).load(A, X, C0, 1).load(A, X, C1, 2);
    r.load(A, X, C0, 0).fine();
    survives(&r.ideal);
    // That is no excuse for the page table,
    let before = r.ideal.clone();
    observe(&mut r, 1);
    r.broken(Kind::LostWrite, Rule::S1);
    // nor after a flush.
    r.ideal = before.clone();
    r.fork().load(A, X, C0, 1);
    r.broken(Kind::LostWrite, Rule::S1);
}

#[test]
fn a_store_after_madv_free_keeps_the_page_as_it_is() {
    let mut r = Run::new();
    r.free_begin().free_end().store(A, X, C0, 3);
    r.allows(A, X, C0, &[3]).allows(A, X, C1, &[0, 2]);
    r.load(A, X, C1, 2).fine();
    r.load(A, X, C1, 0);
    r.spec.freed[0][0] = true;
    r.broken(Kind::Zeroed, Rule::S1);
}

#[test]
fn a_store_while_madv_free_is_under_way_may_be_dropped() {
    let mut r = Run::new();
    r.free_begin().store(A, X, C0, 3).free_end();
    r.allows(A, X, C0, &[0, 3]);
    r.load(A, X, C0, 3).load(A, X, C0, 0).fine();
    r.allows(A, X, C1, &[0]);
}

#[test]
fn a_transfer_after_madv_free_is_never_lost() {
    // B26: the page was dropped although a transfer had it.
    let mut r = Run::new();
    r.spec.freed[0][0] = true;
    r.free_begin().free_end().begin(IO).land(IO, C0, 7).end(IO);
    r.allows(A, X, C0, &[7]).load(A, X, C0, 7).fine();
    r.load(A, X, C0, 0).broken(Kind::Zeroed, Rule::S8);
}

#[test]
fn a_transfer_that_madv_free_overlaps_may_be_dropped_with_the_page() {
    for free_first in [true, false] {
        let mut r = Run::new();
        if free_first {
            r.free_begin().begin(IO).free_end();
        } else {
            r.begin(IO).free_begin().free_end();
        }
        r.land(IO, C0, 7).end(IO);
        r.load(A, X, C0, 7).fine();
        r.load(A, X, C0, 0).met(Hazard::H4);
    }
}

#[test]
fn a_child_of_a_process_with_a_freed_page_may_find_it_dropped() {
    let mut r = Run::new();
    r.free_begin().free_end().fork();
    r.store(A, X, C0, 3).load(A, X, C1, 2);
    r.load(B, X, C0, 1)
        .load(B, X, C0, 0)
        .load(B, X, C1, 0)
        .fine();
    r.allows(A, X, C1, &[2]);
}

#[test]
fn madv_free_may_come_while_a_zap_is_under_way() {
    let mut r = Run::new();
    r.zap_begin().free_begin().store(A, X, C0, 3).free_end();
    r.zap_end().load(A, X, C0, 3).load(A, X, C0, 0).fine();
}
