//! The calls that a walk needs to break what it broke.

use std::collections::BTreeSet;

use cowherd_mm::{MmId, Va};
use fastrand::Rng;

use super::walk::{Walked, page_of};
use super::{again, replay, write};
use crate::general::{Bound, Called, Layout};
use crate::kernels::Profile;
use crate::program::{Op, Program, Stmt};

/// The last calls of threads about a page that are tried alone, few first; and as many of the kernel's.
const TAILS: [usize; 7] = [1, 2, 3, 4, 6, 8, 12];

/// Random orders in which a test is tried before it is given up.
const TRIES: usize = 3000;

/// What a walk is made small with.
pub(super) struct Shrink<'a> {
    pub p: &'a Program,
    pub bound: &'a Bound,
    /// How the pages are at the start: plainer in the end.
    pub layout: Layout,
    /// Children whose calls their parents make.
    pub merged: Vec<MmId>,
    pub profile: &'a Profile,
    pub walked: &'a Walked,
    pub stop: &'a dyn Fn() -> bool,
    pub random: Rng,
}

impl Shrink<'_> {
    /// Calls of which none can be left out, as far as random orders tell.
    pub(super) fn shrink(&mut self) -> Vec<Called> {
        // Most of what breaks is about one page, and takes its last calls.
        let tail = self.walked.page.and_then(|(mm, va)| self.tail(mm, va));
        let mut calls = tail.unwrap_or_else(|| self.in_order());
        if self.breaks(&calls) {
            self.fewer_calls(&mut calls);
            self.fewer_processes(&calls);
            self.plain_pages(&calls);
        }
        calls
    }

    /// The test of these calls.
    pub(super) fn test(&self, calls: &[Called]) -> Option<String> {
        write::test(self.p, self.bound, &self.layout, calls, &self.merged)
    }

    /// Does the test of these calls break as much in one of some random orders?
    fn breaks(&mut self, calls: &[Called]) -> bool {
        self.breaks_in(TRIES, calls)
    }

    fn breaks_in(&mut self, tries: usize, calls: &[Called]) -> bool {
        let text = self.test(calls);
        text.is_some_and(|text| {
            !(self.stop)()
                && again::breaks(
                    &text,
                    tries,
                    self.profile,
                    self.walked.broken,
                    &mut self.random,
                )
        })
    }

    fn op(&self, call: &Called) -> Op {
        self.p.tasks[call.task].stmts[call.entry].op
    }

    /// The last calls about a page of its own process, or of all, as few as will do.
    fn tail(&mut self, mm: MmId, va: Va) -> Option<Vec<Called>> {
        let tails = [Some(mm), None]
            .into_iter()
            .flat_map(|only| TAILS.map(|n| (only, n)));
        tails.into_iter().find_map(|(only, n)| {
            let calls = self.last_about(va, only, n);
            self.breaks(&calls).then_some(calls)
        })
    }

    /// The last `n` calls about a page, the transfers and long-term references that may still be there, and the forks of all who are
    /// concerned.
    fn last_about(&self, va: Va, only: Option<MmId>, n: usize) -> Vec<Called> {
        let calls = &self.walked.calls;
        let forked = |mm: MmId| {
            calls
                .iter()
                .rposition(|c| matches!(self.op(c), Op::Fork { child } if child == mm))
        };
        let who = |c: &Called| self.p.tasks[c.task].mm.or(self.op(c).target());
        let about = |at: &usize| {
            let (call, op) = (&calls[*at], self.op(&calls[*at]));
            let since = who(call).and_then(forked);
            let forks = matches!(op, Op::Fork { .. });
            !forks
                && since.is_none_or(|fork| fork < *at)
                && page_of(self.p, &op).is_none_or(|p| p == va)
        };
        let of = |at: &usize| {
            let mm = self.p.tasks[calls[*at].task].mm;
            mm.is_none() || only.is_none() || mm == only
        };
        let about = (0..calls.len()).rev().filter(about).filter(of);
        let about: Vec<usize> = about.collect();
        let by_kernel = |at: &usize| self.p.tasks[calls[*at].task].mm.is_none();
        let (kernel, threads): (Vec<_>, Vec<_>) = about.iter().copied().partition(by_kernel);
        let last = threads.iter().take(n).chain(kernel.iter().take(n));
        let mut wanted: BTreeSet<usize> = last.copied().collect();
        wanted.extend(about.iter().filter(|at| self.may_last(**at)));
        // Any of a page's family will do for the kernel.
        let call = |at: &usize| match only {
            Some(mm) if by_kernel(at) => self.about_process(&calls[*at], mm),
            _ => calls[*at],
        };
        let mut processes: Vec<MmId> = wanted.iter().filter_map(|at| who(&call(at))).collect();
        while let Some(mm) = processes.pop() {
            if let Some(fork) = forked(mm) {
                wanted.insert(fork);
                processes.extend(self.p.spec.parents[mm.at()]);
            }
        }
        wanted.iter().map(call).collect()
    }

    /// The same activity of the kernel, about this process.
    fn about_process(&self, call: &Called, mm: MmId) -> Called {
        let stmts = &self.p.tasks[call.task].stmts;
        let op = self.op(call);
        let same = |stmt: &Stmt| {
            stmt.op.target() == Some(mm)
                && stmt.name == stmts[call.entry].name
                && page_of(self.p, &stmt.op) == page_of(self.p, &op)
        };
        let entry = stmts.iter().position(same).unwrap_or(call.entry);
        Called { entry, ..*call }
    }

    /// Is this the last use of a transfer, or a reference that is never dropped?
    fn may_last(&self, at: usize) -> bool {
        let later = &self.walked.calls[at + 1..];
        let ends = |op: Op| later.iter().any(|call| self.op(call) == op);
        match self.op(&self.walked.calls[at]) {
            Op::Hold { holder, .. } => !ends(Op::Release { holder }),
            transfer @ Op::Transfer { .. } => !ends(transfer),
            _ => false,
        }
    }

    /// Leaves out calls as long as the others, in the order of the walk, break as much.
    fn in_order(&self) -> Vec<Called> {
        let all = &self.walked.calls;
        let mut kept = vec![true; all.len()];
        if let Some((_, va)) = self.walked.page {
            let about = |c| page_of(self.p, &self.op(c)).is_none_or(|page| page == va);
            let about: Vec<bool> = all.iter().map(about).collect();
            if replay::breaks(self.p, self.walked, &about) {
                kept = about;
            }
        }
        let mut size = all.len();
        loop {
            let before = count(&kept);
            self.leave_out(&mut kept, size);
            if (self.stop)() || size == 1 && count(&kept) == before {
                break;
            }
            size = (size / 2).max(1);
        }
        let calls = all.iter().zip(&kept).filter(|c| *c.1);
        calls.map(|c| *c.0).collect()
    }

    /// Leaves out as many groups of `size` neighbouring calls as can be.
    fn leave_out(&self, kept: &mut [bool], size: usize) {
        let there: Vec<usize> = (0..kept.len()).filter(|&n| kept[n]).collect();
        for group in there.chunks(size) {
            if (self.stop)() {
                return;
            }
            group.iter().for_each(|&n| kept[n] = false);
            if !replay::breaks(self.p, self.walked, kept) {
                group.iter().for_each(|&n| kept[n] = true);
            }
        }
    }

    /// Leaves out calls, one by one, until none can be.
    fn fewer_calls(&mut self, calls: &mut Vec<Called>) {
        loop {
            let before = calls.len();
            for at in (0..before).rev() {
                let mut fewer = calls.clone();
                fewer.remove(at);
                if self.breaks(&fewer) {
                    *calls = fewer;
                }
            }
            if calls.len() == before {
                return;
            }
        }
    }

    /// Lets parents do what their children did, where that breaks as much.
    fn fewer_processes(&mut self, calls: &[Called]) {
        // One that fails may do once another is gone.
        for fork in calls.iter().rev().chain(calls) {
            if let Op::Fork { child } = self.op(fork)
                && !self.merged.contains(&child)
            {
                self.merged.push(child);
                if !self.breaks(calls) {
                    self.merged.pop();
                }
            }
        }
    }

    /// Pages that were only touched, where that does.
    fn plain_pages(&mut self, calls: &[Called]) {
        for n in 0..self.layout.pages.len() {
            let name = Bound::page(n);
            let values = if self.bound.cells == 1 { "1" } else { "1, 2" };
            let plain = format!("anon {name}[{}] = {{ {values} }};", self.bound.cells);
            let was = std::mem::replace(&mut self.layout.pages[n], plain);
            let used = calls
                .iter()
                .any(|c| page_of(self.p, &self.op(c)) == Some(Va(n as u8)));
            if used && !self.breaks(calls) {
                self.layout.pages[n] = was;
            }
        }
    }
}

fn count(kept: &[bool]) -> usize {
    kept.iter().filter(|kept| **kept).count()
}
