//! The manifest of a commit, computed from a repository: the hook that writes the trailer and the gate that checks it
//! share this one function.
//!
//! One blob is in memory at a time. What all calls with one [`Cache`] may cost together is bounded by [`Limits`], so a
//! gate keeps one cache per push.

use std::collections::HashMap;
use std::time::Instant;

use super::{GitError, Kind, Repository};
use crate::digest::{Digest, sha256};
use crate::model::manifest::{self, LfsPointer, Line, Manifest, New, Old, ParentChanges};
use crate::name::Oid;
use crate::object::changes::{self, Change, CompareError};
use crate::object::collision::{self, Collision};
use crate::object::tree::{self, Mode};
use crate::policy::Policy;

/// The empty tree, which Git knows without storing it.
pub const EMPTY_TREE: Oid = Oid::from_bytes([
    0x4b, 0x82, 0x5d, 0xc6, 0x42, 0xcb, 0x6e, 0xb9, 0xa0, 0x60, 0xe5, 0x4b, 0xf8, 0xd6, 0x92, 0x88, 0xfb, 0xee, 0x49,
    0x04,
]);

/// What manifests may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most paths that one commit may change against one parent.
    pub changes_max: usize,
    /// The most changes that are found with one cache: each takes some 500 bytes of memory.
    pub changes_in_all_max: usize,
    /// The largest file, in bytes; it is in memory while it is hashed.
    pub file_bytes_max: u64,
    /// The most bytes of files that are hashed with one cache.
    pub files_bytes_max: u64,
    /// The most bytes of trees that are read with one cache: 800 bytes of them can describe a billion paths.
    pub trees_bytes_max: usize,
    /// When to give up; none for as long as it takes.
    pub until: Option<Instant>,
}

impl Limits {
    /// Gives up once the time is over.
    pub fn check_time(&self) -> Result<(), GitError> {
        if self.until.is_some_and(|until| Instant::now() > until) { Err(GitError::TooSlow) } else { Ok(()) }
    }
}

impl Default for Limits {
    /// What an import of 100,000 files of half a megabyte fits in, or one of 10,000 commits of 100 files.
    fn default() -> Self {
        Self {
            changes_max: 100_000,
            changes_in_all_max: 1_000_000,
            file_bytes_max: 1 << 30,
            files_bytes_max: 64 << 30,
            trees_bytes_max: 1 << 30,
            until: None,
        }
    }
}

impl Limits {
    /// What they may cost under a policy.
    pub fn of(policy: &Policy) -> Self {
        let changes_max = usize::try_from(policy.limits().changes_per_commit).unwrap_or(usize::MAX);
        Self { changes_max, ..Self::default() }
    }
}

/// How many blobs are remembered from one use of a [`Cache`] to the next: 100 MB of memory.
const CONTENTS_MAX: usize = 1_000_000;

/// Why a manifest cannot be computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// A file that cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Trees that cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError<GitError>),
    /// Parents that no commit has.
    #[error(transparent)]
    Manifest(#[from] manifest::ManifestError),
    /// More than [`Limits::files_bytes_max`].
    #[error("the changed files have more than {max} bytes in all")]
    TooManyBytes {
        /// The limit.
        max: u64,
    },
}

/// What is known of blobs by their ids, and what was spent on it: 100 bytes for each blob.
#[derive(Debug, Default)]
pub struct Cache {
    contents: HashMap<Oid, Content>,
    changes: usize,
    files_bytes: u64,
    trees_bytes: usize,
}

impl Cache {
    /// Forgets what was spent, and keeps what is known of blobs.
    pub fn renew(&mut self) {
        (self.changes, self.files_bytes, self.trees_bytes) = (0, 0, 0);
        if self.contents.len() > CONTENTS_MAX {
            self.contents.clear();
        }
    }

    fn read_tree(&mut self, read: &Repository, oid: &Oid, limits: &Limits) -> Result<Vec<u8>, GitError> {
        limits.check_time()?;
        let (bytes, max) = (self.trees_bytes as u64, limits.trees_bytes_max as u64);
        if bytes > max {
            return Err(GitError::TooLarge { oid: *oid, bytes, max });
        }
        let raw = read.read_limited(oid, Kind::Tree, tree::RAW_BYTES_MAX as u64)?;
        self.trees_bytes = self.trees_bytes.saturating_add(raw.len());
        Ok(raw)
    }
}

#[derive(Clone, Copy, Debug)]
struct Content {
    bytes: u64,
    lfs: Option<LfsPointer>,
    sha256: Digest,
}

