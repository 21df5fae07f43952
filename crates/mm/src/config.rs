//! What stays the same during a run: the kernel's features, the devices, the failures that may happen.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::feature::Feature;
use crate::feature_set::FeatureSet;
use crate::ids::*;
use crate::machine::Sizes;

/// A kernel and the machine that it runs on.
#[derive(Debug)]
pub struct Config {
    features: FeatureSet,
    consulted: [AtomicU64; 4],
    /// How much of everything there is.
    pub sizes: Sizes,
    /// The swap device.
    pub swap: SwapDevice,
    /// Failures that may happen.
    pub fails: Failures,
    /// Which process each CPU's task belongs to: the CPUs that a flush of its TLBs reaches. `None` for a kernel thread.
    pub cpu_mm: [Option<MmId>; MAX_CPUS],
    /// How each file's file system does direct I/O.
    pub files: [FileSystem; MAX_FILES],
}

/// The swap device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwapDevice {
    /// SWP_SYNCHRONOUS_IO: zram, pmem, brd.
    pub synchronous: bool,
    /// SWP_STABLE_WRITES: pages must not change under writeback.
    pub stable_writes: bool,
    /// Is the device more than half full (`mem_cgroup_swap_full`)? Then swap-in gives slots back at once.
    pub half_full: bool,
}

/// Failures that a test lets loose; each is then a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// No swap slot can be had.
    pub swap_full: bool,
    /// An allocation of a page fails.
    pub oom: bool,
    /// A swap write or read fails.
    pub io_error: bool,
    /// Somebody outside the test holds a page lock when a trylock comes.
    pub trylock: bool,
    /// GUP gives less than was asked for.
    pub short_gup: bool,
}

/// Who does direct I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// iomap, and block devices asynchronously: dirties before it submits.
    Block,
    /// The simple synchronous block-device path: dirties when it releases.
    BlockSync,
    /// NFS: FOLL_GET on every release.
    Nfs,
    /// Ceph: FOLL_GET on every release.
    Ceph,
    /// FUSE.
    Fuse,
}

impl Config {
    /// A kernel with these features.
    pub fn new(features: FeatureSet, sizes: Sizes) -> Config {
        Config {
            features,
            consulted: Default::default(),
            sizes,
            swap: SwapDevice {
                synchronous: false,
                stable_writes: false,
                half_full: false,
            },
            fails: Failures::default(),
            cpu_mm: [None; MAX_CPUS],
            files: [FileSystem::Block; MAX_FILES],
        }
    }

    /// Does the kernel have this feature? Remembers that it was asked.
    #[inline]
    pub fn has(&self, feature: Feature) -> bool {
        let (word, bit) = (feature as usize / 64, 1u64 << (feature as usize % 64));
        let seen = &self.consulted[word];
        if seen.load(Ordering::Relaxed) & bit == 0 {
            seen.fetch_or(bit, Ordering::Relaxed);
        }
        self.features.contains(feature)
    }

    /// The kernel's features.
    pub fn features(&self) -> &FeatureSet {
        &self.features
    }

    /// The features that [`has`](Config::has) was asked for since the start or the last [`forget`](Config::forget).
    pub fn consulted(&self) -> FeatureSet {
        FeatureSet::from_words(core::array::from_fn(|word| {
            self.consulted[word].load(Ordering::Relaxed)
        }))
    }

    /// Takes these for asked for, too.
    pub fn consult(&self, features: FeatureSet) {
        for (word, more) in self.consulted.iter().zip(features.words()) {
            word.fetch_or(more, Ordering::Relaxed);
        }
    }

    /// Forgets which features were asked for.
    pub fn forget(&self) {
        for word in &self.consulted {
            word.store(0, Ordering::Relaxed);
        }
    }
}
