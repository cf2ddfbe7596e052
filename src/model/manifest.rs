//! Manifests: what a commit changes, by SHA-256, in one canonical text whose digest its author signs.
//!
//! ```text
//! mledger-manifest 1
//! parent 9c1f0a…                      once per parent in the commit's order, or `parent -` alone for a root commit
//! A 000000 100644 - sha256:9f86d0… 4 models/credit/scaler.json
//! D 100644 000000 sha256:60303a… - - models/credit/old.onnx
//! M 100644 100755 sha256:e3b0c4… sha256:4355a4… 132 lfs-sha256:2c26b4… 73400320 models/credit/model.onnx
//! T 100644 160000 sha256:e3b0c4… commit:7fd1a6… - vendor/data
//! ```
//!
//! A line is, with one space between, and LF at the end:
//!
//! | field | is |
//! |---|---|
//! | letter | `A` nothing stood there, `D` nothing stands there, `T` another type (file, link, submodule), `M` else |
//! | old mode, new mode | six digits, `000000` for nothing, as in `git diff --raw` |
//! | old, new | `sha256:<64 hex>` of the blob's bytes, `commit:<40 hex>` for a submodule, `-` for nothing |
//! | new size | of the new blob in bytes; `-` for a submodule or nothing |
//! | LFS | left out, or `lfs-sha256:<64 hex> <size>`: of the content that the new file, an LFS pointer, stands for |
//! | path | the rest of the line, quoted as Git does with `core.quotePath=true` |
//!
//! Lines are sorted by the paths' raw bytes. A path that begins with `lfs-sha256:` is quoted even where Git would not,
//! so that a line has one reading. What [`Manifest::parse`] accepts prints as the same bytes.

mod text;

use std::collections::BTreeSet;

use crate::digest::{Digest, sha256};
use crate::name::{Oid, RepoPath};
use crate::object::commit;
use crate::object::person::canonical_number;
use crate::object::tree::Mode;

/// The longest manifest, in bytes: 200,000 changed files with paths of a hundred bytes.
pub const TEXT_BYTES_MAX: usize = 64 << 20;

/// What a commit changes. Invariant: at least one parent, each once; at most the only one is none; lines strictly
/// sorted by path; every line a change, with values that its modes allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    parents: Vec<ParentChanges>,
}

/// What a commit changes against one parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentChanges {
    /// What differs, sorted by path.
    pub lines: Vec<Line>,
    /// The parent; `None` for a root commit, which is compared with the empty tree.
    pub parent: Option<Oid>,
}

/// One path that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What stands there now.
    pub new: Option<New>,
    /// What stood there.
    pub old: Option<Old>,
    /// Where.
    pub path: RepoPath,
}

/// What stood at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Old {
    /// A file or symbolic link.
    Blob {
        /// Which of them.
        mode: Mode,
        /// Of its bytes.
        sha256: Digest,
    },
    /// A submodule at this commit.
    Gitlink(Oid),
}

/// What stands at a path now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum New {
    /// A file or symbolic link.
    Blob {
        /// Its size.
        bytes: u64,
        /// If it is a canonical LFS pointer, what it points to.
        lfs: Option<LfsPointer>,
        /// Which of them.
        mode: Mode,
        /// Of its bytes.
        sha256: Digest,
    },
    /// A submodule at this commit.
    Gitlink(Oid),
}

/// What an LFS pointer stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LfsPointer {
    /// The content's size.
    pub bytes: u64,
    /// The content's digest.
    pub sha256: Digest,
}

/// Why a text or a list of changes is not a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Longer than [`TEXT_BYTES_MAX`].
    #[error("a manifest of {bytes} bytes is longer than the {TEXT_BYTES_MAX} that are accepted")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not ASCII, or not in lines.
    #[error("the manifest is not lines of ASCII text")]
    NotText,
    /// Not version 1.
    #[error("the manifest does not begin with `mledger-manifest 1`")]
    Version,
    /// Parents that no commit has.
    #[error("the manifest's parents are not those of a commit")]
    Parents,
    /// A line in another form than the canonical one.
    #[error("the manifest's line {number} is malformed")]
    Line {
        /// Counted from 1.
        number: usize,
    },
    /// A path out of order, twice, without change, or with values that its modes do not allow.
    #[error("the manifest's entry for `{0}` is not a change, or out of order")]
    Entry(RepoPath),
}

