//! The wire format of RFC 4251 section 5, read so that every value has one form only.

/// Reads values from the front of bytes; `None` where they are cut off or not in canonical form.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Steps over bytes that must stand here.
    pub(super) fn expect(&mut self, bytes: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(bytes)?;
        Some(())
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    pub(super) fn uint32(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let bytes = usize::try_from(self.uint32()?).ok()?;
        let (string, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(string)
    }

    /// A positive integer, as its bytes without leading zeros. Zero and negative ones are none; nor is one with more
    /// bytes in front than its sign needs.
    pub(super) fn positive(&mut self) -> Option<&'a [u8]> {
        match self.string()? {
            [0, magnitude @ ..] if magnitude.first().is_some_and(|high| *high >= 0x80) => Some(magnitude),
            magnitude @ [1..0x80, ..] => Some(magnitude),
            _ => None,
        }
    }
}

/// Appends a string. All of ours are far below four gigabytes; a longer one would be written with a wrong length and
/// verify nowhere.
pub(super) fn put_string(out: &mut Vec<u8>, string: &[u8]) {
    out.extend_from_slice(&u32::try_from(string.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(string);
}

/// Appends a positive integer, given as bytes that begin with no zero.
#[cfg(test)]
pub(super) fn put_positive(out: &mut Vec<u8>, magnitude: &[u8]) {
    let sign: &[u8] = if magnitude.first().is_some_and(|high| *high >= 0x80) { &[0] } else { &[] };
    put_string(out, &[sign, magnitude].concat());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_one_form() {
        for (string, expected) in [
            (&[1][..], Some(&[1][..])),
            (&[0x7f, 0], Some(&[0x7f, 0])),
            (&[0, 0x80], Some(&[0x80])),
            (&[], None),
            (&[0], None),
            (&[0, 0], None),
            (&[0, 0x7f], None),
            (&[0, 0, 0x80], None),
            (&[0x80], None),
            (&[0xff, 1], None),
        ] {
            let mut bytes = vec![];
            put_string(&mut bytes, string);
            assert_eq!(Reader::new(&bytes).positive(), expected, "{string:?}");
            let Some(magnitude) = expected else { continue };
            let mut again = vec![];
            put_positive(&mut again, magnitude);
            assert_eq!(again, bytes);
        }
    }

    #[test]
    fn what_is_cut_off_is_nothing() {
        let mut bytes = vec![];
        put_string(&mut bytes, b"four");
        for end in 0..bytes.len() {
            assert_eq!(Reader::new(&bytes[..end]).string(), None, "{end}");
        }
        assert_eq!(Reader::new(&[0xff; 8]).string(), None);
        assert_eq!(Reader::new(&[0, 0, 0]).uint32(), None);
        assert_eq!(Reader::new(&[]).byte(), None);
    }
}
