//! Pipes that hold pages of a process: `vmsplice_to_pipe`, `tee`, `splice` (fs/splice.c), `pipe_read` (fs/pipe.c).
//!
//! vmsplice takes FOLL_GET references without FOLL_WRITE, on every release, and the pipe keeps them until it is read: the one
//! long-lived read-only reference that needs no privilege.

use crate::gup::{Then, Want, get_user_pages_fast};
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::machine::{Hold, PipeBuf};
use crate::packed;
use crate::step::{Step, Wait, step};
use crate::task::{Call, Next};
use crate::world::Event;

packed! {
    /// vmsplice, once GUP has the page.
    pub enum Vmsplice {
        /// Puts the buffer into the pipe.
        Push { pipe: PipeId, buf: PipeBuf },
    }

    /// Other work on pipes.
    pub enum PipeCall {
        /// `pipe_read`: copies the first buffer out.
        Read { pipe: PipeId },
        /// Drops the reference of the buffer that was read.
        Release { buf: PipeBuf },
        /// `tee`: the first buffer of one pipe into another, with a reference of its own.
        Tee { from: PipeId, to: PipeId },
        /// `splice`: the first buffer of one pipe moves to another.
        Splice { from: PipeId, to: PipeId },
    }
}

use PipeCall::*;

impl Vmsplice {
    /// Enters the call.
    pub fn enter(k: &mut Kernel, mm: MmId, va: Va, pipe: PipeId, cells: Cells) -> Next {
        k.event(Event::SpliceBegin { mm, va });
        let want = Want {
            mm,
            va,
            write: false,
            hold: Hold::Get,
            longterm: false,
            force: false,
        };
        get_user_pages_fast(want, Then::Vmsplice { pipe, cells })
    }

    /// GUP has the page.
    pub fn got(want: Want, pipe: PipeId, cells: Cells, pfn: Pfn) -> Next {
        let buf = PipeBuf {
            pfn,
            cells,
            mm: want.mm,
            va: want.va,
        };
        Next::Call {
            call: Call::Vmsplice {
                p: Vmsplice::Push { pipe, buf },
            },
        }
    }

    /// The description of the next step.
    pub fn describe(&self, _v: &View) -> Step {
        let Vmsplice::Push { pipe, .. } = *self;
        step("fill pipe", "vmsplice_to_pipe")
            .under("pipe lock")
            .waits(Wait::PipeRoom(pipe))
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        let Vmsplice::Push { pipe, buf } = self;
        push(k, pipe, buf);
        Next::Return { result: Ok(()) }
    }
}

impl PipeCall {
    /// The description of the next step.
    pub fn describe(&self, _v: &View) -> Step {
        match *self {
            Read { pipe } => step("read pipe", "pipe_read")
                .under("pipe lock")
                .waits(Wait::PipeFull(pipe)),
            Release { .. } => step("release buffer", "pipe_buf_release"),
            Tee { from, .. } => step("tee", "link_pipe")
                .under("pipe locks")
                .waits(Wait::PipeFull(from)),
            Splice { from, .. } => step("splice", "splice_pipe_to_pipe")
                .under("pipe locks")
                .waits(Wait::PipeFull(from)),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        let go = |p| Next::Call {
            call: Call::Pipe { p },
        };
        match self {
            Read { pipe } => {
                let buf = pop(k, pipe);
                k.pipe_read(pipe, buf.pfn, buf.cells, buf.mm, buf.va);
                go(Release { buf })
            }
            Release { buf } => {
                k.put_page(buf.pfn);
                Next::Return { result: Ok(()) }
            }
            Tee { from, to } => {
                if let Some(buf) = k.pipe_mut(from)[0] {
                    k.get_page(buf.pfn);
                    push(k, to, buf);
                }
                Next::Return { result: Ok(()) }
            }
            Splice { from, to } => {
                let buf = pop(k, from);
                push(k, to, buf);
                Next::Return { result: Ok(()) }
            }
        }
    }
}

fn push(k: &mut Kernel, pipe: PipeId, buf: PipeBuf) {
    if let Some(free) = k.pipe_mut(pipe).iter_mut().find(|b| b.is_none()) {
        *free = Some(buf);
    } else {
        k.put_page(buf.pfn);
    }
}

fn pop(k: &mut Kernel, pipe: PipeId) -> PipeBuf {
    let bufs = k.pipe_mut(pipe);
    let first = bufs[0].take().expect("read of an empty pipe waits");
    bufs.rotate_left(1);
    first
}
