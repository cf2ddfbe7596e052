//! What stands in the last field of an SSHSIG: a signature in the form of its key's kind.
//!
//! ```text
//! string "ssh-ed25519", string signature[64]
//! string "ecdsa-sha2-nistp256", string (mpint r, mpint s)                               also 384 and 521
//! string "rsa-sha2-512", string signature                                               also 256, never `ssh-rsa`
//! string "sk-ssh-ed25519@openssh.com", string signature[64], byte flags, uint32 counter
//! string "sk-ecdsa-sha2-nistp256@openssh.com", string (mpint r, mpint s), byte flags, uint32 counter
//!
//! SHA-256(application), byte flags, uint32 counter, SHA-256(data)          what a security key signs for `data`
//! ```
//!
//! The algorithm must be the key's own. `webauthn-sk-…` is refused: there the text that a web page made up is signed,
//! and the data is only a part of it. A security key must say that somebody touched it; a PIN is not asked for.
//!
//! # A second signature that nobody made
//!
//! From an Ed25519 or RSA signature nobody but the key's owner can make another that counts. From one of ECDSA
//! everybody can: where (r, s) fits, so does (r, n - s). OpenSSH writes either, so to refuse one were to refuse every
//! second honest signature; both count. What follows, and where it is dealt with: a commit so changed is another commit
//! by another name, with the same signer, tree, parents and message. It gets an entry of its own and is judged anew, so
//! that it does nothing which its signer did not sign. A push certificate so changed is the same certificate, and used
//! up with it, because certificates are told apart by what is signed; statements are, too.
//!
//! Sources: RFC 8709, 5656, 8332; OpenSSH's `PROTOCOL.u2f`.

use super::hash::Hash;
use super::key::{Kind, Material, PublicKey};
use super::wire::Reader;
use crate::digest;

/// The bit of a security key's flags that says that somebody touched it.
const TOUCHED: u8 = 1;

/// A signature that is well formed for its key, and not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    proof: Proof,
    /// Of a security key.
    device: Option<Device>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Proof {
    Ed25519([u8; 64]),
    /// `r` and `s`, each as wide as the curve.
    Ecdsa(Vec<u8>),
    Rsa(Hash, Vec<u8>),
}

/// What a security key adds to a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Device {
    flags: u8,
    counter: u32,
}

/// Why a signature's blob does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Cut off, or not in the one form.
    #[error("its signature is malformed")]
    Form,
    /// Bytes behind the last field.
    #[error("bytes follow its signature")]
    Trailing,
    /// An algorithm that is not the key's.
    #[error("its algorithm `{found}` does not count for a key of type `{kind}`; only {expected} does")]
    Algorithm {
        /// The one it should be.
        expected: &'static str,
        /// The one it is.
        found: String,
        /// What kind of key it is.
        kind: &'static str,
    },
    /// Nobody was there.
    #[error("nobody touched the security key for it; make the key without `no-touch-required`")]
    Untouched,
}

impl Signature {
    /// Parses the blob of a signature by `key`.
    pub(super) fn parse(key: &PublicKey, blob: &[u8]) -> Result<Self, SignatureError> {
        let mut reader = Reader::new(blob);
        let algorithm = reader.string().ok_or(SignatureError::Form)?;
        let hash = check_algorithm(key.kind(), algorithm)?;
        let bytes = reader.string().ok_or(SignatureError::Form)?;
        let proof = match key.material() {
            Material::Ed25519(_) | Material::SkEd25519(..) => bytes.try_into().ok().map(Proof::Ed25519),
            Material::Ecdsa(key) | Material::SkEcdsa(key, _) => parse_ecdsa(bytes, key.curve().bytes()),
            Material::Rsa(key) => (bytes.len() == key.bytes()).then(|| Proof::Rsa(hash, bytes.to_vec())),
        };
        let proof = proof.ok_or(SignatureError::Form)?;
        let device = match key.kind() {
            Kind::SkEd25519 | Kind::SkEcdsa => Some(Device::read(&mut reader)?),
            Kind::Ed25519 | Kind::Ecdsa(_) | Kind::Rsa => None,
        };
        if reader.is_empty() { Ok(Self { proof, device }) } else { Err(SignatureError::Trailing) }
    }

    /// The bytes that the mathematics are about, where `data` is what SSH signs.
    pub(super) fn signed_data(&self, key: &PublicKey, data: Vec<u8>) -> Vec<u8> {
        match (self.device, key.material()) {
            (Some(device), Material::SkEd25519(_, application) | Material::SkEcdsa(_, application)) => [
                application.as_bytes().as_slice(),
                &[device.flags],
                &device.counter.to_be_bytes(),
                digest::sha256(&data).as_bytes(),
            ]
            .concat(),
            _ => data,
        }
    }

    /// The signature and key, where they are of Ed25519: many are verified at once faster.
    pub(super) fn ed25519<'a>(&'a self, key: &'a PublicKey) -> Option<(&'a super::ed25519::PublicKey, &'a [u8; 64])> {
        match (key.material(), &self.proof) {
            (Material::Ed25519(key) | Material::SkEd25519(key, _), Proof::Ed25519(signature)) => Some((key, signature)),
            _ => None,
        }
    }

    /// Whether it counts over [`Signature::signed_data`].
    pub(super) fn verify(&self, key: &PublicKey, signed_data: &[u8]) -> bool {
        match (key.material(), &self.proof) {
            (Material::Ed25519(key) | Material::SkEd25519(key, _), Proof::Ed25519(signature)) => {
                key.verify(signed_data, signature)
            }
            (Material::Ecdsa(key) | Material::SkEcdsa(key, _), Proof::Ecdsa(signature)) => {
                key.verify(signed_data, signature)
            }
            (Material::Rsa(key), Proof::Rsa(hash, signature)) => key.verify(*hash, signed_data, signature),
            _ => false,
        }
    }
}

impl Device {
    fn read(reader: &mut Reader<'_>) -> Result<Self, SignatureError> {
        let (flags, counter) = reader.byte().zip(reader.uint32()).ok_or(SignatureError::Form)?;
        if flags & TOUCHED == 0 { Err(SignatureError::Untouched) } else { Ok(Self { flags, counter }) }
    }
}

/// The algorithm must be the key's; the answer says which hash it is, which is open for RSA only.
fn check_algorithm(kind: Kind, found: &[u8]) -> Result<Hash, SignatureError> {
    let expected = match (kind, found) {
        (Kind::Rsa, b"rsa-sha2-512") => return Ok(Hash::Sha512),
        (Kind::Rsa, b"rsa-sha2-256") => return Ok(Hash::Sha256),
        (Kind::Rsa, _) => "rsa-sha2-512 or rsa-sha2-256",
        _ => kind.name(),
    };
    if found == expected.as_bytes() {
        return Ok(Hash::Sha256);
    }
    let found = found.escape_ascii().to_string().chars().take(60).collect();
    Err(SignatureError::Algorithm { expected, found, kind: kind.name() })
}

/// Takes `mpint r, mpint s`, each at most `width` bytes. Whether they are below the order is seen when verifying.
fn parse_ecdsa(bytes: &[u8], width: usize) -> Option<Proof> {
    let mut reader = Reader::new(bytes);
    let mut both = Vec::with_capacity(2 * width);
    for number in [reader.positive()?, reader.positive()?] {
        both.resize(both.len() + width.checked_sub(number.len())?, 0);
        both.extend_from_slice(number);
    }
    reader.is_empty().then_some(Proof::Ecdsa(both))
}

#[cfg(test)]
mod tests;
