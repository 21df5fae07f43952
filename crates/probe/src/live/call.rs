//! Each statement of the language as the system call that it names.

use std::io;
use std::os::fd::{FromRawFd, RawFd};
use std::sync::atomic::Ordering;
use std::time::Duration;

use cowherd_litmus::ast::{
    self, AddressCell, Advice, Call, Cells, Foll, HandleId, PageId, Place, ProcessId, Prot, Start,
};

use super::fuse::CELL;
use super::look;
use super::shared::{self, Value};
use super::sys::{self, PAGE, result};
use super::transfer::whole;
use super::uring::{Ring, Way};
use super::world::{self, Me, address};

/// How often somebody looks who waits for what no system call waits for. So seldom that he is found asleep, and more often than it takes to
/// count as waiting.
const POLL: Duration = Duration::from_millis(3);

/// MADV_COLD and what follows, where libc is older than they are.
pub fn advice(advice: Advice) -> i32 {
    match advice {
        Advice::DontNeed => libc::MADV_DONTNEED,
        Advice::Free => libc::MADV_FREE,
        Advice::PageOut => libc::MADV_PAGEOUT,
        Advice::Cold => libc::MADV_COLD,
        Advice::WillNeed => libc::MADV_WILLNEED,
        Advice::PopulateRead => libc::MADV_POPULATE_READ,
        Advice::PopulateWrite => libc::MADV_POPULATE_WRITE,
        Advice::Mergeable => libc::MADV_MERGEABLE,
        Advice::Unmergeable => libc::MADV_UNMERGEABLE,
        Advice::DontFork => libc::MADV_DONTFORK,
        Advice::DoFork => libc::MADV_DOFORK,
        Advice::WipeOnFork => libc::MADV_WIPEONFORK,
        Advice::KeepOnFork => libc::MADV_KEEPONFORK,
    }
}