impl Manifest {
    /// Takes the changes against each parent, which must meet the type's invariant.
    pub fn new(parents: Vec<ParentChanges>) -> Result<Self, ManifestError> {
        let oids: BTreeSet<_> = parents.iter().map(|changes| changes.parent).collect();
        let root = oids.contains(&None);
        let count = parents.len();
        if oids.len() != count || !(1..=commit::PARENTS_MAX).contains(&count) || (root && count > 1) {
            return Err(ManifestError::Parents);
        }
        for changes in &parents {
            let mut last = None;
            for line in &changes.lines {
                if last >= Some(&line.path) || !line.is_sound() {
                    return Err(ManifestError::Entry(line.path.clone()));
                }
                last = Some(&line.path);
            }
        }
        Ok(Self { parents })
    }

    /// Parses the canonical text, and nothing else.
    pub fn parse(raw: &[u8]) -> Result<Self, ManifestError> {
        text::parse(raw)
    }

    /// The canonical text.
    pub fn to_text(&self) -> String {
        text::print(self)
    }

    /// The digest of the canonical text: what the trailer holds.
    pub fn digest(&self) -> Digest {
        sha256(self.to_text().as_bytes())
    }

    /// The changes, parent by parent.
    pub fn parents(&self) -> &[ParentChanges] {
        &self.parents
    }

    /// Every path that differs from any parent.
    pub fn touched(&self) -> BTreeSet<&RepoPath> {
        self.parents.iter().flat_map(|changes| &changes.lines).map(|line| &line.path).collect()
    }
}

impl Line {
    /// Whether something changes, and the values fit the modes.
    fn is_sound(&self) -> bool {
        let old_fits = !matches!(self.old, Some(Old::Blob { mode: Mode::Gitlink, .. }));
        let new_fits = match self.new {
            Some(New::Blob { mode: Mode::Gitlink, .. }) => false,
            Some(New::Blob { mode, lfs: Some(_), .. }) => mode.is_file(),
            _ => true,
        };
        let changes = self.old != self.new.map(New::as_old);
        old_fits && new_fits && changes
    }
}

impl Old {
    /// Its mode.
    pub fn mode(&self) -> Mode {
        match self {
            Self::Blob { mode, .. } => *mode,
            Self::Gitlink(_) => Mode::Gitlink,
        }
    }
}

impl New {
    /// Its mode.
    pub fn mode(&self) -> Mode {
        self.as_old().mode()
    }

    /// The same thing, seen from a later change.
    pub fn as_old(self) -> Old {
        match self {
            Self::Blob { mode, sha256, .. } => Old::Blob { mode, sha256 },
            Self::Gitlink(oid) => Old::Gitlink(oid),
        }
    }
}

/// What an LFS pointer stands for, if `bytes` are one exactly as git-lfs writes it. Pointers with extensions are none
/// here: git-lfs runs programs of the reader's choice for them.
pub fn lfs_pointer(bytes: &[u8]) -> Option<LfsPointer> {
    const BYTES_MAX: usize = 256;
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= BYTES_MAX)?;
    let fields = text.strip_prefix("version https://git-lfs.github.com/spec/v1\noid ")?;
    let (oid, rest) = fields.split_once("\nsize ")?;
    let size = rest.strip_suffix('\n')?;
    // An empty file is stored as it is, so git-lfs writes no pointer of size zero; it counts in a signed integer.
    let bytes = canonical_number(size).filter(|bytes| (1..=i64::MAX.unsigned_abs()).contains(bytes))?;
    Some(LfsPointer { bytes, sha256: Digest::parse(oid).ok()? })
}

#[cfg(test)]
mod tests;
