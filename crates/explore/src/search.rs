//! The search: level by level, a level in batches of a fixed size, a batch in two phases.
//!
//! In the first phase workers take chunks of the frontier, expand their states and write every successor into a buffer of its
//! own for each pair of chunk and shard. In the second they take shards and offer them what the chunks left there, in the
//! order of the chunks. Which worker took what leaves no trace: each shard meets the same records in the same order. The
//! locks are taken once per phase, chunk or shard, never per state.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use crate::barrier::Barrier;
use crate::buffer::Buffers;
use crate::checkpoint::{Saved, Saver};
use crate::claims::{Claims, Seat};
use crate::options::{Ended, Keep, Options, Progress};
use crate::report::Report;
use crate::shard::{Offered, Piece, Shard};
use crate::store::{Paths, SHARDS, Store, shard_of};
use crate::system::System;
use crate::worker::{Harvest, Hunt, Hunted, Worker};

/// Records in one chunk, at least: what one worker expands at a time.
const CHUNK: u32 = 256;
/// Chunks in a batch. Bounds what the buffers hold.
const BATCH: usize = 16;
/// A batch with fewer records is not worth waking the other workers for.
const ALONE: u32 = 512;

/// Explores every reachable state of `system`.
///
/// # Panics
///
/// If the system does; if it has more than 64 actors; if a packed state is longer than 32767 bytes.
pub fn explore<S: System>(system: &S, options: &Options) -> Report {
    #[cfg(feature = "cluster")]
    if let Some(cluster) = options.cluster {
        return crate::cluster::explore(system, options, cluster);
    }
    let (mut report, _) = search(system, options, None);
    if options.livelock && options.keep == Keep::States && report.ended == Ended::Complete {
        report.livelocks = Some(crate::livelock::livelocks(system, &report));
    }
    report
}

/// What all workers share.
struct Shared {
    shards: Vec<RwLock<Shard>>,
    pieces: RwLock<Vec<Piece>>,
    /// For each chunk of the batch: its pieces, and what they led to.
    chunks: Vec<RwLock<Chunk>>,
    chunks_used: AtomicUsize,
    /// Chunks that are expanded, shards that are offered to.
    expanded: Claims,
    offered: Claims,
    fresh: AtomicUsize,
    transitions: AtomicU64,
    hunted: Mutex<Hunted>,
    /// What the workers brought home so far; only where the search is saved, else they keep it to the end.
    harvest: Mutex<Option<Harvest>>,
    level: AtomicU32,
    flags: AtomicU64,
    halt: AtomicBool,
    quit: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

#[derive(Default)]
struct Chunk {
    /// Indices of its pieces.
    pieces: std::ops::Range<usize>,
    buffers: Buffers,
}

impl Shared {
    fn new(shards: Vec<Shard>, saved: bool) -> Shared {
        Shared {
            shards: shards.into_iter().map(RwLock::new).collect(),
            pieces: RwLock::default(),
            chunks: (0..BATCH).map(|_| RwLock::default()).collect(),
            chunks_used: AtomicUsize::new(0),
            expanded: Claims::default(),
            offered: Claims::default(),
            fresh: AtomicUsize::new(0),
            transitions: AtomicU64::new(0),
            hunted: Mutex::default(),
            harvest: Mutex::new(saved.then(Harvest::default)),
            level: AtomicU32::new(0),
            flags: AtomicU64::new(0),
            halt: AtomicBool::new(false),
            quit: AtomicBool::new(false),
            panic: Mutex::new(None),
        }
    }

    /// First phase. A panic of the system is kept for the calling thread: the others must not wait for ever.
    fn expand<S: System>(&self, worker: &mut Worker<S>, seat: Seat, limits: &Limits) {
        let work = AssertUnwindSafe(|| {
            let shards = self.shards();
            let pieces = self.pieces.read().unwrap_or_else(PoisonError::into_inner);
            let level = self.level.load(Ordering::Relaxed);
            let before = worker.transitions;
            let used = self.chunks_used.load(Ordering::Relaxed);
            for index in self.expanded.take(seat, used) {
                let mut chunk = self.chunks[index]
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                let Chunk {
                    pieces: range,
                    buffers,
                } = &mut *chunk;
                buffers.clear();
                if self.halt.load(Ordering::Relaxed) || limits.interrupted().is_some() {
                    self.halt.store(true, Ordering::Relaxed);
                    continue;
                }
                let new = |hash, packed: &[u8]| !shards[shard_of(hash)].settled(hash, packed);
                for piece in &pieces[range.clone()] {
                    worker.piece(&shards[piece.shard], *piece, level, buffers, new);
                }
            }
            self.transitions
                .fetch_add(worker.transitions - before, Ordering::Relaxed);
            self.flags.fetch_or(worker.flags(), Ordering::Relaxed);
            self.hunted
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .merge(worker.hunted);
            if let Some(harvest) = &mut *self.harvest() {
                harvest.merge(worker.harvest());
            }
        });
        self.guarded(work);
    }

