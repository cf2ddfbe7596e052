use super::*;
use crate::identity::wire::put_positive;

const LINE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk";

#[test]
fn a_key_line_round_trips() {
    let key = PublicKey::parse(&format!("{LINE} alice@laptop")).unwrap();
    assert_eq!(key.to_string(), LINE);
    assert_eq!(PublicKey::from_blob(key.blob()).unwrap(), key);
    assert_eq!(KeyId::parse(key.id().as_str()).unwrap(), *key.id());
}

#[test]
fn broken_keys_are_refused() {
    for bad in [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-rsa AAAAB3NzaC1yc2E=",
        &LINE.replace("AAAAC3", "AAAAC4"),
        &format!("{LINE}AAAA"),
    ] {
        assert!(PublicKey::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_word_before_the_base64_is_the_key_s_own() {
    let other = LINE.replace("ssh-ed25519", "ssh-rsa");
    assert_eq!(PublicKey::parse(&other), Err(KeyError::Blob("ssh-rsa")));
}

#[test]
fn kinds_that_do_not_count_are_named() {
    for (kind, words) in [
        ("ssh-dss", "keys of type `ssh-dss` are not supported; use ssh-ed25519"),
        ("ssh-ed25519-cert-v01@openssh.com", "is an SSH certificate, and those are refused; use the key"),
        ("sk-ssh-ed25519-cert-v01@openssh.com", "is an SSH certificate"),
        ("ssh-xmss@openssh.com", "not supported"),
        ("rsa-sha2-512", "not supported"),
        ("webauthn-sk-ecdsa-sha2-nistp256@openssh.com", "not supported"),
    ] {
        let refused = PublicKey::parse(&format!("{kind} AAAA")).unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
        let mut blob = vec![];
        put_string(&mut blob, kind.as_bytes());
        let refused = PublicKey::from_blob(&blob).unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
fn rsa_keys_have_a_sane_size_and_exponent() {
    let refused = |exponent: &[u8], bits: usize, low: u8| {
        let mut modulus = vec![0; bits.div_ceil(8)];
        modulus[0] = 1 << ((bits - 1) % 8);
        *modulus.last_mut().unwrap() |= low;
        let mut blob = vec![];
        put_string(&mut blob, b"ssh-rsa");
        put_positive(&mut blob, exponent);
        put_positive(&mut blob, &modulus);
        match PublicKey::from_blob(&blob) {
            Ok(key) => {
                assert_eq!(key.bits(), bits);
                None
            }
            Err(KeyError::Rsa(refused)) => Some(refused),
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(refused(&[1, 0, 1], 3072, 1), None);
    assert_eq!(refused(&[1, 0, 1], 8192, 1), None);
    assert_eq!(refused(&[0xff, 0xff, 0xff, 0xff], 3077, 1), None);
    assert_eq!(refused(&[1, 0, 1], 3071, 1), Some(RsaError::Small(3071)));
    assert_eq!(refused(&[1, 0, 1], 8193, 1), Some(RsaError::Large(8193)));
    assert_eq!(refused(&[1, 0, 1], 3072, 0), Some(RsaError::Modulus));
    for exponent in [&[1][..], &[3], &[37], &[0xff, 0xff], &[1, 0, 0], &[1, 0, 2], &[1, 0, 0, 0, 1]] {
        assert_eq!(refused(exponent, 3072, 1), Some(RsaError::Exponent), "{exponent:?}");
    }
}
