//! The random programs of these tests use every operation that a program may have.

mod common;

use std::collections::BTreeSet;

use common::examine::{parse, profile};
use common::generate::Generator;
use cowherd_model::lower::lower;
use cowherd_model::program::Op;

/// A new operation has to be named here, below, and in the repertoire of the generator.
fn name(op: &Op) -> &'static str {
    match op {
        Op::Load { .. } => "Load",
        Op::Store { .. } => "Store",
        Op::LoadToFile { .. } => "LoadToFile",
        Op::Fork { .. } => "Fork",
        Op::Exit => "Exit",
        Op::Waitpid { .. } => "Waitpid",
        Op::Transfer { .. } => "Transfer",
        Op::WaitIo { .. } => "WaitIo",
        Op::Fixed { .. } => "Fixed",
        Op::Vmsplice { .. } => "Vmsplice",
        Op::ReadPipe { .. } => "ReadPipe",
        Op::Tee { .. } => "Tee",
        Op::Splice { .. } => "Splice",
        Op::Hold { .. } => "Hold",
        Op::HeldLoad { .. } => "HeldLoad",
        Op::HeldStore { .. } => "HeldStore",
        Op::Release { .. } => "Release",
        Op::Remote { .. } => "Remote",
        Op::Dontneed { .. } => "Dontneed",
        Op::Munmap { .. } => "Munmap",
        Op::Pageout { .. } => "Pageout",
        Op::Reclaim { .. } => "Reclaim",
        Op::Drain => "Drain",
        Op::DrainAll => "DrainAll",
        Op::Pagemap { .. } => "Pagemap",
        Op::Free { .. } => "Free",
        Op::Cold { .. } => "Cold",
        Op::Willneed { .. } => "Willneed",
        Op::Populate { .. } => "Populate",
        Op::Mergeable { .. } => "Mergeable",
        Op::Unmergeable { .. } => "Unmergeable",
        Op::ForkAdvice { .. } => "ForkAdvice",
        Op::Mremap { .. } => "Mremap",
        Op::Mprotect { .. } => "Mprotect",
        Op::ClearRefs { .. } => "ClearRefs",
        Op::UffdWp { .. } => "UffdWp",
        Op::UffdRwp { .. } => "UffdRwp",
        Op::UffdUnwp { .. } => "UffdUnwp",
        Op::UffdMove { .. } => "UffdMove",
        Op::UffdCopy { .. } => "UffdCopy",
        Op::UffdZeropage { .. } => "UffdZeropage",
        Op::UffdContinue { .. } => "UffdContinue",
        Op::Swapoff => "Swapoff",
        Op::MovePages { .. } => "MovePages",
        Op::Compact { .. } => "Compact",
        Op::NumaScan { .. } => "NumaScan",
        Op::Ksm { .. } => "Ksm",
    }
}

const ALL: [&str; 47] = [
    "Load",
    "Store",
    "LoadToFile",
    "Fork",
    "Exit",
    "Waitpid",
    "Transfer",
    "WaitIo",
    "Fixed",
    "Vmsplice",
    "ReadPipe",
    "Tee",
    "Splice",
    "Hold",
    "HeldLoad",
    "HeldStore",
    "Release",
    "Remote",
    "Dontneed",
    "Munmap",
    "Pageout",
    "Reclaim",
    "Drain",
    "DrainAll",
    "Pagemap",
    "Free",
    "Cold",
    "Willneed",
    "Populate",
    "Mergeable",
    "Unmergeable",
    "ForkAdvice",
    "Mremap",
    "Mprotect",
    "ClearRefs",
    "UffdWp",
    "UffdRwp",
    "UffdUnwp",
    "UffdMove",
    "UffdCopy",
    "UffdZeropage",
    "UffdContinue",
    "Swapoff",
    "MovePages",
    "Compact",
    "NumaScan",
    "Ksm",
];

#[test]
fn every_operation_is_generated() {
    let kernel = profile("v7.2+uffd_rwp");
    let mut missing = BTreeSet::from(ALL);
    for seed in 0..4000 {
        let text = Generator::new(seed).any().to_string();
        let Ok(test) = parse(&text) else { continue };
        let Ok(program) = lower(&test, &kernel, true) else {
            continue;
        };
        for stmt in program.tasks.iter().flat_map(|task| &task.stmts) {
            missing.remove(name(&stmt.op));
        }
    }
    assert!(missing.is_empty(), "never generated: {missing:?}");
}
