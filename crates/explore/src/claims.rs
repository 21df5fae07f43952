//! Who of the workers does what.
//!
//! To read what another core wrote last is far dearer than to read memory, on some machines. So each worker begins with its own share, which is
//! the same in every batch, and helps the others only with what they have not begun.

use std::sync::atomic::{AtomicU64, Ordering};

/// One of so many workers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    pub(crate) number: usize,
    pub(crate) of: usize,
}

/// At most 64 pieces of work, each for whoever takes it first.
#[derive(Default)]
pub(crate) struct Claims(AtomicU64);

impl Claims {
    /// All are free again.
    pub(crate) fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Takes one after the other, of so many.
    pub(crate) fn take(&self, seat: Seat, count: usize) -> impl Iterator<Item = usize> {
        let own = (seat.number..count).step_by(seat.of);
        // From behind: the others are there last.
        let rest = (0..count)
            .rev()
            .filter(move |index| index % seat.of != seat.number);
        own.chain(rest).filter(|index| {
            let bit = 1 << index;
            self.0.fetch_or(bit, Ordering::Relaxed) & bit == 0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_is_taken_once_and_none_is_left() {
        let claims = Claims::default();
        for count in [0, 1, 5, 64] {
            claims.clear();
            let seat = |number| Seat { number, of: 3 };
            let mut taken: Vec<usize> = claims.take(seat(1), count).take(7).collect();
            assert!(taken.iter().take(1).all(|first| *first == 1 || count < 2));
            taken.extend(claims.take(seat(0), count));
            taken.extend(claims.take(seat(2), count));
            taken.sort();
            assert!(taken.into_iter().eq(0..count));
        }
    }
}
