use super::*;
use crate::identity::key::KeyError;
use crate::identity::rsa::RsaError;
use crate::identity::sshsig::{self, SshSig, SshSigError};
use crate::object::fixture::{Sandbox, vectors};

const MESSAGE: &[u8] = b"what was signed\n";

/// What `ssh-keygen` can make without hardware: type, bits.
const TYPES: [(&str, &str); 6] =
    [("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "3072"), ("rsa", "4096")];

fn vector(folder: &str, name: &str) -> Vec<u8> {
    vectors(folder).into_iter().find(|(found, _)| found == &format!("{name}.sig")).unwrap().1
}

/// A key pair in the files `key` and `key.pub`, replacing the one before.
fn make_key(sandbox: &Sandbox, kind: &str, bits: &str) -> String {
    sandbox.remove(&["key", "key.pub"]);
    sandbox.run("ssh-keygen", &["-q", "-t", kind, "-b", bits, "-N", "", "-C", "alice", "-f", "key"], b"");
    String::from_utf8(sandbox.read("key.pub")).unwrap()
}

#[test]
fn keys_and_signatures_of_ssh_keygen_count() {
    let sandbox = Sandbox::new();
    for (kind, bits) in TYPES {
        let line = make_key(&sandbox, kind, bits);
        let key = PublicKey::parse(&line).unwrap();
        assert_eq!(format!("{key} alice\n"), line);
        assert_eq!(PublicKey::from_blob(key.blob()).unwrap(), key);
        let listed = String::from_utf8(sandbox.run("ssh-keygen", &["-lf", "key.pub"], b"")).unwrap();
        assert_eq!(listed, format!("{} {} alice ({})\n", key.bits(), key.id(), key.kind().label()));
        for hash in ["sha256", "sha512"] {
            let words = ["-Y", "sign", "-q", "-n", "git", "-O", &format!("hashalg={hash}"), "-f", "key"];
            let armour = sandbox.run("ssh-keygen", &words, MESSAGE);
            assert_eq!(sshsig::verify(&armour, "git", MESSAGE).unwrap(), key, "{kind} {bits} {hash}");
            let other = sshsig::verify(&armour, "git", b"another").unwrap_err();
            assert_eq!(other, SshSigError::Invalid(key.id().clone()));
        }
    }
}

#[test]
fn ssh_keygen_judges_the_vectors_alike() {
    let sandbox = Sandbox::new();
    for (name, armour) in vectors("valid/sshsig") {
        let namespace = name.split('-').next().unwrap();
        let key = sshsig::verify(&armour, namespace, MESSAGE).unwrap();
        sandbox.write("sig", &armour);
        sandbox.write("signers", format!("alice {key}\n").as_bytes());
        let words = ["-Y", "verify", "-f", "signers", "-I", "alice", "-n", namespace, "-s", "sig"];
        let answer = String::from_utf8(sandbox.run("ssh-keygen", &words, MESSAGE)).unwrap();
        assert!(answer.contains(key.id().as_str()), "{name}: {answer}");
    }
}

#[test]
fn small_keys_and_certificates_of_ssh_keygen_do_not() {
    let sandbox = Sandbox::new();
    let small = make_key(&sandbox, "rsa", "2048");
    assert_eq!(PublicKey::parse(&small).unwrap_err(), KeyError::Rsa(RsaError::Small(2048)));
    let armour = sandbox.run("ssh-keygen", &["-Y", "sign", "-q", "-n", "git", "-f", "key"], MESSAGE);
    let refused = sshsig::verify(&armour, "git", MESSAGE).unwrap_err();
    assert_eq!(refused, SshSigError::Key(KeyError::Rsa(RsaError::Small(2048))));
    assert!(refused.to_string().contains("RSA key of 2048 bits is too small: it takes 3072 bits"), "{refused}");

    for (kind, bits) in [("ecdsa", "256"), ("rsa", "3072")] {
        sandbox.remove(&["ca", "ca.pub"]);
        sandbox.run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "ca"], b"");
        make_key(&sandbox, kind, bits);
        sandbox.run("ssh-keygen", &["-q", "-s", "ca", "-I", "alice", "-n", "alice", "key.pub"], b"");
        let line = String::from_utf8(sandbox.read("key-cert.pub")).unwrap();
        assert!(matches!(PublicKey::parse(&line), Err(KeyError::Certificate(_))), "{line}");
        let armour = sandbox.run("ssh-keygen", &["-Y", "sign", "-q", "-n", "git", "-f", "key-cert.pub"], MESSAGE);
        let refused = sshsig::verify(&armour, "git", MESSAGE).unwrap_err();
        assert!(matches!(refused, SshSigError::Key(KeyError::Certificate(_))), "{refused}");
    }
}

