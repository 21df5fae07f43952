//! Who goes next. Bugs hide where one actor is slow and others are quick, where calls overlap much or hardly at all; so each walk has a
//! pace of its own.

use fastrand::Rng;

use crate::program::Program;

/// Actors that are asked at random before all are.
const ASKED: usize = 64;

/// The habits of one walk.
pub(super) struct Pace {
    /// For each actor, the sum of the weights of all up to it.
    sums: Vec<u32>,
    /// How often of 64 times who took the last step takes the next one, too.
    stays: u32,
    /// How often of 64 times somebody who rests begins a call when it is his turn.
    begins: u32,
    /// In how many steps, on average, somebody falls asleep; and for how many at most.
    naps: (u32, u64),
    /// For each actor, the step at which it wakes up.
    asleep: Vec<u64>,
    /// Who took the last step.
    last: usize,
    step: u64,
}

/// What an actor may do.
pub(super) trait Crowd {
    /// May it go on with what it is doing?
    fn goes_on(&self, actor: usize) -> bool;
    /// Does it begin something, if it rests?
    fn begins(&mut self, actor: usize, random: &mut Rng) -> bool;
}

impl Pace {
    pub(super) fn new(p: &Program, random: &mut Rng) -> Pace {
        let mut sum = 0;
        let sums = (0..p.actors()).map(|actor| {
            // There are many slots and batches, most of which have nothing to do.
            let most = if actor < p.tasks.len() { 7 } else { 4 };
            sum += 1u32 << random.u32(..most);
            sum
        });
        Pace {
            sums: sums.collect(),
            stays: [0, 32, 56, 63][random.usize(..4)],
            begins: 64 >> random.u32(..5),
            naps: ([20, 200, 2000][random.usize(..3)], 1 << random.u32(4..12)),
            asleep: vec![0; p.actors()],
            last: 0,
            step: 0,
        }
    }

    /// Who takes the next step; if somebody can.
    pub(super) fn next(&mut self, crowd: &mut dyn Crowd, random: &mut Rng) -> Option<usize> {
        let actor = self.choose(crowd, random)?;
        self.last = actor;
        self.step += 1;
        // After its step the actor may fall asleep, in the middle of what it does.
        if random.u32(..self.naps.0) == 0 {
            self.asleep[actor] = self.step + random.u64(1..=self.naps.1);
        }
        Some(actor)
    }

    fn choose(&self, crowd: &mut dyn Crowd, random: &mut Rng) -> Option<usize> {
        let stays = random.u32(..64) < self.stays;
        let others = (0..ASKED).map(|_| None);
        for asked in std::iter::once(stays.then_some(self.last)).chain(others) {
            let actor = asked.unwrap_or_else(|| self.anybody(random));
            let awake = self.asleep[actor] <= self.step;
            let goes = |crowd: &mut dyn Crowd, random: &mut Rng| {
                crowd.goes_on(actor)
                    || random.u32(..64) < self.begins && crowd.begins(actor, random)
            };
            if awake && goes(crowd, random) {
                return Some(actor);
            }
        }
        // Nearly everybody waits. Whoever sleeps is woken up.
        let first = random.usize(..self.sums.len());
        let mut all = (first..self.sums.len()).chain(0..first);
        all.find(|&actor| crowd.goes_on(actor) || crowd.begins(actor, random))
    }

    fn anybody(&self, random: &mut Rng) -> usize {
        let all = self.sums.last().copied().unwrap_or(1);
        let at = random.u32(..all);
        self.sums.partition_point(|sum| *sum <= at)
    }
}
