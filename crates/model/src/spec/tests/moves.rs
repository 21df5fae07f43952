//! S9.

use super::*;

const MOVE: Event = Event::Moved {
    mm: A,
    from: X,
    to: Y,
};

fn begin() -> Run {
    let mut r = Run::new();
    r.event(Event::MoveBegin {
        mm: A,
        from: X,
        to: Y,
    });
    r
}

#[test]
fn a_page_moves_with_what_it_holds() {
    let mut r = begin();
    r.event(MOVE);
    r.allows(A, Y, C0, &[1]).allows(A, Y, C1, &[2]);
    r.allows(A, X, C0, &[0]).fine();
}

#[test]
fn while_a_page_moves_both_addresses_show_it() {
    let mut r = begin();
    r.load(A, Y, C0, 1).store(A, X, C0, 3).load(A, Y, C0, 3);
    r.store(A, Y, C0, 9).load(A, X, C0, 9).fine();
    r.spec.observe(&mut r.ideal, &mut r.alarms, A, Y, C0, 0);
    r.event(MOVE).allows(A, Y, C0, &[9]).fine();
}

#[test]
fn laziness_moves_along() {
    let mut r = Run::new();
    r.free_begin().event(MOVE).free_end();
    r.load(A, Y, C0, 1).load(A, Y, C0, 0).fine();
    r.allows(A, Y, C1, &[0]);
}

#[test]
fn traps_move_along() {
    use cowherd_mm::world::Trap;
    // B39.
    let mut r = Run::new();
    r.event(Event::WriteTrapped {
        mm: A,
        va: X,
        by: Trap::Uffd,
    });
    r.event(MOVE).store(A, X, C0, 3).fine();
    r.store(A, Y, C0, 3).broken(Kind::MissedWp, Rule::S10);
}

#[test]
fn a_transfer_may_land_at_either_address() {
    let mut r = Run::new();
    r.begin(IO).event(MOVE).land(IO, C0, 7).end(IO);
    r.allows(A, Y, C0, &[1, 7]).allows(A, X, C0, &[0, 7]).fine();
}

#[test]
fn a_pinned_transfer_found_its_page_after_the_move() {
    let mut r = Run::new();
    r.spec.ios[0].by = By::Pin;
    r.begin(IO).event(MOVE).land(IO, C0, 7).end(IO);
    r.allows(A, X, C0, &[7]).allows(A, Y, C0, &[1]).fine();
}

#[test]
fn under_mremap_a_transfer_follows_the_page() {
    for by in [By::Get, By::Pin] {
        let mut r = Run::new();
        r.spec.ios[0].by = by;
        r.begin(IO).event(MOVE);
        r.event(Event::Unmapped { mm: A, va: X });
        r.land(IO, C0, 7).end(IO).allows(A, Y, C0, &[7]).fine();
    }
}

#[test]
fn a_pin_follows_mremap() {
    let mut r = Run::new();
    r.event(Event::Held {
        holder: PIN,
        mm: A,
        va: X,
    });
    r.event(MOVE);
    r.event(Event::Unmapped { mm: A, va: X });
    r.store(A, Y, C0, 3).held_load(PIN, C0, 3).fine();
    r.held_load(PIN, C0, 1).broken(Kind::StaleRead, Rule::S7);
}

#[test]
fn a_pipe_and_a_device_follow_the_page() {
    let mut r = Run::new();
    r.spec.ios[0].dir = Dir::ToDevice;
    r.event(Event::SpliceBegin { mm: A, va: X });
    r.begin(IO).event(MOVE).store(A, Y, C0, 3);
    r.sample(IO, C0, 3).fine();
    r.pipe_read(A, X, C0, 3).met(Hazard::H7);
}

#[test]
fn a_zap_at_the_new_address_overlaps_the_transfer() {
    let mut r = Run::new();
    r.begin(IO).event(MOVE);
    r.event(Event::Unmapped { mm: A, va: X });
    r.event(Event::ZapBegin { mm: A, va: Y });
    r.event(Event::ZapEnd { mm: A, va: Y });
    r.land(IO, C0, 7).end(IO);
    r.load(A, Y, C0, 0).met(Hazard::H4);
}

#[test]
fn a_page_moved_into_a_zap_is_zapped_or_not() {
    let mut r = Run::new();
    r.event(Event::ZapBegin { mm: A, va: Y });
    r.event(MOVE);
    r.event(Event::ZapEnd { mm: A, va: Y });
    r.allows(A, Y, C0, &[0, 1]).fine();
}

#[test]
fn what_refers_to_a_page_moved_into_a_zap_is_zapped_with_it() {
    let mut r = Run::new();
    r.begin(IO);
    r.event(Event::Held {
        holder: PIN,
        mm: A,
        va: X,
    });
    r.event(Event::ZapBegin { mm: A, va: Y });
    r.event(MOVE);
    r.event(Event::ZapEnd { mm: A, va: Y });
    r.spec.observe_held(&mut r.ideal, &mut r.alarms, PIN, C0, 1);
    r.load(A, Y, C0, 0).fine();
}

#[test]
fn a_moved_file_page_still_has_its_file_behind_it() {
    let mut r = Run::new();
    r.spec.base[0] = CellSets::just(&[5, 6, 0, 0], 2);
    r.event(MOVE);
    r.event(Event::Unmapped { mm: A, va: X });
    r.event(Event::ZapBegin { mm: A, va: Y });
    r.event(Event::ZapEnd { mm: A, va: Y });
    r.allows(A, Y, C0, &[5]).fine();
}
