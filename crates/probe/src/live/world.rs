//! A test's processes and threads: real ones, made for one run.
//!
//! The controller forks the processes that exist from the start. Each prepares its memory, in steps that the controller lets happen one after the other,
//! and starts its threads; then every thread waits to be told how far it may go. A `fork` of the test forks the real process, and the
//! child goes on from there.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use cowherd_litmus::ast::{
    Activity, Attributes, Call, Contents, HandleId, Mode, PageId, PageInit, ProcessId, Start, Test,
    UffdMode,
};

use super::call;
use super::filler::Filler;
use super::free::Free;
use super::look;
use super::shared::{self, Board, Shared, Value};
use super::sys::{self, PAGE};
use super::uffd::{self, Uffd};
use super::uring::Ring;

/// Where the pages of a test are, and how far apart: far enough that no two mappings touch.
const BASE: usize = 0x5a00_0000_0000;
const STRIDE: usize = 64 * PAGE;

/// Everything that the processes of a run start from.
pub struct World {
    /// The test.
    pub test: Test,
    /// What they share with the controller.
    pub board: Board,
    /// For each transfer: the file, open for direct I/O, and its server, to look for requests.
    pub transfers: Vec<(RawFd, RawFd)>,
    /// For each file that is mapped or read through the page cache: a real file.
    pub files: Vec<Option<RawFd>>,
    /// The pipes: the end to read from, the end to write to.
    pub pipes: Vec<(RawFd, RawFd)>,
    /// What is in pages besides cells.
    pub filler: Filler,
    /// What keeps the threads of a free run apart; none: directed.
    pub free: Option<Free>,
}

/// What a thread has of its own.
pub struct Me<'w> {
    /// The run.
    pub world: &'w World,
    /// The thread, as an index into the test's.
    pub thread: usize,
    /// The rings behind its registered buffers.
    pub rings: RefCell<HashMap<HandleId, Ring>>,
    /// The pipes behind its read-only references.
    pub holds: RefCell<HashMap<HandleId, (RawFd, RawFd)>>,
}

thread_local! {
    /// The thread of the test that this thread is, for the fault handler.
    static THREAD: Cell<usize> = const { Cell::new(usize::MAX) };
    /// The process's userfaultfd.
    static UFFD: Cell<Option<Uffd>> = const { Cell::new(None) };
}

/// The board, for the fault handler.
static BOARD: AtomicPtr<Shared> = AtomicPtr::new(std::ptr::null_mut());

/// Where a page is.
pub fn address(page: PageId) -> usize {
    BASE + page.index() * STRIDE
}

/// A page that belongs to no variable: to drain LRU batches with.
pub fn scratch() -> usize {
    BASE + 16 * STRIDE
}

impl World {
    /// The number of each transfer, by thread and statement, as the model counts them.
    pub fn transfer_of(test: &Test, thread: usize, stmt: usize) -> Option<usize> {
        let mut n = 0;
        for t in 0..test.threads.len() {
            for (s, statement) in reached(test, t).iter().enumerate() {
                let transfers = matches!(
                    statement.call,
                    Call::Pread {
                        mode: Mode::Direct,
                        ..
                    } | Call::Pwrite {
                        mode: Mode::Direct,
                        ..
                    } | Call::ReadSubmit { .. }
                        | Call::WriteSubmit { .. }
                        | Call::ReadFixed { .. }
                        | Call::WriteFixed { .. }
                );
                if (t, s) == (thread, stmt) {
                    return transfers.then_some(n);
                }
                n += usize::from(transfers);
            }
        }
        None
    }

    /// Forks the processes that exist from the start and have no parent. Each prepares and then serves; the caller goes on.
    pub fn start(&self) -> io::Result<()> {
        for (n, process) in self.test.processes.iter().enumerate() {
            if process.from_start && process.parent.is_none() {
                // SAFETY: the controller has no thread but this one that could hold a lock which the child needs.
                let pid = sys::result(unsafe { libc::fork() })? as i32;
                if pid == 0 {
                    self.lead(ProcessId(n as u8));
                }
                self.board.get().pids[n].store(pid, Ordering::SeqCst);
            }
        }
        Ok(())
    }

