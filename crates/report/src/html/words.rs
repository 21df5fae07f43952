//! What the kernel's words mean, in a sentence each, for people who have never seen mm/.

/// `NAME: SENTENCE`, a line each.
const FUNCTIONS: &str = include_str!("assets/functions.txt");
/// The same, of the words that the page itself uses.
const TERMS: &str = include_str!("assets/terms.txt");

fn lines(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    text.lines().filter_map(|line| line.split_once(": "))
}

/// What a kernel function is for.
pub fn function(name: &str) -> Option<&'static str> {
    lines(FUNCTIONS)
        .find(|(n, _)| *n == name)
        .map(|(_, text)| text)
}

/// The words that the page may use and what they mean.
pub fn terms() -> impl Iterator<Item = (&'static str, &'static str)> {
    lines(TERMS)
}

/// What a broken promise of this kind is.
pub fn kind(name: &str) -> Option<&'static str> {
    Some(match name {
        "lost-write" => "a write that was completed is not seen at its address",
        "stale-read" => "an older value is seen",
        "leak" => "a value of another process is seen",
        "zeroed" => "data was replaced by zeroes",
        "wrong-permission" => "a store took effect that the mapping forbids",
        "missed-wp" => "a store was not trapped by userfaultfd, or not marked soft-dirty",
        "file-modified" => "a private mapping changed the file",
        "torn-writeback" => "a frame changed while a device that needs stable pages wrote it out",
        "use-after-free" => "a frame was used without a reference to it",
        "refcount" => "a count is wrong",
        "hazard H1" => {
            "documented: a process forks while a FOLL_GET transfer is in flight, and the child may get the data"
        }
        "hazard H2" => "documented: a read-only FOLL_GET reference may show an older value",
        "hazard H4" => "documented: memory was unmapped, freed or moved under a transfer",
        "hazard H6" => "documented: two transfers write the same bytes at once",
        "hazard H7" => "documented: a pipe shows stores that came after vmsplice",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_name_and_a_sentence() {
        for text in [FUNCTIONS, TERMS] {
            for line in text.lines() {
                let (name, sentence) = line.split_once(": ").expect(line);
                assert!(!name.is_empty() && sentence.ends_with(['.', '?']), "{line}");
            }
        }
    }
}
