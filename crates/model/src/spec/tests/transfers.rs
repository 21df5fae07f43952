//! S2, S3 and the hazards of a transfer to memory.

use super::*;

#[test]
fn a_transfer_is_visible_once_it_landed() {
    let mut r = Run::new();
    r.begin(IO).load(A, X, C0, 1).land(IO, C0, 7);
    r.load(A, X, C0, 7).load(A, X, C1, 2).fine();
    r.land(IO, C1, 8).end(IO).load(A, X, C1, 8).fine();
}

#[test]
fn a_lost_transfer_is_a_lost_write() {
    // B1, B2: it landed in a page that is no longer mapped.
    let mut r = Run::new();
    r.begin(IO).store(A, X, C1, 3).land(IO, C0, 7).end(IO);
    r.load(A, X, C1, 3).fine();
    r.load(A, X, C0, 1).broken(Kind::LostWrite, Rule::S2);
}

#[test]
fn transfers_and_stores_are_ordered_by_when_they_land() {
    let mut r = Run::new();
    r.begin(IO).store(A, X, C0, 3).allows(A, X, C0, &[3]);
    r.land(IO, C0, 7).allows(A, X, C0, &[7]);
    r.store(A, X, C0, 9).end(IO).allows(A, X, C0, &[9]).fine();
}

#[test]
fn two_transfers_into_one_cell_are_a_hazard() {
    let mut r = Run::new();
    r.begin(IO).begin(IO1).land(IO, C0, 7);
    r.met(Hazard::H6).end(IO);
    r.land(IO1, C0, 8).fine();
    r.allows(A, X, C0, &[8]);
}

#[test]
fn a_transfer_that_a_zap_overlaps_may_be_lost() {
    for order in 0..3 {
        let mut r = Run::new();
        match order {
            // GUP, then the zap; submitted afterwards.
            0 => r.begin(IO).zap_begin().zap_end(),
            // Entered while a zap was under way.
            1 => r.zap_begin().begin(IO).zap_end(),
            _ => r.begin(IO).zap_begin().load(A, X, C0, 1).zap_end(),
        };
        r.load(A, X, C0, 0).land(IO, C0, 7).end(IO).fine();
        let mut seen = Run { ..r };
        // GUP came after the zap: it is there, and stays.
        let before = seen.ideal.clone();
        seen.load(A, X, C0, 7).fine();
        seen.load(A, X, C0, 0).broken(Kind::Zeroed, Rule::S2);
        // GUP came before: it is lost, as documented; told once.
        seen.ideal = before.clone();
        seen.load(A, X, C0, 0).met(Hazard::H4);
        seen.load(A, X, C0, 0).fine();
        seen.allows(A, X, C0, &[0]);
    }
}

#[test]
fn what_landed_before_the_zap_is_gone() {
    let mut r = Run::new();
    r.begin(IO).land(IO, C0, 7).zap_begin().zap_end();
    r.allows(A, X, C0, &[0]).land(IO, C1, 8);
    r.allows(A, X, C1, &[0, 8]).fine();
}

#[test]
fn what_lands_while_a_zap_is_under_way_is_kept_or_lost() {
    let mut r = Run::new();
    r.begin(IO).zap_begin().land(IO, C0, 7);
    r.allows(A, X, C0, &[0, 1, 7]).zap_end();
    r.allows(A, X, C0, &[0, 7]).fine();
}

#[test]
fn a_transfer_after_a_zap_is_strict() {
    let mut r = Run::new();
    r.zap_begin().zap_end().begin(IO).land(IO, C0, 7).end(IO);
    r.allows(A, X, C0, &[7]).fine();
}

#[test]
fn what_lands_in_a_page_that_was_unmapped_is_nobodys() {
    let mut r = Run::new();
    r.begin(IO).zap_begin().zap_end();
    r.event(Event::Unmapped { mm: A, va: X });
    r.land(IO, C0, 7).end(IO).fine();
}

