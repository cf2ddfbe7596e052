//! Signed notes, and the keys that open them.

use std::slice::from_ref;

use mledger::clock::Timestamp;
use mledger::identity::ed25519::SecretKey;
use mledger::name::Origin;
use mledger::tlog::cosignature;
use mledger::tlog::key::{KeyKind, KeyName, VerifierKey};
use mledger::tlog::note::{Note, NoteSignature};

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (log, witness) = (key(1, KeyKind::Ed25519), key(2, KeyKind::Ed25519Cosignature));
    if let Ok(note) = Note::parse(text) {
        assert_eq!(note.to_string(), text);
        let lines = note.signatures().iter().map(|line| NoteSignature::parse(&line.to_string()));
        assert!(lines.eq(note.signatures().iter().cloned().map(Ok)));
        // Nobody here has signed it, and lines by others change nothing.
        assert!(note.open(from_ref(&log)).is_err());
        assert_eq!(&text[..note.text().len()], note.text());
    }
    vkey(text);
    sign(text, &log, &witness);
}

/// Any text that can be signed is opened by its signers, and by nobody else.
fn sign(text: &str, log: &VerifierKey, witness: &VerifierKey) {
    let Ok(note) = Note::sign(text, log.name(), &secret(1)) else { return };
    assert_eq!(Note::parse(&note.to_string()).as_ref(), Ok(&note));
    let time = Timestamp::from_millis(1_700_000_000_999).expect("a time");
    let both = note.clone().with(cosignature::sign(&note, time, witness.name(), &secret(2)));
    let both = both.expect("a second line fits");
    assert_eq!(Note::parse(&both.to_string()).as_ref(), Ok(&both));
    let opened = both.open(&[log.clone(), witness.clone()]).expect("both signed it");
    assert_eq!(opened.text(), text);
    let times: Vec<_> = opened.signers().iter().map(|signer| signer.time.map(Timestamp::millis)).collect();
    assert_eq!(times, [None, Some(1_700_000_000_000)]);
    assert!(both.open(&[key(3, KeyKind::Ed25519)]).is_err());
    assert!(note.open(from_ref(witness)).is_err());
    // With one byte changed it is no note, or it is one that does not hold.
    let mut other = note.to_string().into_bytes();
    if let Some(first) = other.first_mut() {
        *first ^= 1;
    }
    if let Some(other) = String::from_utf8(other).ok().and_then(|text| Note::parse(&text).ok()) {
        assert!(other.open(from_ref(log)).is_err());
    }
}

fn vkey(text: &str) {
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text);
        assert_eq!(VerifierKey::new(key.name().clone(), key.kind(), *key.public()), key);
    }
    if let Ok(origin) = Origin::parse(text) {
        let name = KeyName::parse(text).expect("every origin is the name of a key");
        assert_eq!(name, KeyName::from(&origin));
        assert_eq!(name.as_str(), text);
    }
}

fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn key(seed: u8, kind: KeyKind) -> VerifierKey {
    let name = KeyName::parse(&format!("example.com/{seed}")).expect("a name");
    VerifierKey::new(name, kind, secret(seed).public())
}
