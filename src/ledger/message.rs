//! The commit that carries an append: a readable subject, the unsealed leaves, the signed checkpoint.
//!
//! ```text
//! tree 9c1f…
//! parent 5d04…
//! author mledger <ledger@git.bank.example/models> 1795426200 +0000
//! committer mledger <ledger@git.bank.example/models> 1795426200 +0000
//!
//! alice@bank.example may update main (1 commit)
//!
//! {"actor":"alice@bank.example",…}
//! {"actor":"alice@bank.example","commits":…}
//!
//! git.bank.example/models
//! 42
//! rrsCfVw90Ihx7lJXemH8gxItDRQ1J5GUNjm9TBLTaUM=
//!
//! — git.bank.example/models I7dg03n8…
//! ```
//!
//! The leaves are those of this append that it does not seal. A leaf begins with `{` and holds no line end; an origin
//! never begins so.

use crate::clock::Timestamp;
use crate::name::{Oid, Origin};

/// The longest block of leaves in a message, in bytes; beyond it they lie under `tail/`, so that `git log` stays
/// readable and no reader meets a commit object of many megabytes.
pub const LEAVES_BYTES_MAX: usize = 128 * 1024;

/// The longest ledger commit that is read, in bytes: the leaves, a checkpoint with 64 signatures, and the head.
pub const COMMIT_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// What a ledger commit says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The commit before, none for the first.
    pub parent: Option<Oid>,
    /// What is sealed, and the policy.
    pub tree: Oid,
    /// One line for people.
    pub subject: String,
    /// Leaves of this append, unsealed, in order.
    pub leaves: Vec<Vec<u8>>,
    /// The signed checkpoint, a whole note.
    pub note: String,
}

/// Bytes that are not a commit of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a commit of the ledger does not have the form that mledger writes")]
pub struct MessageError;

impl Message {
    /// The commit object's bytes.
    pub fn to_object(&self, origin: &Origin, time: Timestamp) -> Vec<u8> {
        let who = format!("mledger <ledger@{origin}> {} +0000", time.millis() / 1000);
        let parent = self.parent.map(|oid| format!("parent {oid}\n")).unwrap_or_default();
        let head = format!("tree {}\n{parent}author {who}\ncommitter {who}\n\n{}\n\n", self.tree, self.subject);
        let mut object = head.into_bytes();
        for leaf in &self.leaves {
            object.extend_from_slice(leaf);
            object.push(b'\n');
        }
        if !self.leaves.is_empty() {
            object.push(b'\n');
        }
        object.extend_from_slice(self.note.as_bytes());
        object
    }

    /// Parses a commit object.
    pub fn parse(object: &[u8]) -> Result<Self, MessageError> {
        let text = std::str::from_utf8(object).map_err(|_| MessageError)?;
        let (head, message) = text.split_once("\n\n").ok_or(MessageError)?;
        let (tree, parent) = parse_head(head)?;
        let (subject, mut rest) = message.split_once("\n\n").ok_or(MessageError)?;
        let mut leaves = Vec::new();
        while rest.starts_with('{') {
            let (leaf, after) = rest.split_once('\n').ok_or(MessageError)?;
            leaves.push(leaf.as_bytes().to_vec());
            rest = after;
        }
        if !leaves.is_empty() {
            rest = rest.strip_prefix('\n').ok_or(MessageError)?;
        }
        Ok(Self { parent, tree, subject: subject.to_owned(), leaves, note: rest.to_owned() })
    }
}

fn parse_head(head: &str) -> Result<(Oid, Option<Oid>), MessageError> {
    let mut lines = head.lines();
    let oid = |line: &str, word: &str| line.strip_prefix(word).and_then(|hex| Oid::parse(hex).ok());
    let tree = lines.next().and_then(|line| oid(line, "tree ")).ok_or(MessageError)?;
    let parents: Vec<Oid> = lines.map_while(|line| oid(line, "parent ")).collect();
    match parents.as_slice() {
        [] => Ok((tree, None)),
        [parent] => Ok((tree, Some(*parent))),
        _ => Err(MessageError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_round_trips_with_and_without_leaves() {
        let origin = Origin::parse("git.bank.example/models").unwrap();
        let time = Timestamp::parse("2026-11-23T09:30:00.123Z").unwrap();
        let note = "git.bank.example/models\n2\nAAAA\n\n\u{2014} git.bank.example/models BBBB\n";
        for leaves in [vec![], vec![b"{\"a\":1}".to_vec()], vec![b"{}".to_vec(), b"{\"b\":\"\\n\"}".to_vec()]] {
            for parent in [None, Some(Oid::from_bytes([7; 20]))] {
                let message = Message {
                    parent,
                    tree: Oid::from_bytes([1; 20]),
                    subject: "alice may update main".to_owned(),
                    leaves: leaves.clone(),
                    note: note.to_owned(),
                };
                assert_eq!(Message::parse(&message.to_object(&origin, time)), Ok(message));
            }
        }
    }

    #[test]
    fn other_commits_are_refused() {
        for bad in [
            &b""[..],
            b"tree x\n\nsubject\n\nnote",
            b"tree 0101010101010101010101010101010101010101\n\nsubject only",
            b"\xff",
        ] {
            assert_eq!(Message::parse(bad), Err(MessageError));
        }
    }
}
