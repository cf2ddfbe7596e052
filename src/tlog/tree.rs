//! The Merkle tree of RFC 6962 section 2.1: roots, proofs, and their verification.
//!
//! ```text
//! root of no leaf   SHA-256("")
//! leaf              SHA-256(00 || entry)
//! node              SHA-256(01 || left || right), left of the largest power of two below the number of leaves
//! ```
//!
//! An odd node moves up unchanged; it is never doubled.

mod frontier;
mod verify;

#[cfg(test)]
mod tests;

use std::iter;
use std::ops::Range;

pub use self::frontier::Frontier;
pub use self::verify::{VerifyError, verify_consistency, verify_inclusion};
use super::hashes::Hashes;
use crate::digest::{Digest, node_hash, sha256};

/// Why a proof cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError<E: std::error::Error + 'static> {
    /// No such leaf.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    Index {
        /// The leaf asked for.
        index: u64,
        /// The tree's leaves.
        size: u64,
    },
    /// A tree cannot be consistent with a smaller one.
    #[error("a tree of {old} leaves is no beginning of one of {new}")]
    Sizes {
        /// Leaves of the older tree.
        old: u64,
        /// Leaves of the newer tree.
        new: u64,
    },
    /// A hash is not there.
    #[error("could not read a hash of the tree")]
    Hash(#[source] E),
}

/// The root of the first `size` leaves; reads one hash per bit set in `size`.
pub fn root<H: Hashes>(hashes: &H, size: u64) -> Result<Digest, H::Error> {
    range_hash(hashes, &(0..size))
}

/// The inclusion proof of leaf `index` in the tree of `size` leaves, from the leaf's sibling upwards (RFC 6962 2.1.1).
pub fn inclusion_proof<H: Hashes>(hashes: &H, index: u64, size: u64) -> Result<Vec<Digest>, TreeError<H::Error>> {
    if index >= size {
        return Err(TreeError::Index { index, size });
    }
    read_upwards(hashes, &inclusion_path(index, size))
}

/// The proof that the tree of `old` leaves is a beginning of the one of `new` leaves (RFC 6962 2.1.2). Empty where
/// `old` is 0 or `new`.
pub fn consistency_proof<H: Hashes>(hashes: &H, old: u64, new: u64) -> Result<Vec<Digest>, TreeError<H::Error>> {
    if old > new {
        return Err(TreeError::Sizes { old, new });
    }
    read_upwards(hashes, &consistency_path(old, new))
}

fn read_upwards<H: Hashes>(hashes: &H, path: &[Range<u64>]) -> Result<Vec<Digest>, TreeError<H::Error>> {
    path.iter().rev().map(|range| range_hash(hashes, range)).collect::<Result<_, _>>().map_err(TreeError::Hash)
}

/// The siblings on the way from the root to leaf `index`.
fn inclusion_path(index: u64, size: u64) -> Vec<Range<u64>> {
    let mut path = Vec::new();
    let mut subtree = 0..size;
    while let Some(middle) = middle(&subtree) {
        let (left, right) = (subtree.start..middle, middle..subtree.end);
        let (next, sibling) = if index < middle { (left, right) } else { (right, left) };
        path.push(sibling);
        subtree = next;
    }
    path
}

/// The siblings on the way from the root to the subtree that ends where the old tree ends, then that subtree; without
/// the latter where it is the whole old tree, whose root the verifier has.
fn consistency_path(old: u64, new: u64) -> Vec<Range<u64>> {
    let mut path = Vec::new();
    let mut subtree = 0..new;
    while let Some(middle) = middle(&subtree).filter(|_| (1..subtree.end).contains(&old)) {
        let (left, right) = (subtree.start..middle, middle..subtree.end);
        let (next, sibling) = if old <= middle { (left, right) } else { (right, left) };
        path.push(sibling);
        subtree = next;
    }
    if subtree.start > 0 {
        path.push(subtree);
    }
    path
}

/// Where a subtree of at least two leaves is split: after the largest power of two of leaves below their number.
fn middle(subtree: &Range<u64>) -> Option<u64> {
    let last = subtree.end.checked_sub(subtree.start)?.checked_sub(1)?;
    Some(subtree.start + (1 << last.checked_ilog2()?))
}

/// The RFC 6962 hash of a subtree, of the complete subtrees in it.
fn range_hash<H: Hashes>(hashes: &H, range: &Range<u64>) -> Result<Digest, H::Error> {
    let parts = complete_subtrees(range).map(|(level, index)| hashes.hash(level, index));
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let hash = parts.into_iter().rev().reduce(|right, left| node_hash(&left, &right));
    Ok(hash.unwrap_or_else(|| sha256(b"")))
}

/// Level and index of the complete subtrees in a subtree, left to right, each smaller than the one before.
fn complete_subtrees(range: &Range<u64>) -> impl Iterator<Item = (u8, u64)> {
    let Range { mut start, end } = *range;
    iter::from_fn(move || {
        let level = (end - start).checked_ilog2()?;
        let index = start >> level;
        start += 1 << level;
        Some((u8::try_from(level).ok()?, index))
    })
}
