//! The text of a program: the story, the helpers that it needs, the test's threads and processes, and the schedule.

use std::fmt::Write as _;

use cowherd_litmus::ast::{Call, ProcessId, Quantifier, Test, ThreadId, UffdMode};
use cowherd_report::style::wrap;
use cowherd_report::witness::{Group, groups};

use super::condition;
use super::order::{Event, Order};
use super::statement::{activity, actor_name, c_name, process_name, statement};
use super::substitute::{Refusal, Substituted, refuse, uses_swap};

const BASE: &str = include_str!("c/base.c");
const FUSE: &str = include_str!("c/fuse.c");
const INIT: &str = include_str!("c/init.c");
const PIPE: &str = include_str!("c/pipe.c");
const REMOTE: &str = include_str!("c/remote.c");
const SWAP: &str = include_str!("c/swap.c");
const UFFD: &str = include_str!("c/uffd.c");
const URING: &str = include_str!("c/uring.c");

const INCLUDES: &[&str] = &[
    "errno.h",
    "fcntl.h",
    "linux/fuse.h",
    "linux/io_uring.h",
    "linux/userfaultfd.h",
    "poll.h",
    "pthread.h",
    "sched.h",
    "semaphore.h",
    "signal.h",
    "stdio.h",
    "stdlib.h",
    "string.h",
    "sys/ioctl.h",
    "sys/mman.h",
    "sys/mount.h",
    "sys/prctl.h",
    "sys/reboot.h",
    "sys/stat.h",
    "sys/syscall.h",
    "sys/uio.h",
    "sys/utsname.h",
    "sys/wait.h",
    "termios.h",
    "time.h",
    "unistd.h",
];

/// Advice that a C library may not know yet.
const ADVICE: &[(&str, u8)] = &[
    ("MADV_COLD", 20),
    ("MADV_PAGEOUT", 21),
    ("MADV_POPULATE_READ", 22),
    ("MADV_POPULATE_WRITE", 23),
];

/// Can every statement of the test, its start and its condition be written in C?
pub fn expressible(test: &Test) -> Result<(), Refusal> {
    for (n, thread) in test.threads.iter().enumerate() {
        for stmt in &thread.stmts {
            statement(test, ThreadId(n as u8), stmt)?;
        }
    }
    for stmt in test.kernel.iter().flat_map(|k| &k.activities) {
        activity(test, &stmt.activity)?;
    }
    for page in &test.pages {
        if let Some(uffd) = &page.attributes.uffd {
            match uffd.mode {
                UffdMode::Missing | UffdMode::Wp if page.owner.index() == 0 => {}
                mode => {
                    return refuse(format!(
                        "userfaultfd in mode {mode}, or in a process but the first"
                    ));
                }
            }
        }
    }
    condition::prop(test, &test.condition.prop).map(|_| ())
}

/// The program that forces an order. `kernel`: where it leads to the condition.
pub fn write(
    substituted: &Substituted,
    order: &Order,
    kernel: Option<&str>,
) -> Result<String, Refusal> {
    let mut writer = Writer {
        test: &substituted.test,
        order,
        groups: groups(&order.trace),
        out: String::new(),
    };
    writer.head(substituted, kernel);
    writer.declarations();
    writer.helpers();
    writer.threads()?;
    writer.processes();
    writer.schedule()?;
    writer.verdict()?;
    writer.main();
    Ok(writer.out)
}

/// A program that is being written.
pub(super) struct Writer<'a> {
    pub(super) test: &'a Test,
    pub(super) order: &'a Order,
    pub(super) groups: Vec<Group>,
    pub(super) out: String,
}

