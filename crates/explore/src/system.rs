//! What the explorer asks of the thing that it explores.

/// A finite-state system of actors, stepped one actor at a time.
///
/// The explorer knows nothing else: no memory management, no litmus test. A system must be *deterministic up to
/// [`Choice`]*: the same state, actor and choice number give the same successor, always.
pub trait System: Sync {
    /// One state, unpacked, as [`step`](System::step) works on it. Cloned once per transition, so keep it flat.
    type State: Clone + Send + Sync;

    /// Calls `each` with every initial state, in a fixed order.
    fn initial(&self, each: &mut dyn FnMut(Self::State));

    /// Number of actors, at most 64. Actors are numbered from 0.
    fn actors(&self) -> usize;

    /// May `actor` take its next step in `state`? A blocked actor is never stepped.
    fn enabled(&self, state: &Self::State, actor: usize) -> bool;

    /// Takes the next step of an enabled `actor`, resolving what it leaves open through `choice`.
    fn step(&self, state: &mut Self::State, actor: usize, choice: &mut Choice);

    /// Has everything that the program asked for happened? Such a state is terminal: it has an outcome and is not
    /// expanded. A state that is not done and in which no actor is enabled is a deadlock.
    fn done(&self, state: &Self::State) -> bool;

    /// Property bits that hold in `state` (for instance: one bit per kind of broken promise). The explorer reports, for
    /// each bit ever seen, the first state (in the order of the search) that shows it.
    fn flags(&self, _state: &Self::State) -> u64 {
        0
    }

    /// Appends the outcome of a `done` state: the bytes that tell it from other outcomes.
    fn outcome(&self, state: &Self::State, out: &mut Vec<u8>);

    /// Appends the packed form. Equal states must pack equal, and `unpack(pack(s)) == s`.
    fn pack(&self, state: &Self::State, out: &mut Vec<u8>);

    /// As [`pack`](System::pack), for a state that steps made of `from` (and [`canonical`](System::canonical), where symmetry is
    /// on). `from` was unpacked, and nothing was done to it since: what the steps left alone need not be packed again.
    fn pack_after(&self, _from: &Self::State, state: &Self::State, out: &mut Vec<u8>) {
        self.pack(state, out);
    }

    /// The state that `bytes` was packed from.
    fn unpack(&self, bytes: &[u8]) -> Self::State;

    /// As [`unpack`](System::unpack), in the place of another state.
    fn unpack_into(&self, bytes: &[u8], state: &mut Self::State) {
        *state = self.unpack(bytes);
    }

    /// Renames what differs only in name, so that equivalent states become equal: a true canonical form. Reduction
    /// "symmetry"; the default renames nothing.
    fn canonical(&self, _state: &mut Self::State) {}

    /// How the next step of `actor` commutes with the steps of all others. Reduction "movers".
    ///
    /// A mover must not make a flag go that holds, and must have no part in [`done`](System::done) or the outcome wherever a
    /// done state may still have enabled actors: if some actors need not come to their end, then the last step of one that must
    /// is no mover, nor is a step that shows in the outcome of one that need not. Where a done state has no enabled actor, the
    /// second demand is empty.
    fn mover(&self, _state: &Self::State, _actor: usize) -> Mover {
        Mover::None
    }

    /// May other actors disable the next step of `actor`: does it wait for anything? Asked where "movers" would fuse it to a
    /// right mover before it. Fusing a step that can block would hide deadlocks (each of two actors holds what the other
    /// waits for), so the default is the safe answer. A left mover never blocks, by its definition.
    fn blocks(&self, _state: &Self::State, _actor: usize) -> bool {
        true
    }

    /// All that "movers" asks of the next step of `actor`, at once; none: it is blocked. A system that works all of it out from
    /// the same thing may do so once.
    fn next(&self, state: &Self::State, actor: usize) -> Option<Next> {
        self.enabled(state, actor).then(|| Next {
            mover: self.mover(state, actor),
            blocks: self.blocks(state, actor),
        })
    }