impl Me<'_> {
    /// Does a statement. What it gives: a value, 0 for success, or an errno.
    pub fn statement(&self, n: usize) -> Value {
        let test = &self.world.test;
        let call = &test.threads[self.thread].stmts[n].call;
        let done = match call {
            Call::Load { from } => return Value::Number(world::read(cell(from.page, from.cell))),
            Call::Store { to, value } => {
                world::write(cell(to.page, to.cell), self.value(*value));
                Ok(())
            }
            Call::HandleLoad { handle, cell } => return value(self.handle_load(*handle, *cell)),
            Call::HandleStore {
                handle,
                cell,
                value,
            } => self.handle_store(*handle, *cell, self.value(*value)),
            Call::Fork { child, thread } => self.fork(*child, thread.index()),
            Call::Exit => {
                if self.world.others_ended(self.thread) {
                    shared::set(
                        &self.world.board.get().threads[self.thread].done,
                        n as u32 + 1,
                    );
                    world::end();
                }
                Ok(())
            }
            Call::Waitpid { process } => self.waitpid(*process),
            Call::Pread { file, place, mode } => self.pread(n, file, *place, *mode, Way::Read),
            Call::Pwrite { file, place, mode } => self.pread(n, file, *place, *mode, Way::Write),
            Call::ReadSubmit { file, place, .. } => self.submit(n, file, *place, Way::Read),
            Call::WriteSubmit { file, place, .. } => self.submit(n, file, *place, Way::Write),
            Call::Wait { handle } => return self.wait(*handle),
            Call::Vmsplice { pipe, place } => {
                let (at, bytes) = self.range(*place);
                vmsplice(self.world.pipes[pipe.index()].1, at, bytes)
            }
            Call::Read { pipe } => {
                let bytes = self.pipe_width() * CELL;
                return value(read_pipe(self.world.pipes[pipe.index()].0, bytes));
            }
            Call::Tee { from, to } => {
                let (from, to) = (
                    self.world.pipes[from.index()].0,
                    self.world.pipes[to.index()].1,
                );
                // One buffer, as in the model.
                let bytes = self.pipe_width() * CELL;
                // SAFETY: two descriptors and a length.
                result(unsafe { libc::tee(from, to, bytes, 0) } as i64).map(drop)
            }
            Call::Splice { from, to } => {
                let (from, to) = (
                    self.world.pipes[from.index()].0,
                    self.world.pipes[to.index()].1,
                );
                let none = std::ptr::null_mut();
                let bytes = self.pipe_width() * CELL;
                // SAFETY: two descriptors and a length.
                result(unsafe { libc::splice(from, none, to, none, bytes, 0) } as i64).map(drop)
            }
            Call::RegisterBuffer { handle, page } => self.register(*handle, *page),
            Call::Pin { handle, page, .. } => self.register(*handle, *page),
            Call::Get {
                handle,
                page,
                flags,
            } => self.get(*handle, *page, flags),
            Call::ReadFixed {
                file,
                buffer,
                cells,
            } => self.fixed(n, file, *buffer, *cells, Way::Read),
            Call::WriteFixed {
                file,
                buffer,
                cells,
            } => self.fixed(n, file, *buffer, *cells, Way::Write),
            Call::Unregister { buffer } => self.release(*buffer),
            Call::Release { handle } => self.release(*handle),
            Call::Madvise { page, advice: a } => sys::madvise(address(*page), advice(*a)),
            Call::ProcessMadvise { at, advice: a } => {
                sys::process_madvise(self.pid(at.process), address(at.page), advice(*a))
            }
            Call::Munmap { page } => sys::unmap(address(*page)),
            Call::Mremap { from, to } => mremap(address(*from), address(*to)),
            Call::Mprotect { page, prot } => sys::mprotect(address(*page), protection(prot)),
            Call::ClearRefs { process } => clear_refs(self.pid(*process)),
            Call::MemWrite { to, value } => self.mem_write(*to, self.value(*value)),
            Call::MemRead { from } => return value(self.mem_read(*from)),
            Call::ProcessVmWritev { to, value } => {
                self.process_vm(*to, &mut self.value(*value), Way::Write)
            }
            Call::ProcessVmReadv { from } => {
                let mut byte = 0;
                let done = self.process_vm(*from, &mut byte, Way::Read);
                return value(done.map(|()| byte));
            }
            Call::UffdWriteprotect { page } => self
                .uffd()
                .and_then(|u| u.write_protect(address(*page), true)),
            Call::UffdUnprotect { page } => self
                .uffd()
                .and_then(|u| u.write_protect(address(*page), false)),
            Call::UffdMove { to, from } => self
                .uffd()
                .and_then(|u| u.move_page(address(*to), address(*from))),
            Call::UffdCopy { page, values } => self.uffd_copy(*page, values),
            Call::UffdZeropage { page } => self.uffd().and_then(|u| u.zeropage(address(*page))),
            Call::UffdContinue { page } => self.uffd().and_then(|u| u.go_on(address(*page))),
            Call::Pagemap { page } => {
                return value(look::soft_dirty(self.own_pid(), address(*page)).map(u8::from));
            }
            Call::MovePages { page } => {
                // A page that is nowhere is asked to move all the same: the call drains LRU batches first.
                let node = sys::node_of(0, address(*page)).unwrap_or(0);
                sys::move_page(0, address(*page), 1 - node)
            }
            Call::LruAddDrain => {
                world::drain();
                Ok(())
            }
            Call::UffdRwprotect { .. } | Call::Swapoff => {
                Err(io::Error::from_raw_os_error(libc::ENOSYS))
            }
        };
        Value::of(&done)
    }

    fn value(&self, value: ast::Value) -> u8 {
        match value {
            ast::Value::Number(n) => n,
            ast::Value::Reg(reg) => {
                let mine = &self.world.board.get().threads[self.thread];
                match Value::load(&mine.registers[reg.0 as usize]) {
                    Value::Number(n) => n,
                    Value::Unset | Value::Errno(_) => 0,
                }
            }
        }
    }

    fn own_pid(&self) -> i32 {
        std::process::id() as i32
    }

    /// A process; one that a fork has yet to make is waited for.
    fn pid(&self, process: ProcessId) -> i32 {
        loop {
            match self.world.board.get().pids[process.index()].load(Ordering::SeqCst) {
                0 => std::thread::sleep(POLL),
                pid => return pid,
            }
        }
    }

    /// Address and length of the memory end of a transfer.
    pub(super) fn range(&self, place: Place) -> (usize, usize) {
        let cells = self.world.test.pages[place.page.index()].cells as usize;
        match place.cells {
            Cells::One(n) => (cell(place.page, n), CELL),
            Cells::All => (address(place.page), cells * CELL),
        }
    }

    fn fork(&self, child: ProcessId, thread: usize) -> io::Result<()> {
        // SAFETY: the child goes on with what a forked process may: this thread, and threads that it makes itself.
        if result(unsafe { libc::fork() })? > 0 {
            // The call has returned, and the child's threads are there, before the next turn. Whoever looks on must not take this for sleep.
            while !self.world.all_live(child, thread) {
                std::thread::yield_now();
            }
            return Ok(());
        }
        // userfaultfd is for the memory that it was made in.
        world::forget_uffd();
        let shared = self.world.board.get();
        shared.pids[child.index()].store(self.own_pid(), Ordering::SeqCst);
        for (t, other) in self.world.test.threads.iter().enumerate() {
            if other.process == child
                && other.start == Start::WithProcess
                && self.world.spawn(t).is_err()
            {
                world::end();
            }
        }
        self.world.serve(thread)
    }

    /// Until the process's memory is gone.
    fn waitpid(&self, process: ProcessId) -> io::Result<()> {
        let pid = self.pid(process);
        while look::has_memory(pid) {
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    fn register(&self, handle: Option<HandleId>, page: PageId) -> io::Result<()> {
        let ring = Ring::new()?;
        let cells = self.world.test.pages[page.index()].cells as usize;
        ring.register(address(page), cells * CELL)?;
        match handle {
            Some(handle) => drop(self.rings.borrow_mut().insert(handle, ring)),
            // Nobody lets go of it: it stays to the end.
            None => std::mem::forget(ring),
        }
        Ok(())
    }

    /// A read-only FOLL_GET reference: a pipe of the thread's own holds the page.
    fn get(&self, handle: Option<HandleId>, page: PageId, flags: &[Foll]) -> io::Result<()> {
        if !flags.is_empty() {
            return Err(io::Error::from_raw_os_error(libc::ENOSYS));
        }
        let cells = self.world.test.pages[page.index()].cells as usize;
        let (read, write) = pipe()?;
        vmsplice(write, address(page), cells * CELL)?;
        if let Some(handle) = handle {
            self.holds.borrow_mut().insert(handle, (read, write));
        }
        Ok(())
    }

    fn handle_load(&self, handle: HandleId, cell: u8) -> io::Result<u8> {
        let offset = cell as usize * CELL;
        if let Some(&(read, _)) = self.holds.borrow().get(&handle) {
            // What tee has copied refers to the same page.
            let (from, to) = pipe()?;
            // SAFETY: two descriptors and a length.
            let copied = result(unsafe { libc::tee(read, to, 1 << 20, 0) } as i64);
            let mut bytes = vec![0u8; PAGE];
            // SAFETY: the buffer is as long as said.
            let n = unsafe { libc::read(from, bytes.as_mut_ptr().cast(), PAGE) };
            close(from);
            close(to);
            copied?;
            return bytes
                .get(offset)
                .filter(|_| n as usize > offset)
                .copied()
                .ok_or_else(|| io::Error::from_raw_os_error(libc::EIO));
        }
        self.through(handle, |ring, at, file| {
            ring.transfer(Way::Write, file, 0, at + offset, CELL)?;
            let mut byte = 0u8;
            // SAFETY: one byte.
            let n = unsafe { libc::pread(file, std::ptr::from_mut(&mut byte).cast(), 1, 0) };
            result(n as i64)?;
            Ok(byte)
        })
    }

    fn handle_store(&self, handle: HandleId, cell: u8, value: u8) -> io::Result<()> {
        let offset = cell as usize * CELL;
        self.through(handle, |ring, at, file| {
            let bytes = self.world.filler.cell(value);
            // SAFETY: as long as said.
            result(unsafe { libc::pwrite(file, bytes.as_ptr().cast(), CELL, 0) } as i64)?;
            ring.transfer(Way::Read, file, 0, at + offset, CELL)
                .map(drop)
        })
    }

    /// Moves bytes between a file in memory and a pinned page.
    fn through<T>(
        &self,
        handle: HandleId,
        with: impl FnOnce(&Ring, usize, RawFd) -> io::Result<T>,
    ) -> io::Result<T> {
        let rings = self.rings.borrow();
        let ring = rings
            .get(&handle)
            .ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))?;
        let page = self.world.test.threads[self.thread].handles[handle.index()].page;
        let file = memory_file()?;
        let done = with(ring, address(page), file);
        close(file);
        done
    }

    fn release(&self, handle: HandleId) -> io::Result<()> {
        if let Some((read, write)) = self.holds.borrow_mut().remove(&handle) {
            close(read);
            close(write);
            return Ok(());
        }
        match self.rings.borrow_mut().remove(&handle) {
            Some(ring) => ring.unregister(),
            None => Err(io::Error::from_raw_os_error(libc::EBADF)),
        }
    }

    /// The cells of what this test's pipes carry: the plan has seen that all are as wide.
    fn pipe_width(&self) -> usize {
        pipe_widths(&self.world.test).first().copied().unwrap_or(1)
    }

    fn mem_write(&self, to: AddressCell, value: u8) -> io::Result<()> {
        self.reachable(to)?;
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(format!("/proc/{}/mem", self.pid(to.process)))?;
        std::os::unix::fs::FileExt::write_all_at(&file, &[value], cell(to.page, to.cell) as u64)
    }

    /// A process that is gone has no memory to reach: ESRCH, or nothing read, as the call and the release have it; EFAULT in the model.
    fn reachable(&self, at: AddressCell) -> io::Result<()> {
        match look::has_memory(self.pid(at.process)) {
            true => Ok(()),
            false => Err(io::Error::from_raw_os_error(libc::EFAULT)),
        }
    }

    fn mem_read(&self, from: AddressCell) -> io::Result<u8> {
        self.reachable(from)?;
        let file = std::fs::File::open(format!("/proc/{}/mem", self.pid(from.process)))?;
        let mut byte = [0];
        std::os::unix::fs::FileExt::read_exact_at(
            &file,
            &mut byte,
            cell(from.page, from.cell) as u64,
        )?;
        Ok(byte[0])
    }

    fn process_vm(&self, at: AddressCell, byte: &mut u8, way: Way) -> io::Result<()> {
        self.reachable(at)?;
        let local = libc::iovec {
            iov_base: std::ptr::from_mut(byte).cast(),
            iov_len: 1,
        };
        let remote = libc::iovec {
            iov_base: cell(at.page, at.cell) as *mut libc::c_void,
            iov_len: 1,
        };
        let pid = self.pid(at.process);
        // SAFETY: one byte here; the other end is the other process's, whose test it is.
        let n = unsafe {
            match way {
                Way::Read => libc::process_vm_readv(pid, &local, 1, &remote, 1, 0),
                Way::Write => libc::process_vm_writev(pid, &local, 1, &remote, 1, 0),
            }
        };
        result(n as i64).map(drop)
    }

    fn uffd_copy(&self, page: PageId, values: &[ast::Value]) -> io::Result<()> {
        let values: Vec<u8> = values.iter().map(|v| self.value(*v)).collect();
        let bytes = self.world.filler.page(&values);
        self.uffd()?.copy(address(page), &bytes)
    }
}

