//! The second copy of the newest checkpoint, outside the refs: it tells a ledger that was set back from a whole one.
//!
//! One always lies beside the ledger. Where `mledger.lastCheckpoint` names a file, another is kept there: on another
//! volume no restored backup of the repository sets it back.

use std::path::{Path, PathBuf};

use super::append::AppendError;
use super::place::{self, Place};
use crate::git::{GitError, Repository};
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::key::VerifierKey;

/// The name of the copy beside the ledger.
pub const LAST_CHECKPOINT: &str = "last-checkpoint";

/// The setting that names the copy elsewhere; a relative path begins at the repository.
pub const CONFIG: &str = "mledger.lastCheckpoint";

/// The files that hold the newest checkpoint which was signed.
#[derive(Clone, Debug)]
pub struct LastCheckpoint(Vec<PathBuf>);

impl LastCheckpoint {
    /// The copies of the ledger of `repository`, whose folder is `place`.
    pub fn of(repository: &Repository, place: &Place) -> Result<Self, GitError> {
        let mut files = vec![place.file(LAST_CHECKPOINT)];
        let elsewhere = repository.config(CONFIG)?.filter(|path| !path.is_empty());
        files.extend(elsewhere.map(|path| repository.git_dir().join(path)));
        Ok(Self(files))
    }

    /// Where they lie.
    pub fn files(&self) -> &[PathBuf] {
        &self.0
    }

    /// Every copy that says something else than `note`, a checkpoint whose signature was checked. Each copy must be there,
    /// and signed by the ledger's key.
    pub fn read_unlike(&self, note: &str, vkey: &VerifierKey) -> Result<Vec<Checkpoint>, AppendError> {
        let mut unlike = Vec::new();
        for file in &self.0 {
            let text = place::read_file(file)?.ok_or_else(|| AppendError::NoLastCheckpoint(file.clone()))?;
            if text != note {
                unlike.push(open(file, &text, vkey)?);
            }
        }
        Ok(unlike)
    }

    /// The newest checkpoint that any copy holds; none where no ledger was here before.
    pub fn newest(&self, vkey: &VerifierKey) -> Result<Option<Checkpoint>, AppendError> {
        let found = self.0.iter().map(|file| read(file, vkey)).collect::<Result<Vec<_>, _>>()?;
        Ok(found.into_iter().flatten().max_by_key(Checkpoint::size))
    }

    /// Whether any copy is there.
    pub fn exists(&self) -> bool {
        self.0.iter().any(|file| file.exists())
    }

    /// Replaces every copy, durably.
    pub fn write(&self, note: &str) -> Result<(), AppendError> {
        Ok(self.0.iter().try_for_each(|file| place::write_file(file, note, 0o644))?)
    }

    /// Makes the copies that are missing like the one beside the ledger.
    pub fn spread(&self) -> Result<(), AppendError> {
        let Some((first, others)) = self.0.split_first() else { return Ok(()) };
        let Some(note) = place::read_file(first)? else { return Ok(()) };
        let mut missing = others.iter().filter(|file| !file.exists());
        Ok(missing.try_for_each(|file| place::write_file(file, &note, 0o644))?)
    }
}

fn read(file: &Path, vkey: &VerifierKey) -> Result<Option<Checkpoint>, AppendError> {
    let Some(note) = place::read_file(file)? else { return Ok(None) };
    open(file, &note, vkey).map(Some)
}

fn open(file: &Path, note: &str, vkey: &VerifierKey) -> Result<Checkpoint, AppendError> {
    Checkpoint::open(note, vkey).map_err(|source| AppendError::LastCheckpoint { file: file.to_owned(), source })
}
