//! The hash of a packed state. Fixed for ever and for every machine: which of two equal witnesses is found first depends on it.

const LEFT: u64 = 0x9e37_79b9_7f4a_7c15;
const RIGHT: u64 = 0xd1b5_4a32_d192_ed03;

/// Multiplies to 128 bits and folds the halves: every input bit reaches every output bit.
fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    (wide as u64) ^ ((wide >> 64) as u64)
}

/// Hashes `bytes`, 16 at a time.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut state = LEFT ^ (bytes.len() as u64).wrapping_mul(RIGHT);
    let (pairs, rest) = bytes.as_chunks::<16>();
    for pair in pairs {
        let wide = u128::from_le_bytes(*pair);
        state = fold(wide as u64 ^ state, (wide >> 64) as u64 ^ RIGHT)
            .wrapping_add(state.rotate_left(23));
    }
    if !rest.is_empty() {
        let mut last = [0; 16];
        last[..rest.len()].copy_from_slice(rest);
        let wide = u128::from_le_bytes(last);
        state = fold(wide as u64 ^ state, (wide >> 64) as u64 ^ RIGHT)
            .wrapping_add(state.rotate_left(23));
    }
    fold(state ^ RIGHT, LEFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_never_changes() {
        assert_eq!(hash(b""), 0x0eb1_8a37_778f_b7a9);
        assert_eq!(hash(b"do_wp_page"), 0x5cb4_d01a_3889_a749);
        assert_eq!(
            hash(b"do_swap_page, do_anonymous_page, do_wp_page"),
            0xfa44_8250_c506_5ca9
        );
    }

    #[test]
    fn flipping_one_bit_spreads() {
        let base = [7u8; 61];
        for bit in 0..base.len() * 8 {
            let mut other = base;
            other[bit / 8] ^= 1 << (bit % 8);
            let changed = (hash(&base) ^ hash(&other)).count_ones();
            assert!(
                (10..=54).contains(&changed),
                "bit {bit} changes {changed} bits"
            );
        }
    }

    #[test]
    fn trailing_zeros_are_told_apart() {
        assert_ne!(hash(&[1, 0]), hash(&[1]));
        assert_ne!(hash(&[0; 16]), hash(&[0; 17]));
    }
}
