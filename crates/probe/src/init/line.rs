//! The serial line of results: the second one, so that nothing of the console gets between.

use std::fs::File;
use std::io::Write;

use nix::sys::termios::{self, SetArg};

use crate::frame::{Message, encode};

const DEVICE: &str = "/dev/ttyS1";

/// The line.
pub struct Line {
    device: File,
    number: u32,
}

impl Line {
    /// Opens it, for bytes as they are.
    pub fn open() -> Result<Line, String> {
        let open = File::options().read(true).write(true).open(DEVICE);
        let device = open.map_err(|e| format!("{DEVICE}: {e}"))?;
        let mut settings = termios::tcgetattr(&device).map_err(|e| format!("{DEVICE}: {e}"))?;
        termios::cfmakeraw(&mut settings);
        termios::tcsetattr(&device, SetArg::TCSANOW, &settings)
            .map_err(|e| format!("{DEVICE}: {e}"))?;
        Ok(Line { device, number: 0 })
    }

    /// Says it; it is out when this returns, whatever becomes of the guest then.
    pub fn say(&mut self, message: &Message) -> Result<(), String> {
        let text = encode(self.number, message);
        self.number += 1;
        self.device
            .write_all(text.as_bytes())
            .map_err(|e| format!("{DEVICE}: {e}"))?;
        termios::tcdrain(&self.device).map_err(|e| format!("{DEVICE}: {e}"))
    }
}
