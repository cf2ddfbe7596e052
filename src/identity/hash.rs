//! The hashes that SSHSIG and RSA signatures may use.

use crate::digest;

/// The hash that a message goes through before it is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// `sha256`.
    Sha256,
    /// `sha512`, what `ssh-keygen` uses.
    Sha512,
}

impl Hash {
    pub(super) fn name(self) -> &'static [u8] {
        match self {
            Self::Sha256 => b"sha256",
            Self::Sha512 => b"sha512",
        }
    }

    pub(super) fn of(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => digest::sha256(message).as_bytes().to_vec(),
            Self::Sha512 => digest::sha512(&[message]).to_vec(),
        }
    }
}
