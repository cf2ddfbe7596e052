//! Where a tree's hashes come from, and the order in which an append-only file keeps them.
//!
//! A *stored hash* is the RFC 6962 hash of a complete subtree; it never changes once its last leaf is there. The
//! linear layout writes each one when it becomes known (the order of `golang.org/x/mod/sumdb/tlog`):
//!
//! ```text
//! leaf         0    1       2    3            4
//! level 0      0    1       3    4            7
//! level 1             2            5
//! level 2                            6
//! ```

use crate::digest::{Digest, node_hash};

/// The hashes of a tree's complete subtrees.
///
/// `hash(level, index)` is the RFC 6962 hash of the complete subtree of `2^level` leaves that begins at leaf
/// `index << level`. An implementation answers for every subtree whose leaves it holds, and fails for any other;
/// it never answers with a hash that a later append could change.
pub trait Hashes {
    /// Why a hash is not there.
    type Error: std::error::Error + 'static;

    /// The hash of the subtree.
    fn hash(&self, level: u8, index: u64) -> Result<Digest, Self::Error>;
}

/// A hash that the tree in memory does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tree in memory has no hash {index} at level {level}")]
pub struct MissingHash {
    /// The subtree's height.
    pub level: u8,
    /// The subtree's number at its level.
    pub index: u64,
}

/// All complete subtrees of a tree, in memory: 64 bytes per leaf. Of its first leaves it may know no more than the
/// subtrees of some height.
#[derive(Clone, Debug, Default)]
pub struct MemoryHashes {
    /// How many leaves are known by subtrees alone, all of height `height`.
    skipped: u64,
    height: u8,
    levels: Vec<Vec<Digest>>,
}

impl MemoryHashes {
    /// A tree of nothing but these complete subtrees, each of `2^height` leaves.
    pub fn of_subtrees(height: u8, subtrees: Vec<Digest>) -> Self {
        if subtrees.is_empty() {
            return Self::default();
        }
        let skipped = (subtrees.len() as u64).checked_shl(u32::from(height)).unwrap_or(u64::MAX);
        let mut levels = vec![Vec::new(); usize::from(height)];
        let mut row = subtrees;
        while !row.is_empty() {
            let pairs = row.as_chunks::<2>().0;
            let above = pairs.iter().map(|[left, right]| node_hash(left, right)).collect();
            levels.push(std::mem::replace(&mut row, above));
        }
        Self { skipped, height, levels }
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.skipped_at(0) + self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    fn skipped_at(&self, level: u8) -> u64 {
        if level < self.height { self.skipped >> level } else { 0 }
    }

    /// Adds a leaf by its hash, and the subtrees that it completes.
    pub fn append(&mut self, leaf_hash: Digest) {
        let mut hash = leaf_hash;
        for row in &mut self.levels {
            row.push(hash);
            match row.as_slice() {
                [.., left, right] if row.len().is_multiple_of(2) => hash = node_hash(left, right),
                _ => return,
            }
        }
        self.levels.push(vec![hash]);
    }
}

impl Hashes for MemoryHashes {
    type Error = MissingHash;

