use proptest::prelude::*;

use super::*;
use crate::identity::ed25519::SecretKey;
use crate::object::fixture::{Sandbox, vectors};

const MESSAGE: &[u8] = b"what was signed\n";

fn vector(name: &str) -> Vec<u8> {
    let all = vectors("valid/sshsig").into_iter().chain(vectors("invalid/sshsig"));
    all.into_iter().find(|(found, _)| found == name).unwrap().1
}

#[test]
fn vectors_are_judged() {
    for (name, armour) in vectors("valid/sshsig") {
        let namespace = name.split('-').next().unwrap();
        assert!(verify(&armour, namespace, MESSAGE).is_ok(), "{name}");
        assert!(matches!(verify(&armour, namespace, b"other"), Err(SshSigError::Invalid(_))), "{name}");
        assert!(matches!(verify(&armour, "other", MESSAGE), Err(SshSigError::Namespace { .. })), "{name}");
        let signature = SshSig::parse(&armour, namespace).unwrap();
        assert_eq!(signature.hash() == Hash::Sha256, name.contains("sha256"));
        assert_eq!(signature.namespace(), namespace);
    }
    for (name, armour) in vectors("invalid/sshsig") {
        assert!(verify(&armour, "git", MESSAGE).is_err(), "{name}");
    }
}

#[test]
fn refusals_name_what_is_wrong() {
    let other = |found: &str| SshSigError::Namespace { expected: "git".into(), found: found.into() };
    for (name, expected) in [
        ("pgp", SshSigError::OtherKind),
        ("carriage-returns", SshSigError::OtherKind),
        ("76-columns", SshSigError::Armour),
        ("spare-bits", SshSigError::Armour),
        ("empty-line-behind", SshSigError::Armour),
        ("version-2", SshSigError::Field("version")),
        ("reserved-not-empty", SshSigError::Field("reserved field")),
        ("namespace-other", other("file")),
        ("namespace-longer", other("gitx")),
        ("hash-sha1", SshSigError::Hash("sha1".into())),
        ("bytes-behind", SshSigError::Trailing("last field")),
        ("bytes-behind-signature", SshSigError::Signature(SignatureError::Trailing)),
        ("key-certificate", SshSigError::Key(KeyError::Certificate("ssh-ed25519-cert-v01@openssh.com".into()))),
    ] {
        assert_eq!(verify(&vector(&format!("{name}.sig")), "git", MESSAGE).unwrap_err(), expected, "{name}");
    }
    let large = vec![b'x'; ARMOUR_BYTES_MAX + 1];
    assert_eq!(verify(&large, "git", MESSAGE).unwrap_err(), SshSigError::TooLarge(ARMOUR_BYTES_MAX + 1));
}

#[test]
fn ssh_keygen_accepts_what_is_signed() {
    let sandbox = Sandbox::new();
    let key = SecretKey::from_seed(&[8; 32]);
    let public = PublicKey::from_ed25519(key.public());
    sandbox.write("signers", format!("alice {public}\n").as_bytes());
    for namespace in ["git", "mledger"] {
        sandbox.write("sig", sign(&key, namespace, MESSAGE).as_bytes());
        sandbox.run("ssh-keygen", &["-Y", "check-novalidate", "-n", namespace, "-s", "sig"], MESSAGE);
        let verify = ["-Y", "verify", "-f", "signers", "-I", "alice", "-n", namespace, "-s", "sig"];
        let answer = String::from_utf8(sandbox.run("ssh-keygen", &verify, MESSAGE)).unwrap();
        assert!(answer.contains(public.id().as_str()), "{answer}");
    }
}

#[test]
fn signing_is_what_ssh_keygen_does() {
    let key = SecretKey::from_seed(&[8; 32]);
    let sandbox = Sandbox::repository(&key);
    let theirs = sandbox.run("ssh-keygen", &["-Y", "sign", "-q", "-f", "key", "-n", "git"], MESSAGE);
    assert_eq!(String::from_utf8(theirs).unwrap(), sign(&key, "git", MESSAGE));
}

#[test]
fn no_other_armour_verifies() {
    let armour = vector("git-sha512.sig");
    assert!(verify(&armour, "git", MESSAGE).is_ok());
    for at in 0..armour.len() {
        for byte in (0..=u8::MAX).filter(|byte| *byte != armour[at]).step_by(5) {
            let mut changed = armour.clone();
            changed[at] = byte;
            assert!(verify(&changed, "git", MESSAGE).is_err(), "byte {at} as {byte}");
        }
        assert!(verify(&armour[..at], "git", MESSAGE).is_err(), "first {at} bytes");
        for inserted in *b"\n =A" {
            let mut longer = armour.clone();
            longer.insert(at, inserted);
            assert!(verify(&longer, "git", MESSAGE).is_err(), "{inserted} before byte {at}");
        }
    }
}

proptest! {
    #[test]
    fn signing_and_verifying_agree(seed: [u8; 32], namespace in "[a-z]{1,10}", message: Vec<u8>) {
        let key = SecretKey::from_seed(&seed);
        let armour = sign(&key, &namespace, &message);
        let signer = verify(armour.as_bytes(), &namespace, &message).unwrap();
        prop_assert_eq!(signer, PublicKey::from_ed25519(key.public()));
    }

    #[test]
    fn arbitrary_blobs_never_panic(blob: Vec<u8>, version in 0_u32..3) {
        let with_magic = [MAGIC, &version.to_be_bytes(), &blob].concat();
        for blob in [blob, with_magic] {
            prop_assert!(verify(enarmour(&blob).as_bytes(), "git", MESSAGE).is_err());
            prop_assert!(verify(&blob, "git", MESSAGE).is_err());
        }
    }
}
