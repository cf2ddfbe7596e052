//! The right edge of a tree: all that is needed to add leaves and to know the root.

use super::complete_subtrees;
use crate::digest::{Digest, node_hash, sha256};
use crate::tlog::hashes::Hashes;

/// The complete subtrees that a tree consists of, one per bit set in its size; 2 KiB whatever the size.
///
/// Adding a leaf hashes one node on average, the root one node per bit set in the size.
#[derive(Clone, Debug)]
pub struct Frontier {
    size: u64,
    /// Slot `n` counts where bit `n` of the size is set: the subtree of `2^n` leaves.
    slots: [Digest; 64],
}

impl Default for Frontier {
    fn default() -> Self {
        Self { size: 0, slots: [Digest::from_bytes([0; 32]); 64] }
    }
}

impl Frontier {
    /// Takes up a tree of `size` leaves where it ended.
    pub fn resume<H: Hashes>(hashes: &H, size: u64) -> Result<Self, H::Error> {
        let mut frontier = Self { size, ..Self::default() };
        for (level, index) in complete_subtrees(&(0..size)) {
            if let Some(slot) = frontier.slots.get_mut(usize::from(level)) {
                *slot = hashes.hash(level, index)?;
            }
        }
        Ok(frontier)
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf by its hash.
    pub fn append(&mut self, leaf_hash: Digest) {
        let mut hash = leaf_hash;
        let carries = self.size.trailing_ones() as usize;
        for (level, slot) in self.slots.iter_mut().enumerate().take(carries + 1) {
            if level == carries {
                *slot = hash;
            } else {
                hash = node_hash(slot, &hash);
            }
        }
        // At a million leaves a second, 2^64 is half a million years away.
        self.size = self.size.saturating_add(1);
    }

    /// The root of all leaves added so far.
    pub fn root(&self) -> Digest {
        let subtrees = self.slots.iter().enumerate().filter(|(level, _)| self.size >> level & 1 == 1);
        let root = subtrees.map(|(_, slot)| *slot).reduce(|right, left| node_hash(&left, &right));
        root.unwrap_or_else(|| sha256(b""))
    }
}