    fn hash(&self, level: u8, index: u64) -> Result<Digest, MissingHash> {
        let row = self.levels.get(usize::from(level));
        let at = index.checked_sub(self.skipped_at(level)).and_then(|at| usize::try_from(at).ok());
        let hash = at.and_then(|at| row?.get(at));
        hash.copied().ok_or(MissingHash { level, index })
    }
}

impl Extend<Digest> for MemoryHashes {
    fn extend<I: IntoIterator<Item = Digest>>(&mut self, leaf_hashes: I) {
        leaf_hashes.into_iter().for_each(|leaf_hash| self.append(leaf_hash));
    }
}

impl FromIterator<Digest> for MemoryHashes {
    fn from_iter<I: IntoIterator<Item = Digest>>(leaf_hashes: I) -> Self {
        let mut hashes = Self::default();
        hashes.extend(leaf_hashes);
        hashes
    }
}

/// The number of stored hashes of a tree of `size` leaves. Saturates beyond 2^63 leaves.
pub fn stored_count(size: u64) -> u64 {
    // The sum of size/2^level over all levels.
    size.saturating_mul(2).saturating_sub(u64::from(size.count_ones()))
}

/// Where in the linear layout the hash of a complete subtree lies, counted in hashes. Saturates beyond 2^63 leaves.
pub fn stored_position(level: u8, index: u64) -> u64 {
    let leaves = 1_u128.checked_shl(u32::from(level)).unwrap_or(u128::MAX);
    let end = u128::from(index).saturating_add(1).saturating_mul(leaves);
    // A subtree's hash follows those that its last leaf completed below it.
    let last_leaf = u64::try_from(end - 1).unwrap_or(u64::MAX);
    stored_count(last_leaf).saturating_add(u64::from(level))
}

/// The hashes to add to the linear layout with leaf `index`: its own, then that of each subtree it completes, lowest
/// first. Reads only subtrees of the leaves before it.
pub fn completed_by<H: Hashes>(index: u64, leaf_hash: Digest, hashes: &H) -> Result<Vec<Digest>, H::Error> {
    let mut completed = vec![leaf_hash];
    let mut hash = leaf_hash;
    let mut row = index;
    let mut level = 0;
    while row & 1 == 1 {
        hash = node_hash(&hashes.hash(level, row - 1)?, &hash);
        completed.push(hash);
        row >>= 1;
        level += 1;
    }
    Ok(completed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::leaf_hash;

    /// The linear layout, as a file would hold it.
    struct Linear(Vec<Digest>);

    impl Hashes for Linear {
        type Error = MissingHash;

        fn hash(&self, level: u8, index: u64) -> Result<Digest, MissingHash> {
            let position = usize::try_from(stored_position(level, index)).unwrap();
            self.0.get(position).copied().ok_or(MissingHash { level, index })
        }
    }

    #[test]
    fn positions_are_those_of_the_drawing() {
        for (level, index, position) in
            [(0, 0, 0), (0, 1, 1), (1, 0, 2), (0, 2, 3), (0, 3, 4), (1, 1, 5), (2, 0, 6), (0, 4, 7), (3, 0, 14)]
        {
            assert_eq!(stored_position(level, index), position, "level {level} index {index}");
        }
        assert_eq!([0, 1, 2, 3, 4, 5, 8].map(stored_count), [0, 1, 3, 4, 7, 8, 15]);
        assert_eq!(stored_count(1 << 63), u64::MAX - 1);
        assert_eq!(stored_position(63, 0), u64::MAX - 1);
        assert_eq!(stored_position(255, u64::MAX), u64::MAX);
    }

    #[test]
    fn both_layouts_hold_the_same_hashes() {
        let mut memory = MemoryHashes::default();
        let mut linear = Linear(Vec::new());
        for index in 0..600_u64 {
            let leaf = leaf_hash(&index.to_be_bytes());
            let completed = completed_by(index, leaf, &linear).unwrap();
            assert_eq!(completed_by(index, leaf, &memory).unwrap(), completed);
            linear.0.extend(completed);
            memory.append(leaf);
            assert_eq!(linear.0.len() as u64, stored_count(index + 1));
        }
        assert_eq!(memory.size(), 600);
        for level in 0..=9 {
            for index in 0..600 >> level {
                assert_eq!(linear.hash(level, index), memory.hash(level, index), "level {level} index {index}");
            }
            assert!(memory.hash(level, 600 >> level).is_err());
        }
        assert_eq!(memory.hash(200, u64::MAX), Err(MissingHash { level: 200, index: u64::MAX }));
    }

    #[test]
    fn a_tree_goes_on_from_its_subtrees() {
        let leaf = |index: u64| leaf_hash(&index.to_be_bytes());
        for (height, count) in [(3, 0), (3, 1), (3, 2), (3, 5), (0, 7), (8, 3)] {
            let begin = count << height;
            let mut whole: MemoryHashes = (0..begin).map(leaf).collect();
            let subtrees = (0..count).map(|index| whole.hash(height, index).unwrap()).collect();
            let mut resumed = MemoryHashes::of_subtrees(height, subtrees);
            for index in begin..begin + 300 {
                assert_eq!(resumed.size(), index);
                whole.append(leaf(index));
                resumed.append(leaf(index));
                for level in 0..12 {
                    let last = ((index + 1) >> level).checked_sub(1);
                    let known = last.filter(|last| level >= height || *last >= begin >> level);
                    let same = |last| resumed.hash(level, last) == whole.hash(level, last);
                    assert!(known.is_none_or(same), "height {height} count {count} level {level} index {index}");
                }
            }
            assert!(count == 0 || height == 0 || resumed.hash(0, begin - 1).is_err());
        }
    }

    #[test]
    fn a_missing_subtree_is_named() {
        let linear = Linear(Vec::new());
        assert_eq!(completed_by(1, leaf_hash(b""), &linear), Err(MissingHash { level: 0, index: 0 }));
    }
}
