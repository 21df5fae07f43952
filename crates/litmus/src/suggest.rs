//! Which name was meant.

/// The candidate nearest to `word`, where one is near enough to be a slip of the finger.
pub(crate) fn nearest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let word: Vec<char> = word.chars().take(crate::limits::MAX_NAME).collect();
    // Of a name of two letters, a slip makes just another name.
    let allowed = if word.len() < 3 {
        0
    } else {
        1.max((word.len() + 1) / 3)
    };
    candidates
        .into_iter()
        .map(|c| (distance(&word, &c.chars().collect::<Vec<_>>()), c))
        .filter(|(d, _)| *d <= allowed)
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// A help line naming the nearest candidate, or else, where they are few, all of them.
pub(crate) fn did_you_mean<'c>(
    word: &str,
    what: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<String> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(near) = nearest(word, candidates.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    match candidates.as_slice() {
        [] => None,
        [one] => Some(format!("the only {what} is `{one}`")),
        several if several.len() <= 16 => {
            let list: Vec<String> = several.iter().map(|c| format!("`{c}`")).collect();
            Some(format!("{} are {}", plural(what), list.join(", ")))
        }
        _ => None,
    }
}

/// `flags`, `properties of a swap device`: the first noun is meant.
fn plural(what: &str) -> String {
    let (noun, of) = what.split_at(what.find(" of ").unwrap_or(what.len()));
    match noun.strip_suffix('y') {
        Some(stem) => format!("{stem}ies{of}"),
        None => format!("{noun}s{of}"),
    }
}

/// Edit distance (insert, delete, change, swap neighbours), letters in the wrong case counted as no change at all.
fn distance(a: &[char], b: &[char]) -> usize {
    let same = |x: char, y: char| x.eq_ignore_ascii_case(&y);
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = above[j - 1] + usize::from(!same(a[i - 1], b[j - 1]));
            row[j] = change.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]) {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = above;
        above = row;
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_forgiven_and_another_word_is_not() {
        let calls = ["pread", "pwrite", "madvise", "munmap"];
        assert_eq!(nearest("raed", ["read"]), Some("read"));
        assert_eq!(nearest("madvice", calls), Some("madvise"));
        assert_eq!(nearest("PREAD", calls), Some("pread"));
        assert_eq!(nearest("clone", calls), None);
        assert_eq!(nearest("y", ["x"]), None);
    }

    #[test]
    fn few_candidates_are_all_named() {
        assert_eq!(
            did_you_mean("q", "pipe", ["in1", "out"]).unwrap(),
            "pipes are `in1`, `out`"
        );
        assert_eq!(
            did_you_mean("q", "property of a swap device", ["in1", "out"]).unwrap(),
            "properties of a swap device are `in1`, `out`"
        );
        assert_eq!(did_you_mean("q", "pipe", []), None);
    }
}
