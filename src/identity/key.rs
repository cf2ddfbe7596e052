//! An actor's public key and its fingerprint, as OpenSSH writes them.
//!
//! ```text
//! ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI… comment     one line of an authorized_keys file
//! SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8   its fingerprint
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ed25519;
use crate::digest;

/// A key's fingerprint: `SHA256:` and the base64 of the SHA-256 of its blob, without padding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

/// Why a text is not a key or a fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not `type base64 [comment]`.
    #[error("not a public key line like `ssh-ed25519 AAAA… name`")]
    Form,
    /// A kind of key that is not supported.
    #[error("keys of type `{0}` are not supported; use ssh-ed25519")]
    Kind(String),
    /// Bytes that are no key.
    #[error("the key's base64 does not hold a valid {0} key")]
    Blob(&'static str),
    /// Not a fingerprint.
    #[error("`{0}` is not a fingerprint like `SHA256:nThb…`")]
    Fingerprint(String),
}

impl KeyId {
    /// Parses a fingerprint.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let refused = || KeyError::Fingerprint(text.chars().take(60).collect());
        let encoded = text.strip_prefix("SHA256:").ok_or_else(refused)?;
        let bytes = base64_simd::STANDARD_NO_PAD.decode_to_vec(encoded).map_err(|_| refused())?;
        if bytes.len() == 32 { Ok(Self(text.to_owned())) } else { Err(refused()) }
    }

    /// The fingerprint of a key's blob.
    pub fn of_blob(blob: &[u8]) -> Self {
        let digest = digest::sha256(blob);
        Self(format!("SHA256:{}", base64_simd::STANDARD_NO_PAD.encode_to_string(digest.as_bytes())))
    }

    /// The fingerprint as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

impl TryFrom<String> for KeyId {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::parse(&text)
    }
}

/// An actor's public key. Invariant: an Ed25519 key whose blob is in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    ed25519: ed25519::PublicKey,
    id: KeyId,
}

const KIND: &str = "ssh-ed25519";

impl PublicKey {
    /// Parses `ssh-ed25519 <base64> [comment]`.
    pub fn parse(line: &str) -> Result<Self, KeyError> {
        let mut words = line.split_ascii_whitespace();
        let (Some(kind), Some(encoded)) = (words.next(), words.next()) else { return Err(KeyError::Form) };
        if kind != KIND {
            return Err(KeyError::Kind(kind.chars().take(40).collect()));
        }
        let blob = base64_simd::STANDARD.decode_to_vec(encoded).map_err(|_| KeyError::Form)?;
        Self::from_blob(&blob)
    }

    /// Takes the blob of RFC 8709: `string "ssh-ed25519", string key[32]`.
    pub fn from_blob(blob: &[u8]) -> Result<Self, KeyError> {
        let head = Self::blob_head();
        let key = blob.strip_prefix(head.as_slice()).ok_or(KeyError::Blob(KIND))?;
        let bytes: &[u8; 32] = key.try_into().map_err(|_| KeyError::Blob(KIND))?;
        ed25519::PublicKey::from_bytes(bytes).map(Self::from_ed25519).ok_or(KeyError::Blob(KIND))
    }

    /// Names an Ed25519 key the way OpenSSH does.
    pub fn from_ed25519(key: ed25519::PublicKey) -> Self {
        let blob = [Self::blob_head().as_slice(), &key.to_bytes()].concat();
        Self { ed25519: key, id: KeyId::of_blob(&blob) }
    }

    fn blob_head() -> Vec<u8> {
        [&[0, 0, 0, 11][..], KIND.as_bytes(), &[0, 0, 0, 32]].concat()
    }

    /// The fingerprint.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The Ed25519 point.
    pub fn ed25519(&self) -> &ed25519::PublicKey {
        &self.ed25519
    }

    /// The blob that the fingerprint is taken of.
    pub fn blob(&self) -> Vec<u8> {
        [Self::blob_head().as_slice(), &self.ed25519.to_bytes()].concat()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{KIND} {}", base64_simd::STANDARD.encode_to_string(self.blob()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk";

    #[test]
    fn a_key_line_round_trips() {
        let key = PublicKey::parse(&format!("{LINE} alice@laptop")).unwrap();
        assert_eq!(key.to_string(), LINE);
        assert_eq!(PublicKey::from_blob(&key.blob()).unwrap(), key);
        assert_eq!(KeyId::parse(key.id().as_str()).unwrap(), *key.id());
    }

    #[test]
    fn broken_keys_are_refused() {
        for bad in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "ssh-rsa AAAAB3NzaC1yc2E=",
            &LINE.replace("AAAAC3", "AAAAC4"),
            &format!("{LINE}AAAA"),
        ] {
            assert!(PublicKey::parse(bad).is_err(), "{bad}");
        }
    }
}
