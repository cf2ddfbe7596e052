//! What differs between two trees: every path, nothing guessed.
//!
//! No renames: a moved file is a deletion and an addition. Subtrees with one id are equal and are not read. A file
//! that becomes a folder is a deletion and additions.

use std::cmp::Ordering;
use std::error::Error;

use crate::name::{NameError, Oid, RepoPath};
use crate::object::tree::{self, Entry, Kind, Mode, TreeError};

/// The deepest tree, in folders: a path of 4096 bytes can hold 2048, but nobody's models do, and each costs stack.
pub const DEPTH_MAX: usize = 128;

/// How much one comparison may cost: 800 bytes of trees can describe a billion paths.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most changes.
    pub changes_max: usize,
    /// The most bytes of raw trees, each counted whenever it is read.
    pub tree_bytes_max: usize,
}

/// One path that differs. Invariant: at least one side is there, and they are not equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What stood there; `None` for nothing (or a folder).
    pub old: Option<(Mode, Oid)>,
    /// What stands there now; `None` for nothing (or a folder).
    pub new: Option<(Mode, Oid)>,
    /// Where.
    pub path: RepoPath,
}

/// Why two trees could not be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError<E: Error + 'static> {
    /// A tree could not be read.
    #[error("could not read tree {oid}")]
    Read {
        /// The tree.
        oid: Oid,
        /// Why not.
        source: E,
    },
    /// A tree that does not count.
    #[error("tree {oid} is malformed")]
    Tree {
        /// The tree.
        oid: Oid,
        /// What is wrong.
        source: TreeError,
    },
    /// A path that does not count.
    #[error("a tree holds a path that is not accepted")]
    Path {
        /// What is wrong.
        source: NameError,
    },
    /// More than [`DEPTH_MAX`] folders within one another.
    #[error("the tree is deeper than {DEPTH_MAX} folders")]
    TooDeep,
    /// More than the caller's limit of changes.
    #[error("more than {max} paths differ")]
    TooManyChanges {
        /// The limit.
        max: usize,
    },
    /// More than the caller's limit of changes in several comparisons.
    #[error("more than {max} paths differ in all")]
    TooManyChangesInAll {
        /// The limit.
        max: usize,
    },
    /// More than the caller's limit of tree bytes.
    #[error("comparing the trees takes more than {max} bytes of them")]
    TooManyBytes {
        /// The limit.
        max: usize,
    },
}

/// Compares two root trees, `None` being the empty one, and returns what differs, sorted by the paths' raw bytes.
///
/// `read` returns a raw tree by its id. It is called for differing trees only, once for each place they stand at, and
/// should refuse, before it inflates it, a tree beyond [`tree::RAW_BYTES_MAX`].
pub fn compare<E: Error + 'static>(
    old: Option<Oid>,
    new: Option<Oid>,
    read: &mut impl FnMut(&Oid) -> Result<Vec<u8>, E>,
    limits: Limits,
) -> Result<Vec<Change>, CompareError<E>> {
    let mut walk = Walk { changes: Vec::new(), limits, path: Vec::new(), read, tree_bytes: 0 };
    walk.folder(old, new, 0)?;
    let mut changes = walk.changes;
    changes.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    Ok(changes)
}

struct Walk<'a, R> {
    changes: Vec<Change>,
    limits: Limits,
    /// Where the walk is: the folders' names, each with a slash behind it.
    path: Vec<u8>,
    read: &'a mut R,
    tree_bytes: usize,
}

impl<E: Error + 'static, R: FnMut(&Oid) -> Result<Vec<u8>, E>> Walk<'_, R> {
    fn folder(&mut self, old: Option<Oid>, new: Option<Oid>, depth: usize) -> Result<(), CompareError<E>> {
        if old == new {
            return Ok(());
        }
        if depth > DEPTH_MAX {
            return Err(CompareError::TooDeep);
        }
        let old_raw = self.read(old)?;
        let new_raw = self.read(new)?;
        let old_entries = parse(old, &old_raw)?;
        let new_entries = parse(new, &new_raw)?;
        for (old, new) in pair(&old_entries, &new_entries) {
            if old != new {
                self.entry(old, new, depth)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, oid: Option<Oid>) -> Result<Vec<u8>, CompareError<E>> {
        let Some(oid) = oid else { return Ok(Vec::new()) };
        let raw = (self.read)(&oid).map_err(|source| CompareError::Read { oid, source })?;
        self.tree_bytes = self.tree_bytes.saturating_add(raw.len());
        if self.tree_bytes > self.limits.tree_bytes_max {
            return Err(CompareError::TooManyBytes { max: self.limits.tree_bytes_max });
        }
        Ok(raw)
    }

    /// Takes two entries of one name and of one kind: folders, or leaves.
    fn entry(&mut self, old: Option<&Entry<'_>>, new: Option<&Entry<'_>>, depth: usize) -> Result<(), CompareError<E>> {
        let Some(Entry { name, kind, .. }) = new.or(old) else { return Ok(()) };
        let outside = self.path.len();
        self.path.extend_from_slice(name);
        if *kind == Kind::Folder {
            self.path.push(b'/');
            self.folder(old.map(|entry| entry.oid), new.map(|entry| entry.oid), depth + 1)?;
        } else {
            self.change(old.and_then(leaf), new.and_then(leaf))?;
        }
        self.path.truncate(outside);
        Ok(())
    }

    fn change(&mut self, old: Option<(Mode, Oid)>, new: Option<(Mode, Oid)>) -> Result<(), CompareError<E>> {
        if self.changes.len() == self.limits.changes_max {
            return Err(CompareError::TooManyChanges { max: self.limits.changes_max });
        }
        let path = RepoPath::from_bytes(&self.path).map_err(|source| CompareError::Path { source })?;
        self.changes.push(Change { old, new, path });
        Ok(())
    }
}

fn parse<E: Error + 'static>(oid: Option<Oid>, raw: &[u8]) -> Result<Vec<Entry<'_>>, CompareError<E>> {
    let Some(oid) = oid else { return Ok(Vec::new()) };
    tree::parse(raw).map_err(|source| CompareError::Tree { oid, source })
}

fn leaf(entry: &Entry<'_>) -> Option<(Mode, Oid)> {
    match entry.kind {
        Kind::Leaf(mode) => Some((mode, entry.oid)),
        Kind::Folder => None,
    }
}

/// Pairs equal names of two sorted lists. A file and a folder of one name are never a pair: Git sorts them apart.
fn pair<'a, 'raw>(
    old: &'a [Entry<'raw>],
    new: &'a [Entry<'raw>],
) -> Vec<(Option<&'a Entry<'raw>>, Option<&'a Entry<'raw>>)> {
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    let mut pairs = Vec::new();
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some(one), Some(other)) => one.order(other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return pairs,
        };
        let from_old = if order.is_le() { old.next() } else { None };
        let from_new = if order.is_ge() { new.next() } else { None };
        pairs.push((from_old, from_new));
    }
}

#[cfg(test)]
mod tests;
