//! Names that somebody may have meant.

/// Up to three of `known` that are a few typing mistakes away from `word`, nearest first.
pub(crate) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .map(|name| (distance(word, name), name))
        .filter(|(distance, name)| *distance <= limit || is_part(word, name))
        .collect();
    near.sort();
    near.dedup();
    near.into_iter()
        .take(3)
        .map(|(_, name)| name.to_string())
        .collect()
}

/// Whether the word is a longer piece of the name: `exclusive` for `anon_exclusive`.
fn is_part(word: &str, name: &str) -> bool {
    word.len() >= 4 && name.contains(word)
}

/// How many characters must be put in, left out, changed or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = change.min(last[j] + 1).min(row[j - 1] + 1);
            let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if swapped {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_typing_mistakes() {
        assert_eq!(distance("unshare", "unshare"), 0);
        assert_eq!(distance("unshaer", "unshare"), 1);
        assert_eq!(distance("unshre", "unshare"), 1);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn the_nearest_names_come_first_and_far_ones_not_at_all() {
        let known = ["unshare", "ksm_unshare", "pin_bias"];
        assert_eq!(suggest("unshair", known), ["unshare"]);
        assert_eq!(suggest("unshare_", known), ["unshare"]);
        assert_eq!(suggest("exclusive", ["anon_exclusive"]), ["anon_exclusive"]);
        assert!(suggest("zzz", known).is_empty());
    }
}
