//! How a random program is drawn: some calls that every program may have, and a theme with calls of its own, so that what belongs together
//! comes together.

use super::super::world::next;
use super::{Line, Palette, Program, Thread};

/// Calls of a program at most.
const CALLS: u64 = 12;

/// What the model's pipes have room for; a real one has more, and makes nobody wait.
const ROOM: u8 = cowherd_mm::PIPE_BUFS as u8;

const NAMES: [&str; 3] = ["x", "y", "z"];

/// What a program is about, besides what all are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Theme {
    /// Nothing else.
    Plain,
    /// ksmd over two pages.
    Ksm,
    /// Write protection by userfaultfd.
    Protect,
    /// Missing pages, which userfaultfd provides.
    Missing,
    /// mremap and munmap.
    Mremap,
    /// UFFDIO_MOVE.
    UffdMove,
    /// move_pages.
    Migrate,
    /// A private mapping of a file.
    Private,
    /// Registered buffers, read and written by direct I/O.
    Fixed,
    /// Pages in pipes.
    Pipes,
    /// The swap area is swapped off.
    Swapoff,
    /// Two processes that share pages from the start.
    Twins,
    /// Soft-dirty tracking.
    Tracked,
}

/// A handle that is still to be ended.
enum Open {
    Transfer(u8),
    /// And whether it may write.
    Holder(u8, bool),
    Buffer(u8),
}

struct Generator {
    random: u64,
    palette: Palette,
    theme: Theme,
    calls: u64,
    most: u64,
    registers: u8,
    handles: u8,
    transfers: u8,
    holders: u8,
    piped: u8,
    spliced: u8,
    pages: u64,
    /// There was an mremap.
    moved: bool,
    /// It goes to a lower address.
    downward: bool,
    /// Of KSM: pages are freed lazily, and never paged out.
    lazy: bool,
    /// The file is a block device, which is only read.
    device: bool,
    /// The process whose statements are drawn.
    here: char,
    /// Processes that there are, the first ones from the start.
    processes: Vec<char>,
}

