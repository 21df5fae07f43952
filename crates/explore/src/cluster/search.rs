//! The search, by one process of many.

use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::arrivals::Arrivals;
use super::line::{Gone, Line, open};
use super::mesh::Cluster;
use super::packet::{Kind, Packet, Told};
use crate::buffer::Buffers;
use crate::hash::hash;
use crate::options::{Ended, Options, Progress};
use crate::record;
use crate::report::Report;
use crate::search::{Limits, Run};
use crate::shard::{Piece, Shard};
use crate::store::{Paths, SHARDS, StateId, Store, shard_of};
use crate::system::System;
use crate::worker::{Harvest, Worker};

/// A packet of records is sent once it is this long.
const LONG: usize = 32 << 10;

/// What all workers know in the end.
struct Whole {
    run: Run,
    harvest: Harvest,
    paths: Paths,
    bytes: usize,
}

/// Explores together with the other processes. If one is lost, what was found is lost too.
pub(crate) fn explore<S: System>(system: &S, options: &Options, cluster: &Cluster) -> Report {
    assert!(
        system.actors() <= 64,
        "a system has at most 64 actors, not {}",
        system.actors()
    );
    let limits = &Limits {
        options,
        began: Instant::now(),
    };
    let lost = cluster.lost();
    let (builders, guard) = open(cluster).expect("a connection can be shared by threads");
    // To drop it is to wait for all other processes.
    let guard = ManuallyDrop::new(guard);
    let work = |builder, first| {
        let line = Line::new(builder, lost.clone());
        Part::new(system, limits, line, cluster.workers(), first).search()
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let one = |(index, builder)| {
            scope.spawn(move || {
                let done = catch_unwind(AssertUnwindSafe(|| work(builder, index == 0)));
                if done.is_err() {
                    // The other workers must not wait for this one.
                    lost.note(cluster.process());
                }
                done
            })
        };
        let threads: Vec<_> = builders.into_iter().enumerate().map(one).collect();
        let join = |thread: std::thread::ScopedJoinHandle<_>| thread.join().and_then(|done| done);
        threads.into_iter().map(join).collect()
    });
    let mut whole = Err(Gone);
    for result in results.into_iter().rev() {
        match result {
            Ok(result) => whole = result,
            Err(payload) => resume_unwind(payload),
        }
    }
    if lost.who().is_some() {
        whole = Err(Gone);
    }
    let whole = whole.and_then(|whole| {
        hang_up(ManuallyDrop::into_inner(guard), cluster)?;
        Ok(whole)
    });
    match whole {
        Ok(whole) => report(options, limits, whole),
        Err(Gone) => report(
            options,
            limits,
            Whole {
                run: Run::ended(Ended::Lost),
                harvest: Harvest::default(),
                paths: Paths::default(),
                bytes: 0,
            },
        ),
    }
}

fn report(options: &Options, limits: &Limits, whole: Whole) -> Report {
    let store = Store {
        keep: options.keep,
        shards: Vec::new(),
        paths: whole.paths,
    };
    let elapsed = limits.began.elapsed();
    Report::new(
        store,
        whole.run,
        whole.bytes,
        elapsed,
        options,
        whole.harvest,
    )
}

/// Waits until everything is sent and received; not by itself, since a process that dies now would never let it end.
fn hang_up(guard: impl Send + 'static, cluster: &Cluster) -> Result<(), Gone> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        drop(guard);
        tell.send(())
    });
    while told.recv_timeout(Duration::from_millis(20)).is_err() {
        if cluster.lost().who().is_some() {
            return Err(Gone);
        }
    }
    Ok(())
}

/// What every worker tells all others in the end.
#[derive(Serialize, Deserialize)]
struct Last {
    harvest: Harvest,
    noted: Vec<u8>,
}

