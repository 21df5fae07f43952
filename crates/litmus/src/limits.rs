//! The sizes beyond which a test is refused. Generous: a model that explores every interleaving has tighter ones of its own.

/// Bytes of text.
pub const MAX_TEXT: usize = 1024 * 1024;
/// Processes, the default one counted.
pub const MAX_PROCESSES: usize = 8;
/// Threads, blocks of `fork` counted.
pub const MAX_THREADS: usize = 16;
/// The largest number of a thread: `P99`.
pub const MAX_THREAD_NUMBER: u8 = 99;
/// Statements of one thread or `kernel` block.
pub const MAX_STMTS: usize = 2048;
/// Variables.
pub const MAX_PAGES: usize = 64;
/// Cells of a page or file.
pub const MAX_CELLS: u8 = 4;
/// The largest value of a cell or register.
pub const MAX_VALUE: u8 = 15;
/// Files.
pub const MAX_FILES: usize = 4;
/// Pipes.
pub const MAX_PIPES: usize = 4;
/// Handles of one thread.
pub const MAX_HANDLES: usize = 16;
/// Registers of one thread: `r0` to `r15`.
pub const MAX_REGISTERS: u8 = 16;
/// Actors in `kernel` blocks.
pub const MAX_KERNEL: usize = 8;
/// Slots of the swap device.
pub const MAX_SLOTS: u8 = 64;
/// Slots of a swap device that does not say.
pub const DEFAULT_SLOTS: u8 = 2;
/// Frames that `frames N;` may ask for.
pub const MAX_FRAMES: u8 = 64;
/// Nesting of parentheses, negations and implications in a condition.
pub const MAX_DEPTH: usize = 64;
/// Bytes of a name.
pub const MAX_NAME: usize = 80;
/// Diagnostics of one run; the rest is cut off, and the last one says so.
pub const MAX_DIAGNOSTICS: usize = 50;
