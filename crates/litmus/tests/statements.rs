//! Each statement of a thread: what it becomes, and how it may not be written.

mod common;

use common::*;
use cowherd_litmus::ast::*;
use cowherd_litmus::{Code, Colour, parse, render};

fn with_stmt(stmt: &str) -> String {
    format!("MM t {{ {DECLS} }} P0 {{ {BEFORE} {stmt} }} exists (violates)")
}

fn last_stmt(stmt: &str) -> Stmt {
    let text = with_stmt(stmt);
    match parse("t", &text) {
        Ok(test) => test.threads[0].stmts.last().unwrap().clone(),
        Err(diagnostics) => panic!("{}", render(&diagnostics, &text, Colour::Never)),
    }
}

fn file(cells: Cells) -> FilePlace {
    FilePlace {
        file: FileId(0),
        cells,
    }
}

fn place(cells: Cells) -> Place {
    Place { page: X, cells }
}

#[test]
fn each_statement_becomes_its_call() {
    use Cells::{All, One};
    let (io, buffer, holder) = (HandleId(0), HandleId(1), HandleId(2));
    let (p, q) = (PipeId(0), PipeId(1));
    let k = AddressCell {
        process: B,
        page: K,
        cell: 0,
    };
    let own = AddressCell {
        process: A,
        page: X,
        cell: 1,
    };
    let direct = Mode::Direct;
    let table: Vec<(&str, Option<u8>, Call)> = vec![
        (
            "r1 = x;",
            Some(1),
            Call::Load {
                from: Cell { page: X, cell: 0 },
            },
        ),
        (
            "r15 = x[1];",
            Some(15),
            Call::Load {
                from: Cell { page: X, cell: 1 },
            },
        ),
        (
            "x = 15;",
            None,
            Call::Store {
                to: Cell { page: X, cell: 0 },
                value: Value::Number(15),
            },
        ),
        (
            "x[1] = r0;",
            None,
            Call::Store {
                to: Cell { page: X, cell: 1 },
                value: Value::Reg(Reg(0)),
            },
        ),
        (
            "r1 = h0[1];",
            Some(1),
            Call::HandleLoad {
                handle: holder,
                cell: 1,
            },
        ),
        (
            "r1 = h0;",
            Some(1),
            Call::HandleLoad {
                handle: holder,
                cell: 0,
            },
        ),
        (
            "h0[1] = 3;",
            None,
            Call::HandleStore {
                handle: holder,
                cell: 1,
                value: Value::Number(3),
            },
        ),
        (
            "r1 = fork(D) { }",
            Some(1),
            Call::Fork {
                child: ProcessId(2),
                thread: ThreadId(1),
            },
        ),
        (
            "fork(D);",
            None,
            Call::Fork {
                child: ProcessId(2),
                thread: ThreadId(1),
            },
        ),
        ("exit();", None, Call::Exit),
        ("waitpid(B);", None, Call::Waitpid { process: B }),
        (
            "r1 = pread(f, x[1], O_DIRECT);",
            Some(1),
            Call::Pread {
                file: file(One(1)),
                place: place(One(1)),
                mode: direct,
            },
        ),
        (
            "pread(f[2], x[1]);",
            None,
            Call::Pread {
                file: file(One(2)),
                place: place(One(1)),
                mode: Mode::Buffered,
            },
        ),
        (
            "pwrite(f, x, O_DIRECT);",
            None,
            Call::Pwrite {
                file: file(All),
                place: place(All),
                mode: direct,
            },
        ),
        (
            "io1 = read_submit(f, x);",
            None,
            Call::ReadSubmit {
                handle: Some(HandleId(3)),
                file: file(All),
                place: place(All),
            },
        ),
        (
            "write_submit(f, x[0]);",
            None,
            Call::WriteSubmit {
                handle: None,
                file: file(One(0)),
                place: place(One(0)),
            },
        ),
        ("r1 = wait(io0);", Some(1), Call::Wait { handle: io }),
        (
            "vmsplice(p, x);",
            None,
            Call::Vmsplice {
                pipe: p,
                place: place(All),
            },
        ),
        ("r1 = read(q);", Some(1), Call::Read { pipe: q }),
        ("tee(p, q);", None, Call::Tee { from: p, to: q }),
        ("splice(q, p);", None, Call::Splice { from: q, to: p }),
        (
            "b1 = register_buffer(y);",
            None,
            Call::RegisterBuffer {
                handle: Some(HandleId(3)),
                page: Y,
            },
        ),
        (
            "read_fixed(f, b0[1]);",
            None,
            Call::ReadFixed {
                file: file(One(1)),
                buffer,
                cells: One(1),
            },
        ),
        (
            "write_fixed(f, b0);",
            None,
            Call::WriteFixed {
                file: file(All),
                buffer,
                cells: All,
            },
        ),
        ("unregister(b0);", None, Call::Unregister { buffer }),
        (
            "get(x);",
            None,
            Call::Get {
                handle: None,
                page: X,
                flags: vec![],
            },
        ),
        (
            "h1 = pin(x, FOLL_LONGTERM | FOLL_WRITE, FOLL_WRITE);",
            None,
            Call::Pin {
                handle: Some(HandleId(3)),
                page: X,
                flags: vec![Foll::Write, Foll::LongTerm],
            },
        ),
        ("release(h0);", None, Call::Release { handle: holder }),
        (
            "madvise(x, MADV_FREE);",
            None,
            Call::Madvise {
                page: X,
                advice: Advice::Free,
            },
        ),
        (
            "process_madvise(B:k, MADV_COLD);",
            None,
            Call::ProcessMadvise {
                at: Address {
                    process: B,
                    page: K,
                },
                advice: Advice::Cold,
            },
        ),
        ("munmap(x);", None, Call::Munmap { page: X }),
        ("mremap(x, y);", None, Call::Mremap { from: X, to: Y }),
        (
            "mprotect(x, PROT_WRITE | PROT_READ);",
            None,
            Call::Mprotect {
                page: X,
                prot: vec![Prot::Read, Prot::Write],
            },
        ),
        (
            "mprotect(x, PROT_NONE);",
            None,
            Call::Mprotect {
                page: X,
                prot: vec![Prot::None],
            },
        ),
        ("clear_refs(B);", None, Call::ClearRefs { process: B }),
        (
            "mem_write(B:k, r0);",
            None,
            Call::MemWrite {
                to: k,
                value: Value::Reg(Reg(0)),
            },
        ),
        ("r1 = mem_read(x[1]);", Some(1), Call::MemRead { from: own }),
        (
            "process_vm_writev(B:k[0], 3);",
            None,
            Call::ProcessVmWritev {
                to: k,
                value: Value::Number(3),
            },
        ),
        (
            "r1 = process_vm_readv(B:k);",
            Some(1),
            Call::ProcessVmReadv { from: k },
        ),
        (
            "uffd_writeprotect(u);",
            None,
            Call::UffdWriteprotect { page: U },
        ),
        ("uffd_unprotect(t);", None, Call::UffdUnprotect { page: T }),
        ("uffd_rwprotect(t);", None, Call::UffdRwprotect { page: T }),
        ("uffd_move(y, x);", None, Call::UffdMove { to: Y, from: X }),
        (
            "uffd_copy(n, 3);",
            None,
            Call::UffdCopy {
                page: N,
                values: vec![Value::Number(3); 2],
            },
        ),
        (
            "uffd_copy(n, { 3, r0 });",
            None,
            Call::UffdCopy {
                page: N,
                values: vec![Value::Number(3), Value::Reg(Reg(0))],
            },
        ),
        ("uffd_zeropage(n);", None, Call::UffdZeropage { page: N }),
        ("uffd_continue(m);", None, Call::UffdContinue { page: M }),
        ("r1 = pagemap(x);", Some(1), Call::Pagemap { page: X }),
        ("swapoff();", None, Call::Swapoff),
        ("move_pages(x);", None, Call::MovePages { page: X }),
        ("lru_add_drain();", None, Call::LruAddDrain),
    ];
    for (text, result, call) in table {
        let stmt = last_stmt(text);
        assert_eq!(stmt.call, call, "{text}");
        assert_eq!(stmt.result, result.map(Reg), "{text}");
    }
}

