//! Public keys of every kind: one form each, and the fingerprint that others compute.

use mledger::identity::key::{KeyId, PublicKey};

pub fn check(data: &[u8]) {
    if let Ok(key) = PublicKey::from_blob(data) {
        good(&key);
        assert_eq!(key.blob(), data);
        for shorter in 0..data.len().min(80) {
            assert!(PublicKey::from_blob(&data[..data.len() - 1 - shorter]).is_err(), "a cut key is a key");
        }
        assert!(PublicKey::from_blob(&[data, &[0]].concat()).is_err(), "bytes may follow it");
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(key) = PublicKey::parse(text) {
        good(&key);
    }
    if let Ok(id) = KeyId::parse(text) {
        assert_eq!(id.as_str(), text);
        assert_eq!(text.len(), "SHA256:".len() + 43);
    }
}

fn good(key: &PublicKey) {
    let line = key.to_string();
    assert_eq!(PublicKey::parse(&line).as_ref(), Ok(key));
    assert_eq!(PublicKey::parse(&format!("{line} a comment")).as_ref(), Ok(key));
    assert_eq!(PublicKey::from_blob(key.blob()).as_ref(), Ok(key));
    assert_eq!(KeyId::of_blob(key.blob()), *key.id());
    assert_eq!(KeyId::parse(key.id().as_str()).as_ref(), Ok(key.id()));
    assert!(key.bits() >= 256);
    if let Ok(theirs) = ssh_key::PublicKey::from_bytes(key.blob()) {
        assert_eq!(theirs.fingerprint(ssh_key::HashAlg::Sha256).to_string(), key.id().as_str());
        assert_eq!(theirs.to_bytes().ok().as_deref(), Some(key.blob()));
    }
}
