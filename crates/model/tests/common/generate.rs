//! Random small programs: every call, activity and attribute of the language occurs.
//!
//! A *fragment* is one call, or several that belong together (`b0 = register_buffer(x)` and what is done with it); `|` in it is a
//! place where other calls may come between. Its blanks: `$v` a value that nobody else writes, `$r` a register, `$h` a handle,
//! `$x` a variable, `$c` a cell of it, `$f` a file, `$A` a process that has the variable.

use super::draft::{Draft, Line};
use super::random::Random;

/// What a thread may do.
pub const CALLS: &[&str] = &[
    "$r = $x[$c]",
    "$x[$c] = $v",
    "$r = $x[$c]; $x[$c] = $v",
    "fork",
    "exit",
    "waitpid(B)",
    "$r = pread($f, $x[$c], O_DIRECT)",
    "$r = pwrite(g, $x[$c], O_DIRECT)",
    "pread($f, $x[$c])",
    "pwrite(g, $x[$c])",
    "$h = read_submit($f, $x[$c]) | $r = wait($h)",
    "read_submit($f, $x[$c])",
    "$h = write_submit(g, $x[$c]) | wait($h)",
    "vmsplice(p, $x[$c]) | $r = read(p)",
    "vmsplice(p, $x[$c])",
    "vmsplice(p, $x[$c]); tee(p, q) | $r = read(q)",
    "vmsplice(p, $x[$c]) | splice(p, q); $r = read(q)",
    "$h = register_buffer($x) | read_fixed($f, $h[$c]) | unregister($h)",
    "$h = register_buffer($x) | write_fixed(g, $h[$c]); unregister($h)",
    "register_buffer($x)",
    "$h = get($x) | $r = $h[$c]; release($h)",
    "$h = get($x, FOLL_WRITE) | $h[$c] = $v | release($h)",
    "$h = get($x, FOLL_WRITE, FOLL_FORCE) | $h[$c] = $v; release($h)",
    "$h = pin($x) | $r = $h[$c]; release($h)",
    "$h = pin($x, FOLL_LONGTERM) | $r = $h[$c]; release($h)",
    "$h = pin($x, FOLL_WRITE) | $h[$c] = $v | release($h)",
    "$h = pin($x, FOLL_WRITE, FOLL_LONGTERM) | $h[$c] = $v; $r = $h[$c] | release($h)",
    "pin($x, FOLL_WRITE, FOLL_LONGTERM)",
    "mem_write($A:$x[$c], $v)",
    "$r = mem_read($A:$x[$c])",
    "process_vm_writev($A:$x[$c], $v)",
    "$r = process_vm_readv($A:$x[$c])",
    "madvise($x, MADV_DONTNEED)",
    "madvise($x, MADV_FREE)",
    "madvise($x, MADV_PAGEOUT)",
    "madvise($x, MADV_COLD)",
    "madvise($x, MADV_WILLNEED)",
    "madvise($x, MADV_POPULATE_READ)",
    "madvise($x, MADV_POPULATE_WRITE)",
    "madvise($x, MADV_MERGEABLE)",
    "madvise($x, MADV_UNMERGEABLE)",
    "madvise($x, MADV_DONTFORK)",
    "madvise($x, MADV_DONTFORK); madvise($x, MADV_DOFORK)",
    "madvise($x, MADV_WIPEONFORK)",
    "madvise($x, MADV_WIPEONFORK); madvise($x, MADV_KEEPONFORK)",
    "process_madvise($A:$x, MADV_PAGEOUT)",
    "munmap($x)",
    "mremap($x, z)",
    "mprotect($x, PROT_READ)",
    "mprotect($x, PROT_READ) | mprotect($x, PROT_READ, PROT_WRITE)",
    "mprotect($x, PROT_READ, PROT_WRITE)",
    "mprotect($x, PROT_NONE) | mprotect($x, PROT_READ, PROT_WRITE)",
    "clear_refs($A)",
    "$r = pagemap($x)",
    "uffd_writeprotect($x)",
    "uffd_unprotect($x)",
    "uffd_writeprotect($x) | uffd_unprotect($x)",
    "uffd_rwprotect($x)",
    "uffd_move(z, $x)",
    "uffd_copy($x, $w)",
    "uffd_zeropage($x)",
    "uffd_continue($x)",
    "swapoff()",
    "move_pages($x)",
    "lru_add_drain()",
];

