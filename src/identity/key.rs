//! An actor's public key and its fingerprint, as OpenSSH writes them.
//!
//! ```text
//! ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI… comment     one line of an authorized_keys file
//! SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8   its fingerprint
//!
//! string "ssh-ed25519", string key[32]                                       the base64, by type
//! string "ecdsa-sha2-nistp256", string "nistp256", string 04 x y
//! string "ssh-rsa", mpint exponent, mpint modulus
//! string "sk-ssh-ed25519@openssh.com", string key[32], string "ssh:…"
//! string "sk-ecdsa-sha2-nistp256@openssh.com", string "nistp256", string 04 x y, string "ssh:…"
//! ```
//!
//! One key has one blob: a second way to write it would be a second fingerprint, and a key that belongs to two actors.
//! Sources: RFC 8709, 5656, 4253; OpenSSH's `PROTOCOL.u2f`.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::ecdsa::{self, Curve};
use super::ed25519;
use super::rsa::{self, RsaError};
use super::wire::{Reader, put_string};
use crate::digest::{self, Digest};

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
    #[error("keys of type `{0}` are not supported; use ssh-ed25519, ecdsa-sha2-nistp256, or RSA of 3072 bits")]
    Kind(String),
    /// A key signed by an authority: who may sign is for the policy alone to say.
    #[error("`{0}` is an SSH certificate, and those are refused; use the key that it certifies")]
    Certificate(String),
    /// An RSA key that does not count.
    #[error(transparent)]
    Rsa(#[from] RsaError),
    /// A security key's key for something other than SSH.
    #[error("the security key's application does not begin with `ssh:`")]
    Application,
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

/// The kinds of key that count, as OpenSSH names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `ssh-ed25519`, of RFC 8709.
    Ed25519,
    /// `ecdsa-sha2-nistp256` and its larger kin, of RFC 5656.
    Ecdsa(Curve),
    /// `ssh-rsa`, of RFC 4253; with signatures of RFC 8332 only.
    Rsa,
    /// `sk-ssh-ed25519@openssh.com`, held by a security key.
    SkEd25519,
    /// `sk-ecdsa-sha2-nistp256@openssh.com`, held by a security key.
    SkEcdsa,
}

/// An actor's public key. Invariant: it counts, and its blob is in the one form that OpenSSH writes.
#[derive(Clone, Debug)]
pub struct PublicKey {
    blob: Vec<u8>,
    id: KeyId,
    kind: Kind,
    material: Material,
}

/// The most keys that are kept at once: the actors of a large house, some hundred bytes each.
const KEYS_MAX: usize = 4096;

/// Keys that were read before, by their blobs: to find the point of an Ed25519 key costs as much as a fifth of a
/// signature.
#[derive(Default)]
pub struct Keys(HashMap<Vec<u8>, PublicKey>);

impl Keys {
    /// [`PublicKey::from_blob`].
    pub fn read(&mut self, blob: &[u8]) -> Result<PublicKey, KeyError> {
        if let Some(key) = self.0.get(blob) {
            return Ok(key.clone());
        }
        let key = PublicKey::from_blob(blob)?;
        if self.0.len() >= KEYS_MAX {
            self.0.clear();
        }
        self.0.insert(blob.to_vec(), key.clone());
        Ok(key)
    }
}

/// What verifies.
#[derive(Clone, Debug)]
pub(super) enum Material {
    Ed25519(ed25519::PublicKey),
    Ecdsa(Box<ecdsa::PublicKey>),
    Rsa(Box<rsa::PublicKey>),
    /// With the SHA-256 of the application, which the security key signs.
    SkEd25519(ed25519::PublicKey, Digest),
    SkEcdsa(Box<ecdsa::PublicKey>, Digest),
}

/// What the application of a security key's key begins with: others are credentials of web sites, whose signatures a
/// site can ask for.
const APPLICATION: &[u8] = b"ssh:";

impl Kind {
    const ALL: [Self; 7] = [
        Self::Ed25519,
        Self::Ecdsa(Curve::P256),
        Self::Ecdsa(Curve::P384),
        Self::Ecdsa(Curve::P521),
        Self::Rsa,
        Self::SkEd25519,
        Self::SkEcdsa,
    ];

    /// OpenSSH's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::Ecdsa(Curve::P256) => "ecdsa-sha2-nistp256",
            Self::Ecdsa(Curve::P384) => "ecdsa-sha2-nistp384",
            Self::Ecdsa(Curve::P521) => "ecdsa-sha2-nistp521",
            Self::Rsa => "ssh-rsa",
            Self::SkEd25519 => "sk-ssh-ed25519@openssh.com",
            Self::SkEcdsa => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    /// What `ssh-keygen -l` calls it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ed25519 => "ED25519",
            Self::Ecdsa(_) => "ECDSA",
            Self::Rsa => "RSA",
            Self::SkEd25519 => "ED25519-SK",
            Self::SkEcdsa => "ECDSA-SK",
        }
    }

    fn parse(name: &[u8]) -> Result<Self, KeyError> {
        let known = Self::ALL.into_iter().find(|kind| kind.name().as_bytes() == name);
        known.ok_or_else(|| {
            let shown: String = name.escape_ascii().to_string().chars().take(60).collect();
            if name.ends_with(b"-cert-v01@openssh.com") { KeyError::Certificate(shown) } else { KeyError::Kind(shown) }
        })
    }
}

