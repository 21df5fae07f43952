//! The same tests on a live kernel.
//!
//! [`live`] runs a test on the kernel under this process, whichever that is. [`vm`] boots a kernel image in a small virtual machine, in which
//! cowherd is `/init` ([`init`]) and runs tests by [`live`]; so a result is the same thing on a host and in a guest. [`detect`] says which
//! kernel a source tree, an image or a running system is, as a profile. [`emit`] writes a test as a C program.

pub mod detect;
pub mod emit;
pub mod frame;
pub mod init;
pub mod live;
mod side_by_side;
pub mod vm;
