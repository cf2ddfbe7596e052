//! Proofs that travel alone: one entry's place in a log, with the log's checkpoint (C2SP tlog-proof).
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra ZGV0YWlscw==                               optional, covered by no signature
//! index 5
//! GUu1otW9EOXRqm/V1CmAs1bK8dpiPNmYfEv6L4F3Htc=     the inclusion proof, leaf's sibling first
//! 1EgFk1RgUwW/k2qmoOTHCTIclg4rpskhuYuaFlMZy+I=
//!
//! example.com/ledger                               the signed checkpoint, with its cosignatures
//! …
//! ```

use std::fmt;

use super::bundle::ENTRY_BYTES_MAX;
use super::checkpoint::{Checkpoint, CheckpointError};
use super::key::VerifierKey;
use super::note::{Note, NoteError};
use super::text::{decode_base64, encode_base64, parse_decimal, parse_hash, shortened};
use super::tree::{VerifyError, verify_inclusion};
use super::{PROOF_HASHES_MAX, SIZE_MAX};
use crate::digest::{Digest, leaf_hash};

const HEADER: &str = "c2sp.org/tlog-proof@v1\n";

/// A proof, nothing about it verified. Invariant: it prints as what [`TlogProof::parse`] accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    extra: Option<Vec<u8>>,
    index: u64,
    hashes: Vec<Digest>,
    checkpoint: Note,
}

/// Why a text is not a proof, or does not prove anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlogProofError {
    /// Another first line.
    #[error("a proof begins with the line `c2sp.org/tlog-proof@v1`")]
    Header,
    /// No checkpoint.
    #[error("the proof has no blank line and checkpoint after it")]
    NoCheckpoint,
    /// Empty or too long.
    #[error("the proof's extra line is not the base64 of 1 to {ENTRY_BYTES_MAX} bytes")]
    Extra,
    /// No index, or one that no tree has.
    #[error("`{0}` is not an index line like `index 5`")]
    Index(String),
    /// A line that is no hash.
    #[error("`{0}` is not a hash: 32 bytes in base64")]
    Hash(String),
    /// Too many hashes.
    #[error("a proof has at most {PROOF_HASHES_MAX} hashes")]
    TooManyHashes,
    /// The checkpoint is no note.
    #[error("the proof's checkpoint is not a note")]
    Note(#[from] NoteError),
    /// The checkpoint does not hold.
    #[error("the proof's checkpoint does not hold")]
    Checkpoint(#[from] CheckpointError),
    /// The entry is not in the log.
    #[error("the proof does not lead from the entry to the checkpoint")]
    Inclusion(#[from] VerifyError),
}

impl TlogProof {
    /// The longest extra data, in bytes: it serves to build the entry, and no entry is longer.
    pub const EXTRA_BYTES_MAX: usize = ENTRY_BYTES_MAX;

    /// Puts a proof together. `extra` is for the reader's application, and unauthenticated.
    pub fn new(
        extra: Option<Vec<u8>>,
        index: u64,
        hashes: Vec<Digest>,
        checkpoint: Note,
    ) -> Result<Self, TlogProofError> {
        if extra.as_ref().is_some_and(|extra| extra.is_empty() || extra.len() > Self::EXTRA_BYTES_MAX) {
            return Err(TlogProofError::Extra);
        }
        if index >= SIZE_MAX {
            return Err(TlogProofError::Index(format!("index {index}")));
        }
        if hashes.len() > PROOF_HASHES_MAX {
            return Err(TlogProofError::TooManyHashes);
        }
        Ok(Self { extra, index, hashes, checkpoint })
    }

    /// Parses a proof.
    pub fn parse(text: &str) -> Result<Self, TlogProofError> {
        let body = text.strip_prefix(HEADER).ok_or(TlogProofError::Header)?;
        let (head, checkpoint) = body.split_once("\n\n").ok_or(TlogProofError::NoCheckpoint)?;
        let (extra, head) = parse_extra(head)?;
        let mut lines = head.split('\n');
        let index = parse_index(lines.next().unwrap_or_default())?;
        // One hash more than allowed is enough to refuse the rest unread.
        let hashes = lines.take(PROOF_HASHES_MAX + 1).map(parse_hash_line).collect::<Result<_, _>>()?;
        Self::new(extra, index, hashes, Note::parse(checkpoint)?)
    }

    /// Data beside the proof, for example to build the entry from. No signature covers it.
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// The entry's place in the log.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The inclusion proof, leaf's sibling first.
    pub fn hashes(&self) -> &[Digest] {
        &self.hashes
    }

    /// The signed checkpoint, with whatever cosignatures it has.
    pub fn checkpoint(&self) -> &Note {
        &self.checkpoint
    }

    /// Verifies that `entry` is in the log whose key this is; the checkpoint that says so.
    ///
    /// Cosignatures are not looked at: [`Note::open`] on [`TlogProof::checkpoint`] tells who cosigned.
    pub fn verify(&self, entry: &[u8], key: &VerifierKey) -> Result<Checkpoint, TlogProofError> {
        let checkpoint = Checkpoint::open_note(&self.checkpoint, key)?;
        verify_inclusion(&leaf_hash(entry), self.index, checkpoint.size(), &self.hashes, &checkpoint.root())?;
        Ok(checkpoint)
    }
}

fn parse_extra(head: &str) -> Result<(Option<Vec<u8>>, &str), TlogProofError> {
    let Some(rest) = head.strip_prefix("extra ") else { return Ok((None, head)) };
    let (encoded, head) = rest.split_once('\n').ok_or(TlogProofError::Extra)?;
    // Base64 takes four characters for three bytes; decoding more would only fill memory.
    let short = encoded.len() <= TlogProof::EXTRA_BYTES_MAX.div_ceil(3) * 4;
    let extra = short.then(|| decode_base64(encoded)).flatten().ok_or(TlogProofError::Extra)?;
    Ok((Some(extra), head))
}

fn parse_index(line: &str) -> Result<u64, TlogProofError> {
    line.strip_prefix("index ").and_then(parse_decimal).ok_or_else(|| TlogProofError::Index(shortened(line)))
}

fn parse_hash_line(line: &str) -> Result<Digest, TlogProofError> {
    parse_hash(line).ok_or_else(|| TlogProofError::Hash(shortened(line)))
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEADER)?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", encode_base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", encode_base64(hash.as_bytes())))?;
        write!(f, "\n{}", self.checkpoint)
    }
}
