//! SSHSIG, the signatures of Git and `ssh-keygen -Y sign`, accepted only as OpenSSH prints them.
//!
//! ```text
//! -----BEGIN SSH SIGNATURE-----
//! U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgwMOBRf6c7NtDKJn1KiB7rAzF8t      base64, 70 to a line
//! …
//! -----END SSH SIGNATURE-----
//!
//! "SSHSIG", uint32 1, string key, string namespace, string "", string hash, string signature     in the armour
//! "SSHSIG", string namespace, string "", string hash, string H(message)                          what is signed
//! ```
//!
//! A string is its length in four bytes, then its bytes; `hash` is `sha256` or `sha512`. The armour of a commit is not
//! signed itself, so there must be one way only to write it: whoever could write it in another way could make a
//! second commit out of a signed one. What remains of that with ECDSA is told in [`super::signature`]. Source:
//! OpenSSH's `PROTOCOL.sshsig`.

use super::batch::{self, Item};
use super::ed25519;
use super::hash::Hash;
use super::key::{KeyError, KeyId, Keys, Kind, PublicKey};
use super::signature::{Signature, SignatureError};
use super::wire::{Reader, put_string};

/// The namespace of commits, tags and push certificates.
pub const NAMESPACE_GIT: &str = "git";

/// The largest armour, in bytes: that of an RSA key of 8192 bits has 3 KB.
pub const ARMOUR_BYTES_MAX: usize = 8 << 10;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----\n";
const COLUMNS: usize = 70;
const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;

