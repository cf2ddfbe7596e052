//! What a pattern means, written down as plainly as it can be, in exponential time: what the matcher is held against.

/// Whether a pattern, by its segments, matches a name, by its own.
pub(super) fn matches(pattern: &[&str], name: &[&str]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((&"**", after)), None) => matches(after, name),
        (Some((&"**", after)), Some((_, tail))) => matches(after, name) || matches(pattern, tail),
        (Some((segment, after)), Some((head, tail))) => {
            within(segment.as_bytes(), head.as_bytes()) && matches(after, tail)
        }
        _ => false,
    }
}

fn within(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', after)), None) => within(after, name),
        (Some((b'*', after)), Some((_, tail))) => within(after, name) || within(pattern, tail),
        (Some((b'?', after)), Some((_, tail))) => within(after, tail),
        (Some((expected, after)), Some((byte, tail))) => expected == byte && within(after, tail),
        _ => false,
    }
}
