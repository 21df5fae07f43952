//! Random programs, to hold against the model what nobody has thought of.
//!
//! A program is lines of the language, kept apart so that a program that the model forbids can be made smaller line by line.

use super::machine::Machine;
use super::uffd::feature;
use super::world::next;

/// Calls of a program at most.
const CALLS: u64 = 12;

/// A program: declarations, and statements of threads in order. A thread is a path of forks: `P0`, then blocks within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    name: String,
    declarations: Vec<String>,
    body: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// A statement.
    Call(String),
    /// `fork(B) { ... }`
    Fork(char, Vec<Line>),
}

/// What a machine lets programs contain.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// Direct I/O.
    pub fuse: bool,
    /// Registered buffers.
    pub io_uring: bool,
    /// clear_refs and pagemap.
    pub soft_dirty: bool,
    /// userfaultfd's calls that nobody waits for: UFFDIO_MOVE.
    pub moves: bool,
    /// Swap.
    pub swap: bool,
}

impl Palette {
    /// What this machine lets them contain.
    pub fn of(machine: &Machine) -> Palette {
        Palette {
            fuse: machine.fuse,
            io_uring: machine.io_uring,
            soft_dirty: machine.soft_dirty,
            moves: machine.uffd.is_some_and(|f| f & feature::MOVE != 0),
            swap: machine.swap.is_some() || !machine.own_swap.is_empty(),
        }
    }
}

/// Draws programs.
pub struct Generator {
    random: u64,
    palette: Palette,
    calls: u64,
    registers: u8,
    handles: u8,
    transfers: u8,
    holders: u8,
    piped: u8,
    pages: u64,
    children: u8,
}

