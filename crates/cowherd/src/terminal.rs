//! What goes to the terminal: results, complaints, how far a search has come; and Ctrl-C, or another signal that asks for the end.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cowherd_explore::Progress;
use cowherd_report::style::{self, BAD, WARN, grouped, paint};

use crate::cli::Color;
use crate::exit::Exit;

/// Set by Ctrl-C or SIGTERM; every search looks at it.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// Is nothing to be written to standard output?
static SILENT: AtomicBool = AtomicBool::new(false);

/// Makes Ctrl-C end searches, not the program: what was found so far is told. The second one ends the program.
pub fn catch_interrupts() {
    let handler = || {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Undetermined as i32);
        }
    };
    // Without a handler Ctrl-C just ends the program, which is no reason not to run.
    let _ = ctrlc::set_handler(handler);
}

/// Whether Ctrl-C was pressed.
pub fn stopped() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// Decides on colours, for all output.
pub fn colour(color: Color) {
    let choice = match color {
        // Terminals only, and NO_COLOR and CLICOLOR are honoured.
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::AlwaysAnsi,
        Color::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// From now on nothing is written to standard output: another process does that.
#[cfg(feature = "cluster")]
pub fn silence() {
    SILENT.store(true, Ordering::Relaxed);
}

/// Writes to standard output.
pub fn print(text: &str) -> io::Result<()> {
    if SILENT.load(Ordering::Relaxed) {
        return Ok(());
    }
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// An error, on standard error.
pub fn complain(message: &str) {
    let _ = writeln!(anstream::stderr(), "{}: {message}", paint(BAD, "error"));
}

/// A warning, on standard error.
pub fn warn(message: &str) {
    let _ = writeln!(anstream::stderr(), "{}: {message}", paint(WARN, "warning"));
}

/// Text that is already laid out, on standard error.
pub fn tell(text: &str) {
    let _ = anstream::stderr().write_all(text.as_bytes());
}

/// What takes less is over before somebody wonders.
const PATIENCE: Duration = Duration::from_secs(1);

/// A line on standard error, if that is a terminal, that says how far it is; silent for whatever takes less than a second.
pub struct Meter {
    terminal: bool,
    began: Instant,
    line: Mutex<Line>,
}

struct Line {
    done: usize,
    of: usize,
    shown: Option<Instant>,
}

impl Meter {
    /// So many things are to be done.
    pub fn new(of: usize) -> Meter {
        Meter {
            terminal: io::stderr().is_terminal(),
            began: Instant::now(),
            line: Mutex::new(Line {
                done: 0,
                of,
                shown: None,
            }),
        }
    }

    /// One of them is done.
    pub fn done(&self, what: &str) {
        self.show(what, 1, None, PATIENCE);
    }

    /// This is done now, and takes more than a second; it is none of the things.
    pub fn long(&self, what: &str) {
        self.show(what, 0, None, Duration::ZERO);
    }

    /// A search has come so far.
    pub fn searching(&self, what: &str, p: &Progress) {
        self.show(what, 0, Some(p), PATIENCE);
    }

    fn show(&self, what: &str, done: usize, progress: Option<&Progress>, patience: Duration) {
        // A panic while the line was drawn is reported by itself.
        let mut line = self
            .line
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        line.done += done;
        let recent = |shown: Instant| shown.elapsed() < Duration::from_millis(100);
        if !self.terminal || self.began.elapsed() < patience || line.shown.is_some_and(recent) {
            return;
        }
        line.shown = Some(Instant::now());
        let mut text = String::new();
        if line.of > 1 {
            text = format!("{}/{}  ", line.done, line.of);
        }
        text.push_str(what);
        if let Some(p) = progress {
            text.push_str(&format!(
                ": {} states, level {}, {} MiB, {:.0} s",
                grouped(p.states),
                p.level,
                p.bytes >> 20,
                p.elapsed.as_secs_f64()
            ));
        }
        let text: String = text.chars().take(style::WIDTH - 1).collect();
        let _ = write!(io::stderr(), "\r\x1b[K{text}");
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let line = self
            .line
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if line.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
