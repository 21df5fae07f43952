//! How much room there is. A search copies and packs the whole state again and again, so there is little: what tests need.
//!
//! The package `cowherd-mm-wide` is built from the same sources with `room_wide.rs` in the place of this file.

/// Tasks, one bit each.
pub type TaskBits = u8;
/// Pages of one process, one bit each.
pub type PageBits = u8;
/// The number of a frame.
pub type FrameNo = u8;
/// One word of a set of frames.
pub type FrameWord = u32;

/// Processes (mms) at most.
pub const MAX_MMS: usize = 4;
/// Virtual pages of one process at most.
pub const MAX_PAGES: usize = 4;
/// Frames at most, the zero page (frame 0) included.
pub const MAX_FRAMES: usize = 16;
/// Swap slots at most.
pub const MAX_SLOTS: usize = 4;
/// CPUs at most: one a task.
pub const MAX_CPUS: usize = 8;
/// Transfers (struct bio, kiocb) at most.
pub const MAX_IOS: usize = 4;
/// Long-lived holders of page references (registered buffers, driver pins) at most.
pub const MAX_HOLDS: usize = 4;
