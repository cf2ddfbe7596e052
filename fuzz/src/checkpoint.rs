//! Checkpoints: the text, and the note around it.

use mledger::identity::ed25519::SecretKey;
use mledger::tlog::checkpoint::Checkpoint;
use mledger::tlog::key::{KeyKind, KeyName, VerifierKey};
use mledger::tlog::note::Note;

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let body = Note::parse(text).map_or_else(|_| text.to_owned(), |note| note.text().to_owned());
    let secret = SecretKey::from_seed(&[1; 32]);
    let Ok(checkpoint) = Checkpoint::parse(&body) else {
        // What is none is none either where a log signs it.
        let name = KeyName::parse(body.lines().next().unwrap_or_default());
        let Ok(name) = name else { return };
        let key = VerifierKey::new(name.clone(), KeyKind::Ed25519, secret.public());
        let signed = Note::sign(&body, &name, &secret);
        assert!(signed.is_err() || signed.is_ok_and(|note| Checkpoint::open(&note.to_string(), &key).is_err()));
        return;
    };
    assert_eq!(checkpoint.to_string(), body);
    let again = Checkpoint::new(checkpoint.origin().clone(), checkpoint.size(), checkpoint.root());
    assert_eq!(again.as_ref(), Ok(&checkpoint));
    let name = KeyName::from(checkpoint.origin());
    let key = |name: KeyName, seed: u8, kind| VerifierKey::new(name, kind, SecretKey::from_seed(&[seed; 32]).public());
    let signed = checkpoint.sign(&secret);
    assert_eq!(Checkpoint::open(&signed, &key(name.clone(), 1, KeyKind::Ed25519)).as_ref(), Ok(&checkpoint));
    assert!(Checkpoint::open(&signed, &key(name.clone(), 2, KeyKind::Ed25519)).is_err());
    assert!(Checkpoint::open(&signed, &key(name, 1, KeyKind::Ed25519Cosignature)).is_err());
    // Another log's key signs nothing for this one.
    let other = KeyName::parse("another.example/log").expect("a name");
    if other.as_str() != checkpoint.origin().as_str() {
        let foreign = Note::sign(&body, &other, &secret).expect("a checkpoint can be signed");
        assert!(Checkpoint::open(&foreign.to_string(), &key(other, 1, KeyKind::Ed25519)).is_err());
    }
}