/// The manifest of a commit of `tree` on `parents`, each with its own tree; without parents, against the empty tree.
pub fn manifest(
    read: &Repository,
    tree: &Oid,
    parents: &[(Oid, Oid)],
    cache: &mut Cache,
    limits: &Limits,
) -> Result<Manifest, ManifestError> {
    let mut lists = Vec::with_capacity(parents.len().max(1));
    if parents.is_empty() {
        lists.push(ParentChanges { lines: lines(read, None, tree, cache, limits)?, parent: None });
    }
    for (parent, parent_tree) in parents {
        let lines = lines(read, Some(parent_tree), tree, cache, limits)?;
        lists.push(ParentChanges { lines, parent: Some(*parent) });
    }
    Ok(Manifest::new(lists)?)
}

fn lines(
    read: &Repository,
    old: Option<&Oid>,
    new: &Oid,
    cache: &mut Cache,
    limits: &Limits,
) -> Result<Vec<Line>, ManifestError> {
    let changes = compare(read, old, new, cache, limits)?;
    changes.into_iter().map(|change| line(read, change, cache, limits)).collect()
}

/// What differs between two trees, none being the empty one, within the limits and counted in the cache.
pub fn compare(
    read: &Repository,
    old: Option<&Oid>,
    new: &Oid,
    cache: &mut Cache,
    limits: &Limits,
) -> Result<Vec<Change>, CompareError<GitError>> {
    let stored = |tree: &Oid| (*tree != EMPTY_TREE).then_some(*tree);
    let changes_left = limits.changes_in_all_max.saturating_sub(cache.changes);
    let left = changes::Limits {
        changes_max: limits.changes_max.min(changes_left),
        tree_bytes_max: limits.trees_bytes_max.saturating_sub(cache.trees_bytes),
    };
    let mut read_tree = |oid: &Oid| cache.read_tree(read, oid, limits);
    let changes = changes::compare(old.and_then(stored), stored(new), &mut read_tree, left);
    match changes {
        // It is all changes together that are too many, not those of this commit.
        Err(CompareError::TooManyChanges { .. }) if changes_left < limits.changes_max => {
            Err(CompareError::TooManyChangesInAll { max: limits.changes_in_all_max })
        }
        Ok(changes) => {
            cache.changes += changes.len();
            Ok(changes)
        }
        failed @ Err(_) => failed,
    }
}

/// The first path that a commit of `tree` adds and that collides with another one there.
pub fn collision(
    read: &Repository,
    tree: &Oid,
    manifest: &Manifest,
    cache: &mut Cache,
    limits: &Limits,
) -> Result<Option<Collision>, CompareError<GitError>> {
    let lines = manifest.parents().iter().flat_map(|parent| &parent.lines);
    let mut added = lines.filter(|line| line.old.is_none()).map(|line| &line.path).peekable();
    if added.peek().is_none() {
        return Ok(None);
    }
    collision::find(*tree, added, &mut |oid: &Oid| cache.read_tree(read, oid, limits))
}

fn line(read: &Repository, change: Change, cache: &mut Cache, limits: &Limits) -> Result<Line, ManifestError> {
    let old = match change.old {
        Some((Mode::Gitlink, oid)) => Some(Old::Gitlink(oid)),
        Some((mode, oid)) => Some(Old::Blob { mode, sha256: content(read, oid, cache, limits)?.sha256 }),
        None => None,
    };
    let new = match change.new {
        Some((Mode::Gitlink, oid)) => Some(New::Gitlink(oid)),
        Some((mode, oid)) => {
            let Content { bytes, lfs, sha256 } = content(read, oid, cache, limits)?;
            Some(New::Blob { bytes, lfs: lfs.filter(|_| mode.is_file()), mode, sha256 })
        }
        None => None,
    };
    Ok(Line { new, old, path: change.path })
}

