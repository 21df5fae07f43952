//! S0, S1, S10, S11.

use cowherd_mm::world::Trap;

use super::*;

#[test]
fn a_load_sees_the_last_store() {
    let mut r = Run::new();
    r.load(A, X, C0, 1).store(A, X, C0, 3).load(A, X, C0, 3);
    r.load(A, X, C1, 2).fine();
    r.load(A, X, C0, 1).broken(Kind::LostWrite, Rule::S1);
}

#[test]
fn after_a_broken_promise_the_search_goes_on_with_what_was_seen() {
    let mut r = Run::new();
    r.store(A, X, C0, 3).load(A, X, C0, 1);
    r.broken(Kind::LostWrite, Rule::S1);
    r.load(A, X, C0, 1).load(A, X, C1, 2).fine();
    r.store(A, X, C0, 9).load(A, X, C0, 9).fine();
}

#[test]
fn the_free_observer_finds_a_loss_that_nobody_loads() {
    let mut r = Run::new();
    r.store(A, X, C0, 3);
    r.spec.observe(&mut r.ideal, &mut r.alarms, A, X, C0, 1);
    r.broken(Kind::LostWrite, Rule::S1);
    // It says nothing of what does not exist.
    r.spec.observe(&mut r.ideal, &mut r.alarms, B, X, C0, 9);
    r.fine();
}

#[test]
fn a_store_that_mprotect_forbade_is_wrong_permission() {
    let mut r = Run::new();
    r.event(Event::WriteForbidden { mm: A, va: X });
    r.load(A, X, C0, 1).fine();
    r.store(A, X, C0, 3)
        .broken(Kind::WrongPermission, Rule::S10);
    // It took effect nevertheless.
    r.load(A, X, C0, 3).fine();
    r.event(Event::WriteAllowed { mm: A, va: X });
    r.store(A, X, C0, 9).fine();
}

#[test]
fn a_store_by_another_process_is_not_forbidden_by_mprotect() {
    let mut r = Run::new();
    r.event(Event::WriteForbidden { mm: A, va: X });
    r.event(Event::RemoteBegin { mm: A, va: X });
    r.spec
        .remote_store(&mut r.ideal, &mut r.alarms, A, X, C0, 3);
    r.load(A, X, C0, 3).fine();
}

#[test]
fn a_child_inherits_what_its_vma_forbids_but_no_trap() {
    let mut r = Run::new();
    r.event(Event::WriteForbidden { mm: A, va: X });
    r.event(Event::WriteTrapped {
        mm: A,
        va: Y,
        by: Trap::Uffd,
    });
    r.fork();
    r.store(B, Y, C0, 4).fine();
    r.store(B, X, C0, 4)
        .broken(Kind::WrongPermission, Rule::S10);
}

#[test]
fn a_store_that_is_not_trapped_is_missed() {
    for by in [Trap::Uffd, Trap::SoftDirty] {
        let mut r = Run::new();
        r.event(Event::WriteTrapped { mm: A, va: X, by });
        r.load(A, X, C0, 1).fine();
        r.store(A, X, C0, 3).broken(Kind::MissedWp, Rule::S10);
        r.event(Event::TrapLifted { mm: A, va: X, by });
        r.store(A, X, C0, 3).fine();
    }
}

#[test]
fn a_zapped_page_remembers_no_trap() {
    let mut r = Run::new();
    r.event(Event::WriteTrapped {
        mm: A,
        va: X,
        by: Trap::Uffd,
    });
    r.zap_begin().zap_end().store(A, X, C0, 3).fine();
}

#[test]
fn a_write_to_the_page_cache_modifies_the_file() {
    let mut r = Run::new();
    r.spec.file_written(&mut r.ideal, &mut r.alarms);
    r.broken(Kind::FileModified, Rule::S11);
}

#[test]
fn broken_invariants_have_kinds() {
    use cowherd_mm::Broken;
    for (broken, kind) in [
        (Broken::UseAfterFree, Kind::UseAfterFree),
        (Broken::TornWriteback, Kind::TornWriteback),
        (Broken::RefUnderflow, Kind::Refcount),
        (Broken::PinExcl, Kind::BadPageState),
    ] {
        let mut alarms = Alarms::default();
        alarms.broken(broken);
        assert_eq!(alarms.kinds(), kind.bit());
        assert_eq!(alarms.invariants(), 1 << broken as u32);
    }
}

#[test]
fn names_and_bits_are_those_of_the_language() {
    use cowherd_litmus::ast;
    for kind in ast::Kind::ALL {
        let mine = Kind::from_name(kind.word()).expect("a kind of the language");
        assert_eq!(mine.name(), kind.word());
        assert_eq!(kind_bits(Some(*kind)), u64::from(mine.bit()));
        assert_ne!(kind_bits(None) & u64::from(mine.bit()), 0);
    }
    assert_eq!(ast::Kind::ALL.len(), Kind::ALL.len());
    let mut alarms = Alarms::default();
    alarms.meet(Hazards::one(Hazard::H4));
    assert_eq!(u64::from(alarms.bits()), hazard_bits(Some(4)));
    assert_eq!(hazard_bits(None) & alarms.word(), alarms.word());
    assert_eq!(Hazard::H4.name(), "H4");
    assert_eq!(Rule::S10.name(), "S10");
}
