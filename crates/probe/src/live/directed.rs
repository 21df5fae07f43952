//! One run of a test in one order: the controller tells a thread to make its next call, waits until it has returned or waits for somebody, looks at every
//! page, and goes on.

use std::collections::HashMap;
use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cowherd_litmus::ast::{self, Activity, Advice, Call, Contents, PageId, Start, Test};
use cowherd_model::predict::{Page, Predictor, Turn, View};
use serde::{Deserialize, Serialize};

use super::call::{self, close};
use super::filler::Filler;
use super::free::Free;
use super::fuse::CELL;
use super::held::Held;
use super::kernel;
use super::look::{self, Entry};
use super::outcome;
use super::plan::Plan;
use super::shared::{self, Board, Value};
use super::world::{self, World, address, reached};

/// How long anything may take that does not wait for another turn.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What one run showed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Trace {
    /// The turns that were taken.
    pub turns: Vec<Turn>,
    /// What was seen after each.
    pub views: Vec<View>,
    /// The final state: a byte for each observable of the model; none where it cannot be told from outside.
    pub outcome: Vec<Option<u8>>,
}

/// Why a run gave no result.
#[derive(Debug)]
pub enum NoResult {
    /// The state to start from could not be brought about.
    Start(String),
    /// A call did not return, though nothing that a turn could end was waited for.
    Hung(String),
    /// The run ended, though somebody had something left to do.
    Unfinished(String),
    /// A system call of the controller's own failed.
    Failed(io::Error),
}

impl From<io::Error> for NoResult {
    fn from(error: io::Error) -> NoResult {
        NoResult::Failed(error)
    }
}

impl std::fmt::Display for NoResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NoResult::Start(what) => write!(f, "the state to start from: {what}"),
            NoResult::Hung(what) => write!(f, "{what} did not return"),
            NoResult::Unfinished(who) => write!(f, "{who} had something left to do"),
            NoResult::Failed(error) => write!(f, "{error}"),
        }
    }
}

/// A run under way.
pub struct Run<'a> {
    pub(super) test: &'a Test,
    pub(super) predictor: &'a Predictor,
    held: &'a [&'a Held],
    pub(super) world: World,
    /// The file of each transfer.
    file_of: Vec<usize>,
    /// What the files with a server hold.
    pub(super) contents: Vec<[u8; 4]>,
    /// Tasks that were let go and have not returned.
    pub(super) issued: u8,
    /// How far each kernel actor is.
    pub(super) kernel: Vec<usize>,
    /// The last frame seen of each variable, and whether it was seen mapped ever since.
    pub(super) last: HashMap<(usize, usize), u64>,
    /// The frames of the start; taken out when the page was seen without one, for then it may be another page's by now.
    pub(super) start: HashMap<(usize, usize), u64>,
    /// What came of calls that may give up, by name; none: it cannot be told.
    pub(super) refused: HashMap<&'static str, Option<bool>>,
    view: View,
}

