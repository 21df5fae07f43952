//! From a checked test to a program: the test's names become the mm's, and what the model cannot run is refused.

mod init;
pub(crate) mod interface;
mod stmts;

use cowherd_litmus::Span;
use cowherd_litmus::ast::{self, AtomKind, Location, Test};
use cowherd_mm::config::{Failures, FileSystem, SwapDevice};
use cowherd_mm::pack::Naming;
use cowherd_mm::*;

use crate::general::Crew;
use crate::kernels::Profile;
use crate::observe::Observable;
use crate::program::{MAX_REGS, Program, RegKind, RegName, Starts, TaskProgram, TestNames};
use crate::spec::Spec;

/// Why a test cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What is too much, or not modelled.
    pub message: String,
    /// Where the test asks for it.
    pub span: Span,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

fn refuse<T>(span: Span, message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused {
        message: message.into(),
        span,
    })
}

/// A test on its way to a program.
struct Lowering<'t> {
    test: &'t Test,
    regs: Vec<RegName>,
    refusals: Vec<&'static str>,
    shifts: Vec<i8>,
    holders: usize,
    /// For each thread and handle: the transfer or holder behind it.
    handles: Vec<((usize, usize), HandleOf)>,
}

#[derive(Clone, Copy)]
enum HandleOf {
    Io(IoId),
    Holder(HoldId, Va),
}

/// Lowers `test` for a kernel with these features. `symmetry`: names are made canonical.
pub fn lower(test: &Test, profile: &Profile, symmetry: bool) -> Result<Program, Refused> {
    lower_for(test, profile, symmetry, None)
}

/// Lowers a menu: the statements of each thread are what any of several threads may do, in any order ([`crate::general`]).
pub fn lower_menu(
    test: &Test,
    profile: &Profile,
    symmetry: bool,
    crew: &Crew,
) -> Result<Program, Refused> {
    lower_for(test, profile, symmetry, Some(crew))
}