/// What the kernel may do beside.
pub const ACTIVITIES: &[&str] = &[
    "reclaim($A:$x)",
    "reclaim($A:$x)",
    "ksm($A:$x, A:y)",
    "ksm($A:$x)",
    "migrate($A:$x)",
    "numa_scan($A:$x)",
    "swapoff()",
    "lru_add_drain()",
    "clear_refs($A)",
    "madvise($A:$x, MADV_PAGEOUT)",
    "madvise($A:$x, MADV_COLD)",
];

/// How the variable may be at the start: what declares it, and its attributes.
pub const STARTS: &[(&str, &str)] = &[
    ("values", ""),
    ("values", ""),
    ("values", "clean"),
    ("values", "nonexclusive"),
    ("values", "wrprotected"),
    ("values", "wrprotected, clean"),
    ("values", "batch(P0)"),
    ("values", "nonexclusive, batch(P1)"),
    ("values", "crowded"),
    ("values", "nonexclusive, crowded"),
    ("values", "shared(A, B), crowded"),
    ("values", "cached, crowded"),
    ("values", "cached"),
    ("values", "cached, clean"),
    ("values", "cached, nonexclusive"),
    ("values", "cached, batch(P0)"),
    ("values", "swapped"),
    ("values", "swapped"),
    ("values", "swapped, nonexclusive"),
    ("values", "swapped, cached"),
    ("values", "swapped, cached, writeback"),
    ("values", "swapped, cached, batch(P1)"),
    ("values", "lazy"),
    ("values", "lazy, wrprotected"),
    ("values", "ksm"),
    ("values", "ksm with y"),
    ("values", "protnone"),
    ("values", "tracked"),
    ("values", "readonly"),
    ("values", "readonly, clean"),
    ("values", "uffd(wp)"),
    ("values", "uffd(wp, protected)"),
    ("values", "uffd(rwp)"),
    ("values", "uffd(rwp, protected)"),
    ("values", "uffd(missing)"),
    ("values", "uffd(wp), swapped"),
    ("values", "uffd(wp, protected), swapped"),
    ("values", "shared(A, B)"),
    ("values", "shared(A, B), cached, clean"),
    ("values", "shared(A, B), swapped"),
    ("values", "shared(A, B), swapped, cached"),
    ("values", "shared(A, B), cached"),
    ("values", "shared(A, B), ksm"),
    ("values", "shared(A, B), batch(P0)"),
    ("nothing", ""),
    ("nothing", "uffd(missing)"),
    ("nothing", "readonly"),
    ("nothing", "zero"),
    ("nothing", "zero, readonly"),
    ("nothing", "zero, uffd(wp)"),
    ("file", ""),
    ("file", "mapped"),
    ("file", "mapped, readonly"),
    ("file", "mapped, uffd(wp)"),
    ("shmem", "uffd(minor)"),
];

const FILE_SYSTEMS: [&str; 5] = ["block", "block-sync", "nfs", "fuse", "ceph"];

/// Makes drafts.
pub struct Generator {
    random: Random,
    values: u8,
    /// Cells of a page.
    pub cells: u8,
    handles: usize,
    registers: usize,
    both: bool,
    forks: usize,
}

impl Generator {
    /// The same seed gives the same programs.
    pub fn new(seed: u64) -> Generator {
        Generator {
            random: Random::new(seed),
            values: 4,
            cells: 1,
            handles: 0,
            registers: 0,
            both: false,
            forks: 0,
        }
    }