    /// [`next`](System::next) of every actor: asked once a state.
    fn survey(&self, state: &Self::State, next: &mut [Option<Next>]) {
        for (actor, next) in next.iter_mut().enumerate() {
            *next = self.next(state, actor);
        }
    }

    /// What the next step of `actor` may read and write. Reduction "commute".
    fn footprint(&self, _state: &Self::State, _actor: usize) -> Footprint {
        Footprint::ALL
    }

    /// What `actor` may read and write in this step or in any later one, whatever the others do meanwhile.
    fn future(&self, _state: &Self::State, _actor: usize) -> Footprint {
        Footprint::ALL
    }

    /// Is the next step of `actor` unable to change [`flags`](System::flags) or the outcome? Only such steps may be chosen
    /// alone by the reduction "commute". Of `done` and the outcome, the same is demanded as of a [`mover`](System::mover).
    fn invisible(&self, _state: &Self::State, _actor: usize) -> bool {
        false
    }

    /// How much of the program has begun in `state`: (calls begun, actors that have begun). Orders witnesses: fewest calls,
    /// then fewest actors, then fewest steps.
    fn effort(&self, _state: &Self::State) -> (u32, u32) {
        (0, 0)
    }

    /// What the system has noted of the search, beside the states: only ever more, whatever the order.
    fn noted(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Takes in what was [`noted`](System::noted) by the same system in another run, beside its own.
    fn note(&self, _noted: &[u8]) {}
}

/// A step's place in Lipton's theory of reduction (R. J. Lipton, "Reduction: a method of proving properties of parallel
/// programs", 1975).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mover {
    /// Commutes with nothing in particular.
    None,
    /// May be moved later past steps of others (taking a lock): fused with the step that follows it.
    Right,
    /// May be moved earlier past steps of others (dropping a lock): fused with the step before it.
    Left,
    /// Private work: both.
    Both,
}

/// The next step of an actor, as [`System::next`] tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// See [`System::mover`].
    pub mover: Mover,
    /// See [`System::blocks`].
    pub blocks: bool,
}

/// Resources that a step may read and write, as bit sets; what a bit means is the system's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Footprint {
    /// Read, and not written.
    pub reads: u128,
    /// Written (or both).
    pub writes: u128,
}

impl Footprint {
    /// Touches everything.
    pub const ALL: Footprint = Footprint {
        reads: u128::MAX,
        writes: u128::MAX,
    };

    /// What either of two touches.
    pub fn union(self, other: Footprint) -> Footprint {
        Footprint {
            reads: self.reads | other.reads,
            writes: self.writes | other.writes,
        }
    }

    /// Is all that is touched there touched here?
    pub fn covers(self, other: Footprint) -> bool {
        let any = self.reads | self.writes;
        (other.reads | other.writes) & !any == 0 && other.writes & !self.writes == 0
    }

    /// Would the order of two steps with these footprints matter?
    pub fn conflicts(self, other: Footprint) -> bool {
        self.writes & (other.reads | other.writes) != 0 || self.reads & other.writes != 0
    }
}

/// Resolves what a step leaves open: a number in mixed radix whose digits are the answers of
/// [`choose`](Choice::choose), first question first.
#[derive(Clone, Debug)]
pub struct Choice {
    rest: u32,
    fanout: u32,
}

impl Choice {
    /// The alternative with this number. 0 always exists.
    pub fn number(number: u32) -> Choice {
        Choice {
            rest: number,
            fanout: 1,
        }
    }

    /// One of `0..ways`; `ways` must not be 0.
    pub fn choose(&mut self, ways: u32) -> u32 {
        let digit = self.rest % ways;
        self.rest /= ways;
        self.fanout *= ways;
        digit
    }

    /// One past the largest number that this run of questions has answers for. To enumerate all alternatives of a step, try
    /// 0, then each number below the largest fan-out met so far, and skip those that are not [`valid`](Choice::valid).
    pub fn fanout(&self) -> u32 {
        self.fanout
    }

    /// Was every digit used? A number with digits left over names no alternative.
    pub fn valid(&self) -> bool {
        self.rest == 0
    }
}