#[test]
fn a_statement_that_does_not_fit_is_refused_once() {
    use Code::*;
    for (stmt, expected) in [
        ("r1 = x[2];", Cell),
        ("r1 = zz;", UnknownName),
        ("r1 = f;", WrongKind),
        ("r1 = r0;", WrongKind),
        ("r1 = 1;", Expected),
        ("r16 = x;", BadName),
        ("r01 = x;", BadName),
        ("r1 = io0;", WrongKind),
        ("r1 = k;", NotInProcess),
        ("r1 = B:x;", Arguments),
        ("x = 16;", Value),
        ("x = r9;", Unset),
        ("x = y;", Expected),
        ("x = -1;", Value),
        ("f = 1;", WrongKind),
        ("h0[2] = 1;", Cell),
        ("fork(x) { }", BadName),
        ("fork(P1) { }", BadName),
        ("fork(B) { }", Process),
        ("fork(A) { }", Process),
        ("fork() { }", Arguments),
        ("fork(D) { fork(D) { } }", Process),
        ("r1 = exit();", Result),
        ("exit(1);", Arguments),
        ("exit() { }", Arguments),
        ("waitpid(D);", UnknownProcess),
        ("waitpid(P0);", UnknownProcess),
        ("pread(x, f);", WrongKind),
        ("pread(f);", Arguments),
        ("pread(f, x, O_SYNC);", UnknownWord),
        ("pread(f, x, O_DIRECT, 1);", Arguments),
        ("pread(one, x[1]);", Cell),
        ("pread(one, x);", Values),
        ("pread(f[1], x);", Values),
        ("pread(f[3], x[0]);", Cell),
        ("pwrite(A:f, x);", Arguments),
        ("r1 = read_submit(f, x);", Result),
        ("x = write_submit(f, x);", Twice),
        ("io0 = write_submit(f, x);", Twice),
        ("IO = write_submit(f, x);", Result),
        ("wait(h0);", WrongKind),
        ("wait(io9);", UnknownName),
        ("wait(io0[0]);", Arguments),
        ("wait(io0); wait(io0);", DeadHandle),
        ("x = wait(io0);", Result),
        ("vmsplice(f, x);", WrongKind),
        ("vmsplice(p, x[3]);", Cell),
        ("read(f);", WrongKind),
        ("tee(p);", Arguments),
        ("splice(p, x);", WrongKind),
        ("b1 = register_buffer(x[0]);", Arguments),
        ("read_fixed(f, h0);", WrongKind),
        ("write_fixed(f, x);", UnknownName),
        ("unregister(io0);", WrongKind),
        ("unregister(b0); read_fixed(f, b0);", DeadHandle),
        ("get(x, FOLL_LONGTERM);", Arguments),
        ("get(x, FOLL_PIN);", UnknownWord),
        ("pin(x, WRITE);", UnknownWord),
        ("pin(1);", Arguments),
        ("release(b0);", WrongKind),
        ("release(h0); r1 = h0;", DeadHandle),
        ("madvise(x, MADV_DONTNEEDED);", UnknownWord),
        ("madvise(x[1], MADV_FREE);", Arguments),
        ("madvise(x);", Arguments),
        ("process_madvise(B:k, MADV_DONTNEED);", Arguments),
        ("process_madvise(D:k, MADV_COLD);", UnknownProcess),
        ("munmap();", Arguments),
        ("munmap(x, y);", Arguments),
        ("mremap(x, u);", Contradiction),
        ("mremap(y, y);", Contradiction),
        ("mprotect(x);", Arguments),
        ("mprotect(x, PROT_NONE, PROT_READ);", Contradiction),
        ("mprotect(x, PROT_EXEC);", UnknownWord),
        ("clear_refs(x);", UnknownProcess),
        ("mem_write(B:k);", Arguments),
        ("mem_write(A:k, 1);", NotInProcess),
        ("r1 = mem_read(B:k[1]);", Cell),
        ("process_vm_writev(B:k, x);", Arguments),
        ("r1 = process_vm_readv(3);", Arguments),
        ("uffd_writeprotect(x);", Contradiction),
        ("uffd_unprotect(n);", Contradiction),
        ("uffd_rwprotect(u);", Contradiction),
        ("uffd_continue(n);", Contradiction),
        ("uffd_move(x, y);", Contradiction),
        ("uffd_copy(n, { 1 });", Values),
        ("uffd_copy(n, { 1, x });", Arguments),
        ("uffd_copy(n, { 1 2 });", Expected),
        ("uffd_zeropage(n, 0);", Arguments),
        ("r1 = pagemap(f);", WrongKind),
        ("swapoff(x);", Arguments),
        ("move_pages(p);", WrongKind),
        ("lru_add_drain(A);", Arguments),
        ("reclaim(x);", UnknownCall),
        ("clone();", UnknownCall),
        ("r1 = clone(); x = r1;", UnknownCall),
        ("io1 = read_submit(g, x); wait(io1);", UnknownName),
        ("x;", Expected),
        ("x = ;", Expected),
        ("pread f;", Expected),
        ("pread(f x);", Expected),
        ("1 = x;", Expected),
        ("x[r0] = 1;", Expected),
    ] {
        assert_eq!(code(&with_stmt(stmt)), expected, "{stmt}");
    }
}