/// The `n`th program of a seed.
pub fn program(seed: u64, n: u64, palette: Palette) -> Program {
    let mut random = (seed ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1;
    for _ in 0..4 {
        next(&mut random);
    }
    let mut g = Generator {
        random,
        palette,
        theme: Theme::Plain,
        calls: 0,
        most: 0,
        registers: 0,
        handles: 0,
        transfers: 0,
        holders: 0,
        piped: 0,
        spliced: 0,
        pages: 0,
        moved: false,
        downward: false,
        lazy: false,
        device: false,
        here: 'A',
        processes: vec!['A'],
    };
    g.theme = g.theme();
    g.pages = match g.theme {
        Theme::Ksm => 2,
        Theme::Mremap | Theme::UffdMove => 2 + g.below(2),
        _ => 1 + g.below(3),
    };
    g.most = 3 + g.below(CALLS - 2);
    g.downward = g.below(2) == 0;
    g.lazy = g.below(3) == 0;
    let declarations = g.declarations(n);
    let mut threads = vec![Thread {
        head: "P0 in A",
        body: Vec::new(),
    }];
    // Somebody has to help a thread that userfaultfd stops; and two processes want a thread each.
    let luck = g.below(8);
    let second = match g.theme {
        Theme::Twins => Some("P1 in B"),
        Theme::Protect | Theme::Missing if luck < 4 => Some("P1 in A"),
        // Nobody unmaps what is to be moved.
        Theme::Mremap => None,
        _ => (luck == 0).then_some("P1 in A"),
    };
    threads.extend(second.map(|head| Thread {
        head,
        body: Vec::new(),
    }));
    let all = g.most;
    let share = threads.len() as u64;
    for (done, thread) in (1..).zip(&mut threads) {
        g.most = all * done / share;
        g.here = if thread.head.ends_with('B') { 'B' } else { 'A' };
        g.block(&mut thread.body, 0);
    }
    Program {
        name: format!("random-{seed}-{n}"),
        declarations,
        threads,
        kernel: g.kernel(),
    }
}

impl Generator {
    fn below(&mut self, n: u64) -> u64 {
        next(&mut self.random) % n.max(1)
    }

    fn theme(&mut self) -> Theme {
        let p = self.palette;
        let all = [
            (Theme::Plain, true),
            (Theme::Plain, true),
            (Theme::Ksm, p.ksm),
            (Theme::Protect, p.uffd_wp),
            (Theme::Missing, p.uffd),
            (Theme::Mremap, true),
            (Theme::UffdMove, p.uffd_move),
            (Theme::Migrate, p.nodes),
            (Theme::Private, true),
            (Theme::Fixed, p.io_uring && p.fuse),
            (Theme::Pipes, true),
            (Theme::Swapoff, p.swapoff),
            (Theme::Twins, true),
            (Theme::Tracked, p.soft_dirty),
        ];
        let here: Vec<Theme> = all.iter().filter(|t| t.1).map(|t| t.0).collect();
        here[self.below(here.len() as u64) as usize]
    }

    fn declarations(&mut self, n: u64) -> Vec<String> {
        let mut all = Vec::new();
        if self.theme == Theme::Twins {
            self.processes.push('B');
            all.push("process B = fork(A)".into());
        }
        if self.theme == Theme::Private {
            all.push("file s = { 5, 6 }".into());
            all.push("file t = { 9, 10 }".into());
        }
        for page in 0..self.pages {
            all.push(self.page(page));
        }
        self.device = self.palette.nbd && self.theme != Theme::Fixed && self.below(2) == 0;
        all.push(match self.device {
            true => "file f on block-sync = { 7, 8 }".into(),
            false => "file f on fuse = { 7, 8 }".into(),
        });
        all.push("pipe p".into());
        if self.theme == Theme::Pipes {
            all.push("pipe q".into());
        }
        // Kinds of swap change seldom: an area of another kind takes a moment.
        all.push(match (n / 64).is_multiple_of(2) {
            true => "swap sync stable".into(),
            false => "swap async".into(),
        });
        all
    }

    fn page(&mut self, page: u64) -> String {
        let name = NAMES[page as usize];
        let (a, b) = match self.theme {
            // Often equal: those are merged.
            Theme::Ksm => (1, self.below(4) / 3),
            _ => (self.below(4), self.below(4)),
        };
        let values = format!("anon {name}[2] = {{ {a}, {b} }}");
        let own = match self.theme {
            Theme::Protect if page == 0 => {
                let state = ["uffd(wp)", "uffd(wp, protected)"][self.below(2) as usize];
                Some(format!("{values} {state}"))
            }
            Theme::Missing if page == 0 => Some(format!("anon {name}[2] uffd(missing)")),
            Theme::Mremap if name == self.ends_of_mremap().1 => Some(format!("anon {name}[2]")),
            Theme::UffdMove if page == 1 => Some(format!("anon {name}[2] uffd(wp)")),
            Theme::Private if page == 0 => Some(format!(
                "private {name}[2] of s{}",
                ["", " mapped"][self.below(2) as usize]
            )),
            Theme::Twins => Some(match self.below(4) {
                0 if self.palette.swap_sync => format!("{values} swapped, shared(A, B)"),
                1 => format!("{values} in A, in B"),
                _ => format!("{values} shared(A, B)"),
            }),
            // clear_refs is about all pages of a process.
            Theme::Tracked => Some(format!("{values} tracked")),
            _ => None,
        };
        if let Some(own) = own {
            return own;
        }
        // Between the cells of an untouched page there are zeroes, and of another one there are not: no two of them are equal.
        if self.theme == Theme::Ksm {
            return values;
        }
        match self.below(12) {
            0 => format!("anon {name}[2]"),
            1 => format!("anon {name}[2] zero"),
            2 => format!("{values} nonexclusive"),
            3 => format!("{values} lazy"),
            4 => format!("{values} readonly"),
            5 if self.palette.swap_sync => format!("{values} swapped"),
            6 if self.palette.clean => format!("{values} clean"),
            _ => values,
        }
    }

    /// What the kernel does by itself, or somebody who is not in the test.
    fn kernel(&mut self) -> Vec<String> {
        let x = NAMES[self.below(self.pages) as usize];
        let some = |times: u64, what: &str| vec![what.to_string(); times as usize];
        match self.theme {
            Theme::Ksm => some(1 + self.below(3), "ksm(x, y)"),
            Theme::Swapoff => some(1, "swapoff()"),
            Theme::Tracked => some(self.below(2), "clear_refs(A)"),
            Theme::Private => Vec::new(),
            _ => match self.below(6) {
                0 if self.palette.swap => some(1, &format!("madvise(A:{x}, MADV_PAGEOUT)")),
                1 => some(1, "lru_add_drain()"),
                _ => Vec::new(),
            },
        }
    }

    /// Statements of a thread. Handles are ended in the block that made them.
    fn block(&mut self, into: &mut Vec<Line>, depth: u8) {
        let mut open: Vec<Open> = Vec::new();
        // ksmd scans every mapping, and an activity names two.
        let most = if self.theme == Theme::Ksm { 1 } else { 3 };
        while self.calls < self.most {
            if depth > 0 && self.below(5) == 0 {
                break;
            }
            if self.processes.len() < most && self.below(6) == 0 {
                let child = (b'A' + self.processes.len() as u8) as char;
                self.processes.push(child);
                self.calls += 1;
                let mut block = Vec::new();
                let parent = std::mem::replace(&mut self.here, child);
                self.block(&mut block, depth + 1);
                self.here = parent;
                let ends = self.below(2) == 0;
                if ends {
                    block.push(Line::Call("exit()".into()));
                }
                into.push(Line::Fork(child, block));
                if ends && self.below(3) == 0 {
                    into.push(Line::Call(format!("waitpid({child})")));
                }
                continue;
            }
            let call = match self.below(3) {
                0 => self.of_theme(&mut open),
                _ => None,
            };
            if let Some(call) = call.or_else(|| self.call(&mut open)) {
                self.calls += 1;
                into.push(Line::Call(call));
            }
        }
        for open in open {
            if let Open::Transfer(n) = open {
                into.push(Line::Call(format!("wait(io{n})")));
            }
        }
    }

    fn register(&mut self) -> Option<u8> {
        (self.registers < 8).then(|| {
            self.registers += 1;
            self.registers - 1
        })
    }

    /// A call that only programs of this theme have.
    fn of_theme(&mut self, open: &mut Vec<Open>) -> Option<String> {
        let (cell, value) = (self.below(2), 1 + self.below(9));
        let other = NAMES[self.below(self.pages) as usize];
        let pick = self.below(4);
        let call = |text: &str| Some(text.to_string());
        match (self.theme, pick) {
            (Theme::Plain, _) => None,
            // What was read back before stays in the swap cache, which is swapoff's to empty.
            (Theme::Swapoff, 0 | 1) => Some(format!("madvise({other}, MADV_PAGEOUT)")),
            (Theme::Swapoff, _) => self.register().map(|r| format!("r{r} = {other}[{cell}]")),
            // userfaultfd is the parent's.
            (Theme::Protect | Theme::Missing | Theme::UffdMove, _) if self.here != 'A' => None,
            (Theme::Ksm, 0) => Some(format!("madvise({other}, MADV_UNMERGEABLE)")),
            (Theme::Ksm, 1) => Some(format!("madvise({other}, MADV_MERGEABLE)")),
            (Theme::Ksm, 2) => Some(format!("{other}[1] = 0")),
            (Theme::Ksm, _) => Some(format!("{other}[0] = 1")),
            (Theme::Protect, 0 | 1) => call("uffd_writeprotect(x)"),
            (Theme::Protect, _) => call("uffd_unprotect(x)"),
            (Theme::Missing, 0) => Some(format!("uffd_copy(x, {value})")),
            (Theme::Missing, 1) => call("uffd_zeropage(x)"),
            (Theme::Missing, 2) => call("madvise(x, MADV_DONTNEED)"),
            (Theme::Missing, _) => Some(format!("process_vm_writev(A:x[{cell}], {value})")),
            // Where there is nothing to move, up to 5.16 what is at the new place goes all the same: not modelled.
            (Theme::Mremap, 0 | 1) if !self.moved => {
                self.moved = true;
                let (from, to) = self.ends_of_mremap();
                Some(format!("mremap({from}, {to})"))
            }
            (Theme::Mremap, 2) if other != self.ends_of_mremap().0 || self.moved => {
                Some(format!("munmap({other})"))
            }
            (Theme::Mremap, _) => None,
            (Theme::UffdMove, 0 | 1) => call("uffd_move(y, x)"),
            (Theme::UffdMove, _) => call("madvise(y, MADV_DONTNEED)"),
            (Theme::Migrate, _) => Some(format!("move_pages({other})")),
            (Theme::Private, 0) => Some(format!("mem_write(A:x[{cell}], {value})")),
            (Theme::Private, 1) => Some(format!("pread(t[{cell}], {other}[{cell}])")),
            (Theme::Private, 2) => Some(format!("pwrite(t[{cell}], {other}[{cell}])")),
            (Theme::Private, _) => call("madvise(x, MADV_DONTNEED)"),
            (Theme::Fixed, 0) if self.holders < 2 => {
                self.holders += 1;
                self.handles += 1;
                open.push(Open::Buffer(self.handles));
                Some(format!("b{} = register_buffer({other})", self.handles))
            }
            (Theme::Fixed, _) => {
                let held = open.iter().find_map(|o| match o {
                    Open::Buffer(n) => Some(*n),
                    _ => None,
                })?;
                if pick == 3 {
                    open.retain(|o| !matches!(o, Open::Buffer(n) if *n == held));
                    return Some(format!("unregister(b{held})"));
                }
                if self.transfers == 3 {
                    return None;
                }
                self.transfers += 1;
                let way = ["read_fixed", "write_fixed"][self.below(2) as usize];
                Some(format!("{way}(f[{cell}], b{held}[{cell}])"))
            }
            (Theme::Pipes, 0) => call("tee(p, q)"),
            (Theme::Pipes, 1) => call("splice(p, q)"),
            (Theme::Pipes, 2) => self.register().map(|r| format!("r{r} = read(q)")),
            (Theme::Pipes, _) if self.spliced < ROOM => {
                self.spliced += 1;
                Some(format!("vmsplice(p, {other}[{cell}])"))
            }
            (Theme::Pipes, _) => None,
            (Theme::Twins, _) => {
                let (ours, theirs) = (self.process(), self.process());
                match pick {
                    0 => Some(format!(
                        "process_vm_writev({ours}:{other}[{cell}], {value})"
                    )),
                    1 => Some(format!("mem_write({theirs}:{other}[{cell}], {value})")),
                    2 => Some(format!("process_madvise({ours}:{other}, MADV_PAGEOUT)")),
                    _ => Some(format!("{other}[{cell}] = {value}")),
                }
            }
            (Theme::Tracked, 0 | 1) => call("clear_refs(A)"),
            (Theme::Tracked, _) => self.register().map(|r| format!("r{r} = pagemap({other})")),
        }
    }

    /// What is moved, and where to.
    fn ends_of_mremap(&self) -> (&'static str, &'static str) {
        match self.downward {
            true => ("y", "x"),
            false => ("x", "y"),
        }
    }

    /// May a program give this advice? Between the cells of a page that was discarded there are zeroes, so ksmd would not merge what the
    /// model merges: programs of KSM drop none, and page none out that were freed lazily.
    fn may(&self, advice: &str) -> bool {
        match (self.theme, advice) {
            (Theme::Ksm, "DONTNEED") => false,
            (Theme::Ksm, "FREE") => self.lazy,
            (Theme::Ksm, "PAGEOUT") => self.palette.swap && !self.lazy,
            (_, "PAGEOUT") => self.palette.swap,
            _ => true,
        }
    }

    /// A process that there is, or was.
    fn process(&mut self) -> char {
        let n = self.below(self.processes.len() as u64);
        self.processes[n as usize]
    }

    fn call(&mut self, open: &mut Vec<Open>) -> Option<String> {
        let at = self.below(self.pages);
        let x = NAMES[at as usize];
        // Reclaim of a file's pages is not modelled.
        let of_file = self.theme == Theme::Private && at == 0;
        let stopped = matches!(self.theme, Theme::Protect | Theme::Missing);
        let (cell, value) = (self.below(2), 1 + self.below(9));
        let a = self.process();
        let advice = |advice: &str| Some(format!("madvise({x}, MADV_{advice})"));
        let one_of =
            |g: &mut Generator, all: &[&'static str]| all[g.below(all.len() as u64) as usize];
        match self.below(38) {
            0..=4 => self.register().map(|r| format!("r{r} = {x}[{cell}]")),
            5..=9 => Some(format!("{x}[{cell}] = {value}")),
            10..=13 if self.may("PAGEOUT") && !of_file => advice("PAGEOUT"),
            // In the model a thread that was stopped goes on without being woken, once nothing would stop it.
            14 if self.may("DONTNEED") && !(self.theme == Theme::Protect && at == 0) => {
                advice("DONTNEED")
            }
            15 if self.may("FREE") => advice("FREE"),
            16 => advice("COLD"),
            17 if self.palette.swap => advice("WILLNEED"),
            18 => advice("POPULATE_READ"),
            19 => advice("POPULATE_WRITE"),
            20 => advice(one_of(
                self,
                &["DONTFORK", "WIPEONFORK", "DOFORK", "KEEPONFORK"],
            )),
            21 => Some(format!("mprotect({x}, PROT_READ)")),
            22 => Some(format!("mprotect({x}, PROT_READ, PROT_WRITE)")),
            23 if self.piped < 2 && self.spliced < ROOM => {
                self.piped += 1;
                self.spliced += 1;
                Some(format!("vmsplice(p, {x}[{cell}])"))
            }
            24 if self.piped > 0 => {
                let r = self.register()?;
                self.piped -= 1;
                Some(format!("r{r} = read(p)"))
            }
            25 if self.palette.fuse && self.transfers < 3 => {
                self.transfers += 1;
                let way = one_of(
                    self,
                    &["pread", if self.device { "pread" } else { "pwrite" }],
                );
                Some(format!("{way}(f[{cell}], {x}[{cell}], O_DIRECT)"))
            }
            26 | 27 if self.palette.fuse && self.transfers < 3 => {
                self.transfers += 1;
                self.handles += 1;
                let n = self.handles;
                open.push(Open::Transfer(n));
                let write = if self.device {
                    "read_submit"
                } else {
                    "write_submit"
                };
                let way = one_of(self, &["read_submit", write]);
                Some(format!("io{n} = {way}(f[{cell}], {x}[{cell}])"))
            }
            // io_uring lets no userfaultfd be waited for, up to 6.x.
            28 if self.holders < 2 && !(stopped && at == 0) => {
                self.holders += 1;
                self.handles += 1;
                let n = self.handles;
                let pins = self.palette.io_uring && self.below(2) == 0;
                open.push(Open::Holder(n, pins));
                Some(match pins {
                    true => format!("h{n} = pin({x}, FOLL_WRITE, FOLL_LONGTERM)"),
                    false => format!("h{n} = get({x})"),
                })
            }
            29 => {
                let (held, writes) = open.iter().find_map(|o| match o {
                    Open::Holder(n, writes) => Some((*n, *writes)),
                    _ => None,
                })?;
                match self.below(3) {
                    0 => self.register().map(|r| format!("r{r} = h{held}[{cell}]")),
                    1 if writes => Some(format!("h{held}[{cell}] = {value}")),
                    1 => None,
                    _ => {
                        open.retain(|o| !matches!(o, Open::Holder(n, _) if *n == held));
                        Some(format!("release(h{held})"))
                    }
                }
            }
            30 => Some(format!("process_vm_writev({a}:{x}[{cell}], {value})")),
            31 => self
                .register()
                .map(|r| format!("r{r} = process_vm_readv({a}:{x}[{cell}])")),
            32 => Some(format!("mem_write({a}:{x}[{cell}], {value})")),
            33 if self.palette.soft_dirty => match self.below(2) {
                0 => Some("clear_refs(A)".into()),
                _ => self.register().map(|r| format!("r{r} = pagemap({x})")),
            },
            34 => Some("lru_add_drain()".into()),
            35 if self.may("PAGEOUT") && !of_file => {
                let advice = one_of(self, &["PAGEOUT", "COLD", "WILLNEED"]);
                Some(format!("process_madvise({a}:{x}, MADV_{advice})"))
            }
            36 => self
                .register()
                .map(|r| format!("r{r} = mem_read({a}:{x}[{cell}])")),
            37 if self.below(3) == 0 => Some(format!("mprotect({x}, PROT_NONE)")),
            _ => None,
        }
    }
}