impl PublicKey {
    /// Parses `type base64 [comment]`.
    pub fn parse(line: &str) -> Result<Self, KeyError> {
        let mut words = line.split_ascii_whitespace();
        let (Some(kind), Some(encoded)) = (words.next(), words.next()) else { return Err(KeyError::Form) };
        let kind = Kind::parse(kind.as_bytes())?;
        let blob = base64_simd::STANDARD.decode_to_vec(encoded).map_err(|_| KeyError::Form)?;
        let key = Self::from_blob(&blob)?;
        if key.kind == kind { Ok(key) } else { Err(KeyError::Blob(kind.name())) }
    }

    /// Takes a blob: `string type`, then what the type asks for, and nothing behind it.
    pub fn from_blob(blob: &[u8]) -> Result<Self, KeyError> {
        let mut reader = Reader::new(blob);
        let kind = Kind::parse(reader.string().ok_or(KeyError::Blob("SSH"))?)?;
        let material = Material::read(kind, &mut reader)?;
        if !reader.is_empty() {
            return Err(KeyError::Blob(kind.name()));
        }
        Ok(Self { blob: blob.to_vec(), id: KeyId::of_blob(blob), kind, material })
    }

    /// Names an Ed25519 key the way OpenSSH does.
    pub fn from_ed25519(key: ed25519::PublicKey) -> Self {
        let kind = Kind::Ed25519;
        let mut blob = Vec::new();
        put_string(&mut blob, kind.name().as_bytes());
        put_string(&mut blob, &key.to_bytes());
        Self { id: KeyId::of_blob(&blob), blob, kind, material: Material::Ed25519(key) }
    }

    /// The fingerprint.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// What kind of key it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its size as OpenSSH tells it, in bits: of the modulus or the curve.
    pub fn bits(&self) -> usize {
        match &self.material {
            Material::Ed25519(_) | Material::SkEd25519(..) => 256,
            Material::Ecdsa(key) | Material::SkEcdsa(key, _) => key.curve().bits(),
            Material::Rsa(key) => key.bits(),
        }
    }

    /// The blob that the fingerprint is taken of.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    pub(super) fn material(&self) -> &Material {
        &self.material
    }
}

impl Material {
    fn read(kind: Kind, reader: &mut Reader<'_>) -> Result<Self, KeyError> {
        let malformed = KeyError::Blob(kind.name());
        Ok(match kind {
            Kind::Ed25519 => Self::Ed25519(read_ed25519(reader).ok_or(malformed)?),
            Kind::Ecdsa(curve) => Self::Ecdsa(Box::new(read_ecdsa(curve, reader).ok_or(malformed)?)),
            Kind::Rsa => {
                let (exponent, modulus) = reader.positive().zip(reader.positive()).ok_or(malformed)?;
                Self::Rsa(Box::new(rsa::PublicKey::new(exponent, modulus)?))
            }
            Kind::SkEd25519 => Self::SkEd25519(read_ed25519(reader).ok_or(malformed)?, read_application(kind, reader)?),
            Kind::SkEcdsa => {
                let key = read_ecdsa(Curve::P256, reader).ok_or(malformed)?;
                Self::SkEcdsa(Box::new(key), read_application(kind, reader)?)
            }
        })
    }
}

fn read_ed25519(reader: &mut Reader<'_>) -> Option<ed25519::PublicKey> {
    ed25519::PublicKey::from_bytes(reader.string()?.try_into().ok()?)
}

fn read_ecdsa(curve: Curve, reader: &mut Reader<'_>) -> Option<ecdsa::PublicKey> {
    let named = reader.string()? == curve.name().as_bytes();
    ecdsa::PublicKey::from_point(curve, reader.string()?).filter(|_| named)
}

fn read_application(kind: Kind, reader: &mut Reader<'_>) -> Result<Digest, KeyError> {
    let application = reader.string().ok_or(KeyError::Blob(kind.name()))?;
    if application.starts_with(APPLICATION) { Ok(digest::sha256(application)) } else { Err(KeyError::Application) }
}

/// Blobs are canonical, so equal keys have equal blobs.
impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.blob == other.blob
    }
}

impl Eq for PublicKey {}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), base64_simd::STANDARD.encode_to_string(&self.blob))
    }
}

#[cfg(test)]
mod tests;