#[test]
fn refusals_name_what_is_wrong() {
    use SignatureError::{Form, Trailing, Untouched};
    const ECDSA: &str = "ecdsa-sha2-nistp256";
    const SK_ECDSA: &str = "sk-ecdsa-sha2-nistp256@openssh.com";
    const SK_ED25519: &str = "sk-ssh-ed25519@openssh.com";
    const SHA2: &str = "rsa-sha2-512 or rsa-sha2-256";
    let algorithm = |kind, found: &str, expected| SignatureError::Algorithm { expected, found: found.to_owned(), kind };
    for (name, expected) in [
        ("ecdsa-bytes-behind-s", Form),
        ("ecdsa-bytes-behind", Trailing),
        ("ecdsa-r-without-sign", Form),
        ("ecdsa-r-zero", Form),
        ("ecdsa-s-negative", Form),
        ("ecdsa-s-padded", Form),
        ("ecdsa-s-plus-order", Form),
        ("ecdsa-s-zero", Form),
        ("ecdsa-zeros-in-der", Form),
        ("ecdsa-algorithm-384", algorithm(ECDSA, "ecdsa-sha2-nistp384", ECDSA)),
        ("rsa-bytes-behind", Trailing),
        ("rsa-sha1", algorithm("ssh-rsa", "ssh-rsa", SHA2)),
        ("rsa-signature-padded", Form),
        ("sk-ecdsa-bytes-behind", Trailing),
        ("sk-ecdsa-untouched", Untouched),
        ("sk-ed25519-as-plain", algorithm(SK_ED25519, "ssh-ed25519", SK_ED25519)),
        ("sk-ed25519-bytes-behind", Trailing),
        ("sk-ed25519-cut-off", Form),
        ("sk-ed25519-untouched", Untouched),
        ("sk-plain-key", algorithm("ssh-ed25519", SK_ED25519, "ssh-ed25519")),
        ("sk-webauthn", algorithm(SK_ECDSA, "webauthn-sk-ecdsa-sha2-nistp256@openssh.com", SK_ECDSA)),
    ] {
        let refused = sshsig::verify(&vector("invalid/sshsig", name), "git", MESSAGE).unwrap_err();
        assert_eq!(refused, SshSigError::Signature(expected), "{name}");
    }
    for (name, expected) in [
        ("ecdsa-bytes-behind-key", KeyError::Blob(ECDSA)),
        ("ecdsa-key-compressed", KeyError::Blob(ECDSA)),
        ("ecdsa-key-hybrid", KeyError::Blob(ECDSA)),
        ("ecdsa-key-infinity", KeyError::Blob(ECDSA)),
        ("ecdsa-key-off-curve", KeyError::Blob(ECDSA)),
        ("ecdsa-key-other-curve", KeyError::Blob(ECDSA)),
        ("ecdsa-key-other-point", KeyError::Blob(ECDSA)),
        ("rsa-2048", KeyError::Rsa(RsaError::Small(2048))),
        ("rsa-3070", KeyError::Rsa(RsaError::Small(3070))),
        ("rsa-16384", KeyError::Rsa(RsaError::Large(16384))),
        ("rsa-exponent-3", KeyError::Rsa(RsaError::Exponent)),
        ("rsa-exponent-huge", KeyError::Rsa(RsaError::Exponent)),
        ("rsa-key-as-algorithm", KeyError::Kind("rsa-sha2-512".to_owned())),
        ("rsa-modulus-even", KeyError::Rsa(RsaError::Modulus)),
        ("rsa-modulus-negative", KeyError::Blob("ssh-rsa")),
        ("rsa-modulus-padded", KeyError::Blob("ssh-rsa")),
        ("sk-ecdsa-website", KeyError::Application),
        ("sk-ed25519-bytes-behind-key", KeyError::Blob(SK_ED25519)),
        ("sk-ed25519-website", KeyError::Application),
    ] {
        let refused = sshsig::verify(&vector("invalid/sshsig", name), "git", MESSAGE).unwrap_err();
        assert_eq!(refused, SshSigError::Key(expected), "{name}");
    }
    for name in [
        "ecdsa-over-sha512",
        "ecdsa-r-order",
        "rsa-pss",
        "rsa-sha1-as-sha2",
        "rsa-sha2-swapped",
        "rsa-signature-plus-modulus",
        "sk-ecdsa-other-application",
        "sk-ed25519-other-application",
        "sk-ed25519-touch-claimed",
        "sk-unwrapped",
    ] {
        let refused = sshsig::verify(&vector("invalid/sshsig", name), "git", MESSAGE).unwrap_err();
        assert!(matches!(refused, SshSigError::Invalid(_)), "{name}: {refused}");
    }
}