    fn harvest(&self) -> MutexGuard<'_, Option<Harvest>> {
        self.harvest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shards(&self) -> Vec<RwLockReadGuard<'_, Shard>> {
        let shards = self.shards.iter();
        shards
            .map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner))
            .collect()
    }

    /// Second phase.
    fn insert(&self, seat: Seat) {
        let work = AssertUnwindSafe(|| {
            let used = self.chunks_used.load(Ordering::Relaxed);
            let chunks: Vec<_> = self.chunks[..used]
                .iter()
                .map(|chunk| chunk.read().unwrap_or_else(PoisonError::into_inner))
                .collect();
            let mut fresh = 0;
            let mut near = Vec::new();
            for index in self.offered.take(seat, SHARDS) {
                if chunks.iter().all(|chunk| chunk.buffers.is_empty(index)) {
                    continue;
                }
                let mut shard = self.shards[index]
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                shard.touch(
                    chunks.iter().flat_map(|chunk| chunk.buffers.hashes(index)),
                    &mut near,
                );
                for chunk in &chunks {
                    for (hash, parent, packed) in chunk.buffers.entries(index) {
                        fresh += usize::from(shard.offer(hash, parent, packed) == Offered::New);
                    }
                }
            }
            self.fresh.fetch_add(fresh, Ordering::Relaxed);
        });
        self.guarded(work);
    }

    fn guarded(&self, work: AssertUnwindSafe<impl FnOnce()>) {
        if let Err(payload) = catch_unwind(work) {
            self.halt.store(true, Ordering::Relaxed);
            self.panic
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(payload);
        }
    }

    fn bytes(&self) -> usize {
        let shards = self
            .shards
            .iter()
            .map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).bytes());
        let chunks = self.chunks.iter().map(|chunk| {
            chunk
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .buffers
                .bytes()
        });
        shards.sum::<usize>() + chunks.sum::<usize>()
    }

    fn stored(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).bytes())
            .sum()
    }
}

/// What may end a search before it is complete.
pub(crate) struct Limits<'a> {
    pub(crate) options: &'a Options<'a>,
    pub(crate) began: Instant,
}

impl Limits<'_> {
    /// The limits that do not wait for the end of a batch.
    pub(crate) fn interrupted(&self) -> Option<Ended> {
        if self
            .options
            .stop
            .is_some_and(|stop| stop.load(Ordering::Relaxed))
        {
            Some(Ended::Stopped)
        } else if self
            .options
            .timeout
            .is_some_and(|timeout| self.began.elapsed() >= timeout)
        {
            Some(Ended::Time)
        } else {
            None
        }
    }

    pub(crate) fn reached(&self, states: u64, bytes: impl FnOnce() -> usize) -> Option<Ended> {
        let interrupted = self.interrupted();
        let states = || {
            self.options
                .max_states
                .is_some_and(|most| states >= most)
                .then_some(Ended::States)
        };
        let memory = || {
            self.options
                .max_memory
                .is_some_and(|most| bytes() >= most)
                .then_some(Ended::Memory)
        };
        interrupted.or_else(states).or_else(memory)
    }
}

/// Tells the other workers to go home, even when the calling thread panics.
struct Release<'a> {
    shared: &'a Shared,
    barrier: &'a Barrier,
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.shared.quit.store(true, Ordering::Relaxed);
        self.barrier.wait();
    }
}