impl<'a> Run<'a> {
    /// Makes the processes and the state to start from.
    pub fn prepare(
        plan: &'a Plan,
        predictor: &'a Predictor,
        held: &'a [&'a Held],
        free: Option<&Free>,
    ) -> Result<Run<'a>, NoResult> {
        let test = &plan.test;
        let world = make(test, held, free)?;
        let mut run = Run {
            test,
            predictor,
            held,
            world,
            file_of: file_of(test),
            contents: test.files.iter().map(|f| cells(&f.values)).collect(),
            issued: 0,
            kernel: vec![0; predictor.program.tasks.len() - test.threads.len()],
            last: HashMap::new(),
            start: HashMap::new(),
            refused: HashMap::new(),
            view: View {
                pages: Vec::new(),
                told: Vec::new(),
                waiting: 0,
                killed: 0,
            },
        };
        run.world.start()?;
        for step in [1, 2] {
            run.all_prepared(step)?;
            run.world.board.get().prepare.store(step, Ordering::SeqCst);
        }
        run.wait_for("the start of the threads", |run| {
            let threads = run.test.threads.iter().enumerate();
            let mut at_once = threads.filter(|(_, t)| t.start == Start::AtOnce);
            at_once.all(|(n, _)| run.world.board.get().threads[n].life.load(Ordering::SeqCst) == 1)
        })?;
        // The first look only learns the frames that later ones compare with.
        run.look();
        run.start = run.last.clone();
        run.view = run.look();
        let views = predictor.start().views(predictor);
        if !views.iter().any(|v| v.agrees(&run.view)) {
            return Err(NoResult::Start(run.view.text(&predictor.program)));
        }
        Ok(run)
    }

    /// Takes the turns of an order that can be taken, then those that are left over.
    pub fn directed(mut self, order: &[Turn]) -> Result<Trace, NoResult> {
        let mut trace = Trace {
            turns: Vec::new(),
            views: Vec::new(),
            outcome: Vec::new(),
        };
        let mut todo = order.to_vec();
        let mut rest = 0;
        loop {
            for &turn in &todo {
                if self.can(turn) {
                    self.take(turn)?;
                    self.view = self.look();
                    trace.turns.push(turn);
                    trace.views.push(self.view.clone());
                }
            }
            let transfers = (0..self.file_of.len()).map(Turn::Complete);
            let tasks = (0..self.predictor.program.tasks.len()).map(Turn::Task);
            todo = transfers
                .chain(tasks)
                .filter(|&t| self.can(t))
                .take(1)
                .collect();
            if todo.is_empty() {
                break;
            }
            rest += 1;
            if rest > 64 {
                return Err(NoResult::Unfinished(self.whose(todo[0])));
            }
        }
        trace.outcome = outcome::of(&self);
        Ok(trace)
    }

    /// Whose turn it is, for people.
    fn whose(&self, turn: Turn) -> String {
        match turn {
            Turn::Task(task) => self.predictor.program.tasks[task].name.clone(),
            Turn::Complete(io) => format!("transfer {io}"),
        }
    }

    /// Lets every thread run as it likes, the kernel's actors and the devices beside them, and waits for the end.
    pub fn free(mut self, seed: u64) -> Result<Vec<Option<u8>>, NoResult> {
        let board = self.world.board;
        let shared = board.get();
        for (t, thread) in shared
            .threads
            .iter()
            .enumerate()
            .take(self.test.threads.len())
        {
            shared::set(&thread.told, reached(self.test, t).len() as u32);
        }
        let mut random = seed | 1;
        let begun = Instant::now();
        let mut quiet = 0;
        loop {
            let mut busy = false;
            for n in 0..self.kernel.len() {
                let task = self.test.threads.len() + n;
                let next = kernel::activity(self.test, n, self.kernel[n]);
                // What names a process that a fork has yet to make waits for it.
                let there = next.and_then(kernel::process).is_none_or(|p| {
                    self.world.board.get().pids[p.index()].load(Ordering::SeqCst) != 0
                });
                if there && self.can(Turn::Task(task)) {
                    for _ in 0..world::next(&mut random) % 20_000 {
                        std::hint::spin_loop();
                    }
                    self.take_kernel(task)?;
                    busy = true;
                }
            }
            for io in 0..self.file_of.len() {
                if self.held[io].pending(0) {
                    for _ in 0..world::next(&mut random) % 20_000 {
                        std::hint::spin_loop();
                    }
                    let (file, filler) = (self.file_of[io], self.world.filler);
                    self.held[io].complete(&mut self.contents[file], filler)?;
                    busy = true;
                }
            }
            if (0..self.test.threads.len()).all(|t| self.has_ended(t)) && !busy {
                break;
            }
            // Who is stopped by userfaultfd, or by an empty pipe, does not come to an end.
            quiet = if busy || !self.all_sleep() {
                0
            } else {
                quiet + 1
            };
            if quiet > 1000 {
                break;
            }
            if begun.elapsed() > PATIENCE {
                return Err(NoResult::Hung("a thread".into()));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        self.issued = 0;
        self.view = self.look();
        // What came of a call cannot be told by looking at pages that others change meanwhile.
        let names = self.predictor.program.refusals.iter();
        self.refused = names.map(|&name| (name, None)).collect();
        Ok(outcome::of(&self))
    }

    fn all_prepared(&self, step: u32) -> Result<(), NoResult> {
        self.wait_for("the preparation", |run| {
            let shared = run.world.board.get();
            let mut processes = run
                .test
                .processes
                .iter()
                .enumerate()
                .filter(|(_, p)| p.from_start);
            shared.failed.load(Ordering::SeqCst) != 0
                || processes.all(|(n, _)| shared.prepared[n].load(Ordering::SeqCst) >= step)
        })?;
        match self.world.board.get().failed.load(Ordering::SeqCst) {
            0 => Ok(()),
            errno => Err(NoResult::Start(
                io::Error::from_raw_os_error(errno).to_string(),
            )),
        }
    }

    /// Can a turn be taken now?
    fn can(&self, turn: Turn) -> bool {
        match turn {
            Turn::Complete(io) => self.in_flight(io),
            Turn::Task(task) if task < self.test.threads.len() => {
                let thread = &self.world.board.get().threads[task];
                let (told, done) = (
                    thread.told.load(Ordering::SeqCst),
                    thread.done.load(Ordering::SeqCst),
                );
                thread.life.load(Ordering::SeqCst) == 1
                    && told == done
                    && (done as usize) < reached(self.test, task).len()
            }
            Turn::Task(task) => {
                let n = task - self.test.threads.len();
                self.kernel[n] < self.predictor.program.tasks[task].stmts.len()
            }
        }
    }

    /// Is a request of the transfer in its server's queue?
    pub(super) fn in_flight(&self, io: usize) -> bool {
        let state = self.world.board.get().transfers[io]
            .state
            .load(Ordering::SeqCst);
        state == 1 && self.held[io].pending(0)
    }

    fn take(&mut self, turn: Turn) -> Result<(), NoResult> {
        match turn {
            Turn::Complete(io) => {
                let (file, filler) = (self.file_of[io], self.world.filler);
                self.held[io].complete(&mut self.contents[file], filler)?;
                self.wait_for("the end of a transfer", |run| {
                    run.world.board.get().transfers[io]
                        .state
                        .load(Ordering::SeqCst)
                        == 2
                })?;
            }
            Turn::Task(task) if task < self.test.threads.len() => {
                let thread = &self.world.board.get().threads[task];
                let next = thread.done.load(Ordering::SeqCst) + 1;
                self.issued |= 1 << task;
                shared::set(&thread.told, next);
            }
            Turn::Task(task) => self.take_kernel(task)?,
        }
        self.settle()?;
        if let Turn::Task(task) = turn
            && task < self.test.threads.len()
        {
            self.note_refusal(task);
        }
        Ok(())
    }

    fn take_kernel(&mut self, task: usize) -> Result<(), NoResult> {
        let n = task - self.test.threads.len();
        let (activity, at) = (
            kernel::activity(self.test, n, self.kernel[n]),
            self.kernel[n],
        );
        self.kernel[n] = at + 1;
        let Some(activity) = activity else {
            return Ok(());
        };
        let before = self.target(activity);
        let done = kernel::act(activity, &self.world);
        if done
            .as_ref()
            .is_err_and(|e| e.raw_os_error() == Some(libc::ETIMEDOUT))
        {
            return Err(NoResult::Hung(activity.name().into()));
        }
        let name = activity.name();
        let refused = match (&done, activity) {
            (Err(_), _) => Some(true),
            (
                Ok(()),
                Activity::Madvise {
                    advice: Advice::PageOut,
                    ..
                },
            ) => self.stayed(before, self.target(activity)),
            (Ok(()), _) => None,
        };
        self.refusal(name, refused);
        Ok(())
    }

    /// A page that was there and is there still was refused; one that is gone may have been kept all the same, in the swap cache.
    fn stayed(&self, before: Option<Entry>, after: Option<Entry>) -> Option<bool> {
        let present = |e| matches!(e, Some(Entry::Present { .. }));
        (present(before) && present(after)).then_some(true)
    }

    fn target(&self, activity: &Activity) -> Option<Entry> {
        match activity {
            Activity::Madvise { at, .. } => self.entry(at.process.index(), at.page.index()),
            _ => None,
        }
    }

    fn note_refusal(&mut self, task: usize) {
        let shared = self.world.board.get();
        let done = shared.threads[task].done.load(Ordering::SeqCst) as usize;
        let Some(statement) = done
            .checked_sub(1)
            .and_then(|n| self.test.threads[task].stmts.get(n))
        else {
            return;
        };
        let refused = match (
            Value::load(&shared.threads[task].results[done - 1]),
            &statement.call,
        ) {
            (Value::Errno(_), _) => Some(true),
            (
                _,
                Call::Madvise {
                    page,
                    advice: Advice::PageOut,
                },
            ) => {
                let mm = self.test.threads[task].process.index();
                let before = self.view.pages[mm * self.test.pages.len() + page.index()];
                let after = self.entry(mm, page.index());
                (matches!(before, Page::Present(_)) && matches!(after, Some(Entry::Present { .. })))
                    .then_some(true)
            }
            (_, Call::ProcessMadvise { .. }) => None,
            _ => Some(false),
        };
        self.refusal(statement.call.name(), refused);
    }

    /// Once refused is refused; what cannot be told stays so.
    fn refusal(&mut self, name: &'static str, refused: Option<bool>) {
        let known = self.refused.entry(name).or_insert(Some(false));
        *known = match (*known, refused) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (None, _) | (_, None) => None,
            _ => Some(false),
        };
    }

    /// A process that is there; one that has ended is not.
    pub(super) fn pid(&self, process: usize) -> Option<i32> {
        let pid = self.world.board.get().pids[process].load(Ordering::SeqCst);
        (pid != 0 && look::has_memory(pid)).then_some(pid)
    }

    /// What is at a variable of a process; none: nothing is mapped there.
    pub(super) fn entry(&self, process: usize, page: usize) -> Option<Entry> {
        let pid = self.pid(process)?;
        let at = address(PageId(page as u8));
        match look::pagemap(pid, at).ok()? {
            Entry::None if !look::mapped(pid, at) => None,
            entry => Some(entry),
        }
    }

    /// What a file holds.
    pub(super) fn file_cell(&self, file: usize, cell: usize) -> u8 {
        let Some(fd) = self.world.files[file] else {
            return self.contents[file][cell];
        };
        let mut byte = 0u8;
        // SAFETY: one byte.
        unsafe {
            libc::pread(
                fd,
                std::ptr::from_mut(&mut byte).cast(),
                1,
                (cell * CELL) as libc::off_t,
            )
        };
        byte
    }

    /// The value that a variable without a PTE has.
    pub(super) fn unmapped_cell(&self, page: usize, cell: usize) -> u8 {
        match self.test.pages[page].contents {
            Contents::File { file, .. } => self.file_cell(file.index(), cell),
            _ => 0,
        }
    }
}