    /// The first thread of a process that exists from the start.
    fn lead(&self, me: ProcessId) -> ! {
        let shared = self.board.get();
        shared.pids[me.index()].store(std::process::id() as i32, Ordering::SeqCst);
        if let Err(error) = self.prepare(me) {
            let errno = error.raw_os_error().unwrap_or(libc::EIO);
            shared.failed.store(errno, Ordering::SeqCst);
        }
        idle()
    }

    /// Maps and touches the variables, forks the children that exist from the start, and starts the threads.
    fn prepare(&self, me: ProcessId) -> io::Result<()> {
        let shared = self.board.get();
        let inherits = self.test.processes[me.index()].parent.is_some();
        if !inherits {
            write(scratch(), 1);
            for (n, page) in self.test.pages.iter().enumerate() {
                let family = |p: &ProcessId| self.root(*p) == me;
                if page.processes.iter().any(family) {
                    self.map(PageId(n as u8), page)?;
                }
            }
            // What children are to share is made before they are.
            for (n, page) in self.test.pages.iter().enumerate() {
                if page.owner == me && !page.attributes.shared.is_empty() {
                    self.touch(PageId(n as u8), page)?;
                    drain();
                    if page.attributes.swapped {
                        swap_out(address(PageId(n as u8)))?;
                    }
                }
            }
        }
        let children = self.test.processes.iter().enumerate();
        for (n, _) in children.filter(|(_, p)| p.from_start && p.parent == Some(me)) {
            // SAFETY: this process has no other thread yet.
            if sys::result(unsafe { libc::fork() })? == 0 {
                self.lead(ProcessId(n as u8));
            }
            wait_for(|| shared.prepared[n].load(Ordering::SeqCst) >= 1);
        }
        self.made(me, 1);
        self.unshare_once(me)?;
        for (n, page) in self.test.pages.iter().enumerate() {
            let at = address(PageId(n as u8));
            if !page.processes.contains(&me) {
                let _ = sys::unmap(at);
                continue;
            }
            if page.owner == me
                && page.attributes.shared.is_empty()
                && !page.attributes.nonexclusive
            {
                self.touch(PageId(n as u8), page)?;
            }
        }
        drain();
        self.states(me)?;
        catch_faults(self.board)?;
        for (t, thread) in self.test.threads.iter().enumerate() {
            if thread.process == me && thread.start == Start::AtOnce {
                self.spawn(t)?;
            }
        }
        self.made(me, 2);
        Ok(())
    }

