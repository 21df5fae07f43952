//! The name of each call and activity.

use super::{Activity, Call};

impl Call {
    /// The name in the text of a test; `load` and `store` for accesses.
    pub fn name(&self) -> &'static str {
        match self {
            Call::Load { .. } | Call::HandleLoad { .. } => "load",
            Call::Store { .. } | Call::HandleStore { .. } => "store",
            Call::Fork { .. } => "fork",
            Call::Exit => "exit",
            Call::Waitpid { .. } => "waitpid",
            Call::Pread { .. } => "pread",
            Call::Pwrite { .. } => "pwrite",
            Call::ReadSubmit { .. } => "read_submit",
            Call::WriteSubmit { .. } => "write_submit",
            Call::Wait { .. } => "wait",
            Call::Vmsplice { .. } => "vmsplice",
            Call::Read { .. } => "read",
            Call::Tee { .. } => "tee",
            Call::Splice { .. } => "splice",
            Call::RegisterBuffer { .. } => "register_buffer",
            Call::ReadFixed { .. } => "read_fixed",
            Call::WriteFixed { .. } => "write_fixed",
            Call::Unregister { .. } => "unregister",
            Call::Get { .. } => "get",
            Call::Pin { .. } => "pin",
            Call::Release { .. } => "release",
            Call::Madvise { .. } => "madvise",
            Call::ProcessMadvise { .. } => "process_madvise",
            Call::Munmap { .. } => "munmap",
            Call::Mremap { .. } => "mremap",
            Call::Mprotect { .. } => "mprotect",
            Call::ClearRefs { .. } => "clear_refs",
            Call::MemWrite { .. } => "mem_write",
            Call::MemRead { .. } => "mem_read",
            Call::ProcessVmWritev { .. } => "process_vm_writev",
            Call::ProcessVmReadv { .. } => "process_vm_readv",
            Call::UffdWriteprotect { .. } => "uffd_writeprotect",
            Call::UffdUnprotect { .. } => "uffd_unprotect",
            Call::UffdRwprotect { .. } => "uffd_rwprotect",
            Call::UffdMove { .. } => "uffd_move",
            Call::UffdCopy { .. } => "uffd_copy",
            Call::UffdZeropage { .. } => "uffd_zeropage",
            Call::UffdContinue { .. } => "uffd_continue",
            Call::Pagemap { .. } => "pagemap",
            Call::Swapoff => "swapoff",
            Call::MovePages { .. } => "move_pages",
            Call::LruAddDrain => "lru_add_drain",
        }
    }
}

impl Activity {
    /// The name in the text of a test.
    pub fn name(&self) -> &'static str {
        match self {
            Activity::Reclaim { .. } => "reclaim",
            Activity::Ksm { .. } => "ksm",
            Activity::Migrate { .. } => "migrate",
            Activity::NumaScan { .. } => "numa_scan",
            Activity::Swapoff => "swapoff",
            Activity::LruAddDrain => "lru_add_drain",
            Activity::ClearRefs { .. } => "clear_refs",
            Activity::Madvise { .. } => "madvise",
        }
    }
}