    /// The declarations for a variable that starts so, with file, pipes and swap device.
    fn declare(&mut self, start: (&str, &str), draft: &mut Draft) {
        let two = self.cells == 2;
        let cells = if two { "[2]" } else { "" };
        let (kind, attributes) = start;
        self.both = attributes.contains("shared") || self.random.once_in(4);
        if self.both {
            draft.decls.push("process B = fork(A)".into());
        }
        let swap = match self.random.below(6) {
            0..=1 => "swap async",
            2..=3 => "swap sync",
            4 => "swap async stable",
            _ => "swap sync stable",
        };
        let slots = if self.random.once_in(6) {
            " slots 1"
        } else {
            ""
        };
        let full = if self.random.once_in(4) {
            " half_full"
        } else {
            ""
        };
        draft.decls.push(format!("{swap}{full}{slots}"));
        let fs = self.random.of(&FILE_SYSTEMS);
        let contents = if two { "{ 3, 4 }" } else { "3" };
        draft.decls.push(format!("file f on {fs} = {contents}"));
        let fs = self.random.of(&FILE_SYSTEMS);
        draft.decls.push(format!("file g on {fs} = {contents}"));
        draft.decls.push("pipe p".into());
        draft.decls.push("pipe q".into());
        let values = if two { "{ 1, 2 }" } else { "1" };
        let other = match (kind, attributes) {
            (_, "ksm with y") => format!("anon y{cells} = {values} ksm"),
            _ if self.random.once_in(2) => format!("anon y{cells} = {values}"),
            _ => format!("anon y{cells} = {values} nonexclusive"),
        };
        draft.decls.push(other);
        draft.decls.push(format!("anon z{cells}"));
        draft.x = match kind {
            "values" => format!("anon x{cells} = {values}"),
            "nothing" => format!("anon x{cells}"),
            "file" => {
                draft.decls.push(format!("file s = {values}"));
                format!("private x{cells} of s")
            }
            _ => {
                draft.decls.push(format!("file s on shmem = {values}"));
                format!("private x{cells} of s")
            }
        };
        let mut depth = 0;
        let split = |c: char| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            c == ',' && depth == 0
        };
        let words = attributes.split(split).map(|word| word.trim().to_owned());
        draft.attributes = words.filter(|word| !word.is_empty()).collect();
        match self.random.below(4) {
            0 => draft.decls.push("tlb hot".into()),
            1 => draft.decls.push("tlb any".into()),
            _ => {}
        }
        if self.random.once_in(8) {
            let fails = ["swap_full", "oom", "io_error", "trylock", "short_gup"];
            draft.decls.push(format!("fail {}", self.random.of(&fails)));
        }
    }

    /// Fills the blanks of a fragment: its lines, those before and those after each gap.
    fn fill(&mut self, fragment: &str, process: &str, on: &[&str]) -> Vec<Vec<Line>> {
        if fragment == "fork" {
            return vec![vec![self.fork(on)]];
        }
        let page = self.random.of(on);
        let target = if self.both && self.random.once_in(2) {
            "B"
        } else {
            process
        };
        let handle = format!("h{}", self.handles);
        self.handles += usize::from(fragment.contains("$h"));
        let cell = self.random.below(self.cells as usize).to_string();
        let mut text = fragment
            .replace("$h", &handle)
            .replace("$x", page)
            .replace("$c", &cell)
            .replace("$f", "f")
            .replace("$A", target);
        while text.contains("$v") {
            text = text.replacen("$v", &self.value(), 1);
        }
        if text.contains("$w") {
            let values: Vec<String> = (0..self.cells).map(|_| self.value()).collect();
            text = text.replace("$w", &values.join(", "));
        }
        while text.contains("$r") {
            text = text.replacen("$r", &format!("r{}", self.registers % 16), 1);
            self.registers += 1;
        }
        let line = |text: &str| Line::Plain(text.trim().to_owned());
        text.split('|')
            .map(|part| part.split(';').map(line).collect())
            .collect()
    }

    fn value(&mut self) -> String {
        self.values = self.values % 15 + 1;
        self.values.to_string()
    }

    fn fork(&mut self, on: &[&str]) -> Line {
        const BODY: &[&str] = &[
            "$r = $x[$c]",
            "$x[$c] = $v",
            "exit",
            "munmap($x)",
            "madvise($x, MADV_DONTNEED)",
            "madvise($x, MADV_PAGEOUT)",
            "pread($f, $x[$c], O_DIRECT)",
            "$r = pin($x)",
        ];
        let child = ["C", "D"][self.forks.min(1)];
        self.forks += 1;
        let mut body = Vec::new();
        for _ in 0..self.random.below(3) {
            let fragment = self.random.of(BODY).replace("$r = pin", "pin");
            body.extend(self.fill(&fragment, child, on).concat());
        }
        Line::Fork(child.into(), body.into_iter().map(called).collect())
    }

    /// A thread of these fragments, the later ones perhaps within the gaps of the earlier ones.
    fn thread(&mut self, fragments: &[&str], process: &str, on: &[&str]) -> Vec<Line> {
        self.handles = 0;
        self.registers = 0;
        let mut lines: Vec<Line> = Vec::new();
        let mut gap = 0;
        for fragment in fragments {
            let mut parts = self.fill(fragment, process, on);
            let nested = self.random.once_in(2);
            let at = if nested { gap } else { lines.len() };
            let rest = parts.split_off(1).concat();
            let first = parts.concat();
            gap = at + first.len();
            let tail = lines.split_off(at);
            lines.extend(first);
            lines.extend(rest);
            lines.extend(tail);
        }
        lines.into_iter().map(called).collect()
    }

    /// These fragments, each list by a thread of its own (`true`: or by the kernel), on one page.
    pub fn draft(
        &mut self,
        start: (&str, &str),
        threads: &[&[&str]],
        kernel: &[&[&str]],
        on: &[&str],
    ) -> Draft {
        let mut draft = Draft::default();
        self.declare(start, &mut draft);
        self.forks = 0;
        let mut registers = Vec::new();
        for (n, fragments) in threads.iter().enumerate() {
            let process = if self.both && n > 0 && self.random.once_in(2) {
                "B"
            } else {
                "A"
            };
            let lines = self.thread(fragments, process, on);
            for line in &lines {
                if let Line::Plain(text) = line
                    && text.starts_with('r')
                    && let Some((register, _)) = text.split_once(" = ")
                {
                    registers.push(format!("P{n}:{register}"));
                }
            }
            draft.threads.push((format!("P{n} in {process}"), lines));
        }
        while draft.threads.len() < 2 {
            let n = draft.threads.len();
            draft.threads.push((format!("P{n} in A"), Vec::new()));
        }
        for activities in kernel {
            let mut lines = Vec::new();
            for activity in *activities {
                lines.extend(self.fill(activity, "A", on).concat());
            }
            draft.kernel.push(lines);
        }
        registers.push("A:x[0]".into());
        registers.truncate(6);
        draft.condition = format!("locations [{}]\nexists (violates)", registers.join("; "));
        draft
    }

    /// Any program of two to four calls, sometimes more.
    pub fn any(&mut self) -> Draft {
        self.cells = 1 + self.random.once_in(4) as u8;
        let start = self.random.of(STARTS);
        let mut calls = 2 + self.random.below(3);
        let mut threads: Vec<Vec<&str>> = Vec::new();
        let mut kernel: Vec<Vec<&str>> = Vec::new();
        while calls > 0 {
            calls -= 1;
            if self.random.below(3) == 0 {
                let activity = self.random.of(ACTIVITIES);
                match kernel.last_mut().filter(|_| self.random.once_in(2)) {
                    Some(last) => last.push(activity),
                    None => kernel.push(vec![activity]),
                }
            } else {
                let call = self.random.of(CALLS);
                let full = threads.len() == 2;
                match threads
                    .last_mut()
                    .filter(|_| full || self.random.once_in(2))
                {
                    Some(last) => last.push(call),
                    None => threads.push(vec![call]),
                }
            }
        }
        let on: &[&str] = if self.random.once_in(6) {
            &["x", "y"]
        } else {
            &["x"]
        };
        let threads: Vec<&[&str]> = threads.iter().map(|t| &t[..]).collect();
        let kernel: Vec<&[&str]> = kernel.iter().map(|t| &t[..]).collect();
        self.draft(start, &threads, &kernel, on)
    }
}

/// `exit` is written with its parentheses.
fn called(line: Line) -> Line {
    match line {
        Line::Plain(text) if text == "exit" => Line::Plain("exit()".into()),
        other => other,
    }
}