impl Drop for Run<'_> {
    /// Ends every process of the run, and takes back what the servers were asked.
    fn drop(&mut self) {
        let pids = &self.world.board.get().pids;
        let begun = Instant::now();
        loop {
            for pid in pids
                .iter()
                .map(|p| p.load(Ordering::SeqCst))
                .filter(|&p| p > 0)
            {
                // SAFETY: processes of this run; ids are not reused while they are not reaped, and reaped they are here only.
                unsafe { libc::kill(pid, libc::SIGKILL) };
            }
            // SAFETY: no status is asked for. Orphans come to this process, the first of its namespace.
            while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
            let alive = |p: &std::sync::atomic::AtomicI32| {
                let pid = p.load(Ordering::SeqCst);
                pid > 0 && look::state(pid, pid).is_some()
            };
            if !pids.iter().any(alive) || begun.elapsed() > PATIENCE {
                break;
            }
            self.held.iter().for_each(|held| held.drain());
            std::thread::sleep(Duration::from_micros(100));
        }
        self.held.iter().for_each(|held| held.drain());
        let ends = self.world.pipes.iter().flat_map(|&(r, w)| [r, w]);
        ends.chain(self.world.files.iter().flatten().copied())
            .for_each(close);
        self.world.board.unmap();
    }
}