/// A signature that is well formed, and not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshSig {
    hash: Hash,
    key: PublicKey,
    namespace: String,
    signature: Signature,
}

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SshSigError {
    /// Not an SSH signature, but, for example, a PGP one.
    #[error("it is not an SSH signature")]
    OtherKind,
    /// Not as `ssh-keygen` writes it.
    #[error("its armour is not written as ssh-keygen writes it")]
    Armour,
    /// Too large.
    #[error("its armour of {0} bytes is larger than any signature")]
    TooLarge(usize),
    /// A field that is cut off or not what it must be.
    #[error("its {0} is malformed")]
    Field(&'static str),
    /// Bytes behind the last field.
    #[error("bytes follow its {0}")]
    Trailing(&'static str),
    /// Made for another purpose.
    #[error("it is made for namespace `{found}`, not `{expected}`")]
    Namespace {
        /// The purpose it must have.
        expected: String,
        /// The purpose it has.
        found: String,
    },
    /// A hash other than `sha256` and `sha512`.
    #[error("it uses the hash `{0}`; only sha256 and sha512 are accepted")]
    Hash(String),
    /// A key that does not count.
    #[error("its key does not count: {0}")]
    Key(KeyError),
    /// The signature itself does not count.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The mathematics say no.
    #[error("it does not fit the signed bytes and key {0}")]
    Invalid(KeyId),
}

impl SshSig {
    /// Parses an armoured signature that must be for `namespace`.
    pub fn parse(armour: &[u8], namespace: &str) -> Result<Self, SshSigError> {
        Self::parse_with(&mut Keys::default(), armour, namespace)
    }

    /// The same among many, whose `keys` are read once.
    pub fn parse_with(keys: &mut Keys, armour: &[u8], namespace: &str) -> Result<Self, SshSigError> {
        let blob = dearmour(armour)?;
        let mut blob = Reader::new(&blob);
        blob.expect(MAGIC).ok_or(SshSigError::Field("magic"))?;
        if blob.uint32() != Some(VERSION) {
            return Err(SshSigError::Field("version"));
        }
        let mut field = |name| blob.string().ok_or(SshSigError::Field(name));
        let key = keys.read(field("key")?).map_err(SshSigError::Key)?;
        check_namespace(field("namespace")?, namespace)?;
        if !field("reserved field")?.is_empty() {
            return Err(SshSigError::Field("reserved field"));
        }
        let hash = parse_hash(field("hash")?)?;
        let signature = Signature::parse(&key, field("signature")?)?;
        if !blob.is_empty() {
            return Err(SshSigError::Trailing("last field"));
        }
        Ok(Self { hash, key, namespace: namespace.to_owned(), signature })
    }

    /// The key that claims to have signed.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// What it is made for.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The hash of the message.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The bytes that the key's mathematics are over, for `message`.
    pub fn signed_data(&self, message: &[u8]) -> Vec<u8> {
        self.signature.signed_data(&self.key, signed_data(&self.namespace, self.hash, message))
    }

    fn item<'a>(&'a self, message: &'a [u8]) -> Option<Item<'a>> {
        let (key, signature) = self.signature.ed25519(&self.key)?;
        Some(Item { key, message, signature })
    }

    /// Verifies it over `message`.
    pub fn verify(&self, message: &[u8]) -> Result<(), SshSigError> {
        if self.signature.verify(&self.key, &self.signed_data(message)) {
            Ok(())
        } else {
            Err(SshSigError::Invalid(self.key.id().clone()))
        }
    }
}

/// Verifies each signature over its [`SshSig::signed_data`], on this thread, as [`SshSig::verify`] does; the answers
/// stand in the same order. Those of Ed25519 are verified together, which is faster.
pub fn verify_all(signed: &[(&SshSig, &[u8])]) -> Vec<bool> {
    let items = signed.iter().filter_map(|(signature, data)| signature.item(data));
    let mut together = batch::verify_all(&items.collect::<Vec<_>>()).into_iter();
    let judge = |(signature, data): &(&SshSig, &[u8])| match signature.item(data) {
        Some(_) => together.next().unwrap_or(false),
        None => signature.signature.verify(&signature.key, data),
    };
    signed.iter().map(judge).collect()
}

/// Verifies an armoured signature for `namespace` over `message`, and returns the key that made it. Whose key that is
/// must still be asked.
pub fn verify(armour: &[u8], namespace: &str, message: &[u8]) -> Result<PublicKey, SshSigError> {
    let signature = SshSig::parse(armour, namespace)?;
    signature.verify(message)?;
    Ok(signature.key)
}

/// Signs `message` for `namespace` as `ssh-keygen -Y sign` does, and returns the armour.
pub fn sign(key: &ed25519::SecretKey, namespace: &str, message: &[u8]) -> String {
    let hash = Hash::Sha512;
    let signature = key.sign(&signed_data(namespace, hash, message));
    let mut blob = [MAGIC, &VERSION.to_be_bytes()].concat();
    put_string(&mut blob, PublicKey::from_ed25519(key.public()).blob());
    put_string(&mut blob, namespace.as_bytes());
    put_string(&mut blob, b"");
    put_string(&mut blob, hash.name());
    let mut inner = Vec::new();
    put_string(&mut inner, Kind::Ed25519.name().as_bytes());
    put_string(&mut inner, &signature);
    put_string(&mut blob, &inner);
    enarmour(&blob)
}

pub(super) fn signed_data(namespace: &str, hash: Hash, message: &[u8]) -> Vec<u8> {
    let mut data = MAGIC.to_vec();
    put_string(&mut data, namespace.as_bytes());
    put_string(&mut data, b"");
    put_string(&mut data, hash.name());
    put_string(&mut data, &hash.of(message));
    data
}

fn check_namespace(found: &[u8], expected: &str) -> Result<(), SshSigError> {
    if found == expected.as_bytes() {
        return Ok(());
    }
    Err(SshSigError::Namespace { expected: expected.to_owned(), found: shown(found) })
}

fn parse_hash(name: &[u8]) -> Result<Hash, SshSigError> {
    let known = [Hash::Sha256, Hash::Sha512].into_iter().find(|hash| hash.name() == name);
    known.ok_or_else(|| SshSigError::Hash(shown(name)))
}

pub(super) fn dearmour(armour: &[u8]) -> Result<Vec<u8>, SshSigError> {
    if armour.len() > ARMOUR_BYTES_MAX {
        return Err(SshSigError::TooLarge(armour.len()));
    }
    let text = std::str::from_utf8(armour).map_err(|_| SshSigError::Armour)?;
    let body = text.strip_prefix(BEGIN).ok_or(SshSigError::OtherKind)?;
    let lines = body.strip_suffix(END).ok_or(SshSigError::Armour)?;
    let encoded: String = lines.split('\n').collect();
    let blob = base64_simd::STANDARD.decode_to_vec(encoded).map_err(|_| SshSigError::Armour)?;
    // Line lengths, padding and spare bits have one right form; writing it anew finds every other.
    if enarmour(&blob) == text { Ok(blob) } else { Err(SshSigError::Armour) }
}

pub(super) fn enarmour(blob: &[u8]) -> String {
    let encoded = base64_simd::STANDARD.encode_to_string(blob);
    let mut armour = String::from(BEGIN);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(COLUMNS));
        armour.push_str(line);
        armour.push('\n');
        rest = after;
    }
    armour.push_str(END);
    armour
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().chars().take(60).collect()
}

#[cfg(test)]
mod tests;