    /// Makes pages that are not exclusive: a child had them, and is gone. A fork is about every page, so the others are not there yet.
    fn unshare_once(&self, me: ProcessId) -> io::Result<()> {
        let pages = self.test.pages.iter().enumerate();
        let wanted = pages.filter(|(_, p)| p.owner == me && p.attributes.nonexclusive);
        let wanted: Vec<_> = wanted.collect();
        if wanted.is_empty() {
            return Ok(());
        }
        for (n, page) in wanted {
            self.touch(PageId(n as u8), page)?;
        }
        // SAFETY: the child does nothing but end.
        match sys::result(unsafe { libc::fork() })? as i32 {
            0 => end(),
            // SAFETY: no status is asked for.
            pid => unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) },
        };
        Ok(())
    }

    /// Tells the controller how far this process is, and waits until all may go on.
    fn made(&self, me: ProcessId, step: u32) {
        let shared = self.board.get();
        shared.prepared[me.index()].store(step, Ordering::SeqCst);
        wait_for(|| shared.prepare.load(Ordering::SeqCst) >= step);
    }

    fn root(&self, process: ProcessId) -> ProcessId {
        let mut at = process;
        while let Some(parent) = self.test.processes[at.index()].parent {
            at = parent;
        }
        at
    }

    fn map(&self, id: PageId, page: &PageInit) -> io::Result<()> {
        let file = match page.contents {
            Contents::File { file, .. } => self.files[file.index()],
            _ => None,
        };
        sys::map(address(id), file)?;
        // MADV_NOHUGEPAGE: EINVAL where there are no huge pages.
        let _ = sys::madvise(address(id), libc::MADV_NOHUGEPAGE);
        Ok(())
    }

    fn touch(&self, id: PageId, page: &PageInit) -> io::Result<()> {
        let at = address(id);
        match &page.contents {
            Contents::Untouched => {}
            Contents::Zero | Contents::File { mapped: true, .. } => {
                read(at);
            }
            Contents::File { mapped: false, .. } => {}
            Contents::Values(values) => fill(at, &self.filler.page(values)),
        }
        Ok(())
    }

    /// Brings about what `touch` leaves open, in the process that has the page.
    fn states(&self, me: ProcessId) -> io::Result<()> {
        let mut registered = None;
        for (n, page) in self.test.pages.iter().enumerate() {
            let (id, at, a) = (PageId(n as u8), address(PageId(n as u8)), &page.attributes);
            if !page.processes.contains(&me) {
                continue;
            }
            let touched = matches!(page.contents, Contents::Values(_));
            if page.owner == me && a.shared.is_empty() && touched {
                state(at, a)?;
            }
            if a.ksm.is_some() || is_scanned(&self.test, id) {
                sys::madvise(at, libc::MADV_MERGEABLE)?;
            }
            if a.readonly {
                sys::mprotect(at, libc::PROT_READ)?;
            }
            let moves_to = |call: &Call| matches!(call, Call::UffdMove { to, .. } if *to == id);
            let destination = self
                .test
                .threads
                .iter()
                .any(|t| t.stmts.iter().any(|s| moves_to(&s.call)));
            let mode = match a.uffd {
                Some(uffd) => uffd_mode(uffd.mode),
                None if destination => uffd::Mode::WriteProtect,
                None => continue,
            };
            let uffd = match registered {
                Some(uffd) => uffd,
                None => *registered.insert(Uffd::new(features(&self.test))?),
            };
            uffd.register(at, mode as u64)?;
            if a.uffd.is_some_and(|u| u.protected) {
                uffd.write_protect(at, true)?;
            }
        }
        if let Some(uffd) = registered {
            UFFD.set(Some(uffd));
            let pages: Vec<usize> = (0..self.test.pages.len())
                .map(|n| address(PageId(n as u8)))
                .collect();
            let board = self.board;
            std::thread::Builder::new().spawn(move || {
                uffd.note_traps(&pages, &board.get().trapped[me.index()]);
            })?;
        }
        if self.test.pages.iter().any(|p| {
            p.processes.contains(&me) && (p.attributes.tracked || p.attributes.wrprotected)
        }) {
            call::clear_refs(std::process::id() as i32)?;
        }
        Ok(())
    }

    /// Starts a thread of the test in this process.
    pub fn spawn(&self, thread: usize) -> io::Result<()> {
        let uffd = UFFD.get();
        // SAFETY: the world outlives the process: nobody who made threads returns from `lead` or `serve`.
        let world: &'static World = unsafe { &*std::ptr::from_ref(self) };
        std::thread::Builder::new().spawn(move || {
            UFFD.set(uffd);
            world.serve(thread);
        })?;
        Ok(())
    }

    /// A thread of the test: does its statements as it is told to.
    pub fn serve(&self, thread: usize) -> ! {
        let me = Me {
            world: self,
            thread,
            rings: RefCell::default(),
            holds: RefCell::default(),
        };
        THREAD.set(thread);
        if let Some(free) = &self.free {
            // A CPU that has gone meanwhile leaves the thread where it is, which is allowed too.
            let _ = sys::pin_to_cpu(free.cpu_of(thread));
        }
        let mine = &self.board.get().threads[thread];
        mine.tid.store(sys::gettid(), Ordering::SeqCst);
        shared::set(&mine.life, 1);
        let mut random = u64::from(std::process::id()) << 8 | thread as u64 | 1;
        for n in 0..reached(&self.test, thread).len() {
            let mut told = mine.told.load(Ordering::SeqCst);
            while told as usize <= n {
                shared::wait(&mine.told, told, Duration::from_secs(1));
                told = mine.told.load(Ordering::SeqCst);
            }
            if let Some(free) = &self.free {
                for _ in 0..next(&mut random) % free.delays.max(1) {
                    std::hint::spin_loop();
                }
            }
            let value = me.statement(n);
            me.note(n, value);
            shared::set(&mine.done, n as u32 + 1);
        }
        idle()
    }

    /// Are the threads of a process that a `fork` makes there: the one that its block is, and those that start with it?
    pub fn all_live(&self, child: ProcessId, block: usize) -> bool {
        let shared = self.board.get();
        let threads = self.test.threads.iter().enumerate();
        threads
            .filter(|&(t, other)| {
                t == block || other.process == child && other.start == Start::WithProcess
            })
            .all(|(t, _)| shared.threads[t].life.load(Ordering::SeqCst) != 0)
    }

    /// Have the threads of a process, but this one, come to their end?
    pub fn others_ended(&self, thread: usize) -> bool {
        let mine = self.test.threads[thread].process;
        let shared = self.board.get();
        (0..self.test.threads.len())
            .filter(|&t| t != thread && self.test.threads[t].process == mine)
            .all(|t| {
                let other = &shared.threads[t];
                other.done.load(Ordering::SeqCst) as usize >= reached(&self.test, t).len()
                    || other.life.load(Ordering::SeqCst) == 2
            })
    }
}

