//! Random programs, to hold against the model what nobody has thought of.
//!
//! A program is lines of the language, kept apart so that a program that the model forbids can be made smaller line by line.

mod draw;

use super::machine::{Machine, Swap};
use super::uffd::feature;

/// A program: declarations, the statements of threads, and the activities of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    name: String,
    declarations: Vec<String>,
    threads: Vec<Thread>,
    kernel: Vec<String>,
}

/// A thread that is there from the start: `P0 in A`, and its statements.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Thread {
    head: &'static str,
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
    /// Direct reads of a block device.
    pub nbd: bool,
    /// Registered buffers.
    pub io_uring: bool,
    /// clear_refs and pagemap.
    pub soft_dirty: bool,
    /// userfaultfd.
    pub uffd: bool,
    /// Write protection by userfaultfd.
    pub uffd_wp: bool,
    /// UFFDIO_MOVE.
    pub uffd_move: bool,
    /// ksmd.
    pub ksm: bool,
    /// A second NUMA node.
    pub nodes: bool,
    /// Swap.
    pub swap: bool,
    /// Swap that leaves a swapped page in no cache.
    pub swap_sync: bool,
    /// A clean page that is writable all the same, or one that is exclusive: up to 5.18, what a load swaps in is neither.
    pub clean: bool,
    /// A swap area that may be swapped off.
    pub swapoff: bool,
}

impl Palette {
    /// What this machine lets them contain.
    pub fn of(machine: &Machine) -> Palette {
        let uffd = |wanted| machine.uffd.is_some_and(|f| f & wanted == wanted);
        Palette {
            fuse: machine.fuse,
            nbd: machine.nbd,
            io_uring: machine.io_uring,
            soft_dirty: machine.soft_dirty,
            uffd: uffd(0),
            uffd_wp: uffd(feature::WP),
            uffd_move: uffd(feature::MOVE),
            ksm: machine.ksm,
            nodes: machine.nodes > 1,
            swap: machine.swap.is_some() || !machine.own_swap.is_empty(),
            swap_sync: machine.own_swap.contains(&Swap::ZRAM),
            clean: machine.own_swap.contains(&Swap::ZRAM) && !machine.release.starts_with("5."),
            swapoff: !machine.own_swap.is_empty(),
        }
    }
}

impl Program {
    /// The `n`th program of a seed.
    pub fn draw(seed: u64, n: u64, palette: Palette) -> Program {
        draw::program(seed, n, palette)
    }

    /// As a litmus test that asks nothing in particular.
    pub fn text(&self) -> String {
        let mut text = format!("MM {}\n\n{{\n", self.name);
        for declaration in &self.declarations {
            text.push_str(&format!("    {declaration};\n"));
        }
        text.push_str("}\n");
        for thread in &self.threads {
            text.push_str(&format!("\n{} {{\n", thread.head));
            write(&thread.body, 1, &mut text);
            text.push_str("}\n");
        }
        if !self.kernel.is_empty() {
            text.push_str("\nkernel {\n");
            for activity in &self.kernel {
                text.push_str(&format!("    {activity};\n"));
            }
            text.push_str("}\n");
        }
        text.push_str("\nexists (true)\n");
        text
    }

    /// Every program that lacks one line or declaration of this one. Not all of them are right.
    pub fn smaller(&self) -> Vec<Program> {
        let mut all = Vec::new();
        for n in 0..self.threads.len() {
            if n > 0 {
                let mut smaller = self.clone();
                smaller.threads.remove(n);
                all.push(smaller);
            }
            for body in without(&self.threads[n].body) {
                let mut smaller = self.clone();
                smaller.threads[n].body = body;
                all.push(smaller);
            }
        }
        for n in 0..self.kernel.len() {
            let mut smaller = self.clone();
            smaller.kernel.remove(n);
            all.push(smaller);
        }
        for n in 0..self.declarations.len() {
            let mut smaller = self.clone();
            smaller.declarations.remove(n);
            all.push(smaller);
        }
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
        nbd: true,
        io_uring: true,
        soft_dirty: true,
        uffd: true,
        uffd_wp: true,
        uffd_move: true,
        ksm: true,
        nodes: true,
        swap: true,
        swap_sync: true,
        clean: true,
        swapoff: true,
    };

    #[test]
    fn most_programs_are_right_and_a_seed_gives_the_same_ones() {
        let right = |n: &u64| {
            let program = Program::draw(1, *n, ALL);
            assert_eq!(program, Program::draw(1, *n, ALL));
            cowherd_litmus::parse("random", &program.text()).is_ok()
        };
        let right = (0..300).filter(right).count();
        assert!(right > 240, "{right}");
    }

    #[test]
    fn what_is_smaller_has_fewer_lines() {
        let lines = |p: &Program| p.text().lines().count();
        for program in (0..50).map(|n| Program::draw(1, n, ALL)) {
            assert!(program.smaller().iter().all(|p| lines(p) < lines(&program)));
        }
    }
}