fn lower_for(
    test: &Test,
    profile: &Profile,
    symmetry: bool,
    crew: Option<&Crew>,
) -> Result<Program, Refused> {
    limits(test)?;
    interface::there(test, profile)?;
    let mut l = Lowering {
        test,
        regs: Vec::new(),
        refusals: Vec::new(),
        shifts: Vec::new(),
        holders: 0,
        handles: Vec::new(),
    };
    l.watched();
    if l.regs.len() > MAX_REGS {
        return refuse(
            test.condition.span,
            format!("the model follows at most {MAX_REGS} registers"),
        );
    }
    let mut tasks = Vec::new();
    for (n, thread) in test.threads.iter().enumerate() {
        tasks.push(l.thread(n, thread)?);
    }
    for (n, kernel) in test.kernel.iter().enumerate() {
        for copy in 0..kernel.copies {
            let name = match (test.kernel.len(), kernel.copies) {
                (1, 1) => "kernel".into(),
                (1, _) => format!("kernel#{copy}"),
                (_, 1) => format!("kernel{n}"),
                _ => format!("kernel{n}#{copy}"),
            };
            tasks.push(TaskProgram {
                name,
                mm: None,
                starts: Starts::AtOnce,
                stmts: l.kernel(kernel)?,
            });
        }
    }
    let most = if crew.is_some() {
        crate::general::MAX_MENU
    } else {
        15
    };
    if let Some(crew) = crew {
        tasks = crew.staff(tasks);
        l.regs = Crew::registers(tasks.len());
    }
    if tasks.len() > MAX_CPUS {
        let threads = test.threads.iter().map(|thread| thread.span);
        let kernel = test
            .kernel
            .iter()
            .flat_map(|k| (0..k.copies).map(|_| k.span));
        return refuse(
            threads
                .chain(kernel)
                .nth(MAX_CPUS)
                .unwrap_or(test.condition.span),
            format!("the model runs at most {MAX_CPUS} threads and kernel actors"),
        );
    }
    if let Some(task) = tasks.iter().find(|task| task.stmts.len() > most) {
        return refuse(
            test.condition.span,
            format!("{} has more than {most} steps", task.name),
        );
    }
    if l.shifts.len() > MAX_IOS {
        return refuse(
            test.condition.span,
            format!("the model follows at most {MAX_IOS} transfers"),
        );
    }
    let cells = test
        .pages
        .iter()
        .map(|p| p.cells)
        .chain(test.files.iter().map(|f| f.values.len() as u8))
        .max();
    let sizes = Sizes {
        mms: test.processes.len(),
        pages: test.pages.len(),
        cells: cells.unwrap_or(1),
        frames: test
            .frames
            .map_or(MAX_FRAMES, |n| (n as usize + 1).min(MAX_FRAMES)),
        file_frames: init::mapped_files(test),
        slots: if test.swap.device == ast::SwapDevice::None {
            0
        } else {
            (test.swap.slots as usize).min(MAX_SLOTS)
        },
        cpus: tasks.len(),
        ios: l.shifts.len(),
        holders: l.holders,
        pipes: test.pipes.len(),
    };
    let births = l.births()?;
    let mut program = Program {
        cfg: config(test, profile, sizes, &tasks),
        // What no search shall merge may be as it is.
        twins: if symmetry {
            twins(&tasks, crew.is_some())
        } else {
            Vec::new()
        },
        tasks,
        initial: Vec::new(),
        regs: l.regs,
        refusals: l.refusals,
        taken: Default::default(),
        watches_frames: false,
        watches_traps: false,
        naming: if symmetry {
            Naming::Canonical
        } else {
            Naming::Kept
        },
        births,
        spec: Spec::default(),
        observables: Vec::new(),
        shifts: l.shifts,
        names: TestNames {
            processes: test.processes.iter().map(|p| p.name.clone()).collect(),
            pages: test.pages.iter().map(|p| p.name.clone()).collect(),
            files: test.files.iter().map(|f| f.name.clone()).collect(),
            pipes: test.pipes.iter().map(|p| p.name.clone()).collect(),
            handles: test
                .threads
                .iter()
                .map(|t| t.handles.iter().map(|h| h.name.clone()).collect())
                .collect(),
        },
        files: test.files.iter().map(|f| init::cells(&f.values)).collect(),
        page_cache: vec![None; test.files.len()],
        general: None,
    };
    program.watch(test);
    program.initial = init::states(test, &program)?;
    for (va, page) in test.pages.iter().enumerate() {
        if let ast::Contents::File { file, .. } = page.contents {
            let vma = program.initial[0].m.vmas[page.owner.index()][va];
            program.page_cache[file.index()] = vma.file;
        }
    }
    program.spec = Spec::new(test, &program);
    if let Some(crew) = crew {
        crew.prepare(&mut program);
    }
    for state in &mut program.initial {
        state.used = state.m.in_use();
        state.forget_freed();
        state.ideal = program.spec.initial(state);
    }
    Ok(program)
}

/// What the model has room for.
fn limits(test: &Test) -> Result<(), Refused> {
    if let Some(p) = test.processes.get(MAX_MMS) {
        return refuse(
            p.span,
            format!("the model runs at most {MAX_MMS} processes"),
        );
    }
    if let Some(p) = test.pages.get(MAX_PAGES) {
        return refuse(
            p.span,
            format!("the model has room for at most {MAX_PAGES} variables"),
        );
    }
    if let Some(f) = test.files.get(MAX_FILES) {
        return refuse(
            f.span,
            format!("the model has room for at most {MAX_FILES} files"),
        );
    }
    if let Some(p) = test.pipes.get(MAX_PIPES) {
        return refuse(
            p.span,
            format!("the model has room for at most {MAX_PIPES} pipes"),
        );
    }
    never_seen(test)
}

/// What no final state can show: the condition would never hold, whatever happens.
fn never_seen(test: &Test) -> Result<(), Refused> {
    let mut asked = None;
    test.condition.prop.atoms(&mut |atom| {
        if let AtomKind::Violates(Some(kind @ (ast::Kind::Deadlock | ast::Kind::Livelock))) =
            atom.kind
        {
            asked = asked.or(Some((atom.span, kind.word())));
        }
    });
    match asked {
        Some((span, kind)) => refuse(
            span,
            format!("a {kind} is in no final state: `cowherd check --livelock` looks for both"),
        ),
        None => Ok(()),
    }
}

