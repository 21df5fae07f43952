//! The processes of a program: what is in their memory before the first turn, and their threads.

use cowherd_litmus::ast::{Contents, PageInit, ProcessId, Start, ThreadId, UffdMode};

use super::condition;
use super::program::Writer;
use super::statement::{actor_name, c_name, process_name};

impl Writer<'_> {
    pub(super) fn processes(&mut self) {
        for n in 0..self.test.processes.len() {
            let id = ProcessId(n as u8);
            let process = self.test.processes[n].clone();
            let name = process_name(self.test, id);
            self.line(&format!("static void process_{name}(void)\n{{"));
            self.line(&format!("\tsh->pid[{name}] = getpid();"));
            self.line("\tprctl(PR_SET_PDEATHSIG, SIGKILL);");
            if process.parent.is_none() && !self.test.files.is_empty() {
                self.line("\tclose(fuse_dev);\t\t/* whose last user's end ends the transfers */");
            }
            self.line(
                "\tsignal(SIGCHLD, SIG_IGN);\n\tsignal(SIGSEGV, died);\n\tsignal(SIGBUS, died);",
            );
            if process.from_start {
                self.memory(id);
            }
            let mut first = None;
            for (t, thread) in self.test.threads.iter().enumerate() {
                let actor = actor_name(self.test, ThreadId(t as u8));
                if thread.process != id {
                    continue;
                }
                match thread.start {
                    Start::Fork { .. } => first = Some(actor),
                    _ => self.out.push_str(&format!("\tgo({actor}_program);\n")),
                }
            }
            if n == 0 {
                for actor in self.actors().split_off(self.test.threads.len()) {
                    self.line(&format!("\tgo({actor}_program);"));
                }
            }
            if process.from_start {
                self.line(&format!("\tsem_post(&sh->ready[{name}]);"));
            }
            // It goes on in the thread that forked.
            if let Some(actor) = first {
                self.line(&format!("\t{actor}_program(NULL);"));
            }
            self.line("}\n");
        }
    }

    /// The memory of a process that is there from the start, and its children.
    fn memory(&mut self, id: ProcessId) {
        let test = self.test;
        let parent = test.processes[id.index()].parent;
        for page in &test.pages {
            let inherited = parent.is_some_and(|parent| page.processes.contains(&parent));
            if page.processes.contains(&id) && !inherited {
                self.line(&format!("\tmap({});", c_name(&page.name)));
            }
        }
        let owned: Vec<&PageInit> = test.pages.iter().filter(|p| p.owner == id).collect();
        if id.index() == 0 && self.uses_uffd() {
            self.line("\tuffd = uffd_open();");
        }
        // What children share is there before they are.
        let (shared, own): (Vec<&PageInit>, Vec<&PageInit>) = owned
            .into_iter()
            .partition(|p| !p.attributes.shared.is_empty());
        for page in shared {
            self.contents(page);
        }
        for (n, process) in test.processes.iter().enumerate() {
            if process.from_start && process.parent == Some(id) {
                let child = process_name(test, ProcessId(n as u8));
                self.line(&format!(
                    "\tif (fork_process({child}, process_{child}))\n\t\tcannot(\"fork\");"
                ));
            }
        }
        for page in own {
            self.contents(page);
        }
        self.line("\tdrain();");
        if condition::asks_copied(test) {
            for (n, page) in test.pages.iter().enumerate().filter(|(_, p)| p.owner == id) {
                self.line(&format!(
                    "\tsh->first[{n}] = pfn(getpid(), {});",
                    c_name(&page.name)
                ));
            }
        }
    }

    /// What is in a page at the start, and in which state.
    fn contents(&mut self, page: &PageInit) {
        let name = c_name(&page.name);
        let a = &page.attributes;
        if let Some(uffd) = a.uffd {
            let mode = match uffd.mode {
                UffdMode::Wp => "UFFDIO_REGISTER_MODE_WP",
                _ => "UFFDIO_REGISTER_MODE_MISSING",
            };
            self.line(&format!("\tuffd_register(uffd, {name}, {mode});"));
        }
        match &page.contents {
            Contents::Values(values) => {
                let list: Vec<String> = values.iter().map(u8::to_string).collect();
                self.line(&format!(
                    "\tfill({name}, (unsigned char[]){{ {} }}, {});",
                    list.join(", "),
                    values.len()
                ));
            }
            Contents::Zero => self.line(&format!("\tload({name});\t\t/* maps the zero page */")),
            Contents::Untouched | Contents::File { .. } => {}
        }
        if a.nonexclusive {
            self.line("\tif (!fork())\n\t\t_exit(0);\t\t/* shares its pages, and is gone */\n\twhile (waitpid(-1, NULL, 0) > 0)\n\t\t;");
        }
        if a.lazy {
            self.line(&format!(
                "\tdrain();\n\tmadvise({name}, PAGE, MADV_FREE);\n\tdrain();"
            ));
        }
        if a.swapped {
            self.line(&format!("\tmadvise({name}, PAGE, MADV_PAGEOUT);"));
            self.line(&format!("\tif (!swapped(getpid(), {name})) {{\n\t\terrno = 0;\n\t\tcannot(\"{name} could not be swapped out\");\n\t}}"));
        }
        if a.readonly {
            self.line(&format!("\tmprotect({name}, PAGE, PROT_READ);"));
        }
        if a.uffd.is_some_and(|uffd| uffd.protected) {
            self.line(&format!("\tuffd_protect(uffd, {name}, 1);"));
        }
    }
}
