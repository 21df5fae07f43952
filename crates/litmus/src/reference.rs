//! The vocabulary, each word with an example: what help and suggestions are made from, and what the reference is held against.

/// Every call of a thread, with an example.
pub const CALLS: &[(&str, &str)] = &[
    ("fork", "fork(B) { r0 = x; }"),
    ("exit", "exit();"),
    ("waitpid", "waitpid(B);"),
    ("pread", "pread(f, x[0], O_DIRECT);"),
    ("pwrite", "pwrite(f, x[0], O_DIRECT);"),
    ("read_submit", "io0 = read_submit(f, x[0]);"),
    ("write_submit", "io0 = write_submit(f, x[0]);"),
    ("wait", "r1 = wait(io0);"),
    ("vmsplice", "vmsplice(p, x[0]);"),
    ("read", "r0 = read(p);"),
    ("tee", "tee(p, q);"),
    ("splice", "splice(p, q);"),
    ("register_buffer", "b0 = register_buffer(x);"),
    ("read_fixed", "read_fixed(f, b0[0]);"),
    ("write_fixed", "write_fixed(f, b0[0]);"),
    ("unregister", "unregister(b0);"),
    ("get", "h0 = get(x, FOLL_WRITE);"),
    ("pin", "h0 = pin(x, FOLL_WRITE, FOLL_LONGTERM);"),
    ("release", "release(h0);"),
    ("madvise", "madvise(x, MADV_DONTNEED);"),
    ("process_madvise", "process_madvise(B:x, MADV_PAGEOUT);"),
    ("munmap", "munmap(x);"),
    ("mremap", "mremap(x, y);"),
    ("mprotect", "mprotect(x, PROT_READ, PROT_WRITE);"),
    ("clear_refs", "clear_refs(A);"),
    ("mem_write", "mem_write(B:x[0], 3);"),
    ("mem_read", "r0 = mem_read(B:x[0]);"),
    ("process_vm_writev", "process_vm_writev(B:x[0], 3);"),
    ("process_vm_readv", "r0 = process_vm_readv(B:x[0]);"),
    ("uffd_writeprotect", "uffd_writeprotect(x);"),
    ("uffd_unprotect", "uffd_unprotect(x);"),
    ("uffd_rwprotect", "uffd_rwprotect(x);"),
    ("uffd_move", "uffd_move(y, x);"),
    ("uffd_copy", "uffd_copy(x, 3);"),
    ("uffd_zeropage", "uffd_zeropage(x);"),
    ("uffd_continue", "uffd_continue(m);"),
    ("pagemap", "r0 = pagemap(x);"),
    ("swapoff", "swapoff();"),
    ("move_pages", "move_pages(x);"),
    ("lru_add_drain", "lru_add_drain();"),
];

/// Every activity of a `kernel` block, with an example.
pub const ACTIVITIES: &[(&str, &str)] = &[
    ("reclaim", "reclaim(x);"),
    ("ksm", "ksm(x, y);"),
    ("migrate", "migrate(x);"),
    ("numa_scan", "numa_scan(x);"),
    ("swapoff", "swapoff();"),
    ("lru_add_drain", "lru_add_drain();"),
    ("clear_refs", "clear_refs(A);"),
    ("madvise", "madvise(A:x, MADV_PAGEOUT);"),
];

/// Atoms written like calls, with an example.
pub const ATOMS: &[(&str, &str)] = &[
    ("swapped", "swapped(A:x)"),
    ("present", "present(A:x)"),
    ("writable", "writable(A:x)"),
    ("softdirty", "softdirty(A:x)"),
    ("copied", "copied(A:x)"),
    ("merged", "merged(A:x)"),
    ("trapped", "trapped(A:x)"),
    ("same", "same(A:x, B:x)"),
    ("refused", "refused(reclaim)"),
    ("violates", "violates(lost-write)"),
    ("hazard", "hazard(H1)"),
];

/// The documented hazards that a test can meet. Of the others, H3 is of hugetlb pages, and H5 (so many references that they look like a pin) costs
/// copies and loses nothing.
pub const HAZARDS: [u8; 5] = [1, 2, 4, 6, 7];
