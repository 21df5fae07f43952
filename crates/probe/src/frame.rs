//! What a virtual machine tells its host over a serial line.
//!
//! A message is one line: a mark, its number, a checksum, the length and the payload in base64. Whatever else comes over the line (a kernel that
//! panics, firmware, a message that was cut off) is told apart from it: a line without the mark is noise; one whose length, checksum or number is
//! not what it should be is damaged, and its payload is not looked at.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::live::{Machine, TestResult};

const MARK: &str = "@cowherd";

/// Longer lines than this are cut: they are noise.
const LONGEST: usize = 16 << 20;

/// What is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// The kernel is up, and cowherd runs as its `/init`.
    Hello(Hello),
    /// Something that is not as it should be, and no reason to give up.
    Note(String),
    /// This test begins: its place among those of the boot.
    Begin(usize),
    /// It gave this.
    Result(usize, Box<TestResult>),
    /// Its process died, or did not end.
    Died(usize, String),
    /// All is done: the end marker.
    End,
}

/// The guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// As `uname -r` has it.
    pub release: String,
    /// As `uname -v` has it: the build, and in distributions the package's version.
    pub version: String,
    /// What it has that tests may need.
    pub machine: Machine,
}

/// A message as a line. The line also begins with a newline, so that a line that was cut off before it does no harm.
pub fn encode(number: u32, message: &Message) -> String {
    let json = serde_json::to_vec(message).expect("messages have no maps with odd keys");
    let payload = STANDARD.encode(json);
    format!(
        "\n{MARK} {number} {:08x} {} {payload}\n",
        checksum(number, &payload),
        payload.len(),
    )
}

fn checksum(number: u32, payload: &str) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(payload.as_bytes());
    hasher.finalize()
}

/// What a line was.
#[derive(Clone, Debug)]
pub enum Heard {
    /// A message, whole.
    Message(Message),
    /// Something that was a message once, or the sign of one that is missing.
    Damaged(String),
}

/// Finds messages in what comes over the line.
#[derive(Debug, Default)]
pub struct Reader {
    line: Vec<u8>,
    next: u32,
}

impl Reader {
    /// The messages that these bytes complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Heard> {
        let mut heard = Vec::new();
        for byte in bytes {
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                heard.extend(self.line(&String::from_utf8_lossy(&line)));
            } else if self.line.len() < LONGEST {
                self.line.push(*byte);
            }
        }
        heard
    }

    fn line(&mut self, line: &str) -> Option<Heard> {
        // Noise may stand before the mark.
        let frame = &line[line.rfind(MARK)?..];
        let (number, message) = match decode(frame.trim_end()) {
            Ok(whole) => whole,
            Err(why) => return Some(Heard::Damaged(why.into())),
        };
        let expected = self.next;
        self.next = number.wrapping_add(1);
        if number == expected {
            Some(Heard::Message(message))
        } else {
            Some(Heard::Damaged(format!(
                "message {number} came where {expected} was due"
            )))
        }
    }
}

fn decode(frame: &str) -> Result<(u32, Message), &'static str> {
    let fields: Vec<&str> = frame.split(' ').collect();
    let [MARK, number, sum, length, payload] = fields.as_slice() else {
        return Err("a message was cut off");
    };
    let number: u32 = number
        .parse()
        .map_err(|_| "a message's number is unreadable")?;
    if length.parse() != Ok(payload.len()) {
        return Err("a message does not have its length");
    }
    if u32::from_str_radix(sum, 16) != Ok(checksum(number, payload)) {
        return Err("a message does not have its checksum");
    }
    let json = STANDARD
        .decode(payload)
        .map_err(|_| "a message is no base64")?;
    let message = serde_json::from_slice(&json).map_err(|_| "a message is of another cowherd")?;
    Ok((number, message))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn notes(heard: &[Heard]) -> Vec<String> {
        let text = |heard: &Heard| match heard {
            Heard::Message(Message::Note(text)) => text.clone(),
            Heard::Message(other) => format!("{other:?}"),
            Heard::Damaged(why) => format!("damaged: {why}"),
        };
        heard.iter().map(text).collect()
    }

    #[test]
    fn a_missing_message_is_noticed() {
        let mut reader = Reader::default();
        let line = [0, 2]
            .map(|n| encode(n, &Message::Note("x".into())))
            .concat();
        assert_eq!(
            notes(&reader.push(line.as_bytes())),
            ["x", "damaged: message 2 came where 1 was due"]
        );
    }

    #[test]
    fn a_message_that_the_kernel_wrote_into_is_damaged() {
        let line = encode(0, &Message::Note("a note".into()));
        let (head, tail) = line.split_at(line.len() - 6);
        let torn = format!("{head}[    1.0] BUG: bad page state{tail}");
        let heard = notes(&Reader::default().push(torn.as_bytes()));
        assert!(
            matches!(heard.as_slice(), [one] if one.starts_with("damaged")),
            "{heard:?}"
        );
    }

    proptest! {
        /// Messages come through any noise between them, in any pieces.
        #[test]
        fn messages_come_through_noise(
            parts in prop::collection::vec((".{0,40}", prop::collection::vec(any::<u8>(), 0..60)), 1..8),
            piece in 1_usize..50,
        ) {
            let mut sent = Vec::new();
            for (n, (text, noise)) in parts.iter().enumerate() {
                sent.extend(encode(n as u32, &Message::Note(text.clone())).as_bytes());
                sent.extend(noise);
            }
            sent.extend(encode(parts.len() as u32, &Message::End).as_bytes());
            let mut reader = Reader::default();
            let heard: Vec<Heard> = sent.chunks(piece).flat_map(|p| reader.push(p)).collect();
            let mut expected: Vec<String> = parts.iter().map(|(text, _)| text.clone()).collect();
            expected.push("End".into());
            prop_assert_eq!(notes(&heard), expected);
        }

        /// Noise alone is never a message.
        #[test]
        fn noise_is_no_message(noise in prop::collection::vec(any::<u8>(), 0..400)) {
            let heard = Reader::default().push(&noise);
            prop_assert!(!heard.iter().any(|h| matches!(h, Heard::Message(_))));
        }

        /// A message with one byte changed is damaged or noise, or says what it said.
        #[test]
        fn a_changed_byte_is_noticed(text in "[a-z ]{0,30}", at in any::<prop::sample::Index>(), byte: u8) {
            let mut line = encode(0, &Message::Note(text.clone())).into_bytes();
            let at = at.index(line.len());
            line[at] = byte;
            for heard in Reader::default().push(&line) {
                if let Heard::Message(Message::Note(said)) = heard {
                    prop_assert_eq!(said, text.clone());
                }
            }
        }
    }
}
