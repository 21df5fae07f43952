//! A machine that is stepped by hand, with a few bytes a page.

use std::collections::VecDeque;

use cowherd_mm::access::Access as CpuAccess;
use cowherd_mm::feature::Feature;
use cowherd_mm::feature::Feature as F;
use cowherd_mm::gup::unpin::HolderCall;
use cowherd_mm::gup::{Then, Want, get_user_pages_fast};
use cowherd_mm::machine::{Dir, Hold};
use cowherd_mm::memory::copy_page_range::Fork;
use cowherd_mm::page::PageKind;
use cowherd_mm::pgtable::{Present, Pte};
use cowherd_mm::task::Next;
use cowherd_mm::vmscan::shrink_folio_list::Shrink;
use cowherd_mm::*;

/// Processes and their first CPUs.
pub const A: MmId = MmId(0);
/// See [`A`].
pub const B: MmId = MmId(1);
/// See [`A`].
pub const C: MmId = MmId(2);
/// The CPUs of threads of A, B and C, and those of kernel threads.
pub const A0: Cpu = Cpu(0);
pub const B0: Cpu = Cpu(1);
pub const A1: Cpu = Cpu(2);
pub const C0: Cpu = Cpu(3);
pub const K0: Cpu = Cpu(4);
pub const K1: Cpu = Cpu(5);
pub const K2: Cpu = Cpu(6);
/// The variable.
pub const X: Va = Va(0);
/// Another one.
pub const Y: Va = Va(1);

/// The driver: bytes for cells, choices from a script (then always the first way, or random ones).
#[derive(Clone, Default)]
pub struct Script {
    pub frames: [[u8; MAX_CELLS]; MAX_FRAMES],
    pub slots: [[u8; MAX_CELLS]; MAX_SLOTS],
    pub choices: VecDeque<u8>,
    pub random: Option<u64>,
    /// The cell and value of each CPU's access.
    pub cell: u8,
    pub value: u8,
    pub touched: Option<Pfn>,
    pub broken: Vec<Broken>,
}

impl Script {
    pub fn rand(&mut self, below: usize) -> usize {
        let state = self.random.as_mut().expect("no random driver");
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((*state >> 33) as usize) % below
    }
}

impl World for Script {
    fn choose(&mut self, ways: u8) -> u8 {
        if self.random.is_some() {
            return self.rand(ways as usize) as u8;
        }
        self.choices.pop_front().unwrap_or(0).min(ways - 1)
    }
    fn zero(&mut self, to: Pfn) {
        self.frames[to.at()] = [0; MAX_CELLS];
    }
    fn copy(&mut self, from: Pfn, to: Pfn, cell: Cell) {
        self.frames[to.at()][cell.at()] = self.frames[from.at()][cell.at()];
    }
    fn swap_write(&mut self, from: Pfn, slot: Slot, cell: Cell) {
        self.slots[slot.at()][cell.at()] = self.frames[from.at()][cell.at()];
    }
    fn swap_read(&mut self, slot: Slot, to: Pfn) {
        self.frames[to.at()] = self.slots[slot.at()];
    }
    fn swap_garble(&mut self, slot: Slot) {
        self.slots[slot.at()] = [0xee; MAX_CELLS];
    }
    fn same(&mut self, a: Pfn, b: Pfn) -> bool {
        self.frames[a.at()] == self.frames[b.at()]
    }
    fn same_as_slot(&mut self, pfn: Pfn, slot: Slot, cell: Cell) -> bool {
        self.frames[pfn.at()][cell.at()] == self.slots[slot.at()][cell.at()]
    }
    fn access(&mut self, _: MmId, _: Va, pfn: Pfn, access: Access) {
        let cell = &mut self.frames[pfn.at()][self.cell as usize];
        match access {
            Access::Load => self.value = *cell,
            Access::Store => *cell = self.value,
        }
        self.touched = Some(pfn);
    }
    fn transfer(&mut self, _: IoId, _: FileId, _: Pfn, _: Cell, _: Dir) {}
    fn held_access(&mut self, _: HoldId, pfn: Pfn, access: Access) {
        self.access(A, X, pfn, access);
    }
    fn pipe_read(&mut self, _: PipeId, _: Pfn, _: Cells, _: MmId, _: Va) {}
    fn event(&mut self, _: Event) {}
    fn broken(&mut self, broken: Broken) {
        self.broken.push(broken);
    }
}

