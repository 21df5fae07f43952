//! A connection to another process, as timely reads and writes it: cut into frames, so that an end is told from a death.
//!
//! timely ends a process, loudly, when a connection breaks. Here its thread is put to sleep instead, and the loss noted; those who search
//! see that, and end in peace.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use timely::communication::allocator::zero_copy::stream::Stream;

/// Which process was lost first, if any.
#[derive(Debug)]
pub(super) struct Lost(AtomicUsize);

const NOBODY: usize = usize::MAX;

impl Default for Lost {
    fn default() -> Self {
        Lost(AtomicUsize::new(NOBODY))
    }
}

impl Lost {
    pub(super) fn note(&self, process: usize) {
        let (set, get) = (Ordering::SeqCst, Ordering::SeqCst);
        let _ = self.0.compare_exchange(NOBODY, process, set, get);
    }

    pub(super) fn who(&self) -> Option<usize> {
        let who = self.0.load(Ordering::SeqCst);
        (who != NOBODY).then_some(who)
    }
}

/// One end of a connection, for one search: the next search begins behind its end.
pub(super) struct Wire {
    stream: TcpStream,
    process: usize,
    lost: Arc<Lost>,
    /// Bytes of the frame that are still to be read.
    left: usize,
    ended: bool,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, process: usize, lost: Arc<Lost>) -> Wire {
        Wire {
            stream,
            process,
            lost,
            left: 0,
            ended: false,
        }
    }

    /// The other process has died. The thread that was told so sleeps for ever.
    fn lost(&self) -> ! {
        self.lost.note(self.process);
        loop {
            std::thread::park();
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.ended {
            let mut length = [0; 4];
            if self.stream.read_exact(&mut length).is_err() {
                self.lost();
            }
            self.left = u32::from_le_bytes(length) as usize;
            self.ended = self.left == 0;
        }
        if self.ended {
            return Ok(0);
        }
        let most = self.left.min(buffer.len());
        match self.stream.read(&mut buffer[..most]) {
            Ok(0) => self.lost(),
            Ok(read) => {
                self.left -= read;
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(_) => self.lost(),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // An empty frame would be the end.
        let most = bytes.len().min(1 << 30);
        if most > 0 {
            let length = (most as u32).to_le_bytes();
            let written = self
                .stream
                .write_all(&length)
                .and_then(|()| self.stream.write_all(&bytes[..most]));
            if written.is_err() {
                self.lost();
            }
        }
        Ok(most)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Wire {
    fn try_clone(&self) -> io::Result<Self> {
        let stream = self.stream.try_clone()?;
        Ok(Wire::new(stream, self.process, Arc::clone(&self.lost)))
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.stream.set_nonblocking(nonblocking)
    }

    /// The end of this search; the connection stays for the next one.
    fn shutdown(&self, _how: Shutdown) -> io::Result<()> {
        if (&self.stream).write_all(&[0; 4]).is_err() {
            self.lost();
        }
        Ok(())
    }
}
