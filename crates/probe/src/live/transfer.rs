//! Transfers: direct and buffered I/O, waited for or not, and through registered buffers.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cowherd_litmus::ast::{self, Call, Cells, HandleId, Mode, Place};

use super::fuse::CELL;
use super::shared::{self, Value};
use super::sys::result;
use super::uring::Way;
use super::world::{Me, World};

impl Me<'_> {
    pub(super) fn pread(
        &self,
        n: usize,
        file: &ast::FilePlace,
        place: Place,
        mode: Mode,
        way: Way,
    ) -> io::Result<()> {
        let (at, bytes) = self.range(place);
        let offset = offset(file.cells);
        match mode {
            Mode::Direct => {
                let io = World::transfer_of(&self.world.test, self.thread, n).unwrap_or(0);
                transfer(self.world, io, way, offset, at, bytes)
            }
            Mode::Buffered => {
                let fd = self.world.files[file.file.index()];
                let fd = fd.ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))?;
                // One cell after the other, as the model has it.
                (0..bytes / CELL).try_for_each(|n| {
                    whole(1, move_bytes(fd, way, offset + n * CELL, at + n * CELL, 1)?)
                })
            }
        }
    }

    /// A helper of the process makes the transfer; the call returns when the request is queued, or has failed.
    pub(super) fn submit(
        &self,
        n: usize,
        file: &ast::FilePlace,
        place: Place,
        way: Way,
    ) -> io::Result<()> {
        let (at, bytes) = self.range(place);
        let offset = offset(file.cells);
        let io = World::transfer_of(&self.world.test, self.thread, n).unwrap_or(0);
        // SAFETY: the world outlives the process.
        let world: &'static World = unsafe { &*std::ptr::from_ref(self.world) };
        let transfers = &world.board.get().transfers;
        std::thread::Builder::new().spawn(move || transfer(world, io, way, offset, at, bytes))?;
        let mut queue = libc::pollfd {
            fd: world.transfers[io].1,
            events: libc::POLLIN,
            revents: 0,
        };
        loop {
            if transfers[io].state.load(Ordering::SeqCst) == 2 {
                let result = transfers[io].result.load(Ordering::SeqCst);
                return if result < 0 {
                    Err(io::Error::from_raw_os_error(-result))
                } else {
                    Ok(())
                };
            }
            // SAFETY: one descriptor.
            if unsafe { libc::poll(&mut queue, 1, 1) } == 1 {
                return Ok(());
            }
        }
    }

    pub(super) fn wait(&self, handle: HandleId) -> Value {
        let test = &self.world.test;
        let made = test.threads[self.thread].stmts.iter().position(|s| {
            matches!(s.call, Call::ReadSubmit { handle: Some(h), .. } | Call::WriteSubmit { handle: Some(h), .. } if h == handle)
        });
        let io = made
            .and_then(|n| World::transfer_of(test, self.thread, n))
            .unwrap_or(0);
        let transfer = &self.world.board.get().transfers[io];
        while transfer.state.load(Ordering::SeqCst) != 2 {
            shared::wait(&transfer.state, 1, Duration::from_secs(1));
        }
        match transfer.result.load(Ordering::SeqCst) {
            errno if errno < 0 => Value::Errno(-errno),
            _ => Value::Number(0),
        }
    }

    pub(super) fn fixed(
        &self,
        n: usize,
        file: &ast::FilePlace,
        buffer: HandleId,
        cells: Cells,
        way: Way,
    ) -> io::Result<()> {
        let page = self.world.test.threads[self.thread].handles[buffer.index()].page;
        let (at, bytes) = self.range(Place { page, cells });
        let io = World::transfer_of(&self.world.test, self.thread, n).unwrap_or(0);
        let rings = self.rings.borrow();
        let ring = rings
            .get(&buffer)
            .ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))?;
        let transfer = &self.world.board.get().transfers[io];
        transfer.state.store(1, Ordering::SeqCst);
        let done = ring
            .transfer(
                way,
                self.world.transfers[io].0,
                offset(file.cells),
                at,
                bytes,
            )
            .and_then(|moved| whole(bytes, moved));
        over(self.world, io, &done);
        done
    }
}

fn offset(cells: Cells) -> usize {
    match cells {
        Cells::One(n) => n as usize * CELL,
        Cells::All => 0,
    }
}

/// A direct transfer on the file of that number, from its beginning to its end.
fn transfer(
    world: &World,
    io: usize,
    way: Way,
    offset: usize,
    at: usize,
    bytes: usize,
) -> io::Result<()> {
    world.board.get().transfers[io]
        .state
        .store(1, Ordering::SeqCst);
    let done =
        move_bytes(world.transfers[io].0, way, offset, at, bytes).and_then(|n| whole(bytes, n));
    over(world, io, &done);
    done
}

fn over(world: &World, io: usize, done: &io::Result<()>) {
    let transfer = &world.board.get().transfers[io];
    let errno = match done {
        Ok(()) => 0,
        Err(e) => -e.raw_os_error().unwrap_or(libc::EIO),
    };
    transfer.result.store(errno, Ordering::SeqCst);
    shared::set(&transfer.state, 2);
}

fn move_bytes(fd: RawFd, way: Way, offset: usize, at: usize, bytes: usize) -> io::Result<usize> {
    let offset = offset as libc::off_t;
    // SAFETY: a test's page, in which nothing of Rust lives; the kernel gives EFAULT where it is not mapped.
    let n = unsafe {
        match way {
            Way::Read => libc::pread(fd, at as *mut libc::c_void, bytes, offset),
            Way::Write => libc::pwrite(fd, at as *const libc::c_void, bytes, offset),
        }
    };
    result(n as i64).map(|n| n as usize)
}

/// A transfer that was cut short failed at what it could not reach.
pub(super) fn whole(wanted: usize, moved: usize) -> io::Result<()> {
    if moved < wanted {
        return Err(io::Error::from_raw_os_error(libc::EFAULT));
    }
    Ok(())
}
