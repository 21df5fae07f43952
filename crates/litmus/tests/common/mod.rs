//! A small world for single statements, activities and atoms.

#![allow(dead_code)] // Each file of tests uses a part.

use cowherd_litmus::ast::{PageId, ProcessId};
use cowherd_litmus::{Code, Colour, parse, render};

/// Variables x, y, u, t, n, m, k (0 to 6), files f, s, pipes p, q, processes A, B.
pub const DECLS: &str = "process B = fork(A); anon x[2] = { 1, 2 }; anon y[2]; anon u[2] = { 1, 2 } uffd(wp); \
     anon t[2] uffd(rwp); anon n[2] uffd(missing); private m[2] of s uffd(minor); anon k = 5 in B; \
     file f = { 7, 8, 9 }; file s on shmem = { 7, 8 }; pipe p; pipe q; file one = 1;";

/// Handles io0, b0, h0 (0 to 2) and register r0.
pub const BEFORE: &str =
    "r0 = x; io0 = read_submit(f, x[0]); b0 = register_buffer(x); h0 = pin(x, FOLL_WRITE);";

/// The code of the only diagnostic.
pub fn code(text: &str) -> Code {
    let diagnostics = parse("t", text).expect_err(text);
    assert_eq!(
        diagnostics.len(),
        1,
        "{}",
        render(&diagnostics, text, Colour::Never)
    );
    diagnostics[0].code
}

pub const X: PageId = PageId(0);
pub const Y: PageId = PageId(1);
pub const U: PageId = PageId(2);
pub const T: PageId = PageId(3);
pub const N: PageId = PageId(4);
pub const M: PageId = PageId(5);
pub const K: PageId = PageId(6);
pub const A: ProcessId = ProcessId(0);
pub const B: ProcessId = ProcessId(1);
