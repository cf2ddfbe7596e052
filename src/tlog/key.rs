//! Who may sign a note: names, public keys and the vkey lines that hold them (C2SP signed-note).
//!
//! ```text
//! example.com/ledger+23b760d3+AXm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk
//! <name>            +<key id>+<base64 of type || public key>
//!
//! key id   the first 4 bytes of SHA-256(<name> || 0A || type || public key), in hexadecimal
//! type     01 Ed25519 over the note's text, 04 Ed25519 cosignature with a time
//! ```

use std::fmt;

use super::text::{decode_base64, encode_base64, shortened};
use crate::digest::{Sha256, parse_hex, to_hex};
use crate::identity::ed25519;
use crate::name::Origin;

/// The name of a key. Invariant: 1 to 255 bytes without `+`, white space and control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// The short id of a key, as signature lines carry it: a hint for finding the key, no proof of anything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortId([u8; 4]);

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// The note's text (type 01): a log's own signature.
    Ed25519,
    /// A time and the note's text (type 04): a witness's cosignature.
    Ed25519Cosignature,
}

/// A public key that verifies signatures on notes. Invariant: the id is the one of name, kind and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    id: ShortId,
    kind: KeyKind,
    public: ed25519::PublicKey,
}

/// Why a text is not a key or its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not a key's name.
    #[error("`{0}` is not the name of a key: 1 to 255 bytes without `+`, spaces and control characters")]
    Name(String),
    /// Not three parts, too long, or not canonical.
    #[error("`{0}` is not a verifier key like `example.com/ledger+23b760d3+AXm1…`")]
    Form(String),
    /// A secret key; never repeated in a message.
    #[error("a secret key stands where a verifier key is needed")]
    Secret,
    /// A type that is not supported.
    #[error("keys of type {0:02x} ({name}) are not supported; use 01 (Ed25519) or 04 (Ed25519 cosignature)", name = type_name(*.0))]
    Type(u8),
    /// Not a key of its type.
    #[error("the verifier key of `{0}` holds no valid Ed25519 key")]
    Point(String),
    /// The id belongs to another name, type or key.
    #[error("the verifier key of `{name}` states the id {stated}, but has {computed}")]
    Id {
        /// The key's name.
        name: String,
        /// The id in the text.
        stated: ShortId,
        /// The id of name, type and key.
        computed: ShortId,
    },
}

impl KeyName {
    /// The longest name, in bytes: ML-DSA cosignatures count it in one byte.
    pub const BYTES_MAX: usize = 255;

    /// Parses a name.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let fits = (1..=Self::BYTES_MAX).contains(&text.len());
        if fits && !text.chars().any(|char| char == '+' || char.is_whitespace() || char.is_control()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(KeyError::Name(shortened(text)))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A ledger's key has the name of its origin; every origin is a key's name.
impl From<&Origin> for KeyName {
    fn from(origin: &Origin) -> Self {
        Self(origin.as_str().to_owned())
    }
}

impl ShortId {
    /// Wraps 4 bytes.
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The 4 bytes.
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }

    fn of(name: &KeyName, kind: KeyKind, public: &ed25519::PublicKey) -> Self {
        let mut hasher = Sha256::default();
        hasher.update(name.as_str().as_bytes());
        hasher.update(&[b'\n', kind.type_byte()]);
        hasher.update(&public.to_bytes());
        let [a, b, c, d, ..] = *hasher.finish().as_bytes();
        Self([a, b, c, d])
    }
}

impl fmt::Display for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl KeyKind {
    const fn type_byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::Ed25519Cosignature => 0x04,
        }
    }

    fn from_type_byte(byte: u8) -> Result<Self, KeyError> {
        let kinds = [Self::Ed25519, Self::Ed25519Cosignature];
        kinds.into_iter().find(|kind| kind.type_byte() == byte).ok_or(KeyError::Type(byte))
    }
}

/// The types that signed-note registers, for messages.
fn type_name(byte: u8) -> &'static str {
    match byte {
        0x01 => "Ed25519",
        0x02 => "ECDSA",
        0x04 => "Ed25519 cosignature",
        0x05 => "RFC 6962 tree head",
        0x06 => "ML-DSA-44 cosignature",
        0xff => "private",
        _ => "unknown",
    }
}

impl VerifierKey {
    /// The longest vkey, in bytes: room for an ML-DSA-44 key of 1,312 bytes, so that its type can be named.
    pub const TEXT_BYTES_MAX: usize = 2_048;

    /// Names a public key.
    pub fn new(name: KeyName, kind: KeyKind, public: ed25519::PublicKey) -> Self {
        Self { id: ShortId::of(&name, kind, &public), name, kind, public }
    }

    /// Parses a vkey.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.starts_with("PRIVATE+KEY+") {
            return Err(KeyError::Secret);
        }
        let form = || KeyError::Form(shortened(text));
        if text.len() > Self::TEXT_BYTES_MAX {
            return Err(form());
        }
        // Names hold no `+`, but base64 does.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(form()) };
        let name = KeyName::parse(name)?;
        let stated = parse_hex(id).map(ShortId).ok_or_else(form)?;
        let blob = decode_base64(key).ok_or_else(form)?;
        let (type_byte, public) = blob.split_first().ok_or_else(form)?;
        let kind = KeyKind::from_type_byte(*type_byte)?;
        let point = public.try_into().ok().and_then(ed25519::PublicKey::from_bytes);
        let point = point.ok_or_else(|| KeyError::Point(name.to_string()))?;
        Self::new(name, kind, point).expect_id(stated)
    }

    fn expect_id(self, stated: ShortId) -> Result<Self, KeyError> {
        if self.id == stated { Ok(self) } else { Err(KeyError::Id { name: self.name.0, stated, computed: self.id }) }
    }

    /// The key's name; for a log's key its origin.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id that signature lines carry.
    pub fn id(&self) -> ShortId {
        self.id
    }

    /// What the key signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The key itself.
    pub fn public(&self) -> &ed25519::PublicKey {
        &self.public
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blob = [&[self.kind.type_byte()][..], &self.public.to_bytes()].concat();
        write!(f, "{}+{}+{}", self.name, self.id, encode_base64(&blob))
    }
}
