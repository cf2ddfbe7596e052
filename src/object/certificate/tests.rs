use proptest::prelude::*;

use super::*;
use crate::identity::ed25519::SecretKey;
use crate::identity::key::PublicKey;
use crate::identity::sshsig;
use crate::object::fixture::{Sandbox, vectors};

fn verifies(raw: &[u8]) -> bool {
    Certificate::parse(raw)
        .is_ok_and(|certificate| sshsig::verify(certificate.signature.as_bytes(), "git", signed_payload(raw)).is_ok())
}

fn vector(name: &str) -> Vec<u8> {
    vectors("valid/certificate").into_iter().find(|(found, _)| found == name).unwrap().1
}

#[test]
fn vectors_are_judged() {
    for (name, raw) in vectors("valid/certificate") {
        let certificate = Certificate::parse(&raw).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(certificate.pusher.starts_with("SHA256:") && !certificate.pusher.ends_with(' '), "{name}");
        assert_eq!(verifies(&raw), name != "no-nonce-no-pushee", "{name}");
    }
    for (name, raw) in vectors("invalid/certificate") {
        assert!(Certificate::parse(&raw).is_err(), "{name}");
    }
}

#[test]
fn everything_that_git_writes_is_read() {
    let certificate = Certificate::parse(&vector("two-refs-and-options")).unwrap();
    assert_eq!(certificate.options, ["ci.skip", "note=a b"]);
    assert_eq!(certificate.pushee.as_deref(), Some("../s.git"));
    assert!(certificate.nonce.unwrap().starts_with(&certificate.seconds.to_string()));
    let refs: Vec<_> = certificate.commands.iter().map(|command| command.refname.as_str()).collect();
    assert_eq!(refs, ["refs/heads/main", "refs/heads/side"]);
    assert!(certificate.commands.iter().all(|command| command.old.is_none() && command.new.is_some()));

    let certificate = Certificate::parse(&vector("delete-and-update")).unwrap();
    let moves = certificate.commands.iter().map(|command| (command.old.is_some(), command.new.is_some()));
    assert_eq!(moves.collect::<Vec<_>>(), [(true, true), (true, false)]);
}

#[test]
fn refusals_name_what_is_wrong() {
    let text = String::from_utf8(vector("two-refs-and-options")).unwrap();
    let twice = RefName::parse("refs/heads/main").unwrap();
    for (raw, expected) in [
        (text.replace("SSH", "PGP"), CertificateError::Unsigned),
        (text.replace("version 0.1", "version 1"), CertificateError::Version),
        (text.replace("\npushee", "\ncolour red\npushee"), CertificateError::Header("colour red".into())),
        (text.replace("heads/side", "heads/main"), CertificateError::Twice(twice)),
        (text.replace("-----BEGIN", "x\n-----BEGIN"), CertificateError::Command("x".into())),
        (" ".repeat(RAW_BYTES_MAX + 1), CertificateError::TooLarge { bytes: RAW_BYTES_MAX + 1 }),
    ] {
        assert_eq!(Certificate::parse(raw.as_bytes()).unwrap_err(), expected);
    }
}

#[test]
fn certificates_of_real_git_verify() {
    let key = SecretKey::from_seed(&[5; 32]);
    let sandbox = Sandbox::repository(&key);
    sandbox.git(&["init", "-q", "--bare", "server.git"]);
    sandbox.git(&["-C", "server.git", "config", "receive.certNonceSeed", "seed"]);
    sandbox.write("server.git/hooks/pre-receive", b"#!/bin/sh\ngit cat-file blob $GIT_PUSH_CERT > ../certificate\n");
    sandbox.run("chmod", &["+x", "server.git/hooks/pre-receive"], b"");
    sandbox.git(&["commit", "-q", "--allow-empty", "-m", "One"]);
    sandbox.git(&["push", "-q", "--signed", "server.git", "main"]);
    let raw = sandbox.read("certificate");
    let certificate = Certificate::parse(&raw).unwrap();
    let head = Oid::parse(&sandbox.git_text(&["rev-parse", "HEAD"])).unwrap();
    let refname = RefName::parse("refs/heads/main").unwrap();
    assert_eq!(certificate.commands, [Command { new: Some(head), old: None, refname }]);
    let signer = sshsig::verify(certificate.signature.as_bytes(), "git", signed_payload(&raw)).unwrap();
    assert_eq!(signer, PublicKey::from_ed25519(key.public()));
}

#[test]
fn no_other_bytes_verify() {
    let raw = vector("two-refs-and-options");
    assert!(verifies(&raw));
    for at in 0..raw.len() {
        let mut changed = raw.clone();
        changed[at] ^= 1;
        assert!(!verifies(&changed), "byte {at}");
        let mut shorter = raw.clone();
        shorter.remove(at);
        assert!(!verifies(&shorter), "without byte {at}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(raw in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Certificate::parse(&raw);
        prop_assert!(signed_payload(&raw).len() <= raw.len());
    }
}

/// The certificate of the vector by a new key of that kind: its bytes, and its bytes signed once more.
fn signed_twice(kind: &str) -> [Vec<u8>; 2] {
    let sandbox = Sandbox::new();
    sandbox.run("ssh-keygen", &["-q", "-t", kind, "-N", "", "-f", "key"], b"");
    let raw = vector("two-refs-and-options");
    let payload = signed_payload(&raw);
    let sign = || sandbox.run("ssh-keygen", &["-Y", "sign", "-q", "-n", "git", "-f", "key"], payload);
    [sign(), sign()].map(|armour| [payload, &armour].concat())
}

#[test]
fn another_signature_by_the_same_key_makes_no_other_certificate() {
    let [one, two] = signed_twice("ecdsa");
    assert!(verifies(&one) && verifies(&two));
    assert_ne!(one, two);
    assert_eq!(single_use_digest(&one), single_use_digest(&two));
    // Of another key, of other commands, or without a signature that counts it is another.
    let [other, _] = signed_twice("ecdsa");
    assert_ne!(single_use_digest(&one), single_use_digest(&other));
    let changed = String::from_utf8(one.clone()).unwrap().replace("heads/side", "heads/sida");
    assert_ne!(single_use_digest(&one), single_use_digest(changed.as_bytes()));
    assert_eq!(single_use_digest(b"no certificate"), sha256(b"no certificate"));
}
