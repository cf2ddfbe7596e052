//! Checkpoints: a log's signed statement of its size and root (C2SP tlog-checkpoint).
//!
//! ```text
//! example.com/ledger                               origin
//! 300                                              leaves, decimal
//! rrsCfVw90Ihx7lJXemH8gxItDRQ1J5GUNjm9TBLTaUM=     root, base64
//! ```
//!
//! This is the text of a note that the key of the same name signs. Extension lines, which the format allows and
//! discourages, are refused: nothing audits them.

use std::fmt;

use super::SIZE_MAX;
use super::key::{KeyKind, KeyName, VerifierKey};
use super::note::{Note, NoteError};
use super::text::{encode_base64, parse_decimal, parse_hash, shortened};
use crate::digest::{Digest, sha256};
use crate::identity::ed25519;
use crate::name::{NameError, Origin};

/// A log's size and root. Invariant: at most [`SIZE_MAX`] leaves; no leaves have the root of the empty tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: Origin,
    size: u64,
    root: Digest,
}

/// Why a text is not a checkpoint, or one not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not three lines.
    #[error("a checkpoint has three lines: origin, size and root")]
    Form,
    /// The first line is no origin.
    #[error("the checkpoint has no valid origin")]
    Origin(#[source] NameError),
    /// The second line is no size.
    #[error("`{0}` is not a tree size below 2^63")]
    Size(String),
    /// The third line is no hash.
    #[error("`{0}` is not a root: 32 bytes in base64")]
    Root(String),
    /// No leaves, but the root of some.
    #[error("a tree without leaves cannot have the root {0}")]
    EmptyRoot(Digest),
    /// A fourth line.
    #[error("the checkpoint has the extension line `{0}`, and extensions are not accepted")]
    Extension(String),
    /// A witness's key where the log's is needed.
    #[error("the key `{0}` is for cosignatures, and a checkpoint needs its log's own")]
    Cosigner(KeyName),
    /// Signed by a key whose name is not the origin.
    #[error("the key `{key}` cannot sign a checkpoint of `{origin}`")]
    Foreign {
        /// The key's name.
        key: KeyName,
        /// The checkpoint's origin.
        origin: Origin,
    },
    /// The note around it does not hold.
    #[error("the checkpoint's note does not hold")]
    Note(#[from] NoteError),
}

impl Checkpoint {
    /// States a log's size and root.
    pub fn new(origin: Origin, size: u64, root: Digest) -> Result<Self, CheckpointError> {
        if size > SIZE_MAX {
            return Err(CheckpointError::Size(size.to_string()));
        }
        if size == 0 && root != sha256(b"") {
            return Err(CheckpointError::EmptyRoot(root));
        }
        Ok(Self { origin, size, root })
    }

    /// Parses the text of a checkpoint, with its last line feed, without the signatures.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Form)?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError::Form);
        };
        if let Some(extension) = lines.next() {
            return Err(CheckpointError::Extension(shortened(extension)));
        }
        let origin = Origin::parse(origin).map_err(CheckpointError::Origin)?;
        let size = parse_decimal(size).ok_or_else(|| CheckpointError::Size(shortened(size)))?;
        let root = parse_hash(root).ok_or_else(|| CheckpointError::Root(shortened(root)))?;
        Self::new(origin, size, root)
    }

    /// The log.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The RFC 6962 root of the leaves.
    pub fn root(&self) -> Digest {
        self.root
    }

    /// Signs as the log, under the origin's name; the whole note.
    pub fn sign(&self, key: &ed25519::SecretKey) -> String {
        Note::sign_valid(self.to_string(), &KeyName::from(&self.origin), key).to_string()
    }

    /// Takes a checkpoint from the note that the log's key signed. Lines by other keys are ignored.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, CheckpointError> {
        Self::open_note(&Note::parse(note)?, key)
    }

    pub(super) fn open_note(note: &Note, key: &VerifierKey) -> Result<Self, CheckpointError> {
        if key.kind() != KeyKind::Ed25519 {
            return Err(CheckpointError::Cosigner(key.name().clone()));
        }
        let verified = note.open(std::slice::from_ref(key))?;
        let checkpoint = Self::parse(verified.text())?;
        if key.name().as_str() == checkpoint.origin.as_str() {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::Foreign { key: key.name().clone(), origin: checkpoint.origin })
        }
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, encode_base64(self.root.as_bytes()))
    }
}
