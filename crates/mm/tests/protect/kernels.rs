//! The kernels that the programs run on, by what they lack.

use cowherd_mm::FeatureSet;
use cowherd_mm::feature::Feature as F;

/// All features but these.
pub fn all_but(absent: &[F]) -> FeatureSet {
    let mut set = FeatureSet::EMPTY;
    for &feature in F::ALL {
        if !absent.contains(&feature) {
            set.insert(feature);
        }
    }
    set
}

/// What v7.2 has not.
const NOT_7_2: &[F] = &[
    F::WpMapcount,
    F::ReuseKsm,
    F::GupForceCow,
    F::WpRefcount1,
    F::SkipCache,
    F::SkipCacheClaim,
    F::NumaSkipRefs,
    F::UffdMoveWp,
    F::UffdRwp,
];

/// What 6.12 has not, beside.
const NOT_6_12: &[F] = &[
    F::MadvfreeKeepLazy,
    F::UffdMoveSc1,
    F::UffdMoveSc2,
    F::NoBypass,
    F::SyncAlwaysFree,
    F::FreeAfterMap,
];

/// What 6.1 has not, beside.
const NOT_6_1: &[F] = &[
    F::LongtermCow,
    F::ReclaimUnmappedPin,
    F::KsmUnshare,
    F::MprotectExclClean,
    F::NumaExcl,
    F::PerVmaLock,
    F::ForkVmaLock,
    F::UffdMove,
    F::DioPin,
    F::FusePin,
    F::FreeSwapoff,
    F::SwapinRoW,
    F::MigBatchFlush,
    F::NumaSkipPinned,
];

/// What 5.18 has not, beside.
const NOT_5_18: &[F] = &[
    F::AnonExclusive,
    F::Unshare,
    F::SwpExclusive,
    F::ForceExcl,
    F::GupfastBarriers,
    F::MprotectExcl,
    F::MigYoungDirty,
    F::SoftDirtyMprotect,
    F::SwapoffKeepBits,
];

/// What 5.10 has not, beside.
const NOT_5_10: &[F] = &[
    F::WpSwapfree,
    F::WpLrudrain,
    F::SwapinRefcount,
    F::ForkWpseq,
    F::NoswapPinned,
    F::ClearrefsLock,
    F::ClearrefsPinned,
    F::UffdwpFlush,
    F::MadvfreeRefs,
    F::SwapdevRef,
    F::MadvPopulate,
    F::NumaSkipRefs,
    F::UffdContinueDirty,
];

pub fn v7_2() -> FeatureSet {
    all_but(NOT_7_2)
}

pub fn v6_12() -> FeatureSet {
    let mut set = all_but(&[NOT_7_2, NOT_6_12].concat());
    set.insert(F::SkipCache);
    set.insert(F::SkipCacheClaim);
    set
}

pub fn v6_1() -> FeatureSet {
    let mut set = all_but(&[NOT_7_2, NOT_6_12, NOT_6_1].concat());
    set.insert(F::SkipCache);
    set.insert(F::NumaSkipRefs);
    set
}

pub fn v5_18() -> FeatureSet {
    let mut set = all_but(&[NOT_7_2, NOT_6_12, NOT_6_1, NOT_5_18].concat());
    set.insert(F::SkipCache);
    set.insert(F::NumaSkipRefs);
    set
}

pub fn v5_10() -> FeatureSet {
    let mut set = all_but(&[NOT_7_2, NOT_6_12, NOT_6_1, NOT_5_18, NOT_5_10].concat());
    set.insert(F::SkipCache);
    set.insert(F::WpRefcount1);
    set
}

/// Each kernel that is tried where eras matter.
pub fn eras() -> [(&'static str, FeatureSet); 5] {
    [
        ("v5.10", v5_10()),
        ("v5.18", v5_18()),
        ("v6.1", v6_1()),
        ("v6.12", v6_12()),
        ("v7.2", v7_2()),
    ]
}

pub fn without(mut set: FeatureSet, absent: &[F]) -> FeatureSet {
    for &feature in absent {
        set.remove(feature);
    }
    set
}

pub fn with(mut set: FeatureSet, more: &[F]) -> FeatureSet {
    for &feature in more {
        set.insert(feature);
    }
    set
}
