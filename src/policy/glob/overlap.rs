//! Whether two patterns have a name in common; for explanations, never for a decision.

use std::collections::BTreeSet;

use super::Segment;

/// Whether some name matches both.
pub(super) fn globs(left: &[Segment], right: &[Segment]) -> bool {
    meet(left, right, |segment| *segment == Segment::Deep, segments)
}

fn segments(left: &Segment, right: &Segment) -> bool {
    match (left, right) {
        (Segment::Deep, _) | (_, Segment::Deep) => true,
        (Segment::Literal(left) | Segment::Wild(left), Segment::Literal(right) | Segment::Wild(right)) => {
            meet(left, right, |byte| *byte == b'*', |left, right| left == right || *left == b'?' || *right == b'?')
        }
    }
}

/// Walks both patterns at once. `many` tells the items that take any number of steps, `one` whether two items have a
/// step in common. Each pair of places is visited once.
fn meet<T>(left: &[T], right: &[T], many: impl Fn(&T) -> bool, one: impl Fn(&T, &T) -> bool) -> bool {
    let mut open = vec![(0, 0)];
    let mut seen = BTreeSet::from([(0, 0)]);
    while let Some((l, r)) = open.pop() {
        let next: &[(usize, usize)] = match (left.get(l), right.get(r)) {
            (None, None) => return true,
            (Some(a), _) if many(a) => &[(l + 1, r), (l, r + 1)],
            (_, Some(b)) if many(b) => &[(l, r + 1), (l + 1, r)],
            (Some(a), Some(b)) if one(a, b) => &[(l + 1, r + 1)],
            _ => &[],
        };
        let inside = |(l, r): &(usize, usize)| *l <= left.len() && *r <= right.len();
        open.extend(next.iter().copied().filter(inside).filter(|place| seen.insert(*place)));
    }
    false
}
