//! What is wrong with a configuration file, and where.

use std::fmt;

/// One fault of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The line it is on, from 1. A section or key that is missing is a fault of the line where it would
    /// stand: the section's, or the first.
    pub line: usize,
    /// The key with its section, `cache.memory`; the section alone, or empty for the file as a whole.
    pub key: String,
    /// What was expected and what was found. Never a secret.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.is_empty() {
            true => write!(f, "line {}: {}", self.line, self.what),
            false => write!(f, "line {}: {}: {}", self.line, self.key, self.what),
        }
    }
}

/// The word of `known` that `found` was probably meant to be.
pub(super) fn meant<'k>(found: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let near = |word: &&str| distance(found, word) <= 1.max(word.len() / 3);
    known.filter(near).min_by_key(|word| distance(found, word))
}

/// How many characters must be added, removed, replaced or swapped with their neighbour to make `b` of `a`
/// (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let (mut before, mut above): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=b.len()).collect());
    let mut last = None;
    for (i, x) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let swap = j.checked_sub(1).filter(|&k| last == Some(y) && b.get(k) == Some(&x));
            let swapped = swap.map_or(usize::MAX, |k| at(&before, k) + 1);
            let replaced = at(&above, j) + usize::from(x != y);
            row.push(replaced.min(at(&above, j + 1) + 1).min(at(&row, j) + 1).min(swapped));
        }
        (before, above, last) = (above, row, Some(x));
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_a_typist() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("memroy", "memory", 1),
            ("htp", "http", 1),
            ("a", "b", 1),
            ("keys", "kyes", 1),
            ("tls", "listen", 5),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn a_word_far_from_all_was_not_meant() {
        let known = ["memory", "block", "index_share"];
        assert_eq!(meant("memroy", known.into_iter()), Some("memory"));
        assert_eq!(meant("blok", known.into_iter()), Some("block"));
        assert_eq!(meant("shards", known.into_iter()), None);
    }
}
