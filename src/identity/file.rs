//! Private keys as text, in the form of OpenSSH.
//!
//! ```text
//! -----BEGIN OPENSSH PRIVATE KEY-----
//! b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
//! …
//! -----END OPENSSH PRIVATE KEY-----
//! ```
//!
//! Source: OpenSSH's `PROTOCOL.key`.

use std::ops::Deref;

use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{Kdf, LineEnding, PrivateKey};

use crate::identity::ed25519::SecretKey;
use crate::identity::key::PublicKey;
use crate::identity::wire::Reader;

/// The longest key file, in bytes: one of RSA with 16384 bits has 13 KB.
pub const TEXT_BYTES_MAX: usize = 16 << 10;

/// The most rounds of key derivation: OpenSSH uses 16 to 24, and each costs milliseconds.
pub const ROUNDS_MAX: u32 = 1024;

/// Why a text gives no private key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Not a private key of OpenSSH.
    #[error("it is not an OpenSSH private key")]
    Form {
        /// What is wrong.
        source: ssh_key::Error,
    },
    /// Longer than [`TEXT_BYTES_MAX`].
    #[error("it is longer than any private key")]
    TooLong,
    /// Encrypted, and no passphrase was given.
    #[error("the key is encrypted and needs its passphrase")]
    Encrypted,
    /// Encrypted with more than [`ROUNDS_MAX`] rounds.
    #[error("the key is encrypted with {0} rounds; at most {ROUNDS_MAX} are accepted")]
    Rounds(u32),
    /// The passphrase is another.
    #[error("the passphrase does not fit the key")]
    Passphrase {
        /// What is wrong.
        source: ssh_key::Error,
    },
    /// A kind of key that is not supported.
    #[error("keys of type `{0}` are not supported; use ssh-ed25519")]
    Kind(String),
    /// The two halves do not belong together.
    #[error("the key's public half is not that of its private half")]
    Halves,
}

/// Parses an OpenSSH private key; an encrypted one needs its passphrase.
pub fn parse_private(openssh_text: &str, passphrase: Option<&str>) -> Result<SecretKey, FileError> {
    if openssh_text.len() > TEXT_BYTES_MAX {
        return Err(FileError::TooLong);
    }
    let key = PrivateKey::from_openssh(openssh_text).map_err(|source| FileError::Form { source })?;
    let key = if key.is_encrypted() { decrypt(&key, passphrase)? } else { key };
    let KeypairData::Ed25519(pair) = key.key_data() else {
        return Err(FileError::Kind(key.algorithm().to_string()));
    };
    let secret = SecretKey::from_seed(&pair.private.to_bytes());
    if secret.public().to_bytes() == pair.public.0 { Ok(secret) } else { Err(FileError::Halves) }
}

/// What a private key's file shows without its passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    /// Whether the private half is encrypted.
    pub encrypted: bool,
    /// The public half.
    pub public: PublicKey,
}

/// Reads the cover of an OpenSSH private key of any type. None where the text is another format, whose cover shows no
/// public half, or the public half is none that counts.
pub fn cover(openssh_text: &str) -> Option<Cover> {
    if openssh_text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let body = openssh_text.trim().strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----")?;
    let encoded: String = body.strip_suffix("-----END OPENSSH PRIVATE KEY-----")?.split_ascii_whitespace().collect();
    let bytes = base64_simd::STANDARD.decode_to_vec(encoded).ok()?;
    let mut reader = Reader::new(&bytes);
    reader.expect(b"openssh-key-v1\0")?;
    let cipher = reader.string()?;
    let (_kdf, _options) = (reader.string()?, reader.string()?);
    let public = reader.uint32().filter(|count| *count == 1).and_then(|_| reader.string())?;
    Some(Cover { encrypted: cipher != b"none", public: PublicKey::from_blob(public).ok()? })
}

fn decrypt(key: &PrivateKey, passphrase: Option<&str>) -> Result<PrivateKey, FileError> {
    let passphrase = passphrase.ok_or(FileError::Encrypted)?;
    match key.kdf() {
        Kdf::Bcrypt { rounds, .. } if *rounds > ROUNDS_MAX => Err(FileError::Rounds(*rounds)),
        _ => key.decrypt(passphrase).map_err(|source| FileError::Passphrase { source }),
    }
}