/// Searches; for `hunt` until a level has a match.
pub(crate) fn search<S: System>(
    system: &S,
    options: &Options,
    hunt: Option<Hunt<'_, S::State>>,
) -> (Report, Hunted) {
    assert!(
        system.actors() <= 64,
        "a system has at most 64 actors, not {}",
        system.actors()
    );
    let limits = Limits {
        options,
        began: Instant::now(),
    };
    let (mut saver, mut saved) = options
        .checkpoints
        .map_or((None, None), |checkpoints| checkpoints.next());
    let shards = match &mut saved {
        Some(saved) => std::mem::take(&mut saved.shards),
        None => (0..SHARDS)
            .map(|shard| Shard::new(shard, options.keep))
            .collect(),
    };
    let shared = Shared::new(shards, saver.is_some());
    let workers = options.workers.max(1);
    let others = workers - 1;
    let barrier = Barrier::new(workers);
    let make = || Worker::new(system, options.reductions, hunt);
    let mut harvest = Harvest::default();
    let mut run = std::thread::scope(|scope| {
        let mut joins = Vec::new();
        for number in 1..workers {
            let seat = Seat {
                number,
                of: workers,
            };
            let (make, shared, barrier, limits) = (&make, &shared, &barrier, &limits);
            joins.push(scope.spawn(move || {
                let mut worker = make();
                loop {
                    barrier.wait();
                    if shared.quit.load(Ordering::Relaxed) {
                        return worker.harvest();
                    }
                    shared.expand(&mut worker, seat, limits);
                    barrier.wait();
                    shared.insert(seat);
                    barrier.wait();
                }
            }));
        }
        let release = (others > 0).then_some(Release {
            shared: &shared,
            barrier: &barrier,
        });
        let mut first = make();
        let run = levels(
            system,
            &shared,
            &mut first,
            &limits,
            (others > 0).then_some(&barrier),
            (&mut saver, saved),
        );
        drop(release);
        harvest.merge(first.harvest());
        for join in joins {
            harvest.merge(join.join().unwrap_or_else(|payload| resume_unwind(payload)));
        }
        run
    });
    if let Some(payload) = shared
        .panic
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take()
    {
        resume_unwind(payload);
    }
    let short = !matches!(run.ended, Ended::Complete | Ended::Found);
    if let Some(saver) = saver.as_mut().filter(|_| short)
        && saver.write(&shared.shards(), || system.noted()).is_err()
    {
        run.ended = Ended::Disk;
    }
    harvest.merge(shared.harvest().take().unwrap_or_default());
    harvest.merge(saver.map(Saver::finish).unwrap_or_default());
    let bytes = shared.stored();
    let hunted = *shared.hunted.lock().unwrap_or_else(PoisonError::into_inner);
    let store = Store {
        keep: options.keep,
        paths: Paths::default(),
        shards: shared
            .shards
            .into_iter()
            .map(|shard| shard.into_inner().unwrap_or_else(PoisonError::into_inner))
            .collect(),
    };
    let elapsed = limits.began.elapsed();
    (
        Report::new(store, run, bytes, elapsed, options, harvest),
        hunted,
    )
}

/// What the level loop counted.
pub(crate) struct Run {
    pub(crate) ended: Ended,
    pub(crate) levels: Vec<u64>,
    /// The pieces of each level, if livelocks are looked for.
    pub(crate) pieces: Vec<Vec<Piece>>,
}

impl Run {
    pub(crate) fn ended(ended: Ended) -> Run {
        Run {
            ended,
            levels: Vec::new(),
            pieces: Vec::new(),
        }
    }
}

