//! One key for names that a file system may take for one another.
//!
//! Windows and macOS fold case, macOS also composes and decomposes accents: of `Models` and `models`, of an `é` in one
//! piece and in two, only one survives in a work tree, and whoever reviews the one runs the other. Two names with equal
//! keys must not stand side by side.
//!
//! The key is NFC of the full case folding, character by character: decompose (NFD), to lower, to upper, to lower case
//! again. So `ß`, `ẞ` and `ss` have one key, `ſ` and `s`, `ς` and `σ`, the Kelvin sign and `k`. It is as coarse as any
//! file system; what some of them do beyond it (dropping trailing dots, `8.3` names) is not in it.

use unicode_normalization::UnicodeNormalization as _;

/// The key of a text.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let lower = text.nfd().flat_map(char::to_lowercase);
    lower.flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfc().collect()
}

/// The key of raw bytes: what is not UTF-8 stands for itself.
pub fn fold_bytes(bytes: &[u8]) -> Vec<u8> {
    let mut key = Vec::new();
    fold_into(bytes, &mut key);
    key
}

/// Replaces `key` by the key of raw bytes, and needs no memory of its own for plain names.
pub fn fold_into(bytes: &[u8], key: &mut Vec<u8>) {
    key.clear();
    if bytes.is_ascii() {
        return key.extend(bytes.iter().map(u8::to_ascii_lowercase));
    }
    for chunk in bytes.utf8_chunks() {
        key.extend_from_slice(fold(chunk.valid()).as_bytes());
        key.extend_from_slice(chunk.invalid());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_look_alike_have_one_key() {
        for (one, other) in [
            ("Models", "mODELS"),
            ("caf\u{e9}", "cafe\u{301}"),
            ("CAF\u{c9}", "cafe\u{301}"),
            ("Stra\u{df}e", "STRASSE"),
            ("Stra\u{1e9e}e", "strasse"),
            ("\u{17f}", "S"),
            ("\u{3c2}", "\u{3a3}"),
            ("\u{212a}elvin", "kelvin"),
            ("\u{212b}ngstr\u{f6}m", "a\u{30a}ngstro\u{308}m"),
            ("\u{fb01}t", "FIT"),
            ("\u{345}", "\u{399}"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        for (one, other) in
            [("a", "b"), ("a", "\u{430}"), ("e", "\u{e9}"), ("o", "\u{f8}"), ("a ", "a"), ("i", "\u{131}x")]
        {
            assert_ne!(fold(one), fold(other), "{one} {other}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_stand_for_themselves() {
        assert_eq!(fold_bytes(b"A\xe9B"), b"a\xe9b");
        assert_ne!(fold_bytes(b"A\xe9"), fold_bytes(b"A\xc9"));
        assert_eq!(fold_bytes("\u{c9}".as_bytes()), "\u{e9}".as_bytes());
    }

    proptest! {
        #[test]
        fn a_key_is_its_own_key(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            let key = fold(&text);
            prop_assert_eq!(&fold(&key), &key);
            prop_assert_eq!(fold(&text.to_lowercase()), key.clone());
            prop_assert_eq!(fold_bytes(text.as_bytes()), key.into_bytes());
            let key = fold_bytes(&bytes);
            prop_assert_eq!(fold_bytes(&key), key);
        }
    }
}