/// The part of one worker.
struct Part<'s, S: System> {
    system: &'s S,
    limits: &'s Limits<'s>,
    line: Line,
    /// Workers of each process.
    workers: usize,
    /// The one of its process that tells how far the search is.
    first: bool,
    worker: Worker<'s, S>,
    /// By number; those of others are not there.
    shards: Vec<Option<Shard>>,
    arrivals: Vec<Arrivals>,
    buffers: Buffers,
    /// Records on their way, by worker.
    outgoing: Vec<Vec<u8>>,
    /// Of states that others have: are they in a level that is complete?
    answers: HashMap<Vec<u8>, bool>,
    most_states: Option<u64>,
    /// Bytes of one process.
    most_memory: Option<usize>,
    /// When it was last told how far the search is.
    told: Duration,
}

impl<'s, S: System> Part<'s, S> {
    fn new(system: &'s S, limits: &'s Limits<'s>, line: Line, workers: usize, first: bool) -> Self {
        let peers = line.peers();
        let mine = |shard: &usize| shard % peers == line.index();
        let keep = limits.options.keep;
        Part {
            system,
            limits,
            workers,
            first,
            worker: Worker::new(system, limits.options.reductions, None),
            shards: (0..SHARDS)
                .map(|shard| {
                    Some(shard)
                        .filter(mine)
                        .map(|shard| Shard::new(shard, keep))
                })
                .collect(),
            arrivals: (0..SHARDS).map(|_| Arrivals::default()).collect(),
            buffers: Buffers::default(),
            outgoing: vec![Vec::new(); peers],
            answers: HashMap::new(),
            most_states: None,
            most_memory: None,
            told: Duration::ZERO,
            line,
        }
    }

    fn search(mut self) -> Result<Whole, Gone> {
        let mut run = Run::ended(Ended::Complete);
        self.agree()?;
        if self.line.index() == 0 {
            let (worker, buffers) = (&mut self.worker, &mut self.buffers);
            self.system
                .initial(&mut |state| worker.initial(state, buffers));
            self.dispatch(0);
        }
        let mut cut = None;
        let bytes = loop {
            let told = self.complete(cut)?;
            let fresh: u64 = told.iter().map(|told| told.fresh).sum();
            let bytes = told.iter().map(|told| told.bytes).sum();
            run.levels.extend(Some(fresh).filter(|fresh| *fresh > 0));
            if let Some(ended) = self.over(&run, &told) {
                run.ended = ended;
                break bytes;
            }
            if fresh == 0 {
                break bytes;
            }
            self.progress(&run, &told, bytes);
            cut = self.expand(run.levels.len() as u32 - 1)?;
        };
        let harvest = self.gather()?;
        let paths = self.paths(&harvest)?;
        self.line.close()?;
        Ok(Whole {
            run,
            harvest,
            paths,
            bytes,
        })
    }

    /// Each process may have limits of its own; the lowest are those of all.
    fn agree(&mut self) -> Result<(), Gone> {
        let options = self.limits.options;
        let all = self.tell(&(options.max_states, options.max_memory))?;
        self.most_states = all.iter().filter_map(|(states, _)| *states).min();
        self.most_memory = all.iter().filter_map(|(_, memory)| *memory).min();
        Ok(())
    }

    /// Is the search over, though there may be more? All come to the same answer.
    fn over(&self, run: &Run, told: &[Told]) -> Option<Ended> {
        let states = run.levels.iter().sum::<u64>();
        let processes = told.chunks(self.workers);
        let bytes = |workers: &[Told]| workers.iter().map(|told| told.bytes).sum::<usize>();
        let fullest = processes.map(bytes).max().unwrap_or(0);
        let flags = told.iter().fold(0, |flags, told| flags | told.flags);
        if let Some(cut) = told.iter().find_map(|told| told.ended) {
            Some(cut)
        } else if self.most_states.is_some_and(|most| states >= most) {
            Some(Ended::States)
        } else if self.most_memory.is_some_and(|most| fullest >= most) {
            Some(Ended::Memory)
        } else {
            (flags & self.limits.options.until != 0).then_some(Ended::Found)
        }
    }

