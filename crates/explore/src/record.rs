//! How one state is stored: its length in one or two bytes, its parent in five, its packed form.

use crate::store::StateId;

const PARENT: usize = 5;

/// Longest packed state.
pub(crate) const LONGEST: usize = 0x7fff;

/// Size of the record of a fingerprint.
pub(crate) const FINGERPRINT: usize = 1 + PARENT + 8;

/// One stored state, borrowed from where it lies.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) parent: Option<StateId>,
    pub(crate) packed: &'a [u8],
}

fn header(bytes: &[u8]) -> (usize, usize) {
    if bytes[0] < 0x80 {
        (1, usize::from(bytes[0]))
    } else {
        (2, usize::from(bytes[0] & 0x7f) << 8 | usize::from(bytes[1]))
    }
}

/// The record at the start of `bytes`.
pub(crate) fn read(bytes: &[u8]) -> Record<'_> {
    let (start, length) = header(bytes);
    let mut raw = [0; 8];
    raw[..PARENT].copy_from_slice(&bytes[start..start + PARENT]);
    let body = start + PARENT;
    Record {
        parent: StateId::from_raw(u64::from_le_bytes(raw)),
        packed: &bytes[body..body + length],
    }
}

/// The records of a run of whole ones.
pub(crate) fn each(mut run: &[u8]) -> impl Iterator<Item = Record<'_>> {
    std::iter::from_fn(move || {
        (!run.is_empty()).then(|| {
            let record = read(run);
            run = &run[size(record.packed)..];
            record
        })
    })
}

/// The packed state of the record at the start of `bytes`, and the length of the record.
pub(crate) fn packed(bytes: &[u8]) -> (&[u8], usize) {
    let (start, length) = header(bytes);
    let body = start + PARENT;
    (&bytes[body..body + length], body + length)
}

/// The length of a packed state.
///
/// # Panics
///
/// If it is longer than [`LONGEST`].
pub(crate) fn length(packed: &[u8]) -> u16 {
    let length = packed.len();
    assert!(
        length <= LONGEST,
        "a packed state has {length} bytes; the explorer stores at most {LONGEST}"
    );
    length as u16
}

/// Bytes in the record of a packed state.
pub(crate) fn size(packed: &[u8]) -> usize {
    PARENT + packed.len() + if packed.len() < 0x80 { 1 } else { 2 }
}

/// Appends a record.
pub(crate) fn write(out: &mut Vec<u8>, parent: Option<StateId>, packed: &[u8]) {
    let length = length(packed);
    // The length, then the parent: one or two bytes of the one, five of the other.
    let (coded, start) = if length < 0x80 {
        (u64::from(length), 8)
    } else {
        (u64::from((0x8000 | length).swap_bytes()), 16)
    };
    let head = coded | StateId::to_raw(parent) << start;
    out.extend_from_slice(&head.to_le_bytes()[..PARENT + start / 8]);
    out.extend_from_slice(packed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_written() {
        for length in [0, 1, 127, 128, 255, 256, LONGEST] {
            let body = vec![0xa5; length];
            for parent in [
                None,
                Some(StateId::new(63, 0x3_ffff_0000)),
                Some(StateId::new(0, 0)),
            ] {
                let mut out = Vec::new();
                write(&mut out, parent, &body);
                let length = out.len();
                out.push(0xff);
                let record = read(&out);
                assert_eq!((record.parent, record.packed), (parent, &body[..]));
                assert_eq!(packed(&out), (&body[..], length));
            }
        }
    }

    #[test]
    #[should_panic(expected = "the explorer stores at most")]
    fn a_state_that_is_too_long_is_refused() {
        write(&mut Vec::new(), None, &[0; LONGEST + 1]);
    }
}
