//! GUP-fast: what it read may be old when it takes its reference.

use cowherd_mm::feature::Feature as F;
use cowherd_mm::machine::Hold;
use cowherd_mm::memory::zap_pte_range::Zap;
use cowherd_mm::*;

use crate::common::*;

/// GUP-fast has read the PTE of A's page; that is freed, and the frame is B's by the time of the reference. The holder's page, and B's.
fn held_after_the_frame_was_reused(features: FeatureSet) -> (Pfn, Pfn) {
    let mut s = Sim::new(features);
    // A frame that nobody can reach is free, and would be the first choice.
    s.store(A0, Y, 0, 1);
    s.store(A0, X, 0, 7);
    let frame = s.pfn(A, X);
    s.drain();
    assert_eq!(s.call(A1, Zap::dontneed(Y)), Ok(()));
    let next = s.hold_next(0, Hold::Pin, true);
    s.start(A0, next);
    s.until(A0, "GF3");
    assert_eq!(s.call(A1, Zap::dontneed(X)), Ok(()));
    assert!(s.m.frames[frame.at()].is_free());
    s.w.choices.push_back(0);
    s.store(B0, X, 0, 3);
    assert_eq!(s.pfn(B, X), frame, "the frame that GUP-fast is after");
    assert_eq!(s.finish(A0), Ok(()));
    (s.m.holders[0].page.unwrap(), s.pfn(B, X))
}

#[test]
fn a_frame_that_was_reused_is_not_taken() {
    let (held, others) = held_after_the_frame_was_reused(v6_12());
    assert_ne!(held, others);
}

#[test]
fn without_the_second_look_it_is() {
    let features = without(v6_12(), &[F::GupfastRecheck]);
    let (held, others) = held_after_the_frame_was_reused(features);
    assert_eq!(held, others);
}