impl Me<'_> {
    /// The process's userfaultfd.
    pub fn uffd(&self) -> io::Result<Uffd> {
        UFFD.get()
            .ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))
    }

    /// Puts a statement's result where it goes.
    fn note(&self, n: usize, value: Value) {
        let test = &self.world.test;
        let statement = &test.threads[self.thread].stmts[n];
        let mine = &self.world.board.get().threads[self.thread];
        value.store(&mine.results[n]);
        if let Some(reg) = statement.result {
            value.store(&mine.registers[reg.0 as usize]);
        }
        let handle = match statement.call {
            Call::ReadSubmit { handle, .. }
            | Call::WriteSubmit { handle, .. }
            | Call::RegisterBuffer { handle, .. }
            | Call::Get { handle, .. }
            | Call::Pin { handle, .. } => handle,
            _ => None,
        };
        if let Some(handle) = handle {
            value.store(&mine.handles[handle.index()]);
        }
    }
}

/// The statements that a thread can reach: up to its `exit`.
pub fn reached(test: &Test, thread: usize) -> &[cowherd_litmus::ast::Stmt] {
    let stmts = &test.threads[thread].stmts;
    let exit = stmts.iter().position(|s| matches!(s.call, Call::Exit));
    &stmts[..exit.map_or(stmts.len(), |n| n + 1)]
}

/// The state of a page that was just touched, as its attributes have it.
fn state(at: usize, a: &Attributes) -> io::Result<()> {
    let clean = !a.dirty && !a.lazy && a.ksm.is_none();
    if a.swapped || a.cached || clean {
        swap_out(at)?;
    }
    if !a.swapped && (a.cached || clean) {
        read(at);
        drain();
    }
    if a.lazy {
        sys::madvise(at, libc::MADV_FREE)?;
        drain();
    }
    Ok(())
}

fn is_present(at: usize) -> bool {
    matches!(
        look::pagemap(std::process::id() as i32, at),
        Ok(look::Entry::Present { .. })
    )
}

/// Swaps a page out; a page that will not go is tried again. In the end it is at rest: where its write ends later, that puts it into an LRU batch of whichever
/// CPU hears of it, and the batch's reference would count.
fn swap_out(at: usize) -> io::Result<()> {
    let frame = match look::pagemap(std::process::id() as i32, at) {
        Ok(look::Entry::Present { frame }) if frame != 0 => Some(frame),
        _ => None,
    };
    let written = |frame| look::flags(frame).is_none_or(|f| f & look::flag::WRITEBACK == 0);
    for _ in 0..20 {
        sys::madvise(at, libc::MADV_PAGEOUT)?;
        if !is_present(at) {
            if let Some(frame) = frame {
                wait_for(|| written(frame));
            }
            return drain_all();
        }
        drain();
        std::thread::sleep(Duration::from_millis(1));
    }
    Err(io::Error::from_raw_os_error(libc::EBUSY))
}