impl Generator {
    /// The `n`th program of a seed.
    pub fn program(seed: u64, n: u64, palette: Palette) -> Program {
        let mut random = (seed ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1;
        for _ in 0..4 {
            next(&mut random);
        }
        let mut g = Generator {
            random,
            palette,
            calls: 0,
            registers: 0,
            handles: 0,
            transfers: 0,
            holders: 0,
            piped: 0,
            pages: 0,
            children: 0,
        };
        g.pages = 1 + g.below(3);
        let calls = 3 + g.below(CALLS - 2);
        let mut declarations: Vec<String> = (0..g.pages).map(|page| g.page(page)).collect();
        declarations.push("file f on fuse = { 7, 8 }".into());
        declarations.push("pipe p".into());
        // Kinds of swap change seldom: an area of another kind takes a moment.
        let swap = if (n / 64).is_multiple_of(2) {
            "swap sync stable"
        } else {
            "swap async"
        };
        declarations.push(swap.into());
        let mut body = Vec::new();
        g.block(&mut body, calls, 0);
        Program {
            name: format!("random-{seed}-{n}"),
            declarations,
            body,
        }
    }

    fn below(&mut self, n: u64) -> u64 {
        next(&mut self.random) % n.max(1)
    }

    fn page(&mut self, page: u64) -> String {
        let name = NAMES[page as usize];
        let (a, b) = (self.below(4), self.below(4));
        match self.below(10) {
            0 => format!("anon {name}[2]"),
            1 => format!("anon {name}[2] zero"),
            2 => format!("anon {name}[2] = {{ {a}, {b} }} nonexclusive"),
            3 => format!("anon {name}[2] = {{ {a}, {b} }} lazy"),
            4 => format!("anon {name}[2] = {{ {a}, {b} }} readonly"),
            _ => format!("anon {name}[2] = {{ {a}, {b} }}"),
        }
    }

    /// Statements of a thread. Handles are ended in the block that made them.
    fn block(&mut self, into: &mut Vec<Line>, calls: u64, depth: u8) {
        let mut open: Vec<Open> = Vec::new();
        while self.calls < calls {
            if depth > 0 && self.below(5) == 0 {
                break;
            }
            if self.children < 2 && self.below(6) == 0 {
                let child = (b'B' + self.children) as char;
                self.children += 1;
                self.calls += 1;
                let mut block = Vec::new();
                self.block(&mut block, calls, depth + 1);
                if self.below(3) == 0 {
                    block.push(Line::Call("exit()".into()));
                }
                into.push(Line::Fork(child, block));
                continue;
            }
            if let Some(call) = self.call(&mut open) {
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

    fn call(&mut self, open: &mut Vec<Open>) -> Option<String> {
        let at = self.below(self.pages);
        let x = NAMES[at as usize];
        let (cell, value) = (self.below(2), 1 + self.below(9));
        let advice = |advice: &str| Some(format!("madvise({x}, MADV_{advice})"));
        match self.below(34) {
            0..=4 => self.register().map(|r| format!("r{r} = {x}[{cell}]")),
            5..=9 => Some(format!("{x}[{cell}] = {value}")),
            10..=13 if self.palette.swap => advice("PAGEOUT"),
            14 => advice("DONTNEED"),
            15 => advice("FREE"),
            16 => advice("COLD"),
            17 if self.palette.swap => advice("WILLNEED"),
            18 => advice("POPULATE_READ"),
            19 => advice("POPULATE_WRITE"),
            20 => {
                advice(["DONTFORK", "WIPEONFORK", "DOFORK", "KEEPONFORK"][self.below(4) as usize])
            }
            21 => Some(format!("mprotect({x}, PROT_READ)")),
            22 => Some(format!("mprotect({x}, PROT_READ, PROT_WRITE)")),
            23 if self.piped < 2 => {
                self.piped += 1;
                Some(format!("vmsplice(p, {x}[{cell}])"))
            }
            24 if self.piped > 0 => {
                let r = self.register()?;
                self.piped -= 1;
                Some(format!("r{r} = read(p)"))
            }
            25 if self.palette.fuse && self.transfers < 3 => {
                self.transfers += 1;
                let way = ["pread", "pwrite"][self.below(2) as usize];
                Some(format!("{way}(f[{cell}], {x}[{cell}], O_DIRECT)"))
            }
            26 | 27 if self.palette.fuse && self.transfers < 3 => {
                self.transfers += 1;
                self.handles += 1;
                open.push(Open::Transfer(self.handles));
                let way = ["read_submit", "write_submit"][self.below(2) as usize];
                Some(format!(
                    "io{} = {way}(f[{cell}], {x}[{cell}])",
                    self.handles
                ))
            }
            28 if self.palette.io_uring && self.holders < 2 => {
                self.holders += 1;
                self.handles += 1;
                open.push(Open::Holder(self.handles));
                Some(format!(
                    "h{} = pin({x}, FOLL_WRITE, FOLL_LONGTERM)",
                    self.handles
                ))
            }
            29 => {
                let held = open.iter().find_map(|o| match o {
                    Open::Holder(n) => Some(*n),
                    Open::Transfer(_) => None,
                })?;
                match self.below(3) {
                    0 => self.register().map(|r| format!("r{r} = h{held}[{cell}]")),
                    1 => Some(format!("h{held}[{cell}] = {value}")),
                    _ => {
                        open.retain(|o| !matches!(o, Open::Holder(n) if *n == held));
                        Some(format!("release(h{held})"))
                    }
                }
            }
            30 => Some(format!("process_vm_writev(A:{x}[{cell}], {value})")),
            31 => self
                .register()
                .map(|r| format!("r{r} = process_vm_readv(A:{x}[{cell}])")),
            32 => Some(format!("mem_write(A:{x}[{cell}], {value})")),
            33 if self.palette.soft_dirty => match self.below(2) {
                0 => Some("clear_refs(A)".into()),
                _ => self.register().map(|r| format!("r{r} = pagemap({x})")),
            },
            _ => None,
        }
    }
}

const NAMES: [&str; 3] = ["x", "y", "z"];

/// A handle that is still to be ended.
enum Open {
    Transfer(u8),
    Holder(u8),
}

impl Program {
    /// As a litmus test that asks nothing in particular.
    pub fn text(&self) -> String {
        let mut text = format!("MM {}\n\n{{\n", self.name);
        for declaration in &self.declarations {
            text.push_str(&format!("    {declaration};\n"));
        }
        text.push_str("}\n\nP0 in A {\n");
        write(&self.body, 1, &mut text);
        text.push_str("}\n\nexists (true)\n");
        text
    }

    /// The calls.
    pub fn calls(&self) -> usize {
        count(&self.body)
    }

    /// Every program that lacks one line or declaration of this one. Not all of them are right.
    pub fn smaller(&self) -> Vec<Program> {
        let mut all: Vec<Program> = without(&self.body)
            .into_iter()
            .map(|body| Program {
                body,
                ..self.clone()
            })
            .collect();
        all.extend((0..self.declarations.len()).map(|n| {
            let mut smaller = self.clone();
            smaller.declarations.remove(n);
            smaller
        }));
        all
    }
}

fn write(lines: &[Line], depth: usize, text: &mut String) {
    let indent = "    ".repeat(depth);
    for line in lines {
        match line {
            Line::Call(call) => text.push_str(&format!("{indent}{call};\n")),
            Line::Fork(child, block) => {
                text.push_str(&format!("{indent}fork({child}) {{\n"));
                write(block, depth + 1, text);
                text.push_str(&format!("{indent}}}\n"));
            }
        }
    }
}

fn count(lines: &[Line]) -> usize {
    let line = |line: &Line| match line {
        Line::Call(_) => 1,
        Line::Fork(_, block) => 1 + count(block),
    };
    lines.iter().map(line).sum()
}

fn without(lines: &[Line]) -> Vec<Vec<Line>> {
    let mut all = Vec::new();
    for n in 0..lines.len() {
        let mut less = lines.to_vec();
        less.remove(n);
        all.push(less);
        if let Line::Fork(child, block) = &lines[n] {
            for block in without(block) {
                let mut less = lines.to_vec();
                less[n] = Line::Fork(*child, block);
                all.push(less);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Palette = Palette {
        fuse: true,
        io_uring: true,
        soft_dirty: true,
        moves: true,
        swap: true,
    };

    #[test]
    fn most_programs_are_right_and_a_seed_gives_the_same_ones() {
        let right = (0..300).filter(|&n| {
            let program = Generator::program(1, n, ALL);
            assert_eq!(program, Generator::program(1, n, ALL));
            cowherd_litmus::parse("random", &program.text()).is_ok()
        });
        let right = right.count();
        assert!(right > 270, "{right}");
    }

    #[test]
    fn what_is_smaller_has_fewer_lines() {
        let program = Generator::program(1, 7, ALL);
        let lines = |p: &Program| p.text().lines().count();
        assert!(program.smaller().iter().all(|p| lines(p) < lines(&program)));
    }
}
