//! Ed25519 cosignatures: a witness's line on a checkpoint (C2SP tlog-cosignature v1).
//!
//! ```text
//! — witness.example/w1 nydDYwAAAABlU/EA2DbV…      key id[4] || POSIX seconds, u64 big-endian || signature[64]
//!
//! cosignature/v1                                  what is signed
//! time 1700000000
//! example.com/ledger                              the whole text of the note
//! 300
//! rrsCfVw90Ihx7lJXemH8gxItDRQ1J5GUNjm9TBLTaUM=
//! ```
//!
//! It says: at that time this was the largest tree of that origin which its signer had seen, and it extends all that
//! the signer saw before.

use super::key::{KeyKind, KeyName, VerifierKey};
use super::note::{Note, NoteSignature};
use crate::clock::Timestamp;
use crate::identity::ed25519;

/// Signs the text of a note at a time, which counts in whole seconds.
pub fn sign(note: &Note, time: Timestamp, name: &KeyName, key: &ed25519::SecretKey) -> NoteSignature {
    let seconds = time.millis().unsigned_abs() / 1000;
    let signature = key.sign(message(note.text(), seconds).as_bytes());
    let cosigner = VerifierKey::new(name.clone(), KeyKind::Ed25519Cosignature, key.public());
    NoteSignature::new(&cosigner, [seconds.to_be_bytes().as_slice(), &signature].concat())
}

/// The time in a cosignature over `text`; `None` where it does not hold, or its time is beyond the year 9999.
pub(super) fn verify(text: &str, key: &ed25519::PublicKey, blob: &[u8]) -> Option<Timestamp> {
    let (seconds, signature) = blob.split_first_chunk::<8>()?;
    let seconds = u64::from_be_bytes(*seconds);
    let time = Timestamp::from_millis(i64::try_from(seconds).ok()?.checked_mul(1000)?)?;
    key.verify(message(text, seconds).as_bytes(), signature.try_into().ok()?).then_some(time)
}

fn message(text: &str, seconds: u64) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}