#[test]
fn a_fork_under_an_unpinned_transfer_may_lose_it_to_the_parent() {
    // B6. Started before the fork, or while it is under way.
    for inside in [false, true] {
        let mut r = Run::new();
        if inside {
            r.fork_begin().begin(IO).fork_end();
        } else {
            r.begin(IO).fork();
        }
        r.land(IO, C0, 7).end(IO).fine();
        let before = r.ideal.clone();
        r.load(A, X, C0, 7).load(B, X, C0, 1).fine();
        r.ideal = before.clone();
        r.load(A, X, C0, 1).met(Hazard::H1);
        r.load(A, X, C0, 1).fine();
        r.ideal = before.clone();
        r.load(B, X, C0, 7).met(Hazard::H1);
    }
}

#[test]
fn a_transfer_seen_in_a_page_that_is_being_copied_may_still_be_lost() {
    // The parent's fault has copied cell 0; the transfer lands in the old page, which is still mapped; then the copy is.
    let mut r = Run::new();
    r.begin(IO).fork().land(IO, C0, 7).load(A, X, C0, 7);
    r.end(IO).fine();
    r.load(A, X, C0, 1).met(Hazard::H1);
    r.load(A, X, C0, 1).fine();
    // A store settles it.
    r.store(A, X, C0, 3).allows(A, X, C0, &[3]).fine();
}

#[test]
fn other_cells_stay_strict_under_h1() {
    let mut r = Run::new();
    r.begin(IO).fork().store(A, X, C1, 9).land(IO, C0, 7);
    r.allows(A, X, C1, &[9]).allows(B, X, C1, &[2]);
    r.load(B, X, C1, 9).broken(Kind::Leak, Rule::S5);
}

#[test]
fn a_transfer_that_began_after_the_fork_is_strict() {
    let mut r = Run::new();
    r.fork().begin(IO).land(IO, C0, 7);
    r.allows(A, X, C0, &[7]).allows(B, X, C0, &[1]).fine();
    r.load(B, X, C0, 7).broken(Kind::Leak, Rule::S5);
}

#[test]
fn a_fork_under_a_pinned_transfer_loses_nothing() {
    // B5.
    let mut r = Run::new();
    r.spec.ios[0].by = By::Pin;
    r.begin(IO).fork_begin().land(IO, C0, 7).fork_end();
    r.allows(A, X, C0, &[7]).allows(B, X, C0, &[1, 7]);
    r.land(IO, C1, 8).end(IO).fine();
    r.allows(B, X, C1, &[2]).allows(A, X, C1, &[8]);
    r.load(A, X, C1, 2).broken(Kind::LostWrite, Rule::S2);
    r.load(B, X, C1, 8).broken(Kind::Leak, Rule::S5);
}

#[test]
fn madv_dontfork_takes_the_hazard_away() {
    let mut r = Run::new();
    r.begin(IO).fork_begin();
    r.event(Event::ForkWithout { child: B, va: X });
    r.begin(IO1).fork_end();
    r.land(IO, C0, 7).end(IO).land(IO1, C1, 8).end(IO1);
    r.alarms = Alarms::default();
    r.allows(A, X, C0, &[7]).allows(A, X, C1, &[8]);
    r.allows(B, X, C0, &[0]);
}

#[test]
fn a_grandchild_may_see_it_too() {
    let mut r = Run::new();
    r.spec = {
        let mut spec = Spec::new_for(3, 2, 2);
        spec.parents = [None, Some(A), Some(B), None];
        spec.ios = r.spec.ios;
        (spec.starts, spec.lands) = (r.spec.starts, r.spec.lands);
        spec
    };
    r.ideal = r.spec.start();
    r.ideal.born(A);
    r.ideal.map(A, X, &[1, 2, 0, 0]);
    let c = MmId(2);
    r.begin(IO).fork();
    r.event(Event::ForkBegin {
        parent: B,
        child: c,
    });
    r.event(Event::ForkEnd {
        parent: B,
        child: c,
    });
    r.land(IO, C0, 7).load(c, X, C0, 7).met(Hazard::H1);
}