/// The cells of each vmsplice of a test, without repetition.
pub fn pipe_widths(test: &ast::Test) -> Vec<usize> {
    let mut widths: Vec<usize> = Vec::new();
    for stmt in test.threads.iter().flat_map(|t| &t.stmts) {
        if let Call::Vmsplice { place, .. } = stmt.call {
            let width = match place.cells {
                Cells::One(_) => 1,
                Cells::All => test.pages[place.page.index()].cells as usize,
            };
            if !widths.contains(&width) {
                widths.push(width);
            }
        }
    }
    widths
}

/// Where a cell is.
pub fn cell(page: PageId, cell: u8) -> usize {
    address(page) + cell as usize * CELL
}

fn value(result: io::Result<u8>) -> Value {
    match result {
        Ok(n) => Value::Number(n),
        Err(e) => Value::Errno(e.raw_os_error().unwrap_or(libc::EIO)),
    }
}

fn vmsplice(pipe: RawFd, at: usize, bytes: usize) -> io::Result<()> {
    let range = libc::iovec {
        iov_base: at as *mut libc::c_void,
        iov_len: bytes,
    };
    // SAFETY: one vector; the pages are a test's.
    result(unsafe { libc::vmsplice(pipe, &range, 1, 0) } as i64).map(drop)
}

