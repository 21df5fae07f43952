//! S7: long-lived references.

use super::*;

fn held(promise: Promise) -> Run {
    let mut r = Run::new();
    r.spec.holders[0] = HoldUse {
        mm: A,
        va: X,
        promise,
    };
    r.event(Event::HoldBegin {
        holder: PIN,
        mm: A,
        va: X,
    });
    r.event(Event::Held {
        holder: PIN,
        mm: A,
        va: X,
    });
    r
}

fn observe(r: &mut Run, value: u8) -> &mut Run {
    r.spec
        .observe_held(&mut r.ideal, &mut r.alarms, PIN, C0, value);
    r
}

#[test]
fn a_pin_shows_what_the_page_table_shows() {
    let mut r = held(Promise::InSync);
    r.held_load(PIN, C0, 1).store(A, X, C0, 3);
    r.held_load(PIN, C0, 3).fine();
    observe(&mut r, 3).fine();
    r.held_store(PIN, C0, 7).load(A, X, C0, 7).fine();
    r.event(Event::Released { holder: PIN });
    r.store(A, X, C0, 3);
    observe(&mut r, 7).fine();
}

#[test]
fn a_pin_out_of_sync_is_a_stale_read() {
    // B3, B4; the free observer of the pin finds it without a device.
    let mut r = held(Promise::InSync);
    r.store(A, X, C0, 3);
    observe(&mut r, 1).broken(Kind::StaleRead, Rule::S7);
    // Told once.
    observe(&mut r, 1).fine();
    // What its device writes is lost all the same.
    r.held_store(PIN, C0, 7).load(A, X, C0, 3);
    r.broken(Kind::LostWrite, Rule::S2);
}

#[test]
fn a_pin_shows_nothing_of_other_processes() {
    // B14d.
    let mut r = held(Promise::InSync);
    r.fork().store(B, X, C0, 4);
    r.held_load(PIN, C0, 4).broken(Kind::Leak, Rule::S7);
}

#[test]
fn a_fork_under_a_pin_changes_nothing() {
    // B5.
    let mut r = held(Promise::InSync);
    r.fork_begin();
    observe(&mut r, 9).fine();
    r.fork_end().store(A, X, C1, 3);
    observe(&mut r, 1).fine();
    r.held_store(PIN, C0, 7).load(A, X, C0, 7).fine();
    r.allows(B, X, C0, &[1]);
    r.load(A, X, C0, 1).broken(Kind::LostWrite, Rule::S2);
}

#[test]
fn an_unpinned_holder_is_out_of_sync_after_a_fork() {
    let mut r = held(Promise::InSyncUnlessForked);
    r.store(A, X, C0, 3).held_load(PIN, C0, 3).fine();
    r.fork().store(A, X, C0, 9);
    r.held_load(PIN, C0, 3).met(Hazard::H1);
    r.held_store(PIN, C0, 7).fine();
    r.load(A, X, C0, 9).met(Hazard::H1);
    r.held_load(PIN, C0, 4).broken(Kind::Leak, Rule::S7);
}

#[test]
fn a_read_only_reference_shows_some_moment_since() {
    let mut r = held(Promise::Snapshot);
    r.store(A, X, C0, 3).held_load(PIN, C0, 3).fine();
    r.held_load(PIN, C0, 1).met(Hazard::H2);
    r.held_load(PIN, C0, 9).broken(Kind::StaleRead, Rule::S6);
    observe(&mut r, 9).fine();
}

#[test]
fn a_zap_orphans_a_pin() {
    let mut r = held(Promise::InSync);
    r.zap_begin().zap_end().store(A, X, C0, 3);
    observe(&mut r, 1).fine();
    r.held_load(PIN, C0, 1).met(Hazard::H4);
    r.held_store(PIN, C0, 7).fine();
    r.load(A, X, C0, 3).met(Hazard::H4);
    // What leaks is still wrong.
    r.held_load(PIN, C0, 4).broken(Kind::Leak, Rule::S7);
}

#[test]
fn a_zap_while_the_pin_is_being_taken_orphans_it() {
    let mut r = Run::new();
    r.spec.holders[0].promise = Promise::InSync;
    r.event(Event::HoldBegin {
        holder: PIN,
        mm: A,
        va: X,
    });
    r.zap_begin().zap_end();
    r.event(Event::Held {
        holder: PIN,
        mm: A,
        va: X,
    });
    observe(&mut r, 1).fine();
}

#[test]
fn a_fork_while_an_unpinned_reference_is_being_taken_is_h1() {
    let mut r = Run::new();
    r.spec.holders[0].promise = Promise::InSyncUnlessForked;
    r.event(Event::HoldBegin {
        holder: PIN,
        mm: A,
        va: X,
    });
    r.fork();
    r.event(Event::Held {
        holder: PIN,
        mm: A,
        va: X,
    });
    r.store(A, X, C0, 3);
    observe(&mut r, 1).fine();
    r.held_load(PIN, C0, 1).met(Hazard::H1);
}

#[test]
fn a_fixed_buffer_read_lands_where_the_buffer_is() {
    let mut r = held(Promise::InSync);
    r.spec.ios[0].by = By::Buffer(PIN);
    r.fork().begin(IO).land(IO, C0, 7).end(IO);
    r.allows(A, X, C0, &[7]).allows(B, X, C0, &[1]).fine();
    // Orphaned before the transfer began: lost, as documented.
    r.zap_begin().zap_end().begin(IO).land(IO, C0, 8).end(IO);
    r.load(A, X, C0, 0).met(Hazard::H4);
}

#[test]
fn a_fixed_buffer_write_reads_where_the_buffer_is() {
    let mut r = held(Promise::InSync);
    r.spec.ios[0].by = By::Buffer(PIN);
    r.spec.ios[0].dir = Dir::ToDevice;
    r.begin(IO).sample(IO, C0, 1).end(IO).fine();
    r.zap_begin().zap_end().begin(IO);
    r.sample(IO, C0, 1).met(Hazard::H4);
    r.sample(IO, C0, 4).broken(Kind::Leak, Rule::S6);
}
