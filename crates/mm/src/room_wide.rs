//! How much room there is for random walks, which keep one state and pack none: see `room.rs`.

/// Tasks, one bit each.
pub type TaskBits = u32;
/// Pages of one process, one bit each.
pub type PageBits = u64;
/// The number of a frame.
pub type FrameNo = u16;
/// One word of a set of frames.
pub type FrameWord = u64;

/// Processes (mms) at most.
pub const MAX_MMS: usize = 8;
/// Virtual pages of one process at most.
pub const MAX_PAGES: usize = 64;
/// Frames at most, the zero page (frame 0) included: every page of every process may have its own, and some are left.
pub const MAX_FRAMES: usize = 640;
/// Swap slots at most.
pub const MAX_SLOTS: usize = 64;
/// CPUs at most: one a task.
pub const MAX_CPUS: usize = 31;
/// Transfers (struct bio, kiocb) at most.
pub const MAX_IOS: usize = 16;
/// Long-lived holders of page references (registered buffers, driver pins) at most.
pub const MAX_HOLDS: usize = 16;
