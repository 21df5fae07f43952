//! Tests made at random from bytes: every one of them is right, so it must survive printing, parsing and formatting.

mod condition;
mod stmt;

use cowherd_litmus::Span;
use cowherd_litmus::ast::*;
use cowherd_litmus::limits;

/// Choices drawn from bytes; zeroes when they run out, so that fewer bytes make a smaller test.
struct Source<'b> {
    bytes: &'b [u8],
}

impl Source<'_> {
    fn below(&mut self, ways: usize) -> usize {
        let Some((first, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        usize::from(*first) % ways.max(1)
    }

    fn number(&mut self, most: u8) -> u8 {
        self.below(usize::from(most) + 1) as u8
    }

    fn chance(&mut self) -> bool {
        self.below(3) == 1
    }

    fn of<T: Clone>(&mut self, several: &[T]) -> T {
        several[self.below(several.len())].clone()
    }

    fn some<T: Copy + Ord>(&mut self, all: &[T]) -> Vec<T> {
        all.iter().copied().filter(|_| self.chance()).collect()
    }
}

const SPAN: Span = Span::new(0, 0);

/// A test from bytes.
pub fn test(bytes: &[u8]) -> Test {
    let mut source = Source { bytes };
    let s = &mut source;
    let mut maker = Maker::new(s);
    maker.threads(s);
    let kernel = (0..s.below(3)).map(|_| maker.kernel(s)).collect();
    let locations: Vec<ShownLocation> = (0..s.below(3))
        .filter_map(|_| maker.location(s))
        .map(|location| ShownLocation {
            location,
            span: SPAN,
        })
        .collect();
    let mut test = Test {
        kernel,
        locations,
        ..maker.test
    };
    let prop = Maker { test: test.clone() }.prop(s, 4);
    test.condition = Condition {
        quantifier: s.of(Quantifier::ALL),
        prop,
        span: SPAN,
    };
    test
}

struct Maker {
    test: Test,
}

impl Maker {
    fn new(s: &mut Source<'_>) -> Maker {
        let mut processes = vec![Process {
            name: "A".into(),
            parent: None,
            from_start: true,
            span: SPAN,
        }];
        for name in ["B", "C"] {
            if s.chance() {
                let parent = s.chance().then_some(ProcessId(0));
                processes.push(Process {
                    name: name.into(),
                    parent,
                    from_start: true,
                    span: SPAN,
                });
            }
        }
        let test = Test {
            name: s.of(&["t", "odirect-swap", "a+b.c"]).into(),
            doc: s.of(&["", "One line.", "Two\nlines.", "a\n\n  - b"]).into(),
            results: clauses(s),
            processes,
            pages: Vec::new(),
            files: Vec::new(),
            pipes: Vec::new(),
            swap: Swap::default(),
            tlb: Vec::new(),
            failures: s.some(Failure::ALL),
            frames: s.chance().then(|| 1 + s.number(limits::MAX_FRAMES - 1)),
            threads: Vec::new(),
            kernel: Vec::new(),
            locations: Vec::new(),
            condition: Condition {
                quantifier: Quantifier::Exists,
                prop: Prop::True,
                span: SPAN,
            },
        };
        let mut maker = Maker { test };
        maker.things(s);
        maker
    }

    fn things(&mut self, s: &mut Source<'_>) {
        for name in ["f", "g"] {
            let cells = 1 + s.number(limits::MAX_CELLS - 1);
            let values = (0..cells).map(|_| s.number(limits::MAX_VALUE)).collect();
            self.test.files.push(File {
                name: name.into(),
                on: s.of(FileSystem::ALL),
                values,
                span: SPAN,
            });
        }
        for name in ["p", "q"] {
            self.test.pipes.push(Pipe {
                name: name.into(),
                span: SPAN,
            });
        }
        for name in ["x", "y", "z", "w"] {
            let page = self.page(s, name);
            self.test.pages.push(page);
        }
        // Two variables of one KSM page.
        if self.test.pages[2].attributes.ksm.is_some() {
            let mut twin = self.test.pages[2].clone();
            twin.name = "w".into();
            twin.attributes.ksm = Some(Ksm {
                with: vec![PageId(2)],
            });
            self.test.pages[2].attributes.ksm = Some(Ksm {
                with: vec![PageId(3)],
            });
            self.test.pages[3] = twin;
        }
        if s.chance() {
            self.test.swap.stable = s.chance();
            self.test.swap.half_full = s.chance();
            self.test.swap.slots = 4 + s.number(limits::MAX_SLOTS - 4);
            self.test.swap.device = s.of(&[SwapDevice::Async, SwapDevice::Sync]);
        }
        let taken = self
            .test
            .pages
            .iter()
            .filter(|p| p.attributes.swapped || p.attributes.cached)
            .count();
        self.test.swap.slots = self.test.swap.slots.max(taken as u8);
    }

    fn page(&mut self, s: &mut Source<'_>, name: &str) -> PageInit {
        let cells = 1 + s.number(limits::MAX_CELLS - 1);
        let owner = ProcessId(s.below(self.test.processes.len()) as u8);
        let relatives: Vec<ProcessId> = (0..self.test.processes.len())
            .map(|at| ProcessId(at as u8))
            .filter(|p| *p == owner || (self.family(*p) == self.family(owner) && s.chance()))
            .collect();
        let mut attributes = Attributes {
            readonly: s.chance(),
            ..Attributes::default()
        };
        attributes.tracked = s.chance();
        if s.chance() {
            let mode = s.of(&[UffdMode::Missing, UffdMode::Wp, UffdMode::Rwp]);
            let protected = mode != UffdMode::Missing && s.chance();
            attributes.uffd = Some(Uffd { mode, protected });
        }
        let contents = match s.below(5) {
            0 => Contents::Untouched,
            1 => Contents::Zero,
            2 => {
                let file = s.below(self.test.files.len());
                let in_file = self.test.files[file].values.len() as u8;
                let mapped = s.chance();
                if mapped {
                    attributes.dirty = s.chance();
                }
                return PageInit {
                    name: name.into(),
                    cells: cells.min(in_file),
                    contents: Contents::File {
                        file: FileId(file as u8),
                        mapped,
                    },
                    owner,
                    processes: relatives,
                    attributes,
                    span: SPAN,
                    name_span: SPAN,
                };
            }
            _ => {
                match s.below(4) {
                    0 => {}
                    1 => {
                        attributes.swapped = s.chance();
                        attributes.cached = s.chance();
                        attributes.writeback = attributes.cached && s.chance();
                    }
                    2 => attributes.lazy = true,
                    _ => attributes.ksm = Some(Ksm { with: Vec::new() }),
                }
                let always = attributes.lazy || attributes.swapped || attributes.ksm.is_some();
                attributes.dirty = !always && s.chance();
                attributes.wrprotected = !attributes.swapped && s.chance();
                attributes.nonexclusive = attributes.ksm.is_none() && s.chance();
                attributes.protnone = !attributes.swapped && s.chance();
                attributes.crowded = !attributes.swapped && s.chance();
                if s.chance() {
                    attributes.shared = relatives
                        .iter()
                        .copied()
                        .filter(|p| *p != owner && s.chance())
                        .collect();
                }
                Contents::Values((0..cells).map(|_| s.number(limits::MAX_VALUE)).collect())
            }
        };
        PageInit {
            name: name.into(),
            cells,
            contents,
            owner,
            processes: relatives,
            attributes,
            span: SPAN,
            name_span: SPAN,
        }
    }

    fn family(&self, process: ProcessId) -> ProcessId {
        self.test.processes[process.index()]
            .parent
            .unwrap_or(process)
    }

    fn thread(&mut self, number: Option<u8>, process: ProcessId, start: Start) -> ThreadId {
        let (stmts, registers, handles) = (Vec::new(), Vec::new(), Vec::new());
        self.test.threads.push(Thread {
            number,
            process,
            start,
            stmts,
            registers,
            handles,
            span: SPAN,
        });
        ThreadId((self.test.threads.len() - 1) as u8)
    }

    /// Threads at the top first, then the blocks of their forks, as the parser numbers them.
    fn threads(&mut self, s: &mut Source<'_>) {
        let mut children = vec!["D", "E"];
        let before = self.test.processes.len();
        // A process that a fork makes is numbered by its place in the text, hence before any thread of its own.
        let top = 1 + s.below(3);
        let mut number = 0;
        for _ in 0..top {
            let process = ProcessId(s.below(before) as u8);
            self.thread(Some(number), process, Start::AtOnce);
            number += 1 + s.number(2);
        }
        let mut forks: Vec<(ThreadId, ProcessId)> = Vec::new();
        for at in 0..top {
            if let (true, Some(name)) = (s.chance(), children.pop()) {
                let parent = Some(self.test.threads[at].process);
                self.test.processes.push(Process {
                    name: name.into(),
                    parent,
                    from_start: false,
                    span: SPAN,
                });
                forks.push((
                    ThreadId(at as u8),
                    ProcessId((self.test.processes.len() - 1) as u8),
                ));
            }
        }
        if let (true, Some((_, process))) = (s.chance(), forks.first()) {
            self.thread(Some(number), *process, Start::WithProcess);
        }
        for (by, process) in forks {
            let thread = self.thread(None, process, Start::Fork { by, stmt: 0 });
            let stmt = Stmt {
                result: None,
                call: Call::Fork {
                    child: process,
                    thread,
                },
                span: SPAN,
            };
            self.test.threads[by.index()].stmts.push(stmt);
        }
        if s.chance() {
            let at = ThreadId(s.below(top) as u8);
            let process = self.test.threads[at.index()].process;
            let pages = self
                .pages(process)
                .into_iter()
                .filter(|_| s.chance())
                .collect();
            let thread = s.chance().then_some(at);
            let pages = if thread.is_some() { pages } else { Vec::new() };
            self.test.tlb.push(Tlb {
                heat: s.of(&[Heat::Hot, Heat::Cold, Heat::Any]),
                thread,
                pages,
                span: SPAN,
            });
            let value = matches!(self.test.pages[0].contents, Contents::Values(_));
            let attributes = &mut self.test.pages[0].attributes;
            if value && !attributes.lazy && !attributes.swapped && attributes.ksm.is_none() {
                attributes.batch = Some(at);
            }
        }
        for at in 0..self.test.threads.len() {
            for _ in 0..s.below(6) {
                if let Some(stmt) = self.stmt(s, ThreadId(at as u8)) {
                    let thread = &mut self.test.threads[at];
                    if let Some(reg) = stmt.result.filter(|reg| !thread.registers.contains(reg)) {
                        thread.registers.push(reg);
                        thread.registers.sort();
                    }
                    thread.stmts.push(stmt);
                }
            }
        }
    }

    fn pages(&self, process: ProcessId) -> Vec<PageId> {
        let all = (0..self.test.pages.len()).map(|at| PageId(at as u8));
        all.filter(|page| self.test.has_page(process, *page))
            .collect()
    }

    fn anywhere(&self, s: &mut Source<'_>) -> Option<Address> {
        let process = ProcessId(s.below(self.test.processes.len()) as u8);
        let pages = self.pages(process);
        (!pages.is_empty()).then(|| Address {
            process,
            page: s.of(&pages),
        })
    }

    fn kernel(&mut self, s: &mut Source<'_>) -> Kernel {
        let mut activities = Vec::new();
        for _ in 0..1 + s.below(3) {
            let activity = match (s.below(8), self.anywhere(s), self.anywhere(s)) {
                (0, Some(at), _) => Activity::Reclaim { at },
                (1, Some(at), Some(other)) if at != other => Activity::Ksm {
                    pages: vec![at, other],
                },
                (2, Some(at), _) => Activity::Migrate { at },
                (3, Some(at), _) => Activity::NumaScan { at },
                (4, Some(at), _) => Activity::Madvise {
                    at,
                    advice: Advice::Cold,
                },
                (5, Some(at), _) => Activity::ClearRefs {
                    process: at.process,
                },
                (6, ..) => Activity::LruAddDrain,
                _ => Activity::Swapoff,
            };
            activities.push(KernelStmt {
                activity,
                span: SPAN,
            });
        }
        Kernel {
            copies: 1 + s.number(1),
            activities,
            span: SPAN,
        }
    }
}

fn clauses(s: &mut Source<'_>) -> Vec<Clause> {
    let profile = |s: &mut Source<'_>| Profile {
        text: s
            .of(&[
                "v5.8",
                "v5.18+swp_exclusive",
                "v5.19/riscv",
                "v6.12-unshare",
            ])
            .into(),
        span: SPAN,
    };
    let mut clauses = Vec::new();
    for _ in 0..s.below(3) {
        let range = match s.below(5) {
            0 => Range::All,
            1 => Range::One(profile(s)),
            2 => Range::FromTo(profile(s), profile(s)),
            3 => Range::From(profile(s)),
            _ => Range::To(profile(s)),
        };
        clauses.push(Clause {
            range,
            verdict: s.of(Verdict::ALL),
            span: SPAN,
        });
    }
    clauses
}
