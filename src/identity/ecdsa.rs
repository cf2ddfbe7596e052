//! ECDSA over the curves of NIST, as OpenSSH uses them: SHA-256, SHA-384 and SHA-512 by the size of the curve.
//!
//! The crates `p256`, `p384` and `p521` do the mathematics: the one set that is well kept, without `unsafe` or C, and
//! covers P-521, which `ring` does not.

/// A curve. Its size sets the width of a coordinate and of `r` and `s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// `nistp256`.
    P256,
    /// `nistp384`.
    P384,
    /// `nistp521`.
    P521,
}

/// A public key. Invariant: a point on its curve, not the one at infinity.
#[derive(Clone, Debug)]
pub enum PublicKey {
    /// Over `nistp256`.
    P256(p256::ecdsa::VerifyingKey),
    /// Over `nistp384`.
    P384(p384::ecdsa::VerifyingKey),
    /// Over `nistp521`.
    P521(p521::ecdsa::VerifyingKey),
}

/// The first byte of a point written with both coordinates, the one form that OpenSSH takes.
const UNCOMPRESSED: u8 = 4;

impl Curve {
    /// OpenSSH's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::P256 => "nistp256",
            Self::P384 => "nistp384",
            Self::P521 => "nistp521",
        }
    }

    /// Its size, in bits.
    pub fn bits(self) -> usize {
        match self {
            Self::P256 => 256,
            Self::P384 => 384,
            Self::P521 => 521,
        }
    }

    /// The width of a coordinate, in bytes.
    pub fn bytes(self) -> usize {
        self.bits().div_ceil(8)
    }
}

impl PublicKey {
    /// Takes a point of SEC 1 in uncompressed form; `None` where it is no such point on the curve.
    pub fn from_point(curve: Curve, point: &[u8]) -> Option<Self> {
        if point.first() != Some(&UNCOMPRESSED) || point.len() != 1 + 2 * curve.bytes() {
            return None;
        }
        match curve {
            Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok().map(Self::P256),
            Curve::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(point).ok().map(Self::P384),
            Curve::P521 => p521::ecdsa::VerifyingKey::from_sec1_bytes(point).ok().map(Self::P521),
        }
    }

    /// Its curve.
    pub fn curve(&self) -> Curve {
        match self {
            Self::P256(_) => Curve::P256,
            Self::P384(_) => Curve::P384,
            Self::P521(_) => Curve::P521,
        }
    }

    /// Whether `signature`, which is `r` and `s` in the curve's width, counts: both from 1 to the order less 1. Which
    /// of the two `s` that fit is not asked, see [`super::signature`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        use p256::ecdsa::signature::Verifier as _;
        match self {
            Self::P256(key) => {
                p256::ecdsa::Signature::from_slice(signature).is_ok_and(|it| key.verify(message, &it).is_ok())
            }
            Self::P384(key) => {
                p384::ecdsa::Signature::from_slice(signature).is_ok_and(|it| key.verify(message, &it).is_ok())
            }
            Self::P521(key) => {
                p521::ecdsa::Signature::from_slice(signature).is_ok_and(|it| key.verify(message, &it).is_ok())
            }
        }
    }
}
