//! Proofs that travel alone.

use mledger::identity::ed25519::SecretKey;
use mledger::tlog::checkpoint::Checkpoint;
use mledger::tlog::key::{KeyKind, KeyName, VerifierKey};
use mledger::tlog::note::Note;
use mledger::tlog::proof::TlogProof;
use mledger::tlog::tree::verify_inclusion;

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(proof) = TlogProof::parse(text) else { return };
    assert_eq!(proof.to_string(), text);
    let (extra, hashes) = (proof.extra().map(<[u8]>::to_vec), proof.hashes().to_vec());
    let again = TlogProof::new(extra.clone(), proof.index(), hashes.clone(), proof.checkpoint().clone());
    assert_eq!(again.as_ref(), Ok(&proof));
    // Signed anew it counts exactly where the hashes lead to the root.
    let Ok(checkpoint) = Checkpoint::parse(proof.checkpoint().text()) else { return };
    let secret = SecretKey::from_seed(&[1; 32]);
    let name = KeyName::from(checkpoint.origin());
    let key = VerifierKey::new(name, KeyKind::Ed25519, secret.public());
    let note = Note::parse(&checkpoint.sign(&secret)).expect("a checkpoint is a note");
    let signed = TlogProof::new(extra, proof.index(), hashes, note).expect("the same parts");
    let entry = b"entry";
    let leaf = mledger::digest::leaf_hash(entry);
    let leads = verify_inclusion(&leaf, proof.index(), checkpoint.size(), proof.hashes(), &checkpoint.root());
    assert_eq!(signed.verify(entry, &key).is_ok(), leads.is_ok());
    assert!(proof.verify(entry, &key).is_err() || leads.is_ok());
}
