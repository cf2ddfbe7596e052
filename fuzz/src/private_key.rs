//! OpenSSH's private key files. Passphrases are left out: each derivation takes milliseconds.

use mledger::identity::file::{cover, format_private, parse_private};
use mledger::identity::key::PublicKey;

/// Takes a file, or what is in its armour.
pub fn check(data: &[u8]) {
    if data.starts_with(b"openssh-key-v1\0") {
        look(&super::armour::armour("OPENSSH PRIVATE KEY", data));
    } else if let Ok(text) = std::str::from_utf8(data) {
        look(text);
    }
}

fn look(text: &str) {
    let shown = cover(text);
    if let Some(shown) = &shown {
        assert_eq!(PublicKey::from_blob(shown.public.blob()).as_ref(), Ok(&shown.public));
    }
    let Ok(secret) = parse_private(text, None) else { return };
    let public = PublicKey::from_ed25519(secret.public());
    if let Some(shown) = shown {
        assert!(!shown.encrypted, "an encrypted key was read without its passphrase");
    }
    let again = format_private(&secret, "again").expect("a key can be written");
    let read = parse_private(&again, None).expect("what is written is read");
    assert_eq!(read.seed(), secret.seed());
    assert_eq!(cover(&again).map(|cover| cover.public), Some(public));
}