impl Writer<'_> {
    pub(super) fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// What the reader is told first.
    fn head(&mut self, substituted: &Substituted, kernel: Option<&str>) {
        let name = &self.test.name;
        self.line("/*");
        self.remark(&format!("{name}: {}", self.test.doc), 1);
        self.line(" *");
        match kernel {
            Some(kernel) => self.remark(&format!("How it happens on {kernel}, and what this program makes happen:"), 1),
            None => self.remark(
                "No kernel that is known does what is asked for, in an order that a program can force. This is one of the orders:",
                1,
            ),
        }
        let groups = std::mem::take(&mut self.groups);
        for (n, group) in groups.iter().enumerate() {
            self.line(" *");
            let again = if group.continued { " goes on" } else { "" };
            let colon = if group.call.is_empty() { "" } else { ": " };
            let head = format!(
                "{}. {}{again}{colon}{}",
                n + 1,
                group.who,
                short(&group.call)
            );
            self.remark(&head, 2);
            let headline = group.headline();
            if !headline.is_empty() {
                self.remark(&headline, 5);
            }
        }
        self.groups = groups;
        self.line(" *");
        let condition = self.test.show(&self.test.condition).to_string();
        self.remark(&format!("Asked for: {condition}"), 1);
        if !substituted.notes.is_empty() {
            self.remark(
                &format!("In this program {}.", substituted.notes.join("; ")),
                1,
            );
        }
        self.line(" *");
        self.line(&format!(
            " * cc -O1 -static -pthread -Wall -Wextra -o {name} {name}.c"
        ));
        self.line(" *");
        self.remark(
            &format!(
                "Prints {} and exits with 1 if it happened; prints ok and exits with 0 if not; exits with 2 if this machine cannot run it. Needs root{}; or run it as /init of a virtual machine, which it powers off in the end.",
                self.word(),
                if uses_swap(self.test) { " and a swap area" } else { "" }
            ),
            1,
        );
        self.remark("Written by cowherd.", 1);
        self.line(" */");
    }

    /// Text in the comment at the top.
    fn remark(&mut self, text: &str, indent: usize) {
        // Nothing in it may end the comment.
        let text = text.replace("*/", "* /").replace("/*", "/ *");
        for line in wrap(&text, 76 - indent, 0).lines() {
            let _ = writeln!(self.out, " *{}{line}", " ".repeat(indent));
        }
    }

    /// What is printed when the condition was met.
    fn word(&self) -> &'static str {
        let broken = &self.order.trace.broken;
        let words = [
            ("lost-write", "LOST"),
            ("leak", "LEAK"),
            ("stale-read", "STALE"),
            ("zeroed", "ZEROED"),
            ("missed-wp", "MISSED"),
            ("file-modified", "MODIFIED"),
            ("wrong-permission", "WRONG"),
        ];
        let word = words
            .iter()
            .find(|(kind, _)| broken.iter().any(|b| b == kind));
        word.map_or("SEEN", |(_, word)| word)
    }

    fn declarations(&mut self) {
        self.line("#define _GNU_SOURCE");
        for include in INCLUDES {
            self.line(&format!("#include <{include}>"));
        }
        self.line("");
        for (name, number) in ADVICE {
            self.line(&format!("#ifndef {name}\n#define {name} {number}\n#endif"));
        }
        self.line("");
        let actors = self.actors().join(", ");
        self.line(&format!("enum {{ {actors}, ACTORS }};"));
        let processes = (0..self.test.processes.len())
            .map(|n| process_name(self.test, ProcessId(n as u8)))
            .collect::<Vec<_>>()
            .join(", ");
        self.line(&format!("enum {{ {processes}, PROCESSES }};"));
        let ios = self
            .order
            .events
            .iter()
            .filter(|(e, _)| matches!(e, Event::Held(_)));
        self.line(&format!(
            "enum {{ IOS = {}, FILES = {}, PAGES = {} }};",
            ios.count(),
            self.test.files.len(),
            self.test.pages.len()
        ));
        self.line("");
        self.line("/* What all processes share. */");
        self.line("static struct {");
        self.line("\tpid_t controller, pid[PROCESSES];");
        self.line("\tsem_t go[ACTORS], back[ACTORS], ready[PROCESSES];");
        self.line("\tint died[ACTORS];");
        self.line("\tunsigned long long first[PAGES + 1];\t/* frames at the start */");
        self.line("\tunsigned char file[FILES + 1][4096];");
        let mut results = Vec::new();
        for (n, thread) in self.test.threads.iter().enumerate() {
            let name = self.test.thread_name(ThreadId(n as u8));
            results.extend(
                thread
                    .registers
                    .iter()
                    .map(|reg| format!("{name}_r{}", reg.0)),
            );
            results.extend(thread.handles.iter().map(|h| format!("{name}_{}", h.name)));
        }
        if !results.is_empty() {
            self.line(&format!("\tlong {};\t/* results */", results.join(", ")));
        }
        self.line("} *sh;");
        self.line("\nstatic __thread int me;\n");
    }

    pub(super) fn actors(&self) -> Vec<String> {
        let threads =
            (0..self.test.threads.len()).map(|n| actor_name(self.test, ThreadId(n as u8)));
        let copies: usize = self.test.kernel.iter().map(|k| k.copies as usize).sum();
        threads
            .chain((0..copies).map(|n| format!("K{n}")))
            .collect()
    }

    fn calls(&self, is: impl Fn(&Call) -> bool) -> bool {
        self.test
            .threads
            .iter()
            .flat_map(|t| &t.stmts)
            .any(|s| is(&s.call))
    }

    fn helpers(&mut self) {
        let uffd = self.uses_uffd();
        let uring = self.calls(|c| matches!(c, Call::RegisterBuffer { .. }));
        let remote = !self.test.kernel.is_empty()
            || self.calls(|c| {
                matches!(
                    c,
                    Call::ProcessMadvise { .. }
                        | Call::MemWrite { .. }
                        | Call::MemRead { .. }
                        | Call::ProcessVmWritev { .. }
                )
            });
        let parts = [
            (true, BASE),
            (!self.test.files.is_empty(), FUSE),
            (!self.test.pipes.is_empty(), PIPE),
            (uring, URING),
            (uffd, UFFD),
            (remote, REMOTE),
            (uses_swap(self.test), SWAP),
            (true, INIT),
        ];
        for (_, part) in parts.iter().filter(|(wanted, _)| *wanted) {
            self.line(part);
        }
        self.line("/* The test. */");
        for (n, page) in self.test.pages.iter().enumerate() {
            let declaration = self.test.show(page).to_string();
            let name = c_name(&page.name);
            let address = 0x1000_0000 + 0x10_0000 * n;
            self.line(&format!(
                "static unsigned char *const {name} = (unsigned char *){address:#x};\t/* {declaration} */"
            ));
        }
        for file in &self.test.files {
            let name = c_name(&file.name);
            self.line(&format!("static int {name};"));
        }
        for pipe in &self.test.pipes {
            let name = c_name(&pipe.name);
            self.line(&format!("static int {name}[2];"));
        }
        if uffd {
            self.line("static int uffd;");
        }
        for (n, thread) in self.test.threads.iter().enumerate() {
            let name = self.test.thread_name(ThreadId(n as u8));
            for handle in &thread.handles {
                let kind = match handle.kind {
                    cowherd_litmus::ast::HandleKind::Buffer => "ring",
                    _ => "io",
                };
                self.line(&format!("static struct {kind} *{name}_{};", handle.name));
            }
        }
        self.line("");
    }

    pub(super) fn uses_uffd(&self) -> bool {
        self.test.pages.iter().any(|p| p.attributes.uffd.is_some())
    }

    fn threads(&mut self) -> Result<(), Refusal> {
        let made: Vec<String> = self
            .test
            .processes
            .iter()
            .map(|p| format!("static void process_{}(void);", c_name(&p.name)))
            .collect();
        self.line(&format!("{}\n", made.join("\n")));
        for (n, thread) in self.test.threads.iter().enumerate() {
            let id = ThreadId(n as u8);
            let actor = actor_name(self.test, id);
            let process = process_name(self.test, thread.process);
            self.line(&format!("/* {} in {process} */", self.test.thread_name(id)));
            self.line(&format!(
                "static void *{actor}_program(void *unused)\n{{\n\t(void)unused;"
            ));
            let mut ended = false;
            for stmt in &thread.stmts {
                let text = short(&self.test.show_in(id, stmt).to_string());
                self.line(&format!("\tturn({actor});\t\t/* {text} */"));
                match statement(self.test, id, stmt)? {
                    Some(c) => self.line(&format!("\t{c}\n\tdone({actor});\n")),
                    None => {
                        self.line("\t_exit(0);");
                        ended = true;
                        break;
                    }
                }
            }
            if !ended {
                self.line("\treturn over();");
            }
            self.line("}\n");
        }
        let mut number = 0;
        for block in &self.test.kernel {
            for _ in 0..block.copies {
                self.line("/* The kernel's part, asked for. */");
                self.line(&format!(
                    "static void *K{number}_program(void *unused)\n{{\n\t(void)unused;"
                ));
                for stmt in &block.activities {
                    let c = activity(self.test, &stmt.activity)?;
                    self.line(&format!("\tturn(K{number});\n\t{c}\n\tdone(K{number});\n"));
                }
                self.line("\treturn over();\n}\n");
                number += 1;
            }
        }
        Ok(())
    }

    fn verdict(&mut self) -> Result<(), Refusal> {
        let condition = &self.test.condition;
        let prop = condition::prop(self.test, &condition.prop)?;
        let happened = match condition.quantifier {
            Quantifier::Forall => format!("!{prop}"),
            Quantifier::Exists | Quantifier::NotExists => prop,
        };
        let text = self.test.show(condition).to_string().replace('\\', "\\\\");
        self.line(&format!("/* {} */", self.test.show(condition)));
        self.line("static int verdict(void)\n{");
        self.line(&format!("\tint happened = {happened};\n"));
        for location in condition::locations(self.test) {
            let value = condition::location(self.test, &location);
            let name = self.test.show(&location);
            self.line(&format!("\tprintf(\"{name} = %ld\\n\", (long)({value}));"));
        }
        let word = self.word();
        self.line(&format!(
            "\tprintf(\"%s: {}: {text}: %s\\n\", happened ? \"{word}\" : \"ok\", happened ? \"it happened\" : \"it did not happen\");",
            self.test.name
        ));
        self.line("\treturn happened;\n}\n");
        Ok(())
    }

    fn main(&mut self) {
        let test = self.test;
        self.line("static void gave_up(int sig)\n{\n\t(void)sig;");
        if !test.files.is_empty() {
            self.line("\tfuse_umount();");
        }
        self.line("\t_exit(2);\n}\n");
        self.line("int main(void)\n{\n\tcpu_set_t one;\n");
        self.line("\tsetvbuf(stdout, NULL, _IOLBF, 0);");
        self.line("\tif (getpid() == 1)\n\t\tas_init();");
        self.line("\t/* On one CPU, so that its LRU batch is the only one. */");
        self.line(
            "\tCPU_ZERO(&one);\n\tCPU_SET(0, &one);\n\tsched_setaffinity(0, sizeof(one), &one);",
        );
        self.line("\tsh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);");
        self.line("\tif (sh == MAP_FAILED)\n\t\treturn 2;");
        self.line(
            "\tsh->controller = getpid();\n\tsignal(SIGTERM, gave_up);\n\tsignal(SIGINT, gave_up);",
        );
        self.line("\tfor (int i = 0; i < ACTORS; i++) {\n\t\tsem_init(&sh->go[i], 1, 0);\n\t\tsem_init(&sh->back[i], 1, 0);\n\t}");
        self.line("\tfor (int i = 0; i < PROCESSES; i++)\n\t\tsem_init(&sh->ready[i], 1, 0);");
        if uses_swap(test) {
            self.line("\tneed_swap();");
        }
        if !test.files.is_empty() {
            for (n, file) in test.files.iter().enumerate() {
                let values: Vec<String> = file.values.iter().map(u8::to_string).collect();
                self.line(&format!(
                    "\tfill(sh->file[{n}], (unsigned char[]){{ {} }}, {});",
                    values.join(", "),
                    values.len()
                ));
            }
            self.line("\tfuse_mount();");
            for (n, file) in test.files.iter().enumerate() {
                self.line(&format!("\t{} = open_file({n});", c_name(&file.name)));
            }
        }
        for pipe in &test.pipes {
            self.line(&format!(
                "\tif (pipe({}))\n\t\tcannot(\"pipe\");",
                c_name(&pipe.name)
            ));
        }
        for (n, process) in test.processes.iter().enumerate() {
            let name = process_name(test, ProcessId(n as u8));
            if process.from_start && process.parent.is_none() {
                self.line(&format!(
                    "\tif (fork_process({name}, process_{name}))\n\t\tcannot(\"fork\");"
                ));
            }
        }
        for (n, process) in test.processes.iter().enumerate() {
            if process.from_start {
                let name = process_name(test, ProcessId(n as u8));
                self.line(&format!(
                    "\twait_for_semaphore(&sh->ready[{name}], \"the processes did not start\");"
                ));
            }
        }
        self.line(
            "\tschedule();\n\tint happened = verdict();\n\n\tfflush(stdout);\n\texit(happened);\n}",
        );
    }
}

/// The first line, where a `fork` has its block.
pub(super) fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = line.trim().trim_end_matches('{').trim();
    line.replace("*/", "* /")
}
