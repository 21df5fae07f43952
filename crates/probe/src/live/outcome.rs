//! The final state of a run, a byte for each thing that the model looks at.

use std::sync::atomic::Ordering;

use cowherd_litmus::ast::{Advice, Call, PageId};
use cowherd_mm::Errno;
use cowherd_model::observe::{Fact, Observable, SEGV, code};
use cowherd_model::program::RegKind;
use cowherd_model::state::Val;

use super::directed::Run;
use super::look::{self, Entry};
use super::shared::Value;
use super::world::address;

/// An errno that the model does not know.
const OTHER: u8 = 253;

/// What is seen in the end. None: it cannot be told from outside.
pub fn of(run: &Run) -> Vec<Option<u8>> {
    let observables = &run.predictor.program.observables;
    // Facts first: reading a cell faults the page in.
    let mut seen: Vec<Option<u8>> = observables
        .iter()
        .map(|o| match o {
            Observable::Fact(fact) => fact_of(run, *fact).map(u8::from),
            _ => None,
        })
        .collect();
    for (n, o) in observables.iter().enumerate() {
        match *o {
            Observable::Reg(reg) => seen[n] = register(run, reg),
            Observable::Cell(mm, va, cell) => {
                seen[n] = Some(cell_of(run, mm.at(), va.at(), cell.at()))
            }
            Observable::File(file, cell) => seen[n] = Some(run.file_cell(file.at(), cell.at())),
            Observable::Killed(task) => {
                let life = run.world.board.get().threads[task]
                    .life
                    .load(Ordering::SeqCst);
                seen[n] = Some(u8::from(life == 2));
            }
            Observable::Fact(_) => {}
        }
    }
    seen
}

fn register(run: &Run, reg: usize) -> Option<u8> {
    let name = run.predictor.program.regs[reg];
    let thread = &run.world.board.get().threads[name.thread.index()];
    let value = match name.what {
        RegKind::Reg(r) => {
            // What madvise gives for a page that it left alone is 0.
            let tells = |call: &Call| {
                matches!(
                    call,
                    Call::Madvise {
                        advice: Advice::PageOut | Advice::Cold | Advice::WillNeed | Advice::Free,
                        ..
                    } | Call::ProcessMadvise { .. }
                )
            };
            let stmts = &run.test.threads[name.thread.index()].stmts;
            if stmts.iter().any(|s| s.result == Some(r) && tells(&s.call)) {
                return None;
            }
            Value::load(&thread.registers[r.0 as usize])
        }
        RegKind::Handle(h) => Value::load(&thread.handles[h.index()]),
    };
    Some(match value {
        Value::Unset => code(Val::Unset),
        Value::Number(n) => n,
        Value::Errno(errno) => match errno_of(errno) {
            Some(errno) => code(Val::Failed(errno)),
            None => OTHER,
        },
    })
}

fn errno_of(errno: i32) -> Option<Errno> {
    Some(match errno {
        libc::EFAULT => Errno::Efault,
        libc::ENOMEM => Errno::Enomem,
        libc::EBUSY => Errno::Ebusy,
        libc::EAGAIN => Errno::Eagain,
        libc::EINVAL => Errno::Einval,
        libc::EBADF => Errno::Ebadf,
        libc::EEXIST => Errno::Eexist,
        libc::ENOENT => Errno::Enoent,
        libc::EIO => Errno::Eio,
        _ => return None,
    })
}

/// What a load would give. A page without a PTE is not read: userfaultfd might stop whoever does.
fn cell_of(run: &Run, process: usize, page: usize, cell: usize) -> u8 {
    let Some(pid) = run.pid(process) else {
        return SEGV;
    };
    match run.entry(process, page) {
        None => SEGV,
        Some(Entry::None) => run.unmapped_cell(page, cell),
        Some(_) => {
            let at = super::call::cell(PageId(page as u8), cell as u8);
            look::byte(pid, at).unwrap_or(SEGV)
        }
    }
}

fn fact_of(run: &Run, fact: Fact) -> Option<bool> {
    let entry = |mm: cowherd_mm::MmId, va: cowherd_mm::Va| run.entry(mm.at(), va.at());
    let frame = |e: Option<Entry>| match e {
        Some(Entry::Present { frame }) => Some(frame),
        _ => None,
    };
    match fact {
        Fact::Swapped(mm, va) => Some(entry(mm, va) == Some(Entry::Swapped)),
        Fact::Present(mm, va) => Some(frame(entry(mm, va)).is_some()),
        Fact::SoftDirty(mm, va) => {
            let pid = run.pid(mm.at())?;
            look::soft_dirty(pid, address(PageId(va.0))).ok()
        }
        Fact::Copied(mm, va) => {
            let Some(now) = frame(entry(mm, va)) else {
                return Some(false);
            };
            let start = run.start.get(&(mm.at(), va.at()));
            match start {
                _ if now == 0 => None,
                Some(&start) => Some(start != now),
                // Not mapped at the start or meanwhile: the frame of the start may be another page's by now.
                None => None,
            }
        }
        Fact::Merged(mm, va) => {
            let frame = frame(entry(mm, va)).filter(|&f| f != 0);
            let Some(frame) = frame else {
                return Some(false);
            };
            look::merged(frame)
        }
        Fact::Trapped(mm, va) => {
            let trapped = run.world.board.get().trapped[mm.at()].load(Ordering::SeqCst);
            Some(trapped >> va.0 & 1 == 1)
        }
        Fact::Same(a, b) => {
            let (a, b) = (frame(entry(a.0, a.1)), frame(entry(b.0, b.1)));
            match (a, b) {
                (Some(0), Some(0)) => None,
                (Some(a), Some(b)) => Some(a == b),
                _ => Some(false),
            }
        }
        Fact::Refused(bit) => {
            let name = run.predictor.program.refusals[bit];
            run.refused.get(name).copied().unwrap_or(Some(false))
        }
        Fact::Writable(..) | Fact::Alarm(_) => None,
    }
}