/// Everything that the processes of a run inherit.
fn make(test: &Test, held: &[&Held], free: Option<&Free>) -> io::Result<World> {
    let filler = Filler::draw();
    let mut files = Vec::new();
    for n in 0..test.files.len() {
        files.push(match super::plan::is_real(test, n) {
            true => Some(real_file(&test.files[n], filler)?),
            false => None,
        });
    }
    let mut pipes = Vec::new();
    for _ in &test.pipes {
        pipes.push(call::pipe()?);
    }
    Ok(World {
        test: test.clone(),
        board: Board::new()?,
        transfers: held.iter().map(|h| (h.file(), h.server())).collect(),
        files,
        pipes,
        filler,
        free: free.cloned(),
    })
}

/// A file in memory, whose page is a page of the page cache.
fn real_file(file: &ast::File, filler: Filler) -> io::Result<RawFd> {
    let fd = call::memory_file()?;
    let bytes = filler.page(&file.values);
    // SAFETY: as long as said.
    let n = unsafe { libc::pwrite(fd, bytes.as_ptr().cast(), bytes.len(), 0) };
    super::sys::result(n as i64)?;
    Ok(fd)
}

fn cells(values: &[u8]) -> [u8; 4] {
    std::array::from_fn(|n| values.get(n).copied().unwrap_or(0))
}

/// The file of each transfer.
pub(super) fn file_of(test: &Test) -> Vec<usize> {
    let mut files = Vec::new();
    for t in 0..test.threads.len() {
        for (s, stmt) in reached(test, t).iter().enumerate() {
            if World::transfer_of(test, t, s).is_none() {
                continue;
            }
            if let Call::Pread { file, .. }
            | Call::Pwrite { file, .. }
            | Call::ReadSubmit { file, .. }
            | Call::WriteSubmit { file, .. }
            | Call::ReadFixed { file, .. }
            | Call::WriteFixed { file, .. } = &stmt.call
            {
                files.push(file.file.index());
            }
        }
    }
    files
}
