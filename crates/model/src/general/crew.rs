//! Who takes part: several threads that share a menu, several kernel actors.

use cowherd_litmus::ast;
use cowherd_mm::machine::Dir;
use cowherd_mm::{Cells, FileId, IoId, MAX_MMS, MmId};

use super::{Calls, General, Grain};
use crate::program::{Op, Program, RegKind, RegName, Source, Starts, StmtNo, TaskProgram};
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
            transfers: transfers(p),
        };
        let starts: Values = p.spec.starts.iter().flatten().fold(1, |all, v| all | v);
        share(starts, p.cfg.sizes.mms, &mut general);
        for mm in 0..p.cfg.sizes.mms {
            for va in 0..p.cfg.sizes.pages {
                p.spec.stores[mm][va] = general.stores[mm];
                p.spec.lands[mm][va] = general.lands[mm];
                p.spec.inherits[mm][va] = 0;
                let mut at = mm;
                while let Some(MmId(parent)) = p.spec.parents[at] {
                    at = parent as usize;
                    p.spec.inherits[mm][va] |= starts | general.stores[at] | general.lands[at];
                }
            }
        }
        for state in &mut p.initial {
            state.calls = self.calls.start();
            for (task, program) in p.tasks.iter().enumerate() {
                state.pc[task] = program.stmts.len() as StmtNo;
                state.regs[task] = Val::Unset;
            }
        }
        p.general = Some(general);
    }
}

/// The transfers of a menu.
fn transfers(p: &Program) -> Vec<(IoId, Dir, FileId, Cells)> {
    let ops = p.tasks.iter().flat_map(|task| &task.stmts);
    let mut transfers: Vec<_> = ops
        .filter_map(|stmt| match stmt.op {
            Op::Transfer {
                io,
                cells,
                file,
                dir,
                ..
            }
            | Op::Fixed {
                io,
                cells,
                file,
                dir,
                ..
            } => Some((io, dir, file, cells)),
            _ => None,
        })
        .collect();
    transfers.sort_by_key(|transfer| transfer.0);
    transfers.dedup_by_key(|transfer| transfer.0);
    transfers
}

/// Shares out the values with which nothing starts. Who wrote a value can then be told from the value: that tells a leak from a lost
/// write.
#[cfg(not(feature = "wide"))]
fn share(starts: Values, mms: usize, general: &mut General) {
    let mut classes = (0..mms).flat_map(|mm| [(mm, false), (mm, true)]).cycle();
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
}

/// As above, but there are too few for each of many processes to have its own: three share them.
#[cfg(feature = "wide")]
fn share(starts: Values, mms: usize, general: &mut General) {
    for (n, value) in (0..16).filter(|v| starts >> v & 1 == 0).enumerate() {
        for mm in (0..mms).filter(|mm| mm % 3 == n % 3) {
            general.stores[mm] |= 1 << value;
            general.lands[mm] |= 1 << value;
        }
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