/// A late kernel that still bypasses the swap cache: v6.12 or so.
pub fn v6_12() -> FeatureSet {
    let absent = [
        F::WpMapcount,
        F::ReuseKsm,
        F::GupForceCow,
        F::WpRefcount1,
        F::NoBypass,
        F::SyncAlwaysFree,
        F::FreeAfterMap,
        F::MadvfreeKeepLazy,
    ];
    let mut set = FeatureSet::EMPTY;
    for &feature in Feature::ALL {
        if !absent.contains(&feature) {
            set.insert(feature);
        }
    }
    set
}

/// The last kernel without PG_anon_exclusive.
pub fn v5_18() -> FeatureSet {
    without(
        v6_12(),
        &[
            F::AnonExclusive,
            F::Unshare,
            F::SwpExclusive,
            F::LongtermCow,
            F::ForceExcl,
            F::GupfastBarriers,
            F::ReclaimUnmappedPin,
            F::KsmUnshare,
            F::MprotectExcl,
            F::MprotectExclClean,
            F::NumaExcl,
            F::MigYoungDirty,
            F::MigBatchFlush,
            F::PerVmaLock,
            F::ForkVmaLock,
            F::UffdMove,
            F::UffdMoveSc1,
            F::UffdMoveSc2,
            F::DioPin,
            F::FusePin,
            F::SoftDirtyMprotect,
            F::SkipCacheClaim,
            F::FreeSwapoff,
            F::SwapinRoW,
        ],
    )
}

/// v5.10.
pub fn v5_10() -> FeatureSet {
    let mut set = without(
        v5_18(),
        &[
            F::WpSwapfree,
            F::WpLrudrain,
            F::SwapinRefcount,
            F::SwapdevRef,
            F::SwapoffKeepBits,
            F::MadvPopulate,
            F::MadvfreeRefs,
        ],
    );
    set.insert(F::WpRefcount1);
    set
}

/// `set` without these.
pub fn without(mut set: FeatureSet, features: &[Feature]) -> FeatureSet {
    for &feature in features {
        set.remove(feature);
    }
    set
}

/// A machine, its kernel, its driver.
pub struct Sim {
    pub m: Machine,
    pub cfg: Config,
    pub w: Script,
}

impl Sim {
    /// A, B and C with X and Y each, all mergeable; a synchronous or asynchronous swap device.
    pub fn new(features: FeatureSet) -> Sim {
        let sizes = Sizes {
            file_frames: 0,
            mms: 3,
            pages: 2,
            cells: 4,
            frames: 14,
            slots: 3,
            cpus: 7,
            ios: 0,
            holders: 2,
            pipes: 0,
        };
        let mut cfg = Config::new(features, sizes);
        cfg.cpu_mm[..4].copy_from_slice(&[Some(A), Some(B), Some(A), Some(C)]);
        let mut m = Machine::new();
        for mm in [A, B, C] {
            m.mms[mm.at()].alive = true;
            for va in [X, Y] {
                let vma = &mut m.vmas[mm.at()][va.at()];
                vma.mapped = true;
                vma.read = true;
                vma.write = true;
                vma.mergeable = true;
                vma.soft_dirty = true;
                vma.anon_vma = true;
            }
        }
        Sim {
            m,
            cfg,
            w: Script::default(),
        }
    }

    /// The same, but C does not exist yet.
    pub fn two(features: FeatureSet) -> Sim {
        let mut s = Sim::new(features);
        s.m.mms[C.at()].alive = false;
        s
    }

    /// Which process a CPU works for (kernel threads: A, and they had better not ask).
    fn who(&self, cpu: Cpu) -> Who {
        Who {
            cpu,
            mm: self.cfg.cpu_mm[cpu.at()].unwrap_or(A),
        }
    }