    fn progress(&mut self, run: &Run, told: &[Told], bytes: usize) {
        let elapsed = self.limits.began.elapsed();
        if let Some(progress) = self.limits.options.progress
            && self.first
            && elapsed - self.told >= Duration::from_secs(1)
        {
            self.told = elapsed;
            progress(&Progress {
                states: run.levels.iter().sum(),
                level: run.levels.len() as u32 - 1,
                transitions: told.iter().map(|told| told.transitions).sum(),
                bytes,
                elapsed,
            });
        }
    }

    /// Expands what this worker has of a level; says what cut it short, if anything.
    fn expand(&mut self, depth: u32) -> Result<Option<Ended>, Gone> {
        let mut pieces = Vec::new();
        for shard in self.shards.iter_mut().flatten() {
            shard.advance(&mut pieces);
        }
        if self.limits.options.reductions.commute {
            self.ask(&pieces)?;
        }
        let mut cut = None;
        for piece in pieces {
            cut = self.limits.interrupted();
            if cut.is_some() {
                break;
            }
            let Part {
                worker,
                shards,
                buffers,
                answers,
                ..
            } = self;
            let Some(shard) = &shards[piece.shard] else {
                continue;
            };
            let new = |hash, packed: &[u8]| match &shards[shard_of(hash)] {
                Some(shard) => !shard.settled(hash, packed),
                None => !answers[packed],
            };
            buffers.clear();
            worker.piece(shard, piece, depth, buffers, new);
            self.dispatch(LONG);
            self.poll()?;
        }
        self.dispatch(0);
        Ok(cut)
    }

    /// Sorts the successors in the buffers by owner, and sends what has come to be longer than so much.
    fn dispatch(&mut self, long: usize) {
        let peers = self.line.peers();
        for shard in 0..SHARDS {
            let out = &mut self.outgoing[shard % peers];
            for (_, parent, packed) in self.buffers.entries(shard) {
                record::write(out, parent, packed);
            }
        }
        self.buffers.clear();
        for to in 0..peers {
            if self.outgoing[to].len() > long {
                let body = std::mem::take(&mut self.outgoing[to]);
                self.line.send(to, Kind::States, body);
            }
        }
    }

    fn poll(&mut self) -> Result<(), Gone> {
        let (shards, arrivals) = (&self.shards, &mut self.arrivals);
        self.line
            .poll(&mut |packet| arrive(shards, arrivals, &packet))
    }

    /// Everything of a level has been sent: stores it, and hears of all workers how far they are.
    fn complete(&mut self, ended: Option<Ended>) -> Result<Vec<Told>, Gone> {
        let (shards, arrivals) = (&self.shards, &mut self.arrivals);
        self.line
            .turn(&mut |packet| arrive(shards, arrivals, &packet))?;
        let held = |arrivals: &Arrivals| arrivals.bytes();
        let arrived: usize = self.arrivals.iter().map(held).sum();
        let mut fresh = 0;
        for (shard, arrivals) in self.shards.iter_mut().zip(&mut self.arrivals) {
            fresh += shard.as_mut().map_or(0, |shard| arrivals.store(shard));
        }
        let stored: usize = self.shards.iter().flatten().map(Shard::bytes).sum();
        let told = Told {
            fresh,
            transitions: self.worker.transitions,
            bytes: stored + arrived,
            flags: self.worker.flags(),
            ended,
        };
        self.tell(&told)
    }

    /// Tells all workers something, and hears what they tell, in their order.
    fn tell<T: Serialize + for<'a> Deserialize<'a>>(&mut self, what: &T) -> Result<Vec<T>, Gone> {
        let body = serde_json::to_vec(what).expect("what is told can be written");
        self.line.send_to_all(Kind::Told, &body);
        let mut told: Vec<(usize, T)> = Vec::new();
        self.line.turn(&mut |packet| {
            let what = serde_json::from_slice(&packet.body).expect("what was told can be read");
            told.push((packet.from, what));
        })?;
        told.sort_by_key(|(from, _)| *from);
        Ok(told.into_iter().map(|(_, told)| told).collect())
    }

