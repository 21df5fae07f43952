//! Packed states.

use cowherd_mm::pack::{Reader, Writer};

use super::*;

pub fn packed(ideal: &Ideal) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = Writer::new(&mut out);
    ideal.pack(&mut w);
    w.finish();
    out
}

/// Unpacking what was packed gives the same.
#[track_caller]
pub fn survives(ideal: &Ideal) {
    let bytes = packed(ideal);
    let mut again = Ideal::EMPTY;
    again.sizes = ideal.sizes;
    again.unpack(&mut Reader::new(&bytes));
    assert_eq!(again, *ideal);
}

#[test]
fn a_calm_state_is_small() {
    let mut r = Run::new();
    r.fork();
    // Two processes, two variables, two cells.
    assert!(packed(&r.ideal).len() <= 6, "{}", packed(&r.ideal).len());
}

#[test]
fn every_window_survives_packing() {
    let mut r = Run::new();
    survives(&r.ideal);
    r.spec.ios[1].dir = Dir::ToDevice;
    r.spec.holders[0].promise = Promise::Snapshot;
    r.begin(IO).begin(IO1);
    r.event(Event::SpliceBegin { mm: A, va: X });
    r.event(Event::RemoteBegin { mm: A, va: Y });
    r.event(Event::HoldBegin {
        holder: PIN,
        mm: A,
        va: X,
    });
    survives(&r.ideal);
    r.fork_begin();
    r.event(Event::ForkWithout { child: B, va: Y });
    r.store(A, X, C0, 3).load(A, X, C0, JUNK);
    survives(&r.ideal);
    r.fork_end().free_begin().land(IO, C0, 7);
    survives(&r.ideal);
    r.zap_begin().store(A, X, C1, 3);
    survives(&r.ideal);
    r.zap_end().free_end().land(IO, C1, 8);
    survives(&r.ideal);
    r.event(Event::WriteForbidden { mm: A, va: X });
    r.event(Event::MoveBegin {
        mm: A,
        from: X,
        to: Y,
    });
    survives(&r.ideal);
    r.event(Event::Moved {
        mm: A,
        from: X,
        to: Y,
    });
    survives(&r.ideal);
    r.event(Event::Unmapped { mm: A, va: X });
    survives(&r.ideal);
}

#[test]
fn a_window_that_closed_leaves_nothing() {
    let start = Run::new().ideal;
    let mut r = Run::new();
    r.begin(IO).land(IO, C0, 1).end(IO);
    assert_eq!(r.ideal, start);
    r.event(Event::SpliceBegin { mm: A, va: X });
    r.spec.forget(&mut r.ideal, |_, _| false);
    assert_eq!(r.ideal, start);
    r.event(Event::Held {
        holder: PIN,
        mm: A,
        va: X,
    });
    r.event(Event::Released { holder: PIN });
    assert_eq!(r.ideal, start);
    r.zap_begin()
        .zap_end()
        .store(A, X, C0, 1)
        .store(A, X, C1, 2);
    assert_eq!(r.ideal, start);
    r.free_begin()
        .free_end()
        .store(A, X, C0, 1)
        .store(A, X, C1, 2);
    assert_eq!(r.ideal, start);
}

#[test]
fn the_order_in_which_alternatives_came_does_not_matter() {
    let run = |first: IoId, second: IoId| {
        let mut r = Run::new();
        r.begin(IO).fork().begin(IO1).end(IO1);
        r.begin(first).begin(second);
        let mut s = Run::new();
        s.event(Event::SpliceBegin {
            mm: A,
            va: if first == IO { X } else { Y },
        });
        s.event(Event::SpliceBegin {
            mm: A,
            va: if first == IO { Y } else { X },
        });
        (packed(&r.ideal), packed(&s.ideal))
    };
    let (r, s) = (run(IO, IO1), run(IO1, IO));
    assert_eq!(r.0, r.0);
    assert_eq!(r.1, s.1);

    // Two transfers that may each be lost, landing in either order.
    let land = |swap: bool| {
        let mut r = Run::new();
        r.begin(IO).begin(IO1).zap_begin().zap_end();
        let (a, b) = if swap { (IO1, IO) } else { (IO, IO1) };
        let value = |io: IoId| if io == IO { (C0, 7) } else { (C1, 8) };
        r.land(a, value(a).0, value(a).1)
            .land(b, value(b).0, value(b).1);
        packed(&r.ideal)
    };
    assert_eq!(land(false), land(true));
}

#[test]
fn too_many_worlds_are_told() {
    // Four cells, each perhaps dropped lazily before the store that keeps it: and nobody looks.
    let mut r = Run::new();
    for v in 3..12 {
        r.free_begin().free_end().store(A, X, C0, v % 2 + 3);
        r.free_begin().free_end().store(A, X, C1, v % 2 + 3);
    }
    // However that is, nothing is alarmed that was allowed, and room lacking is no silent matter.
    assert_eq!(r.alarms.kinds(), 0);
    let mut worlds = super::super::worlds::Worlds::NONE;
    let mut room = super::super::worlds::Room::Enough;
    for v in 0..6 {
        let cells = CellSets::just(&[v, v + 1, 0, 0], 2);
        room = room.and(worlds.add(super::super::worlds::World::of(cells)));
    }
    assert_eq!(room, super::super::worlds::Room::Lacking);
    let base = CellSets::just(&[0; 4], 2);
    for v in 0..6 {
        assert!(worlds.may_show(C0, v, &base) && worlds.may_show(C1, v + 1, &base));
    }
}
