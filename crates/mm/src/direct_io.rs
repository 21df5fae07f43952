//! Direct I/O: `block/bio.c`, `fs/iomap/direct-io.c`, `block/fops.c`, FUSE, NFS, Ceph; `io_uring` fixed buffers.
//!
//! A call takes references with GUP, may dirty the pages, and hands them to the device. From then on the device transfers
//! sector after sector, in any order, and takes no lock. A completion dirties what was written (again, or for the first time:
//! [`Dirtying`]) and drops the references; dirtying may be left to a worker, after the task was told.

use crate::config::FileSystem;
use crate::feature::Feature as F;
use crate::gup::{Then, Want, get_user_pages_fast};
use crate::ids::*;
use crate::kernel::{Kernel, View};
use crate::machine::{Dir, Dirtying, Hold, Io, IoState};
use crate::packed;
use crate::step::{Step, Wait, step};
use crate::task::{Call, Errno, Next};
use crate::world::Event;

packed! {
    /// The task's side of a transfer. `wait`: the call returns only when the transfer is complete.
    pub enum DirectIo {
        /// DR2: dirties the page before submission, under its lock.
        Dirty { io: IoId, wait: bool },
        /// DR3: hands it to the device.
        Submit { io: IoId, wait: bool },
        /// Sleeps until the transfer is complete.
        Wait { io: IoId },
    }
}

use DirectIo::{Dirty, Submit, Wait as WaitFor};

/// A transfer as a test asks for it.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The transfer's name.
    pub io: IoId,
    /// Direction.
    pub dir: Dir,
    /// Whose memory.
    pub mm: MmId,
    /// Which page.
    pub va: Va,
    /// Which cells of it.
    pub cells: Cells,
    /// The file.
    pub file: FileId,
}

impl DirectIo {
    /// Enters the call: GUP comes first. `wait`: synchronous.
    pub fn enter(k: &mut Kernel, r: Request, wait: bool) -> Next {
        let fs = k.cfg.files[r.file.at()];
        let pins = match fs {
            FileSystem::Block | FileSystem::BlockSync => k.has(F::DioPin),
            FileSystem::Fuse => k.has(F::FusePin),
            FileSystem::Nfs | FileSystem::Ceph => false,
        };
        let hold = if pins { Hold::Pin } else { Hold::Get };
        let dirtying = if fs == FileSystem::Block {
            Dirtying::BeforeSubmit
        } else {
            Dirtying::AtRelease
        };
        *k.io_mut(r.io) = Io {
            state: IoState::Entered,
            dir: r.dir,
            mm: r.mm,
            va: r.va,
            file: r.file,
            pfn: None,
            hold,
            dirtying,
            left: r.cells,
        };
        k.event(Event::TransferBegin { io: r.io });
        let write = r.dir == Dir::ToMemory;
        let want = Want {
            mm: r.mm,
            va: r.va,
            write,
            hold,
            longterm: false,
            force: false,
        };
        get_user_pages_fast(want, Then::Dio { io: r.io, wait })
    }

    /// Enters a transfer of a registered buffer: no GUP, the page is held already.
    pub fn enter_fixed(k: &mut Kernel, r: Request, holder: HoldId) -> Next {
        let Some(pfn) = k.holder(holder).page else {
            return Next::Return {
                result: Err(Errno::Efault),
            };
        };
        *k.io_mut(r.io) = Io {
            state: IoState::Entered,
            dir: r.dir,
            mm: r.mm,
            va: r.va,
            file: r.file,
            pfn: Some(pfn),
            hold: Hold::Borrowed,
            dirtying: Dirtying::AtRelease,
            left: r.cells,
        };
        k.event(Event::TransferBegin { io: r.io });
        dio(Submit {
            io: r.io,
            wait: true,
        })
    }

    /// GUP has the page.
    pub fn got(k: &mut Kernel, io: IoId, wait: bool, pfn: Pfn) -> Next {
        let t = k.io_mut(io);
        t.pfn = Some(pfn);
        let dirties = t.dir == Dir::ToMemory && t.dirtying == Dirtying::BeforeSubmit;
        dio(if dirties {
            Dirty { io, wait }
        } else {
            Submit { io, wait }
        })
    }

    /// GUP found no page: nothing is transferred.
    pub fn failed(k: &mut Kernel, io: IoId, wait: bool, errno: Errno) -> Next {
        k.event(Event::TransferEnd { io });
        k.io_mut(io).state = if wait { IoState::Idle } else { IoState::Failed };
        Next::Return {
            result: if wait { Err(errno) } else { Ok(()) },
        }
    }

    /// Waits for a transfer that was submitted earlier.
    pub fn wait(io: IoId) -> Next {
        dio(WaitFor { io })
    }