    /// Asks the owners of states whether they are in a level that is complete: of all states of which the expansion of these pieces may
    /// want to know.
    fn ask(&mut self, pieces: &[Piece]) -> Result<(), Gone> {
        let peers = self.line.peers();
        self.answers.clear();
        let mut asked: Vec<Vec<Vec<u8>>> = vec![Vec::new(); peers];
        for piece in pieces {
            let Part {
                worker,
                shards,
                answers,
                ..
            } = self;
            let Some(shard) = &shards[piece.shard] else {
                continue;
            };
            worker.asks(shard, *piece, |hash, packed| {
                let of = shard_of(hash);
                if shards[of].is_none() && !answers.contains_key(packed) {
                    answers.insert(packed.to_vec(), false);
                    asked[of % peers].push(packed.to_vec());
                }
            });
        }
        let mut questions = Vec::new();
        for (to, asked) in asked.into_iter().enumerate() {
            for some in asked.chunks(1024) {
                let mut body = Vec::new();
                for packed in some {
                    record::write(&mut body, None, packed);
                }
                self.line.send(to, Kind::Ask(questions.len() as u32), body);
                questions.push(some.to_vec());
            }
        }
        let mut replies = Vec::new();
        let shards = &self.shards;
        self.line.turn(&mut |packet| {
            if let Kind::Ask(number) = packet.kind {
                let known = record::each(&packet.body).map(|record| {
                    let hash = hash(record.packed);
                    let shard = shards[shard_of(hash)].as_ref();
                    u8::from(shard.is_some_and(|shard| shard.settled(hash, record.packed)))
                });
                replies.push((packet.from, number, known.collect()));
            }
        })?;
        for (to, number, known) in replies {
            self.line.send(to, Kind::Answer(number), known);
        }
        let answers = &mut self.answers;
        self.line.turn(&mut |packet| {
            if let Kind::Answer(number) = packet.kind {
                let states = std::mem::take(&mut questions[number as usize]);
                answers.extend(
                    states
                        .into_iter()
                        .zip(packet.body.iter().map(|known| *known != 0)),
                );
            }
        })
    }

    /// What all workers have seen.
    fn gather(&mut self) -> Result<Harvest, Gone> {
        let last = Last {
            harvest: self.worker.harvest(),
            noted: self.system.noted(),
        };
        let mut harvest = Harvest::default();
        for last in self.tell(&last)? {
            harvest.merge(last.harvest);
            self.system.note(&last.noted);
        }
        Ok(harvest)
    }

    /// The states on the way to all that was seen. All want the same, and whoever has one sends it to all.
    fn paths(&mut self, harvest: &Harvest) -> Result<Paths, Gone> {
        let mut paths = Paths::new();
        let mut wanted = harvest.found.sighted();
        while !wanted.is_empty() {
            let mut body = Vec::new();
            for id in &wanted {
                if let Some(shard) = &self.shards[id.shard()] {
                    let record = shard.record(id.offset());
                    body.extend(id.number().to_le_bytes());
                    record::write(&mut body, record.parent, record.packed);
                }
            }
            self.line.send_to_all(Kind::Path, &body);
            self.line.turn(&mut |packet| {
                let mut rest = packet.body.as_slice();
                while let Some((number, after)) = rest.split_first_chunk() {
                    let record = record::read(after);
                    rest = &after[record::size(record.packed)..];
                    if let Some(id) = StateId::from_raw(u64::from_le_bytes(*number)) {
                        paths.insert(id, (record.parent, record.packed.to_vec()));
                    }
                }
            })?;
            let parents = wanted.iter().filter_map(|id| paths[id].0);
            let mut next: Vec<StateId> = parents.filter(|id| !paths.contains_key(id)).collect();
            next.sort_unstable();
            next.dedup();
            wanted = next;
        }
        Ok(paths)
    }
}

/// Takes in the records of a packet.
fn arrive(shards: &[Option<Shard>], arrivals: &mut [Arrivals], packet: &Packet) {
    if packet.kind != Kind::States {
        return;
    }
    for record in record::each(&packet.body) {
        let hash = hash(record.packed);
        let number = shard_of(hash);
        if let Some(shard) = &shards[number] {
            arrivals[number].take(shard, hash, record);
        }
    }
}