fn config(test: &Test, profile: &Profile, sizes: Sizes, tasks: &[TaskProgram]) -> Config {
    let mut cfg = Config::new(profile.features, sizes);
    cfg.swap = SwapDevice {
        synchronous: test.swap.device == ast::SwapDevice::Sync,
        stable_writes: test.swap.stable,
        half_full: test.swap.half_full,
    };
    let fails = |f| test.failures.contains(&f);
    cfg.fails = Failures {
        swap_full: fails(ast::Failure::SwapFull),
        oom: fails(ast::Failure::Oom),
        io_error: fails(ast::Failure::IoError),
        trylock: fails(ast::Failure::Trylock),
        short_gup: fails(ast::Failure::ShortGup),
    };
    for (cpu, task) in tasks.iter().enumerate() {
        cfg.cpu_mm[cpu] = task.mm;
    }
    for (n, file) in test.files.iter().enumerate() {
        cfg.files[n] = match file.on {
            ast::FileSystem::Block | ast::FileSystem::Shmem => FileSystem::Block,
            ast::FileSystem::BlockSync => FileSystem::BlockSync,
            ast::FileSystem::Nfs => FileSystem::Nfs,
            ast::FileSystem::Fuse => FileSystem::Fuse,
            ast::FileSystem::Ceph => FileSystem::Ceph,
        };
    }
    cfg
}

/// Every order of kernel actors that do the same, but the one as it is.
///
/// Threads are left out: their registers tell them apart, and a final state names them. Not so in a menu.
fn twins(tasks: &[TaskProgram], menu: bool) -> Vec<Vec<(usize, usize)>> {
    let same = |a: &TaskProgram, b: &TaskProgram| {
        if menu {
            return a.mm == b.mm;
        }
        a.mm.is_none()
            && b.mm.is_none()
            && a.stmts.len() == b.stmts.len()
            && a.stmts
                .iter()
                .zip(&b.stmts)
                .all(|(a, b)| a.op == b.op && a.refusal == b.refusal)
    };
    // Sequences of swaps that reach every permutation within the groups (Johnson and Trotter would save a few).
    let mut orders = vec![Vec::new()];
    for n in 1..tasks.len() {
        let mut longer = Vec::new();
        for order in &orders {
            for earlier in (0..n).filter(|&e| same(&tasks[e], &tasks[n])) {
                let mut order: Vec<(usize, usize)> = order.clone();
                order.push((earlier, n));
                longer.push(order);
            }
        }
        orders.extend(longer);
    }
    orders.remove(0);
    orders
}

impl Lowering<'_> {
    /// Which registers and refusals somebody looks at; all others are dead and not kept.
    fn watched(&mut self) {
        let test = self.test;
        let mut regs = Vec::new();
        let mut refusals = Vec::new();
        test.condition.prop.atoms(&mut |atom| match &atom.kind {
            AtomKind::Compare { location, .. } => regs.extend(reg_of(location)),
            AtomKind::Refused(name) if !refusals.contains(name) => refusals.push(*name),
            _ => {}
        });
        regs.extend(test.locations.iter().filter_map(|l| reg_of(&l.location)));
        for (n, thread) in test.threads.iter().enumerate() {
            for stmt in &thread.stmts {
                if let Some(reg) = stmts::source_reg(&stmt.call) {
                    regs.push(RegName {
                        thread: ast::ThreadId(n as u8),
                        what: RegKind::Reg(reg),
                    });
                }
            }
        }
        for reg in regs {
            if !self.regs.contains(&reg) {
                self.regs.push(reg);
            }
        }
        self.refusals = refusals;
    }

    fn reg(&self, thread: usize, what: RegKind) -> Option<usize> {
        self.regs.iter().position(|r| {
            *r == RegName {
                thread: ast::ThreadId(thread as u8),
                what,
            }
        })
    }
}

fn reg_of(location: &Location) -> Option<RegName> {
    match *location {
        Location::Reg { thread, reg } => Some(RegName {
            thread,
            what: RegKind::Reg(reg),
        }),
        Location::Handle { thread, handle } => Some(RegName {
            thread,
            what: RegKind::Handle(handle),
        }),
        Location::Cell(_) | Location::File { .. } => None,
    }
}

impl Program {
    /// Collects what the condition and the locations look at.
    fn watch(&mut self, test: &Test) {
        let mut seen: Vec<Observable> = Vec::new();
        for shown in &test.locations {
            seen.extend(self.location(&shown.location));
        }
        test.condition.prop.atoms(&mut |atom| {
            seen.extend(self.observable_of(&atom.kind));
            self.watches_frames |= matches!(atom.kind, AtomKind::Copied(_));
            self.watches_traps |= matches!(atom.kind, AtomKind::Trapped(_));
        });
        for o in seen {
            if !self.observables.contains(&o) {
                self.observables.push(o);
            }
        }
    }
}
