//! Names, parsed once and trusted below: [`ActorId`], [`RefName`], [`RepoPath`], [`Oid`], [`Origin`].

pub mod fold;
pub mod nearest;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest;

/// Whether a character of other people's text would move a terminal's cursor, break a line, or turn text around.
pub fn is_wild(char: char) -> bool {
    const TURNS: [char; 3] = ['\u{61c}', '\u{200e}', '\u{200f}'];
    char.is_control() || TURNS.contains(&char) || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Why a text is not the name it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Not an actor id.
    #[error("`{0}` is not an actor id: 1 to 128 of a-z 0-9 . _ - + @, beginning with a letter or digit")]
    Actor(String),
    /// Not a ref name.
    #[error("`{name}` is not a full ref name: {why}")]
    Ref {
        /// The text, shortened.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Not a path within a repository.
    #[error("`{path}` is not a path within a repository: {why}")]
    Path {
        /// The text, quoted and shortened.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Not an object id.
    #[error("`{0}` is not an object id of 40 lower-case hexadecimal digits")]
    Oid(String),
    /// Not an origin.
    #[error(
        "`{0}` is not an origin: 1 to 255 visible ASCII characters without `+` and `{{`, like `git.bank.example/models`"
    )]
    Origin(String),
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Implements text forms through `parse` and `as_str`.
macro_rules! text_name {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

/// Who acts: a person, service or agent, like `alice@bank.example`. Invariant: 1 to 128 of `a-z 0-9 . _ - + @`,
/// the first a letter or digit. One spelling only, so that no two ids look alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ActorId(String);

impl ActorId {
    /// The longest actor id, in bytes.
    pub const BYTES_MAX: usize = 128;

    /// Parses an actor id.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let rest =
            text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-+@".contains(&byte));
        if first && rest && text.len() <= Self::BYTES_MAX {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Actor(shortened(text)))
        }
    }
}

text_name!(ActorId);

/// A full ref name. Invariant: what `git check-ref-format` allows, UTF-8, begins with `refs/`, at most 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RefName(String);

impl RefName {
    /// The longest ref name, in bytes: a loose ref is a file, and file systems end at 255.
    pub const BYTES_MAX: usize = 255;

    /// Parses a full ref name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refused = |why| Err(NameError::Ref { name: shortened(text), why });
        if text.len() > Self::BYTES_MAX {
            return refused("it is longer than 255 bytes");
        }
        if !text.starts_with("refs/") {
            return refused("it does not begin with `refs/`");
        }
        if text.bytes().any(|byte| byte.is_ascii_control() || b" ~^:?*[\\".contains(&byte)) {
            return refused("it holds a space, a control character or one of ~ ^ : ? * [ \\");
        }
        if text.contains("..") || text.contains("@{") || text.ends_with('.') {
            return refused("it holds `..` or `@{`, or ends in `.`");
        }
        let is_lock =
            |part: &str| part.as_bytes().last_chunk().is_some_and(|end: &[u8; 5]| end.eq_ignore_ascii_case(b".lock"));
        let bad = |part: &str| part.is_empty() || part.starts_with('.') || is_lock(part);
        if text.split('/').any(bad) {
            return refused("a part of it is empty, begins with `.` or ends in `.lock`");
        }
        Ok(Self(text.to_owned()))
    }

    /// The name without `refs/heads/` or `refs/tags/`, for people.
    pub fn short(&self) -> &str {
        let text = self.0.as_str();
        text.strip_prefix("refs/heads/").or_else(|| text.strip_prefix("refs/tags/")).unwrap_or(text)
    }
}

text_name!(RefName);

/// The name of a ledger: a URL without scheme. Invariant: 1 to 255 visible ASCII bytes, no `+` (a note could not carry it), no `{` (a leaf begins so).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

impl Origin {
    /// The longest origin, in bytes: ML-DSA cosignatures count it in one byte.
    pub const BYTES_MAX: usize = 255;

    /// Parses an origin.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fits = (1..=Self::BYTES_MAX).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'+' && byte != b'{') {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Origin(shortened(text)))
        }
    }
}

text_name!(Origin);

/// A Git object id (SHA-1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Oid([u8; 20]);

impl Oid {
    /// Wraps 20 bytes.
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The 20 bytes.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// Parses 40 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        digest::parse_hex(text).map(Self).ok_or_else(|| NameError::Oid(shortened(text)))
    }

    /// Parses an object id, or `None` for the forty zeros that Git writes for "no object".
    pub fn parse_optional(text: &str) -> Result<Option<Self>, NameError> {
        Self::parse(text).map(|oid| (oid.0 != [0; 20]).then_some(oid))
    }

    /// The first 10 digits, for people.
    pub fn short(&self) -> String {
        digest::to_hex(self.0.first_chunk::<5>().unwrap_or(&[0; 5]))
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&digest::to_hex(&self.0))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Oid> for String {
    fn from(oid: Oid) -> Self {
        oid.to_string()
    }
}

