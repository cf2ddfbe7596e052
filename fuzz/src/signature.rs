//! The innermost field of a signature, for a key of every kind: what another message, another key or another byte would
//! make of it.

use mledger::identity::key::PublicKey;
use mledger::identity::sshsig::{NAMESPACE_GIT, SshSig};

/// Real signatures over [`MESSAGE`] by a key of every kind.
const SIGNED: [&str; 7] = [
    include_str!("../../tests/vectors/v1/valid/sshsig/git-sha512.sig"),
    include_str!("../../tests/vectors/v1/valid/sshsig/git-ecdsa-nistp256.sig"),
    include_str!("../../tests/vectors/v1/valid/sshsig/git-ecdsa-nistp384.sig"),
    include_str!("../../tests/vectors/v1/valid/sshsig/git-ecdsa-nistp521.sig"),
    include_str!("../../tests/vectors/v1/valid/sshsig/git-rsa-sha2-512.sig"),
    include_str!("../../tests/vectors/v1/valid/sshsig/git-sk-ed25519.sig"),
    include_str!("../../tests/vectors/v1/valid/sshsig/git-sk-ecdsa.sig"),
];

/// Further ones, some by the same keys; those of ECDSA are left out.
const MORE: [&str; 5] = [
    include_str!("../../tests/vectors/v1/valid/sshsig/git-sha256.sig"),
    include_str!("../../tests/vectors/v1/valid/sshsig/git-rsa-4096.sig"),
    include_str!("../../tests/vectors/v1/valid/sshsig/git-rsa-sha2-256.sig"),
    include_str!("../../tests/vectors/v1/valid/sshsig/git-rsa-sha2-512-sha256.sig"),
    include_str!("../../tests/vectors/v1/valid/sshsig/git-sk-ed25519-pin-application.sig"),
];

const MESSAGE: &[u8] = b"what was signed\n";

pub fn check(data: &[u8]) {
    let Some((choice, blob)) = data.split_first() else { return };
    let real = SIGNED[usize::from(choice % 7)];
    let good = SshSig::parse(real.as_bytes(), NAMESPACE_GIT).expect("a seed is well formed");
    let hash = [&b"sha256"[..], b"sha512"][usize::from(choice / 7 % 2)];
    let armour = sealed(good.key(), hash, blob);
    let Ok(made) = SshSig::parse(armour.as_bytes(), NAMESPACE_GIT) else { return };
    assert_eq!(made.key(), good.key());
    assert!(made.verify(b"something else\n").is_err());
    if made.verify(MESSAGE).is_ok() {
        // Nobody here has the key: it is one that was made, or one of ECDSA, which anybody can make of another.
        let was_made = SIGNED.iter().chain(&MORE).any(|each| *each == armour);
        assert!(was_made || is_ecdsa(made.key()), "a second signature");
    }
    // Whatever is well formed has one form.
    assert!(SshSig::parse(sealed(good.key(), hash, &[blob, &[0]].concat()).as_bytes(), NAMESPACE_GIT).is_err());
    if let Some(shorter) = blob.get(..blob.len().saturating_sub(1)) {
        assert!(SshSig::parse(sealed(good.key(), hash, shorter).as_bytes(), NAMESPACE_GIT).is_err());
    }
}

fn is_ecdsa(key: &PublicKey) -> bool {
    key.kind().name().contains("ecdsa")
}

fn sealed(key: &PublicKey, hash: &[u8], signature: &[u8]) -> String {
    let mut blob = b"SSHSIG\0\0\0\x01".to_vec();
    for field in [key.blob(), NAMESPACE_GIT.as_bytes(), b"", hash, signature] {
        blob.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        blob.extend_from_slice(field);
    }
    super::armour::armour("SSH SIGNATURE", &blob)
}