#[test]
fn the_second_signature_that_fits_a_curve_counts_too() {
    let [low, high] = ["low", "high"].map(|s| vector("valid/sshsig", &format!("git-ecdsa-nistp256-sha256-{s}-s")));
    assert_ne!(low, high);
    assert_eq!(sshsig::verify(&low, "git", MESSAGE), sshsig::verify(&high, "git", MESSAGE));
}

#[test]
fn one_flipped_bit_in_any_byte_is_refused() {
    for (name, armour) in vectors("valid/sshsig") {
        let namespace = name.split('-').next().unwrap();
        let blob = sshsig::dearmour(&armour).unwrap();
        for at in 0..blob.len() {
            let mut flipped = blob.clone();
            flipped[at] ^= 1 << (at % 8);
            let armour = sshsig::enarmour(&flipped);
            assert!(sshsig::verify(armour.as_bytes(), namespace, MESSAGE).is_err(), "{name}: byte {at}");
        }
    }
}

#[test]
fn what_is_cut_off_or_put_in_is_refused() {
    for (name, armour) in vectors("valid/sshsig") {
        let namespace = name.split('-').next().unwrap();
        let blob = sshsig::dearmour(&armour).unwrap();
        for end in 0..blob.len() {
            let armour = sshsig::enarmour(&blob[..end]);
            assert!(sshsig::verify(armour.as_bytes(), namespace, MESSAGE).is_err(), "{name}: first {end} bytes");
            let longer = [&blob[..end], &[0], &blob[end..]].concat();
            let armour = sshsig::enarmour(&longer);
            assert!(sshsig::verify(armour.as_bytes(), namespace, MESSAGE).is_err(), "{name}: a byte before {end}");
        }
    }
}

#[test]
fn all_kinds_together_are_judged_each_by_itself() {
    let armours = vectors("valid/sshsig").into_iter().filter(|(name, _)| name.starts_with("git"));
    let signatures: Vec<SshSig> = armours.map(|(_, armour)| SshSig::parse(&armour, "git").unwrap()).collect();
    for wrong in 0..signatures.len() {
        let message = |at| if at == wrong { b"another".as_slice() } else { MESSAGE };
        let data: Vec<Vec<u8>> =
            signatures.iter().enumerate().map(|(at, signature)| signature.signed_data(message(at))).collect();
        let signed: Vec<_> = signatures.iter().zip(data.iter().map(Vec::as_slice)).collect();
        let expected: Vec<bool> = (0..signatures.len()).map(|at| at != wrong).collect();
        // As signed for `MESSAGE`, only the one over something else must fail.
        assert_eq!(sshsig::verify_all(&signed), expected);
    }
    assert!(sshsig::verify_all(&[]).is_empty());
}