/// Reads a buffer of a pipe. Its value is that of its last cell, as each gives one.
fn read_pipe(pipe: RawFd, bytes: usize) -> io::Result<u8> {
    let mut buffer = vec![0u8; bytes];
    // SAFETY: the buffer is as long as said.
    let n = result(unsafe { libc::read(pipe, buffer.as_mut_ptr().cast(), bytes) } as i64)?;
    whole(bytes, n as usize)?;
    Ok(buffer[bytes - CELL])
}

fn mremap(from: usize, to: usize) -> io::Result<()> {
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: both are pages of the test.
    let at = unsafe {
        libc::mremap(
            from as *mut libc::c_void,
            PAGE,
            PAGE,
            flags,
            to as *mut libc::c_void,
        )
    };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn protection(prot: &[Prot]) -> i32 {
    prot.iter().fold(libc::PROT_NONE, |bits, p| {
        bits | match p {
            Prot::None => libc::PROT_NONE,
            Prot::Read => libc::PROT_READ,
            Prot::Write => libc::PROT_WRITE,
        }
    })
}

/// `echo 4 > /proc/PID/clear_refs`
pub fn clear_refs(pid: i32) -> io::Result<()> {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "4")
}

/// A new pipe.
pub fn pipe() -> io::Result<(RawFd, RawFd)> {
    let mut fds = [0; 2];
    // SAFETY: room for two descriptors.
    result(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) })?;
    Ok((fds[0], fds[1]))
}

/// A new file in memory.
pub fn memory_file() -> io::Result<RawFd> {
    // SAFETY: the name ends with a zero.
    let fd = result(unsafe { libc::memfd_create(c"cowherd".as_ptr(), libc::MFD_CLOEXEC) })?;
    Ok(fd as RawFd)
}

/// Closes a descriptor that belongs to nobody else.
pub fn close(fd: RawFd) {
    // SAFETY: callers pass what they have opened, once.
    drop(unsafe { std::os::fd::OwnedFd::from_raw_fd(fd) });
}
