//! S6: readers by reference.

use super::*;

fn writer() -> Run {
    let mut r = Run::new();
    r.spec.ios[0].dir = Dir::ToDevice;
    r
}

#[test]
fn a_device_may_see_anything_since_the_call_was_entered() {
    let mut r = writer();
    r.store(A, X, C0, 3).begin(IO).store(A, X, C0, 9);
    r.sample(IO, C0, 9).fine();
    // The page was copied, and the device has the old one: H2.
    r.sample(IO, C0, 3).met(Hazard::H2);
    r.sample(IO, C0, 1).broken(Kind::StaleRead, Rule::S6);
}

#[test]
fn a_device_sees_nothing_of_other_processes() {
    let mut r = writer();
    r.fork().begin(IO).store(B, X, C0, 4);
    r.sample(IO, C0, 1).fine();
    r.sample(IO, C0, 4).broken(Kind::Leak, Rule::S6);
    r.sample(IO, C1, JUNK).broken(Kind::Leak, Rule::S6);
}

#[test]
fn a_pipe_shows_what_was_there_since_vmsplice() {
    let mut r = Run::new();
    r.event(Event::SpliceBegin { mm: A, va: X });
    r.store(A, X, C0, 3);
    r.pipe_read(A, X, C0, 1).fine();
    r.pipe_read(A, X, C0, 3).met(Hazard::H7);
    r.pipe_read(A, X, C0, 9).broken(Kind::StaleRead, Rule::S6);
}

#[test]
fn a_pipe_of_the_child_shows_no_store_of_the_parent() {
    // B13, B14b: the child lets go of the page, the parent reuses it in place.
    let mut r = Run::new();
    r.fork();
    r.event(Event::SpliceBegin { mm: B, va: X });
    r.event(Event::ZapBegin { mm: B, va: X });
    r.event(Event::ZapEnd { mm: B, va: X });
    r.event(Event::Unmapped { mm: B, va: X });
    r.store(A, X, C0, 9);
    r.pipe_read(B, X, C0, 1).fine();
    r.pipe_read(B, X, C0, 9).broken(Kind::Leak, Rule::S6);
}

#[test]
fn what_a_pipe_may_show_is_frozen_at_exit() {
    let mut r = Run::new();
    r.event(Event::SpliceBegin { mm: A, va: X });
    r.zap_begin().zap_end();
    r.event(Event::Unmapped { mm: A, va: X });
    r.pipe_read(A, X, C0, 1).fine();
    // The same address, mapped anew: nothing of it.
    r.event(Event::Moved {
        mm: A,
        from: Y,
        to: X,
    });
    r.store(A, X, C1, 3);
    r.pipe_read(A, X, C1, 2).fine();
}

#[test]
fn a_pipe_that_was_read_is_forgotten() {
    let mut r = Run::new();
    let before = r.ideal.clone();
    r.event(Event::SpliceBegin { mm: A, va: X });
    r.spec.forget(&mut r.ideal, |_, _| true);
    assert_ne!(r.ideal, before);
    r.spec.forget(&mut r.ideal, |_, _| false);
    assert_eq!(r.ideal, before);
}

#[test]
fn two_splices_of_one_page_share_their_past() {
    let mut r = Run::new();
    r.event(Event::SpliceBegin { mm: A, va: X });
    r.store(A, X, C0, 3);
    r.event(Event::SpliceBegin { mm: A, va: X });
    r.pipe_read(A, X, C0, 3).pipe_read(A, X, C0, 1).fine();
}

#[test]
fn a_remote_load_is_as_of_some_moment_of_the_call() {
    let mut r = Run::new();
    r.event(Event::RemoteBegin { mm: A, va: X });
    r.store(A, X, C0, 3);
    for v in [1, 3] {
        r.spec.remote_load(&mut r.ideal, &mut r.alarms, A, X, C0, v);
    }
    r.fine().load(A, X, C0, 3).fine();
    r.spec.remote_load(&mut r.ideal, &mut r.alarms, A, X, C0, 9);
    r.broken(Kind::StaleRead, Rule::S6);
}

#[test]
fn a_remote_store_is_a_store_of_the_target() {
    let mut r = Run::new();
    r.event(Event::RemoteBegin { mm: A, va: X });
    r.spec
        .remote_store(&mut r.ideal, &mut r.alarms, A, X, C0, 3);
    r.allows(A, X, C0, &[3]).fine();
}

#[test]
fn a_remote_store_that_a_zap_overlaps_may_be_lost() {
    let mut r = Run::new();
    r.event(Event::RemoteBegin { mm: A, va: X });
    r.zap_begin().zap_end();
    r.spec
        .remote_store(&mut r.ideal, &mut r.alarms, A, X, C0, 3);
    r.load(A, X, C0, 0).met(Hazard::H4);
}
