//! Who takes part: several threads that share a menu, several kernel actors.

use cowherd_litmus::ast;
use cowherd_mm::{MAX_MMS, MmId};

use super::{Calls, General, Grain};
use crate::program::{Op, Program, RegKind, RegName, Source, Starts, TaskProgram};
use crate::spec::Values;
use crate::state::Val;

/// How many of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crew {
    /// Threads of each process.
    pub threads: usize,
    /// Kernel actors.
    pub kernel: usize,
    /// What they may do, all together.
    pub calls: Calls,
    /// See [`General::counts`].
    pub counts: u64,
    /// How finely calls interleave.
    pub grain: Grain,
    /// See [`General::renames`].
    pub renames: bool,
}

impl Crew {
    /// A task for each of the crew, each with the menu of its like.
    pub fn staff(&self, menus: Vec<TaskProgram>) -> Vec<TaskProgram> {
        let mut tasks = Vec::new();
        for menu in menus {
            let copies = match menu.mm {
                Some(_) => self.threads,
                None => self.kernel,
            };
            for _ in 0..copies {
                let mut task = menu.clone();
                if task.mm.is_some_and(|mm| mm.0 > 0) {
                    task.starts = Starts::Born;
                }
                for stmt in &mut task.stmts {
                    freshen(&mut stmt.op, tasks.len());
                }
                tasks.push(task);
            }
        }
        tasks
    }

    /// A register for each task: what it is about to store.
    pub fn registers(tasks: usize) -> Vec<RegName> {
        let name = RegName {
            thread: ast::ThreadId(0),
            what: RegKind::Reg(ast::Reg(0)),
        };
        vec![name; tasks]
    }

    /// Makes a lowered menu general.
    pub fn prepare(&self, p: &mut Program) {
        let mut general = General {
            calls: self.calls.clone(),
            counts: self.counts,
            grain: self.grain,
            renames: self.renames,
            stores: [0; MAX_MMS],
            lands: [0; MAX_MMS],
        };
        // Who wrote a value can be told from the value: that tells a leak from a lost write.
        let starts: Values = p.spec.starts.iter().flatten().fold(1, |all, v| all | v);
        let mut classes = (0..p.cfg.sizes.mms)
            .flat_map(|mm| [(mm, false), (mm, true)])
            .cycle();
        for value in (0..16).map(|v| 1 << v).filter(|v| starts & v == 0) {
            let Some((mm, lands)) = classes.next() else {
                break;
            };
            let class = if lands {
                &mut general.lands
            } else {
                &mut general.stores
            };
            class[mm] |= value;
        }
        for mm in 0..p.cfg.sizes.mms {
            for va in 0..p.cfg.sizes.pages {
                p.spec.stores[mm][va] = general.stores[mm];
                p.spec.lands[mm][va] = general.lands[mm];
                p.spec.inherits[mm][va] = match p.spec.parents[mm] {
                    Some(MmId(parent)) => {
                        starts | general.stores[parent as usize] | general.lands[parent as usize]
                    }
                    None => 0,
                };
            }
        }
        for state in &mut p.initial {
            state.calls = self.calls.start();
            for (task, program) in p.tasks.iter().enumerate() {
                state.pc[task] = program.stmts.len() as u8;
                state.regs[task] = Val::Unset;
            }
        }
        p.general = Some(general);
    }
}

/// Whatever an operation stores, it finds in the register of its task.
fn freshen(op: &mut Op, task: usize) {
    match op {
        Op::Store { value, .. }
        | Op::HeldStore { value, .. }
        | Op::Remote {
            store: Some(value), ..
        } => *value = Source::Reg(task),
        Op::UffdCopy { values, .. } => *values = [Source::Reg(task); cowherd_mm::MAX_CELLS],
        _ => {}
    }
}