/// Writes a private key, not encrypted, as `ssh-keygen` reads it. The text is wiped when dropped.
pub fn format_private(secret: &SecretKey, comment: &str) -> Result<impl Deref<Target = String> + use<>, FileError> {
    let pair = Ed25519Keypair::from_seed(&secret.seed());
    let key = PrivateKey::new(KeypairData::Ed25519(pair), comment).map_err(|source| FileError::Form { source })?;
    key.to_openssh(LineEnding::LF).map_err(|source| FileError::Form { source })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::object::fixture::Sandbox;

    fn secret() -> SecretKey {
        SecretKey::from_seed(&[9; 32])
    }

    #[test]
    fn ssh_keygen_reads_what_is_written() {
        let sandbox = Sandbox::new();
        sandbox.write_private("key", &format_private(&secret(), "alice@laptop").unwrap());
        let line = sandbox.run("ssh-keygen", &["-y", "-f", "key"], b"");
        let expected = format!("{} alice@laptop\n", PublicKey::from_ed25519(secret().public()));
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    #[test]
    fn what_ssh_keygen_writes_is_read() {
        let sandbox = Sandbox::new();
        for passphrase in ["", "correct horse"] {
            sandbox.remove(&["key", "key.pub"]);
            sandbox.run("ssh-keygen", &["-q", "-t", "ed25519", "-N", passphrase, "-f", "key"], b"");
            let text = String::from_utf8(sandbox.read("key")).unwrap();
            let given = Some(passphrase).filter(|text| !text.is_empty());
            let public = PublicKey::parse(&String::from_utf8(sandbox.read("key.pub")).unwrap()).unwrap();
            assert_eq!(PublicKey::from_ed25519(parse_private(&text, given).unwrap().public()), public);
            if given.is_some() {
                assert!(matches!(parse_private(&text, None), Err(FileError::Encrypted)));
                assert!(matches!(parse_private(&text, Some("wrong")), Err(FileError::Passphrase { .. })));
            }
        }
    }

    #[test]
    fn the_cover_shows_the_public_half_and_whether_there_is_a_passphrase() {
        let sandbox = Sandbox::new();
        for (kind, passphrase) in [("ed25519", ""), ("ed25519", "secret"), ("ecdsa", "secret"), ("rsa", "secret")] {
            sandbox.remove(&["key", "key.pub"]);
            sandbox.run("ssh-keygen", &["-q", "-t", kind, "-N", passphrase, "-f", "key"], b"");
            let text = String::from_utf8(sandbox.read("key")).unwrap();
            let public = PublicKey::parse(&String::from_utf8(sandbox.read("key.pub")).unwrap()).unwrap();
            assert_eq!(cover(&text), Some(Cover { encrypted: !passphrase.is_empty(), public }));
        }
        sandbox.remove(&["key", "key.pub"]);
        sandbox.run("ssh-keygen", &["-q", "-t", "rsa", "-m", "PEM", "-N", "", "-f", "key"], b"");
        assert_eq!(cover(&String::from_utf8(sandbox.read("key")).unwrap()), None);
        assert_eq!(cover(""), None);
    }

    #[test]
    fn other_keys_are_named() {
        let sandbox = Sandbox::new();
        sandbox.run("ssh-keygen", &["-q", "-t", "ecdsa", "-N", "", "-f", "key"], b"");
        let text = String::from_utf8(sandbox.read("key")).unwrap();
        assert!(matches!(parse_private(&text, None), Err(FileError::Kind(kind)) if kind == "ecdsa-sha2-nistp256"));
        assert!(matches!(parse_private("ssh-ed25519 AAAA", None), Err(FileError::Form { .. })));
        assert!(matches!(parse_private(&" ".repeat(TEXT_BYTES_MAX + 1), None), Err(FileError::TooLong)));
    }

    #[test]
    fn costly_derivation_is_refused() {
        let sandbox = Sandbox::new();
        sandbox.run("ssh-keygen", &["-q", "-t", "ed25519", "-a", "2", "-N", "secret", "-f", "key"], b"");
        let text = String::from_utf8(sandbox.read("key")).unwrap();
        let encoded: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let mut blob = base64_simd::STANDARD.decode_to_vec(encoded).unwrap();
        let rounds = blob.windows(4).position(|four| four == [0, 0, 0, 2]).unwrap();
        blob[rounds..rounds + 4].copy_from_slice(&[0, 1, 0, 0]);
        let encoded = base64_simd::STANDARD.encode_to_string(blob);
        let lines: Vec<_> = encoded.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let kind = "OPENSSH PRIVATE KEY";
        let costly = format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"));
        assert!(matches!(parse_private(&costly, Some("secret")), Err(FileError::Rounds(65536))));
    }

    proptest! {
        #[test]
        fn mutated_texts_never_panic_and_never_give_another_key(at in 0_usize..300, byte in 32_u8..127) {
            let text = format_private(&secret(), "").unwrap();
            let mut bytes = text.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = cover(std::str::from_utf8(&bytes).unwrap());
            if let Ok(key) = parse_private(std::str::from_utf8(&bytes).unwrap(), None) {
                prop_assert_eq!(key.public(), secret().public());
            }
        }
    }
}
