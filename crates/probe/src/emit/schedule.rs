//! The schedule of a program: who is let go when, and when a transfer is done.

use cowherd_litmus::ast::Call;

use super::order::Event;
use super::program::{Writer, short};
use super::statement::process_name;
use super::substitute::{Refusal, refuse};

impl Writer<'_> {
    /// The function that forces the order.
    pub(super) fn schedule(&mut self) -> Result<(), Refusal> {
        self.line("/* The order of the story. */\nstatic void schedule(void)\n{");
        let actors = self.actors();
        let mut next = vec![0_usize; actors.len()];
        // Which transfers are writes.
        let mut writes: Vec<(usize, bool)> = Vec::new();
        let mut answered = Vec::new();
        let mut in_flight = 0;
        let mut told = usize::MAX;
        let events = self.order.events.clone();
        for (at, (event, step)) in events.iter().enumerate() {
            let group = self
                .groups
                .iter()
                .position(|g| g.steps.contains(step))
                .unwrap_or(0);
            if group != told {
                let g = &self.groups[group];
                let again = if g.continued { " goes on" } else { "" };
                let colon = if g.call.is_empty() { "" } else { ": " };
                let text = format!(
                    "\t/* {}. {}{again}{colon}{} */",
                    group + 1,
                    g.who,
                    short(&g.call)
                );
                self.line(&text);
                told = group;
            }
            match *event {
                Event::Run(task) | Event::Start(task) => {
                    let call = self.call(task, next[task]).cloned();
                    next[task] += 1;
                    let actor = &actors[task];
                    let held = matches!(events.get(at + 1), Some((Event::Held(_), _)));
                    let write = call.as_ref().is_some_and(|c| {
                        matches!(
                            c,
                            Call::Pwrite { .. }
                                | Call::WriteSubmit { .. }
                                | Call::WriteFixed { .. }
                        )
                    });
                    if held {
                        if let Some((Event::Held(io), _)) = events.get(at + 1) {
                            writes.push((*io, write));
                        }
                        in_flight += 1;
                        if in_flight > 1 && writes.iter().any(|(_, write)| *write) {
                            return refuse("two transfers in flight, and one of them is a write");
                        }
                    }
                    if held && write {
                        self.line("\thold_writes = 1;");
                    }
                    let exits = matches!(call, Some(Call::Exit));
                    if exits {
                        let process = process_name(self.test, self.test.threads[task].process);
                        self.line(&format!(
                            "\tstart({actor});\n\twait_gone(sh->pid[{process}]);"
                        ));
                    } else if matches!(event, Event::Run(_)) {
                        self.line(&format!("\trun({actor});"));
                    } else {
                        self.line(&format!("\tstart({actor});"));
                        if !held {
                            self.line("\tusleep(200000);\t\t/* it waits in its call */");
                        }
                    }
                }
                Event::Held(io) => self.line(&format!("\twait_held({io});")),
                Event::Finish(task) => {
                    let actor = &actors[task];
                    self.line(&format!("\tfinish({actor});"));
                }
                Event::Answer(io) => {
                    if answered.contains(&io) {
                        return refuse("a transfer that others act amid");
                    }
                    answered.push(io);
                    in_flight -= 1;
                    let write = writes.iter().any(|&(n, write)| n == io && write);
                    self.line(&if write {
                        "\tanswer_write();".to_string()
                    } else {
                        format!("\tanswer_read({io});")
                    });
                }
            }
        }
        self.line("}\n");
        Ok(())
    }

    /// A thread's call; none: it is an activity.
    fn call(&self, task: usize, stmt: usize) -> Option<&Call> {
        let thread = self.test.threads.get(task)?;
        thread.stmts.get(stmt).map(|s| &s.call)
    }
}
