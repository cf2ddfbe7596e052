//! The commits of a ledger itself.

use mledger::clock::Timestamp;
use mledger::ledger::message::Message;
use mledger::name::Origin;
use mledger::tlog::checkpoint::Checkpoint;

pub fn check(data: &[u8]) {
    let Ok(message) = Message::parse(data) else { return };
    let origin = Origin::parse("git.bank.example/models").expect("an origin");
    let time = Timestamp::from_millis(1_795_436_102_123).expect("a time");
    let object = message.to_object(&origin, time);
    assert_eq!(Message::parse(&object).as_ref(), Ok(&message), "what is read cannot be written");
    // The leaves and the note stand in it byte for byte.
    let has = |part: &[u8]| part.is_empty() || data.windows(part.len()).any(|bytes| bytes == part);
    assert!(message.leaves.iter().all(|leaf| leaf.starts_with(b"{") && has(leaf)));
    assert!(data.ends_with(message.note.as_bytes()));
    // What begins like a leaf is none only behind the empty line, and no checkpoint there.
    assert!(!message.note.starts_with('{') || !message.leaves.is_empty() && Checkpoint::parse(&message.note).is_err());
}
