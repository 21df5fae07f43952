//! A right kernel never alarms, whatever it is asked for; each rule that is switched off is found.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::lively_memory::{Lively, Off};
use super::packing::survives;
use super::plain::{Step, steps};
use super::*;

proptest! {
    #![proptest_config(super::cases(2000))]

    #[test]
    fn a_right_kernel_never_alarms(steps in prop::collection::vec((0..28u8, any::<u8>(), any::<u8>(), any::<u8>()), 0..150)) {
        let mut lively = Lively::new(Off::Nothing);
        for step in steps {
            lively.step(step);
            prop_assert_eq!(lively.run.alarms.kinds(), 0, "{:?}", lively.run.alarms);
            lively.observe();
            prop_assert_eq!(lively.run.alarms.kinds(), 0, "observed {:?}", lively.run.alarms);
            prop_assert!(!lively.run.alarms.gave_up());
        }
        survives(&lively.run.ideal);
    }
}

/// The kinds that random programs of these steps bring about with a rule off.
fn kinds_without(off: Off, whats: &'static [u8]) -> u32 {
    let mut kinds = 0;
    let mut runner = TestRunner::deterministic();
    let step = (
        prop::sample::select(whats),
        any::<u8>(),
        any::<u8>(),
        any::<u8>(),
    );
    let programs = prop::collection::vec(step, 150..151usize);
    for _ in 0..2000 {
        let program: Vec<Step> = programs.new_tree(&mut runner).expect("a program").current();
        let mut lively = Lively::new(off);
        for step in program {
            lively.step(step);
            lively.observe();
            // What follows on the first broken promise says little.
            if lively.run.alarms.kinds() != 0 {
                break;
            }
        }
        kinds |= lively.run.alarms.kinds();
    }
    kinds
}

const STORE: u8 = 0;
const LOAD: u8 = 5;
const FORK: u8 = 7;
const ZAP: u8 = 9;
const FREE: u8 = 10;
const DROP: u8 = 11;
const WRPROTECT: u8 = 12;
const TRANSFER: u8 = 13;
const SPLICE: u8 = 17;
const HOLD: u8 = 19;
const COPY: u8 = 27;

#[test]
fn each_rule_that_is_off_is_found() {
    use Kind::*;
    // With the rule off, of these steps, all of these kinds come about and no other.
    let cases: [(Off, &'static [u8], &[Kind]); 10] = [
        (
            Off::ForkFlush,
            &[STORE, LOAD, FORK, COPY],
            &[LostWrite, Leak],
        ),
        (Off::ForkPins, &[STORE, FORK, HOLD, COPY], &[StaleRead]),
        (
            Off::Exclusive,
            &[STORE, WRPROTECT, TRANSFER, COPY],
            &[LostWrite],
        ),
        (
            Off::Refs,
            &[STORE, FORK, ZAP, SPLICE, COPY],
            &[StaleRead, Leak],
        ),
        (Off::DropRefs, &[FREE, DROP, TRANSFER], &[Zeroed]),
        (Off::DropDirty, &[STORE, FREE, DROP], &[Zeroed]),
        (Off::ZapFlush, &[STORE, LOAD, ZAP], &[LostWrite, Zeroed]),
        (Off::ZapRef, &[STORE, LOAD, FORK, ZAP, COPY], &[Leak]),
        (Off::Unshare, &[STORE, FORK, HOLD, COPY], &[StaleRead]),
        (Off::Recheck, &[STORE, FORK, ZAP, COPY], &[LostWrite, Leak]),
    ];
    for (off, steps, kinds) in cases {
        let seen = kinds_without(off, steps);
        let names: Vec<&str> = Kind::ALL
            .iter()
            .filter(|k| seen & k.bit() != 0)
            .map(|k| k.name())
            .collect();
        let expected = kinds.iter().fold(0, |set, k| set | k.bit());
        assert_eq!(seen, expected, "{off:?}: {names:?}");
        assert_eq!(kinds_without(Off::Nothing, steps), 0);
    }
}

#[test]
fn the_hazards_are_met() {
    let mut met = Hazards::NONE;
    let mut runner = TestRunner::deterministic();
    for _ in 0..500 {
        let program = steps().new_tree(&mut runner).expect("a program").current();
        let mut lively = Lively::new(Off::Nothing);
        for step in program {
            lively.step(step);
            lively.observe();
        }
        met = met.union(lively.run.alarms.hazards());
    }
    for hazard in [Hazard::H1, Hazard::H2, Hazard::H4, Hazard::H6, Hazard::H7] {
        assert!(met.has(hazard), "{hazard:?} of {met:?}");
    }
}
