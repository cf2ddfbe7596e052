//! SSH signatures in their armour, against OpenSSH's form as `ssh-key` reads it.

use mledger::identity::ed25519::SecretKey;
use mledger::identity::hash::Hash;
use mledger::identity::sshsig::{NAMESPACE_GIT, SshSig, sign, verify, verify_all};

const MESSAGE: &[u8] = b"what was signed\n";

/// Takes an armour, or what is in one.
pub fn check(data: &[u8]) {
    if data.starts_with(b"SSHSIG") {
        let armour = super::armour::armour("SSH SIGNATURE", data);
        look(armour.as_bytes());
    } else {
        look(data);
    }
}

fn look(data: &[u8]) {
    for namespace in [NAMESPACE_GIT, "mledger"] {
        let verified = verify(data, namespace, MESSAGE);
        let Ok(signature) = SshSig::parse(data, namespace) else {
            assert!(verified.is_err());
            continue;
        };
        assert_eq!(signature.namespace(), namespace);
        let message = signature.signed_data(MESSAGE);
        let alone = signature.verify(MESSAGE).is_ok();
        assert_eq!(verified.is_ok(), alone);
        // Beside others it counts as it does alone.
        let armour = sign(&SecretKey::from_seed(&[1; 32]), namespace, MESSAGE);
        let good = SshSig::parse(armour.as_bytes(), namespace).expect("ours is well formed");
        let signed = good.signed_data(MESSAGE);
        let pairs = [(&good, signed.as_slice()), (&signature, message.as_slice()), (&good, signed.as_slice())];
        assert_eq!(verify_all(&pairs), [true, alone, true]);
        assert!(signature.verify(b"something else\n").is_err(), "it fits two messages");
        like_others(data, &signature);
    }
}

/// Where another reader knows the kind of key, it reads the same.
fn like_others(data: &[u8], ours: &SshSig) {
    let text = std::str::from_utf8(data).expect("an armour is text");
    let theirs = match ssh_key::SshSig::from_pem(text) {
        Ok(theirs) => theirs,
        // It is built here without ECDSA and RSA.
        Err(_) if ours.key().kind().name() != "ssh-ed25519" => return,
        Err(error) => panic!("accepted here alone: {error}"),
    };
    assert_eq!(theirs.namespace(), ours.namespace());
    assert_eq!(theirs.hash_alg() == ssh_key::HashAlg::Sha256, ours.hash() == Hash::Sha256);
    let key = ssh_key::PublicKey::new(theirs.public_key().clone(), "");
    assert_eq!(key.to_bytes().ok().as_deref(), Some(ours.key().blob()));
    assert_eq!(key.fingerprint(ssh_key::HashAlg::Sha256).to_string(), ours.key().id().as_str());
}
