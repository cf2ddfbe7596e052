//! Verification of proofs, as in RFC 9162 sections 2.1.3.2 and 2.1.4.2: a walk upwards by the bits of two numbers.

use crate::digest::{Digest, node_hash, sha256};

/// Why a proof does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// No such leaf.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    Index {
        /// The leaf that the proof is about.
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
    /// Too few or too many hashes.
    #[error("a proof of {hashes} hashes does not fit the size of the tree")]
    Length {
        /// Hashes in the proof.
        hashes: usize,
    },
    /// The hashes lead elsewhere.
    #[error("the proof leads to another root than that of the tree of {size} leaves")]
    Root {
        /// Leaves of the tree whose root differs.
        size: u64,
    },
}

/// Checks that the leaf with this hash is leaf `index` of the tree with this size and root.
pub fn verify_inclusion(
    leaf_hash: &Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
    root: &Digest,
) -> Result<(), VerifyError> {
    if index >= size {
        return Err(VerifyError::Index { index, size });
    }
    let mut walk = Walk { node: index, last: size - 1 };
    let mut hash = *leaf_hash;
    for sibling in proof {
        hash = match walk.up() {
            Some(Side::Left) => node_hash(sibling, &hash),
            Some(Side::Right) => node_hash(&hash, sibling),
            None => return Err(VerifyError::Length { hashes: proof.len() }),
        };
    }
    walk.end(proof)?;
    expect_root(&hash, root, size)
}

/// Checks that the tree with the old size and root is a beginning of the one with the new size and root.
///
/// The empty tree is a beginning of every tree, with an empty proof.
pub fn verify_consistency(
    old_size: u64,
    new_size: u64,
    old_root: &Digest,
    new_root: &Digest,
    proof: &[Digest],
) -> Result<(), VerifyError> {
    if old_size > new_size {
        return Err(VerifyError::Sizes { old: old_size, new: new_size });
    }
    if old_size == 0 || old_size == new_size {
        return verify_trivial(old_size, new_size, old_root, new_root, proof);
    }
    // The proof begins with the largest subtree that the old tree ends with: the old tree itself where it is complete.
    let complete = old_size.is_power_of_two().then_some(old_root);
    let mut path = complete.into_iter().chain(proof);
    let Some(start) = path.next() else { return Err(VerifyError::Length { hashes: 0 }) };
    let levels = (old_size - 1).trailing_ones();
    let mut walk = Walk { node: (old_size - 1).unbounded_shr(levels), last: (new_size - 1).unbounded_shr(levels) };
    let (mut old_hash, mut new_hash) = (*start, *start);
    for sibling in path {
        match walk.up() {
            Some(Side::Left) => {
                old_hash = node_hash(sibling, &old_hash);
                new_hash = node_hash(sibling, &new_hash);
            }
            Some(Side::Right) => new_hash = node_hash(&new_hash, sibling),
            None => return Err(VerifyError::Length { hashes: proof.len() }),
        }
    }
    walk.end(proof)?;
    expect_root(&old_hash, old_root, old_size)?;
    expect_root(&new_hash, new_root, new_size)
}

fn verify_trivial(
    old_size: u64,
    new_size: u64,
    old_root: &Digest,
    new_root: &Digest,
    proof: &[Digest],
) -> Result<(), VerifyError> {
    if !proof.is_empty() {
        return Err(VerifyError::Length { hashes: proof.len() });
    }
    if old_size == 0 {
        expect_root(&sha256(b""), old_root, 0)?;
    }
    if old_size == new_size { expect_root(old_root, new_root, new_size) } else { Ok(()) }
}

fn expect_root(found: &Digest, root: &Digest, size: u64) -> Result<(), VerifyError> {
    if found == root { Ok(()) } else { Err(VerifyError::Root { size }) }
}

/// A node and the last node of the same level (`fn` and `sn` of RFC 9162).
struct Walk {
    node: u64,
    last: u64,
}

/// Where the sibling stands.
enum Side {
    Left,
    Right,
}

impl Walk {
    /// Goes to the parent past every level where the node has no sibling; `None` where it is the root.
    fn up(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        if self.node & 1 == 0 && self.node < self.last {
            self.shift(1);
            return Some(Side::Right);
        }
        // A last node that is a left child has moved up unchanged to the level where it is a right one.
        self.shift(self.node.trailing_zeros() + 1);
        Some(Side::Left)
    }

    fn shift(&mut self, levels: u32) {
        self.node = self.node.unbounded_shr(levels);
        self.last = self.last.unbounded_shr(levels);
    }

    fn end(&self, proof: &[Digest]) -> Result<(), VerifyError> {
        if self.last == 0 { Ok(()) } else { Err(VerifyError::Length { hashes: proof.len() }) }
    }
}
