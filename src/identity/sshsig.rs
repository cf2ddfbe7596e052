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
//! second commit out of a signed one. Source: OpenSSH's `PROTOCOL.sshsig`.

use crate::digest;
use crate::identity::ed25519;
use crate::identity::key::{KeyError, KeyId, PublicKey};

/// The namespace of commits, tags and push certificates.
pub const NAMESPACE_GIT: &str = "git";

/// The largest armour, in bytes: that of an RSA key of 16384 bits has 6 KB.
pub const ARMOUR_BYTES_MAX: usize = 8 << 10;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----\n";
const COLUMNS: usize = 70;
const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;
const KIND: &[u8] = b"ssh-ed25519";

/// The hash that a message goes through before it is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// `sha256`.
    Sha256,
    /// `sha512`, what `ssh-keygen` uses.
    Sha512,
}

/// A signature that is well formed, and not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshSig {
    hash: Hash,
    key: PublicKey,
    namespace: String,
    signature: [u8; 64],
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
    /// A kind of key that is not supported.
    #[error("it is made with a key of type `{0}`; use ssh-ed25519")]
    KeyKind(String),
    /// A key that is none.
    #[error("its key is malformed")]
    Key {
        /// What is wrong.
        source: KeyError,
    },
    /// The mathematics say no.
    #[error("it does not fit the signed bytes and key {0}")]
    Invalid(KeyId),
}

impl SshSig {
    /// Parses an armoured signature that must be for `namespace`.
    pub fn parse(armour: &[u8], namespace: &str) -> Result<Self, SshSigError> {
        let mut blob = Reader(&dearmour(armour)?);
        blob.0 = blob.0.strip_prefix(MAGIC).ok_or(SshSigError::Field("magic"))?;
        if blob.uint32() != Some(VERSION) {
            return Err(SshSigError::Field("version"));
        }
        let key = parse_key(blob.string("key")?)?;
        check_namespace(blob.string("namespace")?, namespace)?;
        if !blob.string("reserved field")?.is_empty() {
            return Err(SshSigError::Field("reserved field"));
        }
        let hash = parse_hash(blob.string("hash")?)?;
        let signature = parse_signature(blob.string("signature")?)?;
        if !blob.0.is_empty() {
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

    /// The Ed25519 signature, over [`SshSig::signed_data`].
    pub fn signature(&self) -> &[u8; 64] {
        &self.signature
    }

    /// The bytes that the Ed25519 signature is over, for `message`.
    pub fn signed_data(&self, message: &[u8]) -> Vec<u8> {
        signed_data(&self.namespace, self.hash, message)
    }

    /// Verifies it over `message`.
    pub fn verify(&self, message: &[u8]) -> Result<(), SshSigError> {
        if self.key.ed25519().verify(&self.signed_data(message), &self.signature) {
            Ok(())
        } else {
            Err(SshSigError::Invalid(self.key.id().clone()))
        }
    }
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
    put_string(&mut blob, &PublicKey::from_ed25519(key.public()).blob());
    put_string(&mut blob, namespace.as_bytes());
    put_string(&mut blob, b"");
    put_string(&mut blob, hash.name());
    let mut inner = Vec::new();
    put_string(&mut inner, KIND);
    put_string(&mut inner, &signature);
    put_string(&mut blob, &inner);
    enarmour(&blob)
}

impl Hash {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Sha256 => b"sha256",
            Self::Sha512 => b"sha512",
        }
    }

    fn of(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => digest::sha256(message).as_bytes().to_vec(),
            Self::Sha512 => digest::sha512(&[message]).to_vec(),
        }
    }
}

fn signed_data(namespace: &str, hash: Hash, message: &[u8]) -> Vec<u8> {
    let mut data = MAGIC.to_vec();
    put_string(&mut data, namespace.as_bytes());
    put_string(&mut data, b"");
    put_string(&mut data, hash.name());
    put_string(&mut data, &hash.of(message));
    data
}

fn parse_key(blob: &[u8]) -> Result<PublicKey, SshSigError> {
    let kind = Reader(blob).string("key")?;
    if kind != KIND {
        return Err(SshSigError::KeyKind(shown(kind)));
    }
    PublicKey::from_blob(blob).map_err(|source| SshSigError::Key { source })
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

fn parse_signature(blob: &[u8]) -> Result<[u8; 64], SshSigError> {
    let mut reader = Reader(blob);
    if reader.string("signature")? != KIND {
        return Err(SshSigError::Field("signature"));
    }
    let signature = reader.string("signature")?;
    if !reader.0.is_empty() {
        return Err(SshSigError::Trailing("signature"));
    }
    signature.try_into().map_err(|_| SshSigError::Field("signature"))
}

fn dearmour(armour: &[u8]) -> Result<Vec<u8>, SshSigError> {
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

fn enarmour(blob: &[u8]) -> String {
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

/// Reads the wire format of RFC 4251 section 5.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn uint32(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    fn string(&mut self, field: &'static str) -> Result<&'a [u8], SshSigError> {
        let bytes = self.uint32().and_then(|length| usize::try_from(length).ok());
        let taken = bytes.and_then(|bytes| self.0.split_at_checked(bytes));
        let (string, rest) = taken.ok_or(SshSigError::Field(field))?;
        self.0 = rest;
        Ok(string)
    }
}

/// Appends a string of RFC 4251. All of ours are far below four gigabytes; a longer one would be written with a wrong
/// length and verify nowhere.
fn put_string(out: &mut Vec<u8>, string: &[u8]) {
    out.extend_from_slice(&u32::try_from(string.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(string);
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().chars().take(60).collect()
}

#[cfg(test)]
mod tests;
