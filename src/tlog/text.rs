//! Text forms that the formats share: base64, decimals, and hashes as base64. Each value has exactly one text.

use crate::digest::Digest;

/// Base64 of RFC 4648 section 4, with padding.
pub(super) fn encode_base64(bytes: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(bytes)
}

/// Bytes of a base64 text; `None` where padding is missing, or bits that carry no data are set.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    base64_simd::STANDARD.decode_to_vec(text).ok()
}

/// A hash of 32 bytes in base64.
pub(super) fn parse_hash(text: &str) -> Option<Digest> {
    let bytes: [u8; 32] = decode_base64(text)?.try_into().ok()?;
    Some(Digest::from_bytes(bytes))
}

/// An ASCII decimal without sign, spaces or leading zeros.
pub(super) fn parse_decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let shortest = text == "0" || !text.starts_with('0');
    if digits && shortest { text.parse().ok() } else { None }
}

/// The beginning of a foreign text, for a message.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_one_text_per_value() {
        for (bytes, text) in [(&b""[..], ""), (b"\0", "AA=="), (b"ab", "YWI="), (b"\xfb\xff\xfe", "+//+")] {
            assert_eq!(encode_base64(bytes), text);
            assert_eq!(decode_base64(text).as_deref(), Some(bytes));
        }
        for bad in ["AA", "AA=", "AB==", "YWJ=", "-__-", "AA==\n", " AA==", "A A=", "AA==AA==", "=", "===="] {
            assert_eq!(decode_base64(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn decimals_have_one_text_per_value() {
        for (number, text) in [(0, "0"), (10, "10"), (u64::MAX, "18446744073709551615")] {
            assert_eq!(parse_decimal(text), Some(number));
        }
        for bad in ["", "00", "01", "+1", "-1", " 1", "1 ", "1_0", "0x1", "18446744073709551616", "\u{661}"] {
            assert_eq!(parse_decimal(bad), None, "{bad:?}");
        }
    }
}
