//! What threads do and what the kernel does beside them.

use super::words::{Advice, Foll, Prot};
use super::{FileId, HandleId, PageId, PipeId, ProcessId, Reg, ThreadId};
use crate::Span;

/// A statement of a thread: a call, an access, and where its result goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stmt {
    /// The register that takes the result; always there for a load.
    pub result: Option<Reg>,
    /// What is done.
    pub call: Call,
    /// The statement, without its `;`.
    pub span: Span,
}

/// A value to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// A number.
    Number(u8),
    /// What a register of the same thread holds.
    Reg(Reg),
}

/// One cell of a page, in the process of the thread that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    /// The page.
    pub page: PageId,
    /// The cell, below the page's `cells`.
    pub cell: u8,
}

/// A page in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// The process.
    pub process: ProcessId,
    /// The page.
    pub page: PageId,
}

/// One cell of a page in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressCell {
    /// The process.
    pub process: ProcessId,
    /// The page.
    pub page: PageId,
    /// The cell.
    pub cell: u8,
}

/// How much of a page a transfer moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cells {
    /// One cell.
    One(u8),
    /// The whole page.
    All,
}

/// The memory end of a transfer, in the process of the thread that asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The page.
    pub page: PageId,
    /// Which of its cells.
    pub cells: Cells,
}

/// The file end of a transfer. `All` where the memory end is a whole page, one cell where that is one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FilePlace {
    /// The file.
    pub file: FileId,
    /// Which of its cells.
    pub cells: Cells,
}

/// Is `O_DIRECT` given?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Between the device and the caller's page.
    Direct,
    /// A copy from or to the page cache.
    Buffered,
}