    /// The label of a CPU's next step.
    pub fn label(&self, cpu: Cpu) -> &'static str {
        self.describe(cpu).label
    }

    fn describe(&self, cpu: Cpu) -> Step {
        let v = View {
            m: &self.m,
            cfg: &self.cfg,
            who: self.who(cpu),
        };
        self.m.tasks[cpu.at()].describe(&v)
    }

    /// Can the CPU's task go on?
    pub fn ready(&self, cpu: Cpu) -> bool {
        self.busy(cpu) && self.describe(cpu).wait.over(&self.m)
    }

    /// Has the CPU's task anything to do?
    pub fn busy(&self, cpu: Cpu) -> bool {
        self.m.tasks[cpu.at()].busy()
    }

    /// A kernel context.
    pub fn kernel(&mut self, cpu: Cpu) -> Kernel<'_> {
        let who = self.who(cpu);
        Kernel::new(&mut self.m, &self.cfg, &mut self.w, who)
    }

    /// Enters a call.
    pub fn start(&mut self, cpu: Cpu, next: Next) {
        assert!(!self.busy(cpu), "{cpu:?} is busy");
        let over = self.m.tasks[cpu.at()].go(next);
        assert!(over.is_none(), "{over:?} at once");
    }

    /// Takes one step: `Some` when the call returned.
    pub fn step(&mut self, cpu: Cpu) -> Option<Result<(), Errno>> {
        assert!(self.ready(cpu), "{cpu:?} waits at {}", self.label(cpu));
        let mut task = self.m.tasks[cpu.at()];
        let mut k = self.kernel(cpu);
        let result = task.step(&mut k);
        self.m.tasks[cpu.at()] = task;
        if let Some(pfn) = self.w.touched.take()
            && self.m.frames[pfn.at()].is_free()
        {
            self.w.broken.push(Broken::UseAfterFree);
        }
        result
    }

    /// Steps until the call returns.
    pub fn finish(&mut self, cpu: Cpu) -> Result<(), Errno> {
        for _ in 0..1000 {
            if self.label(cpu) == "RC14" {
                // A synchronous device writes while its submitter waits.
                self.writeback();
            }
            if let Some(result) = self.step(cpu) {
                return result;
            }
        }
        panic!("{cpu:?} never returns: {}", self.label(cpu));
    }

    /// Enters a call and steps until it returns.
    pub fn call(&mut self, cpu: Cpu, next: Next) -> Result<(), Errno> {
        self.start(cpu, next);
        self.finish(cpu)
    }

    /// Steps up to (not including) the step with this label.
    pub fn until(&mut self, cpu: Cpu, label: &str) {
        for _ in 0..1000 {
            if self.label(cpu) == label {
                return;
            }
            assert_eq!(self.step(cpu), None, "the call returned before {label}");
        }
        panic!("{cpu:?} never comes to {label}");
    }

    /// Begins a store.
    pub fn begin_store(&mut self, cpu: Cpu, va: Va) {
        self.start(
            cpu,
            Next::Call {
                call: task::Call::Access {
                    p: CpuAccess::store(va),
                },
            },
        );
    }

    /// A store to a cell.
    pub fn store(&mut self, cpu: Cpu, va: Va, cell: u8, value: u8) {
        (self.w.cell, self.w.value) = (cell, value);
        self.begin_store(cpu, va);
        assert_eq!(self.finish(cpu), Ok(()));
    }

    /// A load from a cell.
    pub fn load(&mut self, cpu: Cpu, va: Va, cell: u8) -> u8 {
        self.w.cell = cell;
        let p = CpuAccess::load(va);
        let call = task::Call::Access { p };
        assert_eq!(self.call(cpu, Next::Call { call }), Ok(()));
        self.w.value
    }

    /// GUP for a long-lived holder, by a thread of A.
    pub fn hold(&mut self, cpu: Cpu, holder: u8, hold: Hold, write: bool) {
        let next = self.hold_next(holder, hold, write);
        assert_eq!(self.call(cpu, next), Ok(()));
    }

    /// See [`hold`](Sim::hold).
    pub fn hold_next(&self, holder: u8, hold: Hold, write: bool) -> Next {
        let want = Want {
            mm: A,
            va: X,
            write,
            hold,
            longterm: hold == Hold::Pin,
            force: false,
        };
        let holder = HoldId(holder);
        get_user_pages_fast(want, Then::Hold { holder })
    }

    /// The device behind a holder stores.
    pub fn device_store(&mut self, holder: u8, cell: u8, value: u8) {
        let pfn = self.m.holders[holder as usize].page.expect("not held");
        (self.w.cell, self.w.value) = (cell, value);
        self.w.held_access(HoldId(holder), pfn, Access::Store);
        self.w.touched = None;
    }

    /// The holder lets go.
    pub fn unhold(&mut self, cpu: Cpu, holder: u8) {
        let p = HolderCall::Dirty {
            holder: HoldId(holder),
        };
        let call = task::Call::Holder { p };
        assert_eq!(self.call(cpu, Next::Call { call }), Ok(()));
    }

    /// fork by a thread of A.
    pub fn fork(&mut self, cpu: Cpu, child: MmId) {
        assert_eq!(self.call(cpu, Fork::enter(child)), Ok(()));
    }

    /// A cgroup-style pass of reclaim.
    pub fn reclaim(&mut self, mm: MmId, va: Va) -> Result<(), Errno> {
        self.call(K2, Shrink::reclaim(mm, va))
    }

    /// The device of the swap area does all that it has to do, and the batch drains in which that leaves the page.
    pub fn writeback(&mut self) {
        for slot in (0..3).map(Slot) {
            while self.m.writeback_pending(slot) {
                self.kernel(K2).writeback_step(slot);
            }
        }
        self.drain();
    }

    /// The page is written to swap and dropped.
    pub fn swap_out(&mut self, mm: MmId, va: Va) {
        self.drain();
        assert_eq!(self.reclaim(mm, va), Ok(()));
        self.writeback();
        let slot = self.swapped(mm, va).slot;
        if self.m.slots[slot.at()].cache.is_some() {
            assert_eq!(self.reclaim(mm, va), Ok(()));
        }
        assert_eq!(self.m.slots[slot.at()].cache, None);
    }

    /// Drains all LRU batches.
    pub fn drain(&mut self) {
        for cpu in (0..7).map(Cpu).chain([Cpu::ELSEWHERE]) {
            self.kernel(K2).lru_add_drain_cpu(cpu);
        }
    }

    /// The present PTE.
    pub fn present(&self, mm: MmId, va: Va) -> Present {
        self.m.ptes[mm.at()][va.at()].present().expect("not mapped")
    }

    /// The swap PTE.
    pub fn swapped(&self, mm: MmId, va: Va) -> pgtable::SwapPte {
        self.m.ptes[mm.at()][va.at()].swap().expect("not swapped")
    }

    /// The page that is mapped.
    pub fn pfn(&self, mm: MmId, va: Va) -> Pfn {
        self.present(mm, va).pfn
    }

    /// Its struct page.
    pub fn page(&self, mm: MmId, va: Va) -> page::Page {
        self.m.frames[self.pfn(mm, va).at()]
    }

    /// Changes a PTE by hand, flushed.
    pub fn set(&mut self, mm: MmId, va: Va, change: impl Fn(&mut Present)) {
        let mut e = self.present(mm, va);
        change(&mut e);
        self.m.ptes[mm.at()][va.at()] = e.pte();
        for cpu in &mut self.m.tlbs {
            cpu[va.at()] = None;
        }
    }

    /// All calls have returned: is nothing broken, leaked or left locked?
    pub fn assert_quiet(&mut self) {
        assert_eq!(self.w.broken, []);
        assert_eq!(self.unsound(), None);
    }

    /// What is wrong with the accounts once all calls have returned.
    pub fn unsound(&self) -> Option<String> {
        for (n, mm) in self.m.mms.iter().enumerate() {
            if mm.readers.0 > 0 || mm.writer || mm.ptl || mm.flush_pending.0 > 0 {
                return Some(format!("mm {n} is left locked: {mm:?}"));
            }
        }
        let ptes = || self.m.ptes.iter().flatten();
        for pfn in (1..14).map(Pfn) {
            let page = &self.m.frames[pfn.at()];
            let mapped = ptes().filter(|pte| pte.normal_page() == Some(pfn)).count();
            let held = self
                .m
                .holders
                .iter()
                .filter(|h| h.page == Some(pfn))
                .count();
            let wanted = mapped
                + held
                + usize::from(page.swap.is_some())
                + usize::from(page.batch.is_some())
                + usize::from(page.lazy_batch.is_some())
                + usize::from(page.moving.is_some());
            let refs = usize::from(page.refs.0 + page.pins.0);
            let bad = page.locked
                || page.frozen
                || usize::from(page.mapcount.0) != mapped
                || refs != wanted
                || (page.is_free() != (wanted == 0))
                || (page.exclusive && (mapped > 1 || page.kind == PageKind::Ksm))
                || page
                    .swap
                    .is_some_and(|s| self.m.slots[s.at()].cache != Some(pfn));
            if bad {
                return Some(format!(
                    "{pfn:?}, {mapped} mappings, {wanted} users: {page:?}"
                ));
            }
        }
        for slot in (0..3).map(Slot) {
            let s = &self.m.slots[slot.at()];
            let ptes = ptes()
                .filter(|pte| matches!(pte, Pte::Swap { e } if e.slot == slot))
                .count();
            if usize::from(s.count.0) != ptes || s.claimed {
                return Some(format!("{slot:?}, {ptes} swap PTEs: {s:?}"));
            }
        }
        let stuck = ptes().find(|pte| matches!(pte, Pte::Migration { .. }));
        stuck.map(|pte| format!("left behind: {pte:?}"))
    }
}