    /// The description of the next step.
    pub fn describe(&self, v: &View) -> Step {
        match *self {
            Dirty { io, .. } => {
                let wait = v.m.ios[io.at()].pfn.map_or(Wait::Nothing, Wait::Folio);
                step("DR2", "bio_set_pages_dirty")
                    .under("folio lock")
                    .waits(wait)
            }
            Submit { .. } => step("DR3", "submit_bio"),
            WaitFor { io } => step("I/O wait", "blk_io_schedule").waits(Wait::Io(io)),
        }
    }

    /// Takes the next step.
    pub fn step(self, k: &mut Kernel) -> Next {
        match self {
            Dirty { io, wait } => {
                if let Some(pfn) = k.io(io).pfn {
                    k.page_mut(pfn).dirty = true;
                }
                dio(Submit { io, wait })
            }
            Submit { io, wait } => {
                k.io_mut(io).state = IoState::InFlight;
                if wait {
                    dio(WaitFor { io })
                } else {
                    Next::Return { result: Ok(()) }
                }
            }
            WaitFor { io } => {
                let state = k.io(io).state;
                if matches!(state, IoState::Done | IoState::Failed) {
                    *k.io_mut(io) = Io::IDLE;
                }
                let failed = state == IoState::Failed;
                Next::Return {
                    result: if failed { Err(Errno::Efault) } else { Ok(()) },
                }
            }
        }
    }
}

fn dio(p: DirectIo) -> Next {
    Next::Call {
        call: Call::DirectIo { p },
    }
}

/// The device's side of a transfer, and its completion.
pub mod device {
    use super::*;

    /// The description of the next step of `io` in flight; none: it has none.
    pub fn describe(v: &View, io: IoId) -> Option<Step> {
        let t = &v.m.ios[io.at()];
        let unlocked = t.pfn.map_or(Wait::Nothing, Wait::Folio);
        Some(match t.state {
            IoState::InFlight => step(
                "DR4",
                if t.dir == Dir::ToMemory {
                    "device writes memory"
                } else {
                    "device reads memory"
                },
            ),
            IoState::Completing => step("DR5", "bio_check_pages_dirty"),
            // nfs_direct_read_completion() asks nobody.
            IoState::Dirtying if v.cfg.files[t.file.at()] == FileSystem::Nfs => {
                step("DR5", "set_page_dirty")
            }
            IoState::Dirtying => step("DR5", "set_page_dirty_lock")
                .under("folio lock")
                .waits(unlocked),
            IoState::Releasing => step("DR6", "bio_release_pages"),
            IoState::DoneDirtying => step("DR7", "bio_dirty_fn")
                .under("folio lock")
                .waits(unlocked),
            IoState::DoneReleasing => step("DR8", "bio_release_pages"),
            IoState::Idle | IoState::Entered | IoState::Done | IoState::Failed => return None,
        })
    }

    /// Takes the next step of `io`.
    pub fn step_io(k: &mut Kernel, io: IoId) {
        let t = *k.io(io);
        let Some(pfn) = t.pfn else { return };
        match t.state {
            IoState::InFlight => {
                let cell = t.left.nth(k.choose(t.left.len() as u8));
                k.transfer(io, pfn, cell, t.dir);
                let left = t.left.without(cell);
                let t = k.io_mut(io);
                t.left = left;
                if left.is_empty() {
                    t.state = IoState::Completing;
                }
            }
            IoState::Completing => complete(k, io, t, pfn),
            IoState::Dirtying => {
                k.page_mut(pfn).dirty = true;
                k.io_mut(io).state = IoState::Releasing;
            }
            IoState::Releasing => {
                k.release(pfn, t.hold);
                done(k, io, IoState::Done);
            }
            IoState::DoneDirtying => {
                k.page_mut(pfn).dirty = true;
                k.io_mut(io).state = IoState::DoneReleasing;
            }
            IoState::DoneReleasing => {
                k.release(pfn, t.hold);
                *k.io_mut(io) = Io {
                    state: IoState::Done,
                    pfn: None,
                    ..t
                };
            }
            IoState::Idle | IoState::Entered | IoState::Done | IoState::Failed => {}
        }
    }

    /// DR5. What the device read is just released; what it wrote must be dirty before it is.
    fn complete(k: &mut Kernel, io: IoId, t: Io, pfn: Pfn) {
        if t.dir == Dir::ToDevice || t.hold == Hold::Borrowed {
            k.release(pfn, t.hold);
            return done(k, io, IoState::Done);
        }
        match t.dirtying {
            Dirtying::AtRelease => k.io_mut(io).state = IoState::Dirtying,
            Dirtying::BeforeSubmit if k.page(pfn).dirty => {
                k.release(pfn, t.hold);
                done(k, io, IoState::Done);
            }
            // Somebody cleaned the page meanwhile: a worker dirties it, later than the task is told.
            Dirtying::BeforeSubmit => done(k, io, IoState::DoneDirtying),
        }
    }

    fn done(k: &mut Kernel, io: IoId, state: IoState) {
        k.event(Event::TransferEnd { io });
        let t = k.io_mut(io);
        t.state = state;
        if state == IoState::Done {
            t.pfn = None;
        }
    }
}