/// Does an activity let ksmd look at the page? Its mapping counts as mergeable.
fn is_scanned(test: &Test, page: PageId) -> bool {
    test.kernel
        .iter()
        .flat_map(|k| &k.activities)
        .any(|a| match &a.activity {
            Activity::Ksm { pages } => pages.iter().any(|p| p.page == page),
            _ => false,
        })
}

fn uffd_mode(mode: UffdMode) -> uffd::Mode {
    match mode {
        UffdMode::Missing => uffd::Mode::Missing,
        UffdMode::Wp | UffdMode::Rwp => uffd::Mode::WriteProtect,
        UffdMode::Minor => uffd::Mode::Minor,
    }
}

/// The features of userfaultfd that a test asks for.
pub fn features(test: &Test) -> u64 {
    let mode = |m| {
        test.pages
            .iter()
            .any(|p| p.attributes.uffd.is_some_and(|u| u.mode == m))
    };
    let moves = test.threads.iter().any(|t| {
        t.stmts
            .iter()
            .any(|s| matches!(s.call, Call::UffdMove { .. }))
    });
    let mut features = 0;
    if mode(UffdMode::Wp) || moves {
        features |= uffd::feature::WP;
    }
    if mode(UffdMode::Minor) {
        features |= uffd::feature::MINOR_SHMEM;
    }
    if moves {
        features |= uffd::feature::MOVE;
    }
    features
}

/// Writes a page.
fn fill(at: usize, bytes: &[u8; PAGE]) {
    for (offset, byte) in bytes.iter().enumerate() {
        write(at + offset, *byte);
    }
}

/// Empties the LRU batches of this thread's CPU: every MADV_COLD begins with that.
pub fn drain() {
    let _ = sys::madvise(scratch(), libc::MADV_COLD);
}

/// Empties the LRU batches of every CPU, one after the other: no system call does that for the asking. For who is on the first of them, and stays there.
pub fn drain_all() -> io::Result<()> {
    for &cpu in sys::cpus().iter().rev() {
        sys::pin_to_cpu(cpu)?;
        drain();
    }
    Ok(())
}

/// Loads a byte of a test's memory, in one instruction.
pub fn read(at: usize) -> u8 {
    // SAFETY: a test's page, in which nothing of Rust lives; where it is not mapped, the fault handler parks the thread.
    unsafe { std::ptr::read_volatile(at as *const u8) }
}

/// Stores a byte of a test's memory, in one instruction.
pub fn write(at: usize, value: u8) {
    // SAFETY: a test's page, in which nothing of Rust lives; where it is not mapped, the fault handler parks the thread.
    unsafe { std::ptr::write_volatile(at as *mut u8, value) }
}

/// Faults that nothing resolves end a thread of the test, not its process.
fn catch_faults(board: Board) -> io::Result<()> {
    BOARD.store(std::ptr::from_ref(board.get()).cast_mut(), Ordering::SeqCst);
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: an action of all zeroes is the default one.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = faulted as *const () as usize;
        action.sa_flags = libc::SA_NODEFER;
        // SAFETY: the handler does what a handler may.
        sys::result(unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) })?;
    }
    Ok(())
}

/// Notes that the thread is killed, and keeps it for ever. A futex and a pause are all that it does.
extern "C" fn faulted(_signal: i32) {
    let thread = THREAD.get();
    // SAFETY: set once, to a mapping that stays.
    let shared = unsafe { BOARD.load(Ordering::SeqCst).as_ref() };
    match shared.and_then(|s| s.threads.get(thread)) {
        Some(mine) => shared::set(&mine.life, 2),
        None => end(),
    }
    idle()
}

/// Stays, and does nothing.
fn idle() -> ! {
    loop {
        // SAFETY: sleeps.
        unsafe { libc::pause() };
    }
}

/// A child has no userfaultfd: its parent's is for the parent's memory.
pub fn forget_uffd() {
    UFFD.set(None);
}

/// Ends the process without a word to anybody.
pub fn end() -> ! {
    // SAFETY: does not return.
    unsafe { libc::_exit(0) }
}

fn wait_for(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// A step of xorshift.
pub fn next(random: &mut u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random >> 11
}
