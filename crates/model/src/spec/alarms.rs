//! What one step broke: kinds, the rule that was broken, and hazards that are documented.

use cowherd_mm::{Broken, Cell, MmId, Va};

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// The kinds of broken promises.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Kind { $($(#[doc = $doc])+ $variant,)+ }

        impl Kind {
            /// Every kind, in the order of [`bit`](Kind::bit).
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)+];

            /// The name in tests and reports.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name,)+ }
            }

            /// The kind of this name.
            pub fn from_name(name: &str) -> Option<Kind> {
                match name { $($name => Some(Kind::$variant),)+ _ => None }
            }
        }
    };
}

kinds! {
    /// A process sees an older value of its own: what it, or a device for it, wrote since is gone.
    LostWrite = "lost-write",
    /// A device, a pin or a pipe sees an older value than it was promised.
    StaleRead = "stale-read",
    /// Somebody sees what only others wrote, or what a freed frame or slot was left with.
    Leak = "leak",
    /// Zeroes where no zero was ever written.
    Zeroed = "zeroed",
    /// An access took effect that a call had forbidden before.
    WrongPermission = "wrong-permission",
    /// A store was not trapped by userfaultfd, or left no soft-dirty bit.
    MissedWp = "missed-wp",
    /// A private mapping changed its file.
    FileModified = "file-modified",
    /// A frame changed under writeback to a device that demands stable pages.
    TornWriteback = "torn-writeback",
    /// A frame was accessed that nobody holds a reference to.
    UseAfterFree = "use-after-free",
    /// References or mappings were miscounted.
    Refcount = "refcount",
    /// The kernel broke an invariant of its own.
    BadPageState = "bad-page-state",
    /// Nobody can go on.
    Deadlock = "deadlock",
    /// Somebody can always go on, and it never ends.
    Livelock = "livelock",
}

impl Kind {
    /// Its bit in [`Alarms::kinds`].
    pub fn bit(self) -> u32 {
        1 << self as u32
    }

    /// The kind that a broken invariant is reported as.
    pub fn of(broken: Broken) -> Kind {
        match broken {
            Broken::UseAfterFree => Kind::UseAfterFree,
            Broken::TornWriteback => Kind::TornWriteback,
            Broken::PteRef | Broken::RefUnderflow | Broken::FreedInUse => Kind::Refcount,
            _ => Kind::BadPageState,
        }
    }
}

/// The rules of the specification, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Rule {
    S0,
    S1,
    S2,
    S3,
    S4,
    S5,
    S6,
    S7,
    S8,
    S9,
    S10,
    S11,
    S12,
    S13,
}

impl Rule {
    /// `S5`
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 14] = [
            "S0", "S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "S13",
        ];
        NAMES[self as usize]
    }
}

/// What an application must not rely on, as it is documented. H3 (hugetlb) and H5 (false positives of `maybe_dma_pinned`, which
/// cost copies and no data) are not met in this model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hazard {
    /// fork while a FOLL_GET transfer is in flight (open(2)): it may be lost to the parent and show in the child.
    H1 = 1,
    /// A read-only FOLL_GET shows an older value.
    H2,
    /// hugetlb reuses by mapcount.
    H3,
    /// MADV_DONTNEED, munmap, MADV_FREE or UFFDIO_MOVE of a page under transfer.
    H4,
    /// Very many references count as pins.
    H5,
    /// Two transfers into the same bytes at once.
    H6,
    /// A pipe shows stores that came after vmsplice.
    H7,
}

impl Hazard {
    /// Every hazard, from H1.
    pub const ALL: [Hazard; 7] = [
        Hazard::H1,
        Hazard::H2,
        Hazard::H3,
        Hazard::H4,
        Hazard::H5,
        Hazard::H6,
        Hazard::H7,
    ];

    /// `H1`
    pub fn name(self) -> &'static str {
        ["H1", "H2", "H3", "H4", "H5", "H6", "H7"][self as usize - 1]
    }
}

