//! What the bytes of pages and files hold.
//!
//! A value of a cell is its first byte: what a store changes is one byte, and so is what a transfer brings. All other bytes are filler, the same in all
//! pages and files of a run, so pages of equal values are equal, and KSM merges them as the model does.

use super::fuse::CELL;
use super::sys::PAGE;
use super::world::next;

/// The filler of a run. Not zero: a page of zeroes would be treated as such by swap. And in each run something else: KSM would merge the page with one of somebody else
/// who runs the same test.
#[derive(Clone, Copy, Debug)]
pub struct Filler(u64);

impl Filler {
    /// One for this run.
    pub fn draw() -> Filler {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let mut seed = now.map_or(1, |d| d.as_nanos() as u64) | 1;
        Filler(next(&mut seed) << 20 ^ next(&mut seed) ^ u64::from(std::process::id()))
    }

    /// The byte there, where cells hold these values.
    pub fn byte(self, values: &[u8], at: usize) -> u8 {
        let bytes = self.0.to_ne_bytes();
        match values.get(at / CELL) {
            Some(value) if at.is_multiple_of(CELL) => *value,
            _ => bytes[at % bytes.len()] | 1,
        }
    }

    /// A page with these cells.
    pub fn page(self, values: &[u8]) -> [u8; PAGE] {
        std::array::from_fn(|at| self.byte(values, at))
    }

    /// A cell.
    pub fn cell(self, value: u8) -> [u8; CELL] {
        std::array::from_fn(|at| self.byte(&[value], at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_got_its_values_one_by_one_equals_one_that_had_them() {
        let filler = Filler::draw();
        let mut stored = filler.page(&[1, 2]);
        stored[CELL] = 7;
        assert_eq!(stored, filler.page(&[1, 7]));
        let mut moved = filler.page(&[1, 2]);
        moved[CELL..2 * CELL].copy_from_slice(&filler.cell(7));
        assert_eq!(moved, stored);
    }
}