impl TryFrom<String> for Oid {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

/// A path within a repository, as Git's raw bytes. Invariant: 1 to 4096 bytes, `/` between non-empty parts, no part
/// `.`, `..` or `.git` in any case, no NUL.
///
/// Its text form (`Display`, JSON, manifests) is Git's with `core.quotePath=true`: a path with a control character,
/// a quote, a backslash or a byte beyond ASCII stands in double quotes with C escapes, any other as it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoPath(Vec<u8>);

impl RepoPath {
    /// The longest path, in bytes: Linux' `PATH_MAX`, beyond which no work tree can hold it.
    pub const BYTES_MAX: usize = 4096;

    /// Takes a path's raw bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NameError> {
        let refused = |why| Err(NameError::Path { path: shortened(&quote(bytes)), why });
        if bytes.is_empty() || bytes.len() > Self::BYTES_MAX {
            return refused("it is empty or longer than 4096 bytes");
        }
        if bytes.contains(&0) {
            return refused("it holds a NUL");
        }
        let bad = |part: &[u8]| part.is_empty() || part == b"." || part == b".." || part.eq_ignore_ascii_case(b".git");
        if bytes.split(|byte| *byte == b'/').any(bad) {
            return refused("a part of it is empty, `.`, `..` or `.git`");
        }
        Ok(Self(bytes.to_vec()))
    }

    /// Parses the text form.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refused = || NameError::Path { path: shortened(text), why: "its quoting is not Git's" };
        let bytes = unquote(text).ok_or_else(refused)?;
        if quote(&bytes) != text {
            return Err(refused());
        }
        Self::from_bytes(&bytes)
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quote(&self.0))
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<RepoPath> for String {
    fn from(path: RepoPath) -> Self {
        path.to_string()
    }
}

impl TryFrom<String> for RepoPath {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

/// Quotes as Git does with `core.quotePath=true` (git's `quote.c`).
fn quote(bytes: &[u8]) -> String {
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    if bytes.iter().all(|byte| plain(*byte)) {
        return bytes.iter().map(|byte| char::from(*byte)).collect();
    }
    let mut text = String::from("\"");
    for &byte in bytes {
        match byte {
            7 => text.push_str("\\a"),
            8 => text.push_str("\\b"),
            9 => text.push_str("\\t"),
            10 => text.push_str("\\n"),
            11 => text.push_str("\\v"),
            12 => text.push_str("\\f"),
            13 => text.push_str("\\r"),
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            _ if plain(byte) => text.push(char::from(byte)),
            _ => text.extend(['\\', octal(byte >> 6), octal(byte >> 3), octal(byte)]),
        }
    }
    text.push('"');
    text
}

/// The digit for the lowest three bits.
fn octal(bits: u8) -> char {
    char::from(b'0' + (bits & 7))
}

fn unquote(text: &str) -> Option<Vec<u8>> {
    let Some(inner) = text.strip_prefix('"') else { return Some(text.as_bytes().to_vec()) };
    let mut bytes = inner.strip_suffix('"')?.bytes();
    let mut raw = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            raw.push(byte);
            continue;
        }
        raw.push(match bytes.next()? {
            b'a' => 7,
            b'b' => 8,
            b't' => 9,
            b'n' => 10,
            b'v' => 11,
            b'f' => 12,
            b'r' => 13,
            b'"' => b'"',
            b'\\' => b'\\',
            high @ b'0'..=b'3' => {
                let digit = |digit: u8| (b'0'..=b'7').contains(&digit).then(|| digit - b'0');
                ((high - b'0') << 6) | (digit(bytes.next()?)? << 3) | digit(bytes.next()?)?
            }
            _ => return None,
        });
    }
    Some(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_have_one_spelling() {
        for good in ["alice@bank.example", "ci-bot", "7", "a+b@c"] {
            assert!(ActorId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "Alice", "@a", "a b", "älice", &"a".repeat(129)] {
            assert!(ActorId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn refs_are_what_git_allows() {
        for good in ["refs/heads/main", "refs/heads/dev/a-b", "refs/tags/v1.0", "refs/heads/é"] {
            assert!(RefName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "main",
            "refs/",
            "refs/heads/",
            "refs/heads/a..b",
            "refs/heads/.a",
            "refs/heads/a.lock",
            "refs/heads/a b",
            "refs//a",
            "refs/heads/a@{1}",
            "refs/heads/a\n",
        ] {
            assert!(RefName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_quote_as_git_does() {
        for (raw, text) in [
            (&b"models/a b.bin"[..], "models/a b.bin"),
            ("mod\u{e8}le".as_bytes(), "\"mod\\303\\250le\""),
            (b"tab\tquote\"", "\"tab\\tquote\\\"\""),
            (b"\xff", "\"\\377\""),
        ] {
            let path = RepoPath::from_bytes(raw).unwrap();
            assert_eq!(path.to_string(), text);
            assert_eq!(RepoPath::parse(text).unwrap(), path);
        }
        for bad in
            ["", "/a", "a//b", "a/", "a/../b", ".git/config", "A/.GIT/x", "\"plain\"", "\"\\400\"", "\"\\3 0\"", "é"]
        {
            assert!(RepoPath::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn origins_fit_into_a_note() {
        assert!(Origin::parse("git.bank.example/models").is_ok());
        for bad in ["", "a b", "a+b", "a\n"] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }
}
