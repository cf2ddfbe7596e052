//! Entry bundles: the entries beside a level-0 tile (C2SP tlog-tiles).
//!
//! ```text
//! 00 07 entry-0   00 07 entry-1   …      length, u16 big-endian, then the entry; 1 to 256 times
//! ```

/// The longest entry, in bytes: its length has 16 bits.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// The most entries in a bundle: the width of a tile.
pub const ENTRIES_MAX: usize = 256;

/// Why entries are not a bundle, or bytes not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// No entries.
    #[error("a bundle has at least one entry")]
    Empty,
    /// Too many entries.
    #[error("a bundle has at most {ENTRIES_MAX} entries")]
    TooMany,
    /// An entry whose length does not fit.
    #[error("entry {entry} of the bundle has {bytes} bytes; {ENTRY_BYTES_MAX} are allowed")]
    TooLong {
        /// Its number in the bundle.
        entry: usize,
        /// Its length.
        bytes: usize,
    },
    /// The bytes end within an entry or its length.
    #[error("the bundle ends within entry {entry}")]
    Cut {
        /// Its number in the bundle.
        entry: usize,
    },
}

/// Writes 1 to 256 entries as a bundle.
pub fn to_bytes<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, BundleError> {
    match entries.len() {
        0 => return Err(BundleError::Empty),
        1..=ENTRIES_MAX => {}
        _ => return Err(BundleError::TooMany),
    }
    let mut bundle = Vec::new();
    for (number, entry) in entries.iter().map(AsRef::as_ref).enumerate() {
        let too_long = |_| BundleError::TooLong { entry: number, bytes: entry.len() };
        let length = u16::try_from(entry.len()).map_err(too_long)?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// The entries of a bundle, which uses up all bytes; nothing is copied.
pub fn parse(bundle: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        if entries.len() == ENTRIES_MAX {
            return Err(BundleError::TooMany);
        }
        let (entry, after) = split_entry(rest).ok_or(BundleError::Cut { entry: entries.len() })?;
        entries.push(entry);
        rest = after;
    }
    if entries.is_empty() { Err(BundleError::Empty) } else { Ok(entries) }
}

fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn limits_hold_in_both_directions() {
        assert_eq!(to_bytes::<&[u8]>(&[]), Err(BundleError::Empty));
        assert_eq!(parse(b""), Err(BundleError::Empty));

        let full = to_bytes(&[b""; 256]).unwrap();
        assert_eq!(parse(&full).unwrap().len(), 256);
        assert_eq!(to_bytes(&[b""; 257]), Err(BundleError::TooMany));
        assert_eq!(parse(&[full.as_slice(), &[0, 0]].concat()), Err(BundleError::TooMany));

        let entry = vec![7; ENTRY_BYTES_MAX];
        let longest = to_bytes(&[&entry]).unwrap();
        assert_eq!(parse(&longest).unwrap(), [&entry]);
        let entries = [vec![], vec![7; ENTRY_BYTES_MAX + 1]];
        assert_eq!(to_bytes(&entries), Err(BundleError::TooLong { entry: 1, bytes: 65_536 }));
    }

    #[test]
    fn every_cut_is_found() {
        let bundle = to_bytes(&[&b"entry-0"[..], b"", b"entry-2"]).unwrap();
        assert_eq!(bundle, b"\0\x07entry-0\0\0\0\x07entry-2");
        let whole = [9, 11, bundle.len()];
        for length in 1..bundle.len() {
            let entry = whole.iter().filter(|end| **end <= length).count();
            let expected = if whole.contains(&length) { Ok(entry) } else { Err(BundleError::Cut { entry }) };
            assert_eq!(parse(&bundle[..length]).map(|entries| entries.len()), expected, "{length}");
        }
    }

    proptest! {
        #[test]
        fn what_parses_prints_as_it_was(bundle in proptest::collection::vec(0..4_u8, 0..200)) {
            if let Ok(entries) = parse(&bundle) {
                prop_assert_eq!(to_bytes(&entries).unwrap(), bundle);
            }
        }
    }
}
