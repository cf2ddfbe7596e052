//! Proofs of single entries, checked before anybody gets them.

use super::read::{Log, ReadError};
use crate::tlog::note::{Note, NoteError};
use crate::tlog::proof::{TlogProof, TlogProofError};
use crate::tlog::tree::{self, TreeError};

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A hash of the tree cannot be had.
    #[error("the tree's hashes cannot be read")]
    Tree(#[from] TreeError<ReadError>),
    /// The head's checkpoint is no note.
    #[error("the ledger's checkpoint is not a signed note")]
    Note(#[from] NoteError),
    /// The entry and the hashes do not give the root that the checkpoint signs: something was changed.
    #[error("entry {index} is not what the ledger's checkpoint signs")]
    NotIncluded {
        /// The entry.
        index: u64,
        /// What does not fit.
        source: TlogProofError,
    },
}

/// Proves that an entry is in the tree of the ledger's newest checkpoint.
pub fn prove(log: &Log<'_>, index: u64) -> Result<TlogProof, ProveError> {
    let entry = log.leaf_bytes(index)?;
    let hashes = tree::inclusion_proof(log, index, log.size())?;
    let checkpoint = Note::parse(&log.head().message.note)?;
    let not_included = |source| ProveError::NotIncluded { index, source };
    let proof = TlogProof::new(None, index, hashes, checkpoint).map_err(not_included)?;
    proof.verify(&entry, log.vkey()).map_err(not_included)?;
    Ok(proof)
}