fn levels<S: System>(
    system: &S,
    shared: &Shared,
    worker: &mut Worker<S>,
    limits: &Limits,
    barrier: Option<&Barrier>,
    (saver, saved): (&mut Option<Saver>, Option<Saved>),
) -> Run {
    let mut run = Run::ended(Ended::Complete);
    let seat = Seat {
        number: 0,
        of: limits.options.workers.max(1),
    };
    let mut told = Duration::ZERO;
    let mut level_size = match saved {
        Some(saved) => resume(system, shared, limits.options, saved, &mut run),
        None => begin(system, shared, worker),
    };
    let mut states = run.levels.iter().sum::<u64>() + level_size;
    while level_size > 0 {
        run.levels.push(level_size);
        level_size = 0;
        let mut pieces = shared
            .pieces
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        pieces.clear();
        for shard in &shared.shards {
            shard
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .advance(&mut pieces);
        }
        let pieces_used = pieces.len();
        if limits.options.livelock {
            run.pieces.push(pieces.clone());
        }
        drop(pieces);
        if let Some(saver) = saver {
            let harvest = shared.harvest().replace(Harvest::default());
            let saved = saver.level(
                limits.options.keep,
                &run.levels,
                harvest.unwrap_or_default(),
                &shared.shards(),
                || system.noted(),
            );
            if saved.is_err() {
                run.ended = Ended::Disk;
                return run;
            }
        }
        let mut next = 0;
        while next < pieces_used {
            let records = fill(shared, &mut next);
            shared.fresh.store(0, Ordering::Relaxed);
            shared.expanded.clear();
            shared.offered.clear();
            // Whether the others help changes nothing but the time.
            let barrier = barrier.filter(|_| records >= ALONE);
            let wait = || barrier.map(Barrier::wait);
            wait();
            shared.expand(worker, seat, limits);
            wait();
            shared.insert(seat);
            wait();
            let fresh = shared.fresh.load(Ordering::Relaxed) as u64;
            states += fresh;
            level_size += fresh;
            let reached = limits.reached(states, || shared.bytes());
            let halted = || {
                shared
                    .halt
                    .load(Ordering::Relaxed)
                    .then_some(Ended::Stopped)
            };
            if let Some(ended) = reached.or_else(halted) {
                run.ended = ended;
                run.levels.extend(Some(level_size).filter(|size| *size > 0));
                return run;
            }
            let elapsed = limits.began.elapsed();
            if let Some(progress) = limits.options.progress
                && elapsed - told >= Duration::from_secs(1)
            {
                told = elapsed;
                let level = shared.level.load(Ordering::Relaxed);
                progress(&Progress {
                    states,
                    level,
                    transitions: shared.transitions.load(Ordering::Relaxed),
                    bytes: shared.bytes(),
                    elapsed,
                });
            }
        }
        shared.level.fetch_add(1, Ordering::Relaxed);
        if shared.flags.load(Ordering::Relaxed) & limits.options.until != 0 {
            run.ended = Ended::Found;
            run.levels.extend(Some(level_size).filter(|size| *size > 0));
            break;
        }
        if shared
            .hunted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .found
            .is_some()
        {
            break;
        }
    }
    run
}

/// Takes in the initial states; says how many there are.
fn begin<S: System>(system: &S, shared: &Shared, worker: &mut Worker<S>) -> u64 {
    let mut buffers = Buffers::default();
    system.initial(&mut |state| worker.initial(state, &mut buffers));
    shared
        .hunted
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .merge(worker.hunted);
    let mut states = 0;
    for (index, shard) in shared.shards.iter().enumerate() {
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        for (hash, parent, packed) in buffers.entries(index) {
            states += u64::from(shard.offer(hash, parent, packed) == Offered::New);
        }
    }
    states
}

/// Takes in a search that was saved; says how many states the level has that comes next.
fn resume<S: System>(
    system: &S,
    shared: &Shared,
    options: &Options,
    saved: Saved,
    run: &mut Run,
) -> u64 {
    let (mut levels, pieces, noted, harvest) = saved.into_parts();
    let next = levels.pop().unwrap_or(0);
    system.note(&noted);
    shared.level.store(levels.len() as u32, Ordering::Relaxed);
    shared
        .transitions
        .store(harvest.transitions, Ordering::Relaxed);
    *shared.harvest() = Some(harvest);
    run.levels = levels;
    if options.livelock {
        run.pieces = pieces;
    }
    next
}

/// Cuts the next batch into chunks, from the piece `next` on; says how many records it has.
fn fill(shared: &Shared, next: &mut usize) -> u32 {
    let pieces = shared.pieces.read().unwrap_or_else(PoisonError::into_inner);
    let mut used = 0;
    let mut all = 0;
    while used < BATCH && *next < pieces.len() {
        let start = *next;
        let mut records = 0;
        while records < CHUNK && *next < pieces.len() {
            records += pieces[*next].records;
            *next += 1;
        }
        shared.chunks[used]
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .pieces = start..*next;
        used += 1;
        all += records;
    }
    shared.chunks_used.store(used, Ordering::Relaxed);
    all
}