/// A set of hazards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hazards(u8);

impl Hazards {
    /// None.
    pub const NONE: Hazards = Hazards(0);

    /// Just this one.
    pub const fn one(hazard: Hazard) -> Hazards {
        Hazards(1 << (hazard as u8 - 1))
    }

    /// Bit n - 1 stands for Hn.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The inverse of [`bits`](Hazards::bits).
    pub fn from_bits(bits: u8) -> Hazards {
        Hazards(bits)
    }

    /// Is `hazard` among them?
    pub fn has(self, hazard: Hazard) -> bool {
        self.0 & Hazards::one(hazard).0 != 0
    }

    /// None at all?
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those of either.
    pub fn union(self, other: Hazards) -> Hazards {
        Hazards(self.0 | other.0)
    }

    /// Those of both.
    pub fn common(self, other: Hazards) -> Hazards {
        Hazards(self.0 & other.0)
    }

    /// Those that `other` has not.
    pub fn without(self, other: Hazards) -> Hazards {
        Hazards(self.0 & !other.0)
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Hazard> {
        Hazard::ALL.into_iter().filter(move |&h| self.has(h))
    }
}

/// A broken promise: what a report says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// What kind.
    pub kind: Kind,
    /// The rule that was broken.
    pub rule: Rule,
    /// Whose memory, where.
    pub place: Option<(MmId, Va, Cell)>,
    /// What was seen or stored there.
    pub value: Option<u8>,
}

/// Details are kept of this many broken promises of one step; kinds are kept of all.
const DETAILS: usize = 4;

/// What was broken in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarms {
    details: [Option<Alarm>; DETAILS],
    kinds: u32,
    hazards: Hazards,
    invariants: u32,
    gave_up: bool,
}

impl Alarms {
    /// A promise was broken.
    pub fn raise(&mut self, alarm: Alarm) {
        self.kinds |= alarm.kind.bit();
        if let Some(free) = self.details.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(alarm);
        }
    }

    /// A documented hazard was met.
    pub fn meet(&mut self, hazards: Hazards) {
        self.hazards = self.hazards.union(hazards);
    }

    /// The kernel broke one of its own invariants.
    pub fn broken(&mut self, broken: Broken) {
        self.invariants |= 1 << broken as u32;
        self.raise(Alarm {
            kind: Kind::of(broken),
            rule: Rule::S12,
            place: None,
            value: None,
        });
    }

    /// More worlds were possible than there is room for: from now on more is allowed than was promised.
    pub fn give_up(&mut self) {
        self.gave_up = true;
    }

    /// The kinds, by [`Kind::bit`].
    pub fn kinds(&self) -> u32 {
        self.kinds
    }

    /// The hazards met.
    pub fn hazards(&self) -> Hazards {
        self.hazards
    }

    /// The kernel's invariants that were broken: bit n stands for the `Broken` of that number.
    pub fn invariants(&self) -> u32 {
        self.invariants
    }

    /// Was there too little room for all possible worlds?
    pub fn gave_up(&self) -> bool {
        self.gave_up
    }

    /// Nothing at all?
    pub fn is_empty(&self) -> bool {
        self.bits() == 0
    }

    /// The broken promises, first first.
    pub fn iter(&self) -> impl Iterator<Item = Alarm> {
        self.details.into_iter().flatten()
    }

    /// All in one word: the kinds, from bit [`HAZARD_SHIFT`] the hazards, at bit [`GAVE_UP_BIT`] whether room was lacking.
    pub fn bits(&self) -> u32 {
        self.kinds
            | u32::from(self.hazards.0) << HAZARD_SHIFT
            | u32::from(self.gave_up) << GAVE_UP_BIT
    }
}

/// Where hazards begin in [`Alarms::bits`].
pub const HAZARD_SHIFT: u32 = 16;
/// Where [`Alarms::bits`] says that there was too little room.
pub const GAVE_UP_BIT: u32 = 24;
