//! The name that somebody probably meant.

/// How many names are looked at, so that a policy full of mistakes is refused in bounded time.
const NAMES_MAX: usize = 1000;

/// The name nearest to `wrong`, if one is within a third of its length, at least one and at most three, edits.
pub fn nearest<'n>(wrong: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    const CHARS_MAX: usize = 64;
    let wrong: Vec<char> = wrong.chars().take(CHARS_MAX).collect();
    let near = (wrong.len() / 3).clamp(1, 3);
    let candidates = names.into_iter().take(NAMES_MAX).filter(|name| name.len() <= CHARS_MAX);
    let measured = candidates.map(|name| (edits(&wrong, &name.chars().collect::<Vec<_>>()), name));
    measured.filter(|(edits, _)| *edits <= near).min().map(|(_, name)| name)
}

/// The number of insertions, removals, replacements and swaps of neighbours that lead from one to the other.
fn edits(from: &[char], to: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&row, j) + usize::from(a != b);
            let mut best = replaced.min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            let swapped = i > 0 && j > 0 && from.get(i - 1) == Some(b) && to.get(j - 1) == Some(a);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_slips_are_recognised() {
        let names = ["engineer", "maintainer", "risk-reviewer", "ops"];
        for (wrong, expected) in [
            ("enginer", Some("engineer")),
            ("engieneer", Some("engineer")),
            ("egnineer", Some("engineer")),
            ("risk-reviewers", Some("risk-reviewer")),
            ("opt", Some("ops")),
            ("auditor", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, names), expected, "{wrong}");
        }
        assert_eq!(edits(&['a', 'b'], &['b', 'a']), 1);
        assert_eq!(edits(&[], &['b', 'a']), 2);
    }
}
