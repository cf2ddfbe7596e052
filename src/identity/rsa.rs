//! RSA signatures of RFC 8017 (PKCS #1 v1.5) with SHA-256 and SHA-512, which RFC 8332 calls `rsa-sha2-256` and
//! `rsa-sha2-512`. Never SHA-1.
//!
//! Of the crate `rsa` only verification is used, which touches no secret: RUSTSEC-2023-0071 is about the time that
//! operations with a private key take.

use rsa::{BoxedUint, Pkcs1v15Sign};

use super::hash::Hash;

/// The smallest modulus, in bits: 128 bits of security by NIST SP 800-57, and what `ssh-keygen` makes unasked.
pub const BITS_MIN: usize = 3072;

/// The largest modulus, in bits: its verification takes some milliseconds, and anybody may send such a signature.
pub const BITS_MAX: usize = 8192;

/// The smallest public exponent: that of FIPS 186-5, which `ssh-keygen` always takes.
pub const EXPONENT_MIN: u32 = 65_537;

/// What stands before the digest in the padding: the `DigestInfo` of RFC 8017 section 9.2, note 1.
const SHA256_INFO: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];
const SHA512_INFO: [u8; 19] =
    [0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40];

/// A public key. Invariant: a modulus of [`BITS_MIN`] to [`BITS_MAX`] bits and an exponent from [`EXPONENT_MIN`] to
/// 32 bits, both odd.
#[derive(Clone, Debug)]
pub struct PublicKey {
    bits: usize,
    key: rsa::PublicKey,
}

/// Why an RSA key does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RsaError {
    /// Too small.
    #[error("an RSA key of {0} bits is too small: it takes {BITS_MIN} bits, or better `ssh-keygen -t ed25519`")]
    Small(usize),
    /// Too large.
    #[error("an RSA key of {0} bits is too large: {BITS_MAX} are the most")]
    Large(usize),
    /// An exponent that is even, small or huge.
    #[error("the RSA key's public exponent is not an odd number from {EXPONENT_MIN} to 32 bits; make another key")]
    Exponent,
    /// An even modulus.
    #[error("the RSA key's modulus is even; make another key")]
    Modulus,
}

impl PublicKey {
    /// Takes exponent and modulus, each as bytes that begin with no zero.
    pub fn new(exponent: &[u8], modulus: &[u8]) -> Result<Self, RsaError> {
        let bits = bits(modulus);
        match bits {
            ..BITS_MIN => return Err(RsaError::Small(bits)),
            BITS_MIN..=BITS_MAX => {}
            _ => return Err(RsaError::Large(bits)),
        }
        let exponent = small(exponent).filter(|e| e % 2 == 1 && *e >= EXPONENT_MIN).ok_or(RsaError::Exponent)?;
        let modulus = BoxedUint::from_be_slice_vartime(modulus);
        let key = rsa::PublicKey::new_with_size_limits(modulus, BoxedUint::from(exponent), BITS_MIN..=BITS_MAX);
        Ok(Self { bits, key: key.map_err(|_| RsaError::Modulus)? })
    }

    /// The size of its modulus, in bits.
    pub fn bits(&self) -> usize {
        self.bits
    }

    /// The size of its signatures, in bytes.
    pub fn bytes(&self) -> usize {
        self.bits.div_ceil(8)
    }

    /// Whether `signature` counts: as long as the modulus, below it, and padded in the one right way.
    pub fn verify(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        let digest = hash.of(message);
        let info = match hash {
            Hash::Sha256 => SHA256_INFO,
            Hash::Sha512 => SHA512_INFO,
        };
        let padding = Pkcs1v15Sign { hash_len: Some(digest.len()), prefix: Box::new(info) };
        self.key.verify(padding, &digest, signature).is_ok()
    }
}

fn bits(magnitude: &[u8]) -> usize {
    let zeros = magnitude.first().map_or(0, |first| first.leading_zeros());
    (magnitude.len() * 8).saturating_sub(zeros as usize)
}

/// A number of at most 32 bits.
fn small(magnitude: &[u8]) -> Option<u32> {
    (magnitude.len() <= 4).then(|| magnitude.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}
