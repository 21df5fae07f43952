//! The hash of a packed state. Fixed for ever and for every machine: which of two equal witnesses is found first depends on it.

const LEFT: u64 = 0x9e37_79b9_7f4a_7c15;
const RIGHT: u64 = 0xd1b5_4a32_d192_ed03;

/// Multiplies to 128 bits and folds the halves: every input bit reaches every output bit.
fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    (wide as u64) ^ ((wide >> 64) as u64)
}

/// Mixes 16 bytes into `state`.
fn mix(state: u64, bytes: &[u8; 16]) -> u64 {
    let wide = u128::from_le_bytes(*bytes);
    fold(wide as u64 ^ state, (wide >> 64) as u64 ^ RIGHT).wrapping_add(state.rotate_left(23))
}

/// Fewer than 16 bytes, and zeroes behind them: of two loads that overlap if there are 8, rather than by a copy of who knows how many.
fn padded(bytes: &[u8]) -> [u8; 16] {
    let mut padded = [0; 16];
    match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) => {
            let unused = 8 * (16 - bytes.len());
            let last = u64::from_le_bytes(*last).unbounded_shr(unused as u32);
            padded[..8].copy_from_slice(first);
            padded[8..].copy_from_slice(&last.to_le_bytes());
        }
        _ => padded[..bytes.len()].copy_from_slice(bytes),
    }
    padded
}

/// Hashes `bytes`: 32 at a time in two lanes that do not wait for each other, then the last 16 once more, which take in what
/// was left over.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut lanes = [LEFT ^ (bytes.len() as u64).wrapping_mul(RIGHT), RIGHT];
    let (pairs, _) = bytes.as_chunks::<16>();
    let (fours, odd) = pairs.as_chunks::<2>();
    for [first, second] in fours {
        lanes = [mix(lanes[0], first), mix(lanes[1], second)];
    }
    if let [odd] = odd {
        lanes[0] = mix(lanes[0], odd);
    }
    lanes[1] = match bytes.last_chunk::<16>() {
        Some(last) => mix(lanes[1], last),
        None => mix(lanes[1], &padded(bytes)),
    };
    fold(lanes[0] ^ RIGHT, lanes[1].rotate_left(32) ^ LEFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_never_changes() {
        assert_eq!(hash(b""), 0x8a8d_732e_6ad2_3918);
        assert_eq!(hash(b"do_wp_page"), 0x43df_0746_59ae_006a);
        assert_eq!(
            hash(b"do_swap_page, do_anonymous_page, do_wp_page"),
            0xfe7e_69f9_20a6_4467
        );
    }

    #[test]
    fn short_states_are_padded_with_zeroes() {
        let bytes: Vec<u8> = (1..16).collect();
        for length in 0..16 {
            let mut expected = [0; 16];
            expected[..length].copy_from_slice(&bytes[..length]);
            assert_eq!(padded(&bytes[..length]), expected);
        }
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