/// Everything that a statement may do. Except where noted, a call's result is 0 or an errno.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// `r0 = x[1];` the result is the value.
    Load {
        /// From where.
        from: Cell,
    },
    /// `x[1] = 1;` never has a result.
    Store {
        /// Where to.
        to: Cell,
        /// What.
        value: Value,
    },
    /// `r0 = h0[0];` the device reads memory through a `get` or `pin`; the result is the value.
    HandleLoad {
        /// The holder.
        handle: HandleId,
        /// The cell.
        cell: u8,
    },
    /// `h0[0] = 3;` the device writes memory through a `get` or `pin`; never has a result.
    HandleStore {
        /// The holder.
        handle: HandleId,
        /// The cell.
        cell: u8,
        /// What.
        value: Value,
    },
    /// `fork(B) { ... }`
    Fork {
        /// The child.
        child: ProcessId,
        /// The thread that runs the block, the child's first.
        thread: ThreadId,
    },
    /// `exit();` of the thread; the last thread of a process ends it.
    Exit,
    /// `waitpid(B);` until every thread of B has ended and its address space is gone.
    Waitpid {
        /// Whom to wait for.
        process: ProcessId,
    },
    /// `pread(f, x[0], O_DIRECT);` file to memory.
    Pread {
        /// From.
        file: FilePlace,
        /// To.
        place: Place,
        /// Direct or buffered.
        mode: Mode,
    },
    /// `pwrite(f, x[0], O_DIRECT);` memory to file.
    Pwrite {
        /// To.
        file: FilePlace,
        /// From.
        place: Place,
        /// Direct or buffered.
        mode: Mode,
    },
    /// `io0 = read_submit(f, x[0]);` asynchronous direct read.
    ReadSubmit {
        /// To wait for; `None`: nobody does.
        handle: Option<HandleId>,
        /// From.
        file: FilePlace,
        /// To.
        place: Place,
    },
    /// `io0 = write_submit(f, x[0]);` asynchronous direct write.
    WriteSubmit {
        /// To wait for; `None`: nobody does.
        handle: Option<HandleId>,
        /// To.
        file: FilePlace,
        /// From.
        place: Place,
    },
    /// `r1 = wait(io0);` for a submitted transfer; the result is the transfer's.
    Wait {
        /// The transfer.
        handle: HandleId,
    },
    /// `vmsplice(p, x[0]);` the page goes into the pipe by reference.
    Vmsplice {
        /// Into.
        pipe: PipeId,
        /// What.
        place: Place,
    },
    /// `r0 = read(p);` the next cell of the pipe; waits while it is empty; the result is the value.
    Read {
        /// From.
        pipe: PipeId,
    },
    /// `tee(p, q);` what is in p is in q as well.
    Tee {
        /// From.
        from: PipeId,
        /// To.
        to: PipeId,
    },
    /// `splice(p, q);` what is in p moves to q.
    Splice {
        /// From.
        from: PipeId,
        /// To.
        to: PipeId,
    },
    /// `b0 = register_buffer(x);` io_uring: FOLL_PIN, FOLL_LONGTERM, FOLL_WRITE.
    RegisterBuffer {
        /// The buffer; `None`: nobody uses it.
        handle: Option<HandleId>,
        /// The page.
        page: PageId,
    },
    /// `read_fixed(f, b0[0]);` file to registered buffer.
    ReadFixed {
        /// From.
        file: FilePlace,
        /// To.
        buffer: HandleId,
        /// Which cells of it.
        cells: Cells,
    },
    /// `write_fixed(f, b0[0]);` registered buffer to file.
    WriteFixed {
        /// To.
        file: FilePlace,
        /// From.
        buffer: HandleId,
        /// Which cells of it.
        cells: Cells,
    },
    /// `unregister(b0);`
    Unregister {
        /// The buffer.
        buffer: HandleId,
    },
    /// `h0 = get(x, FOLL_WRITE);`
    Get {
        /// The holder; `None`: held to the end.
        handle: Option<HandleId>,
        /// The page.
        page: PageId,
        /// In ascending order, each once.
        flags: Vec<Foll>,
    },
    /// `h0 = pin(x, FOLL_WRITE, FOLL_LONGTERM);`
    Pin {
        /// The holder; `None`: held to the end.
        handle: Option<HandleId>,
        /// The page.
        page: PageId,
        /// In ascending order, each once.
        flags: Vec<Foll>,
    },
    /// `release(h0);` of a `get` or `pin`.
    Release {
        /// The holder.
        handle: HandleId,
    },
    /// `madvise(x, MADV_DONTNEED);`
    Madvise {
        /// The page.
        page: PageId,
        /// The advice.
        advice: Advice,
    },
    /// `process_madvise(B:x, MADV_PAGEOUT);`
    ProcessMadvise {
        /// The page.
        at: Address,
        /// The advice; one that may be given to another process.
        advice: Advice,
    },
    /// `munmap(x);`
    Munmap {
        /// The page.
        page: PageId,
    },
    /// `mremap(x, y);` x moves to where y is.
    Mremap {
        /// What moves.
        from: PageId,
        /// An untouched page.
        to: PageId,
    },
    /// `mprotect(x, PROT_READ, PROT_WRITE);`
    Mprotect {
        /// The page.
        page: PageId,
        /// In ascending order, each once; `PROT_NONE` only alone.
        prot: Vec<Prot>,
    },
    /// `clear_refs(A);` as `echo 4 > /proc/A/clear_refs`.
    ClearRefs {
        /// Whose.
        process: ProcessId,
    },
    /// `mem_write(B:x[0], 3);` /proc/B/mem: FOLL_FORCE.
    MemWrite {
        /// Where.
        to: AddressCell,
        /// What.
        value: Value,
    },
    /// `r0 = mem_read(B:x[0]);` /proc/B/mem; the result is the value.
    MemRead {
        /// Where.
        from: AddressCell,
    },
    /// `process_vm_writev(B:x[0], 3);`
    ProcessVmWritev {
        /// Where.
        to: AddressCell,
        /// What.
        value: Value,
    },
    /// `r0 = process_vm_readv(B:x[0]);` the result is the value.
    ProcessVmReadv {
        /// Where.
        from: AddressCell,
    },
    /// `uffd_writeprotect(x);`
    UffdWriteprotect {
        /// The page.
        page: PageId,
    },
    /// `uffd_unprotect(x);` and wakes who waits.
    UffdUnprotect {
        /// The page.
        page: PageId,
    },
    /// `uffd_rwprotect(x);`
    UffdRwprotect {
        /// The page.
        page: PageId,
    },
    /// `uffd_move(y, x);` x moves to y.
    UffdMove {
        /// An untouched page.
        to: PageId,
        /// What moves.
        from: PageId,
    },
    /// `uffd_copy(x, 3);` a new page, and wakes who waits.
    UffdCopy {
        /// The page.
        page: PageId,
        /// One value for each cell.
        values: Vec<Value>,
    },
    /// `uffd_zeropage(x);` the zero page, and wakes who waits.
    UffdZeropage {
        /// The page.
        page: PageId,
    },
    /// `uffd_continue(m);` maps the page cache page, and wakes who waits.
    UffdContinue {
        /// The page, a private mapping.
        page: PageId,
    },
    /// `r0 = pagemap(x);` the result is 1 when soft-dirty, 0 when not.
    Pagemap {
        /// The page.
        page: PageId,
    },
    /// `swapoff();`
    Swapoff,
    /// `move_pages(x);` migrates the page.
    MovePages {
        /// The page.
        page: PageId,
    },
    /// `lru_add_drain();` of the thread's own CPU.
    LruAddDrain,
}

/// A `kernel { ... }` block: what runs beside the threads, in order, one actor for each copy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// Number of identical actors, at least 1.
    pub copies: u8,
    /// What each of them does.
    pub activities: Vec<KernelStmt>,
    /// The block.
    pub span: Span,
}

/// A statement of a `kernel` block.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KernelStmt {
    /// What is done.
    pub activity: Activity,
    /// The statement, without its `;`.
    pub span: Span,
}

/// What the kernel does unasked, or asked by somebody outside of the test.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Activity {
    /// `reclaim(x);` as memory cgroup reclaim: the page of x, whoever maps it.
    Reclaim {
        /// The page.
        at: Address,
    },
    /// `ksm(x, y);` one pass of ksmd over the pages, in this order.
    Ksm {
        /// One or two pages.
        pages: Vec<Address>,
    },
    /// `migrate(x);` as compaction does.
    Migrate {
        /// The page.
        at: Address,
    },
    /// `numa_scan(x);` makes the PTE a hinting entry.
    NumaScan {
        /// The page.
        at: Address,
    },
    /// `swapoff();`
    Swapoff,
    /// `lru_add_drain();` on every CPU.
    LruAddDrain,
    /// `clear_refs(A);`
    ClearRefs {
        /// Whose.
        process: ProcessId,
    },
    /// `madvise(A:x, MADV_PAGEOUT);` as `process_madvise(2)`.
    Madvise {
        /// The page.
        at: Address,
        /// The advice; one that may be given to another process.
        advice: Advice,
    },
}
