//! The closed vocabularies of the language: each word of the text is a variant.

use std::fmt;

/// Declares an enum each variant of which is spelled as one word in a test.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[doc = $doc])+ $variant,)+ }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// The word in the text of a test.
            pub const fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }

            /// The variant with this word.
            pub fn from_word(word: &str) -> Option<$name> {
                match word { $($word => Some($name::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// The advice of `madvise(2)`.
    Advice {
        /// Zap the page; the next access finds zeroes.
        DontNeed = "MADV_DONTNEED",
        /// The page may be dropped lazily.
        Free = "MADV_FREE",
        /// Reclaim the page now.
        PageOut = "MADV_PAGEOUT",
        /// Deactivate the page.
        Cold = "MADV_COLD",
        /// Bring a swapped page into the swap cache.
        WillNeed = "MADV_WILLNEED",
        /// Fault the page in for reading.
        PopulateRead = "MADV_POPULATE_READ",
        /// Fault the page in for writing.
        PopulateWrite = "MADV_POPULATE_WRITE",
        /// KSM may merge the page.
        Mergeable = "MADV_MERGEABLE",
        /// KSM may not; merged pages are broken apart.
        Unmergeable = "MADV_UNMERGEABLE",
        /// fork leaves the VMA out.
        DontFork = "MADV_DONTFORK",
        /// Undoes `MADV_DONTFORK`.
        DoFork = "MADV_DOFORK",
        /// The child of a fork finds zeroes.
        WipeOnFork = "MADV_WIPEONFORK",
        /// Undoes `MADV_WIPEONFORK`.
        KeepOnFork = "MADV_KEEPONFORK",
    }
}

impl Advice {
    /// May another process give this advice (`process_madvise(2)`)?
    pub fn may_be_remote(self) -> bool {
        matches!(self, Advice::PageOut | Advice::Cold | Advice::WillNeed)
    }
}

words! {
    /// A flag of `get` or `pin`.
    Foll {
        /// The holder may write the page.
        Write = "FOLL_WRITE",
        /// The holder keeps the page for long; pins only.
        LongTerm = "FOLL_LONGTERM",
        /// Access what the VMA forbids, as a debugger does.
        Force = "FOLL_FORCE",
    }
}

words! {
    /// An access that `mprotect(2)` allows.
    Prot {
        /// No access at all.
        None = "PROT_NONE",
        /// Loads.
        Read = "PROT_READ",
        /// Stores.
        Write = "PROT_WRITE",
    }
}

words! {
    /// What a failed call gives.
    Errno {
        /// The address is not mapped, or not so.
        Efault = "EFAULT",
        /// Try again.
        Eagain = "EAGAIN",
        /// No memory, or no such mapping.
        Enomem = "ENOMEM",
        /// An argument does not fit.
        Einval = "EINVAL",
        /// The device failed.
        Eio = "EIO",
        /// Somebody holds the page.
        Ebusy = "EBUSY",
        /// A page is there already.
        Eexist = "EEXIST",
        /// No page is there.
        Enoent = "ENOENT",
        /// Not permitted.
        Eperm = "EPERM",
        /// Access denied.
        Eacces = "EACCES",
        /// No such process.
        Esrch = "ESRCH",
        /// A handle that is none.
        Ebadf = "EBADF",
        /// Interrupted.
        Eintr = "EINTR",
        /// The device is full.
        Enospc = "ENOSPC",
        /// The page is poisoned.
        Ehwpoison = "EHWPOISON",
    }
}

words! {
    /// How a fault ended a thread.
    Ending {
        /// SIGSEGV: no VMA, or the VMA forbids the access.
        Segv = "SEGV",
        /// SIGBUS: the page cannot be read.
        Bus = "BUS",
        /// No memory for the page.
        Oom = "OOM",
    }
}

words! {
    /// A kind of broken promise (see the specification).
    Kind {
        /// A completed write is not visible at its address.
        LostWrite = "lost-write",
        /// An older value is seen.
        StaleRead = "stale-read",
        /// A value of another process is seen.
        Leak = "leak",
        /// Data was replaced by zeroes.
        Zeroed = "zeroed",
        /// A store took effect that the VMA forbids.
        WrongPermission = "wrong-permission",
        /// A store was not trapped by userfaultfd or not marked soft-dirty.
        MissedWp = "missed-wp",
        /// A private mapping changed the file.
        FileModified = "file-modified",
        /// A frame changed under writeback to a stable-writes device.
        TornWriteback = "torn-writeback",
        /// A frame without a reference was accessed.
        UseAfterFree = "use-after-free",
        /// A count is wrong.
        Refcount = "refcount",
        /// An invariant of the kernel does not hold.
        BadPageState = "bad-page-state",
        /// Nobody can go on.
        Deadlock = "deadlock",
        /// The program can no longer end.
        Livelock = "livelock",
    }
}

words! {
    /// A failure that a test may let happen.
    Failure {
        /// No swap slot is free.
        SwapFull = "swap_full",
        /// A page allocation fails.
        Oom = "oom",
        /// Writeback or swap-in ends in an error.
        IoError = "io_error",
        /// A trylock loses to somebody who is not in the test.
        Trylock = "trylock",
        /// GUP takes fewer pages than asked.
        ShortGup = "short_gup",
    }
}

words! {
    /// Who does the I/O of a file: decides whether direct I/O gets or pins, and when it dirties the page.
    FileSystem {
        /// A block device or a file system over iomap: dirty before submission.
        Block = "block",
        /// The simple synchronous path of a block device: dirty at release.
        BlockSync = "block-sync",
        /// NFS.
        Nfs = "nfs",
        /// FUSE.
        Fuse = "fuse",
        /// Ceph.
        Ceph = "ceph",
        /// tmpfs: its pages are the page cache, and userfaultfd minor faults exist.
        Shmem = "shmem",
    }
}

words! {
    /// A mode of userfaultfd that a range is registered in.
    UffdMode {
        /// Missing pages.
        Missing = "missing",
        /// Write protection.
        Wp = "wp",
        /// Minor faults on page cache pages.
        Minor = "minor",
        /// Read and write protection (a series of 2026; in no release).
        Rwp = "rwp",
    }
}

words! {
    /// How often a condition holds, over all interleavings.
    Verdict {
        /// In no execution.
        Never = "Never",
        /// In some executions, not in all.
        Sometimes = "Sometimes",
        /// In every execution.
        Always = "Always",
    }
}

words! {
    /// What is asked of the final states.
    Quantifier {
        /// Some final state satisfies the proposition.
        Exists = "exists",
        /// No final state does.
        NotExists = "~exists",
        /// Every final state does.
        Forall = "forall",
    }
}