fn content(read: &Repository, oid: Oid, cache: &mut Cache, limits: &Limits) -> Result<Content, ManifestError> {
    if let Some(content) = cache.contents.get(&oid) {
        return Ok(*content);
    }
    limits.check_time()?;
    let (_, bytes) = read.header(&oid)?;
    let files_bytes = cache.files_bytes.saturating_add(bytes);
    if files_bytes > limits.files_bytes_max {
        return Err(ManifestError::TooManyBytes { max: limits.files_bytes_max });
    }
    if bytes > limits.file_bytes_max {
        return Err(GitError::TooLarge { oid, bytes, max: limits.file_bytes_max }.into());
    }
    let content = read.read_with(&oid, Kind::Blob, |raw| Content {
        bytes,
        lfs: manifest::lfs_pointer(raw),
        sha256: sha256(raw),
    })?;
    cache.files_bytes = files_bytes;
    cache.contents.insert(oid, content);
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::RepoPath;

    const LFS: &str = "version https://git-lfs.github.com/spec/v1\n\
        oid sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\nsize 3\n";

    struct Fixture {
        _folder: tempfile::TempDir,
        repository: Repository,
    }

    fn fixture() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(folder.path()).unwrap();
        Fixture { _folder: folder, repository }
    }

    impl Fixture {
        fn tree(&self, files: &[(&str, &str)]) -> Oid {
            let put: Vec<_> = files
                .iter()
                .map(|(path, text)| ((*path).to_owned(), self.repository.write(Kind::Blob, text.as_bytes()).unwrap()))
                .collect();
            self.repository.write_tree(None, &put, &[]).unwrap()
        }

        fn manifest(&self, tree: &Oid, parents: &[(Oid, Oid)], limits: &Limits) -> Result<Manifest, ManifestError> {
            manifest(&self.repository, tree, parents, &mut Cache::default(), limits)
        }
    }

    #[test]
    fn changes_are_named_by_sha256_for_each_parent() {
        let fixture = fixture();
        let old = fixture.tree(&[("a/model.json", "one"), ("gone", "x"), ("same", "s")]);
        let new = fixture.tree(&[("a/model.json", "two"), ("same", "s"), ("w.bin", LFS)]);
        let (first, second) = (Oid::from_bytes([1; 20]), Oid::from_bytes([2; 20]));
        let manifest = fixture.manifest(&new, &[(first, old), (second, new)], &Limits::default()).unwrap();
        let digest = |text: &str| sha256(text.as_bytes());
        let expected = format!(
            "mledger-manifest 1\nparent {first}\n\
             M 100644 100644 {} {} 3 a/model.json\n\
             D 100644 000000 {} - - gone\n\
             A 000000 100644 - {} {} lfs-sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae 3 w.bin\n\
             parent {second}\n",
            digest("one"),
            digest("two"),
            digest("x"),
            digest(LFS),
            LFS.len()
        );
        assert_eq!(manifest.to_text(), expected);
    }

    #[test]
    fn without_parents_everything_is_added_and_the_empty_tree_need_not_be_stored() {
        let fixture = fixture();
        let tree = fixture.tree(&[("a", "1")]);
        let manifest = fixture.manifest(&tree, &[], &Limits::default()).unwrap();
        assert_eq!(manifest.parents()[0].lines[0].path, RepoPath::parse("a").unwrap());
        let emptied = fixture.manifest(&EMPTY_TREE, &[(Oid::from_bytes([1; 20]), tree)], &Limits::default()).unwrap();
        assert_eq!(emptied.parents()[0].lines[0].new, None);
        let nothing = fixture.manifest(&EMPTY_TREE, &[], &Limits::default()).unwrap();
        assert_eq!(nothing.to_text(), "mledger-manifest 1\nparent -\n");
    }

    #[test]
    fn every_limit_stops() {
        let fixture = fixture();
        let tree = fixture.tree(&[("a", "12345"), ("b", "678901")]);
        let whole = Limits::default();
        let refused = |limits| fixture.manifest(&tree, &[], &limits).unwrap_err();
        let changes = refused(Limits { changes_max: 1, ..whole });
        assert!(matches!(changes, ManifestError::Compare(CompareError::TooManyChanges { max: 1 })), "{changes}");
        let trees = refused(Limits { trees_bytes_max: 10, ..whole });
        assert!(matches!(trees, ManifestError::Compare(CompareError::TooManyBytes { max: 10 })), "{trees}");
        let file = refused(Limits { file_bytes_max: 5, ..whole });
        assert!(matches!(file, ManifestError::Git(GitError::TooLarge { bytes: 6, .. })), "{file}");
        let files = refused(Limits { files_bytes_max: 10, ..whole });
        assert!(matches!(files, ManifestError::TooManyBytes { max: 10 }), "{files}");
        let slow = refused(Limits { until: Some(Instant::now()), ..whole });
        assert!(matches!(slow, ManifestError::Compare(CompareError::Read { source: GitError::TooSlow, .. })), "{slow}");
        assert!(fixture.manifest(&tree, &[], &Limits { files_bytes_max: 11, ..whole }).is_ok());
    }

    #[test]
    fn a_cache_counts_over_all_its_manifests() {
        let fixture = fixture();
        let (one, other) = (fixture.tree(&[("a", "12345")]), fixture.tree(&[("a", "12345"), ("b", "6")]));
        let limits = Limits { files_bytes_max: 5, ..Limits::default() };
        let mut cache = Cache::default();
        for _ in 0..3 {
            manifest(&fixture.repository, &one, &[], &mut cache, &limits).unwrap();
        }
        assert!(manifest(&fixture.repository, &other, &[], &mut cache, &limits).is_err());
        let trees = Limits { trees_bytes_max: cache.trees_bytes, ..Limits::default() };
        assert!(manifest(&fixture.repository, &one, &[], &mut cache, &trees).is_err());
    }
}
